"""The last part of the tour: orders from outside, over FIX and OUCH, and what ITCH shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from contract.engine import Engine
from contract.messages import Event
from contract.tour import heading, picture, show
from phase5_protocol.fix.acceptor import Acceptor
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.by_hand import Trader, describe
from phase5_protocol.fix.initiator import Initiator
from phase5_protocol.fix.message import Message, encode
from phase5_protocol.fix.orders import FixOrders
from phase5_protocol.fix.session import Session
from phase5_protocol.fix.store import MemoryStore
from phase5_protocol.itch.feed import ItchFeed
from phase5_protocol.itch.messages import parse, show_value
from phase5_protocol.listing import Listing
from phase5_protocol.multicast.native_udp import LOOPBACK
from phase5_protocol.order_entry.client import OuchClient
from phase5_protocol.order_entry.ouch50 import CODEC, EnterOrder, Executed
from phase5_protocol.order_entry.ports import Account, Ports
from phase5_protocol.order_entry.router import OrderRouter
from phase5_protocol.order_entry.server import OrderEntryServer
from phase5_protocol.order_entry.soup_packets import Login

_SYMBOL: Final = "MBK"
_PASSWORD: Final = "tour"
_PATIENCE_S: Final = 30.0
#: Characters of a line of FIX that fit into a frame.
_LINE_CHARACTERS: Final = 70


class Client(Trader):
    """A FIX client that keeps what it hears."""

    def __init__(self) -> None:
        super().__init__(_SYMBOL)
        self.is_on = asyncio.Event()
        self.reports: asyncio.Queue[Message] = asyncio.Queue()

    def on_logon(self, session: Session) -> None:
        """Note it."""
        self.is_on.set()

    def on_logout(self, session: Session) -> None:
        """Nothing: the tour ends it."""

    def on_message(self, session: Session, message: Message) -> None:
        """Keep a report."""
        self.reports.put_nowait(message)


def orders_from_outside(book: Engine) -> None:
    """A buyer who speaks FIX, a seller who speaks OUCH, and one book between them."""
    heading("5. Orders from outside")
    asyncio.run(asyncio.wait_for(_trade(book), _PATIENCE_S))


async def _trade(book: Engine) -> None:
    listing = Listing.of(book, _SYMBOL)
    feed = ItchFeed([listing])
    shown: list[bytes] = []

    def publish(events: Sequence[Event]) -> None:
        shown.extend(feed.take(events))

    router = OrderRouter({0: book}, on_events=publish)
    session = SessionConfig("FIX.4.4", "MATCHBOOK", "ALICE")
    orders = FixOrders(router, [listing], run_id=f"{time.time_ns():X}")
    fix = Acceptor([session], orders, port=0)
    ports = Ports(router, [listing], [Account("carol", _PASSWORD, 3)])
    await fix.start()
    async with OrderEntryServer(ports, port=0) as ouch:
        alice, store = Client(), MemoryStore()
        mine = SessionConfig("FIX.4.4", "ALICE", "MATCHBOOK", is_initiator=True)
        initiator = Initiator(mine, alice, LOOPBACK, fix.port, store=store)
        await initiator.start()
        await alice.is_on.wait()
        initiator.session.send(alice.message("buy 10 100.00"))
        reports = [await alice.reports.get()]
        carol = await OuchClient.connect(*ouch.address, Login("carol", _PASSWORD, next_number=1))
        sell = EnterOrder(1, "S", 4, _SYMBOL, 999_900, "0", "Y", "A", "N", "N", "c1")
        carol.send(sell)
        while not isinstance(await carol.next(), Executed):
            pass
        reports.append(await alice.reports.get())
        await carol.logout()
        await initiator.stop()
    await fix.stop()
    (_, sent), *_ = (
        (number, data) for number, data in store.sent(1, 99) if b"\x0135=D\x01" in data
    )
    _show_orders(sent, reports, CODEC.encode(sell), shown)


def _show_orders(
    sent: bytes, reports: Sequence[Message], sell: bytes, shown: Sequence[bytes]
) -> None:
    show(
        "Alice bids 10 at 100.00 over FIX 4.4: text, a field behind the other, tag=value. The "
        "separator is the byte 1, here a bar; 9 says how long it is, 10 is the sum of all bytes."
    )
    picture(f"NewOrderSingle, {len(sent)} bytes", _fields(sent))
    show(f"Carol sells 4 at 99.99 over OUCH 5.0: the same wish in {len(sell)} bytes.")
    picture("Enter Order, in hexadecimal", _fold(sell.hex(" ").split(), " "))
    show("They trade at Alice's price, for she was there first. What Alice is told:")
    answer = encode(reports[-1])
    lines = [describe(report) for report in reports]
    picture("ExecutionReports", "\n".join([*lines, "", _fields(answer)]))
    show("And what everybody else sees of it, on the ITCH feed:")
    picture("ITCH", "\n".join(_line(message) for message in shown))


def _fold(pieces: Sequence[str], separator: str) -> str:
    """Pieces in lines that fit into a frame."""
    lines = [""]
    for piece in pieces:
        if len(lines[-1]) + len(piece) >= _LINE_CHARACTERS:
            lines.append("")
        lines[-1] += piece + separator
    return "\n".join(lines)


def _fields(message: bytes) -> str:
    return _fold(message.decode("ascii").rstrip("\x01").split("\x01"), "|")


def _line(message: bytes) -> str:
    """A message with its own fields, without those that all have."""
    read = parse(message)
    own = [each for each in read.layout.fields if each.offset > 10]
    says = [f"{each.name} {show_value(each, getattr(read, each.name))}" for each in own]
    return "  ".join([read.letter, *says])
