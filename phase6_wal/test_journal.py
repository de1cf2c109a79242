"""A pipeline whose journal is a log: what gets out is in it, however slow or broken it is."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from contract.errors import ConfigurationError
from phase4_ring import Pipeline, Sequencer
from phase4_ring.conftest import TIME_LIMIT_S, until
from phase6_wal.conftest import (
    COMMAND_LOG,
    SMALL_LOG,
    SMALL_SLOTS,
    HeldJournal,
    Run,
    journaled,
    make_run,
    receive_to_the_end,
    recorded,
    send,
    send_and_receive,
)
from phase6_wal.errors import LogFailedError, LogFullError, LogOutOfStepError
from phase6_wal.journal import EVENT_LOG, LogJournal
from phase6_wal.native import METHODS, LogWriter, PosixStorage
from phase6_wal.native_sim import SimStorage
from phase6_wal.recovery import recover_log


@pytest.fixture(scope="module")
def run() -> Run:
    """Some thousands of commands."""
    return make_run()


@pytest.mark.parametrize("durability", ["none", "page-cache", "group", "sync"])
@pytest.mark.parametrize("method", METHODS)
def test_the_log_has_what_the_engine_had(run: Run, durability: str, method: str) -> None:
    """Guards: a command in the log that is not the engine's, or not its number; other events."""
    disk = SimStorage(1)
    options = replace(COMMAND_LOG, durability=durability, method=method)
    with journaled(run, disk, options, commands=256) as (pipeline, log):
        events, failure = send_and_receive(pipeline, run.commands)
        assert failure is None
        assert events.tobytes() == run.events.tobytes()
        pipeline.stop()
        assert pipeline.engine.state_hash() == run.state_hash
        assert log.sequence == log.acknowledged == len(run.commands)
        log.flush()
        assert recorded(disk, "commands").tobytes() == run.commands.tobytes()


@pytest.mark.parametrize("durability", ["group", "sync"])
def test_a_batch_is_one_commit(run: Run, durability: str) -> None:
    """Guards: a sync for each command, or for half of what lay in the ring."""
    disk = SimStorage(1)
    log = LogWriter(disk, replace(COMMAND_LOG, durability=durability, segment_bytes=1 << 20))
    journal = LogJournal(log)
    with Pipeline(run.engine(), journal=journal, commands=1024, journal_batch=300) as pipeline:
        assert send(pipeline, run.commands[:900]) == 900  # they lie there before anybody starts
        pipeline.start()
        until(lambda: log.acknowledged == 900)
        until(lambda: journal.counters().batches == 3)
        assert journal.counters().largest_batch == 300
        assert (log.counters.flushes, log.durable) == (3, 900)
        pipeline.abort()
    log.close()


def test_page_cache_leaves_the_storage_alone(run: Run) -> None:
    """Guards: a write or a sync on the way of a command, where a store to memory is enough."""
    calls = {}
    for durability in ("page-cache", "group"):
        disk = SimStorage(1)
        options = replace(COMMAND_LOG, durability=durability, segment_bytes=1 << 20)
        with journaled(run, disk, options) as (pipeline, log):
            send(pipeline, run.commands[:1])
            until(lambda log=log: log.acknowledged == 1)  # type: ignore[misc]
            log.take_back()
            log.flush()  # nothing is to be made any more: the stage rests
            before = disk.calls()
            events, failure = send_and_receive(pipeline, run.commands[1:3_000])
            assert (len(events), failure) == (run.events_of(3_000), None)
            calls[durability] = disk.calls() - before
    assert calls["page-cache"] == 0
    assert calls["group"] > 0, "the control: this one goes to the disk"


# --- the gate ------------------------------------------------------------------------------------


def test_no_event_overtakes_its_command(run: Run) -> None:
    """Guards: an event that is let out while its command waits for the disk.

    The control: match is far ahead, and its events lie in the ring.
    """
    disk = SimStorage(1)
    log = LogWriter(disk, replace(COMMAND_LOG, durability="group"))
    held = HeldJournal(LogJournal(log))
    with Pipeline(run.engine(), journal=held, commands=4096, journal_batch=10) as pipeline:
        pipeline.start()
        send(pipeline, run.commands[:1_000])
        until(lambda: pipeline.stages()[0].commands == 1_000)
        assert len(pipeline.events) == run.events_of(1_000), "they are there, but withheld"
        out = 0
        for permit in (0, 10, 20, 500, 990, 1_000):
            held.permit(permit)
            until(lambda permit=permit: log.acknowledged == permit)  # type: ignore[misc]
            until(lambda permit=permit: pipeline.stages()[1].commands == permit)  # type: ignore[misc]
            while len(some := pipeline.receive()):
                out += len(some)
                assert run.commands_behind(out) <= permit
        # The gate opens by whole looks: what was looked at while match was at 1,000 comes at once.
        assert out == run.events_of(1_000)
        pipeline.stop()
    log.close()


def test_a_slow_log_under_load(run: Run) -> None:
    """Guards: one event too many, somewhere in a long run, ahead of a log slower than match."""
    with journaled(
        run, SimStorage(1), replace(COMMAND_LOG, durability="sync"), journal_batch=1
    ) as (pipeline, log):
        send(pipeline, run.commands[:500])
        out = 0
        while out < run.events_of(500):
            some = pipeline.receive(7, timeout_s=TIME_LIMIT_S)
            out += len(some)
            # Whatever has become durable since counts for it, not against it.
            assert run.commands_behind(out) <= log.acknowledged
        pipeline.stop()


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "write", "create", "directory_sync"])
def test_a_failing_disk_ends_the_pipeline(run: Run, kind: str) -> None:
    """Guards: a pipeline that goes on without a log, an error that does not say what failed, and an
    event that got out although a restart will not know its command."""
    failures = 0
    for k in range(1, 60):
        disk = SimStorage(k)
        options = replace(SMALL_LOG, durability="group")
        with journaled(run, disk, options, journal_batch=20) as (pipeline, log):
            disk.fail(kind, k)
            events, failure = send_and_receive(pipeline, run.commands[:600])
            assert events.tobytes() == run.events[: len(events)].tobytes()
            out = run.commands_behind(len(events))
            assert out <= log.acknowledged
            if failure is None:
                assert disk.fired == 0
                assert len(events) == run.events_of(600)
                break
            failures += 1
            cause = failure.__cause__
            assert isinstance(cause, LogFailedError)
            assert (cause.error, failure.stage) == (errno.EIO, "journal")
            assert f"with code {failure.code}: {cause.name}: offset" in str(failure)
            assert disk.retried == 0
            log.abandon()
        disk.power_cut()
        disk.power_on()
        kept = recover_log(disk, content="commands")
        assert kept.sequence >= out, "what got out can be computed again"
        assert recorded(disk, "commands").tobytes() == run.commands[: kept.sequence].tobytes()
    assert failures > 0
    assert k < 59, "there is a k beyond the last call"


def test_a_full_disk(run: Run) -> None:
    """Guards: a full disk that takes commands nobody will find, or that ends it unsaid."""
    for reserve in (False, True):
        disk = SimStorage(1)
        log = LogWriter(disk, replace(SMALL_LOG, reserve=True))
        journal = LogJournal(log, reserve=reserve)
        disk.set_capacity(disk.used)
        with Pipeline(run.engine(), journal=journal, journal_batch=10) as pipeline:
            pipeline.start()
            events, failure = send_and_receive(pipeline, run.commands)
            assert failure is not None
            assert isinstance(failure.__cause__, LogFullError)
            assert "no space for another segment" in str(failure)
            assert journal.is_full
            assert run.commands_behind(len(events)) <= log.acknowledged == log.sequence
            assert (journal.counters().reserved > 0) is reserve
            assert log.sequence > (SMALL_SLOTS if reserve else SMALL_SLOTS - 10)
        log.close()
        assert recorded(disk, "commands").tobytes() == run.commands[: log_end(disk)].tobytes()


def log_end(disk: SimStorage) -> int:
    """The last command that a recovery finds."""
    return recover_log(disk).sequence


def test_a_log_that_somebody_else_appends_to(run: Run) -> None:
    """Guards: two commands of one number: here the log is ahead of the ring by one."""
    with journaled(run, SimStorage(1)) as (pipeline, log):
        until(pipeline.at_rest)
        log.take_back()  # nobody who is told no would do it
        log.append(run.commands[:1])
        send(pipeline, run.commands[:1])
        events, failure = receive_to_the_end(pipeline)
        assert len(events) == 0
        assert failure is not None
        assert isinstance(failure.__cause__, LogOutOfStepError)
        assert "command 1 cannot be appended: the log comes to 2" in str(failure)


# --- restarts ------------------------------------------------------------------------------------


def test_a_restart_goes_on_in_log_and_ring(run: Run, tmp_path: str) -> None:
    """Guards: a ring that begins at 1 again, over a log that is at a thousand."""
    events, engine = [], run.engine()
    with PosixStorage(tmp_path) as disk:
        for begin in range(0, 3_000, 1_000):
            kept = recover_log(disk)
            assert kept.sequence == begin
            with LogWriter(disk, COMMAND_LOG, kept.position) as log:
                journal = LogJournal(log)
                with Pipeline(engine, journal=journal) as pipeline:
                    assert pipeline.commands.start == begin
                    pipeline.start()
                    got, failure = send_and_receive(pipeline, run.commands[begin:][:1_000])
                    assert failure is None
                    events.append(got.tobytes())
                ring = Sequencer(64, start=begin)
                message = f"after command {begin + 1000}, and the ring goes on after"
                with pytest.raises(ConfigurationError, match=message):
                    Pipeline(engine, journal=journal, commands=ring)
        assert recorded(disk, "commands").tobytes() == run.commands[:3_000].tobytes()
    assert b"".join(events) == run.events[: run.events_of(3_000)].tobytes()


def test_a_log_of_something_else() -> None:
    """Guards: commands in a log of events, which nobody could replay."""
    with (
        LogWriter(SimStorage(1), replace(EVENT_LOG, segment_bytes=1 << 16)) as log,
        pytest.raises(ConfigurationError, match="a log of events is none of commands"),
    ):
        LogJournal(log)
