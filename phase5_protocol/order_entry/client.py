"""An OUCH client for tests and demonstrations: asyncio, one connection.

Who wants to go on where a connection broke makes another client with the session and the next
number of the first::

    second = await OuchClient.connect(*address, first.resume())
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from typing import Final, NamedTuple, Self

from phase5_protocol.order_entry.ouch50 import CODEC, Inbound, Outbound
from phase5_protocol.order_entry.soupbintcp import (
    DEFAULT_TIMING,
    ClientSession,
    Ended,
    Ending,
    Login,
    State,
    Timing,
)

_TICK_S: Final = 0.25


class Numbered(NamedTuple):
    """A message of the venue and its number in the session."""

    number: int
    data: bytes

    @property
    def message(self) -> Outbound:
        """The bytes decoded.

        Raises:
            MessageError: they are no OUCH 5.0 message.
        """
        return CODEC.decode_outbound(self.data)


class OuchClient(asyncio.Protocol):
    """One connection to a venue; made by ``connect``.

    Attributes:
        session: the protocol's state; ``session.ended`` says why it is over.
        received: what came and was not taken by ``next`` yet.
    """

    def __init__(self, login: Login, timing: Timing = DEFAULT_TIMING) -> None:
        self.received: deque[Numbered] = deque()
        self.session: ClientSession
        self._login = login
        self._timing = timing
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._closed = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._ticker: asyncio.TimerHandle | None = None

    @classmethod
    async def connect(
        cls, host: str, port: int, login: Login, *, timing: Timing = DEFAULT_TIMING
    ) -> Self:
        """Connect and log in.

        Raises:
            OSError: there is no connection.
            ConnectionError: the login was refused; the message says why.
        """
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(login, timing), host, port)
        while client.session.state is State.LOGGING_IN and not client._closed.is_set():
            await client._wait()
        if not client.session.accepted:
            ended = await client.closed()
            raise ConnectionError(str(ended))
        return client

    def resume(self) -> Login:
        """The login that goes on where this connection ended."""
        return dataclasses.replace(
            self._login, session=self.session.session, next_number=self.session.next_number
        )

    def send(self, message: Inbound) -> None:
        """Send a message.

        Raises:
            MessageError: a value does not fit.
            ValueError: the connection is over.
        """
        self.session.send(CODEC.encode(message), self._loop.time())

    async def next(self) -> Outbound:
        """The next message, waited for.

        Raises:
            ConnectionError: the connection is over, and there is none left.
        """
        return (await self.next_numbered()).message

    async def next_numbered(self) -> Numbered:
        """The next message with its number and bytes; otherwise as ``next``."""
        while not self.received:
            if self._closed.is_set():
                raise ConnectionError(str(self.session.ended))
            await self._wait()
        return self.received.popleft()

    async def take(self, count: int) -> list[Outbound]:
        """The next messages."""
        return [await self.next() for _ in range(count)]

    async def logout(self) -> None:
        """Say good-bye and wait until the server has closed."""
        self.session.logout(self._loop.time())
        await self.closed()

    async def closed(self) -> Ended:
        """Wait until the connection is over; says why."""
        await self._closed.wait()
        assert self.session.ended is not None
        return self.session.ended

    def abort(self) -> None:
        """Cut the line, as a failing network would."""
        assert self._transport is not None
        self._transport.abort()

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Log in. For asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.session = ClientSession(
            self._login,
            self._on_message,
            transport.write,
            now=self._loop.time(),
            timing=self._timing,
        )
        self._tick()

    def data_received(self, data: bytes) -> None:
        """Take what came. For asyncio."""
        self.session.receive(data, self._loop.time())
        self._after()

    def connection_lost(self, exc: Exception | None) -> None:
        """Be over. For asyncio."""
        self.session.end(Ending.CONNECTION_LOST, str(exc or ""))
        if self._ticker is not None:
            self._ticker.cancel()
        self._closed.set()
        self._news.set()

    def _on_message(self, number: int, data: bytes) -> None:
        self.received.append(Numbered(number, data))

    def _after(self) -> None:
        self._news.set()
        ended = self.session.ended
        if ended is not None and ended.ending is not Ending.LOGOUT and self._transport is not None:
            self._transport.close()

    def _tick(self) -> None:
        self.session.tick(self._loop.time())
        self._after()
        self._ticker = self._loop.call_later(_TICK_S, self._tick)
