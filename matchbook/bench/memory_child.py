"""One engine in one process, run and looked at: ``python -m matchbook.bench.memory_child``."""

from __future__ import annotations

import gc
import json
import resource
import sys
from pathlib import Path
from typing import Any, Final

from contract.engine import Engine
from contract.messages import EventKind
from contract.records import RecordArray, empty_events
from contract.streams import uniform_book
from contract.workload import generate
from matchbook.engines import EngineClass, load_engine

_WARMUP: Final = 20_000
_ROOM: Final = 65_536
_COUNTED_ORDERS: Final = 100_000
_COUNTED_LEVELS: Final = 1_000


def main(arguments: list[str]) -> None:
    """Print the facts of the engine named first, on the workload of so many orders, as JSON."""
    target, orders = arguments[0], int(arguments[1])
    engine_class = load_engine(target)
    facts = memory_facts(engine_class, min(_COUNTED_ORDERS, 2 * orders))
    facts |= growth_facts(engine_class, orders)
    print(json.dumps(facts))


def memory_facts(engine_class: EngineClass, orders: int) -> dict[str, Any]:
    """Bytes of a book and of an order in it.

    An engine that takes all its memory at once says how much, and its bytes per order are those
    for each order it has room for. Of others, the growth of a process that adds ``orders`` tells.
    """
    facts: dict[str, Any] = {}
    with engine_class() as engine:
        measure_bytes = getattr(engine, "memory_bytes", None)
        facts["capacity"] = engine.capacity
        if measure_bytes is not None:
            facts["total_bytes"] = measure_bytes()
            facts["bytes_per_order"] = measure_bytes() / engine.capacity
    if measure_bytes is not None:
        facts["slot_bytes"] = slot_bytes(engine_class)
        return facts
    events = empty_events(orders)
    events["kind"] = EventKind.ACCEPTED
    commands = list(uniform_book(orders, _COUNTED_LEVELS))
    with engine_class() as engine:
        gc.collect()
        before = resident_bytes()
        for chunk in commands:
            engine.apply_batch(chunk, events)
        gc.collect()
        grown = resident_bytes() - before
    facts["total_bytes"] = grown
    facts["bytes_per_order"] = grown / orders
    facts["slot_bytes"] = 0
    return facts


def slot_bytes(engine_class: EngineClass) -> int:
    """Bytes of the slot an order lies in, as the engine's module states it; 0 if it does not."""
    module = sys.modules[engine_class.__module__]
    return int(getattr(module, "SLOT_BYTES", 0))


def growth_facts(engine_class: EngineClass, orders: int) -> dict[str, Any]:
    """Resident bytes and page faults from after the warm-up to the end of the workload."""
    commands = generate("normal", orders)
    warmup = min(_WARMUP, len(commands) // 2)
    room = empty_events(_ROOM)
    room["kind"] = EventKind.ACCEPTED  # touched, so that its pages are not counted
    with engine_class() as engine:
        _drive(engine, commands[:warmup], room)
        gc.collect()
        before, faults = resident_bytes(), page_faults()
        _drive(engine, commands[warmup:], room)
        faults_after, after = page_faults(), resident_bytes()
    return {
        "commands": len(commands) - warmup,
        "rss_before": before,
        "rss_after": after,
        "rss_growth": after - before,
        "page_faults": faults_after - faults,
    }


def _drive(engine: Engine, commands: RecordArray, room: RecordArray) -> None:
    start = 0
    while start < len(commands):
        start += engine.apply_batch(commands[start:], room).consumed


def page_faults() -> int:
    """Pages this process has touched for the first time, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def resident_bytes() -> int:
    """Bytes of this process in memory now; at its peak, where only that can be asked."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
