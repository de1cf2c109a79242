"""A book that is lent: who may use it meanwhile, and what the borrower gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract import Side, cancel, new
from contract.errors import EngineClosedError
from contract.native import NativeEngine
from contract.records import empty_events, to_events
from phase2_arena import Engine as ArenaEngine
from phase3_sorted import Engine as SortedEngine
from phase4_ring._ring import ffi

engines = pytest.mark.parametrize("engine_class", [ArenaEngine, SortedEngine])


class Busy(Exception):
    """What a borrower raises while it changes the book."""


def looks(engine: NativeEngine) -> list[Callable[[], Any]]:
    """Every way to look at an engine, or to replace its book."""
    image = engine.snapshot()
    return [
        engine.best_bid,
        engine.best_ask,
        lambda: engine.depth(1),
        lambda: engine.orders(Side.BID),
        lambda: engine.order(1),
        lambda: len(engine),
        lambda: engine.event_sequence,
        engine.snapshot,
        lambda: engine.restore(image),
        engine.state_hash,
        engine.check,
        engine.memory_bytes,
    ]


@engines
def test_every_look_asks_the_borrower(engine_class: type[NativeEngine]) -> None:
    """Guards against a look at a book while it is changed, and a refusal while it is not."""
    busy = False
    asked = 0

    def at_rest() -> None:
        nonlocal asked
        asked += 1
        if busy:
            raise Busy

    with engine_class(capacity=10) as engine:
        uses = looks(engine)
        engine.lend(at_rest)
        for look in uses:
            busy, before = False, asked
            look()
            assert asked > before
            busy = True
            with pytest.raises(Busy):
                look()
        engine.take_back()
        before = asked
        for look in uses:
            look()
        assert asked == before, "the loan is over"


@engines
def test_commands_go_the_borrower_s_way(engine_class: type[NativeEngine]) -> None:
    """Guards against two who change one book: also while the borrower is at rest."""
    with engine_class(capacity=10) as engine:
        engine.lend(lambda: None)
        for apply in (
            lambda: engine.apply(cancel(1)),
            lambda: engine.apply_batch(cancel(1).pack(), bytearray(64)),
        ):
            with pytest.raises(ValueError, match="lent, and commands go that way"):
                apply()
        engine.take_back()
        assert engine.event_sequence == 0
        assert len(engine.apply(cancel(1))) == 1


@engines
def test_it_is_lent_once_and_not_closed_meanwhile(engine_class: type[NativeEngine]) -> None:
    """Guards against two borrowers, and a book that is freed in a borrower's hands."""
    engine = engine_class(capacity=10)
    engine.lend(lambda: None)
    with pytest.raises(ValueError, match="lent already"):
        engine.lend(lambda: None)
    with pytest.raises(ValueError, match="is lent: end the loan first"):
        engine.close()
    assert len(engine) == 0, "it is still open"
    engine.take_back()
    engine.take_back()
    engine.lend(lambda: None)
    engine.take_back()
    engine.close()
    with pytest.raises(EngineClosedError):
        engine.lend(lambda: None)


@engines
def test_what_is_lent_is_the_book(engine_class: type[NativeEngine]) -> None:
    """Guards against an address of something else, or too little room promised for a sweep."""
    with engine_class(capacity=10) as engine:
        lent = engine.lend(lambda: None)
        assert lent.most_events == 12
        apply, book = ffi.cast("pipeline_apply", lent.apply), ffi.cast("book *", lent.book)
        written = ffi.new("size_t *")

        def borrow(commands: bytes, room: int) -> tuple[int, list[Any]]:
            events = empty_events(room)
            consumed = apply(
                book,
                ffi.cast("command_record *", ffi.from_buffer(commands)),
                len(commands) // 64,
                ffi.cast("event_record *", ffi.from_buffer(events)),
                room,
                written,
            )
            return consumed, to_events(events[: written[0]])

        bids = b"".join(new(i, Side.BID, 100, 1).pack() for i in range(1, 11))
        assert borrow(bids, 10)[0] == 10
        assert len(engine) == 10
        sweep = new(99, Side.ASK, 1, 11, time_in_force=1).pack()
        assert borrow(sweep, lent.most_events - 1) == (0, []), "all of its events or none"
        consumed, events = borrow(sweep, lent.most_events)
        assert (consumed, len(events)) == (1, 12), "accepted, ten trades, the rest cancelled"
        engine.take_back()
        assert len(engine) == 0
        assert engine.event_sequence == 22
