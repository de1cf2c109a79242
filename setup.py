"""The one thing pyproject.toml cannot say: which C extensions to build (see cbuild.py)."""

import os
import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).parent))  # the _build.py files import cbuild
scripts = [] if os.environ.get("MATCHBOOK_PURE") == "1" else sorted(Path().glob("*/_build.py"))
setup(
    cffi_modules=[f"{script.as_posix()}:ffibuilder" for script in scripts],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
