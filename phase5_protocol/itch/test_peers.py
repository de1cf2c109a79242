"""Our decoder against others' bytes and another's decoder."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from contract import shared_data
from contract.byte_source import open_bytes
from contract.errors import InputFileError
from phase5_protocol.itch.contenders import CONTENDERS
from phase5_protocol.itch.decode import decode, decode_records, frame, split
from phase5_protocol.itch.fields import Kind, timestamps
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.itch.messages import parse
from phase5_protocol.itch.sample import AAPL_HOUR, BOOK_TYPES, generate_day

HOUR = "itch/AAPL_20120621_0930-1030_from_lobster50.itch50.gz"
MORNING = "itch/nasdaq_20191230_first1000messages.itch50"
VECTORS = "itch/real_message_vectors_psx_20190730.jsonl"


def data(name: str) -> Path:
    path = shared_data.find(name)
    if path is None:
        pytest.skip(f"shared data: {name} is not here")
    return path


# --- itchfeed, an independent decoder from PyPI -----------------------------------------------


@pytest.mark.parametrize("letter", LAYOUTS)
def test_itchfeed_reads_the_same_fields(letter: str) -> None:
    """A misreading of the specification, which our tests would share.

    It names fields in its own words, but keeps them in the order of the message, and the time
    last; the prices of V have its eight decimals too.
    """
    peer = pytest.importorskip("itch.messages")
    layout = LAYOUTS[letter]
    source = random.Random(f"itchfeed {letter}")
    for _ in range(50):
        body = bytes(source.randrange(32, 127) for _ in range(layout.length - 1))
        message = layout.letter.encode() + body
        theirs = peer.messages[letter.encode()](message)
        fields = dict(vars(theirs))
        time = fields.pop("timestamp")
        values = list(fields.values())
        assert [*values[:2], time, *values[2:]] == list(layout.unpack(message))
        assert decode(frame(message))[letter].tolist() == [(0, *layout.unpack(message))]
        prices = {field.kind for field in layout.fields} & {Kind.PRICE4, Kind.PRICE8}
        if prices:
            assert prices == {Kind.PRICE8 if theirs.price_precision == 8 else Kind.PRICE4}


def test_where_itchfeed_differs() -> None:
    """Two of its habits that a comparison must know of, and that we do not share.

    It drops half a message at the end without a word, and takes the length of 0 that ends a
    session for a message of no type, unless an end of messages (S with C) came before.
    """
    parser = pytest.importorskip("itch.parser").MessageParser()
    message = frame(LAYOUTS["D"].encode(reference=1))
    assert len(list(parser.parse_file(io.BytesIO(message + message[:-1])))) == 1
    with pytest.raises(InputFileError, match="offset 21"):
        decode(message + message[:-1])
    with pytest.raises(ValueError, match="Unknown message type"):
        list(parser.parse_file(io.BytesIO(message + b"\0\0")))
    assert decode(message + b"\0\0").tally.messages == 1


# --- the benchmark's contenders ---------------------------------------------------------------


@pytest.mark.parametrize("mix", [AAPL_HOUR, BOOK_TYPES], ids=["aapl", "book"])
def test_all_contenders_read_the_same(mix: dict[str, int]) -> None:
    """A contender that is fast because it leaves something out."""
    stream = generate_day(5_000, seed=3, mix=mix)
    answers = {
        one.name: one.answer(one.prepare(stream)()) for one in CONTENDERS if one.is_available
    }
    assert len(answers) >= 7
    assert len(set(answers.values())) == 1, answers
    answer = next(iter(answers.values()))
    assert sum(count for _, count in answer.counts) == 5_005
    assert min(answer.timestamps, answer.references, answer.shares, answer.prices) > 0


def test_a_sample_is_its_seed_and_hangs_together() -> None:
    """A benchmark on other data than its receipt says; a stream no book could follow."""
    day = generate_day(20_000, seed=1, mix=BOOK_TYPES)
    assert day == generate_day(20_000, seed=1, mix=BOOK_TYPES)
    assert day != generate_day(20_000, seed=2, mix=BOOK_TYPES)
    records = decode_records(day)
    assert set(records["type"].tolist()) == {letter.encode() for letter in (*BOOK_TYPES, "R", "S")}
    open_shares: dict[int, int] = {}
    columns = ("type", "reference", "new_reference", "shares")
    for letter, reference, new, shares in zip(
        *(records[name].tolist() for name in columns), strict=True
    ):
        if letter in b"AF":
            assert reference not in open_shares
            open_shares[reference] = shares
        elif letter in b"DU":
            del open_shares[reference]
            if letter == b"U":
                open_shares[new] = shares
        elif letter in b"ECX":
            open_shares[reference] -= shares
            assert open_shares[reference] >= 0
            if not open_shares[reference]:
                del open_shares[reference]
    times = records["timestamp_ns"]
    assert (times[1:] >= times[:-1]).all()


def test_the_sample_has_the_mix_it_was_asked_for() -> None:
    """A benchmark of adds alone, called a realistic mix."""
    counts = decode(generate_day(20_000, seed=1)).tally.counts
    for letter, share in AAPL_HOUR.items():
        assert abs(counts[letter] / 2 - share) < 150, letter


# --- real bytes -------------------------------------------------------------------------------


@pytest.mark.shared_data
def test_the_aapl_hour_has_the_messages_it_is_known_for() -> None:
    """Messages lost between blocks or types, on 92,146 that came from elsewhere."""
    with open_bytes(data(HOUR)) as stream:
        day = stream.read()
    arrays, wire, records = decode(day), split(day), decode_records(day)
    counts = {"A": 44_399, "D": 41_005, "E": 4_067, "P": 2_201, "X": 469}
    assert arrays.tally.counts == wire.tally.counts
    assert counts.items() <= arrays.tally.counts.items()
    assert arrays.tally.messages == len(records) == 92_146
    assert Counter(records["type"].tolist())[b"D"] == 41_005
    for letter, count in counts.items():
        rows = arrays[letter]
        assert len(rows) == count
        assert (timestamps(wire[letter]) == rows["timestamp_ns"]).all()
        chosen = records[rows["index"]]
        for name in ("reference", "timestamp_ns", "stock_locate"):
            assert (chosen[name] == rows[name]).all()
    answers = {one.answer(one.prepare(day)()) for one in CONTENDERS if one.is_available}
    assert len(answers) == 1


@pytest.mark.shared_data
def test_original_bytes_of_a_morning_are_read_and_written_again() -> None:
    """A field that our own tests fill with what we expect, and Nasdaq does not."""
    raw = data(MORNING).read_bytes()
    arrays = decode(raw)
    assert arrays.tally.counts == {"S": 1, "R": 993, "H": 3, "Y": 3}
    back: dict[int, bytes] = {}
    for letter in arrays.tally.counts:
        for index, *values in arrays[letter].tolist():
            back[index] = frame(LAYOUTS[letter].pack(*values))
    assert b"".join(back[index] for index in range(1000)) == raw
    directory = arrays["R"]
    assert directory["stock"][:3].tolist() == [b"A       ", b"AA      ", b"AAAU    "]
    tiers = {letter.encode() for letter in "QGSNAPZV"}
    assert set(directory["market_category"].tolist()) <= tiers
    assert set(directory["authenticity"].tolist()) <= {b"P", b"T"}


@pytest.mark.shared_data
def test_original_messages_have_the_fields_their_venue_gave_them() -> None:
    """The order messages themselves, as another decoder of the original bytes read them."""
    names = {
        "order_ref": "reference",
        "original_order_ref": "reference",
        "new_order_ref": "new_reference",
        "executed_shares": "shares",
        "canceled_shares": "shares",
        "mpid": "attribution",
    }
    seen = ""
    for line in data(VECTORS).read_text().splitlines():
        vector = json.loads(line)
        message = parse(bytes.fromhex(vector["hex"]))
        assert message.letter == vector["type"]
        assert message.timestamp_ns == vector["timestamp_ns"]
        for name, value in vector["expect"].items():
            assert getattr(message, names.get(name, name)) == value, name
        seen += message.letter
    assert seen == "SRAFECXDU"
