"""An event log brought to where its command log ends: what is missing is computed again.

::

    command log   1 ────────────────────────────────────────────────▶ last
    events            caused by replaying them: 1 ──────────────────────────▶
    event log     1 ──────────── compared, byte for byte ───▶ end ─ appended ▶

A process that dies has commands in its log whose events it has not written yet: they are in no
memory any more, but the engine is deterministic. What the event log does have must be what the
replay gives: it is held against it on the way.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import NamedTuple, cast

from contract.native import NativeEngine
from contract.records import RecordArray, empty_events
from phase6_wal.errors import EventsDivergedError, LogError, LogOutOfStepError
from phase6_wal.native import LogWriter
from phase6_wal.reader import Batch, LogReader

_ROOM = 1 << 14
#: A reader keeps a file open between two batches: to be closed while its storage is there.
_Batches = Generator[Batch, None, None]


class Redone(NamedTuple):
    """What ``redo_events`` did."""

    commands: int
    compared: int
    appended: int


class _Recorded:
    """The events that a log has, to be held against others."""

    def __init__(self, log: LogWriter, first: int) -> None:
        batches = LogReader(log.storage, "events").batches(first, log.sequence)
        self._batches = cast(_Batches, batches)
        self._left = empty_events(0)
        self._read, self._last = first - 1, log.sequence
        self.more = self._read < self._last

    def compare(self, events: RecordArray) -> int:
        """Hold events against those of the log, as far as it goes; how many there were.

        Raises:
            EventsDivergedError: one differs.
            LogError: one that the log has cannot be read: it must not be appended again.
        """
        done = 0
        while self.more and done < len(events):
            if not len(self._left):
                self._left, _marks = next(self._batches, (self._left, []))
            if not len(self._left):
                raise LogError(f"the event log cannot be read beyond event {self._read}")
            count = min(len(self._left), len(events) - done)
            ours, theirs = events[done : done + count], self._left[:count]
            if ours.tobytes() != theirs.tobytes():
                _diverge(ours, theirs)
            self._left = self._left[count:]
            self._read += count
            self.more = self._read < self._last
            done += count
        return done

    def close(self) -> None:
        """Close what is open."""
        self._batches.close()


def _diverge(ours: RecordArray, theirs: RecordArray) -> None:
    for one, other in zip(ours, theirs, strict=True):
        if one.tobytes() != other.tobytes():
            raise EventsDivergedError(int(one["sequence"]), one.tobytes(), other.tobytes())


def _redo(engine: NativeEngine, commands: RecordArray, recorded: _Recorded, log: LogWriter) -> int:
    """Apply commands, and compare or append their events; how many were compared."""
    room = empty_events(_ROOM)
    compared = 0
    while len(commands):
        consumed, written = engine.apply_batch(commands, room)
        if not consumed:
            room = empty_events(2 * len(room))
            continue
        known = recorded.compare(room[:written])
        if known < written:
            log.append(room[known:written])
        compared += known
        commands = commands[consumed:]
    return compared


def redo_events(
    engine: NativeEngine, commands: LogReader, log: LogWriter, *, after: int = 0
) -> Redone:
    """Replay commands into an engine, and bring its event log there. O(commands + events).

    Args:
        engine: as it was after command ``after``: new, or restored from a snapshot that the event
            log reaches back to.
        commands: the command log, recovered, and not written to yet.
        log: the event log, recovered: what follows is appended, and flushed.

    Raises:
        LogOutOfStepError: the event log ends before the engine begins: take an older snapshot.
        EventsDivergedError: the log has another event than the replay.
        LogError: the event log has events of commands that the command log has lost. This can be
            where the command log promises less than the event log.
    """
    begin = engine.event_sequence + 1
    if begin > log.sequence + 1:
        raise LogOutOfStepError("event", begin, log.sequence + 1)
    log.flush()  # its thread is done with new files: nothing moves while the old are read
    with (
        closing(_Recorded(log, begin)) as recorded,
        closing(cast(_Batches, commands.batches(after + 1))) as batches,
    ):
        done = compared = 0
        for batch, _marks in batches:
            compared += _redo(engine, batch, recorded, log)
            done += len(batch)
    if engine.event_sequence < log.sequence:
        raise LogError(
            f"the event log ends at event {log.sequence}, and the commands that are left cause"
            f" {engine.event_sequence}: it has events of commands that were lost"
        )
    log.flush()
    return Redone(done, compared, engine.event_sequence + 1 - begin - compared)
