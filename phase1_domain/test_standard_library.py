"""Phase 1 must run where only the standard library is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """
import sys
for name in ("numpy", "cffi", "_cffi_backend", "sortedcontainers", "click", "rich", "hypothesis"):
    sys.modules[name] = None  # an import of it raises

from contract import Command, RECORD_BYTES, Side, market, new
from contract.drawing import draw_book
from phase1_domain import Engine

with Engine(capacity=8) as engine:
    engine.apply(new(1, Side.ASK, 101, 5))
    commands = new(2, Side.ASK, 102, 5).pack() + market(3, Side.BID, 7).pack()
    print(engine.apply_batch(commands, bytearray(8 * RECORD_BYTES)))
    image = engine.snapshot()
    engine.restore(image)
    engine.check()
    print(draw_book(engine))
"""


def test_without_numpy_or_any_other_package() -> None:
    """Guards against an import that would keep phase 1 out of a browser."""
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{PROGRAM}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("BatchResult(consumed=2, written=4)\n")
    assert "102" in run.stdout
