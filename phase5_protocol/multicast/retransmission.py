"""Answers requests for messages that were sent before: one datagram in, at most one out.

::

    subscriber ── session, first, count ──▶ whole? ──▶ a token left? ──▶ store ──▶ downstream packet
                                              │             │              │
                                          malformed    rate-limited    too old, not yet, …: counted

Multicast makes one copy for everybody; an answer is for one. If a hundred subscribers miss the same
datagram, a hundred ask, and each may ask again: without a limit, one bad moment of a network turns
into a storm that keeps it bad. So requests cost tokens, for each address and for all together, and
what is not granted is dropped without a word: the subscriber will ask again, later each time.

An answer goes to the address that the request claims to come from. Anybody can forge that, and an
answer is seventy times as long as a request: one more reason for the limits, and for answering
only within the network that the groups are in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

from phase5_protocol.multicast.mold import (
    DEFAULT_DATAGRAM_BYTES,
    MalformedPacketError,
    Outcome,
)
from phase5_protocol.multicast.native import MessageStore, parse_request
from phase5_protocol.multicast.native_limiter import RequestLimiter
from phase5_protocol.multicast.native_udp import (
    LOOPBACK,
    Datagram,
    Endpoint,
    UdpSocket,
    address_number,
    clock_ns,
)

#: Requests answered in one ``serve``: others of this thread are to get their turn.
_AT_ONCE: Final = 32
#: Room for a request, and for the one byte more that shows that it is none.
_REQUEST_ROOM: Final = 21
RATE_LIMITED: Final = "rate_limited"
UNSENT: Final = "unsent"


@dataclass
class RequestCounters:
    """What became of requests. ``refused`` counts those without an answer, by reason.

    Reasons: the names of ``Problem`` (malformed) and ``Outcome`` (the store's), in lower case;
    ``rate_limited``; ``unsent``, an answer that the kernel did not take.
    """

    requests: int = 0
    answered: int = 0
    bytes: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class RequestServer:
    """Answers MoldUDP64 requests from a store. One thread at a time, the store's.

    What the store has no more, its ``log`` may have: see ``MessageStore``.

    Args:
        store: the publisher's.
        port: to be asked at; 0 lets the system choose, see ``endpoint``.
        interface: address or name of the interface to be asked at.
        limiter: None makes one with its usual limits.
        datagram_bytes: the most in one answer.

    Raises:
        SocketError: the port is taken, or there is no such interface.
    """

    def __init__(
        self,
        store: MessageStore,
        *,
        port: int = 0,
        interface: str = LOOPBACK,
        limiter: RequestLimiter | None = None,
        datagram_bytes: int = DEFAULT_DATAGRAM_BYTES,
        clock: Callable[[], int] = clock_ns,
    ) -> None:
        self.store = store
        self.limiter = RequestLimiter() if limiter is None else limiter
        self.counters = RequestCounters()
        self._datagram_bytes = datagram_bytes
        self._clock = clock
        self.socket = UdpSocket(
            interface=interface,
            port=port,
            batch=_AT_ONCE,
            datagram_bytes=_REQUEST_ROOM,
            receive_bytes=1 << 18,
        )

    @property
    def endpoint(self) -> Endpoint:
        """Where to send requests."""
        return self.socket.endpoint

    def serve(self) -> int:
        """Answer what has arrived, at most a batch of it; never waits.

        Returns:
            How many requests there were, whatever became of them.
        """
        arrived = self.socket.receive()
        now = self._clock()
        for datagram in arrived:
            self.counters.requests += 1
            refusal = self._answer(datagram, now)
            if refusal:
                self.counters.refused[refusal] += 1
        return len(arrived)

    # --8<-- [start:answer]
    def _answer(self, datagram: Datagram, now: int) -> str:
        """Answer one request; the reason if there is no answer."""
        try:
            request = parse_request(datagram.data)
        except MalformedPacketError as error:
            return error.problem.name.lower()
        sender = datagram.sender
        if not self.limiter.allow(address_number(sender.address), sender.port, now):
            return RATE_LIMITED
        outcome, answer = self.store.answer(request, self._datagram_bytes)
        if outcome is not Outcome.ANSWERED:
            return outcome.name.lower()
        if not self.socket.send(sender, answer).taken:
            return UNSENT
        self.counters.answered += 1
        self.counters.bytes += len(answer)
        return ""

    # --8<-- [end:answer]

    def close(self) -> None:
        """Give the port back. Twice is harmless."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
