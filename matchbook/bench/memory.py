"""Suite ``memory``: what an order takes, and that nothing grows while commands run.

Each engine runs in a process of its own, so that its pages are its own::

    build the book ─▶ run a few commands ─▶ look ─▶ run two million ─▶ look again
                                             └── resident bytes and page faults ──┘

An engine that allocates while it runs must touch new pages: the count of page faults says so even
where the resident size happens to stay.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

from contract.errors import MatchbookError
from contract.workload import SEED
from matchbook.bench import machine
from matchbook.bench.trial import Session, SkippedError
from matchbook.engines import REGISTRY

NAME: Final = "memory"
_ORDERS: Final = 1_000_000
_SLOW_ORDERS: Final = 50_000
_QUICK_ORDERS: Final = 5_000
_TIMEOUT_S: Final = 600


def run(session: Session) -> dict[str, Any]:
    """Look at every engine in a process of its own; the content of ``memory.json``.

    Raises:
        SkippedError: the platform does not count page faults.
    """
    if sys.platform == "win32":
        raise SkippedError("memory needs a platform that counts page faults")
    cases = {}
    for name in session.engines:
        session.step(name)
        orders = _SLOW_ORDERS if name in session.slow() else _ORDERS
        cases[name] = look_at(name, _QUICK_ORDERS if session.quick else orders)
    return {"seed": SEED, "rounds": 1, "noise_floor": 1.0, "cases": cases}


def look_at(engine: str, orders: int) -> dict[str, Any]:
    """What ``memory_child`` says of an engine.

    Raises:
        MatchbookError: the process failed; with its last words.
    """
    target = REGISTRY[engine].target if engine in REGISTRY else engine
    command = [sys.executable, "-m", "matchbook.bench.memory_child", target, str(orders)]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, cwd=machine.ROOT
    )
    if result.returncode != 0:
        words = result.stderr.strip().splitlines() or ["no message"]
        raise MatchbookError(f"memory of {engine}: {words[-1]}")
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts
