"""Who listens in the tour: subscribers in threads that end before what they use is freed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from typing import Final

from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import Delivery, ReceiverConfig
from phase5_protocol.multicast.native_udp import LOOPBACK, Endpoint
from phase5_protocol.multicast.retransmission import RequestServer
from phase5_protocol.multicast.subscriber import Subscriber

GROUP: Final = "239.255.77.5"
SESSION: Final = "TOUR"
PATIENT: Final = ReceiverConfig(
    session=SESSION, attempts=30, reorder_delay_ns=500_000, request_timeout_ns=5_000_000
)


@contextmanager
def in_thread(work: Callable[[], object], stop: Callable[[], None]) -> Iterator[None]:
    """Work in a thread beside the block; the block ends after it, whatever ends it.

    What the thread uses in C is freed behind the block, and must not be under its hands. A future
    says when it has ended: ``Thread.join``, once interrupted by Ctrl-C, may take a running thread
    for one that has ended.

    Raises:
        BaseException: whatever the work failed with.
    """
    done: Future[object] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as failure:
            done.set_exception(failure)

    thread = threading.Thread(target=run, name="tour")
    try:
        thread.start()
        yield
        done.result()
    finally:
        stop()
        if thread.ident is not None:
            wait([done])
            thread.join()


class Listener:
    """A subscriber, and what it has heard."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.digest = hashlib.blake2b(digest_size=16)
        self.messages = 0

    def _hear(self, delivery: Delivery) -> None:
        self.digest.update(delivery.data.tobytes())
        self.messages += len(delivery.data)

    def run(self) -> None:
        """Hear everything until the session ends, or until the subscriber is stopped."""
        self.subscriber.run(self._hear)


@contextmanager
def hearing(listeners: Sequence[Listener]) -> Iterator[None]:
    """Each runs in a thread of its own beside the block, to the end of the session."""
    with ExitStack() as stack:
        for each in listeners:
            stack.enter_context(in_thread(each.run, each.subscriber.stop))
        yield


@contextmanager
def listen(
    count: int, requests: RequestServer, problem: str | None, networks: Sequence[LossyNetwork]
) -> Iterator[list[Listener]]:
    """Subscribers to one group, or to an address each where there are no groups."""
    line = Endpoint(LOOPBACK if problem else GROUP, 0)
    listeners: list[Listener] = []
    with ExitStack() as stack:
        for number in range(count):
            subscriber = Subscriber(
                [line],
                requests_to=[requests.endpoint],
                config=PATIENT,
                network=networks[number] if networks else None,
                gap_log=100_000,
            )
            listeners.append(Listener(stack.enter_context(subscriber)))
            if not problem:
                line = subscriber.lines[0]
        yield listeners


def destinations(listeners: Sequence[Listener]) -> list[Endpoint]:
    """Each group or address once."""
    return list(dict.fromkeys(each.subscriber.lines[0] for each in listeners))
