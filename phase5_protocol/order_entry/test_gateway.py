"""The gateway: what a client says, what it hears, and what the book makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contract.errors import ConfigurationError
from contract.messages import SelfTrade, Side
from phase1_domain import Engine
from phase5_protocol.listing import Listing
from phase5_protocol.order_entry.gateway import Gateway, Ignored
from phase5_protocol.order_entry.message_store import MessageStore
from phase5_protocol.order_entry.order_terms import directory
from phase5_protocol.order_entry.ouch import Fault, TagValue
from phase5_protocol.order_entry.ouch50 import (
    CODEC,
    Accepted,
    AiqCanceled,
    Canceled,
    CancelOrder,
    CancelReject,
    EnterOrder,
    Executed,
    Inbound,
    Outbound,
    Rejected,
    RejectReason,
    ReplaceOrder,
    SystemEvent,
    Tag,
)
from phase5_protocol.order_entry.router import OrderRouter
from phase5_protocol.order_entry.soup_packets import Ending, SessionFault

DAY_NS = 86_400 * 10**9
#: Two days after 1970, at 09:30.
OPEN_NS = 2 * DAY_NS + 34_200 * 10**9
HALF_PAST_NINE = 34_200 * 10**9


class Desk:
    """A gateway, and its client's side of the conversation."""

    def __init__(self, venue: Venue, account: int, self_trade: SelfTrade) -> None:
        self.store = MessageStore("DAY1")
        self.gateway = Gateway(
            venue.router,
            self.store,
            venue.listings,
            account=account,
            self_trade=self_trade,
            clock_ns=lambda: OPEN_NS,
        )
        self._taken = 1

    def say(self, *messages: Inbound) -> list[Outbound]:
        """Send messages; what is heard since the last look."""
        for message in messages:
            self.gateway.receive(CODEC.encode(message))
        return self.hear()

    def hear(self) -> list[Outbound]:
        first, self._taken = self._taken, self.store.next_number
        return [CODEC.decode_outbound(self.store[n]) for n in range(first, self._taken)]


class Venue:
    """Two books, one with ticks of a cent and one of a quarter, and desks in front of them."""

    def __init__(self, **limits: Any) -> None:
        self.books = {number: Engine(instrument=number, **limits) for number in (0, 1)}
        self.router = OrderRouter(self.books, clock_ns=lambda: OPEN_NS)
        listings = [Listing("MBK", 0), Listing("QUARTER", 1, tick_size=2500)]
        self.listings = directory(listings, self.books)

    def desk(self, account: int = 1, self_trade: SelfTrade = SelfTrade.NONE) -> Desk:
        return Desk(self, account, self_trade)

    def resting(self, side: Side, instrument: int = 0) -> list[tuple[int, int]]:
        return [(each.price, each.quantity) for each in self.books[instrument].orders(side)]


def enter(
    number: int, side: str = "B", quantity: int = 100, price: int = 100_000, **more: Any
) -> EnterOrder:
    order = EnterOrder(number, side, quantity, "MBK", price, "0", "Y", "A", "N", "N", f"C{number}")
    return replace(order, **more)


def test_an_accepted_order_says_what_the_client_said() -> None:
    """Guards against an answer from which the client cannot tell what the venue understood."""
    venue = Venue()
    firm = (TagValue(Tag.FIRM, "LIME"), TagValue(Tag.CUSTOMER_TYPE, "R"))
    order = enter(5, "T", 225, 630_200, display="A", capacity="P", appendage=firm)
    assert venue.desk().say(order) == [
        Accepted(
            HALF_PAST_NINE, 5, "T", 225, "MBK", 630_200, "0", "A", 1, "P", "N", "N", "L", "C5", firm
        )
    ]  # fmt: skip
    assert venue.resting(Side.ASK) == [(6302, 225)]


def test_each_symbol_has_its_book_and_its_tick() -> None:
    """Guards against an order in the wrong book, or a price in another book's ticks."""
    venue = Venue()
    desk = venue.desk()
    (accepted,) = desk.say(enter(1, price=12_500, symbol="QUARTER"))
    assert isinstance(accepted, Accepted)
    assert (accepted.symbol, accepted.price) == ("QUARTER", 12_500)
    assert venue.resting(Side.BID, 1) == [(5, 100)]
    assert venue.resting(Side.BID, 0) == []


def test_both_sides_of_a_trade_hear_the_same_match() -> None:
    """Guards against two reports of a trade that nobody can put together."""
    venue = Venue()
    seller, buyer = venue.desk(1), venue.desk(2)
    seller.say(enter(1, "S", 100, 100_000))
    accepted, bought = buyer.say(enter(9, "B", 40, 100_500))
    (sold,) = seller.hear()
    assert isinstance(accepted, Accepted)
    assert isinstance(bought, Executed)
    assert bought == Executed(HALF_PAST_NINE, 9, 40, 100_000, "R", bought.match_number)
    assert sold == replace(bought, user_ref_num=1, liquidity_flag="A")
    (again,) = buyer.say(enter(10, "B", 40, 100_000))[1:]
    assert isinstance(again, Executed)
    assert again.match_number != bought.match_number


def test_numbers_must_rise_and_repetitions_are_ignored() -> None:
    """Guards against an order that is entered twice because it was sent twice."""
    venue = Venue()
    desk = venue.desk()
    again = ReplaceOrder(3, 3, 50, 100_000, "0", "Y", "N", "")
    assert len(desk.say(enter(3), enter(3), enter(2), enter(0), again)) == 1
    assert desk.gateway.ignored == {Ignored.OLD_NUMBER: 4}
    assert len(desk.say(enter(4, quantity=0), enter(4))) == 1, "a rejected number is used, too"
    assert len(desk.say(enter(10))) == 1, "numbers may leave some out"
    assert desk.gateway.last_user_ref_num == 10


R = RejectReason
REFUSED = [
    ("symbol", "NOBODY", R.INVALID_SYMBOL),
    ("side", "X", R.INVALID_SIDE),
    ("quantity", 0, R.INVALID_QUANTITY),
    ("quantity", 1_000_000, R.INVALID_QUANTITY),
    ("price", 100_001, R.INVALID_PRICE),
    ("price", 0, R.INVALID_PRICE),
    ("price", 2**31 * 100, R.INVALID_PRICE),
    ("price", 2**64 - 16, R.INVALID_PRICE),
    ("time_in_force", "6", R.OTHER),
    ("display", "N", R.INVALID_DISPLAY),
    ("display", "Z", R.INVALID_DISPLAY),
    ("intermarket_sweep", "Y", R.ISO_NOT_ALLOWED),
    ("cross_type", "O", R.INVALID_CROSS_ORDER),
    ("appendage", (TagValue(Tag.MIN_QUANTITY, 100),), R.INVALID_MIN_QUANTITY),
    ("appendage", (TagValue(Tag.POST_ONLY, "X"),), R.OTHER),
    ("appendage", (TagValue(Tag.MAX_FLOOR, 10),), R.INVALID_MAX_FLOOR),
    ("appendage", (TagValue(Tag.PEG_OFFSET, 10),), R.PEGGING_NOT_ALLOWED),
    ("appendage", (TagValue(Tag.ROUTE, "DIRC"),), R.ROUTING_NOT_ALLOWED),
    ("appendage", (TagValue(Tag.EXPIRE_TIME, 5),), R.OTHER),
    ("appendage", (TagValue(200, b"?"),), R.OTHER),
]


@pytest.mark.parametrize(("field", "value", "reason"), REFUSED)
def test_what_this_venue_does_not_do_is_rejected_with_the_reason(
    field: str, value: Any, reason: RejectReason
) -> None:
    """Guards against an order that is taken for a simpler one than was meant."""
    venue = Venue()
    order = replace(enter(1), **{field: value})
    assert venue.desk().say(order) == [Rejected(HALF_PAST_NINE, 1, reason, "C1")]
    assert venue.resting(Side.BID) == venue.resting(Side.ASK) == []


def test_a_full_book_is_a_reason_like_any_other() -> None:
    """Guards against a gateway that does not know what the book may say."""
    desk = Venue(capacity=1).desk()
    (accepted, rejected) = desk.say(enter(1), enter(2))
    assert isinstance(accepted, Accepted)
    assert rejected == Rejected(HALF_PAST_NINE, 2, R.OTHER, "C2")


def test_immediate_or_cancel() -> None:
    """Guards against an IOC order that rests, or whose rest is never reported."""
    venue = Venue()
    maker, taker = venue.desk(1), venue.desk(2)
    maker.say(enter(1, "S", 30))
    accepted, executed, canceled = taker.say(enter(1, "B", 100, time_in_force="3"))
    assert isinstance(accepted, Accepted)
    assert isinstance(executed, Executed)
    assert canceled == Canceled(HALF_PAST_NINE, 1, 70, "I")
    assert venue.resting(Side.BID) == []


def test_a_minimum_of_everything_is_fill_or_kill() -> None:
    """Guards against a partial fill of an order that wanted all or nothing."""
    venue = Venue()
    maker, taker = venue.desk(1), venue.desk(2)
    maker.say(enter(1, "S", 30))
    everything = (TagValue(Tag.MIN_QUANTITY, 31),)
    heard = taker.say(enter(1, "B", 31, time_in_force="3", appendage=everything))
    assert heard[1:] == [Canceled(HALF_PAST_NINE, 1, 31, "I")]
    assert maker.hear()[1:] == []
    assert taker.say(enter(2, "B", 32, time_in_force="3", appendage=everything)) == [
        Rejected(HALF_PAST_NINE, 2, R.INVALID_MIN_QUANTITY, "C2")
    ]


def test_post_only() -> None:
    """Guards against a post only order that takes."""
    venue = Venue()
    maker, other = venue.desk(1), venue.desk(2)
    maker.say(enter(1, "S", 30))
    post = (TagValue(Tag.POST_ONLY, "P"),)
    assert other.say(enter(1, "B", 10, appendage=post)) == [
        Rejected(HALF_PAST_NINE, 1, R.CROSSED_MARKET, "C1")
    ]
    assert other.say(enter(2, "B", 10, time_in_force="3", appendage=post)) == [
        Rejected(HALF_PAST_NINE, 2, R.OTHER, "C2")
    ]
    (accepted,) = other.say(enter(3, "B", 10, 99_900, appendage=post))
    assert isinstance(accepted, Accepted)
    assert accepted.appendage == post
    plain = (TagValue(Tag.POST_ONLY, "N"),)
    heard = other.say(enter(5, "B", 10, appendage=plain))
    assert [type(each) for each in heard] == [Accepted, Executed]


@pytest.mark.parametrize(
    ("mode", "old", "new"),
    [
        (SelfTrade.CANCEL_NEWEST, None, (60, "R", 100_500)),
        (SelfTrade.CANCEL_OLDEST, (100, "A", 100_000), None),
        (SelfTrade.CANCEL_BOTH, (100, "A", 100_000), (60, "R", 100_500)),
    ],
)
def test_a_self_trade_is_prevented_and_told(
    mode: SelfTrade, old: tuple[int, str, int] | None, new: tuple[int, str, int] | None
) -> None:
    """Guards against a plain cancel, from which nobody learns that it was his own order."""
    venue = Venue()
    first, second = venue.desk(7, mode), venue.desk(7, mode)
    first.say(enter(1, "S", 100))
    heard = second.say(enter(3, "B", 60, 100_500))[1:]
    for got, number, expected in ((first.hear(), 1, old), (heard, 3, new)):
        assert got == [
            AiqCanceled(HALF_PAST_NINE, number, quantity, "Q", quantity, price, flag)
            for quantity, flag, price in ([expected] if expected else [])
        ]


def test_a_lost_client_may_lose_its_orders() -> None:
    """Guards against orders that outlive a client who asked that they should not."""
    venue = Venue()
    gone, stays = venue.desk(1), venue.desk(2)
    stays.say(enter(1))
    gone.say(enter(1), enter(2, "S", price=200_000))
    assert gone.gateway.cancel_all() == 2
    assert gone.hear() == [Canceled(HALF_PAST_NINE, number, 100, "Z") for number in (1, 2)]
    assert stays.hear() == []
    gone.say(enter(3))
    assert gone.say(CancelOrder(3, 0)) == [Canceled(HALF_PAST_NINE, 3, 100, "U")]


def test_a_mass_cancel_is_the_venues_doing() -> None:
    """Guards against an operator's cancel that looks like the client's."""
    venue = Venue()
    desk = venue.desk()
    desk.say(enter(1))
    venue.router.mass_cancel(0)
    assert desk.hear() == [Canceled(HALF_PAST_NINE, 1, 100, "S")]
    assert desk.say(CancelOrder(1, 0)) == [CancelReject(HALF_PAST_NINE, 1)]


def test_the_day_begins_and_ends() -> None:
    """Guards against a session whose end nobody can tell from a broken line."""
    desk = Venue().desk()
    desk.gateway.start_of_day()
    desk.gateway.end_of_day()
    assert desk.hear() == [SystemEvent(HALF_PAST_NINE, "S"), SystemEvent(HALF_PAST_NINE, "E")]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", Fault.EMPTY),
        (b"C\0\0\0\1", Fault.UNKNOWN_TYPE),
        (b"X\0\0\0\1", Fault.WRONG_LENGTH),
        (b"M\0\0\0\1\x80\0\0\0\1", Fault.BAD_TEXT),
        (CODEC.encode(enter(1))[:-1] + b"\1\0", Fault.BAD_APPENDAGE),
    ],
)
def test_what_cannot_be_read_is_counted_and_ends_the_connection(data: bytes, fault: Fault) -> None:
    """Guards against bytes that are dropped without a word, or raise something nameless."""
    desk = Venue().desk()
    with pytest.raises(SessionFault) as caught:
        desk.gateway.receive(data)
    assert caught.value.ending is Ending.BAD_MESSAGE
    assert desk.gateway.faults == {fault: 1}
    assert desk.hear() == []


@pytest.mark.parametrize(
    ("listings", "limits", "text"),
    [
        ([Listing("A", 5)], {}, "A: no book 5"),
        ([Listing("A", lot=100)], {}, "A: lot 100 is not 1"),
        ([Listing("A", min_price=-1)], {"min_price": -1}, "A: prices from -1 to"),
        ([Listing("A", max_price=2**62)], {"max_price": 2**62}, "not all in 0 to 18446744073709"),
    ],
)
def test_a_directory_that_cannot_work_is_refused(
    listings: list[Listing], limits: dict[str, int], text: str
) -> None:
    """Guards against a venue that finds out in the middle of a trade."""
    books = {number: Engine(instrument=number, **limits) for number in (0, 1)}
    with pytest.raises(ConfigurationError, match=text):
        directory(listings, books)
