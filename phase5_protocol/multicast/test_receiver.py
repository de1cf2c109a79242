"""The receiver through its face; its promise: whatever the network does, the same stream."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import ConfigurationError
from phase5_protocol.multicast.mold import (
    NEVER_NS,
    DeliveryKind,
    GapState,
    MalformedPacketError,
    Problem,
    Verdict,
)
from phase5_protocol.multicast.native import (
    MessageStore,
    MoldPacker,
    make_request,
    packetise,
    parse_request,
)
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import (
    FIRST_SEEN,
    HELD,
    Receiver,
    ReceiverConfig,
)

MS = 1_000_000
STEP_NS = 100_000
PATIENT = ReceiverConfig(
    session="HYP",
    record_bytes=0,
    max_message_bytes=80,
    window_messages=64,
    max_gaps=8,
    max_requests=4,
    request_messages=5,
    attempts=40,
    request_timeout_ns=2 * MS,
)
chances = st.floats(0, 0.4)


def pump(
    messages: list[bytes], network: LossyNetwork, config: ReceiverConfig, batches: list[int]
) -> tuple[list[bytes], list[int], Receiver]:
    """All of it through the network, with a store behind it, to the end: messages and losses."""
    got: list[bytes] = []
    lost: list[int] = []
    receiver = Receiver(config)
    now = 0
    with MoldPacker("HYP", 1, 200) as packer, MessageStore("HYP") as store:
        sizes, place = iter(batches), 0
        for _ in range(20_000):
            now += STEP_NS
            if place < len(messages):
                batch = messages[place : place + next(sizes, 7)]
                place += len(batch)
                for message in batch:
                    store.append(message)
                for datagram in packer.pack_messages(batch).split():
                    network.put(datagram, now, 0)
            else:
                network.put(packer.end(), now, 0)
            for datagram, link in network.take_due(now):
                if link == 1:
                    answer = store.answer(parse_request(datagram), 200)[1]
                    if answer:
                        network.put(answer, now, 2)
                else:
                    receiver.put(datagram, now, link)
            for request in receiver.poll(now):
                network.put(request, now, 1)
            while (delivery := receiver.take()).kind in (DeliveryKind.MESSAGES, DeliveryKind.LOST):
                assert delivery.first == len(got) + len(lost) + 1
                if delivery.kind is DeliveryKind.LOST:
                    lost += range(delivery.first, delivery.first + delivery.count)
                got += delivery.messages()
            receiver.check()
            if delivery.kind is DeliveryKind.END:
                return got, lost, receiver
    raise AssertionError(f"no end in sight: {receiver.counters()}")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.binary(max_size=80), max_size=300),
    st.lists(st.integers(1, 40), max_size=20),
    st.integers(0, 2**64 - 1),
    chances,
    chances,
    chances,
    chances,
)
def test_the_same_stream_through_any_network(
    messages: list[bytes],
    batches: list[int],
    seed: int,
    loss: float,
    duplication: float,
    reordering: float,
    corruption: float,
) -> None:
    """One interleaving of losses, repetitions and delays after which a message is wrong."""
    with LossyNetwork(
        seed,
        loss=loss,
        duplication=duplication,
        reordering=reordering,
        corruption=corruption / 4,
        truncation=corruption / 4,
        jitter_ns=MS // 2,
        reorder_ns=3 * MS,
    ) as network:
        got, lost, receiver = pump(messages, network, PATIENT, batches)
        assert got == messages
        assert lost == []
        gaps = receiver.closed_gaps()
        assert all(gap.state is GapState.FILLED and gap.missing == 0 for gap in gaps)
        assert receiver.gaps() == []
        network.check()


def test_without_requests_what_the_network_takes_is_reported() -> None:
    """A green test above because nothing was lost: here it must be, number by number."""
    messages = [b"message %d" % n for n in range(1, 2001)]
    with LossyNetwork(3, loss=0.05) as network:
        got, lost, receiver = pump(messages, network, PATIENT._replace(attempts=0), [])
    assert len(lost) > 50
    assert got == [m for n, m in enumerate(messages, 1) if n not in set(lost)]
    counters = receiver.counters()
    assert counters.lost == len(lost)
    assert counters.gaps_unrecoverable > 0
    assert counters.requests == 0
    states = {gap.state for gap in receiver.closed_gaps()}
    assert GapState.UNRECOVERABLE in states


def test_the_life_of_a_gap() -> None:
    """Numbers, times or states of a gap in another order in Python than in C."""
    rows = np.arange(64 * 100, dtype=np.uint16).astype(np.uint8).reshape(100, 64)
    packed = packetise(rows, "DAY1")
    datagrams = list(packed.split())
    with Receiver(ReceiverConfig(reorder_delay_ns=MS, request_timeout_ns=5 * MS)) as receiver:
        session = receiver.session
        assert session is None
        assert receiver.deadline_ns == NEVER_NS
        assert receiver.put(datagrams[0], 10 * MS) is Verdict.TAKEN
        assert receiver.put(datagrams[0], 10 * MS, line=1) is Verdict.DUPLICATE
        assert receiver.put(datagrams[2], 11 * MS) is Verdict.TAKEN
        assert receiver.session == "DAY1"
        assert (receiver.base, receiver.expected, receiver.announced) == (1, 23, 67)
        (gap,) = receiver.gaps()
        assert (gap.first, gap.count, gap.missing, gap.state) == (23, 22, 22, GapState.DETECTED)
        assert receiver.deadline_ns == 12 * MS
        assert receiver.poll(11 * MS) == []
        assert receiver.poll(12 * MS) == [make_request("DAY1", 23, 22)]
        assert receiver.gaps()[0].state is GapState.REQUESTED
        assert receiver.put_many(packed, 13 * MS, line=2) == 3
        delivery = receiver.take()
        assert (delivery.kind, delivery.first, delivery.count) == (DeliveryKind.MESSAGES, 1, 100)
        assert (delivery.data == rows).all()
        assert receiver.take().kind is DeliveryKind.NOTHING
        (gap,) = receiver.closed_gaps()
        assert (gap.detected_ns, gap.requested_ns, gap.closed_ns) == (11 * MS, 12 * MS, 13 * MS)
        assert (gap.requests, gap.state, gap.lost) == (1, GapState.FILLED, 0)
        assert receiver.closed_gaps() == []
        line = receiver.line_counters(2)
        assert (line.packets, line.fresh, line.duplicates) == (5, 56, 44)
        assert line.highest == 101
        receiver.check()


def test_strangers() -> None:
    """A hostile datagram that raises, or is counted as something else."""
    with Receiver(ReceiverConfig(session="DAY1")) as receiver:
        rows = bytes(64)
        assert receiver.put(b"", 0) is Verdict.SHORT_HEADER
        assert receiver.put(packetise(rows, "DAY2").arena, 0) is Verdict.OTHER_SESSION
        far = next(packetise(rows, "DAY1", first=2**63).split())
        assert receiver.put(far, 0) is Verdict.BEYOND_WINDOW
        short = next(packetise(bytes(63), "DAY1", record_bytes=63).split())
        assert receiver.put(short, 0) is Verdict.WRONG_LENGTH
        assert receiver.put(next(packetise(rows, "DAY1").split()) + b"x", 0) == 7
        assert receiver.line_counters().malformed == {
            Problem.SHORT_HEADER: 1,
            Problem.TRAILING_BYTES: 1,
        }
        assert receiver.poll(2**62) == []
        assert receiver.expected == 1
        receiver.check()
        with pytest.raises(ValueError, match="line 8"):
            receiver.put(b"", 0, line=8)


def test_joining() -> None:
    """A late joiner who gets what his snapshot has already, or not what it has not."""
    rows = np.arange(64 * 100, dtype=np.uint16).astype(np.uint8).reshape(100, 64)
    datagrams = list(packetise(rows, "DAY1").split())
    with Receiver(ReceiverConfig(start=HELD)) as receiver:
        for datagram in datagrams[2:]:
            receiver.put(datagram, 0)
        assert receiver.take().kind is DeliveryKind.NOTHING
        receiver.join(60, 0)
        delivery = receiver.take()
        assert (delivery.first, delivery.count) == (60, 41)
        assert (delivery.data == rows[59:]).all()
        with pytest.raises(ValueError, match="cannot join at 50: 101 comes next"):
            receiver.join(50, 0)
    with Receiver(ReceiverConfig(start=FIRST_SEEN)) as receiver:
        receiver.put(datagrams[3], 0)
        assert receiver.take(most=5).count == 5
        assert receiver.base == 72


def test_what_cannot_be() -> None:
    """A window that is silently another."""
    with pytest.raises(ConfigurationError, match="window_messages 100 is out of its limits"):
        Receiver(ReceiverConfig(window_messages=100))
    with Receiver() as receiver:
        receiver.close()
        with pytest.raises(ValueError, match="receiver is closed"):
            receiver.take()
    with pytest.raises(MalformedPacketError):
        parse_request(b"")
