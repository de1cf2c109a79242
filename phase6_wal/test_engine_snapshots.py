"""Snapshots where they meet marks, restored images, a trimmed log, and a disk that fails."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any, Final

import pytest

from contract import Side, cancel, new
from contract.batching import apply_all
from contract.errors import EngineClosedError
from contract.records import RecordArray, to_command_array
from phase3_sorted import Engine as SortedEngine
from phase6_wal.engine import DurableEngine
from phase6_wal.errors import LogInUseError, SnapshotFailedError
from phase6_wal.native_sim import SimStorage
from phase6_wal.snapshots import snapshot_names

OPTIONS: Final[dict[str, Any]] = {
    "segment_bytes": 8192,
    "prepare_thread": False,
    "seed": 3,
    "log_id": 7,
}
#: Records in a segment of that size.
SLOTS: Final = (8192 - 4096) // 80


def book() -> SortedEngine:
    return SortedEngine(capacity=1 << 12)


def nothing(count: int) -> RecordArray:
    """Commands of which no order rests, so that no mark is left out for its price."""
    return to_command_array([cancel(1)] * count)


def cut_off(engine: DurableEngine, disk: SimStorage) -> None:
    """The machine's end, and another beginning."""
    disk.power_cut()
    with suppress(Exception):
        engine.close()
    disk.power_on()


@pytest.mark.parametrize("durability", ["page-cache", "group", "sync"])
@pytest.mark.parametrize("every", [10, SLOTS])
def test_a_snapshot_where_a_mark_is_due_too(durability: str, every: int) -> None:
    """Guards against a snapshot that stands behind a mark, which a crash takes from the log."""
    disk = SimStorage(1)
    options = {**OPTIONS, "durability": durability, "group_count": every, "mark_every": every}
    engine = DurableEngine.create(disk, [book()], snapshot_every=every, **options)
    for _ in range(4):
        apply_all(engine, nothing(every))
        engine.poll()
    sequence, durable = engine.sequence, engine.durable
    named = snapshot_names(disk)
    cut_off(engine, disk)
    if durability != "page-cache" or every == SLOTS:
        assert len(named) > 1
    with DurableEngine.open(disk, **options) as again:
        assert durable <= again.sequence <= sequence
        assert again.recovery is not None


@pytest.mark.parametrize("count", [0, 20])
def test_restoring_where_a_mark_is(count: int) -> None:
    """Guards against a replay that holds the restored book against a mark of the one before."""
    disk = SimStorage(1)
    with book() as other:
        other.apply(new(77, Side.BID, 100, 5))
        image = other.snapshot()
    with DurableEngine.create(disk, [book()], **OPTIONS) as engine:
        apply_all(engine, nothing(count))
        engine.mark()
        engine.restore(image)
    with DurableEngine.open(disk, **OPTIONS) as again:
        assert again.sequence == count
        assert again.snapshot() == image
        apply_all(again, nothing(1))
        again.mark()
    with DurableEngine.open(disk, **OPTIONS) as again:
        assert again.best_bid() == (100, 5, 1)
        assert again.recovery is not None
        assert again.recovery.marks_checked == 1


def test_a_snapshot_of_nothing_behind_a_mark() -> None:
    """Guards against a first snapshot that is not taken for the log's because of a mark."""
    disk = SimStorage(1)
    with DurableEngine.create(disk, [book()], **OPTIONS) as engine:
        engine.mark()
        engine.take_snapshot()
    with DurableEngine.open(disk, **OPTIONS) as again:
        assert again.sequence == 0


def test_a_trimmed_log_goes_on_from_its_snapshots() -> None:
    """Guards against letting go of the place where a snapshot stands: a mark that follows it there
    is the last record of its segment."""
    disk = SimStorage(1)
    options = {**OPTIONS, "durability": "sync", "mark_every": SLOTS - 1, "trim": True, "keep": 1}
    with DurableEngine.create(disk, [book()], snapshot_every=SLOTS - 1, **options) as engine:
        apply_all(engine, nothing(SLOTS - 1))
        apply_all(engine, nothing(1))
        engine.poll()
        assert len(snapshot_names(disk)) == 2
    with DurableEngine.open(disk, **options) as again:
        assert again.sequence == SLOTS


@pytest.mark.parametrize("kind", ["create", "write", "sync", "rename", "directory_sync", "remove"])
def test_a_disk_that_fails_while_an_image_is_restored(kind: str) -> None:
    """Guards against a book in memory that is another than the one that a recovery gives."""
    with book() as other:
        other.apply(new(77, Side.ASK, 200, 9))
        image = other.snapshot()
    disk = SimStorage(1)
    engine = DurableEngine.create(disk, [book()], **OPTIONS)
    engine.apply(new(1, Side.BID, 100, 5))
    engine.flush()
    disk.fail(kind, 1, errno.EIO)
    with pytest.raises(SnapshotFailedError, match=kind):
        engine.restore(image)
    if kind == "directory_sync":
        with pytest.raises(EngineClosedError):
            engine.apply(new(2, Side.BID, 100, 5))
        disk.power_cut()
        disk.power_on()
        states = (1, 0), (0, 1)  # bids and asks: which of both, only the disk knows
    else:
        engine.apply(new(2, Side.BID, 100, 5))
        states = ((len(engine.orders(Side.BID)), len(engine.orders(Side.ASK))),) * 2
        engine.close()
    with DurableEngine.open(disk, **OPTIONS) as again:
        assert (len(again.orders(Side.BID)), len(again.orders(Side.ASK))) in states


def test_one_engine_on_a_storage() -> None:
    """Guards against two writers in one log: a storage's lock keeps only others away."""
    disk = SimStorage(1)
    with DurableEngine.create(disk, [book()], **OPTIONS) as engine:
        engine.apply(new(1, Side.BID, 100, 5))
        with pytest.raises(LogInUseError):
            DurableEngine.open(disk, **OPTIONS)
        engine.apply(new(2, Side.BID, 100, 5))
    with DurableEngine.open(disk, **OPTIONS) as again:
        assert again.sequence == 2
