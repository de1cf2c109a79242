"""A session through c/bench.h: everything comes, or it is said that it does not."""

from __future__ import annotations

import numpy as np
import pytest

from contract.messages import EventKind
from contract.records import RecordArray, empty_commands, empty_events
from phase5_protocol.bench import RecoveryError, recover
from phase5_protocol.multicast.mold import Packed
from phase5_protocol.multicast.native import MessageStore, packetise
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import Receiver, ReceiverConfig

CONFIG = ReceiverConfig(
    session="DAY", reorder_delay_ns=20_000, request_timeout_ns=1_000_000, attempts=20
)


@pytest.fixture
def records() -> RecordArray:
    """Events, each with a number of its own, shape (5000,)."""
    made = empty_events(5_000)
    made["sequence"] = np.arange(1, 5_001)
    made["kind"] = EventKind.TRADE
    return made


@pytest.mark.parametrize("loss", [None, 0.0, 0.05])
def test_a_session_comes_whole(records: RecordArray, loss: float | None) -> None:
    """Guards: a loop that measures recovery and recovers nothing, or hands out another order."""
    out = empty_events(len(records))
    network = None if loss is None else LossyNetwork(1, loss=loss, delay_ns=50_000)
    with Receiver(CONFIG) as receiver, MessageStore("DAY") as store:
        store.append_records(records)
        made = recover(receiver, network, store, packetise(records, "DAY"), out, step_ns=4_000)
        receiver.check()
        lost = network.counters().lost if network else 0
        assert out.tobytes() == records.tobytes()
        assert (made.messages, made.lost, made.unanswered) == (len(records), 0, 0)
        assert (made.requests > 0) == (lost > 0) == (loss == 0.05)
        assert made.requests == receiver.counters().requests


def test_a_loss_at_the_very_end_is_seen(records: RecordArray) -> None:
    """Guards: a last datagram that is lost and never missed, because nothing follows it."""
    packed = packetise(records, "DAY")
    most = Packed(packed.arena, packed.datagrams[:-1])
    out = empty_events(len(records))
    with (
        LossyNetwork(1) as network,
        Receiver(CONFIG) as receiver,
        MessageStore("DAY") as store,
    ):
        store.append_records(records)
        made = recover(receiver, network, store, most, out, step_ns=4_000)
    assert out.tobytes() == records.tobytes()
    assert made.requests == 1


def test_what_is_given_up_is_an_error(records: RecordArray) -> None:
    """Guards: a time for a session of which half never came."""
    packed = packetise(records, "DAY")
    holed = Packed(packed.arena, packed.datagrams[::2])
    with (
        LossyNetwork(1) as network,
        Receiver(CONFIG) as receiver,
        MessageStore("DAY", capacity_messages=100) as store,
    ):
        store.append_records(records)
        with pytest.raises(RecoveryError, match="of 5,000 messages came"):
            recover(receiver, network, store, holed, empty_events(5_000), step_ns=4_000)


def test_what_cannot_be_carried_is_refused(records: RecordArray) -> None:
    """Guards: C that writes past what it was given."""
    packed = packetise(records, "DAY")
    out = empty_events(len(records))
    none = Packed(packed.arena, packed.datagrams[:0])
    beyond = Packed(packed.arena[:-1], packed.datagrams)
    with Receiver(CONFIG) as receiver, MessageStore("DAY") as store:
        for wrong, room in (
            (none, out),
            (beyond, out),
            (packed, out[::2]),
            (packed, empty_commands(len(records))),
        ):
            with pytest.raises(ValueError, match="not datagrams of an arena"):
                recover(receiver, None, store, wrong, room, step_ns=1)
        other = CONFIG._replace(record_bytes=32)
        with (
            Receiver(other) as narrow,
            pytest.raises(ValueError, match="another receiver"),
        ):
            recover(narrow, None, store, packed, out, step_ns=1)
