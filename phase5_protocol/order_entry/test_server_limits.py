"""What the server puts up with: how many, how slow, how silent."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import suppress

import pytest

from phase1_domain import Engine
from phase5_protocol.listing import Listing
from phase5_protocol.order_entry.client import OuchClient
from phase5_protocol.order_entry.ports import Account, Ports
from phase5_protocol.order_entry.router import OrderRouter
from phase5_protocol.order_entry.server import Limits, OrderEntryServer, _Connection
from phase5_protocol.order_entry.soup_packets import Ending, Login
from phase5_protocol.order_entry.soupbintcp import Timing
from phase5_protocol.order_entry.test_server import (
    ALICE,
    BOB,
    kinds,
    log_in,
    order,
    raw,
    served,
    venue,
)
from phase5_protocol.order_entry.test_soupbintcp import LOGIN_BYTES


async def slow_seller(server: OrderEntryServer) -> tuple[OuchClient, asyncio.Transport]:
    """Alice, who offers all that there can be and then does not read; and what she could read."""
    slow = await log_in(server, ALICE)
    slow.send(order(1, "S", 999_999))
    await slow.next()
    assert slow._transport is not None
    slow._transport.pause_reading()
    return slow, slow._transport


def test_connections_are_limited_and_a_place_is_given_back() -> None:
    """Guards against a server that runs out of descriptors, or stays full for ever."""

    async def scenario(server: OrderEntryServer) -> None:
        first, second = await log_in(server, ALICE), await log_in(server, BOB)
        with pytest.raises(ConnectionError):
            await log_in(server, Login("user", "password"))
        assert server.connections == 2
        await first.logout()
        third = None
        while third is None:
            with suppress(ConnectionError):
                third = await log_in(server, Login("user", "password"))
        second.send(order(1))
        await second.next()

    assert served(scenario, limits=Limits(connections=2)).refused >= 1


def test_who_does_not_log_in_or_says_nothing_is_dropped() -> None:
    """Guards against connections that cost something and never end."""

    async def scenario(server: OrderEntryServer) -> None:
        alice = await OuchClient.connect(*server.address, ALICE, timing=Timing(heartbeat_s=0.1))
        silent, stranger = await raw(server), await raw(server)
        silent[1].write(LOGIN_BYTES)
        for reader, writer in (silent, stranger):
            await reader.read()
            writer.close()
            await writer.wait_closed()
        alice.send(order(1))
        assert kinds([await alice.next()]) == ["Accepted"]

    timing = Timing(heartbeat_s=0.1, silence_s=0.8, login_s=0.3)
    endings = served(scenario, limits=Limits(timing=timing)).endings
    assert (endings[Ending.SILENCE], endings[Ending.LOGIN_TIMEOUT]) == (1, 1)


def test_a_slow_reader_is_dropped_and_the_other_goes_on() -> None:
    """Guards against one client's full socket that fills memory, or stops the book."""
    backlog = 2**15

    async def scenario(server: OrderEntryServer) -> None:
        (slow, reading), quick = await slow_seller(server), await log_in(server, BOB)
        number = 0
        while not server.endings[Ending.BACKLOG] and number < 30_000:
            for _ in range(50):
                number += 1
                quick.send(order(number, "B", 1))
            heard = await quick.take(100)
            assert kinds(heard) == ["Accepted", "Executed"] * 50
            for connection in server._connections:
                assert connection._transport is not None
                assert connection._transport.get_write_buffer_size() < 2**16
        assert server.endings == {Ending.BACKLOG: 1}
        reading.resume_reading()
        await slow.closed()
        again = await log_in(server, Login("alice", "wonderland", "DAY1", 1))
        whole = await again.take(2 + number)
        assert kinds(whole) == ["SystemEvent", "Accepted"] + ["Executed"] * number

    served(scenario, limits=Limits(backlog_bytes=backlog, socket_bytes=2**12))


def test_a_long_replay_does_not_wait_for_the_clock() -> None:
    """Guards against a replay that goes on only when a timer happens to look."""

    async def scenario(server: OrderEntryServer) -> None:
        store = server.ports["alice"].store
        for _ in range(3_000):
            store.append(store[1])
        assert server._ticker is not None
        server._ticker.cancel()
        login, never = Login("alice", "wonderland", "DAY1", 1), Timing(10**6, 10**6, 10**6)
        alice = await OuchClient.connect(*server.address, login, timing=never)
        assert kinds(await alice.take(3_001)) == ["SystemEvent"] * 3_001

    served(scenario, limits=Limits(backlog_bytes=1))


def test_the_backlog_that_is_allowed_is_a_mebibyte() -> None:
    """Guards against a default that somebody loosened for a test."""
    assert Limits().backlog_bytes == 2**20
    assert Timing() == Timing(heartbeat_s=1.0, silence_s=15.0, login_s=30.0)


def test_closing_does_not_wait_for_a_client_that_does_not_read() -> None:
    """Guards against a venue that one stuck client keeps from stopping."""

    async def scenario(server: OrderEntryServer) -> None:
        (slow, reading), quick = await slow_seller(server), await log_in(server, BOB)
        sock = reading.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**10)
        for number in range(1, 4_001):
            quick.send(order(number, "B", 1))
        await quick.take(8_000)
        await server.close(end_of_session=True)
        assert server.connections == 0
        slow.abort()

    limits = Limits(linger_s=0.05, socket_bytes=2**12)
    endings: Counter[Ending] = served(scenario, limits=limits).endings
    assert endings.total() == 2


def test_a_router_that_has_stopped_does_not_keep_the_server_from_closing() -> None:
    """Guards against an account whose orders can no longer be cancelled when it disconnects: its
    connection was never counted out, and closing waited for it for ever."""
    told: list[object] = []

    def tell(events: object) -> None:
        told.append(events)
        if len(told) > 1:
            raise RuntimeError("the feed is gone")

    router = OrderRouter({0: Engine()}, on_events=tell)
    account = Account("alice", "wonderland", 1, cancel_on_disconnect=True)
    ports = Ports(router, [Listing("MBK", 0)], [account])

    async def scenario(server: OrderEntryServer) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        alice = await log_in(server, ALICE)
        alice.send(order(1))
        assert kinds([await alice.next()]) == ["Accepted"]
        alice.send(order(2))
        await alice.closed()

    server = served(scenario, ports)
    assert (server.connections, server.endings.total()) == (0, 1)
    assert str(router.failure) == "the feed is gone"


def test_an_order_that_cannot_be_cancelled_ends_the_connection_all_the_same() -> None:
    """Guards against the same, where the cancel is the first that fails."""
    ports = venue(cancel_on_disconnect=True)

    def fail(events: object) -> None:
        raise RuntimeError("the feed is gone")

    async def scenario(server: OrderEntryServer) -> None:
        alice = await log_in(server, ALICE)
        alice.send(order(1))
        await alice.next()
        ports.router._on_events = fail
        alice.abort()
        await server._all_gone.wait()

    assert served(scenario, ports).endings.total() == 1
    assert str(ports.router.failure) == "the feed is gone"


class Line(asyncio.Transport):
    """A connection whose other end has hung up, on a system that minds."""

    is_aborted = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self

    def setsockopt(self, *_: object) -> None:
        raise OSError("the other end has closed")

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def abort(self) -> None:
        self.is_aborted = True


def test_who_comes_as_the_server_closes_is_not_let_in() -> None:
    """Guards against a connection that the system had taken already, a turn of the loop before:
    nobody would ever close it, and it could log in and trade after the end of the day."""

    async def scenario(server: OrderEntryServer) -> None:
        late, line = _Connection(server), Line()
        await server.close()
        late.connection_made(line)
        assert (line.is_aborted, server.connections, server.refused) == (True, 0, 1)

    served(scenario)


def test_a_client_that_hangs_up_at_once() -> None:
    """Guards against a system that will not set an option of a socket that is closed already."""

    async def scenario(server: OrderEntryServer) -> None:
        connection = _Connection(server)
        connection.connection_made(Line())
        assert server.connections == 1
        connection.connection_lost(None)
        assert server.connections == 0

    served(scenario)
