"""Where the command writes: results to standard output, progress and errors to standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_error(message: str) -> None:
    """One red line on standard error."""
    one_line = " ".join(message.split())
    err.print(Text(f"error: {one_line}", style="bold red"), soft_wrap=True)


@contextmanager
def byte_progress(path: Path, description: str) -> Iterator[Callable[[int], None]]:
    """A progress bar over a file's bytes; yields what to call with each number of bytes read."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TimeRemainingColumn(),
    )
    size = path.stat().st_size if path.is_file() else None
    with Progress(
        *columns,
        console=err,
        transient=True,
        disable=not err.is_terminal,
        refresh_per_second=4,
    ) as progress:
        task = progress.add_task(description, total=size)
        yield lambda count: progress.advance(task, count)
