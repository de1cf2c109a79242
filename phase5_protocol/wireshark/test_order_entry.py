"""Wireshark reads our order entry: SoupBinTCP with OUCH 4.2 in it, and FIX, by its own dissectors.

Wireshark knows OUCH up to 4.2, and no 5.0; so 4.2 is what is shown to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from phase1_domain import Engine
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.clock import ManualClock
from phase5_protocol.fix.dictionary import Dictionary
from phase5_protocol.fix.message import Message, MessageReader
from phase5_protocol.fix.orders import FixOrders
from phase5_protocol.fix.session import Session
from phase5_protocol.fix.store import MemoryStore
from phase5_protocol.listing import Listing
from phase5_protocol.order_entry import ouch42
from phase5_protocol.order_entry.message_store import MessageStore
from phase5_protocol.order_entry.ouch import Codec
from phase5_protocol.order_entry.router import OrderRouter
from phase5_protocol.order_entry.soup_packets import Login, Refusal
from phase5_protocol.order_entry.soupbintcp import ClientSession, ServerSession
from phase5_protocol.packets import Address
from phase5_protocol.pcap import PcapWriter
from phase5_protocol.wireshark.tshark import Dissected, Layer, dissect

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("has_tshark")]

CLIENT: Address = ("10.0.0.2", 51_000)
OUCH_SERVER: Address = ("10.0.0.1", 9_100)
FIX_SERVER: Address = ("10.0.0.1", 9_200)
CHECKSUMS = ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE"]

#: Wireshark's names for the fields of OUCH 4.2, by ours; which of several depends on the message.
OUCH_NAMES: dict[str, tuple[str, ...]] = {
    "token": ("order_token", "replacement_order_token"),
    "existing_token": ("existing_order_token",),
    "previous_token": ("previous_order_token",),
    "side": ("buy_sell_indicator",),
    "quantity": ("shares", "executed_shares"),
    "symbol": ("stock",),
    "price": ("price", "execution_price", "new_execution_price"),
    "time_in_force": ("tif",),
    "firm": ("firm",),
    "display": ("display",),
    "capacity": ("capacity",),
    "intermarket_sweep": ("iso_eligible",),
    "min_quantity": ("min_quantity",),
    "cross_type": ("cross_type",),
    "customer_type": ("customer_type",),
    "order_reference": ("order_reference_number",),
    "match_number": ("match_number",),
    "decrement": ("decrement_shares",),
    "quantity_prevented": ("quantity_prevented_from_trading",),
    "execution_price": ("execution_price",),
    "reference_price": ("reference_price",),
    "liquidity_flag": ("liquidity_flag",),
    "state": ("order_state",),
    "bbo_weight": ("bbo_weight_indicator",),
    "event": ("event_code",),
}


def an_ouch_message(kind: type[Any], number: int) -> Any:
    """A message in which every field has another value."""
    values: dict[str, Any] = {}
    for at, field in enumerate(fields(kind), 1):
        if "token" in field.name:
            values[field.name] = f"T{number}{field.name[:3].upper()}"
        elif field.name in ("symbol", "firm"):
            values[field.name] = field.name[:4].upper()
        elif field.name == "timestamp":
            values[field.name] = 34_200_000_000_000 + number
        else:
            values[field.name] = 1_000 * number + at
    letters = {"side": "B", "display": "Y", "capacity": "A", "intermarket_sweep": "N"}
    letters |= {"cross_type": "N", "customer_type": "N", "state": "L", "bbo_weight": "0"}
    letters |= {"event": "S", "reason": "U", "liquidity_flag": "A", "reference_price_type": "I"}
    return kind(**{name: letters.get(name, value) for name, value in values.items()})


def an_ouch_session(path: Path) -> tuple[list[Any], list[Any]]:
    """A capture of two real sessions talking; returns what the client and the server said."""
    codec: Codec[Any, Any] = ouch42.CODEC
    kinds = ouch42.Inbound.__args__, ouch42.Outbound.__args__
    inbound, outbound = ([an_ouch_message(k, n) for n, k in enumerate(each, 1)] for each in kinds)
    store = MessageStore("DAY1")
    heard: list[bytes] = []
    with PcapWriter(path) as writer:
        now = 0.0

        def sends(source: Address, to: Address, line: list[bytes]) -> Callable[[bytes], None]:
            def write(data: bytes) -> None:
                writer.tcp(source, to, data, timestamp_ns=int(now * 1e9))
                line.append(data)

            return write

        to_server: list[bytes] = []
        to_client: list[bytes] = []
        server = ServerSession(
            lambda login: store if login.password == "secret" else Refusal.NOT_AUTHORIZED,
            heard.append,
            sends(OUCH_SERVER, CLIENT, to_client),
            now=now,
        )
        client = ClientSession(
            Login("user", "secret", next_number=1),
            lambda number, message: None,
            sends(CLIENT, OUCH_SERVER, to_server),
            now=now,
        )

        def exchange() -> None:
            while to_server or to_client:
                if to_server:
                    server.receive(to_server.pop(0), now)
                if to_client:
                    client.receive(to_client.pop(0), now)

        exchange()
        for message in inbound:
            client.send(codec.encode(message), now)
        for message in outbound:
            store.append(codec.encode(message))
        server.pump(now)
        exchange()
        now = 1.5
        server.tick(now)
        client.tick(now)
        exchange()
        server.close_session()
        server.pump(now)
        exchange()
        writer.tcp_close(OUCH_SERVER, CLIENT, timestamp_ns=2 * 10**9)
    assert len(heard) == len(inbound)
    return inbound, outbound


def check_ouch(layer: Layer, message: Any) -> None:
    for field in fields(message):
        names = OUCH_NAMES.get(field.name, ())
        shown = [plain(got) for name in names if (got := layer.get(f"ouch.{name}")) is not None]
        if names:
            assert shown == [str(getattr(message, field.name))], (message, field.name)


def plain(shown: str) -> str:
    """A value without what Wireshark puts around a character."""
    shown = shown.strip()
    return shown[1:-1] if len(shown) == 3 and shown[0] == shown[2] == "'" else shown


def without_complaint(packets: list[Dissected]) -> None:
    assert [line for packet in packets for line in packet.complaints()] == []


def test_a_soupbintcp_session_with_ouch_is_read_field_by_field(tmp_path: Path) -> None:
    """Guards both layers against somebody else's reading, types, lengths and text fields."""
    path = tmp_path / "ouch.pcap"
    inbound, outbound = an_ouch_session(path)
    packets = dissect(path, decode_as=["tcp.port==9100,soupbintcp"], preferences=CHECKSUMS)
    without_complaint(packets)
    soup = [layer for packet in packets for layer in packet.of("soupbintcp")]
    types = [plain(layer.get("soupbintcp.packet_type") or "") for layer in soup]
    assert types == [*"LA", *"U" * len(inbound), *"S" * len(outbound), *"HRZ"]
    login, accepted = soup[:2]
    assert (login.get("soupbintcp.username") or "").strip() == "user"
    assert (accepted.get("soupbintcp.session") or "").strip() == "DAY1"
    ouch = [layer for packet in packets for layer in packet.of("ouch")]
    assert len(ouch) == len(inbound) + len(outbound)
    for layer, message in zip(ouch, [*inbound, *outbound], strict=True):
        check_ouch(layer, message)


class Tap:
    """A connection's end that writes into a capture what passes."""

    def __init__(self, writer: PcapWriter, source: Address, destination: Address) -> None:
        self.writer, self.ends = writer, (source, destination)
        self.data = b""

    def write(self, data: bytes) -> None:
        self.writer.tcp(*self.ends, data, timestamp_ns=0)
        self.data += data

    def close(self) -> None:
        pass

    def backlog(self) -> int:
        return 0

    def carry_to(self, session: Session) -> bool:
        data, self.data = self.data, b""
        if data and session.is_connected:
            session.receive(data)
        return bool(data)


class Quiet:
    """A client's application: what comes is of no interest to it."""

    def on_logon(self, session: Session) -> None:
        pass

    def on_logout(self, session: Session) -> None:
        pass

    def on_message(self, session: Session, message: Message) -> None:
        pass


def a_fix_session(path: Path, version: str) -> None:
    """A capture of an order's life between two real sessions, with a venue behind one of them."""
    clock = ManualClock()
    book = Engine(instrument=0)
    router = OrderRouter({0: book}, clock_ns=clock.wall_ns)
    orders = FixOrders(router, [Listing("MBK")], run_id="R1")
    with PcapWriter(path) as writer:
        up, down = Tap(writer, CLIENT, FIX_SERVER), Tap(writer, FIX_SERVER, CLIENT)
        ends = {"begin_string": version, "heartbeat_s": 5}
        dictionary = Dictionary.default(version)

        def session(application: Any, us: str, them: str, initiates: bool) -> Session:
            names = {"sender_comp_id": us, "target_comp_id": them}
            config = SessionConfig(**ends, **names, is_initiator=initiates)  # type: ignore[arg-type]
            return Session(config, application, dictionary, MemoryStore(), clock)

        client = session(Quiet(), "BUYER", "VENUE", True)
        server = session(orders, "VENUE", "BUYER", False)
        server.connect(down, MessageReader())
        client.connect(up)

        def settle() -> None:
            while any([up.carry_to(server), down.carry_to(client)]):
                pass

        settle()
        when = "20231114-22:13:20"
        order = {55: "MBK", 54: "1", 60: when, 21: "1"}
        steps: list[tuple[str, Mapping[int, str]]] = [
            ("D", {11: "o1", **order, 38: "100", 40: "2", 44: "10.25"}),
            ("D", {11: "o2", **order, 54: "2", 38: "40", 40: "2", 44: "10.25"}),
            ("G", {11: "o3", 41: "o1", **order, 38: "90", 40: "2", 44: "10.50"}),
            ("F", {11: "o4", 41: "o3", 55: "MBK", 54: "1", 60: when, 38: "90"}),
            ("F", {11: "o5", 41: "nosuch", 55: "MBK", 54: "1", 60: when, 38: "90"}),
            ("D", {11: "o6", **order, 55: "OTHER", 38: "1", 40: "1"}),
        ]
        for kind, values in steps:
            client.send(Message(kind, values.items()))
            settle()
        clock.advance(5.5)
        client.tick()
        server.tick()
        settle()
        client.logout("enough")
        settle()
        writer.tcp_close(CLIENT, FIX_SERVER, timestamp_ns=10**9)


@pytest.mark.parametrize("version", ["FIX.4.2", "FIX.4.4"])
def test_a_fix_session_is_read_and_every_checksum_is_right(tmp_path: Path, version: str) -> None:
    """Guards length, checksum and numbering against another implementation of the framing."""
    path = tmp_path / "fix.pcap"
    a_fix_session(path, version)
    packets = dissect(path, decode_as=["tcp.port==9200,fix"], preferences=CHECKSUMS)
    without_complaint(packets)
    messages: dict[str, list[Layer]] = {"BUYER": [], "VENUE": []}
    for layer in (layer for packet in packets for layer in packet.of("fix")):
        assert layer.get("fix.BeginString") == version
        assert layer.get("fix.checksum_good") in ("1", "True")
        messages[layer.get("fix.SenderCompID") or ""].append(layer)
    for own in messages.values():
        numbers = [layer.get("fix.MsgSeqNum") for layer in own]
        assert numbers == [str(number) for number in range(1, len(own) + 1)]
    kinds = {
        name: "".join(layer.get("fix.MsgType") or "?" for layer in own)
        for name, own in messages.items()
    }
    assert kinds["BUYER"] == "ADDGFFD05"
    assert set(kinds["VENUE"]) == set("A8905")
    # One trade, and so a report to each of the two orders: tag 32, which Wireshark calls LastQty in
    # both versions.
    assert [m.get("fix.LastQty") for m in messages["VENUE"]].count("40") == 2


def test_damaged_sessions_are_complained_about(tmp_path: Path) -> None:
    """The negative control: a wrong FIX checksum, and an OUCH message of no known type."""
    good, bad = tmp_path / "good.pcap", tmp_path / "bad.pcap"
    a_fix_session(good, "FIX.4.4")
    bad.write_bytes(good.read_bytes().replace(b"\x0155=MBK\x01", b"\x0155=MBQ\x01"))
    packets = dissect(bad, decode_as=["tcp.port==9200,fix"])
    assert any("checksum" in line.lower() for packet in packets for line in packet.complaints())

    inbound, outbound = an_ouch_session(good)
    token = b"T1TOK"
    at = good.read_bytes().index(b"O" + token)
    whole = good.read_bytes()
    bad.write_bytes(whole[:at] + b"Q" + whole[at + 1 :])
    packets = dissect(bad, decode_as=["tcp.port==9100,soupbintcp"])
    read = sum(len(packet.of("ouch")) for packet in packets)
    assert read == len(inbound) + len(outbound) - 1
