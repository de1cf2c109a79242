"""Order book files: a row for each moment, the best levels of both sides.

A row is ``ask price, ask size, bid price, bid size`` for level 1, then level 2, and so on. A level
that does not exist has size 0 (and a price of ±9999999999).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import IO, Final, NamedTuple

from contract.byte_source import is_zip, iter_lines, open_bytes, open_zip_member, shorten
from contract.engine import Engine
from contract.errors import InputFileError

_COLUMNS_A_LEVEL: Final = 4
#: A side of a book, best level first: (price, quantity).
Levels = list[tuple[int, int]]


class BookRow(NamedTuple):
    """One row of an order book file."""

    line: int
    bids: Levels
    asks: Levels
    depth: int


class Difference(NamedTuple):
    """Where an engine's book and an expected one part.

    Attributes:
        where: the row and what stands behind it, for a person.
        expected: bids and asks as they should be, or None where nobody can know them.
        got: bids and asks of the engine, or None.
        detail: what levels alone do not say.
    """

    where: str
    expected: tuple[Levels, Levels] | None
    got: tuple[Levels, Levels] | None
    detail: str = ""


def iter_book_rows(stream: IO[bytes], path: str | Path) -> Iterator[BookRow]:
    """Yield the rows of an order book file.

    Raises:
        InputFileError: a row that is not whole levels of whole numbers, or of another depth.
    """
    columns = 0
    for line, text in iter_lines(stream, path):
        cells = text.split(",")
        if len(cells) % _COLUMNS_A_LEVEL or (columns and len(cells) != columns):
            expected = f"{columns}" if columns else "a multiple of 4: price and size, ask and bid"
            raise InputFileError(path, f"line {line}", "number of columns", len(cells), expected)
        columns = len(cells)
        try:
            numbers = list(map(int, cells))
        except ValueError:
            raise _wrong_cell(path, line, cells) from None
        asks = [(p, q) for p, q in zip(numbers[0::4], numbers[1::4], strict=True) if q]
        bids = [(p, q) for p, q in zip(numbers[2::4], numbers[3::4], strict=True) if q]
        yield BookRow(line, bids, asks, columns // _COLUMNS_A_LEVEL)


def _wrong_cell(path: str | Path, line: int, cells: list[str]) -> InputFileError:
    words = ("ask price", "ask size", "bid price", "bid size")
    for position, cell in enumerate(cells):
        try:
            int(cell)
        except ValueError:
            field = f"{words[position % 4]} {position // 4 + 1}"
            return InputFileError(path, f"line {line}", field, shorten(cell), "a whole number")
    raise AssertionError("every cell is a number")


def iter_row_indexes(stream: IO[bytes], path: str | Path) -> Iterator[int]:
    """Yield the message index of each row: line n says after which message row n holds.

    Raises:
        InputFileError: a line that is no number, or one that goes back.
    """
    previous = -1
    for line, text in iter_lines(stream, path):
        cell = text.strip()
        if not (cell.isascii() and cell.isdigit()) or int(cell) < previous:
            expected = f"the index of a message, {max(previous, 0)} or more"
            raise InputFileError(path, f"line {line}", "index", shorten(cell), expected)
        previous = int(cell)
        yield previous


def levels_of(engine: Engine, depth: int) -> tuple[Levels, Levels]:
    """Bids and asks of an engine, as an order book file has them."""
    if depth == 1:
        bid, ask = engine.best_bid(), engine.best_ask()
        return ([] if bid is None else [bid[:2]]), ([] if ask is None else [ask[:2]])
    bids, asks = engine.depth(depth)
    return [level[:2] for level in bids], [level[:2] for level in asks]


class RowChecker:
    """Holds a book against the rows of an order book file as messages go by.

    Args:
        rows: the rows, in order.
        indexes: after which message each row holds; without it, row n holds after the n-th
            message that the caller shows.
    """

    def __init__(self, rows: Iterator[BookRow], indexes: Iterator[int] | None = None) -> None:
        self._rows = rows
        self._indexes = iter(count()) if indexes is None else indexes
        self._next_due()
        self.equal = 0

    def _next_due(self) -> None:
        self._row = next(self._rows, None)
        self._due = next(self._indexes, None)

    @property
    def is_done(self) -> bool:
        """Whether all rows have been compared."""
        return self._row is None or self._due is None

    def check(self, index: int, engine: Engine, where: str) -> Difference | None:
        """Compare every row that is due after message ``index``; the first difference or None."""
        while self._row is not None and self._due is not None and self._due <= index:
            row = self._row
            got = levels_of(engine, row.depth)
            if got != (row.bids, row.asks):
                return Difference(f"row {row.line}, after {where}", (row.bids, row.asks), got)
            self.equal += 1
            self._next_due()
        return None

    def finish(self, engine: Engine | None) -> Difference | None:
        """After the last message no row may be left."""
        row = self._row
        if row is None:
            return None
        got = ([], []) if engine is None else levels_of(engine, row.depth)
        detail = "no message is left for this row"
        return Difference(f"row {row.line}", (row.bids, row.asks), got, detail)


def open_order_book(path: Path) -> IO[bytes]:
    """Open an order book file, or the one in a LOBSTER sample archive."""
    if is_zip(path):
        return open_zip_member(path, "*orderbook*.csv", "an archive with one *orderbook*.csv")
    return open_bytes(path)
