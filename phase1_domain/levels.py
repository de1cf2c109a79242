"""The price levels of one side: what phase 1 is naive about, and all of it.

A dict knows where the level of a price is, but not which price comes next. So the best price is
remembered, and when its level empties the next one is found by looking at every level there is.

Phase 3 puts another class in the place of this one and changes nothing else; what it then gains
or loses is the container's doing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from contract.messages import Side
from phase1_domain.order import Order, is_worse


class Levels(Protocol):
    """What the rules of matching need of one side of the book."""

    #: The best price, or None while the side is empty.
    best: int | None
    #: Levels looked at so far in search of a price; for people who count, not for the rules.
    levels_scanned: int

    def __init__(self, side: Side) -> None: ...

    def __len__(self) -> int:
        """How many levels there are."""

    def __getitem__(self, price: int) -> deque[Order]:
        """The orders of a level, the first in line first."""

    def prices(self) -> Iterable[int]:
        """The price of every level, best first."""

    def next_price(self, price: int) -> int | None:
        """The best price that is worse than ``price``, or None."""

    def add(self, order: Order) -> None:
        """Put an order at the back of its level, which may be new."""

    def remove(self, order: Order) -> None:
        """Take an order off its level; a level without orders is no level."""


class PriceLevels:
    """A dict of price -> queue of orders, and the best price.

    >>> bids = PriceLevels(Side.BID)
    >>> for number, price in enumerate([97, 99, 98]):
    ...     bids.add(Order(number, Side.BID, price, 5, 0, 0, 0, 0))
    >>> bids.best, bids.next_price(99), bids.levels_scanned
    (99, 98, 3)
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.best: int | None = None
        self.levels_scanned = 0
        self._queues: dict[int, deque[Order]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def __getitem__(self, price: int) -> deque[Order]:
        return self._queues[price]

    def prices(self) -> list[int]:
        """The price of every level, best first. O(m log m) with m levels."""
        return sorted(self._queues, reverse=self.side == Side.BID)

    # --8<-- [start:scan]
    def next_price(self, price: int) -> int | None:
        """The best price worse than ``price``: a look at all m levels. O(m)."""
        self.levels_scanned += len(self._queues)
        if self.side == Side.BID:
            return max([p for p in self._queues if p < price], default=None)
        return min([p for p in self._queues if p > price], default=None)

    # --8<-- [end:scan]

    # --8<-- [start:add]
    def add(self, order: Order) -> None:
        """Put an order at the back of its level. O(1)."""
        queue = self._queues.get(order.price)
        if queue is None:
            queue = self._queues[order.price] = deque()
            if self.best is None or is_worse(self.side, self.best, order.price):
                self.best = order.price
        queue.append(order)

    # --8<-- [end:add]

    # --8<-- [start:remove]
    def remove(self, order: Order) -> None:
        """Take an order off its queue of n. O(n); O(m) if that empties the best."""
        queue = self._queues[order.price]
        queue.remove(order)
        if not queue:
            del self._queues[order.price]
            if order.price == self.best:
                self.best = self.next_price(order.price)

    # --8<-- [end:remove]
