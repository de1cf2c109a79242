"""The log from Python: its checksum and the writer.

Its options are in ``native_options``, the disk in ``native_storage``.

One array of commands is one call into C, which releases the GIL. What fails becomes an exception of
``phase6_wal.errors``.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable
from typing import Any, Final, Self

from contract.errors import ConfigurationError
from contract.messages import RECORD_BYTES
from phase6_wal._wal import ffi, lib
from phase6_wal.errors import LogError, LogFailedError, LogFullError, LogInUseError
from phase6_wal.native_options import (
    CONTENTS,
    DEFAULT_METHOD,
    DURABILITIES,
    METHODS,
    LogOptions,
)
from phase6_wal.native_storage import PosixStorage, Storage
from phase6_wal.positions import LogCounters, LogMark, LogPosition

__all__ = [
    "CONTENTS",
    "DEFAULT_METHOD",
    "DURABILITIES",
    "HEADER_BYTES",
    "METHODS",
    "SLOT_BYTES",
    "LogCounters",
    "LogMark",
    "LogOptions",
    "LogPosition",
    "LogWriter",
    "PosixStorage",
    "Storage",
    "check_no_writer",
    "crc32c",
]

HEADER_BYTES: Final = int(lib.LOG_HEADER_BYTES)
SLOT_BYTES: Final = int(lib.LOG_RECORD_BYTES)
_CHARS = ffi.typeof("char[]")


def crc32c(data: Any, crc: int = 0) -> int:
    """CRC-32C of a buffer, going on from ``crc``. O(bytes).

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    >>> crc32c(b"6789", crc32c(b"12345")) == crc32c(b"123456789")
    True
    """
    memory = ffi.from_buffer(data)
    return int(lib.crc32c(crc, memory, len(memory)))


class LogWriter:
    """Appends to a log. One owner; ``close`` it: a writer's thread works with the storage.

    Args:
        storage: where; locked until ``close``.
        position: from ``recover_log``; None begins a new log.

    Raises:
        LogInUseError: another one writes there.
        LogFullError: no space for the first segment.
        LogFailedError: the storage failed.
        ConfigurationError: options that no log can have, or not this one.
    """

    def __init__(
        self, storage: Storage, options: LogOptions, position: LogPosition | None = None
    ) -> None:
        self._writer: Any = None
        self._at_rest: Callable[[], None] | None = None
        self.storage = storage
        self.options = options
        check_no_writer(storage)
        wanted = options.in_c()
        at = ffi.new("log_position *", (position or LogPosition())._asdict())
        made, problem = ffi.new("log_writer **"), ffi.new("log_problem *")
        try:
            storage.lock()
        except OSError as error:
            name = str(error.filename or ".")
            raise LogFailedError("lock", name, 0, error.errno or 0) from error
        try:
            _raise(lib.log_writer_new(storage.handle, wanted, at, made, problem), problem)
        except BaseException:
            storage.unlock()
            raise
        self._writer, self._forks = made[0], _forks
        # In a cycle the collector frees what cffi owns in any order; what a finalizer holds is not
        # yet garbage.
        self._finalizer = weakref.finalize(self, _free, made[0], storage, _forks)
        self._finalizer.atexit = False  # a thread may still be at it
        storage.users.add(self)

    @property
    def handle(self) -> Any:
        """The writer as C knows it, for other faces of this phase."""
        if self._writer is None:
            raise ValueError("this log is closed")
        if self._forks != _forks:
            raise ValueError("this log's thread is in the process that began it, not in its fork")
        return self._writer

    def _own(self) -> Any:
        """The writer, for what only its owner may do."""
        if self._at_rest is not None:
            self._at_rest()
        return self.handle

    def lend(self, at_rest: Callable[[], None]) -> Any:
        """Lend the writer to a thread in C, which alone works with it until ``take_back``.

        Args:
            at_rest: called before whatever only the owner may do is done from here; raises
                ``ValueError`` while the thread may be at it.

        Returns:
            The writer as C knows it.

        Raises:
            ValueError: it is lent already.
        """
        if self._at_rest is not None:
            raise ValueError("this log is lent already")
        self._at_rest = at_rest
        return self.handle

    def take_back(self) -> None:
        """End the loan: the thread has ended."""
        self._at_rest = None

    def append(self, bodies: Any) -> None:
        """Append commands (or events): a buffer of whole 64-byte records, numbered in the log.

        What is acknowledged then is the durability's matter: see ``acknowledged``.

        Raises:
            LogFullError: no space for another segment; nothing was appended, and it may pass.
            LogFailedError: the storage failed; the log has stopped.
            ValueError: the buffer is not contiguous, or not whole records.
        """
        self._append(lib.log_append, bodies)

    def append_reserved(self, bodies: Any) -> None:
        """Append out of the reserve too: what must go in on a full disk."""
        self._append(lib.log_append_reserved, bodies)

    def put(self, bodies: Any) -> None:
        """The first half of ``append``: no flush, so that it can be withdrawn."""
        self._append(lib.log_put, bodies)

    def settle(self) -> None:
        """The second half: what the durability demands after an append."""
        self._check(lib.log_settle(self._own()))

    def _append(self, function: Any, bodies: Any) -> None:
        try:
            memory = ffi.from_buffer(_CHARS, bodies)
        except BufferError as error:
            raise ValueError(str(error)) from error
        count, rest = divmod(len(memory), RECORD_BYTES)
        if rest:
            raise ValueError(f"{len(memory)} bytes are not a whole number of 64-byte records")
        self._check(function(self._own(), memory, count))

    def append_mark(self, mark: LogMark) -> None:
        """Write down what the engine is now, for a replay to compare with."""
        made = ffi.new("log_mark *", mark._asdict())
        self._check(lib.log_append_mark(self._own(), made))

    def flush(self) -> None:
        """Make everything durable, in whatever mode; waits for the thread's work too."""
        self._check(lib.log_flush(self._own()))

    def poll(self, now_ns: int | None = None) -> bool:
        """Flush if one is due, by count or by time; whether it was."""
        now = lib.log_clock_ns() if now_ns is None else now_ns
        return self._check(lib.log_poll(self._own(), now)) == 1

    def withdraw(self, count: int) -> None:
        """Take back the last ``count`` records of the last ``put``, before ``settle``.

        Raises:
            ValueError: there are not so many.
        """
        code = lib.log_withdraw(self._own(), count)
        if code == lib.LOG_BAD_OPTIONS:
            raise ValueError(f"withdraw({count}): so many were not put since the last settle()")
        self._check(code)

    def release(self, sequence: int) -> int:
        """Let go of segments whose records are all before ``sequence``; how many.

        With a thread it does it, some time before the next ``flush`` or ``close`` returns.
        """
        return self._check(lib.log_release(self._own(), sequence))

    def _check(self, code: int) -> int:
        if code >= 0:
            return code
        problem = ffi.new("log_problem *")
        lib.log_problem_of(self.handle, problem)
        _raise(code, problem)
        return code

    @property
    def sequence(self) -> int:
        """Of the last record appended; 0 before the first."""
        return int(lib.log_sequence(self.handle))

    @property
    def durable(self) -> int:
        """Up to here the log survives the machine."""
        return int(lib.log_durable(self.handle))

    @property
    def acknowledged(self) -> int:
        """Up to here the durability's promise holds: what somebody may be told of."""
        return int(lib.log_acknowledged(self.handle))

    @property
    def chain(self) -> int:
        """The number that depends on every record so far."""
        return int(lib.log_chain(self._own()))

    @property
    def room(self) -> int:
        """How many records go into one segment now: no ``put`` of more can be withdrawn."""
        return int(lib.log_room(self._own()))

    @property
    def position(self) -> LogPosition:
        """Where the log stands."""
        where = ffi.new("log_position *")
        lib.log_where(self._own(), where)
        return LogPosition(*(int(getattr(where, field)) for field in LogPosition._fields))

    @property
    def log_id(self) -> int:
        """The same in all segments of the log."""
        return int(lib.log_id_of(self.handle))

    @property
    def counters(self) -> LogCounters:
        """What it has done so far."""
        counted = ffi.new("log_counters *")
        lib.log_count(self.handle, counted)
        return LogCounters(*(int(getattr(counted, field)) for field in LogCounters._fields))

    @property
    def failed(self) -> LogFailedError | None:
        """Why it has stopped, if it has."""
        problem = ffi.new("log_problem *")
        code = lib.log_problem_of(self.handle, problem)
        return _failure(problem) if code == lib.LOG_FAILED else None

    def close(self) -> None:
        """Make everything durable and end. Twice is harmless.

        Raises:
            LogFailedError: that failed, now or before; the log is closed all the same.
            ValueError: it is lent, and the thread may be at it; or this is a fork.
        """
        if self._writer is None:
            return
        writer, problem = self._own(), ffi.new("log_problem *")
        code = lib.log_writer_close(writer)
        lib.log_problem_of(writer, problem)
        self._end()
        if code == lib.LOG_FAILED:
            raise _failure(problem)

    def abandon(self) -> None:
        """End at once as a crash would: nothing is flushed, what is held back is lost."""
        if self._at_rest is not None and self._writer is not None:
            self._at_rest()
        self._end()

    def _end(self) -> None:
        if self._writer is not None:
            self._writer = None
            self.storage.users.discard(self)
            self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


#: Times that this process has been forked off: a child has a writer's memory, and not its thread.
_forks = 0


def _forked() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_forked)


def _free(writer: Any, storage: Storage, forks: int) -> None:
    if forks == _forks:
        lib.log_writer_free(writer)
    storage.unlock()


def check_no_writer(storage: Storage) -> None:
    """Accept a storage that no writer works with: its lock keeps only other objects away.

    Raises:
        LogInUseError: one does.
    """
    if any(isinstance(user, LogWriter) for user in storage.users):
        raise LogInUseError(getattr(storage, "directory", "the storage"), os.getpid())


def _failure(problem: Any) -> LogFailedError:
    call, name = (ffi.string(text).decode() for text in (problem.call, problem.name))
    return LogFailedError(call, name, int(problem.offset), int(problem.error))


def _raise(code: int, problem: Any) -> None:
    if code >= 0:
        return
    if code == lib.LOG_FULL:
        error = int(problem.error) or errno.ENOSPC
        name = ffi.string(problem.name).decode()
        raise LogFullError(
            f"{name}: no space for another segment ({os.strerror(error)}): nothing was appended"
        )
    if code == lib.LOG_FAILED:
        raise _failure(problem)
    if code == lib.LOG_NO_MEMORY:
        raise ConfigurationError("the machine has not enough memory for this log")
    if code == lib.LOG_BAD_OPTIONS:
        raise ConfigurationError("this log cannot be written like this: see c/log_writer.h")
    raise LogError("this log is closed")
