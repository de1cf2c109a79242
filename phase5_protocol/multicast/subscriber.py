"""The receiving side of a channel: from groups to every message once and in order.

::

    group A ──┐                       ┌─▶ take: records in order, numbers lost, the end
    group B ──┼▶ (lossy network) ──▶ receiver ──▶ gaps: detected, requested, filled | unrecoverable
    answers ──┘        ▲              └─▶ requests ──▶ request server
                       └ tests only                          │ one datagram for each
                  ◀───────────────────────────────────────────┘

One thread owns a subscriber and calls ``poll``, which sleeps in the kernel until something comes or
falls due, and ``take``. Where that thread lives, in the engine's process or in another, makes no
difference to anybody else. A subscriber that does neither for a while loses what its kernel has no
room for, and asks for it afterwards.
"""

from __future__ import annotations

import errno
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from contract.errors import ConfigurationError, MatchbookError
from phase5_protocol.multicast.limits import check_whole
from phase5_protocol.multicast.mold import (
    DEFAULT_DATAGRAM_BYTES,
    MAX_DATAGRAM_BYTES,
    NEVER_NS,
    DeliveryKind,
    Gap,
    GapState,
    MalformedPacketError,
)
from phase5_protocol.multicast.native import parse_packet
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import Delivery, Receiver, ReceiverConfig
from phase5_protocol.multicast.native_udp import (
    LOOPBACK,
    MOST_IN_BATCH,
    Endpoint,
    UdpSocket,
    address_number,
    check_endpoints,
    clock_ns,
    wait_any,
)

#: Lines a subscriber can listen to; two more links carry answers and requests.
MOST_LINES: Final = 6
_REQUEST_LINK: Final = 7
#: Batches taken from one socket before the others and the timers get their turn.
_BATCHES_AT_ONCE: Final = 8
_LOOK_AROUND_S: Final = 0.05
#: Messages of a wrong length, and none of the right one, that make a channel one of another kind.
_ENOUGH_WRONG: Final = 16
#: Header and the length of one message.
_BLOCK_OVERHEAD: Final = 22


@dataclass
class SubscriberCounters:
    """Datagrams as the sockets saw them; the receiver counts what became of them.

    ``unsent`` counts requests that the kernel did not take, by the name of the error.
    """

    datagrams: int = 0
    requests: int = 0
    unsent: Counter[str] = field(default_factory=Counter)


def describe_gap(gap: Gap) -> str:
    """The life of a gap in one line; times are milliseconds after it was noticed.

    >>> describe_gap(Gap(812, 21, 0, 0, 5_000_000, 6_000_000, 6_400_000, 1, GapState.FILLED))
    '812-832 (21): DETECTED -> REQUESTED +1.0 ms -> FILLED +1.4 ms'
    >>> describe_gap(Gap(7, 1, 0, 0, 5_000_000, 0, 5_200_000, 0, GapState.FILLED))
    '7 (1): DETECTED -> FILLED +0.2 ms'
    """
    last = gap.first + gap.count - 1
    stages = [f"{gap.first}-{last}" if gap.count > 1 else str(gap.first)]
    stages[0] += f" ({gap.count:,}): DETECTED"
    if gap.requests:
        times = "" if gap.requests == 1 else f", {gap.requests} requests"
        stages.append(f"REQUESTED +{(gap.requested_ns - gap.detected_ns) / 1e6:.1f} ms{times}")
    if gap.state in (GapState.FILLED, GapState.UNRECOVERABLE):
        lost = f", {gap.lost:,} lost" if gap.lost else ""
        stages.append(f"{gap.state.name} +{(gap.closed_ns - gap.detected_ns) / 1e6:.1f} ms{lost}")
    return " -> ".join(stages)


class _LengthWatch:
    """Looks at messages until it knows whether they have the length that was expected.

    One message of the right length settles it: what is wrong later is a matter for the counters.
    """

    def __init__(self, config: ReceiverConfig) -> None:
        self._config = config
        self._seen: Counter[int] = Counter()
        self.undecided = config.record_bytes > 0

    def look(self, datagram: bytes) -> None:
        """Take a datagram into account; those that a receiver refuses unread do not count."""
        if not self.undecided:
            return
        try:
            packet = parse_packet(datagram)
        except MalformedPacketError:
            return
        if self._config.session not in (None, packet.session):
            return
        self._seen.update(map(len, packet.messages))
        if self._config.record_bytes in self._seen:
            self.undecided = False

    def check(self) -> None:
        """Complain, once, if enough was seen and nothing was right.

        Raises:
            MatchbookError: says what lengths there are.
        """
        if not self.undecided or self._seen.total() < _ENOUGH_WRONG:
            return
        self.undecided = False
        least, most = min(self._seen), max(self._seen)
        lengths = f"{least}" if least == most else f"{least} to {most}"
        raise MatchbookError(
            f"subscriber: every message has {lengths} bytes, {self._config.record_bytes} expected: "
            "is this channel of another kind? record_bytes=0 takes any length"
        )


class Subscriber:
    """Listens to a session on one or more lines.

    Args:
        lines: where it is sent to: groups, or addresses of this machine for unicast. Several carry
            the same session, and whichever brings a number first counts.
        requests_to: request servers, asked in turn; none: gaps are only filled by other lines.
        interface: name or address of the interface that groups come in at.
        config: of the receiver: session, first number, patience, window.
        receive_bytes: how much the kernel shall queue for each line.
        network: what datagrams pass before they are received and requests before they are sent, in
            tests: line i is link i, answers the link after the last line, requests link 7.
        on_gap: is given each gap when it is closed.
        gap_log: closed gaps kept in ``closed_gaps``, the newest ones.

    Raises:
        SocketError: a group cannot be joined, a port is taken.
        ConfigurationError: no line or too many, an endpoint that cannot be, numbers out of range.
    """

    def __init__(
        self,
        lines: Sequence[Endpoint],
        *,
        requests_to: Sequence[Endpoint] = (),
        interface: str = LOOPBACK,
        config: ReceiverConfig | None = None,
        receive_bytes: int = 1 << 22,
        datagram_bytes: int = DEFAULT_DATAGRAM_BYTES,
        network: LossyNetwork | None = None,
        on_gap: Callable[[Gap], None] | None = None,
        gap_log: int = 1024,
        clock: Callable[[], int] = clock_ns,
    ) -> None:
        check_endpoints("Subscriber", "lines", lines, least_port=0)
        if not 1 <= len(lines) <= MOST_LINES:
            raise ConfigurationError(f"subscriber: {len(lines)} lines are not 1 to {MOST_LINES}")
        check_endpoints("Subscriber", "requests_to", requests_to, least_port=1)
        config = config or ReceiverConfig()
        least_bytes = _BLOCK_OVERHEAD + max(config.record_bytes, 1)
        check_whole(
            "Subscriber",
            datagram_bytes=(datagram_bytes, least_bytes, MAX_DATAGRAM_BYTES),
            gap_log=(gap_log, 0, 1 << 24),
        )
        self.receiver = Receiver(config)
        self.counters = SubscriberCounters()
        #: Closed gaps, newest last.
        self.closed_gaps: deque[Gap] = deque(maxlen=gap_log)
        self._length_watch = _LengthWatch(config)
        self._requests_to = tuple(requests_to)
        self._network = network
        self._on_gap = on_gap
        self._clock = clock
        self._stop = threading.Event()
        self._sockets: list[UdpSocket] = []
        try:
            for line in lines:
                self._sockets.append(_listen(line, interface, receive_bytes, datagram_bytes))
            #: Requests go out here, and answers come back.
            self._asking = UdpSocket(
                interface=interface,
                batch=MOST_IN_BATCH,
                receive_bytes=receive_bytes,
                datagram_bytes=datagram_bytes,
            )
        except BaseException:
            self.close()
            raise
        self._sockets.append(self._asking)

    @property
    def lines(self) -> list[Endpoint]:
        """Where it listens."""
        return [socket.endpoint for socket in self._sockets[:-1]]

    @property
    def kernel_drops(self) -> int | None:
        """Datagrams lost because this process did not fetch them in time; None: not known."""
        drops = [socket.drops for socket in self._sockets]
        return None if None in drops else sum(filter(None, drops))

    def poll(self, timeout_s: float = 0.0) -> int:
        """Take in what has come, ask for what is missing; sleep first if there is nothing to do.

        Returns:
            How many datagrams were taken from the sockets.

        Raises:
            MatchbookError: once, if the first messages of the session all have another length than
                ``record_bytes``: nothing would ever be delivered.
        """
        due_ns = self.receiver.deadline_ns
        if self._network is not None:
            due_ns = min(due_ns, self._network.due_ns)
        if due_ns != NEVER_NS:
            timeout_s = min(timeout_s, max(0.0, (due_ns - self._clock()) / 1e9))
        taken = 0
        for socket in wait_any(self._sockets, timeout_s):
            taken += self._receive(socket, self._sockets.index(socket))
        now = self._clock()
        if self._network is not None:
            self._pass_on(self._network, now)
        for request in self.receiver.poll(now):
            self.counters.requests += 1
            if self._network is None:
                self._ask(request)
            else:
                self._network.put(request, now, _REQUEST_LINK)
        self._note_gaps()
        self.counters.datagrams += taken
        self._length_watch.check()
        return taken

    def take(self, most: int = 1 << 16) -> Delivery:
        """The next records in order, or what else is next. See ``Receiver.take``."""
        return self.receiver.take(most)

    def join(self, next_sequence: int) -> None:
        """Go on from a snapshot whose next number this is; for ``start=HELD``.

        Raises:
            ValueError: that number was passed already.
        """
        self.receiver.join(next_sequence, self._clock())

    def run(self, on_delivery: Callable[[Delivery], None]) -> bool:
        """Poll and deliver until the session has ended, or until ``stop``.

        Args:
            on_delivery: is given messages in order, and numbers that are lost.

        Returns:
            Whether the session has ended; everything before was then delivered.

        Raises:
            MatchbookError: as ``poll``.
        """
        while not self._stop.is_set():
            self.poll(_LOOK_AROUND_S)
            while (delivery := self.take()).kind is not DeliveryKind.NOTHING:
                if delivery.kind is DeliveryKind.END:
                    return True
                on_delivery(delivery)
        return False

    def stop(self) -> None:
        """Let ``run`` return soon; from any thread, or from within ``on_delivery``."""
        self._stop.set()

    def _receive(self, socket: UdpSocket, line: int) -> int:
        taken = 0
        for _ in range(_BATCHES_AT_ONCE):
            packed = socket.receive_packed()
            count = len(packed.datagrams)
            taken += count
            if not count:
                break
            now = self._clock()
            if self._network is None:
                self.receiver.put_many(packed, now, line)
                if self._length_watch.undecided:
                    for datagram in packed.split():
                        self._length_watch.look(datagram)
            else:
                for datagram in packed.split():
                    self._network.put(datagram, now, line)
        return taken

    def _pass_on(self, network: LossyNetwork, now: int) -> None:
        for datagram, link in network.take_due(now):
            if link == _REQUEST_LINK:
                self._ask(datagram)
            else:
                self.receiver.put(datagram, now, link)
                self._length_watch.look(datagram)

    def _ask(self, request: bytes) -> None:
        if not self._requests_to:
            return
        turn = self.counters.requests % len(self._requests_to)
        taken, error = self._asking.send(self._requests_to[turn], request)
        if not taken:
            self.counters.unsent[errno.errorcode.get(error, str(error))] += 1

    def _note_gaps(self) -> None:
        """Keep the gaps that were closed since the last time, and tell of them."""
        for gap in self.receiver.closed_gaps():
            self.closed_gaps.append(gap)
            if self._on_gap is not None:
                self._on_gap(gap)

    def close(self) -> None:
        """Leave the groups and free everything. Twice is harmless."""
        for socket in self._sockets:
            socket.close()
        self.receiver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _listen(line: Endpoint, interface: str, receive_bytes: int, datagram_bytes: int) -> UdpSocket:
    """A socket for a line: a member of the group, or bound to the address itself."""
    is_group = address_number(line.address) >> 28 == 0xE
    return UdpSocket(
        group=line.address if is_group else None,
        interface=interface if is_group else line.address,
        port=line.port,
        batch=MOST_IN_BATCH,
        receive_bytes=receive_bytes,
        datagram_bytes=datagram_bytes,
    )
