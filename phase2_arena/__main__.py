"""A guided tour of the arena: ``python -m phase2_arena`` (a few seconds)."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from contract.drawing import draw_book
from contract.messages import Side, cancel, new
from contract.workload import generate
from phase2_arena import Engine, NodeEngine
from phase2_arena.boundary import measure_boundary
from phase2_arena.measure import measure_scan
from phase2_arena.picture import draw_arena, draw_queue

_SLOTS = 8
_LEVELS = 6
_ORDERS = 10_000
_INDENT = (0, 0, 1, 2)
_WAYS = {
    "node": "Python decides, C keeps the nodes",
    "command": "a Command in, a list of Events out",
    "call": "one call a command, nothing converted",
    "batch": "one call for every 64 commands",
    "array": "one call for all",
}


def main() -> None:
    """Show all of it."""
    console = Console(highlight=False)
    show_arena(console)
    show_sweep(console)
    show_scan(console)
    show_boundary(console)


def _title(console: Console, title: str) -> None:
    console.rule(f"[bold]{title}", align="left", style="dim")


def _say(console: Console, text: str) -> None:
    console.print(Padding(text, _INDENT, expand=False))


def _draw(console: Console, title: str, picture: str) -> None:
    panel = Panel(Text(picture), title=title, title_align="left", expand=False)
    console.print(Padding(panel, _INDENT, expand=False))


def show_arena(console: Console) -> None:
    """Slots and a queue, as orders come and go."""
    _title(console, "1. The arena: every order the book will ever hold, taken once")
    with Engine() as engine:
        _say(
            console,
            f"A book for {engine.capacity:,} orders takes {engine.memory_bytes() / 2**20:.0f} MiB "
            "when it is built and never asks for more. An order is one 64-byte slot; links are "
            f"slot numbers. Here is a book of {_SLOTS} slots with three asks at 101, one at 102, "
            "and a bid at 99:",
        )
    with NodeEngine(capacity=_SLOTS) as book:
        for order_id, side, price, quantity in [
            (1, Side.ASK, 101, 5),
            (2, Side.ASK, 101, 7),
            (3, Side.BID, 99, 4),
            (4, Side.ASK, 101, 3),
            (5, Side.ASK, 102, 9),
        ]:
            book.apply(new(order_id, side, price, quantity))
        _draw(console, "five orders", f"{draw_arena(book, _SLOTS)}\n\n{draw_queue(book, 101)}")
        book.apply(cancel(2))
        _say(
            console,
            "Cancel #2, from the middle: its neighbours join hands, and its slot goes to the "
            "front of the free list. No other order is touched, however long the queue is.",
        )
        _draw(console, "cancel #2", f"{draw_arena(book, _SLOTS)}\n\n{draw_queue(book, 101)}")
        book.apply(new(6, Side.ASK, 101, 8))
        _say(
            console,
            "A new order takes the slot freed last, which the cache still holds, and joins its "
            "queue at the back: place in memory and place in the queue are two things.",
        )
        _draw(console, "new #6", f"{draw_arena(book, _SLOTS)}\n\n{draw_queue(book, 101)}")


def show_sweep(console: Console) -> None:
    """A book before and after an order that empties levels."""
    _title(console, "2. The sweep: best levels empty, and the next best is found by looking")
    _say(console, "A bid for 70 at 104 empties three levels of asks and takes from a fourth:")
    with NodeEngine(capacity=64) as book:
        for number in range(_LEVELS):
            book.apply(new(10 + number, Side.ASK, 101 + number, 16 + 5 * (number % 3)))
            book.apply(new(20 + number, Side.BID, 99 - number, 12 + 7 * (number % 2)))
        _draw(console, "before", draw_book(book, _LEVELS))
        before = book.levels_scanned
        events = book.apply(new(99, Side.BID, 104, 70))
        _draw(console, "events", "\n".join(map(str, events)))
        _draw(console, "after", draw_book(book, _LEVELS))
        _say(
            console,
            "Each time the best level emptied, all the others were looked at: "
            f"{book.levels_scanned - before} looks for three levels.",
        )


def show_scan(console: Console) -> None:
    """The cost of finding the best price again, against the number of levels."""
    _title(console, "3. What it gets wrong: the price of looking")
    _say(console, "One better bid above m others, cancelled again; on this machine, just now:")
    table = Table("levels on the side", "ns for the pair", box=None, header_style="dim")
    for column in table.columns:
        column.justify = "right"
    for row in measure_scan(rounds=3):
        table.add_row(f"{row['levels']:,}", f"{row['ns']:,.0f}")
    console.print(Padding(table, _INDENT, expand=False))
    _say(console, "Phase 3 exists to make this column flat.")


def show_boundary(console: Console) -> None:
    """One book driven five ways from Python."""
    _title(console, "4. The boundary: the same book, the same commands, driven five ways")
    _say(console, "The first of the public benchmark's normal workload, interleaved, medians:")
    with console.status("measuring"):
        results = measure_boundary(generate("normal", _ORDERS), rounds=3)
    table = Table("way", "", "ns per command", "times the array", box=None, header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
    for name, words in _WAYS.items():
        way = results["ways"][name]
        table.add_row(name, words, f"{way['ns_per_command']:,.0f}", f"{way['times_array']:.1f}")
    console.print(Padding(table, _INDENT, expand=False))
    crossing = results["crossing"]
    _say(
        console,
        f"A bare call into C costs {crossing['ns_per_call']:.0f} ns here; node makes "
        f"{crossing['calls_per_command']:.1f} of them a command and touches "
        f"{crossing['fields_per_command']:.1f} fields, and the rest of its time is Python "
        "deciding. So cross seldom, with much in hand. (The array against itself differs by a "
        f"factor of {results['floor']:.2f}.)",
    )


if __name__ == "__main__":
    main()
