"""A call that fails, at every place in a log's life where one can: nothing is told after it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from phase6_wal.errors import LogError, LogFailedError, LogFullError
from phase6_wal.names import segment_name
from phase6_wal.native import DURABILITIES, METHODS, LogOptions, LogPosition, LogWriter
from phase6_wal.native_sim import KINDS, SimStorage
from phase6_wal.reader import LogReader
from phase6_wal.recovery import PROMISED, recover_log

WAYS: Final = [(durability, method) for durability in DURABILITIES for method in METHODS]
SEGMENT_BYTES: Final = 8192
APPENDS: Final = 24
#: More calls of a kind than the script below makes.
MOST_CALLS: Final = 400


def body(sequence: int) -> bytes:
    return sequence.to_bytes(8, "little") * 8


class Script:
    """A log's life in two sessions, the same each time; the second one meets the fault.

    The first leaves some segments and ends as ``kill -9`` does. The second recovers, goes on, fills
    two more segments, and lets go of old ones.
    """

    def __init__(self, durability: str, method: str, seed: int, *, thread: bool = False) -> None:
        self.disk = SimStorage(seed)
        self.options = LogOptions(
            durability=durability,
            method=method,
            segment_bytes=SEGMENT_BYTES,
            prepare_thread=thread,
            buffer_bytes=4096,
            group_count=10,
            group_s=1.0,
            log_id=7,
            seed=seed + 1,
        )
        self.writer: LogWriter | None = None
        self.told = 0
        self.durable = 0
        self._session(None)
        self._crash()

    def _session(self, position: LogPosition | None) -> None:
        self.writer = writer = LogWriter(self.disk, self.options, position)
        for turn in range(APPENDS):
            first = writer.sequence + 1
            try:
                writer.append(b"".join(body(first + i) for i in range(5)))
                if turn % 8 == 7:
                    writer.flush()
                    writer.release(writer.sequence)
            finally:
                self.told = writer.acknowledged
                self.durable = writer.durable

    def _crash(self) -> None:
        self.disk.process_crash()
        if self.writer:
            self.writer.abandon()
            self.writer = None

    def recover(self) -> LogPosition:
        return recover_log(self.disk).position

    def go_on(self) -> None:
        self._session(self.recover())

    def sequence_after(self, crash: Callable[[], None]) -> int:
        """Recover after a crash; up to where the log is whole, and holds what was appended."""
        crash()
        if self.writer:
            self.writer.abandon()
            self.writer = None
        self.disk.power_on()
        recovered = recover_log(self.disk, accept_loss=self.options.durability not in PROMISED)
        expected = recovered.first_sequence
        for bodies, _ in LogReader(self.disk).batches(max(expected, 1)):
            for one in bodies:
                assert one.tobytes() == body(expected)
                expected += 1
        return recovered.sequence


def failure_of(run: Callable[[], object]) -> LogFailedError | None:
    """What it raises, of this kind."""
    try:
        run()
    except LogFailedError as error:
        return error
    return None


def count_faults(durability: str, method: str, kind: str, check: Callable[[Script], None]) -> int:
    """Let each call of a kind fail in turn, and check what has become of the log."""
    for k in range(1, MOST_CALLS):
        script = Script(durability, method, seed=k)
        script.disk.fail(kind, k)
        error = failure_of(script.go_on)
        if script.disk.fired == 0:
            return k - 1
        if error:
            assert error.error == errno.EIO
            assert error.call
            assert "Input/output error" in str(error)
        check(script)
    raise AssertionError(f"more than {MOST_CALLS} calls of kind {kind}")


def it_has_stopped(script: Script) -> None:
    """Whatever is asked of the writer now, it does nothing and says why."""
    writer = script.writer
    if writer is None or writer.failed is None:
        return
    calls, told = script.disk.calls(), writer.acknowledged
    for ask in (lambda: writer.append(body(0)), writer.flush, lambda: writer.poll(1 << 62)):
        with pytest.raises(LogFailedError):
            ask()
    with pytest.raises(LogFailedError):
        writer.append_reserved(body(0))
    assert script.disk.calls() == calls
    assert writer.acknowledged == told == script.told
    with pytest.raises(LogFailedError):
        writer.close()
    script.writer = None
    for kind in ("write", "sync", "map_sync", "directory_sync", "rename"):
        assert script.disk.calls(kind) <= calls
    assert script.disk.retried == 0


def nothing_is_lost(script: Script) -> None:
    """After a power cut, what was durable is there; under group and sync, what was acknowledged."""
    it_has_stopped(script)
    promised = script.told if script.options.durability in PROMISED else script.durable
    assert script.sequence_after(script.disk.power_cut) >= promised


def nothing_is_lost_later(script: Script) -> None:
    """The process begins anew without a power cut: what a failed sync has dropped must not be
    taken for durable because the cache still shows it."""
    it_has_stopped(script)
    if script.disk.is_read_only:
        nothing_is_lost(script)  # this file system wants to be mounted anew
        return
    found = script.sequence_after(script.disk.process_crash)
    if script.options.durability in PROMISED or script.options.durability == "page-cache":
        assert found >= script.told
    position = script.recover()
    with LogWriter(script.disk, script.options, position) as writer:
        writer.append(body(found + 1))
        writer.flush()
    assert script.sequence_after(script.disk.power_cut) == found + 1


@pytest.mark.parametrize(("durability", "method"), WAYS)
def test_any_call_fails_and_then_the_power(durability: str, method: str) -> None:
    """Guards against an acknowledgement after an error, a second try, and a loss."""
    assert count_faults(durability, method, "any", nothing_is_lost) > 20


@pytest.mark.parametrize(("durability", "method"), WAYS)
def test_any_call_fails_and_the_process_begins_anew(durability: str, method: str) -> None:
    """Guards against believing the page cache after a failed sync."""
    assert count_faults(durability, method, "any", nothing_is_lost_later) > 20


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "any"])
def test_each_kind_of_call_is_met(kind: str) -> None:
    """Guards against a kind of call whose failure nobody has tried."""
    faults = 0
    for durability, method in (("sync", "written"), ("group", "mapped"), ("page-cache", "mapped")):
        faults += count_faults(durability, method, kind, nothing_is_lost)
    assert faults > 0


def test_a_failing_thread_stops_the_writer() -> None:
    """Guards against a segment that the thread could not make, name or sync, and nobody is told."""
    for k in range(1, 30):
        script = Script("page-cache", "mapped", seed=k, thread=True)
        position = script.recover()
        script.disk.fail("any", k, forever=True)
        with pytest.raises(LogFailedError):
            script._session(position)
        script.disk.fail("any", 0)
        nothing_is_lost(script)


def test_control_who_asks_again_is_told_a_lie() -> None:
    """Guards against a simulated disk on which retrying a failed sync would be harmless."""
    lost = 0
    for seed in range(40):
        disk = SimStorage(seed)
        file = disk.create("a", 4096)
        disk.sync(file)
        disk.sync_directory()
        disk.write(file, 0, b"acknowledged")
        disk.fail("sync", 1)
        with pytest.raises(OSError, match="Input/output"):
            disk.sync(file)
        disk.sync(file)  # it is well, it says
        assert disk.retried == 1
        disk.power_cut()
        disk.power_on()
        lost += not disk.read_file("a").startswith(b"acknowledged")
    assert lost > 5


def test_control_who_only_syncs_after_a_failed_sync_loses() -> None:
    """Guards against a simulation in which a writer need not write again what it finds."""
    lost: list[int] = []

    def only_sync(script: Script) -> None:
        if script.disk.is_read_only:
            return
        found = script.sequence_after(script.disk.process_crash)
        for name in script.disk.list():
            with script.disk.opened(name) as (file, _):
                script.disk.sync(file)
        script.disk.sync_directory()
        script.disk.power_cut()
        script.disk.power_on()
        script.options = replace(script.options, durability="none")  # it is about the loss alone
        lost.append(found - script.sequence_after(script.disk.power_cut))

    assert count_faults("sync", "written", "sync", only_sync) == len(lost)
    assert any(lost)


# --- no space --------------------------------------------------------------------------------


def fill(writer: LogWriter) -> None:
    """Append until there is no space."""

    def append_on() -> None:
        for sequence in range(writer.sequence + 1, writer.sequence + 10_000):
            writer.append(body(sequence))

    with pytest.raises(LogFullError, match="no space"):
        append_on()


@pytest.mark.parametrize("thread", [False, True])
@pytest.mark.parametrize(("durability", "method"), WAYS)
def test_full_disk(durability: str, method: str, thread: bool) -> None:
    """Guards against a full disk that ends the log, or takes cancels with it, or stays full."""
    disk = SimStorage(1, capacity_bytes=5 * SEGMENT_BYTES)
    options = LogOptions(
        durability=durability, method=method, segment_bytes=SEGMENT_BYTES, prepare_thread=thread
    )
    writer = LogWriter(disk, options)
    fill(writer)
    full_at = writer.sequence
    assert full_at == 4 * 51  # the fifth segment is the reserve
    assert writer.failed is None
    with pytest.raises(LogFullError):
        writer.append(body(full_at + 1))
    assert writer.sequence == full_at  # nothing of it was appended
    for sequence in range(full_at + 1, full_at + 52):
        writer.append_reserved(body(sequence))
    with pytest.raises(LogFullError):
        writer.append_reserved(body(full_at + 52))
    writer.flush()
    assert writer.durable == writer.sequence == full_at + 51
    disk.set_capacity(8 * SEGMENT_BYTES)
    writer.append(body(full_at + 52))
    fill(writer)
    assert writer.sequence == 7 * 51  # and the reserve is there again
    writer.close()
    assert recover_log(disk).sequence == 7 * 51


def test_a_snapshot_frees_space() -> None:
    """Guards against a full log that does not see the segments it may use again."""
    disk = SimStorage(1, capacity_bytes=5 * SEGMENT_BYTES)
    options = LogOptions(durability="sync", segment_bytes=SEGMENT_BYTES, prepare_thread=False)
    with LogWriter(disk, options) as writer:
        fill(writer)
        assert writer.release(writer.sequence) > 0
        for sequence in range(writer.sequence + 1, writer.sequence + 2 * 51):
            writer.append(body(sequence))
        assert writer.counters.recycled > 0


def test_no_reserve() -> None:
    """Guards against a reserve kept although nobody wants one, or given where there is none."""
    disk = SimStorage(1, capacity_bytes=5 * SEGMENT_BYTES)
    options = LogOptions(segment_bytes=SEGMENT_BYTES, prepare_thread=False, reserve=False)
    with LogWriter(disk, options) as writer:
        fill(writer)
        assert writer.sequence == 5 * 51
        with pytest.raises(LogFullError):
            writer.append_reserved(body(writer.sequence + 1))


def test_no_space_for_the_first_segment() -> None:
    """Guards against a log that begins in a directory which cannot hold it."""
    disk = SimStorage(1, capacity_bytes=SEGMENT_BYTES - 1)
    with pytest.raises(LogFullError):
        LogWriter(disk, LogOptions(segment_bytes=SEGMENT_BYTES))
    assert segment_name(1) not in disk.list()


def test_no_space_said_by_a_sync() -> None:
    """Guards against taking ENOSPC of a sync for a full disk that may pass: bytes are lost."""
    disk = SimStorage(1)
    options = LogOptions(durability="sync", segment_bytes=SEGMENT_BYTES, prepare_thread=False)
    writer = LogWriter(disk, options)
    writer.append(body(1))
    disk.fail("sync", 1, errno.ENOSPC)
    with pytest.raises(LogError) as caught:
        writer.append(body(2))
    assert isinstance(caught.value, LogFailedError)
    assert (writer.acknowledged, caught.value.error) == (1, errno.ENOSPC)
    writer.abandon()
