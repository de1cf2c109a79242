"""Replay: from a snapshot and the log behind it, the engine again, verified on the way.

::

    snapshot at S ──▶ books ──▶ S+1  S+2  …  mark  …  mark  …  last
                                              │         │
                     event CRC, number of events, orders, state hash: as the log has them?

The engine is a function of its commands, so replaying them gives the same books and the same
events, bit for bit; a mark is what the engine that wrote the log was at that point. Whatever part
of an engine does not only depend on its commands (a clock, a set's order, an uninitialised byte)
shows here, at the first mark after it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from contract.native import NativeEngine
from contract.records import RecordArray, empty_events
from phase6_wal.errors import LogCutShortError, LogDamagedError, LogError, ReplayDivergedError
from phase6_wal.names import snapshot_name
from phase6_wal.native import LogMark, Storage
from phase6_wal.native_book import DrivenBooks
from phase6_wal.reader import Batch, LogReader
from phase6_wal.recovery import recover_log
from phase6_wal.segments import place_of
from phase6_wal.snapshots import Snapshot, newest_snapshot

_EVENT_CAPACITY: Final = 1 << 16

#: What makes an empty engine: ``engine_class(instrument=, min_price=, max_price=, capacity=)``.
EngineMaker = Callable[..., NativeEngine]
#: Called with the sequence that a replay has reached.
Progress = Callable[[int], object]
#: Called with events as they come: an array of ``EVENT_DTYPE``, good during the call.
EventSink = Callable[[RecordArray], object]


class Replayed(NamedTuple):
    """What a replay gave.

    Attributes:
        engines: in the order of their instruments, open: whoever asked closes them.
        start: sequence of the snapshot that it began with.
        sequence: of the last command applied.
        end: of the last command in the log.
        event_crc: CRC32C over all events since sequence 0.
        marks_checked: places where the log said what the engine was, and the replay agreed.
        commands: how many were applied.
        seconds: reading, applying and checking them; the snapshot apart.
    """

    engines: list[NativeEngine]
    start: int
    sequence: int
    end: int
    event_crc: int
    marks_checked: int
    commands: int
    seconds: float


class State(NamedTuple):
    """What a mark says of an engine, but for its place."""

    event_sequence: int
    orders: int
    event_crc: int
    state_hash: bytes


def state_of(engines: Sequence[NativeEngine], event_crc: int) -> State:
    """The state of books, given in the order of their instruments. O(orders)."""
    hashes = [bytes.fromhex(engine.state_hash()) for engine in engines]
    together = hashes[0] if len(hashes) == 1 else _digest(b"".join(hashes))
    return State(
        sum(engine.event_sequence for engine in engines),
        sum(map(len, engines)),
        event_crc,
        together,
    )


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def replay(
    storage: Storage,
    engine_class: EngineMaker,
    *,
    to: int | None = None,
    check: bool = True,
    genesis: bool = False,
    progress: Progress | None = None,
    events: EventSink | None = None,
) -> Replayed:
    """Make the books again as they were after a command. Changes nothing in the storage.

    Begins with the newest valid snapshot at or before ``to``. O(orders + commands behind it).

    Args:
        engine_class: makes an engine in C for each book of the snapshot, with its limits.
        to: the last command to apply: time travel. None: all that are valid.
        check: compare with every mark on the way.
        genesis: begin with the first snapshot, sequence 0, whatever newer ones there are.
        progress: called now and then.
        events: called with all events of the commands replayed.

    Raises:
        LogError: there is no snapshot to begin with, or the log does not reach ``to``.
        LogDamagedError: the log does not hold the command that the snapshot stands behind.
        ReplayDivergedError: a mark says otherwise.
    """
    snapshot, _useless = choose_snapshot(storage, 0 if genesis else to)
    return replay_from(
        storage, snapshot, engine_class, to=to, check=check, progress=progress, events=events
    )


def replay_from(
    storage: Storage,
    snapshot: Snapshot,
    engine_class: EngineMaker,
    *,
    to: int | None = None,
    check: bool = True,
    progress: Progress | None = None,
    events: EventSink | None = None,
) -> Replayed:
    """``replay`` from a snapshot that has been chosen."""
    engines = engines_of(snapshot, engine_class)
    reader = LogReader(storage, "commands")
    with ExitStack() as stack:
        for engine in engines:
            stack.callback(engine.close)
        books = DrivenBooks(engines, sequence=snapshot.sequence, event_crc=snapshot.event_crc)
        stack.callback(books.close)
        run = _Run(books, check=check, progress=progress, events=events)
        began = time.perf_counter()
        for commands, marks in batches_behind(reader, snapshot, to):
            run.batch(commands, marks)
        seconds = time.perf_counter() - began
        sequence, event_crc = books.sequence, books.event_crc
        end = sequence if to is None else max(each.sequence for each in reader.segments())
        if to is not None and sequence != to:
            raise LogError(f"command {to} is asked for, but the log ends with {sequence}")
        books.close()
        stack.pop_all()
    return Replayed(
        engines,
        snapshot.sequence,
        sequence,
        end,
        event_crc,
        run.marks,
        sequence - snapshot.sequence,
        seconds,
    )


def batches_behind(reader: LogReader, snapshot: Snapshot, to: int | None = None) -> Iterator[Batch]:
    """What a log has behind a snapshot; see ``LogReader.batches``.

    A mark of the same command that stands before it is left out: it may be of a book that an image
    has replaced since.
    """
    is_behind = False
    for commands, marks in reader.batches(snapshot.sequence + 1, to):
        kept = []
        for index, mark in marks:
            is_behind |= mark.sequence > snapshot.sequence or mark.chain == snapshot.chain
            if is_behind:
                kept.append((index, mark))
        yield commands, kept


def choose_snapshot(
    storage: Storage, at_most: int | None = None, *, accept_loss: bool = False
) -> tuple[Snapshot, list[str]]:
    """The newest valid snapshot, which the log has to go on from; names of those passed over.

    A snapshot gets its name only when the log is on the disk as far as it reaches. So if the log
    does not hold its last command, that was there and is gone: an error, and no reason to begin
    with an older one.

    Args:
        at_most: not one behind this command.
        accept_loss: begin with an older one all the same.

    Raises:
        LogError: there is none.
        LogDamagedError: the log does not hold its last command, or another one in its place; names
            what is damaged before it, if anything is.
        LogCutShortError: the log ends before it, and is whole so far.
        RecoveryFailedError: the log cannot be read.
    """
    reader = LogReader(storage, "commands")
    passed: list[str] = []
    useless: list[str] = []
    while True:
        snapshot, skipped = newest_snapshot(storage, at_most)
        passed += [f"{name}: {error}" for name, error in skipped]
        useless += [name for name, _error in skipped]
        if snapshot is None:
            limit = "" if at_most is None else f" at or before command {at_most}"
            raise LogError("; ".join([f"no valid snapshot{limit} to begin with", *passed]))
        is_first = snapshot.sequence == snapshot.chain == 0  # there need be no log yet
        chains = [0] if is_first else reader.chains_at(snapshot.sequence)
        if snapshot.chain in chains:
            return snapshot, useless
        name = snapshot_name(snapshot.sequence)
        if not accept_loss or snapshot.sequence == 0:
            _blame_the_log(storage, snapshot)
            raise LogDamagedError(
                place_of(storage, name),
                "header",
                "chain",
                f"{snapshot.chain:#x}",
                " or ".join(f"{chain:#x}" for chain in chains)
                or f"a log that holds command {snapshot.sequence}",
            )
        passed.append(f"{name}: the log does not go on from it")
        useless.append(name)
        at_most = snapshot.sequence - 1


def _blame_the_log(storage: Storage, snapshot: Snapshot) -> None:
    """Raise what is wrong with a log that does not reach a snapshot. O(bytes).

    First where the snapshot stands: damage far before it is not why.

    Raises:
        LogDamagedError: where it is damaged.
        LogCutShortError: it is not, and ends before.
    """
    for since in (snapshot.sequence, None):
        found = recover_log(storage, content="commands", since=since, cut=False)
        if found.segments and found.sequence < snapshot.sequence:
            last = found.segments[-1]
            where = f"{last.name}: offset {last.end}"
            if found.dropped:
                where = f"{found.dropped.name}: offset {found.dropped.offset}"
                where += f": {found.dropped.field}"
            directory = getattr(storage, "directory", "the storage")
            raise LogCutShortError(directory, where, found.sequence, snapshot.sequence)


def engines_of(snapshot: Snapshot, engine_class: EngineMaker) -> list[NativeEngine]:
    """The books of a snapshot, in the order of their instruments, as engines of that class."""
    engines: list[NativeEngine] = []
    try:
        for book in sorted(snapshot.books, key=lambda book: book.instrument):
            engines.append(
                engine_class(
                    instrument=book.instrument,
                    min_price=book.min_price,
                    max_price=book.max_price,
                    capacity=book.capacity,
                )
            )
            engines[-1].restore(book.image)
    except BaseException:
        for engine in engines:
            engine.close()
        raise
    return engines


class _Run:
    """A replay on its way: commands into the books, a look at each mark."""

    def __init__(
        self,
        books: DrivenBooks,
        *,
        check: bool,
        progress: Progress | None,
        events: EventSink | None,
    ) -> None:
        self._books = books
        self._engines = list(books.engines)
        self._check = check
        self._progress = progress
        self._events = events
        self._scratch = empty_events(_EVENT_CAPACITY)
        self.marks = 0

    def batch(self, commands: RecordArray, marks: Sequence[tuple[int, LogMark]]) -> None:
        """Apply commands; each mark stands behind so many of them."""
        start = 0
        for index, mark in marks:
            self._apply(commands[start:index])
            start = index
            if self._check:
                check_mark(self._engines, self._books, mark)
                self.marks += 1
        self._apply(commands[start:])
        if self._progress is not None:
            self._progress(self._books.sequence)

    def _apply(self, commands: RecordArray) -> None:
        done = 0
        while done < len(commands):
            consumed, written, _code = self._books.apply(commands[done:], self._scratch)
            if not consumed:
                self._scratch = empty_events(2 * len(self._scratch))
                continue
            done += consumed
            if self._events is not None:
                self._events(self._scratch[:written])


# --8<-- [start:check]
def check_mark(engines: Sequence[NativeEngine], books: DrivenBooks, mark: LogMark) -> None:
    """Compare books with a mark at the same place. O(orders).

    Raises:
        ReplayDivergedError: names the first field that differs.
    """
    found = state_of(engines, books.event_crc)
    if mark.sequence != books.sequence:
        raise ReplayDivergedError(books.sequence, "sequence", books.sequence, mark.sequence)
    for field in State._fields:
        here, recorded = getattr(found, field), getattr(mark, field)
        if here != recorded:
            show = bytes.hex if field == "state_hash" else int
            raise ReplayDivergedError(mark.sequence, field, show(here), show(recorded))


# --8<-- [end:check]
