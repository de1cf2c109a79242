"""A publisher and its request server, served by a thread of their own.

::

    any thread ── publish ──▶ ┌ lock ─────────────────────────┐ ──▶ groups
                              │ publisher · store · answers   │
    subscribers ── request ─▶ └───────────▲───────────────────┘ ──▶ one subscriber
                                          └ the thread: heartbeats, delayed flushes, answers

The lock is held for one ``publish`` or for one batch of answers, neither of which waits for
anybody, and it is given to whoever came first: so an engine that publishes waits for its own
sending and for at most one batch of answers, however many requests come in.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Self

from contract.errors import MatchbookError
from phase5_protocol.multicast.native_udp import Endpoint, clock_ns, wait_any
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.retransmission import RequestServer

#: How long the thread sleeps without a look around.
_LOOK_AROUND_S: Final = 0.02


class FairLock:
    """A lock handed over in the order of arrival.

    ``threading.Lock`` may go to the same thread again and again while another one waits, and the
    one that serves requests does nothing but take it as long as there are requests.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._mutex:
            if not self._held:
                self._held = True
                return
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        try:
            gate.acquire()  # whoever leaves opens it, and the lock is ours
        except BaseException:
            with self._mutex:
                still_waits = gate in self._waiting
                if still_waits:
                    self._waiting.remove(gate)
            if not still_waits:
                self.__exit__()
            raise

    def __exit__(self, *exc_info: object) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class Channel:
    """Takes over a publisher and a request server until it is closed."""

    def __init__(self, publisher: Publisher, requests: RequestServer) -> None:
        if requests.store is not publisher.store:
            raise ValueError("the request server answers from another publisher's store")
        self.publisher = publisher
        self.requests = requests
        self._lock = FairLock()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        name = f"channel {publisher.session}"
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> Endpoint:
        """Where to send requests."""
        return self.requests.endpoint

    def publish(self, records: Any, record_bytes: int = 64) -> int:
        """As ``Publisher.publish``; from any thread.

        Raises:
            MatchbookError: heartbeats and answers have ended, because their thread has failed.
        """
        self._check()
        with self._lock:
            return self.publisher.publish(records, record_bytes)

    def publish_messages(self, messages: Sequence[bytes]) -> int:
        """As ``Publisher.publish_messages``; from any thread.

        Raises:
            MatchbookError: as ``publish``.
        """
        self._check()
        with self._lock:
            return self.publisher.publish_messages(messages)

    def end(self) -> None:
        """End the session; requests are still answered until ``close``."""
        with self._lock:
            self.publisher.end()

    def _check(self) -> None:
        if self._failure is not None:
            what = f"channel {self.publisher.session}: its thread has failed: {self._failure}"
            raise MatchbookError(what) from self._failure

    def _serve(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    due = self.publisher.tick()
                    busy = self.requests.serve()
                if not busy:
                    wait_s = min((due - clock_ns()) / 1e9, _LOOK_AROUND_S)
                    wait_any([self.requests.socket], max(wait_s, 0.0))
        except BaseException as failure:
            self._failure = failure

    def close(self) -> None:
        """Stop the thread, end the session, free the sockets. Twice is harmless.

        Raises:
            Exception: whatever the thread failed with.
        """
        self._stop.set()
        self._thread.join()
        self.publisher.close()
        self.requests.close()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
