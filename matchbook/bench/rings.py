"""Suite ``rings``: what it costs to hand 64 bytes to another core, and why.

::

    C, one way        producer ─▶ carrier ─▶ consumer            each side pinned to a core
    C, producers      producers ─▶ sequencer ─▶ consumer
    C, round trip     timer ─▶ carrier ─▶ echo ─▶ carrier ─▶ timer
    Python, threads   producer thread ─▶ channel ─▶ consumer thread, one interpreter
    Python, processes producer process ─▶ channel ─▶ consumer process
    Python with C     Python ─▶ ring ─▶ C;   C ─▶ ring ─▶ Python

Every run verifies number, order and content of its records before its time counts. Then the
effects behind the numbers (``rings_effects.py``): false sharing, memory orders, wait strategies.
This suite's clock is the one on the wall: its sides wait for each other, and waiting is the point.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from matchbook.bench.interleave import Contestant, measure
from matchbook.bench.latency import percentiles, twin_ratio
from matchbook.bench.rings_channels import SpinningRingChannel
from matchbook.bench.rings_effects import (
    RunTrial,
    floors,
    measure_orders,
    measure_sharing,
    measure_waits,
    samples_facts,
)
from matchbook.bench.rings_peers import load_peers
from matchbook.bench.rings_python import (
    PROCESS_CHANNELS,
    THREAD_CHANNELS,
    Child,
    DrainTrial,
    FeedTrial,
    ProcessTrial,
    ThreadTrial,
    make_channels,
    time_process_trips,
    time_thread_trips,
)
from matchbook.bench.trial import TWIN, Session, twin_noise_floor
from phase4_ring import bench
from phase4_ring.bench import Nanoseconds, Peer, Plan, Run
from phase4_ring.measure import FAR_BEHIND

NAME: Final = "rings"
ROUNDS: Final = 9
BATCH: Final = 64
#: Records of a part that goes from Python to Python.
PARTS: Final = {"singly": 1, "batches": BATCH}
#: Of the carriers: the rings and the queue under a lock, slowest first.
CARRIERS: Final = ("locked", "sequencer", "spsc")
#: The simple ring four times: see c/bench_baselines.h.
VERSIONS: Final = ("shared", "shared_copy", "apart", "apart_copy")
#: How many of the runs with a late consumer a round has; they are short.
_LATE_RUNS: Final = 5
#: Records of one run, and of a carrier or channel so slow that it gets fewer.
_RECORDS: Final = 1_000_000
_SLOW_RECORDS: Final = 100_000
_TRIPS: Final = 20_000
_SLOW_TRIPS: Final = 2_000
_PYTHON_RECORDS: Final = {1: 20_000, BATCH: 20_000 * BATCH // 4}
_PYTHON_TRIPS: Final = 1_000
_QUICK_RECORDS: Final = 1_280
_QUICK_TRIPS: Final = 20

Transfer = Callable[[Plan], Any]


def run(session: Session) -> dict[str, Any]:
    """Measure everything; the content of ``rings.json``."""
    rounds = session.rounds_of(ROUNDS)
    cores = bench.cores(2)
    peers, missing = load_peers()
    cases = {
        "c_singly": measure_c(session, peers, "singly", cores, rounds),
        "c_batches": measure_c(session, peers, "batches", cores, rounds),
        "c_producers": measure_producers(session, rounds),
        "c_versions": measure_versions(session, cores, rounds),
        "c_round_trip": measure_c_trips(session, peers, cores, rounds),
    }
    for name, part in PARTS.items():
        cases[f"threads_{name}"] = measure_threads(session, part, rounds)
    cases["threads_round_trip"] = measure_thread_trips(session, rounds)
    for name, case in measure_processes(session, cores, rounds).items():
        cases[f"processes_{name}"] = case
    sharing = measure_sharing(session, cores, rounds)
    orders = measure_orders(session, cores, rounds)
    waits = measure_waits(session, cores, max(1, rounds // 3))
    return {
        "seed": 0,
        "rounds": rounds,
        "noise_floor": floors(*cases.values(), sharing, orders, waits),
        "pinned_cores": list(cores),
        "record_bytes": 64,
        "batch": BATCH,
        "missing_peers": missing,
        "cases": cases,
        "sharing": sharing,
        "orders": orders,
        "waits": waits,
    }


def measure_c(
    session: Session, peers: dict[str, Peer], way: str, cores: tuple[int, ...], rounds: int
) -> dict[str, Any]:
    """One way from C to C; with batches also in place."""
    plan = Plan(way=way, batch=BATCH, items=records_of(session), cores=cores)
    trials = [
        carrier_trial(session, name, bench.transfer, replace(plan, carrier=name))
        for name in CARRIERS
    ]
    if way == "batches":
        for name in ("sequencer", "spsc"):
            place = replace(plan, carrier=name, way="in_place")
            trials.append(carrier_trial(session, f"{name}_in_place", bench.transfer, place))
    able = {name: peer for name, peer in peers.items() if way == "singly" or name == "boost"}
    trials[1:1] = [
        carrier_trial(session, name, peer.transfer, plan, share=True) for name, peer in able.items()
    ]
    return compare(session, f"C, {way}", trials, "spsc", "locked", rounds)


def carrier_trial(
    session: Session, name: str, transfer: Transfer, plan: Plan, *, share: bool = False
) -> RunTrial:
    """A contestant that carries a plan's records, fewer of them where it is slow."""
    if plan.carrier == "locked" and not share and not session.quick:
        plan = replace(plan, items=_SLOW_RECORDS)
    shares = share or plan.carrier not in ("sequencer", "locked")
    return RunTrial(name, lambda: transfer(plan), plan.records, shares)


def measure_producers(session: Session, rounds: int) -> dict[str, Any]:
    """Two producers and one consumer; on cores of their own only where there are three.

    Where there are not, the producers share one, and everybody yields.
    """
    cores = bench.cores(3)
    wait = "spin" if len(set(cores)) == 3 else "yield"
    plan = Plan(carrier="sequencer", wait=wait, cores=cores, items=records_of(session) // 2)
    ways = {"sequencer": "singly", "sequencer_batches": "batches", "sequencer_in_place": "in_place"}
    trials = [
        carrier_trial(session, "locked", bench.transfer, replace(plan, carrier="locked")),
        *(
            carrier_trial(session, name, bench.transfer, replace(plan, way=way))
            for name, way in ways.items()
        ),
    ]
    case = compare(session, "C, two producers", trials, "sequencer", "locked", rounds)
    return {**case, "pinned_cores": list(cores), "wait": wait}


def measure_versions(session: Session, cores: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """One simple ring: cursors on one line or two, with copies of the other's or without.

    Once with a consumer that is right behind the producer, and once with one that starts late and
    never catches up: then no side waits for the other, and what is left is the cost of sharing.
    """
    plan = Plan(items=records_of(session), cores=cores)
    trials = [
        carrier_trial(session, name, bench.transfer, replace(plan, carrier=name))
        for name in VERSIONS
    ]
    case = compare(session, "C, versions", trials, "apart_copy", "shared", rounds)
    behind: dict[str, list[Run]] = {name: [] for name in VERSIONS}
    for _ in range(1 if session.quick else rounds * _LATE_RUNS):
        for name in [*VERSIONS, *reversed(VERSIONS)]:
            session.step(f"C, versions, behind: {name}")
            behind[name].append(bench.transfer(replace(FAR_BEHIND, carrier=name, cores=cores)))
    for name, runs in behind.items():
        for side in ("producer", "consumer"):
            times = [getattr(run, f"{side}_ns") / run.records for run in runs]
            case["contestants"][name][f"behind_{side}_ns"] = statistics.median(times)
    return case


def compare(
    session: Session,
    what: str,
    trials: Sequence[Contestant],
    ours: str,
    baseline: str,
    rounds: int,
) -> dict[str, Any]:
    """Contestants interleaved, and ours a second time: a case of ``rings.json``.

    Args:
        session: of the run.
        what: for the progress line.
        trials: the contestants.
        ours: the one the others are held against, ``times_ours``.
        baseline: the one that speed-ups are over.
        rounds: how many.
    """
    (mine,) = (trial for trial in trials if trial.name == ours)
    twin = replace(mine, name=ours + TWIN)  # type: ignore[type-var]
    samples = measure([*trials, twin], rounds, step=session.stepper(f"{what}: "))
    return {
        "baseline": baseline,
        "ours": ours,
        "noise_floor": twin_noise_floor(samples),
        "contestants": samples_facts(samples, ours, baseline),
    }


def measure_c_trips(
    session: Session, peers: dict[str, Peer], cores: tuple[int, ...], rounds: int
) -> dict[str, Any]:
    """There and back between two pinned threads in C."""
    trips = _QUICK_TRIPS if session.quick else _TRIPS
    plan = Plan(items=trips, warmup=max(1, trips // 10), cores=cores)
    slow = replace(plan, items=min(trips, _SLOW_TRIPS), carrier="locked")
    ways: dict[str, Callable[[], Nanoseconds]] = {
        "locked": lambda: bench.round_trip(slow)[0],
        **{
            name: lambda peer=peer: peer.round_trip(plan)[0]  # type: ignore[misc]
            for name, peer in peers.items()
        },
        "sequencer": lambda: bench.round_trip(replace(plan, carrier="sequencer"))[0],
        "spsc": lambda: bench.round_trip(plan)[0],
    }
    return compare_trips(session, "C, round trip", ways, "spsc", rounds)


def compare_trips(
    session: Session,
    what: str,
    ways: dict[str, Callable[[], Nanoseconds]],
    ours: str,
    rounds: int,
) -> dict[str, Any]:
    """Percentiles of the round trips of each contestant, interleaved forwards and backwards."""
    times: dict[str, list[Nanoseconds]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name in [*ways, *reversed(ways)]:
            session.step(f"{what}: {name}")
            times[name].append(ways[name]())
    medians = {name: float(np.median(np.concatenate(runs))) for name, runs in times.items()}
    return {
        "ours": ours,
        "noise_floor": twin_ratio(times[ours]),
        "contestants": {
            name: {
                **percentiles(np.concatenate(runs)),
                "times_ours": medians[name] / medians[ours],
            }
            for name, runs in times.items()
        },
    }


def measure_threads(session: Session, part: int, rounds: int) -> dict[str, Any]:
    """Between threads of one interpreter, and between one of them and C."""
    records = python_records(session, part)
    trials: list[Contestant] = [
        ThreadTrial(kind.name, kind, records, part) for kind in THREAD_CHANNELS
    ]
    trials += [FeedTrial("c_to_python", records, part), DrainTrial("python_to_c", records, part)]
    what = f"threads, parts of {part}"
    return compare(session, what, trials, "ring", "queue", rounds)


def measure_processes(
    session: Session, cores: tuple[int, ...], rounds: int
) -> dict[str, dict[str, Any]]:
    """Between two processes, each on a core: singly, in batches, and there and back."""
    ours = SpinningRingChannel.name
    trips = _QUICK_TRIPS if session.quick else _PYTHON_TRIPS
    cases = {}
    with Child(make_channels(PARTS.values()), cores) as child:
        for name, part in PARTS.items():
            records = python_records(session, part)
            trials = [ProcessTrial(kind, child, kind, records, part) for kind in PROCESS_CHANNELS]
            what = f"processes, parts of {part}"
            cases[name] = compare(session, what, trials, ours, "mp_queue", rounds)
        ways: dict[str, Callable[[], Nanoseconds]] = {
            kind: lambda kind=kind: time_process_trips(child, kind, trips)  # type: ignore[misc]
            for kind in PROCESS_CHANNELS
        }
        cases["round_trip"] = compare_trips(session, "processes, round trip", ways, ours, rounds)
    return cases


def measure_thread_trips(session: Session, rounds: int) -> dict[str, Any]:
    """There and back between two threads of one interpreter."""
    trips = _QUICK_TRIPS if session.quick else _PYTHON_TRIPS
    ways: dict[str, Callable[[], Nanoseconds]] = {
        kind.name: lambda kind=kind: time_thread_trips(kind.name, kind, trips)  # type: ignore[misc]
        for kind in THREAD_CHANNELS
    }
    return compare_trips(session, "threads, round trip", ways, "ring", rounds)


def records_of(session: Session) -> int:
    """Records of one run in C."""
    return _QUICK_RECORDS if session.quick else _RECORDS


def python_records(session: Session, part: int) -> int:
    """Records of one run in Python."""
    return _QUICK_RECORDS if session.quick else _PYTHON_RECORDS[part]
