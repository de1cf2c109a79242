"""The results as tables: for the terminal, and word for word the same for the book.

A table is made of one results file and of nothing else. It needs no engine and no numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from matchbook.bench.interleave import three_digits, verdict

Receipt = Mapping[str, Any]

_MEGA: Final = 1e6
_KIB: Final = 1024
WAYS: Final = {
    "per_node": "one call per node",
    "apply": "`apply`: Command in, Events out",
    "batch_1": "`apply_batch` of 1 record",
    "bare_call": "1 record, nothing converted",
    "batch_64": "`apply_batch` of 64",
    "batch_1024": "`apply_batch` of 1,024",
    "whole": "`apply_batch` of all",
}
SHAPE_NAMES: Final = {"A": "A, ordinary day", "B": "B, crowded book", "C": "C, sweeps"}


class Grid(NamedTuple):
    """A table: its title, its head and its rows of words; the last ``numbers`` columns align right.

    Attributes:
        note: a sentence about what is not in the table, such as the noise floor.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    numbers: int
    note: str = ""


def engines_normal(scenarios: Receipt) -> Grid:
    """Engines on the public benchmark's normal workload."""
    case = scenarios["cases"]["normal"]
    rows = [
        [
            name,
            f"{facts['per_second']:,}",
            three_digits(facts["ns"]),
            f"{three_digits(facts['speedup'])}×" if "speedup" in facts else "–",
            f"{case['resting']:,}",
            f"{case['trades']:,}",
        ]
        for name, facts in case["engines"].items()
    ]
    head = ["engine", "commands/s", "ns per command", "speed-up", "resting orders", "trades"]
    note = f"{case['commands']:,} commands; {_noise(case)}"
    return Grid("normal", head, rows, 5, note)


def scenarios_all(scenarios: Receipt) -> Grid:
    """Nanoseconds per command of every engine in every scenario."""
    names = list(_engines(scenarios))
    rows = [
        [
            scenario,
            three_digits(case["floor_ns"]),
            *(three_digits(case["engines"][name]["ns"]) for name in names),
        ]
        for scenario, case in scenarios["cases"].items()
    ]
    head = ["scenario", "floor", *names]
    note = f"Nanoseconds per command; {_noise(scenarios)}{_parts(scenarios)}"
    return Grid("scenarios", head, rows, len(head) - 1, note)


def scenarios_of(scenarios: Receipt, name: str) -> Grid:
    """One engine through the five scenarios, held against the floor and the baseline."""
    rows = []
    for scenario, case in scenarios["cases"].items():
        facts = case["engines"][name]
        rows.append(
            [
                scenario,
                f"{facts['per_second'] / _MEGA:.1f}",
                three_digits(facts["ns"]),
                verdict(facts["times_floor"], case["noise_floor"]),
                f"{three_digits(facts['speedup'])}×" if "speedup" in facts else "–",
            ]
        )
    head = ["scenario", "million/s", "ns per command", "times the floor"]
    head += [f"speed-up over {_first(scenarios)['baseline']}"]
    return Grid(f"scenarios: {name}", head, rows, len(head) - 1, "")


def shapes(receipt: Receipt) -> Grid:
    """Nanoseconds per command of every engine on every shape."""
    names = list(_engines(receipt))
    last = names[-1]
    rows = []
    for case_name, case in receipt["cases"].items():
        shape, _, arbitrary = case_name.partition("_")
        found = case["engines"]
        rows.append(
            [
                SHAPE_NAMES.get(shape, shape),
                "arbitrary" if arbitrary else "1, 2, 3, …",
                three_digits(case["floor_ns"]),
                *(three_digits(found[name]["ns"]) if name in found else "–" for name in names),
                verdict(found[last]["times_floor"], case["noise_floor"]) if last in found else "–",
            ]
        )
    head = ["shape", "ids", "floor", *names, f"{last}, times the floor"]
    return Grid("shapes", head, rows, len(head) - 2, "Nanoseconds per command.")


def batching(receipt: Receipt) -> Grid:
    """What each way of handing over commands costs, engine beside engine."""
    names = list(receipt["cases"])
    rows = []
    for way, words in WAYS.items():
        cells = []
        for name in names:
            case = receipt["cases"][name]
            facts = case["ways"].get(way)
            cells.append(three_digits(facts["ns"]) if facts else "–")
            times = verdict(facts["times_whole"], case["noise_floor"]) if facts else "–"
            cells.append("1" if way == "whole" else times)
        rows.append([words, *cells])
    head = ["handed over as"]
    for name in names:
        head += [f"{name}, ns", f"{name}, times whole"]
    return Grid("batching", head, rows, len(head) - 1, "Nanoseconds per command, shape A.")


def curve_of(receipt: Receipt, name: str) -> Grid:
    """One engine's operations on books of every size."""
    rows = []
    for size, case in receipt["cases"].items():
        if name in case["engines"]:
            costs = case["engines"][name]
            cells = [f"{int(size):,}", f"{case['levels']:,}"]
            rows.append([*cells, *(three_digits(cost) for cost in costs.values())])
    operations = list(_first(receipt)["engines"][name])
    head = ["resting orders", "levels", *operations]
    return Grid(f"curve: {name}", head, rows, len(head), "Nanoseconds per operation.")


def curve_best(receipt: Receipt) -> Grid:
    """What a best level that opens and empties costs, engine beside engine."""
    names = list(_engines(receipt))
    rows = [
        [
            f"{int(size):,}",
            f"{case['levels']:,}",
            *(
                three_digits(case["engines"][name]["best"]) if name in case["engines"] else "–"
                for name in names
            ),
        ]
        for size, case in receipt["cases"].items()
    ]
    head = ["resting orders", "levels", *names]
    note = "Nanoseconds for a better price that opens and empties again."
    return Grid("curve: best price", head, rows, len(head), note)


def wide(receipt: Receipt) -> Grid:
    """The wide book: who scans, who keeps the levels sorted."""
    case = receipt["cases"]["wide"]
    rows = []
    for name, facts in case["engines"].items():
        speedup = (
            "1" if name == case["baseline"] else verdict(facts["speedup"], case["noise_floor"])
        )
        rows.append([name, three_digits(facts["ns"]), f"{facts['per_second']:,}", speedup])
    head = ["engine", "ns per command", "commands/s", f"speed-up over {case['baseline']}"]
    return Grid("20,000 levels", head, rows, 3, f"{case['levels']:,} levels.")


def crossover(receipt: Receipt, language: str) -> Grid:
    """Two engines against the number of levels."""
    found = receipt["crossover"][language]
    columns = (found[key] for key in ("levels", "naive_ns", "sorted_ns", "ratio", "noise_floors"))
    rows = [
        [f"{levels:,}", three_digits(naive), three_digits(mine), verdict(ratio, floor)]
        for levels, naive, mine, ratio, floor in zip(*columns, strict=True)
    ]
    naive, mine = found["naive"], found["sorted"]
    head = ["levels", f"{naive}, ns", f"{mine}, ns", f"{mine} faster by"]
    return Grid(f"crossover: {naive} and {mine}", head, rows, 4, f"{found['verdict']}.")


def memory(receipt: Receipt) -> Grid:
    """What an order takes, and what grows while commands run."""
    rows = [
        [
            name,
            f"{case['slot_bytes']}" if case["slot_bytes"] else "–",
            f"{case['bytes_per_order']:,.0f}",
            f"{case['commands']:,}",
            f"{case['rss_growth'] / _KIB:,.0f}",
            f"{case['page_faults']:,}",
        ]
        for name, case in receipt["cases"].items()
    ]
    head = ["engine", "bytes per slot", "bytes per order in all", "commands run"]
    head += ["memory grown, KiB", "page faults"]
    return Grid("memory", head, rows, 5)


def instructions(receipt: Receipt) -> Grid:
    """Instructions per command, engine beside engine."""
    names = list(
        dict.fromkeys(name for case in receipt["cases"].values() for name in case["engines"])
    )
    rows = [
        [
            stream,
            *(
                three_digits(case["engines"][name]["instructions"])
                if name in case["engines"]
                else "–"
                for name in names
            ),
        ]
        for stream, case in receipt["cases"].items()
    ]
    return Grid("instructions", ["stream", *names], rows, len(names), "Instructions per command.")


def latency(receipt: Receipt) -> Grid:
    """How long single commands take."""
    rows = [
        [SHAPE_NAMES.get(shape, shape), name]
        + [f"{facts[key]:,}" for key in ("p50", "p99", "p99_9", "max")]
        for shape, case in receipt["cases"].items()
        for name, facts in case["engines"].items()
    ]
    head = ["shape", "engine", "P50", "P99", "P99.9", "max"]
    note = f"Nanoseconds, one reading of the clock included: {receipt['timer_ns']:.0f}."
    return Grid("latency", head, rows, 4, note)


def phase2(receipt: Receipt) -> Grid:
    """What crossing the boundary costs, from phase 2's own measurements."""
    rows = [
        [way, three_digits(facts["ns_per_command"]), three_digits(facts["times_array"])]
        for way, facts in receipt["boundary"]["ways"].items()
    ]
    return Grid("phase 2: the boundary", ["way", "ns per command", "times array"], rows, 2)


def rings(receipt: Receipt) -> Iterator[Grid]:
    """All tables of the rings, which have a module of their own."""
    from matchbook.bench import rings_tables

    return rings_tables.shown(receipt)


def protocol(suite: str) -> Callable[[Receipt], Iterator[Grid]]:
    """All tables of a suite of phase 5; they have a module of their own."""

    def shown(receipt: Receipt) -> Iterator[Grid]:
        from matchbook.bench import protocol_tables

        if suite == "codecs":
            return protocol_tables.codecs_shown(receipt)
        if suite == "itch":
            return iter([protocol_tables.itch(receipt)])
        return protocol_tables.multicast_shown(receipt)

    return shown


def wal(receipt: Receipt) -> Iterator[Grid]:
    """All tables of the log, which have a module of their own."""
    from matchbook.bench import wal_tables

    return wal_tables.wal_shown(receipt)


def pipeline(receipt: Receipt) -> Iterator[Grid]:
    """The engine alone and behind rings; and its latencies."""
    yield pipeline_share(receipt)
    yield pipeline_latency(receipt)


def pipeline_share(receipt: Receipt) -> Grid:
    """Throughput of the engine alone and behind rings, on the five workloads."""
    rows = [
        [
            name,
            three_digits(case["alone_ns"]),
            three_digits(case["rings_ns"]),
            f"{case['rings_per_second'] / _MEGA:.1f}",
            f"{case['share']:.0%}",
            f"{case['share_low']:.0%} to {case['share_high']:.0%}",
        ]
        for name, case in receipt["cases"].items()
    ]
    head = ["workload", "alone, ns", "rings, ns", "million/s", "throughput kept", "95 % sure"]
    note = (
        f"engine on one core, gateway and subscriber on another; {receipt['command_slots']:,} and "
        f"{receipt['event_slots']:,} slots; {_noise(receipt)}"
    )
    return Grid("behind rings", head, rows, 5, note)


def pipeline_latency(receipt: Receipt) -> Grid:
    """From when a command was due to when its event was received, in an open loop."""
    latency = receipt["latency"]
    rows = [
        [
            f"{int(rate):,}",
            *(f"{facts[key]:,}" for key in ("p50", "p99", "p99_9", "max")),
            f"{facts['latest_ns']:,}",
        ]
        for rate, facts in latency.items()
        if rate != "machine"
    ]
    head = ["commands/s due", "P50", "P99", "P99.9", "longest", "sent late by, at most"]
    machine = latency["machine"]
    note = (
        f"nanoseconds; medians of {latency[min(latency)]['runs']} runs, and the longest of all; "
        f"a thread that only looked at the clock was kept from it {machine['gaps']:,} "
        f"times in {machine['seconds']:.2g} s for over a microsecond, "
        f"{machine['longest']:,} ns at the longest"
    )
    return Grid("latency behind rings, open loop", head, rows, 5, note)


#: What is printed after each suite.
SHOWN: Final[dict[str, Callable[[Receipt], Iterator[Grid]]]] = {
    "scenarios": lambda r: iter(
        [scenarios_all(r), *(scenarios_of(r, name) for name in list(_engines(r))[-1:])]
    ),
    "shapes": lambda r: iter([shapes(r)]),
    "batching": lambda r: iter([batching(r)]),
    "curve": lambda r: (curve_of(r, name) for name in _engines(r)),
    "levels20k": lambda r: iter([wide(r), *(crossover(r, key) for key in r["crossover"])]),
    "memory": lambda r: iter([memory(r)]),
    "instructions": lambda r: iter([instructions(r)]),
    "latency": lambda r: iter([latency(r)]),
    "phase2": lambda r: iter([phase2(r)]),
    "rings": rings,
    "pipeline": pipeline,
    "codecs": protocol("codecs"),
    "itch": protocol("itch"),
    "multicast": protocol("multicast"),
    "wal": wal,
}


def _first(receipt: Receipt) -> Mapping[str, Any]:
    first: Mapping[str, Any] = next(iter(receipt["cases"].values()))
    return first


def _engines(receipt: Receipt) -> Mapping[str, Any]:
    engines: Mapping[str, Any] = _first(receipt)["engines"]
    return engines


def _parts(scenarios: Receipt) -> str:
    """Which engines ran only the start of some workloads, and how much of it."""
    parts: dict[int, dict[str, None]] = {}
    for case in scenarios["cases"].values():
        for name, facts in case["engines"].items():
            if facts["commands"] < case["commands"]:
                parts.setdefault(facts["commands"], {})[name] = None
    return "".join(
        f"; {' and '.join(names)} on the first {count:,} commands of some"
        for count, names in parts.items()
    )


def _noise(facts: Mapping[str, Any]) -> str:
    return f"noise floor {facts['noise_floor']:.2f}"
