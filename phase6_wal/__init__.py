"""Phase 6: a log before the engine, snapshots beside it, and the same state after a crash."""

from typing import Any

__all__ = ["DurableEngine", "Engine", "LogReader", "LogWriter", "recover_log"]

_HOMES = {
    "DurableEngine": "phase6_wal.engine",
    "Engine": "phase6_wal.engine",
    "LogReader": "phase6_wal.reader",
    "LogWriter": "phase6_wal.native",
    "recover_log": "phase6_wal.recovery",
}


def __getattr__(name: str) -> Any:
    """Load a class when it is asked for: who reads a log needs no engine."""
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
