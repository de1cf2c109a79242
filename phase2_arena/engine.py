"""Phase 2's engine: the C book through the contract's one Python face.

This is the phase's only module that touches the compiled library. ``NODES`` hands its smallest
operations to ``pernode.py``, as they are: a Python function around each would hide what a bare
crossing of the boundary costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from contract.engine import BatchResult
from contract.native import NativeEngine
from phase2_arena._arena import ffi, lib

#: "No slot", "no level", as in ``c/arena.h``.
NONE: Final = 2**32 - 1
SLOT_BYTES: Final[int] = ffi.sizeof("order")
LEVEL_BYTES: Final[int] = ffi.sizeof("level")


class Engine(NativeEngine):
    """A book in one block of memory, built once; best price by scanning the levels.

    Costs, with m levels on the side: add, cancel and fill O(1) expected, plus O(m) for each best
    level that empties; ``best_bid`` and ``best_ask`` O(1); ``depth(n)`` O(m + n log m).
    """

    name = "phase2"
    _ffi, _lib = ffi, lib

    @property
    def scans(self) -> int:
        """How often the best level emptied so far and the next one was looked for. O(1)."""
        return int(lib.node_scans(self._open_book()))

    @property
    def levels_scanned(self) -> int:
        """How many levels were looked at so far to find a best price. O(1)."""
        return int(lib.node_levels_scanned(self._open_book()))

    def apply_each(self, commands: Any, events: Any) -> BatchResult:
        """As ``apply_batch``, but one call into C for each command; stops as that does.

        What is left of a call when nothing is converted: the records stay where they are, and
        only their addresses cross the boundary. For measuring; the events overwrite each other.
        """
        book, apply = self._open_book(), lib.book_apply
        source = ffi.from_buffer("command_record[]", commands)
        target = ffi.from_buffer("event_record[]", events, require_writable=True)
        room, written, total = len(target), self._written, 0
        for index in range(len(source)):
            if not apply(book, source + index, 1, target, room, written):
                return BatchResult(index, total)
            total += written[0]
        return BatchResult(len(source), total)


class Nodes(NamedTuple):
    """The operations of ``c/node.h``; the first argument of each is the book's handle."""

    slots: Callable[[Any], Any]
    levels: Callable[[Any], Any]
    slot_take: Callable[[Any], int]
    slot_give: Callable[[Any, int], None]
    slot_free_head: Callable[[Any], int]
    id_find: Callable[[Any, int], int]
    id_insert: Callable[[Any, int, int], None]
    id_erase: Callable[[Any, int], None]
    level_find: Callable[[Any, int], int]
    level_open: Callable[[Any, int, int], int]
    level_close: Callable[[Any, int, int], None]
    level_best: Callable[[Any, int], int]
    level_next: Callable[[Any, int, int], int]
    queue_append: Callable[[Any, int, int], None]
    queue_unlink: Callable[[Any, int], None]
    events_add: Callable[[Any, int], None]
    scans: Callable[[Any], int]
    levels_scanned: Callable[[Any], int]


NODES: Final = Nodes(*(getattr(lib, f"node_{name}") for name in Nodes._fields))
