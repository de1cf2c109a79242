"""Lines for tests: a group nobody else uses, or loopback unicast where there is no multicast."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest

from contract.messages import EventKind
from contract.records import RecordArray, empty_events
from phase5_protocol.multicast.mold import DeliveryKind
from phase5_protocol.multicast.native_udp import LOOPBACK, Endpoint, multicast_problem
from phase5_protocol.multicast.subscriber import Subscriber

_numbers = itertools.count()


@pytest.fixture(scope="session")
def no_multicast() -> str | None:
    """Why there is no multicast on this machine's loopback interface; None: there is."""
    return multicast_problem(_group())


def _group() -> str:
    """A group of this process; the port is the system's choice, and unique anyhow."""
    number = next(_numbers)
    return f"239.255.{os.getpid() % 250 + 1}.{number % 250 + 1}"


@pytest.fixture
def new_group(no_multicast: str | None) -> Callable[[], Endpoint]:
    """Makes groups; a named skip where there is no multicast."""
    if no_multicast is not None:
        pytest.skip(f"no multicast on the loopback interface: {no_multicast}")
    return lambda: Endpoint(_group(), 0)


@pytest.fixture
def new_line(no_multicast: str | None) -> Callable[[], Endpoint]:
    """Makes lines to listen at, with a port of the system's choice: groups if that is possible."""
    return lambda: Endpoint(LOOPBACK if no_multicast else _group(), 0)


@pytest.fixture
def events() -> RecordArray:
    """Twenty thousand distinct event records, shape (20000,)."""
    return make_events(20_000)


def make_events(count: int) -> RecordArray:
    """Records that look like events; each differs from every other."""
    made = empty_events(count)
    made["sequence"] = np.arange(1, count + 1)
    made["order_id"] = np.arange(count) * 7919 + 1
    made["kind"] = EventKind.ACCEPTED
    return made


class Collected:
    """What came out of a subscriber: bytes of the messages, and the numbers that were lost."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost: list[int] = []
        self.ended = False

    def take_from(self, subscriber: Subscriber) -> None:
        """Take all there is now."""
        while (delivery := subscriber.take()).kind is not DeliveryKind.NOTHING:
            if delivery.kind is DeliveryKind.END:
                self.ended = True
                return
            if delivery.kind is DeliveryKind.LOST:
                self.lost += range(delivery.first, delivery.first + delivery.count)
            self.data += delivery.data.tobytes()

    def to_the_end(self, subscriber: Subscriber) -> None:
        """Poll and take until the session has ended."""
        while not self.ended:
            subscriber.poll(0.01)
            self.take_from(subscriber)


def destinations(subscribers: Iterable[Subscriber]) -> list[Endpoint]:
    """Every line that somebody listens to, once: a group reaches many, an address one."""
    return list(dict.fromkeys(line for each in subscribers for line in each.lines))


def until(condition: Callable[[], bool]) -> None:
    """Look until it is so: for what another thread does right after what the test can see."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen within a minute"


def parts(events: RecordArray, size: int) -> Iterator[RecordArray]:
    """The events in pieces, as an engine brings them."""
    for at in range(0, len(events), size):
        yield events[at : at + size]
