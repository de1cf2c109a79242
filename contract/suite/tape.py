"""A failure told as a tape: what was said, what the book looked like, what was expected, what came.

::

    phase9 breaks the contract at command 2 of 2

      book: prices 1 to 1000, capacity 64
          1  new #1 ask 5 @ 101
      ->  2  new #2 bid 3 @ 102

      book before
      ...
      expected                                    got
    * 3: trade #2 bid 3 @ 101 with #1, leaves 0   3: trade #2 bid 3 @ 102 with #1, leaves 0
      event 2, price: expected 101, got 102

      reproduce: pytest "phase9/test_engine.py::TestPhase9::test_maker_price"
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any, TypeAlias

from contract.drawing import draw_book, draw_queue
from contract.engine import Engine
from contract.messages import Command, CommandKind, Event, OrderType, Side
from contract.suite import under_test

#: What a command led to: its events, or words where it was something else (an exception, say).
Outcome: TypeAlias = Sequence[Event] | str

_SHOWN_COMMANDS = 60
_SHOWN_EVENTS = 40
_SHOWN_CHARACTERS = 600
_SHOWN_LEVELS = 8
_SHOWN_ORDERS = 12


def running_test() -> str:
    """The pytest line for the test that is running now."""
    node = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    if not node:
        return "run the same commands again"
    named = f"--engine {under_test.NAME} " if under_test.NAME else ""
    return f'pytest {named}"{node}"'


@dataclass(frozen=True, slots=True)
class Tape:
    """Everything a person needs to see why an engine is wrong.

    Attributes:
        engine_class: the engine that was wrong.
        oracle_class: the engine that draws the book as it should be.
        limits: what both are built with.
        commands: all that was sent; the last one is where they part.
        expected, got: events, or a sentence.
        reproduce: the one line that does it again; by default the pytest test that is running.
    """

    engine_class: Any
    oracle_class: Any
    limits: dict[str, int]
    commands: tuple[Command, ...]
    expected: Outcome
    got: Outcome
    reproduce: str = field(default_factory=running_test)

    def text(self) -> str:
        """The tape as plain text."""
        count = len(self.commands)
        engine_name = _name(self.engine_class)
        lines = [f"{engine_name} breaks the contract at command {count} of {count}", ""]
        limits = ", ".join(f"{name} {value}" for name, value in self.limits.items())
        lines.append(f"  book built with: {limits or 'default limits'}")
        lines += list_commands(self.commands)
        before = _picture(self.oracle_class, self.limits, self.commands[:-1])
        right = _picture(self.oracle_class, self.limits, self.commands)
        wrong = _picture(self.engine_class, self.limits, self.commands)
        lines += ["", "  book before", *_indent(before)]
        lines += ["", f"  book after, as {_name(self.oracle_class)} has it", *_indent(right)]
        if wrong != right:
            lines += ["", f"  book after, as {engine_name} has it", *_indent(wrong)]
        lines += ["", *compare_outcomes(self.expected, self.got)]
        lines += ["", f"  reproduce: {self.reproduce}"]
        return "\n".join(lines)


class ContractBroken(AssertionError):
    """An engine is wrong. Its text is the tape, drawn when somebody reads it.

    Hypothesis sees thousands of failures while it shrinks one; only the last is told.
    """

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self.tape = tape

    def __str__(self) -> str:
        return self.tape.text()


def list_commands(commands: Sequence[Command]) -> list[str]:
    """Commands as numbered lines; the last is marked. The middle of a long list is left out."""
    lines = [
        f"  {'->' if number == len(commands) else '  '}{number:>5}  {describe(command)}"
        for number, command in enumerate(commands, start=1)
    ]
    if len(lines) > _SHOWN_COMMANDS:
        hidden = len(lines) - _SHOWN_COMMANDS
        half = _SHOWN_COMMANDS // 2
        lines[half:-half] = [f"           ({hidden} commands left out)"]
    return lines


def describe(command: Command) -> str:
    """``str(command)`` and, in brackets, every non-zero field that it does not say."""
    said = {
        CommandKind.CANCEL: {"order_id"},
        CommandKind.REPLACE: {"order_id", "price", "quantity"},
        CommandKind.MASS_CANCEL: {"account"},
    }.get(
        CommandKind(command.kind) if command.kind in set(CommandKind) else CommandKind.NEW,
        set(asdict(command)) - {"timestamp_ns", "instrument", "sequence"},
    ) | {"kind"}
    if command.order_type == OrderType.MARKET:
        said -= {"price"}
    unsaid = [f"{k}={v}" for k, v in asdict(command).items() if v and k not in said]
    return f"{command} [{' '.join(map(str, unsaid))}]" if unsaid else str(command)


def compare_outcomes(expected: Outcome, got: Outcome) -> list[str]:
    """Both outcomes side by side, rows that differ starred, and the first field that differs."""
    if isinstance(expected, str) or isinstance(got, str):
        return [f"  expected {_words(expected)}", f"  got      {_words(got)}"]
    rows = list(zip_longest(map(str, expected), map(str, got), fillvalue="(nothing)"))
    pairs = list(zip_longest(expected, got))
    first = next((i for i, (want, had) in enumerate(pairs) if want != had), 0)
    start = max(0, first - _SHOWN_EVENTS // 2)
    shown = rows[start : start + _SHOWN_EVENTS]
    width = max([len(left) for left, _ in shown] + [len("expected")])
    lines = [f"  {'expected':<{width}}   got"]
    for number, (left, right) in enumerate(shown, start=start):
        want, had = pairs[number]
        lines.append(f"{'*' if want != had else ' '} {left:<{width}}   {right}".rstrip())
    if len(rows) > len(shown):
        lines.append(f"  ({len(rows) - len(shown)} events left out)")
    return lines + _first_field(pairs, first)


def _first_field(pairs: Sequence[tuple[Event | None, Event | None]], index: int) -> list[str]:
    """Which field of the first event that differs is wrong."""
    want, had = pairs[index] if pairs else (None, None)
    if want is None or had is None:
        return [f"  event {index + 1}: {'not expected' if want is None else 'missing'}"]
    return [
        f"  event {index + 1}, {field}: expected {value}, got {getattr(had, field)}"
        for field, value in asdict(want).items()
        if value != getattr(had, field)
    ]


def _words(outcome: Outcome) -> str:
    words = outcome if isinstance(outcome, str) else "; ".join(map(str, outcome)) or "no event"
    return words if len(words) <= _SHOWN_CHARACTERS else f"{words[:_SHOWN_CHARACTERS]} …"


def _picture(engine_class: Any, limits: dict[str, int], commands: Sequence[Command]) -> str:
    """The book after these commands, drawn; or the exception, where the engine raises one."""
    try:
        engine: Engine = engine_class(**limits)
        for command in commands:
            engine.apply(command)
        return draw_book(engine, _SHOWN_LEVELS) + "\n" + _queues(engine)
    except Exception as error:  # a wrong engine may raise anything, and the tape must still be told
        return f"  (raised {type(error).__name__}: {error})"


def _queues(engine: Engine) -> str:
    lines = [draw_queue(engine, side, _SHOWN_ORDERS) for side in Side if engine.orders(side, 1)]
    return "\n".join(lines)


def _indent(text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in text.splitlines()]


def _name(engine_class: Any) -> str:
    name = getattr(engine_class, "name", "")
    return name if name and engine_class.__name__ == "Engine" else engine_class.__name__
