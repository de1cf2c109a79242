"""Events as the public benchmark's report text, and the digest by which it compares engines.

The format stands in ``contract/c/report_text.h``. All reports of a command come together, so the
text can be written, and its digest taken, while the engine runs and without keeping the events.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from contract._workload import ffi, lib
from contract.batching import DEFAULT_EVENT_CAPACITY, iter_events
from contract.engine import Engine
from contract.errors import MatchbookError
from contract.messages import CommandKind, EventKind
from contract.records import RecordArray

#: SHA-256 of the report text of each scenario at the canonical count and seed, as published.
PUBLISHED_DIGESTS: Final[dict[str, str]] = {
    "static": "9803843ee404fc29c9a0aa5614f8f0d5a58b5c44fcac9ef89067886fcaaa30d1",
    "normal": "e9b2e3926854410b01a035aeb25dd05f1e597c233be8263de9eb49b6713d367e",
    "swing-25": "61a84be9469661bd039e00dbc9a7c011e70b6ace37aadfe60045ea083b05f4df",
    "swing-40": "3cb0175e7982ff09ea220d1feaee3844cf9116a5ce455757879dea1d880b9b9f",
    "flash-crash": "cff8d3f94b709fc64a8b2058a6ca4fb6920364904796e46906895e362d2bb16b",
}

SMALL_ORDERS: Final = 5_000
#: The same for SMALL_ORDERS orders, by scenario and seed.
SMALL_DIGESTS: Final[dict[tuple[str, int], str]] = {
    ("normal", 7): "1f49237919ee34ccad330882f9ee47ab22ad32d57a6f4783dd372d057e1aa02c",
    ("normal", 101): "441d1aaf092053d7483e4c086f5f67565da487222507d39483bdad3a2bf9105a",
    ("swing-40", 7): "82541e0d6eb434e46540c94116685e3537d9fe6426174d6bd4b412584991e2e4",
    ("swing-40", 101): "2ea669b264ac32104844456082720ce9881b5da7f9e9b32820cf5845b9acf60e",
    ("static", 7): "0825361ec58fdefef272d8d8840265e164f9b24dea1fa37012416fafbdf66c57",
    ("static", 101): "47c6362ca42c2871091ac53fd456c31382d237a2d429bcd7d35b572185e5abe0",
}

_TEXT_BYTES: Final = 1 << 20


class ReportError(MatchbookError):
    """The events are not those of the commands, or the format has no line for one of them."""


class ReportCounts(NamedTuple):
    """Lines written so far, by type; in the order of the types' numbers."""

    accepted: int
    trades: int
    cancelled: int
    modified: int
    cancels_rejected: int
    modifies_rejected: int


class ReportWriter:
    """Writes report text piece by piece, in bounded memory.

    Args:
        sink: called with each piece as a memoryview that is valid during the call only.

    >>> from contract.records import to_command_array, to_event_array
    >>> from contract import cancel
    >>> from phase1_domain import Engine
    >>> text = bytearray()
    >>> writer = ReportWriter(text.extend)
    >>> writer.update(to_command_array([cancel(7)]), to_event_array(Engine().apply(cancel(7))))
    1
    >>> text
    bytearray(b'4,0,7')
    """

    def __init__(self, sink: Callable[[memoryview], object]) -> None:
        self._sink = sink
        self._state = ffi.new("report_writer *")
        self._text = bytearray(_TEXT_BYTES)

    @property
    def counts(self) -> ReportCounts:
        """Lines written so far, by type."""
        return ReportCounts(*self._state.lines)

    @property
    def commands(self) -> int:
        """Commands reported so far."""
        return int(self._state.sequence)

    def update(self, commands: RecordArray, events: RecordArray) -> int:
        """Write the reports of the next commands; return how many commands that were.

        ``events`` are all the events of the first so many of ``commands``: as many as an engine's
        ``apply_batch`` wrote. Commands beyond that may stand in the array; give them again, with
        their events. O(events).

        Raises:
            ReportError: names the command and the event that do not fit together. The text up to
                there has gone to the sink.
        """
        source = ffi.from_buffer("command_record[]", commands)
        caused = ffi.from_buffer("event_record[]", events)
        state, used, seen = self._state, 0, 0
        while True:
            text = ffi.from_buffer("char[]", self._text, require_writable=True)
            status = lib.report_text_write(
                state,
                source + used,
                len(commands) - used,
                caused + seen,
                len(events) - seen,
                text,
                len(text),
            )
            ffi.release(text)
            used += int(state.commands_used)
            seen += int(state.events_used)
            if state.text_bytes:
                self._sink(memoryview(self._text)[: state.text_bytes])
            elif status == lib.REPORT_NO_ROOM:
                self._text = bytearray(2 * len(self._text))
            if status == lib.REPORT_DONE:
                return used
            if status != lib.REPORT_NO_ROOM:
                raise self._error(status, commands[used:], events[seen:])

    def _error(self, status: int, commands: RecordArray, events: RecordArray) -> ReportError:
        place = f"command {self.commands}"
        if status == lib.REPORT_ORPHAN:
            return ReportError(f"{place}: {len(events)} events are left, but no command")
        kind, event = _name(CommandKind, commands["kind"][0]), _name(EventKind, events["kind"][0])
        what = f"{place}, {kind} of order {commands['order_id'][0]}"
        answer = f"{event} of order {events['order_id'][0]}, reason {events['reason'][0]}"
        if status == lib.REPORT_MISFIT:
            return ReportError(f"{what}: its first event cannot be {answer}")
        return ReportError(f"{what}: the report format has no line for {answer}")


def _name(enumeration: Any, value: int) -> str:
    try:
        return str(enumeration(int(value)).name)
    except ValueError:
        return f"{enumeration.__name__}({value})"


class ReportDigest(ReportWriter):
    """The SHA-256 of the report text, without the text.

    ::

        digest = ReportDigest()
        start = 0
        for events in iter_events(engine, commands):
            start += digest.update(commands[start:], events)
        assert digest.hexdigest() == PUBLISHED_DIGESTS["normal"]
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        super().__init__(self._digest.update)

    def hexdigest(self) -> str:
        """The digest of the text so far, 64 hex digits."""
        return self._digest.hexdigest()


def report_text(commands: RecordArray, events: RecordArray) -> bytes:
    """The report text of a whole run: all commands and all their events, in order. O(events).

    Raises:
        ReportError: the events are not those of the commands, or the format cannot say them.
    """
    text = bytearray()
    _write_all(ReportWriter(text.extend), commands, events)
    return bytes(text)


def report_digest(commands: RecordArray, events: RecordArray) -> str:
    """SHA-256 of :func:`report_text`, as hex, without building the text."""
    digest = ReportDigest()
    _write_all(digest, commands, events)
    return digest.hexdigest()


def _write_all(writer: ReportWriter, commands: RecordArray, events: RecordArray) -> None:
    used = writer.update(commands, events)
    if used < len(commands):
        raise ReportError(f"command {used}: it and {len(commands) - used - 1} more have no events")


def run_digest(
    engine: Engine, commands: RecordArray, event_capacity: int = DEFAULT_EVENT_CAPACITY
) -> ReportDigest:
    """Apply all commands and digest the reports as they come; the events are not kept.

    >>> from contract.workload import generate
    >>> from phase1_domain import Engine
    >>> result = run_digest(Engine(), generate("static", orders=SMALL_ORDERS, seed=7))
    >>> result.hexdigest() == SMALL_DIGESTS["static", 7]
    True
    """
    digest = ReportDigest()
    start = 0
    for events in iter_events(engine, commands, event_capacity):
        start += digest.update(commands[start:], events)
    return digest
