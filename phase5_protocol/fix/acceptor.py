"""A TCP server for many FIX sessions.

A connection belongs to nobody until its first message, which must be the Logon of a session that is
configured and has no other connection; otherwise it is closed, without a word: to a stranger there
is nothing to say. From then on the connection is that session's alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from contract.errors import ConfigurationError
from phase5_protocol.fix.application import Application, SessionConfig
from phase5_protocol.fix.clock import SECOND_NS, Clock, SystemClock
from phase5_protocol.fix.connection import Connection
from phase5_protocol.fix.dictionary import Dictionary, dictionary_for
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.session import Session
from phase5_protocol.fix.store import FileStore, MemoryStore, SessionStore

#: How long a connection may take to say who it is, or to go once it is closed, in seconds.
_PATIENCE_S: Final = 10.0

_log = logging.getLogger(__name__)


class Acceptor:
    """Listens, and joins connections to sessions.

    Attributes:
        sessions: every session, by the ``name`` of its configuration.
        counters: connections ``accepted``, and ``refused`` for each reason.
    """

    def __init__(
        self,
        configs: Iterable[SessionConfig],
        application: Application,
        dictionaries: Mapping[str, Dictionary] | None = None,
        store_dir: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        clock: Clock | None = None,
        fsync: bool = False,
        tick_s: float = 0.1,
        max_strangers: int = 256,
    ) -> None:
        """Open the stores; nothing listens yet.

        Args:
            configs: the sessions, from our side.
            application: what all of them talk to.
            dictionaries: a dictionary for a BeginString, where it is not to be our own.
            store_dir: where the sessions' stores are; without it they end with the process.
            host: the address to listen on; the default is reached from this machine alone.
            port: the port; 0 for any that is free, see :attr:`port`.
            clock: what tells the time.
            fsync: whether what is sent is on disk before it leaves; see the store.
            tick_s: how often time passes for the sessions; 0 if the caller calls :meth:`tick`.
            max_strangers: connections that are no session's, not yet or no longer; when there are
                more, the oldest of them is closed. Those of sessions do not count: there is one
                for each.

        Raises:
            ConfigurationError: two sessions of one name, or one that is an initiator's.
            StoreError: a store cannot be opened.
        """
        self.sessions: dict[str, Session] = {}
        self.counters: Counter[str] = Counter()
        self._host = host
        self._port = port
        self._clock = clock or SystemClock()
        self._tick_s = tick_s
        self._max_strangers = max_strangers
        #: In the order in which they came.
        self._connections: dict[Connection, None] = {}
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None
        try:
            for config in configs:
                if config.is_initiator or config.name in self.sessions:
                    raise ConfigurationError(f"{config.name} is an initiator's, or there twice")
                store: SessionStore = MemoryStore()
                if store_dir is not None:
                    store = FileStore.for_session(store_dir, config.name, fsync=fsync)
                dictionary = dictionary_for(dictionaries, config.begin_string)
                session = Session(config, application, dictionary, store, self._clock)
                self.sessions[config.name] = session
        except BaseException:
            self._close_stores()
            raise

    @property
    def port(self) -> int:
        """The port that is listened on; the one asked for before :meth:`start`."""
        if self._server is None or not self._server.sockets:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> frozenset[Connection]:
        """Those that are open."""
        return frozenset(self._connections)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be had.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._find, self._gone, on_made=self._made),
            self._host,
            self._port,
        )
        if self._tick_s:
            self._ticking = asyncio.create_task(self._tick_for_ever())

    async def stop(self, text: str = "", patience_s: float = 5.0) -> None:
        """Log every session out, wait for it, and close everything.

        Args:
            text: why, as the sessions are told.
            patience_s: how long to wait for their Logouts; then connections are cut.
        """
        if self._server is not None:
            self._server.close()
        for connection in self.connections:
            if connection.session is not None:
                session = connection.session
                connection.guard(lambda session=session: session.logout(text))  # type: ignore[misc]
            else:
                connection.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wait_until_empty(), patience_s)
        for connection in self.connections:
            connection.abort()
        await self._wait_until_empty()
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        if self._server is not None:
            await self._server.wait_closed()
        self._close_stores()

    def tick(self) -> None:
        """Let time pass for every session and connection."""
        now = self._clock.monotonic_ns()
        for connection in self.connections:
            if connection.is_closing:
                connection.closed_ns = connection.closed_ns or now
                if now - connection.closed_ns >= _PATIENCE_S * SECOND_NS:
                    connection.abort()
            elif connection.session is not None:
                connection.guard(connection.session.tick)
            elif now - connection.opened_ns >= _PATIENCE_S * SECOND_NS:
                self.counters["refused: no Logon in time"] += 1
                connection.close()

    def _made(self, connection: Connection) -> None:
        connection.opened_ns = self._clock.monotonic_ns()
        self._connections[connection] = None
        self.counters["accepted"] += 1
        # The silent must not lock out who would say his name: the oldest has had the most time.
        strangers = [each for each in self._connections if each.session is None or each.is_closing]
        if len(strangers) > self._max_strangers:
            self.counters["refused: too many strangers"] += 1
            strangers[0].abort()
            self._gone(strangers[0])

    def _gone(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    def _find(self, connection: Connection, message: Message) -> Session | None:
        """The session of a first message, if it may have this connection."""
        name = f"{message.begin_string}:{message.get(56)}->{message.get(49)}"
        session = self.sessions.get(name)
        why = ""
        if message.msg_type != "A":
            why = "the first message is no Logon"
        elif session is None:
            why = "no such session"
        elif session.is_connected:
            why = "the session has a connection"
        if why:
            self.counters[f"refused: {why}"] += 1
            _log.info("connection refused: %s: %r", why, name)
            return None
        return session

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._tick_s)
            self.tick()

    async def _wait_until_empty(self) -> None:
        while self._connections:
            await asyncio.sleep(0.005)

    def _close_stores(self) -> None:
        for session in self.sessions.values():
            session.store.close()
