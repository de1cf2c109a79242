"""kill -9, again and again: everything acknowledged is there, and the engine is what it was.

The oracle is phase 3's book, fed with the commands that a recovery gave back (phase 1's, once a
test: it is slow). Whatever is lost must be a tail, and none of it may have been acknowledged.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import pytest

from contract.batching import apply_all
from contract.records import RecordArray
from contract.workload import generate
from phase1_domain import Engine as Specification
from phase3_sorted import Engine as SortedEngine
from phase6_wal.crash_child import CAPACITY, Child, Load, Told, open_or_create
from phase6_wal.native import PosixStorage, crc32c
from phase6_wal.reader import LogReader
from phase6_wal.recovery import recover_log
from phase6_wal.replay import replay

#: Small, so that there is always a segment being made, begun, filled up or let go.
SEGMENT_BYTES: Final = 64 << 10
MODES: Final = ("none", "page-cache", "group", "sync")
METHODS: Final = ("mapped", "written")
#: Each mode keeps its promise from here on.
DURABLE: Final = MODES[1:]


@pytest.fixture(scope="module")
def commands() -> RecordArray:
    return generate("normal", orders=60_000, seed=7)


def load_of(durability: str, method: str | None = None, **options: Any) -> Load:
    options = {"segment_bytes": SEGMENT_BYTES, "mark_every": 256, **options}
    batch = 20 if durability == "sync" else 200
    return Load(SortedEngine, batch, {"durability": durability, "method": method, **options})


def run_and_kill(
    directory: Path, commands: RecordArray, load: Load, draw: Random, most_messages: int = 60
) -> Told:
    """A child's life, ended at a random moment; what it told last."""
    child = Child(directory, commands, load, draw.getrandbits(32))
    child.wait_for(draw.randint(0, most_messages))
    for _ in range(draw.randint(0, 20_000)):
        pass  # it goes on meanwhile: the kill comes somewhere within a batch
    told = child.kill()
    return Told(max((t.sequence for t in told), default=0), max((t[1] for t in told), default=0))


def recovered(directory: Path) -> tuple[int, RecordArray, str, int]:
    """What a recovery would find, changing nothing: sequence, commands, state hash, event CRC."""
    with PosixStorage(directory) as storage:
        found = recover_log(storage, cut=False)
        batches = [batch for batch, _marks in LogReader(storage, "commands").batches()]
        again = replay(storage, SortedEngine)
        [book] = again.engines
        state = book.state_hash()
        book.check()
        book.close()
    assert again.sequence == found.sequence
    there = np.concatenate(batches) if batches else np.empty(0, generate("static", 1).dtype)
    return found.sequence, there, state, again.event_crc


def check_recovered(
    directory: Path, commands: RecordArray, told: Told, seed: int, oracle: Any = SortedEngine
) -> int:
    """What was acknowledged is there, as it was sent, and the engine is the oracle's; how much."""
    if told.acknowledged == 0 and not any(directory.glob("*.snap")):
        return 0  # killed before there was a log
    sequence, there, state, event_crc = recovered(directory)
    assert sequence >= told.acknowledged, f"seed {seed}: acknowledged and lost"
    sent = commands[:sequence].copy()
    sent["sequence"] = np.arange(1, sequence + 1)
    assert there.tobytes() == sent.tobytes(), f"seed {seed}: other commands than were sent"
    with oracle(capacity=CAPACITY) as book:
        events = apply_all(book, sent)
        assert book.state_hash() == state, f"seed {seed}: another state than the oracle's"
    assert crc32c(events.tobytes()) == event_crc, f"seed {seed}: other events than the oracle's"
    return sequence


def cycles(
    directory: Path,
    commands: RecordArray,
    load: Load,
    seed: int,
    count: int,
    most_messages: int = 60,
) -> int:
    """Kill so many children, each going on from what the one before left; the last sequence."""
    draw = Random(seed)
    sequence = 0
    for cycle in range(count):
        told = run_and_kill(directory, commands, load, draw, most_messages)
        oracle = Specification if cycle == count // 2 else SortedEngine
        reached = check_recovered(directory, commands, told, seed, oracle)
        assert reached >= sequence, f"seed {seed}: what was recovered once is gone the next time"
        sequence = reached
        if sequence == len(commands):
            break
    with open_or_create(directory, load) as engine:
        assert engine.sequence == sequence
    with open_or_create(directory, load) as engine:  # recovering twice is recovering once
        assert engine.sequence == sequence
        assert engine.recovery is not None
        assert engine.recovery.dropped is None
    return sequence


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("durability", DURABLE)
def test_nothing_acknowledged_is_lost(
    tmp_path: Path, commands: RecordArray, durability: str, method: str
) -> None:
    """Guards against an acknowledgement before the append, and a torn end taken for damage."""
    seed = 11
    assert cycles(tmp_path, commands, load_of(durability, method), seed, count=6) > 0


@pytest.mark.parametrize("durability", DURABLE)
def test_killed_during_snapshots_and_rotation(
    tmp_path: Path, commands: RecordArray, durability: str
) -> None:
    """Guards against a snapshot or a segment that is half there and taken for whole."""
    load = load_of(durability, snapshot_every=150, segment_bytes=16 << 10)
    assert cycles(tmp_path, commands, load, seed=12, count=10, most_messages=16) > 0


@pytest.mark.parametrize("durability", DURABLE)
def test_killed_during_recovery(tmp_path: Path, commands: RecordArray, durability: str) -> None:
    """Guards against a recovery that can be done once only: cut, zeroed, renamed by half."""
    seed = 13
    draw = Random(seed)
    load = load_of(durability, snapshot_every=700)
    told = run_and_kill(tmp_path, commands, load, draw, most_messages=60)
    for _ in range(8):
        again = run_and_kill(tmp_path, commands, load, draw, most_messages=0)
        told = max(told, again)
        check_recovered(tmp_path, commands, told, seed)


def test_trimmed_while_it_is_killed(tmp_path: Path, commands: RecordArray) -> None:
    """Guards against a segment let go that the oldest kept snapshot still needs."""
    seed = 14
    draw = Random(seed)
    load = load_of("group", snapshot_every=500, trim=True, segment_bytes=16 << 10)
    for _ in range(8):
        told = run_and_kill(tmp_path, commands, load, draw)
        with (
            open_or_create(tmp_path, load) as engine,
            SortedEngine(capacity=CAPACITY) as book,
        ):
            assert engine.sequence >= told.acknowledged, f"seed {seed}: acknowledged and lost"
            events = apply_all(book, commands[: engine.sequence])
            assert engine.state_hash() == book.state_hash()
            assert engine.event_crc == crc32c(events.tobytes())


def test_without_a_promise_something_is_lost(tmp_path: Path, commands: RecordArray) -> None:
    """Guards against a test that could not see a loss; what is left is a prefix all the same."""
    seed = 15
    draw = Random(seed)
    lost = 0
    for cycle in range(6):
        directory = tmp_path / str(cycle)
        told = run_and_kill(directory, commands, load_of("none", buffer_bytes=1 << 16), draw)
        left = check_recovered(directory, commands, told._replace(acknowledged=0), seed)
        lost += told.acknowledged > left
    assert lost


def test_an_early_acknowledgement_is_caught(tmp_path: Path, commands: RecordArray) -> None:
    """Guards against a test that would pass an engine which tells before it logs."""
    draw = Random(16)
    for cycle in range(100):
        directory = tmp_path / str(cycle)
        load = Load(SortedEngine, 5000, {"durability": "page-cache"}, told_early=True)
        told = run_and_kill(directory, commands, load, draw, most_messages=6)
        if any(directory.glob("*.snap")) and recovered(directory)[0] < told.acknowledged:
            return
    pytest.fail("a hundred early acknowledgements, and none was seen to be wrong")


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("durability", DURABLE)
@pytest.mark.parametrize("snapshot_every", [0, 300])
def test_hundreds_of_kills(
    tmp_path: Path, durability: str, method: str, snapshot_every: int
) -> None:
    """Guards against what six kills do not hit."""
    seed = Random().getrandbits(32)
    print("seed", seed)
    draw = Random(seed)
    commands = generate("normal", orders=60_000, seed=draw.getrandbits(32))
    for number in range(10):
        load = load_of(durability, method, snapshot_every=snapshot_every)
        cycles(tmp_path / str(number), commands, load, draw.getrandbits(32), count=12)
