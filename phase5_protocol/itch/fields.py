"""Fixed layouts of big-endian messages: what a field is, and the codecs that follow from fields.

A :class:`Layout` is stated once, as in ``layouts.py``, and gives a ``struct`` codec for one message
and numpy types for many: a view of the bytes as they came, and rows of the machine's own integers.

Kinds of field:

========  =====================================================================================
INTEGER   a count, a number, or a time in the unit that the field's name ends in
TIME      nanoseconds since midnight, in 6 bytes
PRICE4    a price in 1/10,000 dollar, 4 bytes
PRICE8    a price in 1/100,000,000 dollar, 8 bytes
ALPHA     text, to the left, filled up with spaces; a single letter is a code
========  =====================================================================================
"""

from __future__ import annotations

import struct
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

TIME_BYTES: Final = 6


class Kind(StrEnum):
    """What the bytes of a field mean."""

    INTEGER = "integer"
    TIME = "time"
    PRICE4 = "price4"
    PRICE8 = "price8"
    ALPHA = "alpha"


class Field(NamedTuple):
    """One field: ``size`` bytes at ``offset``, counted from the type byte."""

    name: str
    offset: int
    size: int
    kind: Kind = Kind.INTEGER

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + self.size

    @property
    def limit(self) -> int:
        """The first integer too large for it."""
        return 1 << 8 * self.size


#: How every message goes on behind its type byte.
COMMON: Final = (
    Field("stock_locate", 1, 2),
    Field("tracking_number", 3, 2),
    Field("timestamp_ns", 5, TIME_BYTES, Kind.TIME),
)


class Layout:
    """One message type.

    Attributes:
        letter: its type byte as a string.
        name: what it is called, as an identifier.
        length: bytes of the message, the type byte included.
        fields: all fields behind the type byte, the three common ones first, without a gap.
    """

    def __init__(self, letter: str, name: str, length: int, *own: Field) -> None:
        self.letter = letter
        self.name = name
        self.length = length
        self.fields = (*COMMON, *own)
        self._type = letter.encode("ascii")
        self._by_name = {field.name: field for field in self.fields}
        self._struct = struct.Struct(self.format)

    def __repr__(self) -> str:
        return f"<{self.letter} {self.name}, {self.length} bytes>"

    def __getitem__(self, name: str) -> Field:
        """The field of a name.

        Raises:
            KeyError: the type has none.
        """
        return self._by_name[name]

    # --- codec, a message at a time ---------------------------------------------------------

    @property
    def format(self) -> str:
        """The message for ``struct``; the six bytes of the time are an ``H`` and an ``I``."""
        codes = {1: "B", 2: "H", 4: "I", 8: "Q"}
        parts = [">c"]
        for field in self.fields:
            if field.kind is Kind.ALPHA:
                parts.append(f"{field.size}s")
            else:
                parts.append("HI" if field.kind is Kind.TIME else codes[field.size])
        return "".join(parts)

    def pack(self, stock_locate: int, tracking_number: int, time: int, *own: int | bytes) -> bytes:
        """The message with these fields, in the order of the table. O(fields).

        Text is bytes, filled up with spaces already: this is for whoever packs many. See
        :meth:`encode` for a message by names.

        Raises:
            struct.error: a field too many or too few, of the wrong kind, or out of range.
        """
        high, low = time >> 32, time & 0xFFFFFFFF
        return self._struct.pack(self._type, stock_locate, tracking_number, high, low, *own)

    def unpack(self, message: bytes | memoryview) -> tuple[int | bytes, ...]:
        """All fields in the order of the table: integers, and text as bytes with its spaces.

        Raises:
            struct.error: not exactly :attr:`length` bytes. The type byte is not looked at.
        """
        _, locate, tracking, high, low, *own = self._struct.unpack(message)
        return (locate, tracking, high << 32 | low, *own)

    def encode(self, **values: int | str) -> bytes:
        """The message with these fields. A field left out is 0, or spaces.

        >>> from phase5_protocol.itch.layouts import LAYOUTS
        >>> LAYOUTS["D"].encode(stock_locate=1, timestamp_ns=5, reference=258).hex(" ")
        '44 00 01 00 00 00 00 00 00 00 05 00 00 00 00 00 00 01 02'

        Raises:
            ValueError: a field that the type has not, or a value that does not fit.
        """
        unknown = values.keys() - self._by_name.keys()
        if unknown:
            raise ValueError(f"{self.name} has no field {', '.join(sorted(unknown))}")
        out = bytearray(self._type)
        for field in self.fields:
            out += _encode_field(self, field, values.get(field.name))
        return bytes(out)

    # --- numpy, many messages at a time -----------------------------------------------------

    @cached_property
    def wire_dtype(self) -> np.dtype[np.void]:
        """Messages as they are on the wire: a view of their bytes, without a copy.

        Six bytes are no integer of numpy's: the time is ``timestamp_high`` (2 bytes) and
        ``timestamp_low`` (4), which :func:`timestamps` puts together.
        """
        names, formats, offsets = ["type"], ["S1"], [0]
        for field in self.fields:
            if field.kind is Kind.TIME:
                names += ["timestamp_high", "timestamp_low"]
                formats += [">u2", ">u4"]
                offsets += [field.offset, field.offset + 2]
                continue
            text = field.kind is Kind.ALPHA
            names.append(field.name)
            formats.append(f"S{field.size}" if text else f">u{field.size}")
            offsets.append(field.offset)
        return np.dtype(
            {"names": names, "formats": formats, "offsets": offsets, "itemsize": self.length}
        )

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """Messages decoded: integers in the machine's own order and alignment, text as it was.

        In front stands ``index``: which message of its stream this was, counted over all types
        from 0, so that rows of different types can be put in order again. The same as the C
        struct of the type.
        """
        members: list[tuple[str, str]] = [("index", "u8")]
        for field in self.fields:
            width = 8 if field.kind is Kind.TIME else field.size
            text = field.kind is Kind.ALPHA
            members.append((field.name, f"S{field.size}" if text else f"u{width}"))
        return np.dtype(members, align=True)


def timestamps(messages: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
    """The times of messages seen through a :attr:`Layout.wire_dtype`: nanoseconds. O(n)."""
    high = messages["timestamp_high"].astype(np.uint64)
    low: npt.NDArray[Any] = messages["timestamp_low"]
    return high << np.uint64(32) | low.astype(np.uint64)


def _encode_field(layout: Layout, field: Field, value: int | str | None) -> bytes:
    if field.kind is Kind.ALPHA:
        text = "" if value is None else value
        if not isinstance(text, str) or not text.isascii() or len(text) > field.size:
            raise ValueError(
                f"{layout.name}.{field.name}: {text!r} is not ASCII of at most {field.size} letters"
            )
        return text.ljust(field.size).encode("ascii")
    number = 0 if value is None else value
    if not isinstance(number, int) or not 0 <= number < field.limit:
        raise ValueError(
            f"{layout.name}.{field.name}: {number!r} is not a whole number below {field.limit}"
        )
    return number.to_bytes(field.size, "big")
