"""The sub-command ``matchbook demo``: one workload, every engine, the same answer, other times."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from contract.engine import Engine, LevelView
from contract.records import RecordArray, empty_events
from contract.reports import PUBLISHED_DIGESTS, SMALL_DIGESTS, SMALL_ORDERS, ReportDigest
from contract.workload import ORDERS, SCENARIOS, SEED, generate
from matchbook.book_view import draw_levels
from matchbook.console import err, out
from matchbook.engines import REGISTRY, load_engine

EXIT_DIFFERENT: Final = 1
_CHUNK: Final = 16_384
_EVENT_CAPACITY: Final = 4 * _CHUNK
_LEVELS: Final = 10


@dataclass
class Run:
    """One engine's way through the workload. ``seconds`` is spent in the engine alone."""

    engine: str
    seconds: float = 0.0
    commands: int = 0
    trades: int = 0
    resting: int = 0
    digest: str = ""
    picture: Picture | None = None


class Picture(NamedTuple):
    """A book as it was at some moment."""

    commands: int
    bids: list[LevelView]
    asks: list[LevelView]
    orders: int

    def worth(self) -> tuple[int, int]:
        """What makes a picture worth drawing: levels on both sides, then a narrow spread."""
        levels = min(len(self.bids), len(self.asks))
        return levels, self.bids[0].price - self.asks[0].price if levels else 0


@click.command()
@click.option(
    "--orders",
    type=click.IntRange(1),
    default=ORDERS,
    show_default=True,
    help="Orders of the workload; about twice as many commands.",
)
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), default="normal", show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=SEED, show_default=True)
def demo(orders: int, scenario: str, seed: int) -> None:
    """Run the public benchmark's workload through every engine and compare.

    Every engine must give the published digest of reports; then the table says how long each of
    them took. Only time spent in the engines counts: matching and writing event records.
    """
    engine_classes = [load_engine(name) for name in REGISTRY]
    out.print(
        f"The public benchmark's workload [bold]{scenario}[/]: {orders:,} orders, seed {seed}."
    )
    commands = generate(scenario, orders, seed)
    out.print(f"{len(commands):,} commands: new orders, modifications, cancels.\n")
    runs = []
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    # Refreshed between chunks and not from a thread, which would take time from the engines.
    with Progress(*columns, console=err, auto_refresh=False, disable=not err.is_terminal) as bars:
        for engine_class in engine_classes:
            task = bars.add_task(engine_class.name, total=len(commands))

            def advance(count: int, task: int = task) -> None:
                bars.update(bars.task_ids[task], advance=count, refresh=True)

            with engine_class() as engine:
                runs.append(run_engine(engine, commands, advance))
    _print_book(runs[-1])
    is_right = _print_digests(runs, scenario, orders, seed)
    _print_table(runs)
    if not is_right:
        sys.exit(EXIT_DIFFERENT)


def run_engine(engine: Engine, commands: RecordArray, advance: Callable[[int], None]) -> Run:
    """Apply all commands in chunks; time the engine alone and digest its reports.

    Args:
        engine: an empty engine.
        commands: array of ``COMMAND_DTYPE``, shape (n,).
        advance: called with the number of commands applied since the last call.
    """
    run = Run(engine.name)
    digest = ReportDigest()
    events = empty_events(_EVENT_CAPACITY)
    start = 0
    while start < len(commands):
        chunk = commands[start : start + _CHUNK]
        began = time.perf_counter()
        consumed, written = engine.apply_batch(chunk, events)
        run.seconds += time.perf_counter() - began
        if not consumed:
            events = empty_events(2 * len(events))
            continue
        digest.update(chunk[:consumed], events[:written])
        start += consumed
        advance(consumed)
        picture = Picture(start, *engine.depth(_LEVELS), len(engine))
        if run.picture is None or picture.worth() > run.picture.worth():
            run.picture = picture
    run.commands = len(commands)
    run.trades = digest.counts.trades
    run.resting = len(engine)
    run.digest = digest.hexdigest()
    return run


def _print_book(run: Run) -> None:
    picture = run.picture
    assert picture is not None
    out.print(draw_levels(picture.bids, picture.asks))
    out.print(
        f"{run.engine}'s book after {picture.commands:,} of {run.commands:,} commands,"
        f" {picture.orders:,} orders; the best {_LEVELS} levels a side. (Of the moments between"
        " two batches, the one with the narrowest spread: at the end most of the workload has been"
        " cancelled.)\n"
    )


def _print_digests(runs: list[Run], scenario: str, orders: int, seed: int) -> bool:
    """Say whether every engine's reports have the digest they should; return whether."""
    wanted, whose = _wanted_digest(runs, scenario, orders, seed)
    wrong = [run for run in runs if run.digest != wanted]
    for run in wrong:
        text = f"{run.engine}: SHA-256 of its reports is {run.digest}, {whose} is {wanted}"
        out.print(Text(text, style="bold red"), soft_wrap=True)
    if not wrong:
        text = f"All {len(runs)} engines: SHA-256 of the reports equals {whose},\n{wanted}\n"
        out.print(Text(text, style="green"), soft_wrap=True)
    return not wrong


def _wanted_digest(runs: list[Run], scenario: str, orders: int, seed: int) -> tuple[str, str]:
    if (orders, seed) == (ORDERS, SEED):
        return PUBLISHED_DIGESTS[scenario], "the published one"
    if orders == SMALL_ORDERS and (scenario, seed) in SMALL_DIGESTS:
        return SMALL_DIGESTS[scenario, seed], "the published one"
    return runs[0].digest, f"that of {runs[0].engine} (none is published for this size and seed)"


def _print_table(runs: list[Run]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("engine")
    for heading in ("commands/s", "ns/command", "speed-up", "resting", "trades"):
        table.add_column(heading, justify="right")
    for run in runs:
        table.add_row(
            run.engine,
            f"{run.commands / run.seconds:,.0f}",
            f"{run.seconds / run.commands * 1e9:,.1f}",
            f"{runs[0].seconds / run.seconds:,.1f}×",
            f"{run.resting:,}",
            f"{run.trades:,}",
        )
    out.print(table)
    out.print("\nOne run each, time in the engine alone; `matchbook bench` measures with care.")
    for run in runs:
        if REGISTRY[run.engine].remark:
            out.print(f"{run.engine} {REGISTRY[run.engine].remark}")
