"""The API reference, one page a package, from the signatures and docstrings in the source.

The source is read, not imported: a page needs no compiled extension, and shows what a reader of
the file sees. Private names, tests, ``__main__`` and build scripts are left out.
"""

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tools.tree import Tree, is_test, package_of

OTHER_FOLDERS = {"", "tools", "docs"}
SECTIONS = (
    "Args",
    "Returns",
    "Raises",
    "Yields",
    "Attributes",
    "Complexity",
    "Example",
    "Examples",
)

_SECTION = re.compile(rf"({'|'.join(SECTIONS)}):[ \t]*(.*)")
_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?([^`]+)`")
_ENTRY = re.compile(r"(\*{0,2}\w+(?: \([^)]*\))?): (.*)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def write_api_pages(tree: Tree, out: Path) -> int:
    """Write a page for every package and one that lists them; returns how many."""
    packages: dict[str, list[str]] = {}
    for path in tree.python:
        stem = path.rsplit("/", 1)[-1].removesuffix(".py")
        private = stem.startswith("_") and stem != "__init__"
        if package_of(path) not in OTHER_FOLDERS and not private and not is_test(path):
            packages.setdefault(package_of(path), []).append(path)
    if not packages:
        return 0
    out.mkdir(parents=True, exist_ok=True)
    index = ["# API reference", "", "Written from the docstrings, package by package.", ""]
    for package, paths in sorted(packages.items()):
        modules = {module_name(path): ast.parse(tree.text(path), path) for path in sorted(paths)}
        text = "\n".join(package_page(package, modules)) + "\n"
        (out / f"{package}.md").write_text(text, encoding="utf-8")
        about = ast.get_docstring(modules[package]) if package in modules else None
        first = plain_roles(about or "").partition("\n")[0]
        index.append(f"- [`{package}`]({package}.md): {first}")
    (out / "index.md").write_text("\n".join(index) + "\n", encoding="utf-8")
    return len(packages) + 1


def plain_roles(text: str) -> str:
    """Cross-references such as ``:class:`Book``` as plain code."""
    return _ROLE.sub(r"`\1`", text)


def module_name(path: str) -> str:
    """``contract.messages`` for ``contract/messages.py``."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def package_page(package: str, modules: dict[str, ast.Module]) -> Iterator[str]:
    """The lines of a package's page: its own docstring, then its modules."""
    yield f"# `{package}`"
    for name, module in modules.items():
        if name != package:
            yield from ("", f"## `{name}`")
        yield from ("", to_markdown(ast.get_docstring(module) or ""))
        for node in module.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from describe_class(node)
            elif isinstance(node, Function) and not node.name.startswith("_"):
                yield from describe_function(node, node.name, "###")


def describe_class(node: ast.ClassDef) -> Iterator[str]:
    """A class: its head and fields as code, its docstring, its public methods."""
    bases = ", ".join(map(ast.unparse, [*node.bases, *(word.value for word in node.keywords)]))
    code = [f"class {node.name}({bases}):" if bases else f"class {node.name}:"]
    for field in node.body:
        if isinstance(field, ast.AnnAssign | ast.Assign):
            line = ast.unparse(field)
            if not line.startswith("_"):
                code.append(f"    {line}")
    if len(code) == 1:
        code[0] = code[0].removesuffix(":")
    yield from ("", f"### `{node.name}`", "", "```python", *code, "```", "")
    yield to_markdown(ast.get_docstring(node) or "")
    for method in node.body:
        if isinstance(method, Function) and (method.name == "__init__" or method.name[0] != "_"):
            yield from describe_function(method, f"{node.name}.{method.name}", "####")


def describe_function(node: Function, name: str, level: str) -> Iterator[str]:
    """A function: its signature as code and its docstring."""
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    start = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    decorators = [f"@{ast.unparse(decorator)}" for decorator in node.decorator_list]
    signature = f"{start} {node.name}({ast.unparse(node.args)}){result}"
    if len(signature) > 88:
        parts = [*split_arguments(node.args)]
        signature = f"{start} {node.name}(\n    " + ",\n    ".join(parts) + f",\n){result}"
    yield from ("", f"{level} `{name}`", "", "```python", *decorators, signature, "```", "")
    yield to_markdown(ast.get_docstring(node) or "")


def split_arguments(arguments: ast.arguments) -> Iterator[str]:
    """Each argument as it is written, one by one, with the marks ``/`` and ``*`` between."""
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = len(positional) - len(arguments.defaults)
    defaults = [None] * missing + list(arguments.defaults)
    for index, (argument, default) in enumerate(zip(positional, defaults, strict=True), 1):
        yield _argument(argument, default)
        if index == len(arguments.posonlyargs):
            yield "/"
    if arguments.vararg:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    if default is None:
        return ast.unparse(argument)
    return f"{ast.unparse(argument)} = {ast.unparse(default)}"


def to_markdown(docstring: str) -> str:
    """A docstring as Markdown: sections in bold, entries as a list, sessions as code.

    >>> print(to_markdown("Sum.\\n\\nArgs:\\n    a: the first,\\n        of two."))
    Sum.
    <BLANKLINE>
    **Args**
    <BLANKLINE>
    - `a`: the first, of two.
    """
    blocks = re.split(r"\n\s*\n", plain_roles(docstring).strip("\n"))
    out: list[str] = []
    for block in blocks:
        section = _SECTION.match(block)
        if textwrap.dedent(block).startswith(">>>"):
            out.append(f"```pycon\n{textwrap.dedent(block)}\n```")
        elif section:
            first, rest = section[2], block.partition("\n")[2]
            out.append(f"**{section[1]}**" + (f": {first}" if first else ""))
            if rest:
                out.append(_section_body(textwrap.dedent(rest)))
        else:
            out.append(re.sub(r"::$", ":", block))
    return "\n\n".join(out)


def _section_body(text: str) -> str:
    if text.startswith(">>>"):
        return f"```pycon\n{text}\n```"
    entries: list[str] = []
    for line in text.splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry and not line[0].isspace():
            entries.append(f"- `{entry[1]}`: {entry[2]}")
        elif entries:
            entries[-1] += " " + line.strip()
        else:
            return text  # prose, not a list of names
    return "\n".join(entries)
