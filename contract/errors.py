"""The exceptions of this repository: one family for operating failures.

Three kinds of wrong are never mixed. A domain outcome (a rejected order) is an *event*. An
operating failure (a bad file, a snapshot that does not fit) is one of these exceptions. A
programmer's error aborts in C and raises AssertionError, TypeError or ValueError in Python.
"""

from __future__ import annotations


class MatchbookError(Exception):
    """Any operating failure; catch this to catch them all."""


class ConfigurationError(MatchbookError):
    """An engine was asked for with limits it cannot have (a capacity of 0, say)."""


class EngineClosedError(MatchbookError):
    """An engine was used after ``close()``."""


class SnapshotError(MatchbookError):
    """A snapshot is damaged, or does not fit the engine it is restored into."""


class InvariantError(MatchbookError):
    """``check()`` found a structural invariant broken; the message names it and dumps the book."""


class InputFileError(MatchbookError):
    """A file holds something that cannot be read as what it should be.

    Attributes:
        path: the file.
        where: the place in it, such as ``line 12`` or ``offset 4096``.
        field: the field that is wrong, or ``""`` for the record as a whole.
        value: what stands there.
        expected: what would be right.
    """

    def __init__(self, path: object, where: str, field: str, value: object, expected: str) -> None:
        self.path = str(path)
        self.where = where
        self.field = field
        self.value = value
        self.expected = expected
        name = f"{field}: " if field else ""
        super().__init__(f"{path}: {where}: {name}{value!r} is not {expected}")
