"""The ``matchbook`` command and its sub-commands.

Every sub-command lives in a module of its own, loaded when it is asked for: listing the engines
does not import numpy, and replaying a file does not import the benchmarks.
"""

from __future__ import annotations

import errno
import sys
from typing import Any, Final, NamedTuple

import click
from rich.table import Table

from contract.errors import ConfigurationError, MatchbookError
from matchbook.console import out, print_error
from matchbook.engines import DEFAULT_ENGINE, REGISTRY, load_engine
from matchbook.lazy import load

EXIT_ERROR: Final = 2


class _Lazy(NamedTuple):
    """A sub-command that lives elsewhere: ``module:click command``, and what the list says."""

    target: str
    about: str


_LAZY: Final = {
    "bench": _Lazy("matchbook.bench:bench", "Measure the engines on this machine."),
    "demo": _Lazy("matchbook.demo:demo", "One workload through every engine, compared."),
    "generate": _Lazy("matchbook.generate:generate", "Write an order stream to a file."),
    "log": _Lazy("matchbook.log.command:log", "Look into a write-ahead log, check it, replay it."),
    "replay": _Lazy("matchbook.replay.command:replay", "Run an order stream through an engine."),
}


class _Commands(click.Group):
    """A group that imports a sub-command when it is needed, and reports errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_LAZY})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _LAZY:
            return super().get_command(ctx, name)
        command = load(_LAZY[name].target, f"matchbook {name}")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _LAZY[name].about) for name in _LAZY]
        rows += [(name, command.get_short_help_str()) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MatchbookError as error:
            print_error(str(error))
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever read our output went away; click knows what to do
            print_error(str(error))
        sys.exit(EXIT_ERROR)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="matchbook")
def main() -> None:
    """Matchbook: an exchange built in phases, and the command that runs any of them."""


@main.command()
def engines() -> None:
    """List the engines and whether they run here."""
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "what it is", "class", "here"):
        table.add_column(heading)
    problems = []
    for name, entry in REGISTRY.items():
        state = "[green]ready[/]"
        try:
            load_engine(name)
        except ConfigurationError as error:
            state = "[red]missing[/]"
            problems.append(str(error))
        shown = f"[bold]{name}[/] (default)" if name == DEFAULT_ENGINE else name
        table.add_row(shown, entry.about, entry.target, state)
    out.print(table)
    for problem in problems:
        print_error(problem)
