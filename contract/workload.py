"""The public matching-engine benchmark's order flow, bit for bit.

One deterministic workload and one digest of the reports is how that benchmark compares engines;
an engine is rated by the worst of five scenarios. The generator is C (``contract/c/workload.c``):
its doubles must round exactly as the benchmark's do.

>>> commands = generate("normal", orders=1_000, seed=7)
>>> len(commands)
1989
>>> from contract.records import to_commands
>>> for command in to_commands(commands[:3]): print(command)
new #227 bid 55 @ 33122
cancel #227
new #81 bid 78 @ 33164 ioc
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from contract._workload import ffi, lib
from contract.errors import ConfigurationError
from contract.messages import CommandKind
from contract.records import RecordArray, empty_commands

ORDERS: Final = 1_000_000
SEED: Final = 23
#: Messages at that count and seed; they are as many in every scenario, because the scenarios
#: differ in prices only.
MESSAGES: Final = 1_996_097
MAX_ORDERS: Final = 2**28


class Scenario(NamedTuple):
    """How restless a scenario's price is.

    Attributes:
        volatility: standard deviation of the logarithm of the price over a year; 0 stands still.
        swing: by how much the price should move in the course of the workload.
    """

    volatility: float
    swing: float


SCENARIOS: Final[dict[str, Scenario]] = {
    "static": Scenario(0.0, 0.0),
    "normal": Scenario(0.15, 0.02),
    "swing-25": Scenario(0.50, 0.25),
    "swing-40": Scenario(0.50, 0.40),
    "flash-crash": Scenario(0.50, 0.60),
}


def generate(scenario: str, orders: int = ORDERS, seed: int = SEED) -> RecordArray:
    """The whole workload as one array of ``COMMAND_DTYPE``, about two commands an order.

    NEW is a limit order, GTC or IOC; a modification is a REPLACE. Ids run from 1 to ``orders`` in
    an order of no meaning, ``timestamp_ns`` is the benchmark's time of the message, ``sequence``
    is 0 until a sequencer stamps it. Time and memory are O(orders).

    Raises:
        ConfigurationError: no such scenario, or a count or seed outside its range.
    """
    handle = _open(scenario, orders, seed)
    commands = empty_commands(lib.workload_remaining(handle))
    lib.workload_next(handle, ffi.from_buffer("command_record[]", commands), len(commands))
    ffi.release(handle)
    return commands


def iter_generate(
    scenario: str, orders: int = ORDERS, seed: int = SEED, chunk: int = 65_536
) -> Iterator[RecordArray]:
    """The same commands in arrays of ``chunk``; memory is 16 bytes an order and one chunk.

    Each array is new. Raises as :func:`generate` does, at once and not at the first chunk.
    """
    if chunk < 1:
        raise ConfigurationError(f"chunk {chunk} is not at least 1")
    return _chunks(_open(scenario, orders, seed), chunk)


def _chunks(handle: Any, chunk: int) -> Iterator[RecordArray]:
    written = chunk
    while written == chunk:
        commands = empty_commands(chunk)
        written = lib.workload_next(handle, ffi.from_buffer("command_record[]", commands), chunk)
        if written:
            yield commands[:written]


def _open(scenario: str, orders: int, seed: int) -> Any:
    if scenario not in SCENARIOS:
        raise ConfigurationError(f"scenario {scenario!r} is not one of {', '.join(SCENARIOS)}")
    if not 1 <= orders <= MAX_ORDERS:
        raise ConfigurationError(f"orders {orders} is not in 1 to {MAX_ORDERS}")
    if not 0 <= seed < 2**32:
        raise ConfigurationError(f"seed {seed} is not in 0 to {2**32 - 1}")
    volatility, swing = SCENARIOS[scenario]
    handle = lib.workload_new(volatility, swing, orders, seed)
    if handle == ffi.NULL:
        raise ConfigurationError(f"orders {orders}: the machine has not enough memory")
    return ffi.gc(handle, lib.workload_free)


class PriceRange(NamedTuple):
    """The prices a book must allow, both inclusive, in ticks."""

    min_price: int
    max_price: int


def price_range(commands: RecordArray) -> PriceRange:
    """The lowest and the highest price that NEW and REPLACE commands ask for. O(n).

    >>> price_range(generate("static", orders=1_000))
    PriceRange(min_price=33492, max_price=33515)

    Raises:
        ConfigurationError: no command has a price.
    """
    kinds = commands["kind"]
    prices = commands["price"][(kinds == CommandKind.NEW) | (kinds == CommandKind.REPLACE)]
    if len(prices) == 0:
        raise ConfigurationError("a price range of commands that have no price")
    return PriceRange(int(prices.min()), int(prices.max()))
