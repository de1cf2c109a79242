"""What ``OpenEngine`` shows is what the book holds."""

from random import Random

import pytest

from contract import Side, cancel, new
from phase3_sorted.engine import SLOT_BYTES
from phase3_sorted.inside import GROUP_PLACES, PAGE_TICKS, RING_PAGES, OpenEngine

RING_TICKS = PAGE_TICKS * RING_PAGES


def open_book(capacity: int = 2_000) -> OpenEngine:
    """A book that allows prices on both sides of zero."""
    return OpenEngine(min_price=-(2**40), max_price=2**40, capacity=capacity)


@pytest.mark.parametrize("side", list(Side))
def test_near_levels_are_in_the_ring(side: Side) -> None:
    """Guards: a page that is shown with the prices of its neighbour, or mirrored the wrong way."""
    with open_book() as engine:
        prices = [-1, 0, 1, 4095, 4096, 4097, 20_000]
        for order_id, price in enumerate(prices, 1):
            engine.apply(new(order_id, side, price, quantity=1))
        pages = engine.ring_pages(side)
        assert sum(page.levels for page in pages) == len(prices)
        for page in pages:
            inside = [price for price in prices if page.first_price <= price <= page.last_price]
            assert page.levels == len(inside)
            assert sum(page.words) <= page.levels
            assert page.last_price - page.first_price == PAGE_TICKS - 1
        assert [node.prices for node in engine.tree_nodes(side)] == [()]
        assert engine.ring_pages(side.opposite) == []


@pytest.mark.parametrize("side", list(Side))
def test_far_levels_are_in_the_tree(side: Side) -> None:
    """Guards: levels that are shown nowhere, or in both places; a tree shown out of order."""
    random = Random(1)
    with open_book() as engine:
        prices = random.sample(range(-(2**40), 2**40), 1_500)
        for order_id, price in enumerate(prices, 1):
            engine.apply(new(order_id, side, price, quantity=1))
        engine.check()
        in_ring = sum(page.levels for page in engine.ring_pages(side))
        nodes = engine.tree_nodes(side)
        in_tree = [price for node in nodes if node.height == 0 for price in node.prices]
        assert in_tree == sorted(in_tree, reverse=side == Side.ASK)
        assert set(in_tree) < set(prices)
        assert in_ring + len(in_tree) == len(prices)
        assert nodes[0].height == max(node.height for node in nodes) == 2
        assert sum(node.height == 2 for node in nodes) == 1


def test_a_price_finds_its_page_taken() -> None:
    """Guards: two prices that share a place of the ring, of which one would be lost."""
    with open_book() as engine:
        engine.apply(new(1, Side.BID, price=100, quantity=1))
        engine.apply(new(2, Side.BID, price=100 + RING_TICKS, quantity=1))
        assert [node.prices for node in engine.tree_nodes(Side.BID)] == [(100 + RING_TICKS,)]
        engine.apply(cancel(1))
        engine.apply(new(3, Side.BID, price=101 + RING_TICKS, quantity=1))
        [page] = engine.ring_pages(Side.BID)
        assert page.first_price <= 101 + RING_TICKS <= page.last_price
        assert [level.price for level in engine.depth(3)[0]] == [101 + RING_TICKS, 100 + RING_TICKS]


def test_the_id_table_moves_with_the_book() -> None:
    """Guards: a move shown as finished while it is not; entries counted in neither table."""
    with open_book() as engine:
        assert engine.id_tables() == (32, 0, 0, 0, 0)
        seen_moving = 0
        for order_id in range(1, 1_001):
            engine.apply(new(order_id, Side.BID, price=order_id, quantity=1))
            tables = engine.id_tables()
            assert tables.entries + tables.old_entries == order_id
            assert order_id <= GROUP_PLACES * tables.groups
            if tables.old_groups:
                seen_moving += 1
                assert tables.groups == 2 * tables.old_groups
                assert 0 < tables.moved < tables.old_groups
            else:
                assert tables.moved == 0
        assert seen_moving > 100
        assert engine.id_tables().groups == 512
        for order_id in range(1, 1_001):
            engine.apply(cancel(order_id))
        assert engine.id_tables().groups < 512


def test_order_slot() -> None:
    """Guards: an order that grows beyond the cache line it may take."""
    assert SLOT_BYTES == 40
