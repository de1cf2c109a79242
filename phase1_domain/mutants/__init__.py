"""Deliberately wrong engines: phase 1 with one bug each. They test the tests.

Every one of them is a mistake somebody makes when writing a matching engine. ``caught_by`` names
a test of the contract that must fail on it, without its parameters; ``in_streams`` says whether
random commands must find it too. ``contract/test_suite_catches.py`` holds both to be true.
"""

from types import ModuleType
from typing import Final

from phase1_domain.mutants import matching, refusing, rules, showing
from phase1_domain.mutants.base import Mutant


def _mutants_of(module: ModuleType) -> list[type[Mutant]]:
    return [value for value in vars(module).values() if getattr(value, "caught_by", "")]


#: All of them, in the order of their files.
MUTANTS: Final[list[type[Mutant]]] = [
    mutant for module in (matching, rules, refusing, showing) for mutant in _mutants_of(module)
]

__all__ = ["MUTANTS", "Mutant"]
