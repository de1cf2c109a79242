"""What the measuring loops in C do is what they say, and what fails is never a time."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from contract.records import RecordArray
from contract.workload import generate
from phase6_wal import bench
from phase6_wal.contenders import read_log
from phase6_wal.native import LogOptions, LogWriter, PosixStorage, crc32c
from phase6_wal.native_sim import SimStorage

RECORDS = 300
SMALL = LogOptions(segment_bytes=64 << 10, reserve=False)


@pytest.fixture(scope="module")
def commands() -> RecordArray:
    """A few commands, numbered as a log does it."""
    made = generate("normal", RECORDS)[:RECORDS]
    made["sequence"] = np.arange(1, RECORDS + 1)
    return made


def test_records_made_in_memory_have_their_checksums(commands: RecordArray) -> None:
    """Guards: the floor of an append that leaves out what an append does."""
    expected = 0
    for command in commands:
        head = struct.pack("<HBBQ", 80, 1, 0, 0)
        expected ^= crc32c(head + command.tobytes(), 1)
    assert bench.frame(commands, "checked", 64) == expected
    assert bench.frame(commands, "copied", 64) == 0
    sealed = {bench.frame(commands, "sealed", batch) for batch in (1, 7, 64, 1024)}
    assert len(sealed) == 1, "the chain depends on the records, not on how many are made at once"
    changed = commands.copy()
    changed["price"][RECORDS // 2] += 1
    for way in ("checked", "sealed"):
        assert bench.frame(changed, way, 64) != bench.frame(commands, way, 64)


@pytest.mark.parametrize("batch", [1, 7, RECORDS])
def test_all_commands_are_in_the_log_that_was_measured(
    batch: int, commands: RecordArray, tmp_path: Path
) -> None:
    """Guards: a loop that leaves out the last, smaller batch."""
    with PosixStorage(tmp_path) as storage, LogWriter(storage, SMALL) as writer:
        assert bench.appends(writer, commands, batch) > 0
        assert writer.sequence == RECORDS
    assert read_log(tmp_path) == commands.tobytes()


@pytest.mark.parametrize("durability", ["none", "page-cache", "group", "sync"])
def test_an_open_loop_ends_when_everything_is_acknowledged(
    durability: str, commands: RecordArray, tmp_path: Path
) -> None:
    """Guards: times of commands that nobody had acknowledged; a last group that never ends."""
    options = LogOptions(
        durability=durability, segment_bytes=64 << 10, reserve=False, group_s=1e6, group_count=64
    )
    with PosixStorage(tmp_path) as storage, LogWriter(storage, options) as writer:
        load = bench.open_loop(writer, commands, 1e6, 16)
        assert writer.acknowledged == RECORDS
    assert load.appends >= -(-RECORDS // 16)
    assert len(load.latency_ns) == RECORDS
    assert load.elapsed_ns >= (RECORDS - 1) * 1_000, "the last was due after 299 microseconds"
    assert int(load.latency_ns.max()) <= load.elapsed_ns
    if durability == "group":
        assert load.flushes >= RECORDS // 64
        assert int(load.latency_ns[0]) >= 60_000, "it waited until sixty-three more had come"
    assert read_log(tmp_path) == commands.tobytes()


def test_a_log_that_takes_no_more_is_no_time(commands: RecordArray) -> None:
    """Guards: a fast loop over appends that all failed."""
    with SimStorage(1) as storage:
        writer = LogWriter(storage, LogOptions(durability="sync", segment_bytes=64 << 10))
        storage.fail("sync", 3, forever=True)
        with pytest.raises(bench.AppendError, match="sync failed"):
            bench.appends(writer, commands, 1)
        with pytest.raises(bench.AppendError, match="sync failed"):
            bench.open_loop(writer, commands, 1e6, 1)
        writer.abandon()


@pytest.mark.parametrize("way", bench.PAGE_WAYS)
def test_every_byte_of_a_mapped_file_is_stored(way: str, tmp_path: Path) -> None:
    """Guards: a time of stores that the compiler left out; c/bench.c reads them again."""
    taken = bench.pages(tmp_path, way, 16 * bench.PAGE_BYTES)
    assert taken is None or taken > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", bench.SYNC_WAYS)
def test_each_sync_has_a_time(way: str, tmp_path: Path) -> None:
    """Guards: a row of zeros where syncs were not made."""
    times = bench.syncs(tmp_path, way, 80, 5)
    assert times is None or (len(times) == 5 and int(times.min()) > 0)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_measured_is_an_error(tmp_path: Path) -> None:
    """Guards: a missing directory, or a size that no file has, that counts as no time at all."""
    with pytest.raises(FileNotFoundError):
        bench.pages(tmp_path / "nowhere", "zeroed", bench.PAGE_BYTES)
    with pytest.raises(FileNotFoundError):
        bench.syncs(tmp_path / "nowhere", "zeroed", 80, 1)
    for size in (0, bench.PAGE_BYTES + 1):
        with pytest.raises(OSError, match="Invalid argument"):
            bench.pages(tmp_path, "zeroed", size)
    with pytest.raises(OSError, match="Invalid argument"):
        bench.syncs(tmp_path, "zeroed", 1 << 20, 1)
    with pytest.raises(ValueError, match="64-byte"):
        bench.frame(np.zeros(3, np.uint8).view(np.dtype([("x", "u1")])), "copied", 1)
