"""Traffic through a pipeline from one thread in C: gateway at one end, subscriber at the other."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from contract.records import RecordArray
from phase4_ring._ring import ffi, lib
from phase4_ring.boundary import timeout_ns, whole_records

#: Times of single events, in ns; what takes longer than four seconds stands as four seconds.
Nanoseconds: TypeAlias = npt.NDArray[np.uint32]


class TrafficPlan(NamedTuple):
    """How to send; see ``Pipeline.run``. A core of -1 is none."""

    per_second: float
    burst: int
    core: int
    timeout_s: float
    latency: bool


class Traffic(NamedTuple):
    """What ``Pipeline.run`` did.

    Attributes:
        events: what was received, shape (n,) of ``EVENT_DTYPE``.
        latency_ns: for each event, from when its command was due to when it was received.
        commands: accepted; refused: pushes that found the ring full and were repeated.
        elapsed_ns: from the first command to the last event.
        latest_ns: how far behind its time a command was sent, at the most.
    """

    events: RecordArray
    latency_ns: Nanoseconds
    commands: int
    refused: int
    elapsed_ns: int
    latest_ns: int


def run_traffic(
    pipeline: Any, producer: int, commands: Any, events: RecordArray, plan: TrafficPlan
) -> tuple[int, Traffic]:
    """Run ``traffic_run`` of c/traffic.h; what it returned, and how far it came."""
    source, count = whole_records(commands)
    target, room = whole_records(events, writable=True)
    times = np.zeros(room if plan.latency else 0, np.uint32)
    result = ffi.new("traffic_result *")
    state = lib.traffic_run(
        pipeline,
        producer,
        ffi.cast("command_record *", source),
        count,
        ffi.cast("event_record *", target),
        room,
        ffi.cast("uint32_t *", ffi.from_buffer(times)) if plan.latency else ffi.NULL,
        ffi.new(
            "traffic_plan *",
            {
                "commands_per_s": plan.per_second,
                "burst": plan.burst,
                "core": plan.core,
                "timeout_ns": timeout_ns(plan.timeout_s),
            },
        ),
        result,
    )
    received = int(result.events)
    return state, Traffic(
        events[:received],
        times[:received] if plan.latency else times,
        int(result.commands),
        int(result.refused),
        int(result.elapsed_ns),
        int(result.latest_ns),
    )


def hiccups(
    seconds: float, least_ns: int = 1_000, core: int | None = None
) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """What the machine does to a thread that only looks at the clock: its gaps, in ns, shape (n,).

    To be held beside any latency: what is in here is nobody's fault.
    """
    gaps = np.zeros(1 << 16, np.uint32)
    count = lib.traffic_hiccups(
        int(seconds * 1e9),
        least_ns,
        -1 if core is None else core,
        ffi.cast("uint32_t *", ffi.from_buffer(gaps)),
        len(gaps),
    )
    return gaps[:count]
