"""Files in and out: what is written reads back the same, and what is wrong is named exactly."""

from __future__ import annotations

import gzip
import io
import lzma
import tempfile
from collections.abc import Callable
from dataclasses import replace as with_fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import (
    Command,
    CommandKind,
    Event,
    EventKind,
    Flag,
    InputFileError,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
    cancel,
    market,
    mass_cancel,
    new,
    replace,
)
from contract.byte_source import MAX_LINE_CHARS, open_bytes
from contract.files import (
    EVENT_LIST_COLUMNS,
    EventFileWriter,
    EventListWriter,
    iter_command_arrays,
    iter_event_arrays,
    read_event_list,
    read_script,
    write_command_file,
    write_event_file,
    write_script,
)
from contract.records import to_command_array, to_commands, to_event_array, to_events

COMMANDS = [
    new(1, Side.BID, 100, 5, account=7, self_trade=SelfTrade.CANCEL_BOTH, timestamp_ns=9),
    new(2**64 - 1, Side.ASK, -(2**63), 2**40 - 1, post_only=True, instrument=2**32 - 1),
    new(3, Side.ASK, 2**63 - 1, 2**64 - 1, time_in_force=TimeInForce.FOK),
    market(4, Side.BID, 10, account=2**32 - 1),
    replace(1, 101, 3, timestamp_ns=2**64 - 1),
    cancel(1),
    mass_cancel(7),
]
EVENTS = [
    Event(EventKind.ACCEPTED, 1, 10, side=Side.ASK, price=-5, quantity=3, leaves=3),
    Event(EventKind.TRADE, 2, 10, 11, Side.BID, 7, 3, timestamp_ns=2**64 - 1),
    Event(EventKind.CANCELLED, 3, 2**64 - 1, quantity=2**40 - 1, reason=Reason.SELF_TRADE),
    Event(EventKind.REJECTED, 4, side=77, reason=Reason.INVALID_COMMAND, instrument=3),
]

words = st.builds(
    Command,
    kind=st.sampled_from(CommandKind),
    order_id=st.integers(0, 2**64 - 1),
    side=st.sampled_from(Side),
    price=st.integers(-(2**63), 2**63 - 1),
    quantity=st.integers(0, 2**64 - 1),
    order_type=st.sampled_from(OrderType),
    time_in_force=st.sampled_from(TimeInForce),
    self_trade=st.sampled_from(SelfTrade),
    flags=st.sampled_from(Flag),
    account=st.integers(0, 2**32 - 1),
    instrument=st.integers(0, 2**32 - 1),
    timestamp_ns=st.integers(0, 2**64 - 1),
)


def script(text: str) -> list[Command]:
    return list(read_script("tape.csv", io.BytesIO(text.encode())))


def event_list(text: str) -> list[Event]:
    return list(read_event_list("out.csv", io.BytesIO(text.encode())))


# What is written reads back.


@given(st.lists(words, max_size=20))
def test_a_script_says_every_command_a_sender_can_mean(commands: list[Command]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tape.csv"
        assert write_script(path, commands) == len(commands)
        assert list(read_script(path)) == commands


@pytest.mark.parametrize("name", ["tape.csv", "tape.csv.gz"])
def test_a_written_script_reads_back(tmp_path: Path, name: str) -> None:
    assert write_script(tmp_path / name, COMMANDS) == len(COMMANDS)
    assert list(read_script(tmp_path / name)) == COMMANDS
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
@pytest.mark.parametrize("name", ["tape.csv", "tape.cmd", "tape.cmd.gz"])
def test_arrays_hold_the_same_commands_in_any_chunk(tmp_path: Path, name: str, chunk: int) -> None:
    if name.endswith(".csv"):
        write_script(tmp_path / name, COMMANDS)
    else:
        write_command_file(tmp_path / name, [to_command_array(COMMANDS)])
    arrays = list(iter_command_arrays(tmp_path / name, chunk))
    assert [len(array) for array in arrays[:-1]] == [chunk] * (len(arrays) - 1)
    assert [c for array in arrays for c in to_commands(array)] == COMMANDS


def test_a_stream_may_give_less_at_a_time_than_it_was_asked_for() -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 50))

    stream = Trickle(to_command_array(COMMANDS).tobytes())
    arrays = list(iter_command_arrays("tape.cmd", 3, stream))
    assert [c for array in arrays for c in to_commands(array)] == COMMANDS


def test_chunks_are_appended_in_order(tmp_path: Path) -> None:
    path = tmp_path / "tape.cmd"
    halves = [to_command_array(COMMANDS[:3]), to_command_array(COMMANDS[3:])]
    assert write_command_file(path, halves) == len(COMMANDS)
    assert path.read_bytes() == b"".join(c.pack() for c in COMMANDS)


def test_an_event_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "out.evt"
    assert write_event_file(path, [to_event_array(EVENTS[:1]), to_event_array(EVENTS[1:])]) == 4
    assert [e for array in iter_event_arrays(path, 3) for e in to_events(array)] == EVENTS


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz"])
def test_an_event_list_reads_back(tmp_path: Path, name: str) -> None:
    with EventListWriter(tmp_path / name) as writer:
        writer.write(to_event_array(EVENTS[:2]))
        writer.write(to_event_array(EVENTS[2:]))
    assert list(read_event_list(tmp_path / name)) == EVENTS


@pytest.mark.parametrize("name", ["out.evt", "out.evt.gz", "out.evt.xz"])
def test_events_written_a_chunk_at_a_time_are_one_file(tmp_path: Path, name: str) -> None:
    with EventFileWriter(tmp_path / name) as writer:
        writer.write(to_event_array(EVENTS[:3]))
        writer.write(to_event_array(EVENTS[3:]))
    arrays = list(iter_event_arrays(tmp_path / name))
    assert [e for array in arrays for e in to_events(array)] == EVENTS
    is_plain = (tmp_path / name).stat().st_size == 64 * len(EVENTS)
    assert is_plain == name.endswith(".evt")


def test_an_event_list_is_in_words(tmp_path: Path) -> None:
    with EventListWriter(tmp_path / "out.csv") as writer:
        writer.write(to_event_array(EVENTS))
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        ",".join(EVENT_LIST_COLUMNS),
        "1,accepted,10,0,ask,-5,3,3,,0,0",
        "2,trade,10,11,bid,7,3,0,,18446744073709551615,0",
        "3,cancelled,18446744073709551615,0,bid,0,1099511627775,0,self_trade,0,0",
        "4,rejected,0,0,77,0,0,0,invalid_command,0,3",
    ]


def test_the_same_commands_give_the_same_compressed_file(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_script(tmp_path / folder / "tape.csv.gz", COMMANDS)
    first, second = ((tmp_path / folder / "tape.csv.gz").read_bytes() for folder in "ab")
    assert first == second
    assert gzip.decompress(first).startswith(b"kind,order_id,")


# What a script may leave out.


def test_absent_columns_empty_cells_and_short_rows_take_the_defaults() -> None:
    assert script("kind,order_id\ncancel,7\n") == [cancel(7)]
    assert script("kind,order_id,price,quantity,side,order_type\nnew,7,3,2,,\n") == [
        new(7, Side.BID, 3, 2)
    ]
    assert script("kind,order_id,price,quantity\nmass_cancel\n") == [mass_cancel()]


def test_columns_may_stand_in_any_order() -> None:
    assert script("price,quantity,order_id,side,kind\n3,2,7,ask,new") == [new(7, Side.ASK, 3, 2)]


def test_comments_blank_lines_spaces_and_foreign_line_ends_do_no_harm() -> None:
    text = "# a tape\r\n\r\nkind , order_id\r\n# the middle\r\n cancel , 7 \r\n\r\n#\r\n"
    assert script(text) == [cancel(7)]
    assert script("\ufeffkind,order_id\ncancel,7") == [cancel(7)]


def test_a_script_of_a_header_alone_holds_no_command() -> None:
    assert script("kind\n") == []


def test_a_file_that_is_not_utf8_may_be_so_in_a_comment() -> None:
    stream = io.BytesIO(b"# caf\xe9\nkind,order_id\ncancel,7\n")
    assert list(read_script("tape.csv", stream)) == [cancel(7)]


# What is wrong is named: file, line, field, value, and what would be right.

HEADER = "kind,order_id,side,price,quantity,time_in_force,post_only,account,instrument,timestamp_ns"


@pytest.mark.parametrize(
    ("text", "line", "field", "value", "expected"),
    [
        ("", 1, "header", "", "a header line: kind,order_id"),
        ("# only a comment\n", 2, "header", "", "a header line"),
        ("new,1,bid,5,5\n", 1, "header", "new", "a column; known are kind, order_id"),
        ("kind,colour\n", 1, "header", "colour", "a column"),
        ("kind,Side\n", 1, "header", "Side", "a column"),
        ("kind,\n", 1, "header", "", "a column"),
        ("# c\nkind,side,kind\n", 2, "header", "kind", "named once"),
        ("order_id,side\n", 1, "header", "order_id,side", "with the column kind"),
        (f"{HEADER}\nbuy,1\n", 2, "kind", "buy", "one of new, cancel, replace, mass_cancel"),
        (f"{HEADER}\nNEW,1\n", 2, "kind", "NEW", "one of new"),
        (f"{HEADER}\n1,1\n", 2, "kind", "1", "one of new"),
        (f"{HEADER}\n,1\n", 2, "kind", "", "one of new"),
        (f"{HEADER}\ncancel,1\n\n#\nnew,1,buy\n", 5, "side", "buy", "one of bid, ask"),
        (f"{HEADER}\nnew,1,0\n", 2, "side", "0", "one of bid, ask"),
        (f"{HEADER}\nnew,1,bid,1,1,day\n", 2, "time_in_force", "day", "one of gtc, ioc, fok"),
        (f"{HEADER}\nnew,1,bid,1,1,gtc,yes\n", 2, "post_only", "yes", "from 0 to 1"),
        (f"{HEADER}\nnew,1,bid,1,1,gtc,2\n", 2, "post_only", "2", "from 0 to 1"),
        (f"{HEADER}\nnew,-1\n", 2, "order_id", "-1", "from 0 to 18446744073709551615"),
        (f"{HEADER}\nnew,18446744073709551616\n", 2, "order_id", "18446744073709551616", "whole"),
        (
            f"{HEADER}\nnew,1,bid,9223372036854775808\n",
            2,
            "price",
            "9223372036854775808",
            "from -9",
        ),
        (f"{HEADER}\nnew,1,bid,1.5\n", 2, "price", "1.5", "a whole number"),
        (f"{HEADER}\nnew,1,bid,1,1_000\n", 2, "quantity", "1_000", "a whole number"),
        (f"{HEADER}\nnew,1,bid,1,+5\n", 2, "quantity", "+5", "a whole number"),
        (f"{HEADER}\nnew,1,bid,1,٣\n", 2, "quantity", "٣", "a whole number"),
        (f"{HEADER}\nnew,1,bid,1,-\n", 2, "quantity", "-", "a whole number"),
        (f"{HEADER}\nnew,1,,,,,,4294967296\n", 2, "account", "4294967296", "0 to 4294967295"),
        (f"{HEADER}\nnew,1,,,,,,,4294967296\n", 2, "instrument", "4294967296", "0 to 4294967295"),
        (f"{HEADER}\nnew,1,,,,,,,,-1\n", 2, "timestamp_ns", "-1", "from 0"),
        ("kind,side\nnew,bid,5\n", 2, "", "3 cells", "a row of at most 2"),
        ('kind,side\nnew,"bid\n', 2, "", "unexpected end of data", "a row of a CSV file"),
        ("kind,side\nnew,b\0id\n", 2, "side", "b\0id", "one of bid, ask"),
        (f"kind\nnew{'w' * 10_000}\n", 2, "", "neww", f"fewer than {MAX_LINE_CHARS} characters"),
    ],
)
def test_a_script_with_a_fault_is_refused_at_its_place(
    text: str, line: int, field: str, value: str, expected: str
) -> None:
    with pytest.raises(InputFileError) as caught:
        script(text)
    error = caught.value
    assert (error.path, error.where, error.field) == ("tape.csv", f"line {line}", field)
    assert str(error.value).startswith(value)
    assert expected in error.expected
    assert str(error).startswith(f"tape.csv: line {line}: ")


def test_the_commands_before_a_fault_are_whole_and_the_faulty_one_never_appears() -> None:
    commands = read_script("tape.csv", io.BytesIO(b"kind,order_id\ncancel,1\ncancel,2\nkancel,3\n"))
    assert [next(commands), next(commands)] == [cancel(1), cancel(2)]
    with pytest.raises(InputFileError, match=r"line 4: kind: 'kancel' is not one of new"):
        next(commands)


@pytest.mark.parametrize(
    ("text", "line", "field", "expected"),
    [
        ("", 1, "header", "a header line"),
        ("sequence,kind\n1,trade\n", 1, "header", "with the column order_id"),
        (",".join(EVENT_LIST_COLUMNS) + "\n1,filled\n", 2, "kind", "one of accepted, trade"),
        (",".join(EVENT_LIST_COLUMNS) + "\n1,trade,1,2,256\n", 2, "side", "bid, ask or a whole"),
        (",".join(EVENT_LIST_COLUMNS) + "\n1,trade,1,2,bid,1,1,1,0\n", 2, "reason", "one of user"),
    ],
)
def test_an_event_list_with_a_fault_is_refused_at_its_place(
    text: str, line: int, field: str, expected: str
) -> None:
    with pytest.raises(InputFileError) as caught:
        event_list(text)
    assert (caught.value.where, caught.value.field) == (f"line {line}", field)
    assert expected in caught.value.expected


@pytest.mark.parametrize("name", ["tape.cmd", "tape.cmd.gz"])
@pytest.mark.parametrize("missing", [1, 63])
def test_a_short_last_record_is_named_by_its_offset(
    tmp_path: Path, name: str, missing: int
) -> None:
    data = to_command_array(COMMANDS).tobytes()[:-missing]
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(InputFileError) as caught:
        list(iter_command_arrays(path, 2))
    assert caught.value.where == f"offset {64 * 6}"
    assert caught.value.value == f"{64 - missing} bytes"
    assert caught.value.expected == "a whole 64-byte command"


def test_a_short_last_event_is_named_by_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "out.evt"
    path.write_bytes(to_event_array(EVENTS).tobytes() + b"x")
    with pytest.raises(InputFileError, match=r"offset 256: event: '1 bytes' is not a whole"):
        list(iter_event_arrays(path))


def test_an_empty_command_file_holds_no_command(tmp_path: Path) -> None:
    (tmp_path / "tape.cmd").write_bytes(b"")
    assert list(iter_command_arrays(tmp_path / "tape.cmd")) == []


@pytest.mark.parametrize(("pack", "name"), [(gzip.compress, "gz"), (lzma.compress, "xz")])
def test_a_damaged_compressed_file_is_one_clear_error(
    tmp_path: Path, pack: Callable[[bytes], bytes], name: str
) -> None:
    rng = np.random.default_rng(1)
    packed = bytearray(pack(rng.bytes(64 * 5000)))
    cut = tmp_path / f"cut.cmd.{name}"
    cut.write_bytes(packed[:-1000])
    with pytest.raises(InputFileError, match=r"offset \d+: .* is not readable, undamaged data"):
        list(iter_command_arrays(cut))
    packed[len(packed) // 2] ^= 0xFF
    flipped = tmp_path / f"flipped.cmd.{name}"
    flipped.write_bytes(packed)
    with pytest.raises(InputFileError, match=r"offset \d+: .* is not readable, undamaged data"):
        list(iter_command_arrays(flipped))


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"none\.cmd: open: 'No such file"):
        list(iter_command_arrays(tmp_path / "none.cmd"))
    with pytest.raises(InputFileError, match=r"open: 'Is a directory'"):
        list(read_script(tmp_path))
    with pytest.raises(InputFileError, match=r"create: 'No such file"):
        write_command_file(tmp_path / "none" / "x.cmd", [])


def test_a_file_of_another_kind_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(b"%PDF")
    with pytest.raises(InputFileError, match=r"name: '\.pdf' is not a command script"):
        list(iter_command_arrays(tmp_path / "x.pdf"))


@pytest.mark.parametrize(
    "command",
    [
        with_fields(COMMANDS[0], kind=9),
        with_fields(COMMANDS[0], side=7),
        with_fields(COMMANDS[0], flags=2),
        with_fields(COMMANDS[0], reserved=1),
        with_fields(COMMANDS[0], reserved2=1),
    ],
)
def test_what_no_word_can_say_is_not_written_as_something_else(
    tmp_path: Path, command: Command
) -> None:
    with pytest.raises(ValueError, match=r"command 0: "):
        write_script(tmp_path / "tape.csv", [command])


def test_records_of_the_wrong_type_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="records of"):
        write_command_file(tmp_path / "tape.cmd", [to_event_array(EVENTS)])


def test_the_bytes_read_are_those_of_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "tape.cmd.gz"
    write_command_file(path, [to_command_array(COMMANDS * 1000)])
    taken: list[int] = []
    with open_bytes(path, taken.append) as stream:
        arrays = list(iter_command_arrays(path, stream=stream))
    assert sum(map(len, arrays)) == 7000
    assert sum(taken) == path.stat().st_size
