"""Where a measurement was made: machine, compiler, commit. And staying on one core of it."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
_COMMAND_TIMEOUT_S: Final = 20


def describe() -> dict[str, Any]:
    """The facts of this machine, this interpreter and this checkout that a receipt names."""
    cores = os.cpu_count() or 1
    cpu = cpu_model()
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return {
        "machine": f"{cpu}, {cores} {'core' if cores == 1 else 'cores'}, {system}",
        "cpu": cpu,
        "cores": cores,
        "os": system,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": compiler(),
        "flags": compiler_flags(),
        "commit": commit(),
    }


def cpu_model() -> str:
    """The processor as it names itself; its architecture where it does not."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    if sys.platform == "darwin":
        named = first_line(["sysctl", "-n", "machdep.cpu.brand_string"])
        if named:
            return named
    return platform.processor() or platform.machine()


def compiler_command() -> list[str]:
    """The C compiler: ``CC``, or the one this Python was built with."""
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def compiler() -> str:
    """The first line of the compiler's version, or ``unknown``."""
    return first_line([*compiler_command()[:1], "--version"]) or "unknown"


def compiler_flags() -> str:
    """The flags the extensions here were compiled with, as their build wrote them down."""
    record = ROOT / "build" / "flags" / "release" / "phase3_sorted._sorted.txt"
    if not record.is_file():
        return "unknown"
    lines = record.read_text(encoding="utf-8").splitlines()
    return " ".join(line for line in lines if line)


def commit() -> str:
    """The commit of this checkout, ``+dirty`` if a tracked or new file differs, or ``unknown``.

    Results files do not count: a run that writes several of them makes none of them dirty.
    """
    head = first_line(["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"])
    if not head:
        return "unknown"
    changed = _output(
        ["git", "-C", str(ROOT), "status", "--porcelain", "--", ".", ":!docs/results", ":!docs/img"]
    )
    return f"{head}+dirty" if changed else head


def memory_bytes() -> int:
    """How much memory the machine has, 0 where that cannot be asked."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


@contextmanager
def pinned() -> Iterator[int | None]:
    """Stay on the last core this process may use, where the platform allows; yields its number."""
    if sys.platform != "linux":
        yield None
        return
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)


def first_line(command: list[str]) -> str:
    """The first line of what a command prints, empty if it cannot be run."""
    return _output(command).partition("\n")[0].strip()


def _output(command: list[str]) -> str:
    """What a command prints, or nothing if it is not there or fails."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout if result.returncode == 0 else ""
