"""What the events of a book are in OUCH: Accepted, Replaced, Executed, Canceled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contract.messages import Event, Reason
from phase5_protocol.listing import Listing
from phase5_protocol.match_number import match_number
from phase5_protocol.order_entry.ouch import Appendage
from phase5_protocol.order_entry.ouch50 import (
    Accepted,
    AiqCanceled,
    Canceled,
    Executed,
    Replaced,
)
from phase5_protocol.order_entry.router import RoutedOrder

_DAY_NS: Final = 86_400 * 10**9
_LIVE: Final = "L"
_ADDED: Final = "A"
_REMOVED: Final = "R"
_BY_SYSTEM: Final = "Z"

#: Why an order was cancelled, in OUCH's letters. A fill or kill is an immediate or cancel order.
_CANCEL_LETTERS: Final[Mapping[int, str]] = {
    Reason.USER: "U",
    Reason.IOC: "I",
    Reason.FOK: "I",
    Reason.SELF_TRADE: "Q",
    Reason.MASS_CANCEL: "S",
}


@dataclass(slots=True)
class ClientOrder:
    """What the client said about an order and the book does not know; the routed order's tag."""

    user_ref_num: int
    side: str
    listing: Listing
    time_in_force: str
    display: str
    capacity: str
    client_order_id: str
    appendage: Appendage


def since_midnight(timestamp_ns: int) -> int:
    """Nanoseconds since midnight UTC, of nanoseconds since 1970."""
    return timestamp_ns % _DAY_NS


def executed(order: RoutedOrder, event: Event) -> Executed:
    """A trade, as the side whose order it is sees it."""
    named: ClientOrder = order.tag
    is_maker = event.contra_order_id == order.order_id
    return Executed(
        since_midnight(event.timestamp_ns),
        named.user_ref_num,
        event.quantity,
        named.listing.to_units(event.price),
        _ADDED if is_maker else _REMOVED,
        match_number(event),
    )


def canceled(
    order: RoutedOrder, event: Event, *, acted: bool, by_system: bool
) -> Canceled | AiqCanceled:
    """A cancel.

    Args:
        order: the order, whose open quantity already includes it.
        event: CANCELLED.
        acted: it happened while the client entered or replaced this very order.
        by_system: the venue did it, not the client.
    """
    named: ClientOrder = order.tag
    timestamp = since_midnight(event.timestamp_ns)
    letter = _CANCEL_LETTERS[event.reason]
    if event.reason != Reason.SELF_TRADE:
        letter = _BY_SYSTEM if by_system else letter
        return Canceled(timestamp, named.user_ref_num, event.quantity, letter)
    return AiqCanceled(
        timestamp,
        named.user_ref_num,
        event.quantity,
        letter,
        event.quantity,
        named.listing.to_units(event.price),
        _REMOVED if acted else _ADDED,
    )


def accepted(order: RoutedOrder, event: Event) -> Accepted:
    """A new order, as the venue has it."""
    named: ClientOrder = order.tag
    return Accepted(
        since_midnight(event.timestamp_ns),
        named.user_ref_num,
        named.side,
        event.quantity,
        named.listing.symbol,
        named.listing.to_units(order.price),
        named.time_in_force,
        named.display,
        order.order_id,
        named.capacity,
        "N",
        "N",
        _LIVE,
        named.client_order_id,
        named.appendage,
    )


def replaced(order: RoutedOrder, event: Event, original: int) -> Replaced:
    """A replaced order under its new number; ``original`` is the one it had."""
    named: ClientOrder = order.tag
    return Replaced(
        since_midnight(event.timestamp_ns),
        original,
        named.user_ref_num,
        named.side,
        event.quantity,
        named.listing.symbol,
        named.listing.to_units(order.price),
        named.time_in_force,
        named.display,
        order.order_id,
        named.capacity,
        "N",
        "N",
        _LIVE,
        named.client_order_id,
        named.appendage,
    )
