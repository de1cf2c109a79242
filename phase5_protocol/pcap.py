"""Classic capture files (.pcap): what Wireshark, tcpdump and the exchanges' samples are made of.

A file is a header of 24 bytes and then, for each packet, a record header of 16 and its bytes. The
first four bytes say in which byte order all numbers of the file are, and what its clock counts::

    file header                              record header
    0  4  magic: a1b2c3d4 microseconds,      0  4  seconds since 1970
                 a1b23c4d nanoseconds        4  4  micro- or nanoseconds of that second
    4  2  version major, 2                   8  4  captured: how many bytes follow
    6  2  version minor, 4                   12 4  original: how long the packet was on the wire
    8  8  time zone and accuracy, 0          16    the bytes, from the link header on
    16 4  snap length: the most captured
    20 4  link type, see packets.py

Written files are little endian with nanoseconds and Ethernet. The newer format (.pcapng), which
Wireshark writes unless told otherwise, is refused by name: ``editcap -F pcap`` converts it.

>>> import io
>>> file = io.BytesIO()
>>> with PcapWriter(file) as capture:
...     capture.udp(("10.0.0.1", 40_000), ("239.255.0.1", 9_000), b"hello", timestamp_ns=1)
>>> [(number, payload.data) for number, _, payload in read_payloads("x.pcap", file)]
[(1, b'hello')]
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple, Self

from contract.byte_source import create_bytes, open_bytes
from contract.errors import InputFileError
from phase5_protocol.packets import (
    ACK,
    FIN,
    LINK_ETHERNET,
    LINK_TYPES,
    MAX_TCP_PAYLOAD,
    PSH,
    SYN,
    Address,
    Bytes,
    Payload,
    Skip,
    unwrap,
    wrap_tcp,
    wrap_udp,
)

#: The most that one record may say it holds; Wireshark's own limit.
MAX_CAPTURED: Final = 262_144

_MAGICS: Final = {
    bytes.fromhex("a1b2c3d4"): (">", 1_000),
    bytes.fromhex("d4c3b2a1"): ("<", 1_000),
    bytes.fromhex("a1b23c4d"): (">", 1),
    bytes.fromhex("4d3cb2a1"): ("<", 1),
}
_MAGIC_NG: Final = bytes.fromhex("0a0d0d0a")
_FILE_HEADER: Final = struct.Struct("<IHHQII")
_FILE_HEADER_BYTES: Final = 24
_RECORD_HEADER_BYTES: Final = 16
_LINK_TYPE_BITS: Final = 0x03FF_FFFF
_FIRST_SEQUENCE: Final = 1_000


class Frame(NamedTuple):
    """One captured packet.

    Attributes:
        number: from 1, as Wireshark counts.
        offset: of its record in the file.
        timestamp_ns: since 1970.
        link_type: what its first byte belongs to.
        original_length: its length on the wire; more than ``len(data)`` if the capture cut it.
    """

    number: int
    offset: int
    timestamp_ns: int
    link_type: int
    original_length: int
    data: bytes


class CapturedPayload(NamedTuple):
    """A payload, the number of the frame that carried it, and when."""

    number: int
    timestamp_ns: int
    payload: Payload


def read_frames(path: str | Path, stream: IO[bytes] | None = None) -> Iterator[Frame]:
    """Yield the packets of a capture, plain, gzip or xz, in order. Memory is one packet.

    Args:
        path: the file; only its name in errors if there is a ``stream``.
        stream: read instead, and left open.

    Raises:
        InputFileError: it is not a classic capture, its link type is not one that
            ``packets.unwrap`` knows, or a record contradicts itself or is cut short.
    """
    if stream is None:
        with open_bytes(path) as opened:
            yield from _frames(path, opened)
    else:
        yield from _frames(path, stream)


def _frames(path: str | Path, stream: IO[bytes]) -> Iterator[Frame]:
    order, unit, link_type = _file_header(path, stream)
    record = struct.Struct(order + "IIII")
    offset, number = _FILE_HEADER_BYTES, 0
    while header := stream.read(_RECORD_HEADER_BYTES):
        where = f"offset {offset}"
        if len(header) < _RECORD_HEADER_BYTES:
            expected = f"a record header of {_RECORD_HEADER_BYTES} bytes"
            raise InputFileError(path, where, "", f"{len(header)} bytes", expected)
        seconds, fraction, captured, original = record.unpack(header)
        if captured > MAX_CAPTURED:
            raise InputFileError(
                path, where, "captured length", captured, f"at most {MAX_CAPTURED} bytes"
            )
        if fraction * unit >= 1_000_000_000:
            raise InputFileError(path, where, "fraction of a second", fraction, "below one second")
        data = stream.read(captured)
        if len(data) < captured:
            expected = f"{captured} bytes, as its header says"
            raise InputFileError(path, where, "packet", f"{len(data)} bytes", expected)
        number += 1
        timestamp_ns = seconds * 1_000_000_000 + fraction * unit
        yield Frame(number, offset, timestamp_ns, link_type, original, data)
        offset += _RECORD_HEADER_BYTES + captured


def _file_header(path: str | Path, stream: IO[bytes]) -> tuple[str, int, int]:
    """Byte order, nanoseconds a unit of the clock, link type."""
    header = stream.read(_FILE_HEADER_BYTES)
    if header[:4] == _MAGIC_NG:
        expected = "a classic capture; `editcap -F pcap` makes one of it"
        raise InputFileError(path, "offset 0", "", "pcapng", expected)
    if header[:4] not in _MAGICS:
        expected = "the first bytes of a capture file"
        raise InputFileError(path, "offset 0", "magic", header[:4].hex(" "), expected)
    if len(header) < _FILE_HEADER_BYTES:
        expected = f"a file header of {_FILE_HEADER_BYTES} bytes"
        raise InputFileError(path, "offset 0", "", f"{len(header)} bytes", expected)
    order, unit = _MAGICS[header[:4]]
    major, minor = struct.unpack_from(order + "HH", header, 4)
    if (major, minor) != (2, 4):
        raise InputFileError(path, "offset 4", "version", f"{major}.{minor}", "2.4")
    # The upper bits may tell the length of a checksum behind each packet, which no one uses.
    (link_type,) = struct.unpack_from(order + "I", header, 20)
    link_type &= _LINK_TYPE_BITS
    if link_type not in LINK_TYPES:
        known = ", ".join(map(str, LINK_TYPES))
        raise InputFileError(path, "offset 20", "link type", link_type, f"one of {known}")
    return order, unit, link_type


def read_payloads(
    path: str | Path, stream: IO[bytes] | None = None, *, skipped: Counter[Skip] | None = None
) -> Iterator[CapturedPayload]:
    """Yield what the UDP datagrams and TCP segments of a capture carried.

    Args:
        skipped: counts the packets without one, by reason.

    Raises:
        InputFileError: as :func:`read_frames`; a packet of another kind is a skip, not an error.
    """
    for frame in read_frames(path, stream):
        found = unwrap(frame.link_type, frame.data)
        if isinstance(found, Skip):
            if skipped is not None:
                skipped[found] += 1
        else:
            yield CapturedPayload(frame.number, frame.timestamp_ns, found)


class PcapWriter:
    """Writes a capture that Wireshark reads without complaint; use it with ``with``.

    Args:
        target: a file to create (a name in .gz is compressed), or a binary stream, which is left
            open and rewound when the writer closes.

    Raises:
        InputFileError: the file cannot be created.
    """

    def __init__(self, target: str | Path | io.BytesIO) -> None:
        self._given = target if isinstance(target, io.BytesIO) else None
        self._file: IO[bytes]
        if isinstance(target, io.BytesIO):
            self._file = target
        else:
            self._file = create_bytes(target)  # type: ignore[assignment]  # GzipFile is one
        self._file.write(_FILE_HEADER.pack(0xA1B23C4D, 2, 4, 0, MAX_CAPTURED, LINK_ETHERNET))
        self._identifier = 0
        #: Next sequence number of each direction of each TCP connection.
        self._next: dict[tuple[Address, Address], int] = {}
        self.frames = 0

    def frame(self, packet: Bytes, *, timestamp_ns: int) -> None:
        """Add one Ethernet packet as it is.

        Raises:
            ValueError: it is too long, or its time is not between 1970 and 2106.
        """
        data = bytes(packet)
        seconds, nanoseconds = divmod(timestamp_ns, 1_000_000_000)
        if len(data) > MAX_CAPTURED or not 0 <= seconds < 2**32:
            raise ValueError(f"a packet of {len(data)} bytes at {timestamp_ns} ns fits no capture")
        header = struct.pack("<IIII", seconds, nanoseconds, len(data), len(data))
        self._file.write(header + data)
        self.frames += 1

    def udp(self, source: Address, destination: Address, data: Bytes, *, timestamp_ns: int) -> None:
        """Add one UDP datagram."""
        self._identifier += 1
        packet = wrap_udp(source, destination, data, identifier=self._identifier)
        self.frame(packet, timestamp_ns=timestamp_ns)

    def tcp(self, source: Address, destination: Address, data: Bytes, *, timestamp_ns: int) -> None:
        """Add bytes that ``source`` sends to ``destination`` on their one connection.

        The first call opens it, with ``source`` as the client: three packets more. Bytes go out
        in segments of at most ``MAX_TCP_PAYLOAD``.
        """
        if (source, destination) not in self._next:
            self._segment(source, destination, b"", SYN, timestamp_ns)
            self._segment(destination, source, b"", SYN | ACK, timestamp_ns)
            self._segment(source, destination, b"", ACK, timestamp_ns)
        body = bytes(data)
        for at in range(0, len(body), MAX_TCP_PAYLOAD):
            segment = body[at : at + MAX_TCP_PAYLOAD]
            self._segment(source, destination, segment, PSH | ACK, timestamp_ns)

    def tcp_close(self, source: Address, destination: Address, *, timestamp_ns: int) -> None:
        """Close the connection of :meth:`tcp`, ``source`` first."""
        self._segment(source, destination, b"", FIN | ACK, timestamp_ns)
        self._segment(destination, source, b"", FIN | ACK, timestamp_ns)
        self._segment(source, destination, b"", ACK, timestamp_ns)

    def _segment(
        self, source: Address, destination: Address, data: bytes, flags: int, timestamp_ns: int
    ) -> None:
        sequence = self._next.setdefault((source, destination), _FIRST_SEQUENCE)
        acknowledged = self._next.get((destination, source), 0) if flags & ACK else 0
        self._identifier += 1
        packet = wrap_tcp(
            source,
            destination,
            data,
            sequence=sequence,
            acknowledged=acknowledged,
            flags=flags,
            identifier=self._identifier,
        )
        # SYN and FIN take a place in the sequence, like a byte.
        taken = len(data) + bool(flags & (SYN | FIN))
        self._next[source, destination] = (sequence + taken) % 2**32
        self.frame(packet, timestamp_ns=timestamp_ns)

    def close(self) -> None:
        """Finish the file. Closing twice is harmless."""
        if self._given is None:
            self._file.close()
        else:
            self._given.seek(0)

    def __enter__(self) -> Self:
        """Start writing."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Finish the file."""
        self.close()
