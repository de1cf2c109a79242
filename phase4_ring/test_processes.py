"""Rings in shared memory between processes: several gateways, one engine, one subscriber.

::

    gateway 1 ─┐                ┌──────── engine process ────────┐
    gateway 2 ─┼─▶ [sequencer] ─┼─▶ match ─▶ [SPSC ring of events]┼─▶ subscriber
    gateway 3 ─┘                └────────────────────────────────┘

==================================================================  ========================
outcome                                                             allowed?
==================================================================  ========================
every command of every gateway is applied, each gateway's in order  yes: always
commands of two gateways in whatever order                          yes
a command twice, never, changed, or before its gateway's last one   no
a process is refused a place that a living one has                  yes: always
a process is refused a dead one's place, or taken for dead, alive   no
a wait for a process that has died goes on for ever                 no
==================================================================  ========================

What happens to claims of the dead: test_dead_producers.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from contract.messages import CommandKind, EventKind
from contract.records import COMMAND_DTYPE, EVENT_DTYPE, RecordArray, empty_commands
from contract.ring import Rows
from phase3_sorted import Engine
from phase4_ring import Pipeline, Sequencer, SpscRing
from phase4_ring.conftest import TIME_LIMIT_S, Child
from phase4_ring.shared_names import PeerDiedError, RingInUseError

Spawn = Callable[..., Child]
FreshName = Callable[[], str]

GATEWAYS: Final = 3
#: Each gateway's orders; their ids say whose they are, and which.
EACH: Final = 4_000
ID_SHIFT: Final = 32


def make_orders(gateway: int, count: int) -> RecordArray:
    """Bids that rest, one for each id: so each command causes one event, and says whose it is."""
    orders = empty_commands(count)
    orders["kind"] = CommandKind.NEW
    orders["order_id"] = (gateway << ID_SHIFT) + np.arange(1, count + 1)
    orders["price"] = 100 + gateway
    orders["quantity"] = 1
    orders["account"] = gateway
    return orders


def make_records(first: int, count: int) -> Rows:
    """Records that say which they are."""
    rows = np.zeros((count, 8), np.uint64)
    rows[:, 1] = np.arange(first, first + count)
    return rows.view(np.uint8)


def numbers_of(rows: Rows) -> list[int]:
    """Which records these are."""
    return [int(number) for number in np.ascontiguousarray(rows).view(np.uint64)[:, 1]]


def assert_gateways_in_order(order_ids: Any, gateways: int, count: int) -> None:
    """Each gateway's ids are all there, in its order, whatever is between them."""
    assert len(order_ids) == gateways * count
    for gateway in range(1, gateways + 1):
        mine = order_ids[order_ids >> ID_SHIFT == gateway]
        assert np.array_equal(mine & (1 << ID_SHIFT) - 1, np.arange(1, count + 1)), gateway


# --- what children do ----------------------------------------------------------------------


def say(line: object) -> None:
    """To the parent."""
    print(line, flush=True)


def gateway(name: str, number: str, count: str) -> None:
    """Push orders into a sequencer, in batches of all sizes, until all of them are in."""
    orders = make_orders(int(number), int(count))
    draw = np.random.default_rng(int(number))
    with Sequencer.attach(name) as sequencer:
        producer = sequencer.producer()
        say("ready")
        input()
        sent = 0
        while sent < len(orders):
            sent += producer.push(orders[sent : sent + int(draw.integers(1, 100))])
        producer.leave()
    say("sent")


def engine(commands: str, events: str, makes: str) -> None:
    """Run phase 3's engine between two rings in shared memory; makes them, or takes them over."""
    if makes == "makes":
        inbound, outbound = Sequencer.create(commands, 512), SpscRing.create(events, 256)
    else:
        inbound, outbound = Sequencer.attach(commands), SpscRing.attach(events)
    try:
        pipeline = Pipeline(Engine(capacity=1 << 15), commands=inbound, events=outbound)
    except RingInUseError as error:
        say(f"in use by {error.pid}")
        return
    pipeline.start()
    say("running")
    input()
    pipeline.stop(TIME_LIMIT_S)
    [match] = pipeline.stages()
    say(f"matched {match.commands} {len(pipeline.engine)} {pipeline.engine.state_hash()}")
    pipeline.close()


def subscriber(name: str, out: str) -> None:
    """Write every record of a ring to a file, until it is closed."""
    with SpscRing.attach(name) as ring, Path(out).open("wb") as file:
        say("ready")
        while ring.wait_items(TIME_LIMIT_S):
            file.write(ring.pop(100).tobytes())
        assert ring.closed
    say("received")


def spsc_producer(name: str, first: str, count: str, claimed: str) -> None:
    """Push records, claim some more without committing them, and wait."""
    ring = SpscRing.attach(name)
    try:
        assert ring.push(make_records(int(first), int(count))) == int(count)
    except RingInUseError as error:
        say(f"in use by {error.pid}")
        return
    ring.claim(int(claimed)).view(np.uint64)[:, 1] = 999_999
    say("claimed")
    input()
    ring.close()
    say("closed")
    ring.detach()


def spsc_consumer(name: str, most: str, peeked: str) -> None:
    """Pop records, look at some more without releasing them, and wait."""
    ring = SpscRing.attach(name)
    got = numbers_of(ring.pop(int(most))) + numbers_of(ring.peek(int(peeked)))
    say(got)
    input()
    ring.detach()
    say("detached")


def consumer(name: str, count: str) -> None:
    """Make a sequencer with a consumer, consume some commands, and wait."""
    sequencer = Sequencer.create(name, 16)
    me = sequencer.add_consumer()
    say("made")
    input()
    while me.cursor < int(count):
        assert me.wait(TIME_LIMIT_S)
        me.peek(1)
        me.advance(1)
    say("consumed")
    input()


# --- all together --------------------------------------------------------------------------


def test_gateways_engine_and_subscriber(
    spawn: Spawn, fresh_name: FreshName, tmp_path: Path
) -> None:
    """Guards against commands or events lost, doubled or out of place between processes."""
    commands, events, out = fresh_name(), fresh_name(), tmp_path / "events"
    matcher = spawn(engine, commands, events, "makes")
    matcher.hear("running")
    listener = spawn(subscriber, events, out)
    gateways = [spawn(gateway, commands, number + 1, EACH) for number in range(GATEWAYS)]
    for child in (listener, *gateways):
        child.hear("ready")
    for child in gateways:
        child.tell("go")
    for child in gateways:
        child.hear("sent")
        child.end()
    matcher.tell("stop")
    said = matcher.hear()
    matcher.end()
    listener.hear("received")
    listener.end()

    received = np.fromfile(out, EVENT_DTYPE)
    assert set(received["kind"]) == {EventKind.ACCEPTED}
    assert np.array_equal(received["sequence"], np.arange(1, GATEWAYS * EACH + 1))
    assert_gateways_in_order(received["order_id"], GATEWAYS, EACH)
    with Engine(capacity=1 << 15) as alone:
        for order_id in received["order_id"]:
            maker = int(order_id) >> ID_SHIFT
            order = make_orders(maker, 1)
            order["order_id"] = order_id
            alone.apply_batch(order, bytearray(64))
        total = GATEWAYS * EACH
        assert said == f"matched {total} {total} {alone.state_hash()}"


def test_sequences_have_no_gaps(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against a number that is given twice, or to nobody, when processes claim at once."""
    name = fresh_name()
    with Sequencer.create(name, 64) as sequencer:
        me = sequencer.add_consumer()
        gateways = [spawn(gateway, name, number + 1, EACH) for number in range(GATEWAYS)]
        for child in gateways:
            child.hear("ready")
        for child in gateways:
            child.tell("go")
        got: list[Rows] = []
        while sum(len(rows) for rows in got) < GATEWAYS * EACH:
            assert me.wait(TIME_LIMIT_S)
            got.append(me.pop(50))
        for child in gateways:
            child.hear("sent")
            child.end()
        received = np.concatenate(got).view(COMMAND_DTYPE)[:, 0]
        assert np.array_equal(received["sequence"], np.arange(1, GATEWAYS * EACH + 1))
        assert_gateways_in_order(received["order_id"], GATEWAYS, EACH)
        sequencer.check()


# --- the other side of a ring dies ---------------------------------------------------------


def test_a_new_producer_goes_on_where_the_dead_one_was(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against records lost or doubled, or an unfinished one seen, after a death."""
    name = fresh_name()
    with SpscRing.create(name, 16) as ring:
        first = spawn(spsc_producer, name, 0, 5, 3)
        first.hear("claimed")
        assert ring.pids() == (first.pid, 0)
        second = spawn(spsc_producer, name, 5, 7, 0)
        second.hear(f"in use by {first.pid}")
        assert numbers_of(ring.pop(2)) == [0, 1]
        first.kill(reap=False)
        assert ring.pids() == (-first.pid, os.getpid())
        third = spawn(spsc_producer, name, 5, 7, 0)
        third.hear("claimed")
        assert ring.pids() == (third.pid, os.getpid())
        assert numbers_of(ring.pop(16)) == list(range(2, 12))
        third.tell("close")
        third.hear("closed")
        assert not ring.wait_items(None)
        third.end()
        assert ring.pids() == (0, os.getpid())
        ring.check()


def test_a_new_consumer_sees_what_the_dead_one_had_not_given_back(
    spawn: Spawn, fresh_name: FreshName
) -> None:
    """Guards against records that a dead consumer takes with it."""
    name = fresh_name()
    with SpscRing.create(name, 16) as ring:
        ring.push(make_records(0, 9))
        child = spawn(spsc_consumer, name, 3, 4)
        child.hear("[0, 1, 2, 3, 4, 5, 6]")
        with pytest.raises(RingInUseError, match=str(child.pid)) as refused:
            ring.pop(1)
        assert refused.value.pid == child.pid
        child.kill(reap=False)
        assert numbers_of(ring.pop(16)) == [3, 4, 5, 6, 7, 8]
        ring.check()


def test_a_side_that_was_left_can_be_taken_at_once(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against a place that stays with a process which has detached, and lives."""
    name = fresh_name()
    with SpscRing.create(name, 16) as ring:
        ring.push(make_records(0, 2))
        child = spawn(spsc_consumer, name, 1, 0)
        child.hear("[0]")
        child.tell("detach")
        child.hear("detached")
        assert numbers_of(ring.pop(2)) == [1]


@pytest.mark.parametrize("timeout_s", [None, TIME_LIMIT_S, 0])
def test_a_wait_for_a_dead_producer(
    timeout_s: float | None, spawn: Spawn, fresh_name: FreshName
) -> None:
    """Guards against a consumer that waits for ever, or for its whole time, for the dead."""
    name = fresh_name()
    with SpscRing.create(name, 16) as ring:
        child = spawn(spsc_producer, name, 0, 2, 1)
        child.hear("claimed")
        assert len(ring.pop(2)) == 2
        assert not ring.wait_items(0.001)  # it lives: nothing is wrong
        child.kill(reap=False)
        with pytest.raises(
            PeerDiedError, match=f"producer, process {child.pid}, has ended"
        ) as died:
            ring.wait_items(timeout_s)
        assert died.value.pid == child.pid


@pytest.mark.parametrize("timeout_s", [None, TIME_LIMIT_S, 0])
def test_a_wait_for_a_dead_consumer(
    timeout_s: float | None, spawn: Spawn, fresh_name: FreshName
) -> None:
    """Guards against a producer that waits for ever for room that nobody makes any more."""
    name = fresh_name()
    with SpscRing.create(name, 2) as ring:
        child = spawn(spsc_consumer, name, 0, 0)
        child.hear("[]")
        assert ring.push(make_records(0, 3)) == 2
        assert not ring.wait_space(0.001)
        child.kill(reap=False)
        with pytest.raises(
            PeerDiedError, match=f"consumer, process {child.pid}, has ended"
        ) as died:
            ring.wait_space(timeout_s)
        assert died.value.pid == child.pid
        assert numbers_of(ring.pop(2)) == [0, 1], "the dead one's place is anybody's"
        assert ring.wait_space(timeout_s)


def test_a_consumer_of_the_sequencer_is_replaced(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against two processes at one cursor, and commands skipped or seen twice."""
    name = fresh_name()
    child = spawn(consumer, name, 3)
    child.hear("made")
    with Sequencer.attach(name) as sequencer:
        producer = sequencer.producer()
        assert producer.push(make_orders(1, 5)) == 5
        child.tell("go")
        child.hear("consumed")
        assert sequencer.consumer_pid(0) == child.pid
        with pytest.raises(RingInUseError, match=f"process {child.pid}") as refused:
            sequencer.consumer(0)
        assert refused.value.pid == child.pid
        child.stop()
        with pytest.raises(RingInUseError):
            sequencer.consumer(0)  # it is only paused
        child.go_on()
        child.kill(reap=False)
        assert sequencer.consumer_pid(0) == -child.pid
        me = sequencer.consumer(0)
        assert me.cursor == 3
        assert me.pop(9).view(COMMAND_DTYPE)[:, 0]["sequence"].tolist() == [4, 5]
        assert sequencer.consumer_pid(0) == os.getpid()


def test_an_engine_process_is_replaced(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against gateways and subscribers that hang when the engine's process dies, and
    against a second engine beside a living one.
    """
    commands, events = fresh_name(), fresh_name()
    first = spawn(engine, commands, events, "makes")
    first.hear("running")
    second = spawn(engine, commands, events, "takes")
    second.hear(f"in use by {first.pid}")
    second.end()
    with Sequencer.attach(commands) as inbound, SpscRing.attach(events) as outbound:
        producer = inbound.producer()
        assert producer.push(make_orders(1, 10)) == 10
        got: list[int] = []
        while len(got) < 10:
            assert outbound.wait_items(TIME_LIMIT_S)
            got += outbound.pop(10).view(EVENT_DTYPE)[:, 0]["order_id"].tolist()
        first.kill(reap=False)
        with pytest.raises(PeerDiedError) as died:
            outbound.wait_items(None)
        assert died.value.pid == first.pid
        assert inbound.consumer_pid(0) == -first.pid
        assert producer.push(make_orders(2, 10)) == 10  # there is room; nobody is lost
        third = spawn(engine, commands, events, "takes")
        third.hear("running")
        while len(got) < 20:
            assert outbound.wait_items(TIME_LIMIT_S)
            got += outbound.pop(10).view(EVENT_DTYPE)[:, 0]["order_id"].tolist()
        assert_gateways_in_order(np.array(got), 2, 10)
        third.tell("stop")
        assert third.hear().startswith("matched 10 10 ")
        third.end()
        assert not outbound.wait_items(None), "the engine has closed its ring"
