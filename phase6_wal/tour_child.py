"""The engine that the tour kills, in a process of its own; and how it is killed.

After each batch the process writes to its standard output, eight bytes, up to which command it may
tell its clients that their orders are in: what that was worth shows when it is gone.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from contract.records import RecordArray, empty_events
from contract.workload import generate
from phase6_wal.engine import DurableEngine

#: Commands of a batch: few, so that there are many moments to be killed at; and the pause after it,
#: so that snapshots are written while there is something to do, as on a day of orders.
BATCH: Final = 64
PAUSE_S: Final = 0.0002
WORD: Final = 8


def run(engine: Any, commands: RecordArray, told: int) -> None:
    """Apply commands batch by batch; after each, say on file ``told`` what is acknowledged."""
    events = empty_events(1 << 14)
    at = 0
    while at < len(commands):
        consumed, _written = engine.apply_batch(commands[at : at + BATCH], events)
        if not consumed:
            events = empty_events(2 * len(events))
        at += consumed
        engine.poll()
        os.write(told, int(engine.acknowledged).to_bytes(WORD, "little"))
        time.sleep(PAUSE_S)


class Setting(NamedTuple):
    """What the process runs: an engine (``module:Class``), a day of orders, options of the log."""

    engine: str
    orders: int
    durability: str
    snapshot_every: int
    mark_every: int
    segment_bytes: int

    def arguments(self, directory: Path) -> list[str]:
        """Of the process."""
        return [sys.executable, "-m", "phase6_wal.tour_child", str(directory), *map(str, self)]


def run_and_kill(directory: Path, setting: Setting, after: int, most_s: float = 2.0) -> int:
    """Run it until it has acknowledged so many commands, then kill it; what it acknowledged last.

    On a slow disk it is killed earlier: so long after its first acknowledgement.

    ``SIGKILL`` cannot be caught: whatever the process had not handed to the kernel is gone.

    Raises:
        ChildProcessError: it ended by itself, before that.
    """
    with subprocess.Popen(
        setting.arguments(directory),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            acknowledged = _read_until(process.stdout, after, most_s)
            if not acknowledged:
                words = process.stderr.read().decode(errors="replace").strip().splitlines()
                raise ChildProcessError(words[-1] if words else "the engine ended by itself")
        finally:
            process.kill()
        rest = process.stdout.read()
        whole = len(rest) - len(rest) % WORD
        return int.from_bytes(rest[whole - WORD : whole], "little") if whole else acknowledged


def _read_until(stream: IO[bytes], after: int, most_s: float) -> int:
    """The first acknowledgement of so many commands, or after that time; 0: the stream ended."""
    deadline = 0.0
    while word := stream.read(WORD):
        acknowledged = int.from_bytes(word, "little")
        deadline = deadline or time.monotonic() + most_s
        if acknowledged >= after or (acknowledged and time.monotonic() > deadline):
            return acknowledged
    return 0


def main(arguments: list[str]) -> None:
    """The process: a directory, and the fields of a ``Setting``."""
    directory, target, orders, durability, *numbers = arguments
    snapshot_every, mark_every, segment_bytes = map(int, numbers)
    module, _, name = target.partition(":")
    book = getattr(importlib.import_module(module), name)()
    commands = generate("normal", int(orders))
    engine = DurableEngine.create(
        Path(directory),
        [book],
        durability=durability,
        snapshot_every=snapshot_every,
        mark_every=mark_every,
        segment_bytes=segment_bytes,
    )
    run(engine, commands, sys.stdout.fileno())
    sys.stdin.buffer.read()  # all done before the kill came: it comes now


if __name__ == "__main__":
    main(sys.argv[1:])
