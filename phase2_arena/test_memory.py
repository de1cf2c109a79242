"""The book takes its memory once, seen from Python: footprint, page faults, resident pages.

That it calls no allocator afterwards is counted in C, where every call can be seen:
``c/test_memory.c`` over ``contract/c/engine_memory.c``.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import pytest

from contract.messages import DEFAULT_CAPACITY
from contract.records import empty_events
from contract.workload import generate
from phase2_arena import Engine
from phase2_arena.engine import LEVEL_BYTES, SLOT_BYTES

ATTEMPTS = 3


def page_faults() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_minflt + usage.ru_majflt


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def test_an_order_slot_is_one_cache_line() -> None:
    """Guards against a field too many: a slot of 65 bytes would touch two lines."""
    assert SLOT_BYTES == 64
    assert LEVEL_BYTES == 32


def test_footprint_of_an_order() -> None:
    """Guards against a book that costs more than it says.

    Slot, level, three 4-byte places in lists of levels, and two cells in each of two tables.
    """
    for capacity in (1 << 10, DEFAULT_CAPACITY):
        with Engine(capacity=capacity) as engine:
            per_order = SLOT_BYTES + LEVEL_BYTES + 3 * 4 + 2 * (2 * 4)
            beside = engine.memory_bytes() - capacity * per_order
            assert 0 < beside < 4096


def test_footprint_does_not_depend_on_the_price_range() -> None:
    """Guards against a price ladder, which would take memory for prices nobody asks for."""
    with (
        Engine(min_price=1, max_price=2, capacity=100) as narrow,
        Engine(min_price=-(2**63), max_price=2**63 - 1, capacity=100) as wide,
    ):
        assert narrow.memory_bytes() == wide.memory_bytes()


@pytest.mark.release_only
@pytest.mark.skipif(sys.platform != "linux", reason="the counters are read on Linux only")
def test_no_page_is_touched_for_the_first_time_while_running() -> None:
    """Guards against memory that is asked for at the start and touched late.

    A book that grew would fault in every attempt; what the rest of the process does, or the
    kernel on its own account, does not. So one attempt of three without any fault is asked for.
    """
    before, resident_before = page_faults(), resident_bytes()
    control = np.ones(64 << 20, np.uint8)
    assert page_faults() > before, "the counter of page faults does not count"
    assert resident_bytes() > resident_before + control.nbytes // 2
    del control

    commands = generate("normal", 50_000)
    events = empty_events(2 * len(commands))
    events["kind"] = 1
    fewest = sys.maxsize
    for _ in range(ATTEMPTS):
        with Engine(capacity=len(commands)) as engine:
            engine.apply_batch(commands[:1], events)
            resident_before = resident_bytes()
            before = page_faults()
            result = engine.apply_batch(commands[1:], events)
            fewest = min(fewest, page_faults() - before)
            assert resident_bytes() <= resident_before + (1 << 20)
        assert result.consumed == len(commands) - 1
    assert fewest == 0
