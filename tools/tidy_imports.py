"""Who may import whom, and who may touch a compiled library.

Dependencies point one way: systems, then phases, then contract. A phase may build on an
earlier phase's mechanism, never on its engine: what a phase is about is rewritten in it, so
that its hot path reads whole. ``matchbook`` and ``phase7_bench`` compare, and may see all.
Tests may also hold their phase against any earlier engine.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.tree import Finding, Tree, blank_c, is_test, line_of, package_of, phase_number

SEES_ALL = {"matchbook", "phase7_bench"}
#: Files that are a phase's engine, in Python and C alike, and so not for other phases.
ENGINE_FILE = re.compile(r"(__init__|__main__|_build|.*book.*|.*engine.*)")

#: ``importing file: imported package`` pairs that are right against the rule, and why.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("phase4_ring/engine.py", "phase3_sorted"): "a book to hold to the contract behind rings",
    ("phase4_ring/__main__.py", "phase3_sorted"): "the demo needs some book, and shows none of it",
    ("phase5_protocol/__main__.py", "phase3_sorted"): "the demo's events come from some book",
    ("phase5_protocol/serve.py", "phase3_sorted"): "a gateway to try needs some book behind it",
    ("phase6_wal/engine.py", "phase3_sorted"): "a book to hold to the contract behind a log",
    ("phase6_wal/__main__.py", "phase3_sorted"): "the demo needs some book to lose and recover",
}

#: The modules that may use ``lib`` and ``ffi`` beside a phase's one face: those outside the phases,
#: and those of phases 4 and 5, whose extensions have a face for each thing that they offer.
FACES = {
    "contract/benchmark_text.py",
    "contract/floor.py",
    "contract/native.py",
    "contract/reports.py",
    "contract/streams.py",
    "contract/workload.py",
    "phase4_ring/bench.py",
    "phase4_ring/boundary.py",
    "phase4_ring/journal.py",
    "phase4_ring/pipeline.py",
    "phase4_ring/region.py",
    "phase4_ring/ring.py",
    "phase4_ring/sequencer.py",
    "phase4_ring/traffic.py",
    "phase5_protocol/bench.py",
    "phase5_protocol/flat/native.py",
    "phase5_protocol/itch/native.py",
    "phase5_protocol/multicast/native.py",
    "phase5_protocol/multicast/native_network.py",
    "phase5_protocol/multicast/native_receiver.py",
    "phase5_protocol/multicast/native_udp.py",
    "phase6_wal/bench.py",
    "phase6_wal/native.py",
    "phase6_wal/native_book.py",
    "phase6_wal/native_journal.py",
    "phase6_wal/native_scan.py",
    "phase6_wal/native_sim.py",
    "phase6_wal/native_snapshot.py",
    "phase6_wal/native_options.py",
    "phase6_wal/native_storage.py",
}
HANDLES = {"lib", "ffi", "_lib", "_ffi"}

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
# The file may be missing where a build script puts names together; then it counts as the engine.
_C_PATH = re.compile(r"\w+/c/(?:\w+\.[ch])?")


@dataclass(frozen=True)
class Import:
    """One imported file of the repository: its package and the name of the file in it."""

    line: int
    package: str
    stem: str

    @property
    def is_engine(self) -> bool:
        """Whether the file is the engine of its phase."""
        return ENGINE_FILE.fullmatch(self.stem) is not None


def check_direction(tree: Tree) -> Iterator[Finding]:
    """Every import, in Python and in C, points down, and at no other phase's engine."""
    ours = {package_of(path) for path in tree.paths} - {"", "tools", "docs"}
    for path in tree.python:
        for found in python_imports(tree, path):
            if found.package in ours:
                yield from judge(path, found)
    for path in tree.c:
        text = blank_c(tree.text(path), strings=False)
        for match in _INCLUDE.finditer(text):
            yield from judge(path, c_import(path, match[1], line_of(text, match.start())))


def judge(path: str, found: Import) -> Iterator[Finding]:
    """A finding if the file at ``path`` must not import ``found``."""
    package, target = package_of(path), found.package
    if target in ("", package) or package in ("", "tools", *SEES_ALL):
        return
    if (path, target) in EXCEPTIONS:
        return
    own, other = phase_number(package), phase_number(target)
    test = is_test(path)
    wrong = ""
    if package == "contract":
        # The contract's tests hold engines against the first phase, which is its oracle.
        if not (test and other == 1):
            wrong = "the contract imports nothing above it"
    elif target in SEES_ALL or (target == "systems" and package != "systems"):
        wrong = f"{package} must not know {target}, which is above it"
    elif own is not None and other is not None:
        if other > own:
            wrong = f"a phase must not import a later one ({target})"
        elif found.is_engine and not test:
            wrong = f"a phase may import an earlier one's mechanism, not its engine ({found.stem})"
    if wrong:
        yield Finding(path, found.line, wrong)


def python_imports(tree: Tree, path: str) -> Iterator[Import]:
    """The files of this repository that a Python file names, in imports or as a C path."""
    known = set(tree.paths)

    def resolve(line: int, dotted: str) -> Import:
        parts = dotted.split(".")
        inner = parts[1] if len(parts) > 1 else "__init__"
        if len(parts) == 2 and not _is_module(known, parts):
            inner = "__init__"  # a name out of the package, not a module in it
        return Import(line, parts[0], inner)

    for node in ast.walk(ast.parse(tree.text(path), path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield resolve(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            if "." in node.module:
                yield resolve(node.lineno, node.module)
            else:
                for alias in node.names:
                    yield resolve(node.lineno, f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Call) and _called(node) == "import_module" and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield resolve(node.lineno, argument.value.partition(":")[0])
        elif isinstance(node, ast.Constant) and path.endswith("/_build.py"):
            name = node.value  # a C file of whatever package, to be compiled in
            if isinstance(name, str) and _C_PATH.fullmatch(name):
                yield c_import(path, name, node.lineno)


def _is_module(known: set[str], parts: list[str]) -> bool:
    stem = "/".join(parts)
    return f"{stem}.py" in known or f"{stem}/__init__.py" in known or parts[-1].startswith("_")


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def c_import(path: str, name: str, line: int) -> Import:
    """The file a ``#include`` names: from the root if it says a package, else a neighbour."""
    parts = [part for part in name.split("/") if part not in (".", "..")]
    stem = parts[-1].rsplit(".", 1)[0] or "__init__"
    return Import(line, parts[0] if len(parts) > 1 else package_of(path), stem)


def check_faces(tree: Tree) -> Iterator[Finding]:
    """Only a face uses a compiled library, and a phase has one face."""
    with_c = {package_of(path) for path in tree.paths if path.endswith("/_build.py")}
    known = set(tree.paths)
    first: dict[str, str] = {}
    for path in tree.python:
        package = package_of(path)
        if is_test(path) or path.endswith("/_build.py") or package in ("", "tools"):
            continue
        line = library_use(tree, path, with_c, known)
        if line is None or path in FACES:
            continue
        if phase_number(package) is None:
            yield Finding(
                path, line, "lib and ffi belong in a face: contract/native.py and its kin"
            )
        elif package in first:
            yield Finding(path, line, f"{package} has a face already, {first[package]}")
        else:
            first[package] = path


def library_use(tree: Tree, path: str, with_c: set[str], known: set[str]) -> int | None:
    """The first line of a file that imports an extension or reaches into ``lib`` or ``ffi``."""
    lines = []
    for node in ast.walk(ast.parse(tree.text(path), path)):
        if isinstance(node, ast.ImportFrom):
            home = package_of(path) if node.level else ""
            dotted = ".".join(part for part in (home, node.module or "") if part)
            names = [dotted, *(f"{dotted}.{alias.name}" for alias in node.names)]
            if any(_is_extension(name, with_c, known) for name in names):
                lines.append(node.lineno)
        elif isinstance(node, ast.Import):
            if any(_is_extension(alias.name, with_c, known) for alias in node.names):
                lines.append(node.lineno)
        elif isinstance(node, ast.Attribute):
            holder = node.value
            name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
            if name in HANDLES:
                lines.append(node.lineno)
    return min(lines, default=None)


def _is_extension(dotted: str, with_c: set[str], known: set[str]) -> bool:
    package, _, leaf = dotted.partition(".")
    private = leaf.startswith("_") and not leaf.startswith("__")
    return package in with_c and private and f"{package}/{leaf}.py" not in known
