"""Test options and settings that hold for every package.

``pytest --engine module:Class contract`` holds any engine, from this repository or not,
against the contract. The module is looked for here first and then in the caller's directory.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent

# Scripts that are executed by others, not imported: no doctests to look for in them.
collect_ignore = ["setup.py"]
collect_ignore_glob = ["*/_build.py", "build/*", "work/*"]

# A shared machine may stop a test at any moment, so no example has a deadline. The short run
# is the same every time; the long one draws anew and prints what reproduces a failure.
settings.register_profile(
    "short",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long", settings.get_profile("short"), derandomize=False, max_examples=2_000
)
settings.load_profile("short")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--engine``."""
    parser.addoption(
        "--engine",
        default=None,
        metavar="MODULE:CLASS",
        help="the engine that contract/ is run against, such as phase3_sorted:Engine",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the caller's modules importable, and the extensions of another build if asked."""
    here = str(config.invocation_params.dir)
    if here not in sys.path:
        sys.path.append(here)
    built = os.environ.get("MATCHBOOK_EXTENSIONS")
    if built:
        sys.meta_path.insert(0, ExtensionsFrom(Path(built).resolve()))


def pytest_report_header() -> list[str]:
    """Name the build under test when it is not the usual one."""
    built = os.environ.get("MATCHBOOK_EXTENSIONS")
    return [f"extensions: {built}"] if built else []


class ExtensionsFrom(MetaPathFinder):
    """Find compiled extensions in another build directory, and nowhere else.

    ``make sanitize`` builds them a second time, beside the ones in place. Falling back to
    those in place would test the wrong code and stay green, so a missing one is an error.
    """

    def __init__(self, directory: Path) -> None:
        """Look below ``directory``, laid out as ``build_ext --build-lib`` leaves it."""
        self.directory = directory

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for ``package._name`` where the package has C; leave all others alone."""
        package, _, leaf = fullname.rpartition(".")
        home = ROOT / package
        has_c = package and (home / "_build.py").is_file()
        if not has_c or not leaf.startswith("_") or (home / f"{leaf}.py").exists():
            return None
        spec = PathFinder.find_spec(fullname, [str(self.directory / package)])
        if spec is None:
            raise ImportError(f"{fullname} is not built in {self.directory}")
        return spec
