"""The face of c/bench.h: what handing records to another core costs, and why.

Everything here runs in threads of its own, in C, verifies what it carried, and raises when one
record was lost, doubled, overtaken or changed. A core of -1 leaves a thread where it is.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from contract.errors import MatchbookError
from contract.messages import RECORD_BYTES
from contract.ring import Rows
from phase4_ring._ring import ffi, lib
from phase4_ring.boundary import wait_code
from phase4_ring.ring import SpscRing

Nanoseconds: TypeAlias = npt.NDArray[np.uint32]

#: What can carry records; the last four are one simple ring, and differ in where its cursors lie
#: and in whether a side keeps a copy of the other's.
CARRIERS: Final = {
    "spsc": lib.BENCH_SPSC,
    "sequencer": lib.BENCH_SEQUENCER,
    "locked": lib.BENCH_LOCKED,
    "apart_copy": lib.BENCH_APART_COPY,
    "apart": lib.BENCH_APART,
    "shared_copy": lib.BENCH_SHARED_COPY,
    "shared": lib.BENCH_SHARED,
}
WAYS: Final = {
    "singly": lib.BENCH_SINGLY,
    "batches": lib.BENCH_BATCHES,
    "in_place": lib.BENCH_IN_PLACE,
}
SHAPES: Final = {"store_buffer": lib.LITMUS_STORE_BUFFER, "message": lib.LITMUS_MESSAGE}
ORDERS: Final = {
    "relaxed": lib.ORDER_RELAXED,
    "acquire_release": lib.ORDER_ACQUIRE_RELEASE,
    "seq_cst": lib.ORDER_SEQ_CST,
}
OPERATIONS: Final = {
    "store_relaxed": lib.COST_STORE_RELAXED,
    "store_release": lib.COST_STORE_RELEASE,
    "store_seq_cst": lib.COST_STORE_SEQ_CST,
    "fetch_add": lib.COST_FETCH_ADD,
    "compare_exchange": lib.COST_COMPARE_EXCHANGE,
}
MOST_PRODUCERS: Final[int] = lib.BENCH_MOST_PRODUCERS
LARGEST_BATCH: Final[int] = lib.BENCH_LARGEST_BATCH

_TROUBLE: Final = {
    lib.BENCH_BAD_PLAN: "a plan that its carrier cannot carry out",
    lib.BENCH_NO_RESOURCES: "no memory or no thread for it",
    lib.BENCH_WRONG_ORDER: "a record was lost, doubled or overtaken",
    lib.BENCH_WRONG_SUM: "a record arrived with other content",
    lib.BENCH_STUCK: "one side waited for ten seconds in vain",
}


class BenchError(MatchbookError):
    """A run without a result.

    Attributes:
        code: which of ``BENCH_*`` of c/bench.h.
    """

    def __init__(self, what: str, code: int) -> None:
        self.code = code
        super().__init__(f"{what}: {_TROUBLE.get(code, f'code {code}')}")


@dataclass(frozen=True)
class Plan:
    """What to carry, how, and where.

    Attributes:
        carrier: one of ``CARRIERS``.
        way: ``singly``, in ``batches`` that are copied, or ``in_place`` in the slots.
        items: records of each producer that are timed.
        warmup: records of each producer before that; None: four laps of the ring.
        wait: how a side waits for the other: ``spin``, ``yield`` or ``park``.
        capacity: slots.
        batch: most records at a time, where not singly.
        cores: of the producers, then of the consumer.
        consumer_delay_ns: how much later the consumer starts; ``transfer`` alone knows it.
    """

    carrier: str = "spsc"
    way: str = "singly"
    items: int = 1_000_000
    warmup: int | None = None
    wait: str = "spin"
    capacity: int = 4096
    batch: int = 64
    cores: tuple[int, ...] = (-1, -1)
    consumer_delay_ns: int = 0

    @property
    def producers(self) -> int:
        """How many producers: a core is named for each."""
        return len(self.cores) - 1

    @property
    def records(self) -> int:
        """Timed records of all producers together."""
        return self.items * self.producers

    def to_c(self) -> Any:
        """The plan as C has it.

        Raises:
            BenchError: a word it does not know, or no producer, or too many.
        """
        known = self.carrier in CARRIERS and self.way in WAYS
        if not known or not 1 <= self.producers <= MOST_PRODUCERS:
            raise BenchError(str(self), lib.BENCH_BAD_PLAN)
        return ffi.new(
            "bench_plan *",
            {
                "ring": CARRIERS[self.carrier],
                "way": WAYS[self.way],
                "strategy": wait_code(self.wait),
                "parking": self.wait == "park",
                "producers": self.producers,
                "producer_cores": list(self.cores[:-1]),
                "consumer_core": self.cores[-1],
                "batch": self.batch,
                "capacity": self.capacity,
                "warmup": 4 * self.capacity if self.warmup is None else self.warmup,
                "items": self.items,
                "consumer_delay_ns": self.consumer_delay_ns,
            },
        )


class Run(NamedTuple):
    """What came of a plan; ``bench_result`` of c/bench.h."""

    ns: int
    producer_ns: int
    consumer_ns: int
    records: int
    checksum: int
    producer_cpu_ns: int
    consumer_cpu_ns: int
    producer_waits: int
    consumer_waits: int
    producer_pinned: int
    consumer_pinned: int

    @property
    def ns_per_record(self) -> float:
        """Wall time for each record that arrived."""
        return self.ns / self.records


class Peer:
    """A queue of somebody else's, compiled from ``peers/`` into a library.

    Args:
        path: of the library.

    Raises:
        BenchError: it cannot be loaded.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise BenchError(str(error), lib.BENCH_NO_RESOURCES) from error
        self._transfer = self._function("peer_transfer", "bench_plan *, bench_result *")
        self._round_trip = self._function(
            "peer_round_trip", "bench_plan *, uint32_t *, bench_result *"
        )

    def _function(self, name: str, arguments: str) -> Any:
        address = ctypes.cast(getattr(self._library, name), ctypes.c_void_p).value
        return ffi.cast(f"int (*)({arguments})", address)

    def transfer(self, plan: Plan) -> Run:
        """As the function of that name; the plan's carrier is not used."""
        return _run(plan, self._transfer)

    def round_trip(self, plan: Plan) -> tuple[Nanoseconds, Run]:
        """As the function of that name; the plan's carrier is not used."""
        return _trip(plan, self._round_trip)


def cores(count: int = 2) -> tuple[int, ...]:
    """So many cores this process may use, the last ones; -1 where that cannot be asked.

    Where there are fewer, the first of them comes several times: all but one side share it.
    """
    if not hasattr(os, "sched_getaffinity"):
        return (-1,) * count
    allowed = sorted(os.sched_getaffinity(0))[-count:]
    return (allowed[0],) * (count - len(allowed)) + tuple(allowed)


def transfer(plan: Plan) -> Run:
    """Carry a plan's records one way and verify them.

    Raises:
        BenchError: the plan cannot be, or the records did not arrive as they were sent.
    """
    return _run(plan, lib.bench_transfer)


def round_trip(plan: Plan) -> tuple[Nanoseconds, Run]:
    """Send ``items`` records there and back, one after the other; each trip's time, shape (items,).

    Each time holds one reading of the clock.

    Raises:
        BenchError: as ``transfer``.
    """
    return _trip(plan, lib.bench_round_trip)


def feed(ring: SpscRing, plan: Plan) -> Run:
    """Be the producer of a ring, in C, in the calling thread, without the interpreter's lock."""
    return _run(plan, lib.bench_feed, ring.handle)


def drain(ring: SpscRing, plan: Plan) -> Run:
    """Be the consumer of a ring, in C, and verify that it gets what ``source`` holds."""
    return _run(plan, lib.bench_drain, ring.handle)


def echo(there: SpscRing, back: SpscRing, plan: Plan) -> None:
    """Send back the plan's ``warmup`` and ``items`` records, in C, in the calling thread."""
    code = lib.bench_echo(there.handle, back.handle, plan.to_c())
    if code != lib.BENCH_DONE:
        raise BenchError("echo", code)


def source(count: int, first: int = 0) -> Rows:
    """Records as a producer in C sends them, from number ``first``, shape (count, 64)."""
    rows = np.empty((count, RECORD_BYTES), np.uint8)
    lib.bench_fill(ffi.from_buffer(rows), first, count)
    return rows


def sharing(
    count: int, *, atomic_add: bool, apart: bool, cores: Sequence[int], threads: int = 2
) -> Run:
    """Two threads count to ``count``, each in a counter of its own; see c/bench_sharing.c.

    Args:
        count: steps of each.
        atomic_add: by fetch_add; else each loads and stores its counter.
        apart: on lines of their own; else on one.
        cores: of the two.
        threads: 1: the first alone.

    Raises:
        BenchError: the counters are not what they should be, or the arguments are none.
    """
    result = ffi.new("bench_result *")
    code = lib.bench_sharing(atomic_add, apart, threads, count, *cores, result)
    return _checked("sharing", code, result)


def litmus(shape: str, order: str, rounds: int, cores: Sequence[int]) -> dict[tuple[int, int], int]:
    """How often each outcome (r0, r1) of a litmus test was seen; see c/bench_orders.c.

    Args:
        shape: ``store_buffer`` or ``message``.
        order: ``relaxed``, ``acquire_release`` or ``seq_cst``.
        rounds: how often.
        cores: of the two sides.

    Raises:
        BenchError: a round went uncounted, or the arguments are none.
    """
    counts = ffi.new("uint64_t[4]")
    code = lib.bench_litmus(SHAPES[shape], ORDERS[order], rounds, *cores, counts)
    if code != lib.BENCH_DONE:
        raise BenchError(f"{shape}, {order}", code)
    return {(number // 2, number % 2): int(counts[number]) for number in range(4)}


def operation(kind: str, count: int, core: int = -1) -> Run:
    """Do an atomic operation so often, in one thread, on a word that nobody else uses.

    Args:
        kind: one of ``OPERATIONS``.
        count: how often.
        core: where.

    Raises:
        BenchError: the word is not what it should be after it, or there is no such kind.
    """
    result = ffi.new("bench_result *")
    code = lib.bench_operation(OPERATIONS[kind], count, core, result)
    return _checked(kind, code, result)


def idle(wait: str, seconds: float, cores: Sequence[int]) -> Run:
    """A producer waits at a full ring and a consumer at an empty one, for so long.

    Raises:
        BenchError: one of the waits ended before its time.
    """
    result = ffi.new("bench_result *")
    code = lib.bench_idle(wait_code(wait), int(seconds * 1e9), *cores, result)
    return _checked(f"idle, {wait}", code, result)


def _run(plan: Plan, function: Any, *handles: Any) -> Run:
    result = ffi.new("bench_result *")
    return _checked(str(plan), function(*handles, plan.to_c(), result), result)


def _trip(plan: Plan, function: Any) -> tuple[Nanoseconds, Run]:
    times = np.zeros(plan.items, np.uint32)
    result = ffi.new("bench_result *")
    code = function(plan.to_c(), ffi.cast("uint32_t *", ffi.from_buffer(times)), result)
    return times, _checked(str(plan), code, result)


def _checked(what: str, code: int, result: Any) -> Run:
    if code != lib.BENCH_DONE:
        raise BenchError(what, code)
    return Run(*(int(getattr(result, field)) for field in Run._fields))
