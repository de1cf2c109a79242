"""Random order flow for the suite, and what the oracle says to it, computed once a process."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

from contract.messages import RECORD_BYTES, Command
from contract.suite.compare import VIEWS
from contract.suite.probe import oracle_class

#: The kinds of book and flow in ``contract.random_commands``; a test compares the two lists.
PROFILE_NAMES: Final = (
    "narrow",
    "wide",
    "deep",
    "lowest",
    "highest",
    "whole",
    "full",
    "single",
    "one price",
)
LOOK_EVERY: Final = 32
#: The views that say much in little room.
CHEAP: Final = frozenset({"length", "best bid", "best ask", "levels", "state hash"})


class Flow(NamedTuple):
    """Commands, the limits of the book they are meant for, and the oracle's answers.

    Attributes:
        limits: keyword arguments of an engine.
        commands: in order.
        records: the same commands, 64 bytes each.
        events: for each command, its events as bytes.
        views: what there is to see of the book, after every ``LOOK_EVERY`` commands.
        image: the oracle's snapshot at the end.
    """

    limits: dict[str, int]
    commands: tuple[Command, ...]
    records: tuple[bytes, ...]
    events: tuple[bytes, ...]
    views: dict[int, dict[str, Any]]
    image: bytes


@cache
def flow(profile_name: str, seed: int, count: int) -> Flow:
    """``count`` random commands of a profile, with the oracle's answers. O(count), then O(1)."""
    # Imported here, because all else of the suite also runs where numpy does not exist.
    from contract.random_commands import PROFILES, random_commands

    profile = PROFILES[profile_name]
    data = b"".join(chunk.tobytes() for chunk in random_commands(seed, count, profile))
    records = tuple(data[at : at + RECORD_BYTES] for at in range(0, len(data), RECORD_BYTES))
    commands = tuple(map(Command.unpack_from, records))
    oracle = oracle_class()(**profile.limits())
    events: list[bytes] = []
    views: dict[int, dict[str, Any]] = {}
    for index, command in enumerate(commands):
        events.append(b"".join(event.pack() for event in oracle.apply(command)))
        if index % LOOK_EVERY == 0:
            views[index] = {name: look(oracle) for name, look in VIEWS.items() if name in CHEAP}
    return Flow(profile.limits(), commands, records, tuple(events), views, oracle.snapshot())
