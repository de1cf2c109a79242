"""What kind of file system a path lies on: what a sync means depends on it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 20


def file_system(path: Path) -> str:
    """The kind of file system that a path lies on, such as ``ext4``, or ``unknown``."""
    mounts = Path("/proc/self/mounts")
    if not mounts.is_file():  # macOS: "/dev/disk3s1 on / (apfs, sealed, local)"
        device = _output("df", "-P", str(path)).splitlines()[-1:]
        start = f"{device[0].split()[0]} on " if device else "nothing"
        lines = [line for line in _output("mount").splitlines() if line.startswith(start)]
        return lines[-1].rpartition("(")[2].partition(",")[0].strip(")") if lines else "unknown"
    kinds = {}
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, mounted, kind, *_ = line.split()
        kinds[mounted.replace("\\040", " ")] = kind  # the last one mounted there is the one seen
    for parent in (path.resolve(), *path.resolve().parents):
        if str(parent) in kinds:
            return kinds[str(parent)]
    return "unknown"


def _output(*command: str) -> str:
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout if result.returncode == 0 else ""
