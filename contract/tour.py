"""What the guided tours (``python -m phaseN_…``) are printed with: headings, text, framed pictures.

Everything is 80 columns wide, whatever the terminal: the pictures are drawn for that.
"""

from __future__ import annotations

from typing import Final

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.status import Status
from rich.text import Text

WIDTH: Final = 80

_console = Console(highlight=False, width=WIDTH)


def heading(text: str) -> None:
    """The title of a part."""
    _console.print()
    _console.rule(f"[bold]{text}", align="left", style="dim")


def show(what: RenderableType) -> None:
    """A paragraph or a table, set in."""
    _console.print(Padding(what, (1, 2, 0, 2)))


def picture(title: str, text: str) -> None:
    """Characters that must stay where they are, in a frame."""
    show(Panel(Text(text, no_wrap=True), title=title, title_align="left", expand=False))


def busy(text: str) -> Status:
    """A line that says what takes so long, for as long as the block lasts."""
    return _console.status(text)
