"""The receiver of MoldUDP64 in C: packets in any order in, every message once and in order out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from contract.errors import ConfigurationError
from phase5_protocol._protocol import ffi, lib
from phase5_protocol.multicast.limits import (
    DAY_NS,
    MOST_MESSAGE_BYTES,
    MOST_U32,
    MOST_U64,
    check_session,
    check_whole,
)
from phase5_protocol.multicast.mold import (
    DeliveryKind,
    Gap,
    GapState,
    LineCounters,
    Problem,
    ReceiverCounters,
    Verdict,
)
from phase5_protocol.multicast.native import Owner, Packed, as_bytes, check_with, named

#: Where to begin, when it is not a number: with the first packet seen; when ``join`` says so.
FIRST_SEEN: Final = 0
HELD: Final = 2**64 - 1
_GAPS_AT_ONCE: Final = 1024
_GAP_FIELDS: Final = tuple(field.name for field in fields(Gap))[:-1]
_LINE_FIELDS: Final = LineCounters._fields[:-1]


@dataclass(slots=True)
class Delivery:
    """What ``Receiver.take`` has brought.

    Attributes:
        kind: MESSAGES; LOST: numbers that will never come; END of the session; NOTHING for now.
        first: number of the first message, or of the first that is lost.
        count: messages, or numbers that are lost.
        data: the messages: uint8 of shape (count, record_bytes), or, if their lengths vary, bytes
            with a 2-byte big-endian length before each, shape (n,).
    """

    kind: DeliveryKind
    first: int
    count: int
    data: npt.NDArray[np.uint8]

    def messages(self) -> list[bytes]:
        """The messages, one by one: the slow way, for tools and tests."""
        if self.data.ndim == 2:
            return [row.tobytes() for row in self.data]
        stream, found, at = self.data.tobytes(), [], 0
        for _ in range(self.count if self.kind is DeliveryKind.MESSAGES else 0):
            end = at + 2 + int.from_bytes(stream[at : at + 2], "big")
            found.append(stream[at + 2 : end])
            at = end
        return found


class ReceiverConfig(NamedTuple):
    """How a receiver behaves; limits and meanings are in c/mold_receiver.h.

    Attributes:
        session: its name; None: that of the first packet.
        start: the first number wanted, FIRST_SEEN or HELD.
        record_bytes: of every message; 0: lengths vary, up to ``max_message_bytes``.
        window_messages: how far ahead of the consumer messages are kept; a power of two.
        request_messages: asked for at once: what fits a datagram of the answerer.
        attempts: requests for the same messages before they are given up; 0: never ask.
    """

    session: str | None = None
    start: int = 1
    record_bytes: int = 64
    max_message_bytes: int = 64
    window_messages: int = 1 << 16
    max_gaps: int = 4096
    max_requests: int = 64
    request_messages: int = 22
    attempts: int = 8
    reorder_delay_ns: int = 1_000_000
    request_timeout_ns: int = 20_000_000


def _check_config(config: ReceiverConfig) -> None:
    least = 0 if config.record_bytes else 1  # it is not looked at if all have one length
    check_whole(
        "ReceiverConfig",
        start=(config.start, 0, MOST_U64),
        record_bytes=(config.record_bytes, 0, MOST_MESSAGE_BYTES),
        max_message_bytes=(config.max_message_bytes, least, MOST_MESSAGE_BYTES),
        window_messages=(config.window_messages, 64, 1 << 22),
        max_gaps=(config.max_gaps, 1, 1 << 16),
        max_requests=(config.max_requests, 1, 1024),
        request_messages=(config.request_messages, 1, 65535),
        attempts=(config.attempts, 0, MOST_U32),
        reorder_delay_ns=(config.reorder_delay_ns, 0, DAY_NS),
        request_timeout_ns=(config.request_timeout_ns, 1, DAY_NS),
    )


class Receiver(Owner):
    """A state machine: no socket and no clock inside. See the head of c/mold_receiver.h.

    Put packets in, take messages out, and send what ``poll`` returns to the answerer, at the
    latest at ``deadline_ns``.
    """

    def __init__(self, config: ReceiverConfig | None = None) -> None:
        config = config or ReceiverConfig()
        _check_config(config)
        limits = config._asdict()
        session = limits.pop("session")
        struct = ffi.new("mold_receiver_config *", limits | {"has_session": session is not None})
        if session is not None:
            name = check_session("ReceiverConfig", session)
            ffi.memmove(struct.session, name, lib.MOLD_SESSION_BYTES)
        problem = ffi.new("const char **")
        handle = lib.mold_receiver_new(struct, problem)
        if handle == ffi.NULL:
            field = ffi.string(problem[0]).decode()
            raise ConfigurationError(
                f"receiver: {field} {limits.get(field, '')} is out of its limits"
            )
        super().__init__(handle, lib.mold_receiver_free, "receiver")
        self.config = config
        self._gaps_out = ffi.new("mold_gap[]", max(config.max_gaps, _GAPS_AT_ONCE))
        self._requests = ffi.new("uint8_t[]", config.max_requests * lib.MOLD_REQUEST_BYTES)
        self._stream = ffi.new("uint8_t[]", max(1 << 16, config.max_message_bytes + 2))

    # --- in ----------------------------------------------------------------------------------

    def put(self, packet: Any, now_ns: int, line: int = 0) -> Verdict:
        """One packet from a line (0 to 7). O(bytes)."""
        data = as_bytes(packet)
        return Verdict(lib.mold_receiver_put(self.handle, data, len(data), now_ns, _line(line)))

    def put_many(self, packed: Packed, now_ns: int, line: int = 0) -> int:
        """Packets in an arena, in order; returns how many brought something. O(bytes)."""
        return int(
            lib.mold_receiver_put_many(
                self.handle,
                ffi.from_buffer("uint8_t[]", packed.arena),
                ffi.cast("mold_datagram *", ffi.from_buffer(packed.datagrams)),
                len(packed.datagrams),
                now_ns,
                _line(line),
            )
        )

    def poll(self, now_ns: int) -> list[bytes]:
        """Requests to be sent now. What is overdue is asked for again, or given up."""
        count = lib.mold_receiver_poll(
            self.handle, now_ns, self._requests, self.config.max_requests
        )
        size = lib.MOLD_REQUEST_BYTES
        made = bytes(ffi.buffer(self._requests, count * size))
        return [made[at : at + size] for at in range(0, len(made), size)]

    @property
    def deadline_ns(self) -> int:
        """When ``poll`` will next have something to do; NEVER_NS: not before something comes."""
        return int(lib.mold_receiver_deadline(self.handle))

    def join(self, next_sequence: int, now_ns: int) -> None:
        """Go on with a number, of which a snapshot says that it comes next. O(window).

        Raises:
            ValueError: 0, or before what was delivered already.
        """
        if not lib.mold_receiver_join(self.handle, next_sequence, now_ns):
            raise ValueError(f"cannot join at {next_sequence}: {self.base} comes next")

    # --- out ---------------------------------------------------------------------------------

    def take(self, most: int = 1 << 16) -> Delivery:
        """The next messages in order, up to ``most``; or what else is next. O(messages)."""
        width = self.config.record_bytes
        if width:
            # No room for more than there can be.
            most = min(most, self.expected - self.base)
            rows = np.empty((most, width), np.uint8)
            made = lib.mold_receiver_take_records(self.handle, ffi.from_buffer(rows), most)
            data = rows[: made.count if made.kind == DeliveryKind.MESSAGES else 0]
        else:
            room = len(self._stream)
            made = lib.mold_receiver_take_stream(self.handle, self._stream, room)
            data = np.frombuffer(ffi.buffer(self._stream, made.bytes), np.uint8).copy()
        return Delivery(DeliveryKind(made.kind), int(made.first), int(made.count), data)

    @property
    def base(self) -> int:
        """Number the consumer takes next."""
        return int(lib.mold_receiver_base(self.handle))

    @property
    def expected(self) -> int:
        """First number that is neither here nor given up."""
        return int(lib.mold_receiver_expected(self.handle))

    @property
    def announced(self) -> int:
        """First number of which nothing is known yet."""
        return int(lib.mold_receiver_announced(self.handle))

    @property
    def session(self) -> str | None:
        """Name of the session; None: no packet has said it yet."""
        name = ffi.new("uint8_t[]", lib.MOLD_SESSION_BYTES)
        known = lib.mold_receiver_session(self.handle, name)
        return bytes(name).decode("ascii").rstrip(" ") if known else None

    @property
    def is_ended(self) -> bool:
        """Whether the session has ended and everything in it was taken."""
        return bool(lib.mold_receiver_is_ended(self.handle))

    # --- what happened -----------------------------------------------------------------------

    def gaps(self) -> list[Gap]:
        """Gaps open now, oldest first."""
        return self._read_gaps(lib.mold_receiver_gaps, self.config.max_gaps)

    def closed_gaps(self) -> list[Gap]:
        """Gaps closed since the last call, oldest first; at most 1024 are kept."""
        return self._read_gaps(lib.mold_receiver_closed_gaps, _GAPS_AT_ONCE)

    def counters(self) -> ReceiverCounters:
        """Of the whole receiver."""
        counted: ReceiverCounters = named(ReceiverCounters, lib.mold_receiver_count(self.handle))
        return counted

    def line_counters(self, line: int = 0) -> LineCounters:
        """Of one line."""
        struct = lib.mold_receiver_count_line(self.handle, _line(line))
        plain = {name: int(getattr(struct, name)) for name in _LINE_FIELDS}
        malformed = {
            Problem(reason): int(count) for reason, count in enumerate(struct.malformed) if count
        }
        return LineCounters(**plain, malformed=malformed)

    def check(self) -> None:
        """Raise InvariantError if bitmaps, gaps and numbers do not fit each other. O(window)."""
        check_with(lib.mold_receiver_check, self.handle)

    def _read_gaps(self, read: Any, room: int) -> list[Gap]:
        count = read(self.handle, self._gaps_out, room)
        return [_gap(self._gaps_out[place]) for place in range(count)]


def _gap(gap: Any) -> Gap:
    fields = {name: int(getattr(gap, name)) for name in _GAP_FIELDS}
    return Gap(**fields, state=GapState(gap.state))


def _line(line: int) -> int:
    if not 0 <= line < lib.MOLD_LINES:
        raise ValueError(f"line {line} is not 0 to {lib.MOLD_LINES - 1}")
    return line
