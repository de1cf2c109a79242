"""The files a check looks at, read once, and what a check says about them."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

SKIPPED_FOLDERS = {"build", "dist", "work", "__pycache__"}
PHASE = re.compile(r"phase(\d+)_\w+")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong, where, and what would be right."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        """As an editor and a person read it: ``path:line: message``."""
        return f"{self.path}:{self.line}: {self.message}"


@dataclass
class Tree:
    """A repository as a root and the paths below it, relative, with forward slashes."""

    root: Path
    paths: list[str]
    _texts: dict[str, str] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """The text of a file; bytes that are not UTF-8 become replacement characters."""
        if path not in self._texts:
            data = (self.root / path).read_bytes()
            self._texts[path] = data.decode("utf-8", errors="replace")
        return self._texts[path]

    @cached_property
    def python(self) -> list[str]:
        """Python files."""
        return [path for path in self.paths if path.endswith(".py")]

    @cached_property
    def c(self) -> list[str]:
        """C sources and headers."""
        return [path for path in self.paths if path.endswith((".c", ".h"))]


def read_tree(root: Path) -> Tree:
    """What git tracks or would track; outside a git checkout, what a walk finds."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (root / ".git").exists():
        listing = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
        names = [os.fsdecode(name) for name in listing.split(b"\0") if name]
    else:
        names = [path.relative_to(root).as_posix() for path in root.rglob("*")]
    return Tree(root, sorted(name for name in set(names) if _is_ours(root, name)))


def _is_ours(root: Path, name: str) -> bool:
    folders = Path(name).parts[:-1]
    hidden = folders and folders[0].startswith(".") and folders[0] != ".ci"
    return not hidden and SKIPPED_FOLDERS.isdisjoint(folders) and (root / name).is_file()


def package_of(path: str) -> str:
    """The top-level folder of a path, empty for a file at the root."""
    return path.split("/", 1)[0] if "/" in path else ""


def phase_number(package: str) -> int | None:
    """3 for ``phase3_sorted``; nothing for a package that is not a phase."""
    match = PHASE.fullmatch(package)
    return int(match[1]) if match else None


def is_test(path: str) -> bool:
    """Whether a file is a test, in Python or in C, or serves only tests."""
    name = path.rsplit("/", 1)[-1]
    return name.startswith("test_") or name == "conftest.py"


_C_TOKEN = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.DOTALL | re.VERBOSE,
)


def blank_c(text: str, *, strings: bool) -> str:
    """C source with comments (and, if asked, literals) blanked out and every line kept."""

    def blank(match: re.Match[str]) -> str:
        token = match[0]
        if token[0] == "/":
            return " " + "\n" * token.count("\n")
        return '""' if strings else token

    return _C_TOKEN.sub(blank, text)


def line_of(text: str, offset: int) -> int:
    """The line number, from 1, of an offset in a text."""
    return text.count("\n", 0, offset) + 1
