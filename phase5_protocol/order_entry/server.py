"""Order entry over TCP: an asyncio server that puts SoupBinTCP connections in front of ports.

::

    socket ─▶ _Connection ─▶ ServerSession ─▶ Gateway ─▶ router ─▶ book
    socket ◀─ pump ◀──────── ServerSession ◀─ MessageStore ◀─┘

Everything happens on one event loop, which is the thread of the book. Nothing waits for a client:
what it is told goes into its store, and from there to its socket as fast as that takes it. A client
that lets more than ``backlog_bytes`` pile up since its login is dropped; a long replay after a
reconnect is no backlog, since nothing of it is held twice. The others do not notice.

Each turn of the loop reads at most ``READ_BYTES`` from a connection, so that a flood from one is
served in turns with the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from dataclasses import dataclass
from typing import Final, Self

from phase5_protocol.order_entry.message_store import MessageStore
from phase5_protocol.order_entry.ports import Port, Ports
from phase5_protocol.order_entry.soup_packets import DEFAULT_MAX_PACKET
from phase5_protocol.order_entry.soupbintcp import (
    DEFAULT_TIMING,
    Ended,
    Ending,
    Login,
    Refusal,
    ServerSession,
    SessionFault,
    Timing,
)

READ_BYTES: Final = 4096
#: Written at once, and the most that waits in a socket's send buffer of ours.
WRITE_BYTES: Final = 2**15
_TICK_S: Final = 0.25

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server puts up with.

    Attributes:
        connections: at once; more are closed as they come.
        backlog_bytes: how much a client may leave unread before it is dropped.
        packet_bytes: the longest packet from a client.
        socket_bytes: of the system's send buffer, so that what it holds is bounded, too.
        linger_s: how long a connection that is over may take to read the rest.
        timing: heartbeats and patience of the protocol.
    """

    connections: int = 256
    backlog_bytes: int = 2**20
    packet_bytes: int = DEFAULT_MAX_PACKET
    socket_bytes: int = 2**18
    linger_s: float = 5.0
    timing: Timing = DEFAULT_TIMING


class OrderEntryServer:
    """Serves the ports of a venue.

    Attributes:
        endings: how connections ended so far.
        refused: connections closed at once: there were too many, or they came as it closed.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits = Limits(),
    ) -> None:
        """Prepare; ``start`` listens.

        Args:
            ports: who may log in, and to what.
            host: address to listen on; the loopback interface unless told otherwise.
            port: TCP port, 0 for any free one.
            limits: what clients may not exceed.
        """
        self.ports = ports
        self.limits = limits
        self.endings: Counter[Ending] = Counter()
        self.refused = 0
        self._where = (host, port)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._at_port: dict[str, _Connection] = {}
        self._changed: set[str] = set()
        self._all_gone = asyncio.Event()
        self._is_closing = False
        self._ticker: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens.

        Raises:
            RuntimeError: it does not.
        """
        if self._server is None:
            raise RuntimeError("the server was not started, or is closed")
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    async def start(self) -> Self:
        """Listen.

        Raises:
            OSError: the address is not to be had.
        """
        self._loop = asyncio.get_running_loop()
        self._is_closing = False
        self._server = await self._loop.create_server(lambda: _Connection(self), *self._where)
        for port in self.ports:
            port.store.on_append = _Mark(self, port.account.user)
        self._tick()
        return self

    async def close(self, *, end_of_session: bool = False) -> None:
        """Stop: send what waits, give clients ``linger_s`` to read it, and close.

        Args:
            end_of_session: the day is over: every session ends with the message and the packet
                that say so. Otherwise clients may come back to another server of these ports.
        """
        if self._server is None or self._loop is None:
            return
        self._is_closing = True
        self._server.close()
        if end_of_session:
            for port in self.ports:
                port.gateway.end_of_day()
        for connection in tuple(self._connections):
            connection.shut_down(end_of_session=end_of_session)
        if self._connections:
            try:
                await asyncio.wait_for(self._all_gone.wait(), self.limits.linger_s)
            except TimeoutError:
                for connection in tuple(self._connections):
                    connection.abort()
                await self._all_gone.wait()
        for port in self.ports:
            port.store.on_append = None
        if self._ticker is not None:
            self._ticker.cancel()
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        """Listen."""
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.close()

    def admit(self, connection: _Connection) -> bool:
        """Count a new connection in, unless there are too many, or the server closes.

        One that the system had taken before ``close`` comes up a few turns of the loop after it.
        """
        if self._is_closing or len(self._connections) >= self.limits.connections:
            self.refused += 1
            return False
        self._connections.add(connection)
        self._all_gone.clear()
        return True

    def take_port(self, connection: _Connection, port: Port) -> None:
        """Give a port to a connection that logged in; whoever had it is out."""
        older = self._at_port.get(port.account.user)
        if older is not None:
            older.finish(Ending.REPLACED)
        self._at_port[port.account.user] = connection

    def leave_port(self, connection: _Connection, port: Port) -> None:
        """Take note that a connection of a port is over."""
        if self._at_port.get(port.account.user) is connection:
            del self._at_port[port.account.user]
            if port.account.cancel_on_disconnect and self.ports.router.failure is None:
                try:
                    port.gateway.cancel_all()
                except Exception:
                    # The router remembers it, and stops; the connection has to end all the same.
                    _log.exception("user %s: orders were not cancelled", port.account.user)

    def forget(self, connection: _Connection, ended: Ended) -> None:
        """Count out a connection whose socket is closed."""
        self.endings[ended.ending] += 1
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()

    def mark(self, user: str) -> None:
        """A port has something to send: write when the book is done with what it does now."""
        if not self._changed and self._loop is not None:
            self._loop.call_soon(self._send_changed)
        self._changed.add(user)

    def _send_changed(self) -> None:
        changed, self._changed = self._changed, set()
        for user in changed:
            connection = self._at_port.get(user)
            if connection is not None:
                connection.pump()

    def _tick(self) -> None:
        assert self._loop is not None
        for connection in tuple(self._connections):
            connection.tick()
        self._ticker = self._loop.call_later(_TICK_S, self._tick)


class _Mark:
    """What a store calls for each message: remembers whose it is."""

    def __init__(self, server: OrderEntryServer, user: str) -> None:
        self._server = server
        self._user = user

    def __call__(self) -> None:
        self._server.mark(self._user)


class _Connection(asyncio.BufferedProtocol):
    """One client's socket."""

    def __init__(self, server: OrderEntryServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(READ_BYTES)
        self._transport: asyncio.Transport | None = None
        self._session: ServerSession | None = None
        self._port: Port | None = None
        self._is_full = False
        self._goes_on = False
        self._over_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._server.admit(self):
            transport.abort()
            return
        limits = self._server.limits
        transport.set_write_buffer_limits(high=WRITE_BYTES)
        with contextlib.suppress(OSError):  # BSD's, if the client has hung up in the meantime
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, limits.socket_bytes
            )
        self._session = ServerSession(
            self._authenticate,
            self._on_message,
            transport.write,
            now=self._loop.time(),
            on_login=self._on_login,
            timing=limits.timing,
            max_packet=limits.packet_bytes,
        )

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._session is not None:
            self._session.receive(bytes(self._buffer[:nbytes]), self._loop.time())
            self.pump()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._session is None:
            return
        self._session.end(Ending.CONNECTION_LOST, str(exc or ""))
        self._leave()
        assert self._session.ended is not None
        self._server.forget(self, self._session.ended)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self.pump()

    # --8<-- [start:pump]
    def pump(self) -> None:
        """Write some of what waits, if the socket takes it; drop a client that is too slow."""
        session, transport = self._session, self._transport
        if session is None or transport is None or self._over_since is not None:
            return
        if not self._is_full:
            session.pump(self._loop.time(), WRITE_BYTES)
            if session.is_behind and not self._goes_on:
                self._goes_on = True
                self._loop.call_soon(self._go_on)
        backlog = session.backlog_bytes
        if session.ended is None and backlog > self._server.limits.backlog_bytes:
            session.end(Ending.BACKLOG, f"{backlog} bytes")
        if session.ended is not None:
            self._close(session.ended)

    # --8<-- [end:pump]

    def _go_on(self) -> None:
        self._goes_on = False
        self.pump()

    def tick(self) -> None:
        """Let time pass."""
        now = self._loop.time()
        if self._over_since is not None:
            if now - self._over_since > self._server.limits.linger_s:
                self.abort()
        elif self._session is not None:
            self._session.tick(now)
            self.pump()

    def finish(self, ending: Ending) -> None:
        """End from this side."""
        if self._session is not None and self._session.ended is None:
            self._session.debug(str(ending), self._loop.time())
            self._session.end(ending)
            self.pump()

    def shut_down(self, *, end_of_session: bool) -> None:
        """Send what waits and close."""
        assert self._session is not None
        if end_of_session and self._session.store is not None:
            self._session.close_session()
            self.pump()
        else:
            self._session.pump(self._loop.time(), WRITE_BYTES)
            self.finish(Ending.SHUTDOWN)

    def abort(self) -> None:
        """Close without sending what waits."""
        if self._transport is not None:
            self._transport.abort()

    def _authenticate(self, login: Login) -> MessageStore | Refusal:
        self._port = self._server.ports.find(login)
        return Refusal.NOT_AUTHORIZED if self._port is None else self._port.store

    def _on_login(self) -> None:
        assert self._port is not None
        self._server.take_port(self, self._port)

    def _on_message(self, message: bytes) -> None:
        assert self._port is not None
        try:
            self._port.gateway.receive(message)
        except SessionFault as fault:
            _log.warning("user %s: %s", self._port.account.user, fault)
            raise

    def _close(self, ended: Ended) -> None:
        """Close the socket, at once if nobody reads from it, and leave the port."""
        self._over_since = self._loop.time()
        assert self._transport is not None
        if ended.ending is Ending.BACKLOG:
            self._transport.abort()
        else:
            self._transport.close()
        self._leave()

    def _leave(self) -> None:
        if self._port is not None:
            self._server.leave_port(self, self._port)
