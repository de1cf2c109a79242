"""Suite ``wal``: an append taken apart: framing, checksum, pages, disk; and in instructions."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.records import RecordArray
from matchbook.bench import instructions
from matchbook.bench.interleave import Contestant, Outcome, WrongAnswerError, measure
from matchbook.bench.latency import percentiles
from matchbook.bench.rings_effects import samples_facts
from matchbook.bench.trial import TWIN, Session, twin_noise_floor
from matchbook.bench.wal_journals import segment_for
from phase6_wal import bench
from phase6_wal.contenders import read_log
from phase6_wal.native import SLOT_BYTES, LogOptions, LogWriter, PosixStorage

#: Ways to append that wait for no disk: what of ``LogOptions``, and commands of a batch.
WAYS: Final[Mapping[str, tuple[dict[str, Any], int]]] = {
    "mapped": ({"durability": "page-cache"}, 64),
    "mapped_1": ({"durability": "page-cache"}, 1),
    "written": ({"durability": "none"}, 64),
    "written_through": ({"durability": "page-cache", "method": "written"}, 64),
    "written_through_1": ({"durability": "page-cache", "method": "written"}, 1),
}
OURS: Final = "mapped"
#: Records of a sync.
SYNCED: Final = (1, 64, 1024)
#: Of a batch in memory, where records stay in the cache.
FRAMED: Final = 64
_APPENDED: Final = 200_000
_QUICK_APPENDED: Final = 500
_PAGES_BYTES: Final = 16 << 20
_QUICK_PAGES_BYTES: Final = 64 << 10
_SYNCS: Final = 50
_QUICK_SYNCS: Final = 3
#: Commands of the short and of the long run under valgrind.
COUNTED: Final = (1_000, 41_000)
_CHILD: Final = "matchbook.bench.wal_child"


def options(way: str, records: int) -> LogOptions:
    """How a way of ``WAYS`` writes its log: all in one segment, which is there beforehand."""
    segment = segment_for(records)
    return LogOptions(segment_bytes=segment, reserve=False, seed=1, **WAYS[way][0])


@dataclass
class FrameTrial:
    """Records made in memory."""

    name: str
    commands: RecordArray

    def run(self) -> Outcome:
        """Make all of them.

        Raises:
            WrongAnswerError: no checksum was made, or one that nobody asked for.
        """
        started = time.perf_counter()
        found = bench.frame(self.commands, self.name, FRAMED)
        seconds = time.perf_counter() - started
        if (found == 0) != (self.name == "copied"):
            raise WrongAnswerError(f"{self.name}: the checksums come to {found}")
        return Outcome(seconds, len(self.commands), "")


@dataclass
class AppendTrial:
    """A loop in C over all commands, into a new log."""

    name: str
    options: LogOptions
    batch: int
    commands: RecordArray
    folder: Path

    def run(self) -> Outcome:
        """Append all of them, read the log, and compare.

        Raises:
            WrongAnswerError: it holds something else.
        """
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            with PosixStorage(name) as storage, LogWriter(storage, self.options) as writer:
                writer.flush()  # the thread has made the next segment ready
                taken = bench.appends(writer, self.commands, self.batch)
            if read_log(Path(name)) != self.commands.tobytes():
                raise WrongAnswerError(f"{self.name}: holds other commands than it was given")
        return Outcome(taken / 1e9, len(self.commands), "")


@dataclass
class PagesTrial:
    """Stores over a mapped file; c/bench.c reads them again."""

    name: str
    folder: Path
    size: int

    def run(self) -> Outcome:
        """Store to all of it."""
        taken = bench.pages(self.folder, self.name.removesuffix(TWIN), self.size)
        return Outcome((taken or 0) / 1e9, self.size // bench.STORE_BYTES, "")


@dataclass
class SyncTrial:
    """Appends that are on the disk one by one.

    Attributes:
        times: nanoseconds of each, of all runs.
    """

    name: str
    folder: Path
    records: int
    count: int
    times: list[bench.Nanoseconds] = field(default_factory=list)

    def run(self) -> Outcome:
        """Append and sync, so often."""
        way = self.name.removesuffix(TWIN)
        times = bench.syncs(self.folder, way, self.records * SLOT_BYTES, self.count)
        assert times is not None  # who has no such way is not asked: see there_are
        self.times.append(times)
        return Outcome(float(times.sum(dtype=np.float64)) / 1e9, self.count * self.records, "")


def measure_appends(
    session: Session, folder: Path, commands: RecordArray, rounds: int
) -> dict[str, Any]:
    """Framing and appending, pages, syncs: cases of ``wal.json``."""
    part = commands[: _QUICK_APPENDED if session.quick else _APPENDED]
    return {
        "append": measure_ways(session, folder, part, rounds),
        "pages": measure_pages(session, folder, rounds),
        **{f"sync_{n}": measure_syncs(session, folder, n, rounds) for n in SYNCED},
    }


def measure_ways(
    session: Session, folder: Path, commands: RecordArray, rounds: int
) -> dict[str, Any]:
    """What a record costs in memory, and through each way of the log."""
    frames = [FrameTrial(name, commands) for name in bench.FRAMES]
    ways = [
        AppendTrial(name, options(name, len(commands)), batch, commands, folder)
        for name, (_, batch) in WAYS.items()
    ]
    (mine,) = (way for way in ways if way.name == OURS)
    return compare(session, "append", [*frames, *ways], replace(mine, name=OURS + TWIN), rounds)


def measure_pages(session: Session, folder: Path, rounds: int) -> dict[str, Any]:
    """What a store costs by what its page has been through."""
    size = _QUICK_PAGES_BYTES if session.quick else _PAGES_BYTES
    trials = [
        PagesTrial(way, folder, size)
        for way in there_are(
            bench.PAGE_WAYS, lambda way: bench.pages(folder, way, bench.PAGE_BYTES)
        )
    ]
    twin = replace(trials[-1], name=trials[-1].name + TWIN)
    case = compare(session, "pages", trials, twin, rounds)
    stores = bench.PAGE_BYTES // bench.STORE_BYTES
    for facts in case["contestants"].values():
        facts["page_ns"] = stores * facts["ns"]
    return case


def measure_syncs(session: Session, folder: Path, records: int, rounds: int) -> dict[str, Any]:
    """What it costs to have so many records on the disk, by how the file gets longer."""
    count = _QUICK_SYNCS if session.quick else _SYNCS
    trials = [
        SyncTrial(way, folder, records, count)
        for way in there_are(bench.SYNC_WAYS, lambda way: bench.syncs(folder, way, SLOT_BYTES, 1))
    ]
    (mine,) = (trial for trial in trials if trial.name == "zeroed")
    twin = replace(mine, name=mine.name + TWIN, times=[])
    case = compare(session, f"{records} a sync", trials, twin, rounds)
    for trial in trials:
        case["contestants"][trial.name] |= percentiles(np.concatenate(trial.times))
    return {"records": records, **case}


def there_are(ways: Mapping[str, int], attempt: Callable[[str], object]) -> list[str]:
    """Those of the ways that this platform has."""
    return [way for way in ways if attempt(way) is not None]


def compare(
    session: Session,
    what: str,
    trials: list[Any],
    twin: Contestant,
    rounds: int,
) -> dict[str, Any]:
    """Contestants interleaved, and ours (the twin's) a second time: a case of ``wal.json``."""
    ours = twin.name.removesuffix(TWIN)
    samples = measure([*trials, twin], rounds, step=session.stepper(f"{what}: "))
    return {
        "ours": ours,
        "baseline": ours,
        "noise_floor": twin_noise_floor(samples),
        "contestants": samples_facts(samples, ours, ours),
    }


# --- instructions ---------------------------------------------------------------------------------


def count_instructions(session: Session, folder: Path) -> dict[str, Any]:
    """Instructions of a record, by way: ``instructions`` of ``wal.json``.

    Nothing where there is no valgrind, or no time for it.
    """
    if session.quick or shutil.which(instructions.TOOL[0]) is None:
        return {}
    session.step("compiling the extensions for valgrind")
    extensions, flags = instructions.build_extensions()
    found = {}
    for way in [*bench.FRAMES, *WAYS]:
        session.step(f"instructions: {way}")
        short, long = (
            instructions.find_count(run_child(instructions.TOOL, way, count, folder, extensions))
            for count in COUNTED
        )
        found[way] = (long - short) / (COUNTED[1] - COUNTED[0])
    return {"instructions": {"counted_flags": flags, "ways": found}}


def run_child(
    tool: Sequence[str], way: str, count: int, folder: Path, extensions: Path | None
) -> str:
    """Append so many commands in a process of their own, under a tool; what that wrote."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        words = [_CHILD, way, str(count), name]
        return instructions.run_module(tool, words, extensions, f"{way}, {count:,} commands")
