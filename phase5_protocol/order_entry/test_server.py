"""Order entry over real TCP connections: what clients may expect, and what they may not spoil."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from contract.errors import ConfigurationError
from contract.messages import SelfTrade
from phase1_domain import Engine
from phase5_protocol.listing import Listing
from phase5_protocol.order_entry.client import OuchClient
from phase5_protocol.order_entry.ouch50 import (
    Accepted,
    Canceled,
    CancelOrder,
    EnterOrder,
    Executed,
    Outbound,
    SystemEvent,
)
from phase5_protocol.order_entry.ports import Account, Ports
from phase5_protocol.order_entry.router import OrderRouter
from phase5_protocol.order_entry.server import Limits, OrderEntryServer
from phase5_protocol.order_entry.soup_packets import Ending, Login, PacketType, packet
from phase5_protocol.order_entry.test_soupbintcp import LOGIN_BYTES, MALFORMED

ALICE = Login("alice", "wonderland")
BOB = Login("bob", "builder")


def venue(**options: Any) -> Ports:
    """Two users and one book."""
    accounts = [
        Account("alice", "wonderland", 1, **options),
        Account("bob", "builder", 2, "BOBSDAY", SelfTrade.CANCEL_NEWEST),
        Account("user", "password", 3),
    ]
    return Ports(OrderRouter({0: Engine()}), [Listing("MBK", 0)], accounts, session="DAY1")


def order(number: int, side: str = "B", quantity: int = 100, price: int = 10_000) -> EnterOrder:
    return EnterOrder(number, side, quantity, "MBK", price, "0", "Y", "A", "N", "N", "")


def served(
    scenario: Callable[[OrderEntryServer], Awaitable[None]],
    ports: Ports | None = None,
    limits: Limits | None = None,
) -> OrderEntryServer:
    """Run a scenario against a server, and give the server for a look at what it counted."""

    async def run() -> OrderEntryServer:
        async with OrderEntryServer(ports or venue(), limits=limits or Limits()) as server:
            await scenario(server)
        return server

    return asyncio.run(asyncio.wait_for(run(), 60))


async def log_in(server: OrderEntryServer, login: Login) -> OuchClient:
    return await OuchClient.connect(*server.address, login)


async def raw(server: OrderEntryServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*server.address)


def kinds(messages: list[Outbound]) -> list[str]:
    return [type(message).__name__ for message in messages]


def test_two_clients_trade_with_each_other() -> None:
    """Guards against anything between two sockets and the book that does not fit together."""

    async def scenario(server: OrderEntryServer) -> None:
        alice, bob = await log_in(server, ALICE), await log_in(server, BOB)
        alice.send(order(1, "S", 100))
        assert kinds([await alice.next()]) == ["Accepted"]
        bob.send(order(1, "B", 60))
        accepted, bought = await bob.take(2)
        sold = await alice.next()
        assert isinstance(accepted, Accepted)
        assert isinstance(bought, Executed)
        assert isinstance(sold, Executed)
        assert (bought.quantity, bought.price, bought.liquidity_flag) == (60, 10_000, "R")
        assert (sold.quantity, sold.price, sold.liquidity_flag) == (60, 10_000, "A")
        assert sold.match_number == bought.match_number
        alice.send(CancelOrder(1, 0))
        canceled = await alice.next()
        assert isinstance(canceled, Canceled)
        assert canceled.decrement == 40
        await alice.logout()
        await bob.logout()

    assert served(scenario).endings == {Ending.LOGOUT: 2}


def test_what_is_missed_is_told_at_the_next_login_and_the_orders_stay() -> None:
    """Guards against executions that nobody hears of because they came at the wrong moment."""

    async def scenario(server: OrderEntryServer) -> None:
        alice, bob = await log_in(server, ALICE), await log_in(server, BOB)
        alice.send(order(1, "S", 100))
        await alice.next()
        alice.abort()
        await alice.closed()
        bob.send(order(1, "B", 60))
        await bob.take(2)
        again = await log_in(server, alice.resume())
        assert kinds([await again.next()]) == ["Executed"]
        whole = await log_in(server, Login("alice", "wonderland", "DAY1", 1))
        assert kinds(await whole.take(3)) == ["SystemEvent", "Accepted", "Executed"]

    served(scenario)


def test_cancel_on_disconnect_is_an_option() -> None:
    """Guards against orders of a lost client that trade although it asked that they should not."""

    async def scenario(server: OrderEntryServer) -> None:
        alice = await log_in(server, ALICE)
        alice.send(order(1, "S", 100))
        await alice.next()
        alice.abort()
        await alice.closed()
        again = await log_in(server, alice.resume())
        canceled = await again.next()
        assert isinstance(canceled, Canceled)
        assert (canceled.decrement, canceled.reason) == (100, "Z")
        # The newer connection's orders are not those that the older one leaves behind.
        again.send(order(2, "S", 50))
        await again.next()
        newer = await log_in(server, again.resume())
        assert kinds([await newer.next()]) == ["Canceled"]
        newer.send(order(3, "S", 50))
        assert kinds([await newer.next()]) == ["Accepted"]
        await again.closed()
        newer.send(CancelOrder(3, 0))
        canceled = await newer.next()
        assert isinstance(canceled, Canceled)
        assert canceled.reason == "U"

    served(scenario, venue(cancel_on_disconnect=True))


@pytest.mark.parametrize("login", [Login("alice", "wrong"), Login("nobody", "x"), Login("", "")])
def test_a_wrong_login_is_refused(login: Login) -> None:
    """Guards against a venue for everybody."""

    async def scenario(server: OrderEntryServer) -> None:
        with pytest.raises(ConnectionError, match="not authorized"):
            await log_in(server, login)

    assert served(scenario).endings == {Ending.NOT_AUTHORIZED: 1}


def test_a_password_is_compared_in_constant_time_whoever_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards against a login that tells by its time which users there are, or how far one came."""
    compared: list[tuple[bytes, bytes]] = []
    true_compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return true_compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    ports = venue()
    for user, password in [("alice", "wonderland"), ("alice", "x"), ("nobody", "x"), ("", "")]:
        found = ports.find(Login(user, password))
        assert (found is not None) == (password == "wonderland")
    assert len(compared) == 4
    assert {len(each) for pair in compared for each in pair} == {10}


@pytest.mark.parametrize(
    "accounts",
    [
        [Account("alice", "one", 1), Account("alice", "two", 2)],
        [("toolong", "x", 1)],
        [("alice", "", 1)],
        [("", "x", 1)],
        [("alice", "x", 0)],
        [("alice", "x", 1, "NO SESSION")],
    ],
)
def test_accounts_that_could_never_log_in_are_refused(accounts: list[Any]) -> None:
    """Guards against a venue that starts, and then lets nobody in."""
    with pytest.raises(ConfigurationError):
        Ports(
            OrderRouter({0: Engine()}),
            [],
            [each if isinstance(each, Account) else Account(*each) for each in accounts],
        )


@pytest.mark.parametrize("named", [True, False])
def test_nobody_goes_on_in_another_run(named: bool) -> None:
    """Guards against a client that comes back after a restart and is given the new run's messages
    under the numbers of the old one, as if they were the ones that it missed."""

    def run(start: int) -> Ports:
        return Ports(
            OrderRouter({0: Engine()}),
            [Listing("MBK", 0)],
            [Account("alice", "wonderland", 1)],
            session=f"RUN{start >> 40}" if named else None,
            clock_ns=lambda: start,
        )

    async def first(server: OrderEntryServer) -> None:
        alice = await log_in(server, ALICE)
        alice.send(order(1))
        assert kinds([await alice.next()]) == ["Accepted"]
        left.append(alice.resume())
        again = await log_in(server, left[0])
        assert again.session.session == left[0].session

    async def second(server: OrderEntryServer) -> None:
        for resume in (left[0], replace(left[0], next_number=1)):
            with pytest.raises(ConnectionError, match="session unavailable"):
                await log_in(server, resume)
        assert (await log_in(server, ALICE)).session.session != left[0].session

    left: list[Login] = []
    served(first, run(1 << 40))
    served(second, run(1 << 41))


def test_the_newer_of_two_logins_counts() -> None:
    """Guards against two connections that both enter orders, and against being locked out."""

    async def scenario(server: OrderEntryServer) -> None:
        older = await log_in(server, ALICE)
        with pytest.raises(ConnectionError, match="not authorized"):
            await log_in(server, Login("alice", "guess"))
        with pytest.raises(ConnectionError, match="session unavailable"):
            await log_in(server, Login("alice", "wonderland", "DAY9"))
        older.send(order(1))
        assert kinds([await older.next()]) == ["Accepted"]
        newer = await log_in(server, ALICE)
        assert (await older.closed()).ending is Ending.CONNECTION_LOST
        newer.send(order(2))
        assert kinds([await newer.next()]) == ["Accepted"]

    endings = served(scenario).endings
    assert endings[Ending.REPLACED] == 1


@pytest.mark.parametrize("ending", [*MALFORMED, Ending.BAD_MESSAGE], ids=lambda each: each.name)
def test_a_client_that_sends_nonsense_is_alone_with_it(ending: Ending) -> None:
    """Guards against bytes of one client that stop the others."""

    async def scenario(server: OrderEntryServer) -> None:
        alice = await log_in(server, ALICE)
        reader, writer = await raw(server)
        nonsense = MALFORMED.get(ending, packet(PacketType.UNSEQUENCED, b"nonsense"))
        writer.write(LOGIN_BYTES + nonsense)
        said = await reader.read()
        assert ending.encode() in said, "the client is told why"
        writer.close()
        await writer.wait_closed()
        alice.send(order(1))
        assert kinds([await alice.next()]) == ["Accepted"]

    assert served(scenario).endings[ending] == 1


def test_strangers_are_not_answered() -> None:
    """Guards against a scan of the port that finds anything, or leaves anything behind."""

    async def scenario(server: OrderEntryServer) -> None:
        for data in (b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\x00\x2fL" + b"\xff" * 46):
            reader, writer = await raw(server)
            writer.write(data)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

    assert served(scenario).endings == {
        Ending.PACKET_TOO_LONG: 1,
        Ending.EMPTY_PACKET: 1,
        Ending.BAD_TEXT: 1,
    }


def test_the_server_listens_where_only_this_machine_can_reach_it() -> None:
    """Guards against a demonstration that serves the whole network."""

    async def scenario(server: OrderEntryServer) -> None:
        assert server.address[0] == "127.0.0.1"
        assert server.address[1] != 0

    server = served(scenario)
    with pytest.raises(RuntimeError, match="closed"):
        _ = server.address


def test_the_end_of_the_day_is_said_to_everybody() -> None:
    """Guards against a client that reconnects for ever to a day that is over."""

    async def scenario(server: OrderEntryServer) -> None:
        alice = await log_in(server, ALICE)
        _, stranger = await raw(server)
        await server.close(end_of_session=True)
        (last,) = await alice.take(1)
        assert isinstance(last, SystemEvent)
        assert last.event == "E"
        assert (await alice.closed()).ending is Ending.END_OF_SESSION
        stranger.close()
        await stranger.wait_closed()

    assert served(scenario).endings == {Ending.END_OF_SESSION: 1, Ending.SHUTDOWN: 1}


def test_clients_go_on_at_another_server_of_the_same_ports() -> None:
    """Guards against state that belongs to a session and is kept in the server."""
    ports = venue()
    left: list[OuchClient] = []

    async def before(server: OrderEntryServer) -> None:
        left.append(await log_in(server, ALICE))
        left[0].send(order(1, "S"))
        await left[0].next()

    async def after(server: OrderEntryServer) -> None:
        bob = await log_in(server, BOB)
        bob.send(order(1, "B"))
        await bob.take(2)
        alice = await log_in(server, left[0].resume())
        alice.send(order(1, "S"))
        alice.send(order(2, "S"))
        assert kinds(await alice.take(2)) == ["Executed", "Accepted"]

    assert served(before, ports).endings == {Ending.SHUTDOWN: 1}
    served(after, ports)
