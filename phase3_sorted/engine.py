"""Phase 3's C engine: the same face as phase 2's, another book behind it."""

from __future__ import annotations

from typing import Final

from contract.native import NativeEngine
from phase3_sorted._sorted import ffi, lib

#: What one order takes: a cell of half a cache line, and its time in an array of its own.
SLOT_BYTES: Final[int] = lib.inspect_order_bytes()


class Engine(NativeEngine):
    """Intrusive lists on sorted levels, in C: the best price in hand, the next a few steps away.

    Costs: add, cancel and match O(1) with levels near the best, which lie in a ring of ticks under
    bitmaps; O(log m) for opening or emptying one of m levels far away, which stand in a B+tree.
    """

    name = "phase3"
    _ffi, _lib = ffi, lib
