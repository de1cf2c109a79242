"""A guided demo: ``python -m phase1_domain``. A small story, told with the book drawn between."""

from __future__ import annotations

import textwrap

from contract import Command, SelfTrade, Side, TimeInForce, cancel, market, new, replace
from contract.drawing import draw_book
from phase1_domain import Engine

WIDTH = 78
ALICE, BOB = 1, 2


def main() -> None:
    """Tell the story from the first order to the reason for phase 2."""
    engine = Engine()
    for chapter in (fills_up, is_swept, refuses, meets_itself, changes_its_mind):
        chapter(engine)
    counts_what_it_looks_at()


def fills_up(engine: Engine) -> None:
    """Orders rest on levels."""
    heading("1. A book fills up")
    say(
        """Asks want to sell, bids want to buy. Nobody agrees on a price yet, so every order
        rests, each at the back of its price level."""
    )
    send(engine, new(1, Side.ASK, price=103, quantity=40))
    send(engine, new(2, Side.ASK, price=101, quantity=20))
    send(engine, new(3, Side.ASK, price=101, quantity=10, account=ALICE))
    send(engine, new(4, Side.BID, price=99, quantity=60))
    send(engine, new(5, Side.BID, price=98, quantity=30, account=BOB))
    show(engine)


def is_swept(engine: Engine) -> None:
    """One order takes several makers, over two levels."""
    heading("2. A sweep")
    say(
        """A buyer takes 50 at 103 or better. The best price comes first, and within a price the
        earlier order; each fill is at the price of the order that was there."""
    )
    send(engine, new(6, Side.BID, price=103, quantity=50))
    show(engine)


def refuses(engine: Engine) -> None:
    """A fill-or-kill order that cannot be filled."""
    heading("3. All or nothing")
    say(
        """Fill-or-kill: 25 lots are wanted and the book has 20. It is decided before anything
        trades, so the book does not even twitch."""
    )
    send(engine, new(7, Side.BID, price=103, quantity=25, time_in_force=TimeInForce.FOK))


def meets_itself(engine: Engine) -> None:
    """Self-trade prevention."""
    heading("4. An order meets its own owner")
    say(
        """Another buyer joins at 97 and the best bid is withdrawn, so Bob's bid is first in line.
        Now Bob sells at market, and asks for the older order to go if he meets himself. His bid
        is cancelled, and matching goes on behind it."""
    )
    send(engine, new(8, Side.BID, price=97, quantity=10))
    send(engine, cancel(4))
    send(engine, market(9, Side.ASK, 10, account=BOB, self_trade=SelfTrade.CANCEL_OLDEST))
    show(engine)


def changes_its_mind(engine: Engine) -> None:
    """Replaces, in place and not."""
    heading("5. Changing one's mind")
    say(
        """Less quantity at the same price keeps the place in the queue. A new price does not,
        and it may trade at once."""
    )
    send(engine, new(10, Side.BID, price=100, quantity=5))
    send(engine, replace(1, price=103, quantity=15))
    send(engine, replace(1, price=100, quantity=15))
    show(engine)


def counts_what_it_looks_at() -> None:
    """The search for the next best price, counted."""
    heading("6. What is naive about it")
    say(
        """A dict knows the level of a price, but not the next price. So when the best level
        empties, every level is looked at. Here one order empties the best ask level, or the best
        ten, of a book with m levels; counted are the levels looked at on the way."""
    )
    print(f"  {'m':>8} {'empties one':>16} {'empties ten':>16}")
    for levels in (10, 100, 1_000, 10_000):
        one, ten = scanned_by_one_order(levels), scanned_by_one_order(levels, emptied=10)
        print(f"  {levels:>8,} {one:>16,} {ten:>16,}")
    print()
    say(
        """Ten cost more than ten times one: an order that goes on to the next level looks for it
        when it decides what will happen, and the book looks again when it is changed. Phase 2
        moves all of this into C and keeps the scan; phase 3 gets rid of it. The chapter is
        docs/phase1.md."""
    )


def scanned_by_one_order(levels: int, *, emptied: int = 1) -> int:
    """How many levels are looked at when one order empties the best few of that many.

    >>> scanned_by_one_order(100)
    99
    """
    engine = Engine()
    for price in range(1, levels + 1):
        engine.apply(new(price, Side.ASK, price, quantity=1))
    before = engine.levels_scanned
    engine.apply(new(levels + 1, Side.BID, price=emptied, quantity=emptied))
    return engine.levels_scanned - before


def send(engine: Engine, command: Command) -> None:
    """Apply a command; print it and its events."""
    print(f"  > {command}")
    for event in engine.apply(command):
        print(f"      {event}")


def show(engine: Engine) -> None:
    """Draw the book."""
    print()
    print(draw_book(engine))


def heading(text: str) -> None:
    """Print the title of a section."""
    print(f"\n{text}\n{'─' * len(text)}")


def say(text: str) -> None:
    """Print a paragraph."""
    print(textwrap.fill(" ".join(text.split()), WIDTH))
    print()


if __name__ == "__main__":
    main()
