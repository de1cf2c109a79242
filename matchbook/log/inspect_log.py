"""``matchbook log inspect``: a log's directory on one page, drawn."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from contract.errors import MatchbookError
from matchbook.console import out
from matchbook.log.look import (
    DIRECTORY,
    SnapshotFile,
    content_of,
    counted,
    drawn_snapshots,
    look_at_snapshots,
    open_log,
    say_writer,
    size_of,
    size_text,
    what_was_dropped,
    writing_process,
)
from phase6_wal.native import PosixStorage
from phase6_wal.picture import (
    INVALID,
    LEGEND,
    SNAPSHOT,
    draw_log,
    drawn_segments,
    marks_of,
)
from phase6_wal.reader import LogReader
from phase6_wal.recovery import damage, judge, objection, recover_log
from phase6_wal.replay import choose_snapshot
from phase6_wal.segments import SegmentInfo
from phase6_wal.snapshots import snapshot_names

#: Segments in the table, of a long log: so many from either end.
_ROWS: Final = 8
_KINDS: Final = {
    ".log": "segment",
    ".snap": "snapshot",
    ".spare": "spare segment",
    ".tmp": "unfinished file",
    ".lost": "file of cut-off records",
    ".damaged": "snapshot set aside",
}


@click.command()
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@click.option("--all", "every", is_flag=True, help="List every segment of a long log.")
def inspect(directory: Path, every: bool) -> None:
    """Show what a log holds: segments, marks, snapshots, and what would be recovered."""
    with open_log(directory) as storage:
        content = content_of(storage)
        infos = LogReader(storage).segments()
        snapshots = list(look_at_snapshots(storage))
        marks = marks_of(storage)
        out.print(_summary(storage, content, infos, snapshots))
        out.print()
        if infos:
            out.print(_segment_table(infos, every))
            out.print()
        out.print(_picture(draw_log(drawn_segments(infos, marks), drawn_snapshots(snapshots))))
        out.print(Text(LEGEND, style="dim"))
        out.print()
        _print_recovery(storage, content, infos)


def _summary(
    storage: PosixStorage, content: str, infos: list[SegmentInfo], snapshots: list[SnapshotFile]
) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    good = [info for info in infos if info.header is None]
    log_id = f", id {good[0].log_id:016x}" if good else ""
    table.add_row("log of", f"{content}{log_id}")
    pid = writing_process(storage.directory)
    if pid:
        table.add_row("written by", f"process {pid}, it seems: what it appends now may look torn")
    table.add_row("files", _files(storage))
    records = sum(info.records for info in good)
    marks = sum(info.marks for info in good)
    span = f", {good[0].first_sequence:,} to {good[-1].sequence:,}" if records - marks else ""
    table.add_row(content, f"{records - marks:,}{span}")
    table.add_row("marks", f"{marks:,}")
    if good:
        table.add_row("on the disk", _durable(good))
        table.add_row("chain", f"{good[-1].chain:08x} at the end")
    for file in snapshots:
        table.add_row("snapshot", _snapshot_text(file))
    return table


def _files(storage: PosixStorage) -> str:
    names = storage.list()
    counts = Counter(Path(name).suffix for name in names)
    total = sum(size_of(storage.directory / name) for name in names)
    parts = [counted(counts[suffix], noun) for suffix, noun in _KINDS.items() if counts[suffix]]
    return f"{', '.join(parts)}; {size_text(total)} in all"


def _durable(good: list[SegmentInfo]) -> str:
    """Up to where the log itself says that it was synced: the rest may be, too."""
    durable = max(info.durable for info in good)
    durable = max(durable, *(info.later_durable for info in good))
    return f"up to {durable:,} when its last record was written ({good[-1].durability})"


def _snapshot_text(file: SnapshotFile) -> Text:
    if file.snapshot is None:
        return Text(f"{SNAPSHOT} {file.sequence:,}  damaged: {file.problem}", style="red")
    books = counted(len(file.snapshot.books), "book")
    return Text(
        f"{SNAPSHOT} {file.sequence:,}  {books}, {counted(file.orders, 'live order')},"
        f" {size_text(file.bytes)}, chain {file.snapshot.chain:08x}"
    )


def _segment_table(infos: list[SegmentInfo], every: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for heading in ("segment", "first", "last", "records", "marks", "size"):
        table.add_column(heading, justify="right")
    for heading in ("durability", "chain", "behind its records"):
        table.add_column(heading, overflow="fold")
    hidden = range(_ROWS, len(infos) - _ROWS) if not every else range(0)
    for index, info in enumerate(infos):
        if index in hidden:
            if index == hidden.start:
                table.add_row("…", f"{len(hidden)} more: --all lists them")
            continue
        table.add_row(*_segment_row(info))
    return table


def _segment_row(info: SegmentInfo) -> tuple[str | Text, ...]:
    if info.header is not None:
        at = info.header.offset
        text = f"offset {at}: {info.header.field}: {info.header.value!r}"
        rest = [""] * 4
        return (Text(info.name, style="red"), *rest, size_text(info.file_bytes), "", "", text)
    bad = info.breaks is not None or not info.is_whole
    return (
        f"{info.number:,}",
        f"{info.first_sequence:,}",
        f"{info.sequence:,}" if info.records > info.marks else "–",
        f"{info.records:,}",
        f"{info.marks:,}",
        size_text(info.file_bytes),
        info.durability,
        f"{info.chain:08x}",
        Text(_behind(info), style="red" if bad else ""),
    )


def _behind(info: SegmentInfo) -> str:
    """What lies behind a segment's valid records."""
    if info.breaks is not None:
        fault = info.breaks
        return f"does not continue: {fault.field} {fault.value!r}, not {fault.right!r}"
    if info.tail is None:
        return "full"
    free = info.slots - info.records
    if info.is_whole:
        return f"{free:,} free"
    text = f"offset {info.end:,}: {info.tail.field}"
    if info.later:
        text += f", {info.later:,} whole records"
    if info.torn:
        text += f", {info.torn:,} torn"
    return text


def _picture(text: str) -> Text:
    """The drawing, coloured where there is a terminal that wants it."""
    drawn = Text(text, no_wrap=True)
    drawn.highlight_regex(f"{INVALID}+", "red")
    drawn.highlight_regex(f"{SNAPSHOT} [0-9,]+ damaged", "red")
    drawn.highlight_regex(f"{SNAPSHOT} [0-9,]+", "cyan")
    return drawn


def _print_recovery(storage: PosixStorage, content: str, infos: list[SegmentInfo]) -> None:
    """What an engine that opened this log now would come to."""
    since = None
    try:
        if content == "commands" and snapshot_names(storage):
            since = choose_snapshot(storage)[0].sequence
        found = recover_log(storage, since=since, cut=False)
    except MatchbookError as error:
        text = f"cannot be recovered: {error}{say_writer(storage.directory)}"
        out.print(Text(text, style="bold red"), soft_wrap=True)
        return
    sequence = max(found.sequence, since or 0)
    if content == "events":
        text = f"can be gone on with behind event {found.sequence:,}"
    elif since is None:
        text = f"can be recovered up to command {found.sequence:,}, but no snapshot says from what"
    else:
        text = (
            f"would be recovered: the snapshot at {since:,} and {sequence - since:,} commands"
            f" after it, up to command {sequence:,}"
        )
    out.print(Text(text, style="bold green"), soft_wrap=True)
    if found.dropped is not None:
        what, text = what_was_dropped(found.dropped)
        out.print(Text(f"{what}, to be cut: {text}", style="yellow"), soft_wrap=True)
    verdict = judge(infos)
    why = objection(verdict, infos, accept_loss=False)
    if why:  # which that does not need
        text = f"damage before that snapshot: {damage(storage, verdict, why)}"
        out.print(Text(text + say_writer(storage.directory), style="red"), soft_wrap=True)
