"""Logs in good order, for all tests of ``matchbook log``: not to be changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from matchbook.log.logs_for_tests import COMMANDS, alone, make_event_log, make_log


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of several segments, with marks, and snapshots at 0, 2,000 and 3,000."""
    return make_log(tmp_path_factory.mktemp("logs") / "log", COMMANDS)


@pytest.fixture(scope="session")
def event_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of the same day's events."""
    return make_event_log(tmp_path_factory.mktemp("logs") / "events", alone(COMMANDS)[2])


@pytest.fixture(scope="session")
def empty_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that nothing was ever sent to."""
    return make_log(tmp_path_factory.mktemp("logs") / "empty", COMMANDS[:0])
