"""The same commands, the same log, the same events: in any process, and after any crash."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import pytest

from contract.batching import iter_events
from contract.records import RecordArray
from contract.reports import (
    PUBLISHED_DIGESTS,
    SMALL_DIGESTS,
    SMALL_ORDERS,
    ReportDigest,
)
from contract.workload import ORDERS, generate
from phase3_sorted import Engine as SortedEngine
from phase6_wal.crash_child import CAPACITY, Child, Load
from phase6_wal.engine import DurableEngine
from phase6_wal.native import PosixStorage
from phase6_wal.reader import LogReader
from phase6_wal.replay import replay

#: Run in a process of its own: prints what must not depend on the process.
SCRIPT: Final = """
import hashlib, sys
from pathlib import Path
from contract.batching import apply_all
from contract.workload import generate
from phase3_sorted import Engine
from phase6_wal.engine import DurableEngine

directory = Path(sys.argv[1])
options = {"segment_bytes": 1 << 18, "log_id": 5, "seed": 6, "mark_every": 1000, "keep": 2}
books = [Engine(instrument=n, capacity=1 << 13) for n in (3, 1, 2)]
with DurableEngine.create(directory, books, **options) as engine:
    commands = generate("normal", 5_000, 7)
    commands["instrument"] = 1 + commands["order_id"] % 3
    apply_all(engine, commands[:5000])
    engine.take_snapshot()
    apply_all(engine, commands[5000:])
    print(engine.sequence, engine.event_crc, *(book.state_hash() for book in engine.books))
for path in sorted(directory.glob("*.[ls][on]*")):
    print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """Guards against a set's order, an address or a clock in the log, a mark or a snapshot."""
    said = []
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        arguments = [sys.executable, "-c", SCRIPT, str(tmp_path / seed)]
        done = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1] == said[2]
    assert ".snap " in said[0]
    assert said[0].count(".log ") > 3


class Digest:
    """The public benchmark's digest of reports, fed with events as they come."""

    def __init__(self, commands: RecordArray) -> None:
        self._commands = commands
        self._digest = ReportDigest()
        self._events: list[RecordArray] = []

    def take(self, events: RecordArray) -> None:
        self._events.append(events.copy())

    def hexdigest(self) -> str:
        self._digest.update(self._commands, np.concatenate(self._events))
        return self._digest.hexdigest()


def crash_and_finish(directory: Path, commands: RecordArray, seed: int, load: Load) -> str:
    """Kill an engine in the middle, recover, go on to the end: the digest of all its reports."""
    draw = Random(seed)
    # It has no commands for longer: however late the kill comes, there is something left to do.
    child = Child(directory, commands[: len(commands) * 4 // 5], load, seed)
    half = draw.uniform(0.3, 0.7) * len(commands) / (load.batch / 2)
    told = child.wait_for(int(half)).kill()
    digest = Digest(commands)
    with PosixStorage(directory) as storage:
        for engine in replay(storage, SortedEngine, genesis=True, events=digest.take).engines:
            engine.close()
    with DurableEngine.open(directory, SortedEngine) as again:
        assert 0 < told[-1].acknowledged <= again.sequence < len(commands)
        for events in iter_events(again, commands[again.sequence :]):
            digest.take(events)
        final = again.snapshot()
    with SortedEngine(capacity=CAPACITY) as oracle:
        for _ in iter_events(oracle, commands):
            pass
        assert final == oracle.snapshot()
    with PosixStorage(directory) as storage:
        sent = hashlib.sha256()
        for batch, _marks in LogReader(storage, "commands").batches():
            batch["sequence"] = 0
            sent.update(batch.tobytes())
    assert sent.digest() == hashlib.sha256(commands.tobytes()).digest()
    return digest.hexdigest()


@pytest.mark.parametrize("seed", [7, 101])
def test_normal_with_a_crash_in_the_middle(tmp_path: Path, seed: int) -> None:
    """Guards against a crash that anyone who reads the reports could notice."""
    load = Load(
        SortedEngine, 64, {"segment_bytes": 1 << 18, "mark_every": 500, "snapshot_every": 1500}
    )
    commands = generate("normal", SMALL_ORDERS, seed)
    assert crash_and_finish(tmp_path, commands, seed, load) == SMALL_DIGESTS["normal", seed]


@pytest.mark.long
def test_the_published_digest_with_a_crash_in_the_middle(tmp_path: Path) -> None:
    """Guards against what shows in two million commands alone."""
    load = Load(SortedEngine, 4096, {"mark_every": 65_536, "snapshot_every": 300_000})
    digest = crash_and_finish(tmp_path, generate("normal", ORDERS), 23, load)
    assert digest == PUBLISHED_DIGESTS["normal"]
