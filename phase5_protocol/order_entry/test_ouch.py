"""OUCH 5.0 and 4.2: published bytes and layouts, round trips, and everything that is no message."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.shared_data import find
from phase5_protocol.order_entry import ouch42, ouch50
from phase5_protocol.order_entry.ouch import (
    Character,
    Codec,
    Fault,
    Kind,
    Layout,
    MessageError,
    Number,
    Raw,
    TagValue,
    Text,
)
from phase5_protocol.order_entry.soup_packets import PacketCutter, PacketType
from phase5_protocol.pcap import read_payloads

CODECS: list[Codec[Any, Any]] = [ouch50.CODEC, ouch42.CODEC]
ENTER = (
    b"O\x00\x00\x00\x71T\x00\x00\x00\xe1CVLT    \x00\x00\x00\x00\x00\x09\x9d\xb80YANN"
    b"H8FUB8IV      \x00\x06\x05\x02LIME"
)
ACCEPTED = (
    b"A\x00\x00\x28\x9b\x4d\x64\xaf\x87\x00\x75\x3a\x8dB\x00\x00\x00\x28ADBE    "
    b"\x00\x00\x00\x00\x00\x48\xe7\x485Y\x00\x00\x00\x00\x0f\x56\xb4\xf5ANNL7682701       "
    b"\x00\x09\x05\x02MLRO\x02\x120"
)
CANCELED = bytes.fromhex("43 0000289b4d681317 00753a8d 00000028 55")
CANCEL = bytes.fromhex("58 00752e71 00000000")


def test_messages_of_a_real_venue_are_read_and_written_to_the_byte() -> None:
    """Guards against a layout that only our own two ends agree on."""
    decoded = [
        ouch50.CODEC.decode_inbound(ENTER),
        ouch50.CODEC.decode_outbound(ACCEPTED),
        ouch50.CODEC.decode_outbound(CANCELED),
        ouch50.CODEC.decode_inbound(CANCEL),
    ]
    assert decoded == [
        ouch50.EnterOrder(
            113, "T", 225, "CVLT", 630_200, "0", "Y", "A", "N", "N", "H8FUB8IV",
            (TagValue(ouch50.Tag.FIRM, "LIME"),),
        ),
        ouch50.Accepted(
            0x289B_4D64_AF87, 7_682_701, "B", 40, "ADBE", 4_777_800, "5", "Y", 257_340_661,
            "A", "N", "N", "L", "7682701",
            (TagValue(ouch50.Tag.FIRM, "MLRO"), TagValue(ouch50.Tag.BBO_WEIGHT, "0")),
        ),
        ouch50.Canceled(0x289B_4D68_1317, 7_682_701, 40, "U"),
        ouch50.CancelOrder(7_679_601, 0),
    ]  # fmt: skip
    assert [ouch50.CODEC.encode(each) for each in decoded] == [ENTER, ACCEPTED, CANCELED, CANCEL]


LENGTHS = {
    "5.0 in": {"O": 47, "U": 40, "X": 9, "M": 10},
    "5.0 out": {
        "S": 10, "A": 64, "U": 68, "C": 18, "D": 31, "E": 36, "B": 36, "F": 49, "J": 29,
        "P": 13, "I": 13, "T": 30, "M": 18, "R": 16, "Q": 13,
    },
    "4.2 in": {"O": 49, "U": 47, "X": 19, "M": 20},
    "4.2 out": {
        "S": 10, "A": 66, "U": 80, "C": 28, "D": 37, "E": 40, "G": 45, "B": 32, "F": 41,
        "J": 24, "P": 23, "I": 23, "T": 36, "M": 28,
    },
}  # fmt: skip


def test_lengths_are_the_published_ones() -> None:
    """Guards against a field that is missing, doubled, or of another size."""
    assert {
        f"{version} {direction}": {letter: each.fixed_bytes for letter, each in table.items()}
        for version, codec in (("5.0", ouch50.CODEC), ("4.2", ouch42.CODEC))
        for direction, table in (("in", codec.inbound), ("out", codec.outbound))
    } == LENGTHS


#: Some offsets as published, in the middle of messages, where an exchange of fields would hide.
OFFSETS = {
    ouch50.EnterOrder: {"side": 5, "symbol": 10, "price": 18, "display": 27, "cross_type": 30},
    ouch50.ReplaceOrder: {"user_ref_num": 5, "quantity": 9, "price": 13, "client_order_id": 24},
    ouch50.ModifyOrder: {"side": 5, "quantity": 6},
    ouch50.Accepted: {"side": 13, "symbol": 18, "order_reference": 36, "state": 47},
    ouch50.Replaced: {"user_ref_num": 13, "price": 30, "order_reference": 40, "state": 51},
    ouch50.AiqCanceled: {"reason": 17, "quantity_prevented": 18, "execution_price": 22},
    ouch50.Executed: {"quantity": 13, "price": 17, "liquidity_flag": 25, "match_number": 26},
    ouch50.BrokenTrade: {"match_number": 13, "reason": 21, "client_order_id": 22},
    ouch50.TradeCorrection: {"price": 17, "match_number": 26, "reason": 34},
    ouch50.Rejected: {"user_ref_num": 9, "reason": 13, "client_order_id": 15},
    ouch50.PriorityUpdate: {"price": 13, "display": 21, "order_reference": 22},
    ouch50.Restated: {"reason": 13},
    ouch42.EnterOrder: {"side": 15, "price": 28, "time_in_force": 32, "firm": 36, "display": 40},
    ouch42.Replaced: {"token": 9, "price": 36, "order_reference": 49, "previous_token": 65},
}


@pytest.mark.parametrize("message", OFFSETS, ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_offsets_are_the_published_ones(message: type[Any]) -> None:
    """Guards against two fields of the same size in the wrong order."""
    layout = layout_of(message)
    places = {field.name: field.offset for field in layout.fields}
    assert {name: places[name] for name in OFFSETS[message]} == OFFSETS[message]


def layout_of(message: type[Any]) -> Layout:
    return next(
        layout
        for codec in CODECS
        for table in (codec.inbound, codec.outbound)
        for layout in table.values()
        if layout.message is message
    )


PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)


def values_of(kind: Kind) -> st.SearchStrategy[Any]:
    if isinstance(kind, Number):
        top = (1 << 8 * kind.size) - 1
        return st.sampled_from([0, 1, top]) | st.integers(0, top)
    if isinstance(kind, Character):
        return PRINTABLE
    assert isinstance(kind, Text)
    return st.text(PRINTABLE, max_size=kind.size).map(lambda text: text.rstrip(" "))


def known_tags() -> st.SearchStrategy[TagValue]:
    return st.sampled_from(sorted(ouch50.TAG_KINDS)).flatmap(
        lambda tag: values_of(ouch50.TAG_KINDS[tag]).map(lambda value: TagValue(tag, value))
    )


UNKNOWN_TAGS = st.builds(
    TagValue,
    st.integers(0, 255).filter(lambda tag: tag not in ouch50.TAG_KINDS),
    st.binary(max_size=12) | st.just(bytes(254)),
)


def messages_of(layout: Layout) -> st.SearchStrategy[Any]:
    values = [values_of(field.kind) for field in layout.fields]
    if layout.has_appendage:
        values.append(st.lists(known_tags() | UNKNOWN_TAGS, max_size=5).map(tuple))
    return st.builds(layout.message, *values)


#: For tests that run for every message type.
FEWER = settings(max_examples=settings().max_examples // 5)

CASES = [
    pytest.param(codec, direction, layout, id=f"{codec.name} {direction} {layout.name}")
    for codec in CODECS
    for direction in ("inbound", "outbound")
    for layout in getattr(codec, direction).values()
]


@pytest.mark.parametrize(("codec", "direction", "layout"), CASES)
@FEWER
@given(data=st.data())
def test_every_message_survives_the_wire(
    codec: Codec[Any, Any], direction: str, layout: Layout, data: st.DataObject
) -> None:
    """Guards against a message that is read back as another, in any field of any type."""
    message = data.draw(messages_of(layout))
    encoded = codec.encode(message)
    assert encoded[:1] == layout.letter.encode()
    assert getattr(codec, f"decode_{direction}")(encoded) == message


@pytest.mark.parametrize(("codec", "direction", "layout"), CASES)
@FEWER
@given(data=st.data())
def test_what_is_read_is_written_again_to_the_byte(
    codec: Codec[Any, Any], direction: str, layout: Layout, data: st.DataObject
) -> None:
    """Guards against bytes that are accepted and mean something else than they say."""
    message = data.draw(messages_of(layout))
    encoded = bytearray(codec.encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(1, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = getattr(codec, f"decode_{direction}")(bytes(encoded))
    except MessageError:
        return
    assert codec.encode(decoded) == encoded


@given(st.sampled_from(CODECS), st.binary(max_size=120), st.sampled_from("OUXMSACDEGBFJPITRQ"))
def test_hostile_bytes_are_named_faults(codec: Codec[Any, Any], body: bytes, letter: str) -> None:
    """Guards against any bytes that raise something else than a fault with a name."""
    for data in (body, letter.encode() + body):
        for decode in (codec.decode_inbound, codec.decode_outbound):
            with suppress(MessageError):
                assert codec.encode(decode(data)) == data


@pytest.mark.parametrize(
    ("data", "fault", "text"),
    [
        (b"", Fault.EMPTY, "OUCH 5.0: b'' is not a message"),
        (b"C" + CANCEL[1:], Fault.UNKNOWN_TYPE, "type at offset 0: b'C' is not one of OUXM"),
        (CANCEL[:-1], Fault.WRONG_LENGTH, "OUCH 5.0 CancelOrder: '8 bytes' is not 9 bytes"),
        (CANCEL + b"\0", Fault.WRONG_LENGTH, "'10 bytes' is not 9 bytes"),
        (ENTER[:20], Fault.WRONG_LENGTH, "EnterOrder: '20 bytes' is not 47 bytes"),
        (ENTER[:-1], Fault.WRONG_LENGTH, "'52 bytes' is not 53 bytes"),
        (ENTER.replace(b"CVLT ", b"CVLT\0"), Fault.BAD_TEXT, "symbol at offset 10: b'CVLT\\x00"),
        (ENTER.replace(b"0YA", b"0\xd9A"), Fault.BAD_TEXT, "display at offset 27: b'\\xd9'"),
        (ENTER.replace(b"LIME", b"L\nME"), Fault.BAD_TEXT, "tag 2 at offset 49: b'L\\nME'"),
        (
            ENTER.replace(b"\x05\x02LIME", b"\x04\x02LIME"),
            Fault.BAD_APPENDAGE,
            "tag 2 at offset 47: b'LIM' is not 4 bytes",
        ),
        (
            ENTER.replace(b"\x05\x02LIME", b"\x00\x02LIME"),
            Fault.BAD_APPENDAGE,
            "length of an optional value at offset 47: 0 is not 1 to 5",
        ),
        (
            ENTER.replace(b"\x05\x02LIME", b"\x06\x02LIME"),
            Fault.BAD_APPENDAGE,
            "length of an optional value at offset 47: 6 is not 1 to 5",
        ),
    ],
)
def test_a_fault_says_where_what_and_what_would_be_right(
    data: bytes, fault: Fault, text: str
) -> None:
    """Guards against "bad message", which helps nobody."""
    with pytest.raises(MessageError) as caught:
        ouch50.CODEC.decode_inbound(data)
    assert caught.value.fault is fault
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (ouch50.CancelOrder(-1, 2), "user_ref_num at offset 1: -1 is not 0 to 4294967295"),
        (ouch50.CancelOrder(1, 2**32), "quantity at offset 5: 4294967296 is not 0 to"),
        (ouch50.CancelOrder(1, True), "quantity at offset 5: True"),
        (ouch50.ModifyOrder(1, "BS", 2), "side at offset 5: 'BS' is not one printable"),
        (ouch50.ModifyOrder(1, "", 2), "side at offset 5: '' is not one printable"),
        (ouch50.Rejected(0, 1, 9, "x" * 15), "client_order_id at offset 15: 'xxxxxxxxxxxxxxx'"),
        (ouch50.Rejected(0, 1, 9, "x "), "without blanks at the end"),
        (ouch50.Rejected(0, 1, 9, "é"), "at most 14 printable ASCII"),
        (ouch50.Rejected(0, 1, 65536, ""), "reason at offset 13: 65536 is not 0 to 65535"),
        (ouch50.Restated(0, 1, "R", (TagValue(256, b""),)), "tag at offset 16: 256"),
        (ouch50.Restated(0, 1, "R", (TagValue(2, 5),)), "tag 2 at offset 16: 5 is not at most 4"),
        (ouch50.Restated(0, 1, "R", (TagValue(99, "text"),)), "tag 99 at offset 16: 'text'"),
        (ouch50.Restated(0, 1, "R", (TagValue(99, bytes(255)),)), "is not 254 bytes"),
        (ouch50.Restated(0, 1, "R", (TagValue(99, bytes(250)),) * 300), "at most 65535"),
    ],
)
def test_what_does_not_fit_is_not_written(message: ouch50.Outbound, text: str) -> None:
    """Guards against a value that is cut off, wrapped around, or written as another."""
    with pytest.raises(MessageError) as caught:
        ouch50.CODEC.encode(message)
    assert caught.value.fault is Fault.OUT_OF_RANGE
    assert text in str(caught.value)


def test_tags_have_their_published_sizes() -> None:
    """Guards against an optional value of another width."""
    sizes = {tag: kind.size for tag, kind in ouch50.TAG_KINDS.items()}
    assert sizes == {
        1: 8, 2: 4, 3: 4, 4: 1, 5: 4, 6: 1, 7: 4, 9: 8, 10: 1, 11: 4, 12: 1, 13: 4, 14: 4, 15: 4,
        16: 1, 17: 1, 18: 1, 19: 8, 20: 1, 22: 4, 23: 8,
    }  # fmt: skip
    assert not any(isinstance(kind, Raw) for kind in ouch50.TAG_KINDS.values())


def captures(archive: Path, folder: str) -> Iterator[tuple[str, io.BytesIO]]:
    """The capture files below a folder of a tar archive."""
    with tarfile.open(archive) as members:
        for member in members:
            if folder in member.name and member.name.endswith(".pcap"):
                opened = members.extractfile(member)
                assert opened is not None
                yield member.name, io.BytesIO(opened.read())


@pytest.mark.shared_data
def test_captured_order_flow_is_read_and_written_to_the_byte() -> None:
    """Guards against real packets that our own tests did not think of."""
    archive = find("omi_pcaps/omi-data-packets.tar.gz")
    if archive is None:
        pytest.skip("real data: omi_pcaps/omi-data-packets.tar.gz is not here (MATCHBOOK_DATA)")
    seen: list[str] = []
    for name, capture in captures(archive, "Nasdaq.Nsm.Ouch.v5.0"):
        for _, _, payload in read_payloads(name, capture):
            for kind, body in PacketCutter().packets(payload.data):
                seen.append(kind.name)
                if kind is PacketType.UNSEQUENCED:
                    inbound = ouch50.CODEC.decode_inbound(body)
                    seen[-1] = type(inbound).__name__
                    assert ouch50.CODEC.encode(inbound) == body
                elif kind is PacketType.SEQUENCED:
                    outbound = ouch50.CODEC.decode_outbound(body)
                    seen[-1] = type(outbound).__name__
                    assert ouch50.CODEC.encode(outbound) == body
    expected = {"EnterOrder", "CancelOrder", "Accepted", "Canceled"}
    assert set(seen) == expected | {"CLIENT_HEARTBEAT", "SERVER_HEARTBEAT"}
