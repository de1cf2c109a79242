"""The life of a session: its connections, what it sends, and what time does to it.

::

                     connect            Logon in order
    DISCONNECTED ──────────▶ LOGGING_ON ─────────────▶ UP ── our Logout ──▶ LOGGING_OUT
          ▲                      │                      │ their Logout,          │ theirs,
          └──────────────────────┴──────────────────────┴─ silence, loss ────────┘ or none in time
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Final

from phase5_protocol.fix.application import (
    Application,
    NotLoggedOnError,
    SessionConfig,
    Transport,
)
from phase5_protocol.fix.checks import reject
from phase5_protocol.fix.clock import SECOND_NS, Clock, SystemClock
from phase5_protocol.fix.dictionary import Dictionary, Problem
from phase5_protocol.fix.gap import Gap
from phase5_protocol.fix.message import Message, MessageReader
from phase5_protocol.fix.outbox import Outbox
from phase5_protocol.fix.store import SessionStore

if TYPE_CHECKING:
    from phase5_protocol.fix.session import Session

#: Silence, in heartbeat intervals: then ask whether they are there; then take them for gone.
TEST_AFTER: Final = 1.2
GONE_AFTER: Final = 2.4
#: Why a connection ended, when the other side said nothing.
CONNECTION_LOST: Final = "the connection was lost"
#: Bytes on their way out beyond which a resend waits for the connection to catch up.
RESEND_BACKLOG: Final = 1 << 17


class State(Enum):
    """Where a session is."""

    DISCONNECTED = "disconnected"
    LOGGING_ON = "logging on"
    UP = "up"
    LOGGING_OUT = "logging out"


class Line(ABC):
    """What a session is beside the messages that it understands: :class:`~.session.Session` is one.

    Not thread-safe: everything about a session happens on one thread.

    Attributes:
        config: as given.
        state: where it is.
        store: its memory: ``next_in`` and ``next_out`` are its sequence numbers.
        counters: what happened, by name: ``garbled``, ``rejects``, ``duplicates``, ``resent``, ...
        last_end: why the last connection ended.
    """

    def __init__(
        self,
        config: SessionConfig,
        application: Application,
        dictionary: Dictionary,
        store: SessionStore,
        clock: Clock | None = None,
    ) -> None:
        """Make a session that is not connected, with the numbers that its store has."""
        self.config = config
        self.state = State.DISCONNECTED
        self.store = store
        self.counters: Counter[str] = Counter()
        self.last_end = ""
        self.heartbeat_s = config.heartbeat_s
        self._application = application
        self._dictionary = dictionary
        self._clock = clock or SystemClock()
        self._outbox = Outbox(config, store, self._clock)
        self._gap = Gap(config.max_pending)
        self._transport: Transport | None = None
        self._reader = MessageReader()
        self._resending: Iterator[tuple[int, bytes]] | None = None
        self._resend_range = (0, 0)
        self._logon_number = 0
        self._is_test_pending = False
        self._since = self._last_in = self._last_out = self._asked = 0

    @property
    def is_connected(self) -> bool:
        """Whether a connection is bound to the session."""
        return self._transport is not None

    @property
    def is_up(self) -> bool:
        """Whether both sides are logged on, and neither has logged out."""
        return self.state is State.UP

    # What the owner of the connection calls

    def connect(self, transport: Transport, reader: MessageReader | None = None) -> None:
        """Bind a connection; an initiator sends its Logon.

        Args:
            transport: where bytes go.
            reader: what was read from the connection already (an acceptor must read the Logon to
                find the session); follow with ``receive``.

        Raises:
            StoreError: the Logon could not be stored.
        """
        assert self._transport is None, "a session has one connection at a time"
        self._transport = transport
        self._reader = reader or MessageReader()
        self.state = State.LOGGING_ON
        self._since = self._last_in = self._last_out = self._clock.monotonic_ns()
        self._is_test_pending = False
        self.heartbeat_s = self.config.heartbeat_s
        if self.config.is_initiator:
            if self.config.reset_on_logon:
                self.store.reset()
            self._send_logon(self.config.reset_on_logon)

    def receive(self, data: bytes, first: Message | None = None) -> None:
        """Take bytes of the connection, and before them a message that was read already.

        Raises:
            StoreError: something could not be stored: end the connection.
            Exception: whatever the application raises, but for its rejects.
        """
        if first is not None:
            self._take(first)
        before = self._reader.garbled.total()
        for message in self._reader.feed(data):
            if self._transport is None:
                return
            self._take(message)
        self.counters["garbled"] += self._reader.garbled.total() - before
        if self.state is State.LOGGING_ON and self._reader.garbled:
            self._drop("what came before the Logon is no message")

    def disconnected(self, transport: Transport) -> None:
        """A connection was lost; of no consequence if it is not, or no longer, this session's."""
        if transport is self._transport:
            self._end(CONNECTION_LOST)

    def send(self, message: Message) -> int:
        """Send an application message; its number.

        It is stored at once, and written if the session is up. If not, they ask for it when it is.
        The fields of the header that are the session's (34, 49, 52, 56) are filled in.

        An initiator with ``reset_on_logon`` sends only while it is up: its next Logon would erase
        what is stored now, and nobody would ever ask for it.

        Raises:
            NotLoggedOnError: the session is not up, and the next Logon resets it.
            ValueError: a field has a value that cannot be sent.
            StoreError: it could not be stored, and was not sent.
        """
        if self.config.is_initiator and self.config.reset_on_logon and not self.is_up:
            raise NotLoggedOnError(
                f"{self.config.name} is {self.state.value}, and its next Logon resets the numbers: "
                "the message would be lost"
            )
        number = self.store.next_out
        self._post(message, is_written=self.state is State.UP)
        return number

    def logout(self, text: str = "") -> None:
        """Log out: the connection ends with their Logout, or after ``logout_timeout_s``."""
        if self.state is State.UP:
            self._post(Message("5", [(58, text)] if text else []))
            self.state = State.LOGGING_OUT
            self._since = self._clock.monotonic_ns()
        elif self.state is State.LOGGING_ON:
            self._drop(text or "logged out before the Logon")

    def tick(self) -> None:
        """Let time pass: heartbeats, tests, timeouts. Call some times a second.

        Raises:
            StoreError: something could not be stored: end the connection.
        """
        if self._transport is None:
            return
        now = self._clock.monotonic_ns()
        if self.state is State.LOGGING_ON:
            if now - self._since >= self.config.logon_timeout_s * SECOND_NS:
                self._drop("no Logon in time")
            return
        if self.state is State.LOGGING_OUT:
            if now - self._since >= self.config.logout_timeout_s * SECOND_NS:
                self._drop("no Logout in time")
            return
        interval = self.heartbeat_s * SECOND_NS
        silence = now - self._last_in
        if silence >= GONE_AFTER * interval:
            self.counters["timeouts"] += 1
            self._drop("nothing was heard of them")
        elif silence >= TEST_AFTER * interval and not self._is_test_pending:
            self._is_test_pending = True
            self._post(Message("1", [(112, self.config.test_request_id)]))
        elif now - self._last_out >= interval and not self._is_test_pending:
            self._post(Message("0"))
        if self._gap.is_open and now - self._asked >= interval:
            self._ask()
        self.pump()

    def pump(self) -> None:
        """Go on with a resend as far as the connection has room; call when it has."""
        while self._resending is not None and self._transport is not None:
            if self._transport.backlog() >= RESEND_BACKLOG:
                return
            step = next(self._resending, None)
            if step is None:
                self._resending = None
                return
            number, data = step
            self._resend_range = (number + 1, self._resend_range[1])
            self.counters["resent"] += 1
            self._write(data)

    # What the other half has of it

    @abstractmethod
    def _take(self, message: Message) -> None:
        """One message of theirs."""

    @abstractmethod
    def _session(self) -> Session:
        """Itself, as the application knows it."""

    def _post(self, message: Message, *, is_written: bool = True) -> None:
        """Number a message, store it, and write it."""
        data = self._outbox.post(message)
        if is_written:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._last_out = self._clock.monotonic_ns()
            self._transport.write(data)

    def _send_logon(self, is_reset: bool) -> None:
        fields = [(98, "0"), (108, str(self.heartbeat_s))]
        if is_reset:
            fields.append((141, "Y"))
        self._logon_number = self.store.next_out
        self._post(Message("A", fields))

    def _ask(self) -> None:
        """Send a ResendRequest from the number that is due, without an end."""
        self._asked = self._clock.monotonic_ns()
        self.counters["resend requests"] += 1
        self._post(Message("2", [(7, str(self.store.next_in)), (16, "0")]))

    def _reject(self, message: Message, problem: Problem, text: str = "") -> None:
        """Answer with a Reject."""
        self.counters["rejects"] += 1
        self._post(reject(message, problem, text))

    def _refuse(self, text: str) -> None:
        """Say why, and end the connection."""
        self._post(Message("5", [(58, text)]))
        self._drop(text)

    def _drop(self, why: str) -> None:
        """End the connection."""
        transport = self._transport
        self._end(why)
        if transport is not None:
            transport.close()

    def _end(self, why: str) -> None:
        """The connection is no more."""
        was_up = self.state in (State.UP, State.LOGGING_OUT)
        self._transport = None
        self.state = State.DISCONNECTED
        self.last_end = why
        self._gap.clear()
        self._resending = None
        if self.config.reset_on_disconnect:
            self.store.reset()
        if was_up:
            self._application.on_logout(self._session())
        else:
            self.counters["ended before the logon"] += 1
