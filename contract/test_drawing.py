"""The picture of a book."""

from contract import Side, new
from contract.drawing import draw_book, draw_queue
from phase1_domain import Engine


def small_book() -> Engine:
    engine = Engine()
    for command in (
        new(1, Side.ASK, 103, 40),
        new(2, Side.ASK, 101, 15),
        new(3, Side.ASK, 101, 5, account=7),
        new(4, Side.BID, 99, 60),
    ):
        engine.apply(command)
    return engine


def test_a_small_book() -> None:
    """Guards against a picture upside down: asks above, bids below, best in the middle."""
    assert draw_book(small_book()).splitlines() == [
        "  ask          103 │████████████████                 40  (1 order)",
        "  ask          101 │████████                         20  (2 orders)",
        "  ──────────────────────── spread 2",
        "  bid           99 │████████████████████████         60  (1 order)",
    ]


def test_no_more_levels_than_asked_for() -> None:
    """Guards against the worst levels shown instead of the best."""
    lines = draw_book(small_book(), 1).splitlines()
    assert [line.split()[1] for line in lines] == ["101", "spread", "99"]


def test_a_small_level_beside_a_huge_one_is_seen() -> None:
    """Guards against a bar of length 0, and against a bar beyond its width."""
    engine = small_book()
    engine.apply(new(9, Side.BID, 98, 2**40 - 1))
    lines = draw_book(engine, bar_width=10).splitlines()
    assert max(line.count("█") for line in lines) == 10
    assert all("█" in line for line in lines if "│" in line)


def test_empty_sides_are_said() -> None:
    """Guards against a picture of nothing, and against a spread of nothing."""
    engine = Engine()
    assert draw_book(engine) == "  (the book is empty)"
    engine.apply(new(1, Side.BID, 99, 5))
    assert "no asks" in draw_book(engine)
    assert draw_queue(engine, Side.ASK) == "  (none)"
    engine.close()
    engine = Engine()
    engine.apply(new(1, Side.ASK, 99, 5))
    assert "no bids" in draw_book(engine)


def test_a_queue_is_in_priority_order() -> None:
    """Guards against a list of orders by id."""
    assert draw_queue(small_book(), Side.ASK).splitlines() == [
        "  ask          101 #2 15",
        "  ask          101 #3 5 account=7",
        "  ask          103 #1 40",
    ]
    assert len(draw_queue(small_book(), Side.ASK, 2).splitlines()) == 2
