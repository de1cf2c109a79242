"""LOBSTER days made by hand: the windowed rule, naive replay, and runs of executions."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from contract import InputFileError, Side
from contract.byte_source import open_bytes
from matchbook.replay import lobster
from matchbook.test_cli import run

NO_ASK, NO_BID = "9999999999,0", "-9999999999,0"


def day(
    tmp_path: Path, messages: list[str], rows: list[str] | None = None, *options: object
) -> tuple[int, str]:
    """Replay messages (times left out: one a second) against rows."""
    path, want = tmp_path / "day_message_2.csv", tmp_path / "day_orderbook_2.csv"
    path.write_text("".join(f"{34200 + n}.5,{m}\n" for n, m in enumerate(messages)))
    expect: list[object] = []
    if rows is not None:
        want.write_text("".join(f"{row}\n" for row in rows))
        expect = ["--expect", want]
    result = run("replay", path, "-e", "phase1", "--book", *expect, *options)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.stdout + result.stderr


# The windowed rule.

# Two levels a side; row 1 is the book as it was, whatever message 1 did.
WINDOW = [
    ("1,11,10,100,1", "105,5,100,30,106,5,99,20"),
    ("1,12,10,101,1", "105,5,101,10,106,5,100,30"),  # pushes 99 out
    ("4,12,4,101,1", "105,5,101,6,106,5,100,30"),
    ("3,12,6,101,1", "105,5,100,30,106,5,99,17"),  # 99 slides in, changed unseen
    ("4,7,30,100,1", "105,5,99,17,106,5,98,1"),  # an order nobody saw arrive
    ("2,8,2,105,-1", "105,3,99,17,106,5,98,1"),  # part of one nobody saw arrive
    ("5,0,100,102,1", "105,3,99,17,106,5,98,1"),  # hidden: the book stays
    ("1,13,9,90,1", "105,3,99,17,106,5,98,1"),  # behind the window
    ("3,14,9,90,1", "105,3,99,17,106,5,98,1"),
]
MESSAGES, ROWS = [m for m, _ in WINDOW], [r for _, r in WINDOW]


def test_the_window_follows_every_row(tmp_path: Path) -> None:
    status, text = day(tmp_path, MESSAGES, ROWS)
    assert status == 0
    assert f"as expected: {len(ROWS)} rows equal" in text
    assert "anomalies  0" in text


@pytest.mark.parametrize("changed", range(1, len(ROWS)))
@pytest.mark.parametrize("column", [1, 3])
def test_a_row_that_does_not_follow_is_named_with_both_books(
    tmp_path: Path, changed: int, column: int
) -> None:
    """Each row at its best levels, one after the other: a check that lets anything pass is none."""
    cells = ROWS[changed].split(",")
    cells[column] = str(int(cells[column]) + 1)
    rows = [*ROWS[:changed], ",".join(cells), *ROWS[changed + 1 :]]
    status, text = day(tmp_path, MESSAGES, rows)
    assert status == 1
    assert f"first difference: row {changed + 1}\n" in text
    assert "▶" in text


def test_a_level_that_slid_in_is_known_from_then_on(tmp_path: Path) -> None:
    rows = list(ROWS)
    rows[3] = rows[3].replace("99,17", "99,18")
    status, text = day(tmp_path, MESSAGES, rows)
    assert status == 1
    assert "first difference: row 5" in text


def test_a_level_cannot_slide_into_a_window_that_was_not_full(tmp_path: Path) -> None:
    """A side with fewer levels than the window has shown them all: there is nothing behind."""
    rows = [f"105,5,100,30,{NO_ASK},99,20", "105,5,100,30,106,1,99,20"]
    status, text = day(tmp_path, ["1,1,30,100,1", "5,0,1,100,1"], rows)
    assert status == 1
    assert "first difference: row 2" in text
    status, _ = day(tmp_path, ["1,1,30,100,1", "1,2,1,106,-1"], rows)
    assert status == 0


def test_a_message_about_an_order_that_cannot_be_is_an_anomaly(tmp_path: Path) -> None:
    rows = ["105,5,100,30,106,5,99,20"] * 2
    status, text = day(tmp_path, ["1,1,30,100,1", "3,9,1,104,-1"], rows)
    assert status == 0
    assert "1: 1 unknown order" in text
    assert "line 2: unknown order: type 3, ask 9, 1 @ 104" in text


def test_the_replay_ends_with_the_order_book_file(tmp_path: Path) -> None:
    status, text = day(tmp_path, MESSAGES, ROWS[:4])
    assert status == 0
    assert "4 rows equal (the order book file ends there)" in text


def test_rows_without_messages_are_a_difference(tmp_path: Path) -> None:
    status, text = day(tmp_path, MESSAGES[:4], ROWS)
    assert status == 1
    assert "first difference: row 5" in text
    assert "no message is left for this row" in text
    assert day(tmp_path, MESSAGES, ROWS, "--limit", 4)[0] == 0


def test_the_sample_archive_is_read_as_it_comes(tmp_path: Path) -> None:
    archive = tmp_path / "LOBSTER_SampleFile.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        messages = "".join(f"{n}.1,{m}\n" for n, m in enumerate(MESSAGES))
        file.writestr("X_message_2.csv", messages)
        file.writestr("X_orderbook_2.csv", "".join(f"{row}\n" for row in ROWS))
    result = run("replay", archive, "-e", "phase1", "--expect", archive)
    assert result.exit_code == 0, result.output
    assert f"{len(ROWS)} rows equal" in result.stdout


# Naive replay.


def test_without_rows_what_was_never_seen_is_an_anomaly(tmp_path: Path) -> None:
    messages = ["1,1,10,100,1", "3,9,5,99,1", "2,1,0,100,1", "1,2,5,100,-1", "4,1,11,100,1"]
    status, text = day(tmp_path, [*messages, *["1,1,4,98,1"] * 2])
    assert status == 0
    assert "anomalies  5: " in text
    for kind in (
        "1 no size",
        "1 unknown order",
        "1 crossed add",
        "1 more than is open",
        "1 duplicate_order_id",
    ):
        assert kind in text
    assert "1 order" in text


# Match mode.

RESTING = ["1,1,10,100,-1", "1,2,5,100,-1", "1,3,5,101,-1"]


def match(tmp_path: Path, executions: list[str]) -> str:
    path = tmp_path / "day_message_5.csv"
    lines = [f"1.5,{m}\n" for m in RESTING] + [f"{m}\n" for m in executions]
    path.write_text("".join(lines))
    result = run("replay", path, "-e", "phase1", "--mode", "match", "--book")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_executions_of_one_instant_are_one_aggressor(tmp_path: Path) -> None:
    text = match(tmp_path, ["2.0,4,1,10,100,-1", "2.0,4,2,5,100,-1", "2.0,4,3,2,101,-1"])
    assert "1 of 1 gave the same fills in the same order, 100.00%" in text
    assert "commands" not in text
    assert " 101 " in text
    assert " 100 " not in text


def test_executions_of_two_instants_or_sides_are_two(tmp_path: Path) -> None:
    text = match(tmp_path, ["2.0,4,1,10,100,-1", "2.000000001,4,2,5,100,-1"])
    assert "2 of 2 gave the same fills" in text


@pytest.mark.parametrize(
    "executions",
    [
        ["2.0,4,2,5,100,-1", "2.0,4,1,10,100,-1"],  # the wrong order first
        ["2.0,4,1,10,100,-1", "2.0,4,3,5,101,-1"],  # one left out
        ["2.0,4,9,10,100,-1"],  # an order nobody knows
    ],
)
def test_other_fills_than_the_books_are_a_miss_and_applied_as_told(
    tmp_path: Path, executions: list[str]
) -> None:
    text = match(tmp_path, executions)
    assert "0 of 1 gave the same fills" in text
    assert "line 4: fills (order, lots)" in text


def test_a_run_is_matched_inside_the_window_too(tmp_path: Path) -> None:
    path, want = tmp_path / "m.csv", tmp_path / "o.csv"
    path.write_text(
        "1.0,1,1,10,100,1\n2.0,1,2,6,105,-1\n3.0,4,8,5,105,-1\n3.0,4,9,1,105,-1\n3.0,4,2,2,105,-1\n"
    )
    rows = ["105,6,100,30", "105,12,100,30", "105,7,100,30", "105,6,100,30", "105,4,100,30"]
    want.write_text("\n".join(rows))
    result = run("replay", path, "-e", "phase1", "--mode", "match", "--expect", want)
    assert result.exit_code == 0, result.output
    assert "1 of 1 gave the same fills" in result.stdout
    assert "3 rows equal; the first gave the book; 2 inside re-enacted runs" in result.stdout
    want.write_text("\n".join([*rows[:-1], "105,5,100,30"]))
    result = run("replay", path, "-e", "phase1", "--mode", "match", "--expect", want)
    assert result.exit_code == 1


# Reading.


def test_times_are_exact_to_the_nanosecond(tmp_path: Path) -> None:
    """Published times have up to nine decimals, and some the noise of a float behind them."""
    path = tmp_path / "m.csv"
    times = ["34200.004241176", "34200", "34200.18960767", "43002.632812672004", "1.9999999996"]
    path.write_text("".join(f"{time},1,7,5,100,-1\n" for time in times))
    with open_bytes(path) as stream:
        read = list(lobster.iter_messages(stream, path))
    assert [message.timestamp_ns for message in read] == [
        34200_004241176,
        34200_000000000,
        34200_189607670,
        43002_632812672,
        2_000000000,
    ]
    assert read[0] == lobster.Message(1, 34200_004241176, 1, 7, 5, 100, Side.ASK)


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ("1.0,1,7,5,100", "", "six columns: time, type, order id, size, price, direction"),
        ("x,1,7,5,100,1", "time", "seconds after midnight"),
        ("-1.0,1,7,5,100,1", "time", "seconds after midnight"),
        ("1.0,8,7,5,100,1", "type", "1 to 7"),
        ("1.0,1,-7,5,100,1", "order id", "a whole number from 0"),
        ("1.0,1,7,5.5,100,1", "size", "a whole number"),
        ("1.0,1,7,5,1e6,1", "price", "a whole number"),
        ("1.0,1,7,5,100,0", "direction", "1 (buy) or -1 (sell)"),
    ],
)
def test_a_garbled_row_is_named(tmp_path: Path, row: str, field: str, expected: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"1.0,1,7,5,100,1\n{row}\n")
    with open_bytes(path) as stream, pytest.raises(InputFileError) as caught:
        list(lobster.iter_messages(stream, path))
    assert (caught.value.where, caught.value.field) == ("line 2", field)
    assert expected in caught.value.expected


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.csv"], "member: 'a.csv' is not an archive with one *message*.csv"),
        (["x_message_1.csv", "y_message_1.csv"], "is not an archive with one *message*.csv"),
    ],
)
def test_an_archive_of_something_else_is_named(tmp_path: Path, names: list[str], said: str) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in names:
            file.writestr(name, "1.0,1,7,5,100,1\n")
    result = run("replay", archive, "-e", "phase1")
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_damaged_archive_is_one_clear_error(tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x_message_1.csv", "".join(f"{n}.0,1,{n},5,100,1\n" for n in range(50_000)))
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 0xFF
    archive.write_bytes(data)
    result = run("replay", archive, "-e", "phase1")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "x.zip: " in result.stderr


def test_an_empty_order_book_file_is_refused(tmp_path: Path) -> None:
    status, text = day(tmp_path, MESSAGES, [])
    assert status == 2
    assert "is not a row of an order book file" in text
