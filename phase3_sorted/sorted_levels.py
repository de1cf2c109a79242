"""The price levels of one side, kept in order: all that sets ``PyEngine`` apart from phase 1.

``sortedcontainers.SortedDict`` is a dict, and beside it its keys in order, in a list of short
lists. The best price is at the end of the last one and the next best stands before it, so nobody
looks at every level any more. The price of that: a new level looks for its place, and an emptied
one gives it up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from sortedcontainers import SortedDict

from contract.messages import Side
from phase1_domain.order import Order

#: By side: a level's key is its price with these bits turned over, so that the best level of
#: either side has the largest key. The C book does the same (``c/level_index.h``).
MIRROR: Final = (0, -1)


class SortedLevels:
    """A sorted dict of price -> queue of orders; see ``phase1_domain.levels.Levels``.

    >>> asks = SortedLevels(Side.ASK)
    >>> orders = [Order(i, Side.ASK, price, 5, 0, 0, 0, 0) for i, price in enumerate([103, 101])]
    >>> for order in orders: asks.add(order)
    >>> asks.best, asks.next_price(101)
    (101, 103)
    >>> asks.remove(orders[1])
    >>> asks.best, len(asks)
    (103, 1)
    """

    def __init__(self, side: Side) -> None:
        self.best: int | None = None
        self.levels_scanned = 0  # never more: nothing here looks for a price
        self._mirror = MIRROR[side]
        self._queues = SortedDict()

    def __len__(self) -> int:
        return len(self._queues)

    def __getitem__(self, price: int) -> deque[Order]:
        queue: deque[Order] = self._queues[price ^ self._mirror]
        return queue

    def prices(self) -> Iterator[int]:
        """The price of every level, best first. O(1) a level."""
        mirror = self._mirror
        return (key ^ mirror for key in reversed(self._queues))

    # --8<-- [start:next]
    def next_price(self, price: int) -> int | None:
        """The best price worse than ``price``: the key before its key. O(log m)."""
        rank = self._queues.bisect_left(price ^ self._mirror)
        return int(self._queues.keys()[rank - 1]) ^ self._mirror if rank else None

    # --8<-- [end:next]

    # --8<-- [start:add]
    def add(self, order: Order) -> None:
        """Put an order at the back of its level. O(1), O(log m) for a new level."""
        key = order.price ^ self._mirror
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            self._look_up_best()
        queue.append(order)

    # --8<-- [end:add]

    # --8<-- [start:remove]
    def remove(self, order: Order) -> None:
        """Take an order off its level. O(n) in a queue of n; O(log m) if that empties it."""
        key = order.price ^ self._mirror
        queue = self._queues[key]
        queue.remove(order)
        if not queue:
            del self._queues[key]
            self._look_up_best()

    def _look_up_best(self) -> None:
        """The best price is the last key. O(1)."""
        self.best = self._queues.keys()[-1] ^ self._mirror if self._queues else None

    # --8<-- [end:remove]
