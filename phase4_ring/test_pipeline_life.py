"""How a pipeline starts and ends, from Python: in order, by force, by failure, forgotten."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

from contract import Side, mass_cancel, new
from contract.errors import ConfigurationError, MatchbookError
from contract.native import LentBook
from contract.records import RecordArray, empty_events, to_command_array
from contract.ring import RingClosedError
from phase3_sorted import Engine
from phase4_ring import Pipeline, Sequencer, SpscRing
from phase4_ring.conftest import BOOT, ROOT, TIME_LIMIT_S, until
from phase4_ring.journal import MemoryJournal
from phase4_ring.pipeline import StageFailedError

CAPACITY: Final = 100


def bids(count: int, first: int = 1) -> RecordArray:
    """Orders that rest: one event each."""
    return to_command_array(new(first + i, Side.BID, 100, 5) for i in range(count))


def make(**options: Any) -> Pipeline:
    """A pipeline around a small engine, not started."""
    return Pipeline(Engine(capacity=CAPACITY), **options)


def ids_until_the_end(pipeline: Pipeline) -> list[int]:
    """Order ids of all events until nothing more comes."""
    ids: list[int] = []
    while len(some := pipeline.receive(timeout_s=TIME_LIMIT_S)):
        ids += some["order_id"].tolist()
    return ids


# --- start, stop, close --------------------------------------------------------------------


def test_a_life_in_order() -> None:
    """Guards against states that are not what happened, and a stop that loses what is queued."""
    pipeline = make()
    assert pipeline.stages()[0].state == "not started"
    assert pipeline.at_rest()
    producer = pipeline.producer()
    assert producer.push(bids(3)) == 3
    assert len(pipeline.receive()) == 0
    assert pipeline.start() is pipeline
    assert pipeline.stages()[0].state == "running"
    pipeline.stop()
    assert pipeline.stages()[0].state == "drained"
    with pytest.raises(RingClosedError):
        producer.push(bids(1))
    assert ids_until_the_end(pipeline) == [1, 2, 3]
    pipeline.stop()  # there is nothing left to stop
    pipeline.abort()
    assert pipeline.stages()[0].state == "drained"
    pipeline.close()
    pipeline.close()


def test_a_pipeline_starts_once() -> None:
    """Guards against two threads in one book."""
    with make().start() as pipeline, pytest.raises(ValueError, match="starts once"):
        pipeline.start()


def test_a_stop_before_the_start() -> None:
    """Guards against a stop that waits for threads that were never there."""
    with make() as pipeline:
        pipeline.stop()
        pipeline.start()
        assert pipeline.producer().push(bids(1)) == 1, "it was not closed by that"
        assert len(pipeline.receive(timeout_s=TIME_LIMIT_S)) == 1


def uses(pipeline: Pipeline) -> list[Callable[[], Any]]:
    """What must not reach C any more once the pipeline is closed."""
    producer = pipeline.producer()
    return [
        pipeline.start,
        pipeline.abort,
        pipeline.receive,
        pipeline.stages,
        pipeline.dead_claims,
        pipeline.check_stages,
        lambda: pipeline.run(producer, bids(1), empty_events(1)),
        lambda: pipeline.exchange(producer, bids(1), empty_events(1)),
    ]


@pytest.mark.parametrize("number", range(8))
def test_used_after_the_close(number: int) -> None:
    """Guards against a freed pipeline in C: an error here, not the end of the process."""
    pipeline = make()
    use = uses(pipeline)[number]
    if number:
        pipeline.start()
    pipeline.close()
    with pytest.raises(MatchbookError, match="closed"):
        use()


def test_nobody_receives() -> None:
    """Guards against a stop that waits for ever for a subscriber."""
    with make(commands=16, events=2).start() as pipeline:
        assert pipeline.producer().push(bids(10)) == 10
        until(lambda: pipeline.stages()[0].cursor == 2)
        with pytest.raises(ValueError, match="timeout_s -1"):
            pipeline.stop(-1)
        assert not pipeline.commands.closed, "a wrong argument has no effect"
        with pytest.raises(TimeoutError, match=r"8 commands were left after 0\.05 s"):
            pipeline.stop(0.05)
        assert pipeline.stages()[0].state == "aborted"
        assert ids_until_the_end(pipeline) == [1, 2]
        assert len(pipeline.engine) == 2, "at rest for good"
        pipeline.stop()


def test_an_abort_leaves_what_is_queued() -> None:
    """Guards against an abort that drains, or leaves anybody waiting."""
    with make(commands=16, events=2).start() as pipeline:
        assert pipeline.producer().push(bids(10)) == 10
        pipeline.abort()
        assert pipeline.stages()[0].state == "aborted"
        assert len(pipeline.commands) >= 7
        with pytest.raises(MatchbookError, match="stopped"):
            pipeline.exchange(pipeline.producer(), bids(0), empty_events(0))


def test_a_receiver_is_told_of_the_end() -> None:
    """Guards against a subscriber that waits for ever after the stages have ended."""
    with make().start() as pipeline:
        got: list[int] = []

        def wait_for_ever() -> None:
            got.append(len(pipeline.receive(timeout_s=None)))

        receiver = threading.Thread(target=wait_for_ever)
        receiver.start()
        pipeline.stop()
        receiver.join()
        assert got == [0]
        assert len(pipeline.receive(timeout_s=None)) == 0


# --- failures ------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["park", "yield", "spin"])
def test_a_full_journal(wait: str) -> None:
    """Guards against a failure that shows as silence: it names stage, code and command."""
    journal = MemoryJournal(20)
    with make(journal=journal, wait=wait).start() as pipeline:
        producer = pipeline.producer()
        for order_id in range(1, 21):
            producer.push(bids(1, first=order_id))
            assert pipeline.receive(timeout_s=TIME_LIMIT_S)["order_id"].tolist() == [order_id]
        producer.push(bids(1, first=21))
        message = "stage 'journal' failed at command 21 with code -1"
        with pytest.raises(StageFailedError, match=message) as failed:
            pipeline.receive(timeout_s=TIME_LIMIT_S)
        assert (failed.value.stage, failed.value.code, failed.value.cursor) == ("journal", -1, 20)
        for ask in (pipeline.check_stages, pipeline.stop, pipeline.receive):
            with pytest.raises(StageFailedError):
                ask()
        for way in (pipeline.run, pipeline.exchange):
            with pytest.raises(StageFailedError):
                way(producer, bids(1), empty_events(1))
        with pytest.raises(RingClosedError):
            producer.push(bids(1))
        match, journaling = pipeline.stages()
        assert match.state in ("drained", "aborted")
        assert journaling.state == "failed"
        assert len(journal) == 20


def test_a_failure_amid_a_run() -> None:
    """Guards against a run that goes on without a journal."""
    with (
        make(journal=MemoryJournal(50)).start() as pipeline,
        pytest.raises(StageFailedError, match="journal"),
    ):
        pipeline.run(pipeline.producer(), bids(90), empty_events(90))


class CrampedEngine(Engine):
    """Promises that a command causes at most two events, which is not so."""

    def lend(self, at_rest: Callable[[], None]) -> LentBook:
        """As phase 3, but for the promise."""
        return super().lend(at_rest)._replace(most_events=2)


def test_an_engine_that_consumes_nothing() -> None:
    """Guards against an engine that is asked for the same command again and again."""
    with Pipeline(CrampedEngine(capacity=CAPACITY), events=2).start() as pipeline:
        pipeline.producer().push(to_command_array([*map(order, range(1, 6)), mass_cancel()]))
        ids: list[int] = []

        def receive_without_end() -> None:
            while True:
                ids.extend(pipeline.receive(timeout_s=TIME_LIMIT_S)["order_id"].tolist())

        with pytest.raises(StageFailedError, match=r"command 6 .* consumes nothing") as failed:
            receive_without_end()
        assert ids == [1, 2, 3, 4, 5], "everything before it"
        assert failed.value.stage == "match"
        assert failed.value.cursor == 5


def order(order_id: int) -> Any:
    """A bid that rests."""
    return new(order_id, Side.BID, 100, 5)


def test_a_subscriber_that_closes_its_ring() -> None:
    """Guards against an engine that stands before a ring which nobody will empty, unnoticed."""
    with make(commands=16, events=2).start() as pipeline:
        pipeline.events.close()
        pipeline.producer().push(bids(10))
        with pytest.raises(StageFailedError, match="event ring is full and closed"):
            pipeline.stop(TIME_LIMIT_S)


def test_a_failure_is_told_last() -> None:
    """Guards against a failure that is told while there are still events to be received."""
    journal = MemoryJournal(10)
    with make(journal=journal, batch=1).start() as pipeline:
        producer = pipeline.producer()
        for order_id in range(1, 11):
            producer.push(bids(1, first=order_id))
        with contextlib.suppress(RingClosedError):
            while True:
                producer.push(bids(1, first=11))
        ids: list[int] = []
        while len(some := receive_or_nothing(pipeline)):
            ids += some["order_id"].tolist()
        # Those that nobody asked for before the failure may have been withheld with the eleventh.
        assert ids == list(range(1, len(ids) + 1))
        assert len(ids) <= 10
        with pytest.raises(StageFailedError):
            pipeline.receive()


def receive_or_nothing(pipeline: Pipeline) -> RecordArray:
    """One event, or none once the pipeline says that it has failed."""
    try:
        one: RecordArray = pipeline.receive(1, timeout_s=TIME_LIMIT_S)
        return one
    except StageFailedError:
        return empty_events(0)


# --- what it cannot be made of -------------------------------------------------------------


def test_what_no_pipeline_can_be_made_of(fresh_name: Callable[[], str]) -> None:
    """Guards against an error that comes late, says nothing, or keeps the engine's book."""
    engine = Engine(capacity=CAPACITY)
    used = Sequencer(8)
    used.add_consumer()
    used.add_consumer()
    shared_events = SpscRing.create(fresh_name(), 8)
    for options, message in (
        ({"batch": 0}, "batch 0"),
        ({"wait": "nap"}, "nap"),
        ({"commands": 5}, "capacity 5"),
        ({"events": 0}, "capacity 0"),
        ({"commands": used}, "consumers that are not"),
        ({"events": shared_events, "journal": MemoryJournal(8)}, "past the journal"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            Pipeline(engine, **options)
    with Pipeline(engine) as pipeline:
        assert pipeline.at_rest(), "its book was there to be lent"


def test_rings_are_not_taken_away() -> None:
    """Guards against a thread in memory that is no longer there."""
    with (
        Sequencer(8) as commands,
        SpscRing(8) as events,
        make(commands=commands, events=events).start() as pipeline,
    ):
        for ring in (commands, events):
            with pytest.raises(ValueError, match="a pipeline works with this"):
                ring.detach()
        pipeline.producer().push(bids(1))
        assert len(pipeline.receive(timeout_s=TIME_LIMIT_S)) == 1


def test_counts_and_times_that_are_none() -> None:
    """Guards against minus one that becomes 2**64 - 1 on its way to C."""
    with make().start() as pipeline:
        with pytest.raises(ValueError, match="most -1"):
            pipeline.receive(-1)
        for timeout_s in (-1, -0.001, float("nan")):
            with pytest.raises(ValueError, match="timeout_s"):
                pipeline.receive(timeout_s=timeout_s)
        assert len(pipeline.receive(0, timeout_s=0)) == 0
        with pytest.raises(ValueError, match="capacity -1"):
            MemoryJournal(-1)
        with pytest.raises(ConfigurationError, match="memory"):
            MemoryJournal(2**60)


# --- forgotten -----------------------------------------------------------------------------

FORGOTTEN: Final = """
import gc, threading, weakref
from phase4_ring.test_pipeline_life import bids, make
pipeline = make(commands=16, events=2, wait={wait!r}, journal={journal}).start()
pipeline.producer().push(bids(10))  # it is blocked, commands in hand
gone = weakref.ref(pipeline)
"""
ENDS: Final = {
    "collected": "del pipeline\ngc.collect()\nassert gone() is None\nprint('alive')",
    "at exit": "print('alive')",
    "with its engine": "engine = pipeline.engine\ndel pipeline\nengine = None\ngc.collect()\n"
    "assert gone() is None\nprint('alive')",
    "closed late": "import atexit\natexit.register(pipeline.close)\nprint('alive')",
}


@pytest.mark.parametrize("wait", ["park", "spin"])
@pytest.mark.parametrize("end", ENDS)
def test_a_pipeline_that_is_forgotten(end: str, wait: str) -> None:
    """Guards against a thread that runs on in freed memory, or keeps the process from ending."""
    journal = "None" if wait == "park" else "__import__('phase4_ring').journal.MemoryJournal(100)"
    program = FORGOTTEN.format(wait=wait, journal=journal) + ENDS[end]
    if wait == "spin":
        program = "import phase4_ring.journal\n" + program
    child = subprocess.run(
        [sys.executable, "-c", BOOT + program, ROOT],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
        env=os.environ,
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, "alive\n", "")


def test_forgotten_rings() -> None:
    """Guards against views of slots that outlive the memory behind them."""
    ring = SpscRing(8)
    ring.push(bytes(64) * 3)
    rows = ring.peek(3)
    del ring
    assert rows.tobytes() == bytes(64) * 3
    sequencer = Sequencer(8)
    sequencer.add_consumer()
    [slots] = sequencer.producer().claim(2)
    del sequencer
    slots["price"] = 7
    assert np.all(slots["price"] == 7)
