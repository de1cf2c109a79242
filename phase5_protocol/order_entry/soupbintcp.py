"""SoupBinTCP 3.00 sessions without sockets or clocks: bytes in, bytes out, time as an argument.

::

    client                                            server
      | ── L login (session, next number) ──────────▶ |   within 30 s, or the line is closed
      | ◀────────── A accepted (session, number n) ── |   or J rejected, and closed
      | ◀────────────── S message n, n + 1, n + 2 … ── |   first what was missed, then live
      | ── U message ───────────────────────────────▶ |   not numbered: may be lost with the line
      | ── R heartbeat ──▶          ◀── H heartbeat ── |   after 1 s without anything else sent
      | ── O logout ──▶        ◀── Z end of session ── |   or 15 s without anything heard

The numbered messages belong to a :class:`MessageStore`, which outlives the connection: whoever
reconnects with the number that it expects next is given exactly what it missed, in the bytes of
the first time. The server writes them only when :meth:`ServerSession.pump` is called, so that a
day can be replayed without holding a second copy of it in a send buffer.

Decisions where the protocol leaves room:

- A second login of the same user: the newer connection wins, and the older one is closed. The
  password was proven twice, and the common case is a line that died without telling the server.
- A number beyond the next one, or one that the store has forgotten, is refused as "session not
  available": a client that has seen more than was ever said has been talking to somebody else.
- Silence is time without a *whole* packet: half of one holds no connection.
- Before the login nothing but a login is read, and nothing longer than one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from phase5_protocol.order_entry.message_store import MessageStore
from phase5_protocol.order_entry.soup_packets import (
    DEFAULT_MAX_PACKET,
    LARGEST_PACKET,
    PAYLOAD_BYTES,
    Ending,
    Login,
    PacketCutter,
    PacketType,
    Refusal,
    SessionFault,
    accepted_payload,
    packet,
    read_accepted,
)

__all__ = [
    "DEFAULT_TIMING",
    "ClientSession",
    "Ended",
    "Ending",
    "Login",
    "MessageStore",
    "PacketCutter",
    "PacketType",
    "Refusal",
    "ServerSession",
    "SessionFault",
    "State",
    "Timing",
    "packet",
]

_REFUSED: Final = {
    Refusal.NOT_AUTHORIZED: Ending.NOT_AUTHORIZED,
    Refusal.SESSION_UNAVAILABLE: Ending.SESSION_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long what may take, in seconds."""

    heartbeat_s: float = 1.0
    silence_s: float = 15.0
    login_s: float = 30.0


DEFAULT_TIMING: Final = Timing()


class State(Enum):
    """Where a connection stands."""

    LOGGING_IN = auto()
    LOGGED_IN = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a connection is over, for the log and for tests."""

    ending: Ending
    detail: str = ""

    def __str__(self) -> str:
        """The reason, and what exactly."""
        return f"{self.ending}: {self.detail}" if self.detail else str(self.ending)


class _Session:
    """What both ends have in common: cutting, heartbeats, silence, the end."""

    _heartbeat: PacketType

    def __init__(
        self, write: Callable[[bytes], None], now: float, timing: Timing, max_packet: int
    ) -> None:
        self.state = State.LOGGING_IN
        #: None until it is over. The owner closes the socket when it is not, after each call.
        self.ended: Ended | None = None
        self._write = write
        self._timing = timing
        self._cutter = PacketCutter(max_packet)
        self._started = self._last_sent = self._last_heard = now

    def receive(self, data: bytes, now: float) -> None:
        """Take what came in; nothing is raised, whatever it is: see ``ended``. O(bytes)."""
        if self.ended is not None:
            return
        try:
            for kind, payload in self._cutter.packets(data):
                self._last_heard = now
                self._on_packet(kind, payload, now)
                if self._is_over():
                    return
        except SessionFault as fault:
            if self.state is State.LOGGED_IN:
                self._put(PacketType.DEBUG, str(fault).encode("ascii", "replace"), now)
            self.end(fault.ending, fault.detail)

    def tick(self, now: float) -> None:
        """Let time pass: send a heartbeat if one is due, give up on a silent peer."""
        if self.ended is not None:
            return
        if self.state is State.LOGGING_IN and now - self._started >= self._timing.login_s:
            self.end(Ending.LOGIN_TIMEOUT, f"{self._timing.login_s:g} s")
        elif self._is_silent(now):
            self.end(Ending.SILENCE, f"{self._timing.silence_s:g} s")
        elif self.state is State.LOGGED_IN and now - self._last_sent >= self._timing.heartbeat_s:
            self._put(self._heartbeat, b"", now)

    def end(self, ending: Ending, detail: str = "") -> None:
        """Be over, for a reason; the first reason stays. Writes nothing."""
        if self.ended is None:
            self.ended = Ended(ending, detail)
            self.state = State.ENDED

    def debug(self, text: str, now: float) -> None:
        """Send a text for a person."""
        if self.ended is None:
            self._put(PacketType.DEBUG, text.encode("ascii", "replace"), now)

    def _is_over(self) -> bool:
        return self.ended is not None

    def _is_silent(self, now: float) -> bool:
        silent_s = now - self._last_heard
        return self.state is State.LOGGED_IN and silent_s >= self._timing.silence_s

    def _put(self, kind: PacketType, payload: bytes, now: float) -> None:
        self._write(packet(kind, payload))
        self._last_sent = now

    def _on_packet(self, kind: PacketType, payload: bytes, now: float) -> None:
        raise NotImplementedError


class ServerSession(_Session):
    """The server's end of one connection.

    Attributes:
        login: who logged in; None before.
        store: the messages that this connection is given; None before the login.
        next_number: the message to send next.
    """

    _heartbeat = PacketType.SERVER_HEARTBEAT

    def __init__(
        self,
        authenticate: Callable[[Login], MessageStore | Refusal],
        on_message: Callable[[bytes], None],
        write: Callable[[bytes], None],
        *,
        now: float,
        on_login: Callable[[], None] = lambda: None,
        timing: Timing = DEFAULT_TIMING,
        max_packet: int = DEFAULT_MAX_PACKET,
    ) -> None:
        """Wait for a login.

        Args:
            authenticate: says whose messages a login is for, or why not.
            on_message: is given each message of the client, once logged in; may raise
                SessionFault to end the connection.
            write: is given the bytes to send.
            on_login: is called when nothing is against the login any more, before the client is
                told: here an older connection of the same user is ended. ``login`` is set.
            now: seconds on any clock that does not go back; the same for all calls.
            timing: heartbeats and patience.
            max_packet: the longest packet to read, after the login.
        """
        super().__init__(write, now, timing, 1 + PAYLOAD_BYTES[PacketType.LOGIN_REQUEST])
        self.login: Login | None = None
        self.store: MessageStore | None = None
        self.next_number = 0
        self._authenticate = authenticate
        self._on_message = on_message
        self._on_login = on_login
        self._max_packet = max_packet
        self._closing = False
        #: Messages below this one were missed before the login: replay, not backlog.
        self._live_from = 0
        self._live_bytes_sent = 0

    @property
    def backlog_bytes(self) -> int:
        """Bytes of messages that came up since the login and wait for ``pump``."""
        return 0 if self.store is None else self.store.total_bytes - self._live_bytes_sent

    @property
    def is_behind(self) -> bool:
        """Whether ``pump`` has something to do."""
        return self.ended is None and (
            self._closing or (self.store is not None and self.next_number < self.store.next_number)
        )

    def pump(self, now: float, room_bytes: int | None = None) -> None:
        """Send messages that wait, in one write, until ``room_bytes`` are reached; None: all.

        Ends the session with BACKLOG if the store has forgotten what was still to be sent.
        """
        store = self.store
        if store is None or self.ended is not None:
            return
        if self.next_number < store.first_number:
            self.end(Ending.BACKLOG, f"message {self.next_number} is not kept any more")
            return
        packets, size = [], 0
        while self.next_number < store.next_number and (room_bytes is None or size < room_bytes):
            message = store[self.next_number]
            packets.append(packet(PacketType.SEQUENCED, message))
            size += len(packets[-1])
            if self.next_number >= self._live_from:
                self._live_bytes_sent += len(message)
            self.next_number += 1
        if packets:
            self._write(b"".join(packets))
            self._last_sent = now
        if self._closing and self.next_number == store.next_number:
            self._put(PacketType.END_OF_SESSION, b"", now)
            self.end(Ending.END_OF_SESSION)

    def close_session(self) -> None:
        """Say that nothing will follow: ``pump`` sends what is left, then the end of session."""
        self._closing = True

    def _on_packet(self, kind: PacketType, payload: bytes, now: float) -> None:
        if self.state is State.LOGGING_IN:
            if kind is not PacketType.LOGIN_REQUEST:
                raise SessionFault(Ending.NOT_LOGGED_IN, f"it is {kind.name}")
            self._log_in(Login.read(payload), now)
        elif kind is PacketType.UNSEQUENCED:
            self._on_message(payload)
        elif kind is PacketType.LOGOUT_REQUEST:
            self.end(Ending.LOGOUT)
        elif kind is PacketType.LOGIN_REQUEST:
            raise SessionFault(Ending.SECOND_LOGIN, "one is enough")
        elif kind not in (PacketType.CLIENT_HEARTBEAT, PacketType.DEBUG):
            raise SessionFault(Ending.WRONG_DIRECTION, f"a client sent {kind.name}")

    def _log_in(self, login: Login, now: float) -> None:
        found = self._authenticate(login)
        if isinstance(found, MessageStore) and not _can_serve(found, login):
            found = Refusal.SESSION_UNAVAILABLE
        if isinstance(found, Refusal):
            self._put(PacketType.LOGIN_REJECTED, found.encode(), now)
            self.end(_REFUSED[found], f"user {login.user!r}")
            return
        self.login, self.store = login, found
        self._on_login()
        self.state = State.LOGGED_IN
        self.next_number = login.next_number or found.next_number
        self._live_from = found.next_number
        self._live_bytes_sent = found.total_bytes
        self._cutter.max_packet = self._max_packet
        self._put(PacketType.LOGIN_ACCEPTED, accepted_payload(found.session, self.next_number), now)


def _can_serve(store: MessageStore, login: Login) -> bool:
    """Whether it is the session asked for, and has everything from the number asked for."""
    first = login.next_number or store.next_number
    return login.session in ("", store.session) and store.first_number <= first <= store.next_number


class ClientSession(_Session):
    """The client's end of one connection.

    Attributes:
        accepted: whether the server accepted the login.
        session: the server's name for the session; empty before it accepted.
        next_number: number of the next message: what to ask for after a reconnect.
    """

    _heartbeat = PacketType.CLIENT_HEARTBEAT

    def __init__(
        self,
        login: Login,
        on_message: Callable[[int, bytes], None],
        write: Callable[[bytes], None],
        *,
        now: float,
        timing: Timing = DEFAULT_TIMING,
        max_packet: int = LARGEST_PACKET,
    ) -> None:
        """Ask to be logged in: the packet is written at once.

        Args:
            login: who, and from which message on.
            on_message: is given each message of the server with its number.
            write: is given the bytes to send.
            now: as for the server.
            timing: heartbeats and patience.
            max_packet: the longest packet to read.

        Raises:
            ValueError: the login does not fit its packet.
        """
        super().__init__(write, now, timing, max_packet)
        self.accepted = False
        self.session = login.session
        self.next_number = login.next_number
        self._on_message = on_message
        self._put(PacketType.LOGIN_REQUEST, login.payload(), now)

    def send(self, message: bytes, now: float) -> None:
        """Send a message; whether it arrived is told by the server's answer only.

        Raises:
            ValueError: not logged in, or the message is longer than a packet.
        """
        if self.state is not State.LOGGED_IN:
            raise ValueError(f"cannot send a message: {self.ended or 'not logged in yet'}")
        self._put(PacketType.UNSEQUENCED, message, now)

    def logout(self, now: float) -> None:
        """Say good-bye; the server closes."""
        if self.state is State.LOGGED_IN:
            self._put(PacketType.LOGOUT_REQUEST, b"", now)
            self.end(Ending.LOGOUT)

    def _on_packet(self, kind: PacketType, payload: bytes, now: float) -> None:
        if kind is PacketType.DEBUG:
            return
        if self.state is State.LOGGING_IN:
            self._on_answer(kind, payload)
        elif kind is PacketType.SEQUENCED:
            number = self.next_number
            self.next_number += 1
            self._on_message(number, payload)
        elif kind is PacketType.END_OF_SESSION:
            self.end(Ending.END_OF_SESSION)
        elif kind in (PacketType.LOGIN_ACCEPTED, PacketType.LOGIN_REJECTED):
            raise SessionFault(Ending.SECOND_LOGIN, f"the server sent {kind.name} again")
        elif kind is not PacketType.SERVER_HEARTBEAT:
            raise SessionFault(Ending.WRONG_DIRECTION, f"a server sent {kind.name}")

    def _on_answer(self, kind: PacketType, payload: bytes) -> None:
        if kind is PacketType.LOGIN_REJECTED:
            try:
                self.end(_REFUSED[Refusal(chr(payload[0]))])
            except ValueError:
                raise SessionFault(Ending.NOT_AUTHORIZED, f"the reason is {payload!r}") from None
            return
        if kind is not PacketType.LOGIN_ACCEPTED:
            raise SessionFault(Ending.NOT_LOGGED_IN, f"the server sent {kind.name}")
        session, number = read_accepted(payload)
        if self.session and session != self.session:
            raise SessionFault(
                Ending.WRONG_SEQUENCE, f"session {session!r} instead of {self.session!r}"
            )
        if number != self.next_number if self.next_number else not number:
            raise SessionFault(
                Ending.WRONG_SEQUENCE, f"{number} instead of {self.next_number or 'the next one'}"
            )
        self.session, self.next_number = session, number
        self.accepted = True
        self.state = State.LOGGED_IN
