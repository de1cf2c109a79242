"""From a process that publishes to this one, which subscribes: over a group, or loopback alone."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

import numpy as np

from contract.floor import Nanoseconds
from contract.messages import EventKind
from contract.records import EVENT_DTYPE, RecordArray, empty_events
from matchbook.bench.interleave import Outcome, WrongAnswerError
from matchbook.bench.multicast_child import (
    SESSION,
    Order,
    Published,
    due_times,
    make_records,
    serve,
)
from matchbook.bench.rings_child import pin
from phase5_protocol.multicast.mold import DeliveryKind
from phase5_protocol.multicast.native_receiver import ReceiverConfig
from phase5_protocol.multicast.native_udp import LOOPBACK, Endpoint, clock_ns, multicast_problem
from phase5_protocol.multicast.subscriber import Subscriber

_TIMEOUT_S: Final = 60.0
_PARTING_S: Final = 2.0
#: How long a subscriber without a core of its own sleeps in the kernel, at the most.
_SLEEP_S: Final = 0.01
_CONFIG: Final = ReceiverConfig(session=SESSION, attempts=50)


class Arrival(NamedTuple):
    """What a subscriber got.

    Attributes:
        records: in order, verified; gone when the next session arrives.
        taken: how many were there after each delivery, and moments: when, both shape (n,).
        published: how it went on the other side.
        losses: ``kernel_drops`` (-1: not known), ``gaps`` and ``requests``.
    """

    records: RecordArray
    taken: np.ndarray[Any, np.dtype[np.int64]]
    moments: np.ndarray[Any, np.dtype[np.int64]]
    published: Published
    losses: dict[str, int]

    @property
    def seconds(self) -> float:
        """From the first message published to the last one taken."""
        return (int(self.moments[-1]) - self.published.started_ns) / 1e9

    def latencies(self) -> Nanoseconds:
        """Of each message, from when it was due to when it was taken, shape (n,).

        More than four seconds stand as four seconds.
        """
        when = np.repeat(self.moments, np.diff(self.taken, prepend=0))
        times = when - self.records["timestamp_ns"].astype(np.int64)
        clipped: Nanoseconds = np.clip(times, 0, 2**32 - 1).astype(np.uint32)
        return clipped


def own_group() -> str:
    """A group of this process's own."""
    number = os.getpid()
    return f"239.255.{number % 250 + 1}.{number // 250 % 250 + 1}"


class Link:
    """A process that publishes, and a subscriber for each session in this one.

    Args:
        cores: of the publisher and of this process. On one core for both, nobody spins.
        room: most messages of a session.
    """

    def __init__(self, cores: tuple[int, ...], room: int) -> None:
        context = multiprocessing.get_context("spawn")
        group = own_group()
        #: Why there is no multicast here; None: there is.
        self.problem = multicast_problem(group)
        self._line = Endpoint(LOOPBACK if self.problem else group, 0)
        self._patience_s = 0.0 if len(set(cores)) == len(cores) else _SLEEP_S
        self._into = empty_events(room)
        self._into["kind"] = EventKind.ACCEPTED  # touched once, so that no session pays for it
        self._expected = make_records(room)
        self._arrived = context.RawValue(ctypes.c_uint64, 0)
        self._orders, childs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(childs, self._arrived, cores[0]), daemon=True
        )
        self._allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        self._process.start()
        childs.close()
        pin(cores[1])

    @property
    def transport(self) -> str:
        """What datagrams are sent to: a group, or where there is none, this machine's address."""
        return "unicast" if self.problem else "multicast"

    def carry(self, name: str, records: int, packing: int, per_second: int = 0) -> Arrival:
        """Have a session published, take all of it, and verify every byte.

        Raises:
            WrongAnswerError: a message was lost, or is another.
        """
        requests_to = self._answer(name)
        gc.collect()
        self._arrived.value = 0
        with Subscriber([self._line], requests_to=[requests_to], config=_CONFIG) as subscriber:
            self._orders.send(Order(subscriber.lines[0], records, packing, per_second))
            taken, moments = self._collect(name, subscriber, records)
            counted = subscriber.receiver.counters()
            drops = subscriber.kernel_drops
            losses = {
                "kernel_drops": -1 if drops is None else drops,
                "gaps": counted.gaps,
                "requests": counted.requests,
            }
        self._orders.send(None)
        published: Published = self._answer(name)
        expected = self._expected[:records].copy()
        if per_second:
            expected["timestamp_ns"] = due_times(published.started_ns, records, per_second)
        got = self._into[:records]
        if got.tobytes() != expected.tobytes():
            raise WrongAnswerError(f"{name}: the messages that came are not those that were sent")
        return Arrival(got, np.array(taken), np.array(moments), published, losses)

    def _collect(
        self, name: str, subscriber: Subscriber, records: int
    ) -> tuple[list[int], list[int]]:
        """Take messages until all are there; how many were, and when."""
        into, arrived, patience = self._into, self._arrived, self._patience_s
        taken: list[int] = []
        moments: list[int] = []
        got, give_up = 0, clock_ns() + int(_TIMEOUT_S * 1e9)
        while got < records:
            subscriber.poll(patience)
            delivery = subscriber.take()
            if delivery.kind is DeliveryKind.MESSAGES:
                moments.append(clock_ns())
                end = got + delivery.count
                into[got:end] = delivery.data.view(EVENT_DTYPE)[:, 0]
                got = end
                arrived.value = got
                taken.append(got)
            elif delivery.kind is not DeliveryKind.NOTHING or clock_ns() > give_up:
                raise WrongAnswerError(f"{name}: {got:,} of {records:,} messages came, then none")
        return taken, moments

    def _answer(self, name: str) -> Any:
        if not self._orders.poll(_TIMEOUT_S):
            raise WrongAnswerError(f"{name}: the process that publishes does not answer")
        try:
            return self._orders.recv()
        except EOFError as error:
            raise WrongAnswerError(f"{name}: the process that publishes has ended") from error

    def close(self) -> None:
        """End the process, whatever it is at, and leave this one's core."""
        with contextlib.suppress(OSError):
            self._orders.send(None)
        self._process.join(_PARTING_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._orders.close()
        if self._allowed is not None:
            os.sched_setaffinity(0, self._allowed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


@dataclass
class PackingTrial:
    """A session with so many messages in a datagram, as fast as they arrive."""

    name: str
    link: Link
    records: int
    packing: int
    losses: list[dict[str, int]] = field(default_factory=list)
    datagrams: list[int] = field(default_factory=list)

    def run(self) -> Outcome:
        """Carry it; what was lost on the way and asked for again is noted."""
        arrival = self.link.carry(self.name, self.records, self.packing)
        self.losses.append(arrival.losses)
        self.datagrams.append(arrival.published.datagrams)
        return Outcome(arrival.seconds, self.records, "")
