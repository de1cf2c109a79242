"""What recovery decides about segments: missing, damaged, blank, exchanged, of another log."""

from __future__ import annotations

import pytest

from phase6_wal.errors import LogDamagedError
from phase6_wal.logs_by_hand import (
    HEADER_BYTES,
    SLOT,
    HandMadeLog,
    MemoryStorage,
    crc_by_table,
)
from phase6_wal.native import LogPosition
from phase6_wal.recovery import recover_log
from phase6_wal.recovery_checks import (
    PROMISED,
    cut,
    each_mode,
    each_other,
    each_promised,
    make,
    refused,
    zero,
)


@each_mode
def test_a_missing_segment(durability: str) -> None:
    """Guards against a log that is read on with behind a segment that is not there."""
    log = make(durability=durability)
    del log.files["00000000000000000052.log"]
    error = refused(log)
    assert (error.path, error.where, error.field) == (log.names[1], "offset 24", "number")
    assert error.value == 3
    assert error.expected.startswith("2: segment 2, from command 52 on, is missing; 28 whole rec")
    log = make(230, durability=durability)
    for first in (52, 103):
        del log.files[f"{first:020d}.log"]
    text = "number: 4 is not 2: segments 2 to 3, from command 52 on, are missing; 77 whole records"
    assert text in str(refused(log))


@each_mode
@pytest.mark.parametrize("bit", [3, 90, 100, 120, 130, 200, 260, 330, 390, 420, 450, 4000 * 8])
@pytest.mark.parametrize("segment", [0, 1, 2])
def test_a_damaged_header(durability: str, bit: int, segment: int) -> None:
    """Guards against a segment full of acknowledged commands that goes because of one bit."""
    log = make(durability=durability)
    log.files[log.names[segment]][bit // 8] ^= 1 << bit % 8
    error = refused(log)
    assert error.path == log.names[segment]
    assert (error.where, error.field) == (
        ("offset 0", "magic") if bit < 64 else ("offset 8", "crc")
    )


@each_mode
def test_a_blank_segment(durability: str) -> None:
    """Guards against a segment that was never written and stops everything, or stays."""
    log = make(102, durability=durability)
    log.files["00000000000000000103.log"] = bytearray(log.size)
    recovered, storage = cut(log)
    assert (recovered.sequence, recovered.position.slot) == (102, 51)
    assert recovered.dropped is not None
    assert recovered.dropped.segments == ("00000000000000000103.log",)
    assert storage.list() == ["00000000000000000001.log", "00000000000000000052.log"]


@each_mode
def test_a_name_says_what_is_missing(durability: str) -> None:
    """Guards against commands cut without a word where only a blank file's name tells of them."""
    log = make(102, durability=durability, durable_lag=1000)
    zero(log, 1, 30, 21)
    log.files["00000000000000000103.log"] = bytearray(log.size)
    if durability in PROMISED:
        says = f"; no whole record follows, but the name {log.names[2]} says that the log was on"
        assert f"{says} the disk up to command 102: " in str(refused(log, accept_loss=True))
        return
    follows = f"; no whole record follows, but {log.names[2]} had been begun; commands from 82 on"
    assert follows in str(refused(log))
    recovered, storage = cut(log, accept_loss=True)
    assert (recovered.sequence, storage.list()) == (81, log.names[:2])


@each_mode
def test_a_bad_header_and_nothing_else(durability: str) -> None:
    """Guards against "0 whole records follow" where the damaged file itself is what follows."""
    log = make(102, durability=durability, durable_lag=1000)
    log.begin()
    log.files[log.names[2]][16] ^= 1
    if durability in PROMISED:
        says = "no whole record follows, but its name says that the log was on the disk up to"
        del log.files[log.names[1]]
        assert f"{says} command 102: this is damage" in str(refused(log, accept_loss=True))
        return
    zero(log, 2, 0, 51)
    log.files[log.names[2]][HEADER_BYTES] = 1
    begun = "; there is no whole record in it, but it had been begun; commands from 103 on are lost"
    assert begun in str(refused(log))


# --- behind a snapshot -------------------------------------------------------------------------


@each_other
@pytest.mark.parametrize("blank", [False, True])
def test_the_segment_behind_a_snapshot_is_headless(durability: str, blank: bool) -> None:
    """Guards against a log that begins anew, although the segment before the snapshot is whole.

    Under page-cache and none a header may be lost in a power cut; here that of the segment which
    begins right behind the snapshot.
    """
    log = make(130, durability=durability, durable_lag=1000)
    headless = log.names[1]
    whole = log.files[log.names[0]]
    log.files[headless][: log.size if blank else HEADER_BYTES] = bytes(
        log.size if blank else HEADER_BYTES
    )
    storage = MemoryStorage(log.files)
    with pytest.raises(LogDamagedError, match="commands from 52 on are lost, although"):
        recover_log(storage, since=51)
    assert storage.changes == 0
    recovered = recover_log(storage, since=51, accept_loss=True)
    end = HandMadeLog(slots=51, durability=durability, durable_lag=1000)
    end.fill(51)
    assert recovered.position == LogPosition(51, 1, 1, 51, end.chain, end.salt)
    assert recovered.dropped is not None
    assert recovered.dropped.sequence == 52
    assert recovered.dropped.segments == ("00000000000000000052.log", "00000000000000000103.log")
    assert storage.files[log.names[0]] == whole
    again = recover_log(storage, since=51)
    assert (again.position, again.dropped) == (recovered.position, None)


@each_other
def test_several_headless_segments_behind_a_snapshot(durability: str) -> None:
    """Guards against going back by one segment only: the thread may have been two behind."""
    log = make(130, durability=durability, durable_lag=1000)
    for name in log.names[1:]:
        log.files[name][:HEADER_BYTES] = bytes(HEADER_BYTES)
    recovered = recover_log(MemoryStorage(log.files), since=110, accept_loss=True)
    assert (recovered.sequence, recovered.position.number) == (51, 1)


@each_promised
def test_a_headless_segment_behind_a_snapshot_is_damage(durability: str) -> None:
    """Guards against the same where headers are on the disk before their names."""
    log = make(130, durability=durability, durable_lag=1000)
    log.files[log.names[1]][:HEADER_BYTES] = bytes(HEADER_BYTES)
    with pytest.raises(LogDamagedError, match="this is damage"):
        recover_log(MemoryStorage(log.files), since=51, accept_loss=True)


@each_other
def test_the_first_names_are_lost(durability: str) -> None:
    """Guards against a log that no word of the operator's brings back.

    Names reach the disk in any order too: the first segments' were lost, a later one's was not.
    """
    log = make(153, durability=durability, durable_lag=1000)
    first, _, third = log.names
    del log.files[first]
    storage = MemoryStorage(log.files)
    with pytest.raises(LogDamagedError, match=r"52 is not 1; .* commands from 1 on are lost") as no:
        recover_log(storage, since=0)
    assert "accept_loss" in str(no.value)
    assert storage.changes == 0
    recovered = recover_log(storage, since=0, accept_loss=True)
    assert (recovered.position, recovered.sequence) == (LogPosition(), 0)
    assert recovered.dropped is not None
    assert recovered.dropped.kept == ("00000000000000000052.lost", "00000000000000000103.lost")
    assert third not in storage.list()
    assert recover_log(storage, since=0).dropped is None


@each_other
def test_the_first_names_are_lost_and_the_rest_blank(durability: str) -> None:
    """Guards against a log that begins anew without a word: a name alone tells of commands."""
    files = {"00000000000000000103.log": bytearray(8192)}
    storage = MemoryStorage(files)
    with pytest.raises(LogDamagedError, match="commands from 1 on are lost"):
        recover_log(storage, since=0)
    assert recover_log(storage, since=0, accept_loss=True).position == LogPosition()
    assert storage.list() == []
    # Of the first segment, never written, nothing is lost.
    files["00000000000000000001.log"] = bytearray(8192)
    assert recover_log(storage, since=0).position == LogPosition()


@each_promised
def test_the_first_names_are_gone(durability: str) -> None:
    """Guards against the same where a name is on the disk before the next one: this is damage."""
    log = make(153, durability=durability, durable_lag=1000)
    del log.files[log.names[0]]
    with pytest.raises(LogDamagedError, match="on the disk up to command 102: this is damage"):
        recover_log(MemoryStorage(log.files), since=0, accept_loss=True)


# --- segments that are not what they should be -------------------------------------------------


@each_promised
def test_a_segment_begun_too_early(durability: str) -> None:
    """Guards against a cut of what was on the disk: the next header says that it was, all of it."""
    log = make(102, durability=durability, durable_lag=1000)
    log.begin()
    zero(log, 1, 30, 21)
    assert "up to command 102" in str(refused(log))


@each_other
def test_a_segment_begun_too_early_unpromised(durability: str) -> None:
    """Guards against the same where the header says nothing but that commands are missing."""
    log = make(102, durability=durability, durable_lag=1000)
    log.begin()
    zero(log, 1, 30, 21)
    assert "commands from 82 on are lost" in str(refused(log))
    recovered, storage = cut(log, accept_loss=True)
    assert recovered.sequence == 81
    assert storage.list() == ["00000000000000000001.log", "00000000000000000052.log"]


def test_a_segment_that_ends_early() -> None:
    """Guards against a writer that may not begin a segment before the one before is full."""
    log = make(30)
    log.begin()
    log.fill(10)
    recovered, storage = cut(log)
    assert (recovered.sequence, recovered.position.number) == (40, 2)
    assert recovered.dropped is None
    assert storage.changes == 0


@each_mode
def test_segments_of_two_logs(durability: str) -> None:
    """Guards against a file copied from another log, which fits in by its name."""
    log, other = make(durability=durability), make(durability=durability, log_id=5, seed=2)
    log.files[log.names[1]] = other.files[log.names[1]]
    error = refused(log, accept_loss=True)
    assert (error.path, error.where, error.field) == (log.names[1], "offset 32", "log_id")
    assert str(error).endswith("5 is not 0xdec0de; this is no segment of this log")


@each_mode
def test_a_segment_of_another_past(durability: str) -> None:
    """Guards against a segment of the same log, number and commands' numbers, with other ones."""
    log, other = make(durability=durability), make(durability=durability, seed=2)
    log.files[log.names[1]] = other.files[log.names[1]]
    error = refused(log)
    assert (error.path, error.where, error.field) == (log.names[1], "offset 52", "chain")


@each_mode
def test_swapped_names(durability: str) -> None:
    """Guards against segments that have each other's name."""
    log = make(153, durability=durability)
    one, two = log.names[1:]
    log.files[one], log.files[two] = log.files[two], log.files[one]
    assert refused(log).path == one
    log = make(51, durability=durability)
    log.files["00000000000000000007.log"] = log.files.pop(log.names[0])
    error = refused(log)
    assert (error.field, error.value, error.expected[:2]) == ("first_sequence", 1, "7;")


@each_mode
def test_a_file_too_long(durability: str) -> None:
    """Guards against bytes appended to a segment by another program: not from any crash."""
    log = make(durability=durability, durable_lag=1000)
    log.files[log.names[2]] += bytes(80)
    error = refused(log, accept_loss=True)
    assert "the file is longer than any crash makes it" in str(error)
    assert (error.field, error.value) == ("bytes", log.size + 80)


def test_another_content() -> None:
    """Guards against an event log that is replayed as commands."""
    log = make(10, content=2)
    assert recover_log(MemoryStorage(log.files)).sequence == 10
    with pytest.raises(LogDamagedError, match="content: 2 is not 1; this is no segment"):
        recover_log(MemoryStorage(log.files), content="commands")


@pytest.mark.parametrize("durability", PROMISED)
def test_a_command_replaced(durability: str) -> None:
    """Guards against a command that is valid in its place and was never written there."""
    log = make(60, durability=durability, mark_every=20)
    segment = log.files[log.names[0]]
    at = HEADER_BYTES + 30 * SLOT
    segment[at + 60] ^= 1
    salt = int.from_bytes(segment[48:52], "little")
    segment[at : at + 4] = crc_by_table(bytes(segment[at + 4 : at + SLOT]), salt).to_bytes(
        4, "little"
    )
    error = refused(log)
    assert error.field == "chain"
    assert error.where == f"offset {HEADER_BYTES + 41 * SLOT + 44}"
    assert "a command since 20 is not what was written" in str(error)
