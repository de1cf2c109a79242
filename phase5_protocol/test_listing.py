"""What can be listed, what cannot, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.engine import Engine
from contract.errors import ConfigurationError
from phase1_domain import Engine as AnEngine
from phase5_protocol.fix.orders import FixOrders
from phase5_protocol.listing import Listing, by_symbol, with_books
from phase5_protocol.order_entry.order_terms import directory
from phase5_protocol.order_entry.router import OrderRouter


@pytest.mark.parametrize(
    ("change", "said_of_it"),
    [
        ({"symbol": ""}, "symbol '' is not 1 to 8 printable"),
        ({"symbol": "NINECHARS"}, "symbol 'NINECHARS'"),
        ({"symbol": "Ü"}, "symbol 'Ü'"),
        ({"symbol": "A B"}, "without a space"),
        ({"symbol": "A\n"}, r"symbol 'A\\n'"),
        ({"instrument": -1}, "instrument -1 is not a whole number from 0 to 1048575"),
        ({"instrument": 2**20}, "instrument 1048576 is not"),
        ({"tick_size": 0}, "tick_size 0 is not a whole number from 1 to .* in 1/10,000 dollar"),
        ({"tick_size": Decimal("0.1")}, "tick_size Decimal.'0.1'. is not a whole number"),
        ({"tick_size": "0.01"}, "tick_size '0.01' is not a whole number"),
        ({"lot": 0}, "lot 0 is not a whole number from 1 to .* shares"),
        ({"round_lot": 2**32}, "round_lot 4294967296 is not"),
        ({"min_price": 9, "max_price": 8}, "min_price 9 is above max_price 8"),
        ({"max_price": 2**63}, "max_price 9223372036854775808 is not"),
        ({"max_quantity": 2**40}, "max_quantity 1099511627776 is not .* to 1099511627775 lots"),
    ],
)
def test_what_nobody_could_trade_is_refused(change: dict[str, Any], said_of_it: str) -> None:
    """Guards against a division by zero, or a number too large for a message, in mid-trade."""
    with pytest.raises(ConfigurationError, match=said_of_it):
        Listing(**{"symbol": "MBK"} | change)


@given(st.integers(1, 2**31 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1))
def test_ticks_and_units_are_the_same_price(tick_size: int, ticks: int, units: int) -> None:
    """Guards against a price rounded to a tick, which nobody has sent."""
    listing = Listing("MBK", tick_size=tick_size)
    assert listing.to_ticks(listing.to_units(ticks)) == ticks
    back = listing.to_ticks(units)
    assert units % tick_size if back is None else listing.to_units(back) == units


def test_two_listings_share_neither_symbol_nor_book() -> None:
    """Guards against orders for one instrument that another's readers see."""
    with pytest.raises(ConfigurationError, match="symbol A is listed twice"):
        by_symbol([Listing("A", 0), Listing("A", 1)])
    with pytest.raises(ConfigurationError, match="instrument 3 is listed twice, as A and B"):
        by_symbol([Listing("A", 3), Listing("B", 3)])
    assert list(by_symbol([Listing("B", 0), Listing("A", 1)])) == ["B", "A"]


def _fix(listings: list[Listing], books: dict[int, Engine]) -> object:
    return FixOrders(OrderRouter(books), listings, run_id="R1")


@pytest.mark.parametrize("listed", [with_books, directory, _fix])
@pytest.mark.parametrize(
    ("limits", "said_of_it"),
    [
        ({"min_price": 0}, "MBK: its book takes prices from 0 to 9 ticks, .* 1 to 9 listed"),
        ({"max_price": 10}, "from 1 to 10 ticks, which are not all in the 1 to 9 listed"),
        ({"instrument": 1}, "MBK: no book 0"),
    ],
)
def test_a_listing_tells_the_truth_of_its_book(
    listed: Callable[..., object], limits: dict[str, int], said_of_it: str
) -> None:
    """Guards against a book that trades at prices which market data has promised not to see."""
    mbk = Listing("MBK", max_price=9)
    listed([mbk], {0: AnEngine(max_price=9)})
    book = AnEngine(**{"max_price": 9} | limits)
    with pytest.raises(ConfigurationError, match=said_of_it):
        listed([mbk], {book.instrument: book})


def test_a_book_tells_its_own_limits() -> None:
    """Guards against limits typed twice, and then changed in one place."""
    book = AnEngine(instrument=5, min_price=2, max_price=7)
    listing = Listing.of(book, "MBK", tick_size=25, max_quantity=50)
    assert listing == Listing("MBK", 5, tick_size=25, min_price=2, max_price=7, max_quantity=50)
