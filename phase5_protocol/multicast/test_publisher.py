"""The publisher: full datagrams, flushes and heartbeats on time, and nobody who could stop it."""

from collections.abc import Iterator

import pytest

from contract.errors import ConfigurationError
from contract.records import RecordArray
from phase5_protocol.multicast.conftest import make_events, parts
from phase5_protocol.multicast.mold import PacketKind
from phase5_protocol.multicast.native import MessageStore, parse_packet
from phase5_protocol.multicast.native_udp import Endpoint, UdpSocket
from phase5_protocol.multicast.publisher import Publisher

MILLISECOND = 1_000_000


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 10**12

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def listener() -> Iterator[UdpSocket]:
    """A socket to publish to, which reads when the test does."""
    with UdpSocket(receive_bytes=1 << 22) as made:
        yield made


def heard(listener: UdpSocket, messages: int) -> list[bytes]:
    """Datagrams, until there are that many messages in them."""
    datagrams: list[bytes] = []
    while sum(len(parse_packet(each).messages) for each in datagrams) < messages:
        assert listener.wait(10)
        datagrams += [each.data for each in listener.receive()]
    return datagrams


def test_many_messages_a_datagram(listener: UdpSocket) -> None:
    """Guards: a datagram above the MTU, one that wastes it, a number skipped or given twice."""
    events = make_events(1_000)
    with Publisher("DAY", [listener.endpoint]) as publisher:
        assert publisher.publish(events) == 1
        assert publisher.next_sequence == 1_001
        datagrams = heard(listener, 1_000)
        assert publisher.counters.messages == 1_000
        assert publisher.counters.datagrams == len(datagrams)
        assert publisher.counters.bytes == sum(map(len, datagrams))
    packets = [parse_packet(each) for each in datagrams]
    assert {len(each.messages) for each in packets[:-1]} == {(1472 - 20) // 66}
    assert max(map(len, datagrams)) <= 1472
    sequence = 1
    for packet in packets:
        assert (packet.session, packet.sequence) == ("DAY", sequence)
        sequence += len(packet.messages)
    assert b"".join(m for p in packets for m in p.messages) == events.tobytes()


def test_records_and_messages_share_the_numbers(listener: UdpSocket) -> None:
    """Guards: two ways to publish that count apart, or a store that counts otherwise."""
    store = MessageStore("DAY", first=50)
    with Publisher("DAY", [listener.endpoint], store=store) as publisher:
        assert publisher.publish(make_events(2)) == 50
        assert publisher.publish_messages([b"", b"ab", b"c" * 1450]) == 52
        assert publisher.publish(make_events(0)) == 55
        assert store.next == publisher.next_sequence == 55
        assert store.read(53) == b"ab"
        found = [m for d in heard(listener, 5) for m in parse_packet(d).messages]
        assert found[2:] == [b"", b"ab", b"c" * 1450]
        assert [store.read(number) for number in range(50, 55)] == found


def test_what_waits_goes_when_its_time_has_come(listener: UdpSocket) -> None:
    """Guards: a lone message that waits for company for ever, or one sent before it must."""
    clock = Clock()
    with Publisher("DAY", [listener.endpoint], max_delay_s=0.002, clock=clock) as publisher:
        publisher.publish(make_events(3))
        clock.now += 1 * MILLISECOND
        publisher.publish(make_events(1))
        assert publisher.tick() == clock.now + 1 * MILLISECOND
        assert publisher.counters.datagrams == 0
        clock.now += 1 * MILLISECOND
        publisher.tick()
        assert [len(parse_packet(each).messages) for each in heard(listener, 4)] == [4]
        publisher.publish(make_events(22))
        assert publisher.counters.datagrams == 1
        publisher.publish(make_events(1))
        assert publisher.counters.datagrams == 2
        publisher.flush()
        assert publisher.counters.datagrams == 3
        # The next one waits its own time, not that of one which has left.
        clock.now += 1 * MILLISECOND
        publisher.publish(make_events(1))
        assert publisher.tick() == clock.now + 2 * MILLISECOND


def test_silence_is_broken(listener: UdpSocket) -> None:
    """Guards: a loss at the end of a burst that nobody notices before the next one."""
    clock = Clock()
    publisher = Publisher("DAY", [listener.endpoint], heartbeat_s=0.5, clock=clock)
    publisher.publish(make_events(7))
    heard(listener, 7)
    clock.now += 499 * MILLISECOND
    assert publisher.tick() == clock.now + MILLISECOND
    assert publisher.counters.heartbeats == 0
    clock.now += MILLISECOND
    publisher.tick()
    publisher.tick()
    assert publisher.counters.heartbeats == 1
    assert listener.wait(10)
    (beat,) = listener.receive()
    assert parse_packet(beat.data)[1:] == (8, PacketKind.HEARTBEAT, ())
    publisher.end()
    publisher.end()
    assert publisher.counters.ends == 1
    clock.now += 500 * MILLISECOND
    publisher.tick()
    assert (publisher.counters.heartbeats, publisher.counters.ends) == (1, 2)
    for _ in range(2):
        assert listener.wait(10)
    ends = [each.data for each in listener.receive()]
    assert {parse_packet(each)[1:] for each in ends} == {(8, PacketKind.END, ())}
    with pytest.raises(ValueError, match="'DAY' has ended"):
        publisher.publish(make_events(1))
    publisher.close()


def test_what_no_datagram_can_hold(listener: UdpSocket) -> None:
    """Guards: a message refused after it was numbered, so that store and packer part."""
    with Publisher("DAY", [listener.endpoint], datagram_bytes=100) as publisher:
        for refused in ([b"ok", b"x" * 79], [b"y" * 70_000]):
            with pytest.raises(ValueError, match="a datagram takes 78"):
                publisher.publish_messages(refused)
        with pytest.raises(ValueError, match="a datagram takes 78"):
            publisher.publish(bytes(128), record_bytes=128)
        with pytest.raises(ValueError, match="not whole records"):
            publisher.publish(bytes(65))
        assert publisher.store.next == publisher.next_sequence == 1
        assert publisher.publish_messages([b"z" * 78]) == 1


def test_a_destination_that_refuses_hurts_no_other(listener: UdpSocket) -> None:
    """Guards: a publisher that stops, retries or skips the others when the kernel says no."""
    broadcast = Endpoint("255.255.255.255", 9)  # not allowed without asking for it
    events = make_events(100)
    with Publisher("DAY", [broadcast, listener.endpoint]) as publisher:
        publisher.publish(events)
        datagrams = heard(listener, 100)
        assert publisher.counters.datagrams == len(datagrams) == 5
        assert sum(publisher.counters.unsent.values()) == 5
    assert b"".join(m for d in datagrams for m in parse_packet(d).messages) == events.tobytes()


def test_nobody_reads(events: RecordArray) -> None:
    """Guards: a publisher that a reader with a full queue can stop."""
    with UdpSocket(receive_bytes=4096) as stalled:
        with Publisher("DAY", [stalled.endpoint]) as publisher:
            for part in parts(events, 500):
                publisher.publish(part)
            assert publisher.counters.messages == len(events)
            assert not publisher.counters.unsent
        if stalled.drops is not None:
            assert stalled.drops > 0


def test_a_publisher_that_cannot_be(listener: UdpSocket) -> None:
    """Guards: a channel to nobody, or one that never breaks a silence."""
    with pytest.raises(ConfigurationError, match="no group"):
        Publisher("DAY", [])
    with pytest.raises(ConfigurationError, match="heartbeat_s 0 is not"):
        Publisher("DAY", [listener.endpoint], heartbeat_s=0)
