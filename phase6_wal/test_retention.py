"""What is kept for as long as somebody may need it: the oldest snapshot's log, and a snapshot."""

from __future__ import annotations

from pathlib import Path

from contract.batching import apply_all
from contract.workload import generate
from phase3_sorted import Engine as SortedEngine
from phase6_wal.engine import DurableEngine
from phase6_wal.names import snapshot_name
from phase6_wal.native_sim import SimStorage
from phase6_wal.snapshots import SnapshotBook, Snapshotter, snapshot_names


def test_an_older_snapshot_still_has_its_log(tmp_path: Path) -> None:
    """Guards against a segment let go that an older kept snapshot needs: the newest is damaged."""
    commands = generate("normal", orders=2_000)
    books = [SortedEngine(capacity=5_000)]
    with DurableEngine.create(tmp_path, books, trim=True, keep=2, segment_bytes=1 << 14) as engine:
        for part in range(0, len(commands), 1_000):
            apply_all(engine, commands[part : part + 1_000])
            engine.take_snapshot()
        state = engine.state_hash()
    *_, older, newest = sorted(tmp_path.glob("*.snap"))
    newest.write_bytes(b"damaged")
    with DurableEngine.open(tmp_path, SortedEngine) as again:
        assert again.state_hash() == state
        assert again.recovery is not None
        assert f"{again.recovery.snapshot_sequence:020d}" == older.stem


def test_with_one_kept_there_is_always_one() -> None:
    """Guards against the only older snapshot removed before the newer one has its name."""
    disk = SimStorage(1)
    with SortedEngine() as book:
        books = [SnapshotBook.of(book, book.lend(lambda: None))]
        with Snapshotter(disk, books, log_id=1, keep=1) as snapshotter:
            snapshotter.take(1, 1, 1)
            first = snapshotter.poll(1)
            assert first is not None
            assert first.done
            disk.fail("rename", 1)
            snapshotter.take(2, 1, 1)
            second = snapshotter.poll(2)
            assert second is not None
            assert not second.done
            assert snapshot_name(1) in snapshot_names(disk)
        book.take_back()
