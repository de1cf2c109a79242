"""Whatever a network does: every message once, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phase5_protocol.fix.pair import Pair
from phase5_protocol.fix.store import FileStore, MemoryStore

Step = tuple[Literal["say", "carry", "cut", "connect", "time", "logout", "restart"], int, int]

WHICH = st.integers(0, 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), WHICH, st.just(0)),
        st.tuples(st.just("say"), WHICH, st.just(0)),
        st.tuples(st.just("carry"), WHICH, st.integers(1, 400)),
        st.tuples(st.just("carry"), WHICH, st.integers(1, 400)),
        st.tuples(st.just("connect"), st.just(0), st.just(0)),
        st.tuples(st.sampled_from(["cut", "logout", "restart"]), WHICH, st.just(0)),
        st.tuples(st.just("time"), st.just(0), st.integers(1, 15)),
    ),
    max_size=80,
)


class Day:
    """Steps of a day with two sessions whose processes and connections come and go."""

    def __init__(self, directory: Path, *, forgets: bool = False) -> None:
        self.paths = (directory / "initiator", directory / "acceptor")
        self.forgets = forgets
        self.pair = Pair(stores=(FileStore(self.paths[0]), FileStore(self.paths[1])), max_pending=3)
        self.said: tuple[list[str], list[str]] = ([], [])

    def step(self, kind: str, which: int, amount: int) -> None:
        pair, side = self.pair, self.pair.sides[which]
        if kind == "say":
            text = f"{which}-{len(self.said[which])}"
            self.said[which].append(text)
            side.say(text)
        elif kind == "carry":
            pair.carry(side, amount)
        elif kind == "cut":
            pair.cut()
        elif kind == "connect":
            pair.connect()
        elif kind == "time":
            pair.pass_time(amount)
        elif kind == "logout":
            side.session.logout()
        elif kind == "restart":
            pair.cut()
            side.store.close()
            side.boot(MemoryStore() if self.forgets else FileStore(self.paths[which]))

    def finish(self) -> None:
        """Let the network be well for long enough."""
        for _ in range(60):
            self.pair.connect()
            self.pair.settle()
            self.pair.pass_time(1)
        self.pair.settle()

    def heard(self) -> tuple[list[str | None], list[str | None]]:
        """What each side's words have become at the other."""
        initiator, acceptor = self.pair.sides
        return acceptor.application.texts(), initiator.application.texts()

    def close(self) -> None:
        for side in self.pair.sides:
            side.store.close()


@given(STEPS)
@settings(deadline=None)
def test_every_message_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    """A lost execution is a position nobody knows of; a doubled one is one that nobody has."""
    day = Day(tmp_path_factory.mktemp("day"))
    try:
        for kind, which, amount in steps:
            day.step(kind, which, amount)
        day.finish()
        assert day.heard() == day.said
        assert all(side.session.is_up for side in day.pair.sides)
    finally:
        day.close()


def test_a_session_that_forgets_is_caught(tmp_path: Path) -> None:
    """The check above must fail for a store that loses its memory in a restart."""
    day = Day(tmp_path, forgets=True)
    try:
        for step in [("say", 1, 0), ("restart", 1, 0)]:
            day.step(*step)
        day.finish()
        assert day.heard() != day.said
    finally:
        day.close()
