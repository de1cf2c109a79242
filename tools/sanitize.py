"""Run Python tests against extensions built with ASan and UBSan: ``python -m tools.sanitize DIR…``.

The extensions are built a second time, below ``build/sanitize``, and conftest.py makes the
tests import those. The interpreter itself is not instrumented, so the sanitizers' libraries
are preloaded, Python's own allocator is replaced by malloc (or ASan would see none of it),
and leaks, of which an interpreter has many on purpose, are not reported.
"""

import os
import subprocess
import sys
from pathlib import Path

from cbuild import ROOT
from tools.ctest import compiler_command

LIBRARIES = ("libasan.so", "libubsan.so")
SELECTION = "not long and not shared_data and not release_only and not interop"


def find_libraries(compiler: list[str]) -> list[str]:
    """Absolute paths of the sanitizers' shared libraries, as the compiler finds them.

    Raises:
        FileNotFoundError: this compiler has none; it is not gcc.
    """
    found = []
    for library in LIBRARIES:
        command = [*compiler, f"-print-file-name={library}"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if not Path(path).is_absolute():
            raise FileNotFoundError(f"{compiler[0]} has no {library}. Mend: CC=gcc make sanitize")
        found.append(str(Path(path).resolve()))
    return found


def main(paths: list[str]) -> int:
    """Build, then run pytest on ``paths``; the exit status is pytest's."""
    if sys.platform != "linux":
        print("not run: preloading a sanitizer into Python is done on Linux with gcc only")
        return 0
    out = ROOT / "build" / "sanitize"
    environment = {**os.environ, "MATCHBOOK_SANITIZE": "address"}
    build = ["setup.py", "--quiet", "build_ext"]
    build += ["--build-lib", str(out / "lib"), "--build-temp", str(out / "temp")]
    subprocess.run([sys.executable, *build], cwd=ROOT, env=environment, check=True)
    environment |= {
        "MATCHBOOK_EXTENSIONS": str(out / "lib"),
        "LD_PRELOAD": " ".join(find_libraries(compiler_command())),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "PYTHONMALLOC": "malloc",
    }
    # A sanitizer ends the process: its report would be lost in what pytest captures from stderr.
    tests = ["-m", "pytest", "--capture=sys", "-m", SELECTION, "--timeout", "1200"]
    # Side by side, and not for speed alone: under malloc one long process grows slow with age.
    tests += ["-n", str(os.cpu_count() or 1)]
    return subprocess.run(
        [sys.executable, *tests, *paths], cwd=ROOT, env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
