"""How a durable engine begins: with an empty log, or with one that is there already."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from contract.errors import ConfigurationError
from contract.native import NativeEngine
from phase6_wal.errors import LogDamagedError, LogError, LogNotOpenedError
from phase6_wal.names import SEGMENT_SUFFIX, SNAPSHOT_SUFFIX, sequence_of
from phase6_wal.native import LogOptions, LogWriter, PosixStorage, Storage, check_no_writer
from phase6_wal.native_book import DrivenBooks, check_books
from phase6_wal.recovery import Dropped, recover_log
from phase6_wal.replay import EngineMaker, Progress, choose_snapshot, replay_from
from phase6_wal.segments import place_of
from phase6_wal.snapshots import (
    BookImage,
    Snapshot,
    SnapshotBook,
    Snapshotter,
    set_aside,
    write_snapshot,
)

#: Commands between two marks. A mark hashes all books, about 25 ns an order.
MARK_EVERY: Final = 65_536
#: A mark is left out unless so many commands an order have gone since the last one: hashing then
#: never costs more than a few nanoseconds a command, however many orders rest.
COMMANDS_AN_ORDER: Final = 8

Directory = str | os.PathLike[str]


@dataclass(frozen=True)
class Upkeep:
    """What is done beside the matching.

    Attributes:
        snapshot_every: commands between two snapshots; 0: on demand alone.
        mark_every: commands between two marks; 0: none.
        keep: snapshots that are kept, beside the first of all.
        trim: let go of segments that no kept snapshot needs. Then there is no way back to the
            log's beginning.
        how: how snapshots are taken: ``"fork"``, ``"copy"``, or ``"auto"`` (None: what suits the
            disk); see ``Snapshotter``.
    """

    snapshot_every: int = 0
    mark_every: int = MARK_EVERY
    keep: int = 2
    trim: bool = False
    how: str | None = None

    def __post_init__(self) -> None:
        for field, least in (("snapshot_every", 0), ("mark_every", 0), ("keep", 1)):
            value = getattr(self, field)
            if not least <= value < 2**62:
                raise ConfigurationError(f"{field} {value} is not {least} to 2**62 - 1")


class Recovery(NamedTuple):
    """What opening a log found and did.

    Attributes:
        sequence: of the last command recovered.
        snapshot_sequence: of the snapshot that the replay began with.
        commands: replayed.
        marks_checked: marks that the replay came by, and agreed with.
        dropped: what was cut off the log's end, if anything.
        seconds: reading the log, judging and cutting it; and replaying it.
    """

    sequence: int
    snapshot_sequence: int
    commands: int
    marks_checked: int
    dropped: Dropped | None
    seconds: float


class Parts(NamedTuple):
    """What a durable engine is put together from."""

    engines: list[NativeEngine]
    log: LogWriter
    books: DrivenBooks
    snapshots: Snapshotter
    snapshot_sequence: int = 0
    recovery: Recovery | None = None


def begin(
    house: ExitStack,
    directory: Directory | Storage,
    engines: Sequence[NativeEngine],
    options: LogOptions,
    upkeep: Upkeep,
) -> Parts:
    """A new log for empty books; ``house`` closes what it stands on.

    The snapshot of the empty books is made first. A crash before the first segment is there leaves
    a log without a command, which opens as such.
    """
    check_books(engines)
    used = [engine.instrument for engine in engines if engine.event_sequence or len(engine)]
    if used:
        raise ConfigurationError(f"the book of instrument {used[0]} is not as it was made")
    options = replace(options, log_id=options.log_id or secrets.randbits(63) + 1)
    options.in_c()  # raises before anything is written
    storage = _enter(house, directory)
    with _opening(directory, "list"):
        names = storage.list()
    numbered = [
        name
        for name in names
        if any(
            sequence_of(name, suffix) is not None for suffix in (SEGMENT_SUFFIX, SNAPSHOT_SUFFIX)
        )
    ]
    if numbered:
        where = directory if not isinstance(directory, Storage) else "the storage"
        raise LogError(f"{where}: {numbered[0]}: there is a log already; open it")
    ordered = sorted(engines, key=lambda engine: engine.instrument)
    images = tuple(image_of(engine) for engine in ordered)
    write_snapshot(storage, Snapshot(0, 0, options.log_id, 0, images))
    log = LogWriter(storage, options)
    house.callback(log.abandon)
    return Parts(ordered, log, *_drive(house, ordered, log, upkeep, 0))


def _drive(
    house: ExitStack,
    engines: list[NativeEngine],
    log: LogWriter,
    upkeep: Upkeep,
    event_crc: int,
) -> tuple[DrivenBooks, Snapshotter]:
    """What works with the books while they are behind the log."""
    books = DrivenBooks(
        engines,
        log,
        mark_every=upkeep.mark_every,
        sequence=log.sequence,
        event_crc=event_crc,
    )
    house.callback(books.close)
    sources = [SnapshotBook.of(*pair) for pair in zip(engines, books.lent, strict=True)]
    snapshots = Snapshotter(
        log.storage, sources, log_id=log.log_id, keep=upkeep.keep, how=upkeep.how
    )
    house.callback(snapshots.close)
    return books, snapshots


def recover(
    house: ExitStack,
    directory: Directory | Storage,
    engine_class: EngineMaker,
    upkeep: Upkeep,
    *,
    durability: str | None,
    log_options: dict[str, Any],
    accept_loss: bool,
    progress: Progress | None,
) -> Parts:
    """A log that is there, cut where it ends, and the books as they were there."""
    storage = _enter(house, directory)
    with _opening(directory, "read"):
        snapshot, useless = choose_snapshot(storage, accept_loss=accept_loss)
    found = recover_log(
        storage, content="commands", since=snapshot.sequence, accept_loss=accept_loss
    )
    if found.log_id not in (0, snapshot.log_id):
        raise LogDamagedError(
            place_of(storage, found.segments[0].name),
            "header",
            "log_id",
            f"{found.log_id:#x}",
            f"{snapshot.log_id:#x}, as in the snapshot",
        )
    with _opening(directory, "rename"):
        set_aside(storage, useless)
    again = replay_from(storage, snapshot, engine_class, progress=progress)
    for engine in again.engines:
        house.callback(engine.close)
    promise = durability or found.durability or LogOptions.durability
    options = LogOptions(**{**log_options, "durability": promise, "log_id": snapshot.log_id})
    log = LogWriter(storage, options, found.position)
    house.callback(log.abandon)
    recovery = Recovery(
        again.sequence,
        again.start,
        again.commands,
        again.marks_checked,
        found.dropped,
        found.seconds + again.seconds,
    )
    books, snapshots = _drive(house, again.engines, log, upkeep, again.event_crc)
    return Parts(again.engines, log, books, snapshots, again.start, recovery)


def _enter(house: ExitStack, directory: Directory | Storage) -> Storage:
    """The storage, ours to write to until ``house`` closes.

    Raises:
        LogInUseError: it is another's.
        LogNotOpenedError: the directory cannot be made, read or locked.
    """
    if isinstance(directory, Storage):
        storage = directory
        check_no_writer(storage)
    else:
        with _opening(directory, "open"):
            storage = PosixStorage(directory)
        house.callback(storage.close)
    with _opening(directory, "lock"):
        storage.lock()
    house.callback(storage.unlock)
    return storage


@contextmanager
def _opening(directory: Directory | Storage, call: str) -> Iterator[None]:
    """Say of an error of the system's which log could not be opened."""
    try:
        yield
    except OSError as error:
        if isinstance(directory, Storage):
            directory = getattr(directory, "directory", "")
        where = Path(directory)
        path = Path(os.fsdecode(error.filename or where))
        if where not in (path, *path.parents) and path not in where.parents:
            path = where / path
        raise LogNotOpenedError(call, str(path), error.errno or 0) from error


def scratch_directory(house: ExitStack) -> str:
    """A directory that goes when ``house`` closes; a fork of this process leaves it alone."""
    directory = tempfile.mkdtemp(prefix="matchbook-log-")
    house.callback(_remove, directory, os.getpid())
    return directory


def _remove(directory: str, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(directory, ignore_errors=True)


def image_of(engine: NativeEngine) -> BookImage:
    """A book as a snapshot has it. O(orders)."""
    return BookImage(
        engine.instrument, engine.min_price, engine.max_price, engine.capacity, engine.snapshot()
    )
