"""A venue to try by hand: ``python -m phase5_protocol.serve``. Ctrl-C ends the day.

One book of phase 3, and around it everything that this phase has::

    FIX 4.2, 4.4 ──▶ FixOrders ─┐                    ┌─▶ ITCH 5.0 ─▶ MoldUDP64 group, retransmission
                                ├─▶ router ─▶ book ──┤
    OUCH 5.0 ──────▶ Gateway ───┘                    └─▶ events ───▶ MoldUDP64 group, retransmission
                                          └─▶ image ───▶ snapshot server

Orders, books and encoding are one asyncio loop, which waits for nobody: clients' reports wait in
their sessions, datagrams are offered to the kernel once, and heartbeats, retransmission and
snapshots have threads of their own. If the feed or a session's store fails, the venue stops: to
trade on without telling would be worse.

Everything is on the loopback interface, and the passwords are printed: no place for secrets. FIX
has no password at all here: any process of this machine may be ALICE.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contract.errors import MatchbookError
from contract.messages import Event, SelfTrade
from phase3_sorted import Engine
from phase5_protocol.fix.acceptor import Acceptor
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.orders import FixOrders
from phase5_protocol.fix.requests import ClientSettings
from phase5_protocol.itch.feed import ItchFeed
from phase5_protocol.itch.watch import read_endpoint
from phase5_protocol.listing import Listing
from phase5_protocol.multicast.channel import Channel
from phase5_protocol.multicast.native_udp import Endpoint, address_number
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.retransmission import RequestServer
from phase5_protocol.multicast.snapshot import SnapshotDesk
from phase5_protocol.multicast.snapshot_server import SnapshotServer
from phase5_protocol.order_entry.ports import Account, Ports, run_name
from phase5_protocol.order_entry.router import OrderRouter
from phase5_protocol.order_entry.server import OrderEntryServer

SYMBOL: Final = "MBK"
COMP_ID: Final = "MATCHBOOK"
PASSWORD: Final = "matchbook"
FIX_CLIENTS: Final = {"ALICE": 1, "BOB": 2}
OUCH_USERS: Final = {"carol": 3, "dave": 4}
SNAPSHOT_USER: Final = "copy"
VERSIONS: Final = ("FIX.4.2", "FIX.4.4")
ITCH_GROUP: Final = Endpoint("239.255.5.1", 5204)
EVENT_GROUP: Final = Endpoint("239.255.5.2", 5205)
#: In ticks of a cent: 200,000 dollars, the most that an ITCH price may say.
MAX_PRICE: Final = 20_000_000
#: The largest order: what OUCH takes, and ITCH can show.
MAX_SHARES: Final = 999_999
MAX_ORDERS: Final = 1 << 16
#: What whoever comes back to a store should know.
RESUMED: Final = """\
The store is not new: FIX sessions go on with their numbers and messages. Orders do not: the book
begins empty, and orders that the last run left open without closing are gone. That takes a log of
commands, which comes in phase 6.
"""
_LOOK_AROUND_S: Final = 0.02
_HIGHEST_PORT: Final = 65_535
#: First four bits of a group's address, first byte of the loopback interface's.
_MULTICAST: Final = 0xE
_LOOPBACK_NET: Final = 127


@dataclass(frozen=True, slots=True)
class Options:
    """Where everything is. Port 0: any that is free.

    Attributes:
        itch, events: groups of the two channels.
        store: directory of the FIX sessions; without it they end with the process.
        is_quiet: whether to keep silent about orders.
    """

    fix_port: int = 5201
    ouch_port: int = 5202
    snapshot_port: int = 5203
    itch: Endpoint = ITCH_GROUP
    events: Endpoint = EVENT_GROUP
    store: Path | None = None
    is_quiet: bool = False


class Venue:
    """The whole of it: :meth:`start` opens the ports, :meth:`close` ends the day."""

    def __init__(self, options: Options) -> None:
        """Make everything, and open the channels; not within a running event loop.

        Raises:
            MatchbookError: a port is taken, or a store cannot be read.
        """
        self._options = options
        #: In the names of all streams: what a client has of another run is refused.
        self._run = run_name(time.time_ns())
        self._book = Engine(max_price=MAX_PRICE, capacity=MAX_ORDERS)
        self._listing = Listing.of(self._book, SYMBOL, max_quantity=MAX_SHARES)
        self.failure: BaseException | None = None
        self.over = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._open = ExitStack()
        try:
            self._open_channels()
            self._make_order_entry()
        except BaseException:
            self._open.close()
            raise

    def _open_channels(self) -> None:
        """The outgoing side: two channels, snapshots."""
        self._feed = ItchFeed([self._listing])
        self.itch = self._channel(f"I{self._run}", self._options.itch)
        self.events = self._channel(f"E{self._run}", self._options.events)
        self._desk = SnapshotDesk(f"E{self._run}")
        self.snapshots = self._open.enter_context(
            SnapshotServer(self._desk, {SNAPSHOT_USER: PASSWORD}, port=self._options.snapshot_port)
        )
        self.itch.publish_messages(self._feed.start_of_day(time.time_ns()))

    def _channel(self, session: str, group: Endpoint) -> Channel:
        publisher = self._open.enter_context(Publisher(session, [group]))
        requests = self._open.enter_context(RequestServer(publisher.store))
        return self._open.enter_context(Channel(publisher, requests))

    def _make_order_entry(self) -> None:
        """The incoming side: router, FIX, OUCH."""
        store, now_ns = self._options.store, time.time_ns()
        self.is_resumed = store is not None and any(store.glob("*.fixstore"))
        # Sessions that outlive the process must not see an OrderID twice.
        first_order_id = 1 if store is None else now_ns // 10**9 << 20
        self.router = OrderRouter(
            {0: self._book}, on_events=self._publish, first_order_id=first_order_id
        )
        sessions = [
            SessionConfig(version, COMP_ID, name) for version in VERSIONS for name in FIX_CLIENTS
        ]
        self._fix_orders = FixOrders(
            self.router,
            [self._listing],
            run_id=f"{now_ns:X}",
            settings={
                session.name: ClientSettings(
                    {"own": FIX_CLIENTS[session.target_comp_id]},
                    account=FIX_CLIENTS[session.target_comp_id],
                    self_trade=SelfTrade.CANCEL_NEWEST,
                )
                for session in sessions
            },
            on_failure=self._fail,
        )
        self.fix = Acceptor(
            sessions, self._fix_orders, store_dir=store, port=self._options.fix_port
        )
        accounts = [
            Account(user, PASSWORD, number, self_trade=SelfTrade.CANCEL_NEWEST)
            for user, number in OUCH_USERS.items()
        ]
        self._ports = Ports(self.router, [self._listing], accounts, session=f"O{self._run}")
        self.ouch = OrderEntryServer(self._ports, port=self._options.ouch_port)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: a port is taken; everything is closed again.
        """
        try:
            await self.fix.start()
            await self.ouch.start()
        except OSError:
            await self.close()
            raise
        self._looking = asyncio.create_task(self._look_around())

    async def close(self) -> None:
        """End the day: orders, then sessions, then channels. Clients are told each time."""
        if self._looking is not None:
            self._looking.cancel()
        if self.failure is None:
            self._fix_orders.expire_all()
            for port in self._ports:
                port.gateway.cancel_all()
        await self.ouch.close(end_of_session=True)
        await self.fix.stop("the venue closes")
        if self.failure is None:
            self.itch.publish_messages(self._feed.end_of_day(time.time_ns()))
        self._open.close()
        self._book.close()

    @property
    def itch_group(self) -> Endpoint:
        """Where the ITCH channel is sent to."""
        return self._options.itch

    def addresses(self) -> str:
        """Where everything is, for people and for tests."""
        ouch_host, ouch_port = self.ouch.address
        lines = [
            f"FIX 4.2, 4.4  127.0.0.1:{self.fix.port}  {COMP_ID} to {' or '.join(FIX_CLIENTS)},"
            " no password",
            f"OUCH 5.0      {ouch_host}:{ouch_port}  user {' or '.join(OUCH_USERS)},"
            f" password {PASSWORD}, session {self._ports.session}",
            f"ITCH 5.0      {self._options.itch}  session {self.itch.publisher.session},"
            f" retransmission {self.itch.endpoint}",
            f"events        {self._options.events}  session {self.events.publisher.session},"
            f" retransmission {self.events.endpoint}",
            f"snapshot      {':'.join(map(str, self.snapshots.endpoint))}  user {SNAPSHOT_USER},"
            f" password {PASSWORD}",
        ]
        return "\n".join(lines)

    def _publish(self, events: Sequence[Event]) -> None:
        """Tell the world what a command has come to; before the sessions hear of it."""
        try:
            messages = self._feed.take(events)
            if messages:
                self.itch.publish_messages(messages)
            self.events.publish(b"".join(event.pack() for event in events))
        except Exception as error:
            self._fail(error)
            raise
        if not self._options.is_quiet:
            for event in events:
                print(f"{SYMBOL} {event}", flush=True)

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self.over.set()

    async def _look_around(self) -> None:
        """Between commands: whoever waits for a snapshot gets it."""
        while self.failure is None:
            if self.router.failure is not None:
                self._fail(self.router.failure)
            try:
                self._desk.serve(self._book)
            except Exception as error:
                self._fail(error)
            await asyncio.sleep(_LOOK_AROUND_S)


def examples(venue: Venue) -> str:
    """Commands to try, each in a terminal of its own."""
    fix, itch = venue.fix.port, venue.itch
    user = next(iter(OUCH_USERS))
    return f"""\
try:
  python -m phase5_protocol.fix.by_hand {fix} ALICE
  python -m phase5_protocol.fix.by_hand {fix} BOB --version FIX.4.2
      buy 10 100.00 · sell 5 99.99 · replace NAME 20 100.01 · cancel NAME
  python -m phase5_protocol.order_entry.by_hand {venue.ouch.address[1]} {user}
      buy 10 100.00 · sell 5 99.99 · cancel NUMBER
  python -m phase5_protocol.itch.watch {venue.itch_group} --requests {itch.endpoint}
      each message, and at Ctrl-C the book that they make"""


async def run(venue: Venue) -> int:
    """Serve until interrupted; the exit code."""
    await venue.start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, venue.over.set)
    print(f"{venue.addresses()}\n\n{examples(venue)}\n", flush=True)
    if venue.is_resumed:
        print(RESUMED, flush=True)
    print("prices in ticks of a cent:", flush=True)
    await venue.over.wait()
    print("closing", flush=True)
    await venue.close()
    if venue.failure is not None:
        print(f"the venue had to stop: {venue.failure}", file=sys.stderr)
        return 1
    print("closed", flush=True)
    return 0


def port_number(text: str) -> int:
    """A port, as an argument; 0 for any that is free."""
    if not (text.isascii() and text.isdigit() and int(text) <= _HIGHEST_PORT):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a port, which is 1 to {_HIGHEST_PORT} (or 0: any that is free)"
        )
    return int(text)


def channel_address(text: str) -> Endpoint:
    """GROUP:PORT, as an argument: a group, or an address of this machine's loopback interface."""
    endpoint = read_endpoint(text)
    first = address_number(endpoint.address) >> 24
    if first >> 4 != _MULTICAST and first != _LOOPBACK_NET:
        raise argparse.ArgumentTypeError(
            f"{endpoint.address} is neither a multicast group (224.0.0.0 to 239.255.255.255) nor"
            " this machine (127.x.x.x); nothing is sent anywhere else"
        )
    return endpoint


def parse(arguments: Sequence[str]) -> Options:
    """The command line."""
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m phase5_protocol.serve", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for name, what in (("fix", "FIX"), ("ouch", "OUCH"), ("snapshot", "snapshots")):
        parser.add_argument(
            f"--{name}-port",
            type=port_number,
            default=getattr(default, f"{name}_port"),
            metavar="PORT",
            help=f"TCP port of {what}; 0: any that is free (default: %(default)s)",
        )
    for name, what in (("itch", "ITCH"), ("events", "event records")):
        parser.add_argument(
            f"--{name}",
            type=channel_address,
            default=getattr(default, name),
            metavar="GROUP:PORT",
            help=f"multicast group (or loopback address) of {what} (default: %(default)s)",
        )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIRECTORY",
        help="keep the FIX sessions' numbers and messages here, over a kill -9; orders are not kept"
        " (default: nothing is kept)",
    )
    parser.add_argument(
        "--quiet",
        dest="is_quiet",
        action="store_true",
        help="no line per event (default: a line for each)",
    )
    return Options(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the venue; the exit code."""
    try:
        return asyncio.run(run(Venue(parse(sys.argv[1:] if arguments is None else arguments))))
    except (MatchbookError, OSError) as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
