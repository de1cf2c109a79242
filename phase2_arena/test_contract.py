"""Both of phase 2's engines, held to the contract."""

from contract.suite import EngineContract
from phase2_arena import Engine, NodeEngine


class TestPhase2(EngineContract):
    engine_class = Engine


class TestPhase2Node(EngineContract):
    engine_class = NodeEngine
