"""The contract for rings, against both rings of this phase, private and in shared memory.

The long runs at the end are the rings' endurance: a thousand million records through the SPSC
ring and a hundred million through the sequencer, every one of them looked at.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cbuild import ROOT
from contract.ring import Rows
from contract.ring_suite import (
    ClaimRules,
    CloseRules,
    ManyProducerRules,
    PeekRules,
    RingContract,
    ThreadRules,
)
from contract.ring_suite.threads import let_others_run
from phase4_ring.ring import SpscRing
from phase4_ring.sequencer import Sequencer
from tools.ctest import build_test

_numbers = itertools.count()


def fresh_name() -> str:
    """A name for shared memory that nobody else on this machine has."""
    return f"ringtest-{os.getpid()}-{next(_numbers)}"


class TestSpscRing(RingContract, ClaimRules, PeekRules):
    def make(self, capacity: int, start: int) -> Any:
        return SpscRing(capacity, start=start)

    def dispose(self, ring: Any) -> None:
        ring.detach()


class TestSpscRingThatYields(CloseRules, ThreadRules):
    """What a wait strategy changes: the ends, and threads."""

    wait: ClassVar[str] = "yield"

    def make(self, capacity: int, start: int) -> Any:
        return SpscRing(capacity, wait=self.wait, start=start)

    def dispose(self, ring: Any) -> None:
        ring.detach()


class TestSpscRingThatSpins(TestSpscRingThatYields):
    wait = "spin"
    records = 300  # on a busy machine who spins takes the core from who is waited for


class TwoMappings:
    """A ring in shared memory, pushed into by one mapping and popped from by another."""

    def __init__(self, capacity: int, start: int) -> None:
        name = fresh_name()
        self._in = SpscRing.create(name, capacity, start=start)
        self._out = SpscRing.attach(name)
        SpscRing.unlink(name)
        self.capacity = self._out.capacity
        self.push, self.claim, self.commit = self._in.push, self._in.claim, self._in.commit
        self.pop, self.peek, self.release = self._out.pop, self._out.peek, self._out.release
        self.wait_space, self.close = self._in.wait_space, self._in.close
        self.wait_items = self._out.wait_items

    head = property(lambda self: self._out.head)
    tail = property(lambda self: self._in.tail)
    closed = property(lambda self: self._out.closed)

    def __len__(self) -> int:
        return len(self._out)

    def check(self) -> None:
        self._in.check()
        self._out.check()

    def detach(self) -> None:
        self._in.detach()
        self._out.detach()


class TestSpscRingByTwoMappings(RingContract, ClaimRules, PeekRules):
    def make(self, capacity: int, start: int) -> Any:
        return TwoMappings(capacity, start)

    def dispose(self, ring: Any) -> None:
        ring.detach()


class JoinedSequencer:
    """A sequencer as a ring: one consumer, one producer that is always there, and more."""

    def __init__(self, sequencer: Sequencer) -> None:
        self.sequencer = sequencer
        self.capacity = sequencer.capacity
        self._consumer = sequencer.add_consumer()
        self._producer = sequencer.producer(tries=2)
        self.push = self._producer.push
        self.peek, self.release = self._consumer.peek, self._consumer.advance
        self.wait_items = self._consumer.wait
        self.close, self.check = sequencer.close, sequencer.check

    head = property(lambda self: self.sequencer.claimed)
    tail = property(lambda self: self.sequencer.gate)
    closed = property(lambda self: self.sequencer.closed)

    def __len__(self) -> int:
        return len(self.sequencer)

    def pop(self, most: int) -> Rows:
        return self._consumer.pop(most)

    def producer(self) -> Any:
        return self.sequencer.producer(tries=2)

    def wait_space(self, timeout_s: float | None = None) -> bool:
        """A sequencer refuses, and waiting is its caller's choice: here by yielding."""
        end = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        while not self.sequencer.closed:
            if len(self) < self.capacity:
                return True
            if time.monotonic() >= end:
                return False
            let_others_run(1)
        return False


class TestSequencer(RingContract, ManyProducerRules, PeekRules):
    numbers = True

    def make(self, capacity: int, start: int) -> Any:
        return JoinedSequencer(Sequencer(capacity, start=start))

    def dispose(self, ring: Any) -> None:
        ring.sequencer.detach()


class TestSequencerThatYields(CloseRules, ThreadRules, ManyProducerRules):
    """What a wait strategy changes: the ends, and threads."""

    numbers = True

    def make(self, capacity: int, start: int) -> Any:
        return JoinedSequencer(Sequencer(capacity, wait="yield", start=start))

    def dispose(self, ring: Any) -> None:
        ring.sequencer.detach()


class TestSharedSequencer(TestSequencer):
    """In shared memory."""

    def make(self, capacity: int, start: int) -> Any:
        name = fresh_name()
        sequencer = Sequencer.create(name, capacity, start=start)
        Sequencer.unlink(name)
        return JoinedSequencer(sequencer)


@pytest.mark.long
@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("test_spsc_stress", "long-copy: 1000000000 records, checksums equal"),
        ("test_sequencer_stress", "long-copy: 100000002 records, checksums equal"),
        ("test_graph_stress", "long-diamond: 20000000 records, checksums equal"),
    ],
)
def test_endurance(
    test: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards against what goes wrong once in a thousand million times."""
    program = build_test(ROOT, ROOT / "phase4_ring" / "c" / f"{test}.c", tmp_path)
    seed = f"--seed={time.time_ns() % 2**32}"
    lines = []
    with (
        capsys.disabled(),
        subprocess.Popen([program, "--long", seed], stdout=subprocess.PIPE, text=True) as run,
    ):
        assert run.stdout is not None
        for line in run.stdout:  # as it comes: it takes a while, and says how far it is
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line)
    assert run.returncode == 0, "".join(lines)
    assert said in "".join(lines)
