"""What every ring of records offers, whatever it is made of.

A ring takes 64-byte records from producers and gives them to a consumer, in the order in which
they went in, through a fixed number of slots. It never waits by itself and it never loses: full
and empty are results that the caller sees. What its records mean is no business of a ring, so
they are rows of 64 bytes here; ``rows.view(COMMAND_DTYPE)`` reads them.

==================  ===================================================================
protocol            for a ring that
==================  ===================================================================
``Ring``            exists: push, pop, wait, close, and cursors to look at
``ClaimingRing``    lends free slots to its one producer: no copy on the way in
``PeekingRing``     lends full slots to its consumer: no copy on the way out
``ManyProducers``   several threads may push into at once
==================  ===================================================================

**Cursors.** ``head`` counts all records that ever went in, and ``tail`` all that were ever given
back, both from the ring's start and modulo 2**64: records ``tail`` to ``head - 1`` are in the ring.

**Numbering.** A ring that numbers (the sequencer) writes the first 8 bytes of a record: its cursor
plus one. All other bytes, and in other rings all 64, come out as they went in.

**Errors.** A capacity that cannot be is a ``ConfigurationError``; a buffer that is not whole
records a ``ValueError`` and what is no buffer a ``TypeError``, both before anything has happened;
a push into a closed ring ``RingClosedError``.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from contract.engine import record_view
from contract.errors import MatchbookError
from contract.messages import RECORD_BYTES

#: Records as a ring sees them: shape (n, 64).
Rows: TypeAlias = npt.NDArray[np.uint8]

#: Cursors are 64-bit counts that wrap.
CURSORS: Final = 2**64


class RingClosedError(MatchbookError):
    """Something was pushed into a ring that had been closed."""


def as_rows(buffer: Any) -> Rows:
    """Any buffer of whole records as rows of 64 bytes, shape (n, 64), without a copy. O(1).

    Raises:
        ValueError: the buffer has gaps, or is not a whole number of records.
        TypeError: it is no buffer.
    """
    return np.frombuffer(record_view(buffer), np.uint8).reshape(-1, RECORD_BYTES)


class RingProducer(Protocol):
    """One producer's way into a ring. One thread at a time."""

    def push(self, records: Any) -> int:
        """Put records in, from the front of the buffer, as many as there is room for. O(n).

        Args:
            records: a C-contiguous buffer of whole 64-byte records. It is copied: what happens
                to it afterwards does not show in the ring.

        Returns:
            How many went in, from 0 (the ring is full) to all of them. The rest was not touched.

        Raises:
            ValueError: the buffer is not whole records one after the other. Nothing went in.
            TypeError: it is no buffer.
            RingClosedError: the ring is closed. Nothing went in.
        """


@runtime_checkable
class Ring(RingProducer, Protocol):
    """A ring with one consumer and, as itself, one producer."""

    @property
    def capacity(self) -> int:
        """How many records it holds at most: a power of two."""

    @property
    def head(self) -> int:
        """Cursor of the next record to go in."""

    @property
    def tail(self) -> int:
        """Cursor of the oldest record that has not been given back."""

    @property
    def closed(self) -> bool:
        """Whether nothing more will go in."""

    def __len__(self) -> int:
        """How many records are in it. Exact for one's own side, a moment old for the other's."""

    def pop(self, most: int) -> Rows:
        """Take out up to ``most`` records, oldest first. O(n).

        Returns:
            The caller's own copy, shape (n, 64); n is 0 if the ring is empty.

        Raises:
            ValueError: ``most`` is negative.
        """

    def wait_items(self, timeout_s: float | None = None) -> bool:
        """Wait until something can be popped: True. False: time is up, or all has been drained.

        ``None`` waits as long as it takes; 0 only looks.
        """

    def wait_space(self, timeout_s: float | None = None) -> bool:
        """Wait until something can be pushed: True. False: time is up, or the ring is closed."""

    def close(self) -> None:
        """Let nothing more in. What is in it can still be popped. Closing twice is harmless."""

    def check(self) -> None:
        """Verify every invariant. Only while no other thread uses the ring.

        Raises:
            InvariantError: names the broken one.
        """


@runtime_checkable
class ClaimingRing(Ring, Protocol):
    """A ring whose one producer may write records where they are going to lie."""

    def claim(self, wanted: int) -> Rows:
        """Up to ``wanted`` free slots that lie next to each other, to be written. O(1).

        None at all only if the ring is full; fewer also at the end of a lap. A claim that is not
        committed has no effect, and the next claim begins at the same slot.
        """

    def commit(self, count: int) -> None:
        """Hand over the first ``count`` slots of the last claim. O(1).

        The rest of the claim stays claimed: a further commit hands over what comes next in it.

        Raises:
            ValueError: that many were not claimed. Nothing was handed over.
        """


@runtime_checkable
class PeekingRing(Ring, Protocol):
    """A ring whose consumer may read records where they lie."""

    def peek(self, wanted: int) -> Rows:
        """Up to ``wanted`` records that lie next to each other, oldest first, read-only. O(1).

        None at all only if the ring is empty; fewer also at the end of a lap. They stay in the
        ring, and their slots stay as they are, until they are released.
        """

    def release(self, count: int) -> None:
        """Give back the first ``count`` records of the last peek: their slots are free. O(1).

        The rest of the peek stays peeked at: a further release gives back what comes next in it.

        Raises:
            ValueError: that many were not peeked at. Nothing was given back.
        """


class JoinedProducer(RingProducer, Protocol):
    """One of several producers."""

    def leave(self) -> None:
        """Give the place back, for others to join. What was pushed stays pushed."""


@runtime_checkable
class ManyProducers(Ring, Protocol):
    """A ring that several threads may push into at once, each with a producer of its own."""

    def producer(self) -> JoinedProducer:
        """One more producer. Its records come out in the order in which it pushed them."""
