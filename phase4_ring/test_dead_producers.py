"""A gateway dies between its claim and its publication: found, named, and filled with nothing.

::

    sequencer   │ 1 │ 2 │ 3 │ 4 │ 5 │ 6 │ 7 │        claimed by   alive?   outcome
                  ■   ■   □   □   □   ■   ■           1 2          yes     published, consumed
                          └───┬───┘                   3 4 5        no      void commands: rejected
                     the engine stands here           6 7          yes     published, wait for 3-5

==============================================================  ============================
outcome                                                         allowed?
==============================================================  ============================
a dead process's gap becomes void commands, and it is named     yes: always, in the end
a gap whose owner lives, paused or not, is waited for           yes: always
a living process's claim is filled                              no
a published command is filled over                              no
a dead process's place is given away before its gap is filled   no: its entry names it
a dead process's place is lost                                  no
==============================================================  ============================
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import numpy as np
import pytest

from contract.messages import CommandKind, EventKind, Reason
from contract.records import COMMAND_DTYPE, EVENT_DTYPE, RecordArray, empty_commands
from phase3_sorted import Engine
from phase4_ring import Pipeline, Sequencer
from phase4_ring.conftest import TIME_LIMIT_S, Child
from phase4_ring.sequencer import Consumer
from phase4_ring.shared_names import RingInUseError

Spawn = Callable[..., Child]
FreshName = Callable[[], str]

PLACES: Final = 64
#: So long a wait is in vain before one asks why.
SHORT_S: Final = 0.01


def make_orders(first: int, count: int) -> RecordArray:
    """Bids that rest: one event each."""
    orders = empty_commands(count)
    orders["kind"] = CommandKind.NEW
    orders["order_id"] = np.arange(first, first + count)
    orders["price"] = orders["quantity"] = 5
    return orders


# --- what children do ----------------------------------------------------------------------


def say(line: object) -> None:
    """To the parent."""
    print(line, flush=True)


def claimer(name: str, count: str) -> None:
    """Claim slots, write orders there, wait, and then publish."""
    producer = Sequencer.attach(name).producer()
    first = 1_000
    for slots in producer.claim(int(count)):
        for field in ("kind", "order_id", "price", "quantity"):
            slots[field] = make_orders(first, len(slots))[field]
        first += len(slots)
    say(producer.number)
    input()
    producer.publish()
    say("published")


def joiner(name: str, places: str, claimed: str) -> None:
    """Take places, claim with the first of them, and wait."""
    sequencer = Sequencer.attach(name)
    producers = [sequencer.producer() for _ in range(int(places))]
    producers[0].claim(int(claimed))
    say("joined")
    input()


def consume(me: Consumer, count: int) -> RecordArray:
    """The next commands, waited for."""
    got: list[RecordArray] = []
    while len(got) < count:
        assert me.wait(TIME_LIMIT_S)
        got.append(me.pop(1).view(COMMAND_DTYPE)[:, 0])
    return np.concatenate(got)


def consume_all_but_a_gap(me: Consumer) -> RecordArray:
    """The commands before a gap; then nothing comes."""
    got = me.pop(100).view(COMMAND_DTYPE)[:, 0]
    assert not me.wait(SHORT_S)
    return got


# --- one consumer --------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 2**32 - 4, 2**64 - 4])
def test_a_gap_is_found_named_and_filled(start: int, spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against a ring that stands still for good, or goes on without saying why."""
    name = fresh_name()
    with Sequencer.create(name, 8, start=start) as sequencer:
        me = sequencer.add_consumer()
        mine = sequencer.producer()
        assert mine.push(make_orders(1, 2)) == 2
        child = spawn(claimer, name, 3)
        number = int(child.hear())
        assert mine.push(make_orders(3, 2)) == 2
        assert consume_all_but_a_gap(me)["order_id"].tolist() == [1, 2]
        assert me.blocked() is None, "who claimed it lives, and may publish it yet"
        child.kill(reap=False)  # nobody has waited for it: it is dead all the same
        claim = me.blocked()
        assert claim == ((start + 2) % 2**64, (start + 5) % 2**64, child.pid, number)
        assert me.fill(claim) == 3
        assert me.fill(claim) == 0, "it is filled already"
        assert me.blocked() is None
        got = consume(me, 5)
        assert got["kind"].tolist() == [0, 0, 0, CommandKind.NEW, CommandKind.NEW]
        assert got["order_id"].tolist() == [0, 0, 0, 3, 4]
        assert [int(number) for number in got["sequence"]] == [
            (start + cursor) % 2**64 for cursor in (3, 4, 5, 6, 7)
        ]
        sequencer.check()


def test_a_paused_producer_is_not_dead(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against commands of a process that is only slow, replaced by nothing."""
    name = fresh_name()
    with Sequencer.create(name, 8) as sequencer:
        me = sequencer.add_consumer()
        child = spawn(claimer, name, 3)
        child.hear()
        child.stop()
        assert not me.wait(SHORT_S)
        assert me.blocked() is None
        child.tell("publish")
        child.go_on()
        child.hear("published")
        child.end()
        assert consume(me, 3)["order_id"].tolist() == [1000, 1001, 1002]
        assert me.blocked() is None


def test_two_gaps_of_two_dead(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against a gap that is filled as far as another's, or blamed on the wrong one."""
    name = fresh_name()
    with Sequencer.create(name, 16) as sequencer:
        me = sequencer.add_consumer()
        children = [spawn(claimer, name, count) for count in (2, 3)]
        numbers = [int(child.hear()) for child in children]
        # Which of the two was first is theirs to decide.
        ends = {child.pid: int(count) for child, count in zip(children, (2, 3), strict=True)}
        for child in children:
            child.kill()
        found = []
        while (claim := me.blocked()) is not None:
            found.append(claim)
            assert me.fill(claim) == claim.end - claim.cursor
            consume(me, claim.end - claim.cursor)
        assert {claim.pid: claim.end - claim.cursor for claim in found} == ends
        assert {claim.pid: claim.producer for claim in found} == {
            child.pid: number for child, number in zip(children, numbers, strict=True)
        }
        assert [claim.cursor for claim in found] == [0, found[0].end]
        assert me.cursor == 5


def test_a_gap_at_the_end_of_all(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against a closed sequencer that never counts as drained, for the sake of the dead."""
    name = fresh_name()
    with Sequencer.create(name, 8) as sequencer:
        me = sequencer.add_consumer()
        child = spawn(claimer, name, 2)
        child.hear()
        sequencer.close()
        child.kill()
        assert not me.wait(SHORT_S)
        claim = me.blocked()
        assert claim is not None
        me.fill(claim)
        assert consume(me, 2)["kind"].tolist() == [0, 0]
        assert not me.wait(None), "drained"


# --- places --------------------------------------------------------------------------------


def test_places_of_the_dead_can_be_taken(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against 64 gateways ever, instead of 64 at a time."""
    name = fresh_name()
    with Sequencer.create(name, 8) as sequencer:
        me = sequencer.add_consumer()
        child = spawn(joiner, name, PLACES, 2)
        child.hear("joined")
        with pytest.raises(RingInUseError, match="all 64"):
            sequencer.producer()
        child.kill(reap=False)
        producers = [sequencer.producer() for _ in range(PLACES - 1)]
        with pytest.raises(RingInUseError, match="all 64"):
            sequencer.producer()  # the last one still says whose the gap is
        assert producers[0].push(make_orders(1, 1)) == 1
        claim = me.blocked()
        assert claim is not None
        assert claim.pid == child.pid
        assert me.fill(claim) == 2
        producers.append(sequencer.producer())
        assert producers[-1].number == claim.producer
        assert producers[-1].push(make_orders(2, 1)) == 1
        assert consume(me, 4)["order_id"].tolist() == [0, 0, 1, 2]
        for producer in producers:
            producer.leave()
        again = [sequencer.producer() for _ in range(PLACES)]
        assert [producer.number for producer in again] == list(range(PLACES))


# --- the pipeline does it by itself --------------------------------------------------------


def test_a_pipeline_goes_on(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against an engine that stands still behind a dead gateway, or hides why not."""
    name = fresh_name()
    with (
        Sequencer.create(name, 64) as sequencer,
        Pipeline(Engine(capacity=100), commands=sequencer).start() as pipeline,
    ):
        mine = pipeline.producer()
        child = spawn(claimer, name, 3)
        number = int(child.hear())
        assert mine.push(make_orders(1, 2)) == 2
        assert len(pipeline.receive(timeout_s=SHORT_S)) == 0
        child.stop()
        assert len(pipeline.receive(timeout_s=5 * SHORT_S)) == 0
        assert pipeline.dead_claims() == []
        assert not pipeline.at_rest()
        child.kill(reap=False)
        events = receive(pipeline, 5)
        assert events["kind"].tolist() == [EventKind.REJECTED] * 3 + [EventKind.ACCEPTED] * 2
        assert events["reason"].tolist()[:3] == [Reason.INVALID_COMMAND] * 3
        assert events["order_id"].tolist() == [0, 0, 0, 1, 2]
        assert events["sequence"].tolist() == [1, 2, 3, 4, 5]
        assert pipeline.dead_claims() == [(0, 3, child.pid, number)]
        assert pipeline.stages()[0].dead_producers == 1
        assert pipeline.producer().number == number, "the place is free again"
        assert mine.push(make_orders(3, 1)) == 1
        assert receive(pipeline, 1)["order_id"].tolist() == [3]
        pipeline.stop()
        assert pipeline.stages()[0].state == "drained"
        assert [order.order_id for order in pipeline.engine.orders(0)] == [1, 2, 3]


def test_a_pipeline_drains_in_spite_of_the_dead(spawn: Spawn, fresh_name: FreshName) -> None:
    """Guards against a stop that times out because of a gateway that will never publish."""
    name = fresh_name()
    with (
        Sequencer.create(name, 64) as sequencer,
        Pipeline(Engine(capacity=100), commands=sequencer).start() as pipeline,
    ):
        children = [spawn(claimer, name, 2) for _ in range(4)]
        for child in children:
            child.hear()
            child.kill()
        pipeline.stop(TIME_LIMIT_S)
        assert sorted(claim.pid for claim in pipeline.dead_claims()) == sorted(
            child.pid for child in children
        )
        assert len(pipeline.receive()) == 8
        assert os.getpid() == sequencer.consumer_pid(0)


def receive(pipeline: Pipeline, count: int) -> RecordArray:
    """The next events, waited for."""
    got = np.empty(0, EVENT_DTYPE)
    while len(got) < count:
        some = pipeline.receive(count - len(got), timeout_s=TIME_LIMIT_S)
        assert len(some) > 0
        got = np.concatenate([got, some])
    return got
