"""The face of c/bench.h: what an append costs, taken apart, and a log under an open load."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from contract.errors import MatchbookError
from contract.messages import RECORD_BYTES
from contract.records import RecordArray
from phase6_wal._wal import ffi, lib
from phase6_wal.native import SLOT_BYTES, LogWriter

#: Times of single records, in ns; what takes longer than four seconds stands as four seconds.
Nanoseconds: TypeAlias = npt.NDArray[np.uint32]

#: How a record is made in memory.
FRAMES: Final = {
    "copied": int(lib.BENCH_COPIED),
    "checked": int(lib.BENCH_CHECKED),
    "sealed": int(lib.BENCH_SEALED),
}
#: What a file that is mapped may have been through, and how one that is appended to gets longer.
PAGE_WAYS: Final = {
    "sparse": int(lib.BENCH_SPARSE),
    "allocated": int(lib.BENCH_ALLOCATED),
    "zeroed": int(lib.BENCH_ZEROED),
    "touched": int(lib.BENCH_TOUCHED),
}
SYNC_WAYS: Final = {
    "growing": int(lib.BENCH_SPARSE),
    "allocated": int(lib.BENCH_ALLOCATED),
    "zeroed": int(lib.BENCH_ZEROED),
    "mapped": int(lib.BENCH_TOUCHED),
}
#: Bytes that a store of ``pages`` writes, and of a page.
STORE_BYTES: Final = RECORD_BYTES
PAGE_BYTES: Final = 4096
_FILE_NAME: Final = "measured"


class AppendError(MatchbookError):
    """A log did not take what it was measured with."""


class Load(NamedTuple):
    """What an open loop came to; ``bench_load`` of c/bench.h.

    Attributes:
        latency_ns: for each record, from when it was due to when it was acknowledged, shape (n,).
    """

    latency_ns: Nanoseconds
    elapsed_ns: int
    latest_ns: int
    appends: int
    flushes: int


def frame(commands: RecordArray, way: str, batch: int) -> int:
    """Make records of commands in memory, batch after batch in the same place. See ``FRAMES``.

    Returns something that depends on all their checksums. O(commands).
    """
    count, bodies = _bodies(commands)
    room = ffi.new("char[]", batch * SLOT_BYTES)
    return int(lib.bench_frame(bodies, count, room, batch, FRAMES[way]))


def appends(writer: LogWriter, commands: RecordArray, batch: int) -> int:
    """Append all commands, so many at a time; nanoseconds.

    Raises:
        AppendError: the log did not take one of them.
    """
    taken = ffi.new("uint64_t *")
    count, bodies = _bodies(commands)
    _check(writer, lib.bench_appends(writer.handle, bodies, count, batch, taken))
    return int(taken[0])


def open_loop(writer: LogWriter, commands: RecordArray, per_second: float, batch: int) -> Load:
    """Append each command at its time, with what else is due by then, up to ``batch``.

    Raises:
        AppendError: the log did not take one of them.
    """
    times: Nanoseconds = np.zeros(len(commands), np.uint32)
    result = ffi.new("bench_load *")
    count, bodies = _bodies(commands)
    room = ffi.cast("uint32_t *", ffi.from_buffer(times, require_writable=True))
    code = lib.bench_open_loop(writer.handle, bodies, count, per_second, batch, room, result)
    _check(writer, code)
    return Load(times, *(int(getattr(result, name)) for name in Load._fields[1:]))


def pages(folder: Path, way: str, size: int) -> int | None:
    """Store to every 64 bytes of a mapped file of that size; nanoseconds in all.

    None where the platform has no such way. See ``PAGE_WAYS``.

    Raises:
        OSError: the file cannot be made or mapped.
    """
    taken = ffi.new("uint64_t *")
    code = lib.bench_pages(_path(folder), PAGE_WAYS[way], size, taken)
    return int(taken[0]) if _there_is(code) else None


def syncs(folder: Path, way: str, size: int, count: int) -> Nanoseconds | None:
    """So many appends of ``size`` bytes, each on the disk before the next; ns of each.

    None where the platform has no such way. See ``SYNC_WAYS``.

    Raises:
        OSError: the file cannot be made, or written, or synced.
    """
    times: Nanoseconds = np.zeros(count, np.uint32)
    room = ffi.cast("uint32_t *", ffi.from_buffer(times, require_writable=True))
    return (
        times
        if _there_is(lib.bench_syncs(_path(folder), SYNC_WAYS[way], size, count, room))
        else None
    )


def _path(folder: Path) -> bytes:
    return os.fsencode(folder / _FILE_NAME)


def _there_is(code: int) -> bool:
    if code in (-errno.ENOTSUP, -errno.EOPNOTSUPP):
        return False
    if code < 0:
        raise OSError(-code, os.strerror(-code), _FILE_NAME)
    return True


def _bodies(commands: RecordArray) -> tuple[int, Any]:
    if not commands.flags.c_contiguous or commands.itemsize != RECORD_BYTES:
        raise ValueError("not a contiguous array of 64-byte records")
    return len(commands), ffi.from_buffer(commands)


def _check(writer: LogWriter, code: int) -> None:
    if code < 0:
        raise AppendError(f"the log took no more: {writer.failed or f'code {code}'}")
