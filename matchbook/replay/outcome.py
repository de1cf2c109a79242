"""What a replay was asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from contract.byte_source import OnRead
from contract.engine import Engine
from matchbook.engines import EngineClass
from matchbook.replay.driver import Anomalies, Limits
from matchbook.replay.events_out import EventSink
from matchbook.replay.orderbook_rows import Difference


@dataclass(frozen=True)
class Request:
    """Everything a replay was asked for on the command line.

    Attributes:
        engine_class: the class of the engine.
        match: re-enact executions instead of applying them to the orders they name.
        stock: a symbol, or None for all.
        limit: messages after which to stop, or None.
        expect: a file name or a digest, or None.
        rows: which message each row of an order book file follows, or None.
    """

    path: Path
    engine_class: EngineClass
    limits: Limits
    match: bool = False
    stock: str | None = None
    instrument: int = 0
    limit: int | None = None
    expect: str | None = None
    rows: Path | None = None
    sink: EventSink | None = None
    on_read: OnRead | None = None

    def build(self, capacity: int) -> Engine:
        """A new, empty engine."""
        return self.engine_class(
            instrument=self.instrument,
            min_price=self.limits.min_price,
            max_price=self.limits.max_price,
            capacity=capacity,
        )


@dataclass
class Outcome:
    """What came of a replay.

    Attributes:
        books: engines by the name of what they trade, still open.
        facts: lines of the summary, label and value.
        lists: headed lists of what deserves to be read (first anomalies, first misses).
        difference: where the expectation failed.
        equal: what was found equal to the expectation, in words.
    """

    books: dict[str, Engine] = field(default_factory=dict)
    facts: list[tuple[str, str]] = field(default_factory=list)
    lists: list[tuple[str, list[str]]] = field(default_factory=list)
    difference: Difference | None = None
    equal: str = ""

    def add_rate(self, noun: str, count: int, seconds: float) -> None:
        """State a count, and how long it took."""
        rate = f" in {seconds:,.3f} s, {count / seconds:,.0f}/s" if seconds > 0 else ""
        self.facts.append((noun, f"{count:,}{rate}"))

    def add_anomalies(self, anomalies: Anomalies) -> None:
        """State how many anomalies there were, of which kind, and list the first."""
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in anomalies.counts.most_common())
        self.facts.append(("anomalies", f"{anomalies.total:,}" + (f": {kinds}" if kinds else "")))
        if anomalies.first:
            self.lists.append((f"first {len(anomalies.first)} anomalies", anomalies.first))


Runner = Callable[[Request, ExitStack], Outcome]
