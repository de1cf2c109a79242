"""The arena, a level's queue and the tables of a book, drawn in plain characters."""

from __future__ import annotations

from phase2_arena.engine import NONE
from phase2_arena.pernode import NodeEngine

_CELL = 6


def draw_arena(engine: NodeEngine, slots: int) -> str:
    """The first ``slots`` slots, and the free list from its head.

    ::

        slot   │  0   │  1   │  2   │  3   │
        order  │  #1  │  ·   │  #3  │  ·   │
        next   │  2   │  3   │  –   │  –   │
        free list: 1 → 3
    """
    free = set(engine.free_slots())
    rows: dict[str, list[str]] = {"slot": [], "order": [], "next": []}
    for number in range(slots):
        order = engine.slots[number]
        rows["slot"].append(str(number))
        rows["order"].append("·" if number in free else f"#{order.order_id}")
        rows["next"].append("–" if order.next == NONE else str(order.next))
    lines = [
        f"{name:<6} │" + "│".join(f"{cell:^{_CELL}}" for cell in cells) + "│"
        for name, cells in rows.items()
    ]
    chain = " → ".join(str(slot) for slot in engine.free_slots()) or "(empty: the book is full)"
    return "\n".join([*lines, f"free list: {chain}"])


def draw_queue(engine: NodeEngine, price: int) -> str:
    """The queue of one level with the slots it runs through, front first.

    ::

        level 101: 12 open in 3 orders
        head → [slot 0: #1, 5] ⇄ [slot 2: #3, 4] ⇄ [slot 3: #4, 3] ← tail
    """
    queue = engine.queue(price)
    if not queue:
        return f"level {price}: there is none"
    level = engine.levels[engine.slots[queue[0]].level]
    boxes = [
        f"[slot {slot}: #{engine.slots[slot].order_id}, {engine.slots[slot].quantity}]"
        for slot in queue
    ]
    orders = "order" if level.order_count == 1 else "orders"
    return (
        f"level {price}: {level.quantity} open in {level.order_count} {orders}\n"
        f"head → {' ⇄ '.join(boxes)} ← tail"
    )
