"""The views of an engine that has one book: the book's own."""

from __future__ import annotations

from collections.abc import Sequence

from contract.engine import LevelView, RestingOrder
from contract.native import NativeEngine


class OneBook:
    """What ``contract.engine.Engine`` offers to look at, passed on to the only book there is.

    Of several books there are no limits, and each view raises ``ValueError``: ask
    ``book(instrument)``.
    """

    _engines: Sequence[NativeEngine]
    instrument: int
    min_price: int
    max_price: int
    capacity: int

    def _show_limits(self) -> None:
        """Have the book's limits, as an engine has them, if there is only one."""
        if len(self._engines) == 1:
            [book] = self._engines
            self.instrument, self.capacity = book.instrument, book.capacity
            self.min_price, self.max_price = book.min_price, book.max_price

    @property
    def _only(self) -> NativeEngine:
        if len(self._engines) != 1:
            raise ValueError(f"there are {len(self._engines)} books: ask book(instrument) for one")
        return self._engines[0]

    @property
    def event_sequence(self) -> int:
        """Sequence number of the last event, 0 before the first."""
        return self._only.event_sequence

    def best_bid(self) -> LevelView | None:
        """The highest bid level, or None."""
        return self._only.best_bid()

    def best_ask(self) -> LevelView | None:
        """The lowest ask level, or None."""
        return self._only.best_ask()

    def depth(self, levels: int) -> tuple[list[LevelView], list[LevelView]]:
        """Up to ``levels`` levels of bids and of asks, best first."""
        return self._only.depth(levels)

    def orders(self, side: int, limit: int | None = None) -> list[RestingOrder]:
        """Live orders of a side in priority order, best level first."""
        return self._only.orders(side, limit)

    def order(self, order_id: int) -> RestingOrder | None:
        """The live order of that id, or None."""
        return self._only.order(order_id)

    def __len__(self) -> int:
        return len(self._only)

    def snapshot(self) -> bytes:
        """The canonical image of the book; ``take_snapshot`` puts one on the disk."""
        return self._only.snapshot()

    def state_hash(self) -> str:
        """32 hex digits that are equal in all engines whose books are equal."""
        return self._only.state_hash()

    def check(self) -> None:
        """Verify every structural invariant of the book."""
        self._only.check()
