"""Phase 3's book behind the rings: the same face, another thread.

What ``apply_batch`` promises is kept to the byte: commands go through the sequencer, a thread of
its own applies them, events come back through their ring, and a command whose events find no room
is not applied. Everything else is a look into the book, which is allowed while it is at rest.
"""

from __future__ import annotations

from typing import Any, Final

from contract.engine import BatchResult
from phase3_sorted import Engine as SortedEngine
from phase4_ring.pipeline import Pipeline

#: So that making an engine costs little; a batch of any size goes through them all the same.
COMMAND_SLOTS: Final = 1024
EVENT_SLOTS: Final = 1024


class Engine(SortedEngine):
    """Phase 3's engine on a thread of its own between two rings.

    ``apply`` costs two hand-overs between threads, ``apply_batch`` two streams of them beside the
    book's own work. Not thread-safe: one owner, who is the gateway and the subscriber.
    """

    name = "phase4"

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self._pipeline = Pipeline(self, commands=COMMAND_SLOTS, events=EVENT_SLOTS)
        self._gateway = self._pipeline.producer()
        self._pipeline.start()

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Apply a whole array by way of the rings; see ``contract.engine.Engine``.

        Raises:
            ValueError: a buffer is not contiguous, not writable, or not whole records.
        """
        self._open_book()
        return self._pipeline.exchange(self._gateway, commands, events)

    def close(self) -> None:
        """Stop the thread, then free the book. Closing twice is harmless."""
        if self._book is not None:
            self._pipeline.close()
        super().close()
