"""A test of the tests: the plain rings pass the ring suite, and every broken one fails it."""

from __future__ import annotations

import inspect
import threading
from typing import Any, cast

import numpy as np
import pytest

from contract.ring import ClaimingRing, ManyProducers, PeekingRing, Ring, as_rows
from contract.ring_suite import (
    ClaimRules,
    ManyProducerRules,
    PeekRules,
    RingBase,
    RingContract,
    threads,
)
from contract.ring_suite.broken import BROKEN, Broken, BrokenNumbering
from contract.ring_suite.machine import run_machine
from contract.ring_suite.reference import LockedRing, NumberingRing
from contract.suite.runner import iter_tests

each_broken = pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
#: Enough for a thread to get its turn, and what it takes to see that nobody was woken.
SHORT_S = 0.5
#: For a thread that is no longer wanted to notice: it waits SHORT_S at most, on whatever machine.
TIME_TO_END_S = 60.0


class TestLockedRing(RingContract, ClaimRules, PeekRules):
    def make(self, capacity: int, start: int) -> Any:
        return LockedRing(capacity, start)


class TestNumberingRing(RingContract, ManyProducerRules, PeekRules):
    numbers = True

    def make(self, capacity: int, start: int) -> Any:
        return NumberingRing(capacity, start)


PARTS = [
    part
    for part in {*TestLockedRing.__mro__, *TestNumberingRing.__mro__}
    if issubclass(part, RingBase) and part not in (TestLockedRing, TestNumberingRing)
]


def contract_for(ring_class: type[Broken | BrokenNumbering]) -> RingContract:
    """The reference's contract, with a broken ring in its place."""
    base = TestNumberingRing if issubclass(ring_class, BrokenNumbering) else TestLockedRing
    made = type("Contract", (base,), {"make": lambda self, *where: ring_class(*where)})
    return cast(RingContract, made())


def first_failure(contract: RingContract, test: str) -> str | None:
    """The test with the first of its parameters under which it fails."""
    for name, arguments in iter_tests(cast(Any, type(contract))):
        if name.partition("[")[0] == test:
            try:
                getattr(contract, test)(**arguments)
            except (Exception, pytest.fail.Exception):
                return name
    return None


def test_there_are_enough_of_them() -> None:
    """Guards against a list that an import order emptied."""
    assert len(BROKEN) >= 45
    assert len({broken.__name__ for broken in BROKEN}) == len(BROKEN)


@each_broken
def test_the_suite_catches(
    broken: type[Broken | BrokenNumbering], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards against a test that would pass whatever the ring did."""
    monkeypatch.setattr(threads, "TIME_LIMIT_S", SHORT_S)
    monkeypatch.setattr(threads, "FAR_OFF_S", 2 * SHORT_S)
    assert hasattr(contract_for(broken), broken.caught_by), f"there is no {broken.caught_by}"
    before = set(threading.enumerate())
    assert first_failure(contract_for(broken), broken.caught_by)
    # Or it would take turns, and perhaps memory, from every test that comes after.
    for thread in set(threading.enumerate()) - before:
        thread.join(TIME_TO_END_S)
        assert not thread.is_alive(), f"{thread.name} goes on after its test is over"


#: Enough for the rarest of them: what Hypothesis draws changes with its version, and with whatever
#: constants it finds in the modules that happen to be loaded.
MOST_RUNS = 5_000


@pytest.mark.parametrize(
    "broken", [b for b in BROKEN if b.in_machine], ids=lambda broken: broken.__name__
)
def test_the_state_machine_catches(broken: type[Broken | BrokenNumbering]) -> None:
    """Guards against a state machine too tame to meet what the rules describe."""
    with pytest.raises((Exception, pytest.fail.Exception)):
        run_machine(contract_for(broken), until_it_fails=MOST_RUNS)


def test_the_plain_rings_are_rings() -> None:
    """Guards against a protocol that the suite does not speak of."""
    locked, numbering = LockedRing(2), NumberingRing(2)
    assert isinstance(locked, Ring)
    assert isinstance(locked, ClaimingRing)
    assert isinstance(locked, PeekingRing)
    assert isinstance(numbering, ManyProducers)


@pytest.mark.parametrize("shape", [(0,), (0, 64), (64, 0), (0, 8, 8)])
def test_no_records_at_all(shape: tuple[int, ...]) -> None:
    """Guards against an empty batch that is refused for its shape."""
    assert as_rows(np.empty(shape, np.uint8)).shape == (0, 64)
    assert as_rows(b"").shape == (0, 64)


def test_no_part_hides_a_test_of_another() -> None:
    """Guards against two parts with a test of the same name, of which one never runs."""
    names = [name for part in PARTS for name in vars(part) if name.startswith("test_")]
    assert len(names) == len(set(names))
    assert len(names) > 45


def test_every_test_says_what_it_guards_against() -> None:
    """Guards against a test whose purpose has to be guessed from its failure."""
    tests = [(n, t) for part in PARTS for n, t in vars(part).items() if n.startswith("test_")]
    silent = [n for n, t in tests if not (inspect.getdoc(t) or "").startswith("Guards against ")]
    assert silent == []


def test_a_failure_tells_the_steps_that_led_to_it() -> None:
    """Guards against a failure that says only that two numbers differ."""
    contract = contract_for(next(b for b in BROKEN if b.__name__ == "KeepsOneSlotFree"))
    with pytest.raises(AssertionError) as caught:
        contract.test_exactly_its_capacity_fits(2)
    assert str(caught.value).splitlines() == [
        "KeepsOneSlotFree is no such ring",
        "",
        "     0  a ring of 2, cursors from 0",
        "     1  push 1 -> 1",
        "     2  push 1 -> 0",
        "",
        "  records taken: expected 1",
        "                 got      0",
    ]
