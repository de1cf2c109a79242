"""What a feed has told its readers: the resting orders of each stock, by what they are called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from contract.errors import MatchbookError
from contract.messages import Event, Side
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.listing import Listing

#: The reference of an order that rests unseen.
HIDDEN: Final = 0
#: Stock locate, tracking number and time: what all messages begin with.
Head: TypeAlias = tuple[int, int, int]

_ADD: Final = LAYOUTS["A"]
_ADD_MPID: Final = LAYOUTS["F"]
_SIDES: Final = {Side.BID: b"B", Side.ASK: b"S"}


class FeedError(MatchbookError):
    """Events that cannot be shown. Nothing false was said; the feed says nothing more."""


@dataclass(slots=True)
class ShownOrder:
    """A resting order. ``reference`` is ``HIDDEN`` if it is not shown; ``price`` is in ticks."""

    reference: int
    side: int
    price: int
    quantity: int
    attribution: bytes


@dataclass(slots=True)
class ShownBook:
    """What a stock's readers see, by the engine's ids, in order of reference."""

    listing: Listing
    locate: int
    symbol: bytes
    orders: dict[int, ShownOrder] = field(default_factory=dict)

    def head(self, time_ns: int) -> Head:
        """The fields that all messages about this stock begin with."""
        return self.locate, 0, time_ns

    def find(self, order_id: int, event: Event) -> ShownOrder:
        """The order of that id.

        Raises:
            FeedError: it does not rest.
        """
        order = self.orders.get(order_id)
        if order is None:
            raise FeedError(f"{self.listing.symbol}: order {order_id} does not rest: {event}")
        return order

    def check_price(self, order_id: int, price: int) -> None:
        """Refuse what the listing did not promise.

        Raises:
            FeedError: a price outside the listing's limits.
        """
        low, high = self.listing.min_price, self.listing.max_price
        if not low <= price <= high:
            what = f"{self.listing.symbol}: order {order_id} at {price}"
            raise FeedError(f"{what} is not in {low} to {high}, as listed")

    def add_message(self, order: ShownOrder, time_ns: int) -> bytes:
        """A or F for an order that is shown."""
        terms = (
            *self.head(time_ns),
            order.reference,
            _SIDES[Side(order.side)],
            order.quantity,
            self.symbol,
            self.listing.to_units(order.price),
        )
        return _ADD_MPID.pack(*terms, order.attribution) if order.attribution else _ADD.pack(*terms)


@dataclass(slots=True)
class Incoming:
    """The order of the command whose events are being read; ``seen`` is what readers have of it."""

    book: ShownBook
    order_id: int
    side: int
    price: int
    leaves: int
    time_ns: int
    seen: ShownOrder | None = None
