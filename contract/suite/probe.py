"""An engine and everything that was said to it, so that a failure can be told as a tape."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace as with_fields
from functools import cache
from typing import Any, Final, Self

from contract.engine import Engine, LevelView
from contract.messages import Command, Event, EventKind, Reason, Side
from contract.suite.expected import rejected
from contract.suite.tape import ContractBroken, Outcome, Tape

#: The engine that decides where words are silent. It is named, not imported, because the
#: contract does not depend on any phase; only holding engines against each other does.
ORACLE: Final = "phase1_domain:Engine"


def load_class(name: str) -> Any:
    """The class that ``module:Class`` names.

    Raises:
        ValueError: the name has no colon, the module does not exist, or has no such class.
    """
    module_name, colon, class_name = name.partition(":")
    if not colon:
        raise ValueError(f"{name!r} is not of the form module:Class")
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"there is no engine {name!r}: {error}") from error


@cache
def oracle_class() -> Any:
    """Phase 1's engine."""
    return load_class(ORACLE)


class Probe:
    """Sends commands to an engine, compares what comes back, and tells a failure as a tape."""

    def __init__(self, engine_class: Any, limits: dict[str, int]) -> None:
        self.engine_class = engine_class
        self.limits = limits
        self.engine: Engine = engine_class(**limits)
        self.commands: list[Command] = []

    def send(self, *commands: Command) -> list[Event]:
        """Apply commands; return the events of the last one.

        What holds for every event of every command is checked on the way: numbers without gaps,
        the command's timestamp and instrument, reserved bytes 0, invariants intact.
        """
        __tracebackhide__ = True
        events: list[Event] = []
        for command in commands:
            last = self.engine.event_sequence
            self.commands.append(command)
            try:
                events = self.engine.apply(command)
                self.engine.check()
            except Exception as error:
                raise self.failure("events", f"{type(error).__name__}: {error}") from error
            stamped = [
                with_fields(
                    event,
                    sequence=last + number,
                    timestamp_ns=command.timestamp_ns,
                    instrument=command.instrument,
                    reserved=0,
                )
                for number, event in enumerate(events, start=1)
            ]
            if not events or events != stamped or self.engine.event_sequence != last + len(events):
                raise self.failure(stamped, events)
        return events

    def expect(self, command: Command, *expected: Event) -> Self:
        """Apply one command; these events, to the byte, and no others."""
        __tracebackhide__ = True
        first = self.engine.event_sequence + 1
        want = [
            with_fields(
                event,
                sequence=first + number,
                timestamp_ns=command.timestamp_ns,
                instrument=command.instrument,
            )
            for number, event in enumerate(expected)
        ]
        got = self.send(command)
        if [event.pack() for event in got] != [event.pack() for event in want]:
            raise self.failure(want, got)
        return self

    def expect_rejected(self, command: Command, reason: Reason) -> Self:
        """Apply one command; it is refused for that reason and the book is as it was."""
        before = self.engine.state_hash()
        self.expect(command, rejected(command, reason))
        if self.engine.state_hash() != before:
            raise self.failure("the book as it was", "a rejected command changed the book")
        return self

    def expect_accepted(self, command: Command) -> Self:
        """Apply one NEW command; it is not refused."""
        events = self.send(command)
        if events[0].kind != EventKind.ACCEPTED:
            raise self.failure("accepted", events)
        return self

    def expect_book(
        self,
        bids: Sequence[tuple[int, int, int]] = (),
        asks: Sequence[tuple[int, int, int]] = (),
    ) -> Self:
        """The whole book: (price, quantity, orders) of every level, best first.

        All views must tell the same story: depth, best prices, order lists, length.
        """
        engine = self.engine
        want = ([LevelView(*level) for level in bids], [LevelView(*level) for level in asks])
        got = engine.depth(max(len(bids), len(asks)) + 2)
        if got != want:
            raise self.failure(f"levels {want}", f"levels {got}")
        tops = (engine.best_bid(), engine.best_ask())
        best = tuple(next(iter(side), None) for side in want)
        if tops != best:
            raise self.failure(f"best levels {best}", f"best levels {tops}")
        count = sum(level.order_count for side in want for level in side)
        listed = sum(len(engine.orders(side)) for side in Side)
        if not len(engine) == listed == count:
            raise self.failure(f"{count} orders", f"len {len(engine)}, {listed} listed")
        return self

    def expect_side(self, side: int, *levels: tuple[int, int, int]) -> Self:
        """The levels of that side; the other side is empty."""
        return self.expect_book(bids=levels) if side == Side.BID else self.expect_book(asks=levels)

    def expect_queue(self, side: int, *order_ids: int) -> Self:
        """The live orders of a side, in priority order."""
        got = [order.order_id for order in self.engine.orders(side)]
        if got != list(order_ids):
            raise self.failure(f"queue {list(order_ids)}", f"queue {got}")
        return self

    def failure(self, expected: Outcome, got: Outcome) -> ContractBroken:
        """The error to raise: the tape that leads here."""
        return ContractBroken(
            Tape(
                engine_class=self.engine_class,
                oracle_class=oracle_class(),
                limits=self.limits,
                commands=tuple(self.commands),
                expected=expected,
                got=got,
            )
        )
