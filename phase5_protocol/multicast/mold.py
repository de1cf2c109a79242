"""What MoldUDP64's packets, gaps and counters are called in Python: no library behind it.

The layout of the packets is at the head of c/moldudp64.h, the receiver's states at that of
c/mold_receiver.h. Sequence numbers count messages, from 1. Times are nanoseconds of whatever clock
the caller uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from contract.errors import MatchbookError

#: A datagram in an arena, as ``mold_datagram`` of c/moldudp64.h.
DATAGRAM_DTYPE = np.dtype([("offset", "<u8"), ("length", "<u4"), ("count", "<u4")])

#: UDP payload that fits an Ethernet frame of 1500 bytes, and what UDP over IPv4 can carry.
DEFAULT_DATAGRAM_BYTES = 1472
MAX_DATAGRAM_BYTES = 65507
#: No moment: nothing is due before something comes in.
NEVER_NS = 2**64 - 1


class Problem(IntEnum):
    """What is wrong with a packet, a request, or a message to be packed."""

    OK = 0
    SHORT_HEADER = 1
    BAD_SESSION = 2
    BAD_SEQUENCE = 3
    SEQUENCE_OVERFLOW = 4
    SHORT_LENGTH = 5
    SHORT_BLOCK = 6
    TRAILING_BYTES = 7
    EMPTY_REQUEST = 8
    LONG_MESSAGE = 9


class MalformedPacketError(MatchbookError):
    """Bytes that are no packet, no request, or a message that no packet can hold.

    Attributes:
        problem: which rule of c/moldudp64.h they break.
    """

    def __init__(self, what: str, problem: Problem) -> None:
        self.problem = problem
        super().__init__(f"{what}: {problem.name.lower().replace('_', ' ')}")


class PacketKind(IntEnum):
    """Of a downstream packet."""

    DATA = 0
    HEARTBEAT = 1
    END = 2


class Packet(NamedTuple):
    """A downstream packet. ``sequence`` is its first message's, or the next to come."""

    session: str
    sequence: int
    kind: PacketKind
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request for messages ``sequence`` to ``sequence + count - 1``."""

    session: str
    sequence: int
    count: int


class Packed(NamedTuple):
    """Datagrams side by side in an arena.

    Attributes:
        arena: their bytes, shape (n,) of uint8.
        datagrams: where each lies, shape (m,) of ``DATAGRAM_DTYPE``.
    """

    arena: npt.NDArray[np.uint8]
    datagrams: npt.NDArray[np.void]

    def split(self) -> Iterator[bytes]:
        """Each datagram as bytes."""
        for offset, length, _count in self.datagrams.tolist():
            yield self.arena[offset : offset + length].tobytes()


class Outcome(IntEnum):
    """How a request to a store ended."""

    ANSWERED = 0
    TOO_OLD = 1
    NOT_YET = 2
    OTHER_SESSION = 3
    NO_ROOM = 4


#: A log that can answer for a store: the bytes of a message, or None if it has not got it either.
Log = Callable[[int], bytes | None]


@runtime_checkable
class NativeLog(Protocol):
    """A log in C that can answer for a store, in the store's thread."""

    @property
    def reader(self) -> tuple[int, int]:
        """Addresses of a ``mold_log_read`` of c/mold_store.h and of its context."""


class StoreCounters(NamedTuple):
    """Requests by outcome, then messages; see ``mold_store_counters`` in c/mold_store.h."""

    answered: int
    too_old: int
    not_yet: int
    other_session: int
    no_room: int
    partly_too_old: int
    from_log: int
    messages: int
    bytes: int
    evicted: int


class LimiterCounters(NamedTuple):
    """Requests by what the limiter said; see c/mold_limiter.h."""

    allowed: int
    refused_address: int
    refused_total: int
    refused_crowd: int


class Verdict(IntEnum):
    """What became of a packet put into a receiver; 1 to 9 are those of ``Problem``."""

    TAKEN = 0
    SHORT_HEADER = 1
    BAD_SESSION = 2
    BAD_SEQUENCE = 3
    SEQUENCE_OVERFLOW = 4
    SHORT_LENGTH = 5
    SHORT_BLOCK = 6
    TRAILING_BYTES = 7
    DUPLICATE = 16
    OTHER_SESSION = 17
    WRONG_LENGTH = 18
    BEYOND_WINDOW = 19
    TOO_MANY_GAPS = 20
    AFTER_END = 21
    LATE = 22


class GapState(IntEnum):
    """Where a gap is in its life."""

    DETECTED = 0
    REQUESTED = 1
    FILLED = 2
    UNRECOVERABLE = 3


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers ``first`` to ``first + count - 1`` that something passed over."""

    first: int
    count: int
    missing: int
    lost: int
    detected_ns: int
    requested_ns: int
    closed_ns: int
    requests: int
    state: GapState


class DeliveryKind(IntEnum):
    """What ``Receiver.take`` has brought."""

    NOTHING = 0
    MESSAGES = 1
    LOST = 2
    END = 3


class ReceiverCounters(NamedTuple):
    """Of the whole receiver; see ``mold_receiver_counters`` in c/mold_receiver.h."""

    delivered: int
    lost: int
    skipped: int
    gaps: int
    gaps_reordered: int
    gaps_filled: int
    gaps_unrecoverable: int
    gaps_unlogged: int
    requests: int
    repeated: int
    claims_doubted: int
    claims_withdrawn: int
    ends_contradicted: int


class LineCounters(NamedTuple):
    """Of one line; ``malformed`` maps each problem that occurred to how often it did."""

    packets: int
    heartbeats: int
    ends: int
    fresh: int
    duplicates: int
    late: int
    beyond: int
    other_session: int
    wrong_length: int
    too_many_gaps: int
    after_end: int
    highest: int
    malformed: dict[Problem, int]


class NetworkCounters(NamedTuple):
    """What a lossy network did; see c/lossy_network.h."""

    put: int
    taken: int
    lost: int
    duplicated: int
    reordered: int
    corrupted: int
    truncated: int
    check_dropped: int
    cut: int
    overflowed: int
    oversized: int


def session_bytes(session: str) -> bytes:
    """A session's name as it stands in packets: ten bytes, filled up with spaces.

    Raises:
        ValueError: longer than ten characters, or not printable ASCII.

    >>> session_bytes("MATCH")
    b'MATCH     '
    """
    if len(session) > 10 or not (session.isascii() and session.isprintable()):
        raise ValueError(f"session {session!r} is not up to 10 printable ASCII characters")
    return session.encode().ljust(10)
