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
    TWIN,
    EngineTrial,
    FloorTrial,
    Session,
    contestant_facts,
    find_reference,
    prefix,
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
    engines: dict[str, Any] = {}
    if slow and not stream.name.endswith(ARBITRARY):
        samples = _measure_slow(session, stream, slow, fast)
        engines |= {name: contestant_facts(samples, name, baseline=BASELINE) for name in slow}
        speedups = {name: contestant_facts(samples, name, baseline=BASELINE) for name in fast}
    else:
        speedups = {}
    trials = [EngineTrial(name, session.engines[name], stream, reference) for name in fast]
    if trials:
        last = trials[-1]
        trials.append(EngineTrial(last.name + TWIN, last.engine_class, stream, reference))
    samples = measure(
        [FloorTrial(stream.measured, reference.room), *trials],
        rounds,
        step=lambda name: session.step(f"{stream.name}: {name}"),
    )
    for name in fast:
        engines[name] = contestant_facts(samples, name)
        # Over the slow baseline, on the commands that it can be asked for.
        engines[name] |= {
            key: value for key, value in speedups.get(name, {}).items() if "speedup" in key
        }
    twin = trials[-1].name if trials else FLOOR
    return {
        "commands": len(stream.measured),
        "warmup": len(stream.warmup),
        **reference.facts(),
        "resting": reference.resting,
        "levels": reference.levels,
        "resting_after": reference.resting_after,
        "baseline": BASELINE,
        "floor_ns": samples.median(FLOOR) * 1e9,
        "noise_floor": samples.noise_floor(twin.removesuffix(TWIN), twin),
        "engines": {name: engines[name] for name in session.engines if name in engines},
    }


def _measure_slow(session: Session, stream: Stream, slow: list[str], fast: list[str]) -> Samples:
    """Slow and fast engines interleaved on the stream's first commands."""
    part = prefix(stream, _SLOW_COMMANDS)
    reference = find_reference(session.reference_engine(), part)
    names = [*slow, *fast]
    return measure(
        [
            FloorTrial(part.measured, reference.room),
            *(EngineTrial(name, session.engines[name], part, reference) for name in names),
        ],
        1 if session.quick else _SLOW_ROUNDS,
        step=lambda name: session.step(f"{part.name}, first {len(part.measured):,}: {name}"),
    )
