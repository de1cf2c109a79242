"""The book's pages are made right, and what is wrong in them is found and placed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import book
from tools.book_api import to_markdown, write_api_pages
from tools.book_tables import TABLES, Lookup
from tools.results import BookError, Results
from tools.tree import read_tree

RESULTS = {
    "rate": 1234567.8,
    "count": 1234567,
    "word": "gcc",
    "list": [{"ns": 20.44}],
    "none": None,
}


def a_table(results: Lookup) -> str:
    return f"| rate |\n| ---: |\n| {results['demo.count']} |"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small book: one page, one results file, a README with one table, one package."""
    files = {
        "docs/index.md": "# Home\n\n{{ results.demo.count | ,d }} orders\n",
        "docs/results/demo.json": json.dumps(RESULTS),
        "docs/pictures/book.svg": "<svg/>",
        "README.md": "# M\n<!-- results:rate:begin -->\nold\n<!-- results:rate:end -->\nend\n",
        "CONTRIBUTING.md": "# Contributing\n",
        "CHANGELOG.md": "# Changes\n",
        "phase1_domain/__init__.py": '"""The first phase."""\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def render_page(root: Path, text: str) -> str:
    (root / "docs" / "index.md").write_text(text, encoding="utf-8")
    book.render(root, {"rate": a_table})
    return (root / "build" / "book" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("placeholder", "text"),
    [
        ("{{ results.demo.count }}", "1234567"),
        ("{{results.demo.count|,d}}", "1,234,567"),
        ("{{ results.demo.rate | ,.0f }}", "1,234,568"),
        ("{{ results.demo.rate | /1e6 .2f }}", "1.23"),
        ("{{ results.demo.list.0.ns | .1f }}", "20.4"),
        ("{{ results.demo.list.0.ns | .1fx }}", "20.4×"),
        ("{{ results.demo.list.0.ns | .1f x }}", "20.4×"),
        ("{{ results.demo.word }}", "gcc"),
        ("\\{{ results.demo.word }}", "{{ results.demo.word }}"),
        ("{{ table: rate }}", "| rate |\n| ---: |\n| 1234567 |"),
        ("int a[2][1] = {{1}, {2}};", "int a[2][1] = {{1}, {2}};"),
    ],
)
def test_a_placeholder_becomes_its_value(root: Path, placeholder: str, text: str) -> None:
    assert render_page(root, f"x {placeholder} y\n") == f"x {text} y\n"


@pytest.mark.parametrize(
    ("placeholder", "complaint"),
    [
        ("{{ results.nowhere.count }}", "no results file nowhere.json; there are: demo"),
        ("{{ results.demo.counts }}", "no 'counts' in demo.json"),
        ("{{ results.demo.list.7 }}", "no '7' in demo.json"),
        ("{{ results.demo.list }}", "the value is a list"),
        ("{{ results.demo.none }}", "the value is a NoneType"),
        ("{{ results.demo.rate }}", "needs a format"),
        ("{{ results.demo.rate | ,d }}", "cannot be written as"),
        ("{{ results.demo.word | .1f }}", "cannot be written as"),
        ("{{ results.demo.rate | nice }}", "is no format"),
        ("{{ table: none }}", "no table 'none'"),
        ("{{ result.demo.rate }}", "unknown kind"),
    ],
)
def test_a_placeholder_that_leads_nowhere_is_named(
    root: Path, placeholder: str, complaint: str
) -> None:
    with pytest.raises(BookError) as caught:
        render_page(root, f"first\n\nx {placeholder} y\n")
    assert str(caught.value).startswith(f"docs/index.md:3: {placeholder}: ")
    assert complaint in str(caught.value)


def test_render_writes_pages_pictures_and_reference_and_no_results(root: Path) -> None:
    (root / "build" / "book").mkdir(parents=True)
    (root / "build" / "book" / "gone.md").write_text("a page of last week")
    assert book.render(root, {}) == 5
    out = root / "build" / "book"
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    pages = {"index.md", "contributing.md", "changelog.md", "api/index.md", "api/phase1_domain.md"}
    assert written == {*pages, "pictures/book.svg"}


def test_the_readme_is_renewed_between_its_marks_only(root: Path) -> None:
    renewed = book.renew_readme(root, {"rate": a_table})
    assert renewed == (
        "# M\n<!-- results:rate:begin -->\n| rate |\n| ---: |\n| 1234567 |\n"
        "<!-- results:rate:end -->\nend\n"
    )


def test_a_readme_behind_its_results_is_found_until_it_is_renewed(root: Path) -> None:
    tables = {"rate": a_table}
    assert ["a table is behind" in f.message for f in book.check(root, tables)] == [True]
    (root / "README.md").write_text(book.renew_readme(root, tables), encoding="utf-8")
    assert list(book.check(root, tables)) == []


def test_a_readme_table_that_nobody_makes_is_named(root: Path) -> None:
    with pytest.raises(BookError, match=r"README.md:2: results:rate: no table 'rate'"):
        book.renew_readme(root, {})


def test_a_readme_region_that_ends_under_another_name_is_named(root: Path) -> None:
    readme = root / "README.md"
    readme.write_text(readme.read_text().replace("rate:end", "size:end"), encoding="utf-8")
    with pytest.raises(BookError, match=r"README.md:2: results:rate ends as .*size:end"):
        book.renew_readme(root, {"rate": a_table})


@pytest.mark.parametrize(
    "prose",
    ["in 12 ns", "1.5 µs each", "20× faster", "4.2x faster", "three: 3 times faster",
     "31 million commands per second", "12,000 orders/s"],
)  # fmt: skip
def test_a_typed_measurement_is_found(prose: str) -> None:
    findings = list(book.typed_measurements("docs/x.md", f"first\n\nIt runs {prose}, we think.\n"))
    assert [finding.line for finding in findings] == [3]


@pytest.mark.parametrize(
    "prose",
    ["64 bytes", "8 × 8 bytes", "engines × commands", "at `12 ns`", "{{ results.a.b | .1f }} ns",
     "about 46 ns <!-- quoted -->", "```\n12 ns\n```", "2**40 orders", "phase 3 ms"],
)  # fmt: skip
def test_what_is_not_a_typed_measurement_is_left_alone(prose: str) -> None:
    text = f"It says:\n\n{prose}\n"
    expected = ["'3 ms'"] if prose == "phase 3 ms" else []
    assert [f.message.split(" is typed")[0] for f in book.typed_measurements("x", text)] == expected


def test_the_book_and_the_readme_here_are_in_order() -> None:
    findings = list(book.check())
    assert not findings, "\n" + "\n".join(map(str, findings))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.html", '<script src="https://cdn.example/x.js"></script>', "https://cdn.example/x.js"),
        ("a.html", '<link rel="stylesheet" href=//fonts.example/x.css>', "//fonts.example/x.css"),
        ("a.css", "body{background:url(https://x.example/a.png)}", "https://x.example/a.png"),
        ("a.html", '<a href="https://example.org">a link is not fetched</a>', ""),
        ("a.html", '<script src="assets/x.js"></script>', ""),
    ],
)
def test_what_the_site_would_fetch_elsewhere_is_found(
    tmp_path: Path, name: str, text: str, found: str
) -> None:
    site = tmp_path / "build" / "site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("<p>home</p>")
    (site / name).write_text(text)
    assert [f.message for f in book.check_site(tmp_path)] == ([f"fetches {found}"] if found else [])


def test_a_site_that_is_not_built_is_not_clean(tmp_path: Path) -> None:
    assert [finding.message for finding in book.check_site(tmp_path)] == ["the site is not built"]


def test_receipts_name_every_results_file(root: Path) -> None:
    receipt = {"command": "matchbook bench", "machine": "a desk", "commit": "abc"}
    (root / "docs" / "results" / "demo.json").write_text(json.dumps(receipt))
    table = TABLES["receipts"](Results(root / "docs" / "results"))
    assert table.splitlines()[2:] == ["| `demo.json` | matchbook bench | a desk | abc |"]


SOURCE = '''
"""Books."""
import os

class Book(Base, metaclass=Meta):
    """A book of :class:`Level` objects."""

    size: int = 3
    _hidden: int = 4

    def __init__(self, size: int) -> None:
        """Make it."""

    @property
    def best(self) -> int | None:
        """The best."""

    def _private(self): ...

def apply(
    commands: list[Command], events: list[Event], /, *rest: int, most: int = 1_000_000
) -> BatchResult:
    """Apply them."""

def _helper(): ...
'''


def test_the_reference_shows_public_names_with_signatures(tmp_path: Path) -> None:
    package = tmp_path / "phase1_domain"
    package.mkdir()
    (package / "__init__.py").write_text('"""The first phase."""\n')
    (package / "book.py").write_text(SOURCE)
    (package / "test_book.py").write_text("def test(): ...\n")
    (package / "_build.py").write_text("ffibuilder = 1\n")
    assert write_api_pages(read_tree(tmp_path), tmp_path / "api") == 2
    page = (tmp_path / "api" / "phase1_domain.md").read_text()
    for line in (
        "# `phase1_domain`",
        "## `phase1_domain.book`",
        "### `Book`",
        "class Book(Base, Meta):",
        "    size: int = 3",
        "A book of `Level` objects.",
        "#### `Book.best`",
        "@property",
        "def best(self) -> int | None",
        "    commands: list[Command],",
        "    /,",
        "    *rest: int,",
        "    most: int = 1000000,",
        ") -> BatchResult",
    ):
        assert line in page.splitlines(), line
    assert "hidden" not in page
    assert "_private" not in page
    assert "_helper" not in page
    assert "test" not in page
    assert (
        "- [`phase1_domain`](phase1_domain.md): The first phase."
        in (tmp_path / "api" / "index.md").read_text()
    )


def test_sessions_and_literal_blocks_in_docstrings_become_code() -> None:
    text = to_markdown("Sum.\n\n>>> 1 + 1\n2\n\nReturns:\n    What it is.\n\nSo::\n\n    x = 1")
    assert text == (
        "Sum.\n\n```pycon\n>>> 1 + 1\n2\n```\n\n**Returns**\n\nWhat it is.\n\nSo:\n\n    x = 1"
    )


def build_site(root: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of ``root`` with this repository's mkdocs.yml, strictly."""
    (root / "mkdocs.yml").write_text((book.ROOT / "mkdocs.yml").read_text())
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


PAGES = (
    *("contract", "phase1", "phase2", "phase3", "phase4", "phase5", "phase6"),
    *("wire-formats", "wal-format", "choosing-levels", "measurements", "command"),
)
QUOTING = '# Home\n\n```python\n--8<-- "phase1_domain/book.py:{section}"\n```\n'


@pytest.mark.parametrize(("section", "fine"), [("match", True), ("matched", False)])
def test_a_page_quotes_code_by_section_and_a_missing_section_fails(
    root: Path, section: str, fine: bool
) -> None:
    code = "# --8<-- [start:match]\ndef match():\n    return 42\n# --8<-- [end:match]\n"
    (root / "phase1_domain" / "book.py").write_text(code)
    (root / "docs" / "index.md").write_text(QUOTING.format(section=section))
    for page in PAGES:
        (root / "docs" / f"{page}.md").write_text(f"# {page}\n")
    book.render(root, {})
    built = build_site(root)
    assert (built.returncode == 0) is fine, built.stderr
    if fine:
        assert "42" in (root / "build" / "site" / "index.html").read_text()
        assert list(book.check_site(root)) == []
    else:
        assert "matched" in built.stderr
