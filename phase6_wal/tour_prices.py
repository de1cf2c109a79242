"""What an acknowledgement costs in each durability, measured in a few seconds: for the tour.

A client is told when ``acknowledged`` has reached its command; from before the call to then is what
it waits. The modes take turns, in two rounds, so that a machine that warms up or is busy
elsewhere favours none of them; how far the rounds differ says how much to believe.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from contract.native import NativeEngine
from contract.records import RecordArray, empty_events
from phase6_wal.engine import DurableEngine

#: Commands of a batch.
BATCH: Final = 256
MODES: Final = ("no log", "none", "page-cache", "group", "sync")
_ROUNDS: Final = 2
#: Of a slow disk there are fewer of them: no more than this is spent on either kind, ns.
_MOST_NS: Final = 400_000_000
_LEAST: Final = 10
_SEGMENT_BYTES: Final = 8 << 20


class Waits(NamedTuple):
    """How long clients waited, ns; shape (n,), in the order of time."""

    single: npt.NDArray[np.int64]
    batch: npt.NDArray[np.int64]


class Price(NamedTuple):
    """What one durability costs: the rounds, one after the other."""

    rounds: tuple[Waits, ...]

    @property
    def single(self) -> npt.NDArray[np.int64]:
        """Of single commands, ns."""
        return np.concatenate([waits.single for waits in self.rounds])

    @property
    def batch(self) -> npt.NDArray[np.int64]:
        """Of batches, ns."""
        return np.concatenate([waits.batch for waits in self.rounds])

    def unrest(self) -> float:
        """By how much the rounds' medians of single commands differ, as a part of the least."""
        medians = [float(np.median(waits.single)) for waits in self.rounds]
        return max(medians) / max(min(medians), 1.0) - 1.0


def measure(
    directory: Path,
    make_book: Callable[[], NativeEngine],
    commands: RecordArray,
    singles: int,
    batches: int,
) -> dict[str, Price]:
    """Each mode's price: of so many single commands and batches in each round, or fewer."""
    parts: dict[str, list[Waits]] = {mode: [] for mode in MODES}
    for turn in range(_ROUNDS):
        for mode in MODES if turn % 2 == 0 else MODES[::-1]:
            with ExitStack() as stack:
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=directory)))
                book = make_book()
                stack.callback(book.close)
                engine: NativeEngine | DurableEngine = book
                if mode != "no log":
                    engine = DurableEngine.create(
                        place, [book], durability=mode, segment_bytes=_SEGMENT_BYTES
                    )
                    stack.callback(engine.close)
                parts[mode].append(_round(engine, commands, singles, batches))
    return {mode: Price(tuple(rounds)) for mode, rounds in parts.items()}


def _round(engine: Any, commands: RecordArray, singles: int, batches: int) -> Waits:
    sender = _Sender(engine, commands)
    sender.send(1, singles // 4)  # to warm up
    return Waits(sender.send(1, singles), sender.send(BATCH, batches))


class _Sender:
    """Sends commands in pieces, one after the other, and waits for each to be acknowledged."""

    def __init__(self, engine: Any, commands: RecordArray) -> None:
        self._engine = engine
        self._commands = commands
        self._events = empty_events(1 << 14)
        self._logged = isinstance(engine, DurableEngine)
        self._sent = 0

    def send(self, size: int, count: int) -> npt.NDArray[np.int64]:
        """Send pieces of that size, so many if there is time for them; how long each waited."""
        waited: list[int] = []
        deadline = perf_counter_ns() + _MOST_NS
        while len(waited) < count and (perf_counter_ns() < deadline or len(waited) < _LEAST):
            waited.append(self._send_one(size))
        return np.array(waited, np.int64)

    def _send_one(self, size: int) -> int:
        piece = self._commands[self._sent : self._sent + size]
        self._sent += size
        began = perf_counter_ns()
        consumed, _written = self._engine.apply_batch(piece, self._events)
        while self._logged and self._engine.acknowledged < self._sent:
            self._engine.poll()
        waited = perf_counter_ns() - began
        if consumed != size:
            raise ValueError(f"{consumed} of {size} commands were taken: too few of them, or room")
        return waited
