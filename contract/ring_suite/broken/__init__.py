"""Deliberately wrong rings: the reference with one bug each. They test the tests.

Each is a mistake somebody makes when writing a ring. ``caught_by`` names a test of the contract
that must fail on it, without its parameters; ``in_machine`` says whether the state machine must
find it too: it does not see what only threads show, nor what no valid call shows.
``contract/test_ring_suite.py`` holds both to be true.
"""

from types import ModuleType
from typing import Final

from contract.ring_suite.broken import asking, lending, moving, sharing
from contract.ring_suite.broken.base import Broken, BrokenNumbering


def _broken_of(module: ModuleType) -> list[type[Broken | BrokenNumbering]]:
    return [value for value in vars(module).values() if getattr(value, "caught_by", "")]


#: All of them, in the order of their files.
BROKEN: Final[list[type[Broken | BrokenNumbering]]] = [
    broken for module in (moving, asking, lending, sharing) for broken in _broken_of(module)
]

__all__ = ["BROKEN", "Broken", "BrokenNumbering"]
