"""Phase 3's C engine: the same face as phase 2's, another book behind it."""

from __future__ import annotations

from contract.native import NativeEngine
from phase3_sorted._sorted import ffi, lib


class Engine(NativeEngine):
    """Arena, intrusive lists and a B+tree of levels, in C: best price O(1), next level O(1).

    Costs: add O(1), or O(log m) when it opens one of m levels; cancel O(1), or O(log m) when it
    empties a level that is not the best; match O(1) a fill.
    """

    name = "phase3"
    _ffi, _lib = ffi, lib
