"""A ring and, beside it, the queue that it should be: compared after every step."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np

from contract.messages import RECORD_BYTES
from contract.ring import CURSORS, Rows
from contract.ring_suite.records import as_list, make_rows, numbered, told

_SHOWN_STEPS: Final = 30
#: What a producer scribbles into slots that it never commits.
_SCRIBBLE: Final = 0xA5


class Probe:
    """Does something to a ring, does the same to a queue, and tells where they part.

    Attributes:
        ring: the ring under test.
        inside: what should be in it, oldest first, as it was pushed.
        sent: how many records ever went in; also the number of the next one.
    """

    def __init__(self, ring: Any, capacity: int, start: int, *, numbers: bool) -> None:
        self.ring = ring
        self.capacity = capacity
        self.inside: deque[bytes] = deque()
        self.sent = 0
        self.is_open = True
        self._numbers = numbers
        self._head = self._tail = start
        self._steps = [f"a ring of {capacity}, cursors from {start}"]
        self._look()

    @property
    def room(self) -> int:
        """How many records should still fit."""
        return self.capacity - len(self.inside)

    def push(self, count: int) -> int:
        """Push the next ``count`` records; the ring takes all that fit, and says how many."""
        __tracebackhide__ = True
        rows = make_rows(self.sent, count)
        before = rows.copy()
        taken = self.ring.push(rows)
        self._did(f"push {count} -> {taken}")
        self._want("records taken", min(count, self.room), taken)
        self._want("the caller's own records", told(as_list(before)), told(as_list(rows)))
        self._went_in(as_list(before[:taken]))
        return int(taken)

    def pop(self, most: int) -> int:
        """Pop up to ``most`` records; they are the oldest ones, in order, and whole."""
        __tracebackhide__ = True
        rows = self.ring.pop(most)
        self._did(f"pop {most} -> {self._shape(rows)}")
        self._compare(rows, min(most, len(self.inside)))
        self._went_out(len(rows))
        return len(rows)

    def claim(self, wanted: int, used: int) -> int:
        """Claim slots, write the next records into them, and commit up to ``used`` of them."""
        __tracebackhide__ = True
        slots = self.ring.claim(wanted)
        self._did(f"claim {wanted} -> {self._shape(slots)}")
        self._want_run("slots", min(wanted, self.room), len(slots))
        used = min(used, len(slots))
        rows = make_rows(self.sent, used)
        slots[:] = _SCRIBBLE
        slots[:used] = rows
        self._look()  # nothing is in the ring before the commit
        if used:
            self.ring.commit(used)
            self._did(f"commit {used}")
        self._went_in(as_list(rows))
        return used

    def peek(self, wanted: int, used: int) -> int:
        """Peek at records, compare them where they lie, and release up to ``used`` of them."""
        __tracebackhide__ = True
        rows = self.ring.peek(wanted)
        self._did(f"peek {wanted} -> {self._shape(rows)}")
        self._want_run("records", min(wanted, len(self.inside)), len(rows))
        self._compare(rows, len(rows))
        self._look()  # nothing has left the ring before the release
        used = min(used, len(rows))
        if used:
            self.ring.release(used)
            self._did(f"release {used}")
        self._went_out(used)
        return used

    def close(self) -> None:
        """Close the ring."""
        __tracebackhide__ = True
        self.ring.close()
        self._did("close")
        self.is_open = False
        self._look()

    def drain(self) -> None:
        """Pop all that is left, and once more: then nothing comes."""
        __tracebackhide__ = True
        while self.inside:
            self.pop(self.capacity)
        self.pop(1)

    def unchanged(self, words: str) -> None:
        """Look once more after something that should have had no effect."""
        __tracebackhide__ = True
        self._did(words)
        self._look()

    def went_out(self, count: int, words: str) -> None:
        """Look after the ring itself was asked to give the oldest ``count`` records back."""
        __tracebackhide__ = True
        self._did(words)
        self._went_out(count)

    def _went_in(self, rows: list[bytes]) -> None:
        __tracebackhide__ = True
        self.inside.extend(rows)
        self.sent += len(rows)
        self._head = (self._head + len(rows)) % CURSORS
        self._look()

    def _went_out(self, count: int) -> None:
        __tracebackhide__ = True
        for _ in range(count):
            self.inside.popleft()
        self._tail = (self._tail + count) % CURSORS
        self._look()

    def _look(self) -> None:
        """Everything there is to see from outside, and the ring's own invariants."""
        __tracebackhide__ = True
        ring = self.ring
        self._want("capacity", self.capacity, ring.capacity)
        self._want("length", len(self.inside), len(ring))
        self._want("head", self._head, ring.head)
        self._want("tail", self._tail, ring.tail)
        self._want("closed", not self.is_open, ring.closed)
        ring.check()

    def _compare(self, rows: Rows, count: int) -> None:
        __tracebackhide__ = True
        expected = [row for row, _ in zip(self.inside, range(count), strict=False)]
        if self._numbers:
            expected = numbered(expected, self._tail)
        got = as_list(rows)
        if got != expected:
            self._fail("records", told(expected), told(got))

    def _want_run(self, what: str, most: int, got: int) -> None:
        """Fewer than all are right at the end of a lap, none only where there is none."""
        __tracebackhide__ = True
        if not (0 < got <= most or got == most == 0):
            self._fail(what, f"1 to {most}" if most else "0", str(got))

    def _want(self, what: str, expected: object, got: object) -> None:
        __tracebackhide__ = True
        if expected != got:
            self._fail(what, str(expected), str(got))

    def _did(self, words: str) -> None:
        self._steps.append(words)

    def _shape(self, rows: Any) -> int:
        __tracebackhide__ = True
        if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8:
            self._fail("an array", "uint8", f"{type(rows).__name__} {getattr(rows, 'dtype', '')}")
        self._want("its shape", (len(rows), RECORD_BYTES), rows.shape)
        return len(rows)

    def _fail(self, what: str, expected: str, got: str) -> None:
        __tracebackhide__ = True
        steps = [f"  {number:>4}  {step}" for number, step in enumerate(self._steps)]
        if len(steps) > _SHOWN_STEPS:
            hidden = len(steps) - _SHOWN_STEPS
            steps = [steps[0], f"        ({hidden} steps left out)", *steps[-_SHOWN_STEPS + 1 :]]
        told_steps = "\n".join(steps)
        raise AssertionError(
            f"{type(self.ring).__name__} is no such ring\n\n{told_steps}\n\n"
            f"  {what}: expected {expected}\n  {' ' * len(what)}  got      {got}"
        )
