"""The books and operations of the cost curve: each operation is what it says, and is undone."""

from __future__ import annotations

import numpy as np
import pytest

from contract.batching import apply_all
from contract.engine import Engine
from contract.floor import run_timed
from contract.messages import EventKind, Side
from contract.native import NativeEngine
from contract.records import empty_events
from contract.streams import MIDDLE_PRICE, shape_stream
from matchbook.bench.curve import OPERATIONS, SHOWN, OperationTrial, run_timed_in_python
from matchbook.bench.curve_book import Repeated, SizedBook
from matchbook.bench.interleave import WrongAnswerError
from matchbook.bench.trial import warmed
from matchbook.engines import load_engine

SIZES = (10, 100, 1_000, 20_000)


def build(size: int) -> tuple[SizedBook, Engine]:
    """A book and phase 3's engine that holds it."""
    book = SizedBook(size)
    return book, book.build(load_engine("phase3"))


def queues(engine: Engine) -> dict[int, list[int]]:
    """The ids on every level of both sides, in the order of their queue."""
    found: dict[int, list[int]] = {}
    for side in Side:
        for order in engine.orders(side):
            found.setdefault(order.price, []).append(order.order_id)
    return found


@pytest.mark.parametrize("size", SIZES)
def test_a_book_has_ten_orders_on_each_level_and_every_second_price_free(size: int) -> None:
    book, engine = build(size)
    with engine:
        bids, asks = engine.depth(size)
        assert len(bids) + len(asks) == book.levels
        assert len(engine) == size
        # The smallest book has two levels, of five.
        assert {level.order_count for level in (*bids, *asks)} == {min(10, size // 2)}
        assert {level.price % 2 for level in (*bids, *asks)} == {MIDDLE_PRICE % 2}


@pytest.mark.parametrize("size", SIZES)
def test_every_operation_leaves_the_book_as_it_was(size: int) -> None:
    """Queues and all, but for ``cancel``, which is measured last for that reason."""
    book, engine = build(size)
    with engine:
        before = queues(engine)
        for operation in OPERATIONS:
            events = apply_all(engine, book.repeated(operation).commands)
            assert not np.count_nonzero(events["kind"] == EventKind.REJECTED), operation
            after = queues(engine)
            if operation == "cancel":
                before = {price: sorted(ids) for price, ids in before.items()}
                after = {price: sorted(ids) for price, ids in after.items()}
            assert after == before, operation
    assert OPERATIONS[-1] == "cancel"
    assert sorted(OPERATIONS) == sorted(SHOWN)


@pytest.mark.parametrize("size", SIZES)
def test_blocks_stay_within_a_tenth_of_the_book_and_half_of_ten(size: int) -> None:
    book = SizedBook(size)
    for operation in ("add", "match", "cancel"):
        repeated = book.repeated(operation)
        assert repeated.operations <= max(5, size // 10)
        assert len(repeated.first(1)) == 2 * repeated.stride
        assert len(repeated.commands) == 2 * repeated.stride * repeated.blocks


def test_a_match_takes_one_maker_each_and_empties_every_tenth_level() -> None:
    book, engine = build(1_000)
    repeated = book.repeated("match")
    with engine:
        levels = len(engine.depth(1_000)[1])
        events = apply_all(engine, repeated.commands[: repeated.stride])
        assert len(engine.depth(1_000)[1]) == levels - repeated.stride // 10
    kinds = events["kind"]
    assert kinds[::2].tolist() == [EventKind.ACCEPTED] * repeated.stride
    assert kinds[1::2].tolist() == [EventKind.TRADE] * repeated.stride


def test_the_best_price_changes_with_every_command_of_best() -> None:
    book, engine = build(100)
    commands = book.repeated("best").commands[:4]
    with engine:
        seen = []
        for index in range(4):
            apply_all(engine, commands[index : index + 1])
            bid, ask = engine.best_bid(), engine.best_ask()
            assert bid is not None
            assert ask is not None
            seen.append((bid.price - MIDDLE_PRICE, ask.price - MIDDLE_PRICE))
    assert seen == [(0, 2), (-2, 2), (-2, 0), (-2, 2)]


def test_an_operation_with_other_events_is_not_measured() -> None:
    book, engine = build(100)
    repeated = book.repeated("match")
    room = empty_events(2 * len(repeated.commands))
    with engine:
        OperationTrial("right", engine, repeated, room, 0.0).times(2)
        wrong: Repeated = repeated._replace(trades=repeated.trades + 1)
        with pytest.raises(WrongAnswerError, match="wrong: 20 trades and 0 rejections, not 22"):
            OperationTrial("wrong", engine, wrong, room, 0.0).times(2)


@pytest.mark.parametrize("stride", [1, 7, 1_000])
def test_timing_changes_no_event(stride: int) -> None:
    stream = shape_stream("A", 500)
    expected, timed = empty_events(2_000), empty_events(2_000)
    with warmed(load_engine("phase3"), stream, empty_events(1_000)) as engine:
        written = engine.apply_batch(stream.measured, expected).written
    with warmed(load_engine("phase3"), stream, empty_events(1_000)) as engine:
        assert isinstance(engine, NativeEngine)
        times, count = run_timed(engine, stream.measured, timed, stride)
    assert (count, timed.tobytes()) == (written, expected.tobytes())
    assert times.shape == (-(-500 // stride),)
    timed[:] = 0
    with warmed(load_engine("phase1"), stream, empty_events(1_000)) as engine:
        times, count = run_timed_in_python(engine, stream.measured, timed, stride)
    assert (count, timed.tobytes()) == (written, expected.tobytes())
    assert times.shape == (-(-500 // stride),)


def test_timing_refuses_what_it_cannot_do() -> None:
    stream = shape_stream("A", 500)
    with warmed(load_engine("phase3"), stream, empty_events(1_000)) as engine:
        assert isinstance(engine, NativeEngine)
        with pytest.raises(ValueError, match="stride 0 is below 1"):
            run_timed(engine, stream.measured, empty_events(2_000), 0)
        with pytest.raises(ValueError, match="the events of command 0 do not fit into 0"):
            run_timed(engine, stream.measured, empty_events(0))
