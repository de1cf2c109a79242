"""A book built from what the event channel says: every order by price, in priority order.

What a subscriber knows of an order is less than the engine does: no account and no self-trade mode,
which are nobody else's business. What it does know must be equal: which orders are live, on which
side, at which price, with what quantity, in which order, and since when.

An event changes the book like this (contract/README.md has the rules):

=========  ====================================================================================
ACCEPTED   the order joins the back of its level
TRADE      both lose the quantity; who has none left is gone
CANCELLED  the order is gone
REPLACED   same price and no more than it had: changed in place; else to the back of its level
REJECTED   nothing
=========  ====================================================================================

Between the events of one command the book may stand in between: an order that takes joins its level
with ACCEPTED, across the other side's best, until its trades are heard. After the last of them it
is the engine's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from contract.canonical import HEADER, check_image, iter_orders
from contract.engine import LevelView, RestingOrder
from contract.errors import MatchbookError
from contract.messages import MAX_QUANTITY, Event, EventKind, Side
from contract.records import to_events


class StreamError(MatchbookError):
    """Events that do not follow each other, or do not fit the book: one was lost, or is wrong."""


class PublicOrder(NamedTuple):
    """What everybody may know of a live order: ticks, open lots, when it joined its queue."""

    order_id: int
    side: int
    price: int
    quantity: int
    timestamp_ns: int


def public(orders: Iterable[RestingOrder]) -> list[PublicOrder]:
    """An engine's ``orders(side)`` as a subscriber can know them."""
    return [PublicOrder(o.order_id, o.side, o.price, o.quantity, o.timestamp_ns) for o in orders]


@dataclass(slots=True)
class _Order:
    side: int
    price: int
    quantity: int
    timestamp_ns: int


class EventBook:
    """One instrument's live orders, from a snapshot's image or from nothing, kept by events.

    >>> from contract.messages import Event, EventKind
    >>> book = EventBook()
    >>> book.apply([Event(EventKind.ACCEPTED, 1, 77, price=101, quantity=5, leaves=5)])
    >>> book.depth(1)
    ([LevelView(price=101, quantity=5, order_count=1)], [])
    """

    def __init__(self, instrument: int = 0) -> None:
        self.instrument = instrument
        #: Number of the last event applied.
        self.sequence = 0
        self._orders: dict[int, _Order] = {}
        # Each level is a dict for its order: first in, first out, and a removal anywhere is O(1).
        self._levels: tuple[dict[int, dict[int, _Order]], ...] = ({}, {})

    @classmethod
    def from_image(cls, image: bytes, instrument: int = 0) -> EventBook:
        """The book of a canonical image, as of the event that its header names. O(orders).

        Raises:
            SnapshotError: the image is damaged, or another instrument's.
        """
        header = check_image(
            image, instrument=instrument, min_price=-(2**63), max_price=2**63 - 1, capacity=2**24
        )
        book = cls(instrument)
        book.sequence = header.event_sequence
        for order in iter_orders(image[HEADER.size :]):
            kept = _Order(order.side, order.price, order.quantity, order.timestamp_ns)
            book._orders[order.order_id] = kept
            book._join(order.order_id, kept)
        return book

    def apply(self, events: Iterable[Event]) -> None:
        """Apply events, which must be the next ones. O(1) each.

        Raises:
            StreamError: a number is missing, or an event does not fit the book.
        """
        for event in events:
            if event.sequence != self.sequence + 1:
                raise StreamError(f"event {event.sequence} comes after {self.sequence}")
            self._apply(event)
            self.sequence = event.sequence

    def apply_records(self, records: Any) -> None:
        """Apply 64-byte event records, as a subscriber's ``take`` brings them.

        Raises:
            StreamError: as ``apply``.
        """
        self.apply(to_events(records))

    def _apply(self, event: Event) -> None:
        if event.kind == EventKind.REJECTED:
            return
        if event.instrument != self.instrument:
            raise StreamError(f"event {event}: instrument {event.instrument}")
        if event.kind == EventKind.ACCEPTED:
            self._accept(event)
        elif event.kind == EventKind.TRADE:
            self._trade(event)
        elif event.kind == EventKind.CANCELLED:
            self._leave(event.order_id, self._order(event, event.order_id))
        elif event.kind == EventKind.REPLACED:
            self._replace(event)
        else:
            raise StreamError(f"event {event}: kind {event.kind}")

    def _accept(self, event: Event) -> None:
        if event.order_id in self._orders or event.side not in (Side.BID, Side.ASK):
            raise StreamError(f"event {event}: the order is live already, or of no side")
        if not 0 < event.quantity <= MAX_QUANTITY:
            raise StreamError(f"event {event}: quantity {event.quantity}")
        order = _Order(event.side, event.price, event.quantity, event.timestamp_ns)
        self._orders[event.order_id] = order
        self._join(event.order_id, order)

    def _trade(self, event: Event) -> None:
        ids = (event.order_id, event.contra_order_id)
        both = [self._order(event, order_id) for order_id in ids]
        if both[0].side == both[1].side:
            raise StreamError(f"event {event}: both orders are on one side")
        least = min(order.quantity for order in both)
        if not 0 < event.quantity <= least:
            raise StreamError(f"event {event}: there are only {least} to trade")
        for order_id, order in zip(ids, both, strict=True):
            order.quantity -= event.quantity
            if not order.quantity:
                self._leave(order_id, order)

    def _replace(self, event: Event) -> None:
        order = self._order(event, event.order_id)
        if not 0 < event.quantity <= MAX_QUANTITY:
            raise StreamError(f"event {event}: quantity {event.quantity}")
        keeps_its_place = event.price == order.price and event.quantity <= order.quantity
        if not keeps_its_place:
            self._leave(event.order_id, order)
            order.price, order.timestamp_ns = event.price, event.timestamp_ns
            self._orders[event.order_id] = order
        order.quantity = event.quantity
        if not keeps_its_place:
            self._join(event.order_id, order)

    def _order(self, event: Event, order_id: int) -> _Order:
        order = self._orders.get(order_id)
        if order is None:
            raise StreamError(f"event {event}: order {order_id} is not live")
        return order

    def _join(self, order_id: int, order: _Order) -> None:
        self._levels[order.side].setdefault(order.price, {})[order_id] = order

    def _leave(self, order_id: int, order: _Order) -> None:
        del self._orders[order_id]
        levels = self._levels[order.side]
        level = levels[order.price]
        del level[order_id]
        if not level:
            del levels[order.price]

    def orders(self, side: int) -> list[PublicOrder]:
        """Live orders of a side in priority order, best level first. O(n + levels log levels)."""
        return [
            PublicOrder(order_id, order.side, order.price, order.quantity, order.timestamp_ns)
            for price in self._prices(side)
            for order_id, order in self._levels[side][price].items()
        ]

    def depth(self, levels: int) -> tuple[list[LevelView], list[LevelView]]:
        """Up to ``levels`` levels of bids and of asks, best first."""
        sides = []
        for side in (Side.BID, Side.ASK):
            views = []
            for price in self._prices(side)[:levels]:
                level = self._levels[side][price].values()
                views.append(LevelView(price, sum(o.quantity for o in level), len(level)))
            sides.append(views)
        return sides[0], sides[1]

    def _prices(self, side: int) -> list[int]:
        return sorted(self._levels[side], reverse=side == Side.BID)

    def __len__(self) -> int:
        """How many orders are live."""
        return len(self._orders)
