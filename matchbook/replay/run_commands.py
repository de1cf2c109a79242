"""Replaying commands: scripts, command files, and the public benchmark's text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt

from contract import benchmark_text
from contract.byte_source import open_bytes
from contract.engine import Engine
from contract.files import CHUNK_RECORDS, iter_command_arrays, read_script, suffix
from contract.messages import DEFAULT_CAPACITY, EventKind, Reason
from contract.records import RecordArray, empty_events, to_command_array
from matchbook.replay.expectations import Expectation, open_expectation
from matchbook.replay.orderbook_rows import Difference
from matchbook.replay.outcome import Outcome, Request

_EVENT_CAPACITY: Final = 1 << 17


def run_commands(request: Request, stack: ExitStack) -> Outcome:
    """Replay a command script or a command file."""
    stream = stack.enter_context(open_bytes(request.path, request.on_read))
    if suffix(request.path) == ".cmd":
        return _run(request, stack, iter_command_arrays(request.path, stream=stream))
    commands = read_script(request.path, stream)
    chunks = iter(lambda: list(islice(commands, CHUNK_RECORDS)), [])
    return _run(request, stack, map(to_command_array, chunks))


def run_benchmark_text(request: Request, stack: ExitStack) -> Outcome:
    """Replay the public benchmark's text."""
    stream = stack.enter_context(open_bytes(request.path, request.on_read))
    return _run(request, stack, benchmark_text.iter_commands(request.path, stream))


def _run(request: Request, stack: ExitStack, arrays: Iterator[RecordArray]) -> Outcome:
    expectation = None if request.expect is None else open_expectation(request.expect)
    engine = request.build(request.limits.first_capacity(DEFAULT_CAPACITY))
    stack.callback(engine.close)
    outcome = Outcome(books={f"instrument {request.instrument}": engine})
    pump = _Pump(request, engine, expectation)
    for commands in _limited(arrays, request.limit):
        outcome.difference = pump.push(commands)
        if outcome.difference is not None:
            break
    else:
        if expectation is not None:
            outcome.difference = expectation.finish(complete=request.limit is None)
    if expectation is not None:
        outcome.equal = expectation.summary()
    pump.report(outcome)
    return outcome


def _limited(arrays: Iterator[RecordArray], limit: int | None) -> Iterator[RecordArray]:
    left = limit
    for commands in arrays:
        if left is None:
            yield commands
            continue
        if left:
            yield commands[:left]
        left -= min(left, len(commands))
        if not left:
            return


class _Pump:
    """Pushes arrays of commands through an engine and its events to whoever wants them."""

    def __init__(self, request: Request, engine: Engine, expectation: Expectation | None) -> None:
        self._engine = engine
        self._expectation = expectation
        self._sink = request.sink
        self._events = empty_events(_EVENT_CAPACITY)
        self._kinds: npt.NDArray[np.int64] = np.zeros(256, np.int64)
        self._rejections: npt.NDArray[np.int64] = np.zeros(256, np.int64)
        self._commands = 0
        self._seconds = 0.0

    def push(self, commands: RecordArray) -> Difference | None:
        """Apply an array of commands; the first difference from what is expected, or None."""
        start = 0
        while start < len(commands):
            began = time.perf_counter()
            consumed, written = self._engine.apply_batch(commands[start:], self._events)
            self._seconds += time.perf_counter() - began
            if not consumed:
                self._events = empty_events(2 * len(self._events))
                continue
            batch = commands[start : start + consumed]
            difference = self._hand_on(batch, self._events[:written])
            if difference is not None:
                return difference
            start += consumed
        return None

    def _hand_on(self, commands: RecordArray, events: RecordArray) -> Difference | None:
        self._commands += len(commands)
        self._kinds += np.bincount(events["kind"], minlength=256)
        rejected = events["reason"][events["kind"] == EventKind.REJECTED]
        self._rejections += np.bincount(rejected, minlength=256)
        if self._sink is not None:
            self._sink.write(events)
        if self._expectation is None:
            return None
        return self._expectation.feed(commands, events)

    def report(self, outcome: Outcome) -> None:
        """State what was done; the time is the engine's alone."""
        outcome.add_rate("commands", self._commands, self._seconds)
        words = [f"{self._kinds[kind]:,} {kind.name.lower()}" for kind in EventKind]
        outcome.facts.append(("events", ", ".join(words)))
        reasons = [
            f"{self._rejections[reason]:,} {reason.name.lower()}"
            for reason in Reason
            if self._rejections[reason]
        ]
        if reasons:
            outcome.facts.append(("rejected", ", ".join(reasons)))
