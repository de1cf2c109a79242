"""A guided tour of bytes on wires: ``python -m phase5_protocol`` (some fifteen seconds).

Real sockets, and a network between them that is made bad by seed; multicast on the loopback
interface, or unicast where a machine has no multicast there. Exit code 1: a proof has failed, or
the tour could not be run.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, cast

from rich.table import Table

from contract.drawing import draw_book
from contract.engine import Engine
from contract.errors import MatchbookError
from contract.messages import Side, cancel, new
from contract.records import RecordArray, empty_events, to_event_array
from contract.tour import busy, heading, picture, show
from contract.workload import generate
from phase3_sorted import Engine as SortedEngine
from phase5_protocol.itch.feed import ItchFeed
from phase5_protocol.listing import Listing
from phase5_protocol.multicast.channel import Channel
from phase5_protocol.multicast.event_book import EventBook, public
from phase5_protocol.multicast.mold import DEFAULT_DATAGRAM_BYTES
from phase5_protocol.multicast.native import MessageStore, packetise
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import HELD
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
from phase5_protocol.multicast.subscriber import Subscriber
from phase5_protocol.picture import draw_datagram, draw_event, draw_gap, draw_itch
from phase5_protocol.tour_listeners import (
    GROUP,
    PATIENT,
    SESSION,
    Listener,
    destinations,
    hearing,
    in_thread,
    listen,
)
from phase5_protocol.tour_orders import orders_from_outside

_ORDERS: Final = 60_000
#: A day whose events the store keeps all, for whoever asks for them after its end.
_MOST_ORDERS: Final = 300_000
#: Events a burst, and the pause after it: a publisher that nobody could follow proves nothing.
_BURST: Final = 100
_PAUSE_S: Final = 0.0005
_SEEDS: Final = (11, 12)
#: Event records that fit into a datagram, and so the most that a request can bring.
_IN_DATAGRAM: Final = (DEFAULT_DATAGRAM_BYTES - 20) // (64 + 2)
#: Dead subscribers, run by run: there and back, so that a machine that warms up favours neither.
_DEAD: Final = (0, 1, 1, 0)
_TOPOLOGY: Final = """\
                     ┌─▶ ░ bad network ░ ─▶ subscriber 1 ─┐
publisher ─▶ {where:<7}─┤                                    ├─ requests
    │                └─▶ ░ bad network ░ ─▶ subscriber 2 ─┤
    ▼                                                     │
  store ─▶ request server ◀─ ░ bad network ░ ◀────────────┘"""


def tour(orders: int = _ORDERS) -> bool:
    """All parts, on a day of so many orders; whether every proof in them held."""
    events = day_of_events(orders)
    problem = multicast_problem(GROUP)
    the_bytes_of_a_message()
    proofs = [
        gaps_and_how_they_are_filled(events, problem),
        joining_late(orders, problem),
        a_dead_subscriber(events, problem),
    ]
    with SortedEngine(max_price=20_000_000) as book:
        orders_from_outside(book)
    return all(proofs)


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


def publish_all(channel: Channel, events: RecordArray) -> list[float]:
    """Burst by burst, like an engine with a steady stream of orders; ns per event of each burst."""
    took = []
    for at in range(0, len(events), _BURST):
        burst = events[at : at + _BURST]
        started = clock_ns()
        channel.publish(burst)
        took.append((clock_ns() - started) / len(burst))
        time.sleep(_PAUSE_S)
    return took


def gaps_and_how_they_are_filled(events: RecordArray, problem: str | None) -> bool:
    """One publisher, two subscribers, loss, duplication and reordering; equal in the end?"""
    heading("2. A bad network, and equal streams all the same")
    if problem:
        show(f"No multicast here, so unicast to each subscriber instead: {problem}.")
    picture("the topology", _TOPOLOGY.format(where="each" if problem else "group"))
    networks = [
        LossyNetwork(seed, loss=0.01, duplication=0.01, reordering=0.01, reorder_ns=2_000_000)
        for seed in _SEEDS
    ]
    requests = RequestServer(MessageStore(SESSION))
    with listen(len(networks), requests, problem, networks) as listeners:
        to = destinations(listeners)
        publisher = Publisher(SESSION, to, store=requests.store, heartbeat_s=0.02)
        with (
            busy("publishing"),
            Channel(publisher, requests) as channel,
            hearing(listeners),
        ):
            publish_all(channel, events)
            channel.end()
        show(
            f"{len(events):,} events went out in {publisher.counters.datagrams:,} datagrams. On "
            "the way to each subscriber one in a hundred was lost, one came twice and one late, "
            "each by its own seed, and the same happened to requests and answers. The first gaps "
            "of subscriber 1:"
        )
        gaps = list(listeners[0].subscriber.closed_gaps)
        picture("numbers (how many): what became of them", "\n".join(map(draw_gap, gaps[:12])))
        show(totals(listeners, networks))
    ours = hashlib.blake2b(events.tobytes(), digest_size=16).hexdigest()
    theirs = [each.digest.hexdigest() for each in listeners]
    picture(
        "BLAKE2b of all bytes, in order",
        "\n".join([f"published     {ours}"]
        + [f"subscriber {i}  {digest}" for i, digest in enumerate(theirs, 1)]),
    )  # fmt: skip
    equal = set(theirs) == {ours}
    show("Equal: nothing missing, nothing twice, nothing out of order." if equal else "NOT EQUAL.")
    return equal


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


def joining_late(orders: int, problem: str | None) -> bool:
    """A snapshot over TCP in the middle of the day; is the book that grows out of it equal?"""
    heading("3. Joining late")
    desk = SnapshotDesk(SESSION)
    requests = RequestServer(MessageStore(SESSION))
    config = PATIENT._replace(start=HELD)
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
        half_way, stop = threading.Event(), threading.Event()
        with (
            Channel(publisher, requests) as channel,
            in_thread(lambda: run_engine(engine, orders, channel, desk, half_way, stop), stop.set),
        ):
            half_way.wait()
            snapshot = join_late(joiner, lambda: fetch_snapshot(server.endpoint, "joiner", "tour"))
            book = EventBook.from_image(snapshot.image)
            joiner.run(lambda delivery: book.apply_records(delivery.data))
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
    return equal


def run_engine(
    engine: SortedEngine,
    orders: int,
    channel: Channel,
    desk: SnapshotDesk,
    half_way: threading.Event,
    stop: threading.Event,
) -> None:
    """The engine's thread: commands, events, and a look at the desk between two batches."""
    try:
        commands = generate("normal", orders)
        events = empty_events(100 * _BURST)
        images = 0
        for at in range(0, len(commands), _BURST):
            done = engine.apply_batch(commands[at : at + _BURST], events)
            channel.publish(events[: done.written])
            images += desk.serve(engine)
            if at >= len(commands) // 2:
                half_way.set()
            if stop.wait(_PAUSE_S):
                return
        half_way.set()
        while not images and not stop.wait(_PAUSE_S):  # a short day: it comes by once more
            images += desk.serve(engine)
    finally:  # nobody waits for an engine that has failed
        half_way.set()
        channel.end()


# --- the dead subscriber --------------------------------------------------------------------------


class Run(NamedTuple):
    """What one publication came to; the rest is of the subscriber that was started last."""

    took: list[float]
    unsent: int
    drops: int | None
    requests: int
    messages: int
    digest: bytes


def publish_once(events: RecordArray, problem: str | None, dead: int) -> Run:
    """Publish to one that listens and to so many that sleep, and wake these up afterwards."""
    requests = RequestServer(MessageStore(SESSION))
    with listen(1 + dead, requests, problem, ()) as listeners:
        to = destinations(listeners)
        publisher = Publisher(SESSION, to, store=requests.store, heartbeat_s=0.02)
        late = listeners[-1]
        with Channel(publisher, requests) as channel:
            with hearing(listeners[:1]):
                took = publish_all(channel, events)
                channel.end()
            drops = late.subscriber.kernel_drops
            with hearing(listeners[1:]):
                pass
        unsent = publisher.counters.unsent.total()
        asked = late.subscriber.counters.requests
        return Run(took, unsent, drops, asked, late.messages, late.digest.digest())


def a_dead_subscriber(events: RecordArray, problem: str | None) -> bool:
    """Somebody joins and never reads; wakes up in the end; and has everything?"""
    heading("4. A dead subscriber")
    runs: tuple[list[Run], list[Run]] = ([], [])
    with busy("publishing to a subscriber that does not read"):
        for dead in _DEAD:
            runs[dead].append(publish_once(events, problem, dead))
    table = Table("", "published", "median each", "refused", box=None, header_style="dim")
    for name, part in zip(("one listens", "one listens, one never reads"), runs, strict=True):
        each = statistics.median(ns for run in part for ns in run.took)
        unsent = sum(run.unsent for run in part)
        times = f"{len(part)} x {len(events):,} events"
        table.add_row(name, times, f"{each:,.0f} ns", f"{unsent:,}")
    show(table)
    late = runs[1][-1]
    lost = "what was too much was"
    if late.drops is not None:
        lost = f"{late.drops:,} datagrams were"
    ours = hashlib.blake2b(events.tobytes(), digest_size=16).digest()
    equal = all(run.digest == ours for part in runs for run in part)
    show(
        "The publisher waits for nobody; each further member costs the kernel one more copy. The "
        f"dead one's queue in the kernel has an end: {lost} dropped there. When it woke up, after "
        f"the end, it asked for what was gone: {late.requests:,} requests, for at most "
        f"{_IN_DATAGRAM} messages each. It has {late.messages:,} messages now, "
        f"{'equal to what was published' if equal else 'NOT EQUAL to what was published'}."
    )
    return equal


# --- the command line -----------------------------------------------------------------------------


def number_of_orders(text: str) -> int:
    """How long the day is, as an argument."""
    orders = int(text)
    if not 1 <= orders <= _MOST_ORDERS:
        raise argparse.ArgumentTypeError(f"{orders} orders are not 1 to {_MOST_ORDERS}")
    return orders


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tour; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m phase5_protocol", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    words = f"length of the day, 1 to {_MOST_ORDERS}; {_ORDERS} unless told"
    parser.add_argument("--orders", type=number_of_orders, default=_ORDERS, help=words)
    orders = parser.parse_args(arguments).orders
    try:
        if tour(orders):
            return 0
        print("a proof has failed: see NOT EQUAL above", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except (MatchbookError, OSError) as error:
        print(f"the tour had to stop: {str(error) or type(error).__name__}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
