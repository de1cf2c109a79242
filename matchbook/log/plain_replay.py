"""Replaying a log through any engine of the contract, in Python or with a thread of its own.

``phase6_wal.replay`` drives books in C by their address, and is many times faster. Here, whatever
keeps the contract can be held against what the log says of the engine that wrote it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final, cast

import numpy as np

from contract.engine import Engine
from contract.records import RecordArray, empty_events
from matchbook.engines import EngineClass
from phase6_wal.errors import LogError
from phase6_wal.native import LogMark, Storage, crc32c
from phase6_wal.reader import LogReader
from phase6_wal.replay import EventSink, Progress, Replayed, batches_behind, check_mark, engines_of
from phase6_wal.snapshots import Snapshot

_EVENT_CAPACITY: Final = 1 << 14


class PlainBooks:
    """Engines of several instruments, each command to its own, with the checksum of all events."""

    def __init__(self, engines: Sequence[Engine], sequence: int, event_crc: int) -> None:
        self.engines = list(engines)
        self.sequence = sequence
        self.event_crc = event_crc
        self._by_instrument = {engine.instrument: engine for engine in engines}
        self._scratch = empty_events(_EVENT_CAPACITY)

    def apply(self, commands: RecordArray) -> Iterator[RecordArray]:
        """Apply commands; their events, good until the next are asked for."""
        for run in self._runs(commands):
            # A command of no book's instrument goes to the first, which rejects it.
            engine = self._by_instrument.get(int(run["instrument"][0]), self.engines[0])
            done = 0
            while done < len(run):
                consumed, written = engine.apply_batch(run[done:], self._scratch)
                if not consumed:
                    self._scratch = empty_events(2 * len(self._scratch))
                    continue
                done += consumed
                self.sequence += consumed
                self.event_crc = crc32c(self._scratch[:written].tobytes(), self.event_crc)
                yield self._scratch[:written]

    def _runs(self, commands: RecordArray) -> Iterator[RecordArray]:
        """Neighbours of one instrument."""
        if len(self.engines) == 1:
            if len(commands):
                yield commands
            return
        changes = np.flatnonzero(np.diff(commands["instrument"])) + 1
        yield from (run for run in np.split(commands, changes) if len(run))


def replay_plainly_from(
    storage: Storage,
    snapshot: Snapshot,
    engine_class: EngineClass,
    *,
    to: int | None = None,
    progress: Progress | None = None,
    events: EventSink | None = None,
) -> Replayed:
    """What ``phase6_wal.replay.replay_from`` does, through whatever engine; errors as there."""
    with ExitStack() as stack:
        # Its types say C; nothing in it does.
        engines: Any = engines_of(snapshot, cast(Any, engine_class))
        for engine in engines:
            stack.callback(engine.close)
        books = PlainBooks(engines, snapshot.sequence, snapshot.event_crc)
        checked = 0
        began = time.perf_counter()
        for commands, marks in batches_behind(LogReader(storage, "commands"), snapshot, to):
            checked += _batch(books, commands, marks, events)
            if progress is not None:
                progress(books.sequence)
        seconds = time.perf_counter() - began
        if to is not None and books.sequence != to:
            raise LogError(f"command {to} is asked for, but the log ends with {books.sequence}")
        stack.pop_all()
    return Replayed(
        engines=engines,
        start=snapshot.sequence,
        sequence=books.sequence,
        end=books.sequence,
        event_crc=books.event_crc,
        marks_checked=checked,
        commands=books.sequence - snapshot.sequence,
        seconds=seconds,
    )


def _batch(
    books: PlainBooks,
    commands: RecordArray,
    marks: Sequence[tuple[int, LogMark]],
    events: EventSink | None,
) -> int:
    """Apply commands, looking at each mark on the way; how many there were."""
    start = 0
    for index, mark in [*marks, (len(commands), None)]:
        for written in books.apply(commands[start:index]):
            if events is not None:
                events(written)
        start = index
        if mark is not None:
            check_mark(cast(Any, books.engines), cast(Any, books), mark)
    return len(marks)
