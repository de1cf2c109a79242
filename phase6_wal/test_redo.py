"""An event log after a crash: what is missing comes back, what is there is compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract.batching import apply_all
from contract.records import RecordArray
from phase6_wal.conftest import COMMAND_LOG, SMALL_EVENT_LOG, Run, make_run, recorded
from phase6_wal.errors import EventsDivergedError, LogError, LogOutOfStepError
from phase6_wal.native import LogWriter
from phase6_wal.native_sim import SimStorage
from phase6_wal.reader import LogReader
from phase6_wal.redo import redo_events


@pytest.fixture(scope="module")
def run() -> Run:
    """Some thousands of commands."""
    return make_run()


def log_of(records: RecordArray, content: str) -> LogWriter:
    """A log that has these, open."""
    options = SMALL_EVENT_LOG if content == "events" else COMMAND_LOG
    log = LogWriter(SimStorage(1), replace(options, log_id=7))
    if len(records):
        log.append(records)
        log.flush()
    return log


@pytest.mark.parametrize("kept", [0, 1, 777, 3_000, None])
def test_what_is_missing_comes_back(run: Run, kept: int | None) -> None:
    """Guards: an event log with a hole after a crash, or with an event twice."""
    kept = len(run.events) if kept is None else kept
    with (
        log_of(run.commands, "commands") as commands,
        log_of(run.events[:kept], "events") as events,
        run.engine() as engine,
    ):
        reader = LogReader(commands.storage, "commands")
        redone = redo_events(engine, reader, events)
        assert redone == (len(run.commands), kept, len(run.events) - kept)
        assert engine.state_hash() == run.state_hash
        assert events.acknowledged == len(run.events)
        assert recorded(events.storage, "events").tobytes() == run.events.tobytes()


@pytest.mark.parametrize(("after", "kept"), [(1_000, None), (1_000, 0), (2_500, 5)])
def test_from_a_snapshot(run: Run, after: int, kept: int | None) -> None:
    """Guards: events before the snapshot computed again, or those after it not compared."""
    begun = run.events_of(after)
    known = len(run.events) if kept is None else begun + kept
    with (
        log_of(run.commands, "commands") as commands,
        log_of(run.events[:known], "events") as events,
        run.engine() as engine,
        run.engine() as before,
    ):
        apply_all(before, run.commands[:after])
        engine.restore(before.snapshot())
        reader = LogReader(commands.storage, "commands")
        redone = redo_events(engine, reader, events, after=after)
        assert redone == (len(run.commands) - after, known - begun, len(run.events) - known)
        assert engine.state_hash() == run.state_hash
        assert recorded(events.storage, "events").tobytes() == run.events.tobytes()


@pytest.mark.parametrize("at", [0, 1_234, -1])
def test_an_event_that_is_another(run: Run, at: int) -> None:
    """Guards: a replay that differs from what was published, and goes on."""
    wrong = run.events.copy()
    wrong["quantity"][at] ^= 1
    with (
        log_of(run.commands, "commands") as commands,
        log_of(wrong, "events") as events,
        run.engine() as engine,
    ):
        sequence = int(run.events["sequence"][at])
        with pytest.raises(EventsDivergedError, match=f"event {sequence} is ") as diverged:
            redo_events(engine, LogReader(commands.storage, "commands"), events)
        assert diverged.value.sequence == sequence
        assert diverged.value.found == run.events[at : at + 1 or None].tobytes()
        assert diverged.value.recorded == wrong[at : at + 1 or None].tobytes()
        assert events.sequence == len(wrong), "nothing was appended"


def test_events_of_lost_commands(run: Run) -> None:
    """Guards: an event log that is ahead taken for right: its last events would be given twice."""
    with (
        log_of(run.commands[:1_000], "commands") as commands,
        log_of(run.events[: run.events_of(1_001)], "events") as events,
        run.engine() as engine,
        pytest.raises(LogError, match=f"commands that are left cause {run.events_of(1_000)}"),
    ):
        redo_events(engine, LogReader(commands.storage, "commands"), events)


def test_a_snapshot_beyond_the_event_log(run: Run) -> None:
    """Guards: a hole between the last event that is there and the first that can be computed."""
    with (
        log_of(run.commands, "commands") as commands,
        log_of(run.events[:100], "events") as events,
        run.engine() as engine,
    ):
        apply_all(engine, run.commands[:1_000])
        message = f"event {run.events_of(1_000) + 1} cannot be appended: the log comes to 101"
        with pytest.raises(LogOutOfStepError, match=message):
            redo_events(engine, LogReader(commands.storage, "commands"), events, after=1_000)


class ForgetfulStorage(SimStorage):
    """One that has lost sight of a file for a moment."""

    def list(self) -> list[str]:
        """All names but that of the last segment."""
        names = super().list()
        return [name for name in names if name != names[-1]]


def test_events_that_cannot_be_read_are_not_missing(run: Run) -> None:
    """Guards: an event appended once more because the reader did not come to it."""
    with (
        log_of(run.commands, "commands") as commands,
        LogWriter(ForgetfulStorage(1), SMALL_EVENT_LOG) as events,
        run.engine() as engine,
    ):
        events.append(run.events[:3_000])
        events.flush()
        reader = LogReader(commands.storage, "commands")
        with pytest.raises(LogError, match="cannot be read beyond event 2304"):
            redo_events(engine, reader, events)
        assert events.sequence == 3_000
