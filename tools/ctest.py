"""Build and run the plain C tests: ``python -m tools.ctest [--sanitize address] [PACKAGE…]``.

A test is a file ``*/c/test_*.c`` with a ``main`` that returns 0 when all is well. It is linked
with the C sources of its package's extension, as the package's ``_build.py`` names them, except
those it includes itself to see their insides. Every warning is an error.
"""

import argparse
import os
import re
import runpy
import shlex
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cbuild import ROOT, SANITIZERS, flags_from_environment

TIME_LIMIT_S = 600
INCLUDED_SOURCE = re.compile(r'#include\s+"([^"]+\.c)"')


class BuildError(Exception):
    """The compiler refused; the message is what it said."""


@dataclass(frozen=True)
class Recipe:
    """How to compile and link the tests of one package."""

    sources: tuple[str, ...]
    compiler: tuple[str, ...]
    linker: tuple[str, ...]


def compiler_command() -> list[str]:
    """The C compiler: ``CC``, or the one this Python was built with."""
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def find_tests(root: Path, packages: Iterable[str] = ()) -> list[Path]:
    """Every plain C test below ``root``, or those of some packages, in a stable order.

    Raises:
        FileNotFoundError: a package has none.
    """
    found = sorted(root.glob("*/c/test_*.c"))
    wanted = set(packages)
    missing = wanted - {test.relative_to(root).parts[0] for test in found}
    if missing:
        raise FileNotFoundError(f"no plain C tests in {', '.join(sorted(missing))}")
    return [test for test in found if not wanted or test.relative_to(root).parts[0] in wanted]


def read_recipe(root: Path, package: str) -> Recipe:
    """The sources and flags of a package's extension, or the bare flags if it has none."""
    script = root / package / "_build.py"
    if not script.is_file():
        compiler, linker = flags_from_environment()
        return Recipe((), (*compiler, "-I."), tuple(linker))
    builder = runpy.run_path(str(script))["ffibuilder"]
    options = builder._assigned_source[3]
    includes = [f"-I{directory}" for directory in options["include_dirs"]]
    return Recipe(
        tuple(options["sources"]),
        (*options["extra_compile_args"], *includes),
        tuple(options["extra_link_args"]),
    )


def run(command: list[str], root: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in ``root`` and keep what it says."""
    return subprocess.run(
        command,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIME_LIMIT_S,
        check=False,
    )


def compile_source(root: Path, source: str, out: Path) -> Path:
    """Compile one C file with the flags of its package and return the object.

    Raises:
        BuildError: the compiler refused.
    """
    recipe = read_recipe(root, Path(source).parts[0])
    made = out / "objects" / Path(source).with_suffix(".o")
    made.parent.mkdir(parents=True, exist_ok=True)
    command = [*compiler_command(), *recipe.compiler, "-c", source, "-o", str(made)]
    done = run(command, root)
    if done.returncode != 0:
        raise BuildError(done.stdout)
    return made


def build_test(
    root: Path, test: Path, out: Path, objects: Mapping[str, Path] | None = None
) -> Path:
    """Compile one test, link it with its package's sources and return the program.

    Args:
        objects: sources that are compiled already; the others are compiled with the test.

    Raises:
        BuildError: the compiler or the linker refused.
    """
    recipe = read_recipe(root, test.relative_to(root).parts[0])
    inside = {Path(name).name for name in INCLUDED_SOURCE.findall(test.read_text(encoding="utf-8"))}
    ready = objects or {}
    linked = [
        str(ready.get(source, source))
        for source in recipe.sources
        if Path(source).name not in inside
    ]
    relative = test.relative_to(root)
    program = out / relative.parts[0] / relative.stem
    program.parent.mkdir(parents=True, exist_ok=True)
    command = [*compiler_command(), *recipe.compiler, str(relative), *linked, *recipe.linker]
    done = run([*command, "-lm", "-lpthread", "-o", str(program)], root)
    if done.returncode != 0:
        raise BuildError(done.stdout)
    return program


def run_test(
    root: Path, test: Path, out: Path, objects: Mapping[str, Path] | None = None
) -> tuple[bool, str]:
    """Build and run one test: whether it passed, and what to print about it."""
    name = test.relative_to(root).as_posix()
    started = time.perf_counter()
    try:
        done = run([str(build_test(root, test, out, objects))], root)
    except BuildError as error:
        return False, f"FAILED to build {name}\n{error}"
    except subprocess.TimeoutExpired:
        return False, f"FAILED {name}: no end after {TIME_LIMIT_S} s"
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        return False, f"FAILED {name}: exit status {done.returncode}\n{done.stdout}"
    return True, f"passed {name} ({seconds:.1f} s)"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run all C tests; the exit status is 1 if any of them fails."""
    parser = argparse.ArgumentParser(description="Build and run the plain C tests.")
    parser.add_argument("--sanitize", choices=sorted(SANITIZERS), default="")
    parser.add_argument("packages", nargs="*", help="only these packages' tests")
    options = parser.parse_args(arguments)
    sanitize = options.sanitize
    os.environ["MATCHBOOK_STRICT"] = "1"
    os.environ["MATCHBOOK_SANITIZE"] = sanitize
    out = root / "build" / "ctest" / (sanitize or "release")
    tests = find_tests(root, options.packages)
    # A source that several tests are linked with is compiled once.
    counted = Counter(
        source
        for package, count in Counter(test.relative_to(root).parts[0] for test in tests).items()
        for source in read_recipe(root, package).sources * count
    )
    shared = [source for source, count in counted.items() if count > 1]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            made = pool.map(lambda source: compile_source(root, source, out), shared)
            objects = dict(zip(shared, made, strict=True))
        except BuildError:
            objects = {}  # each test that needs it will say so
        results = list(pool.map(lambda test: run_test(root, test, out, objects), tests))
    for _, line in results:
        print(line, flush=True)
    failed = sum(not passed for passed, _ in results)
    print(f"{len(tests) - failed} of {len(tests)} C tests passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
