"""A guided tour of bytes on wires: ``python -m phase5_protocol`` (some ten seconds).

Real sockets, and a network between them that is made bad by seed; multicast on the loopback
interface, or unicast where a machine has no multicast there.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, cast

from rich.table import Table

from contract.drawing import draw_book
from contract.engine import Engine
from contract.messages import Side, cancel, new
from contract.records import RecordArray, empty_events, to_event_array
from contract.tour import busy, heading, picture, show
from contract.workload import generate
from phase3_sorted import Engine as SortedEngine
from phase5_protocol.itch.feed import ItchFeed
from phase5_protocol.listing import Listing
from phase5_protocol.multicast.channel import Channel
from phase5_protocol.multicast.event_book import EventBook, public
from phase5_protocol.multicast.mold import Gap
from phase5_protocol.multicast.native import MessageStore, packetise
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import HELD, Delivery, ReceiverConfig
from phase5_protocol.multicast.native_udp import (
    LOOPBACK,
    Endpoint,
    clock_ns,
    multicast_problem,
)
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.retransmission import RequestServer
from phase5_protocol.multicast.snapshot import SnapshotDesk, fetch_snapshot, join_late
from phase5_protocol.multicast.snapshot_server import SnapshotServer
from phase5_protocol.multicast.subscriber import Subscriber, describe_gap
from phase5_protocol.picture import draw_datagram, draw_event, draw_itch
from phase5_protocol.tour_orders import orders_from_outside

GROUP: Final = "239.255.77.5"
SESSION: Final = "TOUR"
_ORDERS: Final = 60_000
#: Events a burst, and the pause after it: a publisher that nobody could follow proves nothing.
_BURST: Final = 100
_PAUSE_S: Final = 0.0005
_SEEDS: Final = (11, 12)
_PATIENT: Final = ReceiverConfig(
    session=SESSION, attempts=30, reorder_delay_ns=500_000, request_timeout_ns=5_000_000
)
_TOPOLOGY: Final = """\
                     ┌─▶ ░ bad network ░ ─▶ subscriber 1 ─┐
publisher ─▶ {where:<7}─┤                                    ├─ requests
    │                └─▶ ░ bad network ░ ─▶ subscriber 2 ─┤
    ▼                                                     │
  store ─▶ request server ◀─ ░ bad network ░ ◀────────────┘"""


def main(orders: int = _ORDERS) -> None:
    """All parts, on a day of so many orders."""
    events = day_of_events(orders)
    problem = multicast_problem(GROUP)
    the_bytes_of_a_message()
    gaps_and_how_they_are_filled(events, problem)
    joining_late(orders, problem)
    a_dead_subscriber(events, problem)
    with SortedEngine(max_price=20_000_000) as book:
        orders_from_outside(book)


def day_of_events(orders: int) -> RecordArray:
    """What phase 3's book says to a day of orders."""
    commands = generate("normal", orders)
    events = empty_events(4 * len(commands))
    with SortedEngine() as engine:
        return events[: engine.apply_batch(commands, events).written]


def the_bytes_of_a_message() -> None:
    """The same order as a flat record, as ITCH, and in a datagram."""
    heading("1. The bytes of a message")
    with SortedEngine() as engine:
        order = new(4_711, Side.BID, price=10_050, quantity=300, timestamp_ns=34_200 * 10**9)
        events = engine.apply(order) + engine.apply(cancel(4_711))
    record = events[0].pack()
    show(
        "An order for 300 at 100.50 was accepted. Between our own programs that is the 64-byte "
        "record of the contract, as it lies in memory: decoding is a cast."
    )
    picture("event record, 64 bytes, little endian", draw_event(record))
    feed = ItchFeed([Listing("MBK", max_price=1_000_000)])
    message = feed.take(events[:1])[0]
    show(
        "To the world it is ITCH 5.0, as Nasdaq says it: big endian, no holes, no account, and "
        "numbers that are only as wide as they must be."
    )
    picture(f"ITCH Add Order, {len(message)} bytes, big endian", draw_itch(message))
    (datagram,) = packetise(to_event_array(events), SESSION, first=300).split()
    show(
        "Either travels in MoldUDP64: a session, the number of the first message, how many there "
        "are, and the messages, each behind its length. Messages are numbered, not datagrams."
    )
    picture(f"a datagram, {len(datagram)} bytes", draw_datagram(datagram))


# --- the bad network ------------------------------------------------------------------------------


class Listener:
    """A subscriber in a thread, and what it has heard."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.gaps: list[Gap] = []
        self.digest = hashlib.blake2b(digest_size=16)
        self.messages = 0
        self.thread = threading.Thread(target=subscriber.run, args=(self._hear,))

    def _hear(self, delivery: Delivery) -> None:
        self.digest.update(delivery.data.tobytes())
        self.messages += len(delivery.data)


def listen(
    count: int, requests: RequestServer, problem: str | None, networks: Sequence[LossyNetwork]
) -> list[Listener]:
    """Subscribers to one group, or to an address each where there are no groups."""
    line = Endpoint(LOOPBACK if problem else GROUP, 0)
    listeners: list[Listener] = []
    for number in range(count):
        subscriber = Subscriber(
            [line],
            requests_to=[requests.endpoint],
            config=_PATIENT,
            network=networks[number] if networks else None,
            gap_log=100_000,
        )
        listeners.append(Listener(subscriber))
        if not problem:
            line = subscriber.lines[0]
    return listeners


def destinations(listeners: Sequence[Listener]) -> list[Endpoint]:
    """Each group or address once."""
    return list(dict.fromkeys(each.subscriber.lines[0] for each in listeners))


def publish_all(channel: Channel, events: RecordArray) -> int:
    """Burst by burst, like an engine with a steady stream of orders; ns spent with publishing."""
    spent = 0
    for at in range(0, len(events), _BURST):
        started = clock_ns()
        channel.publish(events[at : at + _BURST])
        spent += clock_ns() - started
        time.sleep(_PAUSE_S)
    return spent


def gaps_and_how_they_are_filled(events: RecordArray, problem: str | None) -> None:
    """One publisher, two subscribers, loss, duplication and reordering; equal in the end."""
    heading("2. A bad network, and equal streams all the same")
    if problem:
        show(f"No multicast here, so unicast to each subscriber instead: {problem}.")
    picture("the topology", _TOPOLOGY.format(where="each" if problem else "group"))
    networks = [
        LossyNetwork(seed, loss=0.01, duplication=0.01, reordering=0.01, reorder_ns=2_000_000)
        for seed in _SEEDS
    ]
    requests = RequestServer(MessageStore(SESSION))
    listeners = listen(len(networks), requests, problem, networks)
    publisher = Publisher(SESSION, destinations(listeners), store=requests.store, heartbeat_s=0.02)
    with busy("publishing"), Channel(publisher, requests) as channel:
        for listener in listeners:
            listener.thread.start()
        publish_all(channel, events)
        channel.end()
        for listener in listeners:
            listener.thread.join()
    show(
        f"{len(events):,} events went out in {publisher.counters.datagrams:,} datagrams. On the "
        "way to each subscriber 1 % were lost, 1 % came twice and 1 % late, each by its own seed, "
        "and the same happened to requests and answers. The first gaps of subscriber 1:"
    )
    gaps = listeners[0].subscriber.closed_gaps
    picture("numbers (how many): what became of them", "\n".join(map(draw_gap, list(gaps)[:12])))
    show(totals(listeners, networks))
    ours = hashlib.blake2b(events.tobytes(), digest_size=16).hexdigest()
    theirs = [each.digest.hexdigest() for each in listeners]
    picture(
        "BLAKE2b of all bytes, in order",
        "\n".join([f"published     {ours}"]
        + [f"subscriber {i}  {digest}" for i, digest in enumerate(theirs, 1)]),
    )  # fmt: skip
    verdict = "Equal" if set(theirs) == {ours} else "NOT EQUAL"
    show(f"{verdict}: nothing missing, nothing twice, nothing out of order.")
    for listener in listeners:
        listener.subscriber.close()


def draw_gap(gap: Gap) -> str:
    """The life of a gap, in a line that fits."""
    return describe_gap(gap)[:72]


def totals(listeners: Sequence[Listener], networks: Sequence[LossyNetwork]) -> Table:
    """What the networks did, and what the receivers made of it."""
    names = [f"subscriber {i}" for i in range(1, len(listeners) + 1)]
    table = Table("", *names, box=None, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    did = [network.counters() for network in networks]
    made = [each.subscriber.receiver.counters() for each in listeners]
    rows: list[tuple[str, Callable[[int], int]]] = [
        ("datagrams over its network", lambda i: did[i].put),
        ("  lost", lambda i: did[i].lost),
        ("  doubled", lambda i: did[i].duplicated),
        ("  reordered", lambda i: did[i].reordered),
        ("gaps", lambda i: made[i].gaps),
        ("  only late: filled unasked", lambda i: made[i].gaps_reordered),
        ("  filled after a request", lambda i: made[i].gaps_filled),
        ("  unrecoverable", lambda i: made[i].gaps_unrecoverable),
        ("requests, repeated ones too", lambda i: made[i].requests),
        ("messages delivered", lambda i: made[i].delivered),
    ]
    for name, count in rows:
        table.add_row(name, *(f"{count(i):,}" for i in range(len(listeners))))
    return table


# --- joining late ---------------------------------------------------------------------------------


def joining_late(orders: int, problem: str | None) -> None:
    """A snapshot over TCP in the middle of the day, and the book that grows out of it."""
    heading("3. Joining late")
    desk = SnapshotDesk(SESSION)
    requests = RequestServer(MessageStore(SESSION))
    config = _PATIENT._replace(start=HELD)
    line = Endpoint(LOOPBACK if problem else GROUP, 0)
    network = LossyNetwork(_SEEDS[0], loss=0.01, reordering=0.01)
    with (
        Subscriber(
            [line], requests_to=[requests.endpoint], config=config, network=network
        ) as joiner,
        SnapshotServer(desk, {"joiner": "tour"}) as server,
        SortedEngine() as engine,
        busy("an engine publishes, a subscriber joins"),
    ):
        publisher = Publisher(SESSION, joiner.lines, store=requests.store, heartbeat_s=0.02)
        with Channel(publisher, requests) as channel:
            half_way = threading.Event()
            thread = threading.Thread(
                target=run_engine, args=(engine, orders, channel, desk, half_way)
            )
            thread.start()
            half_way.wait()
            snapshot = join_late(joiner, lambda: fetch_snapshot(server.endpoint, "joiner", "tour"))
            book = EventBook.from_image(snapshot.image)
            joiner.run(lambda delivery: book.apply_records(delivery.data))
            thread.join()
        equal = all(book.orders(side) == public(engine.orders(side)) for side in Side)
    show(
        "Half the day was over. The joiner listened and held back what it heard, and asked for a "
        f"snapshot over TCP (SoupBinTCP, as Nasdaq's GLIMPSE does it): {len(snapshot.image):,} "
        f"bytes, as of event {snapshot.next_sequence - 1:,}, written down by the engine's thread "
        "between two commands. It went on with the next number; what was missing behind it was a "
        "gap like any other."
    )
    picture("the joiner's book at the end of the day", draw_book(cast(Engine, book), 4))
    show(
        f"{len(book):,} live orders, every one in its place: "
        f"{'equal to' if equal else 'NOT EQUAL to'} the engine's book, after event "
        f"{book.sequence:,}."
    )


def run_engine(
    engine: SortedEngine,
    orders: int,
    channel: Channel,
    desk: SnapshotDesk,
    half_way: threading.Event,
) -> None:
    """The engine's thread: commands, events, and a look at the desk between two batches."""
    commands = generate("normal", orders)
    events = empty_events(100 * _BURST)
    images = 0
    for at in range(0, len(commands), _BURST):
        done = engine.apply_batch(commands[at : at + _BURST], events)
        channel.publish(events[: done.written])
        images += desk.serve(engine)
        if at >= len(commands) // 2:
            half_way.set()
        time.sleep(_PAUSE_S)
    half_way.set()
    while not images:  # a short day: it comes by once more
        images += desk.serve(engine)
    channel.end()


# --- the dead subscriber --------------------------------------------------------------------------


def a_dead_subscriber(events: RecordArray, problem: str | None) -> None:
    """Somebody joins and never reads; and wakes up in the end."""
    heading("4. A dead subscriber")
    table = Table("", "published", "each took", "refused", box=None, header_style="dim")
    with busy("publishing to a subscriber that does not read"):
        for dead in (0, 1):
            requests = RequestServer(MessageStore(SESSION))
            listeners = listen(1 + dead, requests, problem, ())
            publisher = Publisher(
                SESSION, destinations(listeners), store=requests.store, heartbeat_s=0.02
            )
            with Channel(publisher, requests) as channel:
                listeners[0].thread.start()
                spent = publish_all(channel, events)
                channel.end()
                listeners[0].thread.join()
                drops = listeners[-1].subscriber.kernel_drops
                if dead:  # now it wakes up
                    listeners[1].thread.start()
                    listeners[1].thread.join()
            name = "one listens, one never reads" if dead else "one listens"
            unsent = publisher.counters.unsent.total()
            each = f"{spent / len(events):,.0f} ns"
            table.add_row(name, f"{len(events):,} events", each, f"{unsent} datagrams")
            for listener in listeners:
                listener.subscriber.close()
    show(table)
    late = listeners[-1]
    lost = "an unknown number of" if drops is None else f"{drops:,}"
    ours = hashlib.blake2b(events.tobytes(), digest_size=16).digest()
    equal = late.digest.digest() == ours
    show(
        f"Its queue in the kernel ran over: {lost} datagrams were dropped there, and nobody else "
        f"noticed. When it woke up, after the end, it asked for what was gone: "
        f"{late.subscriber.counters.requests:,} requests, {late.messages:,} messages, "
        f"{'equal to what was published' if equal else 'NOT EQUAL'}."
    )


if __name__ == "__main__":
    main()
