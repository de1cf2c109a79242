"""The face of the benchmarks: what it refuses, what it verifies, and the small measurements."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from contract.ring import Rows
from phase4_ring import bench, measure
from phase4_ring._ring import lib
from phase4_ring.bench import CARRIERS, WAYS, BenchError, Plan
from phase4_ring.ring import SpscRing

SMALL = Plan(items=500, warmup=50, wait="yield", capacity=64, batch=7)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_carrier_brings_all_records_or_says_that_it_cannot(carrier: str, way: str) -> None:
    """Guards: a word of the face that stands for another carrier or way in C."""
    plan = replace(SMALL, carrier=carrier, way=way)
    if way == "in_place" and carrier not in ("spsc", "sequencer"):
        with pytest.raises(BenchError) as caught:
            bench.transfer(plan)
        assert caught.value.code == lib.BENCH_BAD_PLAN
        return
    run = bench.transfer(plan)
    assert run.records == 500
    assert run.ns > 0


def test_the_same_records_have_the_same_checksum_whoever_carries_them() -> None:
    """Guards: two carriers compared on different records."""
    sums = {
        bench.transfer(replace(SMALL, carrier=carrier)).checksum for carrier in ("spsc", "apart")
    }
    assert len(sums) == 1
    assert bench.transfer(replace(SMALL, items=501)).checksum not in sums


def test_two_producers_bring_twice_as_many() -> None:
    """Guards: the second producer's core taken for the consumer's, or its records for nobody's."""
    plan = replace(SMALL, carrier="sequencer", cores=(-1, -1, -1))
    assert plan.producers == 2
    assert bench.transfer(plan).records == plan.records == 1000


def test_a_plan_that_nobody_can_carry_out_is_refused() -> None:
    """Guards: an unknown word that silently measures something else."""
    for plan in (
        replace(SMALL, carrier="pigeon"),
        replace(SMALL, way="twice"),
        replace(SMALL, cores=(-1,)),
        replace(SMALL, cores=(-1,) * 6),
        replace(SMALL, cores=(-1,) * 3),  # two producers into a ring for one
        replace(SMALL, batch=0),
        replace(SMALL, capacity=63),
    ):
        with pytest.raises(BenchError):
            bench.transfer(plan)


def test_a_late_consumer_finds_everything() -> None:
    """Guards: records lost while nobody reads, or a side whose time is not taken."""
    plan = replace(SMALL, items=60, wait="spin", consumer_delay_ns=2_000_000)
    run = bench.transfer(plan)
    assert run.records == 60
    assert min(run.ns, run.consumer_ns, run.producer_ns) > 0


def test_every_trip_has_a_time() -> None:
    """Guards: times that are written past the array, or not written at all."""
    times, run = bench.round_trip(replace(SMALL, items=40))
    assert times.shape == (40,)
    assert times.min() > 0
    assert times.sum() <= run.ns


def drained(rows: Rows, plan: Plan) -> None:
    """Let C drain a ring that holds these rows."""
    ring = SpscRing(1024)
    assert ring.push(rows) == len(rows)
    bench.drain(ring, plan)


def test_c_refuses_records_that_are_not_what_was_sent() -> None:
    """Guards: a transfer from Python whose records nobody looks at."""
    plan = replace(SMALL, way="batches", items=100)
    good = bench.source(100)
    drained(good, plan)
    for order in ([50, 49], [50, 50]):  # overtaken; doubled, and one lost
        rows = good.copy()
        rows[[49, 50]] = good[order]
        with pytest.raises(BenchError) as caught:
            drained(rows, plan)
        assert caught.value.code == lib.BENCH_WRONG_ORDER
    rows = good.copy()
    rows[99, 63] ^= 1
    with pytest.raises(BenchError) as caught:
        drained(rows, plan)
    assert caught.value.code == lib.BENCH_WRONG_SUM


def test_what_c_feeds_is_what_source_says() -> None:
    """Guards: two ideas of what a record holds, one in C and one in Python."""
    ring = SpscRing(64)
    plan = replace(SMALL, way="in_place", items=300, wait="park")
    thread = threading.Thread(target=bench.feed, args=(ring, plan))
    thread.start()
    rows = np.empty((0, 64), np.uint8)
    while len(rows) < 300 and ring.wait_items(10):
        rows = np.concatenate([rows, ring.pop(64)])
    thread.join()
    assert np.array_equal(rows, bench.source(300))
    assert np.array_equal(bench.source(10, 290), rows[290:])


def test_an_echo_sends_back_what_it_gets() -> None:
    """Guards: an echo that answers with something of its own."""
    there, back = SpscRing(64), SpscRing(64)
    plan = replace(SMALL, items=9, warmup=1, wait="park")
    thread = threading.Thread(target=bench.echo, args=(there, back, plan))
    thread.start()
    sent = bench.source(10)
    there.push(sent)
    got = np.empty((0, 64), np.uint8)
    while len(got) < 10 and back.wait_items(10):
        got = np.concatenate([got, back.pop(10)])
    thread.join()
    assert np.array_equal(got, sent)


def test_cores_are_the_callers_own() -> None:
    """Guards: a side pinned to a core that the process may not use, or that is not there."""
    two, three = bench.cores(2), bench.cores(3)
    assert (len(two), len(three)) == (2, 3)
    if two[0] >= 0:
        run = bench.transfer(replace(SMALL, cores=two))
        assert (run.producer_pinned, run.consumer_pinned) == two
    run = bench.transfer(replace(SMALL, cores=(-1, 100_000)))
    assert (run.producer_pinned, run.consumer_pinned) == (-1, -1)


def test_an_outcome_is_named_by_its_two_values() -> None:
    """Guards: (0, 1) and (1, 0) mixed up, which would forbid the wrong outcome."""
    counts = bench.litmus("message", "acquire_release", 500, (-1, -1))
    assert list(counts) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert sum(counts.values()) == 500
    assert counts[1, 0] == 0
    assert bench.litmus("store_buffer", "seq_cst", 500, (-1, -1))[0, 0] == 0


def test_idle_takes_as_long_as_it_is_told() -> None:
    """Guards: a wait that returns at once, whose processor time would look like thrift."""
    run = bench.idle("park", 0.02, (-1, -1))
    assert run.ns >= 20_000_000


def test_the_small_measurements_measure_what_they_name() -> None:
    """Guards: a row of the demo that is missing, or measured on something else."""
    assert list(measure.carriers(500, 1)) == list(measure.CARRIERS)
    assert list(measure.versions(500, 1)) == list(measure.VERSIONS)
    far = measure.versions_far_behind(1)
    assert list(far) == list(measure.VERSIONS)
    assert all(producer > 0 < consumer for producer, consumer in far.values())
    assert set(measure.round_trips(50)["spsc"]) == set(measure.RANKS)
    assert set(measure.false_sharing(1000, 1)) == {"alone", "a line each", "one line"}
    assert set(measure.operations(1000, 1)) == set(bench.OPERATIONS)
    assert measure.litmus(200)["store_buffer", "seq_cst"][0, 0] == 0
    found = measure.waits(500, 0.01)
    assert list(found) == list(measure.STRATEGIES)
    assert all(row["ns"] > 0 for row in found.values())
