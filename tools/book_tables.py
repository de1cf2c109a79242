"""Tables of the book and the README, each made from the results files and from nothing else.

A table is a function from the results to Markdown, registered under its name. It reads values by
dotted path, ``results["demo.engines"]``; a path that is not there is an error that names it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from matchbook.bench import protocol_tables, rings_tables, tables, wal_tables
from matchbook.bench.tables import Grid
from tools import level_tables


class Lookup(Protocol):
    """What a table needs of the results: the names of the files, and a value by its path."""

    def names(self) -> list[str]:
        """The results files there are."""
        ...

    def __getitem__(self, path: str) -> Any:
        """The value at ``file.key.key``."""
        ...


Table = Callable[[Lookup], str]


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 0) -> str:
    """Rows as a Markdown table, the last ``numbers`` columns set to the right.

    >>> print(markdown_table(["engine", "ns"], [["phase1", 2000]], numbers=1))
    | engine | ns |
    | :--- | ---: |
    | phase1 | 2000 |
    """
    words = len(head) - numbers
    lines = [head, [":---"] * words + ["---:"] * numbers, *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def receipts(results: Lookup) -> str:
    """Where each results file comes from: the command, the machine and the commit."""
    keys = ("command", "machine", "commit")
    rows = [
        [f"`{name}.json`", *(results[name].get(key, "–") for key in keys)]
        for name in results.names()
    ]
    return markdown_table(["file", *keys], rows)


def from_grid(file: str, make: Callable[[Any], Grid]) -> Table:
    """A table that ``matchbook bench`` prints too, made from one results file."""

    def table(results: Lookup) -> str:
        grid = make(results[file])
        text = markdown_table(grid.head, grid.rows, grid.numbers)
        return f"{text}\n\n*{grid.note.rstrip('.')}.*" if grid.note else text

    return table


def suites(results: Lookup) -> str:
    """Every suite's noise floor, rounds and time: what its ratios are worth."""
    rows = []
    for name in results.names():
        receipt = results[name]
        if {"suite", "noise_floor"} <= receipt.keys():  # measured by matchbook bench
            times = [receipt.get(key) for key in ("seconds", "cpu_seconds")]
            cells = [f"{time:,.0f}" if time is not None else "–" for time in times]
            rows.append([f"`{name}`", f"{receipt['noise_floor']:.2f}", receipt["rounds"], *cells])
    head = ["suite", "noise floor", "rounds", "seconds", "of them on a processor"]
    return markdown_table(head, rows, numbers=4)


#: Every table, by the name that a page or the README asks for it.
TABLES: dict[str, Table] = {
    "receipts": receipts,
    "suites": suites,
    "engines_normal": from_grid("scenarios", tables.engines_normal),
    "scenarios": from_grid("scenarios", tables.scenarios_all),
    "scenarios_phase2": from_grid("scenarios", lambda r: tables.scenarios_of(r, "phase2")),
    "scenarios_phase3": from_grid("scenarios", lambda r: tables.scenarios_of(r, "phase3")),
    "shapes": from_grid("shapes", tables.shapes),
    "batching": from_grid("batching", tables.batching),
    "curve_phase1": from_grid("curve", lambda r: tables.curve_of(r, "phase1")),
    "curve_phase2": from_grid("curve", lambda r: tables.curve_of(r, "phase2")),
    "curve_phase3py": from_grid("curve", lambda r: tables.curve_of(r, "phase3py")),
    "curve_phase3": from_grid("curve", lambda r: tables.curve_of(r, "phase3")),
    "curve_best": from_grid("curve", tables.curve_best),
    "levels20k": from_grid("levels20k", tables.wide),
    "crossover_c": from_grid("levels20k", lambda r: tables.crossover(r, "c")),
    "crossover_python": from_grid("levels20k", lambda r: tables.crossover(r, "python")),
    "levels_times": lambda r: level_tables.times(r["levels"], markdown_table),
    "levels_counts": lambda r: level_tables.counts(r["levels"], markdown_table),
    "levels_variants": lambda r: level_tables.variants(r["levels"], markdown_table),
    "memory": from_grid("memory", tables.memory),
    "instructions": from_grid("instructions", tables.instructions),
    "latency": from_grid("latency", tables.latency),
    "rings_c": from_grid("rings", rings_tables.c_transfer),
    "rings_producers": from_grid("rings", rings_tables.c_producers),
    "rings_versions": from_grid("rings", rings_tables.c_versions),
    "rings_threads": from_grid("rings", lambda r: rings_tables.python_channels(r, "threads")),
    "rings_processes": from_grid("rings", lambda r: rings_tables.python_channels(r, "processes")),
    "rings_sharing": from_grid("rings", rings_tables.sharing),
    "rings_operations": from_grid("rings", rings_tables.operations),
    "rings_litmus": from_grid("rings", rings_tables.litmus),
    "pipeline_share": from_grid("pipeline", tables.pipeline_share),
    "pipeline_latency": from_grid("pipeline", tables.pipeline_latency),
    "rings_waits": from_grid("rings", rings_tables.waits),
    "codecs_single": from_grid("codecs", protocol_tables.codecs_single),
    "codecs_commands": from_grid("codecs", lambda r: protocol_tables.codecs_batch(r, "commands")),
    "codecs_events": from_grid("codecs", lambda r: protocol_tables.codecs_batch(r, "events")),
    "codecs_c": from_grid("codecs", protocol_tables.codecs_c),
    "codecs_sizes": from_grid("codecs", protocol_tables.codecs_sizes),
    "itch": from_grid("itch", protocol_tables.itch),
    "multicast_packing": from_grid("multicast", protocol_tables.multicast_packing),
    "multicast_latency": from_grid("multicast", protocol_tables.multicast_latency),
    "multicast_recovery": from_grid("multicast", protocol_tables.multicast_recovery),
    "multicast_parts": from_grid("multicast", protocol_tables.multicast_parts),
    "multicast_dead": from_grid("multicast", protocol_tables.multicast_dead),
    "wal_engine": from_grid("wal", wal_tables.wal_engine),
    "wal_nothing": from_grid("wal", lambda r: wal_tables.wal_journals(r, "nothing")),
    "wal_process": from_grid("wal", lambda r: wal_tables.wal_journals(r, "process")),
    "wal_machine": from_grid("wal", lambda r: wal_tables.wal_journals(r, "machine")),
    "wal_append": from_grid("wal", wal_tables.wal_append),
    "wal_pages": from_grid("wal", wal_tables.wal_pages),
    "wal_syncs": from_grid("wal", wal_tables.wal_syncs),
    "wal_latency": from_grid("wal", wal_tables.wal_latency),
    "wal_groups": from_grid("wal", wal_tables.wal_groups),
    "wal_replay": from_grid("wal", wal_tables.wal_replay),
    "wal_recovery": from_grid("wal", wal_tables.wal_recovery),
    "wal_snapshots": from_grid("wal", wal_tables.wal_snapshots),
}
