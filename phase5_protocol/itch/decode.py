"""Decoding ITCH 5.0, whole buffers and files: to tables, to records, to bytes.

==================  ======================================================================
``decode``          a table of native integers for each type: for analysis
``split``           the same messages as bytes, seen through big-endian types: no conversion
``decode_records``  64 bytes a message in the stream's order: for whoever keeps a book
``read_file``       ``decode``, block by block, for files larger than memory
``read_records``    ``decode_records`` likewise
``iter_bytes``      a message at a time
``iter_messages``   a message at a time, as an object with named fields: for people
==================  ======================================================================

All take a stream as ``c/itch.h`` draws it: messages behind their two-byte lengths. *Strict*, the
default, stops at the first thing wrong with an ``InputFileError`` that names its offset. Not
strict, messages of an unknown type or a wrong length are passed over and counted in the ``tally``,
and so is what is left when nothing can be made of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from contract.byte_source import OnRead, open_bytes
from contract.errors import ConfigurationError, InputFileError
from phase5_protocol.itch import native
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.itch.messages import Message, parse
from phase5_protocol.itch.native import Flag, Status, Table, Tables, Tally

BLOCK_BYTES: Final = 1 << 18
_MOST_BLOCK_BYTES: Final = 1 << 30
_LENGTH_BYTES: Final = 2

T = TypeVar("T")


@dataclass(frozen=True)
class ItchArrays:
    """The messages of a buffer, a table for each type.

    >>> from phase5_protocol.itch.layouts import LAYOUTS
    >>> arrays = decode(frame(LAYOUTS["D"].encode(reference=7, timestamp_ns=5)))
    >>> arrays["D"]["reference"], len(arrays["A"]), arrays.tally.messages
    (array([7], dtype=uint64), 0, 1)

    Attributes:
        tables: by letter, all 23 of them: a structured array of shape (messages of that type,).
        tally: how many there were, and what was passed over.
    """

    tables: Tables
    tally: Tally

    def __getitem__(self, letter: str) -> Table:
        """The table of a type.

        Raises:
            KeyError: no such type.
        """
        return self.tables[letter]


@dataclass(frozen=True)
class Block:
    """Some of a file, decoded in order.

    Attributes:
        offset: of ``data`` in the file (unpacked).
        index: of the first message.
        data: the bytes that ``records["at"]`` points into.
    """

    offset: int
    index: int
    data: bytes
    records: Table
    tally: Tally


# --- buffers ----------------------------------------------------------------------------------


def decode(
    data: Any, *, strict: bool = True, blocks: bool = False, name: str = "buffer"
) -> ItchArrays:
    """Decode all messages of a buffer to native integers (:attr:`Layout.dtype`).

    Args:
        data: anything bytes-like. It is read twice and not kept.
        blocks: what follows the header of a MoldUDP64 packet, in which a length of 0 ends nothing.
        name: what errors call the buffer.

    Returns:
        tables whose ``index`` says which message of the buffer a row was, right or wrong ones
        counted, from 0. Prices in 1/10,000 dollar, times in nanoseconds since midnight.

    Raises:
        InputFileError: strict, and something is wrong; by offset.
    """
    tally, tables = native.decode(data, _flags(strict, blocks) | Flag.LAST)
    check(tally, data, name, strict=strict)
    return ItchArrays(tables, tally)


def split(
    data: Any, *, strict: bool = True, blocks: bool = False, name: str = "buffer"
) -> ItchArrays:
    """Sort the messages of a buffer by type, and leave their bytes alone.

    As :func:`decode`, but tables are of :attr:`Layout.wire_dtype`: numpy swaps the bytes of a
    field when it is used. Half the memory, and the better way when few fields are wanted.
    """
    tally, tables = native.split(data, _flags(strict, blocks) | Flag.LAST)
    check(tally, data, name, strict=strict)
    return ItchArrays(tables, tally)


def decode_records(
    data: Any, *, strict: bool = True, blocks: bool = False, name: str = "buffer"
) -> Table:
    """Decode a buffer of at most 2 GiB to one record a message, in order.

    Returns:
        array of ``native.RECORD_DTYPE``, shape (messages,).

    Raises:
        InputFileError: as :func:`decode`.
        ValueError: a larger buffer; read it as a file, or in parts.
    """
    flags = _flags(strict, blocks) | Flag.LAST
    count = native.scan(data, flags).messages
    tally, records = native.records(data, flags, capacity=count)
    if tally.status is Status.FULL:
        raise ValueError("more than 2 GiB at once: cut the buffer at tally.consumed, or use blocks")
    check(tally, data, name, strict=strict)
    return records


def frame(message: bytes) -> bytes:
    """A message behind its length."""
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


# --- files ------------------------------------------------------------------------------------


def read_file(
    path: str | Path,
    *,
    strict: bool = True,
    block_bytes: int = BLOCK_BYTES,
    on_read: OnRead | None = None,
) -> Iterator[ItchArrays]:
    """Decode a BinaryFILE, plain, gzip or xz, block by block; memory does not grow with it.

    Args:
        block_bytes: of the file, unpacked, in one go. Larger blocks mean longer tables.
        on_read: told the bytes read from the file as it goes on, for a progress bar.

    Yields:
        tables of what is whole in each block, ``index`` counting on over blocks.

    Raises:
        InputFileError: as :func:`decode`, after all messages before it have been yielded; or the
            file cannot be read.
        ConfigurationError: ``block_bytes`` below 1, with which nothing would ever be read, or above
            1 GiB.
    """
    with open_bytes(path, on_read) as stream:
        for _, (tally, tables) in _walk(stream, path, native.decode, strict, block_bytes):
            yield ItchArrays(tables, tally)


def read_records(
    stream: IO[bytes], path: str | Path, *, strict: bool = True, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """The messages of an open BinaryFILE in order, block by block.

    Raises:
        InputFileError: as :func:`read_file`.
    """

    def take(data: bytes, flags: Flag, first_index: int) -> tuple[Tally, Table]:
        del first_index
        return native.records(data, flags, capacity=len(data))

    for (offset, index, data), (tally, records) in _walk(stream, path, take, strict, block_bytes):
        yield Block(offset, index, data, records, tally)


def iter_bytes(
    stream: IO[bytes], path: str | Path, *, strict: bool = True, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, int, bytes]]:
    """Yield (index among right messages, offset of its length, bytes) of each message in order.

    Raises:
        InputFileError: as :func:`read_file`.
    """
    index = 0
    for block in read_records(stream, path, strict=strict, block_bytes=block_bytes):
        data = block.data
        for at in block.records["at"].tolist():
            start = at + _LENGTH_BYTES
            yield index, block.offset + at, data[start : start + data[start - 1]]
            index += 1


def iter_messages(
    path: str | Path, *, strict: bool = True, on_read: OnRead | None = None
) -> Iterator[Message]:
    """Yield each message of a BinaryFILE as an object.

    Raises:
        InputFileError: as :func:`read_file`.
    """
    with open_bytes(path, on_read) as stream:
        for _, _, message in iter_bytes(stream, path, strict=strict):
            yield parse(message)


def _walk(
    stream: IO[bytes],
    path: str | Path,
    take: Callable[[bytes, Flag, int], tuple[Tally, T]],
    strict: bool,
    block_bytes: int,
) -> Iterator[tuple[tuple[int, int, bytes], tuple[Tally, T]]]:
    """Read blocks, give each with what was left of the one before to ``take``, yield its answer.

    What is left is half a message: at most 65,536 bytes, however long the file.
    """
    if not 1 <= block_bytes <= _MOST_BLOCK_BYTES:
        what = f"{path}: block_bytes {block_bytes} is not 1 to {_MOST_BLOCK_BYTES}"
        raise ConfigurationError(what)
    flags = _flags(strict, blocks=False)
    rest, offset, index = b"", 0, 0
    while True:
        more = stream.read(block_bytes)
        data = rest + more
        tally, taken = take(data, flags if more else flags | Flag.LAST, index)
        yield (offset, index, data), (tally, taken)
        check(tally, data, path, offset, strict=strict)
        if not more or tally.status is Status.AFTER_END:
            return
        rest = data[tally.consumed :]
        offset += tally.consumed
        index += tally.frames


# --- what is wrong ----------------------------------------------------------------------------


def check(
    tally: Tally, data: Any, path: str | Path, offset: int = 0, *, strict: bool = True
) -> None:
    """Raise the error that a tally tells of.

    Args:
        data: the bytes that were walked over.
        offset: of ``data`` in ``path``.

    Raises:
        InputFileError: names the offset, and what would be right there.
    """
    if not strict or tally.status >= 0:
        return
    at = tally.consumed
    where = f"offset {offset + at}"
    if tally.status is Status.AFTER_END:
        expected = "the end of the file, which follows the end of the session"
        raise InputFileError(path, where, "", "more data", expected)
    if tally.status is Status.CUT_SHORT:
        expected = "a whole message behind its two-byte length"
        raise InputFileError(path, where, "", f"{tally.left} bytes", expected)
    head = bytes(memoryview(data).cast("B")[at : at + _LENGTH_BYTES + 1])
    length, letter = int.from_bytes(head[:_LENGTH_BYTES], "big"), head[_LENGTH_BYTES:]
    if tally.status is Status.UNKNOWN_TYPE:
        types = "".join(sorted(LAYOUTS))
        raise InputFileError(path, where, "message type", letter, f"one of {types}")
    if length == 0:
        raise InputFileError(path, where, "length of a message", 0, "that of any type")
    known = letter.decode("ascii")
    field = f"length of a message {known}"
    raise InputFileError(path, where, field, length, str(LAYOUTS[known].length))


def _flags(strict: bool, blocks: bool) -> Flag:
    return (Flag.NONE if strict else Flag.TOLERANT) | (Flag.BLOCKS if blocks else Flag.NONE)
