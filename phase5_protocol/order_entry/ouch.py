"""OUCH messages as bytes and as objects: one codec, driven by the messages' own declarations.

A version of OUCH is a module of dataclasses (``ouch50``, ``ouch42``). Each declares its fields in
the order of the wire, and how they lie there::

    @dataclass(frozen=True, slots=True)
    class CancelOrder:
        user_ref_num: U32       # offset 1, behind the type byte; big endian
        quantity: U32           # offset 5

That is all there is: offsets and lengths follow from it, and a test holds them to the published
ones. Kinds of field: numbers of 2, 4 and 8 bytes without a sign; text, on the left of its field
and filled up with blanks; a single character; and, at the end, the *appendage* of OUCH 5.0:
2 bytes of length and then values, each with 1 byte of length, 1 of tag, and the value.

What is checked is whether bytes *are* a message: type, length, printable text. Whether its values
make sense (a side, a display type) is for whoever acts on it, who can say so in an answer.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar, get_type_hints

from contract.errors import MatchbookError

_NUMBER_CODES: Final = {2: "H", 4: "I", 8: "Q"}
_APPENDAGE_LENGTH: Final = struct.Struct(">H")
#: What the two bytes of length can say.
MAX_APPENDAGE: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number without a sign, big endian."""

    size: int


@dataclass(frozen=True, slots=True)
class Text:
    """Printable ASCII, on the left, blanks behind it, which are not part of the value."""

    size: int


@dataclass(frozen=True, slots=True)
class Character:
    """One printable ASCII character; a blank is one, too."""

    size: int = 1


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes of a tag that nobody knows, kept as they are."""

    size: int


Kind = Number | Text | Character | Raw


class TagValue(NamedTuple):
    """An optional value: a number or text where the tag is known, else the bytes."""

    tag: int
    value: int | str | bytes


Appendage = tuple[TagValue, ...]

U16 = Annotated[int, Number(2)]
U32 = Annotated[int, Number(4)]
U64 = Annotated[int, Number(8)]
Char = Annotated[str, Character()]
Text4 = Annotated[str, Text(4)]
Text8 = Annotated[str, Text(8)]
Text14 = Annotated[str, Text(14)]


class Fault(StrEnum):
    """What is wrong with a message."""

    EMPTY = "empty"
    UNKNOWN_TYPE = "unknown type"
    WRONG_LENGTH = "wrong length"
    BAD_TEXT = "bad text"
    BAD_APPENDAGE = "bad appendage"
    OUT_OF_RANGE = "out of range"


class MessageError(MatchbookError):
    """Bytes that are no message, or a message that cannot be bytes.

    Attributes:
        fault: the kind of wrong, for counting.
        message: name of the message, as far as it is known.
        field: the field that is wrong, or ``""`` for the message as a whole.
        offset: where that field begins, from the type byte.
        value: what stands there.
        expected: what would be right.
    """

    def __init__(
        self, fault: Fault, message: str, field: str, offset: int, value: object, expected: str
    ) -> None:
        self.fault = fault
        self.message = message
        self.field = field
        self.offset = offset
        self.value = value
        self.expected = expected
        name = f"{field} at offset {offset}: " if field else ""
        super().__init__(f"{message}: {name}{value!r} is not {expected}")


class Field(NamedTuple):
    """A field and its place; the offset counts from the type byte."""

    name: str
    kind: Kind
    offset: int


class Layout:
    """One message type: which class, which fields at which offsets.

    Attributes:
        letter: the type byte.
        fields: the fixed fields, without the type byte.
        fixed_bytes: length without the appendage; with its two bytes of length if there is one.
        has_appendage: whether optional values may follow.
    """

    def __init__(self, protocol: str, letter: str, message: type[Any]) -> None:
        self.letter = letter
        self.message = message
        self.name = f"{protocol} {message.__name__}"
        self.has_appendage = False
        fields: list[Field] = []
        offset = 1
        for name, hint in get_type_hints(message, include_extras=True).items():
            if hint == Appendage:
                self.has_appendage = True
                continue
            assert not self.has_appendage, f"{self.name}: {name} stands behind the appendage"
            (kind,) = hint.__metadata__
            fields.append(Field(name, kind, offset))
            offset += kind.size
        self.fields: Sequence[Field] = tuple(fields)
        self._struct = struct.Struct(">c" + "".join(_code(field.kind) for field in fields))
        assert self._struct.size == offset
        self.fixed_bytes = offset + (_APPENDAGE_LENGTH.size if self.has_appendage else 0)

    def decode(self, data: bytes, tags: Mapping[int, Kind]) -> Any:
        """The message; its type byte was looked at already."""
        appendage = self._split(data)
        _, *wire = self._struct.unpack_from(data)
        values: list[Any] = [
            each if type(each) is int else _read_text(self.name, field, each)
            for field, each in zip(self.fields, wire, strict=True)
        ]
        if self.has_appendage:
            values.append(_read_appendage(self.name, self.fixed_bytes, appendage, tags))
        return self.message(*values)

    def encode(self, message: Any, tags: Mapping[int, Kind]) -> bytes:
        """The bytes of a message of this class."""
        values = [
            _to_wire(self.name, field.name, field.offset, field.kind, getattr(message, field.name))
            for field in self.fields
        ]
        fixed = self._struct.pack(self.letter.encode(), *values)
        if not self.has_appendage:
            return fixed
        appendage = _pack_appendage(self.name, self.fixed_bytes, message.appendage, tags)
        return fixed + _APPENDAGE_LENGTH.pack(len(appendage)) + appendage

    def _split(self, data: bytes) -> bytes:
        """Check the length; give the appendage without its own length."""
        size = self.fixed_bytes
        if self.has_appendage and len(data) >= size:
            size += _APPENDAGE_LENGTH.unpack_from(data, size - _APPENDAGE_LENGTH.size)[0]
        if len(data) != size:
            raise MessageError(
                Fault.WRONG_LENGTH, self.name, "", 0, f"{len(data)} bytes", f"{size} bytes"
            )
        return data[self.fixed_bytes :]


Inbound = TypeVar("Inbound")
Outbound = TypeVar("Outbound")


class Codec(Generic[Inbound, Outbound]):
    """One version of OUCH: to the venue (inbound) and from it (outbound)."""

    def __init__(
        self,
        name: str,
        inbound: Mapping[str, type[Inbound]],
        outbound: Mapping[str, type[Outbound]],
        tags: Mapping[int, Kind] | None = None,
    ) -> None:
        """Make the tables.

        Args:
            name: of the version, for messages to people.
            inbound: letter to class, for what clients send.
            outbound: the same for what the venue sends.
            tags: of the appendage, and what their values are.
        """
        self.name = name
        self.inbound = {letter: Layout(name, letter, each) for letter, each in inbound.items()}
        self.outbound = {letter: Layout(name, letter, each) for letter, each in outbound.items()}
        self._layouts = {
            layout.message: layout for layout in (*self.inbound.values(), *self.outbound.values())
        }
        self._tags = dict(tags or {})

    def decode_inbound(self, data: bytes) -> Inbound:
        """The message that a client sent. O(bytes).

        Raises:
            MessageError: it is none; names message, field, offset and value.
        """
        message: Inbound = self._layout(self.inbound, data).decode(data, self._tags)
        return message

    def decode_outbound(self, data: bytes) -> Outbound:
        """The message that a venue sent. O(bytes).

        Raises:
            MessageError: it is none; names message, field, offset and value.
        """
        message: Outbound = self._layout(self.outbound, data).decode(data, self._tags)
        return message

    def encode(self, message: Inbound | Outbound) -> bytes:
        """The bytes of a message of either direction. O(bytes).

        Raises:
            MessageError: a value does not fit its field.
        """
        return self._layouts[type(message)].encode(message, self._tags)

    def _layout(self, table: Mapping[str, Layout], data: bytes) -> Layout:
        if not data:
            raise MessageError(Fault.EMPTY, self.name, "", 0, b"", "a message")
        layout = table.get(chr(data[0]))
        if layout is None:
            letters = "".join(table)
            raise MessageError(
                Fault.UNKNOWN_TYPE, self.name, "type", 0, data[:1], f"one of {letters}"
            )
        return layout


def _code(kind: Kind) -> str:
    return _NUMBER_CODES[kind.size] if isinstance(kind, Number) else f"{kind.size}s"


def _read_text(message: str, field: Field, raw: bytes) -> str:
    text = raw.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        raise MessageError(
            Fault.BAD_TEXT, message, field.name, field.offset, raw, "printable ASCII"
        )
    return text if isinstance(field.kind, Character) else text.rstrip(" ")


def _to_wire(message: str, name: str, offset: int, kind: Kind, value: Any) -> int | bytes:
    """The value as ``struct`` wants it.

    Raises:
        MessageError: OUT_OF_RANGE.
    """
    if isinstance(kind, Number):
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and 0 <= value < 1 << 8 * kind.size
        ):
            return value
        expected = f"0 to {(1 << 8 * kind.size) - 1}"
    elif isinstance(kind, Raw):
        if isinstance(value, bytes) and len(value) == kind.size:
            return value
        expected = f"{kind.size} bytes"
    else:
        if isinstance(value, str) and value.isascii() and value.isprintable():
            if isinstance(kind, Character) and len(value) == 1:
                return value.encode()
            if isinstance(kind, Text) and len(value) <= kind.size and not value.endswith(" "):
                return value.encode().ljust(kind.size)
        expected = (
            "one printable ASCII character"
            if isinstance(kind, Character)
            else f"at most {kind.size} printable ASCII characters without blanks at the end"
        )
    raise MessageError(Fault.OUT_OF_RANGE, message, name, offset, value, expected)


def _read_appendage(message: str, start: int, data: bytes, tags: Mapping[int, Kind]) -> Appendage:
    """The values of an appendage that begins, behind its length, at offset ``start``."""
    values: list[TagValue] = []
    at = 0
    while at < len(data):
        length = data[at]
        if not 1 <= length < len(data) - at:
            raise MessageError(
                Fault.BAD_APPENDAGE, message, "length of an optional value", start + at, length,
                f"1 to {len(data) - at - 1}",
            )  # fmt: skip
        tag, raw = data[at + 1], data[at + 2 : at + 1 + length]
        kind = tags.get(tag, Raw(len(raw)))
        if len(raw) != kind.size:
            raise MessageError(
                Fault.BAD_APPENDAGE, message, f"tag {tag}", start + at, raw, f"{kind.size} bytes"
            )
        values.append(TagValue(tag, _read_value(message, tag, start + at + 2, kind, raw)))
        at += 1 + length
    return tuple(values)


def _read_value(message: str, tag: int, offset: int, kind: Kind, raw: bytes) -> int | str | bytes:
    if isinstance(kind, Number):
        return int.from_bytes(raw, "big")
    if isinstance(kind, Raw):
        return raw
    return _read_text(message, Field(f"tag {tag}", kind, offset), raw)


def _pack_appendage(message: str, start: int, values: Appendage, tags: Mapping[int, Kind]) -> bytes:
    packed = b""
    for tag, value in values:
        offset = start + len(packed)
        if not 0 <= tag <= 0xFF:
            raise MessageError(Fault.OUT_OF_RANGE, message, "tag", offset, tag, "0 to 255")
        size = len(value) if isinstance(value, bytes) else 0
        kind = tags.get(tag, Raw(min(size, 0xFE)))
        wire = _to_wire(message, f"tag {tag}", offset, kind, value)
        raw = wire if isinstance(wire, bytes) else wire.to_bytes(kind.size, "big")
        packed += bytes((1 + len(raw), tag)) + raw
    if len(packed) > MAX_APPENDAGE:
        raise MessageError(
            Fault.OUT_OF_RANGE, message, "appendage", start, f"{len(packed)} bytes",
            f"at most {MAX_APPENDAGE}",
        )  # fmt: skip
    return packed
