"""Whole arrays through an engine, whatever number of events they lead to."""

import numpy as np
import pytest

from contract.batching import apply_all, iter_events
from contract.messages import Side, market, new
from contract.records import EVENT_DTYPE, to_command_array, to_events
from contract.suite.flow import flow
from phase1_domain import Engine


@pytest.mark.parametrize("event_capacity", [1, 7, 1_000])
def test_events_do_not_depend_on_the_room_for_them(event_capacity: int) -> None:
    """Guards against events lost, or given twice, where one run ends and the next begins."""
    it = flow("narrow", seed=1, count=400)
    runs = iter_events(Engine(**it.limits), to_command_array(it.commands), event_capacity)
    assert b"".join(run.tobytes() for run in runs) == b"".join(it.events)
    everything = apply_all(Engine(**it.limits), to_command_array(it.commands))
    assert everything.dtype == EVENT_DTYPE
    assert everything.tobytes() == b"".join(it.events)


def test_a_sweep_larger_than_the_room_is_told_whole() -> None:
    """Guards against a loop that waits for ever for room that never comes."""
    engine = Engine()
    commands = [new(i, Side.ASK, 100, 1) for i in range(1, 101)] + [market(200, Side.BID, 100)]
    runs = [run.copy() for run in iter_events(engine, to_command_array(commands), 2)]
    events = to_events(np.concatenate(runs))
    assert [event.sequence for event in events] == list(range(1, 202))


def test_no_commands_no_events() -> None:
    """Guards against an array of nothing that cannot be concatenated."""
    assert len(apply_all(Engine(), to_command_array([]))) == 0


def test_room_for_nothing_is_refused() -> None:
    """Guards against doubling 0 for ever."""
    with pytest.raises(ValueError, match="event_capacity 0"):
        next(iter_events(Engine(), to_command_array([new(1, Side.BID, 1, 1)]), 0))
