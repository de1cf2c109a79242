"""Replaying a LOBSTER message file, plain, compressed, or inside its sample archive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

from contract.byte_source import is_zip, open_bytes, open_zip_member
from contract.errors import InputFileError
from matchbook.replay import lobster
from matchbook.replay.driver import Driver
from matchbook.replay.lobster import EXECUTION, Message
from matchbook.replay.lobster_replay import LobsterReplay
from matchbook.replay.orderbook_rows import (
    BookRow,
    Difference,
    iter_book_rows,
    levels_of,
    open_order_book,
)
from matchbook.replay.outcome import Outcome, Request

_CAPACITY = 1 << 20


def run_lobster(request: Request, stack: ExitStack) -> Outcome:
    """Replay a LOBSTER day: by the windowed rule with an order book file, naively without."""
    if is_zip(request.path):
        pattern, expected = "*message*.csv", "an archive with one *message*.csv"
        opened = open_zip_member(request.path, pattern, expected, request.on_read)
    else:
        opened = open_bytes(request.path, request.on_read)
    messages = lobster.iter_messages(stack.enter_context(opened), request.path)
    rows, depth = None, 0
    if request.expect is not None:
        rows, depth = _open_rows(Path(request.expect), stack)
    capacity = request.limits.first_capacity(_CAPACITY)
    driver = Driver(request.build, capacity, fixed=request.limits.fixed, sink=request.sink)
    stack.callback(lambda: driver.engine.close())
    replay = LobsterReplay(driver, depth)
    session = _Session(replay, rows, request.match)
    began = time.perf_counter()
    for run in _runs(islice(messages, request.limit), alone=not request.match):
        if session.push(run):
            break
    outcome = Outcome(difference=session.difference)
    if outcome.difference is None and rows is not None and request.limit is None:
        outcome.difference = session.finish()
    outcome.add_rate("messages", session.messages, time.perf_counter() - began)
    outcome.books = {"LOBSTER": driver.engine}
    _report(outcome, replay, session, request.match)
    return outcome


def _open_rows(path: Path, stack: ExitStack) -> tuple[Iterator[BookRow], int]:
    rows = iter_book_rows(stack.enter_context(open_order_book(path)), path)
    first = next(rows, None)
    if first is None:
        raise InputFileError(path, "line 1", "", "", "a row of an order book file")
    return chain([first], rows), first.depth


def _runs(messages: Iterator[Message], alone: bool) -> Iterator[list[Message]]:
    """Group executions of one instant on one side; every other message is a run of its own."""
    run: list[Message] = []
    for message in messages:
        joins = (
            run
            and message.type == EXECUTION == run[0].type
            and (message.timestamp_ns, message.side) == (run[0].timestamp_ns, run[0].side)
        )
        if run and (alone or not joins):
            yield run
            run = []
        run.append(message)
    if run:
        yield run


class _Session:
    """A replay and the rows it is held against."""

    def __init__(self, replay: LobsterReplay, rows: Iterator[BookRow] | None, match: bool) -> None:
        self._replay = replay
        self._rows = rows
        self._match = match
        self._has_begun = False
        self.messages = 0
        self.equal = 0
        self.is_at_end_of_rows = False
        self.difference: Difference | None = None

    def push(self, run: list[Message]) -> bool:
        """Replay a run of messages; returns whether there is nothing more to do."""
        rows: list[BookRow | None] = [None] * len(run)
        if self._rows is not None:
            rows = list(islice(self._rows, len(run)))
            self.is_at_end_of_rows = len(rows) < len(run)
            run = run[: len(rows)]
        self.messages += len(run)
        if not run:
            return True
        re_enact = self._match and self._has_begun and run[0].type == EXECUTION
        if re_enact and self._replay.match(run):
            self._compare(run[-1], rows[-1])
        else:
            for message, row in zip(run, rows, strict=True):
                self._replay.take(message)
                if self._compare(message, row):
                    break
        self._has_begun = True
        return self.difference is not None or self.is_at_end_of_rows

    def _compare(self, message: Message, row: BookRow | None) -> bool:
        if row is not None:
            self.difference = self._replay.reconcile(row, message.timestamp_ns)
            self.equal += self.difference is None
        return self.difference is not None

    def finish(self) -> Difference | None:
        """After the last message no row may be left."""
        row = None if self._rows is None else next(self._rows, None)
        if row is None:
            return None
        got = levels_of(self._replay.engine, row.depth)
        detail = "no message is left for this row"
        return Difference(f"row {row.line}", (row.bids, row.asks), got, detail)


def _report(outcome: Outcome, replay: LobsterReplay, session: _Session, match: bool) -> None:
    end = " (the order book file ends there)" if session.is_at_end_of_rows else ""
    inside = session.messages - session.equal
    left_out = f"; {inside:,} inside re-enacted runs were not compared" if match else ""
    outcome.equal = f"{session.equal:,} rows equal{end}; the first gave the book{left_out}"
    outcome.add_anomalies(replay.anomalies)
    if match:
        tally = replay.tally
        share = f", {tally.hits / tally.total:.2%}" if tally.total else ""
        outcome.facts.append(
            (
                "runs",
                f"{tally.hits:,} of {tally.total:,} gave the same fills in the same order{share}",
            )
        )
        outcome.facts.append(("executions", f"{tally.fills:,} in these runs"))
        if tally.first_misses:
            outcome.lists.append((f"first {len(tally.first_misses)} misses", tally.first_misses))
