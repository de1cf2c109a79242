"""What makes a ring fast or slow, one effect at a time: false sharing, memory orders, waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from matchbook.bench.interleave import Outcome, Samples, WrongAnswerError, measure
from matchbook.bench.latency import percentiles
from matchbook.bench.trial import TWIN, Session, contestant_facts, twin_noise_floor
from phase4_ring import bench
from phase4_ring.bench import Nanoseconds, Plan, Run

#: Outcomes (r0, r1) that the memory orders of a litmus test forbid.
FORBIDDEN: Final = {
    ("store_buffer", "seq_cst"): (0, 0),
    ("message", "acquire_release"): (1, 0),
    ("message", "seq_cst"): (1, 0),
}
STRATEGIES: Final = ("spin", "yield", "park")
#: Records per run of a transfer, and trips: on cores of their own, and on one core, where a side
#: that spins holds up the other for as long as the kernel lets it.
_APART: Final = (200_000, 5_000)
_ONE_CORE: Final = {"spin": (10_000, 20), "yield": (100_000, 1_000), "park": (50_000, 1_000)}
_QUICK: Final = (1_000, 10)
_IDLE_S: Final = 0.2
_QUICK_IDLE_S: Final = 0.02


@dataclass
class RunTrial:
    """One call into c/bench.h, whose time is its own.

    Args:
        name: of the contestant.
        call: runs it once.
        units: what its time is divided by.
        share: give its checksum as the answer, which all of the same count must share.
    """

    name: str
    call: Callable[[], Run]
    units: int
    share: bool = False

    def run(self) -> Outcome:
        """Run once; c/bench.h has verified what arrived."""
        done = self.call()
        return Outcome(done.ns / 1e9, self.units, str(done.checksum) if self.share else "")


def measure_sharing(session: Session, cores: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Two counters on one line and on two: nanoseconds a step; ``sharing`` of ``rings.json``."""
    count = 10_000 if session.quick else 2_000_000
    trials = []
    for way, add in (("store", False), ("fetch_add", True)):
        for place, apart, threads in (("alone", True, 1), ("apart", True, 2), ("shared", False, 2)):

            def call(add: bool = add, apart: bool = apart, threads: int = threads) -> Run:
                return bench.sharing(
                    count, atomic_add=add, apart=apart, cores=cores, threads=threads
                )

            trials.append(RunTrial(f"{way}_{place}", call, count))
    again = replace(trials[1], name=trials[1].name + TWIN)
    samples = measure([*trials, again], rounds, step=session.stepper("sharing: "))
    return {
        "steps": count,
        "noise_floor": twin_noise_floor(samples),
        "counters": {trial.name: contestant_facts(samples, trial.name) for trial in trials},
        "shared_times_apart": {
            way: samples.ratio(f"{way}_shared", f"{way}_apart").median
            for way in ("store", "fetch_add")
        },
    }


def measure_orders(session: Session, cores: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Litmus tests and what an operation costs; ``orders`` of ``rings.json``.

    Raises:
        WrongAnswerError: an outcome was seen that its memory orders forbid.
    """
    tries = 2_000 if session.quick else 1_000_000
    litmus: dict[str, dict[str, Any]] = {}
    for shape in bench.SHAPES:
        litmus[shape] = {}
        for order in bench.ORDERS:
            session.step(f"orders: {shape}, {order}")
            counts = bench.litmus(shape, order, tries, cores)
            litmus[shape][order] = judge(shape, order, counts)
    count = 10_000 if session.quick else 1_000_000
    trials = [
        RunTrial(kind, lambda kind=kind: bench.operation(kind, count, cores[-1]), count)  # type: ignore[misc]
        for kind in bench.OPERATIONS
    ]
    again = replace(trials[0], name=trials[0].name + TWIN)
    samples = measure([*trials, again], rounds, step=session.stepper("orders: "))
    return {
        "tries": tries,
        "litmus": litmus,
        "noise_floor": twin_noise_floor(samples),
        "operations": {kind: contestant_facts(samples, kind) for kind in bench.OPERATIONS},
    }


def judge(shape: str, order: str, counts: dict[tuple[int, int], int]) -> dict[str, Any]:
    """Each outcome as ``r0r1``: how often it was seen, and whether it may be.

    >>> judge("message", "relaxed", {(0, 0): 3, (0, 1): 1, (1, 0): 0, (1, 1): 6})["10"]
    {'allowed': True, 'seen': 0}

    Raises:
        WrongAnswerError: a forbidden one was seen.
    """
    forbidden = FORBIDDEN.get((shape, order))
    if forbidden is not None and counts[forbidden]:
        raise WrongAnswerError(
            f"{shape}, {order}: outcome {forbidden} is forbidden and was seen "
            f"{counts[forbidden]:,} times"
        )
    return {
        f"{r0}{r1}": {"allowed": (r0, r1) != forbidden, "seen": seen}
        for (r0, r1), seen in counts.items()
    }


def measure_waits(session: Session, cores: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Each strategy with a core for each side, and with one for both; ``waits`` of ``rings.json``.

    ``cpu`` is processor time over time: 1 is one core, all of it; both sides together.
    """
    places = {"apart": cores, "one_core": (cores[-1],) * 2}
    runs: dict[str, Run] = {}
    trials = []
    for place, where in places.items():
        for strategy in STRATEGIES:
            name = f"{place}.{strategy}"
            records, _ = sizes(session, place, strategy)
            plan = Plan(wait=strategy, items=records, warmup=records // 10, cores=where)

            def call(name: str = name, plan: Plan = plan) -> Run:
                runs[name] = bench.transfer(plan)
                return runs[name]

            trials.append(RunTrial(name, call, records))
    again = replace(trials[0], name=trials[0].name + TWIN)
    samples = measure([*trials, again], rounds, step=session.stepper("waits: "))
    found: dict[str, Any] = {"noise_floor": twin_noise_floor(samples)}
    for place, where in places.items():
        found[place] = {
            strategy: {
                **contestant_facts(samples, f"{place}.{strategy}"),
                "busy_cpu": cpu_share(runs[f"{place}.{strategy}"]),
                **measure_trips(session, place, strategy, where, rounds),
                **measure_idle(session, strategy, where),
            }
            for strategy in STRATEGIES
        }
    return found


def sizes(session: Session, place: str, strategy: str) -> tuple[int, int]:
    """How many records to carry, and how many trips to make."""
    if session.quick:
        return _QUICK
    return _APART if place == "apart" else _ONE_CORE[strategy]


def measure_trips(
    session: Session, place: str, strategy: str, cores: tuple[int, ...], rounds: int
) -> dict[str, int]:
    """Percentiles of the round trip under a strategy."""
    _, trips = sizes(session, place, strategy)
    plan = Plan(wait=strategy, items=trips, warmup=max(1, trips // 10), cores=cores)
    times: list[Nanoseconds] = []
    for _ in range(rounds):
        session.step(f"waits: {place}, {strategy}: round trips")
        times.append(bench.round_trip(plan)[0])
    return percentiles(np.concatenate(times))


def measure_idle(session: Session, strategy: str, cores: tuple[int, ...]) -> dict[str, float]:
    """Processor time over time while both sides wait and nothing comes."""
    session.step(f"waits: {strategy}: idle")
    return {
        "idle_cpu": cpu_share(
            bench.idle(strategy, _QUICK_IDLE_S if session.quick else _IDLE_S, cores)
        )
    }


def cpu_share(run: Run) -> float:
    """Processor time of both sides over the time that passed."""
    return (run.producer_cpu_ns + run.consumer_cpu_ns) / run.ns


def floors(*facts: dict[str, Any]) -> float:
    """The largest of their noise floors."""
    return max((fact["noise_floor"] for fact in facts), default=1.0)


def samples_facts(samples: Samples, ours: str, baseline: str) -> dict[str, dict[str, Any]]:
    """Every contestant but the twins, and how many times as long as ours it takes."""
    return {
        name: {
            **contestant_facts(samples, name, baseline=baseline),
            "times_ours": samples.ratio(name, ours).median,
        }
        for name in samples.times
        if not name.endswith(TWIN)
    }
