"""Any conversation with the gateway, right or wrong: the client can always keep the books."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from contract.messages import SelfTrade, Side
from phase5_protocol.order_entry.order_terms import MAX_ORDER_QUANTITY
from phase5_protocol.order_entry.ouch import TagValue
from phase5_protocol.order_entry.ouch50 import (
    Accepted,
    AiqCanceled,
    Canceled,
    CancelOrder,
    EnterOrder,
    Executed,
    Inbound,
    Modified,
    ModifyOrder,
    Outbound,
    Replaced,
    ReplaceOrder,
    Tag,
)
from phase5_protocol.order_entry.test_gateway import Desk, Venue

#: How far behind the last number used; ``numbered`` makes a number of it.
NUMBER = st.integers(0, 7)
QUANTITY = st.sampled_from([0, 1, 2, 5, 9, 30, MAX_ORDER_QUANTITY, MAX_ORDER_QUANTITY + 1])
PRICE = st.sampled_from([100, 200, 300, 300, 400, 500, 0, 150])
TAGS = st.sampled_from([(), (), (), (TagValue(Tag.POST_ONLY, "P"),), (TagValue(Tag.ROUTE, "X"),)])
SAID = st.one_of(
    st.builds(
        EnterOrder,
        NUMBER,
        st.sampled_from("BBBSSTE?"),
        QUANTITY,
        st.sampled_from(["MBK", "MBK", "MBK", "NOBODY"]),
        PRICE,
        st.sampled_from("00035"),
        st.sampled_from("YYYN"),
        st.just("A"),
        st.sampled_from("NNNY"),
        st.just("N"),
        st.just("X"),
        TAGS,
    ),
    st.builds(
        ReplaceOrder,
        NUMBER,
        NUMBER,
        QUANTITY,
        PRICE,
        st.sampled_from("0003"),
        st.just("Y"),
        st.just("N"),
        st.just("X"),
    ),
    st.builds(CancelOrder, NUMBER, QUANTITY),
    st.builds(ModifyOrder, NUMBER, st.sampled_from("BSTE"), QUANTITY),
)


def numbered(desk: Desk, message: Inbound) -> Inbound:
    """The message about one of the last orders, or with the next number, or seldom an old one."""
    last = desk.gateway.last_user_ref_num
    if isinstance(message, ReplaceOrder):
        message = replace(message, original_ref_num=max(0, last - message.original_ref_num))
    if isinstance(message, CancelOrder | ModifyOrder):
        return replace(message, user_ref_num=max(0, last - message.user_ref_num))
    return replace(message, user_ref_num=last + (message.user_ref_num > 0))


def ledger(heard: Iterable[Outbound]) -> dict[int, int]:
    """What a client thinks is open, from nothing but what it heard."""
    open_now: dict[int, int] = {}
    for message in heard:
        match message:
            case Accepted():
                open_now[message.user_ref_num] = message.quantity
            case Replaced():
                del open_now[message.original_ref_num]
                open_now[message.user_ref_num] = message.quantity
            case Executed():
                open_now[message.user_ref_num] -= message.quantity
            case Canceled() | AiqCanceled():
                open_now[message.user_ref_num] -= message.decrement
            case Modified():
                open_now[message.user_ref_num] = message.quantity
            case _:
                pass
    assert min(open_now.values(), default=0) >= 0
    return {number: quantity for number, quantity in open_now.items() if quantity}


@given(
    st.sampled_from(SelfTrade),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), SAID), max_size=40),
)
def test_clients_can_keep_the_books_from_what_they_hear(
    mode: SelfTrade, said: list[tuple[int, int, Inbound]]
) -> None:
    """Guards against anything that happens to an order and is not told, or told wrongly."""
    venue = Venue(max_price=4, capacity=8)
    desks = [venue.desk(1, mode), venue.desk(1, mode), venue.desk(2, mode)]
    heard: list[list[Outbound]] = [[], [], []]
    for who, times, message in said:
        for _ in range(times):
            heard[who] += desks[who].say(numbered(desks[who], message))
        for desk, so_far in zip(desks, heard, strict=True):
            so_far += desk.hear()
        open_of_all = sorted(q for so_far in heard for q in ledger(so_far).values())
        resting = venue.resting(Side.BID) + venue.resting(Side.ASK)
        assert open_of_all == sorted(quantity for _, quantity in resting)
    matches = [each for so_far in heard for each in so_far if isinstance(each, Executed)]
    for trade in matches:
        both = [each for each in matches if each.match_number == trade.match_number]
        assert sorted(each.liquidity_flag for each in both) == ["A", "R"]
        assert len({(each.quantity, each.price) for each in both}) == 1
