"""The request server: right answers, reasons for those not given, and a limit on all of it."""

import gc
from collections.abc import Iterator
from ctypes import CFUNCTYPE, c_int64, c_size_t, c_uint64, c_void_p, cast, memmove

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import MatchbookError
from contract.records import RecordArray
from phase5_protocol.multicast.channel import Channel
from phase5_protocol.multicast.conftest import make_events
from phase5_protocol.multicast.mold import (
    Outcome,
    Packet,
    PacketKind,
    Request,
    session_bytes,
)
from phase5_protocol.multicast.native import (
    MessageStore,
    make_request,
    parse_packet,
)
from phase5_protocol.multicast.native_limiter import RequestLimiter
from phase5_protocol.multicast.native_udp import SocketError, UdpSocket
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.retransmission import RATE_LIMITED, RequestServer

SECOND = 10**9


@pytest.fixture
def store() -> MessageStore:
    """Messages 1 to 1000 of session DAY."""
    made = MessageStore("DAY")
    made.append_records(make_events(1_000))
    return made


@pytest.fixture
def asker() -> Iterator[UdpSocket]:
    """Who asks."""
    with UdpSocket() as made:
        yield made


def ask(asker: UdpSocket, server: RequestServer, request: bytes) -> bytes | None:
    """Send a request and have it served; the answer, if there is one."""
    assert asker.send(server.endpoint, request).taken
    assert server.socket.wait(10)
    answered = server.counters.answered
    assert server.serve() == 1
    if server.counters.answered == answered:
        return None
    assert asker.wait(10)
    (datagram,) = asker.receive()
    assert datagram.sender == server.endpoint
    return datagram.data


def test_a_range_comes_back(store: MessageStore, asker: UdpSocket) -> None:
    """Guards: another range than was asked for, or an answer above the MTU."""
    events = make_events(1_000)
    with RequestServer(store) as server:
        answer = ask(asker, server, make_request("DAY", 981, 65535))
        assert answer is not None
        packet = parse_packet(answer)
        assert (packet.session, packet.sequence) == ("DAY", 981)
        assert b"".join(packet.messages) == events[980:1000].tobytes()
        answer = ask(asker, server, make_request("DAY", 1, 500))
        assert answer is not None
        assert len(answer) <= 1472
        assert b"".join(parse_packet(answer).messages) == events[:22].tobytes()
        assert server.counters.answered == server.counters.requests == 2


def test_refusals_have_reasons(asker: UdpSocket) -> None:
    """Guards: a request that vanishes without being counted, or counted as something else."""
    small = MessageStore("DAY", capacity_messages=10)
    small.append_records(make_events(100))
    session = session_bytes("DAY")
    wrong = {
        b"": "short_header",
        b"\0" * 20: "bad_session",
        session + bytes(8) + b"\0\1": "bad_sequence",
        session + bytes(7) + b"\1\0\0": "empty_request",
        session + bytes(7) + b"\1\0\1!": "trailing_bytes",
        session + b"\xff" * 10: "sequence_overflow",
        make_request("DAY", 5, 5): "too_old",
        make_request("DAY", 101, 1): "not_yet",
        make_request("NIGHT", 95, 1): "other_session",
    }
    with RequestServer(small) as server:
        for request, reason in wrong.items():
            before = server.counters.refused[reason]
            assert ask(asker, server, request) is None
            assert server.counters.refused[reason] == before + 1, reason
        assert server.counters.refused.total() == server.counters.requests == len(wrong)
        assert ask(asker, server, make_request("DAY", 95, 1)) is not None


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=30))
def test_any_bytes_are_counted(requests: list[bytes]) -> None:
    """Guards: a datagram that stops the server."""
    store = MessageStore("DAY")
    store.append_records(make_events(10))
    with RequestServer(store) as server, UdpSocket() as asker:
        served = 0
        for request in requests:
            asker.send(server.endpoint, request)
        while served < len(requests):
            assert server.socket.wait(10)
            served += server.serve()
        counters = server.counters
        assert counters.requests == counters.answered + counters.refused.total() == len(requests)


def test_the_log_is_asked_for_what_is_gone(asker: UdpSocket) -> None:
    """Guards: a subscriber told "too old" although a log still has it."""
    events = make_events(100)
    rows = [events[i : i + 1].tobytes() for i in range(100)]
    store = MessageStore("DAY", capacity_messages=10, log=lambda number: rows[number - 1])
    store.append_records(events)
    assert store.first == 91
    with RequestServer(store) as server:
        answer = ask(asker, server, make_request("DAY", 3, 4))
        assert answer is not None
        assert list(parse_packet(answer).messages) == rows[2:6]
    assert store.counters().from_log == 4


READ = CFUNCTYPE(c_int64, c_void_p, c_uint64, c_void_p, c_size_t)


class ForeignLog:
    """A log in C, as far as the store can see: even numbers only."""

    def __init__(self) -> None:
        self._read = READ(self._answer)

    def _answer(self, context: int, number: int, to: int, room: int) -> int:
        message = f"{number} of {context}".encode()
        if number % 2 or len(message) > room:
            return -1
        memmove(to, message, len(message))
        return len(message)

    @property
    def reader(self) -> tuple[int, int]:
        """The two addresses; the second is any number that comes back."""
        return cast(self._read, c_void_p).value or 0, 4711


def test_a_log_in_c_is_asked_by_its_address() -> None:
    """Guards: a log whose address or context is not what C calls, or which is freed before."""
    store = MessageStore("DAY", first=9, log=ForeignLog())
    gc.collect()
    store.append(b"ninth")
    wanted = Request("DAY", 8, 5)
    outcome, answer = store.answer(wanted)
    assert outcome is Outcome.ANSWERED
    assert parse_packet(answer).messages == (b"8 of 4711", b"ninth")
    assert store.answer(Request("DAY", 7, 1))[0] is Outcome.TOO_OLD


def test_a_flood_is_limited(store: MessageStore, asker: UdpSocket) -> None:
    """Guards: one who asks all the time and gets it, or whose asking silences all others."""
    now = SECOND
    limiter = RequestLimiter(per_second=100, burst=5)
    request = make_request("DAY", 1, 1)
    with (
        RequestServer(store, limiter=limiter, clock=lambda: now) as server,
        UdpSocket() as modest,
    ):
        answers = [ask(asker, server, request) for _ in range(50)]
        assert [answer is not None for answer in answers] == [True] * 5 + [False] * 45
        assert server.counters.refused[RATE_LIMITED] == 45
        assert limiter.counters().refused_address == 45
        assert ask(modest, server, request) is not None
        now += SECOND // 100
        assert ask(asker, server, request) is not None
        assert ask(asker, server, request) is None


def test_a_port_that_is_taken(store: MessageStore) -> None:
    """Guards: a second server that starts, and hears nothing."""
    with (
        RequestServer(store) as server,
        pytest.raises(SocketError, match=str(server.endpoint)),
    ):
        RequestServer(store, port=server.endpoint.port)


def test_a_channel_serves_by_itself(asker: UdpSocket, events: RecordArray) -> None:
    """Guards: answers, heartbeats and delayed flushes that come only while somebody publishes."""
    with UdpSocket(receive_bytes=1 << 22) as listener:
        publisher = Publisher("DAY", [listener.endpoint], max_delay_s=0.001, heartbeat_s=0.01)
        with Channel(publisher, RequestServer(publisher.store)) as channel:
            assert channel.publish(events[:5]) == 1
            heard: list[Packet] = []  # a heartbeat may come before it
            while all(each.kind is not PacketKind.DATA for each in heard):
                assert listener.wait(10)  # flushed by the channel's thread
                heard += [parse_packet(each.data) for each in listener.receive()]
            (data,) = (each for each in heard if each.kind is PacketKind.DATA)
            assert len(data.messages) == 5
            assert listener.wait(10)  # and now heartbeats
            assert parse_packet(listener.receive()[0].data)[1:3] == (6, PacketKind.HEARTBEAT)
            assert channel.publish_messages([b"last"]) == 6
            asker.send(channel.endpoint, make_request("DAY", 2, 2))
            assert asker.wait(10)
            assert parse_packet(asker.receive()[0].data).sequence == 2
            channel.end()
            asker.send(channel.endpoint, make_request("DAY", 6, 1))
            assert asker.wait(10)
            assert parse_packet(asker.receive()[0].data).messages == (b"last",)


def test_a_channel_of_two_stores(store: MessageStore) -> None:
    """Guards: a request server that answers with another session's messages."""
    with (
        UdpSocket() as listener,
        Publisher("DAY", [listener.endpoint]) as publisher,
        RequestServer(store) as requests,
        pytest.raises(ValueError, match="another publisher's store"),
    ):
        Channel(publisher, requests)


def test_a_channel_whose_thread_has_failed(events: RecordArray) -> None:
    """Guards: publishing on and on, while nobody is answered and no silence is broken."""
    failure = OSError("the network is gone")

    def fail() -> int:
        raise failure

    with UdpSocket() as listener:
        publisher = Publisher("DAY", [listener.endpoint])
        requests = RequestServer(publisher.store)
        requests.serve = fail  # type: ignore[method-assign]
        channel = Channel(publisher, requests)
        channel._thread.join()
        with pytest.raises(MatchbookError, match="the network is gone"):
            channel.publish(events[:1])
        with pytest.raises(MatchbookError, match="the network is gone"):
            channel.publish_messages([b"message"])
        assert publisher.next_sequence == 1
        with pytest.raises(OSError, match="the network is gone"):
            channel.close()
        channel.close()
