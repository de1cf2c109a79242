"""Joining late: a snapshot over TCP, then the stream from the next number on, with no seam."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ConfigurationError, MatchbookError
from contract.messages import Side
from contract.records import RecordArray, empty_events
from contract.workload import generate
from phase3_sorted import Engine as SortedEngine
from phase5_protocol.multicast.channel import Channel
from phase5_protocol.multicast.conftest import make_events, until
from phase5_protocol.multicast.event_book import EventBook, public
from phase5_protocol.multicast.mold import DeliveryKind
from phase5_protocol.multicast.native import MessageStore
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import HELD, Delivery, ReceiverConfig
from phase5_protocol.multicast.native_udp import Endpoint
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.retransmission import RequestServer
from phase5_protocol.multicast.snapshot import (
    Snapshot,
    SnapshotDesk,
    SnapshotReader,
    SnapshotRefusedError,
    fetch_snapshot,
    join_late,
    snapshot_messages,
)
from phase5_protocol.multicast.snapshot_server import SnapshotLimits, SnapshotServer
from phase5_protocol.multicast.subscriber import Subscriber
from phase5_protocol.order_entry.soup_packets import Login, PacketType, packet

USERS = {"joiner": "secret"}
HELD_BACK = ReceiverConfig(
    session="DAY", start=HELD, attempts=50, request_timeout_ns=5_000_000, window_messages=1 << 12
)


class Venue:
    """An engine in a thread of its own that publishes its events and serves the desk."""

    def __init__(self, channel: Channel, desk: SnapshotDesk, commands: RecordArray) -> None:
        self.engine = SortedEngine()
        self.half_way = threading.Event()
        self.finish = threading.Event()
        self._channel, self._desk, self._commands = channel, desk, commands
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        events = empty_events(4_096)
        half = len(self._commands) // 2
        for at in range(0, len(self._commands), 20):
            if at >= half and not self.half_way.is_set():
                self.half_way.set()
            done = self.engine.apply_batch(self._commands[at : at + 20], events)
            assert done.consumed == len(self._commands[at : at + 20])
            self._channel.publish(events[: done.written])
            self._desk.serve(self.engine)
        while not self.finish.wait(0.001):  # idle, but there for who comes
            self._desk.serve(self.engine)
        self._channel.end()


@pytest.mark.parametrize("seed", [None, 7])
def test_the_joiners_book_is_the_engines(
    new_line: Callable[[], Endpoint], seed: int | None
) -> None:
    """Guards: an event applied twice, or by nobody, between snapshot and stream."""
    requests = RequestServer(MessageStore("DAY"))
    network = None if seed is None else LossyNetwork(seed, loss=0.02, reordering=0.02)
    desk = SnapshotDesk("DAY")
    with (
        Subscriber(
            [new_line()], requests_to=[requests.endpoint], config=HELD_BACK, network=network
        ) as subscriber,
        SnapshotServer(desk, USERS) as server,
    ):
        publisher = Publisher("DAY", subscriber.lines, store=requests.store, heartbeat_s=0.01)
        with Channel(publisher, requests) as channel:
            venue = Venue(channel, desk, generate("normal", 10_000))
            assert venue.half_way.wait(60)
            snapshot = join_late(
                subscriber, lambda: fetch_snapshot(server.endpoint, "joiner", "secret")
            )
            venue.finish.set()
            book = EventBook.from_image(snapshot.image)
            assert book.sequence + 1 == snapshot.next_sequence > 5_000
            assert snapshot.session == "DAY"

            def apply(delivery: Delivery) -> None:
                assert delivery.kind is DeliveryKind.MESSAGES
                book.apply_records(delivery.data)

            assert subscriber.run(apply)
            venue.thread.join()
        assert book.sequence == venue.engine.event_sequence
        for side in Side:
            assert book.orders(side) == public(venue.engine.orders(side))
        assert len(book) > 100
        until(lambda: server.counters.served == 1)
        venue.engine.close()


def test_a_snapshot_newer_than_anything_heard(new_line: Callable[[], Endpoint]) -> None:
    """Guards: a joiner who waits for numbers that are in the image already."""
    with SortedEngine() as engine, Subscriber([new_line()], config=HELD_BACK) as subscriber:
        events = empty_events(100)
        written = engine.apply_batch(generate("normal", 10), events).written
        publisher = Publisher("DAY", subscriber.lines)
        publisher.publish(events[: written - 3])
        while not subscriber.poll(1.0):
            pass
        snapshot = Snapshot("DAY", engine.event_sequence + 1, engine.snapshot())
        join_late(subscriber, lambda: snapshot)
        assert subscriber.take().kind is DeliveryKind.NOTHING
        publisher.publish(events[written - 3 : written])
        publisher.close()
        assert subscriber.run(lambda delivery: pytest.fail(f"delivered {delivery}"))


def test_what_is_sent_during_the_fetch_is_heard(new_line: Callable[[], Endpoint]) -> None:
    """Guards: a joiner who listens when the image is there, and asks for what he should have heard:
    here there is nobody to ask."""
    events = make_events(10)
    with (
        Subscriber([new_line()], config=HELD_BACK) as subscriber,
        Publisher("DAY", subscriber.lines) as publisher,
    ):

        def fetch() -> Snapshot:
            publisher.publish(events)
            until(lambda: subscriber.counters.datagrams > 0)
            return Snapshot("DAY", 5, b"")

        join_late(subscriber, fetch)
        heard = subscriber.take()
        assert (heard.first, heard.count) == (5, 6)
        assert heard.data.tobytes() == events[4:].tobytes()


def test_another_days_snapshot(new_line: Callable[[], Endpoint]) -> None:
    """Guards: yesterday's book with today's events on top."""
    config = ReceiverConfig(start=HELD)
    with (
        Subscriber([new_line()], config=config) as subscriber,
        Publisher("TODAY", subscriber.lines) as publisher,
    ):
        publisher.publish(bytes(64))
        while not subscriber.poll(1.0):
            pass
        with pytest.raises(SnapshotRefusedError, match="'YESTERDAY', but the channel's is 'TODAY'"):
            join_late(subscriber, lambda: Snapshot("YESTERDAY", 5, b""))


# --- the service ---------------------------------------------------------------------------------


class LargeBook:
    """An engine whose image is larger than any socket's buffers; or that fails to make one."""

    event_sequence = 0

    def __init__(self, failure: BaseException | None = None) -> None:
        self._failure = failure

    def snapshot(self) -> bytes:
        if self._failure is not None:
            raise self._failure
        return bytes(1 << 25)


@pytest.fixture
def desk() -> SnapshotDesk:
    """A desk of session DAY."""
    return SnapshotDesk("DAY")


@pytest.fixture
def served(desk: SnapshotDesk) -> Iterator[SnapshotServer]:
    """A server whose engine's thread comes by all the time."""
    stop = threading.Event()

    def come_by() -> None:
        with SortedEngine() as engine:
            while not stop.wait(0.001):
                desk.serve(engine)

    thread = threading.Thread(target=come_by)
    thread.start()
    with SnapshotServer(desk, USERS) as server:
        yield server
    stop.set()
    thread.join()


def test_who_may_have_one(served: SnapshotServer) -> None:
    """Guards: a book given to anybody, or to who knows only half of the way in."""
    for user, password in (("joiner", "wrong"), ("nobody", ""), ("", ""), ("nobody", "secret")):
        with pytest.raises(SnapshotRefusedError, match="not authorized"):
            fetch_snapshot(served.endpoint, user, password)
    with pytest.raises(SnapshotRefusedError, match="session unavailable"):
        fetch_snapshot(served.endpoint, "joiner", "secret", session="NIGHT")
    assert fetch_snapshot(served.endpoint, "joiner", "secret", session="DAY").next_sequence == 1
    until(lambda: served.counters.served == 1)
    assert served.counters.refused == {"not authorized": 4, "session unavailable": 1}


def test_an_engine_that_never_comes_by(desk: SnapshotDesk) -> None:
    """Guards: a client that waits for ever because the engine has stopped."""
    limits = SnapshotLimits(patience_s=0.05)
    with SnapshotServer(desk, USERS, limits=limits) as server:
        with pytest.raises(SnapshotRefusedError, match="no whole snapshot: end of session"):
            fetch_snapshot(server.endpoint, "joiner", "secret")
        until(lambda: server.counters.refused == {"no snapshot": 1})
    with SortedEngine() as engine:
        assert not desk.serve(engine)  # nobody waits any more


def test_a_server_that_closes_wants_no_image_any_more(desk: SnapshotDesk) -> None:
    """Guards: an engine that writes its book down for a client that was cut off."""
    login = packet(PacketType.LOGIN_REQUEST, Login("joiner", "secret", next_number=1).payload())
    with socket.socket() as waiting:
        with SnapshotServer(desk, USERS) as server:
            waiting.connect(server.endpoint)
            waiting.sendall(login)
            until(lambda: bool(desk._waiting))
        with SortedEngine() as engine:
            assert not desk.serve(engine)


def test_one_image_for_all_who_wait(desk: SnapshotDesk) -> None:
    """Guards: an engine that writes its book down once for each of a crowd."""
    with SortedEngine() as engine:
        assert not desk.serve(engine)
        waiting = [desk.ask() for _ in range(5)]
        waiting[0].cancel()
        assert desk.serve(engine)
        assert not desk.serve(engine)
        assert desk.images == 1
        assert {id(each.result(0)) for each in waiting[1:]} == {id(waiting[1].result(0))}
        assert waiting[1].result(0).next_sequence == 1


def test_a_place_is_not_held_by_silence(desk: SnapshotDesk) -> None:
    """Guards: connections that say nothing and keep others out."""
    limits = SnapshotLimits(connections=1, login_s=0.05)
    with SnapshotServer(desk, USERS, limits=limits) as server:
        with socket.create_connection(server.endpoint) as silent:
            assert silent.recv(1) == b""  # closed by the server
        with socket.create_connection(server.endpoint) as rude:
            rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert rude.recv(1) == b""
        until(lambda: server.counters.refused.total() == 2)
        assert server.counters.refused["no login in time"] == 1


def test_a_place_is_held_until_the_connection_is_closed(desk: SnapshotDesk) -> None:
    """Guards: a client that does not read its image, and leaves a socket and a full buffer behind
    when its time is over: after some thousands of them there are no descriptors any more."""
    engine = LargeBook()
    limits = SnapshotLimits(transfer_s=0.05)
    login = packet(PacketType.LOGIN_REQUEST, Login("joiner", "secret", next_number=1).payload())
    writers: list[asyncio.StreamWriter] = []
    with SnapshotServer(desk, USERS, limits=limits) as server, socket.socket() as idle:
        serve = server._serve

        async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
            writers.append(writer)
            return await serve(reader, writer)

        server._serve = watched  # type: ignore[method-assign]
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect(server.endpoint)
        idle.sendall(login)
        until(lambda: desk.serve(engine))
        until(lambda: server.counters.refused == {"too slow": 1})
        assert not server._open
        assert writers[0].transport.get_write_buffer_size() == 0


def test_an_engine_that_cannot_make_an_image(desk: SnapshotDesk) -> None:
    """Guards: those who wait when an image fails, and would wait for ever."""
    engine = LargeBook(MemoryError("no memory for an image"))
    waiting = desk.ask()
    with pytest.raises(MemoryError):
        desk.serve(engine)
    with pytest.raises(MemoryError):
        waiting.result(0)
    with SnapshotServer(desk, USERS) as server, ThreadPoolExecutor(1) as pool:
        fetched = pool.submit(fetch_snapshot, server.endpoint, "joiner", "secret")
        until(lambda: bool(desk._waiting))
        with pytest.raises(MemoryError):
            desk.serve(engine)
        with pytest.raises(SnapshotRefusedError, match="no whole snapshot: end of session"):
            fetched.result(10)
        until(lambda: server.counters.refused == {"no snapshot": 1})


def test_a_server_that_cannot_be(desk: SnapshotDesk) -> None:
    """Guards: a service that nobody may use, or that nobody reaches."""
    with pytest.raises(ConfigurationError, match="no users"):
        SnapshotServer(desk, {})
    with SnapshotServer(desk, USERS) as server:
        host, port = server.endpoint
        with pytest.raises(MatchbookError, match=f"snapshot server {host}:{port}"):
            SnapshotServer(desk, USERS, port=port)
    with pytest.raises(SnapshotRefusedError, match=f"{host}:{port}"):
        fetch_snapshot((host, port), "joiner", "secret")


@given(st.binary(max_size=100_000), st.integers(1, 2**64 - 1))
def test_image_to_messages_and_back(image: bytes, number: int) -> None:
    """Guards: an image put together wrongly from its chunks."""
    reader = SnapshotReader()
    for message in snapshot_messages(Snapshot("DAY", number, image)):
        assert not reader.is_complete
        reader.put(message)
    assert reader.is_complete
    assert (bytes(reader.image), reader.next_sequence) == (image, number)


@given(st.data())
def test_messages_that_are_no_snapshot(data: st.DataObject) -> None:
    """Guards: a snapshot believed although a chunk is missing, doubled, moved or changed."""
    messages = snapshot_messages(Snapshot("DAY", 9, bytes(range(256)) * 300))
    wrong = list(messages)
    at = data.draw(st.integers(0, len(messages) - 1))
    change = data.draw(st.sampled_from(["missing", "doubled", "changed", "longer", "empty"]))
    if change == "missing":
        del wrong[at]
    elif change == "doubled":
        wrong.insert(at, messages[at])
    elif change == "changed":
        bit = 1 << data.draw(st.integers(0, 7))
        place = data.draw(st.integers(0, len(messages[at]) - 1))
        wrong[at] = bytes(b ^ (bit * (i == place)) for i, b in enumerate(messages[at]))
    else:
        wrong[at] = messages[at] + b"!" if change == "longer" else b""
    reader = SnapshotReader()
    try:
        for message in wrong:
            reader.put(message)
    except SnapshotRefusedError:
        return
    assert not reader.is_complete
