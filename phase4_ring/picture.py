"""Rings as text: where each cursor stands, what is full, what is free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from contract.ring import CURSORS

CELLS: Final = 48


def draw_slots(capacity: int, tail: int, head: int) -> str:
    """Every slot of a small ring: full ones with their cursor, free ones empty.

    >>> print(draw_slots(4, 5, 8))
    ┌────┬────┬────┬────┐
    │    │  5 │  6 │  7 │
    └────┴────┴────┴────┘
      ▲ head
           ▲ tail
    """
    cells = ["    "] * capacity
    for offset in range((head - tail) % CURSORS):
        cursor = (tail + offset) % CURSORS
        cells[cursor % capacity] = f"{cursor % 1000:3d} "
    marks: dict[int, list[str]] = {}
    for name, cursor in (("tail", tail), ("head", head)):
        marks.setdefault(cursor % capacity, []).append(name)
    below = [
        " " * (5 * place + 2) + "▲ " + ", ".join(sorted(names))
        for place, names in sorted(marks.items())
    ]
    return "\n".join(
        [
            "┌" + "┬".join(["────"] * capacity) + "┐",
            "│" + "│".join(cells) + "│",
            "└" + "┴".join(["────"] * capacity) + "┘",
            *below,
        ]
    )


def draw_lap(capacity: int, gate: int, cursors: Mapping[str, int]) -> str:
    """One lap of a large ring from its gate: what is taken, and who stands where.

    Args:
        capacity: slots of the ring.
        gate: the cursor everything starts from.
        cursors: names and cursors, each 0 to ``capacity`` ahead of the gate; what is before the
            furthest is taken.

    >>> print(draw_lap(96, 1000, {"match": 1000, "claimed": 1048}))
    ├████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░┤  48 of 96
     ▲ match 1,000
                             ▲ claimed 1,048
    """
    ahead = {name: (cursor - gate) % CURSORS for name, cursor in cursors.items()}
    taken = max(ahead.values(), default=0)
    full = _cell(taken, capacity)
    lines = [f"├{'█' * full}{'░' * (CELLS - full)}┤  {taken:,} of {capacity:,}"]
    at: dict[int, list[str]] = {}
    for name in sorted(ahead, key=ahead.__getitem__):
        place = _cell(ahead[name], capacity)
        at.setdefault(place, []).append(f"{name} {cursors[name]:,}")
    for place, names in sorted(at.items()):
        text = "▲ " + " · ".join(names)
        # Near the right end the words stand to the left of their mark.
        if place > CELLS // 2 and place + len(text) > CELLS + 12:
            lines.append(f"{' · '.join(names)} ▲".rjust(place + 2))
        else:
            lines.append(" " * (place + 1) + text)
    return "\n".join(lines)


def _cell(ahead: int, capacity: int) -> int:
    """The cell of a lap that a cursor falls into: any distance above 0 shows."""
    return min(CELLS, -(-ahead * CELLS // capacity))


def draw_histogram(values: Sequence[int], width: int = 40) -> str:
    """Times in ns as bars, a row for each power of two between the least and the largest."""
    counts: dict[int, int] = {}
    for value in values:
        power = max(int(value), 1).bit_length() - 1
        counts[power] = counts.get(power, 0) + 1
    if not counts:
        return "(nothing measured)"
    most = max(counts.values())
    lines = []
    for power in range(min(counts), max(counts) + 1):
        count = counts.get(power, 0)
        bar = "█" * (-(-count * width // most))
        lines.append(f"{_ns(1 << power):>8} to {_ns(2 << power):>8}  {bar:<{width}} {count:,}")
    return "\n".join(lines)


def _ns(value: int) -> str:
    """A time with its unit, three digits at most."""
    for unit in ("ns", "µs", "ms"):
        if value < 1_000:
            return f"{value:,.0f} {unit}" if unit == "ns" else f"{value:.3g} {unit}"
        value = value / 1_000 if unit != "ms" else value  # type: ignore[assignment]
    return f"{value / 1_000:.3g} s"
