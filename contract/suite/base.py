"""What every part of the suite starts from: a small book of the engine under test."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar, Final

import pytest

from contract.messages import Side
from contract.suite.probe import Probe

#: Small, so that engines which take all their memory at construction are quick to build.
SMALL: Final = {"min_price": 1, "max_price": 1_000_000, "capacity": 256}


def word(value: object) -> str:
    """How a parameter is called in the name of a test."""
    return value.name.lower() if isinstance(value, IntEnum) else str(value)


both_sides = pytest.mark.parametrize("side", list(Side), ids=word)


class ContractBase:
    """Base of the suite's parts. ``engine_class`` is the one thing a subclass must say."""

    engine_class: ClassVar[Any]

    def book(self, **limits: int) -> Probe:
        """An empty book of the engine under test; ``limits`` override the small defaults."""
        return Probe(self.engine_class, {**SMALL, **limits})
