"""Replaying a Nasdaq ITCH 5.0 file."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from contract.byte_source import open_bytes
from contract.errors import ConfigurationError
from matchbook.replay import itch
from matchbook.replay.driver import Driver
from matchbook.replay.itch_replay import ItchReplay
from matchbook.replay.orderbook_rows import (
    Difference,
    RowChecker,
    iter_book_rows,
    iter_row_indexes,
    open_order_book,
)
from matchbook.replay.outcome import Outcome, Request


def run_itch(request: Request, stack: ExitStack) -> Outcome:
    """Rebuild the books of an ITCH file, one engine a stock."""
    replay = ItchReplay(
        request.engine_class,
        request.limits,
        request.path,
        stock=request.stock,
        match=request.match,
        sink=request.sink,
    )
    stack.callback(_close_all, replay)
    comparison = None
    if request.expect is not None:
        comparison = _Comparison(request.expect, request.rows, stack)
    stream = stack.enter_context(open_bytes(request.path, request.on_read))
    outcome = Outcome()
    count = 0
    began = time.perf_counter()
    for index, offset, row in itch.iter_rows(stream, request.path):
        if count == request.limit:
            break
        driver = replay.take(index, offset, row)
        count += 1
        if comparison is not None:
            outcome.difference = comparison.check(replay, index, driver)
            if outcome.difference is not None:
                break
    else:
        replay.finish()
        if comparison is not None:
            outcome.difference = comparison.finish(replay)
    outcome.add_rate("messages", count, time.perf_counter() - began)
    if comparison is not None:
        outcome.equal = comparison.summary()
    _report(outcome, replay, request)
    return outcome


class _Comparison:
    """Rows of an order book file, and the one book they are about."""

    def __init__(self, expect: str, rows: Path | None, stack: ExitStack) -> None:
        book = Path(expect)
        indexes = None
        if rows is not None:
            indexes = iter_row_indexes(stack.enter_context(open_bytes(rows)), rows)
        stream = stack.enter_context(open_order_book(book))
        self._checker = RowChecker(iter_book_rows(stream, book), indexes)
        self._has_indexes = rows is not None
        self._shown = -1

    def check(self, replay: ItchReplay, index: int, driver: Driver | None) -> Difference | None:
        if len(replay.books) > 1:
            raise ConfigurationError("--expect is about one stock: choose it with --stock SYMBOL")
        if not replay.books or (driver is None and not self._has_indexes):
            return None
        self._shown += 1
        engine = next(iter(replay.books.values())).engine
        where = f"message {index}"
        return self._checker.check(index if self._has_indexes else self._shown, engine, where)

    def finish(self, replay: ItchReplay) -> Difference | None:
        engine = next((driver.engine for driver in replay.books.values()), None)
        return self._checker.finish(engine)

    def summary(self) -> str:
        every = "all " if self._checker.is_done else ""
        return f"{every}{self._checker.equal:,} rows equal"


def _report(outcome: Outcome, replay: ItchReplay, request: Request) -> None:
    letters = " ".join(
        f"{letter.decode()} {count:,}" for letter, count in replay.letters.most_common()
    )
    outcome.facts.append(("by type", letters or "none"))
    drivers = replay.books.items()
    outcome.facts.append(("commands", f"{sum(driver.commands for _, driver in drivers):,}"))
    outcome.books = {
        replay.symbols.get(locate, f"locate {locate}"): driver.engine for locate, driver in drivers
    }
    outcome.add_anomalies(replay.anomalies)
    if request.match:
        tally = replay.tally
        share = f", {tally.hits / tally.total:.2%}" if tally.total else ""
        outcome.facts.append(
            (
                "executions",
                f"{tally.hits:,} of {tally.total:,} hit the order the exchange hit{share}",
            )
        )
        misses = tally.total - tally.hits
        if misses:
            outcome.facts.append(
                ("misses", f"{misses:,}; in {tally.older:,} the order hit was entered earlier")
            )
            outcome.lists.append((f"first {len(tally.first_misses)} misses", tally.first_misses))


def _close_all(replay: ItchReplay) -> None:
    for driver in replay.books.values():
        driver.engine.close()
