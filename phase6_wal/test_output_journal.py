"""The last stage of a pipeline: every event in the event log before anybody outside sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contract.errors import ConfigurationError, MatchbookError
from contract.records import RecordArray, empty_events
from phase4_ring import Pipeline
from phase4_ring.conftest import TIME_LIMIT_S, until
from phase4_ring.stages import StageFailedError
from phase6_wal.conftest import (
    COMMAND_LOG,
    SMALL_EVENT_LOG,
    SMALL_LOG,
    HeldJournal,
    Run,
    make_run,
    recorded,
    send,
)
from phase6_wal.errors import LogDamagedError, LogFailedError, LogOutOfStepError
from phase6_wal.journal import EVENT_LOG, LogJournal, OutputJournal
from phase6_wal.native import LogOptions, LogWriter
from phase6_wal.native_sim import SimStorage
from phase6_wal.recovery import recover_log


@pytest.fixture(scope="module")
def run() -> Run:
    """Some thousands of commands."""
    return make_run()


class Diamond:
    """A pipeline between two logs on two disks; what is published is kept.

    Args:
        journal: what is made of the command log for the pipeline.
        options: of the command log.
        changes: of the options of the event log.
    """

    def __init__(
        self, run: Run, *, journal: Any = None, options: LogOptions = COMMAND_LOG, **changes: Any
    ) -> None:
        self.inputs, self.outputs = SimStorage(1), SimStorage(2)
        self.log = LogWriter(self.inputs, options)
        self.events_log = LogWriter(self.outputs, replace(SMALL_EVENT_LOG, **changes))
        self.published: list[RecordArray] = []
        self.journal: Any = (journal or LogJournal)(self.log)
        self.pipeline = Pipeline(run.engine(), journal=self.journal)
        self.output = OutputJournal(self.pipeline, self.events_log, self.publish)

    def publish(self, events: RecordArray) -> None:
        """What a publisher would be given."""
        assert int(events["sequence"][-1]) <= self.events_log.acknowledged
        self.published.append(events)

    def events(self) -> RecordArray:
        """All that was published."""
        return np.concatenate([empty_events(0), *self.published])

    def close(self) -> None:
        """The pipeline, and then its logs."""
        self.output.close()
        self.log.abandon()
        self.events_log.abandon()


@pytest.mark.parametrize("durability", ["none", "page-cache", "group", "sync"])
def test_the_event_log_is_what_is_published(run: Run, durability: str) -> None:
    """Guards: an event that is in one of them only, twice, or in another place."""
    it = Diamond(run, durability=durability)
    it.output.start()
    assert send(it.pipeline, run.commands) == len(run.commands)
    it.output.stop()
    assert it.events().tobytes() == run.events.tobytes()
    assert recorded(it.outputs, "events").tobytes() == run.events.tobytes()
    assert it.output.published == len(run.events)
    it.close()


def test_a_thousand_events_are_one_sync(run: Run) -> None:
    """Guards: a sync for every few events, or a batch that waits although it is full."""
    options: dict[str, Any] = {"segment_bytes": 1 << 22, "prepare_thread": False}
    it = Diamond(run, group_count=1_000, group_s=3_600.0, **options)
    flushes = it.events_log.counters.flushes
    it.output.start()
    send(it.pipeline, run.commands[:300])
    until(lambda: it.events_log.sequence == run.events_of(300))  # a part of a batch is there
    assert run.events_of(300) < 1_000
    send(it.pipeline, run.commands[300:])
    full = len(run.events) // 1_000
    until(lambda: len(it.published) == full)
    assert [len(batch) for batch in it.published] == [1_000] * full
    assert it.events_log.counters.flushes == flushes + full
    assert it.events_log.acknowledged == full * 1_000
    until(lambda: it.events_log.sequence == len(run.events))  # the rest waits, for an hour
    assert len(it.published) == full
    it.output.stop()
    assert len(it.events()) == len(run.events), "or for the end"
    it.close()


def test_one_event_waits_its_time_and_no_longer(run: Run) -> None:
    """Guards: an event that waits until there are a thousand; or that does not wait for company."""
    it = Diamond(run, group_count=1_000, group_s=0.05)
    it.output.start()
    for i in range(3):
        begun = time.monotonic()
        send(it.pipeline, run.commands[i : i + 1])
        until(lambda i=i: it.output.published == run.events_of(i + 1))  # type: ignore[misc]
        assert time.monotonic() - begun >= 0.05
    it.output.stop()
    it.close()


def test_the_defaults_are_a_thousand_and_ten_milliseconds() -> None:
    """Guards: options that changed without the documentation."""
    assert (EVENT_LOG.group_count, EVENT_LOG.group_s) == (1_000, 0.010)
    assert (EVENT_LOG.content, EVENT_LOG.durability) == ("events", "group")


# --- what fails ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "write", "create"])
def test_an_event_log_that_fails(run: Run, kind: str) -> None:
    """Guards: events published that the log has not got, for a power cut to show."""
    for k in range(1, 8):
        it = Diamond(run, group_count=50, segment_bytes=1 << 14, prepare_thread=False)
        it.outputs.fail(kind, k)
        it.output.start()
        send(it.pipeline, run.commands)
        with pytest.raises(LogFailedError, match=r"offset .* failed"):
            it.output.stop()
        assert it.pipeline.commands.closed, "nobody is let in any more"
        events = it.events()
        assert events.tobytes() == run.events[: len(events)].tobytes()
        it.close()
        it.outputs.power_cut()
        it.outputs.power_on()
        kept = recover_log(it.outputs, content="events")
        assert kept.sequence >= len(events)
        assert recorded(it.outputs, "events").tobytes() == run.events[: kept.sequence].tobytes()


def test_a_lying_disk_would_be_seen(run: Run) -> None:
    """Guards: the test above, which must fail when the disk lies."""
    it = Diamond(run, group_count=50, segment_bytes=1 << 14)
    it.outputs.set_lying()
    it.output.start()
    send(it.pipeline, run.commands)
    it.output.stop()
    it.close()
    it.outputs.power_cut()
    it.outputs.power_on()
    kept = -1
    with suppress(LogDamagedError):  # whole records lie behind a hole
        kept = recover_log(it.outputs, content="events").sequence
    assert kept < len(it.events()) == len(run.events)


def test_a_command_log_that_fails(run: Run) -> None:
    """Guards: events of a command that is in no log; or none at all of those that are."""
    for k in range(1, 8):
        it = Diamond(run, options=replace(SMALL_LOG, durability="group"))
        it.inputs.fail("sync" if k % 2 else "write", k)
        it.output.start()
        sent = send(it.pipeline, run.commands)
        with pytest.raises(StageFailedError, match="stage 'journal' failed") as failed:
            it.output.stop()
        assert isinstance(failed.value.__cause__, LogFailedError)
        events = it.events()
        assert events.tobytes() == run.events[: len(events)].tobytes()
        assert run.commands_behind(len(events)) <= it.log.acknowledged <= sent
        assert recorded(it.outputs, "events").tobytes() == events.tobytes()
        it.close()


def test_nothing_of_an_unjournaled_command(run: Run) -> None:
    """Guards: an event log that is ahead of the command log: here the latter stands at 500."""
    it = Diamond(run, journal=lambda log: HeldJournal(LogJournal(log)), durability="page-cache")
    it.journal.permit(500)
    it.output.start()
    send(it.pipeline, run.commands[:1_000])
    until(lambda: it.pipeline.stages()[0].commands == 1_000)
    until(lambda: it.log.acknowledged > 400)
    assert len(it.pipeline.events) > 0, "the control: the others are there"
    assert it.events_log.sequence <= run.events_of(500)
    it.journal.permit(1_000)
    it.output.stop()
    assert it.events_log.sequence == it.output.published == run.events_of(1_000)
    it.close()


def test_a_publisher_that_fails(run: Run) -> None:
    """Guards: an engine that goes on for nobody, or a failure that nobody hears of."""
    it = Diamond(run, durability="page-cache")
    count = 0

    def fail(events: RecordArray) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise ConnectionError("the network is gone")

    it.output._publish = fail
    it.output.start()
    send(it.pipeline, run.commands)
    with pytest.raises(ConnectionError, match="the network is gone"):
        it.output.stop()
    with pytest.raises(ConnectionError):
        it.output.check()
    assert count == 3
    assert it.pipeline.commands.closed
    assert it.output.published < it.events_log.sequence
    it.close()


def test_a_slow_publisher_holds_the_engine_back(run: Run) -> None:
    """Guards: events that pile up without bound, or are dropped, when nobody takes them."""
    it = Diamond(run, durability="page-cache")
    go_on: Callable[[], bool] = lambda: False  # noqa: E731
    it.output._publish = lambda events: until(lambda: go_on())
    it.output.start()
    ring = it.pipeline.commands.capacity + it.pipeline.events.capacity
    assert len(run.events) < ring, "all of it fits, so that sending ends"
    send(it.pipeline, run.commands)
    until(lambda: it.events_log.sequence > 0)
    assert it.events_log.sequence <= 1_000
    go_on = lambda: True  # noqa: E731
    it.output.stop(TIME_LIMIT_S)
    assert it.events_log.sequence == len(run.events)
    it.close()


# --- ends and beginnings -------------------------------------------------------------------------


def test_a_log_that_ends_elsewhere(run: Run) -> None:
    """Guards: an event log with a hole, or with numbers of its own."""
    with LogWriter(SimStorage(1), SMALL_EVENT_LOG) as log, run.engine() as engine:
        log.append(run.events[:10])
        message = r"event 1 .* the log comes to 11"
        with Pipeline(engine) as pipeline, pytest.raises(LogOutOfStepError, match=message):
            OutputJournal(pipeline, log, print)
        engine.apply_batch(run.commands[:20], empty_events(100))
        with Pipeline(engine) as pipeline, pytest.raises(LogOutOfStepError):
            OutputJournal(pipeline, log, print)
    with (
        LogWriter(SimStorage(1), LogOptions(segment_bytes=1 << 16)) as log,
        Pipeline(run.engine()) as pipeline,
        pytest.raises(ConfigurationError, match="a log of commands is none of events"),
    ):
        OutputJournal(pipeline, log, print)


def test_an_end_at_once(run: Run) -> None:
    """Guards: a close that hangs, or leaves a thread in freed memory."""
    it = Diamond(run)
    it.output.close()  # before the start
    it.close()
    it = Diamond(run)
    it.output.start()
    send(it.pipeline, run.commands[:100])
    it.output.close()
    assert not it.output._thread.is_alive()
    with pytest.raises(MatchbookError, match="closed"):
        it.pipeline.receive()
    events = recorded(it.outputs, "events")
    assert events.tobytes() == run.events[: len(events)].tobytes()
    it.close()


def test_a_pipeline_that_is_closed_under_it(run: Run) -> None:
    """Guards: a thread that dies with a traceback, or hangs, when somebody closes its pipeline."""
    it = Diamond(run)
    it.output.start()
    send(it.pipeline, run.commands[:100])
    it.pipeline.close()
    it.output._thread.join()
    it.close()


def test_a_pipeline_without_a_command_log(run: Run) -> None:
    """Guards: an event log that wants a journal; on its own it is a record, not a recovery."""
    with LogWriter(SimStorage(1), SMALL_EVENT_LOG) as log:
        published: list[RecordArray] = []
        with OutputJournal(Pipeline(run.engine()), log, published.append).start() as output:
            send(output.pipeline, run.commands[:1_000])
            output.stop()
        assert b"".join(map(bytes, published)) == run.events[: run.events_of(1_000)].tobytes()
