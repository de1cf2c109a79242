"""A whole diamond killed with SIGKILL, again and again, and gone on with from its two logs.

::

    life 1  ── commands ─▶ log ∥ engine ─▶ event log ─▶ published ──✗ killed
    life 2        recover both logs, redo events, go on ────────────────✗ killed
    ...                                                        life n  ──▶ done

What was published in any life has to be in what the logs give again, byte for byte.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from contract.records import EVENT_DTYPE, RecordArray
from phase4_ring import Pipeline
from phase4_ring.conftest import Child, until
from phase6_wal.conftest import (
    COMMAND_LOG,
    SMALL_EVENT_LOG,
    Run,
    make_run,
    recorded,
    send,
)
from phase6_wal.journal import LogJournal, OutputJournal
from phase6_wal.native import LogWriter, PosixStorage
from phase6_wal.reader import LogReader
from phase6_wal.recovery import recover_log
from phase6_wal.redo import redo_events

ORDERS: Final = 20_000
#: Small batches, so that a kill finds both logs in the middle of something.
AT_ONCE: Final = 20
DURABILITIES: Final = ("page-cache", "group")


# --- what runs in the process that is killed -------------------------------------------------


def trade(run: Run, directory: Path, durability: str, published: Path) -> None:
    """One life: recover, go on with the commands that are not in the log, to the end."""
    with (
        PosixStorage(directory / "commands") as inputs,
        PosixStorage(directory / "events") as outputs,
    ):
        commands, events = recover_log(inputs), recover_log(outputs)
        options = replace(SMALL_EVENT_LOG, durability=durability, group_count=100, group_s=0.001)
        events_log = LogWriter(outputs, options, events.position)
        engine = run.engine()
        if commands.sequence:
            redo_events(engine, LogReader(inputs, "commands"), events_log)
        log = LogWriter(inputs, replace(COMMAND_LOG, durability=durability), commands.position)
        file = os.open(published, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        pipeline = Pipeline(engine, journal=LogJournal(log), commands=256)
        with OutputJournal(
            pipeline, events_log, lambda some: os.write(file, some.tobytes())
        ).start() as output:
            send(pipeline, run.commands[log.sequence :], AT_ONCE)
            output.stop()
            assert engine.state_hash() == run.state_hash
        log.close()
        events_log.close()
    os.close(file)


def nursery(directory: str, durability: str) -> None:
    """Fork a life for each line of input, and say its process; with another line, how it ended."""
    run = make_run(ORDERS)
    print("ready", flush=True)
    while published := sys.stdin.readline().strip():
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                trade(run, Path(directory), durability, Path(published))
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        print(pid, flush=True)
        sys.stdin.readline()
        print(os.waitpid(pid, 0)[1], flush=True)


# --- what holds after each -------------------------------------------------------------------


@pytest.fixture(scope="module")
def run() -> Run:
    """The same in every process: the workload has its seed."""
    return make_run(ORDERS)


@pytest.fixture
def lives() -> Iterator[Callable[..., Child]]:
    """Starts nurseries; ends them, and what they have forked, with the test."""
    children: list[Child] = []

    def start(*arguments: object) -> Child:
        children.append(Child(__name__, "nursery", *arguments))
        children[-1].hear("ready")
        return children[-1]

    yield start
    for child in children:
        child.clear_away()


def published_in(path: Path) -> RecordArray:
    """The whole events in a life's file; a kill may have cut the last write short."""
    data = path.read_bytes() if path.exists() else b""
    return np.frombuffer(data[: len(data) // 64 * 64], EVENT_DTYPE)


def check_logs(run: Run, directory: Path, path: Path) -> int:
    """What must hold after a kill; the last event that was published in that life, or 0."""
    published = published_in(path)
    last = int(published["sequence"][-1]) if len(published) else 0
    first = last - len(published)
    assert published.tobytes() == run.events[first:last].tobytes()
    with (
        PosixStorage(directory / "commands") as inputs,
        PosixStorage(directory / "events") as outputs,
    ):
        for storage in (inputs, outputs):
            recover_log(storage, cut=False)
        commands, events = recorded(inputs, "commands"), recorded(outputs, "events")
    assert commands.tobytes() == run.commands[: len(commands)].tobytes()
    assert events.tobytes() == run.events[: len(events)].tobytes()
    assert last <= len(events) <= run.events_of(len(commands))
    return last


def live_and_die(run: Run, directory: Path, nursery: Child, kills: int, seed: int) -> int:
    """So many lives that are killed, and one that is not; how many kills came amid publishing."""
    chance = random.Random(seed)
    amid = 0
    for life in range(kills):
        path = directory / f"published-{life}"
        nursery.tell(path)
        pid = int(nursery.hear())
        wanted = chance.choice([0, 1, chance.randrange(len(run.events) // kills)])
        if wanted:
            reached = partial(_has, path, wanted * 64)
            until(lambda: reached() or _is_over(pid))  # noqa: B023
        os.kill(pid, signal.SIGKILL)
        nursery.tell("and?")
        assert nursery.hear() in (str(int(signal.SIGKILL)), "0"), "it did not fail by itself"
        amid += 0 < check_logs(run, directory, path) < len(run.events)
    path = directory / "published-last"
    nursery.tell(path)
    nursery.hear()
    nursery.tell("and?")
    nursery.hear("0")
    check_logs(run, directory, path)
    with PosixStorage(directory / "events") as outputs:
        assert recorded(outputs, "events").tobytes() == run.events.tobytes()
    return amid


def _has(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size >= size


def _is_over(pid: int) -> bool:
    """Whether it is a zombie: it was quicker than the kill."""
    return (
        Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    )


@pytest.mark.parametrize("durability", DURABILITIES)
def test_killed_and_gone_on_with(
    run: Run, tmp_path: Path, lives: Callable[..., Child], durability: str
) -> None:
    """Guards: something published that no log gives back; an event log with a hole or another
    event; a second life that numbers anything anew."""
    amid = live_and_die(run, tmp_path, lives(tmp_path, durability), kills=12, seed=1)
    assert amid > 3, "kills that came too early or too late show nothing"


@pytest.mark.long
@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("seed", range(20))
def test_killed_hundreds_of_times(
    run: Run, tmp_path: Path, lives: Callable[..., Child], durability: str, seed: int
) -> None:
    """Guards: as above, at rarer moments: rotation, recovery, the middle of a redo."""
    assert live_and_die(run, tmp_path, lives(tmp_path, durability), kills=25, seed=seed) > 5
