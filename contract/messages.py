"""The two messages of the book: the command that goes in and the event that comes out.

Both are 64 bytes on the wire, in a ring slot, in a log and in a batch; here they are also frozen
dataclasses, so that a person (and phase 1) can read them. Nothing in this module needs numpy:
phase 1 must run where only the standard library exists.

The byte layout is stated once per language: here, in ``contract/c/contract.h`` for C, and in
``contract/records.py`` for numpy. ``contract/test_records.py`` pins all three to each other.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Final, Self

RECORD_BYTES: Final = 64
MAX_QUANTITY: Final = 2**40 - 1
DEFAULT_MIN_PRICE: Final = 1
DEFAULT_MAX_PRICE: Final = 2**31 - 1
DEFAULT_CAPACITY: Final = 2**20


class Side(IntEnum):
    """The side of the book an order belongs to."""

    BID = 0
    ASK = 1

    @property
    def opposite(self) -> Side:
        """The side this side trades with."""
        return Side.ASK if self is Side.BID else Side.BID


class CommandKind(IntEnum):
    """What a command asks for."""

    NEW = 1
    CANCEL = 2
    REPLACE = 3
    MASS_CANCEL = 4


class EventKind(IntEnum):
    """What an event reports."""

    ACCEPTED = 1
    TRADE = 2
    CANCELLED = 3
    REPLACED = 4
    REJECTED = 5


class OrderType(IntEnum):
    """LIMIT stops at its price; MARKET takes whatever rests on the other side."""

    LIMIT = 0
    MARKET = 1


class TimeInForce(IntEnum):
    """What becomes of the part that does not trade at once."""

    GTC = 0
    IOC = 1
    FOK = 2


class SelfTrade(IntEnum):
    """What the aggressor wants when it meets a resting order of its own account."""

    NONE = 0
    CANCEL_NEWEST = 1
    CANCEL_OLDEST = 2
    CANCEL_BOTH = 3


class Flag(IntFlag):
    """Bits of the command's ``flags`` byte."""

    NONE = 0
    POST_ONLY = 1


class Reason(IntEnum):
    """Why an order was cancelled (1 to 5) or a command rejected (16 to 23)."""

    NONE = 0
    USER = 1
    IOC = 2
    FOK = 3
    SELF_TRADE = 4
    MASS_CANCEL = 5
    UNKNOWN_ORDER = 16
    DUPLICATE_ORDER_ID = 17
    INVALID_QUANTITY = 18
    INVALID_PRICE = 19
    INVALID_COMMAND = 20
    WOULD_CROSS = 21
    BOOK_FULL = 22
    UNKNOWN_INSTRUMENT = 23


_COMMAND = struct.Struct("<QQQqQqIIBBBBBBH")
_EVENT = struct.Struct("<QQQQqQQIBBBB")
assert _COMMAND.size == _EVENT.size == RECORD_BYTES


@dataclass(frozen=True, slots=True)
class Command:
    """One instruction to the engine: 64 bytes, little-endian, fields in ``FIELDS`` order.

    ``price`` is in ticks, ``quantity`` in lots, ``timestamp_ns`` in the sender's nanoseconds.
    Enumerated fields are plain integers here, because a record from outside may hold any byte
    and it is the engine's duty, not the decoder's, to reject it.
    """

    kind: int
    order_id: int = 0
    side: int = Side.BID
    price: int = 0
    quantity: int = 0
    order_type: int = OrderType.LIMIT
    time_in_force: int = TimeInForce.GTC
    self_trade: int = SelfTrade.NONE
    flags: int = Flag.NONE
    account: int = 0
    instrument: int = 0
    timestamp_ns: int = 0
    sequence: int = 0
    reserved: int = 0
    reserved2: int = 0

    def pack(self) -> bytes:
        """The 64-byte record.

        Raises:
            struct.error: a field does not fit its width (a quantity below 0, say).
        """
        return _COMMAND.pack(
            self.sequence,
            self.timestamp_ns,
            self.order_id,
            self.price,
            self.quantity,
            self.reserved,
            self.instrument,
            self.account,
            self.kind,
            self.side,
            self.order_type,
            self.time_in_force,
            self.self_trade,
            self.flags,
            self.reserved2,
        )

    @classmethod
    def unpack_from(cls, buffer: Any, offset: int = 0) -> Self:
        """The command at byte ``offset`` of any object that offers the buffer protocol."""
        (
            sequence,
            timestamp_ns,
            order_id,
            price,
            quantity,
            reserved,
            instrument,
            account,
            kind,
            side,
            order_type,
            time_in_force,
            self_trade,
            flags,
            reserved2,
        ) = _COMMAND.unpack_from(buffer, offset)
        return cls(
            kind,
            order_id,
            side,
            price,
            quantity,
            order_type,
            time_in_force,
            self_trade,
            flags,
            account,
            instrument,
            timestamp_ns,
            sequence,
            reserved,
            reserved2,
        )

    def __str__(self) -> str:
        """The command as one readable line, leaving out what it does not use."""
        kind = _word(CommandKind, self.kind)
        if self.kind == CommandKind.CANCEL:
            return f"{kind} #{self.order_id}"
        if self.kind == CommandKind.MASS_CANCEL:
            return f"{kind} account={self.account}"
        if self.kind == CommandKind.REPLACE:
            return f"{kind} #{self.order_id} {self.quantity} @ {self.price}"
        words = [kind, f"#{self.order_id}", _word(Side, self.side), str(self.quantity)]
        words.append("@ market" if self.order_type == OrderType.MARKET else f"@ {self.price}")
        if self.order_type not in (OrderType.LIMIT, OrderType.MARKET):
            words.append(f"type={self.order_type}")
        if self.time_in_force != TimeInForce.GTC:
            words.append(_word(TimeInForce, self.time_in_force))
        if self.flags:
            words.append("post_only" if self.flags == Flag.POST_ONLY else f"flags={self.flags}")
        if self.account:
            words.append(f"account={self.account}")
        if self.self_trade:
            words.append(_word(SelfTrade, self.self_trade))
        if self.reserved or self.reserved2:
            words.append(f"reserved={self.reserved},{self.reserved2}")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Event:
    """One outcome of a command: 64 bytes, little-endian.

    ``order_id`` is the order the event is about: in a TRADE the aggressor, with the maker in
    ``contra_order_id`` and the maker's price in ``price``. ``leaves`` is the open quantity of
    ``order_id`` after the event.
    """

    kind: int
    sequence: int = 0
    order_id: int = 0
    contra_order_id: int = 0
    side: int = Side.BID
    price: int = 0
    quantity: int = 0
    leaves: int = 0
    reason: int = Reason.NONE
    timestamp_ns: int = 0
    instrument: int = 0
    reserved: int = 0

    def pack(self) -> bytes:
        """The 64-byte record."""
        return _EVENT.pack(
            self.sequence,
            self.timestamp_ns,
            self.order_id,
            self.contra_order_id,
            self.price,
            self.quantity,
            self.leaves,
            self.instrument,
            self.kind,
            self.side,
            self.reason,
            self.reserved,
        )

    @classmethod
    def unpack_from(cls, buffer: Any, offset: int = 0) -> Self:
        """The event at byte ``offset`` of any object that offers the buffer protocol."""
        (
            sequence,
            timestamp_ns,
            order_id,
            contra_order_id,
            price,
            quantity,
            leaves,
            instrument,
            kind,
            side,
            reason,
            reserved,
        ) = _EVENT.unpack_from(buffer, offset)
        return cls(
            kind,
            sequence,
            order_id,
            contra_order_id,
            side,
            price,
            quantity,
            leaves,
            reason,
            timestamp_ns,
            instrument,
            reserved,
        )

    def __str__(self) -> str:
        """The event as one readable line."""
        kind = _word(EventKind, self.kind)
        side = _word(Side, self.side)
        line = f"{self.sequence}: {kind} #{self.order_id} {side} {self.quantity} @ {self.price}"
        if self.kind == EventKind.TRADE:
            line += f" with #{self.contra_order_id}"
        if self.reason:
            line += f" ({_word(Reason, self.reason)})"
        return f"{line}, leaves {self.leaves}"


def _word(enumeration: type[IntEnum], value: int) -> str:
    """The lower-case word of an enumerated value, or the bare number where it has none."""
    try:
        return enumeration(value).name.lower()
    except ValueError:
        return f"{enumeration.__name__}({value})"


def new(
    order_id: int,
    side: int,
    price: int,
    quantity: int,
    *,
    time_in_force: int = TimeInForce.GTC,
    self_trade: int = SelfTrade.NONE,
    post_only: bool = False,
    account: int = 0,
    instrument: int = 0,
    timestamp_ns: int = 0,
) -> Command:
    """A NEW LIMIT command: ``quantity`` lots at ``price`` ticks or better."""
    return Command(
        CommandKind.NEW,
        order_id,
        side,
        price,
        quantity,
        OrderType.LIMIT,
        time_in_force,
        self_trade,
        Flag.POST_ONLY if post_only else Flag.NONE,
        account,
        instrument,
        timestamp_ns,
    )


def market(
    order_id: int,
    side: int,
    quantity: int,
    *,
    time_in_force: int = TimeInForce.IOC,
    self_trade: int = SelfTrade.NONE,
    account: int = 0,
    instrument: int = 0,
    timestamp_ns: int = 0,
) -> Command:
    """A NEW MARKET command: ``quantity`` lots at whatever rests on the other side."""
    return Command(
        CommandKind.NEW,
        order_id,
        side,
        0,
        quantity,
        OrderType.MARKET,
        time_in_force,
        self_trade,
        Flag.NONE,
        account,
        instrument,
        timestamp_ns,
    )


def cancel(order_id: int, *, instrument: int = 0, timestamp_ns: int = 0) -> Command:
    """A CANCEL command for the whole open quantity of ``order_id``."""
    return Command(CommandKind.CANCEL, order_id, instrument=instrument, timestamp_ns=timestamp_ns)


def replace(
    order_id: int, price: int, quantity: int, *, instrument: int = 0, timestamp_ns: int = 0
) -> Command:
    """A REPLACE command: ``order_id`` gets ``price`` and the new *open* ``quantity``."""
    return Command(
        CommandKind.REPLACE,
        order_id,
        price=price,
        quantity=quantity,
        instrument=instrument,
        timestamp_ns=timestamp_ns,
    )


def mass_cancel(account: int = 0, *, instrument: int = 0, timestamp_ns: int = 0) -> Command:
    """A MASS_CANCEL command: every live order of ``account``, or of everyone when it is 0."""
    return Command(
        CommandKind.MASS_CANCEL, account=account, instrument=instrument, timestamp_ns=timestamp_ns
    )
