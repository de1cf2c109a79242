"""Snapshots: the state of all books after one command, and how one is found again.

The format is the head comment of ``c/snapshot.h``. ``Snapshotter`` takes them beside a running
engine; the functions here write and read a whole one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contract import canonical
from contract.engine import check_limits
from contract.errors import SnapshotError
from phase6_wal.errors import LogDamagedError, SnapshotFailedError
from phase6_wal.names import SNAPSHOT_SUFFIX, sequence_of, snapshot_name
from phase6_wal.native import Storage
from phase6_wal.native_snapshot import (
    SnapshotBook,
    SnapshotEntry,
    SnapshotFault,
    SnapshotHead,
    Snapshotter,
    TakenSnapshot,
    find_fault,
    read_head,
    write_file,
)

__all__ = [
    "BookImage",
    "Snapshot",
    "SnapshotBook",
    "Snapshotter",
    "TakenSnapshot",
    "newest_snapshot",
    "read_snapshot",
    "remove_older",
    "set_aside",
    "snapshot_names",
    "write_snapshot",
]

#: What a snapshot that is not valid is called when it is put out of the way.
DAMAGED_SUFFIX: Final = ".damaged"

_LAST_SEQUENCE: Final = 2**64 - 2
_EXPECTED: Final = {
    "size": "{0} bytes or more",
    "magic": "MBSNAP",
    "books": "1 to {0}",
    "instrument": "{0} or more: instruments ascend",
    "image bytes": "32, and 40 for each order, {0} at most",
    "limits": "what a book can have",
}


@dataclass(frozen=True)
class BookImage:
    """One book: what it is made again with, and its canonical image (CONTRACT 6)."""

    instrument: int
    min_price: int
    max_price: int
    capacity: int
    image: bytes

    @property
    def state_hash(self) -> str:
        """The hash of its state. O(orders)."""
        return canonical.image_hash(self.image)


@dataclass(frozen=True)
class Snapshot:
    """All books after command ``sequence``.

    Attributes:
        sequence: of the last command in it; 0: before the first.
        chain: of the log there (``c/log_format.h``).
        log_id: of its log.
        event_crc: CRC-32C over all events so far.
        books: in the order of their instruments.
    """

    sequence: int
    chain: int
    log_id: int
    event_crc: int
    books: tuple[BookImage, ...]


def write_snapshot(storage: Storage, snapshot: Snapshot) -> str:
    """Write a snapshot and return its name. It is on the disk, and verified, before it has it.

    Raises:
        SnapshotError: an image is none of such a book, or the books are not in order.
        SnapshotFailedError: the storage failed.
    """
    numbers = [book.instrument for book in snapshot.books]
    if not numbers or numbers != sorted(set(numbers)):
        raise SnapshotError(f"snapshot: instruments {numbers[:8]} do not ascend")
    for book in snapshot.books:
        _check_image(book)
    head = SnapshotHead(
        snapshot.sequence,
        snapshot.log_id,
        snapshot.chain,
        snapshot.event_crc,
        tuple(
            SnapshotEntry(book.instrument, book.min_price, book.max_price, book.capacity)
            for book in snapshot.books
        ),
    )
    write_file(storage, head, [book.image for book in snapshot.books])
    return snapshot_name(snapshot.sequence)


def read_snapshot(storage: Storage, name: str) -> Snapshot:
    """Read a snapshot and judge every byte of it. O(bytes).

    Raises:
        LogDamagedError: it is not valid; says where and why.
        OSError: it cannot be read.
        ValueError: the name is no snapshot's.
    """
    sequence = sequence_of(name, SNAPSHOT_SUFFIX)
    if sequence is None:
        raise ValueError(f"{name!r} is not the name of a snapshot")
    if sequence > _LAST_SEQUENCE:
        raise LogDamagedError(_path(storage, name), "name", "sequence", sequence, "one of 64 bits")
    data = storage.read_file(name)
    fault = find_fault(data, sequence)
    if fault is not None:
        raise _damage(storage, name, fault)
    head = read_head(data)
    books = tuple(
        BookImage(
            entry.instrument,
            entry.min_price,
            entry.max_price,
            entry.capacity,
            bytes(memoryview(data)[entry.offset : entry.offset + entry.bytes]),
        )
        for entry in head.entries
    )
    for entry, book in zip(head.entries, books, strict=True):
        try:
            _check_image(book)
        except SnapshotError as error:
            raise LogDamagedError(
                _path(storage, name),
                f"offset {entry.offset}",
                f"image of instrument {entry.instrument}",
                str(error),
                "an image that a book with these limits accepts",
            ) from error
    return Snapshot(head.sequence, head.chain, head.log_id, head.event_crc, books)


def snapshot_names(storage: Storage) -> list[str]:
    """The names of the snapshots that are there, oldest first."""
    return [name for name in storage.list() if sequence_of(name, SNAPSHOT_SUFFIX) is not None]


def newest_snapshot(
    storage: Storage, at_most: int | None = None
) -> tuple[Snapshot | None, list[tuple[str, LogDamagedError | OSError]]]:
    """The newest valid snapshot, and those that were skipped to come to it, with the reason.

    Args:
        at_most: of this sequence or before; None: any.

    None as the first: there is no valid one, not even number 0.
    """
    skipped: list[tuple[str, LogDamagedError | OSError]] = []
    for name in reversed(snapshot_names(storage)):
        sequence = sequence_of(name, SNAPSHOT_SUFFIX)
        if at_most is not None and sequence is not None and sequence > at_most:
            continue
        try:
            return read_snapshot(storage, name), skipped
        except (LogDamagedError, OSError) as error:
            skipped.append((name, error))
    return None, skipped


def remove_older(storage: Storage, sequence: int) -> None:
    """Remove the snapshots before one of that sequence: number 0 too.

    Raises:
        SnapshotFailedError: the storage failed.
    """
    try:
        for name in snapshot_names(storage):
            older = sequence_of(name, SNAPSHOT_SUFFIX)
            if older is not None and older < sequence:
                storage.remove(name)
        storage.sync_directory()
    except OSError as error:
        raise SnapshotFailedError(sequence, "remove", 0, error.errno or 0) from error


def set_aside(storage: Storage, names: Sequence[str]) -> list[str]:
    """Put snapshots that are of no use out of the way, and say what they are called now.

    A damaged one would be counted among those that are kept, and one that is ahead of a log that
    was cut would one day stand for a command that was another's.

    Raises:
        OSError: the storage failed.
    """
    aside = [name + DAMAGED_SUFFIX for name in names]
    for name, other in zip(names, aside, strict=True):
        storage.rename(name, other)
    if names:
        storage.sync_directory()
    return aside


def _check_image(book: BookImage) -> None:
    check_limits(book.instrument, book.min_price, book.max_price, book.capacity)
    canonical.check_image(
        book.image,
        instrument=book.instrument,
        min_price=book.min_price,
        max_price=book.max_price,
        capacity=book.capacity,
    )


def _damage(storage: Storage, name: str, fault: SnapshotFault) -> LogDamagedError:
    book = f"book {fault.book}: " if fault.offset >= 64 else ""
    expected = _EXPECTED.get(fault.field, "{0}").format(fault.expected)
    return LogDamagedError(
        _path(storage, name), f"offset {fault.offset}", book + fault.field, fault.found, expected
    )


def _path(storage: Storage, name: str) -> str:
    directory = getattr(storage, "directory", None)
    return str(directory / name) if directory is not None else name
