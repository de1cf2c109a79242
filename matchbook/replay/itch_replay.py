"""The displayed book of an ITCH day, rebuilt in engines, one for each stock.

- A and F: NEW, good till cancelled, post only. On the exchange an order that would have traded was
  never shown, so one that crosses here is an anomaly and not a trade.
- E, C and X: REPLACE at its price with less open; CANCEL when nothing is left.
- D: CANCEL. U: CANCEL, then a NEW with the new reference on the same side.
- All others: nothing. They do not change the displayed book.

In match mode E and C are re-enacted: an IOC order comes in against the named order's side, at its
price. Whether it would meet the order the exchange says was hit is looked up first, so that one
disagreement is one miss and no more: then the execution is applied to the order it names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from contract.engine import Engine, RestingOrder
from contract.errors import ConfigurationError, InvariantError
from contract.messages import CommandKind, Reason, Side
from matchbook.engines import EngineClass
from matchbook.replay import itch
from matchbook.replay.driver import Anomalies, Driver, Limits
from matchbook.replay.events_out import EventSink
from matchbook.replay.itch import Row

ONE_STOCK_CAPACITY: Final = 1 << 20
EACH_STOCK_CAPACITY: Final = 256
_ADDS: Final = (b"A", b"F")


@dataclass
class MatchTally:
    """Executions re-enacted: how many would have met the order the exchange hit.

    Attributes:
        older: misses where the order hit had the lower reference, hence the earlier entry.
    """

    keep: int = 10
    hits: int = 0
    total: int = 0
    older: int = 0
    first_misses: list[str] = field(default_factory=list)


class _Place(NamedTuple):
    """Where a message stands, for whoever must be told."""

    message: int
    offset: int
    letter: bytes

    def __str__(self) -> str:
        return f"message {self.message} ({self.letter.decode()}, offset {self.offset})"


class ItchReplay:
    """Applies ITCH messages to one engine a stock.

    Args:
        engine_class: what to build the books of.
        stock: a symbol to follow alone, or None for all.
        match: re-enact executions.
        path: the file's name in errors.
    """

    def __init__(
        self,
        engine_class: EngineClass,
        limits: Limits,
        path: Path,
        *,
        stock: str | None = None,
        match: bool = False,
        sink: EventSink | None = None,
    ) -> None:
        self._engine_class = engine_class
        self._limits = limits
        self._path = path
        self._stock = stock
        self._match = match
        self._sink = sink
        self._locate: int | None = None
        self._refused: set[tuple[int, int]] = set()
        self.books: dict[int, Driver] = {}
        self.symbols: dict[int, str] = {}
        self.letters: Counter[bytes] = Counter()
        self.anomalies = Anomalies()
        self.tally = MatchTally()
        self._handlers: dict[bytes, Callable[[Driver, _Place, Row], None]] = {
            b"E": self._execute,
            b"C": self._execute,
            b"X": self._cancel,
            b"D": self._delete,
            b"U": self._replace,
        }

    def take(self, index: int, offset: int, row: Row) -> Driver | None:
        """Apply one message; returns the book it may have changed."""
        letter = row.letter
        self.letters[letter] += 1
        if letter in _ADDS:
            return self._add(index, offset, row)
        handler = self._handlers.get(letter)
        if handler is None:
            if letter == b"R":
                self._learn(row.locate, row.symbol)
            return None
        locate = row.locate
        if self._stock is not None and locate != self._locate:
            return None
        place = _Place(index, offset, letter)
        driver = self.books.get(locate)
        if driver is None:
            self.anomalies.add("unknown reference", str(place), "its stock has had no order yet")
            return None
        handler(driver, place, row)
        return driver

    def _learn(self, locate: int, symbol: str) -> None:
        self.symbols[locate] = symbol
        if symbol == self._stock:
            self._locate = locate

    def _add(self, index: int, offset: int, row: Row) -> Driver | None:
        locate = row.locate
        side = itch.side_of(row, self._path, offset)
        if locate not in self.symbols:
            self._learn(locate, row.symbol)
        if self._stock is not None and locate != self._locate:
            return None
        driver = self.books.get(locate) or self._open(locate)
        reason = driver.add(row.reference, side, row.price, row.shares, row.when)
        if reason:
            place = _Place(index, offset, row.letter)
            self._refuse(locate, row.reference, place, reason)
        return driver

    def _open(self, locate: int) -> Driver:
        def build(capacity: int) -> Engine:
            return self._engine_class(
                instrument=locate,
                min_price=self._limits.min_price,
                max_price=self._limits.max_price,
                capacity=capacity,
            )

        default = EACH_STOCK_CAPACITY if self._stock is None else ONE_STOCK_CAPACITY
        capacity = self._limits.first_capacity(default)
        driver = Driver(build, capacity, fixed=self._limits.fixed, sink=self._sink)
        self.books[locate] = driver
        return driver

    def _refuse(self, locate: int, reference: int, place: _Place, reason: int) -> None:
        """An order that cannot rest here: what follows about it is no news."""
        self._refused.add((locate, reference))
        word = "crossed add" if reason == Reason.WOULD_CROSS else "refused add"
        why = Reason(reason).name.lower()
        self.anomalies.add(word, str(place), f"reference {reference}: {why}")

    def _find(self, driver: Driver, place: _Place, reference: int) -> RestingOrder | None:
        order = driver.engine.order(reference)
        if order is None:
            refused = (driver.engine.instrument, reference) in self._refused
            word = "order refused before" if refused else "unknown reference"
            self.anomalies.add(word, str(place), f"reference {reference}")
        return order

    def _cancel(self, driver: Driver, place: _Place, row: Row) -> None:
        order = self._find(driver, place, row.reference)
        if order is not None:
            self._reduce(driver, place, order, row)

    def _reduce(self, driver: Driver, place: _Place, order: RestingOrder, row: Row) -> None:
        shares = row.shares
        if shares > order.quantity:
            what = f"reference {order.order_id}: {shares} shares of {order.quantity} open"
            self.anomalies.add("more than is open", str(place), what)
        if shares == 0:
            self.anomalies.add("no shares", str(place), f"reference {order.order_id}")
        else:
            driver.reduce(order.order_id, order.price, order.quantity, shares, row.when)

    def _delete(self, driver: Driver, place: _Place, row: Row) -> None:
        if self._find(driver, place, row.reference) is not None:
            driver.send(CommandKind.CANCEL, row.reference, timestamp_ns=row.when)

    def _replace(self, driver: Driver, place: _Place, row: Row) -> None:
        order = self._find(driver, place, row.reference)
        if order is None:
            return
        driver.send(CommandKind.CANCEL, row.reference, timestamp_ns=row.when)
        new = row.new_reference
        reason = driver.add(new, order.side, row.price, row.shares, row.when)
        if reason:
            self._refuse(driver.engine.instrument, new, place, reason)

    # --8<-- [start:execute]
    def _execute(self, driver: Driver, place: _Place, row: Row) -> None:
        reference, shares = row.reference, row.shares
        order = self._find(driver, place, reference)
        if order is None:
            return
        if not self._match or not 0 < shares <= order.quantity:
            self._reduce(driver, place, order, row)
            return
        self.tally.total += 1
        front = driver.engine.orders(order.side, 1)[0]
        if front.order_id != reference:
            self._miss(place, order, front, shares)
            self._reduce(driver, place, order, row)
            return
        self.tally.hits += 1
        fills = driver.take(order.side, order.price, shares, row.when)
        if fills != [(reference, shares)]:
            raise InvariantError(
                f"{driver.engine.name}: {place}: an aggressor of {shares} against the front order"
                f" {reference} was filled by {fills}"
            )

    # --8<-- [end:execute]

    def _miss(self, place: _Place, order: RestingOrder, front: RestingOrder, shares: int) -> None:
        tally = self.tally
        tally.older += order.price == front.price and order.order_id < front.order_id
        if len(tally.first_misses) < tally.keep:
            word = Side(order.side).name.lower()
            tally.first_misses.append(
                f"{place}: {shares} shares hit {word} {order.order_id} at {order.price};"
                f" first in this book's queue is {front.order_id} at {front.price}"
            )

    def finish(self) -> None:
        """Say so when the stock asked for never appeared.

        Raises:
            ConfigurationError: names some that did.
        """
        if self._stock is not None and self._locate is None:
            names = ", ".join(sorted(self.symbols.values())[:10]) or "none"
            raise ConfigurationError(
                f"{self._path}: no stock {self._stock!r} in it; it has {len(self.symbols)}: {names}"
            )
