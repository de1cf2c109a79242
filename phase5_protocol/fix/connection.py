"""A TCP connection under a session: an asyncio protocol that is the session's transport."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from contract.errors import MatchbookError
from phase5_protocol.fix.message import Message, MessageReader
from phase5_protocol.fix.session import Session

#: Bytes that may wait for a slow reader; beyond it the connection is cut. They are in the session's
#: store: who comes back is sent them again.
MAX_BACKLOG: Final = 1 << 20
#: Bytes read in a turn of the loop: a flood from one session is served in turns with the others.
READ_BYTES: Final = 1 << 13

_log = logging.getLogger(__name__)


class Connection(asyncio.BufferedProtocol):
    """Bytes in to the session, bytes out to the socket.

    Attributes:
        session: what it is bound to: from the Logon on, at an acceptor.
        bytes_in, bytes_out: what has gone through it.
        is_lost: whether it is gone.
    """

    def __init__(
        self,
        find: Callable[[Connection, Message], Session | None],
        on_lost: Callable[[Connection], None],
        *,
        session: Session | None = None,
        on_made: Callable[[Connection], None] | None = None,
    ) -> None:
        """Make a connection that asyncio will open.

        Args:
            find: the session of a first message, or None: then the connection ends.
            on_lost: is told when the connection is gone.
            session: what an initiator connects for.
            on_made: is told when the connection is there.
        """
        self.session = session
        self.bytes_in = self.bytes_out = 0
        self.is_lost = False
        self.opened_ns = 0
        self.closed_ns = 0
        self._find = find
        self._on_lost = on_lost
        self._on_made = on_made
        self._reader = MessageReader()
        self._buffer = bytearray(READ_BYTES)
        self._socket: asyncio.Transport | None = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        assert isinstance(transport, asyncio.Transport)
        self._socket = transport
        if self._on_made is not None:
            self._on_made(self)
        if self.session is not None:
            session = self.session
            self.guard(lambda: session.connect(self))

    def get_buffer(self, sizehint: int) -> bytearray:
        """Where to read to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self.bytes_in += nbytes
        data = bytes(self._buffer[:nbytes])
        self.guard(lambda: self._take(data))

    def eof_received(self) -> bool:
        """They will say no more: the connection ends."""
        return False

    def resume_writing(self) -> None:
        """The socket has room again: a resend may go on."""
        if self.session is not None:
            self.guard(self.session.pump)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.is_lost = True
        session = self.session
        if session is not None:
            self.guard(lambda: session.disconnected(self))
        self._on_lost(self)

    # What the session calls

    def write(self, data: bytes) -> None:
        """Send; whoever lets more than ``MAX_BACKLOG`` pile up is cut off."""
        if self._socket is None or self._socket.is_closing():
            return
        self.bytes_out += len(data)
        self._socket.write(data)
        if self.backlog() > MAX_BACKLOG:
            _log.warning("a slow consumer is cut off: %d bytes wait", self.backlog())
            self.abort()

    def close(self) -> None:
        """End the connection when what was written is gone."""
        if self._socket is not None:
            self._socket.close()

    def backlog(self) -> int:
        """How many bytes wait to be sent."""
        return self._socket.get_write_buffer_size() if self._socket is not None else 0

    def abort(self) -> None:
        """End the connection now."""
        if self._socket is not None:
            self._socket.abort()

    @property
    def is_closing(self) -> bool:
        """Whether the connection is on its way out."""
        return self._socket is not None and self._socket.is_closing()

    def guard(self, action: Callable[[], None]) -> None:
        """Do something; if it fails, this connection ends, and no other is touched.

        A store that cannot be written, or an application that raises what is no reject, must not
        go on as if nothing had been.
        """
        try:
            action()
        except MatchbookError as error:
            _log.error("connection ended: %s", error)
            self.abort()
        except Exception:
            _log.exception("connection ended: the application failed")
            self.abort()

    def _take(self, data: bytes) -> None:
        if self.is_closing:
            return
        if self.session is not None:
            self.session.receive(data)
            return
        first = next(iter(self._reader.feed(data)), None)
        if self._reader.garbled:
            self.close()
        elif first is not None:
            session = self._find(self, first)
            if session is None:
                self.close()
                return
            self.session = session
            session.connect(self, self._reader)
            session.receive(b"", first)
