"""What a deliberately wrong ring is: the reference with one bug."""

from __future__ import annotations

from typing import ClassVar

from contract.ring_suite.reference import LockedRing, NumberingRing


class Broken(LockedRing):
    """Base of the wrong rings for one producer."""

    caught_by: ClassVar[str] = ""
    in_machine: ClassVar[bool] = True


class BrokenNumbering(NumberingRing):
    """Base of the wrong rings for many producers."""

    caught_by: ClassVar[str] = ""
    in_machine: ClassVar[bool] = True
