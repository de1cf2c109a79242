"""Checks that keep the house in order: ``python -m tools.tidy``, and a test like any other.

Each check is a function from a :class:`~tools.tree.Tree` to findings; each has a test with a
planted fault that it must find.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.tidy_copies import check_copies
from tools.tidy_imports import check_direction, check_faces
from tools.tidy_leftovers import check_c, check_files, check_python, check_text
from tools.tidy_lengths import check_file_lengths, check_function_lengths
from tools.tree import Finding, Tree, read_tree

ROOT = Path(__file__).resolve().parent.parent

CHECKS: tuple[Callable[[Tree], Iterator[Finding]], ...] = (
    check_direction,
    check_faces,
    check_copies,
    check_file_lengths,
    check_function_lengths,
    check_text,
    check_python,
    check_c,
    check_files,
)


def tidy(root: Path) -> list[Finding]:
    """Every finding of every check on the repository at ``root``, in order of place."""
    tree = read_tree(root)
    return sorted(finding for check in CHECKS for finding in check(tree))


def main() -> int:
    """Print the findings; the exit status is 1 if there are any."""
    findings = tidy(ROOT)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
