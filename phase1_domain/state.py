"""The state of a book, every question that can be asked of it, and its two elementary changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar, Self

from contract import canonical
from contract.engine import LevelView, RestingOrder, check_limits
from contract.errors import EngineClosedError, InvariantError
from contract.messages import DEFAULT_CAPACITY, DEFAULT_MAX_PRICE, DEFAULT_MIN_PRICE, Side
from phase1_domain.invariants import broken_invariants
from phase1_domain.levels import Levels
from phase1_domain.order import Order


class BookState:
    """Live orders, known twice: by their id, and in line on their level.

    ``contract.engine.Engine`` says what each public method promises. A subclass names itself and
    the class of its levels.
    """

    name: ClassVar[str]
    levels_class: ClassVar[type[Levels]]

    def __init__(
        self,
        *,
        instrument: int = 0,
        min_price: int = DEFAULT_MIN_PRICE,
        max_price: int = DEFAULT_MAX_PRICE,
        capacity: int = DEFAULT_CAPACITY,
    ) -> None:
        check_limits(instrument, min_price, max_price, capacity)
        self.instrument = instrument
        self.min_price = min_price
        self.max_price = max_price
        self.capacity = capacity
        self._closed = False
        self._clear()

    # --8<-- [start:state]
    def _clear(self) -> None:
        self._orders: dict[int, Order] = {}
        self._levels: tuple[Levels, Levels] = (
            self.levels_class(Side.BID),
            self.levels_class(Side.ASK),
        )
        self._event_sequence = 0

    def _rest(self, order: Order) -> None:
        """Put an order at the back of its level."""
        self._orders[order.order_id] = order
        self._levels[order.side].add(order)

    def _remove(self, order: Order) -> None:
        """Take an order out of the book."""
        del self._orders[order.order_id]
        self._levels[order.side].remove(order)

    # --8<-- [end:state]

    # What validation asks.

    def best_price(self, side: Side) -> int | None:
        """The best price of a side, or None. O(1)."""
        return self._levels[side].best

    def has_order_of(self, account: int) -> bool:
        """Whether an order of the account (0: any order) is live. O(orders)."""
        return any(account in (0, order.account) for order in self._orders.values())

    # What others may see.

    @property
    def event_sequence(self) -> int:
        """Sequence number of the last event, 0 before the first."""
        self._check_open()
        return self._event_sequence

    @property
    def levels_scanned(self) -> int:
        """Levels looked at so far in search of a next best price: a count, not part of the book."""
        return sum(levels.levels_scanned for levels in self._levels)

    def best_bid(self) -> LevelView | None:
        """The highest bid level, or None. O(orders of the level)."""
        return self._best_level(Side.BID)

    def best_ask(self) -> LevelView | None:
        """The lowest ask level, or None. O(orders of the level)."""
        return self._best_level(Side.ASK)

    def _best_level(self, side: Side) -> LevelView | None:
        self._check_open()
        price = self._levels[side].best
        return None if price is None else self._view(side, price)

    def depth(self, levels: int) -> tuple[list[LevelView], list[LevelView]]:
        """Up to ``levels`` levels of bids and of asks, best first."""
        self._check_open()
        bids = [self._view(Side.BID, p) for p in islice(self._levels[Side.BID].prices(), levels)]
        asks = [self._view(Side.ASK, p) for p in islice(self._levels[Side.ASK].prices(), levels)]
        return bids, asks

    def _view(self, side: Side, price: int) -> LevelView:
        level = self._levels[side][price]
        return LevelView(price, sum(order.quantity for order in level), len(level))

    def orders(self, side: int, limit: int | None = None) -> list[RestingOrder]:
        """Live orders of a side in priority order, best level first."""
        self._check_open()
        return [order.resting() for order in islice(self._in_line(Side(side)), limit)]

    def order(self, order_id: int) -> RestingOrder | None:
        """The live order of that id, or None. O(1)."""
        self._check_open()
        found = self._orders.get(order_id)
        return None if found is None else found.resting()

    def __len__(self) -> int:
        self._check_open()
        return len(self._orders)

    def _in_line(self, side: Side) -> Iterator[Order]:
        for price in self._levels[side].prices():
            yield from self._levels[side][price]

    def _in_priority_order(self) -> Iterator[Order]:
        yield from self._in_line(Side.BID)
        yield from self._in_line(Side.ASK)

    # Images, checks, and the end.

    def snapshot(self) -> bytes:
        """The canonical image of the book. O(orders)."""
        self._check_open()
        resting = (order.resting() for order in self._in_priority_order())
        return canonical.pack_image(self.instrument, self._event_sequence, resting)

    def restore(self, image: bytes) -> None:
        """Replace the book's whole state by an image's; on an error nothing changes."""
        self._check_open()
        header = canonical.check_image(
            image,
            instrument=self.instrument,
            min_price=self.min_price,
            max_price=self.max_price,
            capacity=self.capacity,
        )
        self._clear()
        for o in canonical.iter_orders(image[canonical.HEADER.size :]):
            self._rest(Order(o.order_id, Side(o.side), *o[2:]))
        self._event_sequence = header.event_sequence

    def state_hash(self) -> str:
        """32 hex digits that are equal in all engines whose books are equal."""
        return canonical.image_hash(self.snapshot())

    def check(self) -> None:
        """Verify the book's invariants. O(orders + m log m) with m levels."""
        self._check_open()
        found = broken_invariants(
            self._orders,
            [{price: levels[price] for price in levels.prices()} for levels in self._levels],
            [levels.best for levels in self._levels],
            min_price=self.min_price,
            max_price=self.max_price,
            capacity=self.capacity,
        )
        broken = next(found, None)
        if broken:
            dump = "\n".join(map(str, self._in_priority_order()))
            raise InvariantError(f"{self.name}: {broken}\n{dump}")

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosedError(f"{self.name}: this engine is closed")

    def close(self) -> None:
        """Forget everything. Closing twice is harmless; other use then raises."""
        self._clear()
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
