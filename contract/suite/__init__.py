"""The conformance suite: one class that holds any engine to the contract.

::

    from contract.suite import EngineContract

    class TestPhase9(EngineContract):
        engine_class = Engine

Its parts are files by idea; every test says in its first line which bug it guards against.
"""

import pytest

# The suite's own asserts are as talkative as a test module's.
_PARTS = (
    "batches",
    "golden",
    "limits",
    "machine",
    "matching",
    "replacing",
    "self_trade",
    "shapes",
    "snapshots",
    "streams",
    "validation",
    "views",
)
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from contract.suite.batches import BatchRules  # noqa: E402
from contract.suite.golden import GoldenRules  # noqa: E402
from contract.suite.limits import LimitRules  # noqa: E402
from contract.suite.machine import MachineRules  # noqa: E402
from contract.suite.matching import MatchingRules  # noqa: E402
from contract.suite.replacing import CancelRules, ReplaceRules  # noqa: E402
from contract.suite.runner import Failure, run_contract  # noqa: E402
from contract.suite.self_trade import FillOrKillRules, SelfTradeRules  # noqa: E402
from contract.suite.shapes import Shapes  # noqa: E402
from contract.suite.snapshots import SnapshotRules  # noqa: E402
from contract.suite.streams import StreamRules  # noqa: E402
from contract.suite.validation import ValidationRules  # noqa: E402
from contract.suite.views import ViewRules  # noqa: E402


class EngineContract(
    ValidationRules,
    MatchingRules,
    SelfTradeRules,
    FillOrKillRules,
    ReplaceRules,
    CancelRules,
    Shapes,
    LimitRules,
    ViewRules,
    BatchRules,
    SnapshotRules,
    GoldenRules,
    StreamRules,
    MachineRules,
):
    """All of the contract, as tests. A subclass says ``engine_class`` and nothing else."""


__all__ = ["EngineContract", "Failure", "run_contract"]
