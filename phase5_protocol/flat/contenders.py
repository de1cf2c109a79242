"""Ways to write and read the same records, side by side: for the benchmark, and against each other.

Each way is offered twice where it can be. A *single* takes one message as a tuple of integers, in
the order of the record's fields, and gives such a tuple back: what a program has that handles one
message at a time. A *batch* takes as many messages as there are, in whatever form they are at hand
for that way (a list of tuples, an array), and gives that form back. All fields are written, and all
are read: a batch that is only a view proves nothing, so ``total`` adds up every field of what was
decoded, and a benchmark can count that in.

================  ======================================================================
struct            the standard library's: a format string, bytes out, tuples in
cffi              a cast of C's own struct: fields through cffi, one by one
ctypes            the same with ctypes
numpy             a structured array: for one message, and a view for all
flat              the flat codec in C, which is the only one here that checks what it reads
msgpack, json     msgspec's codecs, with the fields by position: self-describing, no schema
sbe               Simple Binary Encoding from its schema
sbe in C          the same in C, checked as the flat codec is
================  ======================================================================

SBE does not send what a kind of message does not use; all others send every field.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from contract.messages import RECORD_BYTES, CommandKind
from contract.records import COMMAND_DTYPE, EVENT_DTYPE, RecordArray
from phase5_protocol.flat import native
from phase5_protocol.flat.sbe import Schema, read_schema

Row: TypeAlias = tuple[int, ...]

_MASK: Final = 2**64 - 1
_TEMPLATES: Final = {
    int(CommandKind.NEW): "NewOrder",
    int(CommandKind.CANCEL): "CancelOrder",
    int(CommandKind.REPLACE): "ReplaceOrder",
}
_KINDS: Final = {name: kind for kind, name in _TEMPLATES.items()}
_REPORT: Final = "ExecutionReport"


@dataclass(frozen=True)
class Single:
    """One message at a time: integers in the order of the record's fields, bytes, and back."""

    name: str
    encode: Callable[[Row], Any]
    decode: Callable[[Any], Row]


@dataclass(frozen=True)
class Batch:
    """Many messages at once.

    Attributes:
        prepare: from an array of records to what ``encode`` takes; not to be timed.
        encode: to the bytes of all messages, one behind the other.
        decode: from those bytes to the form that this way gives.
        total: every field of what was decoded added up, modulo 2**64.
    """

    name: str
    prepare: Callable[[RecordArray], Any]
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    total: Callable[[Any], int]


def rows_of(records: RecordArray) -> list[Row]:
    """An array as tuples of integers, as ``Single.encode`` takes them."""
    return records.tolist()  # type: ignore[no-any-return]


def total_of_rows(rows: Sequence[Row]) -> int:
    """All fields of all rows added up, modulo 2**64."""
    return sum(map(sum, rows)) & _MASK


def total_of_records(records: RecordArray) -> int:
    """The same of an array, a column at a time."""
    total = 0
    for name in records.dtype.names or ():
        column = records[name]
        signed = column.dtype.kind == "i"
        # Sums wrap at 64 bits, as they do in C; a narrower column is widened first.
        total += int(column.sum(dtype=np.int64 if signed else np.uint64))
    return total & _MASK


def singles(dtype: np.dtype[np.void]) -> list[Single]:
    """All ways to write and read one command, or one event."""
    made = [
        _struct_single(dtype),
        _cffi_single(dtype),
        _ctypes_single(dtype),
        _numpy_single(dtype),
        _flat_single(dtype),
        _sbe_single(dtype),
    ]
    return made + _msgspec_singles()


def batches(dtype: np.dtype[np.void]) -> list[Batch]:
    """All ways to write and read many of them."""
    made = [
        _struct_batch(dtype),
        _cffi_batch(dtype),
        _ctypes_batch(dtype),
        _numpy_batch(dtype),
        _flat_batch(dtype),
        _sbe_batch(dtype),
        _sbe_in_c(dtype),
    ]
    return made + _msgspec_batches()


# --- struct --------------------------------------------------------------------------------------


def _struct_of(dtype: np.dtype[np.void]) -> struct.Struct:
    letters = {"u1": "B", "u2": "H", "u4": "I", "u8": "Q", "i8": "q"}
    fields = [dtype[name].str.lstrip("<|") for name in dtype.names or ()]
    layout = struct.Struct("<" + "".join(letters[field] for field in fields))
    assert layout.size == dtype.itemsize
    return layout


def _struct_single(dtype: np.dtype[np.void]) -> Single:
    layout = _struct_of(dtype)
    pack = layout.pack

    def encode(row: Row) -> bytes:
        return pack(*row)

    return Single("struct", encode, layout.unpack)


def _struct_batch(dtype: np.dtype[np.void]) -> Batch:
    layout = _struct_of(dtype)
    pack = layout.pack

    def encode(rows: list[Row]) -> bytes:
        return b"".join([pack(*row) for row in rows])

    def decode(wire: bytes) -> list[Row]:
        return list(layout.iter_unpack(wire))

    return Batch("struct", rows_of, encode, decode, total_of_rows)


# --- cffi ----------------------------------------------------------------------------------------


def _cffi_single(dtype: np.dtype[np.void]) -> Single:
    def encode(row: Row) -> bytes:
        return native.cffi_encode(dtype, [row])

    def decode(wire: bytes) -> Row:
        return native.cffi_decode(dtype, wire)[0]

    return Single("cffi", encode, decode)


def _cffi_batch(dtype: np.dtype[np.void]) -> Batch:
    def encode(rows: list[Row]) -> bytes:
        return native.cffi_encode(dtype, rows)

    def decode(wire: bytes) -> list[Row]:
        return native.cffi_decode(dtype, wire)

    return Batch("cffi", rows_of, encode, decode, total_of_rows)


# --- ctypes --------------------------------------------------------------------------------------


def _ctypes_of(dtype: np.dtype[np.void]) -> type[ctypes.LittleEndianStructure]:
    types = {
        "u1": ctypes.c_uint8,
        "u2": ctypes.c_uint16,
        "u4": ctypes.c_uint32,
        "u8": ctypes.c_uint64,
        "i8": ctypes.c_int64,
    }
    fields = [(name, types[dtype[name].str.lstrip("<|")]) for name in dtype.names or ()]
    made = type("Record", (ctypes.LittleEndianStructure,), {"_fields_": fields})
    assert ctypes.sizeof(made) == dtype.itemsize
    return made


def _ctypes_single(dtype: np.dtype[np.void]) -> Single:
    record = _ctypes_of(dtype)
    names = tuple(dtype.names or ())

    def encode(row: Row) -> bytes:
        return bytes(record(*row))

    def decode(wire: bytes) -> Row:
        found = record.from_buffer_copy(wire)
        return tuple([getattr(found, name) for name in names])

    return Single("ctypes", encode, decode)


def _ctypes_batch(dtype: np.dtype[np.void]) -> Batch:
    record = _ctypes_of(dtype)
    names = tuple(dtype.names or ())

    def encode(rows: list[Row]) -> bytes:
        records: Any = record * len(rows)
        return bytes(records(*rows))

    def decode(wire: bytes) -> list[Row]:
        found = (record * (len(wire) // RECORD_BYTES)).from_buffer_copy(wire)
        return [tuple([getattr(each, name) for name in names]) for each in found]

    return Batch("ctypes", rows_of, encode, decode, total_of_rows)


# --- numpy, and the flat codec ----------------------------------------------------------------


def _numpy_single(dtype: np.dtype[np.void]) -> Single:
    def encode(row: Row) -> bytes:
        return np.array(row, dtype).tobytes()

    def decode(wire: bytes) -> Row:
        return np.frombuffer(wire, dtype)[0].item()  # type: ignore[no-any-return]

    return Single("numpy", encode, decode)


def _numpy_batch(dtype: np.dtype[np.void]) -> Batch:
    def decode(wire: bytes) -> RecordArray:
        return np.frombuffer(wire, dtype)

    return Batch("numpy", np.copy, np.ndarray.tobytes, decode, total_of_records)


def _flat_decoder(dtype: np.dtype[np.void], limit: int) -> native.FlatDecoder:
    if dtype == COMMAND_DTYPE:
        return native.CommandDecoder(limit, permit_mass_cancel=True)
    return native.EventDecoder(limit)


def _flat_single(dtype: np.dtype[np.void]) -> Single:
    decoder = _flat_decoder(dtype, 1)

    def encode(row: Row) -> bytes:
        return np.array(row, dtype).tobytes()

    def decode(wire: bytes) -> Row:
        return decoder.decode(wire)[0].item()  # type: ignore[no-any-return]

    return Single("flat", encode, decode)


def _flat_batch(dtype: np.dtype[np.void]) -> Batch:
    decoders: dict[int, native.FlatDecoder] = {}

    def prepare(records: RecordArray) -> RecordArray:
        decoders[0] = _flat_decoder(dtype, max(1, len(records)))
        return records.copy()

    def decode(wire: bytes) -> RecordArray:
        return decoders[0].decode(wire)

    return Batch("flat", prepare, np.ndarray.tobytes, decode, total_of_records)


# --- msgspec -------------------------------------------------------------------------------------


def _msgspec_codecs() -> list[tuple[str, Any]]:
    """msgspec's two codecs; empty where it is not installed: it is a test's dependency."""
    try:
        import msgspec
    except ImportError:
        return []
    return [("msgpack", msgspec.msgpack), ("json", msgspec.json)]


def _msgspec_singles() -> list[Single]:
    return [
        Single(name, codec.Encoder().encode, codec.Decoder(tuple[int, ...]).decode)
        for name, codec in _msgspec_codecs()
    ]


def _msgspec_batches() -> list[Batch]:
    return [
        Batch(
            name,
            rows_of,
            codec.Encoder().encode,
            codec.Decoder(list[tuple[int, ...]]).decode,
            total_of_rows,
        )
        for name, codec in _msgspec_codecs()
    ]


# --- SBE -----------------------------------------------------------------------------------------


class _SbeRows:
    """Rows to messages of a schema and back, one by one."""

    def __init__(self, schema: Schema, dtype: np.dtype[np.void]) -> None:
        self.names = tuple(dtype.names or ())
        self.schema = schema
        self.kind_at = self.names.index("kind")
        self.is_event = dtype == EVENT_DTYPE
        self.blank = dict.fromkeys(self.names, 0)

    def encode(self, row: Row) -> bytes:
        template = _REPORT if self.is_event else _TEMPLATES[row[self.kind_at]]
        return self.schema.encode(template, dict(zip(self.names, row, strict=True)))

    def decode_at(self, wire: Any, offset: int) -> tuple[Row, int]:
        name, fields, end = self.schema.decode(wire, offset)
        values = {**self.blank, **fields}
        if not self.is_event:
            values["kind"] = _KINDS[name]
        return tuple(values.values()), end  # type: ignore[arg-type]

    def decode(self, wire: Any) -> Row:
        return self.decode_at(wire, 0)[0]

    def encode_all(self, rows: list[Row]) -> bytes:
        return b"".join([self.encode(row) for row in rows])

    def decode_all(self, wire: Any) -> list[Row]:
        rows, at = [], 0
        while at < len(wire):
            row, at = self.decode_at(wire, at)
            rows.append(row)
        return rows


def _sbe_single(dtype: np.dtype[np.void]) -> Single:
    rows = _SbeRows(read_schema(), dtype)
    return Single("sbe", rows.encode, rows.decode)


def _sbe_batch(dtype: np.dtype[np.void]) -> Batch:
    """Events all have one length, so that numpy can cast them; commands are walked through."""
    schema = read_schema()
    rows = _SbeRows(schema, dtype)
    if not rows.is_event:
        return Batch("sbe", rows_of, rows.encode_all, rows.decode_all, total_of_rows)
    header = ["blockLength", "templateId", "schemaId", "version"]

    def encode(records: RecordArray) -> bytes:
        return schema.encode_uniform(_REPORT, records).tobytes()

    def decode(wire: bytes) -> RecordArray:
        return schema.decode_uniform(_REPORT, wire)

    def total(found: RecordArray) -> int:
        fields = [name for name in found.dtype.names or () if name not in header]
        return total_of_records(found[fields])

    return Batch("sbe", np.copy, encode, decode, total)


def _sbe_in_c(dtype: np.dtype[np.void]) -> Batch:
    limits = [1]

    def prepare(records: RecordArray) -> RecordArray:
        limits[0] = max(1, len(records))
        return records.copy()

    def encode(records: RecordArray) -> bytes:
        return native.sbe_encode(records)[1]

    def decode(wire: bytes) -> RecordArray:
        return native.sbe_decode(wire, dtype, limits[0])[0]

    return Batch("sbe in C", prepare, encode, decode, total_of_records)
