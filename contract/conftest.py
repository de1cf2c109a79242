"""Hand the value of ``--engine`` (an option of the root's conftest.py) to the suite."""

import pytest

from contract.suite import under_test


def pytest_configure(config: pytest.Config) -> None:
    """Remember which engine was named; modules see it while they are imported."""
    under_test.NAME = config.getoption("--engine", default=None)
