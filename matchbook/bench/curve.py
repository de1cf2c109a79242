"""Suite ``curve``: what one operation costs on a book of 10 orders, and on one of 10,000,000.

Ten orders stand on a level, so a larger book has more levels too; every second price is free.

- ``add``: a new order behind the others of a level drawn at random
- ``cancel``: a resting order drawn at random
- ``match``: an IOC order that takes just the best order; every tenth empties the best level
- ``best``: a better price opens and empties again, and the book needs its next best price
- ``level``: a level opens at a free price drawn at random, and empties again

``best`` and ``level`` are counted as one operation for their two commands. Each operation is timed
in blocks that change the book by no more than a tenth of its orders (half of them, of ten), and
undone afterwards. What a call without commands costs is measured beside and subtracted.
"""

from __future__ import annotations

import gc
import statistics
from dataclasses import dataclass
from typing import Any, Final

from matchbook.bench import machine
from matchbook.bench.curve_book import SEED, SizedBook
from matchbook.bench.interleave import Outcome, measure
from matchbook.bench.trial import TWIN, Session, twin_noise_floor

NAME: Final = "curve"
ROUNDS: Final = 5
SIZES: Final = (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
OPERATIONS: Final = ("add", "cancel", "match", "best", "level")
#: Growth is told from here on: below, a block is short and the clock coarse.
GROWTH_FROM: Final = 1_000
_QUICK_SIZES: Final = (10, 100)
_BLOCK_SECONDS: Final = 0.001
_SECONDS_A_RUN: Final = 0.02
_FEWEST_BLOCKS: Final = 3
_MOST_BLOCKS: Final = 100
#: The largest book of a slow engine: it takes long to build.
_SLOW_SIZE: Final = 100_000
#: What an order takes in all engines together, roughly.
_MEMORY_PER_ORDER: Final = 600


@dataclass
class OperationTrial:
    """One operation on one book, in blocks; the outcome is what one operation takes."""

    name: str
    book: SizedBook
    operation: str

    def run(self) -> Outcome:
        """Time as many blocks as fit into a fiftieth of a second; the median of them counts."""
        book, most = self.book, self.book.most(self.operation)
        first = book.time(book.block(self.operation, 1))
        count = max(1, min(most, int(_BLOCK_SECONDS / first)))
        blocks = int(_SECONDS_A_RUN / (first * count))
        blocks = max(_FEWEST_BLOCKS, min(_MOST_BLOCKS, blocks))
        gc.collect()
        nothing = statistics.median(book.time_empty() for _ in range(_MOST_BLOCKS))
        times = []
        for _ in range(blocks):
            block = book.block(self.operation, count)
            times.append((book.time(block) - nothing) / block.operations)
        # A coarse clock may show a block of a few operations as shorter than none.
        return Outcome(max(statistics.median(times), 1e-10), 1, "")


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
    books = {}
    for name, engine_class in session.engines.items():
        if size <= _SLOW_SIZE or name in session.fast():
            session.step(f"{size:,} orders: building {name}")
            books[name] = SizedBook(engine_class, size)
    engines: dict[str, dict[str, float]] = {name: {} for name in books}
    floors = []
    for operation in OPERATIONS:
        trials = [OperationTrial(name, book, operation) for name, book in books.items()]
        last = trials[-1]
        trials.append(OperationTrial(last.name + TWIN, last.book, operation))
        samples = measure(
            trials,
            rounds,
            step=lambda name, operation=operation: session.step(  # type: ignore[misc]
                f"{size:,} orders: {operation}, {name}"
            ),
        )
        for name in books:
            engines[name][operation] = samples.median(name) * 1e9
        floors.append(twin_noise_floor(samples))
    levels = next(iter(books.values())).levels
    for book in books.values():
        book.engine.close()
    return {"levels": levels, "noise_floor": max(floors), "engines": engines}


def growth(name: str, cases: dict[str, Any], largest: int) -> dict[str, float]:
    """How many times as long each operation takes on the largest book as on 1,000 orders."""
    small = cases[str(min(GROWTH_FROM, largest))]["engines"][name]
    large = cases[str(largest)]["engines"][name]
    return {operation: large[operation] / small[operation] for operation in OPERATIONS}
