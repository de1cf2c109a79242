"""Suite ``wal``: how long a command waits for its acknowledgement, and what a group costs it.

An open loop: command i is due at its time, whatever became of those before it. What is due is
appended, up to a batch, and its time counts until the log acknowledges it. A log that is on the
disk with each append takes more at once the later it is: it forms its own groups, as large as they
have to be. Groups of a fixed size, or of a fixed time, are held against that.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.records import RecordArray
from matchbook.bench.interleave import WrongAnswerError
from matchbook.bench.latency import PERCENTILES, percentiles
from matchbook.bench.trial import Session
from matchbook.bench.wal_journals import segment_for
from phase6_wal import bench
from phase6_wal.contenders import read_log
from phase6_wal.native import LogOptions, LogWriter, PosixStorage

MODES: Final = ("none", "page-cache", "group", "sync")
#: Commands a second that are due.
RATES: Final = (10_000, 100_000, 1_000_000)
#: Most commands of an append.
BATCH: Final = 4096
#: Records of a group, and its seconds; where the rate stays the same.
SIZES: Final = (1, 4, 16, 64, 256, 1024, 4096)
_QUICK_SIZES: Final = (1, 64, 1024)
TIMES: Final = (0.0001, 0.0003, 0.001, 0.003, 0.01)
GROUP_RATE: Final = 100_000
_RUNS: Final = 5
_QUICK_RUNS: Final = 1
_SECONDS: Final = 0.2
_QUICK_SECONDS: Final = 0.002
#: Groups of an open loop at the most: one that does not keep up would last for minutes.
_LOAD_GROUPS: Final = 1_000
#: Groups of a run that goes as fast as it can, and the most commands of it.
_GROUPS: Final = 100
_QUICK_GROUPS: Final = 2
_MOST: Final = 200_000
#: Longer than any run, and more than any run holds: the other limit of a group alone counts.
_NEVER_S: Final = 1e6
_NEVER: Final = 1 << 32


def measure_latencies(session: Session, folder: Path, commands: RecordArray) -> dict[str, Any]:
    """Each mode at each rate, interleaved: ``latency`` of ``wal.json``.

    A percentile is the median of its runs', for one pause of the machine or the disk fills the tail
    of the run it falls into. The longest is the longest of all.
    """
    runs: dict[str, dict[str, list[dict[str, int]]]] = {
        str(rate): {mode: [] for mode in MODES} for rate in RATES
    }
    for _ in range(_runs(session)):
        for rate in RATES:
            for mode in MODES:
                session.step(f"latency: {mode} at {rate:,} a second")
                made = LogOptions(durability=mode)
                load = run_load(session, folder, commands, rate, made)
                runs[str(rate)][mode].append(load)
    return {
        rate: {mode.replace("-", "_"): median_run(found) for mode, found in of_rate.items()}
        for rate, of_rate in runs.items()
    }


def measure_groups(session: Session, folder: Path, commands: RecordArray) -> dict[str, Any]:
    """Groups of each size and of each time, at one rate: ``groups`` of ``wal.json``."""
    sizes = _QUICK_SIZES if session.quick else SIZES
    plans: dict[str, LogOptions] = {
        **{f"size {n}": _group(count=n) for n in sizes},
        **{f"time {t}": _group(seconds=t) for t in TIMES},
        "own": LogOptions(durability="sync"),
    }
    loads: dict[str, list[dict[str, int]]] = {name: [] for name in plans}
    fastest: dict[str, list[float]] = {name: [] for name in plans}
    for _ in range(_runs(session)):
        for name, made in plans.items():
            session.step(f"groups: {name}")
            loads[name].append(run_load(session, folder, commands, GROUP_RATE, made))
            if name.startswith("size"):
                fastest[name].append(run_fast(session, folder, commands, made))
    found = {name: median_run(runs) for name, runs in loads.items()}
    return {
        "rate": GROUP_RATE,
        "sizes": list(sizes),
        "times_s": list(TIMES),
        "by_size": _columns([found[f"size {n}"] for n in sizes])
        | {"per_second": [round(float(np.median(fastest[f"size {n}"]))) for n in sizes]},
        "by_time": _columns([found[f"time {t}"] for t in TIMES]),
        "own": found["own"],
    }


def run_load(
    session: Session, folder: Path, commands: RecordArray, rate: int, made: LogOptions
) -> dict[str, int]:
    """One run at one rate: its percentiles, how late a command was sent, how often it synced.

    Raises:
        WrongAnswerError: the log holds something else than it was given.
    """
    seconds = _QUICK_SECONDS if session.quick else _SECONDS
    most = _LOAD_GROUPS * made.group_count if made.durability == "group" else _NEVER
    part = commands[: min(most, max(10, int(rate * seconds)))]
    with tempfile.TemporaryDirectory(dir=folder) as name:
        with PosixStorage(name) as storage, LogWriter(storage, _sized(part, made)) as writer:
            writer.flush()  # the thread has made the next segment ready, and rests
            load = bench.open_loop(writer, part, rate, BATCH if made.durability != "group" else 1)
        if read_log(Path(name)) != part.tobytes():
            raise WrongAnswerError(f"{made.durability}: other commands in the log than were due")
    return {
        **percentiles(load.latency_ns),
        "latest_ns": load.latest_ns,
        "elapsed_ns": load.elapsed_ns,
        "flushes": load.flushes,
    }


def run_fast(session: Session, folder: Path, commands: RecordArray, made: LogOptions) -> float:
    """Commands a second when nothing but the disk holds the log up."""
    groups = min(_QUICK_GROUPS if session.quick else _GROUPS, _MOST // made.group_count)
    part = commands[: groups * made.group_count]
    with (
        tempfile.TemporaryDirectory(dir=folder) as name,
        PosixStorage(name) as storage,
        LogWriter(storage, _sized(part, made)) as writer,
    ):
        writer.flush()
        taken = bench.appends(writer, part, 1)
        if writer.acknowledged != len(part):
            raise WrongAnswerError(f"{writer.acknowledged} of {len(part)} commands acknowledged")
    return len(part) / (taken / 1e9)


def median_run(runs: list[dict[str, int]]) -> dict[str, int]:
    """The median of each percentile, the longest of all, and sums of what was counted."""
    return {
        "runs": len(runs),
        **{key: int(np.median([run[key] for run in runs])) for key in PERCENTILES},
        **{key: max(run[key] for run in runs) for key in ("max", "latest_ns")},
        **{key: sum(run[key] for run in runs) for key in ("samples", "elapsed_ns", "flushes")},
    }


def _columns(rows: list[dict[str, int]]) -> dict[str, list[int]]:
    return {key: [row[key] for row in rows] for key in (*PERCENTILES, "samples", "flushes")}


def _group(count: int = _NEVER, seconds: float = _NEVER_S) -> LogOptions:
    return LogOptions(durability="group", group_count=count, group_s=seconds)


def _sized(commands: RecordArray, made: LogOptions) -> LogOptions:
    return replace(made, segment_bytes=segment_for(len(commands)), reserve=False)


def _runs(session: Session) -> int:
    return _QUICK_RUNS if session.quick else _RUNS
