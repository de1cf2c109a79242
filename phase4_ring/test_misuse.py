"""What people do to rings and pipelines all the same: an error each time, never a dead process."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import phase1_domain
from contract import Side, new
from contract.errors import ConfigurationError, MatchbookError
from contract.records import EVENT_DTYPE, empty_events, to_events
from phase3_sorted import Engine
from phase4_ring import Engine as RingEngine
from phase4_ring import Pipeline, Sequencer, SpscRing
from phase4_ring.conftest import TIME_LIMIT_S, Child, until
from phase4_ring.journal import MemoryJournal
from phase4_ring.shared_names import PeerDiedError, RingInUseError

RECORD = bytes(range(64))
Spawn = Callable[..., Child]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


# --- memory that is still looked at ---------------------------------------------------------


def test_rows_outlive_their_ring() -> None:
    """Guards against a lent row that ends the interpreter once its ring is detached."""
    with SpscRing(65_536) as ring, Sequencer(65_536) as sequencer:
        consumer = sequencer.add_consumer()
        producer = sequencer.producer()
        ring.push(RECORD * 4)
        producer.push(RECORD * 4)
        lent = [ring.claim(4), ring.peek(4), consumer.peek(4), *producer.claim(4)]
        producer.publish()
    assert lent[1].tobytes() == RECORD * 4
    assert sum(int(rows.view(np.uint8).sum()) for rows in lent[:3]) > 0


@pytest.mark.parametrize("wait", ["park", "yield", "spin"])
def test_a_pipeline_is_closed_under_its_subscriber(wait: str) -> None:
    """Guards against memory freed while another thread waits in it."""

    def subscribe(pipeline: Pipeline, inside: threading.Event, heard: list[int]) -> None:
        inside.set()
        try:
            heard.append(len(pipeline.receive(timeout_s=None)))
        except MatchbookError:
            heard.append(0)  # it was closed before the thread was inside

    for _ in range(20):
        heard: list[int] = []
        inside = threading.Event()
        with Pipeline(Engine(capacity=10), wait=wait).start() as pipeline:
            thread = threading.Thread(target=subscribe, args=(pipeline, inside, heard))
            thread.start()
            inside.wait(TIME_LIMIT_S)
        thread.join(TIME_LIMIT_S)
        assert heard == [0]


def test_rings_are_neither_copied_nor_pickled() -> None:
    """Guards against two objects that both believe the memory is theirs to free."""
    for ring in (SpscRing(8), Sequencer(8)):
        with pytest.raises(TypeError, match="attach"):
            copy.copy(ring)
        with pytest.raises(TypeError, match="attach"):
            pickle.dumps(ring)


# --- forks ----------------------------------------------------------------------------------


def in_a_fork(what: Callable[[], bool]) -> bool:
    """Whether it holds in a forked child, which ends as Python programs end."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = 0 if what() else 1
            gc.collect()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def refused(error: type[Exception], what: Callable[[], Any]) -> bool:
    """Whether it raises that."""
    try:
        what()
    except error:
        return True
    return False


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_no_threads(fresh_name: Callable[[], str]) -> None:
    """Guards: a child that hangs for threads it does not have, or closes its parent's rings."""
    commands = Sequencer.create(fresh_name(), 8)
    engine = RingEngine(capacity=10)
    with Pipeline(Engine(capacity=10), commands=commands).start() as pipeline:

        def child() -> bool:
            right = refused(MatchbookError, lambda: engine.apply(new(1, Side.BID, 1, quantity=1)))
            right &= refused(MatchbookError, pipeline.receive)
            pipeline.close()
            return right

        assert in_a_fork(child)
        assert not commands.closed
        producer = pipeline.producer()
        producer.push(new(1, Side.BID, 5, quantity=1).pack())
        assert len(pipeline.receive(timeout_s=TIME_LIMIT_S)) == 1
        producer.leave()
    assert len(engine.apply(new(1, Side.BID, 5, quantity=1))) == 1
    engine.close()


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_no_sides(fresh_name: Callable[[], str]) -> None:
    """Guards: a second producer that nobody refuses, and a claim in the name of the parent."""
    ring = SpscRing.create(fresh_name(), 8)
    commands = Sequencer.create(fresh_name(), 8)
    commands.add_consumer()
    producer = commands.producer()
    ring.push(RECORD)

    def child() -> bool:
        right = refused(RingInUseError, lambda: ring.push(RECORD))
        right &= refused(ValueError, lambda: producer.claim(1))
        ring.detach()
        commands.detach()
        return right

    assert in_a_fork(child)
    assert ring.pids() == (os.getpid(), 0)
    assert commands.claimed == 0
    assert producer.push(RECORD) == 1


# --- waits ----------------------------------------------------------------------------------


def wait_for_ever(kind: str) -> None:
    """In a child: wait for what never comes, until a signal does."""
    # Kept until the end: what waits must not lose what it waits for.
    ring, commands = SpscRing(8), Sequencer(8)
    consumer = commands.add_consumer()
    pipeline = Pipeline(Engine(capacity=10)).start()
    waits: dict[str, Callable[[], Any]] = {
        "ring": ring.wait_items,
        "consumer": consumer.wait,
        "pipeline": lambda: pipeline.receive(timeout_s=None),
    }
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        print("waiting", flush=True)
        waits[kind]()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    sys.stdin.readline()


@pytest.mark.parametrize("kind", ["ring", "consumer", "pipeline"])
def test_every_wait_can_be_interrupted(kind: str, spawn: Spawn) -> None:
    """Guards against a wait that only a kill ends."""
    child = spawn(wait_for_ever, kind)
    child.hear("waiting")
    os.kill(child.pid, signal.SIGINT)
    child.hear("interrupted")


def claim_one(name: str) -> None:
    """In a child: claim a command and wait to be killed."""
    producer = Sequencer.attach(name).producer()
    producer.claim(1)
    print("claimed", flush=True)
    sys.stdin.readline()


def test_a_wait_behind_the_dead_ends(fresh_name: Callable[[], str], spawn: Spawn) -> None:
    """Guards against a consumer that waits for ever for a command that nobody will publish."""
    name = fresh_name()
    commands = Sequencer.create(name, 8)
    consumer = commands.add_consumer()
    child = spawn(claim_one, name)
    child.hear("claimed")
    child.kill()
    with pytest.raises(PeerDiedError, match="before it published command 1") as caught:
        consumer.wait()
    assert caught.value.pid == child.pid


# --- places ---------------------------------------------------------------------------------


def test_places_are_given_back(fresh_name: Callable[[], str]) -> None:
    """Guards against a gateway that cannot come back for the 65th time."""
    name = fresh_name()
    commands = Sequencer.create(name, 8)
    commands.add_consumer()
    for _ in range(70):
        with Sequencer.attach(name) as again:
            again.producer().push(b"")
    for _ in range(70):
        commands.producer()
        gc.collect()
    dropped = commands.producer()
    dropped.claim(1)
    number = dropped.number
    del dropped
    gc.collect()
    assert commands.producer().number != number, "it is still the owner of what it claimed"


def take_over(commands: str, events: str) -> None:
    """In a child: drive rings that another process has made and driven."""
    rings = {"commands": Sequencer.attach(commands), "events": SpscRing.attach(events)}
    with Pipeline(Engine(capacity=10), **rings):
        print("taken over", flush=True)
        sys.stdin.readline()


def test_a_closed_pipeline_can_be_taken_over(fresh_name: Callable[[], str], spawn: Spawn) -> None:
    """Guards against rings that are their maker's as long as he lives."""
    names = fresh_name(), fresh_name()
    commands, events = Sequencer.create(names[0], 8), SpscRing.create(names[1], 8)
    with Pipeline(Engine(capacity=10), commands=commands, events=events):
        pass
    child = spawn(take_over, *names)
    child.hear("taken over")
    with pytest.raises(RingInUseError) as caught:
        Pipeline(Engine(capacity=10), commands=commands, events=events)
    assert caught.value.pid == child.pid


def test_a_place_is_had_once() -> None:
    """Guards against two who advance one cursor."""
    with Pipeline(Engine(capacity=10)) as pipeline, pytest.raises(RingInUseError):
        pipeline.commands.consumer(0)
    commands = Sequencer(8)
    first = commands.add_consumer()
    with pytest.raises(RingInUseError):
        commands.consumer(first.number)
    del first
    gc.collect()
    assert commands.consumer(0).cursor == 0


def test_an_engine_survives_a_pipeline_that_cannot_be() -> None:
    """Guards against a book that stays lent to nobody."""
    engine = Engine(capacity=10)
    detached = Sequencer(8)
    detached.detach()
    with pytest.raises(MatchbookError, match="detached"):
        Pipeline(engine, commands=detached)
    with pytest.raises(ConfigurationError, match="no engine in C"):
        Pipeline(phase1_domain.Engine())
    assert len(engine.apply(new(1, Side.BID, 5, quantity=1))) == 1


def test_a_journal_has_one_writer() -> None:
    """Guards against two threads that append to the same place."""
    journal = MemoryJournal(10)
    with Pipeline(Engine(capacity=10), journal=journal), pytest.raises(RingInUseError):
        Pipeline(Engine(capacity=10), journal=journal)
    Pipeline(Engine(capacity=10), journal=journal).close()


# --- ends -----------------------------------------------------------------------------------


def test_a_command_is_applied_once_whoever_sees_it() -> None:
    """Guards: a command aborted while its events were handed over, and given to the book again."""
    engine, commands, events = Engine(capacity=100), Sequencer(64), SpscRing(8)
    bids = [new(number, Side.BID, price=100, quantity=1).pack() for number in range(1, 21)]
    with Pipeline(engine, commands=commands, events=events).start() as pipeline:
        producer = pipeline.producer()
        producer.push(b"".join(bids))
        received = 0
        while received < len(bids):
            received += len(pipeline.receive(timeout_s=TIME_LIMIT_S))
        # More events than the ring has slots: they go through the spill buffer, and stick there.
        producer.push(new(99, Side.ASK, price=100, quantity=20).pack())
        until(lambda: len(events) == events.capacity)
        with pytest.raises(TimeoutError, match="receiving"):
            pipeline.stop(0.01)
    assert commands.consumers() == [21]
    seen = to_events(events.pop(8).view(EVENT_DTYPE)[:, 0])
    assert [event.order_id for event in seen] == [99] * 8
    with Pipeline(engine, commands=commands, events=SpscRing(64)).start() as again:
        assert not len(again.receive(timeout_s=TIME_LIMIT_S)), "closed, and nothing left to do"
    assert len(engine) == 0


@pytest.mark.parametrize("rate", [-1.0, float("nan")])
def test_rates_that_are_none(rate: float) -> None:
    """Guards against a wrong number that means "as fast as it goes"."""
    with (
        Pipeline(Engine(capacity=10)).start() as pipeline,
        pytest.raises(ValueError, match="per_second"),
    ):
        pipeline.run(pipeline.producer(), RECORD, empty_events(2), per_second=rate)
