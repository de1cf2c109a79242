"""Suite ``wal``: the log beside others that keep the same commands and promise the same."""

from __future__ import annotations

import gc
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.records import RecordArray
from matchbook.bench.interleave import Outcome, WrongAnswerError, measure
from matchbook.bench.rings_effects import samples_facts
from matchbook.bench.trial import TWIN, Session, twin_noise_floor
from phase6_wal.contenders import CONTENDERS, MACHINE, PROMISES, Contender
from phase6_wal.native import HEADER_BYTES, SLOT_BYTES

#: Commands of a batch: one durable at a time, and the sizes that batches have elsewhere.
BATCHES: Final = (1, 64, 1024)
#: Batches of a run, by their size: where nothing waits for the disk, and where each does.
_FREE: Final = {1: 5_000, 64: 500, 1024: 100}
_SYNCED: Final = {1: 100, 64: 100, 1024: 50}
_QUICK: Final = 4


def numbered(commands: RecordArray) -> RecordArray:
    """The commands with their sequence in place, as a log numbers them."""
    commands["sequence"] = np.arange(1, len(commands) + 1, dtype=np.uint64)
    return commands


def segment_for(records: int) -> int:
    """Bytes of a segment that has room for so many, and for a few marks between them."""
    whole = HEADER_BYTES + (records + 64) * SLOT_BYTES
    return -(-whole // HEADER_BYTES) * HEADER_BYTES


def slug(name: str) -> str:
    """A contender's name as it stands in a path."""
    return name.replace(" ", "_").replace("-", "_")


def missing() -> dict[str, str]:
    """Those that cannot run here, and why."""
    return {
        slug(each.name): f"{each.needs} is not installed"
        for each in CONTENDERS
        if not each.is_available
    }


@dataclass
class JournalTrial:
    """A contender with all commands, batch by batch, in a new directory."""

    name: str
    contender: Contender
    commands: RecordArray
    batch: int
    folder: Path

    def run(self) -> Outcome:
        """Time all appends, then close it, read it and compare.

        Raises:
            WrongAnswerError: it holds something else than it was given.
        """
        count = len(self.commands)
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            batches = [
                self.contender.prepare(self.commands[at : at + self.batch])
                for at in range(0, count, self.batch)
            ]
            journal = self.contender.open(Path(name))
            append = journal.append
            gc.collect()
            started = time.perf_counter()
            for each in batches:
                append(each)
            seconds = time.perf_counter() - started
            journal.close()
            found = self.contender.read(Path(name))
        if found != self.commands.tobytes():
            raise WrongAnswerError(f"{self.name}: holds other commands than it was given")
        return Outcome(seconds, count, "")


def measure_journals(
    session: Session, folder: Path, commands: RecordArray, rounds: int
) -> dict[str, Any]:
    """Every promise with every size of a batch: cases of ``wal.json``."""
    cases = {}
    for promise in PROMISES:
        for batch in BATCHES:
            count = (_SYNCED if promise == MACHINE else _FREE)[batch]
            part = commands[: batch * (_QUICK if session.quick else count)]
            cases[f"journal_{promise}_{batch}"] = measure_promise(
                session, folder, part, rounds, promise, batch
            )
    return cases


def measure_promise(
    session: Session,
    folder: Path,
    commands: RecordArray,
    rounds: int,
    promise: str,
    batch: int,
) -> dict[str, Any]:
    """All that promise the same, interleaved; the first of them, ours, a second time."""
    trials = [
        JournalTrial(slug(each.name), each, commands, batch, folder)
        for each in CONTENDERS
        if each.promise == promise and each.is_available
    ]
    twin = replace(trials[0], name=trials[0].name + TWIN)
    step = session.stepper(f"journal, {promise}, batches of {batch}: ")
    samples = measure([*trials, twin], rounds, step=step)
    ours = trials[0].name
    return {
        "promise": promise,
        "batch": batch,
        "commands": len(commands),
        "ours": ours,
        "baseline": ours,
        "noise_floor": twin_noise_floor(samples),
        "contestants": samples_facts(samples, ours, ours),
    }
