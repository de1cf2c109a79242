"""Captures: what is written is read again, what others wrote is read, what is broken is named."""

from __future__ import annotations

import gzip
import io
import struct
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import InputFileError
from phase5_protocol import packets
from phase5_protocol.packets import Payload, Protocol, Skip, internet_checksum, unwrap, wrap_udp
from phase5_protocol.pcap import MAX_CAPTURED, PcapWriter, read_frames, read_payloads

HERE, GROUP = ("10.1.2.3", 40_000), ("239.255.7.9", 26_400)
CLIENT, SERVER = ("127.0.0.1", 50_001), ("127.0.0.1", 9_100)
DATAGRAM = wrap_udp(HERE, GROUP, b"hello")


def capture(
    packet: bytes = DATAGRAM,
    *,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    link_type: int = packets.LINK_ETHERNET,
    fraction: int = 7,
) -> bytes:
    """A file of one packet, made here and not by the writer under test."""
    head = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65_535, link_type)
    return head + struct.pack(order + "IIII", 5, fraction, len(packet), len(packet)) + packet


def payloads(data: bytes) -> tuple[list[bytes], Counter[Skip]]:
    skipped: Counter[Skip] = Counter()
    found = read_payloads("x.pcap", io.BytesIO(data), skipped=skipped)
    return [each.payload.data for each in found], skipped


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("magic", "time_ns"), [(0xA1B2C3D4, 5 * 10**9 + 7_000), (0xA1B23C4D, 5 * 10**9 + 7)]
)
def test_both_byte_orders_and_clocks_are_read(order: str, magic: int, time_ns: int) -> None:
    """Guards against a capture of another machine read with its numbers turned round."""
    (frame,) = read_frames("x", io.BytesIO(capture(order=order, magic=magic)))
    assert frame == (1, 24, time_ns, packets.LINK_ETHERNET, len(DATAGRAM), DATAGRAM)


VLAN = DATAGRAM[:12] + bytes.fromhex("88a80001 81000002 0800") + DATAGRAM[14:]
IP = DATAGRAM[14:]
LINKS: dict[str, tuple[int, bytes]] = {
    "Ethernet": (packets.LINK_ETHERNET, DATAGRAM),
    "Ethernet, padded": (packets.LINK_ETHERNET, DATAGRAM + bytes(13)),
    "two VLAN tags": (packets.LINK_ETHERNET, VLAN),
    "raw IP": (packets.LINK_RAW_IP, IP),
    "IPv4": (packets.LINK_IPV4, IP),
    "Linux any": (packets.LINK_LINUX_SLL, bytes(14) + b"\x08\x00" + IP),
    "Linux any, 2": (packets.LINK_LINUX_SLL2, b"\x08\x00" + bytes(18) + IP),
    "macOS loopback": (packets.LINK_NULL, b"\2\0\0\0" + IP),
    "loopback of big-endian machines": (packets.LINK_NULL, b"\0\0\0\2" + IP),
}


@pytest.mark.parametrize("link", LINKS)
def test_each_kind_of_link_leads_to_the_same_payload(link: str) -> None:
    """Guards each link header's length, and padding that is taken for payload."""
    link_type, packet = LINKS[link]
    assert unwrap(link_type, packet) == Payload(Protocol.UDP, HERE, GROUP, b"hello")


def patched(packet: bytes, at: int, value: str) -> bytes:
    """A packet with the bytes at an offset behind its Ethernet header replaced."""
    new = bytes.fromhex(value)
    return packet[: 14 + at] + new + packet[14 + at + len(new) :]


SEGMENT = packets.wrap_tcp(CLIENT, SERVER, b"", sequence=1, acknowledged=0, flags=packets.SYN)
SKIPS: list[tuple[Skip, int, bytes]] = [
    (Skip.NOT_IPV4, 1, DATAGRAM[:12] + b"\x86\xdd" + DATAGRAM[14:]),
    (Skip.NOT_IPV4, 1, DATAGRAM[:14]),
    (Skip.NOT_IPV4, 1, patched(DATAGRAM, 0, "65")),
    (Skip.NOT_IPV4, 0, b"\x1e\0\0\0" + IP),
    (Skip.BAD_LINK_HEADER, 1, DATAGRAM[:13]),
    (Skip.BAD_LINK_HEADER, 1, VLAN[:17]),
    (Skip.CUT_BY_CAPTURE, 1, DATAGRAM[:20]),
    (Skip.CUT_BY_CAPTURE, 1, DATAGRAM[:-1]),
    (Skip.BAD_IP_HEADER, 1, patched(DATAGRAM, 0, "44")),
    (Skip.BAD_IP_HEADER, 1, patched(DATAGRAM, 2, "0013")),
    (Skip.FRAGMENT, 1, patched(DATAGRAM, 6, "2000")),
    (Skip.FRAGMENT, 1, patched(DATAGRAM, 6, "0001")),
    (Skip.OTHER_PROTOCOL, 1, patched(DATAGRAM, 9, "01")),
    (Skip.BAD_UDP_HEADER, 1, patched(DATAGRAM, 2, "0019")),
    (Skip.BAD_UDP_HEADER, 1, patched(DATAGRAM, 24, "0007")),
    (Skip.BAD_UDP_HEADER, 1, patched(DATAGRAM, 24, "000e")),
    (Skip.BAD_TCP_HEADER, 1, patched(SEGMENT, 32, "40")),
    (Skip.BAD_TCP_HEADER, 1, patched(SEGMENT, 32, "60")),
    (Skip.BAD_TCP_HEADER, 1, patched(SEGMENT, 2, "0020")),
]


@pytest.mark.parametrize(("reason", "link_type", "packet"), SKIPS)
def test_what_carries_no_payload_is_skipped_by_name(
    reason: Skip, link_type: int, packet: bytes
) -> None:
    """Guards against half a datagram taken for a whole one, and against an error at a stranger."""
    assert payloads(capture(packet, link_type=link_type)) == ([], Counter({reason: 1}))


WHOLE = capture()
BROKEN = [
    (b"", "offset 0: magic: '' is not the first bytes of a capture file"),
    (b"PK\3\4" + bytes(40), "offset 0: magic: '50 4b 03 04'"),
    (b"\n\r\r\n" + bytes(40), "offset 0: 'pcapng' is not a classic capture"),
    (WHOLE[:23], "offset 0: '23 bytes' is not a file header of 24 bytes"),
    (WHOLE[:4] + b"\3" + WHOLE[5:], "offset 4: version: '3.4' is not 2.4"),
    (WHOLE[:20] + b"\x93" + WHOLE[21:], "offset 20: link type: 147 is not one of 0, 1, 101"),
    (WHOLE + b"123", f"offset {len(WHOLE)}: '3 bytes' is not a record header of 16 bytes"),
    (WHOLE[:-1], "offset 24: packet: '46 bytes' is not 47 bytes, as its header says"),
    (capture(fraction=1_000_000), "offset 24: fraction of a second: 1000000 is not below"),
    (
        WHOLE[:32] + struct.pack("<I", MAX_CAPTURED + 1) + WHOLE[36:],
        "offset 24: captured length: 262145 is not at most 262144 bytes",
    ),
]


@pytest.mark.parametrize(("data", "said"), BROKEN)
def test_a_broken_file_is_one_clear_error(data: bytes, said: str) -> None:
    """Guards against a damaged capture that reads as a short one."""
    with pytest.raises(InputFileError) as caught:
        list(read_frames("day.pcap", io.BytesIO(data)))
    assert f"day.pcap: {said}" in str(caught.value)


@given(st.binary(max_size=200), st.sampled_from(packets.LINK_TYPES))
def test_any_bytes_are_a_payload_or_a_skip(packet: bytes, link_type: int) -> None:
    """Guards against an exception over hostile bytes."""
    assert isinstance(unwrap(link_type, packet), Payload | Skip)


@given(st.binary(max_size=120), st.integers(0, 119), st.integers(1, 255))
def test_changed_packets_never_raise(body: bytes, at: int, change: int) -> None:
    """Guards the same, near to packets that are right."""
    packet = bytearray(wrap_udp(HERE, GROUP, body))
    packet[at % len(packet)] ^= change
    assert isinstance(unwrap(packets.LINK_ETHERNET, bytes(packet)), Payload | Skip)


ADDRESSES = st.tuples(st.ip_addresses(v=4).map(str), st.integers(1, 65_535))


@given(ADDRESSES, ADDRESSES, st.binary(max_size=90), st.integers(0, 2**32 * 10**9 - 1))
def test_what_is_written_is_read(
    source: tuple[str, int], destination: tuple[str, int], body: bytes, time_ns: int
) -> None:
    """Guards the round trip, and the checksums: over a right header and body they come to 0."""
    file = io.BytesIO()
    with PcapWriter(file) as writer:
        writer.udp(source, destination, body, timestamp_ns=time_ns)
    ((number, when, payload),) = read_payloads("x", file)
    assert (number, when) == (1, time_ns)
    assert payload == Payload(Protocol.UDP, source, destination, body)
    ip = file.getvalue()[24 + 16 + 14 :]
    assert internet_checksum(ip[:20]) == 0
    pseudo = ip[12:20] + b"\0\x11" + struct.pack(">H", len(ip) - 20)
    assert internet_checksum(pseudo + ip[20:]) == 0


def test_a_connection_is_opened_numbered_and_closed() -> None:
    """Guards the sequence numbers by which Wireshark puts a stream together."""
    file = io.BytesIO()
    with PcapWriter(file) as writer:
        writer.tcp(CLIENT, SERVER, b"login", timestamp_ns=1)
        writer.tcp(SERVER, CLIENT, b"accepted", timestamp_ns=2)
        writer.tcp(CLIENT, SERVER, b"x" * 100_000, timestamp_ns=3)
        writer.tcp_close(CLIENT, SERVER, timestamp_ns=4)
    segments = [each.payload for each in read_payloads("x", file)]
    assert writer.frames == len(segments) == 3 + 1 + 1 + 2 + 3
    streams = {CLIENT: b"", SERVER: b""}
    expected: dict[tuple[str, int], int] = {}
    for segment in segments:
        assert segment.protocol is Protocol.TCP
        turns = bool(segment.tcp_flags & (packets.SYN | packets.FIN))
        assert expected.setdefault(segment.source, segment.tcp_sequence) == segment.tcp_sequence
        expected[segment.source] += len(segment.data) + turns
        streams[segment.source] += segment.data
    assert streams == {CLIENT: b"login" + b"x" * 100_000, SERVER: b"accepted"}


def test_files_may_be_compressed(tmp_path: Path) -> None:
    """Guards reading and writing by name."""
    path = tmp_path / "day.pcap.gz"
    with PcapWriter(path) as writer:
        writer.udp(HERE, GROUP, b"hello", timestamp_ns=0)
    assert gzip.decompress(path.read_bytes())[:4] == bytes.fromhex("4d3cb2a1")
    assert [each.payload.data for each in read_payloads(path)] == [b"hello"]


def test_what_fits_no_packet_is_refused() -> None:
    """Guards against lengths that wrap round in their 16 bits."""
    with pytest.raises(ValueError, match="65508 bytes are more than 65507"):
        wrap_udp(HERE, GROUP, bytes(65_508))
    with pytest.raises(ValueError, match="65496 bytes are more than 65495"):
        packets.wrap_tcp(HERE, SERVER, bytes(65_496), sequence=0, acknowledged=0, flags=0)
    with pytest.raises(ValueError, match="'nowhere' is not an IPv4 address"):
        wrap_udp(("nowhere", 1), GROUP, b"")
    with pytest.raises(ValueError, match="link type 7"):
        unwrap(7, b"")
    with pytest.raises(ValueError, match="fits no capture"):
        PcapWriter(io.BytesIO()).frame(b"", timestamp_ns=2**32 * 10**9)
