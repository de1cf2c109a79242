"""Any engine against the contract: ``pytest --engine module:Class contract``.

The module may be anybody's, as long as it can be imported from where pytest is started.
"""

import pytest

from contract.suite import EngineContract, under_test
from contract.suite.probe import load_class

if under_test.NAME is None:
    pytest.skip("no engine named: pytest --engine module:Class", allow_module_level=True)


class TestEngineUnderTest(EngineContract):
    engine_class = load_class(under_test.NAME or "")
