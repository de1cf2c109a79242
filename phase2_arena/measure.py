"""This phase's measurements, as the book quotes them: ``measure()`` returns one results file.

What it shares with other engines (speed, memory, instructions) is measured for all of them by
``matchbook bench``. Here is what is this phase's own: where its memory goes, what its scan looks
at, and what it costs to cross into C.
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from contract.batching import iter_events
from contract.engine import Engine as AnyEngine
from contract.messages import Side, cancel, new
from contract.records import RecordArray, empty_events, to_command_array
from contract.workload import ORDERS, SCENARIOS, SEED, generate
from phase2_arena.boundary import Progress, measure_boundary
from phase2_arena.engine import LEVEL_BYTES, SLOT_BYTES, Engine

EngineFactory = Callable[..., AnyEngine]

SCAN_LEVELS: Final = (1, 10, 100, 1_000, 10_000, 100_000)
_SCAN_PAIRS: Final = 200
_FEW_COMMANDS: Final = 40_000
_EVENTS_A_COMMAND: Final = 2
_SLOWEST_FUNCTIONS: Final = 8


def _silent(_: str) -> None:
    """Say nothing."""


def measure(
    progress: Progress = _silent,
    *,
    baseline: EngineFactory | None = None,
    orders: int = ORDERS,
    rounds: int = 5,
    scan_levels: Sequence[int] = SCAN_LEVELS,
) -> dict[str, Any]:
    """Everything the chapter quotes and no other suite measures, in about a minute.

    Args:
        progress: called with one line before each step.
        baseline: phase 1's engine, to be measured beside this one.
        orders: orders of the public benchmark's workloads.
        rounds: how often what is timed is run.
        scan_levels: the sizes of the side whose best level is emptied.
    """
    results: dict[str, Any] = {
        "seed": SEED,
        "orders": orders,
        "rounds": rounds,
        "footprint": measure_footprint(),
        "scenarios": {},
    }
    for scenario in SCENARIOS:
        progress(f"workload {scenario}")
        results["scenarios"][scenario] = count_scanned(generate(scenario, orders))
    progress("best price against the number of levels")
    results["scan"] = measure_scan(rounds=rounds, baseline=baseline, sizes=scan_levels)
    few, image = from_the_middle(generate("normal", orders))
    results["boundary"] = measure_boundary(
        few, image=image, rounds=rounds, baseline=baseline, progress=progress
    )
    if baseline is not None:
        progress("profile of the baseline")
        results["profile"] = profile(baseline, few, image)
    return results


def from_the_middle(commands: RecordArray) -> tuple[RecordArray, bytes]:
    """A few commands from the middle of a workload, and the image of the book they meet there.

    A workload begins with an empty book, which is easy on an engine that scans its levels.
    """
    half = len(commands) // 2
    with Engine() as engine:
        for _ in iter_events(engine, commands[:half]):
            pass
        return commands[half : half + _FEW_COMMANDS], engine.snapshot()


def measure_footprint() -> dict[str, Any]:
    """Bytes: of a slot, of a level, of a default book, and of all that for each order it holds."""
    started = time.perf_counter()
    with Engine() as engine:
        return {
            "build_ms": (time.perf_counter() - started) * 1e3,
            "slot_bytes": SLOT_BYTES,
            "level_bytes": LEVEL_BYTES,
            "capacity": engine.capacity,
            "book_bytes": engine.memory_bytes(),
            "bytes_per_order": engine.memory_bytes() / engine.capacity,
        }


def count_scanned(commands: RecordArray) -> dict[str, Any]:
    """How many levels a workload makes the book look at; counts, the same on every machine."""
    with Engine() as engine:
        for _ in iter_events(engine, commands):
            pass
        return {
            "commands": len(commands),
            "events": engine.event_sequence,
            "levels_at_end": sum(map(len, engine.depth(engine.capacity))),
            "scans_per_command": engine.scans / len(commands),
            "levels_scanned_per_command": engine.levels_scanned / len(commands),
        }


# --8<-- [start:scan]
def measure_scan(
    *, rounds: int, baseline: EngineFactory | None = None, sizes: Sequence[int] = SCAN_LEVELS
) -> list[dict[str, Any]]:
    """What emptying the best level costs on a side with few levels and with many.

    A better bid is placed above m others and cancelled again, over and over: the worst this
    phase can be asked for, since each cancel makes it look at all m levels.
    """
    pairs = [
        command
        for number in range(_SCAN_PAIRS)
        for command in (
            new(10**9 + number, Side.BID, price=10**9, quantity=1),
            cancel(10**9 + number),
        )
    ]
    commands, events = to_command_array(pairs), empty_events(len(pairs))
    rows: list[dict[str, Any]] = []
    for levels in sizes:
        resting = to_command_array(
            new(1 + level, Side.BID, price=1 + level, quantity=1) for level in range(levels)
        )
        row: dict[str, Any] = {"levels": levels}
        makes = {"ns": Engine} if baseline is None else {"ns": Engine, "baseline_ns": baseline}
        for name, make in makes.items():
            with make(capacity=levels + 1) as engine:
                engine.apply_batch(resting, empty_events(levels))
                row[name] = _median_ns(engine, commands, events, rounds) / _SCAN_PAIRS
        rows.append(row)
    return rows


# --8<-- [end:scan]


def _median_ns(engine: AnyEngine, commands: RecordArray, events: RecordArray, rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        engine.apply_batch(commands, events)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e9


def profile(make: EngineFactory, commands: RecordArray, image: bytes) -> dict[str, Any]:
    """Where an engine in Python spends its time: its slowest functions, as shares of the whole.

    The profiler's own cost falls on calls, so functions that call much look slower than they are;
    shares tell where to look, not how long it takes. The number of calls is exact.
    """
    events = empty_events(_EVENTS_A_COMMAND * len(commands))
    profiler = cProfile.Profile()
    with make() as engine:
        engine.restore(image)
        profiler.runcall(engine.apply_batch, commands, events)
    stats: dict[Any, Any] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    whole = sum(entry[2] for entry in stats.values())
    slowest = sorted(stats.items(), key=lambda item: -item[1][2])[:_SLOWEST_FUNCTIONS]
    return {
        "calls_per_command": sum(entry[1] for entry in stats.values()) / len(commands),
        "slowest": [
            {
                "function": f"{name} in {Path(file).name}" if line else name,
                "share": entry[2] / whole,
                "calls_per_command": entry[1] / len(commands),
            }
            for (file, line, name), entry in slowest
        ],
    }
