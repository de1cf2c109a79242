"""``matchbook log dump``: the records of a log, as the files of the contract."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import click

from contract.byte_source import create_bytes
from contract.errors import ConfigurationError
from contract.files import suffix
from matchbook.console import err, print_error
from matchbook.log.look import DIRECTORY, content_of, open_log, say_writer, what_was_dropped
from matchbook.log.words import event_header, event_lines, script_header, script_lines
from phase6_wal.errors import LogDamagedError
from phase6_wal.native import PosixStorage
from phase6_wal.reader import LogReader
from phase6_wal.recovery import Recovered, recover_log
from phase6_wal.segments import first_of, segment_names

EXIT_DAMAGED: Final = 1
_BARE: Final = {"commands": "cmd", "events": "evt"}
_WORDS: Final = {
    "commands": (script_header, script_lines),
    "events": (event_header, event_lines),
}


@click.command()
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@click.option("--from", "first", type=click.IntRange(1), metavar="N", help="The first sequence.")
@click.option("--to", "last", type=click.IntRange(1), metavar="N", help="The last sequence.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["csv", *_BARE.values()]),
    help="csv: words, a command script or an event list (default); cmd, evt: bare 64-byte"
    " records. The name given with --out says it, too.",
)
@click.option(
    "--out",
    "out_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file instead of standard output; .gz or .xz at its end compresses.",
)
def dump(
    directory: Path,
    first: int | None,
    last: int | None,
    format_name: str | None,
    out_file: Path | None,
) -> None:
    """Write the commands (or the events) of a log to standard output.

    What comes out is what `matchbook replay` reads. Where the log is damaged, all before the damage
    is written; then one line on standard error says where it is, and the exit status is 1.
    """
    if first is not None and last is not None and first > last:
        raise ConfigurationError(f"--from {first} is behind --to {last}")
    with ExitStack() as stack:
        storage = stack.enter_context(open_log(directory))
        content = content_of(storage)
        bare = _is_bare(directory, content, format_name, out_file)
        found, damage = _find_end(storage)
        if found is not None:
            _check_range(found, content, directory, first, last)
        file: Any = stack.enter_context(create_bytes(out_file)) if out_file else sys.stdout.buffer
        reached = _write(storage, file, content, bare, first, last)
        file.flush()
    if damage is not None and (last is None or reached < last):
        print_error(f"{damage}{say_writer(directory)}")
        sys.exit(EXIT_DAMAGED)
    if found is not None and found.dropped is not None and last is None:
        err.print("a {}: {}".format(*what_was_dropped(found.dropped)), soft_wrap=True)


def _find_end(storage: PosixStorage) -> tuple[Recovered | None, LogDamagedError | None]:
    """Where the log ends in good order; or the damage before that."""
    try:
        return recover_log(storage, cut=False), None
    except LogDamagedError as error:
        return None, error


def _check_range(
    found: Recovered, content: str, directory: Path, first: int | None, last: int | None
) -> None:
    """Refuse what is not in the log, before anything is written.

    Raises:
        ConfigurationError: names the option.
    """
    noun = content[:-1]
    for option, sequence in (("--from", first), ("--to", last)):
        if sequence is None:
            continue
        if sequence > found.sequence:
            raise ConfigurationError(
                f"{directory}: {option} {sequence}: the log ends with {noun} {found.sequence}"
            )
        if sequence < found.first_sequence:
            raise ConfigurationError(
                f"{directory}: {option} {sequence}: the log begins with {noun}"
                f" {found.first_sequence}; what was before is gone"
            )


def _write(
    storage: PosixStorage,
    file: Any,
    content: str,
    bare: bool,
    first: int | None,
    last: int | None,
) -> int:
    """Write records, as far as they are valid; the last sequence written."""
    header, lines = _WORDS[content]
    if not bare:
        file.write(header().encode())
    names = segment_names(storage)
    begin = first or (first_of(names[0]) if names else 1)
    reached = begin - 1
    with suppress(LogDamagedError):  # no header can be read at all: the verdict has said so
        for records, _marks in LogReader(storage).batches(begin, last):
            if len(records):
                file.write(records.tobytes() if bare else lines(records).encode())
                reached = int(records["sequence"][-1])
    return reached


def _is_bare(directory: Path, content: str, format_name: str | None, out_file: Path | None) -> bool:
    """Whether bare records are wanted.

    Raises:
        ConfigurationError: in a format that is none, or that of the other content.
    """
    named = suffix(out_file)[1:] if out_file and format_name is None else format_name or "csv"
    if named not in ("csv", _BARE[content]):
        wanted = f"--out {out_file}" if format_name is None else f"--format {named}"
        raise ConfigurationError(
            f"{directory} is a log of {content}: {wanted}: it can be written as csv or"
            f" {_BARE[content]}"
        )
    return named != "csv"
