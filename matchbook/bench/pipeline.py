"""Suite ``pipeline``: what it costs an engine to live behind rings.

::

    alone    commands in memory ─▶ apply_batch ─▶ events in memory        one thread

    rings    ┌──▶ [sequencer] ──▶ engine ──┐                              engine: a core of its own
             gateway                       │                              gateway and subscriber:
             └◀──── [event ring] ◀─────────┘                              one thread on the other

Both take the public benchmark's five workloads whole. Behind the rings every command is copied into
a slot and stamped, applied where it lies, and every event is copied out by the thread that sent the
commands: so the time is that of the slower of two cores, and is taken from the first command to the
last event by the wall clock. The events must be those of the engine alone, byte for byte, and their
reports have the published digest.

Latency is measured open-loop: each command is due at its time, and counts from then. Beside it
stands what the machine does to a thread that only looks at the clock.
"""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from contract.floor import Nanoseconds
from contract.messages import EventKind
from contract.native import NativeEngine
from contract.records import RecordArray, empty_events
from contract.reports import report_digest
from contract.streams import Stream
from contract.workload import SCENARIOS, generate
from matchbook.bench.interleave import Outcome, WrongAnswerError, measure
from matchbook.bench.latency import PERCENTILES, percentiles
from matchbook.bench.scenarios import scenario_stream, workload_size
from matchbook.bench.trial import (
    TWIN,
    Reference,
    Session,
    SkippedError,
    digest_of,
    find_reference,
    twin_noise_floor,
)
from matchbook.engines import EngineClass

NAME: Final = "pipeline"
ROUNDS: Final = 9
ENGINE: Final = "phase3"
#: Slots of the two rings; small enough for both cores' caches.
COMMAND_SLOTS: Final = 4096
EVENT_SLOTS: Final = 8192
#: Most commands between two hand-overs.
BATCH: Final = 64
#: Commands a second that are due, in the open loop.
RATES: Final = (100_000, 1_000_000, 5_000_000)
_SECONDS_A_RATE: Final = 1.0
_LATENCY_RUNS: Final = 5


def run(session: Session) -> dict[str, Any]:
    """Measure every scenario and the latencies; the content of ``pipeline.json``.

    Raises:
        SkippedError: phase 3's engine or the rings are not built, or there is only one core.
    """
    if ENGINE not in session.engines:
        raise SkippedError(f"the pipeline drives {ENGINE}, which is not among the engines")
    cores = usable_cores()
    if len(cores) < 2:
        raise SkippedError("engine and gateway need a core each")
    orders, seed = workload_size(session)
    rounds = session.rounds_of(ROUNDS)
    cases = {}
    for scenario in SCENARIOS:
        stream, digest = scenario_stream(session, scenario)
        cases[scenario] = measure_scenario(session, stream, digest, rounds, cores)
    worst = min(cases, key=lambda name: cases[name]["share"])
    return {
        "seed": seed,
        "rounds": rounds,
        "orders": orders,
        "command_slots": COMMAND_SLOTS,
        "event_slots": EVENT_SLOTS,
        "batch": BATCH,
        "noise_floor": max(case["noise_floor"] for case in cases.values()),
        "cases": cases,
        "latency": measure_latencies(session, generate("normal", orders, seed), cores),
        "summary": {"worst_case": worst, "worst_share": cases[worst]["share"]},
    }


def usable_cores() -> list[int]:
    """The cores this process may run on, or as many as there are where nobody says."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@dataclass
class AloneTrial:
    """The engine in one call over the whole array, on its core, by the wall clock."""

    name: str
    engine_class: EngineClass
    stream: Stream
    reference: Reference
    core: int

    def run(self) -> Outcome:
        """Build the book, time all commands, verify the events."""
        with pinned_to(self.core), self.engine_class(**self.stream.limits()) as engine:
            gc.collect()
            started = time.perf_counter()
            consumed, written = engine.apply_batch(self.stream.measured, self.reference.room)
            seconds = time.perf_counter() - started
        verify(self.name, self.reference, self.reference.room[:written])
        return Outcome(seconds, consumed, self.reference.answer)


@dataclass
class RingsTrial:
    """The same engine on a core of its own behind both rings, this thread at their other ends."""

    name: str
    engine_class: EngineClass
    stream: Stream
    reference: Reference
    engine_core: int
    gateway_core: int

    def run(self) -> Outcome:
        """Build book and rings, start the stage, time all commands to the last event, verify."""
        from phase4_ring.pipeline import Pipeline

        with pinned_to(self.gateway_core), self.engine_class(**self.stream.limits()) as engine:
            assert isinstance(engine, NativeEngine)
            with Pipeline(
                engine,
                commands=COMMAND_SLOTS,
                events=EVENT_SLOTS,
                wait="spin",
                match_core=self.engine_core,
                batch=BATCH,
            ) as pipeline:
                producer = pipeline.producer()
                pipeline.start()
                gc.collect()
                traffic = pipeline.run(producer, self.stream.measured, self.reference.room)
                pipeline.stop()
        verify(self.name, self.reference, traffic.events)
        return Outcome(traffic.elapsed_ns / 1e9, traffic.commands, self.reference.answer)


class pinned_to:
    """Keep this thread on one core for as long as the block lasts, where the system can."""

    def __init__(self, core: int) -> None:
        self.core = core
        self.before: set[int] = set()

    def __enter__(self) -> None:
        if hasattr(os, "sched_setaffinity"):
            self.before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {self.core})

    def __exit__(self, *exc_info: object) -> None:
        if self.before:
            os.sched_setaffinity(0, self.before)


def verify(name: str, reference: Reference, events: RecordArray) -> None:
    """Nothing less than the same bytes.

    Raises:
        WrongAnswerError: the events are not the reference's.
    """
    answer = digest_of(events)
    if answer != reference.answer:
        raise WrongAnswerError(f"{name}: events with SHA-256 {answer}, not {reference.answer}")


def measure_scenario(
    session: Session, stream: Stream, digest: str | None, rounds: int, cores: list[int]
) -> dict[str, Any]:
    """One scenario, alone and behind rings, interleaved.

    Raises:
        WrongAnswerError: the digest is not the published one, or an event differs.
    """
    engine_class = session.engines[ENGINE]
    session.step(f"{stream.name}: verifying")
    reference = find_reference(engine_class, stream)
    # Behind the rings once first: what is hashed for the digest came through them.
    rings = RingsTrial("rings", engine_class, stream, reference, cores[0], cores[1])
    rings.run()
    found = report_digest(stream.measured, reference.events)
    if digest is not None and found != digest:
        raise WrongAnswerError(
            f"{stream.name}: SHA-256 of the reports is {found}, published is {digest}"
        )
    alone = AloneTrial("alone", engine_class, stream, reference, cores[0])
    twin = RingsTrial("rings" + TWIN, engine_class, stream, reference, cores[0], cores[1])
    samples = measure([alone, rings, twin], rounds, step=session.stepper(f"{stream.name}: "))
    share = samples.ratio("alone", "rings")
    return {
        "commands": len(stream.measured),
        **reference.facts(),
        "digest": found,
        "digest_is_published": digest is not None,
        "noise_floor": twin_noise_floor(samples),
        "alone_ns": samples.median("alone") * 1e9,
        "rings_ns": samples.median("rings") * 1e9,
        "rings_per_second": round(1 / samples.median("rings")),
        "share": share.median,
        "share_low": share.low,
        "share_high": share.high,
    }


def measure_latencies(
    session: Session, commands: RecordArray, cores: list[int]
) -> dict[str, dict[str, Any]]:
    """From when a command was due to when its event was received, at each rate; and the machine.

    Several runs of each rate, interleaved: a percentile is the median of theirs, for one pause of
    the machine fills the tail of the run it falls into. The longest is the longest of all.
    """
    from phase4_ring.traffic import hiccups

    seconds = 0.01 if session.quick else _SECONDS_A_RATE
    runs: dict[int, list[dict[str, int]]] = {rate: [] for rate in RATES}
    gaps: list[Nanoseconds] = []
    for _ in range(2 if session.quick else _LATENCY_RUNS):
        for rate in RATES:
            session.step(f"latency at {rate:,} a second")
            part = commands[: max(2, int(rate * seconds))]
            runs[rate].append(run_open_loop(session, part, rate, cores))
        with pinned_to(cores[1]):
            gaps.append(hiccups(seconds))
    found: dict[str, dict[str, Any]] = {
        str(rate): {
            "runs": len(of_rate),
            **{key: int(np.median([run[key] for run in of_rate])) for key in PERCENTILES},
            **{key: max(run[key] for run in of_rate) for key in ("max", "latest_ns")},
            **{key: sum(run[key] for run in of_rate) for key in ("samples", "commands")},
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


def run_open_loop(
    session: Session, commands: RecordArray, rate: int, cores: list[int]
) -> dict[str, int]:
    """One run at one rate: its percentiles, and how late a command was sent at the most."""
    from phase4_ring.pipeline import Pipeline

    room = empty_events(2 * len(commands) + 1024)
    room["kind"] = EventKind.ACCEPTED
    with pinned_to(cores[1]), session.engines[ENGINE]() as engine:
        assert isinstance(engine, NativeEngine)
        with Pipeline(
            engine,
            commands=COMMAND_SLOTS,
            events=EVENT_SLOTS,
            wait="spin",
            match_core=cores[0],
        ) as pipeline:
            producer = pipeline.producer()
            pipeline.start()
            traffic = pipeline.run(producer, commands, room, per_second=rate, latency=True)
            pipeline.stop()
    verify_order(traffic.events)
    return {
        **percentiles(traffic.latency_ns),
        "commands": traffic.commands,
        "latest_ns": traffic.latest_ns,
    }


def verify_order(events: RecordArray) -> None:
    """Event sequences are 1, 2, 3, … without gaps.

    Raises:
        WrongAnswerError: they are not.
    """
    if not np.array_equal(events["sequence"], np.arange(1, len(events) + 1, dtype=np.uint64)):
        raise WrongAnswerError("the events' sequence numbers have gaps")
