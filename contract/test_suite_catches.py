"""A test of the tests: the suite fails on every engine that has a bug planted in it.

The planted bugs are ``phase1_domain/mutants``: phase 1 itself passes, so what fails on a mutant
fails because of its one bug.
"""

import itertools

import pytest

from contract.suite import EngineContract, run_contract
from contract.suite.flow import PROFILE_NAMES, flow
from contract.suite.machine import run_machine
from contract.suite.streams import COUNT, SEEDS, first_difference
from contract.suite.tape import ContractBroken
from phase1_domain import Engine
from phase1_domain.mutants import MUTANTS, Mutant, showing

each_mutant = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)


def test_there_are_enough_of_them() -> None:
    """Guards against a list that an import order emptied."""
    assert len(MUTANTS) >= 50
    assert len({mutant.__name__ for mutant in MUTANTS}) == len(MUTANTS)


@each_mutant
def test_the_rules_catch(mutant: type[Mutant]) -> None:
    """Guards against a rule test that would pass whatever the engine did."""
    name = mutant.caught_by
    assert hasattr(EngineContract, name), f"there is no {name}"
    only = [name]
    assert run_contract(EngineContract, Engine, only=lambda test: _bare(test) in only) == []
    assert run_contract(EngineContract, mutant, only=lambda test: _bare(test) in only)


@pytest.mark.parametrize(
    "mutant", [m for m in MUTANTS if m.in_streams], ids=lambda mutant: mutant.__name__
)
def test_the_streams_catch(mutant: type[Mutant]) -> None:
    """Guards against random commands too tame to meet a bug that the rules describe."""
    for seed, profile in itertools.product(SEEDS, PROFILE_NAMES):
        it = flow(profile, seed, COUNT)
        if first_difference(mutant(**it.limits), it) is not None:
            return
    pytest.fail("no seed of any profile found it")


@pytest.mark.parametrize(
    "mutant",
    [showing.RestoreClearsFirst, showing.RestoreBelievesEverything, showing.DepthBestLast],
    ids=lambda mutant: mutant.__name__,
)
def test_the_state_machine_catches(mutant: type[Mutant]) -> None:
    """Guards against a state machine blind to what is not an event."""
    with pytest.raises(ContractBroken, match=mutant.__name__):
        run_machine(mutant)


def _bare(test: str) -> str:
    return test.partition("[")[0]
