"""Books from an ITCH 5.0 feed, anybody's: messages in, levels and orders out.

The feed is trusted with nothing. A message that makes no sense (a reference that does not rest,
more shares than are open, a wrong length) changes as little as it can, is counted by its
:class:`Trouble`, and never raises: after a gap in the feed, one wants the rest of the book and to
know how wrong it may be.

What each message does to the displayed book:

=====  =============================================================================================
A, F   an order joins, at the back of its level
E, C   shares of an order trade; C at another price. Both add up, and at 0 the order is gone
X      shares of an order are taken back; at 0 it is gone
D      an order leaves with all that is left of it
U      an order leaves, and one of the same side, stock and participant joins under a new reference
R      a stock gets its locate, for this day
P, Q   trades that the displayed book has no part in: they count as volume, as do E and C, but not
       a C whose ``printable`` is N (it will be part of a Q)
others nothing
=====  =============================================================================================

Within a level orders stand by their **reference**, lowest first, and not by when their message
came: orders accepted before the market opens are published after it, with the references, and the
places in the queue, that they had long since.

>>> from phase5_protocol.itch.layouts import LAYOUTS
>>> book = ItchBook()
>>> book.take(LAYOUTS["A"].encode(
...     stock_locate=1, reference=5, side="B", shares=100, stock="MBK", price=990_000))
>>> book.take(LAYOUTS["E"].encode(stock_locate=1, reference=5, shares=40, match_number=1))
>>> book.depth(1, 5)
([LevelView(price=990000, quantity=60, order_count=1)], [])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sortedcontainers import SortedDict

from contract.engine import LevelView
from contract.errors import ConfigurationError
from contract.messages import Side
from phase5_protocol.itch.fields import Layout
from phase5_protocol.itch.layouts import LAYOUTS

DEFAULT_MAX_ORDERS: Final = 2**24
_BY_TYPE: Final = {ord(letter): layout for letter, layout in LAYOUTS.items()}
_SIDES: Final = {b"B": Side.BID, b"S": Side.ASK}


class Trouble(StrEnum):
    """What can be wrong with a message."""

    EMPTY = "no bytes"
    UNKNOWN_TYPE = "unknown message type"
    WRONG_LENGTH = "wrong length for its type"
    UNKNOWN_REFERENCE = "reference that does not rest"
    DUPLICATE_REFERENCE = "reference that rests already"
    OTHER_STOCK = "reference of another stock"
    BAD_SIDE = "side neither B nor S"
    NO_SHARES = "no shares"
    MORE_THAN_OPEN = "more shares than are open"
    TOO_MANY_ORDERS = "more orders than the book may hold"


class ItchOrder(NamedTuple):
    """A displayed order: price in 1/10,000 dollar; ``attribution`` is empty unless it came as F."""

    reference: int
    side: Side
    price: int
    shares: int
    attribution: str


@dataclass(slots=True)
class _Order:
    reference: int
    stock: _Stock
    side: Side
    price: int
    shares: int
    attribution: bytes


class _Level:
    """Orders at one price, by reference if their messages came so, as they mostly do."""

    __slots__ = ("orders", "shares")

    def __init__(self) -> None:
        self.orders: dict[int, _Order] = {}
        self.shares = 0


@dataclass(slots=True)
class _Stock:
    """One stock: levels of a side by price, best last for bids and first for asks."""

    locate: int
    symbol: str = ""
    volume: int = 0
    order_count: int = 0
    sides: tuple[Any, Any] = field(default_factory=lambda: (SortedDict(), SortedDict()))


class ItchBook:
    """The displayed books of all stocks of a feed.

    Attributes:
        message_counts: messages taken, by type letter, those in trouble included.
        troubles: messages in trouble, by what is wrong with them.
        first_troubles: the first few of them, in words.
    """

    def __init__(self, *, max_orders: int = DEFAULT_MAX_ORDERS, keep_troubles: int = 10) -> None:
        """Start empty.

        Args:
            max_orders: live orders over all stocks; what joins beyond them is a trouble.
            keep_troubles: how many to keep in words.

        Raises:
            ConfigurationError: no room for a single order, or a negative number.
        """
        if max_orders < 1:
            raise ConfigurationError(f"ItchBook: max_orders {max_orders} is not 1 or more")
        if keep_troubles < 0:
            raise ConfigurationError(f"ItchBook: keep_troubles {keep_troubles} is not 0 or more")
        self.message_counts: Counter[str] = Counter()
        self.troubles: Counter[Trouble] = Counter()
        self.first_troubles: list[str] = []
        self._max_orders = max_orders
        self._keep_troubles = keep_troubles
        self._taken = 0
        self._orders: dict[int, _Order] = {}
        self._stocks: dict[int, _Stock] = {}
        self._handlers: dict[str, Callable[[Layout, bytes], None]] = {
            "A": self._add,
            "F": self._add,
            "E": self._execute,
            "C": self._execute,
            "X": self._cancel,
            "D": self._delete,
            "U": self._replace,
            "P": self._trade,
            "Q": self._cross,
            "R": self._learn,
        }

    # --- taking -----------------------------------------------------------------------------

    def take(self, message: bytes) -> None:
        """Apply one message, whatever it is. O(log levels)."""
        self._taken += 1
        if not message:
            self._note(Trouble.EMPTY)
            return
        layout = _BY_TYPE.get(message[0])
        if layout is None:
            self._note(Trouble.UNKNOWN_TYPE, f"{message[:1]!r}")
            return
        self.message_counts[layout.letter] += 1
        if len(message) != layout.length:
            self._note(Trouble.WRONG_LENGTH, f"{layout.letter} of {len(message)} bytes")
            return
        handler = self._handlers.get(layout.letter)
        if handler is not None:
            handler(layout, message)

    def take_all(self, messages: Iterable[bytes]) -> None:
        """Apply messages in order."""
        for message in messages:
            self.take(message)

    def _add(self, layout: Layout, message: bytes) -> None:
        values: tuple[Any, ...] = layout.unpack(message)
        locate, _, _, reference, letter, shares, symbol, price = values[:8]
        side = _SIDES.get(letter)
        if side is None:
            self._note(Trouble.BAD_SIDE, f"reference {reference}: {letter!r}")
            return
        stock = self._stock(locate)
        stock.symbol = stock.symbol or _text(symbol)
        attribution = values[8] if layout.letter == "F" else b""
        self._join(_Order(reference, stock, side, price, shares, attribution))

    def _execute(self, layout: Layout, message: bytes) -> None:
        values: tuple[Any, ...] = layout.unpack(message)
        order = self._find(values)
        if order is not None:
            traded = self._reduce(order, values[4])
            if layout.letter == "E" or values[6] == b"Y":
                order.stock.volume += traded

    def _cancel(self, layout: Layout, message: bytes) -> None:
        values: tuple[Any, ...] = layout.unpack(message)
        order = self._find(values)
        if order is not None:
            self._reduce(order, values[4])

    def _delete(self, layout: Layout, message: bytes) -> None:
        order = self._find(layout.unpack(message))
        if order is not None:
            self._remove(order)

    def _replace(self, layout: Layout, message: bytes) -> None:
        values: tuple[Any, ...] = layout.unpack(message)
        order = self._find(values)
        if order is not None:
            self._remove(order)
            _, _, _, _, reference, shares, price = values
            inherited = order.stock, order.side
            self._join(_Order(reference, *inherited, price, shares, order.attribution))

    def _trade(self, layout: Layout, message: bytes) -> None:
        values: tuple[Any, ...] = layout.unpack(message)
        self._stock(values[0]).volume += values[5]

    def _cross(self, layout: Layout, message: bytes) -> None:
        values: tuple[Any, ...] = layout.unpack(message)
        self._stock(values[0]).volume += values[3]

    def _learn(self, layout: Layout, message: bytes) -> None:
        values: tuple[Any, ...] = layout.unpack(message)
        self._stock(values[0]).symbol = _text(values[3])

    # --- orders -----------------------------------------------------------------------------

    def _stock(self, locate: int) -> _Stock:
        stock = self._stocks.get(locate)
        if stock is None:
            stock = self._stocks[locate] = _Stock(locate)
        return stock

    def _find(self, values: tuple[Any, ...]) -> _Order | None:
        """The order that a message names: locate is its first field, reference the fourth."""
        locate, reference = values[0], values[3]
        order = self._orders.get(reference)
        if order is None:
            self._note(Trouble.UNKNOWN_REFERENCE, f"reference {reference}")
        elif order.stock.locate != locate:
            self._note(Trouble.OTHER_STOCK, f"reference {reference} under locate {locate}")
            return None
        return order

    def _join(self, order: _Order) -> None:
        if order.reference in self._orders:
            self._note(Trouble.DUPLICATE_REFERENCE, f"reference {order.reference}")
        elif order.shares == 0:
            self._note(Trouble.NO_SHARES, f"reference {order.reference} joins")
        elif len(self._orders) >= self._max_orders:
            self._note(Trouble.TOO_MANY_ORDERS, f"reference {order.reference}")
        else:
            self._orders[order.reference] = order
            levels = order.stock.sides[order.side]
            level = levels.get(order.price)
            if level is None:
                level = levels[order.price] = _Level()
            level.orders[order.reference] = order
            level.shares += order.shares
            order.stock.order_count += 1

    def _reduce(self, order: _Order, shares: int) -> int:
        """Take shares off an order; returns how many there were to take."""
        if shares == 0:
            self._note(Trouble.NO_SHARES, f"reference {order.reference}")
        if shares > order.shares:
            what = f"reference {order.reference}: {shares} of {order.shares}"
            self._note(Trouble.MORE_THAN_OPEN, what)
        if shares >= order.shares:
            taken = order.shares
            self._remove(order)
            return taken
        order.shares -= shares
        order.stock.sides[order.side][order.price].shares -= shares
        return shares

    def _remove(self, order: _Order) -> None:
        del self._orders[order.reference]
        levels = order.stock.sides[order.side]
        level = levels[order.price]
        del level.orders[order.reference]
        level.shares -= order.shares
        if not level.orders:
            del levels[order.price]
        order.stock.order_count -= 1

    def _note(self, trouble: Trouble, what: str = "") -> None:
        self.troubles[trouble] += 1
        if len(self.first_troubles) < self._keep_troubles:
            self.first_troubles.append(f"message {self._taken}: {trouble}: {what}".rstrip(": "))

    # --- looking ----------------------------------------------------------------------------

    @property
    def symbols(self) -> dict[int, str]:
        """Symbol by locate, of each stock heard of."""
        return {locate: stock.symbol for locate, stock in self._stocks.items()}

    def volume(self, locate: int) -> int:
        """Shares traded in a stock, on the displayed book, off it, and in crosses."""
        stock = self._stocks.get(locate)
        return stock.volume if stock else 0

    def depth(self, locate: int, levels: int) -> tuple[list[LevelView], list[LevelView]]:
        """Up to ``levels`` levels of a stock's bids and asks, best first. O(levels)."""
        return self._levels(locate, Side.BID, levels), self._levels(locate, Side.ASK, levels)

    def _levels(self, locate: int, side: Side, count: int) -> list[LevelView]:
        return [
            LevelView(price, level.shares, len(level.orders))
            for price, level in self._items(locate, side, count)
        ]

    def _items(self, locate: int, side: Side, count: int | None) -> list[tuple[int, _Level]]:
        stock = self._stocks.get(locate)
        if stock is None:
            return []
        levels = stock.sides[side]
        prices = levels.islice(0, count)
        if side is Side.BID:
            start = 0 if count is None else max(0, len(levels) - count)
            prices = levels.islice(start, None, reverse=True)
        return [(price, levels[price]) for price in prices]

    def orders(self, locate: int, side: int, limit: int | None = None) -> list[ItchOrder]:
        """A stock's orders of a side in priority order, at most ``limit``. O(orders log orders)."""
        out: list[ItchOrder] = []
        # Each level has an order at least, so no more than ``limit`` levels are of interest.
        for _, level in self._items(locate, Side(side), limit):
            if limit is not None and len(out) >= limit:
                break
            out += [_shown(order) for _, order in sorted(level.orders.items())]
        return out[:limit]

    def order(self, reference: int) -> ItchOrder | None:
        """The order of that reference, or None."""
        order = self._orders.get(reference)
        return None if order is None else _shown(order)

    def order_count(self, locate: int) -> int:
        """How many orders of a stock are displayed."""
        stock = self._stocks.get(locate)
        return stock.order_count if stock else 0

    def __len__(self) -> int:
        """How many orders are displayed, over all stocks."""
        return len(self._orders)

    def is_crossed(self, locate: int) -> bool:
        """Whether the best bid is at or above the best ask; in continuous trading never so."""
        bids, asks = self.depth(locate, 1)
        return bool(bids and asks and bids[0].price >= asks[0].price)


def _shown(order: _Order) -> ItchOrder:
    attribution = _text(order.attribution)
    return ItchOrder(order.reference, order.side, order.price, order.shares, attribution)


def _text(field: bytes) -> str:
    return field.decode("ascii", "replace").rstrip()
