"""The faces of both rings where they are used wrongly, in turn, or after the end.

What a ring does when it is used as it should be is the ring suite's business; names and headers
are in test_shared_names.py. Here is what C could not survive: each is an error in Python that says
what would be right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

from contract import Side, new
from contract.errors import ConfigurationError, MatchbookError
from contract.messages import CommandKind
from contract.records import COMMAND_DTYPE
from contract.ring import CURSORS, RingClosedError, Rows
from phase4_ring import Sequencer, SpscRing
from phase4_ring.sequencer import DeadClaim
from phase4_ring.shared_names import RingInUseError

FreshName = Callable[[], str]

COMMAND: Final = new(7, Side.ASK, 100, 5).pack()


def sequences(rows: Rows) -> list[int]:
    """The numbers that the sequencer gave."""
    return [int(number) for number in rows.view(COMMAND_DTYPE)[:, 0]["sequence"]]


# --- lending -------------------------------------------------------------------------------


def test_claims_are_settled_in_parts() -> None:
    """Guards against a second commit that hands over slots nobody has written."""
    ring = SpscRing(8)
    with pytest.raises(ValueError, match="1 slots are not 0 to 0, what was claimed"):
        ring.commit(1)
    slots = ring.claim(5)
    slots[:] = 9
    ring.commit(2)
    ring.commit(0)
    ring.commit(3)
    for count in (1, -1):
        with pytest.raises(ValueError, match="what was claimed"):
            ring.commit(count)
    assert ring.pop(8).tolist() == [[9] * 64] * 5


def test_peeks_are_settled_in_parts() -> None:
    """Guards against slots given back that have not been looked at."""
    ring = SpscRing(8)
    ring.push(bytes(64) * 5)
    with pytest.raises(ValueError, match="1 slots are not 0 to 0, what was peeked"):
        ring.release(1)
    assert len(ring.peek(3)) == 3
    ring.release(1)
    ring.release(2)
    with pytest.raises(ValueError, match="what was peeked"):
        ring.release(1)
    assert (len(ring), ring.tail) == (2, 3)


def test_lent_for_reading_is_not_written() -> None:
    """Guards against a consumer that changes what others have yet to read."""
    ring, sequencer = SpscRing(8), Sequencer(8)
    me = sequencer.add_consumer()
    ring.push(COMMAND)
    sequencer.producer().push(COMMAND)
    for rows in (ring.peek(1), me.peek(1)):
        with pytest.raises(ValueError, match="read-only"):
            rows[:] = 0


def test_a_consumer_advances_within_its_peek() -> None:
    """Guards against commands skipped unseen, and against a cursor that runs ahead of all."""
    sequencer = Sequencer(8)
    me = sequencer.add_consumer()
    sequencer.producer().push(COMMAND * 5)
    with pytest.raises(ValueError, match="1 commands are not 0 to 0"):
        me.advance(1)
    assert sequences(me.peek(3)) == [1, 2, 3]
    me.advance(2)
    for count in (2, -1):
        with pytest.raises(ValueError, match="what was peeked"):
            me.advance(count)
    assert sequences(me.peek(8)) == [3, 4, 5]


def test_a_claim_in_a_sequencer() -> None:
    """Guards against a claim over the lap's end that is one array, or lets the flag be written."""
    sequencer = Sequencer(8, start=CURSORS - 3)
    me = sequencer.add_consumer()
    producer = sequencer.producer()
    with pytest.raises(ValueError, match="nothing is claimed"):
        producer.publish()
    arrays = producer.claim(5)
    assert [len(slots) for slots in arrays] == [3, 2]
    assert "sequence" not in (arrays[0].dtype.names or ())
    for slots in arrays:
        slots["kind"] = CommandKind.CANCEL
        slots["order_id"] = 11
    assert len(me.peek(8)) == 0, "claimed, and not published"
    for use in (lambda: producer.claim(1), lambda: producer.push(COMMAND), producer.leave):
        with pytest.raises(ValueError, match=r"publish\(\) the last claim first"):
            use()
    producer.publish()
    with pytest.raises(ValueError, match="nothing is claimed"):
        producer.publish()
    got = me.pop(8).view(COMMAND_DTYPE)[:, 0]
    assert got["order_id"].tolist() == [11] * 5
    assert sequences(got.view(np.uint8).reshape(-1, 64)) == [CURSORS - 2, CURSORS - 1, 0, 1, 2]


def test_a_refused_claim_is_none() -> None:
    """Guards against a full ring whose refusal looks like a claim of nothing to be published."""
    sequencer = Sequencer(4)
    sequencer.add_consumer()
    producer = sequencer.producer(tries=3)
    assert producer.push(COMMAND * 6) == 4
    assert producer.claim(1) == []
    assert producer.refused == 2
    with pytest.raises(ValueError, match="nothing is claimed"):
        producer.publish()
    producer.leave()


# --- after the end -------------------------------------------------------------------------


def spsc_uses(ring: SpscRing) -> list[Callable[[], Any]]:
    """Everything that would reach C."""
    return [
        lambda: ring.head,
        lambda: ring.tail,
        lambda: len(ring),
        lambda: ring.closed,
        ring.check,
        lambda: ring.push(COMMAND),
        lambda: ring.put(COMMAND),
        lambda: ring.claim(1),
        lambda: ring.commit(0),
        lambda: ring.pop(1),
        ring.get,
        lambda: ring.pop_into(bytearray(64)),
        lambda: ring.peek(1),
        lambda: ring.release(0),
        lambda: ring.wait_items(0),
        lambda: ring.wait_space(0),
        ring.pids,
        ring.close,
    ]


@pytest.mark.parametrize("shared", [False, True])
def test_a_detached_ring(shared: bool, fresh_name: FreshName) -> None:
    """Guards against a look at memory that is no longer mapped: an error, not a crash."""
    ring = SpscRing.create(fresh_name(), 8) if shared else SpscRing(8)
    for use in spsc_uses(ring):
        use()
    ring.detach()
    ring.detach()
    for use in spsc_uses(ring):
        with pytest.raises(MatchbookError, match="detached"):
            use()


def test_a_detached_sequencer() -> None:
    """Guards against producers and consumers that outlive the memory of their sequencer."""
    sequencer = Sequencer(8)
    me = sequencer.add_consumer()
    producer, claimer = sequencer.producer(), sequencer.producer()
    claimer.claim(1)
    sequencer.detach()
    sequencer.detach()
    uses: list[Callable[[], Any]] = [
        lambda: sequencer.claimed,
        lambda: sequencer.gate,
        lambda: sequencer.start,
        lambda: len(sequencer),
        lambda: sequencer.closed,
        sequencer.close,
        sequencer.check,
        sequencer.producer,
        sequencer.add_consumer,
        sequencer.consumers,
        lambda: sequencer.consumer(0),
        lambda: sequencer.consumer_pid(0),
        lambda: producer.push(COMMAND),
        lambda: producer.claim(1),
        claimer.publish,
        lambda: producer.refused,
        lambda: me.cursor,
        lambda: me.peek(1),
        lambda: me.advance(0),
        lambda: me.pop(1),
        lambda: me.wait(0),
        me.blocked,
        lambda: me.fill(DeadClaim(0, 1, 1, 0)),
    ]
    for use in uses:
        with pytest.raises(MatchbookError, match="detached"):
            use()
    producer.leave()  # it did when the sequencer was detached


def test_a_producer_that_has_left() -> None:
    """Guards against a place used by two, and against the end of the process for asking."""
    sequencer = Sequencer(8)
    me = sequencer.add_consumer()
    producer = sequencer.producer()
    producer.leave()
    producer.leave()
    uses: list[Callable[[], Any]] = [
        lambda: producer.push(COMMAND),
        lambda: producer.claim(1),
        lambda: producer.refused,
    ]
    for use in uses:
        with pytest.raises(ValueError, match="this producer has left"):
            use()
    assert len(me.pop(8)) == 0


def test_a_closed_sequencer() -> None:
    """Guards against a claim after the close that would never be consumed."""
    sequencer = Sequencer(4)
    me = sequencer.add_consumer()
    producer = sequencer.producer()
    assert producer.push(COMMAND) == 1
    sequencer.close()
    sequencer.close()
    with pytest.raises(RingClosedError):
        producer.push(COMMAND)
    assert producer.claim(1) == []
    assert sequences(me.pop(8)) == [1]
    assert not me.wait(None)


# --- places --------------------------------------------------------------------------------


def test_all_places_of_one_process() -> None:
    """Guards against a 65th producer in somebody else's place."""
    sequencer = Sequencer(8)
    producers = [sequencer.producer() for _ in range(64)]
    assert [producer.number for producer in producers] == list(range(64))
    with pytest.raises(RingInUseError, match="all 64"):
        sequencer.producer()
    producers[20].leave()
    assert sequencer.producer().number == 20


def test_consumers_and_their_order() -> None:
    """Guards against a consumer that comes too late to have seen everything, or is no one's."""
    sequencer = Sequencer(8)
    first = sequencer.add_consumer()
    for _ in range(7):
        sequencer.add_consumer(after=[first])
    with pytest.raises(ConfigurationError, match="no consumer can be added"):
        sequencer.add_consumer()
    for number in (-1, 8, 2**40):
        with pytest.raises(ConfigurationError, match=f"consumer {number} does not exist"):
            sequencer.consumer(number)
    early = Sequencer(8)
    early.producer().push(COMMAND)
    consumer = early.add_consumer()
    assert len(consumer.pop(8)) == 1, "nothing is lost to who comes before anything is gone"
    with pytest.raises(ConfigurationError, match="would miss"):
        early.add_consumer()


# --- arguments -----------------------------------------------------------------------------


def test_arguments_that_are_none() -> None:
    """Guards against numbers that become others on their way to C."""
    ring, sequencer = SpscRing(8), Sequencer(8)
    me, producer = sequencer.add_consumer(), sequencer.producer()
    for call in (ring.claim, ring.peek, ring.pop, producer.claim, me.peek, me.pop):
        with pytest.raises(ValueError, match="-1 is not 0 or more"):
            call(-1)
    for wait in (ring.wait_items, ring.wait_space, me.wait):
        for timeout_s in (-1, -1e-12, float("nan")):
            with pytest.raises(ValueError, match="is not 0 or more"):
                wait(timeout_s)
    ring.push(COMMAND)
    for timeout_s in (1e300, float("inf"), 2**70):
        assert ring.wait_items(timeout_s)
    for tries in (0, -1, 2**32):
        with pytest.raises(ConfigurationError, match=f"tries {tries}"):
            sequencer.producer(tries)
    for kind in (SpscRing, Sequencer):
        with pytest.raises(ConfigurationError, match="wait 'nap' is not one of spin, yield, park"):
            kind(8, wait="nap")
    assert producer.refused == 0
