"""Suite ``wal``: replay and recovery, and how long the books stand still for a snapshot."""

from __future__ import annotations

import gc
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.native import NativeEngine
from contract.records import RecordArray, empty_events
from contract.streams import Stream
from matchbook.bench.curve_book import SizedBook
from matchbook.bench.interleave import Contestant, Outcome, WrongAnswerError, measure
from matchbook.bench.rings_effects import samples_facts
from matchbook.bench.scenarios import scenario_stream
from matchbook.bench.trial import TWIN, Session, find_reference, twin_noise_floor
from matchbook.bench.wal_engine import SCENARIO, apply_all, engine_maker
from phase6_wal.engine import DurableEngine
from phase6_wal.names import SEGMENT_SUFFIX, sequence_of
from phase6_wal.native import HEADER_BYTES, SLOT_BYTES, LogOptions, PosixStorage
from phase6_wal.native_book import DrivenBooks
from phase6_wal.native_scan import SegmentScan
from phase6_wal.native_snapshot import SnapshotBook, Snapshotter, TakenSnapshot
from phase6_wal.replay import replay

OURS: Final = "replay"
#: Commands in the logs that are recovered: those that have snapshots end half-way to the next.
LENGTHS: Final = (10_000, 50_000, 150_000, 350_000, 950_000, 1_950_000)
SNAPSHOT_EVERY: Final = 100_000
#: Of these logs, of some 100,000 commands.
SEGMENT_BYTES: Final = 8 << 20
_QUICK_LENGTHS: Final = (150, 450)
_QUICK_EVERY: Final = 100
_QUICK_SEGMENT: Final = 64 << 10
#: Live orders of the books that a snapshot is taken of.
ORDERS: Final = (1_000, 10_000, 100_000, 1_000_000)
_QUICK_ORDERS: Final = (100, 1_000)
PAUSES: Final = ("fork", "copy")
_RUNS: Final = 5
_QUICK_RUNS: Final = 2
_PER_MINUTE: Final = 60
#: Read at once: whole slots, about a megabyte.
_PIECE_BYTES: Final = 13_000 * SLOT_BYTES


def write_log(
    folder: Path,
    engine_class: type[NativeEngine],
    stream: Stream,
    commands: RecordArray,
    snapshot_every: int = 0,
    segment_bytes: int = LogOptions.segment_bytes,
) -> str:
    """Leave a log of the commands, a mark at its end, in a directory; the state hash there.

    With ``snapshot_every``, what is before the newest snapshots is let go of.
    """
    every = snapshot_every or len(commands)
    room = empty_events(3 * every + 1024)
    with (
        engine_class(**stream.limits()) as book,
        DurableEngine.create(
            folder, [book], trim=True, reserve=False, segment_bytes=segment_bytes
        ) as engine,
    ):
        for at in range(0, len(commands), every):
            part = commands[at : at + every]
            apply_all(engine, part, room, len(part))
            if snapshot_every and len(part) == every:
                engine.flush()  # a snapshot has no name before the log is there
                engine.take_snapshot()
        engine.mark()
        return engine.state_hash()


@dataclass
class AppliedTrial:
    """The engine alone on the same commands, in one call: what a replay cannot go below."""

    name: str
    engine_class: type[NativeEngine]
    stream: Stream
    room: RecordArray

    def run(self) -> Outcome:
        """Apply all; the state hash is the answer."""
        with self.engine_class(**self.stream.limits()) as engine:
            gc.collect()
            started = time.perf_counter()
            consumed, _ = engine.apply_batch(self.stream.measured, self.room)
            return Outcome(time.perf_counter() - started, consumed, engine.state_hash())


@dataclass
class ReplayTrial:
    """``replay`` from the first command: every record checked, every mark compared."""

    name: str
    engine_class: type[NativeEngine]
    folder: Path

    def run(self) -> Outcome:
        """Replay all; the state hash is the answer.

        Raises:
            WrongAnswerError: there was no mark to compare with.
        """
        gc.collect()
        with PosixStorage(self.folder) as storage:
            started = time.perf_counter()
            done = replay(storage, self.engine_class, genesis=True)
            seconds = time.perf_counter() - started
        (engine,) = done.engines
        with engine:
            if not done.marks_checked:
                raise WrongAnswerError(f"{self.name}: no mark in {done.commands:,} commands")
            return Outcome(seconds, done.commands, engine.state_hash())


@dataclass
class InCTrial:
    """The same by two loops in C, over the bytes of each segment, without looking at marks."""

    name: str
    engine_class: type[NativeEngine]
    folder: Path
    stream: Stream

    def run(self) -> Outcome:
        """Read, check, apply; the state hash is the answer."""
        gc.collect()
        with (
            PosixStorage(self.folder) as storage,
            self.engine_class(**self.stream.limits()) as engine,
        ):
            books = DrivenBooks([engine])
            started = time.perf_counter()
            for name in storage.list():
                if sequence_of(name, SEGMENT_SUFFIX) is not None:
                    replay_segment(books, storage, name)
            seconds = time.perf_counter() - started
            count = books.sequence
            books.close()
            return Outcome(seconds, count, engine.state_hash())


def replay_segment(books: DrivenBooks, storage: PosixStorage, name: str) -> None:
    """Read a segment piece by piece, check its records, and apply those that are valid."""
    with storage.opened(name) as (file, size):
        scan = SegmentScan(storage.read(file, 0, HEADER_BYTES), size)
        at = HEADER_BYTES
        while at < size and scan.fault is None:
            before = scan.records
            piece = memoryview(storage.read(file, at, min(_PIECE_BYTES, size - at)))
            scan.feed(piece)
            valid = piece[: (scan.records - before) * SLOT_BYTES]
            done = 0
            while done < len(valid):
                done += books.replay_slots(valid[done:]) * SLOT_BYTES
                done += SLOT_BYTES  # a mark, or the end
            at += len(piece)


def measure_replay(session: Session, folder: Path, rounds: int) -> dict[str, Any]:
    """From the log to the engine again: a case of ``wal.json``."""
    engine_class = engine_maker(session)
    stream, _ = scenario_stream(session, SCENARIO)
    reference = find_reference(engine_class, stream)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        session.step("replay: writing the log")
        write_log(place, engine_class, stream, stream.measured)
        mine = ReplayTrial(OURS, engine_class, place)
        trials: list[Contestant] = [
            AppliedTrial("applied", engine_class, stream, reference.room),
            InCTrial("in_c", engine_class, place, stream),
            mine,
        ]
        twin = replace(mine, name=OURS + TWIN)
        samples = measure([*trials, twin], rounds, step=session.stepper("replay: "))
    contestants = samples_facts(samples, OURS, OURS)
    for facts in contestants.values():
        facts["per_minute"] = facts["per_second"] * _PER_MINUTE
    return {
        "replay": {
            "ours": OURS,
            "baseline": OURS,
            "commands": len(stream.measured),
            "noise_floor": twin_noise_floor(samples),
            "contestants": contestants,
        }
    }


def measure_recovery(session: Session, folder: Path) -> dict[str, Any]:
    """Seconds until an engine is there again, by the length of its log; ``recovery``.

    Raises:
        WrongAnswerError: it is another engine than before.
    """
    stream, _ = scenario_stream(session, SCENARIO)
    every = _QUICK_EVERY if session.quick else SNAPSHOT_EVERY
    lengths = _QUICK_LENGTHS if session.quick else LENGTHS
    segment = _QUICK_SEGMENT if session.quick else SEGMENT_BYTES
    seconds: dict[str, list[float]] = {"log": [], "snapshots": []}
    replayed: dict[str, list[int]] = {"log": [], "snapshots": []}
    for length in lengths:
        for kind, snapshot_every in (("log", 0), ("snapshots", every)):
            session.step(f"recovery: {length:,} commands, {kind}")
            with tempfile.TemporaryDirectory(dir=folder) as name:
                part = stream.measured[:length]
                engine_class = engine_maker(session)
                place = Path(name)
                state = write_log(place, engine_class, stream, part, snapshot_every, segment)
                runs = [recover(session, place, state, segment) for _ in range(_runs(session))]
            seconds[kind].append(float(np.median([run[0] for run in runs])))
            replayed[kind].append(runs[0][1])
    return {
        "lengths": list(lengths),
        "snapshot_every": every,
        "segment_bytes": segment,
        "seconds": seconds,
        "replayed": replayed,
    }


def recover(
    session: Session, folder: Path, state: str, segment_bytes: int = LogOptions.segment_bytes
) -> tuple[float, int]:
    """Open a log as after a crash: the seconds, and how many commands were replayed.

    Raises:
        WrongAnswerError: the engine is not as it was.
    """
    gc.collect()
    started = time.perf_counter()
    with DurableEngine.open(
        folder, engine_maker(session), reserve=False, segment_bytes=segment_bytes
    ) as engine:
        seconds = time.perf_counter() - started
        if engine.state_hash() != state:
            raise WrongAnswerError("an engine was recovered that is not as it was")
        assert engine.recovery is not None
        return seconds, engine.recovery.commands


def measure_pauses(session: Session, folder: Path) -> dict[str, Any]:
    """How long a snapshot keeps the books from their next command: ``snapshots`` of ``wal.json``.

    By a fork, whose child has the books as they were, and by a copy, which a thread writes.

    Raises:
        WrongAnswerError: a snapshot did not succeed.
    """
    sizes = _QUICK_ORDERS if session.quick else ORDERS
    medians: dict[str, list[int]] = {how: [] for how in PAUSES}
    longest: dict[str, list[int]] = {how: [] for how in PAUSES}
    whole: dict[str, list[int]] = {how: [] for how in PAUSES}
    for size in sizes:
        session.step(f"snapshots: {size:,} orders")
        with SizedBook(size).build(engine_maker(session)) as book:
            assert isinstance(book, NativeEngine)
            taken = {how: take_snapshots(folder, book, how, _runs(session)) for how in PAUSES}
        for how, found in taken.items():
            medians[how].append(int(np.median([each.pause_ns for each in found])))
            longest[how].append(max(each.pause_ns for each in found))
            whole[how].append(int(np.median([each.whole_ns for each in found])))
    return {"orders": list(sizes), "pause_ns": medians, "longest_ns": longest, "whole_ns": whole}


def take_snapshots(folder: Path, book: NativeEngine, how: str, count: int) -> list[TakenSnapshot]:
    """Take so many, each when the one before is on the disk.

    Raises:
        WrongAnswerError: one is not.
    """
    found = []
    with tempfile.TemporaryDirectory(dir=folder) as name, PosixStorage(name) as storage:
        books = [SnapshotBook.of(book, book.lend(lambda: None))]
        try:
            with Snapshotter(storage, books, log_id=1, keep=1, how=how) as snapshotter:
                for sequence in range(1, count + 1):
                    snapshotter.take(sequence, 1, 1)
                    taken = snapshotter.wait()
                    if taken is None or not taken.done or taken.failure is not None:
                        raise WrongAnswerError(f"no snapshot by {how}: {taken}")
                    found.append(taken)
        finally:
            book.take_back()
    return found


def _runs(session: Session) -> int:
    return _QUICK_RUNS if session.quick else _RUNS
