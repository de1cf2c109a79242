"""A connection under a session: what it may take of the others' time, and how it ends."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from phase5_protocol.fix import initiator
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.connection import READ_BYTES, Connection
from phase5_protocol.fix.initiator import Initiator
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.pair import Recorder
from phase5_protocol.fix.test_acceptor import Venue, logged_on, note


def test_a_flood_is_read_in_turns_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio reads a quarter of a megabyte at once: more than a thousand orders of one client,
    before the first of another."""
    sizes: list[int] = []

    async def scenario() -> None:
        async with Venue() as venue:
            client = await venue.client("A")
            await logged_on(client)
            session = venue.session("A")
            receive = session.receive

            def measured(data: bytes, first: Message | None = None) -> None:
                sizes.append(len(data))
                receive(data, first)

            monkeypatch.setattr(session, "receive", measured)
            for number in range(300):
                client.session.send(note(f"{number}{'x' * 1000}"))
            await venue.application.until(lambda: len(venue.application.messages) == 300)

    asyncio.run(scenario())
    assert sum(sizes) > 300_000
    assert max(sizes) <= READ_BYTES


class Stuck:
    """A connection that is closed, and whose last bytes nobody reads."""

    is_closing = True
    is_lost = False
    aborted = 0

    def guard(self, action: object) -> None:
        """Nothing."""

    def abort(self) -> None:
        """Be lost, in the end."""
        self.aborted += 1
        self.is_lost = True


def test_an_initiator_does_not_wait_for_ever_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue that has stopped reading keeps a client from connecting to it again."""
    monkeypatch.setattr(initiator, "_PATIENCE_S", 0.02)
    config = SessionConfig("FIX.4.4", "A", "VENUE", is_initiator=True)
    stuck = Stuck()

    async def scenario() -> None:
        client = Initiator(config, Recorder(), "127.0.0.1", 1, tick_s=0.005)
        await client._tick_until_lost(cast(Connection, stuck))

    asyncio.run(asyncio.wait_for(scenario(), 60))
    assert stuck.aborted == 1


def test_silent_strangers_lock_nobody_out() -> None:
    """As many idle connections as there may be, and no client gets in any more; or one that is
    logged on is closed to make room for a stranger."""

    async def scenario() -> None:
        async with Venue() as venue:
            venue.acceptor._max_strangers = 3
            first = await venue.client("A")
            await logged_on(first)
            silent = [
                await asyncio.open_connection("127.0.0.1", venue.acceptor.port) for _ in range(5)
            ]
            assert [await reader.read() for reader, _ in silent[:2]] == [b"", b""]
            await logged_on(await venue.client("B"))
            assert await silent[2][0].read() == b""
            assert venue.acceptor.counters["refused: too many strangers"] == 3
            assert first.session.is_up
            assert sum(each.session is None for each in venue.acceptor.connections) == 2
            for _, writer in silent:
                writer.close()

    asyncio.run(scenario())
