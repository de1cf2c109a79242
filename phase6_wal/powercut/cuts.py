"""Cuts, and what a recovery finds after each."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from phase6_wal.errors import LogDamagedError
from phase6_wal.native import DEFAULT_METHOD, DURABILITIES, METHODS, PosixStorage
from phase6_wal.powercut.machine import (
    Machine,
    build_guest,
    drive_of,
    make_disk,
    make_memory_disk,
    require_machine,
    take_out,
)
from phase6_wal.powercut.recording import Playback, entries_of, recorded_drive_of
from phase6_wal.reader import LogReader, segment_names
from phase6_wal.recovery import recover_log

_WORDS: Final = 8
_SEGMENT_BYTES: Final = 1 << 16
#: A cut comes after so many acknowledged records at most.
_MOST_RECORDS: Final = 6000


@dataclass(frozen=True)
class Mode:
    """How the machine writes its log.

    Attributes:
        group: records of a group.
        batch: records of an append.
        syncs: whether its syncs do anything; False is the control.
    """

    durability: str = "sync"
    method: str | None = None
    group: int = 64
    batch: int = 4
    syncs: bool = True

    def words(self) -> list[int]:
        """As the machine's program wants them (guest.c)."""
        method = METHODS[self.method or DEFAULT_METHOD[self.durability]]
        durability = DURABILITIES[self.durability]
        return [durability, method, _SEGMENT_BYTES, self.group, self.batch, int(self.syncs)]

    def __str__(self) -> str:
        method = self.method or DEFAULT_METHOD[self.durability]
        return f"{self.durability}, {method}{'' if self.syncs else ', without syncs'}"


@dataclass(frozen=True)
class Outcome:
    """What a cut came to.

    Attributes:
        acknowledged: the last sequence that had been, by then.
        recovered: the last one that was there afterwards.
        problem: why recovery refused, or what it gave back that was never written; "" for nothing.
        blocks: of the drive's cache that were lost.
    """

    acknowledged: int
    recovered: int
    problem: str = ""
    blocks: int = 0

    @property
    def lost(self) -> int:
        """Acknowledged records that are gone."""
        return max(self.acknowledged - self.recovered, 0)


class Site:
    """A place to cut power at: the machine's program and memory disk, built once.

    Raises:
        NoMachineError: something that it needs is missing; names it.
    """

    def __init__(self, out: Path) -> None:
        kernel = require_machine()
        self._out = out
        self._boot = (kernel, make_memory_disk(build_guest(out), kernel, out))

    def kill(self, mode: Mode, seed: int) -> Outcome:
        """Kill a machine at a moment of the seed's choice; its page cache is lost."""
        enough = random.Random(seed).randrange(1, _MOST_RECORDS)
        disk = make_disk(self._out / "disk")
        with Machine(self._boot, drive_of(disk), mode.words(), self._out) as machine:
            machine.wait_until(lambda acknowledged: acknowledged >= enough)
            acknowledged = machine.cut()
        return self._look(disk, acknowledged)

    def record(self, mode: Mode, seed: int, points: int) -> Iterator[Outcome]:
        """Record a run, then cut it at some points; the drive's cache is lost as well."""
        disk = make_disk(self._out / "disk")
        before, recording = self._out / "before", self._out / "recording"
        shutil.copyfile(disk, before)
        seen = [(0, 0)]  # acknowledged, and entries of the recording by then

        def look(acknowledged: int) -> bool:
            if acknowledged > seen[-1][0]:
                seen.append((acknowledged, entries_of(recording)))
            return acknowledged >= _MOST_RECORDS // 4

        drive = recorded_drive_of(disk, recording)
        with Machine(self._boot, drive, mode.words(), self._out) as machine:
            machine.wait_until(look)
        draw = random.Random(seed)
        playback = Playback(before, recording)
        last = entries_of(recording)
        for position in sorted(draw.randrange(1, last + 1) for _ in range(points)):
            playback.go_to(position)
            blocks = playback.cut(disk, draw.getrandbits(32))
            acknowledged = max(told for told, entries in seen if entries <= position)
            yield self._look(disk, acknowledged, blocks)

    def _look(self, disk: Path, acknowledged: int, blocks: int = 0) -> Outcome:
        found = self._out / "found"
        shutil.rmtree(found, ignore_errors=True)
        take_out(disk, "/log", found)
        with PosixStorage(found / "log") as storage:
            recovered, problem = _recover(storage)
        return Outcome(acknowledged, recovered, problem, blocks)


def _recover(storage: PosixStorage) -> tuple[int, str]:
    """Up to where the log is whole after a recovery, and what is wrong with that."""
    if not segment_names(storage):
        return 0, ""
    try:
        recovered = recover_log(storage).sequence
    except LogDamagedError as error:
        return 0, str(error)
    found = 0
    for bodies, _ in LogReader(storage).batches():
        words = bodies.view(np.uint64).reshape(-1, _WORDS)
        expected = _bodies(found + 1, len(words))
        if not np.array_equal(words, expected):
            return recovered, f"a record after {found} is not what was written"
        found += len(words)
    return recovered, "" if found == recovered else f"{found} records can be read"


def _bodies(first: int, count: int) -> npt.NDArray[np.uint64]:
    """What guest.c has written from ``first`` on: its body_word, and the sequence in front."""
    sequences = np.arange(first, first + count, dtype=np.uint64)
    index = sequences[:, None] * np.uint64(_WORDS) + np.arange(_WORDS, dtype=np.uint64)
    mixed: npt.NDArray[np.uint64] = np.multiply(index, 0x9E3779B97F4A7C15, dtype=np.uint64)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed[:, 0] = sequences
    return mixed
