"""The repository is tidy, and each check finds the fault planted for it."""

import json
from pathlib import Path

import pytest

from tools import tidy
from tools.tidy_imports import FACES, library_use
from tools.tidy_leftovers import LARGEST_BYTES, is_python_code
from tools.tidy_lengths import c_functions, python_functions
from tools.tree import Finding, package_of, read_tree


def test_this_repository_is_tidy() -> None:
    findings = tidy.tidy(tidy.ROOT)
    assert not findings, "\n" + "\n".join(map(str, findings))


def plant(root: Path, files: dict[str, str]) -> list[Finding]:
    """Write files below ``root`` and return what the checks find there."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tidy.tidy(root)


# A small sound repository: three packages, C in two of them, and one test.
SOUND = {
    "contract/__init__.py": "",
    "contract/messages.py": "SIZE = 64\n",
    "contract/c/contract.h": 'typedef struct { int x; } record;\nstatic_assert(1, "layout");\n',
    "phase1_domain/__init__.py": "from phase1_domain.book import Engine as Engine\n",
    "phase1_domain/book.py": "from contract.messages import SIZE\n\nprint(SIZE)\n",
    "phase2_arena/__init__.py": "",
    "phase2_arena/_build.py": "SOURCES = ['phase2_arena/c/arena.c', 'phase2_arena/c/book.c']\n",
    "phase2_arena/engine.py": "from phase2_arena._arena import ffi, lib\n\nlib.go(ffi)\n",
    "phase2_arena/c/arena.c": '#include "contract/c/contract.h"\nint take(void) { return 0; }\n',
    "phase2_arena/c/book.h": "int book_new(void);\n",
    "phase2_arena/c/book.c": '#include "book.h"\nint book_new(void) { return 1; }\n',
    "phase3_sorted/__init__.py": "",
    "phase3_sorted/_build.py": "SOURCES = ['phase2_arena/c/arena.c', 'phase3_sorted/c/book.c']\n",
    "phase3_sorted/engine.py": "import contract.messages\nfrom phase3_sorted import _sorted\n",
    "phase3_sorted/test_engine.py": "from phase1_domain import Engine\n",
    "phase3_sorted/c/book.c": '#include "phase2_arena/c/arena.h"\n',
    "matchbook/cli.py": "from phase3_sorted.engine import _sorted\nimport phase1_domain.book\n",
}


def test_a_sound_repository_has_no_findings(tmp_path: Path) -> None:
    assert plant(tmp_path, SOUND) == []


TWELVE_LINES = "\n".join(f"value_{n} = compute({n})" for n in range(12)) + "\n"
LONG_FUNCTION = "def long():\n" + "    value = 1\n" * 61
LONG_C_FUNCTION = "int main(void)\n{\n" + "    int x;\n" * 80 + "}\n"
NOTEBOOK_WITH_OUTPUT = json.dumps({"cells": [{"outputs": [{"text": "1"}], "execution_count": 1}]})

PLANTED = {
    "the contract imports a phase": (
        {"contract/suite.py": "from phase1_domain.book import Engine\n"},
        "the contract imports nothing above it",
    ),
    "the contract loads a phase by name": (
        {"contract/suite.py": "import importlib\nimportlib.import_module('phase2_arena:Engine')\n"},
        "the contract imports nothing above it",
    ),
    "a phase imports an earlier engine": (
        {"phase3_sorted/book.py": "from phase1_domain.book import Engine\n"},
        "not its engine (book)",
    ),
    "a phase imports an earlier engine from its package": (
        {"phase3_sorted/book.py": "from phase1_domain import Engine\n"},
        "not its engine (__init__)",
    ),
    "a phase imports a later one": (
        {"phase1_domain/levels.py": "import phase3_sorted.levels\n"},
        "must not import a later one (phase3_sorted)",
    ),
    "a test imports a later phase": (
        {"phase1_domain/test_levels.py": "import phase3_sorted.levels\n"},
        "must not import a later one (phase3_sorted)",
    ),
    "a phase imports the command": (
        {"phase2_arena/demo.py": "from matchbook import engines\n"},
        "must not know matchbook",
    ),
    "a phase imports a system": (
        {"systems/exchange/__init__.py": "", "phase2_arena/demo.py": "import systems.exchange\n"},
        "must not know systems",
    ),
    "a C file includes an earlier engine": (
        {"phase3_sorted/c/book.c": '#include "../../phase2_arena/c/book.h"\n'},
        "not its engine (book)",
    ),
    "a C file includes a later phase": (
        {"phase2_arena/c/arena.c": '\n#include "phase3_sorted/c/ladder.h"\n'},
        "must not import a later one (phase3_sorted)",
    ),
    "a build script compiles an earlier engine": (
        {"phase3_sorted/_build.py": "SOURCES = ['phase2_arena/c/book.c']\n"},
        "not its engine (book)",
    ),
    "a build script puts together the names of another phase's files": (
        {"phase3_sorted/_build.py": "SOURCES = [f'phase2_arena/c/{n}.c' for n in NAMES]\n"},
        "not its engine (__init__)",
    ),
    "a second face in a phase": (
        {"phase2_arena/speed.py": "from phase2_arena._arena import lib\n"},
        "phase2_arena has a face already, phase2_arena/engine.py",
    ),
    "a handle reached through another object": (
        {"matchbook/speed.py": "def f(engine):\n    return engine._lib.book_new()\n"},
        "lib and ffi belong in a face",
    ),
    "an extension imported relatively": (
        {"phase2_arena/speed.py": "from . import _arena\n"},
        "phase2_arena has a face already",
    ),
    "lines copied from phase to phase": (
        {"phase1_domain/levels.py": TWELVE_LINES, "phase3_sorted/levels.py": TWELVE_LINES},
        "phase3_sorted::from phase1_domain: 12 copied lines, at most 0 allowed",
    ),
    "a long file": (
        {"contract/long.py": "x = 1\n" * 401},
        "contract/long.py: 401 lines, at most 400 allowed",
    ),
    "a long Python function": (
        {"contract/long.py": LONG_FUNCTION},
        "contract/long.py::long: 62 lines, at most 60 allowed",
    ),
    "a long C function": (
        {"phase2_arena/c/long.c": LONG_C_FUNCTION},
        "phase2_arena/c/long.c::main: 83 lines, at most 80 allowed",
    ),
    "a function over its allowance": (
        {
            "contract/long.py": LONG_FUNCTION,
            "tools/allowances.toml": '[function_lines]\n"contract/long.py::long" = 61\n',
        },
        "62 lines, at most 61 allowed",
    ),
    "an allowance larger than needed": (
        {
            "contract/long.py": LONG_FUNCTION,
            "tools/allowances.toml": '[function_lines]\n"contract/long.py::long" = 70\n',
        },
        "is down to 62 lines: lower its allowance from 70",
    ),
    "an allowance for nothing": (
        {"tools/allowances.toml": '[file_lines]\n"contract/gone.py" = 500\n'},
        "contract/gone.py needs no allowance any more",
    ),
    "a note to self": ({"contract/x.py": "# TODO: later\n"}, "a note to self"),
    "a note to self in the book": ({"docs/x.md": "FIXME\n"}, "a note to self"),
    "a path of one machine": ({"docs/x.md": "see `/home/me/x`\n"}, "a path of one machine"),
    "a registry address": ({"constraints.txt": "--index-url x\n"}, "a package registry: index-url"),
    "a debugger call": ({"contract/x.py": "breakpoint()\n"}, "a debugger call"),
    "a debugging print": ({"contract/x.py": "print('here', 1)\n"}, "a debugging print"),
    "a debugging print in C": (
        {"phase2_arena/c/x.c": 'void f(void) { fprintf(stderr, "debug %d", 1); }\n'},
        "a debugging print",
    ),
    "commented-out Python": ({"contract/x.py": "# book.apply(command)\n"}, "commented-out code"),
    "commented-out C": (
        {"phase2_arena/c/x.c": "int f(int x)\n{\n    // x = x + 1;\n    return x;\n}\n"},
        "commented-out code: x = x + 1;",
    ),
    "volatile": ({"phase2_arena/c/x.h": "extern volatile int x;\n"}, "volatile"),
    "a plain assertion in C": (
        {"phase2_arena/c/x.c": "void f(int x) { assert(x); }\n"},
        "use CHECK",
    ),
    "a sleep in a test": ({"contract/test_x.py": "time.sleep(1)\n"}, "a sleep in a test"),
    "a sleep in a C test": (
        {"phase2_arena/c/test_x.c": "void f(void) { usleep(1); }\n"},
        "a sleep in a test",
    ),
    "an extension compiled aside": (
        {"phase2_arena/_build.py": "ffibuilder.compile()\n"},
        "an extension compiled aside",
    ),
    "a notebook with outputs": ({"phase1_domain/x.ipynb": NOTEBOOK_WITH_OUTPUT}, "has outputs"),
    "a large file": ({"docs/x.bin": "0" * (LARGEST_BYTES + 1)}, "at most 1,048,576 are tracked"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(tmp_path: Path, name: str) -> None:
    files, message = PLANTED[name]
    findings = plant(tmp_path, SOUND | files)
    assert [finding for finding in findings if message in finding.message], findings
    assert len(findings) == 1, f"more than the planted fault was found: {findings}"


def test_a_needed_allowance_is_accepted(tmp_path: Path) -> None:
    files = {
        "contract/long.py": LONG_FUNCTION,
        "tools/allowances.toml": '[function_lines]\n"contract/long.py::long" = 62\n',
    }
    assert plant(tmp_path, SOUND | files) == []


def test_what_git_ignores_is_not_looked_at(tmp_path: Path) -> None:
    assert plant(tmp_path, {"build/x.py": "# TODO\n", ".venv/x.py": "# TODO\n"}) == []


def test_python_functions_are_named_and_measured() -> None:
    text = "class A:\n    def f(self):\n        def g():\n            pass\n        return g\n"
    assert list(python_functions(text)) == [("A.f", 4), ("A.f.g", 2)]


def test_c_functions_are_named_and_measured() -> None:
    """Structs, initialisers, braces in strings and comments, and macros are not functions."""
    text = """\
/* { */ #define OPEN(x) {
#define LOOP(x) \\
    do { (x)++; \\
    } while (0)
struct book { int a[2]; };
static const int table[] = { 1, 2 };
int book_new(int a,
             int b)
{
    const char *brace = "}"; /* } */
    if (a) { b++; }
    return b;
}
typedef enum { X = sizeof(int) } kind;
void book_free(void) { }
"""
    text = text.replace("/* { */ #define", "#define", 1)
    assert list(c_functions(text)) == [("book_new", 7), ("book_free", 1)]


@pytest.mark.parametrize(
    "comment",
    ["x = compute(y)", "import os", "if x > 1:", "for order in book:", "book.check()", "return x"],
)
def test_switched_off_statements_are_code(comment: str) -> None:
    assert is_python_code(comment)


@pytest.mark.parametrize(
    "comment",
    ["best first", "price: ticks", "(a, b)", "noqa: F401", "for each level, best first:", "levels"],
)
def test_prose_is_not_code(comment: str) -> None:
    assert not is_python_code(comment)


def test_every_listed_face_is_one() -> None:
    """A face that no longer touches the library would be room for the next one to hide in."""
    tree = read_tree(tidy.ROOT)
    with_c = {package_of(path) for path in tree.paths if path.endswith("/_build.py")}
    unused = [path for path in FACES if library_use(tree, path, with_c, set(tree.paths)) is None]
    assert unused == []
