"""Logs at both ends of a pipeline: no event of a command that is not in the one gets out, and what
gets out is in the other.

::

    gateways ─▶ [sequencer] ─┬▶ LogJournal ─▶ command log ──(gate)─┐
                             │                                     ▼
                             └▶ match ──────────────────────▶ [event ring]
                                                                   │
    subscribers ◀─ publish ◀─ acknowledged ─ event log ◀─ OutputJournal
         │                                      │
         └── asks for what was missed ─▶ MessageStore: memory, or LogLookup

The command log is what must not be lost: everything else can be computed from it. The event log
is kept because computing takes time: it answers at once who wants an event again. After a crash its
last events may be missing; ``redo_events`` puts them back, and compares all others.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Self

import numpy as np

from contract.errors import ConfigurationError, MatchbookError
from contract.records import RecordArray
from phase4_ring.pipeline import Pipeline
from phase4_ring.stages import StageFailedError
from phase6_wal.errors import LogError, LogOutOfStepError
from phase6_wal.native import LogOptions, LogWriter
from phase6_wal.native_journal import JournalCounters, JournalStage

#: How an event log is written: 1,000 events or 10 ms, whichever comes first, are one sync.
EVENT_LOG: Final = LogOptions(
    content="events", durability="group", group_count=1_000, group_s=0.010, reserve=False
)


class LogJournal:
    """A log as the journal of a pipeline.

    Each run of commands that the stage finds in the ring is one append, and under ``group`` and
    ``sync`` one sync: what comes meanwhile is the next run. ``Pipeline(journal_batch=…)`` bounds
    its size.

    From the making of a pipeline until its stage has ended, the writer is the stage's: it is lent,
    and what would change it raises ``ValueError``.

    Args:
        writer: of a log of commands. The pipeline's ring goes on after its last one.
        reserve: whether commands that are in the ring already may go into the log's reserve when
            the disk is full. Look at ``is_full``, and let cancels in only while it is.

    >>> from tempfile import TemporaryDirectory
    >>> from contract import Side, new
    >>> from contract.records import to_events
    >>> from phase3_sorted import Engine
    >>> from phase6_wal.native import PosixStorage
    >>> with (
    ...     TemporaryDirectory() as directory,
    ...     LogWriter(PosixStorage(directory), LogOptions(segment_bytes=1 << 16)) as log,
    ...     Pipeline(Engine(capacity=1_000), journal=LogJournal(log)).start() as pipeline,
    ... ):
    ...     _ = pipeline.producer().push(new(1, Side.BID, price=100, quantity=5).pack())
    ...     [event] = to_events(pipeline.receive(timeout_s=10))
    ...     print(event, "| in the log:", log.acknowledged)
    1: accepted #1 bid 5 @ 100, leaves 5 | in the log: 1
    """

    def __init__(self, writer: LogWriter, *, reserve: bool = True) -> None:
        _check_content(writer, "commands")
        self.writer = writer
        #: The pipeline that writes to it.
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        self._stage = JournalStage(writer, partial(_check_rest, self.users), reserve=reserve)

    @property
    def stage(self) -> tuple[int, int]:
        """Addresses of its append function and of itself, for a pipeline."""
        return self._stage.addresses

    @property
    def sequence(self) -> int:
        """The last command in the log; where it is said to be, it is (c/log_writer.h)."""
        return self.writer.sequence

    @property
    def is_full(self) -> bool:
        """Whether commands go into the reserve, because there is no other space."""
        return self._stage.is_full

    def counters(self) -> JournalCounters:
        """Commands and batches so far."""
        return self._stage.counters()

    def failure(self, code: int) -> LogError:
        """What a code of its stage means: file, offset and error, where there are any."""
        return self._stage.failure(code)


class OutputJournal:
    """The last stage of a pipeline: its events into a log, and on when the log has them.

    A thread receives them, appends them, and hands them on as soon as the log's promise holds:
    under ``group`` after 1,000 events or 10 ms, under ``page-cache`` at once. Its lag is bounded by
    the event ring: if it is slow, the engine waits, and then the gateways.

    Args:
        pipeline: not started yet; this starts, stops and closes it.
        writer: of a log of events, which ends where the engine does.
        publish: is given the events, in order, each once, in the thread: ``Channel.publish``, say.

    Raises:
        LogOutOfStepError: the log does not end at the engine's last event: see ``redo_events``.
    """

    def __init__(
        self, pipeline: Pipeline, writer: LogWriter, publish: Callable[[RecordArray], object]
    ) -> None:
        _check_content(writer, "events")
        self.pipeline = pipeline
        self.writer = writer
        self._publish = publish
        self._most = writer.options.group_count
        self._patience_s = writer.options.group_s
        self._due_s = 0.0
        #: Appended, not acknowledged yet.
        self._held: list[RecordArray] = []
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="output journal", daemon=True)
        #: The last event handed on.
        self.published = writer.sequence
        self._check_step(pipeline.engine.event_sequence + 1)

    def start(self) -> Self:
        """Start the pipeline, and this behind it. Once only."""
        self.pipeline.start()
        self._thread.start()
        return self

    def stop(self, timeout_s: float = 10.0) -> None:
        """Take no more commands, and let everything that is queued get into the logs and out.

        Raises:
            StageFailedError: a stage of the pipeline failed; events of commands that were journaled
                are out all the same.
            LogError: the event log failed: nothing that it does not have was handed on.
            Exception: whatever ``publish`` failed with.
            TimeoutError: the stages did not drain in time.
        """
        try:
            self.pipeline.stop(timeout_s)
        finally:
            if self._thread.ident is not None:
                self._thread.join()
        self.check()

    def check(self) -> None:
        """Raise what this has failed with, if it has."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Abort if it still runs; close the pipeline. Twice is harmless; the writer stays open."""
        self._abort()
        if self._thread.ident is not None:
            self._thread.join()
        self.pipeline.close()

    def _run(self) -> None:
        try:
            failure = self._receive_all()
            self.writer.flush()
            self._hand_on()
            self._failure = failure
        except BaseException as failure:
            self._failure = failure
            self._abort()  # nobody would receive what it still makes

    def _abort(self) -> None:
        with suppress(MatchbookError):  # it is closed
            self.pipeline.abort()

    def _receive_all(self) -> StageFailedError | None:
        """Until the stages have ended; what one of them failed with."""
        try:
            while self._receive():
                pass
        except StageFailedError as failure:
            return failure
        return None

    # --8<-- [start:output]
    def _receive(self) -> bool:
        """One look at the event ring, a wait at most as long as something may be held back."""
        held = self.writer.sequence - self.published
        left_s = max(self._due_s - time.monotonic(), 0.0) if held else None
        events = self.pipeline.receive(max(self._most - held, 1), left_s)
        if len(events):
            if not held:
                self._due_s = time.monotonic() + self._patience_s
            self._check_step(int(events["sequence"][0]))
            self.writer.append(events)
            self._held.append(events)
        elif self.pipeline.is_over():
            return False
        self.writer.poll()
        self._hand_on()
        return True

    def _hand_on(self) -> None:
        """Everything held, if the log has promised it."""
        if self._held and self.writer.acknowledged >= self.writer.sequence:
            events = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
            self._held.clear()
            self._publish(events)
            self.published = self.writer.sequence

    # --8<-- [end:output]

    def _check_step(self, sequence: int) -> None:
        if sequence != self.writer.sequence + 1:
            raise LogOutOfStepError("event", sequence, self.writer.sequence + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _check_rest(users: weakref.WeakSet[Any]) -> None:
    for pipeline in users:
        if pipeline.stages()[1].state in ("not started", "running"):
            raise ValueError("a pipeline writes to this log: stop it first")


def _check_content(writer: LogWriter, content: str) -> None:
    if writer.options.content != content:
        raise ConfigurationError(f"a log of {writer.options.content} is none of {content}")
