"""The C of ``c/itch.h`` for numpy: a whole buffer in one call.

Nothing here judges: what is wrong with a buffer stands in the :class:`Tally` of the call. For
errors, files and readable messages see ``decode.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from phase5_protocol._protocol import ffi, lib
from phase5_protocol.itch.layouts import LAYOUTS

#: A message with its length takes at least so many bytes.
LEAST_BYTES: Final = 2 + min(layout.length for layout in LAYOUTS.values())
#: What :func:`records` writes: c/itch.h draws it. Texts are as they came, with their spaces.
RECORD_DTYPE: Final = np.dtype(
    [
        ("timestamp_ns", "u8"),
        ("reference", "u8"),
        ("new_reference", "u8"),
        ("match_number", "u8"),
        ("stock", "S8"),
        ("shares", "u4"),
        ("price", "u4"),
        ("attribution", "S4"),
        ("at", "u4"),
        ("stock_locate", "u2"),
        ("tracking_number", "u2"),
        ("type", "S1"),
        ("side", "S1"),
        ("printable", "S1"),
        ("reserved", "u1"),
    ]
)

Table = npt.NDArray[np.void]
Tables = Mapping[str, Table]

_NO_ROWS: Final = {letter: np.zeros(0, layout.dtype) for letter, layout in LAYOUTS.items()}
_NO_BYTES: Final = {letter: np.zeros(0, layout.wire_dtype) for letter, layout in LAYOUTS.items()}
_LETTERS: Final = tuple(LAYOUTS)


class Flag(IntFlag):
    """How to walk over a stream."""

    NONE = 0
    TOLERANT = lib.ITCH_TOLERANT  # pass over what has a wrong type or length
    BLOCKS = lib.ITCH_BLOCKS  # the blocks of a packet: a length of 0 is wrong, and no end
    LAST = lib.ITCH_LAST  # nothing follows: half a message is an error


class Status(IntEnum):
    """How a walk ended; below 0, at an error."""

    OK = lib.ITCH_OK
    ENDED = lib.ITCH_ENDED
    FULL = lib.ITCH_FULL
    UNKNOWN_TYPE = lib.ITCH_UNKNOWN_TYPE
    WRONG_LENGTH = lib.ITCH_WRONG_LENGTH
    CUT_SHORT = lib.ITCH_CUT_SHORT
    AFTER_END = lib.ITCH_AFTER_END


@dataclass(frozen=True)
class Tally:
    """What one call did.

    ``consumed + left`` is the size of the buffer, and ``consumed`` is 2 bytes and the length of
    each message, ``skipped``, and 2 for the mark of an end.

    Attributes:
        messages: right ones.
        consumed: bytes done with; if the status is an error, it lies here.
        left: bytes behind those.
        unknown_types, wrong_lengths: messages passed over.
        skipped: bytes passed over.
        counts: right messages of each type that came.
    """

    status: Status
    messages: int
    consumed: int
    left: int
    unknown_types: int
    wrong_lengths: int
    skipped: int
    counts: dict[str, int]

    @property
    def frames(self) -> int:
        """Messages, right or wrong: how far a sequence number has come."""
        return self.messages + self.unknown_types + self.wrong_lengths


def scan(data: Any, flags: Flag = Flag.NONE) -> Tally:
    """Check and count the messages in any bytes-like ``data``. O(bytes), nothing is allocated."""
    source, tally = ffi.from_buffer("uint8_t[]", data), ffi.new("itch_tally *")
    lib.itch_scan(source, len(source), flags, tally)
    return _read(tally, len(source))


def decode(data: Any, flags: Flag = Flag.NONE, first_index: int = 0) -> tuple[Tally, Tables]:
    """Decode all messages: for each letter an array of :attr:`Layout.dtype`, empty if none came.

    Args:
        first_index: ``index`` of the first message.

    O(bytes): two walks, one to count, one to decode.
    """
    return _fill(data, flags, first_index, lib.itch_decode, _NO_ROWS)


def split(data: Any, flags: Flag = Flag.NONE) -> tuple[Tally, Tables]:
    """Sort messages by type: for each letter an array of :attr:`Layout.wire_dtype`. O(bytes)."""
    return _fill(data, flags, 0, lib.itch_split, _NO_BYTES)


def records(data: Any, flags: Flag = Flag.NONE, *, capacity: int) -> tuple[Tally, Table]:
    """Decode up to ``capacity`` messages in their order to :data:`RECORD_DTYPE`. O(bytes).

    ``at`` counts from the start of ``data``, of which one call takes at most 2 GiB. When the
    status is FULL, call again with what stands behind ``consumed``.
    """
    source, tally = ffi.from_buffer("uint8_t[]", data), ffi.new("itch_tally *")
    room = min(capacity, len(source) // LEAST_BYTES)
    out = np.empty(room, RECORD_DTYPE)
    target = ffi.cast("itch_record *", out.ctypes.data)
    lib.itch_records(source, len(source), flags, target, room, tally)
    return _read(tally, len(source)), out[: tally.messages]


class Prepared:
    """A buffer with room for its messages made beforehand: what decoding alone takes.

    Memory taken anew costs as much as decoding into it, for the system hands it out a page at a
    time. Whoever decodes again and again into the same memory does not pay that.
    """

    def __init__(self, data: Any) -> None:
        self._tally = ffi.new("itch_tally *")
        self._source = ffi.from_buffer("uint8_t[]", data)
        counted = scan(data, Flag.LAST)
        self._capacity = counted.messages
        self._records = np.zeros(counted.messages, RECORD_DTYPE)
        self._rows = {
            letter: np.zeros(counted.counts.get(letter, 0), none.dtype)
            for letter, none in _NO_ROWS.items()
        }
        self._tables = ffi.new("itch_tables *")
        for slot, array in enumerate(self._rows.values()):
            self._tables.rows[slot] = ffi.cast("void *", array.ctypes.data)
            self._tables.room[slot] = len(array)

    def decode(self) -> Tables:
        """As the function of this name, in one walk."""
        source, size = self._source, len(self._source)
        lib.itch_decode(source, size, Flag.LAST, self._tables, self._tally)
        return self._rows

    def records(self) -> Table:
        """As the function of this name."""
        source, size = self._source, len(self._source)
        target = ffi.cast("itch_record *", self._records.ctypes.data)
        lib.itch_records(source, size, Flag.LAST, target, self._capacity, self._tally)
        return self._records


def type_sizes() -> dict[str, tuple[str, int, int]]:
    """What C takes the types for: (name, length, bytes of a row) by letter, in C's order."""
    return {
        chr(one.letter): (ffi.string(one.name).decode("ascii"), one.length, one.row_bytes)
        for one in lib.itch_types
    }


def _fill(
    data: Any, flags: Flag, first_index: int, fill: Any, none: Tables
) -> tuple[Tally, Tables]:
    source, tally = ffi.from_buffer("uint8_t[]", data), ffi.new("itch_tally *")
    lib.itch_scan(source, len(source), flags, tally)
    tables, arrays = ffi.new("itch_tables *"), dict(none)
    tables.first_index = first_index
    for slot, count in enumerate(tally.counts):
        if count:
            letter = _LETTERS[slot]
            # Zeros, for the padding between fields: the same message is the same bytes.
            array = arrays[letter] = np.zeros(count, none[letter].dtype)
            tables.rows[slot] = ffi.cast("void *", array.ctypes.data)
            tables.room[slot] = count
    fill(source, len(source), flags, tables, tally)
    return _read(tally, len(source)), arrays


def _read(tally: Any, size: int) -> Tally:
    counts = {letter: count for letter, count in zip(_LETTERS, tally.counts, strict=True) if count}
    return Tally(
        Status(tally.status),
        tally.messages,
        tally.consumed,
        size - tally.consumed,
        tally.unknown_types,
        tally.wrong_lengths,
        tally.skipped,
        counts,
    )
