"""The two clocks of a session, and times as FIX writes them.

SendingTime is wall clock time, which others set and which may jump. Intervals (heartbeats,
timeouts) are measured on the monotonic clock, so that a jump neither silences a session nor ends
it.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

SECOND_NS: Final = 1_000_000_000

_TIMESTAMP: Final = re.compile(r"(\d{8})-(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where a session gets its times from."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment; never goes back."""


class SystemClock:
    """The machine's clocks."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment; never goes back."""
        return time.monotonic_ns()


class ManualClock:
    """A clock that stands still until it is told; for tests and simulations."""

    def __init__(self, wall_ns: int = 1_700_000_000 * SECOND_NS) -> None:
        """Start at that wall clock time."""
        self._wall_ns = wall_ns
        self._monotonic_ns = 0

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return self._wall_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds since the start."""
        return self._monotonic_ns

    def advance(self, seconds: float) -> None:
        """Let both clocks go on."""
        step = round(seconds * SECOND_NS)
        self._wall_ns += step
        self._monotonic_ns += step


def format_timestamp(wall_ns: int) -> str:
    """The time as a UTCTimestamp with milliseconds.

    >>> format_timestamp(1_700_000_000_123_456_789)
    '20231114-22:13:20.123'
    """
    moment = _EPOCH + timedelta(seconds=wall_ns // SECOND_NS)
    return f"{moment:%Y%m%d-%H:%M:%S}.{wall_ns // 1_000_000 % 1000:03}"


def parse_timestamp(text: str) -> int | None:
    """The nanoseconds of a UTCTimestamp (no, or up to nine, decimals), or None if it is none.

    >>> parse_timestamp("20231114-22:13:20.123"), parse_timestamp("20231314-22:13:20")
    (1700000000123000000, None)
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    day, hour, minute, second, decimals = match.groups()
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60:  # 60: a leap second
        return None
    date = parse_date(day)
    if date is None:
        return None
    seconds = date * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    return seconds * SECOND_NS + int((decimals or "").ljust(9, "0"))


def parse_date(text: str) -> int | None:
    """The days since 1970-01-01 of a date written YYYYMMDD, or None if it is none."""
    if len(text) != 8 or not text.isascii() or not text.isdigit():
        return None
    try:
        date = datetime(int(text[:4]), int(text[4:6]), int(text[6:]), tzinfo=UTC)
    except ValueError:
        return None
    return (date - _EPOCH).days
