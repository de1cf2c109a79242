"""What every part of the suite starts from: a ring of the kind under test, watched or bare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from contract.ring import CURSORS
from contract.ring_suite.probe import Probe

#: Where cursors run into a sign bit, out of 32 bits and out of 64, a few records on.
EDGES: Final = (2**31 - 3, 2**32 - 3, 2**63 - 3, CURSORS - 3)


class RingBase:
    """Base of the suite's parts. ``make`` is the one thing a subclass must say."""

    #: Whether the ring numbers: it writes the first 8 bytes of each record.
    numbers: ClassVar[bool] = False

    def make(self, capacity: int, start: int) -> Any:
        """An empty ring whose cursors begin at ``start``."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to make a ring")

    def dispose(self, ring: Any) -> None:
        """Free what ``make`` took. By default what a ring frees by itself when it is forgotten."""

    @contextmanager
    def bare(self, capacity: int = 8, start: int = 0) -> Iterator[Any]:
        """A ring as it is, for tests with threads.

        After a failure it is not disposed of: a thread that hangs may still be inside.
        """
        ring = self.make(capacity, start)
        yield ring
        self.dispose(ring)

    @contextmanager
    def probe(self, capacity: int = 8, start: int = 0) -> Iterator[Probe]:
        """A ring that is compared with a queue, and checked, after every step."""
        with self.bare(capacity, start) as ring:
            yield Probe(ring, capacity, start, numbers=self.numbers)
