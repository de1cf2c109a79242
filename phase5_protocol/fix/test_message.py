from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import pytest
import simplefix
from hypothesis import given
from hypothesis import strategies as st
from simplefix.data import RAW_DATA

from phase5_protocol.fix.message import (
    DATA_FIELDS,
    FRAME_TAGS,
    MAX_FIELDS,
    Message,
    MessageReader,
    decode,
    encode,
)
from phase5_protocol.fix.reasons import Garbled

# Tags that are DATA to simplefix, or the length of it, in any version: it would read on.
DATA_TAGS = {int(tag) for pair in RAW_DATA for tag in pair}
PLAIN_TAGS = st.integers(1, 99_999).filter(lambda tag: tag not in DATA_TAGS.union(FRAME_TAGS))
CHARACTERS = st.characters(min_codepoint=0, max_codepoint=255)
PLAIN = st.tuples(
    PLAIN_TAGS, st.text(CHARACTERS.filter(lambda character: character != "\x01"), min_size=1)
).map(lambda field: [field])
DATA = st.tuples(st.sampled_from(sorted(DATA_FIELDS)), st.text(CHARACTERS, min_size=1)).map(
    lambda pair: [(pair[0], str(len(pair[1]))), (DATA_FIELDS[pair[0]], pair[1])]
)
MESSAGES = st.builds(
    lambda msg_type, parts: Message(msg_type, chain(*parts), "FIX.4.4"),
    st.sampled_from(["D", "8", "0", "AE"]),
    st.lists(PLAIN | DATA, max_size=8),
)


def bars(text: str) -> bytes:
    return text.replace("|", "\x01").encode("latin-1")


def framed(body: str) -> bytes:
    """A body with a right frame around it."""
    data = b"8=FIX.4.4\x019=%d\x01" % len(body) + bars(body)
    return data + b"10=%03d\x01" % (sum(data) % 256)


HEARTBEAT = framed("35=0|34=2|")


def read(data: bytes) -> tuple[list[Message], Counter[Garbled], int]:
    """What a reader makes of a whole stream."""
    reader = MessageReader()
    messages = list(reader.feed(data))
    reader.close()
    return messages, reader.garbled, reader.garbled_bytes


@given(MESSAGES)
def test_round_trip(message: Message) -> None:
    """A value changed on the way (a character set, a SOH in a DATA field) is a changed order."""
    assert decode(encode(message)) == message


@given(MESSAGES)
def test_simplefix_reads_what_we_write(message: Message) -> None:
    """Encoder and decoder of one author can be wrong together; another's parser is not in it."""
    parser = simplefix.FixParser()
    parser.append_buffer(encode(message))
    theirs = parser.get_message()
    pairs = [(int(tag), value.decode("latin-1")) for tag, value in theirs.pairs]
    assert [pair for pair in pairs if pair[0] not in FRAME_TAGS] == message.fields


PIECES = st.one_of(
    MESSAGES.map(encode),
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"8=FIX.4.4\x01",
            b"8=FIX",
            b"8=F",
            b"8=FIX.4.4\x019=99\x01",
            b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01",
            b"\x0110=",
            b"10=123\x01",
        ]
    ),
)


@given(st.lists(PIECES, max_size=8).map(b"".join), st.data())
def test_how_the_stream_is_cut_makes_no_difference(stream: bytes, data: st.DataObject) -> None:
    """TCP cuts anywhere: a reader that needs a lucky cut loses messages on a busy day only."""
    whole = read(stream)
    reader = MessageReader()
    messages = []
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, 40))
        messages += list(reader.feed(stream[at : at + size]))
        at += size
    reader.close()
    assert (messages, reader.garbled, reader.garbled_bytes) == whole


@given(st.lists(PIECES, max_size=8).map(b"".join))
def test_every_byte_is_in_a_message_or_counted(stream: bytes) -> None:
    """Bytes that vanish without a count are losses that nobody sees."""
    reader = MessageReader(max_message=1 << 10)
    messages = list(reader.feed(stream))
    reader.close()
    sizes = [len(encode(message)) for message in messages if is_canonical(message)]
    if len(sizes) == len(messages):
        assert sum(sizes) + reader.garbled_bytes == len(stream)
    assert bool(reader.garbled) == bool(reader.garbled_bytes)


def is_canonical(message: Message) -> bool:
    """Whether encoding it again gives the bytes it came from: no empty values, no frame's tags."""
    try:
        encode(message)
    except ValueError:
        return False
    return True


@given(st.binary(max_size=300))
def test_any_bytes_at_all(stream: bytes) -> None:
    """A hostile stream must not get an exception out of the loop that serves everybody."""
    read(stream)
    messages, _, _ = read(stream + b"\x0110=000\x01" + HEARTBEAT + HEARTBEAT)
    assert len(messages) <= 3


def test_each_byte_changed_in_turn() -> None:
    """A checksum that is not looked at, or looked at too late, lets a changed price through."""
    order = framed("35=D|34=7|49=A|52=20240101-00:00:00|56=B|11=x|38=100|44=5|")
    originals = [decode(HEARTBEAT), decode(order)]
    for at in range(len(order)):
        for flip in (1, 0x10, 0x80):
            changed = bytearray(order)
            changed[at] ^= flip
            messages, garbled, _ = read(bytes(changed) + HEARTBEAT * 2)
            assert garbled.total() >= 1, (at, flip)
            assert all(message in originals for message in messages), (at, flip)
            assert messages, (at, flip)
            assert messages[-1] == originals[0], (at, flip)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nonsense", Garbled.NO_BEGIN_STRING),
        (b"8=FIX.4.4444444444444444\x01", Garbled.BAD_BEGIN_STRING),
        (bars("8=FIX.4.4|35=0|9=5|10=000|"), Garbled.BAD_BODY_LENGTH),
        (bars("8=FIX.4.4|9=+5|35=0|10=000|"), Garbled.BAD_BODY_LENGTH),
        (bars("8=FIX.4.4|9=99999999|35=0|10=000|"), Garbled.BAD_BODY_LENGTH),
        (bars("8=FIX.4.4|9=70000|35=0|10=000|"), Garbled.BAD_BODY_LENGTH),
        (bars("8=FIX.4.4|9=4|35=0|10=000|"), Garbled.WRONG_BODY_LENGTH),
        (bars("8=FIX.4.4|9=6|35=0|10=000|10=000|"), Garbled.WRONG_BODY_LENGTH),
        (bars("8=FIX.4.4|9=5|35=0|10=000|"), Garbled.WRONG_CHECKSUM),
        (bars("8=FIX.4.4|9=5|35=0|10=1630|"), Garbled.WRONG_CHECKSUM),
        (framed("34=2|35=0|"), Garbled.NO_MSG_TYPE),
        (framed("35=|34=2|"), Garbled.NO_MSG_TYPE),
        (framed(""), Garbled.NO_MSG_TYPE),
        (framed("35=0|x4=2|"), Garbled.BAD_FIELD),
        (framed("35=0|+34=2|"), Garbled.BAD_FIELD),
        (framed("35=0| 34=2|"), Garbled.BAD_FIELD),
        (framed("35=0|3_4=2|"), Garbled.BAD_FIELD),
        (framed("35=0|034=2|"), Garbled.BAD_FIELD),
        (framed("35=0|34|"), Garbled.BAD_FIELD),
        (framed("35=0|=2|"), Garbled.BAD_FIELD),
        (framed("35=0|95=9|96=ab|"), Garbled.BAD_FIELD),
        (framed("35=0|" + "1=a|" * MAX_FIELDS), Garbled.TOO_MANY_FIELDS),
        (HEARTBEAT[:-2], Garbled.CUT_OFF),
    ],
)
def test_each_reason(data: bytes, reason: Garbled) -> None:
    """A reject that is counted under another's name sends whoever reads it looking elsewhere."""
    messages, garbled, _ = read(data)
    assert not messages
    assert garbled[reason] >= 1, garbled


def test_a_wrong_length_costs_no_more_than_the_message_behind_it() -> None:
    """One bad length must not deafen the session for good."""
    too_long = HEARTBEAT.replace(b"\x019=10\x01", b"\x019=30\x01")
    messages, _, _ = read(too_long + HEARTBEAT * 3)
    assert messages == [decode(HEARTBEAT)] * 2
    too_short = HEARTBEAT.replace(b"\x019=10\x01", b"\x019=2\x01")
    messages, _, _ = read(too_short + HEARTBEAT * 3)
    assert messages == [decode(HEARTBEAT)] * 3


def test_memory_is_bounded() -> None:
    """A message that never ends must not be kept for ever."""
    reader = MessageReader(max_message=1000)
    sizes = []
    assert not list(reader.feed(b"8=FIX.4.4\x019=900\x01"))
    for _ in range(100):
        assert not list(reader.feed(b"x" * 100))
        sizes.append(len(reader._buffer))
    assert max(sizes) <= 2200
    assert reader.garbled_bytes >= 9000


class Searched(bytearray):
    """Bytes that count how many of them were searched."""

    def __init__(self) -> None:
        super().__init__()
        self.searched = 0

    def find(self, sub: Any, start: Any = 0, end: Any = None, /) -> int:
        found = super().find(sub, start, end)
        stop = min(len(self), len(self) if end is None else end) if found < 0 else found
        self.searched += max(0, stop - start)
        return found


@pytest.mark.parametrize("unit", [b"8=FIX.4.4\x019=5\x01", b"8=FIX\x019=0\x018=FIX\x019=65536\x01"])
def test_a_stream_of_starts_costs_no_more_than_its_bytes(unit: bytes) -> None:
    """A stranger who sends starts of messages, and each makes us search a whole message's length
    for its end: a quarter of a megabyte stopped every session for a second."""
    reader = MessageReader()
    buffer = reader._buffer = Searched()
    stream = unit * ((1 << 18) // len(unit))
    for at in range(0, len(stream), 1 << 14):
        assert not list(reader.feed(stream[at : at + (1 << 14)]))
    assert reader.garbled.total() > 1000
    assert buffer.searched < 20 * len(stream)


@pytest.mark.parametrize(
    "message",
    [
        Message("D", [(58, "a\x0138=9")], "FIX.4.4"),
        Message("D", [(58, "")], "FIX.4.4"),
        Message("D", [(0, "x")], "FIX.4.4"),
        Message("D", [(10, "123")], "FIX.4.4"),
        Message("D", [(95, "3"), (96, "a\x01")], "FIX.4.4"),
        Message("D", [(58, "\u20ac")], "FIX.4.4"),
        Message("D", [(58, "x")]),
        Message("", [(58, "x")], "FIX.4.4"),
    ],
)
def test_what_cannot_be_sent(message: Message) -> None:
    """A text with SOH in it would put fields of a stranger's choice into our message."""
    with pytest.raises(ValueError, match=r".+"):
        encode(message)
