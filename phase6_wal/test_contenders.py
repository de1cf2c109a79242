"""The contenders keep what they are given, promise what they say, like with like."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contract.records import RecordArray
from contract.workload import generate
from phase6_wal.contenders import CONTENDERS, MACHINE, NOTHING, PROMISES, Contender

NAMES = [each.name for each in CONTENDERS]


@pytest.fixture(scope="module")
def commands() -> RecordArray:
    """A few commands, numbered as a log does it."""
    made = generate("normal", 100)[:100]
    made["sequence"] = np.arange(1, len(made) + 1)
    return made


def keep(contender: Contender, folder: Path, commands: RecordArray, batch: int) -> None:
    """Hand all commands over, batch by batch."""
    journal = contender.open(folder)
    for at in range(0, len(commands), batch):
        journal.append(contender.prepare(commands[at : at + batch]))
    journal.close()


@pytest.mark.parametrize("contender", CONTENDERS, ids=NAMES)
@pytest.mark.parametrize("batch", [1, 33])
def test_what_is_read_is_what_was_handed_over(
    contender: Contender, batch: int, commands: RecordArray, tmp_path: Path
) -> None:
    """Guards: a contender that is fast because it loses, repeats or reorders commands."""
    keep(contender, tmp_path, commands, batch)
    assert contender.read(tmp_path) == commands.tobytes()


def test_each_promise_is_measured_against_others() -> None:
    """Guards: a promise under which the log stands alone, or one that nobody has."""
    for promise in PROMISES:
        names = [each.name for each in CONTENDERS if each.promise == promise]
        assert len(names) > 1, promise
        assert names[0].startswith("log "), promise
    assert {each.promise for each in CONTENDERS} == set(PROMISES)


#: Leaves a journal of each contender as a kill leaves it: nothing closed, nothing flushed.
CHILD = """
import os, sys
from pathlib import Path
import numpy as np
from phase6_wal.contenders import CONTENDERS

commands = np.load(sys.argv[1])
journals = []
for number, each in enumerate(CONTENDERS):
    folder = Path(sys.argv[2]) / str(number)
    folder.mkdir()
    journals.append(each.open(folder))
    journals[-1].append(each.prepare(commands))
os._exit(0)
"""


def test_what_promises_the_process_survives_it(commands: RecordArray, tmp_path: Path) -> None:
    """Guards: a number of one that promises the process and still holds commands in its memory.

    The control are those that promise nothing: they do hold them back.
    """
    saved = tmp_path / "commands.npy"
    np.save(saved, commands)
    subprocess.run([sys.executable, "-c", CHILD, str(saved), str(tmp_path)], check=True)
    kept = {
        each.name: each.read(tmp_path / str(number)) == commands.tobytes()
        for number, each in enumerate(CONTENDERS)
    }
    assert kept == {each.name: each.promise != NOTHING for each in CONTENDERS}


@pytest.mark.parametrize("name", ["file fdatasync", "file fsync"])
def test_a_plain_file_asks_the_disk_with_each_batch(
    name: str, commands: RecordArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a plain file that is compared with durable logs and never asks the disk."""
    asked: list[int] = []
    monkeypatch.delattr(fcntl, "F_FULLFSYNC", raising=False)
    monkeypatch.setattr(os, name.removeprefix("file "), asked.append, raising=False)
    contender = next(each for each in CONTENDERS if each.name == name)
    keep(contender, tmp_path, commands, 50)
    assert len(asked) == 2
    assert contender.read(tmp_path) == commands.tobytes()


def test_without_lmdb_the_others_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a suite that needs what is only a test's dependency."""
    monkeypatch.setitem(sys.modules, "lmdb", None)
    left = [each for each in CONTENDERS if each.is_available]
    assert [each.name for each in CONTENDERS if each not in left] == ["lmdb nosync", "lmdb sync"]
    assert {each.promise for each in left} >= {MACHINE}
