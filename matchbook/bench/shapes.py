"""Suite ``shapes``: the ordinary day, the crowd and the sweeps, on a book that stands already.

The warm-up builds the book and is not timed; ``contract/streams.py`` says what the shapes are.
Each runs twice: with ids 1, 2, 3, … and with arbitrary 64-bit ones in their place, because an id
table is fast on the former whether it is good or not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from contract.streams import SHAPES, Shape, Stream, scramble_ids, shape_stream
from matchbook.bench.interleave import Samples, measure
from matchbook.bench.trial import (
    FLOOR,
    EngineTrial,
    FloorTrial,
    Session,
    contestant_facts,
    fast_trials,
    find_reference,
    prefix,
    twin_noise_floor,
)

NAME: Final = "shapes"
BASELINE: Final = "phase1"
ROUNDS: Final = 9
ARBITRARY: Final = "_arbitrary"
_SEED: Final = 1
#: Slow engines take this many of the measured commands, this often.
_SLOW_COMMANDS: Final = 20_000
_SLOW_ROUNDS: Final = 2
_QUICK_COMMANDS: Final = 1_000
_QUICK_DIVISOR: Final = 50


def run(session: Session) -> dict[str, Any]:
    """Measure every shape with both kinds of ids; the content of ``shapes.json``."""
    rounds = session.rounds_of(ROUNDS)
    cases = {}
    for name, shape in SHAPES.items():
        stream = shape_stream(smaller(shape) if session.quick else shape, None, _SEED)
        cases[name] = measure_shape(session, stream, rounds)
        scrambled = stream._replace(
            name=name + ARBITRARY,
            warmup=scramble_ids(stream.warmup),
            measured=scramble_ids(stream.measured),
        )
        cases[name + ARBITRARY] = measure_shape(session, scrambled, rounds)
    return {
        "seed": _SEED,
        "rounds": rounds,
        "noise_floor": max(case["noise_floor"] for case in cases.values()),
        "cases": cases,
    }


def smaller(shape: Shape) -> Shape:
    """A shape that is built and run in no time, for a first try."""
    return replace(
        shape,
        first_resting=shape.first_resting // _QUICK_DIVISOR,
        last_resting=shape.last_resting // _QUICK_DIVISOR,
        mixing=shape.mixing // _QUICK_DIVISOR,
        measured=_QUICK_COMMANDS,
    )


def measure_shape(session: Session, stream: Stream, rounds: int) -> dict[str, Any]:
    """One stream: the fast engines on all of it, the slow ones beside the fastest on its start."""
    session.step(f"{stream.name}: verifying")
    reference = find_reference(session.reference_engine(), stream)
    slow, fast = list(session.slow()), session.fast()
    on_start: dict[str, dict[str, Any]] = {}  # of all engines, on the start of the stream
    if slow and not stream.name.endswith(ARBITRARY):
        samples = _measure_slow(session, stream, [*slow, *fast])
        on_start = {
            name: contestant_facts(samples, name, baseline=BASELINE) for name in samples.times
        }
    samples = measure(
        [FloorTrial(stream.measured, reference.room), *fast_trials(session, stream, reference)],
        rounds,
        step=session.stepper(f"{stream.name}: "),
    )
    engines = {name: on_start[name] for name in slow if name in on_start}
    for name in fast:
        compared = on_start.get(name, {}).items()
        speedups = {key: value for key, value in compared if key.startswith("speedup")}
        engines[name] = contestant_facts(samples, name) | speedups
    return {
        "commands": len(stream.measured),
        "warmup": len(stream.warmup),
        **reference.facts(),
        "resting": reference.resting,
        "levels": reference.levels,
        "resting_after": reference.resting_after,
        "baseline": BASELINE,
        "floor_ns": samples.median(FLOOR) * 1e9,
        "noise_floor": twin_noise_floor(samples),
        "engines": {name: engines[name] for name in session.engines if name in engines},
    }


def _measure_slow(session: Session, stream: Stream, names: list[str]) -> Samples:
    """Slow and fast engines interleaved on the stream's first commands."""
    part = prefix(stream, _SLOW_COMMANDS)
    reference = find_reference(session.reference_engine(), part)
    return measure(
        [
            FloorTrial(part.measured, reference.room),
            *(EngineTrial(name, session.engines[name], part, reference) for name in names),
        ],
        1 if session.quick else _SLOW_ROUNDS,
        step=session.stepper(f"{part.name}, first {len(part.measured):,}: "),
    )
