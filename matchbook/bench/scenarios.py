"""Suite ``scenarios``: the public benchmark's five workloads, whole, through every engine.

::

    commands (2 million, 64 bytes each)          events (64 bytes each)
    ┌──┬──┬──┬──┬──┬ …      one call     ┌──┬──┬──┬──┬──┬ …
    │  │  │  │  │  │   ───▶ engine ───▶  │  │  │  │  │  │
    └──┴──┴──┴──┴──┴ …                   └──┴──┴──┴──┴──┴ …

The book starts empty, as the workload has it, and is timed from the first command to the last.
The reports must have the published digest before anything is timed. A slow engine runs once, in
the middle of the middle round: on the whole workload where its book matters, elsewhere on a part.
"""

from __future__ import annotations

from typing import Any, Final

from contract.messages import DEFAULT_CAPACITY, DEFAULT_MAX_PRICE, DEFAULT_MIN_PRICE
from contract.records import empty_commands
from contract.reports import (
    PUBLISHED_DIGESTS,
    SMALL_DIGESTS,
    SMALL_ORDERS,
    report_digest,
)
from contract.streams import Stream
from contract.workload import ORDERS, SCENARIOS, SEED, generate
from matchbook.bench.interleave import WrongAnswerError, measure
from matchbook.bench.trial import (
    FLOOR,
    EngineTrial,
    FloorTrial,
    Session,
    contestant_facts,
    fast_trials,
    find_reference,
    prefix,
    twin_noise_floor,
)

NAME: Final = "scenarios"
BASELINE: Final = "phase1"
ROUNDS: Final = 9
#: Where slow engines run all commands: the book of ``static`` grows to the end, and ``normal`` is
#: the scenario that engines are compared on. Elsewhere, and beyond the limit, they run a part.
_SLOW_WHOLE: Final = ("static", "normal")
_SLOW_PART: Final = 500_000
_SLOW_LIMIT_S: Final = 180.0
_QUICK_SEED: Final = 7


def run(session: Session) -> dict[str, Any]:
    """Measure every scenario; the content of ``scenarios.json``."""
    orders, seed = workload_size(session)
    rounds = session.rounds_of(ROUNDS)
    cases = {}
    for scenario in SCENARIOS:
        stream, digest = scenario_stream(session, scenario)
        cases[scenario] = measure_scenario(session, stream, digest, rounds)
    return {
        "seed": seed,
        "rounds": rounds,
        "orders": orders,
        "noise_floor": max(case["noise_floor"] for case in cases.values()),
        "cases": cases,
        "summary": {name: summarise(name, cases) for name in session.engines},
    }


def workload_size(session: Session) -> tuple[int, int]:
    """How many orders, and the seed: the canonical workload, or a small one with a known digest."""
    return (SMALL_ORDERS, _QUICK_SEED) if session.quick else (ORDERS, SEED)


def scenario_stream(session: Session, scenario: str) -> tuple[Stream, str | None]:
    """A scenario for a book of the usual limits, and the digest its reports have to have."""
    orders, seed = workload_size(session)
    session.step(f"{scenario}: generating")
    stream = Stream(
        scenario,
        empty_commands(0),
        generate(scenario, orders, seed),
        DEFAULT_MIN_PRICE,
        DEFAULT_MAX_PRICE,
        orders if session.quick else DEFAULT_CAPACITY,
    )
    return stream, published_digest(scenario, orders, seed)


def measure_scenario(
    session: Session, stream: Stream, digest: str | None, rounds: int
) -> dict[str, Any]:
    """One scenario, every engine.

    Args:
        digest: what the SHA-256 of the reports has to be; None where none is published.

    Raises:
        WrongAnswerError: the digest is another, or the engines disagree.
    """
    scenario, commands = stream.name, stream.measured
    session.step(f"{scenario}: verifying")
    reference = find_reference(session.reference_engine(), stream)
    found = report_digest(commands, reference.events)
    if digest is not None and found != digest:
        raise WrongAnswerError(
            f"{scenario}: SHA-256 of the reports is {found}, published is {digest}"
        )
    once = []
    for name, seconds in session.slow().items():
        part, its_reference = stream, reference
        wanted = len(commands) if scenario in _SLOW_WHOLE else _SLOW_PART
        most = min(wanted, int(_SLOW_LIMIT_S / seconds))
        if most < len(commands):
            part = prefix(stream, most)
            its_reference = find_reference(session.reference_engine(), part)
        once.append(EngineTrial(name, session.engines[name], part, its_reference))
    samples = measure(
        [FloorTrial(commands, reference.room), *fast_trials(session, stream, reference)],
        rounds,
        once=once,
        step=session.stepper(f"{scenario}: "),
    )
    return {
        "commands": len(commands),
        **reference.facts(),
        "resting": reference.resting_after,
        "levels": reference.levels_after,
        "digest": found,
        "digest_is_published": digest is not None,
        "baseline": BASELINE,
        "floor_ns": samples.median(FLOOR) * 1e9,
        "noise_floor": twin_noise_floor(samples),
        "engines": {
            name: contestant_facts(samples, name, baseline=BASELINE) for name in session.engines
        },
    }


def published_digest(scenario: str, orders: int, seed: int) -> str | None:
    """The digest that the reports of a workload have to have, where one is published."""
    if (orders, seed) == (ORDERS, SEED):
        return PUBLISHED_DIGESTS[scenario]
    if orders == SMALL_ORDERS:
        return SMALL_DIGESTS.get((scenario, seed))
    return None


def summarise(name: str, cases: dict[str, Any]) -> dict[str, Any]:
    """An engine's best and worst scenario, in time and in multiples of the floor."""
    ns = {case: facts["engines"][name]["ns"] for case, facts in cases.items()}
    floors = [facts["engines"][name]["times_floor"] for facts in cases.values()]
    best, worst = min(ns, key=ns.__getitem__), max(ns, key=ns.__getitem__)
    return {
        "best_case": best,
        "worst_case": worst,
        "best_ns": ns[best],
        "worst_ns": ns[worst],
        "worst_to_best": ns[worst] / ns[best],
        "best_times_floor": min(floors),
        "worst_times_floor": max(floors),
    }
