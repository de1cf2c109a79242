"""Order streams of our own: the shapes engines are measured on, and books of a stated size.

Three shapes, for three ways in which a book can be hard to keep:

* **A**, the ordinary day: 55 % adds around a walking price, 40 % cancels, 5 % crossing orders;
  about 5,000 orders rest. Everything stays in the cache; what counts is instructions.
* **B**, the crowd: from 100,000 to 210,000 orders resting over 20,000 levels, mostly adds. What
  counts is how much memory an order takes and how far apart its pieces are.
* **C**, the sweeps: an order in twenty crosses, and takes some nineteen makers. What counts is
  the cost of the next maker and of the next level.

Every cancel hits a live order, every crossing order trades in full, and integers alone decide:
the same shape and seed are the same bytes on every machine. Ids are 1, 2, 3, … in order of arrival;
:func:`scramble_ids` makes arbitrary 64-bit ids of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from contract._workload import ffi, lib
from contract.errors import ConfigurationError
from contract.messages import CommandKind, Side, TimeInForce
from contract.random_draws import Integers, mix64
from contract.records import RecordArray, empty_commands

#: Prices of these streams lie around it, within the default range of a book.
MIDDLE_PRICE: Final = 1 << 30


class Stream(NamedTuple):
    """Commands that build a book, commands to measure on it, and the book they need.

    Attributes:
        warmup, measured: ``COMMAND_DTYPE`` arrays, to be applied one after the other.
        min_price, max_price, capacity: limits of a book on which no command is rejected.
    """

    name: str
    warmup: RecordArray
    measured: RecordArray
    min_price: int
    max_price: int
    capacity: int

    def limits(self) -> dict[str, int]:
        """The limits as keyword arguments of an engine."""
        return {
            "min_price": self.min_price,
            "max_price": self.max_price,
            "capacity": self.capacity,
        }


@dataclass(frozen=True)
class Shape:
    """What a generated stream looks like; use ``dataclasses.replace`` for a variant.

    Attributes:
        first_resting, last_resting: live orders when the measured part starts and ends.
        half_width: adds stand 1 to ``half_width`` ticks from the middle.
        concentrated: half of them within the nearest eighth of that, instead of evenly.
        walk_range: how far the middle walks from where it started, in ticks.
        walk_period: commands between two of its steps, on average; 0 stands still.
        crossing_ppm: share of crossing orders, in millionths.
        most_makers: a crossing order takes 1 to ``most_makers`` makers; half of the time the
            last of them in part.
        mixing: commands of the warm-up after ``first_resting`` adds, to forget how it was built.
        measured: commands to measure, by default.
    """

    name: str
    first_resting: int
    last_resting: int
    half_width: int
    concentrated: bool
    walk_range: int
    walk_period: int
    crossing_ppm: int
    most_makers: int
    mixing: int
    measured: int


SHAPES: Final[dict[str, Shape]] = {
    "A": Shape("A", 5_000, 5_000, 114, True, 500, 16, 50_000, 6, 100_000, 1_000_000),
    "B": Shape("B", 100_000, 210_000, 10_000, False, 100, 64, 20_000, 3, 0, 200_000),
    "C": Shape("C", 2_000, 2_000, 100, True, 500, 16, 48_000, 37, 100_000, 1_000_000),
}


def shape_stream(shape: str | Shape, measured: int | None = None, seed: int = 1) -> Stream:
    """Generate a shape, by name or given; a million commands in a fraction of a second.

    Raises:
        ConfigurationError: no such shape, or numbers that make no stream.
    """
    if isinstance(shape, str):
        if shape not in SHAPES:
            raise ConfigurationError(f"shape {shape!r} is not one of {', '.join(SHAPES)}")
        shape = SHAPES[shape]
    count = shape.measured if measured is None else measured
    warmup = shape.first_resting + shape.mixing
    reach = shape.half_width + shape.walk_range
    _check_shape(shape, warmup, count, reach, seed)
    commands = empty_commands(warmup + count)
    request = {
        "seed": seed,
        "warmup": warmup,
        "measured": count,
        "first_resting": shape.first_resting,
        "last_resting": shape.last_resting,
        "half_width": shape.half_width,
        "concentrated": shape.concentrated,
        "walk_range": shape.walk_range,
        "walk_period": shape.walk_period,
        "crossing_ppm": shape.crossing_ppm,
        "most_makers": shape.most_makers,
        "middle_price": MIDDLE_PRICE,
    }
    target = ffi.from_buffer("command_record[]", commands)
    if not lib.order_flow_generate(ffi.new("order_flow_shape *", request), target):
        raise ConfigurationError(f"{len(commands)} commands: the machine has not enough memory")
    capacity = 2 * max(shape.first_resting, shape.last_resting, 1)
    low, high = MIDDLE_PRICE - reach, MIDDLE_PRICE + reach
    return Stream(shape.name, commands[:warmup], commands[warmup:], low, high, capacity)


def _check_shape(shape: Shape, warmup: int, measured: int, reach: int, seed: int) -> None:
    limits = [
        ("seed", seed, 0, 2**64 - 1),
        ("first_resting", shape.first_resting, 0, 2**28),
        ("last_resting", shape.last_resting, 0, 2**28),
        ("half_width", shape.half_width, 1, 2**28),
        ("walk_range", shape.walk_range, 0, 2**28),
        ("walk_period", shape.walk_period, 0, 2**31),
        ("crossing_ppm", shape.crossing_ppm, 0, 1_000_000),
        ("most_makers", shape.most_makers, 1, 1_000_000),
        ("mixing", shape.mixing, 0, 2**30),
        ("measured", measured, 1, 2**30),
    ]
    for name, value, low, high in limits:
        if not low <= value <= high:
            raise ConfigurationError(f"{name} {value} is not in {low} to {high}")


def scramble_ids(commands: RecordArray) -> RecordArray:
    """A copy in which every id is another, arbitrary 64-bit one; equal ids stay equal. O(n)."""
    scrambled = commands.copy()
    scrambled["order_id"] = mix64(commands["order_id"])
    return scrambled


def gather(chunks: Iterable[RecordArray]) -> RecordArray:
    """One array of all chunks, shape (n,)."""
    return np.concatenate([empty_commands(0), *chunks])


def uniform_book(
    orders: int, levels: int, *, quantity: int = 10, chunk: int = 1 << 18
) -> Iterator[RecordArray]:
    """NEW commands, in arrays of ``chunk``, that build a book of just that size and trade nothing.

    The ``levels // 2`` ticks below ``MIDDLE_PRICE`` are bid levels, those above it ask levels; no
    level holds more than one order more than another. Arrivals jump from level to level, as in a
    real book. Ids run from 1 to ``orders``. Made for 10 orders to 10,000,000; memory is O(chunk).

    Raises:
        ConfigurationError: levels are not even, or more than orders.
    """
    if levels < 2 or levels % 2 or levels > orders:
        raise ConfigurationError(f"levels {levels} is not an even number from 2 to {orders}")
    half = levels // 2
    stride = _coprime_stride(half)
    for start in range(0, orders, chunk):
        index = np.arange(start, min(start + chunk, orders), dtype=np.int64)
        side = index & 1
        distance = (index >> 1) % half * stride % half + 1
        commands = empty_commands(len(index))
        commands["kind"] = CommandKind.NEW
        commands["order_id"] = index + 1
        commands["timestamp_ns"] = index
        commands["side"] = side
        commands["price"] = MIDDLE_PRICE + np.where(side == Side.BID, -distance, distance)
        commands["quantity"] = quantity
        yield commands


def _coprime_stride(count: int) -> int:
    """A step that visits all of ``count`` places before it returns, and jumps far each time."""
    stride = max(1, int(count * 0.618))
    while np.gcd(stride, count) != 1:
        stride += 1
    return stride


def wide_levels(levels: int = 20_000, measured: int = 100_000, depth: int = 4) -> Stream:
    """A wide book of one order a level whose best levels empty again and again.

    The measured part is rounds, on bids and asks in turn: the ``depth`` best levels are emptied
    one after the other, by a cancel or by an IOC order that takes all, and then filled again. So
    every second command leaves the book in need of its next best price: O(levels) to look for,
    O(1) or O(log levels) to know.

    Raises:
        ConfigurationError: levels are not even, or too few, or there is not one round.
    """
    rounds = measured // (2 * depth) if depth > 0 else 0
    if levels % 2 or depth < 1 or levels < 4 * depth or rounds < 1:
        raise ConfigurationError(
            f"levels {levels}, measured {measured}, depth {depth}: levels must be even and at "
            "least four times depth, measured at least twice depth"
        )
    warmup = gather(uniform_book(levels, levels))
    best = _ids_of_best(warmup, depth)
    side = np.arange(rounds)[:, None] % 2  # shape (rounds, 1)
    visit = np.arange(rounds)[:, None] // 2
    place = np.arange(depth)[None, :]  # from the best level, shape (1, depth)
    price = MIDDLE_PRICE + np.where(side == Side.BID, -1 - place, 1 + place)
    # Three ranges of ids that never meet: the first orders', their successors', the takers'.
    fresh = levels + 1 + (visit * 2 + side) * depth + place
    standing = np.where(visit == 0, best[side, place], fresh - 2 * depth)
    taker = levels + 1 + (rounds + 1) * depth + (visit * 2 + side) * depth + place

    commands = empty_commands(rounds * 2 * depth).reshape(rounds, 2, depth)
    empty, fill = commands[:, 0, :], commands[:, 1, :]
    by_cancel = np.broadcast_to(place % 2 == 0, price.shape)
    empty["kind"] = np.where(by_cancel, CommandKind.CANCEL, CommandKind.NEW)
    empty["order_id"] = np.where(by_cancel, standing, taker)
    empty["side"] = np.where(by_cancel, 0, 1 - side)
    empty["price"] = np.where(by_cancel, 0, price)
    empty["quantity"] = np.where(by_cancel, 0, warmup["quantity"][0])
    empty["time_in_force"] = np.where(by_cancel, TimeInForce.GTC, TimeInForce.IOC)
    fill["kind"] = CommandKind.NEW
    fill["order_id"] = fresh
    fill["side"] = side
    fill["price"] = price
    fill["quantity"] = warmup["quantity"][0]
    flat = commands.reshape(-1)
    flat["timestamp_ns"] = levels + np.arange(len(flat))
    reach = levels // 2
    low, high = MIDDLE_PRICE - reach, MIDDLE_PRICE + reach
    return Stream("wide", warmup, flat, low, high, levels)


def _ids_of_best(book: RecordArray, depth: int) -> Integers:
    """Ids on the ``depth`` best levels of a book of one order a level, shape (2, depth)."""
    rows = []
    for side in Side:
        mine = book[book["side"] == side]
        distance = np.abs(mine["price"] - MIDDLE_PRICE)
        rows.append(mine["order_id"][np.argsort(distance)][:depth])
    return np.stack(rows).astype(np.int64)
