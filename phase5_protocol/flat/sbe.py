"""Simple Binary Encoding from a schema: the schema is read, and nothing of it is written twice.

SBE is the FIX community's standard for what the flat records do by hand: fixed offsets, native
little-endian integers, no parsing. It adds two things. A *schema* in XML, from which each side
makes its codec; and a *header* before each message::

    blockLength u16 | templateId u16 | schemaId u16 | version u16 | block: the fields

The block's length is stated, so that a schema can grow: a newer sender appends fields, and an
older receiver, who knows nothing of them, steps over them. The other way round a newer receiver
finds them missing, and says None. Groups and variable-length data, which our messages do not have,
are refused when the schema is read.

>>> schema = read_schema()
>>> message = schema.encode("CancelOrder", {"order_id": 7, "side": 1})
>>> len(message), message[:8].hex(" ", 2)
(40, '2000 0200 4000 0000')
>>> schema.decode(message).fields["order_id"]
7

Enumerations are their integers; their ranges are not checked here. What was received goes through
the same checks as the flat records before it is believed.
"""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from contract.errors import MatchbookError
from contract.records import RecordArray

ORDERS_SCHEMA: Final = Path(__file__).with_name("orders.xml")
HEADER: Final = struct.Struct("<HHHH")

_LETTERS: Final = {
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
}
_HEADER_FIELDS: Final = ["blockLength", "templateId", "schemaId", "version"]


class SbeSchemaError(MatchbookError):
    """A schema says something that is wrong, or that this codec does not do."""


class SbeMessageError(MatchbookError):
    """Bytes are not a message of the schema; the text names why."""


class Decoded(NamedTuple):
    """One message: its name, its fields by their names in records, and where the next begins."""

    name: str
    fields: dict[str, int | None]
    end: int


@dataclass(frozen=True)
class Field:
    """One field: its name in records, its type, and where it lies in the block."""

    name: str
    letter: str
    offset: int
    since_version: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + struct.calcsize("<" + self.letter)


@dataclass(frozen=True)
class Message:
    """One template: its fields, and its layout for ``struct`` and for numpy, header included."""

    name: str
    template_id: int
    block_length: int
    fields: tuple[Field, ...]
    header: tuple[int, int, int, int]
    whole: struct.Struct = field(init=False)
    names: tuple[str, ...] = field(init=False)
    dtype: np.dtype[np.void] = field(init=False)

    def __post_init__(self) -> None:
        layout, at = "<HHHH", 0
        for each in self.fields:
            layout += f"{each.offset - at}x{each.letter}"
            at = each.end
        object.__setattr__(self, "whole", struct.Struct(f"{layout}{self.block_length - at}x"))
        object.__setattr__(self, "names", tuple(each.name for each in self.fields))
        object.__setattr__(self, "dtype", self.dtype_of_blocks(self.block_length))

    def dtype_of_blocks(self, block_length: int) -> np.dtype[np.void]:
        """Messages of that block length as a numpy type: fields that do not fit are left out."""
        there = [each for each in self.fields if each.end <= block_length]
        return np.dtype(
            {
                "names": [*_HEADER_FIELDS, *(each.name for each in there)],
                "formats": ["<u2"] * 4 + [np.dtype("<" + each.letter) for each in there],
                "offsets": [0, 2, 4, 6, *(HEADER.size + each.offset for each in there)],
                "itemsize": HEADER.size + block_length,
            }
        )

    @property
    def first_length(self) -> int:
        """The least a block can have: the fields of the first version."""
        return max((each.end for each in self.fields if not each.since_version), default=0)


@dataclass(frozen=True)
class Schema:
    """All messages of a schema, by name and by template."""

    schema_id: int
    version: int
    by_name: Mapping[str, Message]
    by_template: Mapping[int, Message]

    def encode(self, name: str, values: Mapping[str, int]) -> bytes:
        """One message, header included; fields without a value are 0. O(fields).

        Raises:
            KeyError: no message has that name.
            struct.error: a value does not fit its field.
        """
        message = self.by_name[name]
        return message.whole.pack(*message.header, *(values.get(each, 0) for each in message.names))

    def decode(self, buffer: Any, offset: int = 0) -> Decoded:
        """The message at ``offset``; a field that its version does not have is None. O(fields).

        Raises:
            SbeMessageError: there is no whole message of this schema.
        """
        if len(buffer) - offset < HEADER.size:
            raise SbeMessageError(f"{len(buffer) - offset} bytes are no header")
        length, template_id, schema_id, version = HEADER.unpack_from(buffer, offset)
        message = self.by_template.get(template_id)
        if schema_id != self.schema_id:
            raise SbeMessageError(f"schema {schema_id} is not {self.schema_id}")
        if message is None:
            raise SbeMessageError(f"there is no template {template_id}")
        end = offset + HEADER.size + length
        if end > len(buffer):
            raise SbeMessageError(f"a block of {length} bytes ends behind the buffer")
        if length >= message.block_length:
            values = message.whole.unpack_from(buffer, offset)[4:]
            fields: dict[str, int | None] = dict(zip(message.names, values, strict=True))
        elif length < message.first_length:
            raise SbeMessageError(f"a block of {length} bytes is too short for {message.name}")
        else:
            short = bytes(buffer[offset:end]).ljust(message.whole.size, b"\0")
            fields = dict(zip(message.names, message.whole.unpack(short)[4:], strict=True))
        for each in message.fields:
            if each.since_version > version or each.end > length:
                fields[each.name] = None
        return Decoded(message.name, fields, end)

    def decode_uniform(self, name: str, buffer: Any) -> RecordArray:
        """Messages of one kind and one length as a numpy view, shape (n,): a cast. O(n) to check.

        Raises:
            SbeMessageError: they are not all of that kind, that length, and whole.
        """
        message = self.by_name[name]
        if not len(buffer):
            return np.zeros(0, message.dtype)
        if len(buffer) < HEADER.size:
            raise SbeMessageError(f"{len(buffer)} bytes are no header")
        length = HEADER.unpack_from(buffer)[0]
        if length < message.first_length or len(buffer) % (HEADER.size + length):
            raise SbeMessageError(f"{len(buffer)} bytes are not whole messages of {length}")
        view = np.frombuffer(buffer, message.dtype_of_blocks(length))
        _, template_id, schema_id, _ = message.header
        same = view["blockLength"] == length
        same &= view["templateId"] == template_id
        same &= view["schemaId"] == schema_id
        if not same.all():
            raise SbeMessageError(f"message {int(same.argmin())} is no {name} like the first")
        return view

    def encode_uniform(self, name: str, records: RecordArray) -> RecordArray:
        """An array of records as messages of one kind, shape (n,): its bytes are the wire. O(n)."""
        message = self.by_name[name]
        out = np.zeros(len(records), message.dtype)
        for each, value in zip(_HEADER_FIELDS, message.header, strict=True):
            out[each] = value
        for each in message.names:
            out[each] = records[each]
        return out


def read_schema(path: Path = ORDERS_SCHEMA) -> Schema:
    """Read a schema from a file of one's own: XML from elsewhere can be made to exhaust memory.

    Raises:
        SbeSchemaError: the schema is wrong, or needs what this codec does not do.
    """
    return parse_schema(path.read_text(encoding="utf-8"), path.name)


def parse_schema(text: str, name: str = "schema") -> Schema:
    """The schema in ``text``; ``name`` is for what is said of faults.

    Raises:
        SbeSchemaError: as :func:`read_schema`.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise SbeSchemaError(f"{name}: {error}") from error
    if root.get("byteOrder", "littleEndian") != "littleEndian":
        raise SbeSchemaError(f"{name}: only littleEndian schemas are read here")
    letters = _letters(root, name)
    schema_id, version = int(root.get("id", "0")), int(root.get("version", "0"))
    messages = [
        _message(each, letters, (schema_id, version), name)
        for each in root
        if each.tag.endswith("}message")
    ]
    by_name = {message.name: message for message in messages}
    by_template = {message.template_id: message for message in messages}
    if not messages or not len(messages) == len(by_name) == len(by_template):
        raise SbeSchemaError(f"{name}: no messages, or two with the same name or id")
    return Schema(schema_id, version, by_name, by_template)


def _letters(root: ElementTree.Element, name: str) -> dict[str, str]:
    """The integer that each type of a schema is, as a letter of ``struct``."""
    found = dict(_LETTERS)
    primitive = {
        each.get("name"): each.get("primitiveType") for each in root.iterfind("types/type")
    }
    for each in root.iterfind("types/*"):
        label = each.get("name", "")
        if each.tag == "composite":
            parts = [(part.get("name"), part.get("primitiveType")) for part in each]
            if label != "messageHeader" or parts != [(part, "uint16") for part in _HEADER_FIELDS]:
                raise SbeSchemaError(f"{name}: composite {label} is not the usual messageHeader")
            continue
        encoded = each.get("primitiveType") or each.get("encodingType") or ""
        letter = _LETTERS.get(primitive.get(encoded) or encoded)
        if letter is None or each.get("length", "1") != "1" or each.get("presence"):
            raise SbeSchemaError(f"{name}: type {label} is not a required integer")
        found[label] = letter
    return found


def _message(
    element: ElementTree.Element, letters: dict[str, str], schema: tuple[int, int], name: str
) -> Message:
    label = element.get("name", "")
    fields: list[Field] = []
    end = 0
    for each in element:
        if each.tag != "field":
            raise SbeSchemaError(f"{name}: {label} has a {each.tag}, which is not read here")
        letter = letters.get(each.get("type", ""))
        if letter is None:
            raise SbeSchemaError(f"{name}: {label}.{each.get('name')} has an unknown type")
        offset = int(each.get("offset", end))
        if offset < end:
            raise SbeSchemaError(f"{name}: {label}.{each.get('name')} overlaps what is before it")
        since = int(each.get("sinceVersion", "0"))
        fields.append(Field(snake(each.get("name", "")), letter, offset, since))
        end = fields[-1].end
    block_length = int(element.get("blockLength", end))
    if block_length < end:
        raise SbeSchemaError(f"{name}: {label} needs {end} bytes, and has {block_length}")
    template_id = int(element.get("id", "0"))
    header = (block_length, template_id, *schema)
    return Message(label, template_id, block_length, tuple(fields), header)


def snake(name: str) -> str:
    """A schema's name as records have it.

    >>> snake("contraOrderId")
    'contra_order_id'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
