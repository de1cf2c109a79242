"""A day over a line that breaks at any byte: nothing lost, nothing doubled."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

import pytest

from phase5_protocol.order_entry.client import Numbered, OuchClient
from phase5_protocol.order_entry.ouch50 import Accepted, CancelOrder, Executed
from phase5_protocol.order_entry.server import OrderEntryServer
from phase5_protocol.order_entry.test_gateway_any import ledger
from phase5_protocol.order_entry.test_server import ALICE, BOB, log_in, order, served, venue

ORDERS = 120


class CutClient(OuchClient):
    """A client whose line breaks after so many bytes, in the middle of whatever comes then."""

    budgets: ClassVar[Iterator[int]]

    def data_received(self, data: bytes) -> None:
        if not hasattr(self, "left"):
            self.left = next(self.budgets)
        super().data_received(data[: self.left])
        self.left -= len(data)
        if self.left <= 0:
            self.abort()


class Trader:
    """Enters its orders one after the other, and says again what it had no answer to."""

    def __init__(self, server: OrderEntryServer) -> None:
        self.server = server
        self.heard: list[Numbered] = []
        self.answered = 0
        self.login = replace(ALICE, next_number=1)
        self.cuts = 0

    async def run(self, ahead: int) -> None:
        """One connection, from its login to its end or that of the orders."""
        try:
            client = await CutClient.connect(*self.server.address, self.login)
        except ConnectionError:
            self.cuts += 1
            return
        sent = self.answered
        with suppress(ConnectionError):
            while self.answered < ORDERS:
                with suppress(ValueError):
                    while sent < min(ORDERS, self.answered + ahead):
                        sent += 1
                        client.send(order(sent, "BS"[sent % 2], 10, 10_000 + sent % 3 * 100))
                self.hear(client, await client.next_numbered())
        self.cuts += client.session.ended is not None
        for numbered in client.received:
            self.hear(client, numbered)
        self.login = client.resume()
        client.abort()
        await client.closed()

    def hear(self, client: OuchClient, numbered: Numbered) -> None:
        self.heard.append(numbered)
        if isinstance(numbered.message, Accepted):
            self.answered = numbered.message.user_ref_num


@pytest.mark.parametrize("seed", range(3))
def test_a_day_with_a_line_that_breaks_at_any_byte(seed: int) -> None:
    """Guards against an execution that is lost or told twice, and an order entered twice."""
    random_ = random.Random(seed)
    CutClient.budgets = iter(lambda: random_.randrange(1, 900), None)
    ports = venue()

    async def scenario(server: OrderEntryServer) -> None:
        trader, bob = Trader(server), await log_in(server, BOB)
        number = 0
        while trader.answered < ORDERS:
            await trader.run(ahead=random_.randrange(1, 6))
            number += 1
            bob.send(order(number, "BS"[number % 2], 15, 10_100))
            bob.send(CancelOrder(number, 0))
            await bob.next()
        last = await log_in(server, trader.login)
        store = ports["alice"].store
        while len(trader.heard) < store.next_number - 1:
            trader.hear(last, await last.next_numbered())
        said = [(n, store[n]) for n in range(1, store.next_number)]
        assert trader.heard == said
        entered = Counter(
            each.message.user_ref_num for each in trader.heard if isinstance(each.message, Accepted)
        )
        assert entered == dict.fromkeys(range(1, ORDERS + 1), 1)
        orders = [ports.router.order(number) for number in range(1, 10 * ORDERS)]
        mine = [each for each in orders if each and each.owner is ports["alice"].gateway]
        open_now = ledger(each.message for each in trader.heard)
        assert open_now == {each.tag.user_ref_num: each.open_quantity for each in mine}
        assert trader.cuts >= 10, "a day without broken lines proves nothing"
        assert any(isinstance(each.message, Executed) for each in trader.heard)

    served(scenario, ports)
