"""Cutting a log where it ends: what lies behind goes, and what of it is whole is kept aside.

Nothing before the end is touched. First what is kept is safe under its own name, then later
segments go, then the tail becomes zeros: a power cut between any two of them leaves a log that ends
at the same place, and can be cut again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from phase6_wal.errors import RecoveryFailedError
from phase6_wal.names import LOST_SUFFIX, TEMPORARY_SUFFIX
from phase6_wal.native import HEADER_BYTES, SLOT_BYTES
from phase6_wal.segments import PIECE_BYTES, Readable, SegmentInfo, first_of


class Writable(Readable, Protocol):
    """What a cut needs of a storage (``native.Storage``)."""

    def create(self, name: str, size: int) -> int:
        """Make a file; its number."""

    def write(self, file: int, offset: int, data: Any) -> None:
        """Write bytes into a file."""

    def sync(self, file: int) -> None:
        """Contents onto the disk."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""

    def remove(self, name: str) -> None:
        """Take a file away."""

    def sync_directory(self) -> None:
        """Names onto the disk."""

    def lock(self) -> None:
        """Become the one that writes here."""

    def unlock(self) -> None:
        """Let others write."""


def cut_log(
    storage: Writable, last: SegmentInfo | None, behind: Sequence[SegmentInfo]
) -> tuple[str, ...]:
    """Cut the tail of ``last`` off, and all segments behind it; the names of what is kept aside.

    Raises:
        RecoveryFailedError: the storage failed; nothing that was valid is lost.
    """
    kept = []
    with _named(last.name if last else "."):
        if last and last.later:
            kept.append(_keep_tail(storage, last))
    for info in behind:
        with _named(info.name):
            if info.records or info.later or not (info.is_blank or info.header is None):
                kept.append(_free_name(storage, first_of(info.name)))
                storage.rename(info.name, kept[-1])
            else:
                storage.remove(info.name)
    with _named(last.name if last else "."):
        if behind:
            storage.sync_directory()
        if last and last.file_bytes < last.bytes:
            _write_again(storage, last)
        elif last and last.written_tail:
            _fill_with_zeros(storage, last)
    return tuple(kept)


def remove_unfinished(storage: Writable) -> None:
    """Remove files that somebody was making when it ended: they are of no log."""
    for name in storage.list():
        if name.endswith(TEMPORARY_SUFFIX):
            storage.remove(name)


def _keep_tail(storage: Writable, last: SegmentInfo) -> str:
    whole = -(-last.written_tail // SLOT_BYTES) * SLOT_BYTES
    size = HEADER_BYTES + min(whole, last.file_bytes - last.end)
    made = f"{last.sequence + 1:020d}{LOST_SUFFIX}{TEMPORARY_SUFFIX}"
    ranges = ((0, 0, HEADER_BYTES), (last.end, HEADER_BYTES, size - HEADER_BYTES))
    _copy(storage, last.name, made, size, ranges)
    before = _same_as(storage, made, last.sequence + 1)
    if before:  # a recovery was cut off after it had kept this, and before it cut
        storage.remove(made)
        return before
    name = _free_name(storage, last.sequence + 1)
    storage.rename(made, name)
    storage.sync_directory()
    return name


def _write_again(storage: Writable, last: SegmentInfo) -> None:
    """The valid part of a file that has become too short, in one of the right size."""
    made = last.name + TEMPORARY_SUFFIX
    _copy(storage, last.name, made, last.bytes, ((0, 0, last.end),))
    storage.rename(made, last.name)
    storage.sync_directory()


def _fill_with_zeros(storage: Writable, last: SegmentInfo) -> None:
    stop = last.end + last.written_tail
    with _opened(storage, last.name) as file:
        for offset in range(last.end, stop, PIECE_BYTES):
            storage.write(file, offset, bytes(min(PIECE_BYTES, stop - offset)))
        storage.sync(file)


def _copy(
    storage: Writable, name: str, made: str, size: int, ranges: Sequence[tuple[int, int, int]]
) -> None:
    """A new file of ``size`` with ranges (from, to, bytes) of another one, synced."""
    if made in storage.list():
        storage.remove(made)
    to = storage.create(made, size)
    try:
        with _opened(storage, name) as file:
            for start, at, count in ranges:
                for done in range(0, count, PIECE_BYTES):
                    data = storage.read(file, start + done, min(PIECE_BYTES, count - done))
                    storage.write(to, at + done, data)
        storage.sync(to)
    finally:
        storage.close_file(to)


def _same_as(storage: Writable, made: str, sequence: int) -> str:
    """The name of a file that was kept before and holds the very same; ``""``: none."""
    beginning = f"{sequence:020d}."
    for name in storage.list():
        is_older = name.startswith(beginning) and name.endswith(LOST_SUFFIX)
        if is_older and _contents(storage, name) == _contents(storage, made):
            return name
    return ""


def _contents(storage: Readable, name: str) -> bytes:
    file, size = storage.open(name)
    try:
        return bytes(storage.read(file, 0, size))
    finally:
        storage.close_file(file)


def _free_name(storage: Writable, sequence: int) -> str:
    taken, n = set(storage.list()), 1
    name = f"{sequence:020d}{LOST_SUFFIX}"
    while name in taken:
        n += 1
        name = f"{sequence:020d}.{n}{LOST_SUFFIX}"
    return name


@contextmanager
def _opened(storage: Readable, name: str) -> Iterator[int]:
    file, _ = storage.open(name)
    try:
        yield file
    finally:
        storage.close_file(file)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecoveryFailedError(
            "recovery", error.filename or name, 0, error.errno or 0
        ) from error
