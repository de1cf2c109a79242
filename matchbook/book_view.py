"""A book drawn for the terminal: asks above, bids below, bars in proportion to quantity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from contract.engine import Engine

_ASK: Final = "red"
_BID: Final = "green"
_BAR: Final = "█"
_PARTS: Final = " ▏▎▍▌▋▊▉"

#: A level to draw: price, quantity, and how many orders, where that is known.
Row = Sequence[int]


def draw_engine(engine: Engine, levels: int = 10, *, title: str = "") -> RenderableType:
    """The best levels of an engine's book."""
    bids, asks = engine.depth(levels)
    return draw_levels(bids, asks, title=title)


def draw_levels(
    bids: Sequence[Row],
    asks: Sequence[Row],
    *,
    title: str = "",
    bar_width: int = 30,
    marked: Sequence[Row] = (),
) -> Table:
    """A table of levels, best in the middle; ``marked`` levels get an arrow."""
    table = Table(box=None, title=title, title_justify="left", show_header=True, pad_edge=False)
    has_counts = any(len(row) > 2 for row in (*bids, *asks))
    for heading in ("", "price", "", "quantity", "orders")[: 5 if has_counts else 4]:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    largest = max((row[1] for row in (*bids, *asks)), default=1)

    def add(word: str, row: Row, style: str) -> None:
        cells: list[Text | str] = [
            Text(("▶" if row in marked else " ") + word, style=style),
            Text(str(row[0]), style=style),
            Text(_bar(row[1], largest, bar_width), style=style),
            *(f"{number:,}" for number in row[1:]),
        ]
        table.add_row(*cells)

    for row in reversed(asks):
        add("ask", row, _ASK)
    table.add_row("", "", Text(_middle(bids, asks), style="dim"))
    for row in bids:
        add("bid", row, _BID)
    return table


def draw_difference(
    expected: tuple[Sequence[Row], Sequence[Row]],
    got: tuple[Sequence[Row], Sequence[Row]],
    levels: int,
) -> Table:
    """Two books side by side, with an arrow at each level that the other does not have so."""
    pair = Table(box=None, pad_edge=False, show_header=False)
    cells = []
    for title, book, other in (("expected", expected, got), ("got", got, expected)):
        theirs = [*other[0], *other[1]]
        marked = [row for row in (*book[0], *book[1]) if row not in theirs]
        shown = [side[:levels] for side in book]
        cells.append(draw_levels(*shown, title=title, bar_width=10, marked=marked))
    pair.add_row(*cells)
    return pair


def _bar(quantity: int, largest: int, width: int) -> str:
    """A bar of at most ``width`` characters, exact to an eighth of one, never empty."""
    eighths = max(1, quantity * width * 8 // max(largest, 1))
    return _BAR * (eighths // 8) + _PARTS[eighths % 8].strip()


def _middle(bids: Sequence[Row], asks: Sequence[Row]) -> str:
    if not bids and not asks:
        return "(the book is empty)"
    if not bids or not asks:
        return "(no bids)" if not bids else "(no asks)"
    return f"spread {asks[0][0] - bids[0][0]}"
