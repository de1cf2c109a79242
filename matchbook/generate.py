"""The sub-command ``matchbook generate``: write a workload to a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click
from rich.progress import Progress, SpinnerColumn, TextColumn

from contract.benchmark_text import format_commands
from contract.byte_source import create_bytes
from contract.errors import ConfigurationError
from contract.files import suffix, write_command_file, write_script
from contract.records import RecordArray, to_commands
from contract.streams import SHAPES, shape_stream
from contract.workload import ORDERS, SCENARIOS, SEED, iter_generate
from matchbook.console import err, out

_SHAPE_SEED: Final = 1


@click.command()
@click.argument("workload", type=click.Choice([*SCENARIOS, *SHAPES]))
@click.argument("out_file", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--orders",
    type=click.IntRange(1),
    help=f"New orders of a scenario (default {ORDERS:,}); commands of a shape after its warm-up.",
)
@click.option("--seed", type=click.IntRange(0), help=f"Default {SEED}; of a shape, {_SHAPE_SEED}.")
def generate(workload: str, out_file: Path, orders: int | None, seed: int | None) -> None:
    """Write an order stream to OUT.

    WORKLOAD is a scenario of the public benchmark (static, normal, swing-25, swing-40,
    flash-crash) or a shape of our own (A: an ordinary day; B: a deep, wide book; C: sweeps),
    its warm-up included. The name of OUT says the format: .cmd (64-byte commands), .csv (command
    script), .txt (the public benchmark's text); .gz or .xz behind it compresses.
    """
    writer = _WRITERS.get(suffix(out_file))
    if writer is None:
        names = ", ".join(_WRITERS)
        raise ConfigurationError(f"{out_file}: the name should end in one of {names}")
    arrays = _arrays(workload, orders, seed)
    with _counted(arrays, f"{workload} ▶ {out_file.name}") as counted:
        count = writer(out_file, counted)
    size = out_file.stat().st_size
    out.print(f"{count:,} commands, {size:,} bytes: {out_file}", soft_wrap=True)


def _arrays(workload: str, orders: int | None, seed: int | None) -> Iterator[RecordArray]:
    if workload in SCENARIOS:
        return iter_generate(workload, orders or ORDERS, SEED if seed is None else seed)
    stream = shape_stream(workload, orders, _SHAPE_SEED if seed is None else seed)
    return iter((stream.warmup, stream.measured))


class _counted:
    """Shows on standard error how many commands have gone by."""

    def __init__(self, arrays: Iterator[RecordArray], description: str) -> None:
        self._arrays = arrays
        columns = (SpinnerColumn(), TextColumn("{task.description}: {task.completed:,} commands"))
        self._progress = Progress(
            *columns, console=err, transient=True, disable=not err.is_terminal
        )
        self._task = self._progress.add_task(description, total=None)

    def __enter__(self) -> Iterator[RecordArray]:
        self._progress.start()
        return self._count()

    def _count(self) -> Iterator[RecordArray]:
        for array in self._arrays:
            yield array
            self._progress.advance(self._task, len(array))

    def __exit__(self, *exc_info: object) -> None:
        self._progress.stop()


def _write_script(path: Path, arrays: Iterable[RecordArray]) -> int:
    return write_script(path, (command for array in arrays for command in to_commands(array)))


def _write_text(path: Path, arrays: Iterable[RecordArray]) -> int:
    count = 0
    with create_bytes(path) as file:
        for array in arrays:
            file.write(format_commands(array))
            count += len(array)
    return count


_WRITERS: Final = {".cmd": write_command_file, ".csv": _write_script, ".txt": _write_text}
