"""The hot path does not enter the kernel: counted with strace between two marks in a C program.

``c/test_hot_path.c`` moves its records from one thread to the other, and makes a system call
that does nothing before the first and after the last of them. What strace shows in between, of
whatever thread, belongs to the path. Threads start before the first mark and end after the second.

==========  ============  ================================================================
strategy    hand-over     system calls
==========  ============  ================================================================
``spin``    busy or idle  none, on either side
``yield``   busy          none: whoever finds something does not wait
..          idle          a ``sched_yield`` for each look in vain; of the other side none
``park``    busy          none: nobody sleeps, and a look for sleepers is a load
..          idle          of who waits 16 ``sched_yield``, then a ``futex`` for every 10 ms
                          of sleep; of the other side one ``futex`` for each time it wakes
==========  ============  ================================================================

The calls of the idle rows are counted below too: a counter that shows none must show some there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from cbuild import ROOT
from tools.ctest import build_test

# A sanitizer's runtime has calls of its own.
pytestmark = [
    pytest.mark.release_only,
    pytest.mark.skipif(sys.platform != "linux", reason="strace is a tool of Linux"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

PROGRAM = Path("phase4_ring/c/test_hot_path.c")
#: As the program has it: records it hands to somebody who waits for each of them.
TRIPS = 50
YIELDS_BEFORE_PARK = 16
#: A path that entered the kernel would do so in every run; a thread that lost its core for 10 ms
#: with a claim unpublished makes the match stage look whether its process has died, in one.
ATTEMPTS = 3

#: ``PID call(``: where a call begins. Where one "resumes" it has been counted already.
CALL = re.compile(r"(\d+) +(\w+)\(")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program, built like any C test; skips where strace may not trace it."""
    built = build_test(ROOT, ROOT / PROGRAM, tmp_path_factory.mktemp("hot_path"))
    probe = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", built, "clock"],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode != 0:
        pytest.skip(f"strace may not trace here: {probe.stderr.strip()}")
    return built


def calls_on(program: Path, path: str, out: Path) -> dict[int, Counter[str]]:
    """System calls between the marks, by thread: in the order in which threads first made one."""
    trace = out / "trace.txt"
    subprocess.run(["strace", "-f", "-o", trace, program, path], check=True, timeout=120)
    return count_calls(trace.read_text())


def count_calls(trace: str) -> dict[int, Counter[str]]:
    """What a trace shows between ``"the path begins"`` and ``"the path ends"``."""
    found: dict[int, Counter[str]] = {}
    marks = 0
    for line in trace.splitlines():
        if '"the path begins"' in line or '"the path ends"' in line:
            marks += 1
        elif marks == 1 and (call := CALL.match(line)):
            found.setdefault(int(call[1]), Counter())[call[2]] += 1
    assert marks == 2, f"{marks} marks in the trace"
    return found


def test_calls_are_counted_between_the_marks_alone() -> None:
    """Guards against a count that is zero because nothing is counted."""
    trace = """\
7 mmap(NULL, 8192) = 0x7f
7 write(-1, "the path begins", 15 <unfinished ...>
8 futex(0x7f, FUTEX_WAIT, 3 <unfinished ...>
7 <... write resumed>) = -1 EBADF (Bad file descriptor)
7 sched_yield() = 0
8 <... futex resumed>) = 0
8 futex(0x7f, FUTEX_WAIT, 3) = 0
7 write(-1, "the path ends", 13) = -1 EBADF (Bad file descriptor)
7 munmap(0x7f, 8192) = 0
"""
    assert count_calls(trace) == {8: Counter(futex=2), 7: Counter(sched_yield=1)}


@pytest.mark.parametrize("path", ["spsc", "sequencer", "pipeline"])
def test_a_busy_path_makes_no_call(path: str, program: Path, tmp_path: Path) -> None:
    """Guards against a hand-over, a wait or a counter that asks the kernel for anything.

    Each path moves 200,000 records, both of whose ends spin when they find nothing.
    """
    if path == "pipeline" and calls_on(program, "clock", tmp_path):
        pytest.skip("this machine's clock cannot be read without a system call")
    runs: list[dict[int, Counter[str]]] = []
    while len(runs) < ATTEMPTS and not (runs and not runs[-1]):
        runs.append(calls_on(program, path, tmp_path))
    assert {} in runs, f"system calls in each of {ATTEMPTS} runs: {runs}"


def test_who_parks_and_who_wakes(program: Path, tmp_path: Path) -> None:
    """Guards against a sleeper nobody wakes, a wake-up for nobody, and a blind counter."""
    threads = calls_on(program, "park", tmp_path).values()
    waker, sleeper = sorted(threads, key=lambda calls: calls["sched_yield"])
    assert waker == Counter(futex=TRIPS), "one for each time that somebody slept"
    assert sleeper.keys() == {"futex", "sched_yield"}
    assert sleeper["sched_yield"] == YIELDS_BEFORE_PARK * TRIPS
    assert sleeper["futex"] >= TRIPS


def test_who_yields(program: Path, tmp_path: Path) -> None:
    """Guards against a yielding wait that sleeps, or costs the other side anything."""
    [(_, calls)] = calls_on(program, "yield", tmp_path).items()
    assert calls.keys() == {"sched_yield"}
    assert calls["sched_yield"] >= TRIPS, "it waited each time, long enough to yield"
