"""Suite ``latency``: not how many commands a second, but how long the slow ones take.

Each command is timed by itself, in a loop in C, so that nothing but the book and the clock stands
between two readings. A figure includes one reading of the clock. Commands follow each other without
a pause: there is no queue here, and so no waiting in one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from contract.floor import Nanoseconds, run_timed, timer_readings
from contract.native import NativeEngine
from contract.streams import SHAPES, Stream, shape_stream
from matchbook.bench.interleave import WrongAnswerError
from matchbook.bench.trial import (
    Reference,
    Session,
    SkippedError,
    digest_of,
    find_reference,
    prefix,
    warmed,
)
from matchbook.engines import EngineClass

NAME: Final = "latency"
ROUNDS: Final = 5
#: In thousandths, so that the rank is exact.
PERCENTILES: Final = {"p50": 500, "p99": 990, "p99_9": 999}
_COMMANDS: Final = 200_000
_QUICK_COMMANDS: Final = 2_000
_SEED: Final = 1


def run(session: Session) -> dict[str, Any]:
    """Time the commands of every shape one by one; the content of ``latency.json``.

    Raises:
        SkippedError: no engine in C to time.
    """
    names = [name for name, made in session.engines.items() if _is_native(made)]
    if not names:
        raise SkippedError(f"latency times engines in C, not {', '.join(session.engines)}")
    rounds = session.rounds_of(ROUNDS)
    cases: dict[str, Any] = {}
    floors = []
    for shape in SHAPES:
        count = _QUICK_COMMANDS if session.quick else _COMMANDS
        stream = prefix(shape_stream(shape, None, _SEED), count)
        reference = find_reference(session.reference_engine(), stream)
        times: dict[str, list[Nanoseconds]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in [*names, *reversed(names)]:
                session.step(f"{shape}: {name}")
                times[name].append(time_commands(session.engines[name], stream, reference))
        cases[shape] = {
            "commands": len(stream.measured),
            "engines": {name: percentiles(np.concatenate(times[name])) for name in names},
        }
        floors += [twin_ratio(times[name]) for name in names]
    return {
        "seed": _SEED,
        "rounds": rounds,
        "noise_floor": max(floors),
        "timer_ns": float(np.median(timer_readings())),
        "cases": cases,
    }


def time_commands(engine_class: EngineClass, stream: Stream, reference: Reference) -> Nanoseconds:
    """Nanoseconds of every measured command, shape (n,).

    Raises:
        WrongAnswerError: the events are not the reference's.
    """
    with warmed(engine_class, stream, reference.room) as engine:
        assert isinstance(engine, NativeEngine)
        times, written = run_timed(engine, stream.measured, reference.room)
    if digest_of(reference.room[:written]) != reference.answer:
        raise WrongAnswerError(f"{engine_class.name}: other events one by one than in one array")
    return times


def percentiles(times: Nanoseconds) -> dict[str, int]:
    """Median, tail and maximum, each a time that a command did take.

    >>> facts = percentiles(np.arange(1, 1001, dtype=np.uint32))
    >>> facts["p50"], facts["p99"], facts["p99_9"], facts["max"]
    (500, 990, 999, 1000)
    """
    ordered = np.sort(times)
    facts = {
        name: int(ordered[-(-len(ordered) * share // 1000) - 1])
        for name, share in PERCENTILES.items()
    }
    return {**facts, "max": int(ordered[-1]), "samples": len(ordered)}


def twin_ratio(runs: list[Nanoseconds]) -> float:
    """How far the means of two runs of a round are apart, at the median over the rounds."""
    first = np.array([run.mean() for run in runs[::2]])
    second = np.array([run.mean() for run in runs[1::2]])
    return float(np.median(np.maximum(first / second, second / first)))


def _is_native(engine_class: EngineClass) -> bool:
    return isinstance(engine_class, type) and issubclass(engine_class, NativeEngine)
