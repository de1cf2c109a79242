"""A guided tour of sorted levels: ``python -m phase3_sorted`` (some ten seconds)."""

from __future__ import annotations

from random import Random

from rich.table import Table

from contract.drawing import draw_book
from contract.messages import Side, cancel, new
from contract.records import empty_commands
from contract.streams import Stream, wide_levels
from contract.tour import busy, heading, picture, show
from contract.workload import generate, price_range
from phase3_sorted.inside import PAGE_TICKS, RING_PAGES, OpenEngine
from phase3_sorted.measure import compare, engines
from phase3_sorted.picture import draw_ring, draw_tables, draw_tree

RING_TICKS = PAGE_TICKS * RING_PAGES


def main() -> None:
    """All five parts."""
    the_container_alone()
    the_ring()
    prices_far_away()
    the_ids_move_house()
    before_and_after()


def the_container_alone() -> None:
    """Phase 1 against phase 1 with a sorted dict, on more and more levels."""
    heading("1. The container alone")
    show(
        "Phase 1, and phase 1 with its dict of levels replaced by a sorted one: nothing else "
        "differs. The best level empties with every second command. Nanoseconds per command, "
        "here and now:"
    )
    found = {name: make for name, make in engines().items() if name in ("phase1", "phase3py")}
    table = Table("levels", *found, box=None, header_style="dim")
    for column in table.columns:
        column.justify = "right"
    with busy("measuring"):
        for levels in (16, 64, 256, 1_024, 4_096):
            took = compare(found, wide_levels(levels, 600), rounds=5)
            table.add_row(f"{levels:,}", *(f"{ns:,.0f}" for ns in took.values()))
    show(table)
    show(
        "On few levels there is nothing to gain: a look at all of them costs no more than keeping "
        "them in order. The sorted dict does not mind how many there are. What remains is Python, "
        "and that is what C is for."
    )


def the_ring() -> None:
    """A book near one price, and the bits above it."""
    heading("2. Near prices: a ring of ticks under three layers of bits")
    random = Random(3)
    with OpenEngine(capacity=1_000) as engine:
        for order_id in range(1, 61):
            side = Side(order_id % 2)
            away = 1 + int(random.expovariate(1 / 60))
            price = 9_999 - away if side == Side.BID else 10_001 + away
            engine.apply(new(order_id, side, price, quantity=random.randint(1, 40)))
        picture("the book, five levels a side", draw_book(engine, 5))
        best, second = engine.depth(2)[Side.BID]
        show(
            f"One cell for every tick, {RING_TICKS:,} of them a side, and one bit for every tick, "
            "every 64 ticks and every page that have a level. The bids, the better to the right:"
        )
        picture("the bits above the best bid", draw_ring(engine, Side.BID, best.price))
        for order in engine.orders(Side.BID):
            if order.price == best.price:
                engine.apply(cancel(order.order_id))
        show(
            f"The best level, {best.price:,}, is cancelled. The next best is the highest bit "
            "left in its word; if there is none, in the words of its page; if there is none, in "
            f"the pages. Three instructions that count zeros, at most: {second.price:,}."
        )
        picture("the bits above the next best bid", draw_ring(engine, Side.BID, second.price))


def prices_far_away() -> None:
    """A crash out of the ring, and the tree that takes what has no place in it."""
    heading("3. Far prices: a tree for what has no place in the ring")
    with OpenEngine(min_price=1, max_price=2**40, capacity=10_000) as engine:
        for order_id in range(1, RING_PAGES + 1):
            engine.apply(new(order_id, Side.BID, 10**9 + order_id * PAGE_TICKS, quantity=5))
        for order_id in range(101, 201):
            engine.apply(new(order_id, Side.BID, 10**8 + order_id * 65_536, quantity=5))
        pages = engine.ring_pages(Side.BID)
        nodes = engine.tree_nodes(Side.BID)
        show(
            f"{RING_PAGES} bids around a billion have a level in every page of the ring. A page "
            "belongs to one stretch of prices at a time, so there is no place for 100 more bids at "
            f"a tenth of the price. In the ring: {sum(page.levels for page in pages)} levels. In a "
            f"B+tree of 256-byte nodes: {sum(len(n.prices) for n in nodes if not n.height)}."
        )
        picture("the tree", draw_tree(nodes))
        show(
            "Searching a node is counting the keys below the wanted one, all twenty, without a "
            "branch. Nothing is moved between ring and tree: when a page falls free, the next "
            "level that needs it takes it."
        )


def the_ids_move_house() -> None:
    """The id table on its way from one size to the next."""
    heading("4. Ids: a table as small as the book")
    show(
        "A table for the whole capacity would be megabytes, and a cold line for every id. So the "
        "table in use follows the number of live orders, and moves to twice its size a group with "
        "each command. Nobody ever waits for all of it."
    )
    shown_at = (112, 113, 123, 134, 144)
    rows = []
    with OpenEngine() as engine:
        for order_id in range(1, max(shown_at) + 1):
            engine.apply(new(order_id, Side.BID, order_id, quantity=1))
            if order_id in shown_at:
                rows.append(f"{order_id} orders\n{draw_tables(engine.id_tables(), width=24)}")
    picture("the id table as the book grows", "\n\n".join(rows))


def before_and_after() -> None:
    """Every engine on the first commands of the public benchmark, and on a wide book."""
    heading("5. Before and after")
    everyone = engines()
    commands = generate("normal", 5_000)
    low, high = price_range(commands)
    normal = Stream("normal", empty_commands(0), commands, low, high, 10_000)
    table = Table("", *everyone, box=None, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    with busy("measuring"):
        for words, stream in (
            (f"benchmark, {len(commands):,} commands", normal),
            ("best level empties, of 2,000", wide_levels(2_000, 2_000)),
        ):
            took = compare(everyone, stream)
            table.add_row(words, *(f"{ns:,.0f}" for ns in took.values()))
    show("Nanoseconds per command, arrays in and event records out; the events are the same:")
    show(table)
    show(
        "Few commands and few rounds: an impression. [bold]matchbook bench[/] measures with care, "
        "and the chapter is docs/phase3.md."
    )


if __name__ == "__main__":
    main()
