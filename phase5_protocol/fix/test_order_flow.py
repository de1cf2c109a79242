"""Random order flow from two FIX sessions: the reports add up, and tell all that the books hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from contract import SelfTrade, Side
from phase5_protocol.fix.conftest import CENTS, Client, Venue
from phase5_protocol.fix.decimals import (
    AVERAGE_DECIMALS,
    average_price,
    to_lots,
    to_price,
    to_shares,
    to_ticks,
)
from phase5_protocol.fix.requests import ClientSettings
from phase5_protocol.listing import Listing

_LIVE: Final = ("0", "1", "5")


@dataclass
class Known:
    """An order as the reports have it."""

    names: list[str]
    side: str
    price: str
    order_qty: int
    leaves: int
    status: str
    fills: list[tuple[int, Decimal]] = field(default_factory=list)

    @property
    def traded(self) -> int:
        return sum(quantity for quantity, _ in self.fills)


class Ledger:
    """What a client can know: its orders, from nothing but the reports that it gets."""

    def __init__(self) -> None:
        self.orders: dict[str, Known] = {}
        self.exec_ids: set[str] = set()

    def take(self, report: dict[int, str]) -> None:
        """Check a report against those before it, and keep what it says."""
        if report[35] == "9" or report[37] == "NONE":
            return
        order_qty, leaves, traded = (int(report[tag]) for tag in (38, 151, 14))
        order = self.orders.setdefault(
            report[37], Known([], report[54], report.get(44, ""), order_qty, 0, "")
        )
        if report[17] == "0":
            assert (leaves, traded, report[39]) == (order.leaves, order.traded, order.status)
            return
        assert report[17] not in self.exec_ids
        self.exec_ids.add(report[17])
        if 32 in report:
            assert report[150] in ("F", "1", "2")
            order.fills.append((int(report[32]), Decimal(report[31])))
        if report[150] == "8" and order.status:
            assert (leaves, traded, report[39]) == (order.leaves, order.traded, order.status)
            return
        assert order.status in ("", *_LIVE), "a report of an order that had ended"
        order.names.append(report[11])
        order.order_qty, order.leaves, order.status = order_qty, leaves, report[39]
        order.price = report.get(44, "")
        assert traded == order.traded
        self.check(order, Decimal(report[6]))

    def check(self, order: Known, average: Decimal) -> None:
        """The arithmetic of one order."""
        if order.status in (*_LIVE, "2"):
            assert order.order_qty == order.traded + order.leaves
        else:
            assert order.leaves == 0
            assert order.traded <= order.order_qty
        assert (order.status == "2") == (order.traded == order.order_qty)
        with localcontext(prec=60):
            value = sum((quantity * price for quantity, price in order.fills), Decimal(0))
            exact = value / order.traded if order.traded else Decimal(0)
            assert average == exact.quantize(Decimal("1e-8"), ROUND_HALF_EVEN)


_PRICES: Final = st.integers(9_995, 10_005).map(lambda ticks: to_price(CENTS, ticks))
_STEP: Final = st.fixed_dictionaries(
    {
        "who": st.integers(0, 1),
        "what": st.sampled_from("DDDDDFGGG?"),
        "side": st.sampled_from("12"),
        "quantity": st.integers(1, 12).map(str),
        "price": st.one_of(_PRICES, _PRICES, _PRICES, st.none()),
        "time": st.sampled_from("001134"),
        "post": st.sampled_from((None, None, None, "6")),
        "self": st.sampled_from((None, None, "N", "O", "B")),
        "resend": st.sampled_from((None, None, None, "Y")),
        "pick": st.integers(0, 40),
        "is_new_name": st.sampled_from((True, True, True, True, False)),
    }
)


def _do(client: Client, ledger: Ledger, step: dict[str, Any], number: int) -> list[dict[int, str]]:
    """One message of a client, about one of its orders or with a name of its own."""
    names = [name for order in ledger.orders.values() for name in order.names] or ["none"]
    known = names[-1 - int(step["pick"]) % len(names)]
    name = f"n{number}" if step["is_new_name"] else known
    extra = {59: step["time"], 18: step["post"], 7928: step["self"], 97: step["resend"]}
    if step["what"] == "D":
        return client.enter(name, step["side"], step["quantity"], step["price"], {**extra, 1: "x"})
    [side] = {order.side for order in ledger.orders.values() if known in order.names} or {"1"}
    if step["what"] == "F":
        return client.cancel(name, known, {54: side, 97: step["resend"]})
    if step["what"] == "G":
        quantity, price = str(int(step["quantity"]) * 2), step["price"] or "100.00"
        more: dict[int, str | None] = {54: side, 18: step["post"], 97: step["resend"]}
        answers = client.replace(name, known, quantity, price, more)
        for report in answers:
            if report.get(150) == "5":
                assert int(report[38]) == max(int(quantity), int(report[14]))
        return answers
    return client.enter(known, side, more={97: "Y", 1: "x"})


@given(st.lists(_STEP, max_size=60))
def test_reports_add_up_and_tell_what_the_book_holds(steps: list[dict[str, Any]]) -> None:
    """A fill not told, told twice or to the wrong order; a quantity that goes missing in a replace;
    an order that its client believes dead, or alive."""
    venue = Venue(ClientSettings({"x": 1}, self_trade=SelfTrade.NONE))
    clients = [venue.session("A", "FIX.4.2"), venue.session("B", "FIX.4.4")]
    ledgers = [Ledger(), Ledger()]
    for number, step in enumerate(steps):
        who = int(step["who"])
        answers = _do(clients[who], ledgers[who], step, number)
        assert answers, "a message without an answer"
        for report in answers:
            ledgers[who].take(report)
        for report in clients[1 - who].heard():
            ledgers[1 - who].take(report)
        told = {
            int(number): ("12".index(order.side), to_ticks(CENTS, order.price), order.leaves)
            for ledger in ledgers
            for number, order in ledger.orders.items()
            if order.status in _LIVE
        }
        held = {
            order.order_id: (side, order.price, order.quantity)
            for side in Side
            for order in venue.books[0].orders(side)
        }
        assert told == held
    live = len(held) if steps else 0
    assert venue.orders.expire_all() == live
    assert len(venue.router) == len(venue.books[0]) == 0


_TICKS: Final = st.one_of(
    st.sampled_from((1, 25, 100, 500, 1_000, 2_500, 10_000, 50_000)), st.integers(1, 2**31 - 1)
)


@given(st.integers(-(2**31), 2**31), st.integers(1, 2**40), _TICKS)
def test_prices_go_out_and_come_back(ticks: int, lots: int, tick_size: int) -> None:
    """A price or quantity that is another after it was written and read."""
    listing = Listing("X", tick_size=tick_size, lot=100)
    assert to_ticks(listing, to_price(listing, ticks)) == ticks
    assert Decimal(to_price(listing, ticks)) == ticks * Decimal(tick_size) / 10_000
    assert to_lots(listing, to_shares(listing, lots)) == lots


def test_an_average_between_two_decimals_goes_to_the_even_one() -> None:
    """Half a unit rounded up always, so that averages drift."""
    fine = Listing("X", tick_size=1)
    assert [average_price(fine, ticks, 2 * 10**AVERAGE_DECIMALS) for ticks in (1, 3, 5)] == [
        "0.0000",
        "0.0000000002",
        "0.0000000002",
    ]
