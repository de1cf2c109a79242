"""The plainest rings that keep the contract: slots, two cursors and a lock around everything.

They test the suite, and show what a ring is without the lock-free part: every push and pop takes
a lock, and every wait is the kernel's.
"""

from __future__ import annotations

import threading
from typing import Any, Final, Self

import numpy as np

from contract.errors import ConfigurationError, InvariantError
from contract.messages import RECORD_BYTES
from contract.ring import CURSORS, RingClosedError, Rows, as_rows

MAX_CAPACITY: Final = 2**24


class LockedRing:
    """A ring for one producer and one consumer, with nothing clever in it."""

    def __init__(self, capacity: int, start: int = 0) -> None:
        """Take all memory at once.

        Raises:
            ConfigurationError: the capacity is not a power of two from 2 to 2**24.
        """
        if not self._is_possible(capacity):
            raise ConfigurationError(f"capacity {capacity} is not a power of two from 2 to 2**24")
        self.capacity = capacity
        self.head = self.tail = start % CURSORS
        self.closed = False
        self._start = start % CURSORS
        self._slots = np.zeros((capacity, RECORD_BYTES), np.uint8)
        self._claimed = self._peeked = 0
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """How many records are in it."""
        with self._changed:
            return self._used()

    def push(self, records: Any) -> int:
        """Put in what fits."""
        rows = as_rows(records)
        with self._changed:
            if self.closed:
                raise RingClosedError("push into a closed ring")
            count = min(len(rows), self._free())
            for row in rows[:count]:
                self._put(row)
            self._claimed = 0
            self._wake_consumer()
        return count

    def pop(self, most: int) -> Rows:
        """Take out what there is."""
        if most < 0:
            raise ValueError(f"pop of {most} records")
        with self._changed:
            rows = np.empty((min(most, self._used()), RECORD_BYTES), np.uint8)
            for row in rows:
                self._take(row)
            self._peeked = 0
            self._wake_producer()
        return rows

    def claim(self, wanted: int) -> Rows:
        """Lend free slots."""
        if wanted < 0:
            raise ValueError(f"claim of {wanted} slots")
        with self._changed:
            slot = self._slot(self.head)
            self._claimed = min(wanted, self._free(), self.capacity - slot)
            return self._slots[slot : slot + self._claimed]

    def commit(self, count: int) -> None:
        """Hand claimed slots over."""
        with self._changed:
            if not 0 <= count <= self._claimed:
                raise ValueError(f"commit of {count} slots, {self._claimed} are claimed")
            self._advance_head(count)
            self._claimed -= count
            self._wake_consumer()

    def peek(self, wanted: int) -> Rows:
        """Lend full slots."""
        if wanted < 0:
            raise ValueError(f"peek at {wanted} records")
        with self._changed:
            slot = self._slot(self.tail)
            self._peeked = min(wanted, self._used(), self.capacity - slot)
            rows = self._slots[slot : slot + self._peeked]
            rows.flags.writeable = False
            return rows

    def release(self, count: int) -> None:
        """Take lent records back."""
        with self._changed:
            if not 0 <= count <= self._peeked:
                raise ValueError(f"release of {count} records, {self._peeked} are peeked at")
            self._advance_tail(count)
            self._peeked -= count
            self._wake_producer()

    def wait_items(self, timeout_s: float | None = None) -> bool:
        """Wait for records, or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._used() > 0 or self.closed, timeout_s)
            return self._used() > 0

    def wait_space(self, timeout_s: float | None = None) -> bool:
        """Wait for room, or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._free() > 0 or self.closed, timeout_s)
            return self._free() > 0 and not self.closed

    def close(self) -> None:
        """Let nothing more in."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def check(self) -> None:
        """Verify that the cursors are at most a lap apart."""
        with self._changed:
            if not 0 <= self._used() <= self.capacity:
                raise InvariantError(f"head {self.head} and tail {self.tail}: {self._used()} apart")

    def _wake_consumer(self) -> None:
        self._changed.notify_all()

    def _wake_producer(self) -> None:
        self._changed.notify_all()

    def _is_possible(self, capacity: int) -> bool:
        return 2 <= capacity <= MAX_CAPACITY and capacity & capacity - 1 == 0

    def _used(self) -> int:
        return (self.head - self.tail) % CURSORS

    def _free(self) -> int:
        return self.capacity - self._used()

    def _slot(self, cursor: int) -> int:
        return cursor % self.capacity

    def _put(self, row: Rows) -> None:
        self._slots[self._slot(self.head)] = row
        self._advance_head(1)

    def _take(self, row: Rows) -> None:
        row[:] = self._slots[self._slot(self.tail)]
        self._advance_tail(1)

    def _advance_head(self, count: int) -> None:
        self.head = (self.head + count) % CURSORS

    def _advance_tail(self, count: int) -> None:
        self.tail = (self.tail + count) % CURSORS


class NumberingRing(LockedRing):
    """A ring for many producers that writes its cursor plus one into each record."""

    def producer(self) -> Self:
        """The lock keeps producers apart: they can share one way in."""
        return self

    def leave(self) -> None:
        """There is no place to give back."""

    def _put(self, row: Rows) -> None:
        number = (self.head + 1) % CURSORS
        slot = self._slot(self.head)
        super()._put(row)
        self._slots[slot, :8] = np.frombuffer(number.to_bytes(8, "little"), np.uint8)
