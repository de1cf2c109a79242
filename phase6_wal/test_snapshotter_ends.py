"""A snapshotter whose disk fails, loses its power, or whose processes are killed, at any step."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from phase3_sorted import Engine
from phase6_wal.errors import SnapshotFailedError
from phase6_wal.native import PosixStorage
from phase6_wal.native_sim import SimStorage
from phase6_wal.native_snapshot import Snapshotter
from phase6_wal.snapshots import newest_snapshot, read_snapshot, snapshot_names
from phase6_wal.test_snapshotter import MANY, engine_with, grow, lent

SNAPSHOTS = 5  # 0, 10, 20, ...: with two kept the last ones remove some


def run(disk: SimStorage, engine: Engine) -> list[SnapshotFailedError | None]:
    """Take all snapshots, and after each an order more; what became of them."""
    ends: list[SnapshotFailedError | None] = []
    with Snapshotter(disk, lent(engine), log_id=1, keep=2) as taker:
        for sequence in range(0, 10 * SNAPSHOTS, 10):
            assert taker.take(sequence, 0, 0), "a failure before is no reason not to"
            ended = taker.wait()
            assert ended is not None
            assert ended.done or ended.failure is taker.failed is not None
            ends.append(None if ended.done else ended.failure)
            grow(engine, engine.event_sequence + 1, 1)
    return ends


def orders_in(disk: SimStorage, name: str) -> int:
    """How many orders a valid snapshot holds."""
    [book] = read_snapshot(disk, name).books
    return (len(book.image) - 32) // 40


def all_steps() -> int:
    """How many calls the snapshots take when nothing fails."""
    with SimStorage() as disk, engine_with(50) as engine:
        assert run(disk, engine) == [None] * SNAPSHOTS
        return disk.calls()


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_failure_at_every_step(error: int) -> None:
    """Guards against a failing disk that costs an older snapshot, a later one, or the engine."""
    calls: set[str] = set()
    for k in range(1, all_steps() + 1):
        with SimStorage(seed=k) as disk, engine_with(50) as engine:
            disk.fail("any", k, error)
            ends = run(disk, engine)
            failures = [failure for failure in ends if failure is not None]
            calls.update(failure.call for failure in failures)
            assert disk.retried == 0, "a failed sync was asked for again"
            # The one that failed is made good by the next, unless the disk takes nothing any more.
            assert len(failures) <= 1 or {each.error for each in failures[1:]} == {errno.EROFS}
            names = snapshot_names(disk)
            assert names == [name for name in disk.list() if ".snap" in name], "nothing half done"
            assert len(names) <= 1 + 2 + 1, "the new one, while the old ones are not removed"
            for name in names:
                assert orders_in(disk, name) == 50 + int(name[:20]) // 10
            done = [10 * i for i, failure in enumerate(ends) if failure is None]
            assert not done or int(names[-1][:20]) >= done[-1]
            assert ends[0] is not None or int(names[0][:20]) == 0
    assert {"create", "write", "sync", "open", "read", "rename", "directory_sync"} <= calls


def test_an_old_one_that_cannot_be_removed() -> None:
    """Guards against a good snapshot being called a failure, and a disk that fills silently."""
    with (
        SimStorage() as disk,
        engine_with(5) as engine,
        Snapshotter(disk, lent(engine), log_id=1, keep=1) as taker,
    ):
        for sequence in (10, 20, 30):
            if sequence == 20:
                disk.fail("remove", 1, errno.EACCES)
            assert taker.take(sequence, 0, 0)
            ended = taker.wait()
            assert ended is not None
            assert ended.done
            assert (ended.failure is None) == (sequence != 20)
        assert taker.failed is not None
        assert (taker.failed.call, taker.failed.error) == ("remove", errno.EACCES)
        assert [int(name[:20]) for name in disk.list()] == [30], "both went with the next"


def power_cuts(seeds: int, lying: str = "") -> int:
    """The power cut at every step: how often a snapshot that was done, or any at all, is gone."""
    lost = 0
    steps = all_steps()
    for seed in range(seeds):
        for k in range(1, steps + 1):
            with SimStorage(seed=seed * 1000 + k) as disk, engine_with(50) as engine:
                if lying:
                    disk.set_lying(lying)
                disk.cut_at(k)
                ends = run(disk, engine)
                disk.cut_at(0)
                disk.power_on()
                found, skipped = newest_snapshot(disk)
                done = [10 * i for i, failure in enumerate(ends) if failure is None]
                missed = bool(done) and (found is None or found.sequence < done[-1])
                lost += bool(skipped) or missed
                if not lying:
                    for name in snapshot_names(disk):
                        assert orders_in(disk, name) == 50 + int(name[:20]) // 10
    return lost


def test_the_power_cut_at_every_step() -> None:
    """Guards against an older one removed before the newer is on the disk under its name."""
    assert power_cuts(seeds=6) == 0


@pytest.mark.long
def test_the_power_cut_at_every_step_often() -> None:
    """The same with many more fates."""
    assert power_cuts(seeds=150) == 0


@pytest.mark.parametrize("kind", ["sync", "directory_sync"])
def test_the_power_cut_where_a_sync_is_left_out(kind: str) -> None:
    """The control: the proof above must fail."""
    assert power_cuts(seeds=2, lying=kind) > 0


def test_a_child_killed_at_any_moment(tmp_path: Path) -> None:
    """Guards against half a file under a final name, and an older one that went for it."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    random_source = random.Random(seed)
    killed, sequence, last_done = 0, 0, 0
    with (
        PosixStorage(tmp_path) as disk,
        engine_with(MANY) as engine,
        Snapshotter(disk, lent(engine), log_id=1) as taker,
    ):
        while killed < 40:
            sequence += 1
            assert sequence < 4000
            image = engine.snapshot()
            assert taker.take(sequence, 0, 0)
            for _ in range(random_source.randrange(400)):
                assert taker.poll(durable=0) is None, "not before the log"
            child = taker.child
            if child:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            ended = taker.wait()
            assert ended is not None
            if ended.failure is not None:
                assert (ended.failure.call, ended.failure.signal) == ("child", signal.SIGKILL)
                killed += 1
            else:
                last_done = sequence
                assert read_snapshot(disk, disk.list()[-1]).books[0].image == image
            names = disk.list()
            assert len(names) <= 2
            assert not last_done or int(names[-1][:20]) == last_done


WORKS_UNTIL_KILLED = """
import sys
from pathlib import Path
from phase6_wal import test_snapshotter as test
disk = test.PosixStorage(Path(sys.argv[1]))
engine = test.engine_with(test.MANY)
taker = test.Snapshotter(disk, test.lent(engine), log_id=1, how=sys.argv[2])
for sequence in range(int(sys.argv[3]), 10**9):
    taker.take(sequence, len(engine), 0)
    test.grow(engine, engine.event_sequence + 1, 1)
    assert taker.wait().done
    print(sequence, flush=True)
"""


def killed_cycles(tmp_path: Path, how: str, cycles: int) -> None:
    """A process that takes snapshots, killed after some of them, again and again."""
    first = 1
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    random_source = random.Random(seed)
    for _ in range(cycles):
        with subprocess.Popen(
            [sys.executable, "-c", WORKS_UNTIL_KILLED, str(tmp_path), how, str(first)],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for _ in range(random_source.randrange(1, 10)):
                last = int(process.stdout.readline())
            process.kill()
            last = max([last, *map(int, process.stdout.read().split())])
        with PosixStorage(tmp_path) as disk:
            found, skipped = newest_snapshot(disk)
            assert found is not None
            assert not skipped
            assert found.sequence in (last, last + 1)
            assert found.chain == (len(found.books[0].image) - 32) // 40
            assert 1 <= len(snapshot_names(disk)) <= 3
        first = found.sequence + 1


@pytest.mark.parametrize("how", ["fork", "copy"])
def test_the_process_killed_at_any_moment(tmp_path: Path, how: str) -> None:
    """Guards against a snapshot that was said to be done and is not there, or half there."""
    killed_cycles(tmp_path, how, 3)


@pytest.mark.long
@pytest.mark.parametrize("how", ["fork", "copy"])
def test_the_process_killed_often(tmp_path: Path, how: str) -> None:
    """The same, a hundred times."""
    killed_cycles(tmp_path, how, 100)
