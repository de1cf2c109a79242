"""What a replay of commands should give: an event list, an event file, a report text, a digest.

Each expectation is fed the commands and their events as they come and stops at the first event
that differs. Since a book is a fold of its own events, both books at that moment can be drawn
afterwards from the events alone: they were equal up to there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from contract.byte_source import iter_lines, open_bytes, shorten
from contract.errors import ConfigurationError, InputFileError
from contract.files import iter_event_arrays, read_event_list, suffix
from contract.messages import Event, EventKind, Side
from contract.records import RecordArray, empty_events, to_event_array, to_events
from contract.reports import ReportDigest, ReportWriter
from matchbook.replay.orderbook_rows import Difference, Levels

_CHUNK: Final = 65_536
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")
_REPORT: Final = re.compile(r"[0-5](,-?[0-9]{1,20}){2,5}")


class Expectation(Protocol):
    """What the events of a replay are held against."""

    def feed(self, commands: RecordArray, events: RecordArray) -> Difference | None:
        """Compare all the events of some commands; the first difference or None."""

    def finish(self, complete: bool) -> Difference | None:
        """Compare what can be compared at the end; ``complete``: the whole file was replayed."""

    def summary(self) -> str:
        """What was found equal, in words."""


def open_expectation(value: str) -> Expectation:
    """The expectation that a value of ``--expect`` names.

    Raises:
        ConfigurationError: it is neither a digest nor a file of a known kind.
    """
    if _DIGEST.fullmatch(value):
        return DigestExpectation(value.lower())
    path = Path(value)
    kind = suffix(path)
    if kind == ".evt" or (kind == ".csv" and not _is_report(path)):
        return EventExpectation(path)
    if _is_report(path):
        return ReportExpectation(path)
    raise ConfigurationError(
        f"--expect {value}: neither an event list (.csv), an event file (.evt), a report text,"
        " nor the 64 hex digits of a report text's SHA-256"
    )


def _is_report(path: Path) -> bool:
    with open_bytes(path) as stream:
        line = stream.readline(200).decode("ascii", "replace").strip()
    return _REPORT.fullmatch(line) is not None


class EventExpectation:
    """Events equal, in every byte, to those of an event list or an event file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = self._read()
        self._pending = empty_events(0)
        self._equal = 0

    def _read(self) -> Iterator[RecordArray]:
        if suffix(self._path) == ".evt":
            yield from iter_event_arrays(self._path, _CHUNK)
            return
        events = read_event_list(self._path)
        while chunk := list(islice(events, _CHUNK)):
            yield to_event_array(chunk)

    def feed(self, commands: RecordArray, events: RecordArray) -> Difference | None:
        """Compare the events with the next ones expected."""
        while len(self._pending) < len(events) and (more := next(self._stream, None)) is not None:
            self._pending = np.concatenate([self._pending, more])
        wanted = self._pending[: len(events)]
        got = events[: len(wanted)]
        if wanted.tobytes() != got.tobytes():
            at = next(i for i, (a, b) in enumerate(zip(wanted, got, strict=True)) if a != b)
            return self._differ(at, to_events(wanted[at : at + 1]), to_events(got[at : at + 1]))
        if len(wanted) < len(events):
            surplus = to_events(events[len(wanted) : len(wanted) + 1])
            return self._differ(len(wanted), [], surplus)
        self._pending = self._pending[len(events) :]
        self._equal += len(events)
        return None

    def finish(self, complete: bool) -> Difference | None:
        """After a complete replay nothing more may be expected."""
        if not complete:
            return None
        left = self._pending if len(self._pending) else next(self._stream, None)
        return None if left is None else self._differ(0, to_events(left[:1]), [])

    def _differ(self, at: int, wanted: list[Event], got: list[Event]) -> Difference:
        number = self._equal + at + 1
        before = BookFold()
        for chunk in self._read():
            for event in to_events(chunk)[: number - 1 - before.steps]:
                before.take_event(event)
            if before.steps == number - 1:
                break
        after = before.copy()
        for event in wanted:
            before.take_event(event)
        for event in got:
            after.take_event(event)
        return Difference(
            f"event {number}",
            before.levels(),
            after.levels(),
            f"expected: {_shown(wanted)}\n     got: {_shown(got)}",
        )

    def summary(self) -> str:
        """How many events were equal."""
        return f"{self._equal:,} events equal"


class ReportExpectation:
    """The report text of the public benchmark, line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = self._read()
        self._text = bytearray()
        self._writer = ReportWriter(self._text.extend)
        self._equal = 0

    def _read(self) -> Iterator[str]:
        with open_bytes(self._path) as stream:
            for number, line in iter_lines(stream, self._path):
                if _REPORT.fullmatch(line) is None:
                    expected = "a report line such as 0,0,1,4086,33192,63"
                    raise InputFileError(self._path, f"line {number}", "", shorten(line), expected)
                yield line

    def feed(self, commands: RecordArray, events: RecordArray) -> Difference | None:
        """Compare the report lines of these commands with the next ones expected."""
        self._writer.update(commands, events)
        return self._compare(last=False)

    def _compare(self, last: bool) -> Difference | None:
        """Compare whole lines; the last line of all ends without a newline."""
        end = len(self._text) if last else self._text.rfind(b"\n") + 1
        got = self._text[:end].decode("ascii").splitlines()
        del self._text[:end]
        for line in got:
            wanted = next(self._lines, None)
            if wanted != line:
                return self._differ([wanted] if wanted else [], [line])
            self._equal += 1
        return None

    def finish(self, complete: bool) -> Difference | None:
        """Compare the last line; after a complete replay nothing more may be expected."""
        difference = self._compare(last=True)
        if difference is None and complete:
            left = next(self._lines, None)
            return None if left is None else self._differ([left], [])
        return difference

    def _differ(self, wanted: list[str], got: list[str]) -> Difference:
        before = BookFold()
        before.take_reports(islice(self._read(), self._equal))
        after = before.copy()
        before.take_reports(wanted)
        after.take_reports(got)
        return Difference(
            f"report line {self._equal + 1}",
            before.levels(),
            after.levels(),
            f"expected: {''.join(wanted) or 'nothing more'}\n"
            f"     got: {''.join(got) or 'nothing more'}",
        )

    def summary(self) -> str:
        """How many lines were equal."""
        return f"{self._equal:,} report lines equal"


class DigestExpectation:
    """The SHA-256 of the report text; it can say that something differs, but not what."""

    def __init__(self, digest: str) -> None:
        self._wanted = digest
        self._digest = ReportDigest()

    def feed(self, commands: RecordArray, events: RecordArray) -> Difference | None:
        """Take the events into the digest."""
        self._digest.update(commands, events)
        return None

    def finish(self, complete: bool) -> Difference | None:
        """Compare the digests."""
        got = self._digest.hexdigest()
        if got == self._wanted:
            return None
        detail = f"expected: {self._wanted}\n     got: {got}"
        return Difference("the SHA-256 of the report text", None, None, detail)

    def summary(self) -> str:
        """The digest that was equal."""
        return f"SHA-256 of the report text is {self._wanted}"


class BookFold:
    """A book as the sum of its events: what rests after each of them.

    In the middle of a command the aggressor stands in it too, with what it has left.
    """

    def __init__(self) -> None:
        self._orders: dict[int, tuple[int, int, int]] = {}
        self._sequence = -1
        self._traded = 0
        self.steps = 0

    def copy(self) -> BookFold:
        """Another fold that goes on from here."""
        other = BookFold()
        other._orders = dict(self._orders)
        other._sequence, other._traded = self._sequence, self._traded
        other.steps = self.steps
        return other

    def take_event(self, event: Event) -> None:
        """Apply one event."""
        self.steps += 1
        if event.kind in (EventKind.ACCEPTED, EventKind.REPLACED):
            self._orders[event.order_id] = (event.side, event.price, event.quantity)
        elif event.kind == EventKind.TRADE:
            self._reduce(event.order_id, event.quantity)
            self._reduce(event.contra_order_id, event.quantity)
        elif event.kind == EventKind.CANCELLED:
            self._orders.pop(event.order_id, None)

    def take_reports(self, lines: Iterable[str]) -> None:
        """Apply lines of the report text.

        A modification that trades is reported after its trades, with its quantity before them.
        """
        for line in lines:
            self.steps += 1
            kind, sequence, *fields = map(int, line.split(","))
            if sequence != self._sequence:
                self._sequence, self._traded = sequence, 0
            if kind in (0, 3) and len(fields) == 4:
                side, order_id, price, quantity = fields
                self._orders[order_id] = (side, price, quantity)
                self._reduce(order_id, self._traded)
            elif kind == 1 and len(fields) == 4:
                _, quantity, maker, taker = fields
                self._reduce(maker, quantity)
                self._reduce(taker, quantity)
                self._traded += quantity
            elif kind == 2 and len(fields) == 3:
                self._orders.pop(fields[1], None)

    def _reduce(self, order_id: int, quantity: int) -> None:
        side, price, open_quantity = self._orders.get(order_id, (Side.BID, 0, 0))
        if open_quantity > quantity:
            self._orders[order_id] = (side, price, open_quantity - quantity)
        else:
            self._orders.pop(order_id, None)

    def levels(self) -> tuple[Levels, Levels]:
        """Bids and asks, best first."""
        sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for side, price, quantity in self._orders.values():
            levels = sides[min(side, 1)]
            levels[price] = levels.get(price, 0) + quantity
        return sorted(sides[0].items(), reverse=True), sorted(sides[1].items())


def _shown(events: list[Event]) -> str:
    return "; ".join(map(str, events)) or "nothing more"
