"""The two loops that measurements are made with."""

from __future__ import annotations

import numpy as np
import pytest

from contract.floor import run_floor, timer_readings
from contract.messages import EventKind
from contract.records import empty_events
from contract.streams import shape_stream


def test_the_floor_writes_one_event_for_each_command() -> None:
    commands = shape_stream("A", 100).measured
    events = empty_events(len(commands) + 1)
    run_floor(commands, events)
    copied = events[: len(commands)]
    for field in ("timestamp_ns", "order_id", "price", "quantity", "instrument", "side"):
        assert np.array_equal(copied[field], commands[field]), field
    assert np.array_equal(copied["leaves"], commands["quantity"])
    assert np.array_equal(copied["sequence"], np.arange(1, 101))
    assert set(copied["kind"]) == {EventKind.ACCEPTED}
    assert events[-1].tobytes() == bytes(64)


def test_the_floor_writes_nothing_beyond_its_events() -> None:
    commands = shape_stream("A", 10).measured
    with pytest.raises(ValueError, match="9 events for 10 commands"):
        run_floor(commands, empty_events(9))


def test_the_clock_goes_on() -> None:
    readings = timer_readings(10_000)
    assert readings.shape == (10_000,)
    assert readings.sum() > 0
