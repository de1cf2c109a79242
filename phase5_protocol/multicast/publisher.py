"""The sending side of a channel: messages in, MoldUDP64 datagrams out to everybody at once.

::

    publish ──▶ store ──▶ packer ──▶ datagram full, or max_delay passed ──▶ send ──▶ group A
                  │                                                            └──▶ group B
                  └── RequestServer answers from it

What is sent is kept first, so that whoever sees a number can ask for it. A datagram that the kernel
does not take (its own queue is full, no route) is counted and not offered again: to everybody out
there it is one more that was lost, and they know how to get it. So nothing that a subscriber does,
or fails to do, reaches the publisher: there is no connection through which it could.

Measuring latency: stamp ``timestamp_ns`` of a record with ``clock_ns()`` just before ``publish``,
and compare with ``clock_ns()`` where a subscriber takes it. The clock is the machine's, so this
works across processes. ``publish`` returns when the kernel has the datagrams.
"""

from __future__ import annotations

import errno
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from contract.errors import ConfigurationError
from phase5_protocol.multicast.limits import (
    DAY_S,
    LEAST_DATAGRAM_BYTES,
    MOST_MESSAGE_BYTES,
    check_number,
    check_session,
    check_whole,
)
from phase5_protocol.multicast.mold import (
    DATAGRAM_DTYPE,
    DEFAULT_DATAGRAM_BYTES,
    MAX_DATAGRAM_BYTES,
    NEVER_NS,
)
from phase5_protocol.multicast.native import MessageStore, MoldPacker, Packed
from phase5_protocol.multicast.native_udp import (
    LOOPBACK,
    Endpoint,
    UdpSocket,
    check_endpoints,
    clock_ns,
)

#: Records packed in one go: bounds the memory of a large ``publish``.
_CHUNK: Final = 4096
_BLOCK_OVERHEAD: Final = 22  # header and the length of one message
_LENGTH: Final = struct.Struct(">H")


@dataclass
class PublisherCounters:
    """What a publisher has sent. Datagrams and bytes count once for each destination.

    ``unsent`` counts datagrams that the kernel did not take, by the name of the error.
    """

    messages: int = 0
    datagrams: int = 0
    bytes: int = 0
    heartbeats: int = 0
    ends: int = 0
    unsent: Counter[str] = field(default_factory=Counter)


class Publisher:
    """Publishes numbered messages of one session. One thread at a time.

    Args:
        session: its name, up to 10 printable ASCII characters.
        to: groups (or addresses) and ports that each datagram goes to: two for an A and a B feed.
        interface: name or address of the interface that groups go out at.
        ttl: routers that may be crossed; 0 stays on this machine.
        store: keeps what was sent; None makes one of some 64 MiB. The first number is its ``next``.
        datagram_bytes: the most in one datagram.
        max_delay_s: how long a message may wait for others to fill its datagram with; 0: what
            ``publish`` was given goes out before it returns. Other than 0 needs ``tick``.
        heartbeat_s: the longest silence: then ``tick`` sends a heartbeat.

    Raises:
        SocketError: no such interface.
        ConfigurationError: nobody to send to, a destination that cannot be, or a number out of
            range.
    """

    def __init__(
        self,
        session: str,
        to: Sequence[Endpoint],
        *,
        interface: str = LOOPBACK,
        ttl: int = 0,
        store: MessageStore | None = None,
        datagram_bytes: int = DEFAULT_DATAGRAM_BYTES,
        max_delay_s: float = 0.0,
        heartbeat_s: float = 1.0,
        clock: Callable[[], int] = clock_ns,
    ) -> None:
        if not to:
            raise ConfigurationError(f"publisher {session!r}: no group or address to send to")
        check_session("Publisher", session)
        check_endpoints("Publisher", "to", to, least_port=1)
        check_number(
            "Publisher", heartbeat_s=(heartbeat_s, 1e-6, DAY_S), max_delay_s=(max_delay_s, 0, DAY_S)
        )
        check_whole(
            "Publisher", datagram_bytes=(datagram_bytes, LEAST_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES)
        )
        self.session = session
        self.to = tuple(to)
        self.store = MessageStore(session) if store is None else store
        self.counters = PublisherCounters()
        self._packer = MoldPacker(session, self.store.next, datagram_bytes)
        self._longest = datagram_bytes - _BLOCK_OVERHEAD
        self._max_delay_ns = int(max_delay_s * 1e9)
        self._heartbeat_ns = int(heartbeat_s * 1e9)
        self._clock = clock
        self._socket = UdpSocket(interface=interface, ttl=ttl)
        self._last_sent_ns = clock()
        #: When the oldest message in the packer must go.
        self._flush_by_ns = NEVER_NS
        self.ended = False

    @property
    def next_sequence(self) -> int:
        """Number of the next message."""
        return self._packer.next_sequence

    @property
    def endpoint(self) -> Endpoint:
        """Where the datagrams come from."""
        return self._socket.endpoint

    def publish(self, records: Any, record_bytes: int = 64) -> int:
        """Publish records of one length that lie side by side, such as events. O(bytes).

        Returns:
            The number of the first one.

        Raises:
            ValueError: not whole records, records longer than a datagram, or after ``end``.
            ConfigurationError: ``record_bytes`` below 1, or beyond any datagram.
        """
        check_whole("Publisher", record_bytes=(record_bytes, 1, MOST_MESSAGE_BYTES))
        self._check(record_bytes)
        first = self.next_sequence
        view = memoryview(records).cast("B") if len(records) else memoryview(b"")
        if len(view) % record_bytes:
            raise ValueError(f"{len(view)} bytes are not whole records of {record_bytes}")
        for at in range(0, len(view), _CHUNK * record_bytes):
            part = view[at : at + _CHUNK * record_bytes]
            self.store.append_records(part, record_bytes)
            self._send(self._packer.pack(part, record_bytes, flush=self._flushes_at_once()))
        self._published(len(view) // record_bytes)
        return first

    def publish_messages(self, messages: Sequence[bytes]) -> int:
        """Publish messages of any length that fits a datagram, such as ITCH's. O(bytes).

        Returns:
            The number of the first one.

        Raises:
            ValueError: a message is too long for a datagram, or after ``end``.
        """
        self._check(max(map(len, messages), default=0))
        first = self.next_sequence
        for at in range(0, len(messages), _CHUNK):
            part = messages[at : at + _CHUNK]
            stream = b"".join(_LENGTH.pack(len(message)) + message for message in part)
            self.store.append_stream(stream)
            self._send(self._packer.pack_stream(stream, flush=self._flushes_at_once()))
        self._published(len(messages))
        return first

    def flush(self) -> None:
        """Send what waits for a full datagram, now."""
        self._send_one(self._packer.flush())
        self._flush_by_ns = NEVER_NS

    def tick(self) -> int:
        """Do what is due: flush what has waited too long, break a silence. Call it regularly.

        Returns:
            When it will next have something to do, in nanoseconds of the clock.
        """
        now = self._clock()
        if now >= self._flush_by_ns:
            self.flush()
        if now - self._last_sent_ns >= self._heartbeat_ns:
            if self.ended:
                self._send_end()
            elif self._send_one(self._packer.heartbeat()):
                self.counters.heartbeats += 1
        return min(self._flush_by_ns, self._last_sent_ns + self._heartbeat_ns)

    def end(self) -> None:
        """Send what waits, and the end of the session, which ``tick`` then repeats."""
        if not self.ended:
            self.flush()
            self.ended = True
            self._send_end()

    def close(self) -> None:
        """End the session, if it is not, and free the socket; the store stays, to be asked."""
        self.end()
        self._socket.close()
        self._packer.close()

    def _check(self, longest: int) -> None:
        if self.ended:
            raise ValueError(f"session {self.session!r} has ended")
        if longest > self._longest:
            raise ValueError(f"a message of {longest} bytes; a datagram takes {self._longest}")

    def _flushes_at_once(self) -> bool:
        return self._max_delay_ns == 0

    def _published(self, messages: int) -> None:
        self.counters.messages += messages
        if not self._packer.waiting:
            self._flush_by_ns = NEVER_NS
        elif self._flush_by_ns == NEVER_NS:
            self._flush_by_ns = self._clock() + self._max_delay_ns

    def _send_end(self) -> None:
        if self._send_one(self._packer.end()):
            self.counters.ends += 1

    def _send_one(self, datagram: bytes) -> bool:
        if datagram:
            one = np.array([(0, len(datagram), 0)], DATAGRAM_DTYPE)
            self._send(Packed(np.frombuffer(datagram, np.uint8), one))
        return bool(datagram)

    # --8<-- [start:send]
    def _send(self, packed: Packed) -> None:
        """Offer each datagram once to the kernel, for each destination."""
        if not len(packed.datagrams):
            return
        for endpoint in self.to:
            rest = packed.datagrams
            while len(rest):
                taken, error = self._socket.send_packed(endpoint, Packed(packed.arena, rest))
                self.counters.datagrams += taken
                self.counters.bytes += int(rest["length"][:taken].sum())
                if error:
                    self.counters.unsent[errno.errorcode.get(error, str(error))] += 1
                rest = rest[taken + (error != 0) :]
        self._last_sent_ns = self._clock()

    # --8<-- [end:send]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
