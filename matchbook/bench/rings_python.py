"""Records from Python to Python: through queues, pipes and rings, in one interpreter or in two.

::

    threads      producer thread ─▶ channel ─▶ main thread
    processes    this process, one core ─▶ channel ─▶ child process, the other core
    with C       Python thread ─▶ ring ─▶ C, without the interpreter's lock;   and the other way

The records are made before the clock starts and verified after it has stopped: their number, and
the SHA-256 of all their bytes in order. One child serves all channels and all runs, so that nobody
pays for starting it; its clock is the machine's, the same in every process.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.context import SpawnContext
from typing import Any, Final, Self

import numpy as np

from contract.messages import RECORD_BYTES
from matchbook.bench.interleave import Outcome, WrongAnswerError
from matchbook.bench.rings_channels import (
    Channel,
    DequeChannel,
    LockedRingChannel,
    PipeChannel,
    PlaceRingChannel,
    ProcessQueueChannel,
    QueueChannel,
    RingChannel,
    SimpleQueueChannel,
    SpinningRingChannel,
)
from matchbook.bench.rings_child import ECHO, END, RECEIVE, Order, digest, pin, serve
from phase4_ring import bench
from phase4_ring.bench import Nanoseconds, Plan

THREAD_CHANNELS: Final[tuple[type[Channel], ...]] = (
    QueueChannel,
    DequeChannel,
    SimpleQueueChannel,
    PlaceRingChannel,
    RingChannel,
)
Maker = Callable[[int, SpawnContext], Channel]
PROCESS_CHANNELS: Final[dict[str, Maker]] = {
    ProcessQueueChannel.name: ProcessQueueChannel,
    LockedRingChannel.name: LockedRingChannel,
    PipeChannel.name: PipeChannel,
    PlaceRingChannel.name: lambda size, _: PlaceRingChannel(size, shared=True),
    SpinningRingChannel.name: lambda size, _: SpinningRingChannel(size, shared=True),
    RingChannel.name: lambda size, _: RingChannel(size, shared=True),
}
_TIMEOUT_S: Final = 60.0


@lru_cache(maxsize=4)
def make_parts(count: int, part_records: int) -> tuple[list[bytes], str]:
    """The records 0 to ``count`` - 1, cut into parts, and their SHA-256."""
    data = bench.source(count).tobytes()
    size = part_records * RECORD_BYTES
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return parts, digest(parts)


def check(name: str, got: str, expected: str) -> None:
    """Accept an answer.

    Raises:
        WrongAnswerError: it is another.
    """
    if got != expected:
        raise WrongAnswerError(f"{name}: records with SHA-256 {got}, not {expected}")


@dataclass
class ThreadTrial:
    """A producer thread and a consumer, in one interpreter."""

    name: str
    channel: type[Channel]
    records: int
    part_records: int

    def run(self) -> Outcome:
        """Send all records through a new channel."""
        parts, expected = make_parts(self.records, self.part_records)
        channel = self.channel(self.part_records * RECORD_BYTES)
        with running(lambda: channel.send(parts)) as begin:
            started = begin()
            got = channel.receive(len(parts))
            seconds = time.monotonic() - started
        answer = digest(got)
        check(self.name, answer, expected)
        channel.close()
        return Outcome(seconds, self.records, answer)


@dataclass
class DrainTrial:
    """A Python thread that pushes, and C that pops and verifies."""

    name: str
    records: int
    part_records: int

    def run(self) -> Outcome:
        """Send all records through a new ring."""
        parts, expected = make_parts(self.records, self.part_records)
        channel = RingChannel(self.part_records * RECORD_BYTES)
        plan = c_plan(self.records)
        with running(lambda: bench.drain(channel.ring, plan)) as begin:
            started = begin()
            channel.send(parts)
        seconds = time.monotonic() - started
        channel.close()
        return Outcome(seconds, self.records, expected)  # drain() has verified all bytes


@dataclass
class FeedTrial:
    """C that pushes, and a Python thread that pops."""

    name: str
    records: int
    part_records: int

    def run(self) -> Outcome:
        """Get all records out of a new ring."""
        parts, expected = make_parts(self.records, self.part_records)
        channel = RingChannel(self.part_records * RECORD_BYTES)
        plan = c_plan(self.records)
        with running(lambda: bench.feed(channel.ring, plan)) as begin:
            started = begin()
            got = channel.receive(len(parts))
            seconds = time.monotonic() - started
        answer = digest(got)
        check(self.name, answer, expected)
        channel.close()
        return Outcome(seconds, self.records, answer)


def c_plan(records: int) -> Plan:
    """What the C side of a transfer does: batches, on whichever core is free."""
    return Plan(way="batches", wait=RingChannel.wait, items=records)


@contextmanager
def running(body: Callable[[], Any]) -> Iterator[Callable[[], float]]:
    """A thread that waits for a signal and then runs ``body``; yields what gives the signal.

    That returns the moment at which both were let go. At the end the thread is joined, and what it
    raised is raised here.
    """
    ready, go = threading.Event(), threading.Event()
    begun: list[float] = []
    trouble: list[BaseException] = []

    def run() -> None:
        ready.set()
        go.wait()
        if begun:
            try:
                body()
            except BaseException as error:
                trouble.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def begin() -> float:
        ready.wait(_TIMEOUT_S)
        begun.append(time.monotonic())
        go.set()
        return begun[0]

    try:
        yield begin
    finally:
        go.set()  # where the signal was never given, the thread ends without it
        thread.join()
    if trouble:
        raise trouble[0]


class Child:
    """A process at the other end of channels, and those channels.

    Args:
        channels: by name; each is sent to the child.
        cores: of this process and of the child.
    """

    def __init__(self, channels: dict[str, Channel], cores: tuple[int, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.channels = channels
        self._orders, childs = context.Pipe()
        arguments = (childs, channels, cores[1])
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        try:
            self._process.start()
        except BaseException:
            close_all(channels)  # a shared ring's name would stay for ever
            raise
        childs.close()
        pin(cores[0])

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.is_alive()

    def order(self, order: Order) -> None:
        """Tell it, and wait until it is at it."""
        self._orders.send(order)
        self.answer()

    def answer(self) -> Any:
        """What it says next.

        Raises:
            WrongAnswerError: it says nothing.
        """
        if not self._orders.poll(_TIMEOUT_S):
            raise WrongAnswerError("the child process does not answer")
        return self._orders.recv()

    def close(self) -> None:
        """End it, close the channels, and leave this process's core."""
        if self.alive:
            self._orders.send(Order(END))
        self._process.join(_TIMEOUT_S)
        if self.alive:
            self._process.kill()
        self._orders.close()
        close_all(self.channels)
        if self._allowed is not None:
            os.sched_setaffinity(0, self._allowed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def make_channels(part_sizes: Iterable[int]) -> dict[str, Channel]:
    """A channel of each kind for each part size, ``KIND.RECORDS``; and a way ``KIND.back``."""
    context = multiprocessing.get_context("spawn")
    channels: dict[str, Channel] = {}
    try:
        for name, make in PROCESS_CHANNELS.items():
            for records in part_sizes:
                channels[f"{name}.{records}"] = make(records * RECORD_BYTES, context)
            channels[f"{name}.back"] = make(RECORD_BYTES, context)
    except BaseException:
        close_all(channels)
        raise
    return channels


def close_all(channels: dict[str, Channel]) -> None:
    """Close every channel."""
    for channel in channels.values():
        channel.close()


@dataclass
class ProcessTrial:
    """Records from this process to the child."""

    name: str
    child: Child
    kind: str
    records: int
    part_records: int

    def run(self) -> Outcome:
        """Send all of them."""
        parts, expected = make_parts(self.records, self.part_records)
        key = f"{self.kind}.{self.part_records}"
        self.child.order(Order(RECEIVE, key, parts=len(parts)))
        started = time.monotonic()
        self.child.channels[key].send(parts)
        ended, count, answer = self.child.answer()
        if count != len(parts):
            raise WrongAnswerError(f"{self.name}: {count:,} parts arrived, not {len(parts):,}")
        check(self.name, answer, expected)
        return Outcome(ended - started, self.records, answer)


def time_process_trips(child: Child, kind: str, records: int) -> Nanoseconds:
    """Records to the child and back, one after the other; each one's time."""
    parts, _ = make_parts(records, 1)
    there, back = f"{kind}.1", f"{kind}.back"
    child.order(Order(ECHO, there, back, len(parts)))
    return trip_times(kind, child.channels[there], child.channels[back], parts)


def time_thread_trips(name: str, kind: type[Channel], records: int) -> Nanoseconds:
    """Records there and back between two threads, one after the other; each one's time."""
    parts, _ = make_parts(records, 1)
    there, back = kind(RECORD_BYTES), kind(RECORD_BYTES)

    def send_back() -> None:
        get, put = there.get, back.put
        for _ in parts:
            put(get())

    with running(send_back) as begin:
        begin()
        times = trip_times(name, there, back, parts)
    there.close()
    back.close()
    return times


def trip_times(name: str, there: Channel, back: Channel, parts: list[bytes]) -> Nanoseconds:
    """Nanoseconds of each part's trip.

    Raises:
        WrongAnswerError: what came back is not what was sent.
    """
    times = np.empty(len(parts), np.uint32)
    put, get = there.put, back.get
    clock = time.perf_counter_ns
    answers = []
    last = clock()
    for place, part in enumerate(parts):
        put(part)
        answers.append(get())
        now = clock()
        times[place] = min(now - last, 2**32 - 1)
        last = now
    check(name, digest(answers), digest(parts))
    return times
