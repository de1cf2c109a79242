"""What a subscriber that never reads costs the publisher: its own time in ``publish``."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from contract.records import RecordArray
from matchbook.bench.interleave import Outcome, WrongAnswerError
from matchbook.bench.multicast_child import DATAGRAMS_AT_ONCE, SESSION, make_records
from matchbook.bench.trial import clock
from phase5_protocol.multicast.mold import DeliveryKind
from phase5_protocol.multicast.native import MessageStore
from phase5_protocol.multicast.native_receiver import ReceiverConfig
from phase5_protocol.multicast.native_udp import Endpoint, UdpSocket
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.subscriber import Subscriber

#: Messages of one ``publish``: full datagrams, as many as are handed to the kernel at once.
_PART: Final = DATAGRAMS_AT_ONCE * 22
_PARTS: Final = 125
_QUICK_PARTS: Final = 2
#: Published before anything is timed: the store has then touched all its memory, and the queue of
#: one that never reads is full.
_FIRST_PARTS: Final = 6
_STORE_BYTES: Final = 1 << 18
_STORE_MESSAGES: Final = 1 << 12
#: What the kernel queues for one that never reads; small, so that it is full before long.
_DEAD_BYTES: Final = 1 << 16
#: And for a second one that reads, which is never behind by more than one ``publish``.
_SECOND_BYTES: Final = 1 << 20
_SLEEP_S: Final = 0.01
_TRIES: Final = 500


@dataclass
class DeadTrial:
    """A session to one subscriber that reads, alone or beside another in the same group.

    The other never reads; or it does, as a control: what does a second member cost by itself?

    The one that reads does so in this thread, between two calls of ``publish``: nobody has to be
    woken, and nothing but ``publish`` is timed.

    Attributes:
        records: to publish; those before ``untimed`` are not timed.
        other: "" for nobody else, "dead" for one that never reads, "reads" for one that does.
        datagrams: published, in each run.
        drops: of them, thrown away by the kernel for the dead one's sake; -1: not known.
    """

    name: str
    group: str
    records: RecordArray
    untimed: int
    other: str
    datagrams: list[int] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)

    def run(self) -> Outcome:
        """Publish all, and verify every byte that the one who reads gets.

        Raises:
            WrongAnswerError: a message was lost or is another, or the dead one was not sent all.
        """
        config = ReceiverConfig(session=SESSION)
        with (
            MessageStore(SESSION, 1, _STORE_BYTES, _STORE_MESSAGES) as store,
            Subscriber([Endpoint(self.group, 0)], config=config) as reader,
            self._other_one(reader.lines[0].port) as other,
            Publisher(SESSION, reader.lines, store=store) as publisher,
        ):
            gc.collect()
            seconds, others = 0.0, 0
            for at in range(0, len(self.records), _PART):
                part = self.records[at : at + _PART]
                started = clock()
                publisher.publish(part)
                took = clock() - started
                if at >= self.untimed:
                    seconds += took
                self._read(reader, part)
                if other is not None and self.other == "reads":
                    others += _drain(other)
            sent = publisher.counters.datagrams
            self.datagrams.append(sent)
            if other is not None and self.other == "dead":
                self.drops.append(self._drops(other, sent))
            elif other is not None and others != sent:
                raise WrongAnswerError(f"{self.name}: the other has {others:,} of {sent:,}")
        return Outcome(seconds, len(self.records) - self.untimed, "")

    def facts(self) -> dict[str, int]:
        """What a results file says of what the dead one was sent, all runs together."""
        if self.other != "dead":
            return {}
        drops = -1 if -1 in self.drops else sum(self.drops)
        return {"datagrams": sum(self.datagrams), "kernel_drops": drops}

    @contextlib.contextmanager
    def _other_one(self, port: int) -> Iterator[UdpSocket | None]:
        """A socket that joins the group, if there is to be one."""
        if not self.other:
            yield None
            return
        room = _DEAD_BYTES if self.other == "dead" else _SECOND_BYTES
        with UdpSocket(group=self.group, port=port, receive_bytes=room) as other:
            yield other

    def _read(self, reader: Subscriber, part: RecordArray) -> None:
        """Take the messages that were just published, and compare them."""
        got = b""
        for _ in range(_TRIES):
            reader.poll(_SLEEP_S)
            delivery = reader.take()
            if delivery.kind is DeliveryKind.MESSAGES:
                got += delivery.data.tobytes()
            if len(got) >= part.nbytes:
                break
        if got != part.tobytes():
            raise WrongAnswerError(f"{self.name}: the messages that came are not those sent")

    def _drops(self, dead: UdpSocket, sent: int) -> int:
        """What the kernel threw away; with what it still holds, that is all that was sent."""
        drops, held = dead.drops, _drain(dead)
        if not 0 < held < sent or (drops is not None and drops + held != sent):
            raise WrongAnswerError(
                f"{self.name}: of {sent:,} datagrams the kernel holds {held:,}, dropped {drops}"
            )
        return -1 if drops is None else drops


def _drain(socket: UdpSocket) -> int:
    """Take everything that waits in a socket; how many datagrams."""
    taken = 0
    while count := len(socket.receive_packed().datagrams):
        taken += count
    return taken


#: Who else is in the group, by the contestant's name.
OTHERS: Final = {"alive": "", "both": "reads", "dead": "dead"}


def dead_trials(quick: bool, group: str) -> list[DeadTrial]:
    """One subscriber that reads; and the same beside one that does too, or does not."""
    untimed = _FIRST_PARTS * _PART
    records = make_records(untimed + (_QUICK_PARTS if quick else _PARTS) * _PART)
    return [DeadTrial(name, group, records, untimed, other) for name, other in OTHERS.items()]
