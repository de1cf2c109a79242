"""The router held against the books it routes to, and against what its sessions are told."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import (
    Command,
    CommandKind,
    Event,
    EventKind,
    Flag,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
    market,
    new,
)
from phase1_domain import Engine
from phase5_protocol.order_entry.router import (
    OrderRouter,
    RoutedOrder,
    RouterStoppedError,
)

BID, ASK = Side.BID, Side.ASK


class Session:
    """Writes down what it hears, and keeps its own account of its orders from that alone."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, Event]] = []
        self.open: dict[int, int] = {}

    def on_event(self, order: RoutedOrder, event: Event) -> None:
        assert order.owner is self
        self.heard.append((order.order_id, event))
        if event.kind in (EventKind.ACCEPTED, EventKind.REPLACED):
            self.open[order.order_id] = event.quantity
        elif event.kind in (EventKind.TRADE, EventKind.CANCELLED):
            self.open[order.order_id] -= event.quantity
        assert order.open_quantity == self.open.get(order.order_id, 0)
        if not order.is_live:
            self.open.pop(order.order_id, None)

    def kinds(self) -> list[EventKind]:
        return [EventKind(event.kind) for _, event in self.heard]


class House:
    """Books, a router over them, and everything its market data heard."""

    def __init__(self, **limits: Any) -> None:
        self.books = {number: Engine(instrument=number, **limits) for number in (0, 1)}
        self.published: list[Event] = []
        self.time = 0
        self.router = OrderRouter(
            self.books, on_events=self.published.extend, clock_ns=self._clock, first_order_id=100
        )

    def _clock(self) -> int:
        self.time += 1
        return self.time

    def in_books(self) -> dict[int, tuple[int, int]]:
        """Every resting order: its open quantity and price, by number."""
        return {
            resting.order_id: (resting.quantity, resting.price)
            for book in self.books.values()
            for side in (BID, ASK)
            for resting in book.orders(side)
        }


def test_maker_and_aggressor_each_hear_of_a_trade_once() -> None:
    """Guards against a trade that one side never learns of, or learns of twice."""
    house = House()
    maker, taker = Session(), Session()
    rests = house.router.enter(maker, "rests", new(0, ASK, 50, 10))
    takes = house.router.enter(taker, "takes", new(0, BID, 52, 4))
    assert maker.kinds() == [EventKind.ACCEPTED, EventKind.TRADE]
    assert taker.kinds() == [EventKind.ACCEPTED, EventKind.TRADE]
    assert maker.heard[1][1] == taker.heard[1][1] == house.published[-1]
    assert (rests.open_quantity, rests.traded, rests.traded_value) == (6, 4, 200)
    assert (takes.open_quantity, takes.traded, takes.traded_value) == (0, 4, 200)
    assert len(house.router) == 1
    assert house.router.order(rests.order_id) is rests
    assert house.router.order(takes.order_id) is None


def test_market_data_hears_before_the_sessions() -> None:
    """Guards against a session that knows of a trade which the market data does not show yet."""
    house = House()
    seen: list[int] = []

    class Looks(Session):
        def on_event(self, order: RoutedOrder, event: Event) -> None:
            seen.append(len(house.published))
            super().on_event(order, event)

    house.router.enter(Session(), "", new(0, ASK, 50, 1))
    house.router.enter(Looks(), "", new(0, BID, 50, 1))
    assert seen == [3, 3]


def test_one_session_on_both_sides_hears_of_each_order() -> None:
    """Guards against taking a session for an order: it may be maker and aggressor at once."""
    house = House()
    both = Session()
    rests = house.router.enter(both, "", new(0, ASK, 50, 3, account=7))
    takes = house.router.enter(both, "", new(0, BID, 50, 3, account=7))
    trades = [(number, event) for number, event in both.heard if event.kind == EventKind.TRADE]
    assert {number for number, _ in trades} == {rests.order_id, takes.order_id}
    assert len(trades) == 2
    assert not house.router


@pytest.mark.parametrize(
    ("mode", "live"),
    [
        (SelfTrade.CANCEL_NEWEST, {"old"}),
        (SelfTrade.CANCEL_OLDEST, {"new"}),
        (SelfTrade.CANCEL_BOTH, set()),
    ],
)
def test_self_trade_prevention_tells_the_owner_of_each_cancelled_order(
    mode: SelfTrade, live: set[str]
) -> None:
    """Guards against telling the aggressor's session that the maker's order was cancelled."""
    house = House()
    first, second = Session(), Session()
    orders = {
        "old": house.router.enter(first, "", new(0, ASK, 50, 3, account=7)),
        "new": house.router.enter(second, "", new(0, BID, 50, 5, account=7, self_trade=mode)),
    }
    assert {name for name, order in orders.items() if order.is_live} == live
    for name, session in (("old", first), ("new", second)):
        reasons = [event.reason for _, event in session.heard if event.reason]
        assert reasons == ([] if name in live else [Reason.SELF_TRADE])


def test_what_an_ioc_order_leaves_is_gone() -> None:
    """Guards against counting the cancelled rest of an IOC or market order as live."""
    house = House()
    maker, taker = Session(), Session()
    house.router.enter(maker, "", new(0, ASK, 50, 3))
    order = house.router.enter(taker, "", new(0, BID, 50, 5, time_in_force=TimeInForce.IOC))
    assert taker.kinds() == [EventKind.ACCEPTED, EventKind.TRADE, EventKind.CANCELLED]
    assert (order.open_quantity, order.traded, len(house.router)) == (0, 3, 0)
    empty = house.router.enter(taker, "", market(0, ASK, 5))
    assert (empty.open_quantity, empty.traded, len(house.router)) == (0, 0, 0)


def test_a_fill_or_kill_order_that_is_killed_is_gone() -> None:
    """Guards against a FOK order that stays in the router's table for good."""
    house = House()
    taker = Session()
    house.router.enter(Session(), "", new(0, ASK, 50, 3))
    killed = house.router.enter(taker, "", new(0, BID, 50, 5, time_in_force=TimeInForce.FOK))
    assert taker.kinds() == [EventKind.ACCEPTED, EventKind.CANCELLED]
    assert (killed.open_quantity, killed.traded, len(house.router)) == (0, 0, 1)
    filled = house.router.enter(taker, "", new(0, BID, 50, 3, time_in_force=TimeInForce.FOK))
    assert (filled.traded, len(house.router)) == (3, 0)


def test_a_replacement_that_trades_ends_with_the_right_quantities() -> None:
    """Guards against adding what traded before the replacement to what is open after it."""
    house = House()
    seller, buyer = Session(), Session()
    house.router.enter(seller, "", new(0, ASK, 50, 2))
    order = house.router.enter(buyer, "", new(0, BID, 50, 10))
    house.router.enter(seller, "", new(0, ASK, 60, 3))
    house.router.replace(order, 60, 7)
    assert (order.price, order.quantity) == (60, 9)
    assert (order.open_quantity, order.traded, order.traded_value) == (4, 5, 280)
    assert house.in_books() == {order.order_id: (4, 60)}


@pytest.mark.parametrize(("price", "quantity"), [(0, 5), (50, 0)])
def test_a_rejected_replacement_leaves_the_order_as_it_was(price: int, quantity: int) -> None:
    """Guards against a router that believes a replacement which the book refused."""
    house = House()
    session = Session()
    order = house.router.enter(session, "", new(0, BID, 40, 10))
    house.router.replace(order, price, quantity)
    assert session.kinds()[-1] == EventKind.REJECTED
    assert (order.price, order.quantity, order.open_quantity) == (40, 10, 10)
    assert house.in_books() == {order.order_id: (10, 40)}


def test_rejected_orders_are_told_and_forgotten() -> None:
    """Guards against a rejected order that stays in the table, or counts as live."""
    house = House(capacity=1)
    session = Session()
    wrong = [
        (new(0, BID, 0, 1), Reason.INVALID_PRICE),
        (new(0, BID, 1, 0), Reason.INVALID_QUANTITY),
        (new(0, BID, 1, 1, instrument=9), Reason.UNKNOWN_INSTRUMENT),
        (new(0, 7, 1, 1), Reason.INVALID_COMMAND),
    ]
    for command, reason in wrong:
        order = house.router.enter(session, "", command)
        number, event = session.heard[-1]
        assert (number, event.kind, event.reason) == (order.order_id, EventKind.REJECTED, reason)
        assert not order.is_live
    house.router.enter(session, "", new(0, BID, 1, 1))
    house.router.enter(session, "", new(0, BID, 1, 1))
    assert session.heard[-1][1].reason == Reason.BOOK_FULL
    assert len(house.router) == 1


def test_cancelling_what_is_not_open_is_told() -> None:
    """Guards against a cancel of a dead order that gets no answer at all."""
    house = House()
    session = Session()
    order = house.router.enter(session, "", new(0, BID, 40, 10))
    house.router.cancel(order)
    house.router.cancel(order)
    house.router.replace(order, 41, 3)
    reasons = [event.reason for _, event in session.heard]
    assert reasons == [0, Reason.USER, Reason.UNKNOWN_ORDER, Reason.UNKNOWN_ORDER]
    assert not order.is_live


def test_cancel_all_leaves_the_orders_of_others() -> None:
    """Guards against a lost session that takes other people's orders with it."""
    house = House()
    gone, stays = Session(), Session()
    for instrument in (0, 1):
        house.router.enter(gone, "", new(0, BID, 40, 10, instrument=instrument))
        house.router.enter(stays, "", new(0, BID, 41, 10, instrument=instrument))
    assert house.router.cancel_all(gone) == 2
    assert gone.open == {}
    assert stays.kinds() == [EventKind.ACCEPTED] * 2
    assert len(house.router) == 2


def test_a_mass_cancel_tells_every_owner_of_his_own() -> None:
    """Guards against a switch that empties the book behind the sessions' backs."""
    house = House()
    one, two = Session(), Session()
    house.router.enter(one, "", new(0, BID, 40, 10, account=1))
    house.router.enter(two, "", new(0, BID, 40, 10, account=2))
    house.router.enter(two, "", new(0, ASK, 50, 10, account=2))
    other = house.router.enter(one, "", new(0, ASK, 50, 10, account=1, instrument=1))
    assert house.router.mass_cancel(0, account=2) == 2
    assert [event.reason for _, event in two.heard[2:]] == [Reason.MASS_CANCEL] * 2
    assert house.router.mass_cancel(0) == 1
    assert one.heard[-1][1].reason == Reason.MASS_CANCEL
    assert house.router.mass_cancel(0) == 0
    assert house.in_books() == {other.order_id: (10, 50)}


@pytest.mark.parametrize("who", ["a session", "market data"])
def test_whoever_cannot_be_told_stops_order_entry(who: str) -> None:
    """A trade that one side, or the world, never hears of, while trading goes on."""

    class Deaf(Session):
        def on_event(self, order: RoutedOrder, event: Event) -> None:
            raise OSError("the disk is full")

    def fail(_: Any) -> None:
        raise OSError("the disk is full")

    with Engine() as book:
        router = OrderRouter({0: book}, on_events=fail if who == "market data" else None)
        with pytest.raises(OSError, match="disk is full"):
            router.enter(Deaf(), None, new(0, BID, 100, 5))
        assert len(book) == 1
        with pytest.raises(RouterStoppedError, match="disk is full"):
            router.enter(Session(), None, new(0, ASK, 100, 5))
        assert len(book) == 1
        assert isinstance(router.failure, OSError)


def test_numbers_and_stamps_are_the_routers() -> None:
    """Guards against an order number, a sequence or a clock that a session could choose."""
    house = House()
    session = Session()
    order = house.router.enter(session, "mine", new(77, BID, 40, 1, timestamp_ns=5))
    assert (order.order_id, order.tag) == (100, "mine")
    assert session.heard[0][1].timestamp_ns == 1


PRICES = st.integers(0, 6)
ENTRY = st.builds(
    Command,
    kind=st.just(CommandKind.NEW),
    side=st.sampled_from([BID, ASK]),
    price=PRICES,
    quantity=st.integers(0, 12),
    order_type=st.sampled_from([0, 0, 0, 1]),
    time_in_force=st.sampled_from([0, 0, 0, 1, 2]),
    self_trade=st.sampled_from(SelfTrade),
    flags=st.sampled_from([Flag.NONE, Flag.NONE, Flag.POST_ONLY]),
    account=st.integers(0, 2),
    instrument=st.sampled_from([0, 0, 0, 1, 9]),
)
PICK = st.integers(0, 2**16)
STEP = st.one_of(
    st.tuples(st.just("enter"), PICK, ENTRY),
    st.tuples(st.just("enter"), PICK, ENTRY),
    st.tuples(st.just("cancel"), PICK, st.none()),
    st.tuples(st.just("replace"), PICK, st.tuples(PRICES, st.integers(0, 12))),
    st.tuples(st.just("cancel all"), PICK, st.none()),
    st.tuples(st.just("mass cancel"), PICK, st.integers(0, 2)),
)


def take_step(house: House, sessions: list[Session], orders: list[RoutedOrder], step: Any) -> None:
    what, pick, detail = step
    session = sessions[pick % len(sessions)]
    if what == "enter":
        orders.append(house.router.enter(session, pick, detail))
    elif what == "cancel all":
        house.router.cancel_all(session)
    elif what == "mass cancel":
        house.router.mass_cancel(pick % 2, detail)
    elif orders and what == "cancel":
        house.router.cancel(orders[pick % len(orders)])
    elif orders:
        house.router.replace(orders[pick % len(orders)], *detail)


@given(st.lists(STEP, max_size=40))
def test_the_router_and_the_books_agree_after_every_command(steps: list[Any]) -> None:
    """Guards against any drift between the routed orders, the books and the sessions' accounts."""
    house = House(max_price=5, capacity=12)
    sessions = [Session() for _ in range(3)]
    orders: list[RoutedOrder] = []
    for step in steps:
        take_step(house, sessions, orders, step)
        live = {order.order_id: (order.open_quantity, order.price) for order in orders}
        in_books = house.in_books()
        assert {number: each for number, each in live.items() if each[0]} == in_books
        assert len(house.router) == len(in_books)
        by_session = {number: open_ for each in sessions for number, open_ in each.open.items()}
        assert by_session == {number: open_ for number, (open_, _) in in_books.items()}
        for order in orders:
            assert order.is_live == (house.router.order(order.order_id) is order)
    told = Counter(
        (event.instrument, event.sequence) for each in sessions for _, event in each.heard
    )
    for event in house.published:
        times = told.pop((event.instrument, event.sequence), 0)
        is_nobodys = event.kind == EventKind.REJECTED and event.order_id == 0
        assert times == (2 if event.kind == EventKind.TRADE else 0 if is_nobodys else 1)
    assert {sequence for _, sequence in told} <= {0}, "events that no book published"
    traded = sum(event.quantity for event in house.published if event.kind == EventKind.TRADE)
    assert sum(order.traded for order in orders) == 2 * traded
