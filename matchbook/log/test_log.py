"""``matchbook log`` on logs in good order: what it shows, replays and writes is what was logged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from contract.files import iter_event_arrays, read_event_list
from contract.records import empty_events, to_event_array
from matchbook.cli import main
from matchbook.log.logs_for_tests import (
    COMMANDS,
    COUNT,
    alone,
    copy,
    make_log,
    run,
    seen,
    segments,
)
from matchbook.log.look import writing_process
from phase3_sorted import Engine as SortedEngine
from phase6_wal.native import LogOptions, LogWriter, PosixStorage

# Help, and what is no log.


def test_the_help_names_all_four() -> None:
    """Guards: a sub-command that nobody finds, or that cannot be loaded."""
    result = run("--help")
    assert result.exit_code == 0
    assert "\n  log " in CliRunner().invoke(main, ["--help"]).stdout
    for name in ("dump", "inspect", "replay", "verify"):
        assert f"\n  {name} " in result.stdout
        assert run(name, "--help").exit_code == 0


@pytest.mark.parametrize("command", ["dump", "inspect", "replay", "verify"])
def test_a_directory_without_a_log_is_an_error(command: str, tmp_path: Path) -> None:
    """Guards: an empty answer, or a traceback, for a directory mistyped; or one that is made."""
    (tmp_path / "notes.txt").write_text("no log")
    result = run(command, tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path}: no log: there is neither a segment" in result.stderr
    assert run(command, tmp_path / "nowhere").exit_code == 2
    assert not (tmp_path / "nowhere").exists()
    assert run(command, tmp_path / "notes.txt").exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect",),
        ("verify",),
        ("verify", "--replay"),
        ("replay", "--book"),
        ("replay", "--at", "7"),
        ("dump",),
    ],
)
def test_nothing_is_ever_changed(arguments: tuple[str, ...], log: Path) -> None:
    """Guards: a look at a log that cuts it, locks it, or leaves a file behind."""
    before = seen(log)
    result = run(arguments[0], log, *arguments[1:])
    assert result.exit_code == 0, result.output
    assert seen(log) == before


# inspect.


def test_inspect_shows_what_there_is(log: Path) -> None:
    """Guards: a count, a snapshot or a segment that is left out or wrong."""
    infos = segments(log)
    assert len(infos) > 2
    result = run("inspect", log)
    assert result.exit_code == 0, result.output
    out = result.stdout
    assert f"{len(infos)} segments, 3 snapshots" in out
    assert f"{COUNT:,}, 1 to {COUNT:,}" in out
    assert f"id {infos[0].log_id:016x}" in out
    assert sum(info.marks for info in infos) > 0
    assert f"marks        {sum(info.marks for info in infos)}" in out
    assert f"chain        {infos[-1].chain:08x} at the end" in out
    for info in infos:
        row = [f"{info.number}", f"{info.first_sequence:,}", f"{info.sequence:,}"]
        row += [f"{info.records:,}", f"{info.marks}", "64.0", "KiB", "page-cache"]
        assert any(line.split()[: len(row)] == row for line in out.splitlines())
    for sequence in (0, 2_000, COUNT):
        assert f"▲ {sequence:,}  1 book" in out
    assert f"the snapshot at {COUNT:,} and 0 commands after it, up to command {COUNT:,}" in out
    assert "\x1b" not in out


def test_inspect_of_an_empty_log(empty_log: Path) -> None:
    """Guards: an arithmetic of first and last where there is neither."""
    result = run("inspect", empty_log)
    assert result.exit_code == 0, result.output
    assert "0 marks" not in result.stdout
    assert "┤ empty" in result.stdout
    assert "the snapshot at 0 and 0 commands after it, up to command 0" in result.stdout


def test_inspect_of_events(event_log: Path) -> None:
    """Guards: events called commands, or an engine recovered from them."""
    count = len(alone(COMMANDS)[2])
    result = run("inspect", event_log)
    assert result.exit_code == 0, result.output
    assert "log of       events" in result.stdout
    assert f"can be gone on with behind event {count:,}" in result.stdout


def test_inspect_says_who_writes(log: Path, tmp_path: Path) -> None:
    """Guards: a log at work taken for one that is damaged; a closed one called busy."""
    directory = copy(log, tmp_path / "log")
    assert writing_process(directory) == 0
    assert "written by" not in run("inspect", directory).stdout
    with PosixStorage(tmp_path / "new") as storage, LogWriter(storage, LogOptions()):
        assert "written by   process" in run("inspect", tmp_path / "new").stdout
        assert writing_process(tmp_path / "new") > 0


def test_a_long_log_is_shown_in_part(tmp_path: Path) -> None:
    """Guards: a thousand lines for a thousand segments; or no way to get them."""
    with PosixStorage(tmp_path) as storage:
        options = LogOptions(segment_bytes=8192, prepare_thread=False)
        with LogWriter(storage, options) as writer:
            writer.append(COMMANDS.tobytes())
    count = len(segments(tmp_path))
    assert count > 40
    part = run("inspect", tmp_path).stdout
    assert f"{count - 16} more: --all lists them" in part
    assert f"… {count - 12} more segments" in part
    whole = run("inspect", tmp_path, "--all").stdout
    assert "more: --all" not in whole
    assert len(whole.splitlines()) > len(part.splitlines()) + count - 20


# verify.


def test_verify_of_a_good_log(log: Path, event_log: Path, empty_log: Path) -> None:
    """Guards: a good log called damaged."""
    result = run("verify", log)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert all(line.startswith("good ") for line in lines)
    assert [line.split()[1] for line in lines] == ["segments", *["snapshot"] * 3]
    assert f"{COUNT:,} commands (1 to {COUNT:,})" in lines[0]
    for other in (event_log, empty_log):
        result = run("verify", other)
        assert result.exit_code == 0, result.output
        assert "WRONG" not in result.stdout


@pytest.mark.parametrize("engine", ["phase3", "phase1", "phase4"])
def test_verify_replays_on_any_engine(log: Path, engine: str) -> None:
    """Guards: marks that only the engine that wrote them comes to; replays that check none."""
    result = run("verify", log, "--replay", "-e", engine)
    assert result.exit_code == 0, result.output
    marks = sum(info.marks for info in segments(log))
    line = result.stdout.splitlines()[-1]
    assert line.startswith("good   replay")
    assert f"{COUNT:,} commands" in line
    assert f"{marks} marks and 2 snapshots on the way" in line


# replay.


@pytest.mark.parametrize("at", [0, 1, 7, 999, 1_000, 1_001, 2_000, 2_500, 3_000])
def test_time_travel(log: Path, at: int) -> None:
    """Guards: one command too many or too few, from whatever snapshot."""
    state, digest, _events = alone(COMMANDS[:at])
    for way in ("--snapshot", "--from-genesis"):
        result = run("replay", log, "--at", at, "--hash", way)
        assert result.exit_code == 0, result.output
        assert f"stands at      command {at:,}" in result.stdout
        assert state in result.stdout
        assert f"{digest:08x}, CRC-32C" in result.stdout
    assert "begun with     empty books" in result.stdout


@pytest.mark.parametrize("engine", ["phase1", "phase2", "phase3py", "phase4"])
def test_a_replay_on_any_engine(log: Path, engine: str, tmp_path: Path) -> None:
    """Guards: an engine that is not driven by its address, and gets other commands, or no marks."""
    state, digest, events = alone(COMMANDS)
    out = tmp_path / "out.evt"
    result = run("replay", log, "--from-genesis", "--hash", "-e", engine, "--events", out)
    assert result.exit_code == 0, result.output
    assert state in result.stdout
    assert f"{digest:08x}" in result.stdout
    assert "checked: state and events as they were" in result.stdout
    assert out.read_bytes() == events.tobytes()


def test_the_events_of_a_replay(log: Path, tmp_path: Path) -> None:
    """Guards: events that are left out, or those of before the snapshot among them."""
    _state, _digest, events = alone(COMMANDS)
    for name, read in (
        ("out.evt", lambda path: np.concatenate(list(iter_event_arrays(path)))),
        ("out.csv", lambda path: to_event_array(read_event_list(path))),
    ):
        out = tmp_path / name
        result = run("replay", log, "--from-genesis", "--events", out)
        assert result.exit_code == 0, result.output
        assert f"{len(events):,} events to {out}" in result.stdout
        assert read(out).tobytes() == events.tobytes()
    out = tmp_path / "late.evt"
    assert run("replay", log, "--at", 2_100, "--events", out).exit_code == 0
    late = alone(COMMANDS[:2_100])[2][len(alone(COMMANDS[:2_000])[2]) :]
    assert out.read_bytes() == late.tobytes()
    assert run("replay", log, "--events", tmp_path / "out.txt").exit_code == 2


@pytest.mark.parametrize("at", [500, 2_500])
def test_the_book_is_drawn(log: Path, at: int) -> None:
    """Guards: a drawing of another moment's book."""
    result = run("replay", log, "--at", at, "--book", "--depth", 3)
    assert f"instrument 0 after command {at:,}" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    drawn = [(row[0], int(row[1])) for row in rows if row and row[0] in ("ask", "bid")]
    with SortedEngine() as engine:
        engine.apply_batch(COMMANDS[:at], empty_events(3 * at))
        bids, asks = engine.depth(3)
    assert drawn == [
        *(("ask", level.price) for level in reversed(asks)),
        *(("bid", level.price) for level in bids),
    ]


@pytest.mark.parametrize("engine", ["phase3", "phase1"])
def test_several_books(tmp_path: Path, engine: str) -> None:
    """Guards: a command in another instrument's book; a hash over the books in another order."""
    commands = COMMANDS[:1_500].copy()
    commands["instrument"] = np.arange(len(commands)) // 7 % 3
    commands["instrument"][100] = 99  # of no book
    log = make_log(tmp_path / "log", commands, books=3)
    result = run("replay", log, "--from-genesis", "--hash", "-e", engine, "--book")
    assert result.exit_code == 0, result.output
    assert "3 checked: state and events as they were" in result.stdout
    assert "in 3 books" in result.stdout
    assert result.stdout.count("state hash, ") == 3
    assert result.stdout.count("after command 1,500") == 3


def test_at_beyond_the_end(log: Path) -> None:
    """Guards: the last state shown as that of a command that never was."""
    for engine in ("phase3", "phase1"):
        result = run("replay", log, "--at", COUNT + 1, "-e", engine)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert f"command {COUNT + 1} is asked for, but the log ends with {COUNT}" in result.stderr


def test_an_unknown_engine(log: Path) -> None:
    """Guards: a log that is read for minutes before a slip of the pen is noticed."""
    for command in ("replay", "verify"):
        result = run(command, log, "--engine", "phase33")
        assert result.exit_code == 2
        assert "did you mean 'phase3'?" in result.stderr


def test_events_are_not_replayed(event_log: Path) -> None:
    """Guards: events read as commands, of which an engine would reject most and accept some."""
    for arguments in (("replay", event_log), ("verify", event_log, "--replay")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "this is a log of events" in result.stderr


def test_a_replay_of_an_empty_log(empty_log: Path) -> None:
    """Guards: no commands taken for an error."""
    result = run("replay", empty_log, "--hash", "--book")
    assert result.exit_code == 0, result.output
    assert alone(COMMANDS[:0])[0] in result.stdout
    assert "(the book is empty)" in result.stdout


# A log whose beginning has been let go of.


def test_a_trimmed_log(tmp_path: Path) -> None:
    """Guards: a log without its first segments called damaged, or replayed from where it is not."""
    directory = make_log(tmp_path / "log", COMMANDS, trim=True, keep=1)
    first = segments(directory)[0].first_sequence
    assert first > 1
    result = run("verify", directory, "--replay")
    assert result.exit_code == 0, result.output
    assert f"({first:,} to {COUNT:,})" in result.stdout
    state, digest, _events = alone(COMMANDS)
    result = run("replay", directory, "--hash")
    assert state in result.stdout
    assert f"{digest:08x}" in result.stdout
    for options in (["--from-genesis"], ["--at", 5]):
        result = run("replay", directory, *options)
        assert result.exit_code == 2
        assert f"the log begins with command {first}: there is no way on from" in result.stderr
    result = run("dump", directory, "--from", first - 1)
    assert result.exit_code == 2
    assert f"the log begins with command {first}" in result.stderr
    result = run("dump", directory)
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1 + COUNT + 1 - first
    assert "before the first segment: ▲ 0" in run("inspect", directory).stdout
