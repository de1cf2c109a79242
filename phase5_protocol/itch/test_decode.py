"""Decoding buffers and files: what is wrong, blocks that end anywhere, memory, progress."""

from __future__ import annotations

import gzip
import io
import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ConfigurationError, InputFileError
from phase5_protocol.itch import native
from phase5_protocol.itch.decode import (
    decode,
    decode_records,
    frame,
    iter_bytes,
    iter_messages,
    read_file,
    read_records,
    split,
)
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.itch.messages import to_text
from phase5_protocol.itch.native import Flag, Status
from phase5_protocol.itch.sample import BOOK_TYPES, generate_day

DAY = generate_day(3_000, seed=11, mix=BOOK_TYPES)
SHORT = generate_day(300, seed=12, mix=BOOK_TYPES)
ADD = LAYOUTS["A"].encode(reference=1, side="B", shares=10, price=99)
DELETE = LAYOUTS["D"].encode(reference=1)


def cut(data: bytes) -> list[bytes]:
    """The messages of a right stream, by the shortest code that can be right."""
    out, at = [], 0
    while at < len(data) and (length := data[at] << 8 | data[at + 1]):
        out.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return out


# --- what is wrong ----------------------------------------------------------------------------

WRONG = [
    (b"\x00", "offset 38: '1 bytes' is not a whole message behind its two-byte length"),
    (b"\x00\x24", "offset 38: '2 bytes' is not a whole message"),
    (b"\x00\x24A123", "offset 38: '6 bytes' is not a whole message"),
    (frame(b"Z" + bytes(11)), "offset 38: message type: b'Z' is not one of ABCDEFHIJKLNO"),
    (frame(b"S" + bytes(12)), "offset 38: length of a message S: 13 is not 12"),
    (b"\0\0\0", "offset 40: 'more data' is not the end of the file"),
    (b"\xff\xff\0", "offset 38: message type: b'\\x00' is not one of"),
]


@pytest.mark.parametrize(("tail", "said"), WRONG)
def test_what_is_wrong_in_a_buffer_is_named_by_offset(tail: bytes, said: str) -> None:
    """A stream that lost its step is decoded to nonsense, or told to be wrong elsewhere."""
    for function in (decode, split, decode_records):
        with pytest.raises(InputFileError) as caught:
            function(frame(ADD) + tail, name="feed")
        assert str(caught.value).startswith(f"feed: {said}")


@pytest.mark.parametrize(("tail", "said"), WRONG)
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 18])
def test_what_is_wrong_in_a_file_is_named_by_offset(
    tmp_path: Path, tail: bytes, said: str, block_bytes: int
) -> None:
    """An offset that counts from the block, and the messages before the fault lost."""
    path = tmp_path / "day.itch50"
    path.write_bytes(frame(ADD) + tail)
    with path.open("rb") as stream:
        messages = iter_bytes(stream, path, block_bytes=block_bytes)
        assert next(messages) == (0, 0, ADD)
        with pytest.raises(InputFileError) as caught:
            next(messages)
    assert str(caught.value).startswith(f"{path}: {said}")


def test_a_packet_has_no_end_inside() -> None:
    """A length of 0 in a packet hides the messages behind it."""
    packet = frame(ADD) + b"\0\0" + frame(DELETE)
    with pytest.raises(InputFileError, match="offset 38: length of a message: 0 is not that of"):
        decode(packet, blocks=True)
    arrays = decode(packet, blocks=True, strict=False)
    assert arrays.tally.counts == {"A": 1, "D": 1}
    assert (arrays.tally.wrong_lengths, arrays.tally.frames) == (1, 3)
    assert arrays["D"]["index"].tolist() == [2]


def test_what_is_passed_over_is_counted() -> None:
    """Tolerance that says nothing: a feed half of which is thrown away looks like a whole one."""
    data = frame(b"z12") + frame(ADD) + frame(ADD + b"x") + frame(DELETE) + b"\x00\x30O"
    for tally in (decode(data, strict=False).tally, split(data, strict=False).tally):
        assert (tally.messages, tally.unknown_types, tally.wrong_lengths) == (2, 1, 1)
        assert (tally.skipped, tally.left, tally.status) == (5 + 39, 3, Status.CUT_SHORT)
        assert tally.consumed + tally.left == len(data)
    assert decode_records(data, strict=False)["type"].tolist() == [b"A", b"D"]


def test_tolerance_goes_on_over_blocks(tmp_path: Path) -> None:
    """A wrong message that lies across two blocks makes the second one wrong altogether."""
    path = tmp_path / "day.itch50"
    path.write_bytes((frame(b"z" * 300) + frame(ADD)) * 20)
    for block_bytes in (1, 50, 301, 303):
        parts = list(read_file(path, strict=False, block_bytes=block_bytes))
        assert sum(part.tally.unknown_types for part in parts) == 20
        assert sum(part.tally.messages for part in parts) == 20
        indexes = np.concatenate([part["A"]["index"] for part in parts])
        assert indexes.tolist() == list(range(1, 40, 2))


def test_nothing_is_read_behind_the_end(tmp_path: Path) -> None:
    """What follows the end of a session is not of that session, tolerant or not."""
    path = tmp_path / "day.itch50"
    path.write_bytes(frame(ADD) + b"\0\0" + frame(DELETE))
    parts = list(read_file(path, strict=False, block_bytes=5))
    assert sum(part.tally.messages for part in parts) == 1
    assert parts[-1].tally.status is Status.AFTER_END


@given(st.binary(max_size=300), st.sampled_from([Flag.NONE, Flag.BLOCKS]))
def test_any_bytes_are_accounted_for(data: bytes, framing: Flag) -> None:
    """A byte that no count tells of is one that got lost."""
    tally = native.scan(data, framing | Flag.TOLERANT | Flag.LAST)
    of_messages = sum(n * (2 + LAYOUTS[letter].length) for letter, n in tally.counts.items())
    end = 2 if tally.status in (Status.ENDED, Status.AFTER_END) else 0
    assert tally.consumed == of_messages + tally.skipped + end
    assert tally.consumed + tally.left == len(data)
    assert decode(data, strict=False, blocks=framing is Flag.BLOCKS).tally == tally


# --- the same, however it comes ---------------------------------------------------------------


@pytest.mark.parametrize("block_bytes", [1, 37, 1000, 1 << 18])
def test_blocks_may_end_anywhere(tmp_path: Path, block_bytes: int) -> None:
    """A message across two blocks is lost, doubled, or numbered anew."""
    path = tmp_path / "day.itch50"
    path.write_bytes(SHORT)
    wanted = cut(SHORT)
    with path.open("rb") as stream:
        got = list(iter_bytes(stream, path, block_bytes=block_bytes))
    assert [message for _, _, message in got] == wanted
    assert [index for index, _, _ in got] == list(range(len(wanted)))
    assert all(SHORT[at + 2 : at + 2 + len(message)] == message for _, at, message in got)
    whole = decode(SHORT)
    parts = list(read_file(path, block_bytes=block_bytes))
    for letter in LAYOUTS:
        rows = [row for part in parts for row in part[letter].tolist()]
        assert rows == whole[letter].tolist()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_packed_files_are_unpacked_and_progress_told(tmp_path: Path, pack: object) -> None:
    """A bar that counts unpacked bytes runs past its end."""
    assert callable(pack)
    path = tmp_path / "day"
    path.write_bytes(pack(DAY))
    steps: list[int] = []
    messages = sum(part.tally.messages for part in read_file(path, on_read=steps.append))
    assert messages == len(cut(DAY))
    assert sum(steps) == path.stat().st_size


def test_memory_does_not_grow_with_the_file() -> None:
    """What is left of a block is kept, and grows to be the file."""

    stream = io.BytesIO((frame(ADD) * 50 + frame(b"z" * 60_000)) * 20)
    blocks = read_records(stream, "long", strict=False, block_bytes=1000)
    largest = max(len(block.data) for block in blocks)
    assert 60_000 < largest < 1000 + 65_538


def test_any_buffer_will_do() -> None:
    """A view into a receive buffer has to be copied first."""
    wanted = decode(DAY)["A"].tobytes()
    for data in (bytearray(DAY), memoryview(DAY), np.frombuffer(DAY, np.uint8)):
        assert decode(data)["A"].tobytes() == wanted
    middle = memoryview(b"xx" + DAY + b"yy")[2:-2]
    assert decode(middle)["A"].tobytes() == wanted
    assert decode(b"").tally.messages == 0


def test_rows_of_all_types_can_be_put_in_order_again() -> None:
    """Tables by type lose which message came first, of those at the same nanosecond."""
    arrays, records = decode(DAY), decode_records(DAY)
    letters = np.empty(len(records), "S1")
    for letter in LAYOUTS:
        letters[arrays[letter]["index"]] = letter.encode()
    assert letters.tolist() == records["type"].tolist()
    assert letters.tolist() == [message[:1] for message in cut(DAY)]


def test_the_same_bytes_give_the_same_rows() -> None:
    """Padding with what memory held before: tables that cannot be compared or hashed."""
    first = {letter: table.tobytes() for letter, table in decode(DAY).tables.items()}
    noise = [np.full(size, 0xAB, np.uint8) for size in (1000, 50_000, 200_000)]
    del noise
    assert {letter: table.tobytes() for letter, table in decode(DAY).tables.items()} == first


def test_records_go_on_when_they_did_not_fit() -> None:
    """A message lost between two calls."""
    got, at = [], 0
    while True:
        tally, records = native.records(memoryview(DAY)[at:], Flag.LAST, capacity=100)
        got += [(at + int(record["at"]), record["type"]) for record in records]
        at += tally.consumed
        if tally.status is not Status.FULL:
            break
    assert tally.status is Status.ENDED
    assert [place for place, _ in got] == decode_records(DAY)["at"].tolist()


def test_messages_are_objects_that_can_be_read(tmp_path: Path) -> None:
    """A price shown in units that nobody pays in."""
    path = tmp_path / "day.itch50"
    path.write_bytes(DAY)
    messages = list(iter_messages(path))
    assert [message.letter.encode() for message in messages] == [one[:1] for one in cut(DAY)]
    levels = LAYOUTS["V"].encode(timestamp_ns=34_200 * 10**9 + 5, level_1=123_456_789_012)
    path.write_bytes(frame(levels))
    (one,) = iter_messages(path)
    assert to_text(one).startswith("09:30:00.000000005 MarketWideDeclineLevels stock_locate 0, ")
    assert "level_1 1234.56789012, level_2 0.00000000" in to_text(one)


def test_a_buffer_too_large_for_records_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the messages, without a word. (The limit is 2 GiB; here C says it is reached.)"""
    full = native.Tally(Status.FULL, 0, 0, 0, 0, 0, 0, {})
    empty = np.empty(0, native.RECORD_DTYPE)
    monkeypatch.setattr(native, "records", lambda *_, **__: (full, empty))
    with pytest.raises(ValueError, match="more than 2 GiB"):
        decode_records(DAY)


@pytest.mark.parametrize("block_bytes", [0, -1, (1 << 30) + 1])
def test_blocks_of_no_bytes(tmp_path: Path, block_bytes: int) -> None:
    """Guards: a right file that seems to be empty, because nothing of it was ever read."""
    path = tmp_path / "day.itch50"
    path.write_bytes(SHORT)
    said = f"block_bytes {block_bytes} is not 1 to"
    with pytest.raises(ConfigurationError, match=said):
        list(read_file(path, block_bytes=block_bytes))
    for read in (read_records, iter_bytes):
        with pytest.raises(ConfigurationError, match=said):
            list(read(io.BytesIO(SHORT), path, block_bytes=block_bytes))
