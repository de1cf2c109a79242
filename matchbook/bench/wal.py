"""Suite ``wal``: what it costs to lose nothing, and how long it takes to be back.

::

    commands ─▶ log ─▶ engine ─▶ events      with each durability, and the engine alone
    commands ─▶ log                          beside SQLite, LMDB and plain files, like with like
    records  ─▶ memory, pages, the disk      an append taken apart, in ns and in instructions
    due ─▶ log ─▶ acknowledged               an open loop; what a larger group gives and takes
    log ─▶ replay, recovery                  by length, with snapshots and without; their pause

Everything is timed by the wall clock: a log waits for a disk. The files lie in a directory of their
own on ``--directory``, below ``build`` without it; ``file_system`` says of which kind that is. On
one in memory a sync costs nothing, and nothing here means much.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from contract.file_system import file_system
from contract.workload import generate
from matchbook.bench import (
    machine,
    wal_appends,
    wal_engine,
    wal_journals,
    wal_latency,
    wal_recovery,
)
from matchbook.bench.scenarios import workload_size
from matchbook.bench.trial import Session, SkippedError

NAME: Final = "wal"
ROUNDS: Final = 7
#: Of the engine: each contestant writes some hundred megabytes.
MOST_ENGINE_ROUNDS: Final = 5


def run(session: Session) -> dict[str, Any]:
    """Measure everything; the content of ``wal.json``.

    Raises:
        SkippedError: phase 3's engine is not among the engines.
    """
    name = wal_engine.ENGINE
    if name not in session.engines:
        raise SkippedError(f"the log is measured with {name}, which is not among the engines")
    where = session.directory or machine.ROOT / "build" / "bench"
    where.mkdir(parents=True, exist_ok=True)
    orders, seed = workload_size(session)
    rounds = 1 if session.quick and session.rounds is None else session.rounds_of(ROUNDS)
    with tempfile.TemporaryDirectory(prefix="wal-", dir=where) as made:
        folder = Path(made)
        session.step("generating")
        commands = wal_journals.numbered(generate("normal", orders, seed))
        cases = {
            **wal_engine.measure_engine(session, folder, min(rounds, MOST_ENGINE_ROUNDS)),
            **wal_journals.measure_journals(session, folder, commands, rounds),
            **wal_appends.measure_appends(session, folder, commands, rounds),
            **wal_recovery.measure_replay(session, folder, rounds),
        }
        return {
            "seed": seed,
            "rounds": rounds,
            "orders": orders,
            "file_system": file_system(folder),
            "missing": wal_journals.missing(),
            "noise_floor": max(case["noise_floor"] for case in cases.values()),
            "cases": cases,
            "latency": wal_latency.measure_latencies(session, folder, commands),
            "groups": wal_latency.measure_groups(session, folder, commands),
            "recovery": wal_recovery.measure_recovery(session, folder),
            "snapshots": wal_recovery.measure_pauses(session, folder),
            **wal_appends.count_instructions(session, folder),
        }
