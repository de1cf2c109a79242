"""Nasdaq TotalView-ITCH 5.0 in a BinaryFILE: cutting the stream into messages.

Each message stands behind its length, two bytes big endian; a length of 0 ends the session, and
a file may also just end. Every message starts the same way::

    0  1  message type          1  2  stock locate          3  2  tracking number
    5  6  nanoseconds since midnight, big endian like everything here
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

from contract.errors import InputFileError
from contract.messages import Side

#: Length of each message type, its type byte included.
LENGTHS: Final = {
    ord(letter): length
    for letter, length in {
        "S": 12,
        "R": 39,
        "H": 25,
        "Y": 20,
        "L": 26,
        "V": 35,
        "W": 12,
        "K": 28,
        "J": 35,
        "h": 21,
        "A": 36,
        "F": 40,
        "E": 31,
        "C": 36,
        "X": 23,
        "D": 19,
        "U": 35,
        "P": 44,
        "Q": 40,
        "B": 19,
        "I": 50,
        "N": 20,
        "O": 48,
    }.items()
}
_BLOCK_BYTES: Final = 1 << 18
_ADD: Final = struct.Struct(">QcI8sI")
_REFERENCE: Final = struct.Struct(">Q")
_REDUCE: Final = struct.Struct(">QI")
_REPLACE: Final = struct.Struct(">QQII")
_FIELDS_AT: Final = 11


class Add(NamedTuple):
    """A and F: an order joins the displayed book."""

    reference: int
    side: Side
    shares: int
    stock: str
    price: int


class Replace(NamedTuple):
    """U: an order leaves, and one of the same side with a new reference joins at the back."""

    old_reference: int
    new_reference: int
    shares: int
    price: int


def iter_messages(stream: IO[bytes], path: str | Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (index from 0, offset of its length, bytes) of each message.

    Raises:
        InputFileError: an unknown type, a wrong length, a message cut short, or something after
            the end of the session, by its offset.
    """
    block, start, index = b"", 0, 0
    while True:
        more = stream.read(_BLOCK_BYTES)
        block += more
        at, size = 0, len(block)
        while at + 2 < size:
            length = block[at] << 8 | block[at + 1]
            if length == 0:
                expected = "the end of the file, which follows the end of the session"
                raise InputFileError(path, f"offset {start + at + 2}", "", "more data", expected)
            if LENGTHS.get(block[at + 2]) != length:
                raise _wrong_message(path, start + at, block[at + 2 : at + 3], length)
            end = at + 2 + length
            if end > size:
                break
            yield index, start + at, block[at + 2 : end]
            index += 1
            at = end
        if not more:
            _check_end(path, start + at, block[at:])
            return
        block = block[at:]
        start += at


def _wrong_message(path: str | Path, offset: int, letter: bytes, length: int) -> InputFileError:
    where = f"offset {offset}"
    known = LENGTHS.get(letter[0])
    if known is None:
        types = "".join(map(chr, sorted(LENGTHS)))
        return InputFileError(path, where, "message type", letter, f"one of {types}")
    field = f"length of a message {letter.decode()}"
    return InputFileError(path, where, field, length, str(known))


def _check_end(path: str | Path, offset: int, rest: bytes) -> None:
    if rest and rest != b"\0\0":
        expected = "a whole message behind its two-byte length"
        raise InputFileError(path, f"offset {offset}", "", f"{len(rest)} bytes", expected)


def locate_of(message: bytes) -> int:
    """The stock locate: which stock a message is about, 0 for none."""
    return message[1] << 8 | message[2]


def timestamp_of(message: bytes) -> int:
    """Nanoseconds since midnight."""
    return int.from_bytes(message[5:11], "big")


def stock_of(message: bytes) -> str:
    """The stock of a directory message (R)."""
    return message[11:19].decode("ascii", "replace").rstrip()


def add_of(message: bytes, path: str | Path, offset: int) -> Add:
    """The fields of A and F.

    Raises:
        InputFileError: a side that is neither B nor S.
    """
    reference, letter, shares, stock, price = _ADD.unpack_from(message, _FIELDS_AT)
    if letter not in (b"B", b"S"):
        raise InputFileError(path, f"offset {offset}", "side", letter.decode("latin1"), "B or S")
    side = Side.BID if letter == b"B" else Side.ASK
    return Add(reference, side, shares, stock.decode("ascii", "replace").rstrip(), price)


def reduce_of(message: bytes) -> tuple[int, int]:
    """The reference and the shares of E, C and X."""
    reference, shares = _REDUCE.unpack_from(message, _FIELDS_AT)
    return reference, shares


def reference_of(message: bytes) -> int:
    """The reference of D."""
    return int(_REFERENCE.unpack_from(message, _FIELDS_AT)[0])


def replace_of(message: bytes) -> Replace:
    """The fields of U."""
    return Replace(*_REPLACE.unpack_from(message, _FIELDS_AT))
