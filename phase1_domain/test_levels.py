"""The naive levels on their own, and what they cost; the demo that shows it."""

import subprocess
import sys

import pytest

from contract import Side, cancel, new
from phase1_domain import Engine
from phase1_domain.levels import PriceLevels
from phase1_domain.order import Order


def order(order_id: int, side: Side, price: int) -> Order:
    return Order(order_id, side, price, 1, 0, 0, 0, 0)


@pytest.mark.parametrize("side", list(Side))
def test_prices_run_from_best_to_worst(side: Side) -> None:
    """Guards against one direction for both sides, and against a next price that is not next."""
    levels = PriceLevels(side)
    for number, price in enumerate([7, -3, 12, 5]):
        levels.add(order(number, side, price))
    in_order = [12, 7, 5, -3] if side == Side.BID else [-3, 5, 7, 12]
    assert levels.prices() == in_order
    assert levels.best == in_order[0]
    assert [levels.next_price(price) for price in in_order] == [*in_order[1:], None]


def test_equal_looking_orders_are_not_the_same() -> None:
    """Guards against taking another order off a level because all its fields are alike."""
    levels = PriceLevels(Side.BID)
    first, second = order(1, Side.BID, 5), order(1, Side.BID, 5)
    levels.add(first)
    levels.add(second)
    levels.remove(second)
    assert list(levels[5]) == [first]


def test_only_an_emptied_best_level_is_searched_for() -> None:
    """Guards against a scan where none is due: the cost that the chapter states is exact."""
    engine = Engine()
    for price in range(1, 101):
        engine.apply(new(2 * price, Side.ASK, price, quantity=2))
        engine.apply(new(2 * price + 1, Side.ASK, price, quantity=1))
    engine.apply(cancel(100))
    engine.apply(cancel(101))  # empties level 50, which is not the best
    engine.apply(new(1_000, Side.BID, price=1, quantity=2))
    assert engine.levels_scanned == 0
    engine.apply(new(1_001, Side.BID, price=1, quantity=1))  # empties level 1, of 99
    assert engine.levels_scanned == 98


def test_needs_the_standard_library_alone() -> None:
    """Guards against an import that the browser, where phase 1 runs too, does not have."""
    code = (
        "import sys; import contract.drawing, phase1_domain, phase1_domain.__main__;"
        "others = {'numpy', 'rich', 'click', 'cffi', 'sortedcontainers'};"
        "print(*others & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    assert run.stdout.split() == []


def test_demo_tells_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against a demo that stops half-way, or that no longer shows what it says."""
    from phase1_domain.__main__ import main

    main()
    told = capsys.readouterr().out
    assert "trade #6 bid 20 @ 103 with #1, leaves 0" in told
    assert "(fok)" in told
    assert "(self_trade)" in told
    assert "6. What is naive about it" in told
    assert "9,999" in told
