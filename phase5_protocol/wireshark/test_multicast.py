"""Wireshark reads our multicast: MoldUDP64 by its own dissector, what it carries by ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

import phase3_sorted
from contract.batching import apply_all
from contract.messages import Event, EventKind
from contract.random_commands import Profile, random_commands
from contract.records import EVENT_DTYPE, RecordArray, to_events
from contract.streams import gather
from phase5_protocol.itch.feed import ItchFeed
from phase5_protocol.itch.fields import Kind
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.listing import Listing
from phase5_protocol.multicast.native import MoldPacker, make_request
from phase5_protocol.pcap import PcapWriter
from phase5_protocol.wireshark import lua_tables
from phase5_protocol.wireshark.tshark import MALFORMED, Dissected, Layer, dissect

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("has_tshark")]

PORT, REQUEST_PORT = 26_400, 26_477
GROUP, SERVER, CLIENT = ("239.255.1.2", PORT), ("10.0.0.1", REQUEST_PORT), ("10.0.0.2", 40_123)
MOLD = [f"udp.port=={PORT},moldudp64", f"udp.port=={REQUEST_PORT},moldudp64"]
CHECKSUMS = ["udp.check_checksum:TRUE", "ip.check_checksum:TRUE"]


def read_itch(path: Path) -> list[Dissected]:
    rules = [*MOLD, "moldudp64.payload,itch50"]
    return dissect(path, decode_as=rules, scripts=[lua_tables.ITCH_LUA], preferences=CHECKSUMS)


def read_flat(path: Path) -> list[Dissected]:
    rules = [*MOLD, "moldudp64.payload,matchbook"]
    return dissect(path, decode_as=rules, scripts=[lua_tables.FLAT_LUA], preferences=CHECKSUMS)


class Traffic(NamedTuple):
    """What one channel said, and the capture of it."""

    path: Path
    datagrams: list[bytes]
    messages: list[bytes]


def a_session(path: Path, messages: Sequence[bytes], limit_bytes: int = 1_472) -> Traffic:
    """A capture of a whole session: data, heartbeat, a request and its answer, the end."""
    with MoldPacker("MBK0000001", limit_bytes=limit_bytes) as packer:
        datagrams = list(packer.pack_messages(messages).split())
        datagrams += [packer.heartbeat(), packer.end()]
    with PcapWriter(path) as writer:
        for at, datagram in enumerate(datagrams):
            writer.udp(SERVER, GROUP, datagram, timestamp_ns=at * 1_000)
        writer.udp(CLIENT, SERVER, make_request("MBK0000001", 1, 2), timestamp_ns=10**9)
        writer.udp(SERVER, CLIENT, datagrams[0], timestamp_ns=10**9 + 1)
    return Traffic(path, datagrams, list(messages))


def events_and_messages() -> tuple[RecordArray, list[bytes]]:
    profile = Profile(min_price=10_000, max_price=10_030)
    with phase3_sorted.Engine(**profile.limits()) as book:
        feed = ItchFeed([Listing.of(book, "MBK")], hide_too_large=True)
        events = apply_all(book, gather(random_commands(12, 600, profile)))
        messages = feed.start_of_day(34_200 * 10**9)
        messages += feed.take(to_events(events)) + feed.end_of_day(57_600 * 10**9)
    return events, messages


def check_framing(packets: Sequence[Dissected], traffic: Traffic) -> None:
    """Each packet is MoldUDP64 without a complaint, with the numbers that its bytes say."""
    assert len(packets) == len(traffic.datagrams) + 2
    sequence = 1
    for packet, datagram in zip(packets, traffic.datagrams, strict=False):
        assert packet.complaints() == []
        (mold,) = packet.of("moldudp64")
        count = int.from_bytes(datagram[18:20], "big")
        blocks = 0 if count == 0xFFFF else count
        assert mold.get("moldudp64.session") == "MBK0000001"
        assert mold.get("moldudp64.sequence") == str(sequence)
        assert mold.get("moldudp64.count") == str(count)
        assert mold.all("moldudp64.msgseq") == [str(sequence + i) for i in range(blocks)]
        sequence += blocks
    assert sequence == len(traffic.messages) + 1
    request, answer = packets[-2:]
    assert request.complaints() == answer.complaints() == []
    assert request.of("moldudp64")[0].get("moldudp64.count") == "2"
    assert answer.of("moldudp64")[0].get("moldudp64.sequence") == "1"


def shown(layer: Layer, prefix: str, names: Iterable[str]) -> list[str | None]:
    return [layer.get(f"{prefix}.{name}") for name in names]


def check_itch(layer: Layer, message: bytes) -> None:
    """What the layer shows is what the message says, field by field."""
    layout = LAYOUTS[chr(message[0])]
    wanted = [
        value.decode().rstrip() if isinstance(value, bytes) else str(value)
        for value in layout.unpack(message)
    ]
    got = shown(layer, "itch50", (each.name for each in layout.fields))
    assert [None if each is None else each.rstrip() for each in got] == wanted
    assert layer.get("itch50.type") == layout.letter


def test_an_itch_session_is_read_field_by_field(tmp_path: Path) -> None:
    """Guards framing, encoding and checksums against programs that are not ours."""
    _, messages = events_and_messages()
    traffic = a_session(tmp_path / "itch.pcap", messages)
    packets = read_itch(traffic.path)
    check_framing(packets, traffic)
    layers = [layer for packet in packets[:-2] for layer in packet.of("itch50")]
    assert len(layers) == len(messages) > 300
    for layer, message in zip(layers, messages, strict=True):
        check_itch(layer, message)
    assert {chr(message[0]) for message in messages} >= set("SRHAEXDU")


def test_every_message_type_is_shown(tmp_path: Path) -> None:
    """Guards the dissector's table, type by type: no two fields of a message have equal values."""
    messages = []
    for layout in LAYOUTS.values():
        values: dict[str, int | str] = {}
        for number, field in enumerate(layout.fields, 2):
            largest = field.limit - 1 - number
            text = chr(ord("A") + number % 26) * field.size
            values[field.name] = text if field.kind is Kind.ALPHA else largest
        values["timestamp_ns"] = 86_399_999_999_999
        messages.append(layout.encode(**values))
    traffic = a_session(tmp_path / "types.pcap", messages, limit_bytes=400)
    packets = read_itch(traffic.path)
    check_framing(packets, traffic)
    layers = [layer for packet in packets[:-2] for layer in packet.of("itch50")]
    for layer, message in zip(layers, messages, strict=True):
        check_itch(layer, message)


def test_the_event_channel_is_read_field_by_field(tmp_path: Path) -> None:
    """Guards the flat records on the wire: offsets, signs, and the words of what is enumerated."""
    events, _ = events_and_messages()
    events = events[:400].copy()
    events["price"][0], events["order_id"][1] = -(2**63), 2**64 - 1
    messages = [events[at : at + 1].tobytes() for at in range(len(events))]
    traffic = a_session(tmp_path / "events.pcap", messages)
    packets = read_flat(traffic.path)
    check_framing(packets, traffic)
    layers = [layer for packet in packets[:-2] for layer in packet.of("matchbook")]
    names = EVENT_DTYPE.names
    assert names is not None
    assert [shown(layer, "matchbook", names) for layer in layers] == [
        [str(value) for value in event] for event in events.tolist()
    ]


BROKEN: dict[str, tuple[bytes, str]] = {
    "a message cut short": (LAYOUTS["A"].encode()[:-1], "35 bytes, where a message of type A"),
    "a message too long": (LAYOUTS["D"].encode() + b"\0", "20 bytes, where a message of type D"),
    "only a type": (b"E", "1 bytes, where a message of type E has 31"),
    "an unknown type": (b"z" + bytes(20), "Unknown message type"),
}


def test_what_is_wrong_with_an_itch_message_is_said(tmp_path: Path) -> None:
    """The negative control: without it, no complaint would be no proof."""
    good = LAYOUTS["D"].encode(reference=1)
    messages = [each for broken, _ in BROKEN.values() for each in (broken, good)]
    traffic = a_session(tmp_path / "broken.pcap", messages, limit_bytes=120)
    packets = read_itch(traffic.path)
    complaints = [line for packet in packets[:-2] for line in packet.complaints()]
    complaints = [line for line in complaints if line != MALFORMED]
    assert len(complaints) == len(BROKEN)
    for line, (_, said) in zip(complaints, BROKEN.values(), strict=True):
        assert said in line


def test_what_is_wrong_with_an_event_record_is_said(tmp_path: Path) -> None:
    """The same for the event channel."""
    good = Event(EventKind.ACCEPTED, order_id=1, quantity=5, leaves=5).pack()
    messages = [good[:-1], good + b"\0"]
    for at, value in ((60, 0), (60, 6), (61, 2), (62, 15), (63, 1)):
        messages.append(good[:at] + bytes([value]) + good[at + 1 :])
    traffic = a_session(tmp_path / "broken.pcap", [good, *messages])
    packets = read_flat(traffic.path)
    complaints = [line for packet in packets[:-2] for line in packet.complaints()]
    complaints = [line for line in complaints if line != MALFORMED]
    assert [line[:12] for line in complaints] == [
        *("63 bytes, no", "65 bytes, no"),
        *["Unknown even"] * 4,
        "The reserved",
    ]


def test_a_damaged_datagram_is_said_to_be_malformed(tmp_path: Path) -> None:
    """The negative control of the framing: Wireshark's own dissector notices what is missing."""
    _, messages = events_and_messages()
    with MoldPacker("MBK0000001") as packer:
        datagram = next(iter(packer.pack_messages(messages[:20]).split()))
    path = tmp_path / "damaged.pcap"
    overlong = datagram[:20] + b"\xff" + datagram[21:]
    with PcapWriter(path) as writer:
        for damaged in (datagram[:-5], overlong, datagram[:19]):
            writer.udp(SERVER, GROUP, damaged, timestamp_ns=0)
    short, overrun, no_header = read_itch(path)
    assert MALFORMED in short.complaints()
    assert overrun.complaints()
    assert not no_header.of("moldudp64")
