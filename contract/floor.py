"""The floor under every engine's speed, and the latency of single commands: the two loops in C
that measurements are made with.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contract._workload import ffi, lib
from contract.native import NativeEngine
from contract.records import RecordArray

_TIMER_READINGS: Final = 100_000

Nanoseconds = npt.NDArray[np.uint32]


def run_floor(commands: RecordArray, events: RecordArray) -> None:
    """Read every command and write one event for it, and nothing else. O(n).

    Raises:
        ValueError: there are fewer events than commands.
    """
    if len(events) < len(commands):
        raise ValueError(f"{len(events)} events for {len(commands)} commands")
    source = ffi.from_buffer("command_record[]", commands)
    target = ffi.from_buffer("event_record[]", events, require_writable=True)
    lib.floor_run(source, len(commands), target)


def run_timed(
    engine: NativeEngine, commands: RecordArray, events: RecordArray, stride: int = 1
) -> tuple[Nanoseconds, int]:
    """Apply commands one by one, or ``stride`` at a time, in a loop in C that times each call.

    Returns:
        Nanoseconds of every call, one reading of the clock included, shape (ceil(n / stride),);
        and how many events were written to the front of ``events``.

    Raises:
        ValueError: the events do not fit, or ``stride`` is below 1.
    """
    if stride < 1:
        raise ValueError(f"stride {stride} is below 1")
    times = np.zeros(-(-len(commands) // stride), np.uint32)
    written = ffi.new("size_t *")
    done = lib.latency_run(
        *_apply_and_book(engine),
        ffi.from_buffer("command_record[]", commands),
        len(commands),
        stride,
        ffi.from_buffer("event_record[]", events, require_writable=True),
        len(events),
        written,
        ffi.from_buffer("uint32_t[]", times),
    )
    if done < len(commands):
        raise ValueError(f"the events of command {done} do not fit into {len(events)}")
    return times, int(written[0])


def timer_readings(count: int = _TIMER_READINGS) -> Nanoseconds:
    """Nanoseconds from one reading of the clock to the next, again and again, shape (count,)."""
    times = np.zeros(count, np.uint32)
    lib.latency_timer(count, ffi.from_buffer("uint32_t[]", times))
    return times


def _apply_and_book(engine: NativeEngine) -> tuple[Any, Any]:
    """The engine's ``book_apply`` and its book, as pointers of this extension."""
    theirs = engine._ffi
    function = theirs.addressof(engine._lib, "book_apply")
    book = engine._open_book()
    return (
        ffi.cast("latency_apply", int(theirs.cast("uintptr_t", function))),
        ffi.cast("book *", int(theirs.cast("uintptr_t", book))),
    )
