"""How long files and functions may be, and how much may be copied: limits that only tighten.

What is over a limit today has an allowance in ``tools/allowances.toml``, equal to its present
size. Growing is a finding, and so is an allowance larger than what it allows for: the table
shrinks with the code, and never hides room to grow into.
"""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.tree import Finding, Tree, blank_c

FILE_LINES = 400
PYTHON_FUNCTION_LINES = 60
C_FUNCTION_LINES = 80

_IDENTIFIER_BEFORE_PARENTHESIS = re.compile(r"([A-Za-z_]\w*)\s*\(")


def read_allowances(root: Path, table: str) -> dict[str, int]:
    """One table of ``tools/allowances.toml``; empty if there is none."""
    path = root / "tools" / "allowances.toml"
    if not path.is_file():
        return {}
    return dict(tomllib.loads(path.read_text(encoding="utf-8")).get(table, {}))


def ratchet(
    what: str, sizes: Mapping[str, tuple[int, int]], allowed: Mapping[str, int], where: str
) -> Iterator[Finding]:
    """Compare sizes with limits and allowances.

    Args:
        what: what is counted, for the message.
        sizes: for each name, its size and its limit.
        allowed: for some names, the larger size they may have.
        where: the table of ``allowances.toml`` that ``allowed`` comes from.
    """
    for name, (size, limit) in sorted(sizes.items()):
        most = allowed.get(name, limit)
        path = name.split("::")[0]
        if size > max(most, limit):
            yield Finding(path, 1, f"{name}: {size} {what}, at most {max(most, limit)} allowed")
    for name, most in sorted(allowed.items()):
        size, limit = sizes.get(name, (0, 0))
        if size <= limit:
            message = f"[{where}] {name} needs no allowance any more ({size} {what}): remove it"
        elif most > size:
            message = f"[{where}] {name} is down to {size} {what}: lower its allowance from {most}"
        else:
            continue
        yield Finding("tools/allowances.toml", 1, message)


def check_file_lengths(tree: Tree) -> Iterator[Finding]:
    """Python and C files within 400 lines, or their allowance."""
    sizes = {path: (len(tree.text(path).splitlines()), FILE_LINES) for path in tree.python + tree.c}
    yield from ratchet("lines", sizes, read_allowances(tree.root, "file_lines"), "file_lines")


def check_function_lengths(tree: Tree) -> Iterator[Finding]:
    """Functions within a screen, or their allowance, named ``path::function``."""
    sizes: dict[str, tuple[int, int]] = {}
    for path in tree.python:
        for name, size in python_functions(tree.text(path)):
            sizes[f"{path}::{name}"] = (size, PYTHON_FUNCTION_LINES)
    for path in tree.c:
        for name, size in c_functions(tree.text(path)):
            sizes[f"{path}::{name}"] = (size, C_FUNCTION_LINES)
    allowed = read_allowances(tree.root, "function_lines")
    yield from ratchet("lines", sizes, allowed, "function_lines")


def python_functions(text: str) -> Iterator[tuple[str, int]]:
    """Qualified name and length of every function, from ``def`` to its last line."""

    def visit(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{prefix}{child.name}."
                if not isinstance(child, ast.ClassDef):
                    last = child.end_lineno or child.lineno
                    yield inner[:-1], last - child.lineno + 1
            yield from visit(child, inner)

    yield from visit(ast.parse(text), "")


def c_functions(text: str) -> Iterator[tuple[str, int]]:
    """Name and length of every function, from its first line to its closing brace.

    A body is a brace at the outermost level that follows a parameter list; anything else in
    braces there (a struct, an initialiser) is passed over.
    """
    depth = 0
    head = ""  # what stands between the last outermost declaration and here
    start = line = 1
    name = ""
    for character in _without_preprocessor(blank_c(text, strings=True)):
        if character == "\n":
            line += 1
        if depth == 0:
            if character == "{":
                found = _IDENTIFIER_BEFORE_PARENTHESIS.search(head)
                name = found[1] if found and head.rstrip().endswith(")") else ""
                depth = 1
            elif character == ";":
                head = ""
            elif head or not character.isspace():
                if not head:
                    start = line
                head += character
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                if name:
                    yield name, line - start + 1
                head = ""


def _without_preprocessor(text: str) -> str:
    """Blank out preprocessor lines, with their continuations, keeping every line end."""
    kept = []
    continues = False
    for line in text.split("\n"):
        directive = continues or line.lstrip().startswith("#")
        continues = directive and line.rstrip().endswith("\\")
        kept.append("" if directive else line)
    return "\n".join(kept)
