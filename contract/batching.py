"""Driving an engine with whole arrays, without caring how many events each command will yield."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from contract.engine import Engine
from contract.records import RecordArray, empty_events

DEFAULT_EVENT_CAPACITY = 65_536


def iter_events(
    engine: Engine, commands: RecordArray, event_capacity: int = DEFAULT_EVENT_CAPACITY
) -> Iterator[RecordArray]:
    """Apply all commands and yield their events in runs of at most ``event_capacity``.

    The yielded array is reused: copy what must outlive the next step. A single command that
    needs more room than the array has (a sweep of a deep book) doubles it.

    Raises:
        ValueError: ``event_capacity`` is below 1.
    """
    if event_capacity < 1:
        raise ValueError(f"event_capacity {event_capacity} is below 1")
    events = empty_events(event_capacity)
    start = 0
    while start < len(commands):
        consumed, written = engine.apply_batch(commands[start:], events)
        if consumed == 0:
            events = empty_events(2 * len(events))
            continue
        start += consumed
        yield events[:written]


def apply_all(engine: Engine, commands: RecordArray) -> RecordArray:
    """Apply all commands and return all their events as one array, shape (n,)."""
    runs = [run.copy() for run in iter_events(engine, commands)]
    return np.concatenate(runs) if runs else empty_events(0)
