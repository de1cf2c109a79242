"""A pipeline from Python: the same events as the engine alone, and every way it can end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
import pytest

from contract import Side, cancel, new
from contract.batching import apply_all
from contract.errors import MatchbookError
from contract.native import NativeEngine
from contract.records import RecordArray, empty_events, to_command_array
from contract.ring import CURSORS
from contract.workload import generate, price_range
from phase2_arena import Engine as ArenaEngine
from phase3_sorted import Engine as SortedEngine
from phase4_ring import Pipeline, Sequencer, SpscRing
from phase4_ring.conftest import TIME_LIMIT_S, until
from phase4_ring.journal import MemoryJournal

CAPACITY: Final = 4_000
ORDERS: Final = 2_000


class Alone(NamedTuple):
    """What an engine does without rings."""

    commands: RecordArray
    limits: dict[str, int]
    events: RecordArray
    state_hash: str


@pytest.fixture(scope="module")
def alone() -> Alone:
    """A small run of the public benchmark's workload."""
    commands = generate("normal", orders=ORDERS)
    prices = price_range(commands)
    limits = {**prices._asdict(), "capacity": CAPACITY}
    with SortedEngine(**limits) as engine:
        events = apply_all(engine, commands)
        return Alone(commands, limits, events, engine.state_hash())


@contextmanager
def running(engine: NativeEngine | None = None, **options: Any) -> Iterator[Pipeline]:
    """A pipeline that is started, and closed at the end."""
    if engine is None:
        engine = SortedEngine(capacity=CAPACITY)
    with Pipeline(engine, **options) as pipeline:
        yield pipeline.start()


def bids(count: int, first: int = 1) -> RecordArray:
    """Orders that rest: one event each."""
    return to_command_array(new(first + i, Side.BID, 100, 5) for i in range(count))


def receive_all(pipeline: Pipeline) -> RecordArray:
    """Everything until the stages have ended."""
    got = [empty_events(0)]
    while len(some := pipeline.receive(timeout_s=TIME_LIMIT_S)):
        got.append(some)
    return np.concatenate(got)


def receive(pipeline: Pipeline, count: int) -> RecordArray:
    """That many events."""
    got = empty_events(0)
    while len(got) < count:
        some = pipeline.receive(count - len(got), timeout_s=TIME_LIMIT_S)
        assert len(some), f"{len(got)} of {count} events, and no more"
        got = np.concatenate([got, some])
    return got


def send_and_receive(pipeline: Pipeline, commands: RecordArray) -> RecordArray:
    """Push all commands, receiving in between; then stop, and receive the rest."""
    gateway = pipeline.producer(tries=10)
    got = [empty_events(0)]
    sent = 0
    while sent < len(commands):
        sent += gateway.push(commands[sent : sent + 50])
        got.append(pipeline.receive(30))
    stopper = threading.Thread(target=pipeline.stop, args=(TIME_LIMIT_S,))
    stopper.start()
    got.append(receive_all(pipeline))
    stopper.join()
    return np.concatenate(got)


# --- the same as the engine alone ----------------------------------------------------------


@pytest.mark.parametrize("wait", ["park", "yield", "spin"])
@pytest.mark.parametrize("engine", [ArenaEngine, SortedEngine])
def test_events_and_state_are_the_engine_s_own(
    engine: type[NativeEngine], wait: str, alone: Alone
) -> None:
    """Guards against an engine that does anything else on a thread of its own."""
    with running(engine(**alone.limits), wait=wait, commands=256, events=128) as pipeline:
        events = send_and_receive(pipeline, alone.commands)
        assert events.tobytes() == alone.events.tobytes()
        assert pipeline.engine.state_hash() == alone.state_hash
        pipeline.engine.check()


@pytest.mark.parametrize("batch", [1, 7, 4096])
@pytest.mark.parametrize("slots", [2, 64])
def test_whatever_the_sizes(batch: int, slots: int, alone: Alone) -> None:
    """Guards against tiny rings and huge batches, over the places where cursors wrap."""
    commands = alone.commands[:1_000]
    with running(
        SortedEngine(**alone.limits),
        batch=batch,
        commands=Sequencer(slots, start=CURSORS - 77),
        events=SpscRing(slots, start=2**32 - 77),
    ) as pipeline:
        events = send_and_receive(pipeline, commands)
        assert events.tobytes() == alone.events[: len(events)].tobytes()
        assert pipeline.stages()[0].commands == len(commands)
        assert pipeline.stages()[0].cursor == len(commands) - 77


def test_gateways_on_threads_of_their_own() -> None:
    """Guards against producers of one process that get in each other's way."""
    each = 1_000
    with running(commands=64, events=64) as pipeline:

        def push(gateway: int) -> None:
            producer = pipeline.producer()
            orders = bids(each, first=gateway * each + 1)
            sent = 0
            while sent < each:
                sent += producer.push(orders[sent : sent + 17])
            producer.leave()

        threads = [threading.Thread(target=push, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        ids = receive(pipeline, 3 * each)["order_id"]
        for thread in threads:
            thread.join()
        for gateway in range(3):
            mine = ids[(ids - 1) // each == gateway]
            assert mine.tolist() == list(range(gateway * each + 1, (gateway + 1) * each + 1))


# --- runs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("journaled", [False, True])
def test_a_run(journaled: bool, alone: Alone) -> None:
    """Guards against a run that loses, changes or leaves anything behind."""
    journal = MemoryJournal(len(alone.commands)) if journaled else None
    with running(SortedEngine(**alone.limits), journal=journal, commands=256) as pipeline:
        room = empty_events(len(alone.events))
        traffic = pipeline.run(pipeline.producer(), alone.commands, room)
        assert traffic.events.tobytes() == alone.events.tobytes()
        assert traffic.commands == len(alone.commands)
        assert traffic.elapsed_ns > 0
        assert len(traffic.latency_ns) == 0
        assert pipeline.at_rest()
        assert pipeline.engine.state_hash() == alone.state_hash
        if journal is not None:
            kept = np.frombuffer(journal.records(), alone.commands.dtype)
            sequences = np.arange(1, len(alone.commands) + 1)
            assert np.array_equal(kept["sequence"], sequences)
            expected = alone.commands.copy()
            expected["sequence"] = sequences
            assert kept.tobytes() == expected.tobytes()


def test_an_open_loop(alone: Alone) -> None:
    """Guards against latencies that count from when a command could be sent, not from its due."""
    commands = alone.commands[:500]
    per_second = 200_000
    with running(SortedEngine(**alone.limits)) as pipeline:
        traffic = pipeline.run(
            pipeline.producer(), commands, empty_events(2_000), per_second=per_second, latency=True
        )
        due = traffic.events["timestamp_ns"]
        assert traffic.latency_ns.shape == due.shape
        assert traffic.latency_ns.min() > 0
        assert traffic.elapsed_ns >= (len(commands) - 1) / per_second * 1e9
        since = (due - due[0]).astype(float) * per_second / 1e9
        assert since[0] == 0
        assert abs(since[-1] - (len(commands) - 1)) < 0.01
        assert np.allclose(since, since.round(), atol=0.01), "each is due at its place in time"


def test_a_run_with_too_little_room(alone: Alone) -> None:
    """Guards against events that are dropped because the array is full, without a word."""
    with running(SortedEngine(**alone.limits), events=64) as pipeline:
        with pytest.raises(ValueError, match="events has room for 10, and there are more"):
            pipeline.run(pipeline.producer(), alone.commands, empty_events(10))
        assert len(pipeline.receive(1)) == 1, "they are still there"


def test_a_run_that_gets_no_answer() -> None:
    """Guards against a run that hangs: here behind somebody's claim that is not published."""
    with running(commands=16) as pipeline:
        slow = pipeline.producer()
        slow.claim(1)
        with pytest.raises(TimeoutError, match=r"no event for 0\.01 s after 0 events"):
            pipeline.run(pipeline.producer(), bids(100), empty_events(100), timeout_s=0.01)
        slow.publish()


def test_what_cannot_be_run(alone: Alone) -> None:
    """Guards against a hang, or a crash in C, where an argument is wrong."""
    room = empty_events(10)
    with Pipeline(SortedEngine(capacity=CAPACITY)) as pipeline:
        producer = pipeline.producer()
        with pytest.raises(ValueError, match=r"start\(\) this pipeline first"):
            pipeline.run(producer, bids(1), room)
        with pytest.raises(ValueError, match=r"start\(\) this pipeline first"):
            pipeline.exchange(producer, bids(1), room)
        pipeline.start()
        for way in (pipeline.run, pipeline.exchange):
            with pytest.raises(ValueError, match="65 bytes"):
                way(producer, bytes(65), room)
            with pytest.raises(ValueError, match="another sequencer"):
                way(Sequencer(8).producer(), bids(1), room)
        with pytest.raises(ValueError, match="burst 0"):
            pipeline.run(producer, bids(1), room, burst=0)
        with pytest.raises(ValueError, match="timeout_s -1"):
            pipeline.run(producer, bids(1), room, timeout_s=-1)
        producer.leave()
        for way in (pipeline.run, pipeline.exchange):
            with pytest.raises(ValueError, match="left"):
                way(producer, bids(1), room)
        assert pipeline.stages()[0].commands == 0


# --- exchanges -----------------------------------------------------------------------------


def test_an_exchange_wants_no_journal() -> None:
    """Guards: a journal that keeps commands which the exchange says were not consumed."""
    with Pipeline(SortedEngine(capacity=10), journal=MemoryJournal(10)) as pipeline:
        pipeline.start()
        with pytest.raises(ValueError, match="taken back from a journal"):
            pipeline.exchange(pipeline.producer(), bids(1), empty_events(2))
        assert pipeline.commands.claimed == 0


def test_an_exchange_wants_the_pipeline_to_itself() -> None:
    """Guards against somebody else's events in the answer, or an end of the whole process."""
    with running() as pipeline:
        producer, room = pipeline.producer(), empty_events(8)
        assert pipeline.exchange(producer, bids(2), room) == (2, 2)
        producer.push(bids(1, first=3))
        with pytest.raises(ValueError, match=r"receive\(\) the events"):
            pipeline.exchange(producer, bids(1, first=4), room)
        assert receive(pipeline, 1)["order_id"].tolist() == [3]
        assert pipeline.exchange(producer, bids(1, first=4), room[:0]) == (0, 0)
        assert pipeline.exchange(producer, bids(2, first=4), room[:1]) == (1, 1)
        producer.push(bids(20, first=6))  # nobody counts these out
        assert receive(pipeline, 20)["sequence"].tolist() == list(range(5, 25))


# --- looks at the book ---------------------------------------------------------------------


def looks(engine: NativeEngine) -> list[Callable[[], Any]]:
    """Every way to look at an engine, or to change it."""
    return [
        engine.best_bid,
        engine.best_ask,
        lambda: engine.depth(1),
        lambda: engine.orders(Side.BID),
        lambda: engine.order(1),
        lambda: len(engine),
        engine.snapshot,
        engine.state_hash,
        engine.check,
        engine.memory_bytes,
        lambda: engine.event_sequence,
    ]


def test_looks_while_the_book_is_changed() -> None:
    """Guards against a look into a book that another thread is just changing."""
    engine = SortedEngine(capacity=CAPACITY)
    with running(engine, commands=16, events=2) as pipeline:
        for look in looks(engine):
            look()
        producer = pipeline.producer(tries=1)
        assert producer.push(bids(8)) == 8
        # Two events fit; then the engine waits for the subscriber, commands in hand.
        assert not pipeline.at_rest()
        for look in looks(engine):
            with pytest.raises(MatchbookError, match="at rest"):
                look()
        assert len(receive(pipeline, 8)) == 8
        until(pipeline.at_rest)  # the last event is out a moment before its command is done
        for look in looks(engine):
            look()
        assert len(engine) == 8
        image = engine.snapshot()
        engine.restore(image)
        producer.push(bids(1, first=9))
        assert len(receive(pipeline, 1)) == 1
        pipeline.stop()
        assert len(engine) == 9


def test_the_engine_afterwards() -> None:
    """Guards against a book that stays lent, or is not where the thread left it."""
    engine = SortedEngine(capacity=CAPACITY)
    with running(engine) as pipeline:
        pipeline.producer().push(bids(3))
        receive(pipeline, 3)
        with pytest.raises(ValueError, match="lent"):
            engine.apply(cancel(1))
        with pytest.raises(ValueError, match="lent already"):
            Pipeline(engine)
        with pytest.raises(ValueError, match="lent"):
            engine.close()
        pipeline.stop()
    [event] = engine.apply(cancel(1))
    assert event.sequence == 4
    with running(engine) as pipeline:
        pipeline.producer().push(bids(1, first=9))
        assert receive(pipeline, 1)["sequence"].tolist() == [5]
    engine.close()


# --- counters ------------------------------------------------------------------------------


def test_counters_while_it_runs(alone: Alone) -> None:
    """Guards against counters that run backwards, or do not add up when it is over."""
    seen = []
    watching, done = threading.Event(), threading.Event()
    journal = MemoryJournal(len(alone.commands))
    with running(SortedEngine(**alone.limits), journal=journal, match_core=0) as pipeline:

        def watch() -> None:
            while not done.is_set():
                seen.append(pipeline.stages())
                watching.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        watching.wait()
        pipeline.run(pipeline.producer(), alone.commands, empty_events(len(alone.events)))
        done.set()
        watcher.join()
        pipeline.stop()
        match, journaling = pipeline.stages()
    for before, after in itertools.pairwise(seen):
        for old, young in zip(before, after, strict=True):
            assert all(a <= b for a, b in zip(old[3:], young[3:], strict=True)), (old, young)
    assert (match.name, match.state) == ("match", "drained")
    assert (journaling.name, journaling.state) == ("journal", "drained")
    assert match.pinned_core in (0, -1), "where the platform allows it"
    assert journaling.pinned_core == -1
    assert match.commands == journaling.commands == match.cursor == len(alone.commands)
    assert match.events == len(alone.events)
    assert journaling.events == 0
    for stage in (match, journaling):
        assert 1 <= stage.largest_batch <= 64
        assert stage.commands / stage.largest_batch <= stage.batches <= stage.commands
        assert stage.busy_ns > 0
        assert stage.idle_ns > 0
