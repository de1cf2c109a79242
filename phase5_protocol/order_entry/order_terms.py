"""What the terms of an OUCH order mean to a book, or the reason why this venue has no such order.

=================  ==============================================  ===============================
field              taken as                                        otherwise refused as
=================  ==============================================  ===============================
symbol             one of the directory                            INVALID_SYMBOL
side               B bid; S, T (short), E (short exempt) ask       INVALID_SIDE
quantity           1 to 999,999 shares, or less by the listing     INVALID_QUANTITY
price              a whole number of ticks that the book has       INVALID_PRICE
time in force      0 (day) rests; 3 is immediate or cancel         OTHER
display            Y and A (attributable), both of them displayed  INVALID_DISPLAY (hidden)
intermarket sweep  N                                               ISO_NOT_ALLOWED
cross type         N (the continuous market)                       INVALID_CROSS_ORDER
minimum quantity   with 3 and equal to the quantity: fill or kill  INVALID_MIN_QUANTITY
post only          P with time in force 0; N means nothing         OTHER
firm, customer     repeated in the answer, as is the capacity
other tags                                                         by tag, below
=================  ==============================================  ===============================

The first that is refused, from the top, gives the reason. That a price is beyond the limits of
the book, or would trade against post only, is for the book to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from contract.engine import Engine
from contract.errors import ConfigurationError
from contract.messages import Flag, Reason, Side, TimeInForce
from phase5_protocol.listing import UNITS_PER_DOLLAR, Listing, with_books
from phase5_protocol.order_entry.ouch import Appendage
from phase5_protocol.order_entry.ouch50 import EnterOrder, RejectReason, ReplaceOrder, Tag

MAX_ORDER_QUANTITY: Final = 999_999
DAY: Final = "0"
IMMEDIATE_OR_CANCEL: Final = "3"

SIDES: Final[Mapping[str, Side]] = {
    "B": Side.BID,
    "S": Side.ASK,
    "T": Side.ASK,
    "E": Side.ASK,
}
_DISPLAYED: Final = "YA"
_MAX_TICKS: Final = 2**63 - 1
_MAX_PRICE: Final = 2**64 - 1

#: Why an order with this tag is refused; tags that are not here are OTHER.
_REFUSED_TAGS: Final[Mapping[int, RejectReason]] = {
    Tag.MAX_FLOOR: RejectReason.INVALID_MAX_FLOOR,
    Tag.PRICE_TYPE: RejectReason.PEGGING_NOT_ALLOWED,
    Tag.PEG_OFFSET: RejectReason.PEGGING_NOT_ALLOWED,
    Tag.DISCRETION_PEG_TYPE: RejectReason.PEGGING_NOT_ALLOWED,
    Tag.DISCRETION_PEG_OFFSET: RejectReason.PEGGING_NOT_ALLOWED,
    Tag.ROUTE: RejectReason.ROUTING_NOT_ALLOWED,
}

#: What a book's refusal is in OUCH's words.
BOOK_REASONS: Final[Mapping[int, RejectReason]] = {
    Reason.INVALID_QUANTITY: RejectReason.INVALID_QUANTITY,
    Reason.INVALID_PRICE: RejectReason.INVALID_PRICE,
    Reason.WOULD_CROSS: RejectReason.CROSSED_MARKET,
    Reason.UNKNOWN_INSTRUMENT: RejectReason.INVALID_SYMBOL,
}


class Refused(Exception):
    """The order cannot be had; carries the reason. Never leaves the gateway."""

    def __init__(self, reason: RejectReason) -> None:
        self.reason = reason
        super().__init__(reason.name)


class Terms(NamedTuple):
    """An order in the book's words: side, ticks, lots."""

    listing: Listing
    side: Side
    ticks: int
    quantity: int
    time_in_force: TimeInForce
    flags: Flag


def directory(listings: Iterable[Listing], books: Mapping[int, Engine]) -> dict[str, Listing]:
    """Symbol to listing, after a look whether OUCH can say every price and quantity of its book.

    Raises:
        ConfigurationError: it cannot, or a listing has no book or not the book that it tells of.
    """
    found = with_books(listings, books)
    for symbol, listing in found.items():
        if listing.lot != 1:
            raise ConfigurationError(f"{symbol}: lot {listing.lot} is not 1, as OUCH has it here")
        if listing.min_price < 0 or listing.to_units(listing.max_price) > _MAX_PRICE:
            raise ConfigurationError(
                f"{symbol}: prices from {listing.min_price} to {listing.max_price} ticks of"
                f" {listing.tick_size}/{UNITS_PER_DOLLAR} dollar are not all in 0 to {_MAX_PRICE}"
            )
    return found


def entry_terms(message: EnterOrder, listings: Mapping[str, Listing]) -> Terms:
    """The terms of a new order.

    Raises:
        Refused: with the reason for the client.
    """
    listing = listings.get(message.symbol)
    if listing is None:
        raise Refused(RejectReason.INVALID_SYMBOL)
    side = SIDES.get(message.side)
    if side is None:
        raise Refused(RejectReason.INVALID_SIDE)
    check_quantity(message.quantity, listing)
    ticks = _ticks(message.price, listing)
    if message.time_in_force not in (DAY, IMMEDIATE_OR_CANCEL):
        raise Refused(RejectReason.OTHER)
    _check_handling(message)
    if message.cross_type != "N":
        raise Refused(RejectReason.INVALID_CROSS_ORDER)
    rests = message.time_in_force == DAY
    time_in_force = TimeInForce.GTC if rests else TimeInForce.IOC
    flags = Flag.NONE
    for tag, value in message.appendage:
        if tag == Tag.MIN_QUANTITY:
            if rests or value != message.quantity:
                raise Refused(RejectReason.INVALID_MIN_QUANTITY)
            time_in_force = TimeInForce.FOK
        elif tag == Tag.POST_ONLY:
            flags = Flag.POST_ONLY if value == "P" else Flag.NONE
            if value not in ("P", "N") or (flags and not rests):
                raise Refused(RejectReason.OTHER)
        elif tag not in (Tag.FIRM, Tag.CUSTOMER_TYPE):
            raise Refused(_REFUSED_TAGS.get(tag, RejectReason.OTHER))
    return Terms(listing, side, ticks, message.quantity, time_in_force, flags)


def replacement_ticks(message: ReplaceOrder, listing: Listing, appendage: Appendage) -> int:
    """The new price of a replacement that this venue can do.

    Args:
        message: what the client asks for.
        listing: of the order.
        appendage: of the order as it was entered; a replacement may repeat it, not change it.

    Raises:
        Refused: with the reason for the client.
    """
    check_quantity(message.quantity, listing)
    ticks = _ticks(message.price, listing)
    if message.time_in_force != DAY:
        raise Refused(RejectReason.OTHER)
    _check_handling(message)
    for each in message.appendage:
        if each not in appendage:
            raise Refused(_REFUSED_TAGS.get(each.tag, RejectReason.OTHER))
    return ticks


def check_quantity(quantity: int, listing: Listing) -> None:
    """Refuse what is no quantity of an order."""
    if not 1 <= quantity <= min(MAX_ORDER_QUANTITY, listing.max_quantity):
        raise Refused(RejectReason.INVALID_QUANTITY)


def _ticks(price: int, listing: Listing) -> int:
    ticks = listing.to_ticks(price)
    if ticks is None or ticks > _MAX_TICKS:
        raise Refused(RejectReason.INVALID_PRICE)
    return ticks


def _check_handling(message: EnterOrder | ReplaceOrder) -> None:
    if message.display not in _DISPLAYED:
        raise Refused(RejectReason.INVALID_DISPLAY)
    if message.intermarket_sweep != "N":
        raise Refused(RejectReason.ISO_NOT_ALLOWED)
