"""``matchbook log replay``: an engine brought to where the log says it was, and looked at."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from contract.errors import ConfigurationError
from contract.native import NativeEngine
from matchbook.book_view import draw_engine
from matchbook.console import err, out
from matchbook.engines import DEFAULT_ENGINE, EngineClass, load_engine
from matchbook.log.look import (
    DIRECTORY,
    counted,
    look_at_snapshots,
    open_log,
    require_commands,
    what_was_dropped,
)
from matchbook.log.plain_replay import replay_plainly_from
from matchbook.replay.events_out import EventSink
from phase6_wal.errors import LogError, ReplayDivergedError
from phase6_wal.native import PosixStorage
from phase6_wal.recovery import recover_log
from phase6_wal.replay import Replayed, choose_snapshot, replay_from
from phase6_wal.segments import first_of, scan_file, segment_names
from phase6_wal.snapshots import Snapshot

EXIT_DIFFERENT: Final = 1


@click.command()
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@click.option(
    "--engine",
    "-e",
    "engine_name",
    default=DEFAULT_ENGINE,
    show_default=True,
    metavar="NAME",
    help="A listed engine (see `matchbook engines`) or module:Class.",
)
@click.option(
    "--at",
    type=click.IntRange(0),
    metavar="SEQUENCE",
    help="Stop after this command: the books as they were then.",
)
@click.option(
    "--from-genesis/--snapshot",
    "from_genesis",
    help="Begin with the empty books that the log began with, or with the newest snapshot that will"
    " do (default).",
)
@click.option("--book", is_flag=True, help="Draw the books.")
@click.option(
    "--depth", type=click.IntRange(1), default=10, show_default=True, help="Levels a side to draw."
)
@click.option("--hash", "show_hash", is_flag=True, help="Print the hash of the state.")
@click.option(
    "--events",
    "events_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="Write the events of what is replayed: records to a name in .evt, words to one in .csv.",
)
def replay(
    directory: Path,
    engine_name: str,
    at: int | None,
    from_genesis: bool,
    book: bool,
    depth: int,
    show_hash: bool,
    events_file: Path | None,
) -> None:
    """Replay a log through an engine, checking each mark in it.

    A mark holds the hash of the books and the checksum of all events at that command. Exit status
    1 at the first that the engine does not come to.
    """
    engine_class = load_engine(engine_name)
    with ExitStack() as stack:
        storage = stack.enter_context(open_log(directory))
        require_commands(storage, "a replay")
        sink = stack.enter_context(EventSink(events_file)) if events_file else None
        try:
            snapshot, passed = choose_snapshot(storage, 0 if from_genesis else at)
            for file in look_at_snapshots(storage) if passed else ():
                if file.name in passed:
                    err.print(f"passed over: {file.problem or file.name}", soft_wrap=True)
            _check_beginning(storage, snapshot)
            if at is None:
                _check_end(storage, snapshot)
            replayed = run_replay(storage, snapshot, engine_class, to=at, sink=sink)
        except ReplayDivergedError as error:
            out.print(Text(f"not as it was: {error}", style="bold red"), soft_wrap=True)
            sys.exit(EXIT_DIFFERENT)
        for engine in replayed.engines:
            stack.callback(engine.close)
        if sink is not None:
            sink.close()
        out.print(_summary(replayed, engine_class.name, sink, events_file, show_hash))
        if book:
            _draw_books(replayed, depth)


def run_replay(
    storage: PosixStorage,
    snapshot: Snapshot,
    engine_class: EngineClass,
    *,
    to: int | None = None,
    sink: EventSink | None = None,
) -> Replayed:
    """Replay from a snapshot, with a progress bar on standard error.

    Raises:
        LogError: the log does not reach ``to``, or not back to the snapshot.
        LogDamagedError: and that is because there is damage in it.
        ReplayDivergedError: a mark says otherwise.
    """
    # Books in C are driven by their address; any other engine through its face.
    run: Callable[..., Replayed] = replay_plainly_from
    if _can_be_lent(engine_class):
        run = replay_from
    events = sink.write if sink else None
    with _progress(storage, engine_class.name) as on_progress:
        try:
            return run(storage, snapshot, engine_class, to=to, progress=on_progress, events=events)
        except ReplayDivergedError:
            raise
        except LogError:
            _check_end(storage, snapshot)  # damage says more than a log that is too short
            raise


def _check_beginning(storage: PosixStorage, snapshot: Snapshot) -> None:
    """See that the log reaches back to the snapshot.

    Raises:
        ConfigurationError: what was between them has been let go of.
    """
    names = segment_names(storage)
    if names and first_of(names[0]) > snapshot.sequence + 1:
        raise ConfigurationError(
            f"{storage.directory}: the log begins with command {first_of(names[0])}: there is no"
            f" way on from the snapshot at {snapshot.sequence}"
        )


def _check_end(storage: PosixStorage, snapshot: Snapshot) -> None:
    """See that the log's end is one, and not a hole that a replay would take for it.

    Raises:
        LogDamagedError: it is none.
    """
    found = recover_log(storage, since=snapshot.sequence, cut=False)
    if found.dropped is not None:
        err.print("a {}: {}".format(*what_was_dropped(found.dropped)), soft_wrap=True)


def _can_be_lent(engine_class: EngineClass) -> bool:
    """Whether books of that class are in C, and not lent already, as to a thread of their own."""
    with engine_class(capacity=1) as probe:
        if not isinstance(probe, NativeEngine):
            return False
        try:
            probe.lend(lambda: None)
        except ValueError:
            return False
        probe.take_back()
        return True


@contextmanager
def _progress(storage: PosixStorage, engine_name: str) -> Iterator[Callable[[int], None]]:
    """A bar over the log's commands; yields what to call with the sequence reached."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} commands, {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    names = segment_names(storage)
    with Progress(
        *columns, console=err, transient=True, disable=not err.is_terminal, refresh_per_second=4
    ) as progress:
        # The last segment says where the log ends: no need to read all of it for a bar.
        end = scan_file(storage, names[-1]).sequence if names else 0
        description = f"{engine_name} ◀ {storage.directory.name}"
        task = progress.add_task(description, total=end, rate="")

        def advance(sequence: int) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            progress.update(task, completed=sequence, rate=rate)

        yield advance


def _summary(
    replayed: Replayed,
    engine_name: str,
    sink: EventSink | None,
    events_file: Path | None,
    show_hash: bool,
) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("engine", engine_name)
    table.add_row("begun with", _beginning(replayed))
    rate = ""
    if replayed.seconds > 0 and replayed.commands:
        rate = f" in {replayed.seconds:,.3f} s, {replayed.commands / replayed.seconds:,.0f}/s"
    table.add_row("commands", f"{replayed.commands:,}{rate}")
    table.add_row("stands at", f"command {replayed.sequence:,}")
    marks = "none on the way: nothing to check by"
    if replayed.marks_checked:
        marks = f"{replayed.marks_checked:,} checked: state and events as they were"
    table.add_row("marks", marks)
    resting = sum(len(engine) for engine in replayed.engines)
    books = counted(len(replayed.engines), "book")
    table.add_row("resting", f"{counted(resting, 'order')} in {books}")
    if sink is not None:
        table.add_row("written", f"{sink.count:,} events to {events_file}")
    if show_hash:
        for engine in replayed.engines:
            table.add_row(f"state hash, {engine.instrument}", engine.state_hash())
        table.add_row("event digest", f"{replayed.event_crc:08x}, CRC-32C of all events so far")
    return table


def _beginning(replayed: Replayed) -> str:
    return f"the snapshot at {replayed.start:,}" if replayed.start else "empty books"


def _draw_books(replayed: Replayed, depth: int) -> None:
    for engine in replayed.engines:
        out.print()
        title = f"instrument {engine.instrument} after command {replayed.sequence:,}"
        out.print(draw_engine(engine, depth, title=title))
