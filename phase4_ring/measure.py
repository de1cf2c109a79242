"""Small measurements for the demo and the notebook: a second each, interleaved, rough.

Contestants take turns, forwards and then backwards, and what is reported is the median of their
runs. ``matchbook bench rings`` measures the same with more patience, beside the queues of others,
and says how far the same code lies from itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from phase4_ring import bench
from phase4_ring.bench import Plan, Run

ROUNDS: Final = 3
#: In per cent.
RANKS: Final = {"p50": 50.0, "p99": 99.0, "p99_9": 99.9}
#: The ways a carrier can be used, by what the demo calls them.
CARRIERS: Final = {
    "mutex and condition variables": Plan(carrier="locked"),
    "SPSC ring, one by one": Plan(),
    "SPSC ring, batches of 64": Plan(way="batches"),
    "SPSC ring, in place": Plan(way="in_place"),
    "sequencer, one by one": Plan(carrier="sequencer"),
    "sequencer, batches of 64": Plan(carrier="sequencer", way="batches"),
}
#: One simple ring: where its two cursors lie, and whether a side keeps a copy of the other's.
VERSIONS: Final = {
    "one line, no copies": "shared",
    "one line, copies": "shared_copy",
    "a line each, no copies": "apart",
    "a line each, copies": "apart_copy",
}
#: Room for all records, and a consumer that starts so late that it never catches up.
FAR_BEHIND: Final = Plan(items=30_000, warmup=32_768, capacity=32_768, consumer_delay_ns=60_000)
STRATEGIES: Final = ("spin", "yield", "park")

Name = TypeVar("Name", bound=Hashable)


def interleave(runs: Mapping[Name, Callable[[], float]], rounds: int = ROUNDS) -> dict[Name, float]:
    """The median of what each returns, forwards and backwards ``rounds`` times.

    >>> interleave({"one": lambda: 1.0, "two": lambda: 2.0})
    {'one': 1.0, 'two': 2.0}
    """
    found: dict[Name, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name in [*runs, *reversed(list(runs))]:
            found[name].append(runs[name]())
    return {name: statistics.median(values) for name, values in found.items()}


def carriers(items: int = 100_000, rounds: int = ROUNDS) -> dict[str, float]:
    """Nanoseconds per 64-byte record from one pinned thread to another, in C."""
    return interleave(
        {name: _carry(placed(plan, items)) for name, plan in CARRIERS.items()}, rounds
    )


def versions(items: int = 100_000, rounds: int = ROUNDS) -> dict[str, float]:
    """The same for one simple ring whose cursors lie on one cache line or on two."""
    plans = {name: placed(Plan(carrier=carrier), items) for name, carrier in VERSIONS.items()}
    return interleave({name: _carry(plan) for name, plan in plans.items()}, rounds)


def versions_far_behind(rounds: int = 15) -> dict[str, tuple[float, float]]:
    """The same with a consumer that starts late and never catches up: no side waits for the other.

    Returns:
        Nanoseconds per record of the producer and of the consumer.
    """
    base = replace(FAR_BEHIND, cores=bench.cores(2))
    found: dict[str, list[Run]] = {name: [] for name in VERSIONS}
    for _ in range(rounds):
        for name, carrier in VERSIONS.items():
            found[name].append(bench.transfer(replace(base, carrier=carrier)))
    return {
        name: (
            statistics.median(run.producer_ns / run.records for run in runs),
            statistics.median(run.consumer_ns / run.records for run in runs),
        )
        for name, runs in found.items()
    }


def round_trips(trips: int = 20_000) -> dict[str, dict[str, float]]:
    """Percentiles of nanoseconds there and back, by carrier; ``RANKS`` has their names."""
    found = {}
    for carrier in ("sequencer", "spsc"):
        plan = placed(Plan(carrier=carrier), trips)
        times, _ = bench.round_trip(plan)
        found[carrier] = percentiles(times)
    return found


def false_sharing(steps: int = 1_000_000, rounds: int = ROUNDS) -> dict[str, float]:
    """Nanoseconds a step of a thread that counts alone, beside another, and on its line."""
    cores = bench.cores(2)

    def count(apart: bool, threads: int) -> Callable[[], float]:
        return lambda: (
            bench.sharing(steps, atomic_add=False, apart=apart, cores=cores, threads=threads).ns
            / steps
        )

    runs = {"alone": count(True, 1), "a line each": count(True, 2), "one line": count(False, 2)}
    return interleave(runs, rounds)


def litmus(tries: int = 100_000) -> dict[tuple[str, str], dict[tuple[int, int], int]]:
    """How often each outcome (r0, r1) was seen, by program and memory order."""
    cores = bench.cores(2)
    return {
        (shape, order): bench.litmus(shape, order, tries, cores)
        for shape in bench.SHAPES
        for order in bench.ORDERS
    }


def operations(count: int = 500_000, rounds: int = ROUNDS) -> dict[str, float]:
    """Nanoseconds of an atomic operation on a word that no other thread uses."""
    core = bench.cores(1)[0]

    def operate(kind: str) -> Callable[[], float]:
        return lambda: bench.operation(kind, count, core).ns / count

    return interleave({kind: operate(kind) for kind in bench.OPERATIONS}, rounds)


def waits(items: int = 50_000, idle_s: float = 0.1) -> dict[str, dict[str, float]]:
    """Each strategy: nanoseconds per record and there and back; cores in use, busy and idle."""
    found = {}
    for strategy in STRATEGIES:
        plan = placed(Plan(wait=strategy), items)
        carried = bench.transfer(plan)
        times, _ = bench.round_trip(placed(Plan(wait=strategy), max(10, items // 50)))
        idle = bench.idle(strategy, idle_s, plan.cores)
        found[strategy] = {
            "ns": carried.ns_per_record,
            **percentiles(times),
            "busy_cores": cores_used(carried),
            "idle_cores": cores_used(idle),
        }
    return found


def placed(plan: Plan, items: int) -> Plan:
    """A plan for so many records, after a tenth of them, on the last two cores."""
    return replace(plan, items=items, warmup=items // 10, cores=bench.cores(2))


def percentiles(times: bench.Nanoseconds) -> dict[str, float]:
    """Those of ``RANKS``, each a time that was measured."""
    values = np.percentile(times, list(RANKS.values()), method="higher")
    return dict(zip(RANKS, map(float, values), strict=True))


def cores_used(run: Run) -> float:
    """Processor time of both sides over the time that passed: 2.0 is two cores, all of them."""
    return (run.producer_cpu_ns + run.consumer_cpu_ns) / run.ns


def _carry(plan: Plan) -> Callable[[], float]:
    return lambda: bench.transfer(plan).ns_per_record
