"""Messages drawn byte by byte: where each field stands, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from contract.records import EVENT_DTYPE
from phase5_protocol.itch.messages import parse, show_value
from phase5_protocol.multicast.mold import PacketKind
from phase5_protocol.multicast.native import parse_packet

#: Bytes of a field that are shown; of longer ones the first so many.
_SHOWN_BYTES: Final = 10
_HEADER: Final = (("session", 0, 10), ("sequence", 10, 8), ("count", 18, 2))


class DrawnField(NamedTuple):
    """A line of the picture."""

    offset: int
    size: int
    name: str
    value: str


def draw_fields(message: bytes, fields: Iterable[DrawnField]) -> str:
    """One line a field: offset, bytes in hexadecimal, name, value.

    >>> print(draw_fields(b"AB", [DrawnField(0, 2, "initials", "AB")]))
    at  bytes                          field            says
     0  41 42                          initials         AB
    """
    lines = [f"at  {'bytes':<30} {'field':<16} says"]
    for offset, size, name, value in fields:
        shown = message[offset : offset + min(size, _SHOWN_BYTES)].hex(" ")
        if size > _SHOWN_BYTES:
            shown = f"{shown[: 3 * _SHOWN_BYTES - 4]} …"
        lines.append(f"{offset:>2}  {shown:<30} {name:<16} {value}".rstrip())
    return "\n".join(lines)


def draw_event(record: bytes) -> str:
    """A 64-byte event record, little-endian: the same bytes as in memory."""
    values = np.frombuffer(record, EVENT_DTYPE)[0]
    fields = []
    for name in values.dtype.names:
        kind, offset = values.dtype.fields[name][:2]
        fields.append(DrawnField(offset, kind.itemsize, name, f"{values[name]:,}"))
    return draw_fields(record, fields)


def draw_itch(message: bytes) -> str:
    """An ITCH message, big-endian and without holes."""
    read = parse(message)
    fields = [DrawnField(0, 1, "type", read.letter)]
    fields += [
        DrawnField(each.offset, each.size, each.name, show_value(each, getattr(read, each.name)))
        for each in read.layout.fields
    ]
    return draw_fields(message, fields)


def draw_datagram(datagram: bytes, blocks: int = 2) -> str:
    """A MoldUDP64 packet: its header, and the first blocks."""
    packet = parse_packet(datagram)
    count = f"{len(packet.messages)} messages"
    if packet.kind is not PacketKind.DATA:
        count = packet.kind.name.lower()
    values = (packet.session, f"{packet.sequence:,}, the first's", count)
    fields = [
        DrawnField(offset, size, name, value)
        for (name, offset, size), value in zip(_HEADER, values, strict=True)
    ]
    at = 20
    for number, message in enumerate(packet.messages[:blocks], packet.sequence):
        fields.append(DrawnField(at, 2, "length", f"{len(message)}"))
        fields.append(DrawnField(at + 2, len(message), "message", f"number {number:,}"))
        at += 2 + len(message)
    drawn = draw_fields(datagram, fields)
    left = len(packet.messages) - blocks
    return drawn + (f"\n{at:>2}  … {left} more blocks, {len(datagram)} bytes" if left > 0 else "")
