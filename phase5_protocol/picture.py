"""Messages drawn byte by byte: where each field stands, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from contract.records import EVENT_DTYPE
from phase5_protocol.itch.fields import Kind
from phase5_protocol.itch.messages import parse, show_value
from phase5_protocol.multicast.mold import Gap, PacketKind
from phase5_protocol.multicast.native import parse_packet
from phase5_protocol.multicast.subscriber import describe_gap

#: Bytes of a field that are shown; of longer ones the first so many.
_SHOWN_BYTES: Final = 10
#: Characters of a line that fit into a frame of the tour.
LINE_CHARACTERS: Final = 72
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
    for each in read.layout.fields:
        value = getattr(read, each.name)
        is_count = isinstance(value, int) and each.kind not in (Kind.PRICE4, Kind.PRICE8)
        says = f"{value:,}" if is_count else show_value(each, value)
        fields.append(DrawnField(each.offset, each.size, each.name, says))
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


def draw_gap(gap: Gap) -> str:
    """The life of a gap; a stage that does not fit into the line begins another one."""
    first, *stages = describe_gap(gap).split(" -> ")
    lines = [first]
    for stage in stages:
        if len(lines[-1]) + len(stage) + 4 > LINE_CHARACTERS:
            lines.append("   ")
        lines[-1] += f" -> {stage}"
    return "\n".join(lines)
