"""A book drawn in plain characters: what a person looks at when two engines disagree."""

from __future__ import annotations

from contract.engine import Engine, LevelView
from contract.messages import Side

_BAR = "█"
_BAR_WIDTH = 24


def draw_book(engine: Engine, levels: int = 10, *, bar_width: int = _BAR_WIDTH) -> str:
    """The best ``levels`` levels a side: asks above, bids below, bars in proportion to quantity.

    ::

          ask          103 │████████████████                 40  (1 order)
          ask          101 │████████                         20  (2 orders)
          ──────────────────────── spread 2
          bid           99 │████████████████████████         60  (1 order)
    """
    bids, asks = engine.depth(levels)
    largest = max((level.quantity for level in bids + asks), default=1)
    lines = [_line("ask", level, largest, bar_width) for level in reversed(asks)]
    lines.append(_middle(bids, asks))
    lines += [_line("bid", level, largest, bar_width) for level in bids]
    return "\n".join(lines)


def draw_queue(engine: Engine, side: int, limit: int = 20) -> str:
    """The live orders of a side, one a line, in priority order."""
    orders = engine.orders(side, limit)
    lines = [
        f"  {Side(o.side).name.lower()} {o.price:>12} #{o.order_id} {o.quantity}"
        + (f" account={o.account}" if o.account else "")
        for o in orders
    ]
    return "\n".join(lines) if lines else "  (none)"


def _line(word: str, level: LevelView, largest: int, bar_width: int) -> str:
    bar = _BAR * max(1, level.quantity * bar_width // largest)
    orders = "order" if level.order_count == 1 else "orders"
    return (
        f"  {word} {level.price:>12} │{bar:<{bar_width}} {level.quantity:>10,}"
        f"  ({level.order_count:,} {orders})"
    )


def _middle(bids: list[LevelView], asks: list[LevelView]) -> str:
    if not bids and not asks:
        return "  (the book is empty)"
    if not bids or not asks:
        return "  " + "─" * 24 + (" no bids" if not bids else " no asks")
    return "  " + "─" * 24 + f" spread {asks[0].price - bids[0].price}"
