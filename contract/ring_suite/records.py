"""Records that tell who wrote them: no two alike, and a damaged one is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from contract.messages import RECORD_BYTES
from contract.ring import CURSORS, Rows

#: Odd numbers without pattern, one for each word of a record.
_FACTORS: Final = np.array(
    [
        0x9E3779B97F4A7C15,
        0xBF58476D1CE4E5B9,
        0x94D049BB133111EB,
        0xD6E8FEB86659FD93,
        0xA0761D6478BD642F,
        0xE7037ED1A0B428DB,
        0x8EBC6AF09C88C6E3,
        0x589965CC75374CC3,
    ],
    np.uint64,
)
_PRODUCER_SHIFT: Final = 40
_NUMBER_WORD: Final = 1


def make_rows(first: int, count: int, producer: int = 0) -> Rows:
    """Records ``first`` to ``first + count - 1`` of a producer, shape (count, 64).

    Word 1 says which record it is; the others, word 0 too, follow from it.
    """
    name = (producer + 1) << _PRODUCER_SHIFT
    numbers = np.arange(name + first, name + first + count, dtype=np.uint64)
    words = numbers[:, None] * _FACTORS
    words ^= words >> np.uint64(29)
    words[:, _NUMBER_WORD] = numbers
    return words.view(np.uint8)


def names(rows: Rows) -> list[tuple[int, int]]:
    """For each record its producer and its number. What nobody made is (-1, whatever)."""
    numbers = _words(rows)[:, _NUMBER_WORD]
    return [((n >> _PRODUCER_SHIFT) - 1, n & (1 << _PRODUCER_SHIFT) - 1) for n in numbers.tolist()]


def numbered(rows: Iterable[bytes], cursor: int) -> list[bytes]:
    """Records as a ring that numbers gives them out, the first of them from slot ``cursor``."""
    return [
        ((cursor + place + 1) % CURSORS).to_bytes(8, "little") + row[8:]
        for place, row in enumerate(rows)
    ]


def as_list(rows: Rows) -> list[bytes]:
    """Rows as bytes objects, which compare by value."""
    flat = rows.tobytes()
    return [flat[at : at + RECORD_BYTES] for at in range(0, len(flat), RECORD_BYTES)]


def told(rows: Iterable[bytes]) -> str:
    """A few records in words, for a failure."""
    listed = list(rows)
    shown = [_told(row) for row in listed[:8]]
    if len(listed) > len(shown):
        shown.append(f"… {len(listed) - len(shown)} more")
    return ", ".join(shown) or "nothing"


def _told(row: bytes) -> str:
    [(producer, number)] = names(np.frombuffer(row, np.uint8).reshape(1, -1))
    if producer < 0:
        return f"a record nobody made ({row[:16].hex()}…)"
    whole = make_rows(number, 1, producer).tobytes()
    if row[8:] != whole[8:]:
        return f"record {number}, damaged"
    stamp = int.from_bytes(row[:8], "little")
    return f"record {number}" + ("" if row == whole else f" numbered {stamp}")


def _words(rows: Rows) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(rows).view(np.uint64)
