"""Suite ``multicast``: messages from one process to another over loopback multicast.

::

    publish ─▶ store, packer ─▶ sendmmsg ═ loopback ═▶ recvmmsg ─▶ receiver ─▶ take
    one process, one core                              another process, another core

``packing`` sends as fast as messages arrive, 1 to 22 of them (64 bytes each) in a datagram. No
more is under way than a kernel's buffer holds; what is dropped all the same is asked for again, and
counted. What is measured is what was taken in order, from the first message published to the last
one taken, and every byte is compared with what was sent.

``latency`` is an open loop: a message is stamped with when it is due, and counts from then to when
the subscriber has it in its hands. Beside it stands what the machine does to a thread that only
looks at the clock.

``recovery`` has no socket: a whole session in C through a network that loses none, or some, of the
datagrams, requests and answers (``phase5_protocol/c/bench.h``). ``parts`` takes packing, keeping
and receiving one by one, in large batches from Python; ``kernel`` a datagram's way in and out.

``dead`` times ``publish`` alone, to one subscriber that reads and then beside another that joined
and never does. Both are on this machine, where the kernel hands a datagram to every member of the
group, or drops it, within the publisher's call: over a network a switch does that.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from contract.floor import Nanoseconds
from matchbook.bench.interleave import Contestant, measure
from matchbook.bench.latency import PERCENTILES, percentiles
from matchbook.bench.multicast_child import HEADER_BYTES, MESSAGE_BYTES
from matchbook.bench.multicast_dead import dead_trials
from matchbook.bench.multicast_link import Link, PackingTrial, own_group
from matchbook.bench.multicast_parts import kernel_trials, part_trials, recovery_trials
from matchbook.bench.pipeline import pinned_to
from matchbook.bench.rings_effects import floors, samples_facts
from matchbook.bench.trial import TWIN, Session, twin_noise_floor
from phase4_ring import bench
from phase4_ring.traffic import hiccups

NAME: Final = "multicast"
ROUNDS: Final = 7
#: Messages in a datagram; the last fill one of 1,472 bytes, which is what an Ethernet frame holds.
PACKINGS: Final = (1, 2, 4, 8, 16, 22)
#: Messages a second that are due, in the open loop.
RATES: Final = (10_000, 100_000, 500_000)
#: Messages of a run of ``packing``: so many datagrams, within limits.
_DATAGRAMS: Final = 20_000
_LEAST, _MOST = 40_000, 220_000
_QUICK_MESSAGES: Final = 2_200
_RECOVERED: Final = 220_000
_QUICK_RECOVERED: Final = 22_000
_SECONDS_A_RATE: Final = 1.0
_QUICK_SECONDS: Final = 0.02
_LATENCY_RUNS: Final = 5
_SEED: Final = 7


def run(session: Session) -> dict[str, Any]:
    """Measure everything; the content of ``multicast.json``."""
    rounds = session.rounds_of(ROUNDS)
    cores = bench.cores(2)
    room = max(_MOST, int(max(RATES) * seconds_a_rate(session)))
    session.step("starting the process that publishes")
    with Link(cores, _QUICK_MESSAGES * 5 if session.quick else room) as link:
        packing = measure_packing(session, link, rounds)
        latency = measure_latencies(session, link, cores)
        transport = link.transport
    count = _QUICK_RECOVERED if session.quick else _RECOVERED
    recovered = recovery_trials(count, _SEED)
    with pinned_to(max(cores[1], 0)):
        recovery = compare(session, "recovery", recovered, "loss_0", "direct", rounds)
        for trial in recovered:
            recovery["contestants"][trial.name] |= trial.facts()
        parts = compare(session, "parts", part_trials(session.quick), "receive", "pack", rounds)
        kernel = compare(
            session, "kernel", kernel_trials(session.quick), "batches", "stdlib", rounds
        )
        cases = {"packing": packing, "recovery": recovery, "parts": parts, "kernel": kernel}
        if transport == "multicast":  # a second one cannot join anything else
            cases["dead"] = measure_dead(session, rounds)
    return {
        "seed": _SEED,
        "rounds": rounds,
        "noise_floor": floors(*cases.values()),
        "pinned_cores": list(cores),
        "transport": transport,
        "record_bytes": 64,
        "cases": cases,
        "latency": latency,
    }


def seconds_a_rate(session: Session) -> float:
    """How long messages are due in one run of an open loop."""
    return _QUICK_SECONDS if session.quick else _SECONDS_A_RATE


def compare(
    session: Session,
    what: str,
    trials: Sequence[Contestant],
    ours: str,
    baseline: str,
    rounds: int,
) -> dict[str, Any]:
    """Contestants interleaved, and one of them a second time: a case of ``multicast.json``."""
    (mine,) = (trial for trial in trials if trial.name == ours)
    twin = replace(mine, name=ours + TWIN)  # type: ignore[type-var]
    samples = measure([*trials, twin], rounds, step=session.stepper(f"{what}: "))
    return {
        "baseline": baseline,
        "ours": ours,
        "noise_floor": twin_noise_floor(samples),
        "contestants": samples_facts(samples, ours, baseline),
    }


def measure_packing(session: Session, link: Link, rounds: int) -> dict[str, Any]:
    """As fast as messages arrive, with more and more of them in a datagram."""
    trials = [
        PackingTrial(str(packing), link, messages_of(session, packing), packing)
        for packing in PACKINGS
    ]
    last, first = trials[-1].name, trials[0].name
    case = compare(session, "packing", trials, last, first, rounds)
    for trial in trials:
        facts = case["contestants"][trial.name]
        each = statistics.median(trial.datagrams) / trial.records
        facts |= {
            "datagrams_per_second": round(facts["per_second"] * each),
            "datagram_bytes": HEADER_BYTES + trial.packing * MESSAGE_BYTES,
            "ns_per_datagram": facts["ns"] / each,
            **{key: sum(run[key] for run in trial.losses) for key in trial.losses[0]},
        }
    return case


def measure_dead(session: Session, rounds: int) -> dict[str, Any]:
    """The publisher's own time, with one subscriber, two, and one and one that never reads."""
    trials = dead_trials(session.quick, own_group())
    alive = trials[0].name
    case = compare(session, "dead", trials, alive, alive, rounds)
    for trial in trials:
        case["contestants"][trial.name] |= trial.facts()
    return case


def messages_of(session: Session, packing: int) -> int:
    """Messages of one run; a multiple of every packing's datagram is not needed."""
    if session.quick:
        return _QUICK_MESSAGES
    return min(_MOST, max(_LEAST, _DATAGRAMS * packing))


def measure_latencies(
    session: Session, link: Link, cores: tuple[int, ...]
) -> dict[str, dict[str, Any]]:
    """From when a message was due to when it was taken, at each rate; and the machine.

    Runs of the rates are interleaved. A percentile is the median of its runs', for one pause of the
    machine fills the tail of the run it falls into; the longest is the longest of all.
    """
    seconds = seconds_a_rate(session)
    runs: dict[int, list[dict[str, int]]] = {rate: [] for rate in RATES}
    gaps: list[Nanoseconds] = []
    for _ in range(2 if session.quick else _LATENCY_RUNS):
        for rate in RATES:
            session.step(f"latency at {rate:,} a second")
            name = f"{rate:,} a second"
            arrival = link.carry(name, max(2, int(rate * seconds)), PACKINGS[-1], rate)
            published = arrival.published
            runs[rate].append(
                {
                    **percentiles(arrival.latencies()),
                    "latest_ns": published.latest_ns,
                    "datagrams": published.datagrams,
                    **arrival.losses,
                }
            )
        with pinned_to(max(cores[1], 0)):
            gaps.append(hiccups(seconds))
    found: dict[str, dict[str, Any]] = {
        str(rate): {
            "runs": len(of_rate),
            **{key: int(np.median([run[key] for run in of_rate])) for key in PERCENTILES},
            **{key: max(run[key] for run in of_rate) for key in ("max", "latest_ns")},
            **{
                key: sum(run[key] for run in of_rate)
                for key in ("samples", "datagrams", "kernel_drops", "gaps", "requests")
            },
        }
        for rate, of_rate in runs.items()
    }
    every_gap = np.concatenate(gaps)
    found["machine"] = {
        "seconds": len(gaps) * seconds,
        "gaps": len(every_gap),
        "longest": int(every_gap.max(initial=0)),
        "lost_share": float(np.sum(every_gap, dtype=np.float64) / (len(gaps) * seconds * 1e9)),
    }
    return found
