"""Phase 1 against the contract, whose silences it decides."""

from contract.suite import EngineContract
from phase1_domain import Engine


class TestPhase1(EngineContract):
    engine_class = Engine
