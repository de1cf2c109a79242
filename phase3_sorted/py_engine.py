"""Phase 1's engine with one thing changed: the levels of a side are kept sorted.

The rules of matching, the orders, the queues are phase 1's own, imported. So what is measured
between the two engines is the container of the levels and nothing else.

What is left of phase 1's costs is all but the scan: objects all over the heap, a search through
the queue for every cancel, and an interpreter between each two of these steps.
"""

from __future__ import annotations

from phase1_domain.matching import Matching
from phase3_sorted.sorted_levels import SortedLevels


# --8<-- [start:engine]
class PyEngine(Matching):
    """Phase 1's engine over sorted levels. See ``contract.engine.Engine`` for each method.

    Costs, with n orders on the level and m levels on the side: add O(1), or O(log m) for a new
    level; match O(1) a fill, O(log m) a level; cancel O(n), plus O(log m) when it empties a level.

    >>> from contract import Side, new
    >>> engine = PyEngine()
    >>> for price in (103, 101, 102): events = engine.apply(new(price, Side.ASK, price, quantity=5))
    >>> engine.best_ask()
    LevelView(price=101, quantity=5, order_count=1)
    >>> [level.price for level in engine.depth(3)[1]]
    [101, 102, 103]
    """

    name = "phase3py"
    levels_class = SortedLevels


# --8<-- [end:engine]
