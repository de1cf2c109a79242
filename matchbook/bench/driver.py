"""The process whose instructions are counted: ``python -m matchbook.bench.driver``.

Arguments: ``module:Class`` of an engine, a stream saved by ``instructions.py``, and how many of
its measured commands to apply, in one call.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from typing import Final

#: Where the extensions lie that are compiled for valgrind; not set: those in place.
EXTENSIONS: Final = "MATCHBOOK_BENCH_EXTENSIONS"


def main(arguments: list[str]) -> None:
    """Build the book, warm it up, apply the commands."""
    if EXTENSIONS in os.environ:
        use_extensions(Path(os.environ[EXTENSIONS]))
    import numpy as np

    from contract.messages import EventKind
    from contract.records import empty_events
    from matchbook.engines import load_engine

    target, path, count = arguments[0], arguments[1], int(arguments[2])
    with np.load(path) as saved:
        warmup, measured, limits = saved["warmup"], saved["measured"], saved["limits"].tolist()
    events = empty_events(2 * len(warmup) + 4 * len(measured))
    events["kind"] = EventKind.ACCEPTED
    low, high, capacity = limits
    with load_engine(target)(min_price=low, max_price=high, capacity=capacity) as engine:
        consumed = [engine.apply_batch(part, events)[0] for part in (warmup, measured[:count])]
    if consumed != [len(warmup), count]:
        raise SystemExit(f"{consumed} of {[len(warmup), count]} commands applied")


def use_extensions(folder: Path) -> None:
    """Load the compiled modules below ``folder`` in place of those beside the sources."""
    for path in sorted(folder.glob("*/*.so")):
        name = f"{path.parent.name}.{path.name.partition('.')[0]}"
        loader = importlib.machinery.ExtensionFileLoader(name, str(path))
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
        if spec is None:
            raise SystemExit(f"{path} is no module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        loader.exec_module(module)


if __name__ == "__main__":
    main(sys.argv[1:])
