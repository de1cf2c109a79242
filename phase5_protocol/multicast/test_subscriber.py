"""From publisher to subscriber over real sockets, with a network between them that misbehaves.

::

    publisher ──▶ group ──▶ socket ──▶ lossy network ──▶ receiver ──▶ collected == published?
    request server ◀── lossy network ◀── requests ────────┘
"""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from contract.errors import ConfigurationError
from contract.records import RecordArray
from phase5_protocol.multicast.channel import Channel
from phase5_protocol.multicast.conftest import Collected, destinations, make_events, parts
from phase5_protocol.multicast.mold import Gap, GapState
from phase5_protocol.multicast.native import MessageStore
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import FIRST_SEEN, ReceiverConfig
from phase5_protocol.multicast.native_udp import LOOPBACK, Endpoint, UdpSocket
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.retransmission import RequestServer
from phase5_protocol.multicast.subscriber import Subscriber, describe_gap

NewLine = Callable[[], Endpoint]
#: Loss, duplication, reordering. Not damage: two bits flipped in one column pass UDP's checksum,
#: and MoldUDP64 has none of its own.
BAD = {"loss": 0.05, "duplication": 0.05, "reordering": 0.05, "jitter_ns": 100_000}
PATIENT = ReceiverConfig(session="DAY", attempts=50, request_timeout_ns=5_000_000)


def serve_until_ended(
    publisher: Publisher, server: RequestServer, subscribers: list[Subscriber]
) -> list[Collected]:
    """Turn all the wheels in one thread until everybody has heard the end."""
    collected = [Collected() for _ in subscribers]
    publisher.end()
    while not all(each.ended for each in collected):
        publisher.tick()
        server.serve()
        for subscriber, into in zip(subscribers, collected, strict=True):
            subscriber.poll(0.001)
            into.take_from(subscriber)
    return collected


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_byte_equal_through_a_bad_network(
    new_line: NewLine, events: RecordArray, seed: int
) -> None:
    """Guards: a message missing, doubled or out of order after loss, duplication, reordering."""
    store = MessageStore("DAY")
    with RequestServer(store) as server:
        first = Subscriber(
            [new_line()],
            requests_to=[server.endpoint],
            config=PATIENT,
            network=LossyNetwork(seed, **BAD),  # type: ignore[arg-type]
        )
        line = first.lines[0]
        second = Subscriber(
            [line if line.address != LOOPBACK else new_line()],
            requests_to=[server.endpoint],
            config=PATIENT,
            network=LossyNetwork(seed + 100, **BAD),  # type: ignore[arg-type]
        )
        both = [first, second]
        publisher = Publisher("DAY", destinations(both), store=store, heartbeat_s=0.01)
        got = [Collected(), Collected()]
        for part in parts(events, 300):
            publisher.publish(part)
            server.serve()
            for subscriber, into in zip(both, got, strict=True):
                subscriber.poll()
                into.take_from(subscriber)
        rest = serve_until_ended(publisher, server, both)
        for subscriber, into, end in zip(both, got, rest, strict=True):
            assert into.data + end.data == events.tobytes()
            assert not into.lost + end.lost
            counted = subscriber.receiver.counters()
            assert counted.gaps_filled > 0
            assert counted.gaps_unrecoverable == 0
            assert {gap.state for gap in subscriber.closed_gaps} == {GapState.FILLED}
            assert any(gap.requests for gap in subscriber.closed_gaps)
            subscriber.receiver.check()
            subscriber.close()
        assert server.counters.answered > 0
        publisher.close()


def test_two_lines_mend_each_other(new_line: NewLine, events: RecordArray) -> None:
    """Guards: an A/B pair that asks although the other line has it, or doubles what both bring."""
    with Subscriber(
        [new_line(), new_line()],
        config=ReceiverConfig(session="DAY", attempts=0),
        network=LossyNetwork(5, loss=0.03, duplication=0.03),
    ) as subscriber:
        publisher = Publisher("DAY", subscriber.lines, heartbeat_s=0.01)
        into = Collected()
        for part in parts(events[:5_000], 300):
            publisher.publish(part)
            subscriber.poll()
            into.take_from(subscriber)
        publisher.close()
        into.to_the_end(subscriber)
        found = [subscriber.receiver.line_counters(line) for line in (0, 1)]
        assert all(each.fresh and each.duplicates for each in found)
        # What both lines have lost nobody can bring; there is little of it, and it is known.
        kept = [i for i in range(5_000) if i + 1 not in set(into.lost)]
        assert into.data == events[kept].tobytes()
        assert len(into.lost) < 200
        assert subscriber.counters.requests == 0


def test_given_up_and_told(new_line: NewLine) -> None:
    """Guards: a stream that stops at a gap nobody can fill, or goes on as if there were none."""
    gaps: list[Gap] = []
    impatient = ReceiverConfig(
        session="DAY", attempts=2, request_timeout_ns=1_000_000, reorder_delay_ns=0
    )
    events = make_events(100)
    with (
        UdpSocket() as deaf,
        Subscriber(
            [new_line()], requests_to=[deaf.endpoint], config=impatient, on_gap=gaps.append
        ) as subscriber,
    ):
        into = Collected()
        store = MessageStore("DAY")
        store.append_records(events[:40])  # as if the line had been cut while they were sent
        publisher = Publisher("DAY", subscriber.lines, store=store)
        publisher.publish(events[40:])
        publisher.close()
        into.to_the_end(subscriber)
        assert into.lost == list(range(1, 41))
        assert into.data == events[40:].tobytes()
        assert len(deaf.receive()) == subscriber.counters.requests >= 2
        (gap,) = gaps
        assert gap.state is GapState.UNRECOVERABLE
        assert (gap.first, gap.count, gap.lost) == (1, 40, 40)
        assert describe_gap(gap).startswith("1-40 (40): DETECTED -> REQUESTED +")
        assert describe_gap(gap).endswith("40 lost")


def test_sessions_on_one_group(new_group: NewLine) -> None:
    """Guards: yesterday's publisher, still running, mixed into today's stream."""
    with Subscriber([new_group()], config=ReceiverConfig(session="TODAY")) as subscriber:
        with (
            Publisher("TODAY", subscriber.lines) as today,
            Publisher("YESTERDAY", subscriber.lines) as yesterday,
        ):
            for part in parts(make_events(60), 6):
                yesterday.publish(part[:3])
                today.publish(part[3:])
            sent = yesterday.counters.datagrams + 1  # and the end of it
        into = Collected()
        while not into.ended or subscriber.receiver.line_counters().other_session < sent:
            subscriber.poll(0.01)
            into.take_from(subscriber)
        today_only = [i for i in range(60) if i % 6 >= 3]
        assert into.data == make_events(60)[today_only].tobytes()
        assert subscriber.receiver.line_counters().other_session == sent


def test_the_first_session_heard_is_kept(new_line: NewLine) -> None:
    """Guards: a subscriber without a session that changes to whichever spoke last."""
    with Subscriber([new_line()], config=ReceiverConfig(start=FIRST_SEEN)) as subscriber:
        with Publisher("ONE", subscriber.lines) as one:
            one.publish(make_events(1))
            while not subscriber.poll(1.0):
                pass
            with Publisher("TWO", subscriber.lines) as two:
                two.publish(make_events(5))
                while subscriber.receiver.line_counters().other_session < 1:
                    subscriber.poll(1.0)
        assert subscriber.receiver.session == "ONE"


def test_a_subscriber_that_sleeps(new_line: NewLine, events: RecordArray) -> None:
    """Guards: a stalled reader that slows the publisher down, or that never catches up again."""
    store = MessageStore("DAY")
    with (
        RequestServer(store) as server,
        Subscriber(
            [new_line()], requests_to=[server.endpoint], config=PATIENT, receive_bytes=16_384
        ) as sleeper,
        Subscriber([new_line()], requests_to=[server.endpoint], config=PATIENT) as awake,
    ):
        publisher = Publisher("DAY", destinations([sleeper, awake]), store=store, heartbeat_s=0.01)
        into = Collected()
        for part in parts(events, 300):
            publisher.publish(part)
            awake.poll()
            into.take_from(awake)
        # All of it is out, though one of the two has not read a byte.
        assert publisher.counters.messages == len(events)
        assert not publisher.counters.unsent
        drops = sleeper.kernel_drops
        rest, slept = serve_until_ended(publisher, server, [awake, sleeper])
        assert into.data + rest.data == events.tobytes()
        assert slept.data == events.tobytes()
        if drops is not None:
            assert drops > 0
            assert sleeper.receiver.counters().gaps > 0
        publisher.close()


def test_threads_of_their_own(new_line: NewLine, events: RecordArray) -> None:
    """Guards: subscribers and the channel in threads that hinder each other, or never end."""
    requests = RequestServer(MessageStore("DAY"))
    subscribers = [
        Subscriber(
            [new_line()],
            requests_to=[requests.endpoint],
            config=PATIENT,
            network=LossyNetwork(seed, loss=0.02, reordering=0.02),
        )
        for seed in (1, 2)
    ]
    to = destinations(subscribers)
    publisher = Publisher("DAY", to, store=requests.store, heartbeat_s=0.01)
    got = [bytearray() for _ in subscribers]
    ended: list[bool] = []

    def listen(subscriber: Subscriber, into: bytearray) -> None:
        ended.append(subscriber.run(lambda delivery: into.extend(delivery.data.tobytes())))

    threads = [
        threading.Thread(target=listen, args=pair) for pair in zip(subscribers, got, strict=True)
    ]
    for thread in threads:
        thread.start()
    with Channel(publisher, requests) as channel:
        for part in parts(events, 300):
            channel.publish(part)
        channel.end()
        for thread in threads:
            thread.join()
    assert ended == [True, True]
    assert [bytes(each) for each in got] == [events.tobytes()] * 2
    for subscriber in subscribers:
        subscriber.close()


def test_stop(new_line: NewLine) -> None:
    """Guards: a thread that waits for a session which will never come, and cannot be stopped."""
    with Subscriber([new_line()]) as subscriber:
        ended: list[bool] = []
        thread = threading.Thread(target=lambda: ended.append(subscriber.run(lambda _: None)))
        thread.start()
        subscriber.stop()
        thread.join()
        assert ended == [False]


_OTHER_PROCESS = """
import hashlib, sys
from phase5_protocol.multicast.native_receiver import ReceiverConfig
from phase5_protocol.multicast.native_udp import Endpoint
from phase5_protocol.multicast.subscriber import Subscriber

address, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
digest = hashlib.blake2b()
with Subscriber(
    [Endpoint(address, 0)],
    requests_to=[Endpoint(host, port)],
    config=ReceiverConfig(session="DAY", attempts=50),
) as subscriber:
    print(subscriber.lines[0].port, flush=True)
    subscriber.run(lambda delivery: digest.update(delivery.data.tobytes()))
print(digest.hexdigest())
"""


def test_a_process_of_its_own(new_line: NewLine, events: RecordArray) -> None:
    """Guards: something that works only because both sides share memory."""
    requests = RequestServer(MessageStore("DAY"))
    arguments = [new_line().address, *map(str, requests.endpoint)]
    child = subprocess.Popen(
        [sys.executable, "-c", _OTHER_PROCESS, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    to = [Endpoint(arguments[0], int(child.stdout.readline()))]
    publisher = Publisher("DAY", to, store=requests.store, heartbeat_s=0.01)
    with Channel(publisher, requests) as channel:
        for part in parts(events, 300):
            channel.publish(part)
        channel.end()
        rest = child.stdout.read()
        child.stdout.close()
        assert child.wait() == 0
    assert rest.strip() == hashlib.blake2b(events.tobytes()).hexdigest()


def test_lines_that_cannot_be() -> None:
    """Guards: a subscriber that listens to nothing, or to more than its links can tell apart."""
    with pytest.raises(ConfigurationError, match="0 lines"):
        Subscriber([])
    with pytest.raises(ConfigurationError, match="7 lines"):
        Subscriber([Endpoint(LOOPBACK, 0)] * 7)
