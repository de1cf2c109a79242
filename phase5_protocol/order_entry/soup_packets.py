"""SoupBinTCP 3.00 packets: how a TCP stream is cut into them.

::

    offset  size  field
    0       2     length of what follows, big endian: the type and the payload, not itself
    2       1     type, one ASCII character
    3       n     payload

    type  from    payload (size)                                              whole packet
    L     client  user (6), password (10), session (10), next number (20)     49
    A     server  session (10), number of the next sequenced message (20)     33
    J     server  reason (1): A not authorised, S session not available       4
    S     server  a message; its number is not in it but counted              3 + n
    U     client  a message that the other side may never get                 3 + n
    H R   each    server's and client's heartbeat                             3
    Z     server  end of session: nothing will follow, ever                   3
    O     client  logout                                                      3
    +     both    text for a person; ignored by programs                      3 + n

Text is ASCII, on the left of its field; numbers are ASCII digits on the right of theirs; blanks
fill the rest. A session left blank means the current one, a number 0 the next message there is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

HEADER_BYTES: Final = 2
#: What the length field can say at most.
LARGEST_PACKET: Final = 0xFFFF
#: Enough for the longest order with every optional value; a login has 47.
DEFAULT_MAX_PACKET: Final = 1024

_LENGTH: Final = struct.Struct(">H")
_LOGIN: Final = struct.Struct("6s10s10s20s")
_ACCEPTED: Final = struct.Struct("10s20s")


class PacketType(StrEnum):
    """The first byte of a packet."""

    DEBUG = "+"
    LOGIN_ACCEPTED = "A"
    LOGIN_REJECTED = "J"
    SEQUENCED = "S"
    SERVER_HEARTBEAT = "H"
    END_OF_SESSION = "Z"
    LOGIN_REQUEST = "L"
    UNSEQUENCED = "U"
    CLIENT_HEARTBEAT = "R"
    LOGOUT_REQUEST = "O"


#: Payload sizes of the types that have a fixed one.
PAYLOAD_BYTES: Final = {
    PacketType.LOGIN_ACCEPTED: _ACCEPTED.size,
    PacketType.LOGIN_REJECTED: 1,
    PacketType.SERVER_HEARTBEAT: 0,
    PacketType.END_OF_SESSION: 0,
    PacketType.LOGIN_REQUEST: _LOGIN.size,
    PacketType.CLIENT_HEARTBEAT: 0,
    PacketType.LOGOUT_REQUEST: 0,
}


class Refusal(StrEnum):
    """Why a login is rejected: the one byte of a J packet."""

    NOT_AUTHORIZED = "A"
    SESSION_UNAVAILABLE = "S"


class Ending(StrEnum):
    """Why a connection is over. The first five are ordinary ends, the others faults."""

    LOGOUT = "logout"
    END_OF_SESSION = "end of session"
    NOT_AUTHORIZED = "not authorized"
    SESSION_UNAVAILABLE = "session unavailable"
    CONNECTION_LOST = "connection lost"
    #: The same user logged in again: the newer connection is the one that counts.
    REPLACED = "replaced by a newer login"
    LOGIN_TIMEOUT = "no login in time"
    SILENCE = "nothing heard for too long"
    BACKLOG = "too slow: too much is waiting to be sent"
    SHUTDOWN = "the server stops"
    EMPTY_PACKET = "a packet without a type"
    PACKET_TOO_LONG = "a packet longer than allowed"
    UNKNOWN_TYPE = "a packet of no known type"
    WRONG_DIRECTION = "a packet that only the other side may send"
    WRONG_LENGTH = "a packet whose length is not that of its type"
    NOT_LOGGED_IN = "something else than a login to begin with"
    SECOND_LOGIN = "a login on a connection that is logged in"
    BAD_TEXT = "text that is not printable ASCII"
    BAD_NUMBER = "a number that is none"
    #: The client's own check: the server goes on from another number than was asked for.
    WRONG_SEQUENCE = "not the sequence number that was asked for"
    BAD_MESSAGE = "a message that cannot be read"


class SessionFault(Exception):
    """Ends the connection that it is raised in, with a named reason; never leaves a session."""

    def __init__(self, ending: Ending, detail: str) -> None:
        self.ending = ending
        self.detail = detail
        super().__init__(f"{ending}: {detail}")


def packet(kind: PacketType, payload: bytes = b"") -> bytes:
    """The bytes of a packet.

    Raises:
        ValueError: the payload is longer than a packet can be.

    >>> packet(PacketType.CLIENT_HEARTBEAT).hex(" ")
    '00 01 52'
    """
    if len(payload) >= LARGEST_PACKET:
        raise ValueError(f"a payload of {len(payload)} bytes is not below {LARGEST_PACKET}")
    return _LENGTH.pack(1 + len(payload)) + kind.encode() + payload


class PacketCutter:
    """Cuts a stream into packets, however it arrives; holds at most one unfinished packet."""

    def __init__(self, max_packet: int = DEFAULT_MAX_PACKET) -> None:
        """Refuse packets whose type and payload are longer than ``max_packet`` bytes."""
        self.max_packet = max_packet
        self._rest = b""

    def packets(self, data: bytes) -> Iterator[tuple[PacketType, bytes]]:
        """The packets that ``data`` completes, as type and payload.

        Raises:
            SessionFault: EMPTY_PACKET, PACKET_TOO_LONG (as soon as the length is there),
                UNKNOWN_TYPE or WRONG_LENGTH. What was before it has been given out.
        """
        data = self._rest + data
        self._rest = b""
        at = 0
        while len(data) - at >= HEADER_BYTES:
            (length,) = _LENGTH.unpack_from(data, at)
            self._check_length(length)
            end = at + HEADER_BYTES + length
            if end > len(data):
                break
            yield _open(data[at + HEADER_BYTES : end])
            at = end
        self._rest = data[at:]

    def _check_length(self, length: int) -> None:
        if not length:
            raise SessionFault(Ending.EMPTY_PACKET, "the length is 0")
        if length > self.max_packet:
            raise SessionFault(
                Ending.PACKET_TOO_LONG, f"the length is {length}, at most {self.max_packet} is read"
            )


def _open(body: bytes) -> tuple[PacketType, bytes]:
    try:
        kind = PacketType(chr(body[0]))
    except ValueError:
        raise SessionFault(Ending.UNKNOWN_TYPE, f"the type is {body[:1]!r}") from None
    expected = PAYLOAD_BYTES.get(kind)
    if expected is not None and len(body) - 1 != expected:
        raise SessionFault(
            Ending.WRONG_LENGTH, f"{kind.name} with {len(body) - 1} bytes, not {expected}"
        )
    return kind, body[1:]


@dataclass(frozen=True, slots=True)
class Login:
    """What an L packet asks for; the password is not shown.

    ``session`` is empty for the current one; ``next_number`` is the number of the first message
    wanted, 0 for those yet to come.
    """

    user: str
    password: str = field(repr=False)
    session: str = ""
    next_number: int = 0

    def payload(self) -> bytes:
        """The 46 bytes.

        Raises:
            ValueError: something is too long for its place, or not printable ASCII.
        """
        return _LOGIN.pack(
            _to_text("user", self.user, 6),
            _to_text("password", self.password, 10),
            _to_text("session", self.session, 10),
            _to_number(self.next_number),
        )

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """The login of 46 bytes.

        Raises:
            SessionFault: BAD_TEXT or BAD_NUMBER.
        """
        user, password, session, number = _LOGIN.unpack(payload)
        return cls(
            _from_text("user", user),
            _from_text("password", password, show=False),
            _from_text("session", session),
            _from_number(number),
        )


def accepted_payload(session: str, next_number: int) -> bytes:
    """The 30 bytes of an A packet."""
    return _ACCEPTED.pack(_to_text("session", session, 10), _to_number(next_number))


def read_accepted(payload: bytes) -> tuple[str, int]:
    """Session and next number of an A packet.

    Raises:
        SessionFault: BAD_TEXT or BAD_NUMBER.
    """
    session, number = _ACCEPTED.unpack(payload)
    return _from_text("session", session), _from_number(number)


def _to_text(name: str, text: str, size: int) -> bytes:
    if not (text.isascii() and text.isprintable() and len(text) <= size and text == text.strip()):
        shown = "text" if name == "password" else repr(text)
        raise ValueError(f"{name}: {shown} is not at most {size} printable ASCII characters")
    return text.ljust(size).encode("ascii")


def _from_text(name: str, raw: bytes, *, show: bool = True) -> str:
    text = raw.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        raise SessionFault(Ending.BAD_TEXT, f"{name} is {raw!r}" if show else name)
    return text.strip(" ")


def _to_number(number: int) -> bytes:
    if not 0 <= number < 10**20:
        raise ValueError(f"sequence number {number} does not have 1 to 20 digits")
    return str(number).rjust(20).encode("ascii")


def _from_number(raw: bytes) -> int:
    digits = raw.lstrip(b" ")
    if not digits.isdigit():
        raise SessionFault(Ending.BAD_NUMBER, f"the sequence number is {raw!r}")
    return int(digits)
