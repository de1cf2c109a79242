"""The process that publishes: it sends what it is told to, and says how that went."""

from __future__ import annotations

import gc
import os
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

import numpy as np

from contract.messages import RECORD_BYTES, EventKind
from contract.records import RecordArray, empty_events
from matchbook.bench.rings_child import pin
from phase5_protocol.multicast.native import MessageStore
from phase5_protocol.multicast.native_udp import Endpoint, clock_ns
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.retransmission import RequestServer

SESSION: Final = "BENCH"
#: Header of a datagram, and what a message takes in it.
HEADER_BYTES: Final = 20
MESSAGE_BYTES: Final = 2 + RECORD_BYTES
#: Datagrams handed to the kernel at once, and most under way: what its smallest usual buffer holds.
DATAGRAMS_AT_ONCE: Final = 32
DATAGRAMS_UNDER_WAY: Final = 128
#: Of what is kept for those who ask: a quarter of a million messages.
_STORE_BYTES: Final = 1 << 24
_STORE_MESSAGES: Final = 1 << 18
#: How often requests are looked after while messages are due.
_SERVE_EVERY_NS: Final = 200_000
_HEARTBEAT_S: Final = 0.01
#: Odd numbers that scatter a message's own over its fields.
_FACTORS: Final = {
    "order_id": 0x9E3779B97F4A7C15,
    "price": 0xC2B2AE3D27D4EB4F,
    "quantity": 0x165667B19E3779F9,
    "leaves": 0x27D4EB2F165667C5,
}


class Order(NamedTuple):
    """What to publish, and to whom.

    Attributes:
        to: the subscriber's line.
        records: how many messages.
        packing: messages in a datagram, at most.
        per_second: messages that are due, stamped with when they are; 0: as fast as they arrive.
    """

    to: Endpoint
    records: int
    packing: int
    per_second: int = 0


class Published(NamedTuple):
    """How it went.

    Attributes:
        started_ns: when the first message was published, or was due.
        latest_ns: how long after a message was due it was published, at the most.
        datagrams: sent; unsent: not taken by the kernel.
        answers: to requests.
    """

    started_ns: int
    latest_ns: int
    datagrams: int
    unsent: int
    answers: int


def make_records(count: int) -> RecordArray:
    """Events of a long day, shape (count,); each has bytes of its own, the same in any process."""
    numbers = np.arange(1, count + 1, dtype=np.uint64)
    made = empty_events(count)
    made["sequence"] = numbers
    made["kind"] = EventKind.ACCEPTED
    for name, factor in _FACTORS.items():
        made[name] = numbers * np.uint64(factor) >> np.uint64(24)
    return made


def due_times(started_ns: int, count: int, per_second: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """When each message is due, shape (count,)."""
    return np.uint64(started_ns) + np.arange(count, dtype=np.uint64) * np.uint64(
        10**9
    ) // np.uint64(per_second)


def serve(orders: Connection, arrived: Any, core: int) -> None:
    """Publish what is ordered until told to end. The body of the child process.

    Args:
        orders: a new session for each order: says where to send requests, gets the order, says how
            it went, and answers requests until it is told that all has arrived. None ends it.
        arrived: a number in shared memory: messages that the subscriber has taken.
        core: to stay on.
    """
    pin(core)
    while True:
        with RequestServer(MessageStore(SESSION, 1, _STORE_BYTES, _STORE_MESSAGES)) as requests:
            orders.send(requests.endpoint)
            order: Order | None = orders.recv()
            if order is None:
                return
            limit = HEADER_BYTES + order.packing * MESSAGE_BYTES
            with Publisher(
                SESSION,
                [order.to],
                store=requests.store,
                datagram_bytes=limit,
                heartbeat_s=_HEARTBEAT_S,
            ) as publisher:
                records = make_records(order.records)
                gc.collect()
                send = publish_paced if order.per_second else publish_all
                started, latest = send(publisher, requests, records, order, arrived)
                while not orders.poll():
                    publisher.tick()
                    requests.serve()
                orders.recv()
                sent = publisher.counters
                orders.send(
                    Published(
                        started,
                        latest,
                        sent.datagrams,
                        sum(sent.unsent.values()),
                        requests.counters.answered,
                    )
                )


def publish_all(
    publisher: Publisher, requests: RequestServer, records: RecordArray, order: Order, arrived: Any
) -> tuple[int, int]:
    """Publish as fast as messages arrive: never more under way than a kernel's buffer holds.

    A real publisher waits for nobody; this one does so that what is measured is what arrives.
    """
    part = DATAGRAMS_AT_ONCE * order.packing
    most = DATAGRAMS_UNDER_WAY * order.packing
    started = clock_ns()
    for at in range(0, len(records), part):
        while at + part - arrived.value > most:
            give_way()
            if clock_ns() - started > _SERVE_EVERY_NS:
                requests.serve()
        publisher.publish(records[at : at + part])
    return started, 0


def publish_paced(
    publisher: Publisher, requests: RequestServer, records: RecordArray, order: Order, arrived: Any
) -> tuple[int, int]:
    """Publish each message when it is due, or as soon after as can be, whatever arrives."""
    count, rate = len(records), order.per_second
    started = clock_ns() + 5_000_000
    due = due_times(started, count, rate)
    records["timestamp_ns"] = due
    latest, served, sent = 0, started, 0
    while sent < count:
        now = clock_ns()
        ready = min(count, (now - started) * rate // 10**9 + 1)
        if ready > sent:
            publisher.publish(records[sent:ready])
            latest = max(latest, now - int(due[sent]))
            sent = ready
        if now - served > _SERVE_EVERY_NS:
            requests.serve()
            served = now
    return started, latest


def give_way() -> None:
    """Let another process have this core, where it can be said; for machines with only one."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()
