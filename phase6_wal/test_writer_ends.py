"""Whose a writer is: lent to a thread, forked, forgotten in a cycle, closed too early."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from contract import Side, new
from contract.messages import Command
from contract.records import RecordArray, to_command_array
from phase3_sorted import Engine
from phase4_ring import Pipeline
from phase4_ring.conftest import TIME_LIMIT_S
from phase6_wal.engine import DurableEngine
from phase6_wal.errors import LogInUseError
from phase6_wal.journal import LogJournal
from phase6_wal.native import LogOptions, LogWriter, PosixStorage
from phase6_wal.native_sim import SimStorage

SMALL: Final = LogOptions(segment_bytes=1 << 16)


def bid(number: int = 1) -> Command:
    return new(number, Side.BID, 100, 5)


def bids(count: int) -> RecordArray:
    return to_command_array(bid(1 + n) for n in range(count))


def test_a_writer_that_a_pipeline_has(tmp_path: Path) -> None:
    """Guards against two threads in one writer: one of a pipeline's, and one from Python."""
    with PosixStorage(tmp_path) as storage:
        log = LogWriter(storage, SMALL)
        log.append(bids(3))
        pipeline = Pipeline(Engine(capacity=100), journal=LogJournal(log))
        pipeline.start()
        for change in (
            lambda: log.append(bids(1)),
            lambda: log.append_reserved(bids(1)),
            lambda: log.put(bids(1)),
            log.settle,
            log.flush,
            log.poll,
            lambda: log.withdraw(1),
            lambda: log.release(1),
            lambda: log.position,
            lambda: log.chain,
            log.close,
            log.abandon,
        ):
            with pytest.raises(ValueError, match="a pipeline writes to this log"):
                change()
        pipeline.producer().push(bids(2))
        assert len(pipeline.receive(timeout_s=TIME_LIMIT_S))
        pipeline.stop(TIME_LIMIT_S)
        log.flush()
        assert log.sequence == log.durable == 5
        pipeline.close()
        log.append(bids(1))
        log.close()
        with pytest.raises(ValueError, match="this log is closed"):
            Pipeline(Engine(capacity=100), journal=pipeline.journal)


def test_a_writer_is_lent_once(tmp_path: Path) -> None:
    """Guards against two journals of one log, whose pipelines know nothing of each other."""
    with PosixStorage(tmp_path) as storage, LogWriter(storage, SMALL) as log:
        journal = LogJournal(log)
        with pytest.raises(ValueError, match="lent already"):
            LogJournal(log)
        del journal
        LogJournal(log)


def test_an_engine_whose_log_was_closed(tmp_path: Path) -> None:
    """Guards against commands for a writer that has been freed."""
    engine = DurableEngine.create(tmp_path, [Engine(capacity=100)], segment_bytes=1 << 16)
    engine.apply(bid())
    engine.log.close()
    with pytest.raises(ValueError, match="this log is closed"):
        engine.apply(bid(2))
    engine._forgotten()
    with DurableEngine.open(tmp_path, Engine, segment_bytes=1 << 16) as again:
        assert again.sequence == 1


def test_a_writer_beside_a_living_one() -> None:
    """Guards against two writers of one log through one storage, whose lock lets both in."""
    disk = SimStorage(1)
    with LogWriter(disk, SMALL) as log:
        log.append(bids(3))
        with pytest.raises(LogInUseError):
            LogWriter(disk, SMALL, log.position)
        log.append(bids(3))


# ASan's allocator has locks of its own, which a fork copies as another thread holds them.
@pytest.mark.release_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_writer_in_a_fork(tmp_path: Path) -> None:
    """Guards against a child that waits at its end for a thread which only its parent has."""
    program = f"""
import os, sys
from contract import Side, new
from phase3_sorted import Engine
from phase6_wal.engine import DurableEngine
engine = DurableEngine.create({str(tmp_path)!r}, [Engine(capacity=100)], segment_bytes=1 << 16)
engine.apply(new(1, Side.BID, 100, 5))
child = os.fork()
if child == 0:
    try:
        engine.apply(new(2, Side.BID, 100, 5))
    except ValueError as refused:
        sys.exit(0 if "not in its fork" in str(refused) else 2)
    sys.exit(3)
_, status = os.waitpid(child, 0)
engine.apply(new(3, Side.BID, 100, 5))
engine.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=TIME_LIMIT_S, check=False)
    assert ended.returncode == 0
    with DurableEngine.open(tmp_path, Engine, segment_bytes=1 << 16) as again:
        assert again.sequence == 2


@pytest.mark.release_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_scratch_directory_in_a_fork() -> None:
    """Guards against a child that takes its parent's log away when it ends."""
    program = """
import os, sys
from pathlib import Path
from phase6_wal import Engine
engine = Engine()
child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
is_there = engine.log.storage.directory.exists()
engine.close()
sys.exit(not is_there or engine.log.storage.directory.exists())
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=TIME_LIMIT_S, check=False)
    assert ended.returncode == 0


_CYCLES: Final = """
import gc, pathlib, sys
from phase6_wal.native import LogWriter, PosixStorage
from phase6_wal.reader import LogReader
from phase6_wal.test_writer_ends import SMALL, bids
directory = pathlib.Path(sys.argv[1])
for _ in range(10):
    storage = PosixStorage(directory)
    log = LogWriter(storage, SMALL)
    log.append(bids(3))
    batches = LogReader(storage, "commands").batches()
    next(batches)
    log.cycle = [storage, log, batches]
    del storage, log, batches
    gc.collect()
    for path in directory.iterdir():
        path.unlink()
"""


def test_what_is_forgotten_in_a_cycle(tmp_path: Path) -> None:
    """Guards against a writer or a reader that the collector ends on a storage it has freed."""
    environment = {**os.environ, "MALLOC_PERTURB_": "165"}  # glibc: what is freed is overwritten
    ended = subprocess.run(
        [sys.executable, "-c", _CYCLES, tmp_path],
        env=environment,
        timeout=TIME_LIMIT_S,
        capture_output=True,
        check=False,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
