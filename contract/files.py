"""The files of the contract: command scripts, command files, event files and event lists.

- ``.csv`` in: command script, a header line and then a command a line, in words
- ``.cmd``: command file, 64-byte commands end to end
- ``.evt``: event file, 64-byte events end to end
- ``.csv`` out: event list, a header line and then an event a line, in words

Every reader streams: it holds one line or one chunk, never the file. Plain, gzip and xz files are
told apart by content; what is written to a name in ``.gz`` or ``.xz`` is compressed. Whatever is
wrong with a file is one ``InputFileError`` that names the file, the line or the offset, the field,
the value, and what would be right; a record is handed on whole or not at all.

>>> import io
>>> script = io.BytesIO(b"kind,order_id,side,price,quantity\\nnew,7,ask,101,5\\ncancel,7\\n")
>>> for command in read_script("tape.csv", script): print(command)
new #7 ask 5 @ 101
cancel #7
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Self

import numpy as np

from contract.byte_source import create_bytes, open_bytes
from contract.columns import Column, number, read_table, words_of
from contract.errors import InputFileError
from contract.messages import (
    RECORD_BYTES,
    Command,
    CommandKind,
    Event,
    EventKind,
    Flag,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
)
from contract.records import COMMAND_DTYPE, EVENT_DTYPE, RecordArray, to_command_array

CHUNK_RECORDS: Final = 65_536


_SCRIPT: Final = (
    Column("kind", words_of(CommandKind), required=True),
    number("order_id", 64),
    Column("side", words_of(Side)),
    number("price", 64, signed=True),
    number("quantity", 64),
    Column("order_type", words_of(OrderType)),
    Column("time_in_force", words_of(TimeInForce)),
    Column("self_trade", words_of(SelfTrade)),
    Column("post_only", None, 0, 1),
    number("account", 32),
    number("instrument", 32),
    number("timestamp_ns", 64),
)
_EVENT_LIST: Final = (
    number("sequence", 64),
    Column("kind", words_of(EventKind), required=True),
    number("order_id", 64),
    number("contra_order_id", 64),
    # A rejected command's side is whatever byte its sender wrote, so a bare number is allowed.
    Column("side", words_of(Side), 0, 255),
    number("price", 64, signed=True),
    number("quantity", 64),
    number("leaves", 64),
    Column("reason", {word: n for word, n in words_of(Reason).items() if n}),
    number("timestamp_ns", 64),
    number("instrument", 32),
)
SCRIPT_COLUMNS: Final = tuple(column.name for column in _SCRIPT)
EVENT_LIST_COLUMNS: Final = tuple(column.name for column in _EVENT_LIST)


# Reading.


@contextmanager
def _opened(path: str | Path, stream: IO[bytes] | None) -> Iterator[IO[bytes]]:
    """The stream given, left open; or the file at ``path``, closed at the end."""
    if stream is not None:
        yield stream
        return
    with open_bytes(path) as file:
        yield file


def read_script(path: str | Path, stream: IO[bytes] | None = None) -> Iterator[Command]:
    """The commands of a command script, one by one.

    Columns may stand in any order and be absent, a cell may be empty and a row may end early:
    what is not given is 0, ``limit``, ``gtc`` or ``none``. A line that starts with ``#`` is a
    comment.

    Args:
        path: the file, and its name in errors.
        stream: its bytes, where the caller has opened it already.

    Raises:
        InputFileError: names the line and the field.
    """
    with _opened(path, stream) as file:
        for row in read_table(path, file, _SCRIPT, {"kind"}):
            if row.pop("post_only", 0):
                row["flags"] = Flag.POST_ONLY
            yield Command(**row)


def iter_command_arrays(
    path: str | Path, chunk: int = CHUNK_RECORDS, stream: IO[bytes] | None = None
) -> Iterator[RecordArray]:
    """The commands of a script (``.csv``) or a command file (``.cmd``), in arrays.

    Args:
        path: the file; its name, without ``.gz`` or ``.xz``, says which of the two it is.
        chunk: commands in an array; only the last may be shorter. Memory is O(chunk).
        stream: its bytes, where the caller has opened it already.

    Raises:
        InputFileError: names the line or the offset.
    """
    kind = suffix(path)
    if kind == ".cmd":
        yield from _iter_records(path, chunk, stream, COMMAND_DTYPE, "command")
    elif kind == ".csv":
        commands = read_script(path, stream)
        while batch := list(islice(commands, chunk)):
            yield to_command_array(batch)
    else:
        raise InputFileError(path, "name", "", kind, "a command script (.csv) or file (.cmd)")


def iter_event_arrays(
    path: str | Path, chunk: int = CHUNK_RECORDS, stream: IO[bytes] | None = None
) -> Iterator[RecordArray]:
    """The events of an event file (``.evt``), in arrays of ``chunk``; the last may be shorter."""
    yield from _iter_records(path, chunk, stream, EVENT_DTYPE, "event")


def _iter_records(
    path: str | Path, chunk: int, stream: IO[bytes] | None, dtype: np.dtype[Any], noun: str
) -> Iterator[RecordArray]:
    offset = 0
    with _opened(path, stream) as file:
        while data := _read_exactly(file, chunk * RECORD_BYTES):
            whole = len(data) - len(data) % RECORD_BYTES
            if whole != len(data):
                raise InputFileError(
                    path,
                    f"offset {offset + whole}",
                    noun,
                    f"{len(data) - whole} bytes",
                    f"a whole {RECORD_BYTES}-byte {noun}",
                )
            yield np.frombuffer(data, dtype)
            offset += len(data)


def _read_exactly(file: IO[bytes], size: int) -> bytes:
    """``size`` bytes, fewer only at the end of the file (a stream may give less at a time)."""
    data = file.read(size)
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def read_event_list(path: str | Path, stream: IO[bytes] | None = None) -> Iterator[Event]:
    """The events of an event list, one by one. All its columns must be there, in any order.

    Raises:
        InputFileError: names the line and the field.
    """
    with _opened(path, stream) as file:
        for row in read_table(path, file, _EVENT_LIST, set(EVENT_LIST_COLUMNS)):
            yield Event(**row)


def suffix(path: str | Path) -> str:
    """The suffix of a file's name that says what it holds, whatever compresses it.

    >>> suffix("day.cmd.gz"), suffix("2012-06-21.ITCH50"), suffix("day"), suffix("day.gz")
    ('.cmd', '.itch50', '', '')
    """
    suffixes = Path(path).suffixes
    if suffixes and suffixes[-1].lower() in (".gz", ".xz"):
        suffixes.pop()
    return suffixes[-1].lower() if suffixes else ""


# Writing.


def write_command_file(path: str | Path, chunks: Iterable[RecordArray]) -> int:
    """Write arrays of commands as a command file; returns how many commands."""
    return _write_records(path, chunks, COMMAND_DTYPE)


def write_event_file(path: str | Path, chunks: Iterable[RecordArray]) -> int:
    """Write arrays of events as an event file; returns how many events."""
    return _write_records(path, chunks, EVENT_DTYPE)


def _write_records(path: str | Path, chunks: Iterable[RecordArray], dtype: np.dtype[Any]) -> int:
    count = 0
    with create_bytes(path) as file:
        for chunk in chunks:
            if chunk.dtype != dtype:
                raise ValueError(f"records of {chunk.dtype}, not of {dtype}")
            file.write(chunk.tobytes())
            count += len(chunk)
    return count


def write_script(path: str | Path, commands: Iterable[Command]) -> int:
    """Write commands as a command script; returns how many. Sequence numbers are not kept.

    Raises:
        ValueError: a command holds what no word of a script can say (side 7, a reserved field);
            a command file can.
    """
    words = [
        {value: word for word, value in column.words.items()} if column.words else None
        for column in _SCRIPT
    ]
    count = 0
    with create_bytes(path) as file:
        file.write((",".join(SCRIPT_COLUMNS) + "\n").encode())
        for command in commands:
            if command.flags > Flag.POST_ONLY or command.reserved or command.reserved2:
                raise ValueError(f"command {count}: no script can say flags or reserved fields")
            cells = []
            for column, said in zip(_SCRIPT, words, strict=True):
                name = "flags" if column.name == "post_only" else column.name
                value = getattr(command, name)
                if said is not None and value not in said:
                    raise ValueError(f"command {count}: {name} {value} has no word")
                cells.append(said[value] if said is not None else str(int(value)))
            file.write((",".join(cells) + "\n").encode())
            count += 1
    return count


class EventFileWriter:
    """Writes events as an event file, a chunk at a time. Use as a context manager."""

    def __init__(self, path: str | Path) -> None:
        self._file = create_bytes(path)

    def write(self, events: RecordArray) -> None:
        """Append an array of events. O(n)."""
        self._file.write(events.tobytes())

    def close(self) -> None:
        """Finish the file. Closing twice is harmless."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class EventListWriter:
    """Writes events as an event list, a chunk at a time. Use as a context manager.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "out.csv"
    ...     with EventListWriter(path) as writer:
    ...         writer.write(np.zeros(0, EVENT_DTYPE))
    ...     path.read_text()
    'sequence,kind,order_id,contra_order_id,side,price,quantity,leaves,reason,timestamp_ns,instrument\\n'
    """

    def __init__(self, path: str | Path) -> None:
        self._file = create_bytes(path)
        self._kinds = {int(kind): kind.name.lower() for kind in EventKind}
        self._sides = {int(side): side.name.lower() for side in Side}
        self._reasons = {int(r): r.name.lower() if r else "" for r in Reason}
        self._file.write((",".join(EVENT_LIST_COLUMNS) + "\n").encode())

    def write(self, events: RecordArray) -> None:
        """Append an array of events. O(n)."""
        columns: list[list[Any]] = [events[name].tolist() for name in EVENT_LIST_COLUMNS]
        at = EVENT_LIST_COLUMNS.index
        columns[at("kind")] = [self._kinds[kind] for kind in columns[at("kind")]]
        columns[at("side")] = [self._sides.get(side, side) for side in columns[at("side")]]
        columns[at("reason")] = [self._reasons[reason] for reason in columns[at("reason")]]
        lines = (",".join(map(str, row)) for row in zip(*columns, strict=True))
        self._file.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """Finish the file. Closing twice is harmless."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
