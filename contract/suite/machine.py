"""A Hypothesis state machine: the engine and phase 1, step by step, shrunk when they part."""

from __future__ import annotations

import random
from dataclasses import replace as with_fields
from typing import Any, ClassVar, Final

import hypothesis.core
import pytest
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from contract import messages
from contract.engine import Engine
from contract.errors import SnapshotError
from contract.messages import MAX_QUANTITY, Command, OrderType
from contract.suite.base import ContractBase
from contract.suite.compare import apply_as_bytes, compare_books, find_difference, unpack_events
from contract.suite.probe import oracle_class
from contract.suite.shrink import shrink
from contract.suite.tape import ContractBroken, Outcome, Tape, running_test

LOWEST, HIGHEST = -(2**63), 2**63 - 1
STEPS = 10

BOOKS = [
    {"min_price": 1, "max_price": 9, "capacity": 4},
    {"min_price": -4, "max_price": 4, "capacity": 1_000},
    {"min_price": LOWEST, "max_price": HIGHEST, "capacity": 16},
]


@st.composite
def mostly(draw: st.DrawFn, common: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> Any:
    """One in ten from ``rare``: a command that is refused teaches less than one that is not."""
    return draw(rare if draw(st.integers(0, 9)) == 9 else common)


# Few ids and prices, so that commands meet; small ones first, because shrinking prefers them.
ids = mostly(st.integers(1, 6), st.sampled_from([2**63, 2**64 - 1]))
prices = mostly(st.integers(1, 4), st.sampled_from([0, 9, 10, -4, -5, LOWEST, HIGHEST]))
lots = mostly(st.integers(1, 9), st.sampled_from([0, MAX_QUANTITY, MAX_QUANTITY + 1]))
sides = st.integers(0, 1)
accounts = st.integers(0, 2)
modes = st.integers(0, 3)
times = st.integers(0, 3)
any_byte = st.integers(0, 255)
# (time in force, post-only): most orders rest, and a few are malformed.
conditions = mostly(
    st.sampled_from([(0, False)] * 5 + [(0, True), (1, False), (2, False)]),
    st.tuples(st.integers(0, 2), st.booleans()),
)


@st.composite
def limit_orders(draw: st.DrawFn) -> Command:
    """A NEW LIMIT order, most of the time a valid one."""
    time_in_force, post_only = draw(conditions)
    return messages.new(
        draw(ids),
        draw(sides),
        draw(prices),
        draw(lots),
        time_in_force=time_in_force,
        self_trade=draw(modes),
        post_only=post_only,
        account=draw(accounts),
        timestamp_ns=draw(times),
    )


KINDS: Final = [
    (12, limit_orders()),
    (3, st.builds(messages.cancel, ids)),
    (5, st.builds(messages.replace, ids, prices, lots, timestamp_ns=times)),
    (2, st.builds(messages.market, ids, sides, lots, self_trade=modes, account=accounts)),
    (1, st.builds(messages.mass_cancel, accounts)),
    (
        1,
        st.builds(
            Command,
            kind=st.integers(0, 5),
            order_id=ids | st.just(0),
            side=any_byte,
            price=prices,
            quantity=lots,
            order_type=st.sampled_from([OrderType.LIMIT, OrderType.MARKET, 2, 255]),
            time_in_force=st.integers(0, 3),
            self_trade=any_byte,
            flags=any_byte,
            account=accounts,
            instrument=st.integers(0, 1),
            reserved=st.integers(-1, 1),
            reserved2=st.integers(0, 1),
        ),
    ),
]
# ``st.one_of`` would take a strategy that is named twice for one.
any_command = st.sampled_from([kind for weight, kind in KINDS for _ in range(weight)]).flatmap(
    lambda strategy: strategy
)


class EngineMachine(RuleBasedStateMachine):
    """Sends each command to both engines and looks at everything there is to see."""

    engine_class: ClassVar[Any]
    reproduce: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[Command] = []
        self.limits: dict[str, int] = {}
        self.engine: Engine
        self.oracle: Engine

    @initialize(limits=st.sampled_from(BOOKS))
    def build(self, limits: dict[str, int]) -> None:
        """Both books, empty."""
        self.limits = limits
        self.engine = self.engine_class(**limits)
        self.oracle = oracle_class()(**limits)

    @rule(commands=st.lists(any_command, min_size=1, max_size=8))
    def send(self, commands: list[Command]) -> None:
        """A few commands, one after the other."""
        for command in commands:
            self._apply(command)

    @rule(damaged_byte=st.integers(0, 200))
    def restore(self, damaged_byte: int) -> None:
        """A damaged image changes nothing, or all of it; the true one is a book to go on with."""
        image = self.engine.snapshot()
        broken = bytearray(image)
        broken[damaged_byte % len(image)] ^= 0x41
        spare = self.engine_class(**self.limits)
        spare.restore(image)
        try:
            spare.restore(bytes(broken))
        except SnapshotError:
            wanted = image
        else:
            wanted = bytes(broken)
        if spare.snapshot() != wanted:
            raise self._failure("an image refused or restored", "a book of neither")
        spare.restore(image)
        self.engine.close()
        self.engine = spare
        self._compare_books()

    def _apply(self, command: Command) -> None:
        __tracebackhide__ = True
        self.commands.append(command)
        expected = self.oracle.apply(command)
        try:
            got = apply_as_bytes(self.engine, command)
        except Exception as error:
            raise self._failure(expected, f"{type(error).__name__}: {error}") from error
        if got != b"".join(event.pack() for event in expected):
            raise self._failure(expected, unpack_events(got))
        self._compare_books()

    def _compare_books(self) -> None:
        __tracebackhide__ = True
        seen = compare_books(self.oracle, self.engine)
        if seen:
            raise self._failure(*seen)

    def _failure(self, expected: Outcome, got: Outcome) -> ContractBroken:
        tape = Tape(
            self.engine_class,
            oracle_class(),
            self.limits,
            tuple(self.commands),
            expected,
            got,
            self.reproduce,
        )
        return ContractBroken(tape)


class MachineRules(ContractBase):
    """Whatever sequence of calls Hypothesis can think of."""

    def test_state_machine(self) -> None:
        """Guards against sequences nobody would write down; a failure is shrunk to a few steps."""
        run_machine(self.engine_class)

    @pytest.mark.long
    def test_state_machine_at_length(self) -> None:
        """Guards against sequences that are rarer still: ``--hypothesis-profile=long``."""
        run_machine(self.engine_class)


def run_machine(engine_class: Any) -> None:
    """Run the state machine under the current Hypothesis profile.

    Raises:
        ContractBroken: with the tape of the shortest sequence found.
    """
    line = running_test()
    machine: type[EngineMachine] = type("Machine", (EngineMachine,), {"engine_class": engine_class})
    if not settings().derandomize:
        number = hypothesis.core.global_force_seed
        if number is None:
            number = random.SystemRandom().getrandbits(32)
        machine = seed(number)(machine)
        profile = settings.get_current_profile_name()
        line += f" --hypothesis-profile={profile} --hypothesis-seed={number}"
    machine.reproduce = line
    try:
        _run(machine, Phase.generate)
    except ContractBroken as broken:
        tape = broken.tape
        try:
            # Whole commands are left out faster than Hypothesis leaves out what it drew for them.
            few, found = shrink(
                tape.commands,
                lambda some: find_difference(engine_class, oracle_class(), tape.limits, some),
            )
        except ValueError:  # commands alone do not show it: snapshots are part of the story
            _run(machine, Phase.generate, Phase.shrink)
            raise
        shorter = with_fields(tape, commands=tuple(few), expected=found.expected, got=found.got)
        raise ContractBroken(shorter) from None


def _run(machine: type[EngineMachine], *phases: Phase) -> None:
    run_state_machine_as_test(
        machine,
        # Without a database, a seed finds the same whatever an earlier run had found.
        settings=settings(
            max_examples=3 * settings().max_examples,
            stateful_step_count=STEPS,
            phases=phases,
            report_multiple_bugs=False,
            database=None,
        ),
    )
