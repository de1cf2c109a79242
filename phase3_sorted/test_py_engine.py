"""The sorted levels against phase 1's, and what the contract does not ask of ``PyEngine``."""

import sys
from collections.abc import Iterator
from random import Random

import pytest

from contract import InvariantError, Side, new
from phase1_domain.levels import PriceLevels
from phase1_domain.order import Order
from phase3_sorted import PyEngine
from phase3_sorted.sorted_levels import SortedLevels


def order_at(price: int, side: Side, order_id: int = 1) -> Order:
    """An order of five lots."""
    return Order(order_id, side, price, 5, 0, 0, 0, 0)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("seed", range(3))
def test_levels_are_those_of_phase_1(side: Side, seed: int) -> None:
    """Guards: a best or a next price that differs from what a look at every level finds."""
    random = Random(seed)
    naive, mine = PriceLevels(side), SortedLevels(side)
    span = random.choice([3, 40, 10_000])
    live: list[Order] = []
    for order_id in range(1, 1_500):
        if live and random.random() < 0.45:
            order = live.pop(random.randrange(len(live)))
            naive.remove(order)
            mine.remove(order)
        else:
            order = order_at(random.randint(-span, span), side, order_id)
            live.append(order)
            naive.add(order)
            mine.add(order)
        assert mine.best == naive.best
        assert len(mine) == len(naive)
        price = random.randint(-span - 1, span + 1)
        assert mine.next_price(price) == naive.next_price(price)
    assert list(mine.prices()) == naive.prices()
    for price in mine.prices():
        assert mine[price] == naive[price]
    assert mine.levels_scanned == 0


def test_prices_of_all_64_bits() -> None:
    """Guards: a mirrored key that leaves the range of prices, or loses the sign."""
    prices = [-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 2, 2**63 - 1]
    for side, best_first in ((Side.BID, prices[::-1]), (Side.ASK, prices)):
        levels = SortedLevels(side)
        for price in prices:
            levels.add(order_at(price, side))
        assert list(levels.prices()) == best_first
        assert levels.best == best_first[0]
        assert [levels.next_price(price) for price in best_first] == [*best_first[1:], None]


def test_check_finds_a_wrong_best_price() -> None:
    """Guards: a check that asks the sorted keys what the best price is, and believes them."""
    engine = PyEngine()
    for price in (10, 11, 12):
        engine.apply(new(price, Side.BID, price, quantity=5))
    engine.check()
    levels = engine._levels[Side.BID]
    assert isinstance(levels, SortedLevels)
    levels._queues._list._lists[0].reverse()
    levels._look_up_best()
    assert levels.best == 10
    with pytest.raises(InvariantError, match="the best BID price is 12, not 10"):
        engine.check()


@pytest.fixture
def no_extension(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This package, to be imported anew, as if its extension were not built."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "phase3_sorted"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "phase3_sorted._sorted", None)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "phase3_sorted"]:
        del sys.modules[name]


@pytest.mark.usefixtures("no_extension")
def test_the_python_engine_needs_no_extension() -> None:
    """Guards: phase 3 in Python lost where nothing can be compiled, such as in a browser."""
    import phase3_sorted

    engine = phase3_sorted.PyEngine()
    assert engine.apply(new(1, Side.BID, 5, quantity=1))[0].leaves == 1
    with pytest.raises(ImportError, match="_sorted"):
        _ = phase3_sorted.Engine


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Guards: a package that answers for names it does not have."""
    import phase3_sorted

    assert not hasattr(phase3_sorted, "Motor")
