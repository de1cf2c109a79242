"""Suite ``curve``: what one operation costs on a book of 10 orders, and on one of 10,000,000.

Ten orders stand on a level, so a larger book has more levels too; every second price is free.

- ``add``: a new order behind the others of a level drawn at random
- ``cancel``: a resting order drawn at random
- ``match``: an IOC order that takes just the best order; every tenth empties the best level
- ``best``: a better price opens and empties again, and the book needs its next best price
- ``level``: a level opens at a free price drawn at random, and empties again

``best`` and ``level`` are counted as one operation for their two commands. An operation is done in
blocks and undone again, so that the book never strays by more than a tenth of its orders (by half
of ten); a block is timed as a whole, and the undoing is not. Engines in C are timed by a loop in C,
since whatever ran between two blocks would push the book out of the caches.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from contract.engine import Engine
from contract.floor import Nanoseconds, run_timed, timer_readings
from contract.messages import EventKind
from contract.native import NativeEngine
from contract.records import RecordArray, empty_events
from matchbook.bench import machine
from matchbook.bench.curve_book import SEED, STREAM_COMMANDS, Repeated, SizedBook
from matchbook.bench.interleave import Outcome, WrongAnswerError, measure
from matchbook.bench.trial import TWIN, Session, clock, twin_noise_floor

NAME: Final = "curve"
ROUNDS: Final = 5
SIZES: Final = (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SHOWN: Final = ("add", "cancel", "match", "best", "level")
#: In the order they are measured: a cancelled order comes back behind its queue, and ``match``
#: expects the queues as they were built.
OPERATIONS: Final = ("add", "match", "best", "level", "cancel")
#: Growth is told from here on: below, a block is short and the clock coarse.
GROWTH_FROM: Final = 1_000
_QUICK_SIZES: Final = (10, 100)
_SECONDS_A_RUN: Final = 0.05
_FEWEST_BLOCKS: Final = 5
#: The events of a whole stream: at most 3 for an operation and its undoing.
_ROOM: Final = 2 * STREAM_COMMANDS
#: The largest book of a slow engine: it takes long to build.
_SLOW_SIZE: Final = 100_000
#: What an order takes in all engines together, roughly.
_MEMORY_PER_ORDER: Final = 600


@dataclass
class OperationTrial:
    """One operation on one engine's book; the outcome is what one operation takes."""

    name: str
    engine: Engine
    repeated: Repeated
    room: RecordArray
    timer_ns: float

    def run(self) -> Outcome:
        """Time as many blocks as fit into a twentieth of a second; the median of them counts."""
        guess = float(np.median(self.times(_FEWEST_BLOCKS))) * 1e-9
        blocks = int(_SECONDS_A_RUN / (guess * self.repeated.every))
        gc.collect()
        times = self.times(max(_FEWEST_BLOCKS, min(self.repeated.blocks, blocks)))
        # A coarse clock may show a block of a few operations as shorter than none.
        ns = max(float(np.median(times)) - self.timer_ns, 0.1) / self.repeated.operations
        return Outcome(ns * 1e-9, 1, "")

    def times(self, blocks: int) -> Nanoseconds:
        """Nanoseconds of each block that counts.

        Raises:
            WrongAnswerError: the events are not those of the operation.
        """
        repeated = self.repeated
        commands = repeated.first(blocks)
        if isinstance(self.engine, NativeEngine):
            times, written = run_timed(self.engine, commands, self.room, repeated.stride)
        else:
            times, written = run_timed_in_python(self.engine, commands, self.room, repeated.stride)
        kinds = self.room["kind"][:written]
        trades = int(np.count_nonzero(kinds == EventKind.TRADE))
        rejected = int(np.count_nonzero(kinds == EventKind.REJECTED))
        if (trades, rejected) != (blocks * repeated.trades, 0):
            raise WrongAnswerError(
                f"{self.name}: {trades} trades and {rejected} rejections, "
                f"not {blocks * repeated.trades} and none"
            )
        return times[:: repeated.every]


def run_timed_in_python(
    engine: Engine, commands: RecordArray, events: RecordArray, stride: int
) -> tuple[Nanoseconds, int]:
    """As ``contract.floor.run_timed``, for engines that are not in C."""
    times = np.zeros(-(-len(commands) // stride), np.uint32)
    written = 0
    for index in range(len(times)):
        block = commands[index * stride : (index + 1) * stride]
        started = clock()
        written += engine.apply_batch(block, events[written:]).written
        times[index] = min((clock() - started) * 1e9, 2**32 - 1)
    return times, written


def run(session: Session) -> dict[str, Any]:
    """Measure every operation on books of every size; the content of ``curve.json``."""
    rounds = session.rounds_of(ROUNDS)
    sizes = [size for size in (_QUICK_SIZES if session.quick else SIZES) if fits(size)]
    cases = {str(size): measure_size(session, size, rounds) for size in sizes}
    largest = {
        name: max(int(size) for size, case in cases.items() if name in case["engines"])
        for name in session.engines
    }
    return {
        "seed": SEED,
        "rounds": rounds,
        "noise_floor": max(case["noise_floor"] for case in cases.values()),
        "cases": cases,
        "largest": largest,
        "growth": {name: growth(name, cases, largest[name]) for name in session.engines},
    }


def fits(size: int) -> bool:
    """Whether this machine has the memory for books of that size."""
    memory = machine.memory_bytes()
    return not memory or size * _MEMORY_PER_ORDER < memory / 2


def measure_size(session: Session, size: int, rounds: int) -> dict[str, Any]:
    """All engines and operations on one size, interleaved operation by operation."""
    book = SizedBook(size)
    engines = {}
    for name, engine_class in session.engines.items():
        if size <= _SLOW_SIZE or name in session.fast():
            session.step(f"{size:,} orders: building {name}")
            engines[name] = book.build(engine_class)
    room = empty_events(_ROOM)
    room["kind"] = EventKind.ACCEPTED  # touched once, so that nobody pays for the pages
    timer_ns = float(np.median(timer_readings()))
    costs: dict[str, dict[str, float]] = {name: {} for name in engines}
    floors = []
    last = list(engines)[-1]
    for operation in OPERATIONS:
        repeated = book.repeated(operation)
        trials = [
            OperationTrial(name, engine, repeated, room, timer_ns)
            for name, engine in {**engines, last + TWIN: engines[last]}.items()
        ]
        samples = measure(trials, rounds, step=session.stepper(f"{size:,} orders: {operation}, "))
        for name in engines:
            costs[name][operation] = samples.median(name) * 1e9
        floors.append(twin_noise_floor(samples))
    for engine in engines.values():
        engine.close()
    # In the order of the page, which is not that of measuring.
    return {
        "levels": book.levels,
        "noise_floor": max(floors),
        "engines": {name: {key: cost[key] for key in SHOWN} for name, cost in costs.items()},
    }


def growth(name: str, cases: dict[str, Any], largest: int) -> dict[str, float]:
    """How many times as long each operation takes on the largest book as on 1,000 orders."""
    small = cases[str(min(GROWTH_FROM, largest))]["engines"][name]
    large = cases[str(largest)]["engines"][name]
    return {operation: large[operation] / small[operation] for operation in SHOWN}
