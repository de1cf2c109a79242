"""What an ITCH channel says of a listing, and whether it can show the book behind it.

ITCH has prices in 1/10,000 dollar and quantities in shares, in 32 bits each without a sign. A book
that may hold prices outside those bits is refused before it trades, and not when the first such
order comes. A lot is one share here.
"""

from __future__ import annotations

from typing import Final

from contract.errors import ConfigurationError
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.listing import UNITS_PER_DOLLAR, Listing

#: The most that a price or a quantity can be on the wire. (Nasdaq itself stops at 200,000 dollars,
#: 2,000,000,000: a book for readers who hold it to that must have such a ``max_price``.)
MAX_PRICE4: Final = 2**32 - 1
MAX_SHARES: Final = 2**32 - 1
MAX_LOCATE: Final = 2**16 - 1

_DIRECTORY: Final = LAYOUTS["R"]
_TRADING_ACTION: Final = LAYOUTS["H"]


def check_listing(listing: Listing) -> None:
    """Refuse what cannot be shown.

    Raises:
        ConfigurationError: there are prices of this book that ITCH cannot say, or its lots are no
            shares.

    >>> check_listing(Listing("MBK", max_price=2**31 - 1))
    Traceback (most recent call last):
    contract.errors.ConfigurationError: MBK: prices from 1 to 2147483647 ticks of 100/10000 dollar \
are not all in 0 to 4294967295
    """
    symbol = listing.symbol
    if listing.lot != 1:
        raise ConfigurationError(f"{symbol}: lot {listing.lot} is not 1, as the feed has it")
    low, high = listing.to_units(listing.min_price), listing.to_units(listing.max_price)
    if not 0 <= low <= high <= MAX_PRICE4:
        raise ConfigurationError(
            f"{symbol}: prices from {listing.min_price} to {listing.max_price} ticks of"
            f" {listing.tick_size}/{UNITS_PER_DOLLAR} dollar are not all in 0 to {MAX_PRICE4}"
        )


def directory_message(listing: Listing, locate: int, time_ns: int) -> bytes:
    """R: a common share, live, round lots not required."""
    return _DIRECTORY.encode(
        stock_locate=locate,
        timestamp_ns=time_ns,
        stock=listing.symbol,
        round_lot_size=listing.round_lot,
        round_lots_only="N",
        issue_classification="C",
        issue_sub_type="Z",
        authenticity="P",
        etp_flag="N",
        inverse="N",
    )


def trading_message(listing: Listing, locate: int, time_ns: int) -> bytes:
    """H: it trades."""
    return _TRADING_ACTION.encode(
        stock_locate=locate, timestamp_ns=time_ns, stock=listing.symbol, trading_state="T"
    )
