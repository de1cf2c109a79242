"""The public benchmark's order flow as text: one line a command, no times.

::

    N,id,side,price,qty       new limit order; side B or S
    N,id,side,price,qty,I     the same, immediate or cancel
    C,id                      cancel
    M,id,side,price,qty       modify

Parsing and writing are C (``contract/c/benchmark_text.c``): a million lines in a fraction of a
second, and files of any size in constant memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Final

import numpy as np

from contract._workload import ffi, lib
from contract.byte_source import open_bytes
from contract.errors import InputFileError
from contract.records import RecordArray, empty_commands

BLOCK_BYTES: Final = 1 << 20
#: A line is at most 80 bytes; whatever goes on for so long without a newline is no such text.
LONGEST_LINE: Final = 1024

# Name of each field and what it should be, in the order in which they stand in a line.
_FIELDS: Final = (
    ("type", "N, C or M"),
    ("id", f"an integer from 0 to {2**64 - 1}"),
    ("side", "B or S"),
    ("price", f"an integer from {-(2**63)} to {2**63 - 1}"),
    ("qty", f"an integer from 0 to {2**64 - 1}"),
    ("flag", "I or nothing"),
)
_END: Final = ("", "a line that ends after its last field")


def parse(text: bytes, name: object = "<text>") -> RecordArray:
    """The commands of a whole text as one array of ``COMMAND_DTYPE``, timestamps 0. O(bytes).

    >>> parse(b"N,7,S,101,5,I\\nC,7\\n")["order_id"]
    array([7, 7], dtype=uint64)

    Raises:
        InputFileError: names ``name``, the line, the field and what stands there.
    """
    commands, used = _parse_block(text, name, 0)
    if used < len(text):
        last, _ = _parse_block(text[used:] + b"\n", name, len(commands))
        commands = np.concatenate([commands, last])
    return commands


def iter_commands(
    path: str | Path, stream: IO[bytes] | None = None, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[RecordArray]:
    """The commands of a file, plain or gzip or xz, in arrays of some ten thousand.

    Args:
        path: the file, and its name in errors.
        stream: its bytes, where the caller has opened it already; it is left open.
        block_bytes: bytes read at a time; memory is O(block_bytes).

    An empty file yields nothing.

    Raises:
        InputFileError: names the file, the line, the field and what stands there; the arrays
            before it are good.
    """
    with open_bytes(path) if stream is None else nullcontext(stream) as file:
        lines = 0
        kept = b""
        while block := file.read(block_bytes):
            block = kept + block
            commands, used = _parse_block(block, path, lines)
            lines += len(commands)
            kept = block[used:]
            if len(kept) > LONGEST_LINE:
                raise InputFileError(path, f"line {lines + 1}", "", _shown(kept), "a line")
            if len(commands):
                yield commands
        if kept:
            yield _parse_block(kept + b"\n", path, lines)[0]


def format_commands(commands: RecordArray) -> bytes:
    """Commands as text, a newline after each line. O(n).

    >>> format_commands(parse(b"N,7,S,101,5,I\\nC,7"))
    b'N,7,S,101,5,I\\nC,7\\n'

    Timestamps and sequence numbers are not written. A REPLACE is written with the side it
    carries, which should be its order's.

    Raises:
        ValueError: a command that this text has no words for, such as a MARKET order.
    """
    out = bytearray(max(1, len(commands)) * lib.BENCHMARK_LINE_BYTES)
    text = ffi.from_buffer("char[]", out, require_writable=True)
    source = ffi.from_buffer("command_record[]", commands)
    size = ffi.new("size_t *")
    done = lib.benchmark_text_format(source, len(commands), text, len(out), size)
    if done < len(commands):
        raise ValueError(f"command {done}, {commands[done]}: the text has no words for it")
    return bytes(memoryview(out)[: size[0]])


def write_commands(path: str | Path, chunks: Iterable[RecordArray]) -> int:
    """Write arrays of commands to a file, one after the other; returns how many commands.

    Raises:
        ValueError: as :func:`format_commands`; what came before stays in the file.
    """
    count = 0
    with Path(path).open("wb") as file:
        for commands in chunks:
            file.write(format_commands(commands))
            count += len(commands)
    return count


def _parse_block(text: bytes, name: object, lines_before: int) -> tuple[RecordArray, int]:
    """The commands of all whole lines, and how many bytes these lines are."""
    commands = empty_commands(text.count(b"\n"))
    target = ffi.from_buffer("command_record[]", commands)
    progress = lib.benchmark_text_parse(ffi.from_buffer(text), len(text), target, len(commands))
    if progress.error != lib.BENCHMARK_FINE:
        line = text[progress.bytes_used :].split(b"\n", 1)[0].removesuffix(b"\r")
        where = f"line {lines_before + progress.commands + 1}"
        raise _wrong_field(name, where, line, progress.error)
    return commands, progress.bytes_used


def _wrong_field(name: object, where: str, line: bytes, field: int) -> InputFileError:
    if field == lib.BENCHMARK_FIELD_SURPLUS:
        return InputFileError(name, where, _END[0], _shown(line), _END[1])
    values = line.split(b",")
    value = _shown(values[field]) if field < len(values) else ""
    return InputFileError(name, where, _FIELDS[field][0], value, _FIELDS[field][1])


def _shown(value: bytes) -> str:
    """Bytes for an error message: never long, never unprintable."""
    return value[:40].decode("ascii", "backslashreplace")
