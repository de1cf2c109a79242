"""``matchbook log verify``: every byte of a log that means something, checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.text import Text

from contract.errors import MatchbookError
from matchbook.console import byte_progress, out
from matchbook.engines import DEFAULT_ENGINE, EngineClass, load_engine
from matchbook.log.look import (
    DIRECTORY,
    SnapshotFile,
    content_of,
    counted,
    look_at_snapshots,
    open_log,
    require_commands,
    say_writer,
    size_text,
    what_was_dropped,
    writing_process,
)
from matchbook.log.replay_log import run_replay
from phase6_wal.errors import LogDamagedError, LogError
from phase6_wal.names import snapshot_name
from phase6_wal.native import PosixStorage
from phase6_wal.picture import marks_of
from phase6_wal.reader import LogReader
from phase6_wal.recovery import Recovered, recover_log
from phase6_wal.replay import Replayed
from phase6_wal.snapshots import Snapshot, snapshot_names

EXIT_DAMAGED: Final = 1


class Finding(NamedTuple):
    """One line of the result; ``style`` is what it is printed in."""

    what: str
    text: str
    style: str = "green"

    @property
    def is_damage(self) -> bool:
        """Whether the log cannot be trusted."""
        return self.style == "red"


@click.command()
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@click.option(
    "--replay",
    "with_replay",
    is_flag=True,
    help="Replay it, too: each mark and each snapshot must be what the engine comes to.",
)
@click.option(
    "--engine",
    "-e",
    "engine_name",
    default=DEFAULT_ENGINE,
    show_default=True,
    metavar="NAME",
    help="For --replay.",
)
def verify(directory: Path, with_replay: bool, engine_name: str) -> None:
    """Check all segments and snapshots of a log; exit status 1 if there is damage.

    A torn tail is what any crash leaves, and no damage; nor is a hole that nobody was promised
    anything of, which a power cut may leave. Both are named. Nothing is changed.
    """
    engine_class = load_engine(engine_name)
    with open_log(directory) as storage:
        if with_replay:
            require_commands(storage, "--replay")
        damaged = False
        for finding in _findings(storage, engine_class if with_replay else None):
            damaged = damaged or finding.is_damage
            mark = {"green": "good ", "yellow": "note ", "red": "WRONG"}[finding.style]
            line = Text(f"{mark}  {finding.what:<10} ")
            line.append(finding.text, style=finding.style if finding.style != "green" else "")
            line.stylize(f"bold {finding.style}", 0, len(mark))
            out.print(line, soft_wrap=True)
    if damaged:
        if say_writer(directory):
            out.print(say_writer(directory).strip(), soft_wrap=True)
        sys.exit(EXIT_DAMAGED)


def _findings(storage: PosixStorage, engine_class: EngineClass | None) -> Iterator[Finding]:
    content = content_of(storage)
    found: Recovered | None = None
    try:
        found = _scan(storage)
    except LogDamagedError as error:
        yield Finding("segments", str(error), "red")
    else:
        yield _good_segments(found, content)
        if found.dropped is not None:
            yield Finding(*what_was_dropped(found.dropped), "yellow")
    if content == "commands" and not snapshot_names(storage):
        yield Finding("snapshots", "there are none: no engine can begin with this", "yellow")
    for file in look_at_snapshots(storage):
        yield _check_snapshot(storage, file, found)
    if engine_class is not None and found is not None:
        yield from _replay_all(storage, found, engine_class)


def _scan(storage: PosixStorage) -> Recovered:
    with byte_progress(storage.directory, "segments") as advance:
        last = 0

        def progress(done: int, _total: int) -> None:
            nonlocal last
            advance(done - last)
            last = done

        return recover_log(storage, cut=False, progress=progress)


def _good_segments(found: Recovered, content: str) -> Finding:
    segments = found.segments
    if not segments:
        return Finding("segments", "there are none", "yellow")
    read = sum(info.file_bytes for info in segments)
    marks = sum(info.marks for info in segments)
    records = sum(info.records for info in segments)
    return Finding(
        "segments",
        f"{len(segments):,}, {records - marks:,} {content}"
        + (f" ({found.first_sequence:,} to {found.sequence:,})" if records > marks else "")
        + f" and {counted(marks, 'mark')}; {size_text(read)} read in {found.seconds:,.3f} s",
    )


def _check_snapshot(storage: PosixStorage, file: SnapshotFile, found: Recovered | None) -> Finding:
    """Whether a snapshot is whole, and of this log at its place."""
    if file.snapshot is None:
        return Finding("snapshot", file.problem, "red")
    snapshot = file.snapshot
    path = storage.directory / file.name
    text = (
        f"{file.name}: {counted(len(snapshot.books), 'book')}, {counted(file.orders, 'live order')}"
    )
    if found is None:
        return Finding("snapshot", text)
    if found.segments and snapshot.log_id != found.log_id:
        wrong = f"log_id: {snapshot.log_id:#x} is not {found.log_id:#x}, the segments'"
        return Finding("snapshot", f"{path}: offset 24: {wrong}", "red")
    if snapshot.sequence > found.sequence:
        # It gets its name when the log is on the disk as far as that. A writer goes on meanwhile.
        text += f"; the log ends before it, with command {found.sequence:,}"
        return Finding("snapshot", text, "yellow" if writing_process(storage.directory) else "red")
    if not found.segments:
        return Finding("snapshot", text)
    if snapshot.sequence < found.first_sequence - 1:
        text += f"; the log that follows it is gone: it begins with {found.first_sequence:,}"
        return Finding("snapshot", text, "yellow" if snapshot.sequence else "green")
    try:
        chains = LogReader(storage, "commands").chains_at(snapshot.sequence)
    except LogError as error:
        return Finding("snapshot", f"{path}: {error}", "red")
    if snapshot.chain not in chains:
        words = " or ".join(f"{chain:#x}" for chain in chains)
        wrong = f"offset 40: chain: {snapshot.chain:#x} is not {words}, the log's"
        return Finding("snapshot", f"{path}: {wrong} after command {snapshot.sequence}", "red")
    return Finding("snapshot", text)


def _replay_all(
    storage: PosixStorage, found: Recovered, engine_class: EngineClass
) -> Iterator[Finding]:
    """Replay from the oldest snapshot that the log reaches back to, by way of all the others.

    Each has to be what the replay from the one before it comes to.
    """
    begun = found.first_sequence - 1
    usable = [
        file.snapshot
        for file in look_at_snapshots(storage)
        if file.snapshot is not None and begun <= file.sequence <= found.sequence
    ]
    if not usable:
        yield Finding("replay", "no valid snapshot to begin with", "red")
        return
    # A mark that stands right behind a snapshot is looked at from both sides.
    chains = {snapshot.sequence: snapshot.chain for snapshot in usable[1:]}
    twice = {mark.sequence for mark in marks_of(storage) if mark.chain == chains.get(mark.sequence)}
    commands, marks = 0, -len(twice)
    seconds = 0.0
    for snapshot, following in zip(usable, [*usable[1:], None], strict=True):
        to = following.sequence if following else None
        try:
            replayed = run_replay(storage, snapshot, engine_class, to=to)
        except MatchbookError as error:
            yield Finding("replay", f"from the snapshot at {snapshot.sequence:,}: {error}", "red")
            return
        commands += replayed.commands
        marks += replayed.marks_checked
        seconds += replayed.seconds
        differs = _compare(replayed, following) if following else ""
        for engine in replayed.engines:
            engine.close()
        if differs:
            path = storage.directory / snapshot_name(to or 0)
            yield Finding("replay", f"{path}: {differs}", "red")
    yield Finding(
        "replay",
        f"{commands:,} commands in {seconds:,.3f} s: {counted(marks, 'mark')} and"
        f" {counted(len(usable) - 1, 'snapshot')} on the way, as they were",
    )


def _compare(replayed: Replayed, snapshot: Snapshot) -> str:
    """What a snapshot has otherwise than a replay up to it; ``""``: nothing."""
    if replayed.event_crc != snapshot.event_crc:
        return (
            f"offset 44: event_crc: {snapshot.event_crc:#x} is not {replayed.event_crc:#x},"
            " which the replay came to"
        )
    for engine, book in zip(replayed.engines, snapshot.books, strict=True):
        if engine.state_hash() != book.state_hash:
            return (
                f"state hash of instrument {book.instrument}: {book.state_hash} is not"
                f" {engine.state_hash()}, which the replay came to"
            )
    return ""
