"""The naive book: the rules of matching over a dict of price -> deque.

It is the specification of every other engine, so it is written to be read. What it gets wrong is
the reason for the next phases. Every order, level and event is a Python object somewhere on the
heap; cancelling from the middle of a level searches its queue; and when the best level empties,
the next best price is found by looking at every level there is.
"""

from __future__ import annotations

from phase1_domain.levels import PriceLevels
from phase1_domain.matching import Matching


class Engine(Matching):
    """Phase 1's engine. See ``contract.engine.Engine`` for what each method promises.

    Costs, with n orders on the level and m levels on the side: add O(1); match O(1) a fill, plus
    O(m) a level emptied; cancel O(n), plus O(m) when it empties the best level.

    >>> from contract import Side, new
    >>> engine = Engine()
    >>> for event in engine.apply(new(1, Side.ASK, price=101, quantity=5)): print(event)
    1: accepted #1 ask 5 @ 101, leaves 5
    >>> for event in engine.apply(new(2, Side.BID, price=101, quantity=3)): print(event)
    2: accepted #2 bid 3 @ 101, leaves 3
    3: trade #2 bid 3 @ 101 with #1, leaves 0
    >>> engine.best_ask()
    LevelView(price=101, quantity=2, order_count=1)
    """

    name = "phase1"
    levels_class = PriceLevels
