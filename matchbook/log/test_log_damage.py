"""``matchbook log`` on damaged logs: each fault is named with file, offset, field and value."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.files import read_script
from contract.records import to_command_array
from matchbook.log.logs_for_tests import (
    COMMANDS,
    COUNT,
    SEGMENT_BYTES,
    copy,
    flip,
    make_event_log,
    make_log,
    offset_of,
    run,
    seen,
    segments,
    tear,
)
from phase6_wal.engine import DurableEngine
from phase6_wal.errors import LogDamagedError
from phase6_wal.names import snapshot_name
from phase6_wal.native import SLOT_BYTES, LogOptions, LogWriter, PosixStorage
from phase6_wal.snapshots import Snapshot, read_snapshot, write_snapshot

#: In the second segment, which others follow.
SLOT = 30


@pytest.fixture(name="whole", scope="module")
def whole_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in good order, for the tests to spoil copies of."""
    return make_log(tmp_path_factory.mktemp("logs") / "log", COMMANDS)


@pytest.fixture
def log(whole: Path, tmp_path: Path) -> Path:
    """A copy of one's own."""
    return copy(whole, tmp_path / "log")


def wrong_lines(log: Path, *options: str) -> list[str]:
    """What ``verify`` finds wrong; it must say so by its exit status, and change nothing."""
    before = seen(log)
    result = run("verify", log, *options)
    assert result.exit_code == 1, result.output
    assert seen(log) == before
    return [line for line in result.stdout.splitlines() if line.startswith("WRONG")]


# Segments.


@pytest.mark.parametrize("inside", [0, 4, 6, 8, 16, 60, 79])
def test_a_bit_in_a_record(log: Path, inside: int) -> None:
    """Guards: a changed command that passes, or a fault that is not told where it is."""
    name = segments(log)[1].name
    offset = offset_of(SLOT)
    flip(log / name, offset + inside)
    (line,) = wrong_lines(log)
    fault = "crc: 0x" if inside != 4 else "length: 64 is not 80"
    assert f"{log / name}: offset {offset + (inside == 4) * 4}: {fault}" in line
    assert "whole records follow, up to command 3000" in line


@pytest.mark.parametrize(
    ("offset", "field"),
    [(0, "magic"), (8, "crc"), (16, "crc"), (48, "crc"), (56, "crc"), (4_000, "crc")],
)
@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_bit_in_a_header(log: Path, which: int, offset: int, field: str) -> None:
    """Guards: a segment read under another salt, or one that is skipped without a word."""
    name = segments(log)[which].name
    flip(log / name, offset)
    lines = wrong_lines(log)
    at = 0 if field == "magic" else 8
    assert any(f"{log / name}: offset {at}: {field}: " in line for line in lines)


def test_a_record_of_zeros(log: Path) -> None:
    """Guards: a sector that never came to the disk taken for the end of the log."""
    name = segments(log)[1].name
    data = bytearray((log / name).read_bytes())
    data[offset_of(SLOT) : offset_of(SLOT + 1)] = bytes(SLOT_BYTES)
    (log / name).write_bytes(data)
    (line,) = wrong_lines(log)
    assert f"{log / name}: offset {offset_of(SLOT)}: record: '80 zeros' is not command" in line


def test_a_segment_that_is_gone(log: Path) -> None:
    """Guards: a log that is shorter by its middle."""
    infos = segments(log)
    (log / infos[1].name).unlink()
    (line,) = wrong_lines(log)
    assert f"{log / infos[2].name}: offset " in line


def test_a_segment_of_another_log(log: Path, tmp_path: Path) -> None:
    """Guards: a file put back from the wrong backup."""
    other = make_log(tmp_path / "other", COMMANDS)
    name = segments(log)[1].name
    (log / name).write_bytes((other / name).read_bytes())
    lines = wrong_lines(log)
    assert any(f"{log / name}: offset 32: log_id: 0x" in line for line in lines)


def test_a_torn_tail_is_a_note(log: Path) -> None:
    """Guards: what every crash leaves, called damage; or not mentioned at all."""
    for name in ("00000000000000003000.snap", "00000000000000002000.snap"):
        (log / name).unlink()
    last = tear(log)
    before = seen(log)
    result = run("verify", log, "--replay")
    assert result.exit_code == 0, result.output
    (note,) = [line for line in result.stdout.splitlines() if line.startswith("note ")]
    assert f"torn tail  {last.name}: offset {last.end - SLOT_BYTES}: crc: the log ends" in note
    assert "before command 3000" in note
    result = run("inspect", log)
    assert "torn tail, to be cut" in result.stdout
    assert "╳" in result.stdout
    assert "up to command 2,999" in result.stdout
    result = run("dump", log)
    assert result.exit_code == 0
    assert result.stdout.count("\n") == COUNT
    assert "a torn tail:" in result.stderr
    assert "stands at   command 2,999" in run("replay", log).stdout
    assert seen(log) == before


def test_a_hole_that_nobody_was_promised_anything_of(tmp_path: Path) -> None:
    """Guards: whole records that are given up under the name of a torn tail."""
    log = tmp_path / "log"
    options = LogOptions(segment_bytes=SEGMENT_BYTES, durability="group", prepare_thread=False)
    with PosixStorage(log) as storage, LogWriter(storage, options) as writer:
        writer.append(COMMANDS[:20].tobytes())
    flip(log / segments(log)[0].name, offset_of(10) + 20)
    result = run("verify", log)
    assert result.exit_code == 0, result.output
    (note,) = [line for line in result.stdout.splitlines() if line.startswith("note   hole")]
    assert "9 whole records, up to command 20; nothing behind it says" in note
    assert "hole, to be cut: " in run("inspect", log).stdout
    assert "a hole: " in run("dump", log).stderr


# Snapshots.


@pytest.mark.parametrize("offset", [0, 8, 16, 40, 44, 64, 70, 128, 140, 200])
def test_a_bit_in_a_snapshot(log: Path, offset: int) -> None:
    """Guards: a damaged snapshot that is first found when it is needed."""
    name = snapshot_name(2_000)
    flip(log / name, offset)
    (line,) = wrong_lines(log)
    assert line.startswith("WRONG  snapshot")
    assert f"{log / name}: offset " in line
    shown = run("inspect", log).stdout
    assert "▲ 2,000  damaged: " in shown
    assert "▲ 2,000 damaged" in shown[shown.index("├") :]
    assert f"the snapshot at {COUNT:,} and 0 commands" in shown


def rewrite(log: Path, change: Callable[[Snapshot], Snapshot]) -> Path:
    """Write the snapshot at 2,000 again, with something else in it, and all checksums right."""
    with PosixStorage(log) as storage:
        snapshot = change(read_snapshot(storage, snapshot_name(2_000)))
        (log / snapshot_name(2_000)).unlink()
        return log / write_snapshot(storage, snapshot)


def test_a_snapshot_of_another_log(log: Path) -> None:
    """Guards: a snapshot that is whole, and not of this log."""
    path = rewrite(log, lambda s: Snapshot(s.sequence, s.chain, 77, s.event_crc, s.books))
    (line,) = wrong_lines(log)
    assert f"{path}: offset 24: log_id: 0x4d is not 0x" in line


def test_a_snapshot_of_another_history(log: Path) -> None:
    """Guards: a snapshot taken from a log that was cut since, and went on otherwise."""
    path = rewrite(log, lambda s: Snapshot(s.sequence, 0x1234, s.log_id, s.event_crc, s.books))
    (line,) = wrong_lines(log)
    assert f"{path}: offset 40: chain: 0x1234 is not 0x" in line
    assert "the log's after command 2000" in line


@pytest.mark.parametrize("engine", ["phase3", "phase1"])
def test_a_snapshot_of_another_state(log: Path, engine: str) -> None:
    """Guards: a snapshot that is valid in every byte, and holds a book that never was."""
    with PosixStorage(log) as storage:
        earlier = read_snapshot(storage, snapshot_name(0))
    path = rewrite(
        log, lambda s: Snapshot(s.sequence, s.chain, s.log_id, s.event_crc, earlier.books)
    )
    assert run("verify", log).exit_code == 0  # every byte is right
    lines = wrong_lines(log, "--replay", "-e", engine)
    assert f"{path}: state hash of instrument 0: " in lines[0]


def test_a_snapshot_of_other_events(log: Path) -> None:
    """Guards: a digest that goes on from a wrong number, and is wrong for ever after."""
    path = rewrite(log, lambda s: Snapshot(s.sequence, s.chain, s.log_id, 5, s.books))
    lines = wrong_lines(log, "--replay")
    assert f"{path}: offset 44: event_crc: 0x5 is not 0x" in lines[0]


def test_a_snapshot_ahead_of_the_log(log: Path) -> None:
    """Guards: a log cut short behind a snapshot's back, which one command calls good."""
    infos = segments(log)
    for info in infos[1:]:
        (log / info.name).unlink()
    lines = wrong_lines(log)
    assert len(lines) == 2
    assert f"the log ends before it, with command {infos[0].sequence:,}" in lines[0]
    gone = f"the log ends with command {infos[0].sequence}, before the snapshot at 3000"
    assert f"cannot be recovered: {log}: {gone}" in run("inspect", log).stdout
    result = run("replay", log)
    assert result.exit_code == 2
    assert gone in result.stderr
    with pytest.raises(LogDamagedError):
        DurableEngine.open(log)
    assert run("replay", log, "--at", infos[0].sequence).exit_code == 0
    (log / infos[0].name).unlink()
    assert len(wrong_lines(log)) == 2
    assert "cannot be recovered" in run("inspect", log).stdout


def test_a_snapshot_ahead_of_a_log_that_is_written(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a snapshot that a writer has named since the segments were read, called damage."""
    module = importlib.import_module("matchbook.log.verify")  # the name is the command's as well
    monkeypatch.setattr(module, "writing_process", lambda _directory: 1)
    (log / segments(log)[-1].name).unlink()
    result = run("verify", log)
    assert result.exit_code == 0, result.output
    assert "note   snapshot" in result.stdout


def test_the_damage_is_named_and_not_the_snapshot_behind_it(log: Path) -> None:
    """Guards: a whole snapshot blamed for a hole in the segment that it stands in."""
    info = segments(log)[-1]
    flip(log / info.name, offset_of(0) + 20)
    fault = f"{log / info.name}: offset {offset_of(0)}: crc: 0x"
    result = run("replay", log)
    assert result.exit_code == 2
    assert fault in result.stderr
    assert f"cannot be recovered: {fault}" in run("inspect", log).stdout


def test_why_a_snapshot_is_passed_over(log: Path) -> None:
    """Guards: a name without a reason; an errno where a path should stand."""
    flip(log / snapshot_name(3_000), 70)
    (log / snapshot_name(4_000)).mkdir()
    result = run("replay", log)
    assert result.exit_code == 0
    assert f"passed over: {log / snapshot_name(3_000)}: offset " in result.stderr
    assert f"passed over: {log / snapshot_name(4_000)}: Is a directory" in result.stderr
    assert "stands at   command 3,000" in result.stdout


def test_a_log_without_a_snapshot(log: Path) -> None:
    """Guards: a log that no engine can begin with, and that nothing is said about."""
    for path in log.glob("*.snap"):
        path.unlink()
    result = run("verify", log)
    assert result.exit_code == 0
    assert "note   snapshots  there are none: no engine can begin with this" in result.stdout
    assert "no snapshot says from what" in run("inspect", log).stdout


# Replays.


def test_another_engine_than_the_one_that_wrote(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: marks that are read, and compared with nothing."""
    (tmp_path / "my_forgetful_engine.py").write_text(
        "import phase1_domain\n"
        "class Wrong(phase1_domain.Engine):\n"
        "    name = 'wrong'\n"
        "    def _commit(self, command, events):\n"
        "        if not (command.kind == 2 and command.order_id % 50 == 0):\n"
        "            super()._commit(command, events)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "my_forgetful_engine:Wrong"
    result = run("replay", log, "--from-genesis", "-e", name)
    assert result.exit_code == 1
    assert "not as it was: after command " in result.stdout
    assert "the log's mark has event_sequence" in result.stdout
    lines = wrong_lines(log, "--replay", "-e", name)
    assert "from the snapshot at 0: after command " in lines[0]


def test_a_replay_stops_at_damage(log: Path) -> None:
    """Guards: a hole that a replay steps over, or the state before it shown as the last."""
    flip(log / segments(log)[1].name, offset_of(SLOT) + 20)
    for options in (["--from-genesis"], ["--at", 1_500], ["--from-genesis", "-e", "phase1"]):
        result = run("replay", log, *options)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert f"offset {offset_of(SLOT)}: crc: 0x" in result.stderr
    reached = segments(log)[1].sequence
    assert run("replay", log, "--at", reached).exit_code == 0
    # The newest snapshot stands behind the hole: what is needed from here on is whole.
    assert run("replay", log).exit_code == 0
    shown = run("inspect", log).stdout
    assert "would be recovered: the snapshot at 3,000" in shown
    assert f"damage before that snapshot: {log / segments(log)[1].name}: offset " in shown


# dump, inspect.


def test_a_dump_goes_as_far_as_the_log_is_valid(log: Path, tmp_path: Path) -> None:
    """Guards: the commands before the damage withheld, or those behind it passed off as next."""
    name = segments(log)[1].name
    flip(log / name, offset_of(SLOT) + 20)
    reached = segments(log)[1].sequence
    out = tmp_path / "out.csv"
    result = run("dump", log, "--out", out)
    assert result.exit_code == 1
    assert f"{log / name}: offset {offset_of(SLOT)}: crc: 0x" in result.stderr
    wanted = COMMANDS[:reached].copy()
    assert to_command_array(read_script(out)).tobytes() == wanted.tobytes()
    assert run("dump", log, "--to", reached).exit_code == 0
    assert run("dump", log, "--to", reached + 1).exit_code == 1


def test_a_log_without_one_good_header(tmp_path: Path) -> None:
    """Guards: a traceback where nothing at all can be read."""
    log = make_event_log(tmp_path / "log", COMMANDS[:10])
    (name,) = [info.name for info in segments(log)]
    flip(log / name, 20)
    (line,) = wrong_lines(log)
    assert f"{log / name}: offset 8: crc: 0x" in line
    result = run("dump", log)
    assert result.exit_code == 1
    assert f"{log / name}: offset 8" in result.stderr
    result = run("inspect", log)
    assert result.exit_code == 0
    assert "cannot be recovered" in result.stdout
    assert f"{name} " in result.stdout


def test_inspect_shows_a_hole(log: Path) -> None:
    """Guards: a page that looks like that of a good log."""
    name = segments(log)[1].name
    flip(log / name, offset_of(SLOT) + 20)
    for snapshot in (2_000, 3_000):
        (log / snapshot_name(snapshot)).unlink()
    out = run("inspect", log).stdout
    assert f"offset {offset_of(SLOT):,}: crc" in out
    assert "╳" in out
    assert f"cannot be recovered: {log / name}: offset {offset_of(SLOT)}: crc: 0x" in out
