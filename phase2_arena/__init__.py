"""Phase 2: the arena. All memory taken at the start, orders linked through their own slots."""

from phase2_arena.engine import Engine
from phase2_arena.pernode import NodeEngine

__all__ = ["Engine", "NodeEngine"]
