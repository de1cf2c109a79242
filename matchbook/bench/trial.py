"""What a suite measures: an engine on a stream, arrays in and event records out, and the floor."""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from contract.engine import Engine, record_view
from contract.errors import ConfigurationError, MatchbookError
from contract.floor import run_floor
from contract.messages import EventKind
from contract.records import RecordArray, empty_events
from contract.streams import Stream, shape_stream
from matchbook.bench.interleave import Outcome, Samples, WrongAnswerError
from matchbook.engines import EngineClass

FLOOR: Final = "floor"
TWIN: Final = " again"
_NS: Final = 1e9
#: An engine that needs longer for a command is slow, and is measured less often. Everything in C
#: is far below it, everything in Python far above.
_SLOW_SECONDS: Final = 2e-6
_CALIBRATION: Final = 2_000


def clock() -> float:
    """Seconds that this thread has had a core to itself.

    Nothing that is measured here sleeps or waits, so on an idle machine it runs like any other
    clock. On a busy one it stands still while somebody else has the core.
    """
    return time.thread_time()


class SkippedError(MatchbookError):
    """A suite that cannot be run here, and why; the others can."""


@dataclass
class Session:
    """What all suites of one ``matchbook bench`` have in common.

    Attributes:
        engines: name and class of each engine to measure, slowest first.
        rounds: rounds asked for; None leaves them to the suite.
        quick: small streams and few rounds: whether it works, not how fast it is.
        step: called with what is being done, for the progress line.
        directory: where suites that measure a disk put their files; None leaves it to them.
    """

    engines: dict[str, EngineClass]
    rounds: int | None = None
    quick: bool = False
    step: Callable[[str], None] = lambda _: None
    directory: Path | None = None
    _seconds: dict[str, float] | None = None

    def rounds_of(self, usual: int) -> int:
        """How many rounds to run where ``usual`` is what a careful measurement takes."""
        if self.rounds is not None:
            return self.rounds
        return 2 if self.quick else usual

    def stepper(self, prefix: str) -> Callable[[str], None]:
        """What to call with a contestant's name; the prefix says what it is running."""
        return lambda name: self.step(prefix + name)

    def slow(self) -> dict[str, float]:
        """Slow engines with their seconds per command, roughly."""
        return {name: s for name, s in self._guesses().items() if s > _SLOW_SECONDS}

    def fast(self) -> list[str]:
        """The names of the others, slowest first."""
        return [name for name, s in self._guesses().items() if s <= _SLOW_SECONDS]

    def _guesses(self) -> dict[str, float]:
        if self._seconds is None:
            stream = shape_stream("A", _CALIBRATION)
            self._seconds = {
                name: _seconds_per_command(engine_class, stream)
                for name, engine_class in self.engines.items()
            }
        return self._seconds

    def reference_engine(self) -> EngineClass:
        """The engine that says what the answer should be; the last, and so the fastest."""
        return list(self.engines.values())[-1]


class Reference(NamedTuple):
    """The answer to a stream, which every contestant has to give.

    Attributes:
        answer: SHA-256 of all event records of the measured part.
        events: those records, in the room that all contestants write to.
        resting, levels: of the book after the warm-up, before the first measured command.
        resting_after, levels_after: of the book after the last.
    """

    answer: str
    room: RecordArray
    event_count: int
    trades: int
    resting: int
    levels: int
    resting_after: int
    levels_after: int

    @property
    def events(self) -> RecordArray:
        """All event records of the measured part; gone when the next contestant has run."""
        return self.room[: self.event_count]

    def facts(self) -> dict[str, int]:
        """What a results file says of the stream."""
        return {"events": self.event_count, "trades": self.trades}


@dataclass
class EngineTrial:
    """An engine that takes a stream in one call, after the warm-up and from a new book.

    Raises from ``run``:
        WrongAnswerError: the events are not the reference's.
    """

    name: str
    engine_class: EngineClass
    stream: Stream
    reference: Reference

    def run(self) -> Outcome:
        """Build the book, warm it up; then time the measured part and verify its events."""
        room = self.reference.room
        with warmed(self.engine_class, self.stream, room) as engine:
            gc.collect()
            started = clock()
            consumed, written = engine.apply_batch(self.stream.measured, room)
            seconds = clock() - started
        if consumed != len(self.stream.measured) or written != self.reference.event_count:
            raise WrongAnswerError(
                f"{self.name}: {written:,} events of {consumed:,} commands, not "
                f"{self.reference.event_count:,} of {len(self.stream.measured):,}"
            )
        answer = digest_of(room[:written])
        if answer != self.reference.answer:
            raise WrongAnswerError(
                f"{self.name}: events with SHA-256 {answer}, not {self.reference.answer}"
            )
        return Outcome(seconds, consumed, answer)


@dataclass
class FloorTrial:
    """The loop that reads every command and writes one event for each."""

    commands: RecordArray
    room: RecordArray
    name: str = FLOOR

    def run(self) -> Outcome:
        """Time one pass over all commands and verify that it copied every id."""
        started = clock()
        run_floor(self.commands, self.room)
        seconds = clock() - started
        count = len(self.commands)
        if not np.array_equal(self.room["order_id"][:count], self.commands["order_id"]):
            raise WrongAnswerError("the floor did not copy every command")
        return Outcome(seconds, count, "")


def fast_trials(session: Session, stream: Stream, reference: Reference) -> list[EngineTrial]:
    """The fast engines on a stream, and the last of them a second time, as its own twin."""
    trials = [
        EngineTrial(name, session.engines[name], stream, reference) for name in session.fast()
    ]
    if trials:
        last = trials[-1]
        trials.append(EngineTrial(last.name + TWIN, last.engine_class, stream, reference))
    return trials


def twin_noise_floor(samples: Samples) -> float:
    """The noise floor that the twins among the contestants show; 1 where there is none."""
    twins = [name for name in samples.times if name.endswith(TWIN)]
    floors = [samples.noise_floor(name.removesuffix(TWIN), name) for name in twins]
    return max(floors, default=1.0)


@contextmanager
def warmed(engine_class: EngineClass, stream: Stream, room: RecordArray) -> Iterator[Engine]:
    """An engine with the stream's limits whose book the warm-up has built."""
    with engine_class(**stream.limits()) as engine:
        rest = stream.warmup
        while len(rest):
            consumed, _ = engine.apply_batch(rest, room)
            if not consumed:
                raise ConfigurationError(f"{stream.name}: no room for the events of one command")
            rest = rest[consumed:]
        yield engine


def find_reference(engine_class: EngineClass, stream: Stream) -> Reference:
    """Run a stream once, not timed, to learn its answer and how much room its events need."""
    room = empty_events(2 * len(stream.measured) + 1024)
    room["kind"] = EventKind.ACCEPTED  # touched once, so that no contestant pays for the pages
    while True:
        with warmed(engine_class, stream, room) as engine:
            resting, levels = len(engine), count_levels(engine)
            consumed, written = engine.apply_batch(stream.measured, room)
            if consumed == len(stream.measured):
                events = room[:written]
                return Reference(
                    answer=digest_of(events),
                    room=room,
                    event_count=written,
                    trades=int(np.count_nonzero(events["kind"] == EventKind.TRADE)),
                    resting=resting,
                    levels=levels,
                    resting_after=len(engine),
                    levels_after=count_levels(engine),
                )
        room = empty_events(2 * len(room))


def count_levels(engine: Engine) -> int:
    """Levels of both sides. O(levels)."""
    return sum(map(len, engine.depth(max(1, len(engine)))))


def digest_of(events: RecordArray) -> str:
    """SHA-256 of the records as they lie in memory, as hex."""
    return hashlib.sha256(record_view(events)).hexdigest()


def prefix(stream: Stream, count: int) -> Stream:
    """The stream with no more than the first ``count`` of its measured commands."""
    return stream._replace(measured=stream.measured[:count])


def contestant_facts(samples: Samples, name: str, *, baseline: str | None = None) -> dict[str, Any]:
    """What a results file says of a contestant; see ``matchbook.bench``.

    Args:
        samples: of the comparison.
        name: which contestant.
        baseline: the contestant it is compared with, where that ran.
    """
    median = samples.median(name)
    facts: dict[str, Any] = {
        "ns": median * _NS,
        "ns_fastest": samples.fastest(name) * _NS,
        "per_second": round(1 / median),
        "commands": samples.commands[name],
        "rounds": samples.rounds(name),
    }
    if FLOOR in samples.times:
        facts["times_floor"] = samples.ratio(name, FLOOR).median
    if baseline in samples.times:
        ratio = samples.ratio(baseline, name)
        facts["speedup"] = ratio.median
        facts["speedup_low"] = ratio.low
        facts["speedup_high"] = ratio.high
    return facts


def _seconds_per_command(engine_class: EngineClass, stream: Stream) -> float:
    """A first guess at an engine's speed, from the first orders of a stream."""
    events = empty_events(_CALIBRATION)
    events["kind"] = EventKind.ACCEPTED
    with engine_class(**stream.limits()) as engine:
        started = clock()
        consumed, _ = engine.apply_batch(stream.warmup[:_CALIBRATION], events)
        return (clock() - started) / max(consumed, 1)
