"""Ethernet, IPv4, UDP and TCP: taking a payload out of a packet, and wrapping one so that it fits.

Only what market data and order entry travel in. A packet of another kind (IPv6, ARP, a fragment)
is not an error but a named :class:`Skip`: a capture of a real network is full of them.

What is read, offsets in bytes, all numbers big endian::

    Ethernet   0 6 destination   6 6 source   12 2 type (0x8100, 0x88a8: VLAN, 4 more)
    Linux SLL  0 2 direction     2 2 device   4 2+8 address   14 2 type (link type 113)
    Linux SLL2 0 2 type          2 18 the rest                          (link type 276)
    BSD        0 4 family in the byte order of the machine              (link type 0: macOS lo0)
    IPv4       0 1 version, words of header   2 2 total length   6 2 flags, fragment offset
               9 1 protocol      10 2 checksum   12 4 source   16 4 destination
    UDP        0 2 source port   2 2 destination port   4 2 length   6 2 checksum
    TCP        0 2 source port   2 2 destination port   4 4 sequence   8 4 acknowledged
               12 1 words of header * 16   13 1 flags   14 2 window   16 2 checksum   18 2 urgent
"""

from __future__ import annotations

import socket
import struct
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

#: What may be sent.
Bytes: TypeAlias = bytes | bytearray | memoryview
#: An IPv4 address in dotted decimal, and a port.
Address: TypeAlias = tuple[str, int]

LINK_NULL: Final = 0
LINK_ETHERNET: Final = 1
LINK_RAW_IP: Final = 101
LINK_LINUX_SLL: Final = 113
LINK_IPV4: Final = 228
LINK_LINUX_SLL2: Final = 276
LINK_TYPES: Final = (
    LINK_NULL,
    LINK_ETHERNET,
    LINK_RAW_IP,
    LINK_LINUX_SLL,
    LINK_IPV4,
    LINK_LINUX_SLL2,
)

MAX_UDP_PAYLOAD: Final = 65_507
MAX_TCP_PAYLOAD: Final = 65_495

FIN: Final = 0x01
SYN: Final = 0x02
PSH: Final = 0x08
ACK: Final = 0x10

_ETHERTYPE_IPV4: Final = 0x0800
_ETHERTYPES_VLAN: Final = (0x8100, 0x88A8)
_PROTOCOL_TCP: Final = 6
_PROTOCOL_UDP: Final = 17
_ETHERNET: Final = struct.Struct(">6s6sH")
_IPV4: Final = struct.Struct(">BBHHHBBH4s4s")
_UDP: Final = struct.Struct(">HHHH")
_TCP: Final = struct.Struct(">HHIIBBHHH")
_PSEUDO: Final = struct.Struct(">4s4sBBH")
_MORE_FRAGMENTS_OR_OFFSET: Final = 0x3FFF
_DO_NOT_FRAGMENT: Final = 0x4000


class Protocol(StrEnum):
    """What carried a payload."""

    UDP = "udp"
    TCP = "tcp"


class Skip(StrEnum):
    """Why no payload was taken out of a packet."""

    NOT_IPV4 = "not IPv4"
    FRAGMENT = "fragment of a datagram"
    OTHER_PROTOCOL = "neither UDP nor TCP"
    CUT_BY_CAPTURE = "cut by the capture's snap length"
    BAD_LINK_HEADER = "link header cut short"
    BAD_IP_HEADER = "IPv4 header whose lengths contradict each other"
    BAD_UDP_HEADER = "UDP header whose length does not fit the datagram"
    BAD_TCP_HEADER = "TCP header whose length does not fit the segment"


class Payload(NamedTuple):
    """What a UDP datagram or a TCP segment carried; TCP's may be empty (a handshake).

    Attributes:
        tcp_sequence, tcp_flags: of a TCP segment, else 0.
    """

    protocol: Protocol
    source: Address
    destination: Address
    data: bytes
    tcp_sequence: int = 0
    tcp_flags: int = 0


def unwrap(link_type: int, packet: bytes) -> Payload | Skip:
    """Take the payload out of one captured packet. O(length).

    Checksums are not verified: network cards compute them after a capture has seen the packet.

    >>> unwrap(LINK_ETHERNET, wrap_udp(("10.0.0.1", 7), ("239.255.0.1", 9000), b"hello")).data
    b'hello'

    Raises:
        ValueError: a link type that is not one of ``LINK_TYPES``.
    """
    if link_type not in LINK_TYPES:
        raise ValueError(f"link type {link_type} is not one of {LINK_TYPES}")
    start = _find_ipv4(link_type, packet)
    return start if isinstance(start, Skip) else _unwrap_ipv4(packet[start:])


def _find_ipv4(link_type: int, packet: bytes) -> int | Skip:
    """Where the IPv4 header starts."""
    if link_type in (LINK_RAW_IP, LINK_IPV4):
        return 0
    if link_type == LINK_NULL:
        # Of the two ways to write the family of IPv4 (2) in four bytes, each has it at one end.
        return 4 if packet[:4] in (b"\2\0\0\0", b"\0\0\0\2") else Skip.NOT_IPV4
    at, size = {LINK_ETHERNET: (12, 14), LINK_LINUX_SLL: (14, 16), LINK_LINUX_SLL2: (0, 20)}[
        link_type
    ]
    if len(packet) < size:
        return Skip.BAD_LINK_HEADER
    kind = int.from_bytes(packet[at : at + 2], "big")
    while kind in _ETHERTYPES_VLAN:
        if len(packet) < size + 4:
            return Skip.BAD_LINK_HEADER
        kind = int.from_bytes(packet[size + 2 : size + 4], "big")
        size += 4
    return size if kind == _ETHERTYPE_IPV4 else Skip.NOT_IPV4


def _unwrap_ipv4(packet: bytes) -> Payload | Skip:
    if not packet or packet[0] >> 4 != 4:
        return Skip.NOT_IPV4
    if len(packet) < _IPV4.size:
        return Skip.CUT_BY_CAPTURE
    first, _, total, _, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(packet)
    header = (first & 15) * 4
    if not _IPV4.size <= header <= total:
        return Skip.BAD_IP_HEADER
    if fragment & _MORE_FRAGMENTS_OR_OFFSET:
        return Skip.FRAGMENT
    if protocol not in (_PROTOCOL_TCP, _PROTOCOL_UDP):
        return Skip.OTHER_PROTOCOL
    if len(packet) < total:
        return Skip.CUT_BY_CAPTURE
    addresses = socket.inet_ntoa(source), socket.inet_ntoa(destination)
    body = packet[header:total]  # Ethernet pads short packets: what follows is not ours
    take = _unwrap_udp if protocol == _PROTOCOL_UDP else _unwrap_tcp
    return take(body, *addresses)


def _unwrap_udp(body: bytes, source: str, destination: str) -> Payload | Skip:
    if len(body) < _UDP.size:
        return Skip.BAD_UDP_HEADER
    from_port, to_port, length, _ = _UDP.unpack_from(body)
    if not _UDP.size <= length <= len(body):
        return Skip.BAD_UDP_HEADER
    data = body[_UDP.size : length]
    return Payload(Protocol.UDP, (source, from_port), (destination, to_port), data)


def _unwrap_tcp(body: bytes, source: str, destination: str) -> Payload | Skip:
    if len(body) < _TCP.size:
        return Skip.BAD_TCP_HEADER
    from_port, to_port, sequence, _, words, flags, _, _, _ = _TCP.unpack_from(body)
    header = (words >> 4) * 4
    if not _TCP.size <= header <= len(body):
        return Skip.BAD_TCP_HEADER
    ends = (source, from_port), (destination, to_port)
    return Payload(Protocol.TCP, *ends, body[header:], sequence, flags)


def wrap_udp(source: Address, destination: Address, data: Bytes, *, identifier: int = 0) -> bytes:
    """An Ethernet packet with one UDP datagram, checksums and multicast addresses right.

    Raises:
        ValueError: more than ``MAX_UDP_PAYLOAD`` bytes, or no address.
    """
    body = bytes(data)
    if len(body) > MAX_UDP_PAYLOAD:
        raise ValueError(f"{len(body)} bytes are more than {MAX_UDP_PAYLOAD}, a datagram's most")
    length = _UDP.size + len(body)

    def header(checksum: int) -> bytes:
        return _UDP.pack(source[1], destination[1], length, checksum)

    # 0 stands for "no checksum", so a sum that comes to 0 is sent as its other form, all ones.
    checksum = _checksum_over(_PROTOCOL_UDP, source, destination, header(0) + body) or 0xFFFF
    return _wrap_ipv4(_PROTOCOL_UDP, source, destination, header(checksum) + body, identifier)


def wrap_tcp(
    source: Address,
    destination: Address,
    data: Bytes,
    *,
    sequence: int,
    acknowledged: int,
    flags: int,
    identifier: int = 0,
) -> bytes:
    """An Ethernet packet with one TCP segment, checksums right.

    Raises:
        ValueError: more than ``MAX_TCP_PAYLOAD`` bytes, or no address.
    """
    body = bytes(data)
    if len(body) > MAX_TCP_PAYLOAD:
        raise ValueError(f"{len(body)} bytes are more than {MAX_TCP_PAYLOAD}, a segment's most")
    mine = source[1], destination[1], sequence % 2**32, acknowledged % 2**32, 5 << 4, flags, 65_535

    def header(checksum: int) -> bytes:
        return _TCP.pack(*mine, checksum, 0)

    checksum = _checksum_over(_PROTOCOL_TCP, source, destination, header(0) + body)
    return _wrap_ipv4(_PROTOCOL_TCP, source, destination, header(checksum) + body, identifier)


def _wrap_ipv4(
    protocol: int, source: Address, destination: Address, body: bytes, identifier: int
) -> bytes:
    total = _IPV4.size + len(body)
    ends = _address(source), _address(destination)

    def header(checksum: int) -> bytes:
        first = (0x45, 0, total, identifier % 2**16, _DO_NOT_FRAGMENT)
        return _IPV4.pack(*first, 64, protocol, checksum, *ends)

    link = _ETHERNET.pack(_mac(ends[1]), _mac(ends[0]), _ETHERTYPE_IPV4)
    return link + header(internet_checksum(header(0))) + body


def _address(address: Address) -> bytes:
    try:
        return socket.inet_aton(address[0])
    except OSError as error:
        raise ValueError(f"{address[0]!r} is not an IPv4 address") from error


def _mac(address: bytes) -> bytes:
    """The group address that multicast has by its standard, else a made-up one of this machine."""
    if 224 <= address[0] <= 239:
        return bytes((0x01, 0x00, 0x5E, address[1] & 0x7F, address[2], address[3]))
    return b"\x02\x00" + address


def _checksum_over(protocol: int, source: Address, destination: Address, body: bytes) -> int:
    pseudo = _PSEUDO.pack(_address(source), _address(destination), 0, protocol, len(body))
    return internet_checksum(pseudo + body)


def internet_checksum(data: bytes) -> int:
    """The 16-bit one's complement of the one's complement sum of ``data``. O(length).

    >>> hex(internet_checksum(bytes.fromhex("00010203")))
    '0xfdfb'
    """
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
