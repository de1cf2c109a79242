"""Suite ``instructions``: the second currency, exact to the last digit and deaf to the neighbours.

Instructions are counted by ``valgrind --tool=cachegrind --cache-sim=no`` on a small driver that
applies the first n commands of a stream. Two lengths are run and subtracted, so that starting
Python, building the book and the warm-up cancel out::

    long:   start · build · warm up · ████████████████   (N commands)
    short:  start · build · warm up · ████               (n commands)
    difference                            ████████████   N − n commands

Valgrind does not know AVX-512: on x86 the extensions are compiled a second time without it, in a
copy of the sources below ``build/``, and everything else as in place. The count is exact for one
interpreter, C library, compiler and processor; it is no measure of time.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from contract.errors import MatchbookError
from contract.messages import DEFAULT_CAPACITY, DEFAULT_MAX_PRICE, DEFAULT_MIN_PRICE
from contract.records import empty_commands
from contract.streams import Stream, shape_stream
from contract.workload import generate
from matchbook.bench import machine
from matchbook.bench.driver import EXTENSIONS
from matchbook.bench.trial import Session, SkippedError
from matchbook.engines import REGISTRY

NAME: Final = "instructions"
TOOL: Final = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_COUNT: Final = re.compile(r"I\s+refs:\s+([\d,]+)")
#: What makes two runs of the same process the same to the last instruction: numpy's pool of
#: threads spins while it waits.
_REPEATABLE: Final = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_X86: Final = ("x86_64", "amd64")
_NO_AVX512: Final = "-mno-avx512f"
#: Commands of the short and of the long run.
_FAST_LENGTHS: Final = (1_000, 41_000)
_SLOW_LENGTHS: Final = (100, 1_100)
_QUICK_LENGTHS: Final = (100, 600)
#: A slow engine's warm-up would take minutes under valgrind.
_SLOW_STREAMS: Final = ("normal",)
_ORDERS: Final = 100_000
_TIMEOUT_S: Final = 900


class Job(NamedTuple):
    """One process to count: an engine, a stream, how many of its commands."""

    stream: str
    engine: str
    commands: int


def run(session: Session) -> dict[str, Any]:
    """Count every engine on every stream; the content of ``instructions.json``.

    Raises:
        SkippedError: valgrind is not here, or the sources are not.
    """
    if shutil.which(TOOL[0]) is None:
        raise SkippedError("instructions need valgrind, which is not installed here")
    if not (machine.ROOT / "cbuild.py").is_file():
        raise SkippedError("instructions need the sources, to compile them for valgrind")
    session.step("compiling the extensions for valgrind")
    extensions, flags = build_extensions()
    streams = make_streams(session.quick)
    jobs = []
    for name in session.engines:
        slow = name in session.slow()
        lengths = _SLOW_LENGTHS if slow else _FAST_LENGTHS
        for stream in _SLOW_STREAMS if slow else streams:
            jobs += [Job(stream, name, n) for n in (_QUICK_LENGTHS if session.quick else lengths)]
    with tempfile.TemporaryDirectory() as folder:
        for saved in streams.values():
            save_stream(Path(folder), saved)
        for job in jobs[::2]:
            run_driver([], job, Path(folder), extensions)  # leaves no bytecode to be written
        counts = count_all(session, jobs, Path(folder), extensions)
    cases: dict[str, Any] = {stream: {"engines": {}} for stream in streams}
    for short, long in zip(jobs[::2], jobs[1::2], strict=True):
        commands = long.commands - short.commands
        cases[short.stream]["engines"][short.engine] = {
            "instructions": (counts[long] - counts[short]) / commands,
            "commands_short": short.commands,
            "commands_long": long.commands,
        }
    return {
        "seed": 1,
        "rounds": 1,
        "noise_floor": 1.0,
        "tool": f"{' '.join(TOOL[:3])} ({machine.first_line([TOOL[0], '--version'])})",
        "counted_flags": flags,
        "cases": {name: case for name, case in cases.items() if case["engines"]},
    }


def make_streams(quick: bool) -> dict[str, Stream]:
    """The streams to count: the three shapes, and the start of the public benchmark's normal."""
    longest = _QUICK_LENGTHS[1] if quick else _FAST_LENGTHS[1]
    normal = generate("normal", 2 * longest if quick else _ORDERS)[:longest]
    shapes = ("A",) if quick else ("A", "B", "C")
    streams = {name: shape_stream(name, longest) for name in shapes}
    limits = (DEFAULT_MIN_PRICE, DEFAULT_MAX_PRICE, DEFAULT_CAPACITY)
    streams["normal"] = Stream("normal", empty_commands(0), normal, *limits)
    return streams


def save_stream(folder: Path, stream: Stream) -> None:
    """Write a stream where the driver finds it."""
    np.savez(
        folder / f"{stream.name}.npz",
        warmup=stream.warmup,
        measured=stream.measured,
        limits=np.array([stream.min_price, stream.max_price, stream.capacity], np.int64),
    )


def count_all(
    session: Session, jobs: Iterable[Job], streams: Path, extensions: Path | None
) -> dict[Job, int]:
    """Count all jobs, as many at a time as there are cores: they do not disturb each other."""

    def count(job: Job) -> tuple[Job, int]:
        session.step(f"{job.stream}: {job.engine}, {job.commands:,} commands")
        return job, count_instructions(job, streams, extensions)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(pool.map(count, jobs))


def count_instructions(job: Job, streams: Path, extensions: Path | None) -> int:
    """Instructions of one whole process.

    Raises:
        MatchbookError: the process failed; with its last words.
    """
    return find_count(run_driver(TOOL, job, streams, extensions))


def find_count(text: str) -> int:
    """The number of instructions in what the tool wrote.

    Raises:
        MatchbookError: there is none.
    """
    found = _COUNT.search(text)
    if found is None:
        raise MatchbookError(f"{' '.join(TOOL)} printed no count of instructions")
    return int(found[1].replace(",", ""))


def run_driver(tool: Sequence[str], job: Job, streams: Path, extensions: Path | None) -> str:
    """Run the driver under a tool, or bare under none; what it wrote to standard error."""
    target = REGISTRY[job.engine].target if job.engine in REGISTRY else job.engine
    stream = str(streams / f"{job.stream}.npz")
    words = ["matchbook.bench.driver", target, stream, str(job.commands)]
    return run_module(tool, words, extensions, f"{job.engine} on {job.stream}")


def run_module(
    tool: Sequence[str], words: Sequence[str], extensions: Path | None, what: str
) -> str:
    """Run a module and its arguments under a tool; what it wrote to standard error.

    Raises:
        MatchbookError: it failed; with ``what`` and its last words.
    """
    environment = {**os.environ, **_REPEATABLE}
    if extensions is not None:
        environment[EXTENSIONS] = str(extensions)
    result = subprocess.run(
        [*tool, sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_S,
        check=False,
        cwd=machine.ROOT,
        env=environment,
    )
    if result.returncode != 0:
        # Its own lines begin with the process number; what else there is comes from the driver.
        lines = [line for line in result.stderr.splitlines() if line and line[0] not in "=-"]
        raise MatchbookError(f"{what}: {lines[-1] if lines else 'no message'}")
    return result.stderr


def build_extensions() -> tuple[Path | None, str]:
    """Compile the extensions without AVX-512; where they are, and the flag that made the change.

    A copy of the sources is built, so that the flags on record for those in place stay.

    Raises:
        MatchbookError: the compiler refused.
    """
    if platform.machine().lower() not in _X86:
        return None, "as in place"
    copy = machine.ROOT / "build" / "valgrind"
    for script in machine.ROOT.glob("*/_build.py"):
        package = script.parent
        shutil.copytree(
            package,
            copy / package.name,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("*.so", "__pycache__", "test_*.py", "mutants"),
        )
    for name in ("cbuild.py", "setup.py"):
        shutil.copy2(machine.ROOT / name, copy / name)
    result = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        cwd=copy,
        env={**os.environ, "CFLAGS": f"{os.environ.get('CFLAGS', '')} {_NO_AVX512}".strip()},
    )
    if result.returncode != 0:
        words = result.stderr.strip().splitlines() or ["no message"]
        raise MatchbookError(f"compiling for valgrind: {words[-1]}")
    return copy, f"as in place, and {_NO_AVX512}"
