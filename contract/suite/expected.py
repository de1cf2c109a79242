"""Expected events, as short as they can be written.

Sequence number, timestamp and instrument are left out: ``Probe`` fills them in and checks them.
"""

from __future__ import annotations

from contract.messages import Command, Event, EventKind, Reason


def accepted(order_id: int, side: int, price: int, quantity: int) -> Event:
    """The order is in, whole."""
    return Event(
        EventKind.ACCEPTED,
        order_id=order_id,
        side=side,
        price=price,
        quantity=quantity,
        leaves=quantity,
    )


def trade(
    order_id: int, maker_id: int, side: int, price: int, quantity: int, *, leaves: int
) -> Event:
    """The aggressor ``order_id``, of that side, trades with ``maker_id`` at the maker's price."""
    return Event(
        EventKind.TRADE,
        order_id=order_id,
        contra_order_id=maker_id,
        side=side,
        price=price,
        quantity=quantity,
        leaves=leaves,
    )


def cancelled(order_id: int, side: int, price: int, quantity: int, reason: Reason) -> Event:
    """``quantity`` is taken off the order, and nothing is left."""
    return Event(
        EventKind.CANCELLED,
        order_id=order_id,
        side=side,
        price=price,
        quantity=quantity,
        reason=reason,
    )


def replaced(order_id: int, side: int, price: int, quantity: int) -> Event:
    """The order has this price and open quantity now."""
    return Event(
        EventKind.REPLACED,
        order_id=order_id,
        side=side,
        price=price,
        quantity=quantity,
        leaves=quantity,
    )


def rejected(command: Command, reason: Reason) -> Event:
    """The command is refused; the event repeats its id, side, price and quantity."""
    return Event(
        EventKind.REJECTED,
        order_id=command.order_id,
        side=command.side,
        price=command.price,
        quantity=command.quantity,
        reason=reason,
    )
