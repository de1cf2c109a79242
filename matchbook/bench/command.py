"""The sub-command ``matchbook bench``."""

from __future__ import annotations

import importlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from contract.errors import ConfigurationError, MatchbookError
from matchbook.bench import machine
from matchbook.bench.receipt import make_receipt, write_receipt
from matchbook.bench.tables import SHOWN, Grid
from matchbook.bench.trial import Session, SkippedError
from matchbook.console import err, out, print_error
from matchbook.engines import REGISTRY, EngineClass, available_engines, load_engine

EXIT_FAILED: Final = 1
#: Every suite, in the order they run; the module of that name holds it.
SUITES: Final = (
    "scenarios",
    "shapes",
    "batching",
    "levels20k",
    "curve",
    "latency",
    "memory",
    "instructions",
    "phase2",
    "rings",
    "pipeline",
    "codecs",
    "itch",
    "multicast",
    "wal",
)
#: Suites whose measuring happens in processes or threads of their own, which share the cores.
_UNPINNED: Final = ("memory", "instructions", "rings", "pipeline", "multicast", "wal")
#: Where nothing says how wide the output is.
_WIDTH: Final = 100
_RESULTS: Final = Path("docs") / "results"
_QUICK_RESULTS: Final = Path("build") / "results"


@click.command()
@click.argument("suites", nargs=-1, type=click.Choice(SUITES), metavar="[SUITE]...")
@click.option("--quick", is_flag=True, help="Small and rough, in seconds: to see whether it works.")
@click.option("--rounds", type=click.IntRange(2), help="Rounds per comparison.")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Where results files go.  [default: {_RESULTS}; with --quick {_QUICK_RESULTS}]",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="A directory on the disk that wal is to measure.  [default: build/bench]",
)
@click.option(
    "--engine",
    "engines",
    multiple=True,
    metavar="NAME",
    help="An engine to measure, by name or as module:Class; may be repeated.  [default: all]",
)
def bench(
    suites: tuple[str, ...],
    quick: bool,
    rounds: int | None,
    folder: Path | None,
    directory: Path | None,
    engines: tuple[str, ...],
) -> None:
    """Measure the engines on this machine and write results files.

    Without a SUITE all of them run, in about ten minutes. Contestants run interleaved, every
    answer is verified, and a ratio stands beside what the same code shows against itself.

    \b
    scenarios     the public benchmark's five workloads, every engine
    shapes        an ordinary day, a crowded book, sweeps
    batching      crossing from Python into C per node, command, batch
    levels20k     20,000 levels whose best one empties; the crossovers
    curve         one operation on books of 10 to 10,000,000 orders
    latency       the time of single commands: median and tail
    memory        bytes an order; growth and page faults while running
    instructions  instructions per command, counted under valgrind
    phase2        phase 2's footprint, scans and boundary
    rings         64 bytes to another core: rings, queues, pipes; why
    pipeline      the engine behind rings: throughput, latency
    codecs        bytes of messages and back: struct, SBE, msgpack, flat
    itch          reading an exchange's feed, from Python down to C
    multicast     MoldUDP64 between processes: packing, latency, loss
    wal           the price of a log: durability, disks, recovery
    """
    chosen = suites or SUITES
    target = folder or (_QUICK_RESULTS if quick else _RESULTS)
    command = describe_command(suites, quick, rounds, folder, engines)
    loaded = load_engines(engines)
    for name in chosen:
        load_suite(name)
    failed = []
    with progress_line() as show:
        session = Session(loaded, rounds, quick, directory=directory)
        for name in chosen:
            try:
                receipt = run_suite(name, session, show, command)
            except SkippedError as reason:
                err.print(Text(f"{name}: left out: {reason}"), style="yellow", soft_wrap=True)
                continue
            except MatchbookError as error:
                print_error(f"{name}: {error}")
                failed.append(name)
                continue
            except Exception:
                # A fault in one suite must not cost the others, which may run unattended.
                err.print_exception()
                print_error(f"{name}: failed, see above")
                failed.append(name)
                continue
            path = write_receipt(target, receipt)
            out.print(render(name, receipt), width=None if out.is_terminal else _WIDTH)
            out.print(Text(f"{path}\n", style="dim"))
    if failed:
        sys.exit(EXIT_FAILED)


def run_suite(
    name: str, session: Session, show: Callable[[str], None], command: str
) -> dict[str, Any]:
    """Run one suite and return the content of its results file."""
    suite = load_suite(name)
    session.step = lambda text: show(f"{name}: {text}")
    started, cpu_started = time.perf_counter(), cpu_seconds()
    free = session.quick or name in _UNPINNED
    with nullcontext(None) if free else machine.pinned() as core:
        body = suite.run(session)
    return make_receipt(
        name,
        body,
        command=command,
        quick=session.quick,
        seconds=time.perf_counter() - started,
        cpu_seconds=cpu_seconds() - cpu_started,
        pinned_core=core,
    )


def load_suite(name: str) -> ModuleType:
    """The module of a suite."""
    return importlib.import_module(f"matchbook.bench.{name}")


def cpu_seconds() -> float:
    """Seconds of processor time that this process and those it has waited for have taken."""
    return sum(os.times()[:4])


def load_engines(names: tuple[str, ...]) -> dict[str, EngineClass]:
    """The engines asked for, in the registry's order; all that are built if none is.

    Never one whose work is not all done by the calling thread: a suite pins its process to one core
    and reads that thread's clock, so it would see the waiting and not the work. Such an engine has
    a suite of its own.

    Raises:
        ConfigurationError: one of those asked for cannot be loaded, or measured, or there is none.
    """
    for name in names:
        if name in REGISTRY and REGISTRY[name].own_suite:
            raise ConfigurationError(
                f"engine {name!r} has a thread of its own, which these suites do not see;"
                f" matchbook bench {REGISTRY[name].own_suite} measures it beside the engine alone"
            )
    if names:
        known = [name for name in REGISTRY if name in names]
        others = [name for name in dict.fromkeys(names) if name not in REGISTRY]
        # A reader's own engine stands before the last, which is the one that others are held to.
        return {name: load_engine(name) for name in [*known[:-1], *others, *known[-1:]]}
    available = [name for name in available_engines() if not REGISTRY[name].own_suite]
    for name, entry in REGISTRY.items():
        if name not in available and not entry.own_suite:
            err.print(f"{name} is not built here and not measured; `make setup` builds it")
    if not available:
        raise ConfigurationError("no engine is built here; `make setup` builds them")
    return {name: load_engine(name) for name in available}


def describe_command(
    suites: tuple[str, ...],
    quick: bool,
    rounds: int | None,
    folder: Path | None,
    engines: tuple[str, ...],
) -> str:
    """The command line that gives the same again, without folders, which are this machine's."""
    words = ["matchbook", "bench", *suites]
    words += ["--quick"] if quick else []
    words += ["--rounds", str(rounds)] if rounds is not None else []
    for engine in engines:
        words += ["--engine", engine]
    return shlex.join(words)


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """A line that says what is running; yields what to call with it.

    It is drawn between runs and never by a thread of its own, which would take time from them.
    Without a terminal only the suites' names are written, once each.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    seen: set[str] = set()
    with Progress(
        *columns, console=err, auto_refresh=False, transient=True, disable=not err.is_terminal
    ) as progress:
        task = progress.add_task("")

        def show(text: str) -> None:
            suite = text.partition(":")[0]
            if not err.is_terminal and suite not in seen:
                err.print(f"{suite} …")
            seen.add(suite)
            progress.update(task, description=text, refresh=True)

        yield show


def render(name: str, receipt: dict[str, Any]) -> RenderableType:
    """The tables of a results file for the terminal."""
    return Group(*(_render_grid(grid) for grid in SHOWN[name](receipt)))


def _render_grid(grid: Grid) -> RenderableType:
    table = Table(box=None, pad_edge=False, title=grid.title, title_justify="left")
    words = len(grid.head) - grid.numbers
    for place, heading in enumerate(grid.head):
        table.add_column(Text(heading), justify="left" if place < words else "right")
    for row in grid.rows:
        table.add_row(*(Text(cell.replace("`", "")) for cell in row))
    return Group(table, Text(f"{grid.note}\n" if grid.note else "", style="dim"))
