"""What order entry over FIX refuses: each reason, in both versions, and nothing else."""

from __future__ import annotations

from typing import Any, Final, cast

import pytest

from phase5_protocol.fix.application import BusinessReject, FieldReject
from phase5_protocol.fix.conftest import Client, Venue, values
from phase5_protocol.fix.requests import MAX_CL_ORD_ID, ClientSettings

REFUSALS: Final[dict[str, tuple[dict[int, str | None], str, str]]] = {
    "symbol": ({55: "NONE"}, "1", "1"),
    "side": ({54: "5"}, "0", "11"),
    "type": ({40: "3"}, "0", "11"),
    "stop price": ({99: "1"}, "0", "11"),
    "minimum": ({110: "5"}, "0", "11"),
    "by hand": ({21: "3"}, "0", "11"),
    "opening": ({59: "2"}, "0", "11"),
    "instruction": ({18: "6 1"}, "0", "11"),
    "post only, IOC": ({18: "6", 59: "3"}, "0", "11"),
    "resting market": ({40: "1", 44: None, 59: "1"}, "0", "11"),
    "market at a price": ({40: "1"}, "0", "99"),
    "off the grid": ({44: "100.005"}, "0", "99"),
    "beyond 64 bits": ({44: "9" * 18}, "0", "99"),
    "beyond the book": ({44: "99999999.00"}, "0", "99"),
    "negative price": ({44: "-1.00"}, "0", "99"),
    "nothing": ({38: "0"}, "0", "13"),
    "less": ({38: "-5"}, "0", "13"),
    "half a lot": ({55: "QTR", 38: "150", 44: "100.25"}, "0", "13"),
    "too much": ({38: "9" * 18}, "0", "13"),
    "account": ({1: "theirs"}, "0", "15"),
    "long symbol": ({55: "x" * 60_000}, "1", "1"),
    "long account": ({1: "x" * 60_000}, "0", "15"),
    "long name": ({11: "x" * (MAX_CL_ORD_ID + 1)}, "0", "11"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_no_order_here_is_rejected_with_a_reason(
    client: Client, name: str, version: str
) -> None:
    """Entered as something else than was meant; refused without a word, or with a wrong number."""
    change, reason_42, reason_44 = REFUSALS[name]
    [report] = client.enter("a1", more=change)
    assert (report[35], report[150], report[39]) == ("8", "8", "8")
    assert report[103] == (reason_42 if version == "FIX.4.2" else reason_44)
    assert 0 < len(report[58]) < 100
    assert (report[151], report[14], report[6]) == ("0", "0", "0")
    assert len(client.venue.books[0]) == len(client.venue.books[1]) == 0
    assert report[17].startswith("R1-1-")


def test_a_post_only_order_that_would_trade_is_rejected(client: Client) -> None:
    """POST_ONLY lost on the way: the order takes."""
    client.enter("s1", "2")
    [report] = client.enter("b1", "1", more={18: "6"})
    assert (report[39], report[103], report[37]) == ("8", "0", "2")
    [status] = client.enter("b1", more={97: "Y"})
    assert (status[39], status[151], status[14]) == ("8", "0", "0")


def test_a_full_book_rejects_and_a_full_session_does(version: str) -> None:
    """No room that is told as something else, or a session that takes all the memory."""
    small = Venue(capacity=1).session("A", version)
    small.enter("a1")
    assert values(small.enter("a2"), 39, 103) == [("8", "0")]
    short = Venue(ClientSettings(max_orders=2)).session("A", version)
    short.enter("a1")
    short.enter("a2")
    assert values(short.enter("a3"), 39, 103) == [("8", "0")]
    assert values(short.replace("a3", "a1", "5"), 35, 102) == [("9", "2")]
    assert values(short.cancel("a3", "a1"), 35, 39) == [("8", "4")], "a cancel has room always"


@pytest.mark.parametrize("missing", [38, 44])
def test_a_field_that_this_order_needs_is_asked_for(client: Client, missing: int) -> None:
    """A limit order without a price taken for a market order."""
    with pytest.raises(BusinessReject, match=str(missing)) as caught:
        client.enter("a1", more={missing: None})
    assert (caught.value.reason, caught.value.ref_id) == (5, "a1")


def test_what_is_no_number_is_a_field_reject(client: Client) -> None:
    """A number that Python reads and FIX does not have."""
    for text in ("1e2", "NaN", "", "1_0", " 1"):
        with pytest.raises(FieldReject) as caught:
            client.enter("a1", more={44: text})
        assert (caught.value.tag, caught.value.reason) == (44, 6)
    with pytest.raises(FieldReject, match="18 digits") as caught:
        client.enter("a1", more={38: "1" * 30})
    assert caught.value.tag == 38


def test_a_message_that_is_no_order_is_a_business_reject(client: Client) -> None:
    """A question swallowed."""
    with pytest.raises(BusinessReject, match="D, F and G") as caught:
        client.ask("d", {320: "which"})
    assert caught.value.reason == 3


def test_a_used_cl_ord_id_is_refused_and_tells_how_the_first_order_stands(client: Client) -> None:
    """A duplicate that trades; or a refusal that the client takes for its first order's end."""
    client.enter("a1")
    [report] = client.enter("a1", "1", "99")
    assert (report[150], report[39], report[103], report[38]) == ("8", "0", "6", "10")
    is_44 = client.recording.config.begin_string == "FIX.4.4"
    client.replace("r1", "a1", "11")
    [report] = client.enter("a1")
    assert (report[11], report[38], report[37]) == ("a1", "11", "1")
    client.enter("a2")
    for answer in (client.cancel("a1", "a2"), client.replace("a1", "a2")):
        assert values(answer, 35, 102, 39) == [("9", "6" if is_44 else "2", "0")]
    assert len(client.venue.books[0]) == 2


def test_the_name_of_an_order_that_has_ended_stays_used(client: Client) -> None:
    """An order filled this morning, entered again by a client that resends its day."""
    client.enter("b1")
    client.enter("s1", "2")
    [report] = client.enter("b1")
    assert (report[150], report[39], report[103], report[14]) == ("8", "2", "6", "10")
    [status] = client.enter("b1", more={97: "Y"})
    assert (status[39], status[14], status[37]) == ("2", "10", "1")
    assert len(client.venue.router) == 0


def test_a_poss_resend_asks_for_the_status_and_does_nothing_twice(client: Client) -> None:
    """An order that a client is not sure of having sent, executed twice."""
    is_44 = client.recording.config.begin_string == "FIX.4.4"
    client.enter("a1", more={97: "Y"})
    [status] = client.enter("a1", more={97: "Y"})
    assert (status[150], status.get(20), status[17]) == (
        ("I", None, "0") if is_44 else ("0", "3", "0")
    )
    client.cancel("a2", "a1")
    [status] = client.cancel("a2", "a1", {97: "Y"})
    assert (status[39], status[11]) == ("4", "a2")
    assert len(client.venue.books[0]) == 0


CHANGES: Final[dict[str, tuple[str, dict[int, str | None]]]] = {
    "symbol": ("FG", {55: "QTR"}),
    "side": ("FG", {54: "2"}),
    "order id": ("FG", {37: "77"}),
    "market": ("G", {40: "1", 44: None}),
    "IOC": ("G", {59: "3"}),
    "post only": ("G", {18: "6"}),
    "account": ("G", {1: "client"}),
    "self-trade": ("G", {7928: "O"}),
    "price": ("G", {44: "100.001"}),
    "beyond": ("G", {44: "0.00"}),
    "quantity": ("G", {38: "0"}),
    "minimum": ("G", {110: "1"}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_cannot_be_is_rejected_and_changes_nothing(client: Client, name: str) -> None:
    """A replace that does the half that it can; a reject that answers another request."""
    types, change = CHANGES[name]
    client.enter("a1", more={1: "house"})
    before = client.venue.books[0].state_hash()
    for msg_type in types:
        ask = client.cancel if msg_type == "F" else client.replace
        [reject] = ask("a2", "a1", more=change)
        assert (reject[35], reject[11], reject[41]) == ("9", "a2", "a1")
        assert reject[434] == ("1" if msg_type == "F" else "2")
        assert reject[58]
    assert client.venue.books[0].state_hash() == before
    assert values(client.cancel("a2", "a1"), 39) == [("4",)]


def test_a_change_that_the_book_refused_is_forgotten(version: str) -> None:
    """What happens to the order later told as if it were the change's doing."""
    client = Venue(ClientSettings(cancel_on_disconnect=True)).session("A", version)
    client.enter("s1", "2", "10", "100.05")
    client.enter("b1", more={18: "6"})
    [reject] = client.replace("b2", "b1", price="100.05", more={18: "6"})
    assert (reject[35], reject[102], reject[39], reject[37]) == ("9", "2", "0", "2")
    client.venue.orders.on_logout(cast(Any, client.recording))
    assert values(client.heard(), 11, 41, 150, 39) == [
        ("s1", "", "4", "4"),
        ("b1", "", "4", "4"),
    ]
