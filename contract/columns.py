"""Text tables of words and whole numbers: what command scripts and event lists are made of.

A table is a CSV file with a header line; ``#`` starts a comment line, blank lines are skipped. A
reader states its columns and gets each row as ``{column: value}``, or one ``InputFileError`` that
names the line, the column, the cell, and what would be right.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import IO, NamedTuple

from contract.byte_source import iter_lines, shorten
from contract.errors import InputFileError


class Column(NamedTuple):
    """One column of a text format: words, or a whole number within the width of its field."""

    name: str
    words: Mapping[str, int] | None = None
    low: int = 0
    high: int = 0
    required: bool = False

    def parse(self, cell: str) -> int | None:
        """The cell's value, or None when it is none of those the column may hold."""
        if self.words is not None and cell in self.words:
            return self.words[cell]
        digits = cell[1:] if cell.startswith("-") else cell
        if self.high and digits.isascii() and digits.isdigit() and len(digits) < 25:
            value = int(cell)
            return value if self.low <= value <= self.high else None
        return None

    def expected(self) -> str:
        """What would be right here."""
        numbers = f"a whole number from {self.low} to {self.high}" if self.high else ""
        words = "one of " + ", ".join(w for w in self.words if w) if self.words else ""
        return " or ".join(filter(None, (words, numbers)))


def words_of(enumeration: type[IntEnum]) -> dict[str, int]:
    """The lower-case words of an enumeration and the values they stand for."""
    return {member.name.lower(): int(member) for member in enumeration}


def number(name: str, bits: int, signed: bool = False) -> Column:
    """A column of whole numbers that fit a field of so many bits."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return Column(name, None, low, high)


def read_table(
    path: str | Path, stream: IO[bytes], columns: tuple[Column, ...], required: set[str]
) -> Iterator[dict[str, int]]:
    """Yield the rows of a table as {column: value}; empty cells are left out.

    Args:
        path: the file's name in errors.
        stream: its bytes.
        columns: all columns the table may have; they may stand in any order.
        required: names of those its header must have.

    Raises:
        InputFileError: names the line and the column.
    """
    line = 0

    def rows() -> Iterator[str]:
        nonlocal line
        for number, text in iter_lines(stream, path):
            line = number
            if text.strip() and not text.startswith("#"):
                yield text

    reader = csv.reader(rows(), skipinitialspace=True, strict=True)
    header: list[Column] | None = None
    try:
        for cells in reader:
            where = f"line {line}"
            if header is None:
                header = _read_header(path, where, cells, columns, required)
                continue
            if len(cells) > len(header):
                raise InputFileError(
                    path, where, "", f"{len(cells)} cells", f"a row of at most {len(header)}"
                )
            yield _read_row(path, where, cells, header)
    except csv.Error as error:
        raise InputFileError(path, f"line {line}", "", str(error), "a row of a CSV file") from error
    if header is None:
        names = ",".join(column.name for column in columns)
        raise InputFileError(path, f"line {line + 1}", "header", "", f"a header line: {names}")


def _read_header(
    path: str | Path,
    where: str,
    cells: list[str],
    columns: tuple[Column, ...],
    required: set[str],
) -> list[Column]:
    known = {column.name: column for column in columns}
    names = [cell.strip() for cell in cells]
    for position, name in enumerate(names):
        if name not in known:
            expected = f"a column; known are {', '.join(known)}"
            raise InputFileError(path, where, "header", shorten(name), expected)
        if name in names[:position]:
            raise InputFileError(path, where, "header", name, "a column named once")
    for name in known:
        if name in required and name not in names:
            expected = f"a header line with the column {name}"
            raise InputFileError(path, where, "header", shorten(",".join(names)), expected)
    return [known[name] for name in names]


def _read_row(
    path: str | Path, where: str, cells: list[str], header: list[Column]
) -> dict[str, int]:
    row = {}
    for column, raw in zip(header, cells, strict=False):
        cell = raw.strip()
        if cell:
            value = column.parse(cell)
            if value is None:
                raise InputFileError(path, where, column.name, shorten(cell), column.expected())
            row[column.name] = value
    for column in header:
        if column.required and column.name not in row:
            raise InputFileError(path, where, column.name, "", column.expected())
    return row
