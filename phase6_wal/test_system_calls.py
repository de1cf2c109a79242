"""What an append costs in system calls, counted by strace between two marks of a C program.

=========  ====================================================  =========================
path       what it is                                            calls for one append
=========  ====================================================  =========================
mapped     page-cache, mapped: the default                       none
reserved   the same through ``log_append_reserved``              none
marked     the same, with a mark after each                      none
written    page-cache, written                                   one ``pwrite64``
synced     sync, written                                         and one ``fdatasync``
=========  ====================================================  =========================

The last two are the controls: a count that shows nothing above must show them exactly. Allocations
and page faults are counted by the program itself (c/test_log_hot_path.c), in the plain C tests.
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

#: As the program has it.
APPENDS = 2000
PATHS: dict[str, dict[str, int]] = {
    "mapped": {},
    "reserved": {},
    "marked": {},
    "written": {"pwrite64": APPENDS},
    "synced": {"pwrite64": APPENDS, "fdatasync": APPENDS},
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program, built like any C test; skips where strace may not trace it."""
    source = ROOT / "phase6_wal/c/test_log_hot_path.c"
    built = build_test(ROOT, source, tmp_path_factory.mktemp("log_hot_path"))
    try:
        trace(built, "mapped", Path("/dev/null"))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"strace may not trace here: {error.stderr.strip()}")
    return built


def trace(program: Path, path: str, out: Path) -> None:
    """Run one path under strace."""
    command = ["strace", "-f", "-o", str(out), str(program), path]
    subprocess.run(command, check=True, timeout=120, capture_output=True, text=True)


@pytest.mark.parametrize("path", PATHS)
def test_what_an_append_asks_of_the_kernel(path: str, program: Path, tmp_path: Path) -> None:
    """Guards against a path that enters the kernel, and against a count that cannot tell."""
    out = tmp_path / "trace.txt"
    trace(program, path, out)
    _, between, _ = re.split(r'.*"the path (?:begins|ends)".*', out.read_text())
    calls = Counter(re.findall(r"^\d+ +(\w+)\(", between, re.MULTILINE))
    assert calls == Counter(PATHS[path])
