"""The venue to try, as its users have it: a process, two protocols into it, multicast out of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from contract import Side
from phase5_protocol.itch.book import ItchBook
from phase5_protocol.multicast.event_book import EventBook
from phase5_protocol.multicast.mold import DeliveryKind
from phase5_protocol.multicast.native_receiver import ReceiverConfig
from phase5_protocol.multicast.native_udp import LOOPBACK, Endpoint, multicast_problem
from phase5_protocol.multicast.snapshot import fetch_snapshot
from phase5_protocol.multicast.subscriber import Subscriber
from phase5_protocol.order_entry.client import OuchClient
from phase5_protocol.order_entry.ouch50 import (
    Accepted,
    Canceled,
    EnterOrder,
    Executed,
    SystemEvent,
)
from phase5_protocol.order_entry.soup_packets import Login
from phase5_protocol.serve import PASSWORD, SYMBOL, Options, Venue, parse

PATIENCE_S = 30.0
#: S R H S S, then A, E, A, A, U, A and D: what ``_orders`` leads to.
MESSAGES = 12


class Program:
    """A program of ours, its lines in and out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def until(self, pattern: str) -> re.Match[str]:
        """Read lines up to one that has the pattern."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line)
                if match := re.search(pattern, line):
                    return match
        raise AssertionError(f"no {pattern!r} in {''.join(self.lines)}")


@contextlib.asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Program]:
    """Run a module, and end it at the end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", *arguments, stdin=pipe, stdout=pipe
    )
    try:
        yield Program(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def follow(line: Subscriber, book: ItchBook, count: int | None = None) -> int:
    """Take that many messages of a channel, or all up to its end; how many came."""
    end = time.monotonic() + PATIENCE_S
    taken = 0
    while taken != count:
        assert time.monotonic() < end, f"{taken} messages, then nothing"
        line.poll(0.05)
        while (delivery := line.take()).kind is DeliveryKind.MESSAGES:
            taken += delivery.count
            book.take_all(delivery.messages())
        assert delivery.kind is not DeliveryKind.LOST
        if delivery.kind is DeliveryKind.END:
            break
    return taken


def listen(line: Endpoint, *requests_to: Endpoint) -> Subscriber:
    """A subscriber to an ITCH channel, from its first message on."""
    config = ReceiverConfig(record_bytes=0, start=1)
    return Subscriber([line], requests_to=requests_to, config=config)


def shown(book: ItchBook) -> list[list[tuple[int, int]]]:
    """Price in cents and shares of each order, by side, in priority order."""
    return [[(each.price // 100, each.shares) for each in book.orders(1, side)] for side in Side]


def test_fix_and_ouch_trade_and_the_feed_shows_the_book(tmp_path: Path) -> None:
    """Parts that each work, and do not work together: a client that is not told, a feed that shows
    another book than the engine's, a retransmission or a snapshot from another stream, a venue that
    does not end."""
    group = f"239.255.{os.getpid() % 250 + 1}.251"
    problem = multicast_problem(group)
    if problem is not None:
        pytest.skip(f"no multicast on the loopback interface: {problem}")
    asyncio.run(asyncio.wait_for(_trade(tmp_path, group), 2 * PATIENCE_S))


async def _trade(path: Path, group: str) -> None:
    with contextlib.ExitStack() as opened:
        live = opened.enter_context(listen(Endpoint(group, 0)))
        events = opened.enter_context(Subscriber([Endpoint(group, 0)]))
        async with program(
            "phase5_protocol.serve",
            *("--fix-port", "0", "--ouch-port", "0", "--snapshot-port", "0"),
            *("--itch", str(live.lines[0]), "--events", str(events.lines[0])),
            *("--store", str(path)),
        ) as venue:
            fix = await venue.until(r"FIX .*:(\d+) ")
            ouch = await venue.until(r"OUCH .*:(\d+) ")
            itch = await venue.until(r"ITCH .*retransmission (\S+):(\d+)")
            image = await venue.until(r"snapshot .*:(\d+) ")
            await venue.until("prices in ticks")
            async with program("phase5_protocol.fix.by_hand", fix[1], "ALICE") as alice:
                await alice.until("logged on")
                carol = await OuchClient.connect(
                    LOOPBACK, int(ouch[1]), Login("carol", PASSWORD, next_number=1)
                )
                await carol.next()  # the day begins
                await _orders(alice, carol)
                books, late_books = ItchBook(), ItchBook()
                follow(live, books, MESSAGES)
                assert shown(books) == [[(10000, 6), (9999, 7)], [(10002, 5)]]
                server = Endpoint(itch[1], int(itch[2]))
                late = opened.enter_context(listen(live.lines[0], server))
                follow(late, late_books, MESSAGES)
                assert shown(late_books) == shown(books)
                snapshot = await asyncio.to_thread(
                    fetch_snapshot, (LOOPBACK, int(image[1])), "copy", PASSWORD
                )
                copy = EventBook.from_image(snapshot.image)
                assert [
                    [(each.price, each.quantity) for each in copy.orders(side)] for side in Side
                ] == shown(books)
                venue.process.send_signal(signal.SIGINT)
                await alice.until("o1 expired, open 0, done 4")
                await alice.until("o4 expired, open 0, done 0")
                await alice.until("logged out")
            await venue.until("^closed")
            assert await venue.process.wait() == 0
            follow(live, books)
            assert shown(books) == [[], []]
            assert not books.troubles
            await carol.closed()


async def _orders(alice: Program, carol: OuchClient) -> None:
    """Ten against four, a replace, a cancel, and orders that stay."""
    alice.say("buy 10 100.00")
    await alice.until("o1 new, open 10")
    carol.send(_enter(1, "S", 4, 99_9000))
    accepted, executed = await carol.take(2)
    assert isinstance(accepted, Accepted)
    assert isinstance(executed, Executed)
    assert (executed.quantity, executed.price) == (4, 100_0000)
    await alice.until("o1 trade 4 @ 100.00, open 6, done 4 @ 100.00")
    alice.say("sell 5 100.02")
    await alice.until("o2 new")
    alice.say("buy 9 99.98")
    await alice.until("o3 new")
    alice.say("replace o3 7 99.99")
    await alice.until("o4 replaced, open 7")
    alice.say("buy 1 99.999")
    await alice.until("o5 rejected.*not a multiple of 0.01")
    alice.say("buy 1 ioc")
    await alice.until("o6 canceled, open 0, done 0 @ 0 .*of the same account")
    alice.say("cancel o4 now")
    await alice.until("^buy.sell QUANTITY")
    alice.say("buy 1 90.00")
    await alice.until("o7 new")
    alice.say("cancel o7")
    await alice.until("o8 canceled, open 0, done 0")
    alice.say("cancel o7")
    await alice.until("o9 change refused: the order is cancelled")


def _enter(number: int, side: str, quantity: int, price: int) -> EnterOrder:
    return EnterOrder(number, side, quantity, "MBK", price, "0", "Y", "A", "N", "N", f"c{number}")


def test_a_port_that_is_taken_is_an_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A traceback, or a venue that runs without its port."""
    asyncio.run(_taken())
    said = capfd.readouterr().err
    assert said.count("cannot serve: ") == 3
    assert not re.search("Traceback|Exception|Warning", said), said


async def _taken() -> None:
    server = await asyncio.start_server(lambda *_: None, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    for option in ("--fix-port", "--ouch-port", "--snapshot-port"):
        ports = {"--fix-port": 0, "--ouch-port": 0, "--snapshot-port": 0, option: port}
        words = [str(word) for pair in ports.items() for word in pair]
        async with program("phase5_protocol.serve", *words) as venue:
            assert await venue.process.wait() == 1
    server.close()
    await server.wait_closed()


def in_process(scenario: Callable[[Venue], Awaitable[None]]) -> Venue:
    """A venue in this process, with a scenario in it, and then closed."""
    group = f"239.255.{os.getpid() % 250 + 1}.252"
    lines = Endpoint(group, 5204), Endpoint(group, 5205)
    venue = Venue(Options(0, 0, 0, *lines, is_quiet=True))

    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await venue.start()
            await scenario(venue)

    asyncio.run(run())
    return venue


async def carol(venue: Venue) -> OuchClient:
    """Who has an order in the book."""
    client = await OuchClient.connect(*venue.ouch.address, Login("carol", PASSWORD, next_number=1))
    client.send(EnterOrder(1, "B", 10, SYMBOL, 1_000_000, "0", "Y", "A", "N", "N", "c1"))
    assert [type(each) for each in await client.take(2)] == [SystemEvent, Accepted]
    return client


def test_at_the_end_of_the_day_it_is_the_venue_that_cancels() -> None:
    """A client that is told that it has cancelled its order itself."""

    async def scenario(venue: Venue) -> None:
        client = await carol(venue)
        await venue.close()
        canceled, end = await client.take(2)
        assert isinstance(canceled, Canceled)
        assert isinstance(end, SystemEvent)
        assert (canceled.decrement, canceled.reason, end.event) == (10, "Z", "E")

    assert in_process(scenario).failure is None


def test_an_image_that_cannot_be_made_stops_the_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that dies unseen: no snapshots any more, and nobody knows."""

    def fail(engine: object) -> bool:
        raise MemoryError("no memory for an image")

    async def scenario(venue: Venue) -> None:
        monkeypatch.setattr(venue._desk, "serve", fail)
        await venue.over.wait()
        await venue.close()

    assert isinstance(in_process(scenario).failure, MemoryError)


def test_a_channel_without_heartbeats_stops_the_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that dies unseen: trading goes on, and what is lost on the way is lost for good."""

    def fail() -> int:
        raise OSError("the network is gone")

    async def scenario(venue: Venue) -> None:
        monkeypatch.setattr(venue.itch.requests, "serve", fail)
        await asyncio.to_thread(venue.itch._thread.join)
        client = await OuchClient.connect(*venue.ouch.address, Login("carol", PASSWORD))
        client.send(EnterOrder(1, "B", 10, SYMBOL, 1_000_000, "0", "Y", "A", "N", "N", "c1"))
        await venue.over.wait()
        with pytest.raises(OSError, match="the network is gone"):
            await venue.close()

    assert "the network is gone" in str(in_process(scenario).failure)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--fix-port", "65536"], "1 to 65535"),
        (["--ouch-port", "-1"], "1 to 65535"),
        (["--snapshot-port", "x"], "1 to 65535"),
        (["--itch", "239.255.0.1:65536"], "such as 239.255.5.1:5204"),
        (["--itch", "239.255.0.1"], "such as 239.255.5.1:5204"),
        (["--events", "nowhere:5204"], "such as 239.255.5.1:5204"),
        (["--itch", "10.0.0.1:5"], "neither a multicast group"),
    ],
)
def test_an_address_that_is_none(
    arguments: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A traceback instead of an answer, from somewhere deep in a socket; and a feed that is sent
    to somebody else's machine."""
    with pytest.raises(SystemExit):
        parse(arguments)
    assert answer in capsys.readouterr().err


def test_what_it_says_to_try_works(tmp_path: Path) -> None:
    """Commands on the screen that nobody ever typed; a second run that seems to be the first."""
    group = f"239.255.{os.getpid() % 250 + 1}.253"
    problem = multicast_problem(group)
    if problem is not None:
        pytest.skip(f"no multicast on the loopback interface: {problem}")
    asyncio.run(asyncio.wait_for(_try(tmp_path, group), 2 * PATIENCE_S))


async def _try(path: Path, group: str) -> None:
    with listen(Endpoint(group, 0)) as one, listen(Endpoint(group, 0)) as other:
        lines = str(one.lines[0]), str(other.lines[0])
    words = ["phase5_protocol.serve", "--store", str(path), "--itch", lines[0], "--events"]
    words += [lines[1], "--fix-port", "0", "--ouch-port", "0", "--snapshot-port", "0"]
    async with program(*words) as venue:
        first = await venue.until("OUCH .*session (O[0-9A-F]{9})$")
        await venue.until("prices in ticks")
        assert "not new" not in "".join(venue.lines)
        said = [line.split()[2:] for line in venue.lines if line.startswith("  python -m ")]
        (fix, _, ouch, watch) = said
        async with program(*fix) as alice, program(*ouch) as carol, program(*watch) as screen:
            await screen.until("SystemEvent")
            await alice.until("logged on")
            await carol.until("ready")
            await _buy_and_cancel(alice, carol)
            await screen.until("AddOrder .*shares 10, stock MBK, price 100.0000")
            await screen.until("OrderExecuted .*shares 4")
            await screen.until("OrderDelete")
            screen.process.send_signal(signal.SIGINT)
            await screen.until("MBK: 4 shares traded")
            await screen.until("the book is empty")
            carol.process.send_signal(signal.SIGINT)
            await carol.until("logged out")
            assert [await each.process.wait() for each in (screen, carol)] == [0, 0]
        async with program(*ouch) as carol:
            await carol.until("1 Executed: 4 @ 100.00")
            await carol.until("ready")
            carol.say("buy 1 99.00")
            await carol.until("3 Accepted: buy 1 @ 99.00")
            venue.process.kill()
            await carol.until("logged out: connection lost")
            assert await carol.process.wait() == 1
    async with program(*words) as venue:
        second = await venue.until("OUCH .*session (O[0-9A-F]{9})$")
        assert second[1] != first[1]
        await venue.until("The store is not new")


async def _buy_and_cancel(alice: Program, carol: Program) -> None:
    """Ten against four, and the rest taken back; what cannot be understood, and is not wanted."""
    carol.say("buy 10 100.00")
    await carol.until("^1 Accepted: buy 10 @ 100.00$")
    alice.say("sell 4 100.00")
    await carol.until("^1 Executed: 4 @ 100.00$")
    carol.say("buy ten 100.00")
    await carol.until("'ten' is not a whole number")
    carol.say("buy 1 100.001")
    await carol.until("^2 Rejected: invalid price$")
    carol.say("cancel 1")
    await carol.until("^1 Canceled: 6, by request$")


def test_who_is_not_let_in_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """A traceback, or a client that waits for ever."""

    async def scenario(venue: Venue) -> None:
        port = str(venue.ouch.address[1])
        by_hand = "phase5_protocol.order_entry.by_hand"
        for words in ([port, "nobody"], [port, "carol", "--password", "guess"]):
            async with program(by_hand, *words) as client:
                assert await client.process.wait() == 1
        await venue.close()
        async with program(by_hand, port, "carol") as client:
            assert await client.process.wait() == 1

    in_process(scenario)
    said = capfd.readouterr().err
    assert said.count("not logged in: ") == said.count("not authorized") == 2, said
    assert said.count("no connection: ") == 1, said
    assert "Traceback" not in said
