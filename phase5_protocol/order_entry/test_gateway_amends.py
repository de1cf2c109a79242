"""Orders amended through the gateway: cancelled in part, replaced, modified."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contract.messages import Side
from phase5_protocol.order_entry.gateway import Ignored
from phase5_protocol.order_entry.ouch import TagValue
from phase5_protocol.order_entry.ouch50 import (
    Canceled,
    CancelOrder,
    CancelReject,
    Executed,
    Modified,
    ModifyOrder,
    Outbound,
    Rejected,
    RejectReason,
    Replaced,
    ReplaceOrder,
    Tag,
)
from phase5_protocol.order_entry.test_gateway import HALF_PAST_NINE, Desk, Venue, enter

R = RejectReason


def amend(old: int, new: int, quantity: int, price: int = 100_000, **more: Any) -> ReplaceOrder:
    return replace(ReplaceOrder(old, new, quantity, price, "0", "Y", "N", f"C{new}"), **more)


def traded(venue: Venue, desk: Desk, quantity: int = 100, done: int = 30) -> None:
    """A bid of ``desk`` with number 1, of which some has traded."""
    desk.say(enter(1, "B", quantity))
    venue.desk(99).say(enter(1, "S", done, time_in_force="3"))
    desk.hear()


@pytest.mark.parametrize(
    ("total", "left", "heard"),
    [
        (0, [], [Canceled(HALF_PAST_NINE, 1, 70, "U")]),
        (20, [], [Canceled(HALF_PAST_NINE, 1, 70, "U")]),
        (30, [], [Canceled(HALF_PAST_NINE, 1, 70, "U")]),
        (31, [(1000, 1)], [Canceled(HALF_PAST_NINE, 1, 69, "U")]),
        (99, [(1000, 69)], [Canceled(HALF_PAST_NINE, 1, 1, "U")]),
        (100, [(1000, 70)], []),
        (500, [(1000, 70)], []),
    ],
)
def test_a_cancel_names_the_new_total(
    total: int, left: list[tuple[int, int]], heard: list[Outbound]
) -> None:
    """Guards against a total that is taken for what is to remain, or to go."""
    venue = Venue()
    desk = venue.desk()
    traded(venue, desk)
    assert desk.say(CancelOrder(1, total)) == heard
    assert venue.resting(Side.BID) == left


def test_a_reduced_order_keeps_its_place() -> None:
    """Guards against a partial cancel that costs the place in the queue."""
    venue = Venue()
    first, second, seller = venue.desk(1), venue.desk(2), venue.desk(3)
    first.say(enter(1))
    second.say(enter(1))
    first.say(CancelOrder(1, 10))
    first.hear()
    seller.say(enter(1, "S", 5))
    assert len(first.hear()) == 1
    assert len(second.hear()) == 0


def test_a_cancel_of_what_is_not_live_is_rejected() -> None:
    """Guards against a client that waits for the answer to a cancel that came too late."""
    desk = Venue().desk()
    desk.say(enter(1))
    assert desk.say(CancelOrder(1, 0)) == [Canceled(HALF_PAST_NINE, 1, 100, "U")]
    refused = [CancelReject(HALF_PAST_NINE, number) for number in (1, 2)]
    assert desk.say(CancelOrder(1, 0), CancelOrder(2, 0)) == refused


def test_a_replacement_has_the_new_number_and_what_is_open() -> None:
    """Guards against a replacement that opens again what has traded already."""
    venue = Venue()
    desk = venue.desk()
    traded(venue, desk)
    (replaced,) = desk.say(amend(1, 2, 90, 99_000, display="A"))
    assert replaced == Replaced(
        HALF_PAST_NINE, 1, 2, "B", 60, "MBK", 99_000, "0", "A", 1, "A", "N", "N", "L", "C2"
    )
    assert venue.resting(Side.BID) == [(990, 60)]
    assert desk.say(CancelOrder(1, 0)) == [CancelReject(HALF_PAST_NINE, 1)]
    assert desk.say(CancelOrder(2, 40)) == [Canceled(HALF_PAST_NINE, 2, 50, "U")]
    assert venue.resting(Side.BID) == [(990, 10)]


def test_a_replacement_for_no_more_than_traded_cancels() -> None:
    """Guards against a replacement with an open quantity below 0."""
    venue = Venue()
    desk = venue.desk()
    traded(venue, desk)
    assert desk.say(amend(1, 2, 30)) == [Canceled(HALF_PAST_NINE, 1, 70, "U")]
    assert venue.resting(Side.BID) == []


def test_a_replacement_that_trades_reports_under_the_new_number() -> None:
    """Guards against executions under a number that the client has given up."""
    venue = Venue()
    seller, buyer = venue.desk(1), venue.desk(2)
    seller.say(enter(1, "S", 30, 100_500))
    buyer.say(enter(1, "B", 100))
    replaced, executed = buyer.say(amend(1, 2, 100, 100_500))
    assert isinstance(replaced, Replaced)
    assert isinstance(executed, Executed)
    assert (executed.user_ref_num, executed.quantity, executed.price) == (2, 30, 100_500)


def test_a_replacement_of_what_is_not_live_gets_no_answer() -> None:
    """Guards against an order that comes back to life."""
    venue = Venue()
    desk = venue.desk()
    desk.say(enter(1), CancelOrder(1, 0))
    assert desk.say(amend(1, 2, 100), amend(77, 3, 100)) == []
    assert desk.gateway.ignored == {Ignored.NOT_LIVE: 2}
    assert venue.resting(Side.BID) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quantity": 0}, R.INVALID_QUANTITY),
        ({"quantity": 1_000_000}, R.INVALID_QUANTITY),
        ({"price": 7}, R.INVALID_PRICE),
        ({"price": 0}, R.INVALID_PRICE),
        ({"time_in_force": "3"}, R.OTHER),
        ({"display": "N"}, R.INVALID_DISPLAY),
        ({"intermarket_sweep": "Y"}, R.ISO_NOT_ALLOWED),
        ({"appendage": (TagValue(Tag.MAX_FLOOR, 1),)}, R.INVALID_MAX_FLOOR),
        ({"appendage": (TagValue(Tag.POST_ONLY, "P"),)}, R.OTHER),
    ],
)
def test_a_rejected_replacement_leaves_the_order(
    change: dict[str, Any], reason: RejectReason
) -> None:
    """Guards against an order that is lost to a replacement that cannot be."""
    venue = Venue()
    desk = venue.desk()
    desk.say(enter(1))
    assert desk.say(replace(amend(1, 2, 50), **change)) == [
        Rejected(HALF_PAST_NINE, 2, reason, "C2")
    ]
    assert venue.resting(Side.BID) == [(1000, 100)]
    assert desk.say(CancelOrder(1, 0)) == [Canceled(HALF_PAST_NINE, 1, 100, "U")]


def test_a_modify_changes_the_kind_of_sale_and_reduces() -> None:
    """Guards against a modify that costs the place, or turns a sale into a purchase."""
    venue = Venue()
    desk = venue.desk()
    desk.say(enter(1, "S"), enter(2, "S"))
    desk.hear()
    assert desk.say(ModifyOrder(1, "T", 100)) == [Modified(HALF_PAST_NINE, 1, "T", 100)]
    assert desk.say(ModifyOrder(1, "E", 60)) == [Modified(HALF_PAST_NINE, 1, "E", 60)]
    assert desk.say(ModifyOrder(1, "B", 60), ModifyOrder(1, "S", 0)) == []
    assert desk.say(ModifyOrder(9, "S", 10)) == []
    assert desk.gateway.ignored == {Ignored.NO_SUCH_CHANGE: 2, Ignored.NOT_LIVE: 1}
    assert venue.resting(Side.ASK) == [(1000, 60), (1000, 100)]
    venue.desk(9).say(enter(1, "B", 10))
    assert desk.hear() == [Executed(HALF_PAST_NINE, 1, 10, 100_000, "A", 5)]
    assert desk.say(ModifyOrder(1, "S", 5)) == [Canceled(HALF_PAST_NINE, 1, 50, "U")]


def test_a_replacement_of_a_post_only_order_does_not_take_either() -> None:
    """Guards against a promise that ends with the first replacement."""
    venue = Venue()
    venue.desk(1).say(enter(1, "S", 30))
    desk = venue.desk(2)
    desk.say(enter(1, "B", 10, 99_900, appendage=(TagValue(Tag.POST_ONLY, "P"),)))
    assert desk.say(amend(1, 2, 10, 100_000)) == [
        Rejected(HALF_PAST_NINE, 2, R.CROSSED_MARKET, "C2")
    ]
    assert venue.resting(Side.BID) == [(999, 10)]
