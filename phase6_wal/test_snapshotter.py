"""Snapshots of running engines: the moment they hold, how many stay, and what goes wrong.

What is done at each step of a simulated disk, and by ``kill -9``, is in test_snapshotter_ends.py.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from contract import Side, new
from contract.errors import ConfigurationError
from contract.records import RecordArray, to_command_array
from phase3_sorted import Engine
from phase6_wal.errors import LogInUseError
from phase6_wal.names import snapshot_name
from phase6_wal.native import PosixStorage, Storage
from phase6_wal.native_sim import SimStorage
from phase6_wal.native_snapshot import SnapshotBook, Snapshotter
from phase6_wal.snapshots import newest_snapshot, read_snapshot, snapshot_names

TIME_LIMIT_S = 30.0
MANY = 20_000  # orders: by "auto" these are not copied any more
EVENTS = bytearray(64 * 4 * MANY)


def engine_with(orders: int, instrument: int = 0, *, capacity: int = 4 * MANY) -> Engine:
    """An engine with so many bids."""
    engine = Engine(instrument=instrument, min_price=1, max_price=10_000, capacity=capacity)
    grow(engine, 1, orders)
    return engine


def bids(first: int, count: int, instrument: int) -> RecordArray:
    """So many commands, each an order that rests."""
    one = to_command_array([new(first, Side.BID, 1, 5, instrument=instrument)])
    commands = np.repeat(one, count)
    commands["order_id"] += np.arange(count, dtype="u8")
    commands["price"] += commands["order_id"].astype("i8") % 1000
    return commands


def grow(engine: Engine, first: int, count: int) -> None:
    """So many orders more."""
    result = engine.apply_batch(bids(first, count, engine.instrument), EVENTS)
    assert result.consumed == count


def lent(*engines: Engine) -> list[SnapshotBook]:
    """Their books. They may go on between two calls: here the tests are the one owner."""
    books = []
    for engine in engines:
        books.append(SnapshotBook.of(engine, engine.lend(lambda: None)))
        engine.take_back()
    return books


def until(condition: Callable[[], bool]) -> bool:
    """Look at a condition until it holds; False when it does not in time."""
    end = time.monotonic() + TIME_LIMIT_S
    while not condition():
        if time.monotonic() > end:
            return False
    return True


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PosixStorage]:
    """A real disk."""
    with PosixStorage(tmp_path) as storage:
        yield storage


@pytest.mark.parametrize("how", ["fork", "copy", "auto"])
def test_it_holds_the_moment_it_was_taken(disk: PosixStorage, how: str) -> None:
    """Guards against a snapshot with orders, or an event sequence, of a later moment."""
    with (
        engine_with(MANY) as one,
        engine_with(7, 4) as other,
        Snapshotter(disk, lent(one, other), log_id=9, how=how) as taker,
    ):
        for sequence in range(1, 6):
            images = [one.snapshot(), other.snapshot()]
            assert taker.take(sequence, chain=sequence * 3, event_crc=sequence * 5)
            grow(one, one.event_sequence + 1, 2_000)
            grow(other, other.event_sequence + 1, 1)
            ended = taker.wait()
            assert ended is not None
            assert (ended.sequence, ended.done, ended.failure) == (sequence, True, None)
            assert ended.how == ("copy" if how == "copy" else "fork")
            found, skipped = newest_snapshot(disk)
            assert found is not None
            assert not skipped
            assert [book.image for book in found.books] == images
            assert (found.sequence, found.chain, found.log_id, found.event_crc) == (
                sequence,
                sequence * 3,
                9,
                sequence * 5,
            )
        assert one.snapshot() != images[0], "the control: it had gone on"
        one.check()


def test_few_orders_are_copied(disk: PosixStorage) -> None:
    """Guards against a process that is forked, at ten times the pause, for a handful of orders."""
    with engine_with(10) as engine, Snapshotter(disk, lent(engine), log_id=1) as taker:
        assert taker.take(1, 0, 0)
        first = taker.wait()
        grow(engine, 11, MANY)
        assert taker.take(2, 0, 0)
        second = taker.wait()
    assert first is not None
    assert second is not None
    assert (first.how, second.how) == ("copy", "fork")


@pytest.mark.parametrize("how", ["fork", "copy"])
@pytest.mark.parametrize("keep", [1, 3])
def test_the_last_few_stay_and_number_0(disk: PosixStorage, how: str, keep: int) -> None:
    """Guards against a disk that fills with snapshots, and against limits that nobody knows."""
    with (
        engine_with(3) as engine,
        Snapshotter(disk, lent(engine), log_id=1, keep=keep, how=how) as taker,
    ):
        for sequence in range(0, 70, 10):
            assert taker.take(sequence, 0, 0)
            assert taker.wait() is not None
            kept = range(max(10, sequence - 10 * keep + 10), sequence + 1, 10)
            assert snapshot_names(disk) == [snapshot_name(0), *map(snapshot_name, kept)]
            assert taker.oldest == (kept[0] if kept else 0)
    with (
        engine_with(3) as engine,
        Snapshotter(disk, lent(engine), log_id=1, keep=1, how=how) as taker,
    ):
        assert taker.oldest == 70 - 10 * keep
        assert taker.take(70, 0, 0)
        assert taker.wait() is not None
        assert snapshot_names(disk) == [snapshot_name(0), snapshot_name(70)], "of others too"


def test_those_of_another_future_are_left_alone(disk: PosixStorage) -> None:
    """Guards against one that a cut log has left ahead being counted, and a good one removed."""
    with engine_with(3) as engine, Snapshotter(disk, lent(engine), log_id=1, keep=2) as taker:
        for sequence in (10, 90, 20, 30):
            assert taker.take(sequence, 0, 0)
            assert taker.wait() is not None
        assert snapshot_names(disk) == [snapshot_name(n) for n in (20, 30, 90)]


@pytest.mark.parametrize("how", ["fork", "copy"])
def test_it_waits_for_the_log(disk: PosixStorage, how: str) -> None:
    """Guards against a snapshot of commands that a power cut would take from the log."""
    with engine_with(3) as engine, Snapshotter(disk, lent(engine), log_id=1, how=how) as taker:
        assert taker.take(50, 0, 0)
        assert taker.wait(durable=49) is None
        assert taker.written
        assert taker.poll(durable=49) is None
        assert not snapshot_names(disk)
        assert not taker.take(60, 0, 0), "one at a time"
        assert taker.failed is None
        ended = taker.wait(durable=50)
        assert ended is not None
        assert ended.done
        assert snapshot_names(disk) == [snapshot_name(50)]
        assert taker.poll() is None, "once"


def test_nobody_polls(disk: PosixStorage) -> None:
    """Guards against an engine that never takes another one because it did not look at the last."""
    with engine_with(3) as engine, Snapshotter(disk, lent(engine), log_id=1) as taker:
        assert taker.take(0, 0, 0)
        assert until(lambda: not taker.busy), "number 0 needs no log"
        assert taker.take(1, 0, 0)
        assert taker.wait() is not None
        assert taker.made == 2


def test_a_disk_that_refuses_a_child(disk: PosixStorage) -> None:
    """Guards against a child's error that is lost with it, and against one that ends the engine."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with engine_with(MANY) as engine, Snapshotter(disk, lent(engine), log_id=1) as taker:
        assert taker.take(1, 0, 0)
        assert taker.wait() is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
        try:
            assert taker.take(2, 0, 0)  # the child has that limit too, whatever comes after
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        ended = taker.wait()
        assert ended is not None
        assert ended.failure is not None
        assert (ended.done, ended.failure.call, ended.failure.error) == (
            False,
            "create",
            errno.EFBIG,
        )
        assert taker.failed is ended.failure
        assert disk.list() == [snapshot_name(1)]
        assert taker.take(3, 0, 0)
        ended = taker.wait()
        assert ended is not None
        assert ended.done
        assert read_snapshot(disk, snapshot_name(3)).books[0].image == engine.snapshot()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at open files through /proc")
def test_a_child_keeps_nothing_open(disk: PosixStorage) -> None:
    """Guards against a child that holds the log's lock, or a connection, without its parent."""
    ours, theirs = socket.socketpair()
    disk.lock()
    try:
        with engine_with(4 * MANY) as engine, Snapshotter(disk, lent(engine), log_id=1) as taker:
            child, held = stopped_child(disk, taker)
            with PosixStorage(disk.directory) as other:
                with pytest.raises(LogInUseError):
                    other.lock()  # the control
                disk.unlock()
                other.lock()
            theirs.close()
            assert ours.recv(1) == b"", "nobody else has the other end"
            os.kill(child, signal.SIGCONT)
            assert not [name for name in held if "socket" in name or "lock" in name]
            assert any(name.endswith(".snap.tmp") for name in held), "the control: it was at work"
            assert taker.wait() is not None
    finally:
        ours.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_signals_are_the_parents(disk: PosixStorage) -> None:
    """Guards against a Ctrl-C, which goes to all processes of a terminal, costing the snapshot."""
    with engine_with(4 * MANY) as engine, Snapshotter(disk, lent(engine), log_id=1) as taker:
        child, _ = stopped_child(disk, taker)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCONT):
            os.kill(child, number)
        ended = taker.wait()
        assert ended is not None
        assert ended.done, ended


def stopped_child(disk: PosixStorage, taker: Snapshotter) -> tuple[int, list[str]]:
    """A child stopped while it writes, and what it has open."""
    for sequence in range(1, 100):
        assert taker.take(sequence, 0, 0)
        assert until(lambda: any(name.endswith(".tmp") for name in disk.list()) or not taker.child)
        child = taker.child
        if child:
            os.kill(child, signal.SIGSTOP)
            assert until(lambda child=child: state_of(child) in "TZ")  # type: ignore[misc]
            if state_of(child) == "T":
                held = [str(each.readlink()) for each in Path(f"/proc/{child}/fd").iterdir()]
                if any(name.endswith(".snap.tmp") for name in held):
                    return child, held
            os.kill(child, signal.SIGCONT)
        taker.wait()
    raise AssertionError("no child was met at work")


def state_of(process: int) -> str:
    """T: stopped, Z: ended; one letter."""
    try:
        line = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return "Z"
    return line.rpartition(")")[2].split()[0]


IGNORES_CHILDREN = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
from phase6_wal import test_snapshotter as test
with test.PosixStorage(Path(sys.argv[1])) as disk, test.engine_with(9) as engine:
    with test.Snapshotter(disk, test.lent(engine), log_id=1, how="fork") as taker:
        for sequence in range(1, 4):
            assert taker.take(sequence, 0, 0)
            ended = taker.wait()
            assert ended.done, ended
    assert len(test.snapshot_names(disk)) == 2
print("well")
"""


def test_where_nobody_can_wait_for_children(tmp_path: Path) -> None:
    """Guards against a snapshot that is lost because its child's exit status is."""
    done = subprocess.run(
        [sys.executable, "-c", IGNORES_CHILDREN, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr


def test_what_interrupted_ones_have_left_goes(disk: PosixStorage) -> None:
    """Guards against a disk that fills with the beginnings of snapshots."""
    for name in ("00000000000000000005.0000000123.snap.tmp", "00000000000000000001.log.tmp"):
        disk.close_file(disk.create(name, 10))
    with engine_with(3) as engine, Snapshotter(disk, lent(engine), log_id=1):
        assert disk.list() == ["00000000000000000001.log.tmp"], "and nothing of the log's"


def refused(storage: Storage, *engines: Engine, **options: object) -> str:
    """Why no snapshotter is made."""
    with pytest.raises(ConfigurationError) as error:
        Snapshotter(storage, lent(*engines), log_id=1, **options)  # type: ignore[arg-type]
    return str(error.value)


def test_what_it_cannot_be(disk: PosixStorage) -> None:
    """Guards against a child that writes to its own copy of a simulated disk, and the like."""
    with engine_with(1) as engine, engine_with(1, 3) as other, SimStorage() as sim:
        assert "in memory" in refused(sim, engine, how="fork")
        assert "thread" in refused(disk, engine, how="auto", thread=False)
        assert "not one of" in refused(disk, engine, how="spoon")
        assert "keep 0" in refused(disk, engine, keep=0)
        assert "ascending" in refused(disk, other, engine)
        assert "ascending" in refused(disk, engine, engine)
        assert "instruments []" in refused(disk)


def test_after_it_is_closed(disk: PosixStorage) -> None:
    """Guards against a use after free, and a storage freed under the thread that works with it."""
    with engine_with(3) as engine:
        taker = Snapshotter(disk, lent(engine), log_id=1)
        with pytest.raises(ValueError, match="close"):
            disk.close()
        taker.close()
        taker.close()
        with pytest.raises(ValueError, match="closed"):
            taker.take(1, 0, 0)
