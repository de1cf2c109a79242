"""Checks of what a caller asks for, before it reaches a C field that would cut it to its width.

>>> check_whole("Receiver", start=(-5, 0, 9))
Traceback (most recent call last):
    ...
contract.errors.ConfigurationError: Receiver: start -5 is not 0 to 9
>>> check_number("LossyNetwork", loss=(float("nan"), 0, 1))
Traceback (most recent call last):
    ...
contract.errors.ConfigurationError: LossyNetwork: loss nan is not 0 to 1
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Final

from contract.errors import ConfigurationError
from phase5_protocol.multicast.mold import session_bytes

#: A header, the length of a message, and one byte of it.
LEAST_DATAGRAM_BYTES: Final = 23
#: The most in one message: what the largest datagram has left.
MOST_MESSAGE_BYTES: Final = 65_485
MOST_U32: Final = 2**32 - 1
MOST_U64: Final = 2**64 - 1
DAY_S: Final = 86_400
DAY_NS: Final = DAY_S * 10**9


def check_whole(owner: str, **fields: tuple[Any, int, int]) -> None:
    """Check whole numbers, each given with its least and its most.

    Raises:
        ConfigurationError: names owner, field, value, and what would be right.
    """
    for field, (value, least, most) in fields.items():
        if not isinstance(value, Integral):
            raise ConfigurationError(f"{owner}: {field} {value!r} is not a whole number")
        _check(owner, field, value, least, most)


def check_number(owner: str, **fields: tuple[Any, float, float]) -> None:
    """Check numbers, fractions among them, each given with its least and its most.

    Raises:
        ConfigurationError: as ``check_whole``; NaN is in no range.
    """
    for field, (value, least, most) in fields.items():
        if not isinstance(value, Real):
            raise ConfigurationError(f"{owner}: {field} {value!r} is not a number")
        _check(owner, field, value, least, most)


def check_session(owner: str, session: Any) -> bytes:
    """A session's name as ten bytes.

    Raises:
        ConfigurationError: it is no string, too long, or not printable ASCII.
    """
    if not isinstance(session, str):
        raise ConfigurationError(f"{owner}: session {session!r} is not a string")
    try:
        return session_bytes(session)
    except ValueError as error:
        raise ConfigurationError(f"{owner}: {error}") from error


def _check(owner: str, field: str, value: Any, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigurationError(f"{owner}: {field} {value} is not {least} to {most}")
