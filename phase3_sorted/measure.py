"""Small measurements for the demo and the notebook. The book's numbers are ``matchbook bench``'s.

Engines take turns, round after round, because the machine is not the same from one second to the
next, and their events are compared before any time is believed.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from contract.errors import MatchbookError
from contract.records import RecordArray, empty_events
from contract.streams import MIDDLE_PRICE, Stream
from phase3_sorted import Engine, PyEngine

#: What phase 3 is measured against, where it is there: phases can be deleted one by one.
_EARLIER: Final = {"phase1": ("phase1_domain", "Engine"), "phase2": ("phase2_arena", "Engine")}

#: Makes an engine; called with its limits.
Factory = Callable[..., Any]


def engines() -> dict[str, Factory]:
    """Phase 3's two engines, and the engines of the earlier phases that are there."""
    found: dict[str, Factory] = {}
    for name, (module, attribute) in _EARLIER.items():
        try:
            found[name] = getattr(importlib.import_module(module), attribute)
        except ImportError:
            continue
    return {**found, "phase3py": PyEngine, "phase3": Engine}


def compare(factories: Mapping[str, Factory], stream: Stream, rounds: int = 3) -> dict[str, float]:
    """Nanoseconds per measured command of each engine, the median over the rounds.

    Raises:
        MatchbookError: two engines gave different events.
    """
    events = empty_events(2 * len(stream.measured) + 4 * stream.capacity)
    events["kind"] = 1  # touched once, so that nobody pays for the pages
    times: dict[str, list[float]] = {name: [] for name in factories}
    answer: bytes | None = None
    for _ in range(rounds):
        for name, factory in factories.items():
            with factory(**stream.limits()) as engine:
                engine.apply_batch(stream.warmup, events)
                started = time.perf_counter()
                consumed, written = engine.apply_batch(stream.measured, events)
                times[name].append((time.perf_counter() - started) / len(stream.measured) * 1e9)
            given = events[:written].tobytes()
            if consumed != len(stream.measured) or given != (answer or given):
                raise MatchbookError(f"{name} gave other events than the engines before it")
            answer = given
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def stretched(stream: Stream, step: int) -> Stream:
    """The same stream with every tick ``step`` ticks wide: as many levels, further apart.

    >>> from contract.streams import wide_levels
    >>> far = stretched(wide_levels(16, 100), 1_000)
    >>> far.min_price, far.max_price
    (-8000, 8000)
    """

    def stretch(commands: RecordArray) -> RecordArray:
        moved = commands.copy()
        priced = moved["price"] != 0  # CANCEL and MARKET have none
        moved["price"][priced] = (moved["price"][priced] - MIDDLE_PRICE) * step
        return moved

    reach = max(stream.max_price - MIDDLE_PRICE, MIDDLE_PRICE - stream.min_price) * step
    return stream._replace(
        warmup=stretch(stream.warmup),
        measured=stretch(stream.measured),
        min_price=-reach,
        max_price=reach,
    )
