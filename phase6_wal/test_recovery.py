"""What recovery decides about a log, and what it says: torn, hole, damage, foreign files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from phase6_wal.errors import (
    LogDamagedError,
    LogFailedError,
    LogInUseError,
    RecoveryFailedError,
)
from phase6_wal.logs_by_hand import HEADER_BYTES, SLOT, HandMadeLog, MemoryStorage
from phase6_wal.native import LogOptions, LogPosition, LogWriter, PosixStorage
from phase6_wal.recovery import recover_log
from phase6_wal.recovery_checks import (
    cut,
    each_mode,
    each_other,
    each_promised,
    make,
    refused,
    spoil,
    zero,
)

#: What an error of the storage during a recovery ends with: no writer has stopped here.
GO_ON = "nothing valid was changed: once the storage works, it can be done again"

# --- nothing wrong -----------------------------------------------------------------------------


@each_mode
@pytest.mark.parametrize("count", [0, 1, 50, 51, 52, 102, 130])
def test_a_clean_log(durability: str, count: int) -> None:
    """Guards against a log that was closed properly and is cut, or said to be."""
    log = make(count, durability=durability)
    if not count:
        log.begin()
    storage = MemoryStorage(log.files)
    recovered = recover_log(storage)
    slot = (count - 1) % 51 + 1 if count else 0
    number = max(-(-count // 51), 1)
    first = (number - 1) * 51 + 1
    assert recovered.position == LogPosition(count, number, first, slot, log.chain, log.salt)
    assert (recovered.log_id, recovered.first_sequence) == (log.log_id, 1)
    assert (recovered.sequence, recovered.durability) == (count, durability)
    assert recovered.dropped is None
    assert [info.name for info in recovered.segments] == log.names
    assert storage.changes == 0


def test_no_log_at_all() -> None:
    """Guards against an empty directory that is an error, or files of others taken for a log."""
    storage = MemoryStorage({"lock": bytearray(), "00000000000000000001.snap": bytearray(9)})
    recovered = recover_log(storage)
    assert (recovered.position, recovered.log_id) == (LogPosition(), 0)
    assert (recovered.segments, recovered.durability) == ([], "")
    assert storage.list() == ["00000000000000000001.snap", "lock"]


def test_unfinished_files_go() -> None:
    """Guards against files half made that pile up with every crash."""
    log = make(10)
    files = {**log.files, "a.tmp": bytearray(3), "b.spare": bytearray(4)}
    storage = MemoryStorage(files)
    recover_log(storage, cut=False)
    assert storage.changes == 0
    recover_log(storage)
    assert storage.list() == [*log.names, "b.spare"]


@each_mode
def test_a_used_file(durability: str) -> None:
    """Guards against the records of an earlier use of a file: read, or called a torn tail."""
    log = make(102 + 20, durability=durability)
    last, old = log.files[log.names[2]], log.files[log.names[0]]
    last[HEADER_BYTES + 20 * SLOT :] = old[HEADER_BYTES + 20 * SLOT :]
    storage = MemoryStorage(log.files)
    recovered = recover_log(storage)
    assert (recovered.sequence, recovered.position.slot) == (122, 20)
    assert recovered.dropped is None
    assert storage.changes == 0


# --- torn tails --------------------------------------------------------------------------------


@each_mode
@pytest.mark.parametrize("byte", [0, 3, 4, 6, 7, 15, 16, 79])
def test_a_torn_tail(durability: str, byte: int) -> None:
    """Guards against a last record that is half there and is taken, or stops everything."""
    log = make(durability=durability)
    spoil(log, 2, 27, byte)
    recovered, storage = cut(log)
    assert (recovered.sequence, recovered.position.slot) == (129, 27)
    dropped = recovered.dropped
    assert dropped is not None
    assert (dropped.name, dropped.sequence) == (log.names[2], 130)
    assert dropped.offset == HEADER_BYTES + 27 * SLOT
    assert (dropped.records, dropped.kept, dropped.segments) == (0, (), ())
    assert 0 < dropped.bytes <= SLOT
    assert str(dropped).startswith(f"{log.names[2]}: offset 6256: {dropped.field}: the log ends")
    assert storage.list() == log.names
    assert not any(log.files[log.names[2]][dropped.offset :])


def test_garbage_behind_free_slots() -> None:
    """Guards against what a power cut left of a later record, lying there for the next one."""
    log = make()
    log.files[log.names[2]][HEADER_BYTES + 40 * SLOT + 5] = 7
    recovered, _ = cut(log)
    assert recovered.sequence == 130
    assert recovered.dropped is not None
    assert recovered.dropped.bytes == (40 - 28) * SLOT + 6


# --- holes -------------------------------------------------------------------------------------


@each_mode
@pytest.mark.parametrize("how", [spoil, zero])
@pytest.mark.parametrize(("segment", "slot"), [(0, 0), (0, 40), (1, 7), (2, 5)])
def test_damage(
    durability: str, how: Callable[[HandMadeLog, int, int], None], segment: int, slot: int
) -> None:
    """Guards against R4: damage before records that are known to be on the disk, repaired."""
    log = make(durability=durability)
    how(log, segment, slot)
    error = refused(log)
    assert error.path == log.names[segment]
    place = HEADER_BYTES + slot * SLOT
    assert error.where == f"offset {place}"
    assert error.field == ("crc" if how is spoil else "record")
    assert "this is damage" in str(error)
    assert "whole records follow, up to command 130" in str(error)
    # It is known: no wish of the operator's makes it a loss of the unknown.
    assert "this is damage" in str(refused(log, accept_loss=True))


@each_mode
def test_damage_that_a_later_segment_tells(durability: str) -> None:
    """Guards against damage judged by its own segment alone: the next one knows more."""
    log = make(durability=durability)
    spoil(log, 0, 45)
    assert "on the disk up to command 121" in str(refused(log, accept_loss=True))
    log = make(102, durability=durability)
    spoil(log, 0, 45)
    spoil(log, 1, 0)  # those behind are whole, and of a segment that is none
    assert "on the disk up to command 93" in str(refused(log, accept_loss=True))


@each_promised
def test_the_last_command_that_is_known(durability: str) -> None:
    """Guards against a rule off by one: the missing command itself was on the disk, or not."""
    known = make(durability=durability, durable_lag=25)
    zero(known, 2, 1)
    assert "on the disk up to command 104: this is damage" in str(refused(known))
    unknown = make(durability=durability, durable_lag=26)
    zero(unknown, 2, 1)
    assert cut(unknown)[0].sequence == 103


@each_promised
@pytest.mark.parametrize("how", [spoil, zero])
def test_a_hole_that_nobody_was_promised(
    durability: str, how: Callable[[HandMadeLog, int, int], None]
) -> None:
    """Guards against a log that does not start after a power cut that wrote the later first."""
    log = make(durability=durability, durable_lag=28)
    for slot in (1, 2, 17):
        how(log, 2, slot)
    broken = bytes(log.files[log.names[2]])
    recovered, storage = cut(log)
    assert recovered.sequence == 103
    dropped = recovered.dropped
    assert dropped is not None
    assert (dropped.records, dropped.last_sequence) == (24, 130)
    assert dropped.kept == ("00000000000000000104.lost",)
    assert "24 whole records, up to command 130" in str(dropped)
    assert "kept in 00000000000000000104.lost" in str(dropped)
    lost = bytes(storage.files[dropped.kept[0]])
    tail = broken[HEADER_BYTES + SLOT : HEADER_BYTES + 28 * SLOT]
    assert lost == broken[:HEADER_BYTES] + tail


@each_other
def test_a_hole_in_what_was_acknowledged(durability: str) -> None:
    """Guards against acknowledged commands that go without a word, or cannot be given up at all."""
    log = make(durability=durability, durable_lag=1000)
    spoil(log, 1, 20)
    error = refused(log)
    assert error.where == f"offset {HEADER_BYTES + 20 * SLOT}"
    assert f"commands from 72 on are lost, although they were acknowledged ({durability})" in str(
        error
    )
    assert "58 whole records follow" in str(error)
    one, two, three = log.names
    recovered, storage = cut(log, accept_loss=True)
    assert recovered.sequence == 71
    assert recovered.dropped is not None
    kept = ("00000000000000000072.lost", "00000000000000000103.lost")
    assert recovered.dropped.kept == kept
    assert recovered.dropped.segments == (three,)
    assert storage.list() == sorted([one, two, *kept])


def test_kept_once_more() -> None:
    """Guards against the second loss at a place, which would replace what was kept of the first."""
    log = make(durability="group", durable_lag=1000)
    zero(log, 2, 1)
    before = {name: bytearray(data) for name, data in log.files.items()}
    _, storage = cut(log)
    other = make(durability="group", durable_lag=1000)
    zero(other, 2, 1, 2)
    storage.files.update(other.files)
    again = recover_log(storage)
    assert again.dropped is not None
    assert again.dropped.kept == ("00000000000000000104.2.lost",)
    storage.files.update(before)  # as if the first one had been cut off before its last step
    third = recover_log(storage)
    assert third.dropped is not None
    assert third.dropped.kept == ("00000000000000000104.lost",)
    assert sorted(name for name in storage.list() if name.endswith(".lost")) == [
        "00000000000000000104.2.lost",
        "00000000000000000104.lost",
    ]


# --- from a snapshot on ------------------------------------------------------------------------


def test_since_a_snapshot() -> None:
    """Guards against a recovery that stops at damage before what it needs."""
    log = make()
    spoil(log, 0, 3)
    del log.files["00000000000000000052.log"]
    storage = MemoryStorage(log.files)
    for since in (102, 103, 129, 130, 500):
        recovered = recover_log(storage, since=since)
        assert (recovered.sequence, recovered.first_sequence) == (130, 103)
        assert len(recovered.segments) == 1
    with pytest.raises(LogDamagedError):
        recover_log(storage, since=101)


def test_a_snapshot_before_the_log() -> None:
    """Guards against a replay over a gap between a snapshot and a log that begins later."""
    log = make()
    del log.files["00000000000000000001.log"]
    storage = MemoryStorage(log.files)
    assert recover_log(storage, since=51).sequence == 130
    with pytest.raises(LogDamagedError, match="first_sequence: 52 is not 51; 79 whole records"):
        recover_log(storage, since=50)
    with pytest.raises(LogDamagedError, match="this is damage"):
        recover_log(storage, since=50, accept_loss=True)
    assert storage.changes == 0
    with pytest.raises(LogDamagedError, match="'no segments' is not a log that follows 9"):
        recover_log(MemoryStorage({}), since=9)
    assert recover_log(MemoryStorage({}), since=0).position == LogPosition()


# --- the rest ----------------------------------------------------------------------------------


def test_progress() -> None:
    """Guards against a progress that does not arrive, or goes backwards."""
    log = make()
    calls: list[tuple[int, int]] = []
    recover_log(MemoryStorage(log.files), progress=lambda done, total: calls.append((done, total)))
    total = 3 * log.size
    assert calls[-1] == (total, total)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert {all_of for _, all_of in calls} == {total}


def test_a_read_error_is_no_end() -> None:
    """Guards against a log cut short because a sector could not be read just now."""
    log = make()
    storage = MemoryStorage(log.files)
    real = storage.read

    def read(file: int, offset: int, size: int) -> object:
        if offset >= HEADER_BYTES and storage._open[file] == log.names[1]:
            raise OSError(5, "Input/output error")
        return real(file, offset, size)

    storage.read = read  # type: ignore[method-assign]
    with pytest.raises(LogFailedError) as caught:
        recover_log(storage)
    assert isinstance(caught.value, RecoveryFailedError)
    assert str(caught.value).endswith("; " + GO_ON)
    assert (caught.value.call, caught.value.name) == ("read", log.names[1])
    assert caught.value.offset == HEADER_BYTES
    assert storage.changes == 0


def test_a_lock_that_cannot_be_had() -> None:
    """Guards against an error of the system's own, and an unlock of what was never locked."""
    storage = MemoryStorage(make().files)

    def refuse() -> None:
        raise PermissionError(13, "Permission denied", "lock")

    def unlock() -> None:
        raise AssertionError("it was never locked")

    storage.lock, storage.unlock = refuse, unlock  # type: ignore[method-assign]
    with pytest.raises(RecoveryFailedError, match=f"lock: offset 0: lock failed: .*{GO_ON}"):
        recover_log(storage)
    assert recover_log(storage, cut=False).sequence == 130


def test_not_under_a_writer(tmp_path: Path) -> None:
    """Guards against a recovery that cuts what a writer is just appending; looking is free."""
    with PosixStorage(tmp_path) as storage, PosixStorage(tmp_path) as other:
        writer = LogWriter(storage, LogOptions(segment_bytes=8192, prepare_thread=False))
        writer.append(bytes(64 * 5))
        writer.flush()
        with pytest.raises(LogInUseError, match="writes this log"):
            recover_log(other)
        assert recover_log(other, cut=False).sequence == 5
        writer.close()
        assert recover_log(other).sequence == 5


def test_errors_name_the_file(tmp_path: Path) -> None:
    """Guards against an error that leaves the operator looking for the directory."""
    log = make()
    spoil(log, 1, 7)
    for name, data in log.files.items():
        (tmp_path / name).write_bytes(data)
    with PosixStorage(tmp_path) as storage, pytest.raises(LogDamagedError) as caught:
        recover_log(storage)
    path = re.escape(str(tmp_path / log.names[1]))
    number = r"0x[0-9a-f]{1,8}"
    pattern = rf"{path}: offset 4656: crc: {number} is not {number}; 71 whole records follow, .*"
    assert re.fullmatch(pattern, str(caught.value)), str(caught.value)
