"""Phase 3's C book with its lid off: where the levels are, and how the ids move.

For the demo, the notebook and the curious. An ``OpenEngine`` is an ``Engine`` and does all it does
in the same way; it only has more to show. It belongs to the face of the phase, ``engine.py``, and
stands apart so that the face of the engine proper stays short.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from contract.messages import Side
from phase3_sorted.engine import Engine

#: Ticks in a page of the ring, and pages in the ring (``c/tick_ring.h``).
PAGE_TICKS: Final = 4096
RING_PAGES: Final = 64
#: Places for ids in a group of the id table (``c/id_index.h``).
GROUP_PLACES: Final = 7


class RingPage(NamedTuple):
    """A page of the ring that has levels.

    Attributes:
        place: which of the ring's pages it is, 0 to 63.
        first_price, last_price: the prices that share the page, both inclusive.
        words: 64 booleans; word i stands for the i-th 64 keys of the page and says whether any of
            them has a level.
        levels: how many levels are in it.
    """

    place: int
    first_price: int
    last_price: int
    words: tuple[bool, ...]
    levels: int


class TreeNode(NamedTuple):
    """A node of the tree: prices of levels in a leaf, bounds in an inner node, worst first.

    Attributes:
        height: above the leaves; 0 is a leaf.
        prices: one for each entry. The last bound of an inner node stands for "and all beyond".
    """

    height: int
    prices: tuple[int, ...]


class IdTables(NamedTuple):
    """The id table, and while it moves to another size, the one it comes from.

    Attributes:
        groups, entries: of the table in use.
        old_groups, old_entries: of the one being left; 0 when there is none.
        moved: groups of the old one that have been emptied.
    """

    groups: int
    entries: int
    old_groups: int
    old_entries: int
    moved: int


class OpenEngine(Engine):
    """Phase 3's engine, with its insides to be looked at.

    >>> from contract import new
    >>> with OpenEngine(capacity=100) as engine:
    ...     _ = engine.apply(new(1, Side.BID, price=4097, quantity=5))
    ...     [page] = engine.ring_pages(Side.BID)
    ...     page.first_price, page.last_price, page.levels, engine.id_tables().groups
    (4096, 8191, 1, 32)
    """

    def ring_pages(self, side: Side) -> list[RingPage]:
        """The pages of a side's ring that have levels, by place. O(ring)."""
        book, native, memory = self._open_book(), self._lib, self._ffi
        views = memory.new("page_view[]", RING_PAGES)
        pages = []
        for index in range(native.inspect_pages(book, side, views, RING_PAGES)):
            view = views[index]
            first_key = view.number * PAGE_TICKS
            ends = _price(side, first_key), _price(side, first_key + PAGE_TICKS - 1)
            words = tuple(bool(view.summary >> word & 1) for word in range(64))
            pages.append(RingPage(view.place, min(ends), max(ends), words, view.levels))
        return pages

    def tree_nodes(self, side: Side) -> list[TreeNode]:
        """The nodes of a side's tree, each before its children. O(nodes)."""
        book, native, memory = self._open_book(), self._lib, self._ffi
        room = native.book_level_count(book, side) + 1
        views = memory.new("node_view[]", room)
        return [
            TreeNode(view.height, tuple(_price(side, view.keys[i]) for i in range(view.count)))
            for view in views[0 : native.inspect_nodes(book, side, views, room)]
        ]

    def id_tables(self) -> IdTables:
        """How large the id table is, how full, and how far a move has come. O(table)."""
        book, native, memory = self._open_book(), self._lib, self._ffi
        view = memory.new("id_tables_view *")
        native.inspect_ids(book, view)
        return IdTables(view.groups, view.entries, view.old_groups, view.old_entries, view.moved)


def _price(side: Side, key: int) -> int:
    """The price of a level's key: see ``MIRROR`` in ``sorted_levels.py``."""
    return key if side == Side.BID else ~key
