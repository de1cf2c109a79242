"""ITCH files against order book files, and ITCH files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from matchbook.replay import itch
from matchbook.test_cli import run
from matchbook.test_replay_itch import TWO_STOCKS, add, executed, framed, message

# What is expected.


def expect(
    tmp_path: Path, rows: str, indexes: str | None = None, day: list[bytes] | None = None
) -> tuple[int, str]:
    path, want, places = tmp_path / "day.itch50", tmp_path / "book.csv", tmp_path / "rows.txt"
    default = [message("S", b"O"), add(1, "B", 10, 99), add(2, "S", 5, 101), executed(1, 4)]
    path.write_bytes(framed(day or default))
    want.write_text(rows)
    options: list[object] = ["--expect", want]
    if indexes is not None:
        places.write_text(indexes)
        options += ["--rows", places]
    result = run("replay", path, "-e", "phase1", *options)
    return result.exit_code, result.stdout + result.stderr


EMPTY_ASK, EMPTY_BID = "9999999999,0", "-9999999999,0"
ROWS = f"{EMPTY_ASK},99,10\n101,5,99,10\n101,5,99,6\n"


def test_rows_are_compared_after_the_messages_they_follow(tmp_path: Path) -> None:
    status, text = expect(tmp_path, ROWS, "1\n2\n3\n")
    assert (status, "as expected: all 3 rows equal" in text) == (0, True)
    status, text = expect(tmp_path, "101,5,99,6\n", "3\n")
    assert (status, "as expected: all 1 rows equal" in text) == (0, True)


def test_without_an_index_there_is_a_row_for_each_message_of_the_book(tmp_path: Path) -> None:
    status, text = expect(tmp_path, ROWS)
    assert (status, "as expected: all 3 rows equal" in text) == (0, True)


@pytest.mark.parametrize(
    ("rows", "indexes", "where"),
    [
        (ROWS.replace("99,6", "99,7"), "1\n2\n3\n", "row 3, after message 3"),
        (ROWS, "1\n1\n3\n", "row 2, after message 1"),
        (ROWS + "101,5,99,6\n", "1\n2\n3\n3\n", ""),
        (ROWS + "101,5,99,6\n", "1\n2\n3\n4\n", "row 4"),
        (ROWS + "101,5,99,6\n", None, "row 4"),
        (ROWS.replace("101,5,99,6", "101,5,98,6"), None, "row 3, after message 3"),
        (f"{EMPTY_ASK},99,10,{EMPTY_ASK},98,1\n", "1\n", "row 1, after message 1"),
    ],
)
def test_the_first_row_that_differs_is_named_with_both_books(
    tmp_path: Path, rows: str, indexes: str | None, where: str
) -> None:
    status, text = expect(tmp_path, rows, indexes)
    assert status == (1 if where else 0)
    if where:
        assert f"first difference: {where}\n" in text
        assert "expected" in text[text.index("first difference") :]
        assert "▶" in text or "no message is left" in text


def test_an_order_book_is_compared_with_one_stock_only(tmp_path: Path) -> None:
    status, text = expect(tmp_path, f"{EMPTY_ASK},99,10\n", "2\n", day=TWO_STOCKS)
    assert status == 2
    assert "choose it with --stock" in text


# Garbage.


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (b"\x00", "offset 38: '1 bytes' is not a whole message"),
        (b"\x00\x24A123", "offset 38: '6 bytes' is not a whole message"),
        (b"\x00\x0cZ" + bytes(11), "offset 38: message type: b'Z' is not one of ABCDEFHIJKLNO"),
        (b"\x00\x0dS" + bytes(12), "offset 38: length of a message S: 13 is not 12"),
        (framed([add(1, "X", 1, 1)]), "offset 38: side: 'X' is not B or S"),
        (bytes(100), "offset 40: 'more data' is not the end of the file"),
        (b"\xff\xff" + bytes(70_000), "offset 38: message type: b'\\x00'"),
    ],
)
def test_garbage_is_one_clear_error_at_its_offset(tmp_path: Path, tail: bytes, said: str) -> None:
    path = tmp_path / "day.itch50"
    path.write_bytes(framed([add(1, "B", 10, 99)]) + tail)
    result = run("replay", path, "-e", "phase1")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


def test_a_session_may_end_with_length_0_or_just_end(tmp_path: Path) -> None:
    path = tmp_path / "day.itch50"
    for end in (b"", b"\0\0"):
        path.write_bytes(framed([add(1, "B", 10, 99)]) + end)
        assert run("replay", path, "-e", "phase1").exit_code == 0


def test_an_empty_day_has_no_book(tmp_path: Path) -> None:
    path = tmp_path / "day.itch50"
    path.write_bytes(b"")
    result = run("replay", path, "-e", "phase1", "--book", "--hash")
    assert result.exit_code == 0
    assert "0 orders in 0 books" in result.stdout


@pytest.mark.parametrize(
    ("rows", "indexes", "said"),
    [
        ("1,2,3\n", None, "number of columns: 3 is not a multiple of 4"),
        (ROWS + "1,2,3,4,5,6,7,8\n", None, "line 4: number of columns: 8 is not 4"),
        ("101,5,99,six\n", None, "bid size 1: 'six' is not a whole number"),
        (ROWS, "1\ntwo\n", "line 2: index: 'two' is not the index of a message, 1 or more"),
        (ROWS, "1\n0\n", "line 2: index: '0' is not the index of a message, 1 or more"),
    ],
)
def test_a_garbled_expectation_is_one_clear_error(
    tmp_path: Path, rows: str, indexes: str | None, said: str
) -> None:
    status, text = expect(tmp_path, rows, indexes)
    assert status == 2
    assert said in text


def test_messages_are_cut_the_same_wherever_the_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "day.itch50"
    path.write_bytes(framed(TWO_STOCKS))
    with path.open("rb") as stream:
        whole = list(itch.iter_rows(stream, path))
    for size in (1, 2, 3, 37, 100):
        monkeypatch.setattr(itch, "_BLOCK_BYTES", size)
        with path.open("rb") as stream:
            assert list(itch.iter_rows(stream, path)) == whole
    assert [row for _, _, row in whole] == [itch.row_of(one) for one in TWO_STOCKS]
