"""A Hypothesis state machine: any steps in any sizes, shrunk to a few when the ring is wrong."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contract.ring import CURSORS, RingClosedError
from contract.ring_suite.base import EDGES, RingBase
from contract.ring_suite.lending import ClaimRules, PeekRules
from contract.ring_suite.probe import Probe
from contract.ring_suite.records import make_rows

STEPS: Final = 40

capacities = st.sampled_from([2, 4, 8, 32])
starts = st.sampled_from([0, *EDGES]) | st.integers(0, CURSORS - 1)
# Around the capacities above, small ones first, because shrinking prefers them.
sizes = st.integers(0, 9) | st.integers(0, 70)


class RingMachine(RuleBasedStateMachine):
    """Does whatever the ring offers, in any order, and compares it with a queue each time."""

    contract: ClassVar[RingBase]
    can_claim: ClassVar[bool] = False
    can_peek: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.it: Probe
        self.ring: Any = None

    @initialize(capacity=capacities, start=starts)
    def build(self, capacity: int, start: int) -> None:
        """An empty ring."""
        self.ring = self.contract.make(capacity, start)
        self.it = Probe(self.ring, capacity, start, numbers=self.contract.numbers)

    @precondition(lambda self: self.it.is_open)
    @rule(count=sizes)
    def push(self, count: int) -> None:
        """Some records, or more than fit."""
        self.it.push(count)

    @rule(most=sizes)
    def pop(self, most: int) -> None:
        """Some records, or more than there are."""
        self.it.pop(most)

    @precondition(lambda self: self.can_claim and self.it.is_open)
    @rule(wanted=sizes, used=sizes)
    def claim(self, wanted: int, used: int) -> None:
        """Slots to write into, of which some are handed over, or none."""
        self.it.claim(wanted, used)

    @precondition(lambda self: self.can_peek)
    @rule(wanted=sizes, used=sizes)
    def peek(self, wanted: int, used: int) -> None:
        """Records to look at, of which some are given back, or none."""
        self.it.peek(wanted, used)

    @rule(size=st.integers(1, 300).filter(lambda size: size % 64 != 0))
    def push_a_fragment(self, size: int) -> None:
        """What is no whole number of records never has an effect."""
        with pytest.raises(ValueError, match=f"{size} bytes"):
            self.it.ring.push(bytes(size))
        self.it.unchanged(f"push of {size} bytes, refused")

    @rule()
    def look(self) -> None:
        """A look for records and for room says what a pop and a push would find."""
        assert self.ring.wait_items(0) is bool(self.it.inside)
        assert self.ring.wait_space(0) is (self.it.is_open and self.it.room > 0)

    # Rare: half of the steps of a run would otherwise be spent in a closed ring.
    @precondition(lambda self: self.it.sent > 10)
    @rule(really=st.integers(0, 5))
    def close(self, really: int) -> None:
        """The end of what goes in."""
        if really == 0:
            self.it.close()
            with pytest.raises(RingClosedError):
                self.ring.push(make_rows(0, 1))
            self.it.unchanged("push after the close, refused")

    def teardown(self) -> None:
        """Empty it, and see that it ends empty."""
        if self.ring is not None:
            try:
                self.it.drain()
            finally:
                self.contract.dispose(self.ring)


class MachineRules(RingBase):
    """Whatever sequence of calls Hypothesis can think of."""

    def test_state_machine(self) -> None:
        """Guards against sequences nobody would write down; a failure is shrunk to a few steps."""
        run_machine(self)

    @pytest.mark.long
    def test_state_machine_at_length(self) -> None:
        """Guards against sequences that are rarer still: ``--hypothesis-profile=long``."""
        run_machine(self)


def run_machine(contract: RingBase, *, until_it_fails: int = 0) -> None:
    """Run the state machine on the rings of a contract, under the current Hypothesis profile.

    With ``until_it_fails`` there are so many runs at the most, and the first failure is raised as
    it was found.
    """
    offers = {
        "contract": contract,
        "can_claim": isinstance(contract, ClaimRules),
        "can_peek": isinstance(contract, PeekRules),
    }
    machine: type[RingMachine] = type("Machine", (RingMachine,), offers)
    rules = settings(
        stateful_step_count=STEPS, database=None, phases=[Phase.generate, Phase.shrink]
    )
    if until_it_fails:
        rules = settings(rules, max_examples=until_it_fails, phases=[Phase.generate])
    run_state_machine_as_test(machine, settings=rules)
