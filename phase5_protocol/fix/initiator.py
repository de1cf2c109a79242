"""The side that connects: one session, which is connected again when its connection is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from contract.errors import ConfigurationError
from phase5_protocol.fix.application import Application, SessionConfig
from phase5_protocol.fix.clock import Clock, SystemClock
from phase5_protocol.fix.connection import Connection
from phase5_protocol.fix.dictionary import Dictionary
from phase5_protocol.fix.session import Session
from phase5_protocol.fix.store import MemoryStore, SessionStore

#: How long a connection may take to go once it is closed, in seconds.
_PATIENCE_S: Final = 10.0

_log = logging.getLogger(__name__)


class Initiator:
    """Keeps a session connected until it is told to stop.

    Attributes:
        session: what it is about.
    """

    def __init__(
        self,
        config: SessionConfig,
        application: Application,
        host: str,
        port: int,
        *,
        dictionary: Dictionary | None = None,
        store: SessionStore | None = None,
        clock: Clock | None = None,
        tick_s: float = 0.1,
        reconnect_s: float = 1.0,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        """Make an initiator; nothing is connected yet.

        Args:
            config: the session, from our side.
            application: what it talks to.
            host: where the acceptor is.
            port: its port.
            dictionary: what messages must keep to; our own if it is not given.
            store: the session's memory, closed by :meth:`stop`; without it, it ends with the
                process.
            clock: what tells the time.
            tick_s: how often time passes for the session.
            reconnect_s: how long to wait before connecting again.
            on_problem: is told, in words, of each try that did not lead to a logon; the next
                follows all the same, until :meth:`stop`.

        Raises:
            ConfigurationError: the session is an acceptor's.
        """
        if not config.is_initiator:
            raise ConfigurationError(f"{config.name} is an acceptor's")
        self.session = Session(
            config,
            application,
            dictionary or Dictionary.default(config.begin_string),
            store or MemoryStore(),
            clock or SystemClock(),
        )
        self._host = host
        self._port = port
        self._tick_s = tick_s
        self._reconnect_s = reconnect_s
        self._on_problem = on_problem or (lambda _: None)
        self._connection: Connection | None = None
        self._lost = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._running = asyncio.create_task(self._run())

    async def stop(self, text: str = "") -> None:
        """Log out, wait for the end of the connection, and close the store."""
        running, self._running = self._running, None
        if self._connection is not None and not self._connection.is_lost:
            session = self.session
            self._connection.guard(lambda: session.logout(text))
            with contextlib.suppress(TimeoutError):
                patience_s = self.session.config.logout_timeout_s + 1.0
                await asyncio.wait_for(self._lost.wait(), patience_s)
            self._connection.abort()
        if running is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        self.session.store.close()

    def cut(self) -> None:
        """Lose the connection, as a network would: to see what a session makes of it."""
        if self._connection is not None:
            self._connection.abort()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._running is not None:
            self._lost.clear()
            failures = self.session.counters["ended before the logon"]
            try:
                _, connection = await loop.create_connection(self._new, self._host, self._port)
            except OSError as error:
                _log.info("not connected to %s:%d: %s", self._host, self._port, error)
                self._on_problem(str(error))
            else:
                self._connection = connection
                await self._tick_until_lost(connection)
                if self.session.counters["ended before the logon"] > failures:
                    self._on_problem(self.session.last_end)
            if self._running is not None:
                await asyncio.sleep(self._reconnect_s)

    def _new(self) -> Connection:
        return Connection(lambda *_: None, lambda _: self._lost.set(), session=self.session)

    async def _tick_until_lost(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        closing_since: float | None = None
        while not connection.is_lost:
            connection.guard(self.session.tick)
            if connection.is_closing:
                # What was written may never be read: then nothing else would end it.
                closing_since = loop.time() if closing_since is None else closing_since
                if loop.time() - closing_since >= _PATIENCE_S:
                    connection.abort()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), self._tick_s)
