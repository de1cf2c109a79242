"""What stands in a log's directory, for the sub-commands of ``matchbook log``: only looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from contract.errors import ConfigurationError, InputFileError
from phase6_wal.errors import LogDamagedError, LogError
from phase6_wal.names import LOCK_NAME, SNAPSHOT_SUFFIX, sequence_of
from phase6_wal.native import PosixStorage
from phase6_wal.picture import DrawnSnapshot
from phase6_wal.reader import LogReader
from phase6_wal.recovery import Dropped
from phase6_wal.segments import segment_names
from phase6_wal.snapshots import Snapshot, read_snapshot, snapshot_names

#: The locks of all processes, where the system tells.
_LOCKS: Final = Path("/proc/locks")
_UNITS: Final = ("KiB", "MiB", "GiB")
DIRECTORY: Final = click.Path(exists=True, file_okay=False, path_type=Path)


@dataclass(frozen=True)
class SnapshotFile:
    """A snapshot's file: what is in it, or why it is none."""

    name: str
    sequence: int
    bytes: int
    snapshot: Snapshot | None
    problem: str = ""

    @property
    def orders(self) -> int:
        """Live orders in all its books."""
        books = self.snapshot.books if self.snapshot else ()
        return sum(int.from_bytes(book.image[16:24], "little") for book in books)


def size_of(path: Path) -> int:
    """The size of a file; 0 of one that a writer has just taken away."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def open_log(directory: Path) -> Iterator[PosixStorage]:
    """The storage of a directory that holds a log, or the rest of one.

    Raises:
        ConfigurationError: there is neither a segment nor a snapshot in it.
    """
    with PosixStorage(directory) as storage:
        if not segment_names(storage) and not snapshot_names(storage):
            raise ConfigurationError(
                f"{directory}: no log: there is neither a segment (twenty digits, .log) nor a"
                " snapshot (.snap) in it"
            )
        yield storage


def content_of(storage: PosixStorage) -> str:
    """``"commands"`` or ``"events"``; of a log that does not say, it is taken to be commands."""
    with suppress(LogDamagedError):  # which a full scan tells with place and value
        return LogReader(storage).content
    return "commands"


def require_commands(storage: PosixStorage, what: str) -> None:
    """Refuse a log of events.

    Raises:
        ConfigurationError: names what needs commands.
    """
    if content_of(storage) != "commands":
        raise ConfigurationError(
            f"{storage.directory}: this is a log of events: {what} needs one of commands"
        )


def look_at_snapshots(storage: PosixStorage) -> Iterator[SnapshotFile]:
    """All snapshots, in order, one at a time in memory."""
    for name in snapshot_names(storage):
        snapshot, problem = None, ""
        try:
            snapshot = read_snapshot(storage, name)
        except FileNotFoundError:
            continue  # a writer at work has let go of it
        except (InputFileError, LogError) as error:
            problem = str(error)
        except OSError as error:
            problem = f"{storage.directory / name}: {error.strerror or error}"
        sequence = sequence_of(name, SNAPSHOT_SUFFIX) or 0
        size = size_of(storage.directory / name)
        yield SnapshotFile(name, sequence, size, snapshot, problem)


def what_was_dropped(dropped: Dropped) -> tuple[str, str]:
    """What lies behind a log's end, in a word and in a sentence."""
    if not dropped.records:
        return "torn tail", str(dropped)
    return "hole", f"{dropped}; nothing behind it says that they had been on the disk"


def drawn_snapshots(files: list[SnapshotFile]) -> list[DrawnSnapshot]:
    """Snapshots as the picture wants them."""
    return [DrawnSnapshot(file.sequence, not file.problem) for file in files]


def writing_process(directory: Path) -> int:
    """The process that says it writes this log, if it does; 0: none.

    The lock itself is not tried: taking it, however briefly, could turn a writer away.
    """
    path = directory / LOCK_NAME
    try:
        pid = int(path.read_text())
        if _LOCKS.exists():  # a process may live on after it has closed its log
            ends = (f" {pid} ", f":{path.stat().st_ino} ")
            locks = _LOCKS.read_text().splitlines()
            held = any("FLOCK" in line and all(end in line for end in ends) for line in locks)
            return pid if held else 0
        os.kill(pid, 0)
    except PermissionError:
        return pid  # it is there, and somebody else's
    except (OSError, ValueError):
        return 0
    return pid


def say_writer(directory: Path) -> str:
    """A sentence for whoever finds damage in a log that is being written; ``""``: nobody writes."""
    pid = writing_process(directory)
    return (
        f" (process {pid} seems to be writing this log: what it was just appending may look like"
        " this; look again)"
        if pid
        else ""
    )


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "book"), counted(2_000, "live order")
    ('1 book', '2,000 live orders')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size_text(count: int) -> str:
    """A number of bytes with a unit that suits it.

    >>> size_text(80), size_text(8192), size_text(64 << 20)
    ('80 B', '8.0 KiB', '64.0 MiB')
    """
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, len(_UNITS))
    return f"{count / (1 << 10 * power):,.1f} {_UNITS[power - 1]}"
