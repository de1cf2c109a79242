"""Both of phase 3's engines, held to the contract."""

from contract.suite import EngineContract
from phase3_sorted import Engine, PyEngine


class TestPhase3(EngineContract):
    engine_class = Engine


class TestPhase3Py(EngineContract):
    engine_class = PyEngine
