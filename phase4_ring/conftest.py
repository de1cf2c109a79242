"""Names in shared memory and child processes, both gone when the test is over, however it ends."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from phase4_ring.region import Region
from phase4_ring.shared_names import RingMissingError

ROOT = Path(__file__).resolve().parent.parent
#: No answer takes as long, unless none comes.
TIME_LIMIT_S = 60.0

#: How a child finds the repository (its first argument), and the extensions of another build, if
#: the parent tests one: conftest.py of the root knows how.
BOOT = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
built = os.environ.get("MATCHBOOK_EXTENSIONS")
if built:
    from conftest import ExtensionsFrom
    sys.meta_path.insert(0, ExtensionsFrom(pathlib.Path(built).resolve()))
"""
_ROLE = """
import importlib
module, role, *arguments = sys.argv[2:]
getattr(importlib.import_module(module), role)(*arguments)
"""

_numbers = itertools.count()


@pytest.fixture
def fresh_name() -> Iterator[Callable[[], str]]:
    """Makes names that nobody else on this machine has; unlinks them at the end."""
    given: list[str] = []

    def make() -> str:
        given.append(f"t.{os.getpid()}.{next(_numbers)}")
        return given[-1]

    yield make
    for name in given:
        with suppress(RingMissingError):
            Region.unlink(name)


def until(condition: Callable[[], bool]) -> None:
    """Let other threads run until it holds; a test that would hang fails instead."""
    end = time.monotonic() + TIME_LIMIT_S
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        os.sched_yield()


class Child:
    """A Python process that runs one function, and talks line by line.

    Args:
        module: where the function is, as it is imported.
        role: the function; ``arguments`` are handed to it as strings.
    """

    def __init__(self, module: str, role: str, *arguments: object) -> None:
        self.role = role
        self._heard = b""
        self._process = subprocess.Popen(
            [sys.executable, "-c", BOOT + _ROLE, ROOT, module, role, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid

    def tell(self, line: object) -> None:
        """Say a line to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def hear(self, expected: str | None = None) -> str:
        """The next line it says; with ``expected``, no other will do."""
        assert self._process.stdout is not None
        end = time.monotonic() + TIME_LIMIT_S
        while b"\n" not in self._heard:
            ready, _, _ = select.select([self._process.stdout], [], [], end - time.monotonic())
            assert ready, f"{self.role} {self.pid} has said nothing for {TIME_LIMIT_S} s"
            some = os.read(self._process.stdout.fileno(), 1 << 16)
            assert some, f"{self.role} {self.pid} has ended after saying {self._heard!r}"
            self._heard += some
        line, self._heard = self._heard.split(b"\n", 1)
        if expected is not None:
            assert line.decode() == expected
        return line.decode()

    def end(self) -> None:
        """Wait until it has ended, and well."""
        assert self._process.wait(TIME_LIMIT_S) == 0, self.role

    def kill(self, *, reap: bool = True) -> None:
        """Kill it, now; without ``reap`` it stays a zombie, where there is a way to see one."""
        os.kill(self.pid, signal.SIGKILL)
        if reap or sys.platform != "linux":
            self._process.wait(TIME_LIMIT_S)
        else:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def stop(self) -> None:
        """Pause it, until ``go_on``."""
        os.kill(self.pid, signal.SIGSTOP)
        if sys.platform == "linux":
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        """Let a paused one run again."""
        os.kill(self.pid, signal.SIGCONT)

    def clear_away(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


@pytest.fixture
def spawn(request: pytest.FixtureRequest) -> Iterator[Callable[..., Child]]:
    """Starts children that run functions of the test's own module; kills them at the end."""
    children: list[Child] = []

    def start(role: Callable[..., None], *arguments: object) -> Child:
        children.append(Child(request.module.__name__, role.__name__, *arguments))
        return children[-1]

    yield start
    for child in children:
        child.clear_away()
