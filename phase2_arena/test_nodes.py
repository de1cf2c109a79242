"""What is this phase's own: slots, queues, the scan's counter, and the five ways across."""

from __future__ import annotations

from typing import Any

import pytest

from contract.engine import BatchResult
from contract.errors import EngineClosedError, MatchbookError
from contract.messages import Side, cancel, new
from contract.records import empty_events
from contract.workload import generate
from phase1_domain import Engine as Oracle
from phase2_arena import Engine, NodeEngine
from phase2_arena.__main__ import main
from phase2_arena.boundary import count_crossings, measure_boundary
from phase2_arena.measure import measure
from phase2_arena.picture import draw_arena, draw_queue

ASK, BID = Side.ASK, Side.BID


def test_the_slot_freed_last_is_taken_first() -> None:
    """Guards against a queue of free slots, which would walk through all of memory in turn."""
    with NodeEngine(capacity=5) as book:
        for order_id in (1, 2, 3, 4):
            book.apply(new(order_id, BID, 100, 1))
        assert list(book.free_slots()) == [4]
        book.apply(cancel(1))
        book.apply(cancel(3))
        assert list(book.free_slots()) == [2, 0, 4]
        book.apply(new(5, BID, 100, 1))
        assert book.slots[2].order_id == 5
        assert list(book.free_slots()) == [0, 4]


def test_the_queue_is_priority_and_not_place_in_memory() -> None:
    """Guards against an order that gains priority by taking an earlier slot."""
    with NodeEngine(capacity=5) as book:
        for order_id in (1, 2, 3):
            book.apply(new(order_id, ASK, 100, 1))
        book.apply(cancel(1))
        book.apply(new(4, ASK, 100, 1))
        assert book.queue(100) == [1, 2, 0]
        assert book.queue(99) == []


def test_the_scan_looks_at_every_level_that_is_left() -> None:
    """Guards against a counter that flatters: emptying the best of m levels looks at m - 1."""
    with Engine(capacity=100) as book:
        for level in range(50):
            book.apply(new(1 + level, ASK, 100 + level, 1))
        assert book.levels_scanned == 0
        book.apply(cancel(50))
        assert book.levels_scanned == 0, "not the best: there is nothing to look for"
        book.apply(cancel(1))
        assert book.levels_scanned == 48
        book.apply(new(99, BID, 102, 2))
        assert book.levels_scanned == 48 + 47 + 46
        assert book.scans == 3


def test_pictures() -> None:
    """Guards against a picture that does not show the book."""
    with NodeEngine(capacity=4) as book:
        for order_id in (1, 2, 3):
            book.apply(new(order_id, ASK, 101, order_id))
        book.apply(cancel(2))
        assert draw_arena(book, 4).splitlines() == [
            "slot   │  0   │  1   │  2   │  3   │",
            "order  │  #1  │  ·   │  #3  │  ·   │",
            "next   │  2   │  3   │  –   │  –   │",
            "free list: 1 → 3",
        ]
        assert draw_queue(book, 101).splitlines() == [
            "level 101: 4 open in 2 orders",
            "head → [slot 0: #1, 1] ⇄ [slot 2: #3, 3] ← tail",
        ]
        assert draw_queue(book, 102) == "level 102: there is none"
        for order_id in (4, 5):
            book.apply(new(order_id, ASK, 101, 1))
        assert "the book is full" in draw_arena(book, 4)


def test_the_nodes_of_a_closed_book_are_out_of_reach() -> None:
    """Guards against a dangling pointer: the arrays are the book's memory."""
    book = NodeEngine(capacity=4)
    book.close()
    assert book.slots is None
    assert book.levels is None
    with pytest.raises(EngineClosedError):
        list(book.free_slots())
    with pytest.raises(EngineClosedError):
        book.queue(1)


def test_apply_each_is_apply_batch() -> None:
    """Guards against a way of measuring that measures something else."""
    commands = generate("normal", 500)
    events = empty_events(2 * len(commands))
    with Engine(capacity=1000) as one, Engine(capacity=1000) as other:
        assert one.apply_each(commands, events) == other.apply_batch(commands, events)
        assert one.state_hash() == other.state_hash()
        assert one.event_sequence == other.event_sequence
    with Engine(capacity=1000) as one:
        assert one.apply_each(commands, empty_events(0)) == (0, 0)


def test_crossings_are_counted() -> None:
    """Guards against a counter that misses: a lone order's crossings can be listed by hand.

    Ids are looked up twice (by the command and by its rejection), the best price once; then a slot
    is taken, its id stored, its level looked for, opened and joined, and the event numbered. Eight
    fields are written; the price is read twice, the side once.
    """
    commands = generate("static", 1)
    assert commands["kind"].tolist()[:1] == [1]
    counts = count_crossings(commands[:1])
    assert counts == {"calls_per_command": 9.0, "fields_per_command": 11.0}


def test_the_ways_across_give_one_answer() -> None:
    """Guards against comparing ways that do not do the same."""
    results = measure_boundary(generate("normal", 300), rounds=2, baseline=Oracle)
    assert list(results["ways"]) == ["node", "command", "call", "batch", "array", "baseline"]
    assert results["ways"]["array"]["times_array"] == 1
    assert all(way["ns_per_command"] > 0 for way in results["ways"].values())
    assert results["floor"] >= 1


def test_a_wrong_engine_is_not_measured() -> None:
    """Guards against a fast answer that is a wrong one."""

    class Forgetful(Engine):
        def apply_batch(self, commands: Any, events: Any) -> BatchResult:
            return super().apply_batch(commands[:-1], events)

    with pytest.raises(MatchbookError, match="disagree"):
        measure_boundary(generate("normal", 300), rounds=1, baseline=Forgetful)


def test_measurements_have_what_the_chapter_quotes() -> None:
    """Guards against a results file that the book cannot be made from."""
    results = measure(baseline=Oracle, orders=300, rounds=1, scan_levels=(10, 1_000))
    assert results["footprint"]["slot_bytes"] == 64
    assert results["scenarios"]["normal"]["levels_scanned_per_command"] > 0
    assert results["scan"][-1]["levels"] == 1_000
    assert 0 < results["profile"]["slowest"][0]["share"] < 1


def test_the_tour(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against a demonstration that does not run."""
    main()
    shown = capsys.readouterr().out
    for words in ("free list: 1 → 5 → 6 → 7", "12 looks for", "Python decides"):
        assert words in shown
