"""What the tests of pipelines with logs share: runs with a known outcome, and a held journal."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from contract.batching import apply_all
from contract.records import RecordArray, empty_events
from contract.ring import RingClosedError
from contract.workload import generate, price_range
from phase3_sorted import Engine
from phase4_ring import Pipeline
from phase4_ring.conftest import TIME_LIMIT_S
from phase4_ring.stages import StageFailedError
from phase6_wal.journal import EVENT_LOG, LogJournal
from phase6_wal.native import LogOptions, LogWriter, Storage
from phase6_wal.reader import LogReader

CAPACITY: Final = 4_000
#: Small segments, so that a run goes through several.
SEGMENT_BYTES: Final = 1 << 16
COMMAND_LOG: Final = LogOptions(segment_bytes=SEGMENT_BYTES, reserve=False)
#: Without a thread: so what fails, fails in the hand-over that needs it.
SMALL_LOG: Final = replace(COMMAND_LOG, segment_bytes=1 << 14, prepare_thread=False)
SMALL_SLOTS: Final = ((1 << 14) - 4096) // 80
SMALL_EVENT_LOG: Final = replace(EVENT_LOG, segment_bytes=SEGMENT_BYTES)


class Run(NamedTuple):
    """Commands, and what an engine by itself makes of them."""

    commands: RecordArray
    events: RecordArray
    #: How many events there are after each command.
    ends: Any
    limits: dict[str, int]
    state_hash: str

    def engine(self) -> Engine:
        """A new one with the same limits."""
        return Engine(**self.limits)

    def events_of(self, commands: int) -> int:
        """How many events the first commands cause."""
        return int(self.ends[commands - 1]) if commands else 0

    def commands_behind(self, events: int) -> int:
        """How many commands it takes to cause so many events."""
        return int(np.searchsorted(self.ends, events))


def make_run(orders: int = 2_000) -> Run:
    """A small run of the public benchmark's workload."""
    commands = generate("normal", orders=orders)
    limits = {**price_range(commands)._asdict(), "capacity": CAPACITY}
    stamped = commands.copy()
    stamped["sequence"] = np.arange(1, len(commands) + 1)
    with Engine(**limits) as engine:
        events = apply_all(engine, stamped)
        state_hash = engine.state_hash()
    ends, room, written = [], empty_events(CAPACITY), 0
    with Engine(**limits) as engine:
        for i in range(len(stamped)):
            written += engine.apply_batch(stamped[i : i + 1], room).written
            ends.append(written)
    assert written == len(events)
    return Run(stamped, events, np.array(ends), limits, state_hash)


def recorded(storage: Storage, content: str) -> RecordArray:
    """All that a log holds."""
    found = [batch for batch, _marks in LogReader(storage, content).batches()]
    return np.concatenate(found) if found else empty_events(0)


def send(pipeline: Pipeline, commands: RecordArray, at_once: int = 50) -> int:
    """Push commands until there are no more, or the ring is closed; how many went in."""
    producer = pipeline.producer(tries=10)
    sent = 0
    while sent < len(commands):
        try:
            sent += producer.push(commands[sent : sent + at_once])
        except RingClosedError:
            break
    return sent


def receive_to_the_end(pipeline: Pipeline) -> tuple[RecordArray, StageFailedError | None]:
    """Every event that gets out, and why there are no more."""
    got = [empty_events(0)]
    try:
        while len(some := pipeline.receive(timeout_s=TIME_LIMIT_S)):
            got.append(some)
    except StageFailedError as failure:
        return np.concatenate(got), failure
    return np.concatenate(got), None


def send_and_receive(
    pipeline: Pipeline, commands: RecordArray
) -> tuple[RecordArray, StageFailedError | None]:
    """All commands in by a thread, all events out; then the end."""

    def gateway() -> None:
        send(pipeline, commands)
        pipeline.commands.close()

    thread = threading.Thread(target=gateway)
    thread.start()
    outcome = receive_to_the_end(pipeline)
    thread.join()
    return outcome


_APPEND = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class HeldJournal:
    """A log journal that lets through as many commands as it is told, and then waits.

    Args:
        journal: what it holds back.
    """

    def __init__(self, journal: LogJournal) -> None:
        self._journal = journal
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        self.sequence: int | None = journal.sequence
        self._permitted = threading.Condition()
        self._permits = journal.sequence
        append, context = journal.stage
        through = _APPEND(append)

        def held(_context: int, commands: int, count: int) -> int:
            last = ctypes.c_uint64.from_address(commands + 64 * (count - 1)).value
            with self._permitted:
                self._permitted.wait_for(lambda: self._permits >= last, TIME_LIMIT_S)
            return int(through(context, commands, count))

        self._held = _APPEND(held)

    @property
    def stage(self) -> tuple[int, int]:
        """Its own function; it needs no context."""
        return ctypes.cast(self._held, ctypes.c_void_p).value or 0, 0

    def failure(self, code: int) -> Exception:
        """As the one behind it says."""
        return self._journal.failure(code)

    def permit(self, sequence: int) -> None:
        """Let commands up to this one through."""
        with self._permitted:
            self._permits = sequence
            self._permitted.notify_all()


@contextmanager
def journaled(
    run: Run, storage: Storage, options: LogOptions = COMMAND_LOG, **others: Any
) -> Iterator[tuple[Pipeline, LogWriter]]:
    """A pipeline around a new engine, with a new log; started."""
    log = LogWriter(storage, options)
    try:
        with Pipeline(run.engine(), journal=LogJournal(log), **others) as pipeline:
            yield pipeline.start(), log
    finally:
        log.abandon()
