"""What the feed says of each thing that can happen to an order, message by message."""

from __future__ import annotations

from dataclasses import replace

import pytest

import phase3_sorted
from contract.errors import ConfigurationError
from contract.messages import (
    Command,
    Event,
    EventKind,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
    cancel,
    market,
    mass_cancel,
    new,
)
from contract.messages import replace as amend
from phase5_protocol.itch.directory import MAX_SHARES
from phase5_protocol.itch.feed import DAY_NS, FeedError, ItchFeed
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.listing import Listing

BID, ASK = Side.BID, Side.ASK
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK
STOCK = Listing("MBK", max_price=10_000)

#: Two bids and two asks; references 1 to 4, and events 1 to 4: match numbers are of later ones.
START = [new(11, BID, 99, 5), new(12, BID, 98, 5), new(21, ASK, 101, 5), new(22, ASK, 101, 7)]
OWN = [new(11, BID, 99, 5, account=9), new(21, ASK, 101, 5, account=9), new(22, ASK, 101, 7)]


def said(message: bytes) -> str:
    """A message as a line: its letter and what it is about, prices in ticks."""
    layout = LAYOUTS[chr(message[0])]
    assert len(message) == layout.length
    values = dict(zip((f.name for f in layout.fields), layout.unpack(message), strict=True))
    if "stock" in values:
        assert values["stock"] == b"MBK     "
    assert values["stock_locate"] == 1
    words = [layout.letter]
    for name in ("reference", "side", "new_reference", "shares", "price", "match_number"):
        if name in values:
            value = values[name]
            if isinstance(value, bytes):
                words.append(value.decode())
            else:
                words.append(str(value // 100 if name == "price" else value))
    return " ".join(words)


def shown(start: list[Command], *commands: Command) -> list[str]:
    """What the feed says of the last commands, after the first ones."""
    with phase3_sorted.Engine() as book:
        feed = ItchFeed([STOCK])
        for command in start:
            feed.take(book.apply(command))
        return [said(m) for command in commands for m in feed.take(book.apply(command))]


CASES: dict[str, tuple[list[Command], list[Command], list[str]]] = {
    "an order that rests is added, at the price it has": (
        START,
        [new(1, BID, 97, 3)],
        ["A 5 B 3 97"],
    ),
    "one that trades in full is never seen": (
        START,
        [new(1, BID, 101, 5)],
        ["E 3 5 6"],
    ),
    "makers of one level go one by one, the last in part": (
        START,
        [new(1, BID, 101, 6)],
        ["E 3 5 6", "E 4 1 7"],
    ),
    "what is left of it is added after its executions": (
        START,
        [new(1, BID, 101, 20)],
        ["E 3 5 6", "E 4 7 7", "A 5 B 8 101"],
    ),
    "what is left of an IOC order is nobody's business": (
        START,
        [new(1, BID, 101, 20, time_in_force=IOC)],
        ["E 3 5 6", "E 4 7 7"],
    ),
    "nor is an IOC order that trades nothing": (
        START,
        [new(1, BID, 100, 20, time_in_force=IOC)],
        [],
    ),
    "nor a FOK order that cannot be filled": (
        START,
        [new(1, BID, 101, 20, time_in_force=FOK)],
        [],
    ),
    "a market order shows only whom it hits": (
        START,
        [market(1, ASK, 12)],
        ["E 1 5 6", "E 2 5 7"],
    ),
    "a cancelled order is deleted": (START, [cancel(12)], ["D 2"]),
    "a rejected command says nothing": (
        START,
        [cancel(77), amend(77, 1, 1), new(11, BID, 1, 1), new(1, BID, 101, 0)],
        [],
    ),
    "a mass cancel deletes one by one, bids first": (
        START,
        [mass_cancel()],
        ["D 1", "D 2", "D 3", "D 4"],
    ),
    "less at the same price is a partial cancel, and the place stays": (
        START,
        [amend(21, 101, 2)],
        ["X 3 3"],
    ),
    "the same again changes nothing": (START, [amend(21, 101, 5)], []),
    "more at the same price is a new reference": (
        START,
        [amend(21, 101, 6), new(1, BID, 101, 8)],
        ["U 3 5 6 101", "E 4 7 7", "E 5 1 8"],
    ),
    "another price is a new reference": (START, [amend(11, 100, 5)], ["U 1 5 5 100"]),
    "a replaced order that trades leaves before its first execution": (
        START,
        [amend(11, 101, 14)],
        ["D 1", "E 3 5 6", "E 4 7 7", "A 5 B 2 101"],
    ),
    "and is not added again if it trades in full": (
        START,
        [amend(11, 101, 6)],
        ["D 1", "E 3 5 6", "E 4 1 7"],
    ),
    "a maker of the aggressor's account is deleted in the midst of trades": (
        OWN,
        [new(1, BID, 101, 9, account=9, self_trade=SelfTrade.CANCEL_OLDEST)],
        ["D 2", "E 3 7 6", "A 4 B 2 101"],
    ),
    "an aggressor stopped by its own order was never seen": (
        [new(22, ASK, 100, 7), *OWN[:2]],
        [new(1, BID, 101, 9, account=9, self_trade=SelfTrade.CANCEL_NEWEST)],
        ["E 1 7 5"],
    ),
    "both: the maker is deleted, the aggressor was never seen": (
        OWN,
        [new(1, BID, 101, 9, account=9, self_trade=SelfTrade.CANCEL_BOTH)],
        ["D 2"],
    ),
    "a replaced order stopped by its own maker is deleted": (
        [new(11, BID, 99, 5, account=9, self_trade=SelfTrade.CANCEL_NEWEST), OWN[1]],
        [amend(11, 101, 5)],
        ["D 1"],
    ),
    "a replaced order that clears its own maker away and rests is a U": (
        [new(11, BID, 99, 5, account=9, self_trade=SelfTrade.CANCEL_OLDEST), OWN[1]],
        [amend(11, 101, 5)],
        ["D 2", "U 1 3 5 101"],
    ),
    "an id used again is another reference": (
        START,
        [cancel(11), new(11, BID, 99, 1)],
        ["D 1", "A 5 B 1 99"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said(case: str) -> None:
    """Guards each row of the table at the head of feed.py."""
    start, commands, wanted = CASES[case]
    assert shown(start, *commands) == wanted


def test_the_time_of_day_is_that_of_the_command() -> None:
    """Guards against a clock read, midnight forgotten, and a time that does not fit 48 bits."""
    midnight = 1_700_000_000 * 10**9
    feed = ItchFeed([STOCK], midnight_ns=midnight)
    with phase3_sorted.Engine() as book:
        for stamp, wanted in [(midnight + 5, 5), (midnight - 1, DAY_NS - 1), (2**64 - 1, None)]:
            order = new(1 + stamp % 97, BID, 5, 5, timestamp_ns=stamp)
            (message,) = feed.take(book.apply(order))
            time = int.from_bytes(message[5:11], "big")
            assert 0 <= time < DAY_NS
            assert wanted is None or time == wanted


def test_a_participant_is_named_by_f_and_remembered_by_a_late_reader() -> None:
    """Guards against names lost on the way, and against F for orders without one."""
    feed = ItchFeed([STOCK], attribution=lambda _, order_id: {1: "ABC"}.get(order_id, ""))
    with phase3_sorted.Engine() as book:
        (named,) = feed.take(book.apply(new(1, BID, 5, 5)))
        (nameless,) = feed.take(book.apply(new(2, BID, 5, 5)))
        feed.take(book.apply(amend(1, 6, 5)))
    assert (named[:1], named[-4:], nameless[:1]) == (b"F", b"ABC ", b"A")
    assert [m[:1] + m[-4:] for m in feed.snapshot(0)[1:]] == [
        b"A" + nameless[-4:],
        b"FABC ",
    ]


def test_a_day_begins_with_its_directory_and_ends_with_its_last_messages() -> None:
    """Guards the frame that readers wait for: no order before its stock is known."""
    feed = ItchFeed([STOCK, Listing("OTHER", 9, min_price=0, max_price=1)])
    start, end = feed.start_of_day(1_000), feed.end_of_day(2_000)
    assert [m[:1] + m[11:12] * (m[:1] == b"S") for m in start + end] == [
        *(b"SO", b"R", b"R", b"H", b"H", b"SS", b"SQ"),
        *(b"SM", b"SE", b"SC"),
    ]
    assert [m[1:3] + m[11:19] for m in start[1:3]] == [b"\0\1MBK     ", b"\0\2OTHER   "]
    assert {m[5:11] for m in start} == {(1_000).to_bytes(6, "big")}


@pytest.mark.parametrize(
    ("change", "said_of_it"),
    [
        ({"max_price": 42_949_673}, "42949673 ticks of 100/10000 dollar are not all in 0"),
        ({"min_price": -1}, "prices from -1 to"),
        ({"lot": 100}, "lot 100 is not 1"),
    ],
)
def test_a_book_that_cannot_be_shown_is_refused_at_once(
    change: dict[str, object], said_of_it: str
) -> None:
    """Guards against a price that no longer fits, found only when an order has it."""
    with pytest.raises(ConfigurationError, match=said_of_it):
        ItchFeed([replace(STOCK, **change)])  # type: ignore[arg-type]


def test_the_highest_price_that_can_be_shown_is_shown() -> None:
    """Guards the limit itself: one tick more is refused above."""
    stock = replace(STOCK, max_price=42_949_672)
    with phase3_sorted.Engine() as book:
        (message,) = ItchFeed([stock]).take(book.apply(new(1, BID, 42_949_672, MAX_SHARES)))
    assert said(message) == f"A 1 B {MAX_SHARES} 42949672"


@pytest.mark.parametrize(
    ("listings", "said_of_it"),
    [
        ([], "0 listings"),
        ([STOCK, replace(STOCK, symbol="B")], "instrument 0 is listed twice"),
        ([STOCK, replace(STOCK, instrument=1)], "symbol MBK is listed twice"),
    ],
)
def test_lists_of_stocks_that_readers_could_not_tell_apart(
    listings: list[Listing], said_of_it: str
) -> None:
    """Guards against two books under one name."""
    with pytest.raises(ConfigurationError, match=said_of_it):
        ItchFeed(listings)


ACCEPTED = Event(EventKind.ACCEPTED, order_id=1, price=5, quantity=5, leaves=5)
FALSE: dict[str, list[Event]] = {
    "a maker that never rested": [
        ACCEPTED,
        Event(EventKind.TRADE, order_id=1, contra_order_id=8, price=5, quantity=1),
    ],
    "a trade without its aggressor": [
        Event(EventKind.TRADE, order_id=1, contra_order_id=8, price=5, quantity=1)
    ],
    "more traded than the maker has": [
        ACCEPTED,
        replace(ACCEPTED, order_id=2, side=ASK),
        Event(EventKind.TRADE, order_id=2, contra_order_id=1, price=5, quantity=6),
    ],
    "another quantity cancelled than rests": [
        ACCEPTED,
        Event(EventKind.CANCELLED, order_id=1, quantity=4, reason=Reason.USER),
    ],
    "a cancel of what never rested": [
        Event(EventKind.CANCELLED, order_id=1, quantity=4, reason=Reason.MASS_CANCEL),
    ],
    "an own maker cancelled by nobody": [
        ACCEPTED,
        replace(ACCEPTED, kind=EventKind.REJECTED, order_id=3),
        Event(EventKind.CANCELLED, order_id=1, quantity=5, reason=Reason.SELF_TRADE),
    ],
    "an instrument that is not listed": [replace(ACCEPTED, instrument=4)],
    "a price outside the listing": [replace(ACCEPTED, price=10_001)],
    "an order too large": [replace(ACCEPTED, quantity=MAX_SHARES + 1, leaves=MAX_SHARES + 1)],
    "a kind that is none": [replace(ACCEPTED, kind=9)],
    "a cancel without a reason": [ACCEPTED, replace(ACCEPTED, kind=EventKind.CANCELLED)],
}


@pytest.mark.parametrize("case", FALSE)
def test_events_that_contradict_what_was_shown_end_the_feed(case: str) -> None:
    """Guards against messages from which readers would build another book than the engine's."""
    feed = ItchFeed([STOCK])
    with pytest.raises(FeedError):
        feed.take(FALSE[case])
    with pytest.raises(FeedError, match="ended at an error"):
        feed.take([])


def test_a_trade_off_the_price_shown_is_a_c() -> None:
    """Guards the one message that our matching never needs: an auction would."""
    feed = ItchFeed([STOCK])
    trade = Event(EventKind.TRADE, 3, order_id=2, contra_order_id=1, price=4, quantity=2)
    messages = feed.take([ACCEPTED, replace(ACCEPTED, order_id=2, side=ASK), trade])
    assert [said(m) for m in messages] == ["A 1 B 5 5", "C 1 2 4 3"]
    assert messages[1][31:32] == b"Y"
