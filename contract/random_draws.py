"""Seeded random columns that never change: raw bits of PCG64, and integer rules of our own.

numpy keeps the bits of its bit generators from version to version, but not what its
distributions make of them. A seed printed by a failing test should still mean something later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Integers: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_HALF: Final = np.uint64(32)
_MIX: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS: Final = (np.uint64(30), np.uint64(27), np.uint64(31))


def mix64(values: npt.NDArray[Any]) -> Words:
    """A fixed one-to-one map of 64-bit integers that looks random; 0 stays 0.

    >>> mix64(np.array([0, 1, 2])).tolist()
    [0, 6238072747940578789, 15839785061582574730]
    """
    mixed = values.astype(np.uint64)
    mixed = (mixed ^ (mixed >> _SHIFTS[0])) * _MIX[0]
    mixed = (mixed ^ (mixed >> _SHIFTS[1])) * _MIX[1]
    return np.asarray(mixed ^ (mixed >> _SHIFTS[2]))


class Draws:
    """Columns of ``size`` random values each; every call draws anew, and costs O(size).

    >>> Draws(seed=1, size=4).below(10).tolist() == Draws(seed=1, size=4).below(10).tolist()
    True
    """

    def __init__(self, seed: int, size: int) -> None:
        self._bits = np.random.PCG64(seed)
        self.size = size

    def words(self) -> Words:
        """Any 64 bits."""
        return self._bits.random_raw(self.size)

    def below(self, limit: int) -> Integers:
        """Integers from 0 to ``limit - 1``, for limits up to 2**31."""
        return ((self.words() >> _HALF) * np.uint64(limit) >> _HALF).astype(np.int64)

    def between(self, low: int, high: int) -> Integers:
        """Integers from ``low`` to ``high``, both inclusive, fewer than 2**31 apart."""
        return low + self.below(high - low + 1)

    def chance(self, per_mille: float) -> Mask:
        """True for so many of a thousand."""
        return self.below(1_000_000) < round(per_mille * 1_000)

    def choice(self, values: Sequence[int], weights: Sequence[int]) -> Integers:
        """One of ``values``, each in proportion to its weight."""
        bounds = np.cumsum(weights)
        chosen = np.searchsorted(bounds, self.below(int(bounds[-1])), side="right")
        return np.asarray(values, np.int64)[chosen]
