"""Prices and quantities as FIX writes them, and as the book counts them: exactly, without floats.

FIX has decimals (``44=100.25``), the book has ticks and lots. What lies between two ticks, or is no
whole number of lots, is refused and never rounded: nobody wants a price that he did not send. A
price is written with the decimals that its listing's tick has: 100.50 in ticks of a quarter.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from phase5_protocol.listing import UNITS_PER_DOLLAR, Listing

#: How many more decimals an average price has than a price.
AVERAGE_DECIMALS: Final = 6

#: FIX writes no exponent; more digits than these fit no 64-bit price or quantity.
_NUMBER: Final = re.compile(r"(-?)(?=\.?[0-9])([0-9]{0,18})(?:\.([0-9]{0,18}))?")
#: Decimals of a price in 1/10,000 dollar.
_UNIT_DECIMALS: Final = len(str(UNITS_PER_DOLLAR)) - 1


class NumberError(ValueError):
    """The text is no number as FIX writes it, or has more digits than any price or quantity."""


class GridError(ValueError):
    """The number is between two ticks, or no whole number of lots; the message says which."""


# --8<-- [start:ticks]
def to_ticks(listing: Listing, text: str) -> int:
    """The price of a FIX field, in ticks.

    >>> to_ticks(Listing("IBM", tick_size=2_500), "100.50")
    402

    Raises:
        NumberError: it is no number.
        GridError: it is between two ticks.
    """
    units = _scaled(text, _UNIT_DECIMALS)
    ticks = None if units is None else listing.to_ticks(units)
    if ticks is None:
        raise GridError(f"price {text} is not a multiple of {to_price(listing, 1)}")
    return ticks


# --8<-- [end:ticks]


def to_price(listing: Listing, ticks: int) -> str:
    """The FIX field of a price in ticks.

    >>> to_price(Listing("IBM", tick_size=2_500), 402)
    '100.50'
    """
    decimals, tick = _grid(listing.tick_size)
    return _decimal(ticks * tick, decimals)


def to_lots(listing: Listing, text: str) -> int:
    """The quantity of a FIX field (shares, a whole number or ``100.0``), in lots.

    Raises:
        NumberError: it is no number.
        GridError: it is no whole number of lots.
    """
    shares = _scaled(text, 0)
    lots, rest = divmod(shares, listing.lot) if shares is not None else (0, 1)
    if rest:
        raise GridError(f"quantity {text} is not a multiple of {listing.lot}")
    return lots


def to_shares(listing: Listing, lots: int) -> str:
    """The FIX field of a quantity in lots."""
    return str(lots * listing.lot)


def average_price(listing: Listing, traded_value: int, traded: int) -> str:
    """The average price: ``traded_value`` (ticks times lots) over ``traded`` lots; 0 for none.

    Exact where it fits into AVERAGE_DECIMALS more than a price has; else rounded, half to even.

    >>> average_price(Listing("IBM"), 10000 * 1 + 10001 * 2, 3)
    '100.00666667'
    """
    if not traded:
        return "0"
    decimals, tick = _grid(listing.tick_size)
    scaled = traded_value * tick * 10**AVERAGE_DECIMALS
    whole, rest = divmod(scaled, traded)
    whole += 2 * rest + (whole & 1) > traded
    text = _decimal(whole, decimals + AVERAGE_DECIMALS)
    shortest = len(text) - AVERAGE_DECIMALS
    return (text[:shortest] + text[shortest:].rstrip("0")).rstrip(".")


@cache
def _grid(tick_size: int) -> tuple[int, int]:
    """How many decimals a price has, and a tick in units of the last one.

    >>> _grid(2_500), _grid(100), _grid(10_000)
    ((2, 25), (2, 1), (0, 1))
    """
    decimals = _UNIT_DECIMALS
    while decimals and tick_size % 10 == 0:
        tick_size //= 10
        decimals -= 1
    return decimals, tick_size


def _scaled(text: str, decimals: int) -> int | None:
    """The number times ten to the power of ``decimals``; None if that is no whole number."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise NumberError(f"{text[:40]!r} is no number of at most 18 digits and 18 decimals")
    sign, whole, fraction = match[1], match[2], (match[3] or "").rstrip("0")
    if len(fraction) > decimals:
        return None
    return int(f"{sign}{whole}{fraction.ljust(decimals, '0')}" if whole + fraction else "0")


def _decimal(units: int, decimals: int) -> str:
    """Units of ten to the power of minus ``decimals``, as a decimal."""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    sign = "-" if units < 0 else ""
    if not decimals:
        return sign + digits
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"
