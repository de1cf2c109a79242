"""Ways to decode the same ITCH stream, behind one interface, for the benchmark.

Each takes the bytes of a BinaryFILE and makes what is natural to it: objects, tuples, arrays. A
second function sums up what was made, so that all can be shown to have read the same before any
time is worth a comparison.
"""

from __future__ import annotations

import importlib.util
import io
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from phase5_protocol.itch import native
from phase5_protocol.itch.decode import decode, decode_records, split
from phase5_protocol.itch.fields import timestamps
from phase5_protocol.itch.layouts import LAYOUTS

#: The types whose shares and prices are added up: those that every contender has.
_SUMMED: Final = "AFP"
#: Sums are kept in 64 bits by numpy, and so by all.
_WRAP: Final = 1 << 64


_Row = tuple[str, int, int, int, int]


class Answer(NamedTuple):
    """Sums over all that was decoded; equal for two contenders that have read the same."""

    counts: tuple[tuple[str, int], ...]
    timestamps: int
    references: int
    shares: int
    prices: int


@dataclass(frozen=True)
class Contender:
    """One way to decode.

    Attributes:
        prepare: called with the stream before the clock starts; returns what is to be timed.
        answer: sums up what that returned; not timed.
        needs: a distribution that must be installed.
    """

    name: str
    prepare: Callable[[bytes], Callable[[], Any]]
    answer: Callable[[Any], Answer]
    needs: str = ""

    @property
    def is_available(self) -> bool:
        """Whether what it needs is installed."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


# --- itchfeed, from PyPI ----------------------------------------------------------------------


def _prepare_itchfeed(data: bytes) -> Callable[[], Any]:
    parser = importlib.import_module("itch.parser").MessageParser()
    return lambda: list(parser.parse_file(io.BytesIO(data)))


def _answer_itchfeed(messages: Iterable[Any]) -> Answer:
    rows = []
    for message in messages:
        letter = message.message_type.decode()
        own = letter in _SUMMED
        reference = getattr(message, "order_reference_number", 0)
        shares, price = (message.shares, message.price) if own else (0, 0)
        rows.append((letter, message.timestamp, reference, shares, price))
    return _sum_rows(rows)


# --- struct, a message at a time --------------------------------------------------------------

_CODECS: Final = {
    ord(letter): (letter, layout.length, layout.unpack) for letter, layout in LAYOUTS.items()
}


def decode_by_struct(data: bytes) -> list[tuple[str, tuple[int | bytes, ...]]]:
    """Every message as its letter and a tuple of its fields."""
    out = []
    at, size = 0, len(data)
    while at + 2 < size:
        length = data[at] << 8 | data[at + 1]
        letter, expected, unpack = _CODECS[data[at + 2]]
        if length != expected:
            raise ValueError(f"offset {at}: {length} bytes are not a message {letter}")
        out.append((letter, unpack(data[at + 2 : at + 2 + length])))
        at += 2 + length
    return out


def _answer_struct(messages: Iterable[tuple[str, tuple[Any, ...]]]) -> Answer:
    names = {letter: [f.name for f in layout.fields] for letter, layout in LAYOUTS.items()}
    rows = []
    for letter, values in messages:
        fields = dict(zip(names[letter], values, strict=True))
        rows.append(_row(letter, fields))
    return _sum_rows(rows)


# --- numpy alone: places by a loop in Python, fields by views ---------------------------------


def decode_by_numpy(data: bytes) -> dict[str, Any]:
    """A wire array of each type, gathered by index; times put together."""
    places: dict[int, list[int]] = {}
    at, size = 0, len(data)
    while at + 2 < size:
        places.setdefault(data[at + 2], []).append(at + 2)
        at += 2 + (data[at] << 8 | data[at + 1])
    source = np.frombuffer(data, np.uint8)
    out = {}
    for byte, found in places.items():
        layout = LAYOUTS[chr(byte)]
        index = np.array(found)[:, None] + np.arange(layout.length)
        wire = source[index].view(layout.wire_dtype)[:, 0]
        rows = np.empty(len(wire), layout.dtype)
        for field in layout.fields:
            rows[field.name] = timestamps(wire) if field.kind == "time" else wire[field.name]
        out[layout.letter] = rows
    return out


# --- C ----------------------------------------------------------------------------------------


def _answer_tables(tables: Any) -> Answer:
    found = {letter: tables[letter] for letter in LAYOUTS if letter in tables}
    counts = Counter({letter: len(table) for letter, table in found.items() if len(table)})
    sums = dict.fromkeys(("timestamp_ns", "reference", "shares", "price"), 0)
    for letter, table in found.items():
        names = table.dtype.names or ()
        for name in sums:
            wanted = letter in _SUMMED or name in ("timestamp_ns", "reference")
            if name == "timestamp_ns" and name not in names:
                sums[name] += int(timestamps(table).sum(dtype=np.uint64))
            elif wanted and name in names:
                sums[name] += int(table[name].astype(np.uint64).sum())
    times, references, shares, prices = (total % _WRAP for total in sums.values())
    return Answer(tuple(sorted(counts.items())), times, references, shares, prices)


def _answer_records(records: Any) -> Answer:
    letters, numbers = np.unique(records["type"], return_counts=True)
    counts = {letter.decode(): int(n) for letter, n in zip(letters, numbers, strict=True)}
    summed = records[np.isin(records["type"], [letter.encode() for letter in _SUMMED])]
    return Answer(
        tuple(sorted(counts.items())),
        int(records["timestamp_ns"].sum()),
        int(records["reference"].sum()),
        int(summed["shares"].astype(np.uint64).sum()),
        int(summed["price"].astype(np.uint64).sum()),
    )


# --- all of them ------------------------------------------------------------------------------


def _row(letter: str, fields: dict[str, Any]) -> _Row:
    own = letter in _SUMMED
    shares, price = (fields["shares"], fields["price"]) if own else (0, 0)
    return letter, fields["timestamp_ns"], fields.get("reference", 0), shares, price


def _sum_rows(rows: list[_Row]) -> Answer:
    counts = Counter(row[0] for row in rows)
    columns = list(zip(*rows, strict=True))[1:] or [()] * 4
    times, references, shares, prices = (sum(map(int, column)) % _WRAP for column in columns)
    return Answer(tuple(sorted(counts.items())), times, references, shares, prices)


def _on(function: Callable[[bytes], Any]) -> Callable[[bytes], Callable[[], Any]]:
    return lambda data: lambda: function(data)


CONTENDERS: Final = (
    Contender("itchfeed", _prepare_itchfeed, _answer_itchfeed, needs="itch"),
    Contender("struct per message", _on(decode_by_struct), _answer_struct),
    Contender("numpy per type", _on(decode_by_numpy), _answer_tables),
    Contender("C split, numpy views", _on(lambda data: split(data).tables), _answer_tables),
    Contender("C tables", _on(lambda data: decode(data).tables), _answer_tables),
    Contender("C records", _on(decode_records), _answer_records),
    Contender("C tables, loop only", lambda d: native.Prepared(d).decode, _answer_tables),
    Contender("C records, loop only", lambda d: native.Prepared(d).records, _answer_records),
)
