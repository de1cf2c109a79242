"""What a pipeline takes as a journal; and one in memory, while there is no log on disk."""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol

from contract.errors import ConfigurationError, MatchbookError
from contract.messages import RECORD_BYTES
from phase4_ring._ring import ffi, lib
from phase4_ring.boundary import check_count
from phase4_ring.ring import SpscRing
from phase4_ring.sequencer import Sequencer
from phase4_ring.shared_names import RingInUseError


class Journal(Protocol):
    """What a pipeline asks of its journal."""

    #: The pipeline that writes to it.
    users: weakref.WeakSet[Any]

    @property
    def stage(self) -> tuple[int, int]:
        """Addresses of a ``pipeline_journal`` of c/pipeline.h, and of its context."""

    @property
    def sequence(self) -> int | None:
        """The last command that it has: the ring goes on after it. None: any command will do."""

    def failure(self, code: int) -> Exception:
        """What that code of its stage means."""


class MemoryJournal:
    """A journal that copies every command into memory taken at the start, and fails when full.

    It stands where phase 6 puts its log, and keeps that log's promise to the pipeline: appended
    in order, all or nothing, and a negative code when it cannot.
    """

    def __init__(self, capacity: int) -> None:
        self._journal: Any = ffi.gc(
            lib.memory_journal_new(check_count(capacity, "capacity")), lib.memory_journal_free
        )
        #: The pipeline that writes to it.
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        if self._journal == ffi.NULL:
            raise ConfigurationError(f"capacity {capacity}: the machine has not enough memory")

    @property
    def stage(self) -> tuple[int, int]:
        """Addresses of its append function and of itself, for a pipeline."""
        append = ffi.addressof(lib, "memory_journal_append")
        return (int(ffi.cast("uintptr_t", append)), int(ffi.cast("uintptr_t", self._journal)))

    #: It takes commands of any sequence.
    sequence: int | None = None

    def failure(self, code: int) -> Exception:
        """There is one way in which it can fail."""
        return MatchbookError(f"the journal is full: {len(self)} commands (code {code})")

    def __len__(self) -> int:
        return int(lib.memory_journal_count(self._journal))

    def records(self) -> bytes:
        """Everything appended so far: whole commands. O(n)."""
        count = len(self)
        return bytes(ffi.buffer(lib.memory_journal_records(self._journal), count * RECORD_BYTES))


def check_journal(journal: Journal, commands: Sequencer, events: SpscRing) -> None:
    """Check that a journal can stand between these rings.

    Raises:
        ConfigurationError: the events could be read past it, or the ring does not go on where it
            ends.
        RingInUseError: another pipeline writes to it.
    """
    if events.name is not None:
        raise ConfigurationError(
            f"ring {events.name!r}: another process would read events past the journal;"
            " a pipeline with a journal wants an event ring of its own process"
        )
    if journal.users:
        raise RingInUseError("another pipeline writes to this journal", os.getpid())
    cursor = (commands.consumers() or [commands.start])[-1]
    if journal.sequence is not None and journal.sequence != cursor:
        raise ConfigurationError(
            f"the journal ends after command {journal.sequence}, and the ring goes on after"
            f" command {cursor}"
        )
