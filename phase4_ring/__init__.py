"""Phase 4: lock-free rings, and the engine on a thread of its own between two of them."""

from typing import Any

__all__ = ["Engine", "Pipeline", "Sequencer", "SpscRing"]

_HOMES = {
    "Engine": "phase4_ring.engine",
    "Pipeline": "phase4_ring.pipeline",
    "Sequencer": "phase4_ring.sequencer",
    "SpscRing": "phase4_ring.ring",
}


def __getattr__(name: str) -> Any:
    """Load a class when it is asked for: a ring needs no engine."""
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
