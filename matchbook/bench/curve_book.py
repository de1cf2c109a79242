"""A book of a stated size, and blocks of one operation to time on it; see ``curve.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from contract.engine import MAX_CAPACITY, Engine
from contract.messages import CommandKind, EventKind, Side, TimeInForce
from contract.random_draws import Integers
from contract.records import RecordArray, empty_commands, empty_events
from contract.streams import MIDDLE_PRICE, uniform_book
from matchbook.bench.interleave import WrongAnswerError
from matchbook.bench.trial import clock
from matchbook.engines import EngineClass

ORDERS_PER_LEVEL: Final = 10
QUANTITY: Final = 10
MOST_IN_BLOCK: Final = 1_000
SEED: Final = 1


class Block(NamedTuple):
    """Commands to time and commands that undo them (None: the makers that were taken come back).

    Attributes:
        operations: how many operations the commands are.
        event_kind: every event that the operation must cause, so many of it as ``events`` says.
    """

    commands: RecordArray
    undo: RecordArray | None
    operations: int
    event_kind: EventKind
    events: int


class SizedBook:
    """A book of so many orders, the blocks that are timed on it, and the room for their events."""

    def __init__(self, engine_class: EngineClass, orders: int) -> None:
        """Build the book. O(orders)."""
        self.orders = orders
        self.levels = max(2, orders // ORDERS_PER_LEVEL // 2 * 2)
        self.half = self.levels // 2
        reach = 2 * self.half + 2
        self.events = empty_events(4 * MOST_IN_BLOCK)
        self.engine: Engine = engine_class(
            min_price=MIDDLE_PRICE - reach,
            max_price=MIDDLE_PRICE + reach,
            capacity=min(MAX_CAPACITY, orders + 2 * MOST_IN_BLOCK),
        )
        self.random = np.random.default_rng(SEED)
        self.next_id = orders + 1
        self.side = np.empty(orders, np.uint8)
        self.price = np.empty(orders, np.int64)
        events = empty_events(1 << 18)
        for chunk in uniform_book(orders, self.levels, quantity=QUANTITY):
            chunk["price"] = MIDDLE_PRICE + 2 * (chunk["price"] - MIDDLE_PRICE)
            index = chunk["order_id"] - 1
            self.side[index], self.price[index] = chunk["side"], chunk["price"]
            self.engine.apply_batch(chunk, events)
        if len(self.engine) != orders:
            raise WrongAnswerError(f"{self.engine.name}: {len(self.engine)} orders, not {orders}")

    def block(self, operation: str, count: int) -> Block:
        """A block of ``count`` operations, drawn anew each time."""
        make: Callable[[int], Block] = getattr(self, f"_{operation}")
        return make(count)

    def most(self, operation: str) -> int:
        """How many operations a block may have."""
        if operation in ("best", "level"):
            return MOST_IN_BLOCK // 2
        return max(5, min(MOST_IN_BLOCK, self.orders // 10))

    def time(self, block: Block) -> float:
        """Seconds of a block; verify its events and undo it.

        Raises:
            WrongAnswerError: the events are not those of the operation.
        """
        started = clock()
        consumed, written = self.engine.apply_batch(block.commands, self.events)
        seconds = clock() - started
        events = self.events[:written]
        seen = int(np.count_nonzero(events["kind"] == block.event_kind))
        if consumed != len(block.commands) or seen != block.events:
            name = block.event_kind.name.lower()
            raise WrongAnswerError(f"{self.engine.name}: {seen} events {name}, not {block.events}")
        undo = _makers(events) if block.undo is None else block.undo
        if len(undo):
            self.engine.apply_batch(undo, self.events)
        return seconds

    def time_empty(self) -> float:
        """Seconds of a call without commands."""
        nothing = empty_commands(0)
        started = clock()
        self.engine.apply_batch(nothing, self.events)
        return clock() - started

    def _fresh(self, count: int) -> Integers:
        ids = np.arange(self.next_id, self.next_id + count)
        self.next_id += count
        return ids

    def _add(self, count: int) -> Block:
        ids = self._fresh(count)
        side = self.random.integers(0, 2, count)
        distance = 2 * self.random.integers(1, self.half + 1, count)
        commands = orders(ids, side, _away(side, distance))
        return Block(commands, cancels(ids), count, EventKind.ACCEPTED, count)

    def _cancel(self, count: int) -> Block:
        # The first orders are all live between two blocks; they come back behind their level.
        index = self.random.integers(0, self.orders, 2 * count + 16)
        index = self.random.permutation(np.unique(index))[:count]
        undo = orders(index + 1, self.side[index].astype(np.int64), self.price[index])
        return Block(cancels(index + 1), undo, len(index), EventKind.CANCELLED, len(index))

    def _match(self, count: int) -> Block:
        limit = np.full(count, MIDDLE_PRICE + 2 * self.half)
        commands = orders(self._fresh(count), np.full(count, Side.BID), limit)
        commands["time_in_force"] = TimeInForce.IOC
        return Block(commands, None, count, EventKind.TRADE, count)

    def _best(self, count: int) -> Block:
        return self._come_and_go(np.zeros(count, np.int64))

    def _level(self, count: int) -> Block:
        return self._come_and_go(2 * self.random.integers(1, self.half + 1, count) + 1)

    def _come_and_go(self, distance: Integers) -> Block:
        count = len(distance)
        ids, side = self._fresh(count), np.arange(count) & 1
        commands = empty_commands(2 * count)
        commands[::2] = orders(ids, side, _away(side, distance))
        commands[1::2] = cancels(ids)
        return Block(commands, empty_commands(0), count, EventKind.CANCELLED, count)


def orders(ids: Integers, side: Integers, price: Integers) -> RecordArray:
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


def _makers(events: RecordArray) -> RecordArray:
    """NEW commands that bring back the asks which were taken, as they stood."""
    trades = events[events["kind"] == EventKind.TRADE]
    side = np.full(len(trades), Side.ASK)
    return orders(trades["contra_order_id"].astype(np.int64), side, trades["price"])


def _away(side: Integers, distance: Integers) -> Integers:
    """Prices so far from the middle, on the side's own half."""
    return MIDDLE_PRICE + np.where(side == Side.BID, -distance, distance)
