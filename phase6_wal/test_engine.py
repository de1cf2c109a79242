"""The durable engine: several books, whose log it is, a full disk, a failing one, its marks."""

from __future__ import annotations

import errno
import gc
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from contract import Side, cancel, mass_cancel, new
from contract.batching import apply_all
from contract.errors import ConfigurationError, EngineClosedError, SnapshotError
from contract.messages import EventKind, Reason
from contract.records import RecordArray, empty_events, to_command_array, to_events
from contract.workload import generate
from phase1_domain import Engine as Specification
from phase3_sorted import Engine as SortedEngine
from phase6_wal.engine import DurableEngine
from phase6_wal.errors import (
    LogError,
    LogFailedError,
    LogFullError,
    LogInUseError,
    LogNotOpenedError,
)
from phase6_wal.native import PosixStorage, crc32c
from phase6_wal.native_sim import SimStorage
from phase6_wal.reader import LogReader
from phase6_wal.snapshots import snapshot_names

SMALL: Final[dict[str, Any]] = {"segment_bytes": 64 << 10, "mark_every": 500}
BID, ASK = Side.BID, Side.ASK


def book(instrument: int = 0) -> SortedEngine:
    return SortedEngine(instrument=instrument, capacity=1 << 13)


def simulated(**options: Any) -> dict[str, Any]:
    """Options under which every call of a run on a simulated disk comes in the same order."""
    return {**SMALL, "prepare_thread": False, "seed": 3, "log_id": 7, **options}


@pytest.fixture(scope="module")
def commands() -> RecordArray:
    return generate("normal", orders=3_000, seed=5)


def mixed(commands: RecordArray, instruments: list[int]) -> RecordArray:
    """The same commands, each of another book; a few of none."""
    spread = commands.copy()
    spread["instrument"] = [instruments[int(n) % len(instruments)] for n in commands["order_id"]]
    spread["instrument"][::97] = 1234
    return spread


# Several books.


def test_several_books_behind_one_log(tmp_path: Path, commands: RecordArray) -> None:
    """Guards against commands that reach another book after a recovery, or in another order."""
    numbers = [9, 0, 4]
    sent = mixed(commands, numbers)
    options = {**SMALL, "snapshot_every": 1_700}
    with DurableEngine.create(tmp_path, [book(n) for n in numbers], **options) as engine:
        events = apply_all(engine, sent)
        hashes = {n: engine.book(n).state_hash() for n in numbers}
        event_crc = engine.event_crc
        assert [each.instrument for each in engine.books] == [0, 4, 9]
        with pytest.raises(ValueError, match="3 books: ask book"):
            engine.best_bid()
        with pytest.raises(KeyError):
            engine.book(5)
    assert event_crc == crc32c(events.tobytes())
    unknown = events[events["reason"] == Reason.UNKNOWN_INSTRUMENT]
    assert len(unknown) == len(sent[::97])
    for number in numbers:
        with Specification(instrument=number, capacity=1 << 13) as oracle:
            mine = (sent["instrument"] == number) | ((sent["instrument"] == 1234) & (number == 0))
            apply_all(oracle, sent[mine])
            assert oracle.state_hash() == hashes[number]
    with DurableEngine.open(tmp_path, SortedEngine, **options) as again:
        assert {n: again.book(n).state_hash() for n in numbers} == hashes
        assert again.event_crc == event_crc
        assert again.recovery is not None
        assert again.recovery.marks_checked
        assert again.recovery.sequence == again.sequence == len(sent)


def test_books_that_cannot_be_behind_a_log(tmp_path: Path) -> None:
    """Guards against a log that could not give back what its books began with."""
    used = book()
    used.apply(new(1, BID, 100, 5))
    for engines, complaint in (
        ([], "without a single book"),
        ([book(2), book(2)], "2 books of instrument 2"),
        ([used], "instrument 0 is not as it was made"),
        ([Specification()], "no engine in C"),
    ):
        with pytest.raises((ConfigurationError, SnapshotError), match=complaint):
            DurableEngine.create(tmp_path / "a", engines)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="snapshot_every -1"):
        DurableEngine.create(tmp_path / "b", [book()], snapshot_every=-1)
    with pytest.raises(ConfigurationError, match="durability 'fast'"):
        DurableEngine.create(tmp_path / "c", [book()], durability="fast")
    assert not (tmp_path / "c").exists()


# Whose log it is.


def test_a_log_is_begun_once_and_has_one_owner(tmp_path: Path) -> None:
    """Guards against a log overwritten by a new one, and against two that append to it."""
    with DurableEngine.create(tmp_path, [book()], **SMALL) as engine:
        engine.apply(new(1, BID, 100, 5))
        with pytest.raises(LogInUseError):
            DurableEngine.open(tmp_path)
    with pytest.raises(LogError, match="there is a log already"):
        DurableEngine.create(tmp_path, [book()], **SMALL)
    with pytest.raises(LogError, match="no valid snapshot"):
        DurableEngine.open(tmp_path / "nothing")
    with DurableEngine.open(tmp_path, **SMALL) as engine:
        assert engine.order(1) is not None


def test_a_directory_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards against a bare error of the system's, which no handler of a log's errors catches."""
    monkeypatch.chdir(tmp_path)
    for directory in (tmp_path / "logs", Path("logs")):  # a path is told as it was given
        (directory / "lock").mkdir(parents=True)
        file = directory / "file"
        file.touch()
        cases = [(directory, "lock", errno.EISDIR, directory / "lock")]
        cases += [(file, "open", errno.EEXIST, file)]
        cases += [(file / "below", "open", errno.ENOTDIR, file / "below")]
        for where, call, error, path in cases:
            for begin in (lambda at: DurableEngine.create(at, [book()]), DurableEngine.open):
                with pytest.raises(LogNotOpenedError) as failed:
                    begin(where)
                assert (failed.value.call, failed.value.error) == (call, error)
                reason = f"{call} failed: {os.strerror(error)}; no log was opened or begun"
                assert str(failed.value) == f"{path}: {reason}"
        shutil.rmtree(directory)


def test_a_log_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards against the same where the lock or a file's name may not be touched."""
    with DurableEngine.create(tmp_path, [book()], **SMALL) as engine:
        engine.apply(new(1, BID, 100, 5))

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / "lock"))

    with monkeypatch.context() as patched:
        patched.setattr("phase6_wal.native_storage.os.open", refuse)
        with pytest.raises(LogNotOpenedError, match=f"{tmp_path / 'lock'}: .*Permission denied"):
            DurableEngine.open(tmp_path)
        with PosixStorage(tmp_path) as disk, pytest.raises(LogNotOpenedError, match="lock failed"):
            DurableEngine.open(disk)
    with DurableEngine.open(tmp_path, **SMALL) as engine:
        assert engine.sequence == 1


def test_a_forgotten_engine_leaves_its_log_to_the_next(tmp_path: Path) -> None:
    """Guards against a lock, a thread or a file that only close() would give back."""
    engine = DurableEngine.create(tmp_path, [book()], **SMALL)
    engine.apply(new(1, BID, 100, 5))
    del engine
    gc.collect()
    with DurableEngine.open(tmp_path, **SMALL) as engine:
        assert engine.best_bid() == (100, 5, 1)


def test_a_closed_engine(tmp_path: Path) -> None:
    """Guards against commands that go nowhere."""
    engine = DurableEngine.create(tmp_path, [book()], **SMALL)
    engine.close()
    engine.close()
    with pytest.raises(EngineClosedError):
        engine.apply(new(1, BID, 100, 5))


def test_a_crash_before_the_first_segment(tmp_path: Path) -> None:
    """Guards against a log that cannot be opened because nothing was ever in it."""
    DurableEngine.create(tmp_path, [book(3)], **SMALL).close()
    for path in [*tmp_path.glob("*.log"), *tmp_path.glob("*.spare")]:
        path.unlink()
    with DurableEngine.open(tmp_path, **SMALL) as engine:
        assert (engine.sequence, engine.instrument, engine.capacity) == (0, 3, 1 << 13)
        engine.apply(new(1, BID, 100, 5, instrument=3))
    with DurableEngine.open(tmp_path, **SMALL) as engine:
        assert engine.sequence == 1


# How far it has got.


def test_what_each_durability_acknowledges() -> None:
    """Guards against a mode that claims more than it gives: group acknowledges after its flush."""
    for durability in ("none", "page-cache", "group", "sync"):
        disk = SimStorage(1)
        options = simulated(durability=durability, group_count=10, group_s=3600.0)
        with DurableEngine.create(disk, [book()], **options) as engine:
            for n in range(1, 10):
                engine.apply(new(n, BID, 100, 5))
                assert engine.acknowledged == (0 if durability == "group" else n)
                assert engine.durable == (n if durability == "sync" else 0)
            assert not engine.poll()
            engine.apply(new(10, BID, 100, 5))
            assert engine.acknowledged == 10
            assert engine.durable == (10 if durability in ("group", "sync") else 0)
            engine.apply(new(11, BID, 100, 5))
            engine.flush()
            assert engine.acknowledged == engine.durable == 11


def test_a_full_disk_rejects_orders_and_takes_cancels(commands: RecordArray) -> None:
    """Guards against a full disk that stops everything, or that lets a command in unlogged."""
    disk = SimStorage(1, capacity_bytes=512 << 10)
    with DurableEngine.create(disk, [book()], **simulated()) as engine:
        for n in range(3):
            engine.apply(new(10**9 + n, BID, 1, 7))
        events = empty_events(1 << 14)
        done = 0
        with suppress(LogFullError):
            while done < len(commands):
                done += engine.apply_batch(commands[done : done + 512], events).consumed
        assert done < len(commands)
        assert engine.sequence == done + 3
        state = engine.state_hash()
        with pytest.raises(LogFullError):
            engine.apply(new(10**9 + 3, BID, 1, 7))
        assert engine.state_hash() == state
        [event] = engine.apply(cancel(10**9))
        assert event.kind == EventKind.CANCELLED
        assert engine.sequence == engine.acknowledged == done + 4
        assert {each.kind for each in engine.apply(mass_cancel())} == {EventKind.CANCELLED}
        assert len(engine) == 0
        disk.set_capacity(1 << 30)
        engine.apply(new(10**9 + 3, BID, 1, 7))
        sequence, event_crc = engine.sequence, engine.event_crc
    with DurableEngine.open(disk, **simulated()) as again:
        assert (again.sequence, again.event_crc, len(again)) == (sequence, event_crc, 1)


@pytest.mark.parametrize("durability", ["group", "sync"])
def test_after_a_failed_sync_nothing_is_acknowledged(
    commands: RecordArray, durability: str
) -> None:
    """Guards against events told although their command may be gone: sync is never tried again."""
    disk = SimStorage(2)
    options = simulated(durability=durability, group_count=50)
    engine = DurableEngine.create(disk, [book()], **options)
    apply_all(engine, commands[:100])
    engine.flush()
    told = engine.acknowledged
    assert told == 100
    disk.fail("sync", 1, errno.EIO)
    for _ in range(2):
        with pytest.raises(LogFailedError, match="sync failed"):
            apply_all(engine, commands[100:200])
        assert engine.acknowledged == told
    with pytest.raises(LogFailedError):
        engine.flush()
    with pytest.raises(LogFailedError):
        engine.close()
    disk.power_cut()
    disk.power_on()
    with DurableEngine.open(disk, **simulated()) as again, book() as oracle:
        assert again.sequence >= told
        apply_all(oracle, commands[: again.sequence])
        assert again.state_hash() == oracle.state_hash()


# Restoring an image.


def test_restoring_begins_the_history_anew(tmp_path: Path, commands: RecordArray) -> None:
    """Guards against a recovery that goes back behind a restore, and replays another past."""
    with book() as other:
        apply_all(other, commands[:800])
        image = other.snapshot()
        with DurableEngine.create(tmp_path, [book()], snapshot_every=300, **SMALL) as engine:
            apply_all(engine, commands[800:1900])
            before = engine.state_hash()
            for wrong in (image[:-1], image[:40], b""):
                with pytest.raises(SnapshotError):
                    engine.restore(wrong)
            assert engine.state_hash() == before
            engine.restore(image)
            assert engine.snapshot() == image
            sequence = engine.sequence
        with DurableEngine.open(tmp_path, **SMALL) as engine:
            assert engine.snapshot() == image
            assert engine.recovery is not None
            assert engine.recovery.snapshot_sequence == sequence == 1100
            events = apply_all(engine, commands[800:])
            assert events.tobytes() == apply_all(other, commands[800:]).tobytes()
        with DurableEngine.open(tmp_path, **SMALL) as engine, PosixStorage(tmp_path) as storage:
            assert engine.snapshot() == other.snapshot()
            assert len(snapshot_names(storage)) == 1


# Marks.


def test_marks_cost_no_more_than_their_share(tmp_path: Path) -> None:
    """Guards against a deep book that is hashed every few commands: O(orders) for each."""
    many = to_command_array([new(n, BID, 100, 5) for n in range(1, 2001)])
    few = to_command_array([cancel(1)] * 2000)
    with DurableEngine.create(tmp_path, [book()], segment_bytes=64 << 10, mark_every=100) as engine:
        apply_all(engine, many)
        apply_all(engine, few)
        engine.mark()
    with PosixStorage(tmp_path) as storage:
        marks = [mark for _, batch in LogReader(storage, "commands").batches() for _, mark in batch]
    assert [mark.sequence for mark in marks] == [4000]
    assert marks[0].orders == 1999
    assert marks[0].event_sequence == 4000
    with book() as oracle:
        events = np.concatenate([apply_all(oracle, many), apply_all(oracle, few)])
        assert marks[0].state_hash.hex() == oracle.state_hash()
    assert marks[0].event_crc == crc32c(events.tobytes())
    assert to_events(events[:1])[0].order_id == 1
