"""Suite ``wal``: what lost a command, or changed one, is never measured; what is told is so.

That a quick run writes a complete receipt, and that its tables can be made, is in test_bench.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from contract.file_system import file_system
from contract.native import NativeEngine
from contract.records import RecordArray
from contract.streams import Stream, shape_stream
from contract.workload import generate
from matchbook.bench import instructions, wal_appends, wal_recovery
from matchbook.bench.interleave import Contestant, WrongAnswerError
from matchbook.bench.trial import Reference, Session, SkippedError, find_reference
from matchbook.bench.wal_appends import WAYS, AppendTrial, FrameTrial, options
from matchbook.bench.wal_engine import ALONE, BATCHES, MODES, LoggedTrial, engine_maker
from matchbook.bench.wal_journals import (
    BATCHES as JOURNAL_BATCHES,
)
from matchbook.bench.wal_journals import (
    JournalTrial,
    missing,
    numbered,
    segment_for,
    slug,
)
from matchbook.bench.wal_latency import SIZES, TIMES, median_run, run_load
from matchbook.bench.wal_recovery import AppliedTrial, InCTrial, ReplayTrial, recover, write_log
from matchbook.bench.wal_tables import JOURNAL_WORDS, MODE_WORDS, WAY_WORDS
from matchbook.cli import main
from matchbook.engines import load_engine
from phase3_sorted import Engine
from phase6_wal.bench import FRAMES
from phase6_wal.contenders import CONTENDERS
from phase6_wal.native import HEADER_BYTES, SLOT_BYTES, LogOptions

COMMANDS = 300
QUICK = Session({"phase3": load_engine("phase3")}, rounds=1, quick=True)


@pytest.fixture(scope="module")
def commands() -> RecordArray:
    """A few commands, numbered as a log does it."""
    return numbered(generate("normal", COMMANDS)[:COMMANDS])


@pytest.fixture(scope="module")
def stream(commands: RecordArray) -> Stream:
    """The same as a stream that starts with an empty book."""
    limits = shape_stream("A", 10)
    return Stream("normal", commands[:0], commands, 0, limits.max_price, limits.capacity)


@pytest.fixture(scope="module")
def reference(stream: Stream) -> Reference:
    """The events of that stream."""
    return find_reference(Engine, stream)


# --- the engine -----------------------------------------------------------------------------------


class Liar(Engine):
    """Phase 3 but for one lot in one event."""

    def apply_batch(self, commands: Any, events: Any) -> Any:
        result = super().apply_batch(commands, events)
        events["quantity"][0] += 1
        return result


@pytest.mark.parametrize("name", MODES)
def test_every_mode_gives_the_events_of_the_engine_alone(
    name: str, stream: Stream, reference: Reference, tmp_path: Path
) -> None:
    """Guards: a mode that is fast because it does not apply, or does not acknowledge."""
    made = MODES[name].options(COMMANDS, quick=True)
    trial = LoggedTrial(name, Engine, stream, reference, 64, made, tmp_path, 0)
    outcome = trial.run()
    assert (outcome.commands, outcome.answer) == (COMMANDS, reference.answer)
    assert len(trial.waits) == 1
    assert list(tmp_path.iterdir()) == [], "what is measured is taken away again"


def test_an_engine_that_lies_is_not_measured(
    stream: Stream, reference: Reference, tmp_path: Path
) -> None:
    """Guards: a comparison with an engine alone that does something else."""
    trial = LoggedTrial(ALONE, Liar, stream, reference, 0, None, tmp_path, 0)
    with pytest.raises(WrongAnswerError, match=ALONE):
        trial.run()


def test_commands_that_nobody_acknowledges_are_not_measured(
    stream: Stream, reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a group that is never flushed, timed as if it were durable."""
    made = MODES["group"].options(COMMANDS, quick=True)
    trial = LoggedTrial("group", Engine, stream, reference, 64, made, tmp_path, 0)
    monkeypatch.setattr("phase6_wal.engine.DurableEngine.flush", lambda self: None)
    with pytest.raises(WrongAnswerError, match="0 of 300 acknowledged"):
        trial.run()


def test_a_small_segment_is_left_behind_and_a_large_one_is_not() -> None:
    """Guards: ``page_cache`` that makes segments while timed; ``segments`` that makes none."""
    whole = MODES["page_cache"].options(COMMANDS, quick=True)
    assert whole["segment_bytes"] >= HEADER_BYTES + COMMANDS * SLOT_BYTES
    small = MODES["segments"].options(10_000, quick=True)
    assert small["segment_bytes"] < 10_000 * SLOT_BYTES / 4
    for records in (1, 50, 51, 1_000_000):
        assert segment_for(records) % HEADER_BYTES == 0
        assert segment_for(records) >= HEADER_BYTES + records * SLOT_BYTES


# --- the log beside others ------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["lost", "changed", "twice"])
def test_a_journal_that_holds_something_else_is_not_measured(
    change: str, commands: RecordArray, tmp_path: Path
) -> None:
    """Guards: numbers of a journal that is fast because it is wrong."""
    contender = next(each for each in CONTENDERS if each.name == "file written")
    honest = JournalTrial("honest", contender, commands, 64, tmp_path)
    assert honest.run().commands == COMMANDS
    wrong: dict[str, Callable[[RecordArray], bytes]] = {
        "lost": lambda part: part[:-1].tobytes(),
        "changed": lambda part: part.tobytes()[:-1] + b"\x01",
        "twice": lambda part: part.tobytes() * 2,
    }
    liar = replace(contender, prepare=wrong[change])
    with pytest.raises(WrongAnswerError, match="liar"):
        JournalTrial("liar", liar, commands, 64, tmp_path).run()


def test_every_contender_has_its_words() -> None:
    """Guards: a row of a table that is called after a path in a file."""
    assert set(JOURNAL_WORDS) == {slug(each.name) for each in CONTENDERS}
    assert set(MODE_WORDS) == {ALONE, *MODES}
    assert set(WAY_WORDS) == {*FRAMES, *WAYS}
    assert set(missing()) == {slug(each.name) for each in CONTENDERS if not each.is_available}
    assert set(JOURNAL_BATCHES) == set(wal_appends.SYNCED)
    assert set(BATCHES) >= {0, 64, 1024}


# --- an append taken apart ------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_an_append_writes_the_log_that_it_says(
    way: str, commands: RecordArray, tmp_path: Path
) -> None:
    """Guards: two rows of a table that measure the same."""
    made = options(way, COMMANDS)
    trial = AppendTrial(way, made, WAYS[way][1], commands, tmp_path)
    assert trial.run().commands == COMMANDS
    others = [(options(name, COMMANDS), WAYS[name][1]) for name in WAYS if name != way]
    assert (made, WAYS[way][1]) not in others


def test_a_log_of_other_commands_is_no_time(
    commands: RecordArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a loop that appends the first command again and again."""
    trial = AppendTrial("mapped", options("mapped", COMMANDS), 64, commands, tmp_path)
    other = commands[::-1].tobytes()
    monkeypatch.setattr(wal_appends, "read_log", lambda _: other)
    with pytest.raises(WrongAnswerError, match="mapped"):
        trial.run()


def test_a_record_without_a_checksum_is_told_from_one_with(
    commands: RecordArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a price of checksums that were not made."""
    for name in FRAMES:
        assert FrameTrial(name, commands).run().commands == COMMANDS
    monkeypatch.setattr("phase6_wal.bench.frame", lambda *_: 0)
    with pytest.raises(WrongAnswerError, match="checked"):
        FrameTrial("checked", commands).run()


def test_instructions_are_the_difference_of_two_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A made-up tool: 7,000,000 to start, 123 a record."""

    def count(_: object, way: str, records: int, *__: object) -> str:
        return f"==7== I   refs:      {7_000_000 + 123 * records:,}\n"

    monkeypatch.setattr(wal_appends, "run_child", count)
    monkeypatch.setattr(instructions, "build_extensions", lambda: (None, "none"))
    monkeypatch.setattr(shutil, "which", lambda _: "valgrind")
    found = wal_appends.count_instructions(replace(QUICK, quick=False), tmp_path)
    assert set(found["instructions"]["ways"].values()) == {123}
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert wal_appends.count_instructions(replace(QUICK, quick=False), tmp_path) == {}


@pytest.mark.parametrize("way", ["sealed", "mapped"])
def test_the_process_that_is_counted_appends_what_it_is_told_to(way: str, tmp_path: Path) -> None:
    """Guards: a child that fails, or appends less, and is counted all the same."""
    wal_appends.run_child([], way, 500, tmp_path, None)
    assert list(tmp_path.iterdir()) == []


# --- latency, recovery ----------------------------------------------------------------------------


def test_an_open_loop_is_verified(
    commands: RecordArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: percentiles of a log that nobody has read again."""
    found = run_load(QUICK, tmp_path, commands, 100_000, LogOptions(durability="sync"))
    assert found["samples"] == 200
    assert found["flushes"] > 0
    assert found["p50"] <= found["p99"] <= found["max"]
    monkeypatch.setattr("matchbook.bench.wal_latency.read_log", lambda _: b"")
    with pytest.raises(WrongAnswerError, match="sync"):
        run_load(QUICK, tmp_path, commands, 100_000, LogOptions(durability="sync"))


def test_a_percentile_is_the_median_of_runs_and_the_longest_is_of_all() -> None:
    """Guards: one pause of the machine that becomes everybody's tail, or nobody's."""
    runs = [
        {"p50": n, "p99": 2 * n, "p99_9": 3 * n, "max": 4 * n, "latest_ns": n}
        | {"samples": 10, "elapsed_ns": 5, "flushes": 1}
        for n in (10, 1000, 20)
    ]
    found = median_run(runs)
    assert (found["p50"], found["p99_9"], found["max"], found["runs"]) == (20, 60, 4000, 3)
    assert (found["samples"], found["flushes"]) == (30, 3)
    assert list(SIZES) == sorted(SIZES)
    assert list(TIMES) == sorted(TIMES)


def test_every_replay_comes_to_the_engine_that_was(
    stream: Stream, reference: Reference, tmp_path: Path
) -> None:
    """Guards: a rate of commands that were read and not applied."""
    state = write_log(tmp_path, Engine, stream, stream.measured)
    trials: list[Contestant] = [
        AppliedTrial("applied", Engine, stream, reference.room),
        InCTrial("in_c", Engine, tmp_path, stream),
        ReplayTrial("replay", Engine, tmp_path),
    ]
    for trial in trials:
        outcome = trial.run()
        assert (trial.name, outcome.commands, outcome.answer) == (trial.name, COMMANDS, state)


def test_an_engine_that_is_not_as_it_was_is_no_recovery(stream: Stream, tmp_path: Path) -> None:
    """Guards: a recovery that is quick because it finds little."""
    state = write_log(tmp_path, Engine, stream, stream.measured, 100)
    _, replayed = recover(QUICK, tmp_path, state)
    assert 0 <= replayed <= 200, "from a snapshot, not from the first command"
    with pytest.raises(WrongAnswerError, match="not as it was"):
        recover(QUICK, tmp_path, "0" * 32)


def test_snapshots_are_taken_of_books_of_that_size(tmp_path: Path) -> None:
    """Guards: a pause of an empty book."""
    found = wal_recovery.measure_pauses(QUICK, tmp_path)
    assert found["orders"] == [100, 1_000]
    for key in ("pause_ns", "longest_ns", "whole_ns"):
        assert {how: len(values) for how, values in found[key].items()} == {"fork": 2, "copy": 2}
    copied = found["whole_ns"]["copy"]
    assert all(np.array(copied) >= np.array(found["pause_ns"]["copy"]))


def test_the_file_system_is_named_and_no_path(tmp_path: Path) -> None:
    """Guards: a receipt that does not say what kind of disk it is about, or says where it was."""
    name = file_system(tmp_path)
    assert name
    assert "/" not in name
    if Path("/proc/self/mounts").is_file():
        assert file_system(Path("/proc/self")) == "proc"


def test_files_lie_where_they_are_wanted_and_are_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a measurement of another disk than the one that was named; files left on it."""
    seen: list[Path] = []

    def look(_: Session, folder: Path, __: int) -> None:
        seen.append(folder)
        (folder / "left over").touch()
        raise SkippedError("seen enough")

    monkeypatch.setattr("matchbook.bench.wal_engine.measure_engine", look)
    disk = tmp_path / "disk"
    arguments = ["bench", "wal", "--quick", "--engine", "phase3", "--directory", str(disk)]
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "seen enough" in result.stderr
    assert [folder.parent for folder in seen] == [disk]
    assert list(disk.iterdir()) == []


def test_the_logged_engine_is_one_in_c() -> None:
    """Guards: a reader's engine in Python under the name that is logged."""
    assert issubclass(engine_maker(QUICK), NativeEngine)
