"""Suite ``phase2``: what phase 2's chapter shows beside the rest; ``phase2_arena/measure.py``."""

from __future__ import annotations

from typing import Any, Final

from contract.workload import ORDERS
from matchbook.bench.trial import Session, SkippedError
from phase2_arena.measure import SCAN_LEVELS, measure

NAME: Final = "phase2"
ROUNDS: Final = 3
_ORDERS: Final = ORDERS
_QUICK_ORDERS: Final = 2_000
_QUICK_LEVELS: Final = (1, 100)


def run(session: Session) -> dict[str, Any]:
    """The content of ``phase2.json``.

    Raises:
        SkippedError: the engines it compares are not both here.
    """
    if not {"phase1", "phase2"} <= session.engines.keys():
        raise SkippedError("phase2 compares phase1 with phase2, and they are not both here")
    rounds = session.rounds_of(ROUNDS)
    result = measure(
        session.step,
        baseline=session.engines["phase1"],
        orders=_QUICK_ORDERS if session.quick else _ORDERS,
        rounds=rounds,
        scan_levels=_QUICK_LEVELS if session.quick else SCAN_LEVELS,
    )
    return {**result, "noise_floor": float(result["boundary"]["floor"])}
