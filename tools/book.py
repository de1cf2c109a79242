"""The book's pages from its sources: ``python -m tools.book render | readme | check | check-site``.

A page is Markdown in ``docs/``. What it says about speed or size is a query into a results file,
written by ``matchbook bench`` and committed as ``docs/results/NAME.json``::

    {{ results.NAME.path.to.value }}            a whole number or a word, as it is
    {{ results.NAME.path.to.value | ,d }}       a Python format: 1,234,567
    {{ results.NAME.path.to.value | .1fx }}     the same and a multiplication sign: 20.4×
    {{ results.NAME.path.to.value | /1e6 .1f }} divided first: 12.3, of 12.3 million
    {{ table: NAME }}                           a table made by ``tools/book_tables.py``

A number in the path is an index into a list, and a backslash before the braces keeps them as they
are. A placeholder that leads nowhere is an error that names file, line and placeholder.

``render`` writes ``build/book``, where mkdocs finds its pages, the API reference among them.
``readme`` renews the tables in README.md, each between ``<!-- results:NAME:begin -->`` and
``<!-- results:NAME:end -->``; ``check`` says where README.md is behind its results, and where a
measurement was typed by hand. ``check-site`` looks for anything the built site would fetch from
another host.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tools.book_api import write_api_pages
from tools.book_tables import TABLES, Table
from tools.results import BookError, Results, format_value
from tools.tree import Finding, line_of, read_tree

ROOT = Path(__file__).resolve().parent.parent
#: Pages that live at the root, because people look for them there.
ROOT_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}

_PLACEHOLDER = re.compile(
    r"(?P<escape>\\)?\{\{\s*(?P<kind>[A-Za-z_]+)(?P<mark>[.:])(?P<rest>[^}]*)\}\}"
)
_REGION = re.compile(
    r"(?P<begin><!-- results:(?P<name>\w+):begin -->\n)"
    r"(?P<body>.*?)(?P<end><!-- results:\w+:end -->)",
    re.DOTALL,
)
_CODE = re.compile(
    r"^(?P<fence>```+|~~~+).*?^(?P=fence)|`[^`\n]+`|\{\{.*?\}\}", re.DOTALL | re.MULTILINE
)
# A number with a unit of speed. A line with the comment quotes a figure and says from where.
_QUOTED = "<!-- quoted -->"
_MEASUREMENT = re.compile(
    r"""(?<![\w.]) \d[\d,]*(?:\.\d+)? \s?
        (?: (?: ns|µs|μs|ms|GB/s|MB/s
              | (?:M\ |million\ )?(?:commands|messages|orders|events)(?:/s|\ per\ second)
              | x\ faster|times\ (?:faster|slower|as\ fast) ) (?!\w)
          | ×(?!\s?\d) )""",
    re.VERBOSE,
)
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)\s*=\s*[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|@import\s+[\"'](https?://[^\"']+)|url\([\"']?(https?://[^\"')]+)"
)


def fill(text: str, where: str, results: Results, tables: Mapping[str, Table]) -> str:
    """The text with every placeholder replaced.

    Raises:
        BookError: for the first placeholder that cannot be, naming file, line and placeholder.
    """

    def replace(match: re.Match[str]) -> str:
        if match["escape"]:
            return match[0][1:]
        try:
            if (match["kind"], match["mark"]) == ("results", "."):
                path, _, how = match["rest"].partition("|")
                return format_value(results[path.strip()], how)
            if (match["kind"], match["mark"]) == ("table", ":"):
                return make_table(match["rest"].strip(), results, tables)
            raise BookError("unknown kind; there are results. and table:")
        except BookError as error:
            line = line_of(text, match.start())
            raise BookError(f"{where}:{line}: {match[0]}: {error}") from error

    return _PLACEHOLDER.sub(replace, text)


def make_table(name: str, results: Results, tables: Mapping[str, Table]) -> str:
    """The Markdown of a registered table.

    Raises:
        BookError: no such table, or what it needs is not in the results.
    """
    if name not in tables:
        raise BookError(
            f"no table {name!r} in tools/book_tables.py; there are: {', '.join(tables)}"
        )
    return tables[name](results).strip("\n")


def render(root: Path = ROOT, tables: Mapping[str, Table] = TABLES) -> int:
    """Write every page to ``build/book`` and return how many.

    Raises:
        BookError: a placeholder leads nowhere.
    """
    out = root / "build" / "book"
    shutil.rmtree(out, ignore_errors=True)
    results = Results(root / "docs" / "results")
    sources = {path: path.relative_to(root / "docs") for path in (root / "docs").rglob("*")}
    sources |= {root / page: Path(target) for page, target in ROOT_PAGES.items()}
    pages = 0
    for source, target in sorted(sources.items()):
        if not source.is_file() or "results" in target.parts:
            continue
        (out / target).parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            text = source.read_text(encoding="utf-8")
            filled = fill(text, source.relative_to(root).as_posix(), results, tables)
            (out / target).write_text(filled, encoding="utf-8")
            pages += 1
        else:
            shutil.copyfile(source, out / target)
    return pages + write_api_pages(read_tree(root), out / "api")


def renew_readme(root: Path = ROOT, tables: Mapping[str, Table] = TABLES) -> str:
    """README.md with the table of every marked region made anew.

    Raises:
        BookError: a region names no table, or ends under another name than it began.
    """
    results = Results(root / "docs" / "results")
    text = (root / "README.md").read_text(encoding="utf-8")

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        line = line_of(text, match.start())
        if match["end"] != f"<!-- results:{name}:end -->":
            raise BookError(f"README.md:{line}: results:{name} ends as {match['end']}")
        try:
            body = make_table(name, results, tables)
        except BookError as error:
            raise BookError(f"README.md:{line}: results:{name}: {error}") from error
        return f"{match['begin']}{body}\n{match['end']}"

    return _REGION.sub(replace, text)


def check(root: Path = ROOT, tables: Mapping[str, Table] = TABLES) -> Iterator[Finding]:
    """Where README.md is not what ``readme`` would write, and where a measurement is typed."""
    readme = root / "README.md"
    if not readme.is_file():
        yield Finding("README.md", 1, "there is none")
        return
    text = readme.read_text(encoding="utf-8")
    if renew_readme(root, tables) != text:
        yield Finding("README.md", 1, "a table is behind docs/results: run make readme")
    yield from typed_measurements("README.md", _REGION.sub(_keep_lines, text))
    for page in sorted((root / "docs").rglob("*.md")):
        where = page.relative_to(root).as_posix()
        yield from typed_measurements(where, page.read_text(encoding="utf-8"))


def typed_measurements(where: str, text: str) -> Iterator[Finding]:
    """Numbers with a unit of speed that stand in prose and come from no results file."""
    prose = _CODE.sub(_keep_lines, text)
    for number, line in enumerate(prose.split("\n"), 1):
        if _QUOTED not in line:
            for match in _MEASUREMENT.finditer(line):
                message = f"{match[0]!r} is typed: ask a results file, or mark the line {_QUOTED}"
                yield Finding(where, number, message)


def _keep_lines(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def check_site(root: Path = ROOT) -> Iterator[Finding]:
    """Everything the built pages and styles would fetch from another host."""
    site = root / "build" / "site"
    if not (site / "index.html").is_file():
        yield Finding("build/site", 1, "the site is not built")
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".css"):
            text = path.read_text(encoding="utf-8")
            for match in _FETCHED.finditer(text):
                if 'rel="canonical"' not in match[0]:
                    address = match[1] or match[2] or match[3]
                    where = path.relative_to(root).as_posix()
                    yield Finding(where, line_of(text, match.start()), f"fetches {address}")


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; the exit status is 1 if it has anything to complain about."""
    checks: dict[str, Callable[[], Iterator[Finding]]] = {"check": check, "check-site": check_site}
    parser = argparse.ArgumentParser(description="Make and check the book's pages.")
    parser.add_argument("command", choices=["render", "readme", *checks])
    command = parser.parse_args(arguments).command
    try:
        if command == "render":
            print(f"{render()} pages")
        elif command == "readme":
            (ROOT / "README.md").write_text(renew_readme(), encoding="utf-8")
        else:
            findings = list(checks[command]())
            print("\n".join(map(str, findings)), end="\n" if findings else "")
            return 1 if findings else 0
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
