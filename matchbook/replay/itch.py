"""What a replay wants of an ITCH day: the messages in order, as rows.

Layouts, framing and what can be wrong with either are phase 5's; here a message becomes the few
native values that change a book.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

from contract.errors import InputFileError
from contract.messages import Side
from phase5_protocol.itch import decode
from phase5_protocol.itch.native import Table

_BLOCK_BYTES: Final = decode.BLOCK_BYTES
_COLUMNS: Final = (
    "type",
    "stock_locate",
    "timestamp_ns",
    "reference",
    "shares",
    "price",
    "side",
    "stock",
    "new_reference",
)


class Row(NamedTuple):
    """One message. What its type does not have is 0 or empty.

    Attributes:
        letter: its type.
        locate: which stock it is about, 0 for none.
        when: nanoseconds since midnight.
        reference: the order it is about; of a U, the one that leaves.
        shares: of an A, F or U, the order's; of an E, C or X, those to take off.
        side: the letter, as it came.
        stock: eight letters, of A, F and R.
    """

    letter: bytes
    locate: int
    when: int
    reference: int
    shares: int
    price: int
    side: bytes
    stock: bytes
    new_reference: int

    @property
    def symbol(self) -> str:
        """The stock without its spaces."""
        return self.stock.decode("ascii", "replace").rstrip()


def rows_of(records: Table) -> Iterator[Row]:
    """The rows of decoded messages."""
    return map(Row._make, zip(*(records[name].tolist() for name in _COLUMNS), strict=True))


def row_of(message: bytes) -> Row:
    """The row of a single message, given without its length.

    Raises:
        InputFileError: it is not an ITCH message.
    """
    return next(rows_of(decode.decode_records(decode.frame(message), name="message")))


def iter_rows(stream: IO[bytes], path: str | Path) -> Iterator[tuple[int, int, Row]]:
    """Yield (index from 0, offset of its length, row) of each message of a BinaryFILE.

    Raises:
        InputFileError: an unknown type, a wrong length, a message cut short, or something after
            the end of the session, by its offset.
    """
    index = 0
    for block in decode.read_records(stream, path, block_bytes=_BLOCK_BYTES):
        offsets = block.records["at"].tolist()
        for at, row in zip(offsets, rows_of(block.records), strict=True):
            yield index, block.offset + at, row
            index += 1


def side_of(row: Row, path: str | Path, offset: int) -> Side:
    """The side of an A or F.

    Raises:
        InputFileError: neither B nor S.
    """
    if row.side == b"B":
        return Side.BID
    if row.side == b"S":
        return Side.ASK
    raise InputFileError(path, f"offset {offset}", "side", row.side.decode("latin1"), "B or S")
