"""Seeded random streams: every event, byte for byte, as phase 1 has it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import pytest

from contract.canonical import HEADER, iter_orders
from contract.engine import Engine
from contract.messages import Command, CommandKind, OrderType
from contract.suite.base import ContractBase
from contract.suite.compare import VIEWS, Difference, apply_as_bytes, find_difference, unpack_events
from contract.suite.flow import PROFILE_NAMES, Flow, flow
from contract.suite.probe import oracle_class
from contract.suite.shrink import shrink
from contract.suite.tape import ContractBroken, Tape, running_test

SEEDS: Final = range(4)
COUNT: Final = 2_000
LONG_COMMANDS: Final = 10_000_000


class StreamRules(ContractBase):
    """Thousands of commands of every kind, right and wrong, in books of every kind."""

    @pytest.mark.parametrize("seed", SEEDS)
    @pytest.mark.parametrize("profile", PROFILE_NAMES)
    def test_random_commands(self, profile: str, seed: int) -> None:
        """Guards against what nobody thought of: any event, or any state, unlike phase 1's."""
        __tracebackhide__ = True
        it = flow(profile, seed, COUNT)
        if first_difference(self.engine_class(**it.limits), it) is not None:
            origin = f"random_commands({seed}, {COUNT}, PROFILES[{profile!r}])"
            raise ContractBroken(shrunk_tape(self.engine_class, it.limits, it.commands, origin))

    @pytest.mark.long
    @pytest.mark.parametrize("profile", PROFILE_NAMES)
    def test_ten_million_random_commands(
        self, profile: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Guards against what shows once in a million commands. Ten million over all profiles."""
        if self.engine_class is oracle_class():
            pytest.skip("phase 1 is the oracle: there is nothing to hold it against")
        count = LONG_COMMANDS // len(PROFILE_NAMES)
        with capsys.disabled():
            run_long(self.engine_class, profile, seed=1, count=count)


def first_difference(engine: Engine, it: Flow) -> Difference | None:
    """Where the engine first differs from the oracle's answers; ``check()`` after each command."""
    for index, record in enumerate(it.records):
        try:
            got = apply_as_bytes(engine, record)
            engine.check()
            seen = {name: VIEWS[name](engine) for name in it.views.get(index, {})}
        except Exception as error:  # a wrong engine may raise anything
            return Difference(index, "events", f"{type(error).__name__}: {error}")
        if got != it.events[index]:
            return Difference(index, unpack_events(it.events[index]), unpack_events(got))
        if seen != it.views.get(index, {}):
            return Difference(index, f"views {it.views[index]}", f"views {seen}")
    if engine.snapshot() != it.image:
        return Difference(len(it.records) - 1, "the oracle's snapshot", "another snapshot")
    return None


def shrunk_tape(
    engine_class: Any, limits: dict[str, int], commands: Sequence[Command], origin: str
) -> Tape:
    """The tape of the shortest way found to make the engine and the oracle part.

    Args:
        origin: the expression the commands come from, to be told with the tape.
    """
    oracle = oracle_class()
    few, found = shrink(commands, lambda some: find_difference(engine_class, oracle, limits, some))
    line = f"{running_test()}\n  shrunk from {len(commands)} commands of {origin}"
    return Tape(engine_class, oracle, limits, tuple(few), found.expected, found.got, line)


def run_long(engine_class: Any, profile_name: str, seed: int, count: int) -> None:
    """Compare ``count`` events' bytes block by block, with a line of progress now and then.

    Raises:
        AssertionError: with a tape that begins with the book as it stood before the block.
    """
    from contract.batching import apply_all  # numpy: see ``contract.suite.flow``
    from contract.random_commands import PROFILES, random_commands
    from contract.records import to_commands

    profile = PROFILES[profile_name]
    limits = profile.limits()
    engine, oracle = engine_class(**limits), oracle_class()(**limits)
    done, began = 0, time.monotonic()
    for block in random_commands(seed, count, profile):
        image = oracle.snapshot()
        expected = apply_all(oracle, block).tobytes()
        try:
            got = apply_all(engine, block).tobytes()
            engine.check()
            same = got == expected and engine.snapshot() == oracle.snapshot()
        except Exception:  # a wrong engine may raise anything; the tape says what
            same = False
        if not same:
            origin = f"random_commands({seed}, {done + len(block)}, PROFILES[{profile_name!r}])"
            commands = [*commands_of_image(image, limits["instrument"]), *to_commands(block)]
            raise ContractBroken(shrunk_tape(engine_class, limits, commands, origin))
        done += len(block)
        if (done // len(block)) % 16 == 0:
            _progress(profile_name, done, count, time.monotonic() - began)


def commands_of_image(image: bytes, instrument: int) -> list[Command]:
    """NEW commands that build the book of an image, so that a tape can begin in the middle."""
    return [
        Command(
            CommandKind.NEW,
            order.order_id,
            order.side,
            order.price,
            order.quantity,
            OrderType.LIMIT,
            self_trade=order.self_trade,
            flags=order.flags,
            account=order.account,
            instrument=instrument,
            timestamp_ns=order.timestamp_ns,
        )
        for order in iter_orders(image[HEADER.size :])
    ]


def _progress(name: str, done: int, count: int, seconds: float) -> None:
    rate = done / seconds
    left = (count - done) / rate
    print(
        f"  {name}: {done:,} of {count:,} commands, {rate:,.0f} a second, {left:.0f} s to go",
        file=sys.stderr,
        flush=True,
    )
