"""The whole contract, against phase 3's engine behind the rings."""

from __future__ import annotations

from contract.suite import EngineContract
from phase4_ring.engine import Engine


class TestEngine(EngineContract):
    engine_class = Engine
