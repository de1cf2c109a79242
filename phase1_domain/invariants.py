"""What always holds of phase 1's book, and would be a bug in it if it did not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from contract.messages import MAX_QUANTITY, Side
from phase1_domain.order import Order


def broken_invariants(
    orders: Mapping[int, Order],
    levels: Sequence[Mapping[int, deque[Order]]],
    best: Sequence[int | None],
    *,
    min_price: int,
    max_price: int,
    capacity: int,
) -> Iterator[str]:
    """Say what is wrong with the book, one sentence at a time; none is good. O(orders + levels).

    Args:
        orders: every live order by its id.
        levels: bid levels and ask levels, each by price.
        best: the best bid and ask price as the book remembers them.
    """
    listed = 0
    for side in Side:
        for price, level in levels[side].items():
            if not level:
                yield f"{side.name} level {price} is empty"
            if not min_price <= price <= max_price:
                yield f"{side.name} level {price} is outside the price range"
            listed += len(level)
            for order in level:
                if not 0 < order.quantity <= MAX_QUANTITY:
                    yield f"{order}: open quantity out of range"
                if (order.side, order.price) != (side, price):
                    yield f"{order} stands on {side.name} level {price}"
                if orders.get(order.order_id) is not order:
                    yield f"{order} is not found by its id"
        true_best = (max if side == Side.BID else min)(levels[side], default=None)
        if best[side] != true_best:
            yield f"the best {side.name} price is {true_best}, not {best[side]}"
    if listed != len(orders):
        yield f"{listed} orders stand on levels, {len(orders)} are known by id"
    if listed > capacity:
        yield f"{listed} live orders, more than the capacity {capacity}"
    bid, ask = best
    if bid is not None and ask is not None and bid >= ask:
        yield f"the book is crossed: best bid {bid}, best ask {ask}"
