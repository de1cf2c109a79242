"""A journal in memory: what a pipeline writes commands to while there is no log on disk."""

from __future__ import annotations

import weakref
from typing import Any

from contract.errors import ConfigurationError
from contract.messages import RECORD_BYTES
from phase4_ring._ring import ffi, lib
from phase4_ring.boundary import check_count


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

    def __len__(self) -> int:
        return int(lib.memory_journal_count(self._journal))

    def records(self) -> bytes:
        """Everything appended so far: whole commands. O(n)."""
        count = len(self)
        return bytes(ffi.buffer(lib.memory_journal_records(self._journal), count * RECORD_BYTES))
