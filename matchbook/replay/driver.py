"""An engine at the wheel of a reader: single commands, growth when it is full, events kept."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from contract import canonical
from contract.engine import MAX_CAPACITY, Engine
from contract.errors import ConfigurationError
from contract.messages import (
    RECORD_BYTES,
    CommandKind,
    Event,
    EventKind,
    Flag,
    Reason,
    Side,
    TimeInForce,
)
from matchbook.replay.events_out import EventSink

#: Ids from here up are the replay's own: re-enacted aggressors and orders nobody saw arrive.
OWN_IDS: Final = 1 << 63
_GROWTH: Final = 4
_COMMAND: Final = struct.Struct("<QQQqQqIIBBBBBBH")
_KIND_AT: Final = 60
_REASON_AT: Final = 62


@dataclass
class Limits:
    """What the books of a replay are built with.

    Attributes:
        capacity: live orders at first, or None for a default.
        fixed: whether a full book stays full (a capacity was asked for) or is made larger.
    """

    min_price: int
    max_price: int
    capacity: int | None = None

    @property
    def fixed(self) -> bool:
        """Whether a full book stays full."""
        return self.capacity is not None

    def first_capacity(self, default: int) -> int:
        """The capacity to start with."""
        return default if self.capacity is None else self.capacity


@dataclass
class Anomalies:
    """What did not fit: counted in full by kind, the first few kept in words."""

    keep: int = 10
    counts: Counter[str] = field(default_factory=Counter)
    first: list[str] = field(default_factory=list)

    def add(self, kind: str, where: str, what: str) -> None:
        """Count one anomaly of that kind."""
        self.counts[kind] += 1
        if len(self.first) < self.keep:
            self.first.append(f"{where}: {kind}: {what}")

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.counts.values())


class Driver:
    """Sends commands one at a time to one engine.

    A market data feed says what happened on an exchange whose book had no capacity, so unless the
    capacity is fixed, a BOOK_FULL makes the engine larger: its image is restored into a new one
    and the command sent again. The rejection leaves no trace, not even in the event sequence.
    """

    def __init__(
        self,
        build: Callable[[int], Engine],
        capacity: int,
        *,
        fixed: bool = False,
        sink: EventSink | None = None,
    ) -> None:
        self._build = build
        self._fixed = fixed
        self._sink = sink
        self._events = bytearray(64 * RECORD_BYTES)
        self._written = 0
        self.engine = build(capacity)
        self.commands = 0
        self.events = 0
        self.own_ids = 0

    def send(
        self,
        kind: CommandKind,
        order_id: int,
        *,
        side: int = Side.BID,
        price: int = 0,
        quantity: int = 0,
        time_in_force: int = TimeInForce.GTC,
        flags: int = Flag.NONE,
        timestamp_ns: int = 0,
    ) -> int:
        """Apply one command; returns the reason of its rejection, or 0."""
        instrument = self.engine.instrument
        record = _COMMAND.pack(
            0,
            timestamp_ns,
            order_id,
            price,
            quantity,
            0,
            instrument,
            0,
            kind,
            side,
            0,
            time_in_force,
            0,
            flags,
            0,
        )
        consumed, written = self.engine.apply_batch(record, self._events)
        while not consumed:
            self._events = bytearray(2 * len(self._events))
            consumed, written = self.engine.apply_batch(record, self._events)
        rejected = self._events[_KIND_AT] == EventKind.REJECTED
        reason = self._events[_REASON_AT] if rejected else 0
        if reason == Reason.BOOK_FULL and not self._fixed:
            self._grow()
            return self.send(
                kind,
                order_id,
                side=side,
                price=price,
                quantity=quantity,
                time_in_force=time_in_force,
                flags=flags,
                timestamp_ns=timestamp_ns,
            )
        self._written = written
        self.commands += 1
        self.events += written
        if self._sink is not None:
            self._sink.write(memoryview(self._events)[: written * RECORD_BYTES])
        return reason

    def _grow(self) -> None:
        image = self.engine.snapshot()
        header = canonical.pack_header(
            self.engine.instrument, len(self.engine), self.engine.event_sequence - 1
        )
        if self.engine.capacity >= MAX_CAPACITY:
            raise ConfigurationError(f"more than {MAX_CAPACITY} live orders: no engine holds them")
        larger = self._build(min(_GROWTH * self.engine.capacity, MAX_CAPACITY))
        larger.restore(header + image[canonical.HEADER.size :])
        self.engine.close()
        self.engine = larger

    def last_events(self) -> Iterator[Event]:
        """The events of the last command."""
        for at in range(0, self._written * RECORD_BYTES, RECORD_BYTES):
            yield Event.unpack_from(self._events, at)

    # What the readers ask for, in their words.

    def add(self, order_id: int, side: int, price: int, quantity: int, timestamp_ns: int) -> int:
        """Rest an order the exchange has shown; it must not trade. Returns the reason or 0."""
        return self.send(
            CommandKind.NEW,
            order_id,
            side=side,
            price=price,
            quantity=quantity,
            flags=Flag.POST_ONLY,
            timestamp_ns=timestamp_ns,
        )

    def reduce(
        self, order_id: int, price: int, open_quantity: int, by: int, timestamp_ns: int
    ) -> int:
        """Take ``by`` off an order in its place; all of it when nothing would be left."""
        if by >= open_quantity:
            return self.send(CommandKind.CANCEL, order_id, timestamp_ns=timestamp_ns)
        return self.send(
            CommandKind.REPLACE,
            order_id,
            price=price,
            quantity=open_quantity - by,
            timestamp_ns=timestamp_ns,
        )

    def take(
        self, side: int, price: int, quantity: int, timestamp_ns: int
    ) -> list[tuple[int, int]]:
        """Send an IOC order against the resting ``side``; returns its fills, (maker id, lots)."""
        self.own_ids += 1
        self.send(
            CommandKind.NEW,
            OWN_IDS + self.own_ids,
            side=Side(side).opposite,
            price=price,
            quantity=quantity,
            time_in_force=TimeInForce.IOC,
            timestamp_ns=timestamp_ns,
        )
        return [
            (event.contra_order_id, event.quantity)
            for event in self.last_events()
            if event.kind == EventKind.TRADE
        ]
