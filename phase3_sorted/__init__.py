"""Phase 3: sorted levels. The data structure alone in Python, and the fastest book in C.

``PyEngine`` needs nothing compiled; ``Engine`` is loaded when it is asked for, so that the one
can be used where the other is not built.
"""

from typing import TYPE_CHECKING, Any

from phase3_sorted.py_engine import PyEngine

if TYPE_CHECKING:
    from phase3_sorted.engine import Engine

__all__ = ["Engine", "PyEngine"]


def __getattr__(name: str) -> Any:
    """Load the C engine at its first use.

    Raises:
        ImportError: the extension is not built.
    """
    if name == "Engine":
        from phase3_sorted.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
