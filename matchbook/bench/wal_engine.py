"""Suite ``wal``: the engine behind a log, with each durability, and the engine alone."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from contract.engine import Engine
from contract.native import NativeEngine
from contract.records import RecordArray
from contract.reports import report_digest
from contract.streams import Stream
from matchbook.bench.interleave import Outcome, WrongAnswerError, measure
from matchbook.bench.pipeline import pinned_to, usable_cores, verify
from matchbook.bench.rings_effects import samples_facts
from matchbook.bench.scenarios import scenario_stream
from matchbook.bench.trial import (
    TWIN,
    Reference,
    Session,
    find_reference,
    prefix,
    twin_noise_floor,
)
from matchbook.bench.wal_journals import segment_for
from phase6_wal.engine import DurableEngine

ENGINE: Final = "phase3"
SCENARIO: Final = "normal"
ALONE: Final = "alone"
OURS: Final = "page_cache"
#: Commands of a call, and 0 for all in one.
BATCHES: Final = (0, 1024, 64)
#: Segments of the contestant that makes its next one while it runs.
_SMALL_SEGMENT: Final = 16 << 20
_QUICK_SEGMENT: Final = 64 << 10
#: Commands of the cases whose calls are smaller.
_PART: Final = 500_000
#: Which part of the commands a mode gets that waits for the disk with each call.
_SYNCED_CALLS: Final = 500


class Mode(NamedTuple):
    """How a contestant keeps its log.

    Attributes:
        small: in segments that hold a part of the commands each; else in one that holds them all.
    """

    durability: str
    small: bool = False

    def options(self, commands: int, *, quick: bool) -> dict[str, Any]:
        """Keywords of ``DurableEngine.create``."""
        segment = segment_for(commands)
        if self.small:
            segment = _QUICK_SEGMENT if quick else _SMALL_SEGMENT
        return {"durability": self.durability, "segment_bytes": segment, "reserve": False}


#: ``segments``: as ``page_cache``, but the next segment is made while the engine runs: zeros
#: written and synced, pages touched.
MODES: Final[Mapping[str, Mode]] = {
    "none": Mode("none"),
    "page_cache": Mode("page-cache"),
    "segments": Mode("page-cache", small=True),
    "group": Mode("group"),
    "sync": Mode("sync"),
}


@dataclass
class LoggedTrial:
    """An engine from its first command to the last, behind a log or alone.

    Attributes:
        batch: commands of a call; 0: all.
        options: keywords of ``DurableEngine.create``; None: no log.
        waits: of each run, segments that the log had to wait for.
    """

    name: str
    engine_class: type[NativeEngine]
    stream: Stream
    reference: Reference
    batch: int
    options: dict[str, Any] | None
    folder: Path
    core: int
    waits: list[int] = field(default_factory=list)

    def run(self) -> Outcome:
        """Make book and log, time all commands until they are acknowledged, verify the events.

        Raises:
            WrongAnswerError: the events are not the reference's, or a command is not acknowledged.
        """
        commands, room = self.stream.measured, self.reference.room
        with ExitStack() as house:
            place = house.enter_context(tempfile.TemporaryDirectory(dir=self.folder))
            book = self.engine_class(**self.stream.limits())
            house.callback(book.close)
            engine: Engine = book
            if self.options is not None:
                engine = DurableEngine.create(place, [book], mark_every=0, **self.options)
                house.callback(engine.close)
                engine.flush()  # the thread has made the next segment ready
            gc.collect()
            with pinned_to(self.core):  # not the thread that makes segments: it is there by now
                started = time.perf_counter()
                written = apply_all(engine, commands, room, self.batch or len(commands))
                seconds = time.perf_counter() - started
            if isinstance(engine, DurableEngine):
                self.waits.append(engine.log.counters.waits)
                if engine.acknowledged != len(commands):
                    raise WrongAnswerError(
                        f"{self.name}: {engine.acknowledged:,} of {len(commands):,} acknowledged"
                    )
        verify(self.name, self.reference, room[:written])
        return Outcome(seconds, len(commands), self.reference.answer)


def engine_maker(session: Session) -> type[NativeEngine]:
    """The engine that is logged: one in C, whose book can be lent."""
    found = session.engines[ENGINE]
    assert isinstance(found, type)
    assert issubclass(found, NativeEngine)
    return found


def apply_all(engine: Engine, commands: RecordArray, room: RecordArray, batch: int) -> int:
    """Apply all commands, so many to a call, until they are acknowledged; how many events."""
    done = written = 0
    while done < len(commands):
        consumed, wrote = engine.apply_batch(commands[done : done + batch], room[written:])
        if not consumed:
            raise WrongAnswerError(f"command {done + 1} was not taken")
        done += consumed
        written += wrote
    if isinstance(engine, DurableEngine) and engine.acknowledged != done:
        engine.flush()  # the last group is not full
    return written


def measure_engine(session: Session, folder: Path, rounds: int) -> dict[str, Any]:
    """The scenario with calls of each size: cases of ``wal.json``.

    Raises:
        WrongAnswerError: the digest of the reports is not the published one.
    """
    stream, digest = scenario_stream(session, SCENARIO)
    reference = find_reference(engine_maker(session), stream)
    found = report_digest(stream.measured, reference.events)
    if digest is not None and found != digest:
        raise WrongAnswerError(f"SHA-256 of the reports is {found}, published is {digest}")
    facts = {"digest": found, "digest_is_published": digest is not None, **reference.facts()}
    return {
        f"engine_{batch or 'whole'}": facts
        | measure_calls(session, folder, rounds, stream, reference, batch)
        for batch in BATCHES
    }


def measure_calls(
    session: Session, folder: Path, rounds: int, stream: Stream, reference: Reference, batch: int
) -> dict[str, Any]:
    """Every mode with calls of so many commands, interleaved.

    One call for everything asks the disk once, whatever the mode: ``group`` and ``sync`` are left
    to smaller calls, and ``sync`` to as many of them as it can do in a moment.
    """
    engine_class = engine_maker(session)
    if batch and not session.quick:
        stream = prefix(stream, _PART)
        reference = find_reference(engine_class, stream)
    core = usable_cores()[0]

    def make(name: str, part: Stream, answer: Reference, mode: Mode | None) -> LoggedTrial:
        count = len(part.measured)
        made = None if mode is None else mode.options(count, quick=session.quick)
        return LoggedTrial(name, engine_class, part, answer, batch, made, folder, core)

    trials = [make(ALONE, stream, reference, None)]
    for name, mode in MODES.items():
        if mode.durability == "sync" and batch:
            part = prefix(stream, batch * _SYNCED_CALLS)
            trials.append(make(name, part, find_reference(engine_class, part), mode))
        elif batch or mode.durability not in ("group", "sync"):
            trials.append(make(name, stream, reference, mode))
    (mine,) = (trial for trial in trials if trial.name == OURS)
    twin = replace(mine, name=OURS + TWIN, waits=[])
    step = session.stepper(f"engine, calls of {batch or 'all'}: ")
    samples = measure([*trials, twin], rounds, step=step)
    contestants = samples_facts(samples, OURS, ALONE)
    for trial in trials:
        share = samples.ratio(ALONE, trial.name)
        contestants[trial.name] |= {
            "share": share.median,
            "share_low": share.low,
            "share_high": share.high,
            "waits": max(trial.waits, default=0),
        }
    return {
        "scenario": SCENARIO,
        "batch": batch,
        "commands": len(stream.measured),
        "ours": OURS,
        "baseline": ALONE,
        "noise_floor": twin_noise_floor(samples),
        "contestants": contestants,
    }
