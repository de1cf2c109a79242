"""Replay: to the end, to any command, from any snapshot; and what it does not let pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from contract.batching import apply_all
from contract.native import NativeEngine
from contract.records import RecordArray
from contract.workload import generate
from phase1_domain import Engine as Specification
from phase3_sorted import Engine as SortedEngine
from phase6_wal.engine import DurableEngine
from phase6_wal.errors import LogCutShortError, LogDamagedError, LogError, ReplayDivergedError
from phase6_wal.names import segment_name, snapshot_name
from phase6_wal.native import HEADER_BYTES, SLOT_BYTES, LogMark, PosixStorage, crc32c
from phase6_wal.native_book import DrivenBooks
from phase6_wal.reader import LogReader
from phase6_wal.replay import Replayed, State, replay, state_of
from phase6_wal.snapshots import read_snapshot, snapshot_names, write_snapshot

CAPACITY: Final = 1 << 13
OPTIONS: Final[dict[str, Any]] = {"segment_bytes": 64 << 10, "mark_every": 500}


def book(**limits: Any) -> SortedEngine:
    return SortedEngine(**{"capacity": CAPACITY, **limits})


@pytest.fixture(scope="module")
def commands() -> RecordArray:
    return generate("normal", orders=4_000, seed=6)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, commands: RecordArray) -> Path:
    """A log of 8,012 commands in ten segments, with a snapshot after each 2,000."""
    directory = tmp_path_factory.mktemp("log")
    with DurableEngine.create(directory, [book()], keep=9, **OPTIONS) as engine:
        for start in range(0, len(commands), 2000):
            if start:
                engine.take_snapshot()
            apply_all(engine, commands[start : start + 2000])
    return directory


@pytest.fixture
def storage(log: Path) -> PosixStorage:
    return PosixStorage(log)


def state(replayed: Replayed) -> str:
    [engine] = replayed.engines
    found = engine.state_hash()
    engine.check()
    engine.close()
    return found


def test_to_any_command(storage: PosixStorage, commands: RecordArray) -> None:
    """Guards against a time machine that is off by one, at a snapshot, a mark, a segment's end."""
    slots = ((64 << 10) - HEADER_BYTES) // SLOT_BYTES
    places = [0, 1, 499, 500, 501, slots - 1, slots, slots + 1, 1999, 2000, 2001, 4444, 6000]
    with Specification(capacity=CAPACITY) as oracle:
        done, crc = 0, 0
        for to in [*places, len(commands)]:
            crc = crc32c(apply_all(oracle, commands[done:to]).tobytes(), crc)
            done = to
            for genesis in (False, True):
                found = replay(storage, book, to=to, genesis=genesis)
                assert (found.sequence, found.end) == (to, len(commands))
                assert found.start == (0 if genesis else to // 2000 * 2000)
                assert found.commands == to - found.start
                assert found.event_crc == crc
                assert state(found) == oracle.state_hash()


def test_beyond_the_end(storage: PosixStorage, commands: RecordArray) -> None:
    """Guards against the last state taken for one that the log does not reach."""
    with pytest.raises(LogError, match=f"command {len(commands) + 1} .* ends with {len(commands)}"):
        replay(storage, book, to=len(commands) + 1)


def test_events_and_progress(storage: PosixStorage, commands: RecordArray) -> None:
    """Guards against events that a replay leaves out, repeats or renumbers."""
    events: list[bytes] = []
    reached: list[int] = []
    found = replay(
        storage,
        book,
        genesis=True,
        progress=reached.append,
        events=lambda array: events.append(array.tobytes()),
    )
    with book() as oracle:
        assert b"".join(events) == apply_all(oracle, commands).tobytes()
        assert state(found) == oracle.state_hash()
    assert reached == sorted(reached)
    assert reached[-1] == len(commands)
    assert found.marks_checked > 5


class Forgetful(SortedEngine):
    """Has less room than the engine that wrote the log: one of its orders is refused."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**{**limits, "capacity": 12})


def test_another_engine_is_found_out(storage: PosixStorage) -> None:
    """Guards against marks that are read and not compared."""
    with pytest.raises(ReplayDivergedError, match=r"mark has (event_sequence|orders|event_crc)"):
        replay(storage, Forgetful, genesis=True)
    found = replay(storage, Forgetful, genesis=True, check=False)
    assert found.marks_checked == 0
    state(found)


@pytest.mark.parametrize("field", State._fields)
def test_each_field_of_a_mark_is_compared(
    tmp_path: Path, commands: RecordArray, field: str
) -> None:
    """Guards against a field that is written down, and never looked at again."""
    with DurableEngine.create(tmp_path, [book()], **OPTIONS) as engine:
        apply_all(engine, commands[:100])
        engine.mark()
        apply_all(engine, commands[100:120])
        right = state_of(engine.books, engine.event_crc)
        wrong = right._asdict()
        wrong[field] = bytes(16) if field == "state_hash" else wrong[field] ^ 1
        engine.log.append_mark(LogMark(**wrong))
    with pytest.raises(ReplayDivergedError) as caught:
        DurableEngine.open(tmp_path, book)
    assert (caught.value.sequence, caught.value.field) == (120, field)
    with PosixStorage(tmp_path) as storage:
        found = replay(storage, book, to=100)
        assert found.marks_checked == 1
        state(found)


def test_the_loop_in_c_gives_the_same(log: Path, storage: PosixStorage) -> None:
    """Guards against a fast replay that is only fast."""
    slow = replay(storage, book, genesis=True)
    with book() as engine:
        books = DrivenBooks([engine])
        marks = 0
        for info in LogReader(storage, "commands").segments():
            data = memoryview((log / info.name).read_bytes())
            done, end = HEADER_BYTES, HEADER_BYTES + info.records * SLOT_BYTES
            while done < end:
                done += books.replay_slots(data[done:end]) * SLOT_BYTES
                if done < end:
                    marks += 1
                    done += SLOT_BYTES
        assert (books.sequence, books.event_crc) == (slow.sequence, slow.event_crc)
        assert marks == slow.marks_checked
        assert engine.state_hash() == state(slow)
        books.close()


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path, commands: RecordArray) -> None:
    """Guards against a recovery that stands or falls with the newest snapshot."""
    with DurableEngine.create(tmp_path, [book()], keep=3, **OPTIONS) as engine:
        for part in np.array_split(commands[:3000], 3):
            apply_all(engine, part)
            engine.take_snapshot()
        right = engine.snapshot()
    for sequence in (3000, 2000):
        path = tmp_path / snapshot_name(sequence)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    with DurableEngine.open(tmp_path, book, **OPTIONS) as engine:
        assert engine.recovery is not None
        assert engine.recovery.snapshot_sequence == 1000
        assert engine.snapshot() == right
        engine.take_snapshot()
    with PosixStorage(tmp_path) as storage:
        assert snapshot_name(2000) not in snapshot_names(storage)


def test_a_log_that_ends_before_its_snapshot_is_damaged(
    tmp_path: Path, commands: RecordArray
) -> None:
    """Guards against synced commands that go missing and leave no trace but a later snapshot."""
    with DurableEngine.create(tmp_path, [book()], **OPTIONS) as engine:
        apply_all(engine, commands[:300])
        engine.take_snapshot()
        apply_all(engine, commands[300:600])
        engine.take_snapshot()
    path = tmp_path / segment_name(1)
    data = path.read_bytes()
    end = HEADER_BYTES + 400 * SLOT_BYTES
    path.write_bytes(data[:end] + bytes(len(data) - end))
    with pytest.raises(LogCutShortError) as short:
        DurableEngine.open(tmp_path, book, **OPTIONS)
    assert (short.value.end, short.value.snapshot) == (400, 600)
    told = f"{tmp_path}: the log ends with command 400, before the snapshot at 600: "
    assert str(short.value).startswith(told)
    assert f"its end: {segment_name(1)}: offset {end}; it takes accept_loss" in str(short.value)
    path.write_bytes(data[:end] + b"\1" + bytes(len(data) - end - 1))  # a torn tail, as well
    with pytest.raises(LogCutShortError, match=f"command 400, .*: offset {end}: length; it takes"):
        DurableEngine.open(tmp_path, book, **OPTIONS)
    with DurableEngine.open(tmp_path, book, accept_loss=True, **OPTIONS) as engine:
        assert engine.sequence == 400
        with book() as oracle:
            apply_all(oracle, commands[:400])
            assert engine.state_hash() == oracle.state_hash()
        apply_all(engine, commands[400:900])
    with DurableEngine.open(tmp_path, book, **OPTIONS) as engine:
        assert engine.sequence == 900


@pytest.mark.parametrize("durability", ["page-cache", "group"])
def test_the_damage_is_named_and_not_the_snapshot_behind_it(
    tmp_path: Path, commands: RecordArray, durability: str
) -> None:
    """Guards against a whole snapshot blamed for a hole in the segment that it stands in."""
    options = {**OPTIONS, "durability": durability}
    with DurableEngine.create(tmp_path, [book()], **options) as engine:
        apply_all(engine, commands[:1000])
        engine.take_snapshot()
        apply_all(engine, commands[1000:1100])
        infos = LogReader(engine.log.storage, "commands").segments()
    [path] = [tmp_path / info.name for info in infos if info.first_sequence <= 900 <= info.sequence]
    data = bytearray(path.read_bytes())
    offset = HEADER_BYTES + 30 * SLOT_BYTES
    data[offset + 20] ^= 1
    path.write_bytes(data)
    for _ in range(2):  # nothing was changed
        with pytest.raises(LogDamagedError) as damaged:
            DurableEngine.open(tmp_path, book, **options)
        where = (damaged.value.path, damaged.value.where, damaged.value.field)
        assert where == (str(path), f"offset {offset}", "crc")
    with PosixStorage(tmp_path) as storage, pytest.raises(LogDamagedError, match=path.name):
        replay(storage, book)


def test_a_snapshot_of_another_history(tmp_path: Path, commands: RecordArray) -> None:
    """Guards against a log blamed that is whole, and reaches behind a snapshot that is not its."""
    with DurableEngine.create(tmp_path, [book()], **OPTIONS) as engine:
        apply_all(engine, commands[:300])
        engine.take_snapshot()
        apply_all(engine, commands[300:600])
    name = snapshot_name(300)
    with PosixStorage(tmp_path) as storage:
        snapshot = read_snapshot(storage, name)
        storage.remove(name)
        write_snapshot(storage, replace(snapshot, chain=snapshot.chain ^ 1))
    with pytest.raises(LogDamagedError) as damaged:
        DurableEngine.open(tmp_path, book, **OPTIONS)
    assert (damaged.value.path, damaged.value.field) == (str(tmp_path / name), "chain")
    assert damaged.value.expected == f"{snapshot.chain:#x}"


def test_no_snapshot_at_all(tmp_path: Path, commands: RecordArray) -> None:
    """Guards against books made up with limits that nobody gave."""
    with DurableEngine.create(tmp_path, [book()], **OPTIONS) as engine:
        apply_all(engine, commands[:10])
    (tmp_path / snapshot_name(0)).unlink()
    with PosixStorage(tmp_path) as storage, pytest.raises(LogError, match="no valid snapshot"):
        replay(storage, book)


def test_a_maker_that_fails_leaves_nothing_open(storage: PosixStorage) -> None:
    """Guards against books that nobody closes when a later one cannot be made."""
    made: list[NativeEngine] = []

    def maker(**limits: Any) -> NativeEngine:
        made.append(SortedEngine(**limits))
        return made[-1]

    with pytest.raises(LogError):
        replay(storage, maker, to=10**9)
    assert made[0]._book is None
