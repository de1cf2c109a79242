"""What other extensions get of a log, by address: a pipeline's journal, and a store's memory."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from contract.errors import ConfigurationError
from contract.messages import RECORD_BYTES
from phase6_wal._wal import ffi, lib
from phase6_wal.errors import LogError, LogFailedError, LogFullError, LogOutOfStepError
from phase6_wal.native import CONTENTS, LogWriter, Storage


class JournalCounters(NamedTuple):
    """What a journal stage has done; ``expected`` and ``found`` if it came out of step."""

    commands: int
    batches: int
    largest_batch: int
    reserved: int
    expected: int
    found: int


class JournalStage:
    """A ``log_journal`` of c/log_journal.h: the journal stage of a pipeline, writing through a log.

    Args:
        writer: whose log; this keeps it, and it is lent to this.
        at_rest: see ``LogWriter.lend``.
        reserve: whether commands may go into the last reserve of a full disk.
    """

    def __init__(self, writer: LogWriter, at_rest: Callable[[], None], *, reserve: bool) -> None:
        self._writer = writer
        made = lib.log_journal_new(writer.lend(at_rest), reserve)
        weakref.finalize(self, writer.take_back).atexit = False
        self._stage: Any = ffi.gc(made, lib.log_journal_free)
        if made == ffi.NULL:
            raise ConfigurationError("the machine has not enough memory for a journal")

    @property
    def addresses(self) -> tuple[int, int]:
        """Of its append function, and of itself."""
        append = ffi.addressof(lib, "log_journal_append")
        return int(ffi.cast("uintptr_t", append)), int(ffi.cast("uintptr_t", self._stage))

    @property
    def is_full(self) -> bool:
        """Whether commands go into the reserve now."""
        return bool(lib.log_journal_is_full(self._stage))

    def counters(self) -> JournalCounters:
        """What it has done so far."""
        counted = ffi.new("log_journal_counters *")
        lib.log_journal_count(self._stage, counted)
        return JournalCounters(*(int(getattr(counted, name)) for name in JournalCounters._fields))

    def failure(self, code: int) -> LogError:
        """What a code of its append function means, with all that the log knows of it."""
        if code == lib.JOURNAL_OUT_OF_STEP:
            counted = self.counters()
            return LogOutOfStepError("command", counted.found, counted.expected)
        problem = ffi.new("log_problem *")
        lib.log_journal_problem(self._stage, problem)
        name, error = ffi.string(problem.name).decode(), int(problem.error)
        if code == lib.LOG_FULL:
            return LogFullError(f"{name}: no space for another segment, nor in the reserve")
        if code == lib.LOG_FAILED:
            call = ffi.string(problem.call).decode()
            return LogFailedError(call, name, int(problem.offset), error)
        return LogError(f"the log took no commands: code {code}")


class LookupCounters(NamedTuple):
    """What a lookup has done (c/log_lookup.h); ``error`` is the storage's last errno."""

    found: int
    missing: int
    failed: int
    reads: int
    opened: int
    listed: int
    error: int


class LogLookup:
    """Single records of a log by their sequence, while somebody writes it. One thread at a time.

    It can stand behind a store of ``phase5_protocol``, which then sends again from the log what its
    memory has no more: message ``number`` is record ``number``.

    Args:
        storage: the log's; it stays open while this is used. Nothing is locked.
        content: ``"events"`` or ``"commands"``.
        log_id: of the log; 0: of the first segment that is opened.
    """

    def __init__(self, storage: Storage, content: str = "events", log_id: int = 0) -> None:
        if content not in CONTENTS:
            raise ConfigurationError(f"content {content!r} is not one of {', '.join(CONTENTS)}")
        self.storage = storage
        made = lib.log_lookup_new(storage.handle, CONTENTS[content], log_id)
        if made == ffi.NULL:
            raise ConfigurationError("the machine has not enough memory to look into a log")
        self._lookup: Any = made
        # It closes its file through the storage, which must be there then. In a cycle the collector
        # frees what cffi owns in any order; what a finalizer holds is not yet garbage.
        end = weakref.finalize(self, _free, made, storage.handle)
        end.atexit = False  # a store may still be asked
        self._room = bytearray(RECORD_BYTES)
        storage.users.add(self)

    @property
    def reader(self) -> tuple[int, int]:
        """Addresses of ``log_lookup_read`` and of its context: a ``mold_log_read``."""
        read = ffi.addressof(lib, "log_lookup_read")
        return int(ffi.cast("uintptr_t", read)), int(ffi.cast("uintptr_t", self._lookup))

    def read(self, sequence: int) -> bytes | None:
        """The 64 bytes of a record; None if the log has it no more, or not yet.

        Raises:
            OSError: the storage failed.
        """
        room = ffi.from_buffer("char[]", self._room)
        code = lib.log_lookup_read(self._lookup, sequence, room, len(room))
        if code == lib.LOOKUP_FAILED:
            error = self.counters().error
            raise OSError(error, os.strerror(error))
        return bytes(self._room) if code == RECORD_BYTES else None

    def counters(self) -> LookupCounters:
        """What it has done so far."""
        counted = ffi.new("log_lookup_counters *")
        lib.log_lookup_count(self._lookup, counted)
        return LookupCounters(*(int(getattr(counted, name)) for name in LookupCounters._fields))


def _free(lookup: Any, _storage: object) -> None:
    lib.log_lookup_free(lookup)
