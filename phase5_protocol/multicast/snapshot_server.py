"""The TCP side of snapshots: a login, one image, the end; each connection for itself.

::

    LOGIN ──▶ WAIT for the engine's thread ──▶ SEND as fast as the client reads ──▶ end of session
      │             │ patience                     │ transfer time
      └─ rejected   └─ end, without an image       └─ dropped: too slow

Whoever connects can hold one of a few places for a limited time, and nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from contract.errors import ConfigurationError, MatchbookError
from phase5_protocol.multicast.snapshot import (
    MOST_IMAGE_BYTES,
    Snapshot,
    SnapshotDesk,
    snapshot_messages,
)
from phase5_protocol.order_entry.message_store import MessageStore
from phase5_protocol.order_entry.soup_packets import Ending, Login, Refusal, SessionFault
from phase5_protocol.order_entry.soupbintcp import ServerSession, State, Timing

_READ_BYTES: Final = 4096
_SEND_BYTES: Final = 1 << 17
_TICK_S: Final = 0.25


@dataclass
class SnapshotCounters:
    """Connections by how they ended: ``refused`` maps a reason to how often it was one."""

    connections: int = 0
    served: int = 0
    bytes: int = 0
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class SnapshotLimits:
    """What a client can use up. Times in seconds.

    Attributes:
        connections: at a time; further ones are closed at once.
        login_s: to log in. patience_s: for the engine's thread to come by. transfer_s: to send.
    """

    connections: int = 16
    login_s: float = 5.0
    patience_s: float = 10.0
    transfer_s: float = 60.0


class SnapshotServer:
    """Serves the snapshots of a desk from a thread of its own, until it is closed.

    Args:
        desk: where the engine's thread comes by.
        users: name to password; at least one.
        host, port: to listen at; port 0 lets the system choose, see ``endpoint``.
        limits: of one client.

    Raises:
        ConfigurationError: nobody may log in.
        MatchbookError: the port is taken, or the address is not this machine's.
    """

    def __init__(
        self,
        desk: SnapshotDesk,
        users: Mapping[str, str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: SnapshotLimits = SnapshotLimits(),
    ) -> None:
        if not users:
            raise ConfigurationError("snapshot server: no users, so nobody could log in")
        MessageStore(desk.session)  # raises now, not at the first login, if it cannot be a name
        self.desk = desk
        self.counters = SnapshotCounters()
        self._users = dict(users)
        self._limits = limits
        self._open = 0
        self._loop = asyncio.new_event_loop()
        listening = asyncio.start_server(self._on_connection, host, port)
        try:
            self._server = self._loop.run_until_complete(listening)
        except OSError as error:
            self._loop.close()
            raise MatchbookError(f"snapshot server {host}:{port}: {error.strerror}") from error
        #: Host and port.
        self.endpoint: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="snapshots", daemon=True
        )
        self._thread.start()

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.counters.connections += 1
        if self._open >= self._limits.connections:
            self.counters.refused["no place"] += 1
            writer.close()
            return
        self._open += 1
        try:
            ending = await self._serve(reader, writer)
            writer.close()
            # What still waits in the buffer is the client's to read, but not for ever.
            await asyncio.wait_for(writer.wait_closed(), self._limits.transfer_s)
        except (OSError, TimeoutError) as error:
            ending = "too slow" if isinstance(error, TimeoutError) else "connection lost"
        finally:
            self._open -= 1
            writer.transport.abort()
        if ending:
            self.counters.refused[ending] += 1
        else:
            self.counters.served += 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Take one connection from login to end; why it got no snapshot, or ""."""
        clock = self._loop.time
        session = ServerSession(
            self._authenticate,
            _refuse_message,
            writer.write,
            now=clock(),
            timing=Timing(login_s=self._limits.login_s),
        )
        while session.state is State.LOGGING_IN:
            try:
                data = await asyncio.wait_for(reader.read(_READ_BYTES), _TICK_S)
            except TimeoutError:
                session.tick(clock())
                continue
            if not data:
                session.end(Ending.CONNECTION_LOST)
            session.receive(data, clock())
        if session.ended is not None or session.store is None:
            await asyncio.wait_for(writer.drain(), self._limits.transfer_s)
            return str(session.ended.ending) if session.ended else "no store"
        snapshot = await self._snapshot(session)
        if snapshot is None:
            session.debug("the engine gives no snapshot now: try again", clock())
            session.close_session()
            session.pump(clock())
            await asyncio.wait_for(writer.drain(), self._limits.transfer_s)
            return "no snapshot"
        for message in snapshot_messages(snapshot):
            session.store.append(message)
        session.close_session()
        async with asyncio.timeout(self._limits.transfer_s):
            while session.is_behind:
                session.pump(clock(), _SEND_BYTES)
                await writer.drain()
        self.counters.bytes += len(snapshot.image)
        return ""

    async def _snapshot(self, session: ServerSession) -> Snapshot | None:
        """Wait for the engine's thread, and keep the line alive meanwhile."""
        asked = self.desk.ask()
        future = asyncio.wrap_future(asked, loop=self._loop)
        end = self._loop.time() + self._limits.patience_s
        try:
            while not future.done() and self._loop.time() < end:
                await asyncio.wait({future}, timeout=_TICK_S)
                session.tick(self._loop.time())
        finally:
            asked.cancel()  # no image for who has gone; of no effect on one that is there
        if not future.done() or future.cancelled():
            return None
        return None if future.exception() is not None else future.result()

    def _authenticate(self, login: Login) -> MessageStore | Refusal:
        """A store for one snapshot. Names and passwords are compared in constant time."""
        known = self._users.get(login.user, "")
        is_right = hmac.compare_digest(known.encode(), login.password.encode())
        if not is_right or login.user not in self._users:
            return Refusal.NOT_AUTHORIZED
        return MessageStore(self.desk.session, max_messages=2**20, max_bytes=2 * MOST_IMAGE_BYTES)

    def close(self) -> None:
        """Close all connections and the port; the thread ends. Twice is harmless."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _shut(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _refuse_message(message: bytes) -> None:
    raise SessionFault(Ending.BAD_MESSAGE, f"{len(message)} bytes, where nothing is to be said")
