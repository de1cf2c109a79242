"""Say what is missing before anything is built, one line each, with how to mend it.

``make`` runs this with whatever ``python3`` it finds, so it keeps to what Python 3.6 understands.
"""

import os
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

NEEDED = (3, 11)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")


def complaints() -> "list[str]":
    """What stands in the way of building here, as lines for a person; empty when nothing does."""
    if sys.version_info[:2] < NEEDED:
        found = f"{sys.version_info[0]}.{sys.version_info[1]} at {sys.executable}"
        other = next(filter(shutil.which, NEWER_NAMES), None)
        mend = (
            f"make PYTHON={other}" if other else "install one, then: make PYTHON=/path/to/python3"
        )
        return [f"Matchbook needs Python 3.11 or newer; this is {found}. Mend: {mend}"]
    faults = []
    if find_spec("ensurepip") is None:
        faults.append("This Python cannot make environments. Debian: apt install python3-venv")
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.exists():
        faults.append(f"{header} is missing. Debian: apt install python3-dev")
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if not shutil.which(compiler):
        faults.append(
            f"There is no C compiler called {compiler}. Debian: apt install gcc libc6-dev; "
            "macOS: xcode-select --install; or name yours: make CC=clang"
        )
    return faults


if __name__ == "__main__":
    lines = complaints()
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.exit(1 if lines else 0)
