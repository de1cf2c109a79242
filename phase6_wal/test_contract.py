"""The whole contract, against phase 3's book behind a log."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from contract.suite import EngineContract
from phase6_wal.engine import Engine

#: A file system in memory, where there is one. The contract makes thousands of engines, and says
#: nothing of disks; what a log owes to its disk is tested on one.
IN_MEMORY: Final = Path("/dev/shm")


@pytest.fixture(scope="module", autouse=True)
def no_disk() -> Iterator[None]:
    usual = tempfile.tempdir
    if IN_MEMORY.is_dir():
        tempfile.tempdir = str(IN_MEMORY)
    yield
    tempfile.tempdir = usual


class TestEngine(EngineContract):
    engine_class = Engine
