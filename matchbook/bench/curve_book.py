"""Books of a stated size, and streams that repeat one operation on them; see ``curve.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

from contract.engine import MAX_CAPACITY, Engine
from contract.messages import CommandKind, Side, TimeInForce
from contract.random_draws import Integers
from contract.records import RecordArray, empty_commands, empty_events
from contract.streams import MIDDLE_PRICE, uniform_book
from matchbook.bench.interleave import WrongAnswerError
from matchbook.engines import EngineClass

ORDERS_PER_LEVEL: Final = 10
QUANTITY: Final = 10
SEED: Final = 1
#: Commands of a stream, roughly: enough for what it touches to be in the caches by half of it.
STREAM_COMMANDS: Final = 40_000
#: A block that is undone has at most so many operations, and one that undoes itself this many.
_LARGEST_BLOCK: Final = 50
_PAIRS_IN_BLOCK: Final = 5
_BUILD_EVENTS: Final = 1 << 18


class Repeated(NamedTuple):
    """One operation over and over, on a book that is in the end as it was in the beginning.

    Attributes:
        commands: blocks one after the other, ``stride`` commands each.
        stride: commands of a block.
        every: which blocks count: each, or every second where the others undo it.
        operations: how many operations a block is.
        trades: trades of a block that counts; every other event accepts or cancels.
    """

    commands: RecordArray
    stride: int
    every: int
    operations: int
    trades: int

    @property
    def blocks(self) -> int:
        """Blocks that count."""
        return len(self.commands) // (self.stride * self.every)

    def first(self, blocks: int) -> RecordArray:
        """The commands of so many blocks that count, and of what undoes them."""
        return self.commands[: blocks * self.stride * self.every]


class SizedBook:
    """What a book of so many orders is made of, and what is done to it.

    Ten orders stand on a level, and every second price is free. Orders keep their place in the
    queue through every operation but ``cancel``, which sends the cancelled to the back.
    """

    def __init__(self, orders: int) -> None:
        """Know every order of the book. O(orders)."""
        self.orders = orders
        self.levels = max(2, orders // ORDERS_PER_LEVEL // 2 * 2)
        self.half = self.levels // 2
        self.side = np.empty(orders, np.uint8)
        self.price = np.empty(orders, np.int64)
        for chunk in self._chunks():
            index = chunk["order_id"] - 1
            self.side[index], self.price[index] = chunk["side"], chunk["price"]
        self.random = np.random.default_rng(SEED)

    def build(self, engine_class: EngineClass) -> Engine:
        """A new engine with that book.

        Raises:
            WrongAnswerError: it did not take every order.
        """
        reach = 2 * self.half + 2
        engine = engine_class(
            min_price=MIDDLE_PRICE - reach,
            max_price=MIDDLE_PRICE + reach,
            capacity=min(MAX_CAPACITY, self.orders + 2 * _LARGEST_BLOCK),
        )
        events = empty_events(_BUILD_EVENTS)
        for chunk in self._chunks():
            engine.apply_batch(chunk, events)
        if len(engine) != self.orders:
            raise WrongAnswerError(f"{engine.name}: {len(engine)} orders, not {self.orders}")
        return engine

    def repeated(self, operation: str) -> Repeated:
        """The stream of an operation by its name."""
        make: dict[str, Callable[[], Repeated]] = {
            "add": self._add,
            "cancel": self._cancel,
            "match": self._match,
            "best": self._best,
            "level": self._level,
        }
        return make[operation]()

    def _chunks(self) -> Iterator[RecordArray]:
        for chunk in uniform_book(self.orders, self.levels, quantity=QUANTITY):
            chunk["price"] = MIDDLE_PRICE + 2 * (chunk["price"] - MIDDLE_PRICE)
            yield chunk

    @property
    def _block(self) -> int:
        """Operations in a block that is undone: a tenth of the book, of the smallest half."""
        return max(5, min(_LARGEST_BLOCK, self.orders // 10))

    @property
    def _repeats(self) -> int:
        """Blocks that count in a stream where each is undone."""
        return STREAM_COMMANDS // (2 * self._block)

    def _add(self) -> Repeated:
        def blocks() -> Iterator[RecordArray]:
            ids = self.orders + 1 + np.arange(self._block)
            for _ in range(self._repeats):
                side = self.random.integers(0, 2, len(ids))
                distance = 2 * self.random.integers(1, self.half + 1, len(ids))
                yield new_orders(ids, side, _away(side, distance))
                yield cancels(ids)

        return Repeated(np.concatenate(list(blocks())), self._block, 2, self._block, 0)

    def _cancel(self) -> Repeated:
        def blocks() -> Iterator[RecordArray]:
            for _ in range(self._repeats):
                index = self._distinct(self._block)
                yield cancels(index + 1)
                yield new_orders(index + 1, self.side[index].astype(np.int64), self.price[index])

        return Repeated(np.concatenate(list(blocks())), self._block, 2, self._block, 0)

    def _match(self) -> Repeated:
        # The best asks in priority order. They are taken level by level, and so come back into
        # queues that are as they were.
        count = self._block
        near = np.flatnonzero(
            (self.side == Side.ASK) & (self.price <= MIDDLE_PRICE + 2 * count + 2)
        )
        makers = near[np.argsort(self.price[near], kind="stable")][:count]
        ids = self.orders + 1 + np.arange(count)
        limit = np.full(count, MIDDLE_PRICE + 2 * self.half)
        takers = new_orders(ids, np.full(count, Side.BID), limit)
        takers["time_in_force"] = TimeInForce.IOC
        asks = new_orders(makers + 1, np.full(count, Side.ASK), self.price[makers])
        return Repeated(np.concatenate([takers, asks] * self._repeats), count, 2, count, count)

    def _best(self) -> Repeated:
        return self._come_and_go(np.zeros(STREAM_COMMANDS // 2, np.int64))

    def _level(self) -> Repeated:
        distance = self.random.integers(1, self.half + 1, STREAM_COMMANDS // 2)
        return self._come_and_go(2 * distance + 1)

    def _come_and_go(self, distance: Integers) -> Repeated:
        count = len(distance)
        ids, side = self.orders + 1 + np.arange(count), np.arange(count) & 1
        commands = empty_commands(2 * count)
        commands[::2] = new_orders(ids, side, _away(side, distance))
        commands[1::2] = cancels(ids)
        return Repeated(commands, 2 * _PAIRS_IN_BLOCK, 1, _PAIRS_IN_BLOCK, 0)

    def _distinct(self, count: int) -> Integers:
        """So many places of orders, drawn at random, none of them twice. O(count) expected."""
        places: dict[int, None] = {}
        while len(places) < count:
            drawn = self.random.integers(0, self.orders, count)
            places |= dict.fromkeys(drawn.tolist())
        return np.array(list(places)[:count], np.int64)


def new_orders(ids: Integers, side: Integers, price: Integers) -> RecordArray:
    """NEW commands of those ids, sides and prices, shape (n,)."""
    commands = empty_commands(len(ids))
    commands["kind"] = CommandKind.NEW
    commands["order_id"] = ids
    commands["side"] = side
    commands["price"] = price
    commands["quantity"] = QUANTITY
    return commands


def cancels(ids: Integers) -> RecordArray:
    """CANCEL commands of those ids, shape (n,)."""
    commands = empty_commands(len(ids))
    commands["kind"] = CommandKind.CANCEL
    commands["order_id"] = ids
    return commands


def _away(side: Integers, distance: Integers) -> Integers:
    """Prices so far from the middle, on the side's own half."""
    return MIDDLE_PRICE + np.where(side == Side.BID, -distance, distance)
