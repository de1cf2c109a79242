"""What it costs to cross from Python into C, measured: the same book driven five ways.

- ``node``: Python decides, C keeps the nodes; every operation and every field is a crossing
- ``command``: one ``apply`` a command, a Command object in, a list of Event objects out
- ``call``: one call into C a command, on records that already lie in memory
- ``batch``: one call for every 64 commands
- ``array``: one call for all of them

All five apply the same commands to the same book and must leave it in the same state. They run
interleaved, round after round, because this machine is not the same from one second to the next;
``array`` runs twice a round, and how far it differs from itself is the floor below which no
difference means anything.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from contract import canonical
from contract.engine import Engine as AnyEngine
from contract.errors import MatchbookError
from contract.messages import Command
from contract.records import RecordArray, empty_events, to_commands
from phase2_arena.engine import NODES, Engine, Nodes
from phase2_arena.pernode import NodeEngine

BATCH: Final = 64
_ROUNDS: Final = 5
_CALLS: Final = 20_000
#: Enough for the events of a command stream, and so for a whole array in one call.
_EVENTS_A_COMMAND: Final = 4

Progress = Callable[[str], None]
#: Applies all commands with an engine and returns how many events that gave.
_Way = Callable[[Any, Any, RecordArray], int]


def _silent(_: str) -> None:
    """Say nothing."""


def _by_array(engine: AnyEngine, commands: RecordArray, events: RecordArray) -> int:
    return engine.apply_batch(commands, events).written


def _by_batch(engine: AnyEngine, commands: RecordArray, events: RecordArray) -> int:
    written = 0
    for start in range(0, len(commands), BATCH):
        written += engine.apply_batch(commands[start : start + BATCH], events).written
    return written


def _by_call(engine: Engine, commands: RecordArray, events: RecordArray) -> int:
    return engine.apply_each(commands, events).written


def _by_command(engine: AnyEngine, commands: list[Command], _: RecordArray) -> int:
    return sum(len(engine.apply(command)) for command in commands)


_WAYS: Final[dict[str, tuple[Callable[..., Any], _Way]]] = {
    "node": (NodeEngine, _by_array),
    "command": (Engine, _by_command),
    "call": (Engine, _by_call),
    "batch": (Engine, _by_batch),
    "array": (Engine, _by_array),
    "array_again": (Engine, _by_array),
}


# --8<-- [start:measure]
def measure_boundary(
    commands: RecordArray,
    *,
    image: bytes | None = None,
    rounds: int = _ROUNDS,
    baseline: Callable[..., AnyEngine] | None = None,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Drive the book in every way, ``rounds`` times each, and compare.

    Args:
        commands: what to apply, shape (n,); a few tens of thousands are plenty.
        image: of the book to start from; empty if there is none.
        rounds: how often; the order of the ways turns with each.
        baseline: an engine to run beside them by the array, such as phase 1's.
        progress: called with a line before each round.

    Returns:
        ``ways``: for each way, the median ``ns_per_command`` and ``times_array``, the median over
        the rounds of its time by that of ``array``; ``floor``: the same ratio of ``array`` to
        itself, above 1 whichever of the two was slower; ``crossing``: what a bare call costs and
        how many of them ``node`` makes.

    Raises:
        MatchbookError: the ways do not leave the same book, so there is nothing to compare.
    """
    ways = dict(_WAYS)
    if baseline is not None:
        ways["baseline"] = (baseline, _by_array)
    readable = to_commands(commands)
    events = empty_events(_EVENTS_A_COMMAND * len(commands))
    events["kind"] = 1  # touched once, so that no way pays for the pages
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    outcomes: dict[str, tuple[int, str]] = {}
    names = list(ways)
    for number in range(rounds):
        progress(f"boundary: round {number + 1} of {rounds}")
        for name in names[number % len(names) :] + names[: number % len(names)]:
            make, drive = ways[name]
            given: Any = readable if name == "command" else commands
            with _open(make, commands, image) as engine:
                started = time.perf_counter()
                written = drive(engine, given, events)
                seconds[name].append(time.perf_counter() - started)
                outcomes[name] = (written, engine.state_hash())
    if len(set(outcomes.values())) != 1:
        raise MatchbookError(f"the ways disagree on (events, state): {outcomes}")
    again = seconds["array_again"]
    reported = [name for name in names if name != "array_again"]
    return {
        "commands": len(commands),
        "rounds": rounds,
        "ways": {n: _summary(seconds[n], seconds["array"], len(commands)) for n in reported},
        "floor": statistics.median(max(a / b, b / a) for a, b in _pairs(again, seconds["array"])),
        "crossing": measure_crossing(commands, image),
    }


# --8<-- [end:measure]


def _open(make: Callable[..., Any], commands: RecordArray, image: bytes | None) -> Any:
    """A book with the image's orders and room for one more with each command."""
    resting = 0 if image is None else len(image) // canonical.ORDER.size
    engine = make(capacity=len(commands) + resting)
    if image is not None:
        engine.restore(image)
    return engine


def _pairs(left: list[float], right: list[float]) -> list[tuple[float, float]]:
    return list(zip(left, right, strict=True))


def _summary(taken: list[float], array: list[float], commands: int) -> dict[str, float]:
    return {
        "ns_per_command": statistics.median(taken) / commands * 1e9,
        "times_array": statistics.median(a / b for a, b in _pairs(taken, array)),
    }


def measure_crossing(commands: RecordArray, image: bytes | None = None) -> dict[str, float]:
    """What one bare call into C costs, beside a Python call, and how many ``node`` makes."""
    with NodeEngine(capacity=1) as engine:
        into_c = _ns_per_call(NODES.level_best, engine.handle)
    return {
        "ns_per_call": into_c,
        "ns_per_python_call": _ns_per_call(_nothing, None),
        **count_crossings(commands, image),
    }


def _nothing(_handle: Any, _side: int) -> None:
    """Do nothing; what is left is what a Python call costs."""


def _ns_per_call(function: Callable[[Any, int], Any], handle: Any) -> float:
    """Nanoseconds of one call, least of several tries, without those of the loop around it."""

    def calls() -> float:
        started = time.perf_counter()
        for _ in range(_CALLS):
            function(handle, 0)
        return time.perf_counter() - started

    def loop() -> float:
        started = time.perf_counter()
        for _ in range(_CALLS):
            pass
        return time.perf_counter() - started

    tries = range(_ROUNDS)
    return (min(calls() for _ in tries) - min(loop() for _ in tries)) / _CALLS * 1e9


class _Counter:
    """Counts crossings on their way: calls, and fields read or written."""

    def __init__(self) -> None:
        self.calls = 0
        self.fields = 0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self.calls += 1
            return function(*arguments)

        return counted


class _CountedArray:
    """An array of C structures; each element counts what is done to its fields."""

    def __init__(self, array: Any, counter: _Counter) -> None:
        self._array = array
        self._counter = counter

    def __getitem__(self, index: int) -> Any:
        return _CountedStructure(self._array[index], self._counter)


class _CountedStructure:
    __slots__ = ("_counter", "_structure")

    def __init__(self, structure: Any, counter: _Counter) -> None:
        object.__setattr__(self, "_structure", structure)
        object.__setattr__(self, "_counter", counter)

    def __getattr__(self, name: str) -> Any:
        self._counter.fields += 1
        return getattr(self._structure, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._counter.fields += 1
        setattr(self._structure, name, value)


def count_crossings(commands: RecordArray, image: bytes | None = None) -> dict[str, float]:
    """Calls and field accesses that ``node`` makes for a command, on average; exact counts."""
    counter = _Counter()
    with _open(NodeEngine, commands, image) as engine:
        engine.nodes = Nodes(*[counter.wrap(function) for function in NODES])
        engine.slots = _CountedArray(engine.slots, counter)
        engine.levels = _CountedArray(engine.levels, counter)
        engine.apply_batch(commands, empty_events(_EVENTS_A_COMMAND * len(commands)))
    return {
        "calls_per_command": counter.calls / len(commands),
        "fields_per_command": counter.fields / len(commands),
    }
