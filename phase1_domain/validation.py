"""Which commands are refused, and why: the first check that fails decides."""

from __future__ import annotations

from typing import Protocol

from contract.engine import RestingOrder
from contract.messages import (
    MAX_QUANTITY,
    Command,
    CommandKind,
    Flag,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
)


class _Book(Protocol):
    """What validation needs to see of a book."""

    instrument: int
    min_price: int
    max_price: int
    capacity: int

    def order(self, order_id: int) -> RestingOrder | None: ...
    def best_price(self, side: Side) -> int | None: ...
    def has_order_of(self, account: int) -> bool: ...
    def __len__(self) -> int: ...


# --8<-- [start:rejection]
def rejection(book: _Book, command: Command) -> Reason:
    """The reason to reject ``command``, or ``Reason.NONE``. Looks, never changes. O(1)."""
    if _is_malformed(command):
        return Reason.INVALID_COMMAND
    if command.instrument != book.instrument:
        return Reason.UNKNOWN_INSTRUMENT
    if command.kind == CommandKind.MASS_CANCEL:
        return Reason.NONE if book.has_order_of(command.account) else Reason.UNKNOWN_ORDER

    live = book.order(command.order_id)
    if command.kind == CommandKind.NEW and live is not None:
        return Reason.DUPLICATE_ORDER_ID
    if command.kind != CommandKind.NEW and live is None:
        return Reason.UNKNOWN_ORDER
    if command.kind == CommandKind.CANCEL:
        return Reason.NONE

    if not 0 < command.quantity <= MAX_QUANTITY:
        return Reason.INVALID_QUANTITY
    if command.kind == CommandKind.NEW and command.order_type == OrderType.MARKET:
        return Reason.INVALID_PRICE if command.price != 0 else Reason.NONE
    if not book.min_price <= command.price <= book.max_price:
        return Reason.INVALID_PRICE

    if live is not None:  # a REPLACE: the order's own side and flags count, not the command's
        side, flags = Side(live.side), live.flags
    else:
        side, flags = Side(command.side), command.flags
        if command.time_in_force == TimeInForce.GTC and len(book) >= book.capacity:
            return Reason.BOOK_FULL
    if flags & Flag.POST_ONLY and _would_cross(book, side, command.price):
        return Reason.WOULD_CROSS
    return Reason.NONE


# --8<-- [end:rejection]


def _is_malformed(command: Command) -> bool:
    """Whether the command makes no sense whatever the book holds."""
    if command.kind == CommandKind.MASS_CANCEL:
        return False
    if command.kind not in (CommandKind.NEW, CommandKind.CANCEL, CommandKind.REPLACE):
        return True
    if command.order_id == 0:
        return True
    if command.kind != CommandKind.NEW:
        return False
    is_limit_gtc = (
        command.order_type == OrderType.LIMIT and command.time_in_force == TimeInForce.GTC
    )
    return (
        command.side > Side.ASK
        or command.order_type > OrderType.MARKET
        or command.time_in_force > TimeInForce.FOK
        or command.self_trade > SelfTrade.CANCEL_BOTH
        or command.flags > Flag.POST_ONLY
        or (command.order_type == OrderType.MARKET and command.time_in_force == TimeInForce.GTC)
        or (command.flags == Flag.POST_ONLY and not is_limit_gtc)
        or command.reserved != 0
        or command.reserved2 != 0
    )


def _would_cross(book: _Book, side: Side, price: int) -> bool:
    best = book.best_price(side.opposite)
    if best is None:
        return False
    return price >= best if side == Side.BID else price <= best
