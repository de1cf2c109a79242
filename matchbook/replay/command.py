"""The sub-command ``matchbook replay``: any order stream, on any engine."""

from __future__ import annotations

import hashlib
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text

from contract.byte_source import shorten
from contract.errors import ConfigurationError
from contract.messages import DEFAULT_MAX_PRICE, DEFAULT_MIN_PRICE
from matchbook.book_view import draw_difference, draw_engine
from matchbook.console import byte_progress, out
from matchbook.engines import DEFAULT_ENGINE, load_engine
from matchbook.lazy import load
from matchbook.replay.driver import Limits
from matchbook.replay.events_out import EventSink
from matchbook.replay.formats import Format, detect_format
from matchbook.replay.outcome import Outcome, Request, Runner

EXIT_DIFFERENT: Final = 1
_BOOKS_SHOWN: Final = 10
#: Loaded when there is such a file: commands need nothing of the phase that reads ITCH.
_RUNNERS: Final = {
    Format.COMMANDS: "matchbook.replay.run_commands:run_commands",
    Format.ITCH: "matchbook.replay.run_itch:run_itch",
    Format.LOBSTER: "matchbook.replay.run_lobster:run_lobster",
    Format.BENCHMARK: "matchbook.replay.run_commands:run_benchmark_text",
}
_FEEDS: Final = (Format.ITCH, Format.LOBSTER)
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--engine",
    "-e",
    default=DEFAULT_ENGINE,
    show_default=True,
    metavar="NAME",
    help="A listed engine (see `matchbook engines`) or module:Class.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice([f.value for f in Format]),
    help="The file's format, where its name and first line do not tell.",
)
@click.option(
    "--mode",
    type=click.Choice(["rebuild", "match"]),
    help="Market data only. rebuild (default): apply executions to the orders they name;"
    " match: re-enact them as IOC orders and report how many hit the same order.",
)
@click.option(
    "--stock", metavar="SYMBOL", help="ITCH only: follow this stock alone (default: all)."
)
@click.option(
    "--instrument",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    help="Commands only: the book's instrument (default 0); others are rejected.",
)
@click.option(
    "--capacity",
    type=int,
    metavar="ORDERS",
    help="Most live orders at once. Without it, books of market data grow as they need.",
)
@click.option("--min-price", type=int, default=DEFAULT_MIN_PRICE, show_default=True)
@click.option("--max-price", type=int, default=DEFAULT_MAX_PRICE, show_default=True)
@click.option("--limit", type=click.IntRange(0), metavar="N", help="Stop after N messages.")
@click.option(
    "--events",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="Write all events: records to a name in .evt, words to one in .csv.",
)
@click.option("--book", is_flag=True, help="Draw the book at the end.")
@click.option(
    "--depth", type=click.IntRange(1), default=10, show_default=True, help="Levels a side to draw."
)
@click.option("--hash", "show_hash", is_flag=True, help="Print the hash of the final state.")
@click.option(
    "--expect",
    metavar="FILE|DIGEST",
    help="What should come out: events (.evt, .csv), a report text or its SHA-256;"
    " for market data an order book file. Exit status 1 if it does not.",
)
@click.option(
    "--rows",
    type=_FILE,
    help="ITCH with --expect: line n is the index of the message that row n follows.",
)
def replay(file: Path, format_name: str | None, **options: Any) -> None:
    """Run an order stream through an engine.

    FILE is a command script (.csv) or command file (.cmd), a Nasdaq ITCH 5.0 day (.itch50), a
    LOBSTER message file (.csv, or the .zip they offer as a sample), or the public benchmark's
    text; gzip and xz are unpacked on the way. Files larger than memory are fine.
    """
    kind = Format(format_name) if format_name else detect_format(file)
    _check_options(kind, options)
    runner: Runner = load(_RUNNERS[kind], f"matchbook replay of {kind.value}")
    engine_class = load_engine(options["engine"])
    limits = Limits(options["min_price"], options["max_price"], options["capacity"])
    with ExitStack() as stack:
        sink = stack.enter_context(EventSink(options["events"])) if options["events"] else None
        with byte_progress(file, f"{engine_class.name} ◀ {shorten(file.name)}") as on_read:
            request = Request(
                path=file,
                engine_class=engine_class,
                limits=limits,
                match=options["mode"] == "match",
                stock=options["stock"],
                instrument=options["instrument"],
                limit=options["limit"],
                expect=options["expect"],
                rows=options["rows"],
                sink=sink,
                on_read=on_read,
            )
            outcome = runner(request, stack)
        if sink is not None:
            sink.close()
            outcome.facts.append(("written", f"{sink.count:,} events to {options['events']}"))
        _print(outcome, engine_class.name, options)
    if outcome.difference is not None:
        sys.exit(EXIT_DIFFERENT)


def _check_options(kind: Format, options: dict[str, Any]) -> None:
    """Refuse an option that the format has no use for, rather than ignore it.

    Raises:
        ConfigurationError: names the option.
    """
    unused = []
    if options["mode"] == "rebuild" and kind not in _FEEDS:
        unused.append("--mode rebuild (commands are always matched)")
    if options["stock"] and kind is not Format.ITCH:
        unused.append("--stock")
    if options["rows"] and (kind is not Format.ITCH or not options["expect"]):
        unused.append("--rows")
    if options["instrument"] and kind in _FEEDS:
        unused.append("--instrument")
    if unused:
        raise ConfigurationError(
            f"{', '.join(unused)}: of no use for a file in format {kind.value}"
        )
    expect = options["expect"]
    if expect and kind in _FEEDS and not Path(expect).is_file():
        raise ConfigurationError(f"--expect {expect}: no such file")


def _print(outcome: Outcome, engine_name: str, options: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("engine", engine_name)
    for label, value in outcome.facts:
        table.add_row(label, value)
    resting = sum(len(engine) for engine in outcome.books.values())
    books = "" if len(outcome.books) == 1 else f" in {len(outcome.books):,} books"
    table.add_row("resting", f"{_orders(resting)}{books}")
    if options["show_hash"]:
        table.add_row("state hash", _hash(outcome))
    out.print(table)
    for heading, lines in outcome.lists:
        out.print(Text(f"\n{heading}", style="bold"))
        for line in lines:
            out.print(Text(f"  {line}"), soft_wrap=True)
    if options["book"]:
        _draw_books(outcome, options["depth"])
    if options["expect"]:
        _print_verdict(outcome, options["depth"])


def _orders(count: int) -> str:
    return f"{count:,} order" if count == 1 else f"{count:,} orders"


def _hash(outcome: Outcome) -> str:
    """The state hash; of several books, the digest of theirs in order of their instruments."""
    engines = sorted(outcome.books.values(), key=lambda engine: engine.instrument)
    hashes = [engine.state_hash() for engine in engines]
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.blake2b("".join(hashes).encode(), digest_size=16).hexdigest()


def _draw_books(outcome: Outcome, depth: int) -> None:
    fullest = sorted(outcome.books.items(), key=lambda item: -len(item[1]))
    for name, engine in fullest[:_BOOKS_SHOWN]:
        out.print()
        out.print(draw_engine(engine, depth, title=f"{name}, {_orders(len(engine))}"))
    left_out = len(fullest) - _BOOKS_SHOWN
    if left_out > 0:
        out.print(f"\nand {left_out:,} smaller books")


def _print_verdict(outcome: Outcome, depth: int) -> None:
    difference = outcome.difference
    if difference is None:
        out.print(Text(f"as expected: {outcome.equal}", style="bold green"), soft_wrap=True)
        return
    out.print(Text(f"\nfirst difference: {difference.where}", style="bold red"), soft_wrap=True)
    if difference.detail:
        out.print(Text(difference.detail), soft_wrap=True)
    if difference.expected is not None and difference.got is not None:
        out.print(draw_difference(difference.expected, difference.got, depth))
