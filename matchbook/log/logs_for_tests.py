"""Logs in directories, for the tests of ``matchbook log``: whole ones, and ways to spoil them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from click.testing import CliRunner, Result

from contract.records import RecordArray, empty_events
from contract.workload import generate
from matchbook import console
from matchbook.cli import main
from phase3_sorted import Engine as SortedEngine
from phase6_wal.engine import DurableEngine
from phase6_wal.native import (
    HEADER_BYTES,
    SLOT_BYTES,
    LogOptions,
    LogWriter,
    PosixStorage,
    crc32c,
)
from phase6_wal.reader import LogReader
from phase6_wal.segments import SegmentInfo

SEGMENT_BYTES: Final = 1 << 16
#: The day that most of the logs hold.
COUNT: Final = 3_000
COMMANDS: Final = generate("normal", COUNT)[:COUNT]
#: Room for events of any batch that the tests send.
_ROOM: Final = 1 << 15


def run(*args: object) -> Result:
    """Run ``matchbook log`` with these arguments, on a terminal wide enough for any line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console.out, "width", 250)
        return CliRunner().invoke(main, ["log", *map(str, args)])


def make_log(directory: Path, commands: RecordArray, books: int = 1, **options: Any) -> Path:
    """A log of these commands, with snapshots and marks, closed in good order."""
    engines = [SortedEngine(instrument=number) for number in range(books)]
    settings = {"segment_bytes": SEGMENT_BYTES, "mark_every": 400, "prepare_thread": False}
    with DurableEngine.create(directory, engines, **(settings | options)) as engine:
        events = empty_events(_ROOM)
        for at in range(0, len(commands), 1_000):
            part = commands[at : at + 1_000]
            assert engine.apply_batch(part, events).consumed == len(part)
            engine.flush()
            engine.take_snapshot()
    return directory


def make_event_log(directory: Path, events: RecordArray) -> Path:
    """A log of events."""
    options = LogOptions(content="events", segment_bytes=SEGMENT_BYTES, prepare_thread=False)
    with PosixStorage(directory) as storage, LogWriter(storage, options) as writer:
        writer.append(events.tobytes())
    return directory


def alone(commands: RecordArray) -> tuple[str, int, RecordArray]:
    """What an engine without a log comes to: state hash, checksum of the events, events."""
    with SortedEngine() as engine:
        events = empty_events(_ROOM)
        parts = []
        for at in range(0, len(commands), 1_000):
            part = commands[at : at + 1_000]
            done = engine.apply_batch(part, events)
            assert done.consumed == len(part)
            parts.append(events[: done.written].copy())
        whole = np.concatenate(parts) if parts else empty_events(0)
        return engine.state_hash(), crc32c(whole.tobytes()), whole


def copy(directory: Path, to: Path) -> Path:
    """Another one of the same log."""
    shutil.copytree(directory, to)
    return to


def segments(directory: Path) -> list[SegmentInfo]:
    """What stands in a log's segments."""
    with PosixStorage(directory) as storage:
        return LogReader(storage).segments()


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def offset_of(slot: int) -> int:
    """Where a slot begins."""
    return HEADER_BYTES + slot * SLOT_BYTES


def tear(directory: Path) -> SegmentInfo:
    """Take the second half of the log's last record away; the segment as it was before."""
    last = [info for info in segments(directory) if info.records][-1]
    data = bytearray((directory / last.name).read_bytes())
    data[last.end - SLOT_BYTES // 2 : last.end] = bytes(SLOT_BYTES // 2)
    (directory / last.name).write_bytes(data)
    return last


def seen(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and the time of its last change; and the directory's own."""
    files = {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()
    }
    return files | {".": (b"", directory.stat().st_mtime_ns)}
