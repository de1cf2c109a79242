"""LOBSTER message files: a row an event, as text.

``time, type, order id, size, price, direction``: seconds after midnight, exact to the nanosecond;
type 1 submission, 2 partial cancellation, 3 deletion, 4 execution of a visible order, 5 of a
hidden one, 6 cross trade, 7 halt; the price in 1/10,000 dollar; direction 1 for a buy order and
-1 for a sell order, in executions that of the resting order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

from contract.byte_source import iter_lines, shorten
from contract.errors import InputFileError
from contract.messages import Side

SUBMISSION: Final = 1
PARTIAL_CANCEL: Final = 2
DELETION: Final = 3
EXECUTION: Final = 4
_TYPES: Final = 7
_SIDES: Final = {"1": Side.BID, "-1": Side.ASK}
_TIME: Final = re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,18}))?")
_FIELDS: Final = ("time", "type", "order id", "size", "price", "direction")
_EXPECTED: Final = {
    "time": "seconds after midnight, such as 34200.01746",
    "type": "a whole number from 1 to 7",
    "order id": f"a whole number from 0 to {2**63 - 1}",
    "size": f"a whole number from 0 to {2**40 - 1}",
    "price": "a whole number",
    "direction": "1 (buy) or -1 (sell)",
}


class Message(NamedTuple):
    """One row of a message file."""

    line: int
    timestamp_ns: int
    type: int
    order_id: int
    size: int
    price: int
    side: Side


def iter_messages(stream: IO[bytes], path: str | Path) -> Iterator[Message]:
    """Yield the rows of a message file. Columns beyond the sixth are left alone.

    Raises:
        InputFileError: names the line and the field.
    """
    for line, text in iter_lines(stream, path):
        cells = text.split(",")
        if len(cells) < len(_FIELDS):
            expected = f"six columns: {', '.join(_FIELDS)}"
            raise InputFileError(path, f"line {line}", "", shorten(text), expected)
        message = _parse(line, cells)
        if message is None:
            raise _wrong_cell(path, line, cells)
        yield message


def _parse(line: int, cells: list[str]) -> Message | None:
    time = _TIME.fullmatch(cells[0])
    side = _SIDES.get(cells[5].strip())
    if time is None or side is None:
        return None
    seconds, decimals = time.groups(default="")
    # Some published times went through a float and carry its noise: round to the nanosecond.
    decimals = decimals.ljust(10, "0")
    timestamp_ns = int(seconds) * 1_000_000_000 + (int(decimals[:10]) + 5) // 10
    try:
        kind, order_id, size, price = map(int, cells[1:5])
    except ValueError:
        return None
    if not (1 <= kind <= _TYPES and 0 <= order_id < 2**63 and 0 <= size < 2**40):
        return None
    return Message(line, timestamp_ns, kind, order_id, size, price, side)


def _wrong_cell(path: str | Path, line: int, cells: list[str]) -> InputFileError:
    """The first field of a row by which the row cannot be read."""
    good = ["0", "1", "0", "0", "0", "1"]
    for position, field in enumerate(_FIELDS):
        attempt = [*good[:position], cells[position], *good[position + 1 :]]
        if _parse(line, attempt) is None:
            value = shorten(cells[position])
            return InputFileError(path, f"line {line}", field, value, _EXPECTED[field])
    raise AssertionError("every field is good")
