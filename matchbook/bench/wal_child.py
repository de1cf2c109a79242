"""The process whose instructions are counted: ``python -m matchbook.bench.wal_child``.

Arguments: a way to append, how many commands, and an empty directory. The log is made ready by the
same thread, so that nothing runs beside it, and is not synced at its end.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from matchbook.bench.driver import EXTENSIONS, use_extensions


def main(arguments: list[str]) -> None:
    """Append the commands."""
    if EXTENSIONS in os.environ:
        use_extensions(Path(os.environ[EXTENSIONS]))
    from contract.records import empty_commands
    from matchbook.bench.wal_appends import COUNTED, FRAMED, WAYS, options
    from phase6_wal import bench
    from phase6_wal.native import LogWriter, PosixStorage

    way, count, folder = arguments[0], int(arguments[1]), arguments[2]
    # As many are made in each run: only the appends may depend on the number.
    commands = empty_commands(max(COUNTED))[:count]
    if way in bench.FRAMES:
        bench.frame(commands, way, FRAMED)
        return
    with PosixStorage(folder) as storage:
        writer = LogWriter(storage, replace(options(way, max(COUNTED)), prepare_thread=False))
        bench.appends(writer, commands, WAYS[way][1])
        found = writer.sequence
        writer.abandon()
    if found != count:
        raise SystemExit(f"{found} of {count} commands appended")


if __name__ == "__main__":
    main(sys.argv[1:])
