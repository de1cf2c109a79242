"""Every memory ordering of the rings is needed: weaken any one, and the race detector objects.

ThreadSanitizer judges by the orderings that are written down, not by what this processor happens
to do, so a weak ordering is found on x86 too, where most of them change no instruction. What it
cannot see is a race between atomics alone: ORDER_CLAIM orders nothing but atomics in the ring, so
test_sequencer_stress.c lets plain data depend on it (its case "one-note-8").
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools import weaken

# They build programs of their own, and run them under another sanitizer than ``make sanitize``.
pytestmark = pytest.mark.release_only

ORDERS = weaken.orders()
#: Enough for each case to go many laps; a race stops a run at once.
ITEMS = 3_000


@pytest.fixture
def detector() -> Iterator[None]:
    """ThreadSanitizer, or a skip that says why there is none."""
    try:
        weaken.launcher()
    except weaken.NoDetectorError as missing:
        pytest.skip(str(missing))
    with weaken.thread_sanitizer():
        yield


def test_every_ordering_has_a_test_that_watches_it() -> None:
    """Guards against a new ordering that nobody weakens."""
    assert set(weaken.WATCHED_BY) == set(ORDERS)
    assert len(ORDERS) >= 10


def test_no_ordering_is_relaxed_to_begin_with() -> None:
    """Guards against weakening what is weak already, which proves nothing."""
    assert set(ORDERS.values()) <= {"memory_order_acquire", "memory_order_release"}


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("test", [weaken.SPSC, weaken.SEQUENCER, weaken.GRAPH])
def test_the_orderings_as_they_are(test: str) -> None:
    """Guards against a race in the rings, and against a detector that objects to anything."""
    done = weaken.stress(weaken.build(test), f"--items={ITEMS}")
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("name", weaken.WATCHED_BY)
def test_a_weakened_ordering(name: str) -> None:
    """Guards against an ordering stronger than it need be, and a stress too tame to need it."""
    done = weaken.stress(weaken.build(weaken.WATCHED_BY[name], name), f"--items={ITEMS}")
    assert done.returncode == weaken.RACE, done.stdout
    assert "WARNING: ThreadSanitizer: data race" in done.stdout
