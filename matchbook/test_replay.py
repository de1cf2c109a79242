"""Replaying commands: events out, limits, expectations that hold and that fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contract import Command, Side, cancel, market, new, replace
from contract.batching import apply_all
from contract.files import (
    EventListWriter,
    iter_event_arrays,
    read_event_list,
    write_command_file,
    write_event_file,
    write_script,
)
from contract.records import to_command_array, to_events
from contract.reports import SMALL_DIGESTS, report_text
from contract.workload import generate
from matchbook.replay import run_commands
from matchbook.replay.expectations import BookFold
from matchbook.test_cli import run
from phase1_domain import Engine

TAPE = [
    new(1, Side.ASK, 101, 5),
    new(2, Side.ASK, 102, 5),
    new(3, Side.BID, 99, 7),
    new(4, Side.BID, 101, 3),
    replace(3, 102, 6),
    cancel(9),
    market(5, Side.BID, 1),
]
WANTED = apply_all(Engine(), to_command_array(TAPE))


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.csv"
    write_script(path, TAPE)
    return path


def replay(*args: object) -> tuple[int, str]:
    result = run("replay", "--engine", "phase1", *args)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.stdout + result.stderr


def test_commands_are_replayed_without_the_phase_that_reads_itch(tape: Path) -> None:
    """Guards a reader who has built one phase: only an ITCH file asks for another's extension."""
    program = (
        "import sys; sys.modules['phase5_protocol._protocol'] = None\n"
        "from matchbook.cli import main; main()"
    )
    for kind, status in (("commands", 0), ("itch", 2)):
        options = ["replay", "--engine", "phase1", "--format", kind, str(tape)]
        ran = subprocess.run(
            [sys.executable, "-c", program, *options], capture_output=True, text=True, check=False
        )
        assert ran.returncode == status, ran.stderr
    assert "matchbook replay of itch cannot be loaded" in ran.stderr
    assert "make setup" in ran.stderr


# What comes out.


def test_the_summary_counts_what_happened(tape: Path) -> None:
    status, text = replay(tape)
    assert status == 0
    assert "7 in " in text
    assert "5 accepted, 4 trade, 0 cancelled, 1 replaced, 1 rejected" in text
    assert "1 unknown_order" in text
    assert "0 orders" in text


@pytest.mark.parametrize("name", ["out.evt", "out.evt.gz"])
def test_events_are_written_as_records(tape: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    assert replay(tape, "--events", out)[0] == 0
    assert b"".join(a.tobytes() for a in iter_event_arrays(out)) == WANTED.tobytes()


@pytest.mark.parametrize("name", ["out.csv", "out.csv.xz"])
def test_events_are_written_as_words(tape: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    status, text = replay(tape, "--events", out)
    assert status == 0
    assert f"{len(WANTED)} events to" in text
    assert list(read_event_list(out)) == to_events(WANTED)


def test_a_command_file_gives_the_same_events_as_the_script(tape: Path, tmp_path: Path) -> None:
    records, out = tmp_path / "tape.cmd", tmp_path / "out.evt"
    write_command_file(records, [to_command_array(TAPE)])
    assert replay(records, "--events", out)[0] == 0
    assert out.read_bytes() == WANTED.tobytes()


def test_the_book_and_the_hash_are_those_of_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "tape.csv"
    write_script(path, TAPE[:3])
    engine = Engine()
    apply_all(engine, to_command_array(TAPE[:3]))
    status, text = replay(path, "--book", "--hash", "--depth", 1)
    assert status == 0
    assert engine.state_hash() in text
    assert " 101 " in text
    assert " 99 " in text
    assert " 102 " not in text
    assert "spread 2" in text


@pytest.mark.parametrize("limit", [0, 1, 6, 7, 100])
def test_limit_stops_after_so_many_commands(tape: Path, tmp_path: Path, limit: int) -> None:
    out = tmp_path / "out.evt"
    assert replay(tape, "--limit", limit, "--events", out)[0] == 0
    wanted = apply_all(Engine(), to_command_array(TAPE[:limit]))
    assert out.read_bytes() == wanted.tobytes()


def test_limit_counts_over_all_arrays() -> None:
    array = to_command_array(TAPE)
    for limit, sizes in ((None, [7, 7, 7]), (0, []), (5, [5]), (7, [7]), (16, [7, 7, 2])):
        arrays = run_commands._limited(iter([array] * 3), limit)
        assert [len(one) for one in arrays] == sizes


def test_the_limits_of_the_book_are_those_asked_for(tape: Path) -> None:
    assert "2 book_full" in replay(tape, "--capacity", 2)[1]
    assert "1 invalid_price" in replay(tape, "--min-price", 100)[1]
    assert "6 unknown_instrument" not in replay(tape)[1]
    assert "7 unknown_instrument" in replay(tape, "--instrument", 3)[1]


def test_commands_are_matched_whether_or_not_one_says_so(tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.evt"
    assert replay(tape, "--mode", "match", "--events", out)[0] == 0
    assert out.read_bytes() == WANTED.tobytes()


def test_a_sweep_wider_than_the_room_for_events_loses_none(
    tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command may cause more events than there is room for; the room then grows."""
    monkeypatch.setattr(run_commands, "_EVENT_CAPACITY", 1)
    out = tmp_path / "out.evt"
    assert replay(tape, "--events", out)[0] == 0
    assert out.read_bytes() == WANTED.tobytes()


# What should come out.


def expectation(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    if ".evt" in name:
        write_event_file(path, [WANTED])
    else:
        with EventListWriter(path) as writer:
            writer.write(WANTED)
    return path


@pytest.mark.parametrize("name", ["want.evt", "want.csv", "want.csv.gz"])
def test_events_as_expected_are_said_to_be(tape: Path, tmp_path: Path, name: str) -> None:
    status, text = replay(tape, "--expect", expectation(tmp_path, name))
    assert status == 0
    assert f"as expected: {len(WANTED)} events equal" in text


@pytest.mark.parametrize("changed", range(len(WANTED)))
def test_the_first_event_that_differs_is_named_with_both_books(
    tape: Path, tmp_path: Path, changed: int
) -> None:
    wanted = WANTED.copy()
    wanted["price"][changed] += 50
    path = tmp_path / "want.evt"
    write_event_file(path, [wanted])
    status, text = replay(tape, "--expect", path)
    assert status == 1
    assert f"first difference: event {changed + 1}\n" in text
    assert f"expected: {to_events(wanted)[changed]}" in text
    assert f"     got: {to_events(WANTED)[changed]}" in text
    assert "\n expected" in text or "expected  " in text


def test_the_two_books_are_those_right_after_the_difference(tape: Path, tmp_path: Path) -> None:
    wanted = WANTED.copy()
    wanted["quantity"][4] = 2  # the trade of order 4 with order 1: 2 instead of 3 lots
    path = tmp_path / "want.evt"
    write_event_file(path, [wanted])
    text = replay(tape, "--expect", path)[1]
    picture = text[text.index("got: ") :]
    assert "▶ask    101" in picture
    assert picture.count("▶") == 3  # ask 101: 3 against 2 left; bid 101: 1 against nothing
    assert "▶bid    101" in picture


@pytest.mark.parametrize(("kept", "where"), [(5, "event 6"), (0, "event 1")])
def test_more_events_than_expected_are_a_difference(
    tape: Path, tmp_path: Path, kept: int, where: str
) -> None:
    path = tmp_path / "want.evt"
    write_event_file(path, [WANTED[:kept]])
    status, text = replay(tape, "--expect", path)
    assert status == 1
    assert f"first difference: {where}" in text
    assert "expected: nothing more" in text


def test_fewer_events_than_expected_are_a_difference(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    write_script(path, TAPE[:-1])
    want = expectation(tmp_path, "want.evt")
    status, text = replay(path, "--expect", want)
    assert status == 1
    assert "got: nothing more" in text


def test_with_a_limit_the_rest_of_the_expected_is_left_alone(tape: Path, tmp_path: Path) -> None:
    want = expectation(tmp_path, "want.evt")
    status, text = replay(tape, "--limit", 3, "--expect", want)
    assert status == 0
    assert "as expected: 3 events equal" in text


def test_what_is_expected_of_many_chunks_is_compared_to_the_end(tmp_path: Path) -> None:
    commands = generate("normal", 35_000, 7)
    wanted = apply_all(Engine(), commands)
    path, want = tmp_path / "n.cmd", tmp_path / "want.evt"
    write_command_file(path, [commands])
    write_event_file(want, [wanted])
    assert f"{len(wanted):,} events equal" in replay(path, "--expect", want)[1]
    wanted["leaves"][-1] ^= 1
    write_event_file(want, [wanted])
    status, text = replay(path, "--expect", want)
    assert status == 1
    assert f"first difference: event {len(wanted)}\n" in text


# Report text and its digest.


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.txt"
    assert run("generate", "normal", path, "--orders", 5000, "--seed", 7).exit_code == 0
    return path


def test_the_benchmarks_text_gives_the_published_digest(small: Path) -> None:
    digest = SMALL_DIGESTS["normal", 7]
    status, text = replay(small, "--expect", digest)
    assert status == 0
    assert f"SHA-256 of the report text is {digest}" in text


def test_another_digest_is_a_difference(small: Path) -> None:
    status, text = replay(small, "--expect", "0" * 64)
    assert status == 1
    assert f"expected: {'0' * 64}" in text
    assert f"got: {SMALL_DIGESTS['normal', 7]}" in text


def test_a_report_text_is_compared_line_by_line(small: Path, tmp_path: Path) -> None:
    commands = generate("normal", 5000, 7)
    lines = report_text(commands, apply_all(Engine(), commands)).decode().splitlines()
    want = tmp_path / "want.txt"
    want.write_text("\n".join(lines))
    status, text = replay(small, "--expect", want)
    assert status == 0
    assert f"{len(lines):,} report lines equal" in text
    for place, line, said in (
        (len(lines) - 1, "0,1,0,1,1,1", f"report line {len(lines)}"),
        (4000, lines[4000].replace(",", ",9", 1), "report line 4001"),
        (0, "1,0,1,1,1,1", "report line 1"),
    ):
        want.write_text("\n".join([*lines[:place], line, *lines[place + 1 :]]))
        status, text = replay(small, "--expect", want)
        assert status == 1
        assert f"first difference: {said}\n" in text
        assert f"expected: {line}" in text
        assert f"     got: {lines[place]}" in text
    want.write_text("\n".join([*lines, "4,99999,1"]))
    assert "got: nothing more" in replay(small, "--expect", want)[1]
    want.write_text("\n".join(lines[:-1]))
    assert "expected: nothing more" in replay(small, "--expect", want)[1]


def test_what_a_script_expects_may_be_a_report_too(tmp_path: Path) -> None:
    path = tmp_path / "n.cmd"
    assert run("generate", "normal", path, "--orders", 5000, "--seed", 7).exit_code == 0
    assert replay(path, "--expect", SMALL_DIGESTS["normal", 7])[0] == 0


def test_a_book_is_the_fold_of_its_events_and_of_its_reports() -> None:
    """Also where a modification trades, which is reported after its trades."""
    crossing = [
        new(10**6, Side.ASK, 40_000, 5),
        new(10**6 + 1, Side.BID, 1, 9),
        replace(10**6 + 1, 40_000, 10**6),
        cancel(10**6 + 7),
    ]
    commands = np.concatenate([generate("normal", 2000, 7)[:3000], to_command_array(crossing)])
    engine = Engine()
    events = apply_all(engine, commands)
    levels = tuple([level[:2] for level in side] for side in engine.depth(10**6))
    by_events, by_reports = BookFold(), BookFold()
    for event in to_events(events):
        by_events.take_event(event)
    by_reports.take_reports(report_text(commands, events).decode().splitlines())
    assert by_events.levels() == levels
    assert by_reports.levels() == levels
    assert levels[Side.BID][0][0] == 40_000


# What makes no sense is refused, not ignored.


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mode", "rebuild"], "--mode rebuild (commands are always matched): of no use"),
        (["--stock", "AAPL"], "--stock: of no use for a file in format commands"),
        (["--rows", __file__], "--rows: of no use"),
        (["--capacity", 0], "capacity 0 is not in 1"),
        (["--min-price", 5, "--max-price", 4], "min_price 5 and max_price 4"),
        (["--events", "out.json"], "should end in .evt (records) or .csv (words)"),
        (["--expect", "none.evt"], "none.evt: open: 'No such file or directory'"),
        (["--expect", __file__], "neither an event list (.csv), an event file (.evt)"),
        (["--expect", "abc"], "abc: open: 'No such file"),
        (["--events", "no/such/directory/out.evt"], "create: 'No such file or directory'"),
        (["--engine", "phase0"], "engine 'phase0' is unknown; did you mean"),
    ],
)
def test_an_option_of_no_use_is_refused(tape: Path, options: list[object], said: str) -> None:
    status, text = replay(tape, *options)
    assert status == 2
    assert said in text


# Garbage.


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.cmd", b"\0" * 65, "offset 64: command: '1 bytes' is not a whole 64-byte command"),
        ("x.csv", b"", "line 1: header"),
        ("x.csv", b"\xff\xfe\x00garbage", "line 1: header"),
        ("x.csv", b"kind,order_id\nnew,18446744073709551616\n", "line 2: order_id"),
        ("x.txt", b"N,1,B,5,5\nN,2,X,5,5\n", "line 2: side: 'X' is not B or S"),
        ("x.txt", b"N,1,B,5,5\nM,1\n", "line 2: side: '' is not B or S"),
        ("x.bin", b"\x00\x01\x02", "not recognised as any known format"),
        ("x", b"", "not recognised as any known format"),
        ("x.csv.gz", b"\x1f\x8b\x08\x00garbage", "undamaged data"),
        ("x.zip", b"PK\x03\x04garbage", "not a zip file"),
    ],
)
def test_garbage_is_one_clear_error(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    status, text = replay(path)
    assert status == 2
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    assert said in text


def test_a_format_can_be_named_where_a_file_does_not_tell(tape: Path, tmp_path: Path) -> None:
    path = tmp_path / "tape.dat"
    path.write_bytes(b"# a tape without a telling name\n" + tape.read_bytes())
    assert replay(path)[0] == 0
    assert replay(path, "--format", "commands")[0] == 0
    assert "line 1: type: '# a tape" in replay(path, "--format", "benchmark")[1]


def test_commands_with_any_bytes_are_rejected_and_never_lost(tmp_path: Path) -> None:
    """A record from outside may hold any bytes; each is one command and one rejection."""
    wild = [Command(kind, order_id=1, side=200, quantity=5, price=5) for kind in range(256)]
    path, out = tmp_path / "wild.cmd", tmp_path / "out.csv"
    write_command_file(path, [to_command_array(wild)])
    assert "256 in " in replay(path, "--events", out)[1]
    assert len(list(read_event_list(out))) == 256
