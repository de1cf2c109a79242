"""Ways to keep the same commands on a disk, behind one interface: for the benchmark.

Each is opened in a directory, takes batches of commands, and is read again after it is closed: what
was read must be what was handed over, byte for byte, before any time is worth a comparison. Only
those are compared that promise the same:

==========  ==========================  =========================================================
promise     when ``append`` returns     who
==========  ==========================  =========================================================
nothing     a crash may lose it         the log with ``none``, a file behind Python's buffer
process     it survives the process     the log with ``page-cache``, a file written with each
                                        batch, SQLite (WAL, synchronous NORMAL), LMDB without sync
machine     it survives the machine     the log with ``sync``, a file with ``fdatasync`` and with
                                        ``fsync``, SQLite (WAL, synchronous FULL), LMDB
==========  ==========================  =========================================================

A batch is one transaction, one write, one append. It is handed to each in the form that it takes
(rows, pairs of bytes, bytes, an array), and making that form of the commands is not timed. The
plain files hold 64 bytes a command and nothing else: no checksum, no way to tell a torn end.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from contract.records import RecordArray
from phase6_wal.native import LogOptions, LogWriter, PosixStorage
from phase6_wal.reader import LogReader

NOTHING: Final = "nothing"
PROCESS: Final = "process"
MACHINE: Final = "machine"
PROMISES: Final = (NOTHING, PROCESS, MACHINE)
#: As large as what the log with ``none`` holds back.
_BUFFER_BYTES: Final = 1 << 20
#: Of the log: one holds 117,000 commands.
_SEGMENT_BYTES: Final = 9 << 20
#: The most that LMDB's file may become; only what is used is taken.
_MAP_BYTES: Final = 1 << 31
_FILE_NAME: Final = "journal"


class Journal(Protocol):
    """Something open that takes commands."""

    def append(self, batch: Any) -> object:
        """Take a batch in the form that ``Contender.prepare`` makes of it."""

    def close(self) -> object:
        """All of it can be read after this."""


@dataclass(frozen=True)
class Contender:
    """One way to keep commands.

    Attributes:
        promise: what ``append`` stands for: one of ``PROMISES``.
        prepare: from commands, their sequence in place, to what ``append`` takes.
        open: a new journal in an empty directory.
        read: the bytes of all commands that a directory holds, in order.
        needs: a module that must be installed.
    """

    name: str
    promise: str
    prepare: Callable[[RecordArray], Any]
    open: Callable[[Path], Journal]
    read: Callable[[Path], bytes]
    needs: str = ""

    @property
    def is_available(self) -> bool:
        """Whether what it needs is installed."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def sync_data(file: int) -> None:
    """Make the file's bytes and its size durable, as far as the platform has a word for it.

    Raises:
        OSError: it failed; nobody knows what is on the disk.
    """
    full = getattr(fcntl, "F_FULLFSYNC", None)  # on macOS fsync leaves it in the drive's cache
    if full is not None:
        fcntl.fcntl(file, full)
    else:
        os.fdatasync(file)


def sync_all(file: int) -> None:
    """As ``fsync`` has it everywhere: the file's other properties too."""
    os.fsync(file)


# --- the log ------------------------------------------------------------------------------------


class _Log:
    def __init__(self, folder: Path, durability: str) -> None:
        options = LogOptions(durability=durability, segment_bytes=_SEGMENT_BYTES, reserve=False)
        self._storage = PosixStorage(folder)
        self._writer = LogWriter(self._storage, options)
        self._writer.flush()  # the thread has made the next segment ready
        self.append = self._writer.append

    def close(self) -> None:
        self._writer.close()
        self._storage.close()


def _open_log(durability: str) -> Callable[[Path], Journal]:
    return lambda folder: _Log(folder, durability)


def read_log(folder: Path) -> bytes:
    """The 64 bytes of every command in a log, in order."""
    with PosixStorage(folder) as storage:
        return b"".join(commands.tobytes() for commands, _ in LogReader(storage).batches())


def _as_it_is(commands: RecordArray) -> RecordArray:
    return commands


# --- plain files --------------------------------------------------------------------------------


class _BufferedFile:
    def __init__(self, folder: Path) -> None:
        self._file = (folder / _FILE_NAME).open("wb", buffering=_BUFFER_BYTES)
        self.append = self._file.write
        self.close = self._file.close


class _File:
    """A file that each batch is written to, and that grows with it."""

    def __init__(self, folder: Path, sync: Callable[[int], object] | None) -> None:
        self._file = os.open(folder / _FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._sync = sync

    def append(self, batch: bytes) -> None:
        if os.write(self._file, batch) != len(batch):
            raise OSError(f"{_FILE_NAME}: a part of {len(batch)} bytes was written")
        if self._sync is not None:
            self._sync(self._file)

    def close(self) -> None:
        os.close(self._file)


def _open_file(sync: Callable[[int], object] | None) -> Callable[[Path], Journal]:
    return lambda folder: _File(folder, sync)


def _read_file(folder: Path) -> bytes:
    return (folder / _FILE_NAME).read_bytes()


def _to_bytes(commands: RecordArray) -> bytes:
    return commands.tobytes()


# --- SQLite -------------------------------------------------------------------------------------


class _Sqlite:
    """A table with the sequence as its key, in WAL mode; each batch is a transaction."""

    def __init__(self, folder: Path, synchronous: str) -> None:
        self._base = sqlite3.connect(folder / _FILE_NAME, isolation_level=None)
        found = self._base.execute("PRAGMA journal_mode = WAL").fetchone()
        if found != ("wal",):
            raise OSError(f"SQLite has no WAL mode here: {found}")
        self._base.execute(f"PRAGMA synchronous = {synchronous}")
        self._base.execute("CREATE TABLE journal (sequence INTEGER PRIMARY KEY, command BLOB)")

    def append(self, batch: list[tuple[int, bytes]]) -> None:
        base = self._base
        base.execute("BEGIN")
        base.executemany("INSERT INTO journal VALUES (?, ?)", batch)
        base.execute("COMMIT")

    def close(self) -> None:
        self._base.close()


def _open_sqlite(synchronous: str) -> Callable[[Path], Journal]:
    return lambda folder: _Sqlite(folder, synchronous)


def _read_sqlite(folder: Path) -> bytes:
    with closing(sqlite3.connect(folder / _FILE_NAME)) as base:
        rows = base.execute("SELECT command FROM journal ORDER BY sequence")
        return b"".join(command for (command,) in rows)


def _to_rows(commands: RecordArray) -> list[tuple[int, bytes]]:
    return [(int(each["sequence"]), each.tobytes()) for each in commands]


# --- LMDB ---------------------------------------------------------------------------------------


class _Lmdb:
    """A B-tree by sequence; each batch is a transaction, put at the end where it belongs."""

    def __init__(self, folder: Path, *, sync: bool) -> None:
        import lmdb

        self._base = lmdb.open(
            str(folder / _FILE_NAME), map_size=_MAP_BYTES, subdir=False, sync=sync, metasync=sync
        )

    def append(self, batch: list[tuple[bytes, bytes]]) -> None:
        with self._base.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti(batch, append=True)

    def close(self) -> None:
        self._base.close()


def _open_lmdb(*, sync: bool) -> Callable[[Path], Journal]:
    return lambda folder: _Lmdb(folder, sync=sync)


def _read_lmdb(folder: Path) -> bytes:
    return b"".join(_lmdb_values(folder))


def _lmdb_values(folder: Path) -> Iterator[bytes]:
    import lmdb

    base = lmdb.open(str(folder / _FILE_NAME), map_size=_MAP_BYTES, subdir=False, readonly=True)
    with closing(base), base.begin() as transaction, transaction.cursor() as cursor:
        yield from cursor.iternext(keys=False, values=True)


def _to_pairs(commands: RecordArray) -> list[tuple[bytes, bytes]]:
    return [(int(each["sequence"]).to_bytes(8, "big"), each.tobytes()) for each in commands]


#: All of them; the first of each promise is the log.
CONTENDERS: Final = (
    Contender("log none", NOTHING, _as_it_is, _open_log("none"), read_log),
    Contender("file buffered", NOTHING, _to_bytes, _BufferedFile, _read_file),
    Contender("log page-cache", PROCESS, _as_it_is, _open_log("page-cache"), read_log),
    Contender("file written", PROCESS, _to_bytes, _open_file(None), _read_file),
    Contender("sqlite normal", PROCESS, _to_rows, _open_sqlite("NORMAL"), _read_sqlite),
    Contender("lmdb nosync", PROCESS, _to_pairs, _open_lmdb(sync=False), _read_lmdb, "lmdb"),
    Contender("log sync", MACHINE, _as_it_is, _open_log("sync"), read_log),
    Contender("file fdatasync", MACHINE, _to_bytes, _open_file(sync_data), _read_file),
    Contender("file fsync", MACHINE, _to_bytes, _open_file(sync_all), _read_file),
    Contender("sqlite full", MACHINE, _to_rows, _open_sqlite("FULL"), _read_sqlite),
    Contender("lmdb sync", MACHINE, _to_pairs, _open_lmdb(sync=True), _read_lmdb, "lmdb"),
)
