"""Suite ``batching``: the same C book, the same commands, handed over in larger and larger pieces.

- ``per_node``: Python decides and asks C for every node (phase 2's ``NodeEngine``)
- ``apply``: a Command object in, a list of Event objects out
- ``batch_1``: ``apply_batch`` of one record
- ``bare_call``: one call into C per record, nothing converted (``apply_each``, where there is one)
- ``batch_64``, ``batch_1024``: ``apply_batch`` of so many
- ``whole``: ``apply_batch`` of all of them
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from contract.messages import EventKind
from contract.records import RecordArray, empty_events, to_commands
from contract.streams import SHAPES, Stream, shape_stream
from matchbook.bench.interleave import Outcome, Samples, measure
from matchbook.bench.shapes import smaller
from matchbook.bench.trial import (
    TWIN,
    Session,
    SkippedError,
    clock,
    contestant_facts,
    twin_noise_floor,
    warmed,
)
from matchbook.engines import EngineClass
from phase2_arena.pernode import NodeEngine

NAME: Final = "batching"
BASELINE: Final = "apply"
WHOLE: Final = "whole"
PER_NODE: Final = "per_node"
ROUNDS: Final = 9
_COMMANDS: Final = 50_000
_SEED: Final = 1

#: Gives an engine all commands; what is returned is timed.
Way = Callable[[], None]
#: Prepares, not timed, what gives an engine all commands.
Preparation = Callable[[Any, RecordArray, RecordArray], Way]


def by_command(engine: Any, commands: RecordArray, _: RecordArray) -> Way:
    """One Command object at a time."""
    readable = to_commands(commands)

    def drive() -> None:
        apply = engine.apply
        for command in readable:
            apply(command)

    return drive


def by_bare_call(engine: Any, commands: RecordArray, events: RecordArray) -> Way:
    """One call into C for each record, from a loop that converts nothing."""
    return lambda: engine.apply_each(commands, events)


def in_batches(size: int) -> Preparation:
    """``size`` records a call; the slices are made beforehand."""

    def prepare(engine: Any, commands: RecordArray, events: RecordArray) -> Way:
        batches = [commands[at : at + size] for at in range(0, len(commands), size)]

        def drive() -> None:
            apply_batch = engine.apply_batch
            for batch in batches:
                apply_batch(batch, events)

        return drive

    return prepare


def whole(engine: Any, commands: RecordArray, events: RecordArray) -> Way:
    """All records in one call."""
    return lambda: engine.apply_batch(commands, events)


WAYS: Final[dict[str, Preparation]] = {
    "apply": by_command,
    "batch_1": in_batches(1),
    "bare_call": by_bare_call,
    "batch_64": in_batches(64),
    "batch_1024": in_batches(1024),
    WHOLE: whole,
}


@dataclass
class WayTrial:
    """One way of handing over all commands; the answer is the book that is left."""

    name: str
    engine_class: EngineClass
    prepare: Preparation
    stream: Stream
    events: RecordArray

    def run(self) -> Outcome:
        """Warm the book up, then time the way."""
        with warmed(self.engine_class, self.stream, self.events) as engine:
            drive = self.prepare(engine, self.stream.measured, self.events)
            gc.collect()
            started = clock()
            drive()
            seconds = clock() - started
            answer = f"{engine.event_sequence} events and state {engine.state_hash()}"
        return Outcome(seconds, len(self.stream.measured), answer)


def run(session: Session) -> dict[str, Any]:
    """Measure every way for every engine in C; the content of ``batching.json``."""
    rounds = session.rounds_of(ROUNDS)
    shape = smaller(SHAPES["A"]) if session.quick else replace(SHAPES["A"], measured=_COMMANDS)
    stream = shape_stream(shape, None, _SEED)
    cases = {name: measure_ways(session, name, stream, rounds) for name in session.fast()}
    if not cases:
        raise SkippedError(f"batching drives engines in C, not {', '.join(session.engines)}")
    return {
        "seed": _SEED,
        "rounds": rounds,
        "noise_floor": max(case["noise_floor"] for case in cases.values()),
        "cases": cases,
    }


def measure_ways(session: Session, name: str, stream: Stream, rounds: int) -> dict[str, Any]:
    """All ways for one engine, interleaved; the whole array twice, for the noise floor."""
    engine_class = session.engines[name]
    events = empty_events(4 * len(stream.measured) + 1024)
    events["kind"] = EventKind.ACCEPTED  # touched once, so that no way pays for the pages

    def trial(way: str, make: EngineClass, prepare: Preparation) -> WayTrial:
        return WayTrial(way, make, prepare, stream, events)

    trials = [trial(PER_NODE, NodeEngine, whole)] if name == "phase2" else []
    for way, prepare in WAYS.items():
        if prepare is not by_bare_call or hasattr(engine_class, "apply_each"):
            trials.append(trial(way, engine_class, prepare))
    trials.append(trial(WHOLE + TWIN, engine_class, whole))
    samples = measure(trials, rounds, step=session.stepper(f"{name}: "))
    return {
        "commands": len(stream.measured),
        "baseline": BASELINE,
        "noise_floor": twin_noise_floor(samples),
        "ways": {
            trial.name: _way_facts(samples, trial.name)
            for trial in trials
            if not trial.name.endswith(TWIN)
        },
    }


def _way_facts(samples: Samples, way: str) -> dict[str, Any]:
    return {
        **contestant_facts(samples, way, baseline=BASELINE),
        "times_whole": samples.ratio(way, WHOLE).median,
    }
