"""Snapshots from Python: the judge and the writer of their files, and what takes them."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Self

from contract.errors import ConfigurationError
from contract.native import LentBook, NativeEngine
from phase6_wal._wal import ffi, lib
from phase6_wal.errors import SnapshotFailedError
from phase6_wal.native import PosixStorage, Storage

HEADER_BYTES: Final = int(lib.SNAPSHOT_HEADER_BYTES)
ENTRY_BYTES: Final = int(lib.SNAPSHOT_ENTRY_BYTES)
#: How many orders are copied rather than the process forked, in each way.
WAYS: Final = {"auto": 1 << 14, "fork": 0, "copy": 0}
DEFAULT_KEEP: Final = 2
_EVERYTHING: Final = 2**64 - 1  # a log that is durable without end


class SnapshotFault(NamedTuple):
    """Why bytes are no valid snapshot: the field, where it is, what is there and would be right."""

    field: str
    book: int
    offset: int
    found: int
    expected: int


class SnapshotHead(NamedTuple):
    """The header of a snapshot, and its entries."""

    sequence: int
    log_id: int
    chain: int
    event_crc: int
    entries: tuple[SnapshotEntry, ...]


class SnapshotEntry(NamedTuple):
    """One book: its limits, and where its image is in the file."""

    instrument: int
    min_price: int
    max_price: int
    capacity: int
    offset: int = 0
    bytes: int = 0
    state_hash: str = ""


def blake2b(data: Any) -> bytes:
    """BLAKE2b of 16 bytes, by the C of a snapshot's child. O(bytes).

    >>> import hashlib
    >>> blake2b(b"abc") == hashlib.blake2b(b"abc", digest_size=16).digest()
    True
    """
    memory, digest = ffi.from_buffer(data), ffi.new("uint8_t[16]")
    running = ffi.new("blake2b_hash *")
    lib.blake2b_begin(running)
    lib.blake2b_take(running, memory, len(memory))
    lib.blake2b_end(running, digest)
    return bytes(digest)


def find_fault(data: Any, sequence: int | None = None) -> SnapshotFault | None:
    """What makes bytes no valid snapshot (of that sequence); None: nothing but its orders may.

    O(bytes), in C; any bytes will do.
    """
    memory, fault = ffi.from_buffer(data), ffi.new("snapshot_fault *")
    wanted = _EVERYTHING if sequence is None else sequence
    reason = lib.snapshot_check(memory, len(memory), wanted, fault)
    if reason == lib.SNAPSHOT_GOOD:
        return None
    field = ffi.string(lib.snapshot_reason(reason)).decode()
    return SnapshotFault(field, fault.book, fault.offset, fault.found, fault.expected)


def read_head(data: Any) -> SnapshotHead:
    """Header and entries of bytes in which ``find_fault`` has found none."""
    memory = ffi.from_buffer(data)
    header = ffi.cast("snapshot_header *", memory)
    entries = ffi.cast("snapshot_entry *", memory + HEADER_BYTES)
    return SnapshotHead(
        header.sequence,
        header.log_id,
        header.chain,
        header.event_crc,
        tuple(
            SnapshotEntry(
                entry.instrument,
                entry.min_price,
                entry.max_price,
                entry.capacity,
                entry.offset,
                entry.bytes,
                bytes(entry.state_hash).hex(),
            )
            for entry in (entries[i] for i in range(header.books))
        ),
    )


def write_file(storage: Storage, head: SnapshotHead, images: Sequence[bytes]) -> None:
    """Make a snapshot's file, all at once: synced, verified, and only then named.

    Raises:
        SnapshotFailedError: the storage failed; there is no new file under a final name, unless
            only the sync of the directory failed.
    """
    entries = ffi.new("snapshot_entry[]", len(images))
    memory = [ffi.from_buffer(image) for image in images]
    for entry, given, image in zip(entries, head.entries, images, strict=True):
        entry.instrument, entry.capacity = given.instrument, given.capacity
        entry.min_price, entry.max_price = given.min_price, given.max_price
        entry.bytes = len(image)
    problem = ffi.new("snapshot_problem *")
    failed = lib.snapshot_write(
        storage.handle,
        head.sequence,
        head.log_id,
        head.chain,
        head.event_crc,
        entries,
        len(images),
        ffi.new("void *[]", memory),
        problem,
    )
    if failed:
        raise _failure(head.sequence, problem)


def _failure(sequence: int, problem: Any, signal: int = 0) -> SnapshotFailedError:
    call = ffi.string(problem.call).decode()
    return SnapshotFailedError(sequence, call, problem.offset, problem.error, signal)


class SnapshotBook(NamedTuple):
    """A lent book and its limits, as a snapshotter needs them."""

    lent: LentBook
    instrument: int
    min_price: int
    max_price: int
    capacity: int

    @classmethod
    def of(cls, engine: NativeEngine, lent: LentBook) -> SnapshotBook:
        """The book that an engine has lent."""
        return cls(lent, engine.instrument, engine.min_price, engine.max_price, engine.capacity)


class TakenSnapshot(NamedTuple):
    """What became of a snapshot.

    ``failure`` is None if it has its name and is on the disk. It can be set beside ``done``: then
    older ones could not be removed, and will be with the next.
    """

    sequence: int
    done: bool
    failure: SnapshotFailedError | None
    pause_ns: int  # for which the engine stood still
    whole_ns: int  # until it had its name
    bytes: int
    how: str  # "fork" or "copy"


class Snapshotter:
    """Takes snapshots of running books, and keeps the last few; c/snapshotter.h draws how.

    Args:
        storage: where the log is.
        books: lent ones, in the order of their instruments; they stay lent while this is open.
        log_id: of the log.
        keep: how many, beside number 0, which is always kept.
        how: ``"fork"``: a child writes the books as they are at that moment, while the engine
            goes on; ``"copy"``: the engine's thread copies the images, another one writes them;
            ``"auto"``: by copy while the books hold fewer than 16,384 orders in all, by fork from
            there on. None takes ``"auto"`` on a real disk, and ``"copy"`` on a simulated one, where
            nothing else works.
        thread: False: ``take`` and ``poll`` do all the work themselves; by copy only.

    Raises:
        ConfigurationError: the books are none, too many or not in order; a word is none; there is
            not enough memory.
        SnapshotFailedError: the storage failed.

    The bound: in ``"auto"``, with up to a million live orders, ``take`` holds its caller up for no
    more than 25 ms: that is a fork where the kernel gives books no large pages. Where it does, and
    with fewer orders, it is a tenth of that and less (``docs/results``).

    A failure to take one is never the engine's: ``poll`` returns it, ``failed`` keeps it, and the
    snapshots before it stay.
    """

    def __init__(
        self,
        storage: Storage,
        books: Sequence[SnapshotBook],
        *,
        log_id: int,
        keep: int = DEFAULT_KEEP,
        how: str | None = None,
        thread: bool | None = None,
    ) -> None:
        real = isinstance(storage, PosixStorage)
        self.how = how or ("auto" if real else "copy")
        if self.how not in WAYS:
            raise ConfigurationError(f"how {how!r} is not one of {', '.join(WAYS)}")
        if self.how != "copy" and not real:
            raise ConfigurationError("a child of a fork has its own copy of a disk in memory")
        if not 1 <= keep <= 2**20:
            raise ConfigurationError(f"keep {keep} is not 1 to {2**20}")
        threaded = real if thread is None else thread
        if self.how != "copy" and not threaded:
            raise ConfigurationError("a snapshot by fork needs a thread that waits for the child")
        numbers = [book.instrument for book in books]
        if numbers != sorted(set(numbers)) or not 1 <= len(numbers) <= lib.SNAPSHOT_MOST_BOOKS:
            raise ConfigurationError(
                f"instruments {numbers[:8]} are not 1 to {lib.SNAPSHOT_MOST_BOOKS}, ascending"
            )
        options = {
            "how": lib.SNAPSHOT_BY_COPY if self.how == "copy" else lib.SNAPSHOT_BY_FORK,
            "thread": threaded,
            "keep": keep,
            "log_id": log_id,
            "copy_below": WAYS[self.how],
        }
        made, problem = ffi.new("snapshotter **"), ffi.new("snapshot_problem *")
        if lib.snapshotter_new(
            storage.handle,
            ffi.new("snapshot_source[]", [_in_c(book) for book in books]),
            len(books),
            ffi.new("snapshot_options *", options),
            made,
            problem,
        ):
            if problem.error == errno.ENOMEM:
                raise ConfigurationError("the machine has not enough memory for snapshots")
            raise _failure(0, problem)
        self.storage = storage
        self._snapshotter: Any = ffi.gc(made[0], lib.snapshotter_free)
        self._report = ffi.new("snapshot_report *")
        self._pid = os.getpid()
        self._finalizer = weakref.finalize(self, _end, self._snapshotter, storage.handle)
        storage.users.add(self)
        #: How the last one failed that did; None: none did.
        self.failed: SnapshotFailedError | None = None

    def take(self, sequence: int, chain: int, event_crc: int) -> bool:
        """Begin a snapshot of the books as they are: after that command, at that point of the log.

        Returns False if there is none: the one before is not ended yet (``poll``), or it could not
        be begun, and ``failed`` says why. O(1) in the books' orders by fork, O(orders) by copy.
        """
        code = lib.snapshotter_take(self._open(), sequence, chain, event_crc)
        if code == lib.SNAPSHOT_REFUSED:
            self._ended()
        return bool(code == lib.SNAPSHOT_TAKEN)

    def poll(self, durable: int | None = None) -> TakenSnapshot | None:
        """Let a snapshot that is written have its name, if the log is on the disk as far as it is.

        Args:
            durable: the log's last sequence on the disk; None: as far as need be.

        Returns what became of a snapshot, once; None while there is nothing new. O(1).
        """
        most = _EVERYTHING if durable is None else durable
        return self._ended() if lib.snapshotter_poll(self._open(), most) else None

    def wait(self, durable: int | None = None) -> TakenSnapshot | None:
        """As ``poll``, but waits for a snapshot that is being written.

        None: there is none, or it waits for a log that is behind it.
        """
        most = _EVERYTHING if durable is None else durable
        return self._ended() if lib.snapshotter_wait(self._open(), most) else None

    @property
    def busy(self) -> bool:
        """Whether one is begun and not ended: ``take`` would refuse."""
        return self._look().state in (lib.SNAPSHOT_WRITING, lib.SNAPSHOT_WRITTEN)

    @property
    def written(self) -> bool:
        """Whether one is written, and waits for the log."""
        return bool(self._look().state == lib.SNAPSHOT_WRITTEN)

    @property
    def child(self) -> int:
        """The process that writes just now, or 0."""
        return int(self._look().child)

    @property
    def pause_ns(self) -> int:
        """For how long the last ``take`` held its caller up."""
        return int(self._look().pause_ns)

    @property
    def made(self) -> int:
        """How many have been made."""
        return int(self._look().made)

    @property
    def oldest(self) -> int:
        """Sequence of the oldest that is kept, beside number 0; 0: there is none.

        The log from that command on must stay: its place there is looked up.
        """
        return int(self._look().oldest)

    def close(self) -> None:
        """Give up what is not ended, and end the thread. Twice is harmless."""
        self._finalizer()
        self._snapshotter = None
        self.storage.users.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _ended(self) -> TakenSnapshot:
        report = self._look()
        failure = None
        if report.problem.call[0] != b"\0":
            failure = _failure(report.sequence, report.problem, report.signal)
            self.failed = failure
        return TakenSnapshot(
            report.sequence,
            bool(report.done),
            failure,
            report.pause_ns,
            report.whole_ns,
            report.bytes,
            "fork" if report.by_fork else "copy",
        )

    def _look(self) -> Any:
        lib.snapshotter_look(self._open(), self._report)
        return self._report

    def _open(self) -> Any:
        if self._snapshotter is None:
            raise ValueError("this snapshotter is closed")
        if os.getpid() != self._pid:
            raise ValueError(
                f"this snapshotter's thread is in process {self._pid}, not in its fork"
            )
        return self._snapshotter


def _end(snapshotter: Any, _storage: Any) -> None:
    ffi.release(snapshotter)  # its thread works with the storage, which is kept until here


def _in_c(book: SnapshotBook) -> dict[str, int]:
    return {
        "book": book.lent.book,
        "orders": book.lent.orders,
        "order_count": book.lent.order_count,
        "event_sequence": book.lent.event_sequence,
        "min_price": book.min_price,
        "max_price": book.max_price,
        "instrument": book.instrument,
        "capacity": book.capacity,
    }
