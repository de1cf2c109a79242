"""Running an engine beside the oracle, and finding where they part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from contract.engine import Engine
from contract.messages import RECORD_BYTES, Command, Event, Side
from contract.suite.tape import Outcome

#: Everything there is to see of a book between two commands.
VIEWS: Final[dict[str, Callable[[Engine], Any]]] = {
    "check": lambda engine: engine.check(),
    "length": len,
    "event sequence": lambda engine: engine.event_sequence,
    "best bid": lambda engine: engine.best_bid(),
    "best ask": lambda engine: engine.best_ask(),
    "levels": lambda engine: engine.depth(3),
    "bids": lambda engine: [tuple(map(int, order)) for order in engine.orders(Side.BID)],
    "asks": lambda engine: [tuple(map(int, order)) for order in engine.orders(Side.ASK)],
    "state hash": lambda engine: engine.state_hash(),
}


class Difference(NamedTuple):
    """The command, counted from 0, at which two engines part; what was expected, what came."""

    at: int
    expected: Outcome
    got: Outcome


def find_difference(
    engine_class: Any, oracle_class: Any, limits: dict[str, int], commands: Sequence[Command]
) -> Difference | None:
    """Run both engines on the commands, look at everything after each, and stop when they part."""
    engine: Engine = engine_class(**limits)
    oracle: Engine = oracle_class(**limits)
    for index, command in enumerate(commands):
        expected = oracle.apply(command)
        try:
            got = apply_as_bytes(engine, command)
        except Exception as error:  # a wrong engine may raise anything
            return Difference(index, expected, f"{type(error).__name__}: {error}")
        if got != b"".join(event.pack() for event in expected):
            return Difference(index, expected, unpack_events(got))
        seen = compare_books(oracle, engine)
        if seen:
            return Difference(index, *seen)
    return None


def compare_books(oracle: Engine, engine: Engine) -> tuple[str, str] | None:
    """The first view in which two books differ, as the oracle and as the engine has it."""
    for name, look in VIEWS.items():
        expected = look(oracle)
        try:
            got = look(engine)
        except Exception as error:  # a wrong engine may raise anything
            return f"{name} {expected}", f"{name} raised {type(error).__name__}: {error}"
        if got != expected:
            return f"{name} {expected}", f"{name} {got}"
    return None


def apply_as_bytes(engine: Engine, command: Command | bytes) -> bytes:
    """The events of one command as the engine writes them."""
    record = command if isinstance(command, bytes) else command.pack()
    room = 16
    while True:
        events = bytearray(room * RECORD_BYTES)
        consumed, written = engine.apply_batch(record, events)
        if consumed:
            return bytes(events[: written * RECORD_BYTES])
        if room > 2**24:
            raise AssertionError(f"no event array is large enough for {len(record)} bytes")
        room *= 8


def unpack_events(data: bytes) -> list[Event]:
    """Events from their bytes."""
    return [Event.unpack_from(data, at) for at in range(0, len(data), RECORD_BYTES)]
