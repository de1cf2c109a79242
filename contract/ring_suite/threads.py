"""Two threads and more: what a ring is for."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np
import pytest

from contract.ring import CURSORS, RingClosedError, Rows
from contract.ring_suite.base import EDGES, RingBase
from contract.ring_suite.records import as_list, make_rows, names, numbered, told

#: Nothing here takes longer than this unless somebody waits for what never comes.
TIME_LIMIT_S: Final = 60.0
#: Later than that, and yet an end: a thread that nobody wakes has failed the test long before, and
#: does not stay asleep for all the tests after it.
FAR_OFF_S: Final = 90.0


class ThreadRules(RingBase):
    """One producer thread and one consumer thread."""

    #: How many records go through a large ring. Fewer where who waits keeps its core.
    records: ClassVar[int] = 6_000

    @pytest.mark.parametrize("start", [0, *EDGES])
    @pytest.mark.parametrize(("capacity", "batch"), [(2, 1), (8, 20), (1024, 100)])
    def test_all_that_goes_in_comes_out_in_order(
        self, capacity: int, batch: int, start: int
    ) -> None:
        """Guards against records lost, doubled, changed or out of place between two threads."""
        count = how_many(self.records, capacity)
        with self.bare(capacity, start) as ring:

            def produce() -> None:
                send(ring, ring, count, batch, seed=1)
                ring.close()

            got = run_threads(lambda: receive(ring, batch, count, seed=2), produce)[0]
            expected = as_list(make_rows(0, count))
            if self.numbers:
                expected = numbered(expected, start)
            assert_same(expected, got)
            assert ring.head == ring.tail == (start + count) % CURSORS
            assert len(ring) == 0
            ring.check()

    @pytest.mark.parametrize("turns", range(5))
    def test_a_close_wakes_who_waits_for_records(self, turns: int) -> None:
        """Guards against a consumer that waits for ever at the end of the day."""
        with self.bare(8) as ring:
            close = close_after(ring, turns)
            assert run_threads(lambda: ring.wait_items(FAR_OFF_S), close)[0] is False

    @pytest.mark.parametrize("turns", range(5))
    def test_a_close_wakes_who_waits_for_room(self, turns: int) -> None:
        """Guards against a producer that waits for ever because nobody consumes any more."""
        with self.bare(8) as ring:
            ring.push(make_rows(0, 8))
            close = close_after(ring, turns)
            assert run_threads(lambda: ring.wait_space(FAR_OFF_S), close)[0] is False

    def test_there_and_back(self) -> None:
        """Guards against a wake-up that is lost: each of two threads waits for the other's."""
        trips = self.records // 20
        with self.bare(2) as there, self.bare(2, CURSORS - 3) as back:

            def ask() -> list[bytes]:
                answers = []
                for trip in range(trips):
                    assert there.push(make_rows(trip, 1)) == 1
                    assert back.wait_items(TIME_LIMIT_S)
                    answers += as_list(back.pop(1))
                there.close()
                return answers

            def answer() -> None:
                while there.wait_items(TIME_LIMIT_S):
                    assert back.push(there.pop(1)) == 1

            answers = run_threads(ask, answer)[0]
            expected = as_list(make_rows(0, trips))
            assert_same(numbered(expected, CURSORS - 3) if self.numbers else expected, answers)


class ManyProducerRules(RingBase):
    """Several producer threads and one consumer thread."""

    #: As in ThreadRules, of all producers together.
    records: ClassVar[int] = 6_000

    @pytest.mark.parametrize("start", [0, *EDGES])
    @pytest.mark.parametrize(
        ("producers", "capacity", "batch"), [(2, 2, 1), (3, 8, 5), (4, 64, 100)]
    )
    def test_each_producer_keeps_its_order(
        self, producers: int, capacity: int, batch: int, start: int
    ) -> None:
        """Guards against two producers in one slot, and a record seen before it was written."""
        count = how_many(self.records, capacity) // producers
        with self.bare(capacity, start) as ring:
            ways = [ring.producer() for _ in range(producers)]
            left = Countdown(producers, ring.close)

            def produce(number: int) -> None:
                send(ring, ways[number], count, batch, seed=number, producer=number)
                left.done()

            bodies = [partial(produce, number) for number in range(producers)]
            most = producers * count
            got = run_threads(lambda: receive(ring, batch, most, seed=99), *bodies)[0]
            self._assert_all(got, producers, count, start)
            assert ring.head == ring.tail == (start + producers * count) % CURSORS
            ring.check()

    @pytest.mark.parametrize("turns", range(0, 200, 5))
    def test_a_close_between_pushes(self, turns: int) -> None:
        """Guards against a push that succeeds after the consumer was told that it is over."""
        with self.bare(4) as ring:
            ways = [ring.producer() for _ in range(2)]
            bodies = [partial(send_until_closed, ring, ways[n], producer=n) for n in range(2)]
            got, _, *sent = run_threads(
                lambda: receive(ring, 3, None, seed=2), close_after(ring, turns), *bodies
            )
            counted = Counter(producer for producer, _ in names(_rows(got)))
            assert [counted[0], counted[1]] == sent

    def test_producers_come_and_go(self) -> None:
        """Guards against places for producers that run out, or remember who had them."""
        with self.bare(4) as ring:
            expected = []
            got = []
            for number in range(200):
                way = ring.producer()
                assert way.push(make_rows(number, 2)) == 2
                expected += as_list(make_rows(number, 2))
                got += as_list(ring.pop(2))
                way.leave()
            assert_same(numbered(expected, 0) if self.numbers else expected, got)

    def _assert_all(self, got: list[bytes], producers: int, count: int, start: int) -> None:
        if self.numbers:
            assert_same(numbered(got, start), got)
        by_producer: dict[int, list[bytes]] = {number: [] for number in range(producers)}
        for row, (producer, _) in zip(got, names(_rows(got)), strict=True):
            assert producer in by_producer, f"{told([row])} came out"
            by_producer[producer].append(row)
        for number, rows in by_producer.items():
            expected = as_list(make_rows(0, count, number))
            if self.numbers:
                expected = [mine[:8] + row[8:] for mine, row in zip(rows, expected, strict=False)]
            assert_same(expected, rows)


def how_many(records: int, capacity: int) -> int:
    """Fewer through a small ring: each hand-over may cost a time slice on a busy machine."""
    return min(records, 150 * capacity)


class Countdown:
    """Does something once all have said that they are done."""

    def __init__(self, count: int, then: Callable[[], object]) -> None:
        self._left = count
        self._then = then
        self._lock = threading.Lock()

    def done(self) -> None:
        """One of them is done."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._then()


def send(ring: Any, way: Any, count: int, batch: int, *, seed: int = 0, producer: int = 0) -> None:
    """Push a producer's records in batches of random size, waiting for room where there is none."""
    draw = random.Random(seed)
    sent = 0
    while sent < count:
        check_wanted()
        rows = make_rows(sent, min(draw.randint(1, batch), count - sent), producer)
        taken = way.push(rows)
        assert 0 <= taken <= len(rows)
        sent += taken
        if taken < len(rows):
            assert ring.wait_space(TIME_LIMIT_S), f"no room for {TIME_LIMIT_S} s"


def send_until_closed(ring: Any, way: Any, producer: int) -> int:
    """Push a producer's records one by one until the ring is closed; return how many went in."""
    sent = 0
    while True:
        check_wanted()
        try:
            sent += way.push(make_rows(sent, 1, producer))
        except RingClosedError:
            return sent
        ring.wait_space(TIME_LIMIT_S)


def close_after(ring: Any, turns: int) -> Callable[[], None]:
    """A function that lets others run a few times and then closes the ring."""

    def close() -> None:
        let_others_run(turns)
        ring.close()

    return close


def receive(ring: Any, batch: int, most: int | None, *, seed: int) -> list[bytes]:
    """Pop batches of random size until the ring says that it is over.

    Args:
        most: how many go in at all, if that is known: a ring that gives out more would go on for
            ever.
    """
    draw = random.Random(seed)
    got: list[bytes] = []
    while ring.wait_items(TIME_LIMIT_S):
        check_wanted()
        rows = ring.pop(draw.randint(1, batch))
        assert len(rows) > 0, "wait_items said that there is something"
        got += as_list(rows)
        assert most is None or len(got) <= most, f"{most} records went in, {len(got)} came out"
    assert ring.closed, f"nothing came for {TIME_LIMIT_S} s"
    return got


def assert_same(expected: Sequence[bytes], got: Sequence[bytes]) -> None:
    """Two lists of records are the same; if not, say where they part."""
    for place, (want, had) in enumerate(zip(expected, got, strict=False)):
        if want != had:
            raise AssertionError(
                f"record {place} that came out: expected {told(expected[place : place + 3])}; "
                f"got {told(got[place : place + 3])}"
            )
    assert len(got) == len(expected), f"{len(expected)} records expected, {len(got)} came out"


def let_others_run(times: int) -> None:
    """Let the other thread get a little further, not to any place in particular."""
    for _ in range(times):
        time.sleep(0)


class _Abandoned(Exception):
    """Another thread of the test has failed: nobody wants this one's result any more."""


class _Body(threading.Thread):
    """A thread of a test; a daemon: one that hangs does not keep the interpreter from ending."""

    abandoned = False

    def __init__(self, run: Callable[[], None]) -> None:
        super().__init__(target=run, daemon=True)


def check_wanted() -> None:
    """Called by every loop of a test's thread: ends it if the test is over.

    A thread that a broken ring keeps busy would take turns, and memory, from all tests after it.
    """
    if getattr(threading.current_thread(), "abandoned", False):
        raise _Abandoned


def run_threads(*bodies: Callable[[], Any]) -> list[Any]:
    """Run functions at the same time; return what they return, or raise what one raised first.

    Raises:
        AssertionError: one of them has not ended in time.
    """
    results: list[Any] = [None] * len(bodies)
    failures: list[BaseException] = []

    def run(place: int, body: Callable[[], Any]) -> None:
        try:
            results[place] = body()
        except BaseException as error:
            failures.append(error)

    threads = [_Body(partial(run, place, body)) for place, body in enumerate(bodies)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TIME_LIMIT_S
    for thread in threads:
        while thread.is_alive() and not failures and time.monotonic() < deadline:
            thread.join(0.05)
    for thread in threads:
        thread.abandoned = thread.is_alive()
    if failures:
        raise failures[0]
    hanging = [place for place, thread in enumerate(threads) if thread.is_alive()]
    assert not hanging, f"thread {hanging} of {len(bodies)} had not ended after {TIME_LIMIT_S} s"
    return results


def _rows(records: Sequence[bytes]) -> Rows:
    return np.frombuffer(b"".join(records), np.uint8).reshape(-1, 64)
