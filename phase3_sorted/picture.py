"""The ring, the tree and the id table of a book, drawn in plain characters, 76 columns at most."""

from __future__ import annotations

from collections.abc import Sequence

from contract.messages import Side
from phase3_sorted.inside import PAGE_TICKS, RING_PAGES, IdTables, OpenEngine, TreeNode
from phase3_sorted.sorted_levels import MIRROR

_WORD_TICKS = 64
_SET, _CLEAR, _HERE = "█", "·", "▼"


def draw_ring(engine: OpenEngine, side: Side, price: int) -> str:
    """The three layers of bits above a price, the better prices to the right.

    ::

                  ▼ page 2
        pages   ··█·············································   1 of 64 pages has levels
                  ▼ word 28
        words   ··█·······························█·············
                            ▼ 10,000
        ticks   ·······█·█··█···············█·····················
    """
    key = price ^ MIRROR[side]
    pages = {page.place: page for page in engine.ring_pages(side)}
    place, word, tick = key // PAGE_TICKS % RING_PAGES, key // _WORD_TICKS % 64, key % _WORD_TICKS
    levels = {level.price for level in engine.depth(len(engine))[side]}
    first_key = key - tick
    page = pages.get(place)
    words = page.words if page else (False,) * 64
    ticks = [(first_key + i) ^ MIRROR[side] in levels for i in range(_WORD_TICKS)]
    return "\n".join(
        [
            *_layer("pages", [place in pages for place in range(RING_PAGES)], place, "page"),
            *_layer("words", words, word, "word"),
            *_layer("ticks", ticks, tick, f"{price:,}: tick"),
        ]
    )


def _layer(name: str, bits: Sequence[bool], here: int, what: str) -> list[str]:
    """One line of bits, and above it an arrow to one of them."""
    arrow = f"{_HERE} {what} {here}"
    left = here if here + len(arrow) <= len(bits) else here - len(arrow) + 1
    if left < here:
        arrow = f"{what} {here} {_HERE}"
    return [
        f"{'':<7}{'':<{left}}{arrow}",
        f"{name:<7}" + "".join(_SET if bit else _CLEAR for bit in bits),
    ]


def draw_tree(nodes: Sequence[TreeNode], leaves: int = 12) -> str:
    """A tree as an outline: inner nodes with their bounds, leaves with their first and last price.

    ::

        root     2 children, bounds 4,980,736 · and beyond
          leaf  10 levels   4,456,448 … 4,980,736
          leaf   9 levels   5,046,272 … 5,570,560
    """
    top = nodes[0].height
    lines = []
    shown = 0
    for node in nodes:
        indent = "  " * (top - node.height)
        if node.height:
            name = "root" if node.height == top else "node"
            bounds = [f"{price:,}" for price in node.prices[:-1][:2]]
            more = ["…"] if len(node.prices) > 3 else []
            text = " · ".join([*bounds, *more, "and beyond"])
            lines.append(f"{indent}{name}  {len(node.prices):>2} children, bounds {text}")
        elif not node.prices:
            lines.append(f"{indent}(no levels)")
        elif shown < leaves:
            shown += 1
            ends = f"{node.prices[0]:>12,} … {node.prices[-1]:,}"
            lines.append(f"{indent}leaf  {len(node.prices):>2} levels {ends}")
    hidden = sum(node.height == 0 for node in nodes) - shown
    if shown and hidden:
        lines.append(f"{'  ' * top}({hidden} more leaves)")
    return "\n".join(lines)


def draw_tables(tables: IdTables, width: int = 32) -> str:
    """The id table in use, and the one it comes from as it empties from the left.

    ::

        old  ░░░░░░░░░░░░████████████████████  12 of 32 groups moved, 71 ids left
        now  64 groups: 54 ids
    """
    if not tables.old_groups:
        return f"now  {tables.groups} groups: {tables.entries} ids"
    done = tables.moved * width // tables.old_groups
    return (
        f"old  {'░' * done}{'█' * (width - done)}  {tables.moved} of {tables.old_groups} groups"
        f" moved, {tables.old_entries} ids left\n"
        f"now  {tables.groups} groups: {tables.entries} ids"
    )
