"""The pictures show what there is, and the demo fits into a terminal."""

from typing import Any

import pytest

from contract import BatchResult, Side, cancel, new
from contract.errors import MatchbookError
from contract.streams import wide_levels
from contract.tour import WIDTH
from phase3_sorted import PyEngine
from phase3_sorted.__main__ import main
from phase3_sorted.inside import IdTables, OpenEngine, TreeNode
from phase3_sorted.measure import compare, engines
from phase3_sorted.picture import draw_ring, draw_tables, draw_tree


@pytest.mark.parametrize("side", list(Side))
def test_a_picture_of_the_ring(side: Side) -> None:
    """Guards: bits drawn in the mirror, or an arrow beside what it means."""
    with OpenEngine() as engine:
        for price in (10_000, 10_003, 20_000):
            engine.apply(new(price, side, price, quantity=1))
        for price in (10_000, 10_003, 20_000):
            lines = draw_ring(engine, side, price).splitlines()
            for arrow, bits in zip(lines[::2], lines[1::2], strict=True):
                assert bits[arrow.index("▼")] == "█"
                assert len(bits) == 7 + 64
                assert len(arrow) <= 7 + 64
        lines = draw_ring(engine, side, 10_000).splitlines()
        assert [line.count("█") for line in lines[1::2]] == [2, 1, 2]
        assert "█··█" in lines[5]
        engine.apply(cancel(10_003))
        assert draw_ring(engine, side, 10_000).splitlines()[5].count("█") == 1


def test_a_picture_of_the_tree() -> None:
    """Guards: a leaf left out, a bound that is shown although it bounds nothing."""
    nodes = [TreeNode(1, (20, 40, 60, 99)), *(TreeNode(0, (i, i + 9)) for i in (1, 21, 41, 61))]
    assert draw_tree(nodes).splitlines() == [
        "root   4 children, bounds 20 · 40 · … · and beyond",
        "  leaf   2 levels            1 … 10",
        "  leaf   2 levels           21 … 30",
        "  leaf   2 levels           41 … 50",
        "  leaf   2 levels           61 … 70",
    ]
    assert draw_tree(nodes, leaves=1).splitlines()[-1] == "  (3 more leaves)"
    assert draw_tree([TreeNode(0, ())]) == "(no levels)"


def test_a_picture_of_the_id_table() -> None:
    """Guards: a move drawn from the wrong end."""
    assert draw_tables(IdTables(32, 5, 0, 0, 0)) == "now  32 groups: 5 ids"
    assert draw_tables(IdTables(64, 7, 32, 90, 8), width=4) == (
        "old  ░███  8 of 32 groups moved, 90 ids left\nnow  64 groups: 7 ids"
    )


class WrongEngine(PyEngine):
    """Right, but for one lot in the first event of every batch."""

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        result = super().apply_batch(commands, events)
        events["quantity"][0] += 1
        return result


def test_a_comparison_of_different_answers_is_refused() -> None:
    """Guards: a time believed of an engine that gives other events."""
    stream = wide_levels(64, 200)
    assert set(compare({"right": PyEngine, "again": PyEngine}, stream, 1)) == {"right", "again"}
    with pytest.raises(MatchbookError, match="wrong gave other events"):
        compare({"right": PyEngine, "wrong": WrongEngine}, stream, 1)


def test_all_engines_are_found() -> None:
    """Guards: an earlier phase that is there and left out."""
    assert list(engines()) == ["phase1", "phase2", "phase3py", "phase3"]


def test_the_demo_fits_into_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards: a demo that raises, or draws beyond the 80th column."""
    main()
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > WIDTH] == []
    assert all(f"{part}. " in out for part in range(1, 6))
    for drawn in ("ticks  ", "leaf  ", "now  64 groups", "phase3py"):
        assert drawn in out
