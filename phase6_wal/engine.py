"""The durable engine: books that come back as they were, whatever happens to the process.

::

    commands ──▶ log ──▶ books ──▶ events ──▶ the caller     acknowledged: these may be told
                  │        │
                  │        └──▶ every snapshot_every commands: a snapshot, beside the matching
                  └──▶ every mark_every commands: a mark, what the engine was there

A command is in the log before a book sees it (c/durable_book.h). Events come back at once, but what
they say may only leave the house when ``acknowledged`` has reached their command: at once with the
durabilities ``none``, ``page-cache`` and ``sync``, after the next flush with ``group``.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any, ClassVar, Final, Self

from contract.engine import BatchResult
from contract.errors import EngineClosedError
from contract.messages import RECORD_BYTES, Command, Event
from contract.native import NativeEngine
from phase3_sorted import Engine as SortedEngine
from phase6_wal.beginnings import (
    COMMANDS_AN_ORDER,
    MARK_EVERY,
    Directory,
    Parts,
    Recovery,
    Upkeep,
    begin,
    recover,
    scratch_directory,
)
from phase6_wal.errors import LogError, LogFullError, SnapshotFailedError
from phase6_wal.native import LogMark, LogOptions, LogWriter, Storage
from phase6_wal.native_book import FULL, whole_records
from phase6_wal.one_book import OneBook
from phase6_wal.replay import EngineMaker, Progress, state_of
from phase6_wal.snapshots import (
    BookImage,
    Snapshot,
    Snapshotter,
    TakenSnapshot,
    remove_older,
    write_snapshot,
)

__all__ = ["MARK_EVERY", "DurableEngine", "Engine", "Recovery"]

_SCRATCH_EVENTS: Final = 256
#: Of the engine that is only held to the contract: made quickly, thousands of times.
_SMALL: Final = LogOptions(segment_bytes=4 << 20, reserve=False)


class DurableEngine(OneBook):
    """Books behind a log. Made by ``create`` in an empty directory, by ``open`` in one with a log.

    Of one book it is an engine like any other; of several the views are the books' own:
    ``book(instrument)``. One owner. Forgotten and not closed, it is left as a crash would leave it.

    Attributes:
        recovery: what ``open`` found; None if there was nothing to recover.
        log: where the commands go.
        snapshots: what takes them; its ``failed`` says why none succeed, if so.
    """

    name: ClassVar[str] = "durable"

    def __init__(self, parts: Parts, upkeep: Upkeep) -> None:
        """Internal: ``create`` and ``open`` find the parts."""
        self._engines: Sequence[NativeEngine] = parts.engines
        self._show_limits()
        self._books = parts.books
        self._upkeep = upkeep
        self.log: LogWriter = parts.log
        self.snapshots: Snapshotter = parts.snapshots
        self.recovery: Recovery | None = parts.recovery
        self._marked = self._snapshot_sequence = parts.snapshot_sequence
        self._scratch = bytearray(_SCRATCH_EVENTS * RECORD_BYTES)

    def _move_in(self, house: ExitStack) -> Self:
        """Take over what closes the parts: nothing can go wrong any more."""
        self._house = house.pop_all()
        self._forgotten = weakref.finalize(self, self._house.close)
        return self

    # --- beginnings -------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        directory: Directory | Storage,
        engines: Sequence[NativeEngine],
        *,
        durability: str = "page-cache",
        snapshot_every: int = 0,
        mark_every: int = MARK_EVERY,
        keep: int = 2,
        trim: bool = False,
        how: str | None = None,
        **log_options: Any,
    ) -> DurableEngine:
        """Begin a log in a directory that has none.

        Args:
            directory: made if it is not there; or a storage, which stays the caller's.
            engines: in C and empty, one for each instrument; they are the log's from now on, and
                closed with it.
            log_options: of ``phase6_wal.native.LogOptions``; see ``Upkeep`` for the others.

        Raises:
            LogError: there is a log already.
            LogInUseError: and another process writes it.
            LogNotOpenedError: the directory cannot be made, read or locked.
            ConfigurationError: an engine that is not empty, or options that make no sense.
        """
        upkeep = Upkeep(snapshot_every, mark_every, keep, trim, how)
        options = LogOptions(durability=durability, **log_options)
        with ExitStack() as house:
            parts = begin(house, directory, engines, options, upkeep)
            return DurableEngine(parts, upkeep)._move_in(house)

    @classmethod
    def open(
        cls,
        directory: Directory | Storage,
        engine_class: EngineMaker = SortedEngine,
        *,
        durability: str | None = None,
        snapshot_every: int = 0,
        mark_every: int = MARK_EVERY,
        keep: int = 2,
        trim: bool = False,
        how: str | None = None,
        accept_loss: bool = False,
        progress: Progress | None = None,
        **log_options: Any,
    ) -> DurableEngine:
        """Recover: the newest valid snapshot, and the log's longest valid part behind it.

        What was acknowledged is there again; ``recovery`` says what was found. The log goes on
        where it ended. Recovering twice is recovering once.

        Args:
            engine_class: makes the engine of each book, with the limits that the log remembers.
            durability: None: as the log has it.
            accept_loss: an operator's word that commands may be given up that were acknowledged, as
                after a power cut under ``page-cache``.
            progress: called now and then with the sequence that the replay has reached.

        Raises:
            LogDamagedError: damage that is no torn end; nothing was changed.
            ReplayDivergedError: the books are not what the log says they were.
            LogInUseError: another process writes this log.
            LogNotOpenedError: the directory cannot be made, read or locked.
        """
        upkeep = Upkeep(snapshot_every, mark_every, keep, trim, how)
        with ExitStack() as house:
            parts = recover(
                house,
                directory,
                engine_class,
                upkeep,
                durability=durability,
                log_options=log_options,
                accept_loss=accept_loss,
                progress=progress,
            )
            return DurableEngine(parts, upkeep)._move_in(house)

    # --- commands ---------------------------------------------------------------------------

    def apply(self, command: Command) -> list[Event]:
        """Log and apply one command; its events. Prefer ``apply_batch`` where speed matters."""
        record = command.pack()
        consumed, written = self.apply_batch(record, self._scratch)
        while not consumed:
            self._scratch = bytearray(2 * len(self._scratch))
            consumed, written = self.apply_batch(record, self._scratch)
        return [Event.unpack_from(self._scratch, i * RECORD_BYTES) for i in range(written)]

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Log and apply commands; see ``contract.engine.Engine``. One flush, if one is due.

        Raises:
            LogFullError: there is no space for the first command, which is neither logged nor
                applied. Cancels still go through. If there was space for some before it, they are
                consumed, and the next call says so.
            LogFailedError: the storage failed. Nothing more is taken; what ``acknowledged`` does
                not cover may be told to nobody, and is there or not after a recovery.
            ValueError: a buffer is not contiguous, not writable, or not whole records.
        """
        if not self._books.is_open:
            raise EngineClosedError(f"{self.name}: this engine is closed")
        source, target = whole_records(commands, events)
        done = written = 0
        while True:
            rest = source[done * RECORD_BYTES : (done + self._until_snapshot()) * RECORD_BYTES]
            consumed, wrote, code = self._books.apply(rest, target[written * RECORD_BYTES :])
            done += consumed
            written += wrote
            if code != FULL or not done:
                self._books.raise_code(code)
            if consumed:
                self._keep_up()
            if code or not consumed or done * RECORD_BYTES == len(source):
                return BatchResult(done, written)

    def _until_snapshot(self) -> int:
        """How many commands until one is due; no matter, if it is overdue."""
        every = self._upkeep.snapshot_every
        left = self._snapshot_sequence + every - self.sequence
        return left if every and left > 0 else 1 << 62

    def _keep_up(self) -> None:
        """Snapshots and marks that are due at this command.

        The snapshot first: where it stands in the log is durable with its command, and a mark
        between them would not be.
        """
        every, sequence = self._upkeep.snapshot_every, self.sequence
        if every and sequence - self._snapshot_sequence >= every:
            self._begin_snapshot()
        every = self._upkeep.mark_every
        if every and sequence % every == 0:
            orders = sum(map(len, self._engines))
            if sequence - self._marked >= COMMANDS_AN_ORDER * orders:
                self.mark()

    def mark(self) -> None:
        """Write down what the books are now, for replays to compare with. O(orders)."""
        state = state_of(self._engines, self.event_crc)
        self._marked = self.sequence
        # A full disk takes no marks: there is better use for what is left.
        with suppress(LogFullError):
            self.log.append_mark(LogMark(*state))

    def restore(self, image: bytes) -> None:
        """Replace the only book's state by an image's, and begin the log's history anew with it.

        Commands before it stay in the log, but there is no way back to them: a snapshot of the
        image becomes the first. It is on the disk when this returns.

        Raises:
            SnapshotError: the image is damaged or does not fit; nothing has changed.
            SnapshotFailedError: the storage failed, and nothing has changed; or only older
                snapshots could not be removed (``remove``); or nobody knows what a crash would
                leave (``directory_sync``): then this engine is closed, and a recovery will tell.
        """
        if not self._books.is_open:
            raise EngineClosedError(f"{self.name}: this engine is closed")
        book, log = self._only, self.log
        log.flush()
        self._finish_snapshot(wait=True)
        limits = book.instrument, book.min_price, book.max_price, book.capacity
        books, sequence = (BookImage(*limits, image),), self.sequence
        at = Snapshot(sequence, log.chain, log.log_id, self.event_crc, books)
        try:
            write_snapshot(log.storage, at)
        except SnapshotFailedError as failure:
            if failure.call == "directory_sync":
                self._forgotten()
            raise
        book.restore(image)
        self._marked = self._snapshot_sequence = sequence
        remove_older(log.storage, sequence)

    # --- how far it has got -----------------------------------------------------------------

    @property
    def sequence(self) -> int:
        """Of the last command logged and applied."""
        return self._books.sequence

    @property
    def acknowledged(self) -> int:
        """Up to this command the durability's promise holds: what may be told."""
        return self.log.acknowledged

    @property
    def durable(self) -> int:
        """Up to this command everything survives the machine."""
        return self.log.durable

    @property
    def event_crc(self) -> int:
        """CRC32C over all events since the first command, of all books, in the order they came."""
        return self._books.event_crc

    @property
    def books(self) -> list[NativeEngine]:
        """The books in the order of their instruments: to look at."""
        return list(self._engines)

    def book(self, instrument: int) -> NativeEngine:
        """The book of an instrument: to look at. Commands go through here.

        Raises:
            KeyError: there is none.
        """
        for engine in self._engines:
            if engine.instrument == instrument:
                return engine
        raise KeyError(instrument)

    # --- upkeep -----------------------------------------------------------------------------

    def flush(self) -> None:
        """Make everything durable, in whatever mode."""
        self.log.flush()

    def poll(self) -> bool:
        """What time brings: a flush that is due (``group``), a snapshot that has become ready.

        Returns:
            Whether there was a flush.
        """
        self._finish_snapshot()
        return self.log.poll()

    def take_snapshot(self) -> TakenSnapshot:
        """Take a snapshot now, flush the log, and wait until the snapshot is on the disk.

        Those of ``snapshot_every`` wait for nobody: one has its name when the log has come to the
        disk as far as it: under ``none`` and ``page-cache``, at the latest with its segment.

        Raises:
            LogFailedError: the log could not be flushed.
            SnapshotFailedError: it could not be taken; the engine goes on.
        """
        self.flush()
        self._finish_snapshot(wait=True)
        self._begin_snapshot()
        taken = self._finish_snapshot(wait=True)
        if taken is None or not taken.done:
            raise (taken and taken.failure) or self.snapshots.failed or LogError("no snapshot")
        return taken

    def _begin_snapshot(self) -> None:
        self._finish_snapshot()
        if self.snapshots.take(self.sequence, self.log.chain, self.event_crc):
            self._snapshot_sequence = self.sequence

    def _finish_snapshot(self, *, wait: bool = False) -> TakenSnapshot | None:
        """Name a snapshot that is written, if the log is on the disk as far as it is."""
        look = self.snapshots.wait if wait else self.snapshots.poll
        taken = look(self.durable)
        if taken is not None and taken.done and self._upkeep.trim and self.snapshots.oldest:
            self.log.release(self.snapshots.oldest)  # its last command stays: see chains_at
        return taken

    def close(self) -> None:
        """Flush, close the log, and free the books. Closing twice is harmless.

        Raises:
            LogFailedError: the storage failed, now or before; it is closed all the same.
        """
        if not self._books.is_open:
            return
        self._forgotten.detach()
        with self._house:
            self._house.callback(_close_all, self._engines)
            self._house.callback(self._books.close)
            self._house.callback(self.log.close)
            self._house.callback(self.snapshots.close)
            self.flush()
            self._finish_snapshot(wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _close_all(engines: Sequence[NativeEngine]) -> None:
    for engine in engines:
        engine.close()


class Engine(DurableEngine):
    """Phase 3's book behind a log under ``page-cache``, in a directory that goes when it is closed.

    For the contract, and for whoever compares engines.
    """

    name = "phase6"

    def __init__(self, **limits: Any) -> None:
        book = SortedEngine(**limits)
        with ExitStack() as house:
            directory, upkeep = scratch_directory(house), Upkeep()
            super().__init__(begin(house, directory, [book], _SMALL, upkeep), upkeep)
            self._move_in(house)
