"""What must not be left behind: notes to self, debugging, dead code, traces of one machine."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator

from tools.tree import Finding, Tree, blank_c, is_test, line_of

LARGEST_BYTES = 1 << 20
TEXT = (".py", ".c", ".h", ".md", ".toml", ".yml", ".txt", ".in", ".ipynb", ".json", ".csv")
TEXT_NAMES = {"Makefile", ".ci/run", ".gitignore"}

#: This file and its tests spell out what they look for.
SELF = {"tools/tidy_leftovers.py", "tools/test_tidy.py"}

#: In any text: what it is, and how it looks.
IN_TEXT = {
    "a note to self; open an issue or do it": re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b"),
    "a path of one machine": re.compile(
        r"(?<![\w.~)}\]*<>$-])/(?:root|home|Users|work|tmp|mnt)/[\w.]"
    ),
    "the address of a package registry": re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|static\.crates\.io|index-url)\b"
    ),
}
IN_PYTHON = {
    "a debugger call": re.compile(
        r"\bbreakpoint\(|\bset_trace\(|^\s*(?:import|from) i?pdb\b", re.MULTILINE
    ),
    "a debugging print": re.compile(r"""\bprint\(\s*f?["'](?:debug|here|###|>>>)""", re.IGNORECASE),
    "an extension compiled aside, which would shadow the real one": re.compile(
        r"\bffibuilder\.compile\("
    ),
}
IN_C = {
    "volatile orders nothing between threads; use C11 atomics": re.compile(r"\bvolatile\b"),
    "assert() is dead in an extension; use CHECK": re.compile(r"(?<!\w)assert\s*\("),
    "a debugging print": re.compile(r'printf\([^"\n]*"(?:debug|here|###|>>>)', re.IGNORECASE),
}
IN_TESTS = {
    "a sleep in a test; wait for what you wait for": re.compile(r"\b(?:u|nano)?sleep\("),
}

_CODE_STATEMENTS = (ast.Assign, ast.AugAssign, ast.Import, ast.ImportFrom, ast.Return, ast.Delete)
_COMPOUND = re.compile(r"(?:if|elif|for|while|def|class|with|try|except|return)\b.*:$")
_C_CODE = re.compile(
    r"""(?: [\w\s*>.\[\]-]+ [-+*/|&^]?= [^=].*;   # an assignment or a declaration
          | (?:return\b.*|\w+\(.*\)) ;            # a return or a call
          | (?:if|for|while)\s*\(.*\)\s*\{? )$""",
    re.VERBOSE,
)
_C_LINE_COMMENT = re.compile(r"//(.*)$|/\*([^\n]*?)\*/", re.MULTILINE)


def check_text(tree: Tree) -> Iterator[Finding]:
    """Notes to self, machine paths and registry addresses, in every text file."""
    for path in tree.paths:
        if path not in SELF and (path.endswith(TEXT) or path in TEXT_NAMES):
            yield from _matches(path, tree.text(path), IN_TEXT)


def check_python(tree: Tree) -> Iterator[Finding]:
    """Debugging and commented-out code in Python; sleeps in tests."""
    for path in tree.python:
        if path in SELF:
            continue
        text = tree.text(path)
        yield from _matches(path, text, IN_PYTHON)
        if is_test(path):
            yield from _matches(path, text, IN_TESTS)
        for line, comment in python_comments(text):
            if is_python_code(comment):
                yield Finding(path, line, f"commented-out code: {comment}")


def check_c(tree: Tree) -> Iterator[Finding]:
    """Banned words, debugging and commented-out code in C; sleeps in tests."""
    for path in tree.c:
        text = tree.text(path)
        code = blank_c(text, strings=False)
        yield from _matches(path, code, IN_C)
        if is_test(path):
            yield from _matches(path, code, IN_TESTS)
        for match in _C_LINE_COMMENT.finditer(text):
            comment = (match[1] or match[2] or "").strip()
            if _C_CODE.match(comment):
                line = line_of(text, match.start())
                yield Finding(path, line, f"commented-out code: {comment}")


def _matches(path: str, text: str, patterns: dict[str, re.Pattern[str]]) -> Iterator[Finding]:
    for what, pattern in patterns.items():
        for match in pattern.finditer(text):
            yield Finding(path, line_of(text, match.start()), f"{what}: {match[0].strip()}")


def python_comments(text: str) -> Iterator[tuple[int, str]]:
    """Line number and text of every comment that has a line to itself."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#"):
            yield token.start[0], token.string.lstrip("#: ").rstrip()


def is_python_code(comment: str) -> bool:
    """Whether a comment is a statement somebody switched off, as far as one can tell.

    Only forms that prose does not take: an assignment, an import, a call on its own, the head
    of a block. A lone name or a bracketed list is left alone.
    """
    try:
        body = ast.parse(comment).body
    except SyntaxError:
        if not _COMPOUND.fullmatch(comment):
            return False
        try:
            ast.parse(comment.removeprefix("el") + " pass")
        except SyntaxError:
            return False
        return True
    return any(
        isinstance(node, _CODE_STATEMENTS)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await))
        for node in body
    )


def check_files(tree: Tree) -> Iterator[Finding]:
    """No large file, and no notebook with outputs: they are executed where they are read."""
    for path in tree.paths:
        size = (tree.root / path).stat().st_size
        if size > LARGEST_BYTES:
            yield Finding(path, 1, f"{size:,} bytes; at most {LARGEST_BYTES:,} are tracked")
        elif path.endswith(".ipynb"):
            cells = json.loads(tree.text(path))["cells"]
            for number, cell in enumerate(cells, 1):
                if cell.get("outputs") or cell.get("execution_count") is not None:
                    yield Finding(path, 1, f"cell {number} has outputs: clear them before you keep")
