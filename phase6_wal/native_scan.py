"""Reading segments, from Python: a scan in C, and the records that it has found valid."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Self

import numpy as np

from contract.records import COMMAND_DTYPE, EVENT_DTYPE, RecordArray
from phase6_wal._wal import ffi, lib
from phase6_wal.native import CONTENTS, DURABILITIES, SLOT_BYTES, LogMark

GOOD: Final = int(lib.SCAN_GOOD)
SHORT: Final = int(lib.SCAN_SHORT)
EMPTY: Final = int(lib.SCAN_EMPTY)
STALE: Final = int(lib.SCAN_STALE)
MARK_CHAIN: Final = int(lib.SCAN_MARK_CHAIN)
FIRST_SEQUENCE: Final = int(lib.SCAN_FIRST_SEQUENCE)
LOG_ID: Final = int(lib.SCAN_LOG_ID)
#: What says that a segment is none of this log's, or not the next one; not that it is damaged.
NOT_THE_NEXT: Final = (LOG_ID, int(lib.SCAN_NUMBER), FIRST_SEQUENCE, int(lib.SCAN_CHAIN))
_CONTENT_NAMES: Final = {number: name for name, number in CONTENTS.items()}
_DURABILITY_NAMES: Final = {number: name for name, number in DURABILITIES.items()}

#: Where the field that a reason is about stands, in the header or in the record.
_OFFSETS: Final = {
    "magic": 0,
    "version": 12,
    "content": 14,
    "first_sequence": 16,
    "number": 24,
    "log_id": 32,
    "bytes": 40,
    "salt": 48,
    "durability": 56,
    "length": 4,
    "kind": 6,
    "zero": 7,
    "durable": 8,
    "sequence": 16,
}


class Hex(int):
    """A whole number that is read in hexadecimal: a checksum, an id."""

    def __repr__(self) -> str:
        return f"{int(self):#x}"


class Fault(NamedTuple):
    """Why a segment, or the record at its end, is not valid.

    Attributes:
        reason: of c/log_scan.h.
        found: what stands in the field.
        expected: what should.
    """

    reason: int
    found: int
    expected: int

    @property
    def field(self) -> str:
        """The name of the field in c/log_format.h; ``empty`` and ``stale`` are of whole records."""
        return str(ffi.string(lib.scan_field(self.reason)).decode())

    @property
    def offset(self) -> int:
        """Of the field in its header or its record."""
        if self.reason == MARK_CHAIN:
            return 44
        if self.reason == lib.SCAN_CHAIN:
            return 52
        if self.reason == lib.SCAN_HEADER_CRC:
            return 8
        return 0 if self.reason == SHORT else _OFFSETS.get(self.field, 0)

    @property
    def value(self) -> object:
        """``found`` as one reads it."""
        return self._readable(self.found)

    @property
    def right(self) -> object:
        """``expected`` as one reads it."""
        return self._readable(self.expected)

    def _readable(self, number: int) -> object:
        if self.field == "magic":
            return number.to_bytes(8, "little")
        if self.field in ("crc", "chain", "salt", "log_id"):
            return Hex(number)
        return number


class Expect(NamedTuple):
    """What a segment has to continue; ``log_id`` 0: anything. ``content`` 0: any."""

    log_id: int = 0
    number: int = 0
    sequence: int = 0
    chain: int = 0
    content: int = 0


ANYTHING: Final = Expect()


class Scanned(NamedTuple):
    """What a scan has found so far: scan_result in c/log_scan.h."""

    records: int
    marks: int
    first_sequence: int
    sequence: int
    marked: int
    durable: int
    end: int
    chain: int
    reason: int
    found: int
    expected: int
    later: int
    later_offset: int
    later_sequence: int
    later_durable: int
    torn: int
    written_tail: int
    number: int
    log_id: int
    bytes: int
    salt: int
    content: int
    durability: int


class SegmentScan:
    """A scan of one segment, a piece at a time. O(bytes), all in C.

    Args:
        header: the file's first 4,096 bytes, or all of a shorter one.
        file_bytes: how long the file is.
    """

    def __init__(self, header: Any, file_bytes: int, expect: Expect = ANYTHING) -> None:
        self._result: Any = ffi.new("scan_result *")
        wanted = ffi.new("scan_expect *", expect)
        lib.scan_header(ffi.from_buffer(header), file_bytes, wanted, self._result)

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the header, or with the first record that is not valid."""
        r = self._result
        return Fault(r.reason, r.found, r.expected) if r.reason != GOOD else None

    def is_over(self) -> bool:
        """Whether the valid records have ended, or never began."""
        return bool(self._result.reason != GOOD)

    @property
    def records(self) -> int:
        """Valid ones so far, marks too."""
        return int(self._result.records)

    @property
    def sequence(self) -> int:
        """Of the last valid record so far."""
        return int(self._result.sequence)

    @property
    def chain(self) -> int:
        """After the last valid record so far."""
        return int(self._result.chain)

    def feed(self, slots: Any) -> None:
        """Go on with the next bytes of the file: whole slots, but for a file's cut end."""
        memory = ffi.from_buffer(slots)
        lib.scan_slots(memory, len(memory), self._result)

    def end(self) -> None:
        """All of the file has been given."""
        lib.scan_end(self._result)

    def salvage(self) -> None:
        """Behind a bad header: look for records right under the salt that stands in it."""
        lib.scan_salvage(self._result)

    def copy(self) -> Self:
        """The scan as it stands, to come back to."""
        other = object.__new__(type(self))
        other._result = ffi.new("scan_result *", self._result[0])
        return other

    def scanned(self) -> Scanned:
        """All that is known."""
        r = self._result
        return Scanned(*(getattr(r, name) for name in Scanned._fields))


def content_name(content: int) -> str:
    """``"commands"`` or ``"events"``; ``""`` for what is neither."""
    return _CONTENT_NAMES.get(content, "")


def durability_name(durability: int) -> str:
    """One of ``DURABILITIES``; ``""`` for what is none."""
    return _DURABILITY_NAMES.get(durability, "")


def split_records(
    slots: Any, count: int, content: str
) -> tuple[RecordArray, list[tuple[int, LogMark]]]:
    """The bodies of ``count`` valid slots, and the marks among them. O(count).

    Returns:
        The commands (or events), shape (n,); and each mark with the number of them before it.
    """
    memory = ffi.from_buffer(slots)
    if not 0 <= count * SLOT_BYTES <= len(memory):
        raise ValueError(f"{count} slots are not within {len(memory)} bytes")
    bodies = np.empty(count, COMMAND_DTYPE if content == "commands" else EVENT_DTYPE)
    mark_count = ffi.new("size_t *")
    to = ffi.from_buffer(bodies) if count else ffi.NULL
    taken = lib.scan_bodies(memory, count, to, ffi.NULL, ffi.NULL, mark_count)
    if not mark_count[0]:
        return bodies, []
    marks = ffi.new("log_mark[]", mark_count[0])
    positions = ffi.new("uint64_t[]", mark_count[0])
    lib.scan_bodies(memory, count, to, marks, positions, mark_count)
    named = [(int(positions[i]), _named_mark(marks[i])) for i in range(mark_count[0])]
    return bodies[:taken], named


def _named_mark(mark: Any) -> LogMark:
    return LogMark(
        event_sequence=int(mark.event_sequence),
        orders=int(mark.orders),
        event_crc=int(mark.event_crc),
        state_hash=bytes(mark.state_hash),
        sequence=int(mark.sequence),
        chain=int(mark.chain),
    )
