"""The table of messages: against bytes written by hand, itself, C, numpy and ``struct``."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase5_protocol.itch import native
from phase5_protocol.itch.c_table import PATH, c_table
from phase5_protocol.itch.decode import decode, decode_records, frame, split
from phase5_protocol.itch.fields import COMMON, Kind, Layout, timestamps
from phase5_protocol.itch.layouts import BOOK_LETTERS, LAYOUTS, SLOTS
from phase5_protocol.itch.messages import CLASSES, parse, to_bytes

COMMON_HEX = "0102 0304 05060708090a"
COMMON_VALUES = (0x0102, 0x0304, 0x05060708090A)
STOCK_HEX = "4d 42 4f 4f 4b 20 20 20"
STOCK = b"MBOOK   "

#: Behind the common bytes: each type's fields by hand, every byte of every integer another.
BY_HAND: dict[str, tuple[str, tuple[int | bytes, ...]]] = {
    "S": ("4f", (b"O",)),
    "R": (
        f"{STOCK_HEX} 51 4e 00000064 4e 43 5a20 50 4e 59 31 4e 11121314 4e",
        (STOCK, b"Q", b"N", 100, b"N", b"C", b"Z ", b"P", b"N", b"Y", b"1", b"N", 0x11121314, b"N"),
    ),
    "H": (f"{STOCK_HEX} 48 20 4c554450", (STOCK, b"H", b" ", b"LUDP")),
    "Y": (f"{STOCK_HEX} 31", (STOCK, b"1")),
    "L": (f"4d424b53 {STOCK_HEX} 59 4e 41", (b"MBKS", STOCK, b"Y", b"N", b"A")),
    "V": (
        "1112131415161718 2122232425262728 3132333435363738",
        (0x1112131415161718, 0x2122232425262728, 0x3132333435363738),
    ),
    "W": ("32", (b"2",)),
    "K": (f"{STOCK_HEX} 11121314 41 21222324", (STOCK, 0x11121314, b"A", 0x21222324)),
    "J": (
        f"{STOCK_HEX} 11121314 21222324 31323334 41424344",
        (STOCK, 0x11121314, 0x21222324, 0x31323334, 0x41424344),
    ),
    "h": (f"{STOCK_HEX} 51 54", (STOCK, b"Q", b"T")),
    "A": (
        f"1112131415161718 42 21222324 {STOCK_HEX} 31323334",
        (0x1112131415161718, b"B", 0x21222324, STOCK, 0x31323334),
    ),
    "F": (
        f"1112131415161718 53 21222324 {STOCK_HEX} 31323334 4d424b53",
        (0x1112131415161718, b"S", 0x21222324, STOCK, 0x31323334, b"MBKS"),
    ),
    "E": (
        "1112131415161718 21222324 3132333435363738",
        (0x1112131415161718, 0x21222324, 0x3132333435363738),
    ),
    "C": (
        "1112131415161718 21222324 3132333435363738 4e 41424344",
        (0x1112131415161718, 0x21222324, 0x3132333435363738, b"N", 0x41424344),
    ),
    "X": ("1112131415161718 21222324", (0x1112131415161718, 0x21222324)),
    "D": ("1112131415161718", (0x1112131415161718,)),
    "U": (
        "1112131415161718 2122232425262728 31323334 41424344",
        (0x1112131415161718, 0x2122232425262728, 0x31323334, 0x41424344),
    ),
    "P": (
        f"1112131415161718 42 21222324 {STOCK_HEX} 31323334 4142434445464748",
        (0x1112131415161718, b"B", 0x21222324, STOCK, 0x31323334, 0x4142434445464748),
    ),
    "Q": (
        f"1112131415161718 {STOCK_HEX} 21222324 3132333435363738 4f",
        (0x1112131415161718, STOCK, 0x21222324, 0x3132333435363738, b"O"),
    ),
    "B": ("1112131415161718", (0x1112131415161718,)),
    "I": (
        f"1112131415161718 2122232425262728 4e {STOCK_HEX} 31323334 41424344 51525354 43 4c",
        (
            0x1112131415161718,
            0x2122232425262728,
            b"N",
            STOCK,
            0x31323334,
            0x41424344,
            0x51525354,
            b"C",
            b"L",
        ),
    ),
    "N": (f"{STOCK_HEX} 42", (STOCK, b"B")),
    "O": (
        f"{STOCK_HEX} 59 11121314 21222324 31323334 4142434445464748 51525354 61626364",
        (
            STOCK,
            b"Y",
            0x11121314,
            0x21222324,
            0x31323334,
            0x4142434445464748,
            0x51525354,
            0x61626364,
        ),
    ),
}
every_type = pytest.mark.parametrize("letter", LAYOUTS)


def by_hand(letter: str) -> bytes:
    return letter.encode() + bytes.fromhex(COMMON_HEX) + bytes.fromhex(BY_HAND[letter][0])


def messages_of(layout: Layout) -> st.SearchStrategy[bytes]:
    """Any message of a type: any integers, and any bytes for text."""
    return st.binary(min_size=layout.length - 1, max_size=layout.length - 1).map(
        lambda body: layout.letter.encode() + body
    )


any_message = st.sampled_from(list(LAYOUTS.values())).flatmap(messages_of)


# --- the table --------------------------------------------------------------------------------


def test_every_type_was_written_by_hand() -> None:
    """A type left out of the tests below would pass all of them."""
    assert list(BY_HAND) == list(LAYOUTS)
    assert len(LAYOUTS) == 23


@every_type
def test_fields_lie_side_by_side(letter: str) -> None:
    """An offset with a slip of the pen leaves a gap, or reads another field's bytes."""
    layout = LAYOUTS[letter]
    assert layout.fields[: len(COMMON)] == COMMON
    ends = [1, *(field.end for field in layout.fields)]
    assert [field.offset for field in layout.fields] == ends[:-1]
    assert ends[-1] == layout.length
    assert len({field.name for field in layout.fields}) == len(layout.fields)
    sizes = {Kind.PRICE4: {4}, Kind.PRICE8: {8}, Kind.TIME: {6}, Kind.INTEGER: {2, 4, 8}}
    assert all(f.kind is Kind.ALPHA or f.size in sizes[f.kind] for f in layout.fields)


def test_the_c_table_is_the_one_that_would_be_written_now() -> None:
    """A field moved in Python and not in C: run ``python -m phase5_protocol.itch.c_table``."""
    assert PATH.read_text(encoding="ascii") == c_table()


def test_c_takes_types_for_what_python_does() -> None:
    """An extension built from another table writes rows that numpy reads askew."""
    expected = {
        letter: (layout.name, layout.length, layout.dtype.itemsize)
        for letter, layout in LAYOUTS.items()
    }
    assert native.type_sizes() == expected
    assert list(native.type_sizes()) == list(SLOTS)
    assert native.RECORD_DTYPE.itemsize == 64


# --- one message, every way -------------------------------------------------------------------


@every_type
def test_struct_reads_what_was_written_by_hand(letter: str) -> None:
    """A field read as another, in one type among many that nobody looks at."""
    message, values = by_hand(letter), (*COMMON_VALUES, *BY_HAND[letter][1])
    layout = LAYOUTS[letter]
    assert layout.unpack(message) == values
    assert layout.pack(*values) == message  # type: ignore[arg-type]


@every_type
def test_c_reads_what_was_written_by_hand(letter: str) -> None:
    """The same, in C."""
    table = decode(frame(by_hand(letter)))[letter]
    assert len(table) == 1
    assert table[0].tolist() == (0, *COMMON_VALUES, *BY_HAND[letter][1])
    assert table.dtype.isnative
    assert table.flags.aligned


@every_type
def test_numpy_sees_what_was_written_by_hand(letter: str) -> None:
    """The same, as a view of the bytes."""
    message = by_hand(letter)
    view = np.frombuffer(message, LAYOUTS[letter].wire_dtype)
    assert np.shares_memory(view, np.frombuffer(message, np.uint8))
    assert timestamps(view).tolist() == [COMMON_VALUES[2]]
    for field, value in zip(
        LAYOUTS[letter].fields, COMMON_VALUES + BY_HAND[letter][1], strict=True
    ):
        if field.kind is not Kind.TIME:
            assert view[field.name].tolist() == [value]
    assert split(frame(message))[letter].tobytes() == message


@every_type
def test_an_object_has_what_was_written_by_hand(letter: str) -> None:
    """The same, for people; and back."""
    message = by_hand(letter)
    parsed = parse(message)
    texts = [v.decode().rstrip() if isinstance(v, bytes) else v for v in BY_HAND[letter][1]]
    assert list(parsed) == [*COMMON_VALUES, *texts]  # type: ignore[call-overload]
    assert isinstance(parsed, CLASSES[letter])
    assert parsed.letter == letter
    assert to_bytes(parsed) == message


@pytest.mark.parametrize("letter", BOOK_LETTERS)
def test_a_record_has_all_fields_of_a_book_message(letter: str) -> None:
    """A field of one type stored where a book reads another's."""
    record = decode_records(frame(by_hand(letter)))[0]
    fields = zip(LAYOUTS[letter].fields, COMMON_VALUES + BY_HAND[letter][1], strict=True)
    expected = {field.name: value for field, value in fields}
    expected |= {"type": letter.encode(), "at": 0}
    for name in native.RECORD_DTYPE.names or ():
        empty = b"" if native.RECORD_DTYPE[name].kind == "S" else 0
        assert record[name] == expected.pop(name, empty), name
    assert not expected


# --- all messages -----------------------------------------------------------------------------


@given(st.lists(any_message, max_size=40))
def test_any_messages_survive_every_way_there_and_back(messages: list[bytes]) -> None:
    """A value at the edge of its field, or of text, that one of the codecs bends."""
    data = b"".join(map(frame, messages))
    arrays, wire = decode(data), split(data)
    assert arrays.tally.messages == len(messages)
    back: dict[int, bytes] = {}
    for letter, layout in LAYOUTS.items():
        own = [message for message in messages if message[0] == ord(letter)]
        assert wire[letter].tobytes() == b"".join(own)
        for row in arrays[letter].tolist():
            values: list[Any] = [
                v.ljust(f.size, b"\0") if isinstance(v, bytes) else v
                for f, v in zip(layout.fields, row[1:], strict=True)
            ]
            back[row[0]] = layout.pack(*values)
    assert [back[index] for index in range(len(messages))] == messages


@given(st.data(), st.sampled_from(list(LAYOUTS.values())))
def test_encode_by_names_is_read_back(data: st.DataObject, layout: Layout) -> None:
    """What our own feed sends is not what its readers decode."""
    ascii_text = st.characters(min_codepoint=33, max_codepoint=126)
    values: dict[str, int | str] = {}
    for field in layout.fields:
        if field.kind is Kind.ALPHA:
            values[field.name] = data.draw(st.text(ascii_text, max_size=field.size))
        else:
            values[field.name] = data.draw(st.integers(0, field.limit - 1))
    message = layout.encode(**values)
    assert dict(zip(values, parse(message), strict=True)) == values  # type: ignore[call-overload]
    assert len(message) == layout.length


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"reference": 1 << 64}, "reference: 18446744073709551616 is not a whole number below"),
        ({"reference": -1}, "reference: -1 is not a whole number"),
        ({"stock_locate": 1 << 16}, "stock_locate"),
        ({"timestamp_ns": 1 << 48}, "timestamp_ns"),
        ({"side": "BB"}, "side: 'BB' is not ASCII of at most 1 letters"),
        ({"stock": "MÜSLI"}, "stock: 'MÜSLI' is not ASCII"),
        ({"stock": 7}, "stock: 7 is not ASCII"),
        ({"price": "7"}, "price: '7' is not a whole number"),
        ({"prize": 7}, "add_order has no field prize"),
    ],
)
def test_a_value_that_does_not_fit_is_named(values: dict[str, int | str], said: str) -> None:
    """A price cut to its low bytes, in silence."""
    with pytest.raises(ValueError, match=said):
        LAYOUTS["A"].encode(**values)


def test_pack_refuses_what_does_not_fit() -> None:
    """The fast way must not be the silent way."""
    for values in ((1, 0, 1 << 48, 1), (1 << 16, 0, 0, 1), (1, 0, 0, 1 << 64), (1, 0, 0)):
        with pytest.raises(struct.error):
            LAYOUTS["D"].pack(*values)


@pytest.mark.parametrize("message", [b"", b"Z" + bytes(18), b"D" + bytes(17), b"D" + bytes(19)])
def test_what_is_no_message_is_no_object(message: bytes) -> None:
    """Half a message parsed as a whole one."""
    with pytest.raises(ValueError, match="message"):
        parse(message)
