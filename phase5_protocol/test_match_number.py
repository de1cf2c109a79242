"""A trade has one number, whichever protocol tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from contract.messages import Event, EventKind
from phase1_domain import Engine
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.conftest import NOW, RecordingSession
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.orders import FixOrders
from phase5_protocol.itch.feed import ItchFeed
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.listing import Listing
from phase5_protocol.match_number import INSTRUMENT_BITS, match_number
from phase5_protocol.order_entry.ouch50 import CODEC, EnterOrder, Executed
from phase5_protocol.order_entry.ports import Account, Ports
from phase5_protocol.order_entry.router import OrderRouter


def test_match_numbers_differ_between_books() -> None:
    """Guards against two trades of one venue with the same number, and one too large for it."""
    instruments = (0, 1, 2, 2**INSTRUMENT_BITS - 1)
    trades = [
        Event(EventKind.TRADE, sequence=n, instrument=i)
        for n in (1, 2, 2**44 - 1)
        for i in instruments
    ]
    numbers = {match_number(trade) for trade in trades}
    assert len(numbers) == len(trades)
    assert max(numbers) == 2**64 - 1


class Venue:
    """Two books, OUCH and FIX in front of them, and an ITCH feed behind."""

    def __init__(self) -> None:
        books = {number: Engine(instrument=number, max_price=10_000) for number in (0, 7)}
        listings = [Listing.of(book, f"MBK{number}") for number, book in books.items()]
        self.shown: list[bytes] = []
        self._feed = ItchFeed(listings)
        router = OrderRouter(books, on_events=self._show)
        self._port = Ports(router, listings, [Account("carol", "secret", 3)])["carol"]
        self._orders = FixOrders(router, listings, run_id="R1")
        self._fix = RecordingSession(SessionConfig("FIX.4.4", "V", "A"))

    def _show(self, events: Sequence[Event]) -> None:
        self.shown += self._feed.take(events)

    def sell_over_ouch(self, number: int, symbol: str) -> None:
        order = EnterOrder(number, "S", 5, symbol, 10_000, "0", "Y", "A", "N", "N", "")
        self._port.gateway.receive(CODEC.encode(order))

    def buy_over_fix(self, name: str, symbol: str) -> None:
        fields = {11: name, 21: "1", 55: symbol, 54: "1", 60: NOW, 38: "2", 40: "2", 44: "1.00"}
        message = Message("D", list(fields.items()), "FIX.4.4")
        self._orders.on_message(cast(Any, self._fix), message)

    def of_ouch(self) -> list[int]:
        store = self._port.store
        said = (CODEC.decode_outbound(store[n]) for n in range(1, store.next_number))
        return [each.match_number for each in said if isinstance(each, Executed)]

    def of_itch(self) -> list[int]:
        executed = LAYOUTS["E"]
        place = [field.name for field in executed.fields].index("match_number")
        return [int(executed.unpack(each)[place]) for each in self.shown if each[:1] == b"E"]

    def of_fix(self) -> list[int]:
        names = [each.get(527) for each in self._fix.sent if each.get(150) == "F"]
        return [int(name) for name in names if name is not None]


def test_ouch_itch_and_fix_name_a_trade_alike() -> None:
    """Guards against a fill that its owner cannot find in market data."""
    venue = Venue()
    for number, symbol in enumerate(("MBK0", "MBK7"), 1):
        venue.sell_over_ouch(number, symbol)
        venue.buy_over_fix(f"{symbol}a", symbol)
        venue.buy_over_fix(f"{symbol}b", symbol)
    assert venue.of_ouch() == venue.of_itch() == venue.of_fix()
    assert len(set(venue.of_itch())) == 4
