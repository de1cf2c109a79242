"""The conformance suite for rings: one class that holds any ring to ``contract/ring.py``.

::

    from contract.ring_suite import ClaimRules, PeekRules, RingContract

    class TestMine(RingContract, ClaimRules, PeekRules):
        def make(self, capacity, start):
            return MyRing(capacity, start=start)

``RingContract`` is for every ring. The other parts are for what only some rings offer, so a
subclass names them: nothing is skipped. Each test says first which bug it guards against.
"""

import pytest

# The suite's own asserts are as talkative as a test module's.
_PARTS = ("closing", "filling", "inputs", "lending", "machine", "ordering", "probe", "threads")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from contract.ring_suite.base import RingBase  # noqa: E402
from contract.ring_suite.closing import CloseRules  # noqa: E402
from contract.ring_suite.filling import FillRules  # noqa: E402
from contract.ring_suite.inputs import InputRules  # noqa: E402
from contract.ring_suite.lending import ClaimRules, PeekRules  # noqa: E402
from contract.ring_suite.machine import MachineRules  # noqa: E402
from contract.ring_suite.ordering import OrderRules  # noqa: E402
from contract.ring_suite.threads import ManyProducerRules, ThreadRules  # noqa: E402


class RingContract(FillRules, OrderRules, InputRules, CloseRules, ThreadRules, MachineRules):
    """What every ring keeps. A subclass says ``make``, and ``numbers`` if the ring numbers."""


__all__ = [
    "ClaimRules",
    "CloseRules",
    "FillRules",
    "InputRules",
    "MachineRules",
    "ManyProducerRules",
    "OrderRules",
    "PeekRules",
    "RingBase",
    "RingContract",
    "ThreadRules",
]
