"""How much one package repeats of another: the copy budget.

A phase rewrites what it is about, and a little of that comes out the same; messages, checks
and helpers are imported instead. What repeats is counted, in runs of eight lines or more, and
its amount for each pair of packages is an allowance that only goes down.
"""

import ast
import re
from collections.abc import Iterator
from itertools import combinations

from tools.tidy_lengths import ratchet, read_allowances
from tools.tree import Finding, Tree, blank_c, package_of, phase_number

RUN_LINES = 8

_SAYS_SOMETHING = re.compile(r"\w")


def normalised_lines(path: str, text: str) -> list[str]:
    """The lines that count: no comments, imports, blank lines or lone brackets, single spaces."""
    if path.endswith(".py"):
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text, path)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                first, last = node.lineno - 1, node.end_lineno or node.lineno
                lines[first:last] = [""] * (last - first)
        # A "#" inside a string cuts the line short in both copies alike.
        lines = [line.partition("#")[0] for line in lines]
    else:
        lines = blank_c(text, strings=False).splitlines()
        lines = [line for line in lines if not line.lstrip().startswith("#include")]
    lines = [" ".join(line.split()) for line in lines]
    return [line for line in lines if _SAYS_SOMETHING.search(line)]


def copied_lines(source: list[str], target: list[str]) -> int:
    """How many lines of ``target`` lie in a run of eight or more that ``source`` has too."""
    runs = {tuple(source[at : at + RUN_LINES]) for at in range(len(source) - RUN_LINES + 1)}
    copied: set[int] = set()
    for at in range(len(target) - RUN_LINES + 1):
        if tuple(target[at : at + RUN_LINES]) in runs:
            copied.update(range(at, at + RUN_LINES))
    return len(copied)


def check_copies(tree: Tree) -> Iterator[Finding]:
    """Between any two of the contract and the phases, no more repeats than allowed."""
    files: dict[str, list[tuple[str, list[str]]]] = {}
    for path in tree.python + tree.c:
        package = package_of(path)
        if package == "contract" or phase_number(package) is not None:
            lines = normalised_lines(path, tree.text(path))
            files.setdefault(package, []).append((path, lines))
    sizes: dict[str, tuple[int, int]] = {}
    for earlier, later in combinations(sorted(files), 2):
        # One file's worth at a time, so that a run never spans two files.
        sizes[f"{later}::from {earlier}"] = (
            sum(
                max((copied_lines(source, target) for _, source in files[earlier]), default=0)
                for _, target in files[later]
            ),
            0,
        )
    allowed = read_allowances(tree.root, "copied_lines")
    yield from ratchet("copied lines", sizes, allowed, "copied_lines")
