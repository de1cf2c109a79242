"""Where a log stands, what its writer has done, and what a mark says: plain numbers."""

from __future__ import annotations

from typing import NamedTuple


class LogPosition(NamedTuple):
    """Where a log stands: what a recovery finds, and a writer goes on from. All 0: a new log.

    ``sequence`` is the last record's; ``number``, ``first_sequence`` and ``salt`` the present
    segment's (0: there is none), ``slot`` its next free one, ``chain`` the log's there.
    """

    sequence: int = 0
    number: int = 0
    first_sequence: int = 0
    slot: int = 0
    chain: int = 0
    salt: int = 0


class LogCounters(NamedTuple):
    """What a writer has done (c/log_writer.h)."""

    records: int
    bytes: int
    flushes: int
    segments: int
    recycled: int
    waits: int
    withdrawn: int


class LogMark(NamedTuple):
    """What the engine was after the last command before it; the writer fills in the last two."""

    event_sequence: int
    orders: int
    event_crc: int
    state_hash: bytes
    sequence: int = 0
    chain: int = 0
