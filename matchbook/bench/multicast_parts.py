"""What a channel is made of, part by part and without another process; and what recovery costs."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from contract.messages import RECORD_BYTES, EventKind
from contract.records import RecordArray, empty_events
from matchbook.bench.interleave import Contestant, Outcome, WrongAnswerError
from matchbook.bench.multicast_child import SESSION, make_records
from matchbook.bench.trial import clock
from phase5_protocol.bench import Recovery, recover
from phase5_protocol.multicast.mold import Packed
from phase5_protocol.multicast.native import MessageStore, MoldPacker, packetise
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import Receiver, ReceiverConfig
from phase5_protocol.multicast.native_udp import MOST_IN_BATCH, UdpSocket

#: What is lost of datagrams, requests and answers; None: there is no network between.
LOSSES: Final[dict[str, float | None]] = {
    "direct": None,
    "loss_0": 0.0,
    "loss_0_1": 0.001,
    "loss_1": 0.01,
    "loss_5": 0.05,
}
#: Made-up times: a datagram every 4 µs (five million messages a second), 50 µs from end to end.
STEP_NS: Final = 4_000
DELAY_NS: Final = 50_000
#: Answers come after 100 µs; a request that was lost itself is repeated after a millisecond.
_CONFIG: Final = ReceiverConfig(
    session=SESSION, reorder_delay_ns=20_000, request_timeout_ns=1_000_000, attempts=20
)
#: Messages of one run of a part: as many as come in one batch of full datagrams, so many times.
_FULL: Final = 22
_BATCH: Final = MOST_IN_BATCH * _FULL
_BATCHES: Final = 20
#: Datagrams of one run through the kernel, and how many at a time; each is a full one.
_DATAGRAMS: Final = 2_000
_AT_ONCE: Final = 32


@dataclass
class RecoveryTrial:
    """A whole session through a network with so much loss, in C."""

    name: str
    records: RecordArray
    out: RecordArray
    loss: float | None
    seed: int
    made: list[Recovery] = field(default_factory=list)
    found: dict[str, int] = field(default_factory=dict)

    def run(self) -> Outcome:
        """Send all, recover what is lost, and compare every byte.

        Raises:
            WrongAnswerError: a message is another than was sent.
            RecoveryError: a message did not come.
        """
        packed = packetise(self.records, SESSION)
        self.out["kind"] = 0
        with Receiver(_CONFIG) as receiver, MessageStore(SESSION) as store:
            store.append_records(self.records)
            network = (
                None
                if self.loss is None
                else LossyNetwork(self.seed, loss=self.loss, delay_ns=DELAY_NS)
            )
            gc.collect()
            started = clock()
            self.made.append(recover(receiver, network, store, packed, self.out, step_ns=STEP_NS))
            seconds = clock() - started
            counted = receiver.counters()
            self.found = {"gaps": counted.gaps, "repeated": counted.repeated, "lost_datagrams": 0}
            if network is not None:
                self.found["lost_datagrams"] = network.counters().lost
                network.close()
        if self.out.tobytes() != self.records.tobytes():
            raise WrongAnswerError(f"{self.name}: other messages than were sent")
        return Outcome(seconds, len(self.records), "")

    def facts(self) -> dict[str, int]:
        """What a results file says of what was lost; the same in every run, by the seed.

        Raises:
            WrongAnswerError: it was not the same.
        """
        if len(set(self.made)) != 1:
            raise WrongAnswerError(f"{self.name}: the same seed, and another history")
        made = self.made[0]
        return {
            **self.found,
            "requests": made.requests,
            "channel_ns": made.steps * STEP_NS,
        }


def recovery_trials(count: int, seed: int) -> list[RecoveryTrial]:
    """The same messages with none, and with more and more of their datagrams lost."""
    records, out = make_records(count), empty_events(count)
    out["kind"] = EventKind.ACCEPTED  # touched once, so that no run pays for it
    return [RecoveryTrial(name, records, out, loss, seed) for name, loss in LOSSES.items()]


@dataclass
class PartTrial:
    """One part of the way, in batches: ``call`` returns seconds, and what came out of it."""

    name: str
    call: Callable[[int], tuple[float, bytes]]
    batches: int
    units: int
    expected: bytes

    def run(self) -> Outcome:
        """Run it and compare what came out of the last batch.

        Raises:
            WrongAnswerError: it is not what went in.
        """
        gc.collect()
        seconds, made = self.call(self.batches)
        if made != self.expected:
            raise WrongAnswerError(f"{self.name}: what comes out is not what went in")
        return Outcome(seconds, self.batches * self.units, "")


def part_trials(quick: bool) -> list[Contestant]:
    """Packing, keeping and receiving: nanoseconds a message."""
    batches = 1 if quick else _BATCHES
    records = make_records(_BATCH)
    raw = records.tobytes()
    packed = packetise(records, SESSION)
    return [
        PartTrial("pack", lambda n: _pack(records, n), batches, _BATCH, _flat(packed)),
        PartTrial("store", lambda n: _store(records, n), batches, _BATCH, raw[-RECORD_BYTES:]),
        PartTrial("receive", lambda n: _receive(packed, n), batches, _BATCH, raw),
    ]


def kernel_trials(quick: bool) -> list[Contestant]:
    """A full datagram into the kernel and out of it again: nanoseconds a datagram."""
    turns = 1 if quick else _DATAGRAMS // _AT_ONCE
    packed = packetise(make_records(_FULL), SESSION)
    datagram = _flat(packed)
    return [
        PartTrial("stdlib", lambda n: _stdlib(datagram, n), turns, _AT_ONCE, datagram),
        PartTrial("batches", lambda n: _kernel(packed, n), turns, _AT_ONCE, datagram),
    ]


def _flat(packed: Packed) -> bytes:
    return b"".join(packed.split())


def _pack(records: RecordArray, batches: int) -> tuple[float, bytes]:
    """Messages into datagrams, as a publisher does it; each batch by a packer that begins anew."""
    seconds = 0.0
    for _ in range(batches):
        with MoldPacker(SESSION) as packer:
            started = clock()
            packed = packer.pack(records)
            seconds += clock() - started
    return seconds, _flat(packed)


def _store(records: RecordArray, batches: int) -> tuple[float, bytes]:
    """Messages into the store that they would be sent again from."""
    with MessageStore(SESSION, capacity_bytes=1 << 20) as store:
        store.append_records(records)  # all of its memory is touched: it is smaller than a batch
        started = clock()
        for _ in range(batches):
            store.append_records(records)
        seconds = clock() - started
        return seconds, store.read(store.next - 1) or b""


def _receive(packed: Packed, batches: int) -> tuple[float, bytes]:
    """Datagrams into messages in order, as a subscriber does it; without a socket."""
    seconds = 0.0
    for _ in range(batches):
        with Receiver(ReceiverConfig(session=SESSION, window_messages=1 << 13)) as receiver:
            started = clock()
            receiver.put_many(packed, 0)
            delivery = receiver.take()
            seconds += clock() - started
    return seconds, delivery.data.tobytes()


def _kernel(packed: Packed, turns: int) -> tuple[float, bytes]:
    """Full datagrams to a socket of this machine and back out of it, a batch a call."""
    many = Packed(packed.arena, np.repeat(packed.datagrams, _AT_ONCE))
    with UdpSocket(receive_bytes=1 << 20, batch=_AT_ONCE) as there, UdpSocket() as here:
        to = there.endpoint
        started = clock()
        for _ in range(turns):
            here.send_packed(to, many)
            got = there.receive_packed()
        seconds = clock() - started
        parts = list(got.split())
    return seconds, parts[-1] if len(parts) == _AT_ONCE else b""


def _stdlib(datagram: bytes, turns: int) -> tuple[float, bytes]:
    """The same with the standard library, a datagram a call."""
    family: Any = (socket.AF_INET, socket.SOCK_DGRAM)
    with socket.socket(*family) as there, socket.socket(*family) as here:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        there.bind(("127.0.0.1", 0))
        there.settimeout(1.0)
        here.connect(there.getsockname())
        send, receive = here.send, there.recv
        started = clock()
        for _ in range(turns):
            for _ in range(_AT_ONCE):
                send(datagram)
            for _ in range(_AT_ONCE):
                got = receive(2048)
        seconds = clock() - started
    return seconds, got
