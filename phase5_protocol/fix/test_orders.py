"""Order entry over FIX, message by message: every mapping, every refusal, in both versions."""

from __future__ import annotations

from typing import Any, cast

import pytest

from contract import SelfTrade
from contract.errors import MatchbookError
from phase5_protocol.fix.application import FieldReject, SessionConfig
from phase5_protocol.fix.conftest import (
    NOW,
    VERSIONS,
    Client,
    RecordingSession,
    Venue,
    values,
)
from phase5_protocol.fix.requests import ClientSettings


def test_a_new_order_is_reported_with_every_field_it_has(client: Client, version: str) -> None:
    """A report that leaves out what the client needs to know its order by, or makes it up."""
    [report] = client.enter("a1", "2", "10", "100.2", {1: "house", 18: "6", 59: "1"})
    assert report.pop(20, None) == (None if version == "FIX.4.4" else "0")
    assert report == {
        35: "8",
        37: "1",
        11: "a1",
        17: "R1-1-1",
        150: "0",
        39: "0",
        1: "house",
        55: "MBK",
        54: "2",
        38: "10",
        40: "2",
        44: "100.20",
        59: "1",
        18: "6",
        151: "10",
        14: "0",
        6: "0",
        60: NOW,
    }
    [order] = client.venue.books[0].orders(1)
    assert (order.account, order.price, order.quantity, order.flags) == (7, 10020, 10, 1)


def test_fills_are_told_to_both_sides_in_the_words_of_their_versions() -> None:
    """ExecType F on 4.2, or 1 and 2 on 4.4; the maker told the aggressor's side or quantity."""
    venue = Venue()
    maker, taker = venue.session("A", "FIX.4.2"), venue.session("B", "FIX.4.4")
    maker.enter("m1", "1", "10", "100.00")
    maker.enter("m2", "1", "10", "99.99")
    maker.heard()
    reports = taker.enter("t1", "2", "15", "99.00")
    tags = (150, 39, 32, 31, 151, 14, 6, 851, 527)
    assert values(reports, *tags) == [
        ("0", "0", "", "", "15", "0", "0", "", ""),
        ("F", "1", "10", "100.00", "5", "10", "100.00", "2", "4"),
        ("F", "2", "5", "99.99", "0", "15", "99.99666667", "2", "5"),
    ]
    assert values(maker.heard(), 11, 20, *tags) == [
        ("m1", "0", "2", "2", "10", "100.00", "0", "10", "100.00", "", ""),
        ("m2", "0", "1", "1", "5", "99.99", "5", "5", "99.99", "", ""),
    ]


@pytest.mark.parametrize("kind", ["ioc", "fok", "market"])
def test_what_an_order_that_cannot_rest_leaves_is_cancelled(client: Client, kind: str) -> None:
    """A remainder reported as live, or as Expired, which the standard keeps for the day's end."""
    price, time_in_force = {"ioc": ("99.00", "3"), "fok": ("99.00", "4"), "market": (None, "0")}[
        kind
    ]
    client.enter("b1", "1", "4", "100.00")
    reports = client.enter("s1", "2", "10", price, {59: time_in_force})
    mine = [report for report in reports if report[11] == "s1"]
    trades = 0 if kind == "fok" else 1
    assert [report[39] for report in mine] == ["0", *["1"] * trades, "4"]
    assert values(mine[-1:], 150, 151, 14) == [("4", "0", "4" if trades else "0")]
    assert mine[-1][58]
    assert len(client.venue.books[0]) == (0 if trades else 1)


def test_a_market_order_may_be_fill_or_kill(client: Client) -> None:
    """FOK forgotten for market orders: half of it would trade."""
    client.enter("b1", "1", "4", "100.00")
    assert values(client.enter("s1", "2", "5", None, {59: "4"}), 150, 14) == [
        ("0", "0"),
        ("4", "0"),
    ]


def test_a_cancel_names_the_latest_cl_ord_id(client: Client) -> None:
    """A cancel by a name that the order no longer has, or reports that lose the chain."""
    client.enter("a1")
    [replaced] = client.replace("a2", "a1", "12")
    assert (replaced[11], replaced[41], replaced[150]) == ("a2", "a1", "5")
    [reject] = client.cancel("a3", "a1")
    assert (reject[35], reject[102], reject[434], reject[39]) == ("9", "1", "1", "8")
    assert (reject[37], reject[11], reject[41]) == ("NONE", "a3", "a1")
    [report] = client.cancel("a3", "a2")
    assert (report[150], report[39], report[11], report[41]) == ("4", "4", "a3", "a2")
    assert (report[38], report[151], report[14]) == ("12", "0", "0")
    [late] = client.cancel("a4", "a3")
    assert (late[35], late[102], late[39], late[37]) == ("9", "0", "4", "1")


def test_a_replaced_order_has_the_status_of_its_version(client: Client, version: str) -> None:
    """OrdStatus 5, which 4.4 no longer has; or a fill that it hides."""
    venue = client.venue
    client.enter("a1")
    is_42 = version == "FIX.4.2"
    [replaced] = client.replace("a2", "a1", "12", "100.01")
    assert (replaced[39], replaced[44], replaced[38]) == ("5" if is_42 else "0", "100.01", "12")
    venue.session("B").enter("x", "2", "5", "100.01")
    assert values(client.heard(), 11, 39, 38, 151) == [("a2", "1", "12", "7")]
    [replaced] = client.replace("a3", "a2", "20", "100.02")
    assert (replaced[39], replaced[38], replaced[151], replaced[14]) == ("1", "20", "15", "5")


def test_a_replace_that_crosses_is_replaced_before_it_trades(client: Client) -> None:
    """Fills under the old name and quantity, which no client could place."""
    client.venue.session("B").enter("s", "2", "4", "101.00")
    client.enter("a1")
    reports = client.replace("a2", "a1", "10", "101.00")
    assert values(reports, 11, 150, 151, 32) == [
        ("a2", "5", "10", ""),
        ("a2", "F" if client.recording.config.begin_string == "FIX.4.4" else "1", "6", "4"),
    ]


@pytest.mark.parametrize("total", ["6", "3"])
def test_a_total_at_or_below_what_has_traded_ends_the_order(client: Client, total: str) -> None:
    """OrderQty of a replace taken for the open quantity: the order would trade more than asked."""
    client.enter("a1")
    client.venue.session("B").enter("s", "2", "6", "100.00")
    client.heard()
    [report] = client.replace("a2", "a1", total)
    assert values([report], 11, 41, 150, 39, 38, 14, 151) == [("a2", "a1", "5", "2", "6", "6", "0")]
    assert len(client.venue.books[0]) == 0
    [reject] = client.replace("a3", "a2", "20")
    assert (reject[102], reject[39], reject[58]) == ("0", "2", "the order is filled")


def test_a_smaller_total_keeps_the_place_in_the_queue(client: Client) -> None:
    """A reduction done as cancel and new: the client loses its place."""
    client.enter("a1")
    client.enter("a2")
    client.replace("a3", "a1", "9")
    assert [order.order_id for order in client.venue.books[0].orders(0)] == [1, 2]


def test_nobody_reaches_the_orders_of_another_session() -> None:
    """A cancel by a name that two sessions use, or by an OrderID that it saw on the feed."""
    venue = Venue()
    one, other = venue.session("A"), venue.session("B")
    one.enter("a1")
    for answer in (other.cancel("b1", "a1", {37: "1"}), other.replace("b1", "a1")):
        assert values(answer, 35, 102, 37, 39) == [("9", "1", "NONE", "8")]
    other.enter("a1")
    other.cancel("b1", "a1")
    assert one.heard() == []
    assert [order.order_id for order in venue.books[0].orders(0)] == [1]


def test_self_trade_prevention_is_the_orders_or_else_the_sessions() -> None:
    """An order that trades with its own account though its session said never to."""
    settings = ClientSettings({"house": 7}, account=7, self_trade=SelfTrade.CANCEL_NEWEST)
    client = Venue(settings).session("A")
    client.enter("b1")
    reports = client.enter("s1", "2")
    assert values(reports, 11, 150, 39, 58) == [
        ("s1", "0", "0", ""),
        ("s1", "4", "4", "it would trade with an order of the same account"),
    ]
    reports = client.enter("s2", "2", more={7928: "B", 1: "house"})
    assert values(reports, 11, 150) == [("s2", "0"), ("b1", "4"), ("s2", "4")]
    with pytest.raises(FieldReject, match="N, O or B"):
        client.enter("s3", "2", more={7928: "X"})


def test_orders_outlive_the_connection_unless_the_session_says_otherwise() -> None:
    """Orders lost with a cable, or left behind by who wanted them gone."""
    venue = Venue(ClientSettings(cancel_on_disconnect=True))
    client = venue.session("A")
    other = Client(venue, RecordingSession(SessionConfig("FIX.4.4", "V", "C")))
    client.enter("a1")
    other.enter("c1")
    for each in (client, other):
        venue.orders.on_logout(cast(Any, each.recording))
    assert values(client.heard(), 11, 150, 39, 41) == [("a1", "4", "4", "")]
    assert other.heard() == []
    assert len(venue.books[0]) == 1


def test_the_end_of_the_session_expires_what_rests(client: Client) -> None:
    """Clients who believe in orders that went with the process."""
    client.enter("a1")
    client.enter("a2", more={59: "1"})
    client.enter("a3", "2", "4", "100.00")
    client.heard()
    assert client.venue.orders.expire_all() == 2
    assert values(client.heard(), 11, 150, 39, 151, 14) == [
        ("a1", "C", "C", "0", "4"),
        ("a2", "C", "C", "0", "0"),
    ]
    assert client.venue.orders.orders(cast(Any, client.recording)) == []


def test_exec_ids_are_never_the_same_in_two_sessions_or_runs() -> None:
    """A new execution that a client drops because it has its ExecID already."""
    seen = []
    for run_id in ("R1", "R2"):
        venue = Venue(run_id=run_id)
        for client in (venue.session(name, version) for name in "AB" for version in VERSIONS):
            reports = client.enter("b") + client.enter("s", "2")
            assert values(reports, 39) == [("0",), ("0",), ("2",), ("2",)]
            seen += [report[17] for report in reports]
    assert len(set(seen)) == len(seen) == 2 * 4 * 4


def test_a_report_that_cannot_be_kept_is_a_failure_of_the_venue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full disk: orders trade on, and their clients never hear of it."""
    venue = Venue()
    maker, taker = venue.session("A"), venue.session("B")
    maker.enter("b1")
    broken = MatchbookError("no room on the device")
    monkeypatch.setattr(maker.recording, "send", lambda _: raise_error(broken))
    with pytest.raises(MatchbookError, match="no room"):
        taker.enter("s1", "2")
    assert venue.failures == [broken]


def raise_error(error: Exception) -> None:
    """Raise it, where only an expression may stand."""
    raise error
