"""What a venue lists: a symbol, the book behind it, and what a tick and a lot of that book are.

One description for order entry and market data, so that they cannot disagree. Books count ticks and
lots. Here a tick has a size in 1/10,000 dollar, the unit of OUCH and ITCH, and a lot is a number of
shares; what FIX writes, and what ITCH and OUCH have room for, stands with those protocols::

    fix/decimals.py             prices and shares as decimals, exactly
    itch/directory.py           directory messages; prices and shares of 32 bits; a lot is a share
    order_entry/order_terms.py  prices of 64 bits; a lot is a share

A tick finer than 1/10,000 dollar is refused for all of them, for FIX too, which could write it: it
could not be said on the market data of the same book.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final, Self

from contract.engine import Engine
from contract.errors import ConfigurationError
from contract.messages import DEFAULT_MAX_PRICE, DEFAULT_MIN_PRICE, MAX_QUANTITY
from phase5_protocol.match_number import INSTRUMENT_BITS

#: Prices on the wire of OUCH and ITCH: this many make a dollar.
UNITS_PER_DOLLAR: Final = 10_000
SYMBOL_CHARACTERS: Final = 8
#: Least, most and unit of what must be a whole number.
_LIMITS: Final = {
    "instrument": (0, 2**INSTRUMENT_BITS - 1, ""),
    "tick_size": (1, 2**31 - 1, f" in 1/{UNITS_PER_DOLLAR:,} dollar"),
    "lot": (1, 2**31 - 1, " shares"),
    "round_lot": (1, 2**31 - 1, " shares"),
    "min_price": (-(2**63), 2**63 - 1, " ticks"),
    "max_price": (-(2**63), 2**63 - 1, " ticks"),
    "max_quantity": (1, MAX_QUANTITY, " lots"),
}


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument that can be traded under a symbol.

    Attributes:
        symbol: 1 to 8 printable ASCII characters without a space.
        instrument: of its book, as in commands and events.
        tick_size: what a tick is worth, in 1/10,000 dollar; 100 is a cent.
        lot: shares of a lot, in which the book counts quantities.
        round_lot: shares of a round lot; said in ITCH's directory, and of no effect here.
        min_price, max_price: of any order, in ticks; the book's own limits are within these.
        max_quantity: of a new order, in lots.

    Raises:
        ConfigurationError: one of them is none that there could be.

    >>> cent = Listing("MBK", tick_size=100)
    >>> cent.to_ticks(630_200), cent.to_ticks(630_250), cent.to_units(6_302)
    (6302, None, 630200)
    >>> Listing("MBK", tick_size=0.5)
    Traceback (most recent call last):
    contract.errors.ConfigurationError: MBK: tick_size 0.5 is not a whole number from 1 to \
2147483647 in 1/10,000 dollar
    """

    symbol: str
    instrument: int = 0
    _: KW_ONLY
    tick_size: int = 100
    lot: int = 1
    round_lot: int = 100
    min_price: int = DEFAULT_MIN_PRICE
    max_price: int = DEFAULT_MAX_PRICE
    max_quantity: int = MAX_QUANTITY

    def __post_init__(self) -> None:
        """Check it."""
        symbol = self.symbol
        is_short = 1 <= len(symbol) <= SYMBOL_CHARACTERS
        if not (is_short and symbol.isascii() and symbol.isprintable() and " " not in symbol):
            raise ConfigurationError(
                f"symbol {symbol!r} is not 1 to {SYMBOL_CHARACTERS} printable ASCII characters"
                " without a space"
            )
        for name, (least, most, unit) in _LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not least <= value <= most:
                raise ConfigurationError(
                    f"{symbol}: {name} {value!r} is not a whole number from {least} to {most}{unit}"
                )
        if self.min_price > self.max_price:
            raise ConfigurationError(
                f"{symbol}: min_price {self.min_price} is above max_price {self.max_price}"
            )

    @classmethod
    def of(cls, book: Engine, symbol: str, **more: Any) -> Self:
        """The listing of a book, with its limits; ``more`` are the other attributes."""
        limits = {"min_price": book.min_price, "max_price": book.max_price}
        return cls(symbol, book.instrument, **limits, **more)

    def to_ticks(self, units: int) -> int | None:
        """A price in 1/10,000 dollar in ticks, or None if it lies between two."""
        ticks, rest = divmod(units, self.tick_size)
        return None if rest else ticks

    def to_units(self, ticks: int) -> int:
        """A price in ticks in 1/10,000 dollar."""
        return ticks * self.tick_size


def by_symbol(listings: Iterable[Listing]) -> dict[str, Listing]:
    """The listings under their symbols, in their order.

    Raises:
        ConfigurationError: two share a symbol or a book.
    """
    found: dict[str, Listing] = {}
    symbols: dict[int, str] = {}
    for listing in listings:
        if listing.symbol in found:
            raise ConfigurationError(f"symbol {listing.symbol} is listed twice")
        other = symbols.setdefault(listing.instrument, listing.symbol)
        if other != listing.symbol:
            raise ConfigurationError(
                f"instrument {listing.instrument} is listed twice, as {other} and {listing.symbol}"
            )
        found[listing.symbol] = listing
    return found


def with_books(listings: Iterable[Listing], books: Mapping[int, Engine]) -> dict[str, Listing]:
    """The listings under their symbols, after a look whether each tells the truth of its book.

    Raises:
        ConfigurationError: as :func:`by_symbol`, or there is no such book, or it takes prices that
            the listing does not.
    """
    found = by_symbol(listings)
    for symbol, listing in found.items():
        book = books.get(listing.instrument)
        if book is None:
            raise ConfigurationError(f"{symbol}: no book {listing.instrument}")
        if book.min_price < listing.min_price or book.max_price > listing.max_price:
            raise ConfigurationError(
                f"{symbol}: its book takes prices from {book.min_price} to {book.max_price} ticks,"
                f" which are not all in the {listing.min_price} to {listing.max_price} listed"
            )
    return found
