"""A log's segments, one by one: what stands in each, and whether it continues the one before.

Nothing is changed here, and nothing is judged: what it means for the log as a whole is
``recovery.py``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from phase6_wal.errors import RecoveryFailedError
from phase6_wal.names import SEGMENT_SUFFIX, sequence_of
from phase6_wal.native import CONTENTS, HEADER_BYTES, SLOT_BYTES
from phase6_wal.native_scan import (
    ANYTHING,
    EMPTY,
    FIRST_SEQUENCE,
    NOT_THE_NEXT,
    STALE,
    Expect,
    Fault,
    Scanned,
    SegmentScan,
    content_name,
    durability_name,
)

#: What is read at once: about a megabyte, and whole slots.
PIECE_BYTES: Final = (1 << 20) // SLOT_BYTES * SLOT_BYTES
#: Called with the bytes that have been read, and with how many there are in all.
Progress = Callable[[int, int], None]


class Readable(Protocol):
    """What reading needs of a storage (``native.Storage``)."""

    def list(self) -> list[str]:
        """The names of all files, in order."""

    def open(self, name: str) -> tuple[int, int]:
        """A file's number, and its size."""

    def read(self, file: int, offset: int, size: int) -> Any:
        """Bytes of a file."""

    def close_file(self, file: int) -> None:
        """Give a file's number back."""


@dataclass(frozen=True)
class SegmentInfo:
    """What stands in a segment's file.

    Attributes:
        name: the file's.
        file_bytes: how long it is; ``bytes`` is what its header says.
        scanned: counts, sequences, chain, and what lies behind the valid records.
        header: what is wrong with the header; then there are no valid records.
        tail: why the first slot that is not valid is not; None: the segment is full.
        breaks: what does not fit the segment before, or the file's name; the header is good then.
    """

    name: str
    file_bytes: int
    scanned: Scanned
    header: Fault | None
    tail: Fault | None
    breaks: Fault | None

    def __getattr__(self, field: str) -> int:
        """Any count or number of ``scanned``: records, marks, sequence, end, chain, salt, …"""
        if field in Scanned._fields:
            return int(getattr(self.scanned, field))
        raise AttributeError(f"{type(self).__name__} has no {field}")

    @property
    def content(self) -> str:
        """``"commands"`` or ``"events"``."""
        return content_name(self.scanned.content)

    @property
    def durability(self) -> str:
        """What its writer promised."""
        return durability_name(self.scanned.durability)

    @property
    def slots(self) -> int:
        """How many records it has room for; 0 where the header cannot be read."""
        return 0 if self.header else (self.scanned.bytes - HEADER_BYTES) // SLOT_BYTES

    @property
    def reason(self) -> str:
        """The name of the field that is wrong first, ``empty``, ``stale``, or ``""`` for none."""
        fault = self.header or self.breaks or self.tail
        return fault.field if fault else ""

    @property
    def found(self) -> object:
        """What stands in that field."""
        fault = self.header or self.breaks or self.tail
        return fault.value if fault else 0

    @property
    def expected(self) -> object:
        """What should."""
        fault = self.header or self.breaks or self.tail
        return fault.right if fault else 0

    @property
    def is_whole(self) -> bool:
        """Whether the file is as long as its header says, and nothing but free slots is behind."""
        return (
            self.header is None
            and self.file_bytes == self.scanned.bytes
            and (self.tail is None or self.tail.reason in (EMPTY, STALE))
            and self.scanned.later == self.scanned.torn == 0
        )

    @property
    def is_blank(self) -> bool:
        """Whether the header cannot be read, and there is not a byte behind it."""
        return self.header is not None and self.scanned.written_tail == 0

    @property
    def to_continue(self) -> Expect:
        """What the segment after this one has to continue."""
        s = self.scanned
        return Expect(s.log_id, s.number, s.sequence, s.chain, s.content)


class Reading:
    """A file that is open, and who is told how far it has been read."""

    def __init__(
        self, storage: Readable, name: str, progress: Callable[[int], None] | None = None
    ) -> None:
        self._storage = storage
        self._name = name
        self._progress = progress
        self._file, self.bytes = self._call("open", 0, storage.open, name)

    def _call(self, what: str, offset: int, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except OSError as error:
            raise RecoveryFailedError(what, self._name, offset, error.errno or 0) from error

    def header(self) -> Any:
        return self._read(0, min(HEADER_BYTES, self.bytes))

    def pieces(self) -> Iterator[Any]:
        for offset in range(HEADER_BYTES, self.bytes, PIECE_BYTES):
            yield self.piece(offset)

    def piece(self, offset: int) -> Any:
        return self._read(offset, min(PIECE_BYTES, self.bytes - offset))

    def _read(self, offset: int, size: int) -> Any:
        data = self._call("read", offset, self._storage.read, self._file, offset, size)
        if self._progress:
            self._progress(size)
        return data

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._storage.close_file(self._file)


def segment_names(storage: Readable) -> list[str]:
    """The names of a log's segments, in order."""
    return [name for name in storage.list() if sequence_of(name, SEGMENT_SUFFIX) is not None]


def scan_file(
    storage: Readable,
    name: str,
    expect: Expect = ANYTHING,
    progress: Callable[[int], None] | None = None,
) -> SegmentInfo:
    """All about one segment, and whether it is what ``expect`` says. O(bytes).

    Raises:
        RecoveryFailedError: it cannot be read.
    """
    with Reading(storage, name, progress) as reading:
        header = reading.header()
        scan = SegmentScan(header, reading.bytes, expect)
        fault, breaks = scan.fault, None
        if fault and fault.reason in NOT_THE_NEXT:
            scan = SegmentScan(header, reading.bytes, Expect(content=expect.content))
            # Where it is still at fault, that is a 0 in the header, and no order of segments.
            fault, breaks = scan.fault, None if scan.fault else fault
        if fault:
            scan.salvage()
        for piece in reading.pieces():
            scan.feed(piece)
        if not fault:
            scan.end()
        found = scan.scanned()
        by_name = sequence_of(name, SEGMENT_SUFFIX)
        if not fault and not breaks and by_name != found.first_sequence:
            breaks = Fault(FIRST_SEQUENCE, found.first_sequence, by_name or 0)
        return SegmentInfo(name, reading.bytes, found, fault, None if fault else scan.fault, breaks)


def scan_log(
    storage: Readable,
    names: Sequence[str] | None = None,
    content: str | None = None,
    progress: Progress | None = None,
) -> list[SegmentInfo]:
    """All about a log's segments (or those of ``names``), in order; damage is no error here.

    Args:
        content: what the log should hold; None: what its first readable segment does.

    Raises:
        RecoveryFailedError: a file cannot be read.
    """
    names = segment_names(storage) if names is None else names
    advance = _counted(storage, names, progress)
    expect = Expect(content=CONTENTS[content] if content else 0)
    infos: list[SegmentInfo] = []
    for name in names:
        infos.append(scan_file(storage, name, expect, advance))
        if infos[-1].header is None:
            expect = infos[-1].to_continue
    return infos


def _counted(
    storage: Readable, names: Sequence[str], progress: Progress | None
) -> Callable[[int], None] | None:
    if progress is None:
        return None
    total = 0
    for name in names:
        with Reading(storage, name) as reading:
            total += reading.bytes
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress(done, total)

    return advance


def first_of(name: str) -> int:
    """The first sequence that a segment of that name may hold."""
    return sequence_of(name, SEGMENT_SUFFIX) or 0


def place_of(storage: Readable, name: str) -> object:
    """A file's path where the storage has a directory, for messages."""
    directory = getattr(storage, "directory", None)
    return Path(directory) / name if directory else name
