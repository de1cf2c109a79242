"""The log's Python face: what it refuses, what its errors say, who may write."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contract.errors import ConfigurationError
from phase6_wal.errors import LogFailedError, LogFullError, LogInUseError
from phase6_wal.names import segment_name
from phase6_wal.native import (
    DURABILITIES,
    METHODS,
    LogMark,
    LogOptions,
    LogPosition,
    LogWriter,
    PosixStorage,
    Storage,
)
from phase6_wal.native_sim import SimStorage

SMALL = LogOptions(segment_bytes=8192, buffer_bytes=4096, prepare_thread=False)
MARK = LogMark(event_sequence=1, orders=2, event_crc=3, state_hash=bytes(range(16)))
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PosixStorage]:
    """A directory on a real disk."""
    with PosixStorage(tmp_path / "log") as storage:
        yield storage


# --- storage -----------------------------------------------------------------------------------


def test_files_as_bytes(disk: PosixStorage) -> None:
    """Guards against a face that loses bytes, offsets or an errno."""
    file = disk.create("b", 4096)
    disk.write(file, 4090, b"012345")
    disk.sync(file)
    disk.sync_directory()
    assert disk.read(file, 4088, 8) == b"\0\x00012345"
    with pytest.raises(OSError, match="Input/output") as past:
        disk.read(file, 4095, 2)
    assert past.value.errno == errno.EIO
    disk.close_file(file)
    disk.rename("b", "a")
    assert disk.list() == ["a"]
    assert disk.read_file("a")[-6:] == b"012345"
    for name, number in (("b", errno.ENOENT), ("../a", errno.EINVAL), ("", errno.EINVAL)):
        with pytest.raises(OSError, match=re.escape(os.strerror(number))):
            disk.open(name)
    with pytest.raises(FileExistsError):
        disk.create("a", 1)
    disk.remove("a")
    assert disk.list() == []


def test_a_closed_storage(tmp_path: Path) -> None:
    """Guards against a use of memory that is free."""
    storage = PosixStorage(tmp_path)
    storage.close()
    storage.close()
    with pytest.raises(ValueError, match="closed"):
        storage.list()
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NotADirectoryError):
        PosixStorage(file / "below")


def test_a_writer_keeps_its_storage(disk: PosixStorage) -> None:
    """Guards against a thread that works with a storage that is gone."""
    with LogWriter(disk, SMALL), pytest.raises(ValueError, match="writer"):
        disk.close()
    disk.close()


# --- who writes --------------------------------------------------------------------------------


def test_two_writers(disk: PosixStorage) -> None:
    """Guards against two writers in one log: of one process, or of two."""
    with LogWriter(disk, SMALL) as writer:
        writer.append(bytes(64))
        with PosixStorage(disk.directory) as other, pytest.raises(LogInUseError) as refused:
            LogWriter(other, SMALL, writer.position)
        assert refused.value.pid == os.getpid()
        code = f"""
from phase6_wal.native import PosixStorage
from phase6_wal.errors import LogInUseError
try:
    PosixStorage({str(disk.directory)!r}).lock()
except LogInUseError as error:
    print(error.pid)
"""
        said = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert said.stdout.split() == [str(os.getpid())]
        position = writer.position
    with PosixStorage(disk.directory) as other, LogWriter(other, SMALL, position) as writer:
        assert writer.sequence == 1


def test_a_lock_that_outlives_its_holder(
    disk: PosixStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards against a killed engine that cannot be opened again at once: a child has its lock."""
    # The holder forks a child, which goes on until its standard input ends, and is gone.
    code = f"""
import os, sys
from phase6_wal.native import PosixStorage
PosixStorage({str(disk.directory)!r}).lock()
if os.fork():
    os._exit(0)
os.close(1)
sys.stdin.read()
os._exit(0)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.wait() == 0
        to_child = holder.stdin
        assert to_child is not None
        assert holder.stdout is not None
        assert holder.stdout.read() == b"", "the child runs, and has closed its copy"
        looks = 0

        def wait_a_little(_seconds: float) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                to_child.close()
            os.sched_yield()

        monkeypatch.setattr("phase6_wal.native_storage.time.sleep", wait_a_little)
        monkeypatch.setattr("phase6_wal.native_storage._MOST_LOOKS", 3)
        with pytest.raises(LogInUseError) as refused:
            disk.lock()
        assert refused.value.pid == holder.pid
        looks = 0
        monkeypatch.setattr("phase6_wal.native_storage._MOST_LOOKS", 10_000_000)
        disk.lock()
        assert looks >= 3


def test_a_writer_that_could_not_be_made_lets_go(disk: PosixStorage) -> None:
    """Guards against a lock that stays with nobody."""
    position = LogPosition(sequence=5, number=1, first_sequence=1, slot=999)
    with pytest.raises(LogFailedError) as failed:
        LogWriter(disk, SMALL, position)
    assert (failed.value.call, failed.value.error) == ("open", errno.ENOENT)
    assert failed.value.name == segment_name(1)
    with PosixStorage(disk.directory) as other, LogWriter(other, SMALL):
        pass
    with pytest.raises(ConfigurationError):
        LogWriter(disk, SMALL, position)
    with pytest.raises(ConfigurationError):
        LogWriter(disk, SMALL)
    with PosixStorage(disk.directory) as other:
        other.lock()


def test_a_lock_that_cannot_be_taken(disk: PosixStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards against an error of the system's own, and a file left open that holds the lock."""

    def refuse(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patched:
        before = os.dup(0)
        os.close(before)
        patched.setattr("phase6_wal.native_storage.fcntl.flock", refuse)
        with pytest.raises(LogFailedError, match="lock failed") as failed:
            LogWriter(disk, SMALL)
        assert failed.value.error == errno.ENOLCK
        after = os.dup(0)
        os.close(after)
        assert after == before
    with LogWriter(disk, SMALL) as writer:
        assert writer.sequence == 0


def test_a_lock_on_a_full_disk(disk: PosixStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards against a log that does not open because a process number could not be noted."""

    def no_space(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("phase6_wal.native_storage.os.pwrite", no_space)
    with LogWriter(disk, SMALL) as writer, PosixStorage(disk.directory) as other:
        writer.append(bytes(64))
        with pytest.raises(LogInUseError, match="another process writes this log"):
            other.lock()


# --- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("content", "trades"),
        ("durability", "full"),
        ("method", "direct"),
        ("segment_bytes", 4096),
        ("segment_bytes", 12_288 + 80),
        ("segment_bytes", 2**32 + 4096),
        ("spares", 0),
        ("spares", 1025),
        ("buffer_bytes", 4095),
        ("group_count", 0),
        ("group_s", -1.0),
        ("group_s", float("nan")),
        ("log_id", -1),
        ("seed", 2**64),
    ],
)
def test_options_that_are_none(disk: PosixStorage, field: str, value: object) -> None:
    """Guards against a number that C would cut off, or a word that is passed over."""
    with pytest.raises(ConfigurationError, match=field):
        LogWriter(disk, replace(SMALL, **{field: value}))  # type: ignore[arg-type]
    assert disk.list() in ([], ["lock"])


@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("method", [None, *METHODS])
@pytest.mark.parametrize("thread", [False, True])
def test_every_mode(disk: PosixStorage, durability: str, method: str | None, thread: bool) -> None:
    """Guards against a mode that cannot be had from Python, or promises what it does not keep."""
    options = replace(SMALL, durability=durability, method=method, prepare_thread=thread)
    with LogWriter(disk, options) as writer:
        for _ in range(20):
            writer.append(bytes(64 * 7))
        writer.append_mark(MARK)
        assert writer.sequence == 140
        if durability == "sync":
            assert writer.durable == 140
        assert writer.acknowledged == (writer.durable if durability == "group" else 140)
        writer.flush()
        assert writer.durable == writer.acknowledged == 140
        position, log_id, counters = writer.position, writer.log_id, writer.counters
        assert counters.segments == 3
        assert counters.records == 140
        assert writer.failed is None
    with LogWriter(disk, options, position) as writer:
        assert writer.position == position
        assert writer.log_id == log_id
        assert writer.chain == position.chain


# --- appending ---------------------------------------------------------------------------------


def test_what_is_no_batch(disk: PosixStorage) -> None:
    """Guards against a batch that is rounded down and loses an order without a word."""
    with LogWriter(disk, SMALL) as writer:
        for wrong in (bytes(63), bytes(65), memoryview(bytes(256))[::2]):
            with pytest.raises(ValueError, match=r"64-byte|contiguous"):
                writer.append(wrong)
        writer.append(b"")
        assert writer.sequence == 0


def test_put_withdraw_settle(disk: PosixStorage) -> None:
    """Guards against a command that was taken back and is in the log all the same."""
    with LogWriter(disk, replace(SMALL, durability="sync")) as writer:
        writer.put(bytes(64 * 10))
        assert (writer.sequence, writer.acknowledged) == (10, 0)
        writer.withdraw(4)
        writer.settle()
        assert (writer.sequence, writer.acknowledged) == (6, 6)
        with pytest.raises(ValueError, match="withdraw"):
            writer.withdraw(1)
        assert writer.counters.withdrawn == 4
        assert writer.room == 51 - 6


def test_poll_by_time_and_by_count(disk: PosixStorage) -> None:
    """Guards against a group that waits for ever, or is flushed before anything is due."""
    options = replace(SMALL, durability="group", group_count=5, group_s=1.0)
    with LogWriter(disk, options) as writer:
        assert not writer.poll(10**9)
        writer.append(bytes(64 * 4))
        assert not writer.poll(2 * 10**9)
        assert not writer.poll(3 * 10**9 - 1)
        assert writer.acknowledged == 0
        assert writer.poll(3 * 10**9)
        assert writer.acknowledged == 4
        writer.append(bytes(64 * 5))
        assert writer.acknowledged == 9, "the count is append's own"
        assert not writer.poll()


# --- failures ----------------------------------------------------------------------------------


def sim_log(**changes: object) -> tuple[SimStorage, LogWriter]:
    """A small log on a simulated disk."""
    disk = SimStorage(seed=1)
    return disk, LogWriter(disk, replace(SMALL, **changes))  # type: ignore[arg-type]


def test_a_full_disk() -> None:
    """Guards against a full disk that ends the log, or keeps cancels out."""
    disk, writer = sim_log()
    disk.set_capacity(0)
    with pytest.raises(LogFullError, match="no space"):
        writer.append(bytes(64 * 52))
    assert writer.sequence == 0
    writer.append(bytes(64 * 51))
    with pytest.raises(LogFullError):
        writer.append(bytes(64))
    writer.append_reserved(bytes(64))
    assert writer.failed is None
    disk.set_capacity(1 << 20)
    writer.append(bytes(64))
    assert writer.acknowledged == 53
    writer.close()


def test_a_failed_sync() -> None:
    """Guards against a failure that is retried, hidden, or acknowledged across."""
    disk, writer = sim_log(durability="group", group_count=1000)
    writer.append(bytes(64 * 3))
    disk.fail("sync", 1)
    with pytest.raises(LogFailedError) as failed:
        writer.flush()
    error = failed.value
    assert (error.call, error.name, error.offset, error.error) == (
        "sync",
        segment_name(1),
        4096,
        errno.EIO,
    )
    assert "the log has stopped" in str(error)
    assert writer.acknowledged == 0
    for again in (writer.flush, writer.settle, lambda: writer.append(bytes(64))):
        with pytest.raises(LogFailedError, match="sync failed"):
            again()
    assert str(writer.failed) == str(error)
    with pytest.raises(LogFailedError):
        writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.append(bytes(64))


def test_an_abandoned_writer_writes_nothing_more(disk: PosixStorage) -> None:
    """Guards against a writer whose memory goes and whose lock or thread stays."""
    options = replace(SMALL, durability="none", method="written", prepare_thread=True)
    writer = LogWriter(disk, options)
    writer.append(bytes(64 * 10))
    del writer
    with LogWriter(disk, options, position_of_first(disk)) as other:
        assert other.sequence == 0


def position_of_first(storage: Storage) -> LogPosition:
    """Where the first segment begins."""
    salt = int.from_bytes(storage.read_file(segment_name(1))[48:52], "little")
    return LogPosition(number=1, first_sequence=1, salt=salt)
