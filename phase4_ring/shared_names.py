"""Names of rings in shared memory, and the failures of finding one."""

from __future__ import annotations

import re
from typing import Final

from contract.errors import ConfigurationError, MatchbookError

#: What tells our names in the machine's one list of shared memory from everybody else's.
PREFIX: Final = "/mbook."
# macOS takes 31 characters, slash and all.
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,24}")


class RingMissingError(MatchbookError):
    """No ring of that name, or its creator has not finished making it."""


class RingMismatchError(MatchbookError):
    """What lies under that name is no ring, or not one that this build can use.

    Attributes:
        field: what differs: ``version``, ``kind``, ``record bytes``, ….
        found: what stands there.
        expected: what would be right.
    """

    def __init__(self, name: str, field: str, found: int | str, expected: int | str) -> None:
        self.field, self.found, self.expected = field, found, expected
        super().__init__(f"ring {name!r}: {field} {found} is not {expected}")


class RingInUseError(MatchbookError):
    """A living process has the place, or the name, that was asked for.

    Attributes:
        pid: the process, or 0 where a name is taken.
    """

    def __init__(self, what: str, pid: int = 0) -> None:
        self.pid = pid
        super().__init__(what)


class PeerDiedError(MatchbookError):
    """The other side of a ring is gone.

    Attributes:
        pid: the process that was there.
    """

    def __init__(self, what: str, pid: int) -> None:
        self.pid = pid
        super().__init__(what)


def system_name(name: str) -> bytes:
    """The name as the system knows it: ``b"/mbook.NAME"``.

    Raises:
        ConfigurationError: not 1 to 24 letters, digits, dots, dashes and underscores.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"ring name {name!r} is not 1 to 24 letters, digits, '.', '-' and '_'"
        )
    return (PREFIX + name).encode()
