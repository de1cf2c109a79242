"""Packets that exchanges sent, captured by others: each is consumed to its last byte.

Three quarters of the ITCH captures were made anonymous by whoever passed them on: session and
sequence number are all zero bytes, which no server sends. Those are read with ``strict=False``,
which leaves these two fields unchecked and nothing else.
"""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest

from contract.shared_data import find
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.multicast.mold import MalformedPacketError, PacketKind
from phase5_protocol.multicast.native import parse_packet
from phase5_protocol.packets import Protocol, Skip
from phase5_protocol.pcap import read_payloads

pytestmark = pytest.mark.shared_data

ARCHIVE = "omi_pcaps/omi-data-packets.tar.gz"
ITCH_5 = "TotalView.Itch.v5.0"
#: Other feeds over MoldUDP64: the folder, datagrams, messages.
OTHERS = {
    "Asx/Ntp.Itch.v1.05": (21, 28),
    "Jnx/JnxEquities.Pts.Itch.v1.6": (5, 6),
    "Nasdaq/Ise.OrderComboFeed.v1.1": (6, 5),
    "Nasdaq/Ise.TopComboQuoteFeed.v1.0": (8, 7),
    "Nasdaq/Nasdaq.Equities.Bbo.Itch.v2.1.20241105": (18, 18),
    "Nasdaq/Nasdaq.Equities.NlsPlus.Itch.4.0.20241105": (22, 22),
    "Nasdaq/Uqdf.Output.Utp.v1.5": (3, 3),
}
#: Messages of each type in the ITCH 5.0 captures.
LETTERS = {
    "A": 53, "F": 17, "U": 17, "E": 16, "C": 15, "X": 15, "D": 18, "P": 15,
    "S": 3, "H": 16, "Y": 15, "L": 6, "J": 5, "Q": 5, "I": 6, "N": 5,
}  # fmt: skip


class Datagram(NamedTuple):
    """A UDP payload and the name of its capture in the archive."""

    name: str
    data: bytes


@cache
def datagrams() -> list[Datagram]:
    path = find(ARCHIVE)
    if path is None:
        pytest.skip(f"no {ARCHIVE}")
    return list(_datagrams(str(path)))


def _datagrams(path: str) -> Iterator[Datagram]:
    skipped: Counter[Skip] = Counter()
    with tarfile.open(path) as archive:
        for member in archive:
            if not member.name.endswith(".pcap"):
                continue
            stream = archive.extractfile(member)
            assert stream is not None
            for each in read_payloads(member.name, stream, skipped=skipped):
                if each.payload.protocol is Protocol.UDP:
                    yield Datagram(member.name.removeprefix("./"), each.payload.data)
    assert not skipped


def messages_of(data: bytes) -> tuple[bytes, ...]:
    """The messages of a packet, which must have a session and a number unless both are blanked."""
    packet = parse_packet(data, strict=data[:18] != bytes(18))
    # To the last byte: a parser that forgot a block would be short of some.
    assert 20 + sum(2 + len(message) for message in packet.messages) == len(data)
    assert (packet.kind is PacketKind.HEARTBEAT) == (not packet.messages)
    return packet.messages


def test_every_itch_capture_decodes_exactly_and_encodes_to_the_same_bytes() -> None:
    """Guards every offset, length and width of the table against what three exchanges sent."""
    counts: Counter[str] = Counter()
    for name, data in datagrams():
        if ITCH_5 not in name:
            continue
        for message in messages_of(data):
            layout = LAYOUTS[chr(message[0])]
            assert len(message) == layout.length, name
            values = layout.unpack(message)
            assert layout.pack(*values) == message  # type: ignore[arg-type]
            assert 0 <= int(values[2]) < 86_400 * 10**9
            counts[layout.letter] += 1
    assert counts.total() == 227
    assert counts == LETTERS


def test_alike_letters_carry_what_their_field_may_say() -> None:
    """Guards against a field read one byte off, which lengths alone do not notice."""
    allowed = {
        "side": {b"B", b"S"},
        "printable": {b"Y", b"N"},
        "trading_state": {b"H", b"P", b"Q", b"T"},
        "event_code": {b"O", b"S", b"Q", b"M", b"E", b"C"},
        "direction": {b"B", b"S", b"N", b"O", b"P"},
        "interest": {b"B", b"S", b"A", b"N"},
        "cross_type": {b"O", b"C", b"H", b"A"},
    }
    met: set[str] = set()
    for name, data in datagrams():
        if ITCH_5 in name:
            for message in messages_of(data):
                layout = LAYOUTS[chr(message[0])]
                for field, value in zip(layout.fields, layout.unpack(message), strict=True):
                    if field.name in allowed:
                        assert value in allowed[field.name], (name, field.name)
                        met.add(field.name)
                    if field.name == "stock":
                        assert isinstance(value, bytes)
                        assert re.fullmatch(rb"[A-Z]+[-=+#.A-Z]* *", value), name
    assert met == set(allowed)


@pytest.mark.parametrize("folder", OTHERS)
def test_other_feeds_over_moldudp64_are_framed_alike(folder: str) -> None:
    """Guards the framing against our own idea of it: heartbeats and packed messages occur."""
    own = [data for name, data in datagrams() if name.startswith(folder + "/")]
    assert (len(own), sum(len(messages_of(data)) for data in own)) == OTHERS[folder]


def test_packets_of_other_framings_are_not_taken_for_ours() -> None:
    """The negative control: hundreds of packets of other protocols, and one that was misfiled."""
    others, taken = 0, []
    for name, data in datagrams():
        if ITCH_5 in name or name.rpartition("/")[0] in OTHERS:
            continue
        others += 1
        try:
            parse_packet(data)
        except MalformedPacketError:
            continue
        taken.append((name, data))
    assert others > 200
    # The one that passes is no accident: a Nasdaq packet (its session says so) among another
    # exchange's, and what it carries is an ITCH 5.0 message.
    ((name, data),) = taken
    assert name == "Memx/Equities.MemiorDepth.v1.3/StockTradingActionMessage.pcap"
    (message,) = messages_of(data)
    assert (data[:10], message[:1], len(message)) == (b"000010059B", b"H", LAYOUTS["H"].length)
