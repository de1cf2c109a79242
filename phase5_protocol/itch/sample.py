"""An ITCH stream of our own that looks like real ones, for benchmarks and tests.

The mix of types is that of an hour of AAPL; each D, E and X is about an order that lives, prices
walk around, and times go on in bursts. The same seed is the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

from phase5_protocol.itch.layouts import LAYOUTS

#: Messages of each type in 10,000, AAPL on 2012-06-21, 09:30 to 10:30.
AAPL_HOUR: Final = {"A": 4820, "D": 4450, "E": 441, "P": 239, "X": 50}
#: The same with every type that a displayed book follows from.
BOOK_TYPES: Final = {
    "A": 4300,
    "F": 300,
    "D": 3850,
    "U": 700,
    "E": 430,
    "C": 20,
    "P": 240,
    "X": 160,
}

_STOCK: Final = b"MATCHBK "
_OPEN_NS: Final = 34_200 * 10**9
_LOCATE: Final = 1
_TICK: Final = 100
_START_PRICE: Final = 5_850_000
_MEAN_GAP_NS: Final = 39_000_000


class _Day:
    """The state behind the stream: orders that live, the price, the time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = _OPEN_NS
        self.middle = _START_PRICE
        self.references: list[int] = []
        self.shares: dict[int, int] = {}
        self.next_reference = 1000
        self.next_match = 1
        self.makers: dict[str, Callable[[], bytes]] = {
            "A": lambda: self._add("A"),
            "F": lambda: self._add("F", b"MBKS"),
            "D": lambda: self._pack("D", self._remove()),
            "X": self._cancel,
            "E": lambda: self._execute("E"),
            "C": lambda: self._execute("C", b"N", self._price()),
            "U": self._replace,
            "P": self._trade,
        }

    def make(self, letter: str) -> bytes:
        """The next message, of that type; an A where no order lives for another."""
        gap = self.random.expovariate(1 / _MEAN_GAP_NS)
        self.now += int(gap) if self.random.random() < 0.3 else self.random.randrange(2_000)
        self.middle = max(100 * _TICK, self.middle + _TICK * self.random.randint(-1, 1))
        return self.makers[letter if self.references or letter in "FP" else "A"]()

    def _pack(self, letter: str, *own: int | bytes) -> bytes:
        return LAYOUTS[letter].pack(_LOCATE, 0, self.now, *own)

    def _price(self) -> int:
        return self.middle + _TICK * self.random.randint(-20, 20)

    def _new(self) -> tuple[int, int]:
        self.next_reference += self.random.randint(1, 40)
        reference, shares = self.next_reference, 100 * self.random.randint(1, 5)
        self.references.append(reference)
        self.shares[reference] = shares
        return reference, shares

    def _remove(self) -> int:
        at = self.random.randrange(len(self.references))
        self.references[at], self.references[-1] = self.references[-1], self.references[at]
        reference = self.references.pop()
        del self.shares[reference]
        return reference

    def _take_off(self) -> tuple[int, int]:
        """Some shares off an order that lives; it goes with its last one."""
        reference = self.random.choice(self.references)
        shares = self.random.randint(1, self.shares[reference])
        self.shares[reference] -= shares
        if not self.shares[reference]:
            self.references.remove(reference)
            del self.shares[reference]
        return reference, shares

    def _add(self, letter: str, *attribution: bytes) -> bytes:
        reference, shares = self._new()
        side = self.random.choice((b"B", b"S"))
        return self._pack(letter, reference, side, shares, _STOCK, self._price(), *attribution)

    def _cancel(self) -> bytes:
        return self._pack("X", *self._take_off())

    def _match(self) -> int:
        self.next_match += 1
        return self.next_match

    def _execute(self, letter: str, *more: int | bytes) -> bytes:
        return self._pack(letter, *self._take_off(), self._match(), *more)

    def _replace(self) -> bytes:
        old = self._remove()
        return self._pack("U", old, *self._new(), self._price())

    def _trade(self) -> bytes:
        shares, price = self.random.randint(1, 500), self._price()
        return self._pack("P", 0, b"B", shares, _STOCK, price, self._match())


def generate_day(count: int, *, seed: int, mix: Mapping[str, int] = AAPL_HOUR) -> bytes:
    """A BinaryFILE of ``count`` messages between those that open and close a day.

    Args:
        mix: weights of book types (``layouts.BOOK_LETTERS``).

    Takes about 4 µs a message.
    """
    day = _Day(seed)
    letters = day.random.choices(list(mix), list(mix.values()), k=count)
    directory = LAYOUTS["R"].encode(
        stock_locate=_LOCATE, timestamp_ns=_OPEN_NS, stock=_STOCK.decode(), round_lot_size=100
    )
    messages = [_event("O", _OPEN_NS), directory, _event("Q", _OPEN_NS)]
    messages += [day.make(letter) for letter in letters]
    messages += [_event("M", day.now), _event("C", day.now)]
    framed = bytearray()
    for message in messages:
        framed += len(message).to_bytes(2, "big") + message
    return bytes(framed + b"\0\0")


def _event(code: str, when: int) -> bytes:
    return LAYOUTS["S"].encode(timestamp_ns=when, event_code=code)
