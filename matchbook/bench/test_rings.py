"""Suite ``rings``: every answer is verified, and what cannot be measured is said to be missing.

That a quick run writes a complete receipt, and that its tables can be made, is in test_bench.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from pickle import PicklingError
from typing import Any

import pytest

from contract.errors import MatchbookError
from matchbook.bench import rings, rings_effects, rings_peers, rings_python
from matchbook.bench.interleave import WrongAnswerError
from matchbook.bench.rings_channels import (
    CAPACITY,
    Channel,
    LockedRingChannel,
    PipeChannel,
    RingChannel,
    SimpleQueueChannel,
)
from matchbook.bench.rings_effects import judge
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
from matchbook.bench.trial import Session
from phase4_ring.bench import BenchError, Plan
from phase4_ring.ring import SpscRing
from phase4_ring.shared_names import RingMissingError

QUICK = Session({}, rounds=1, quick=True)
NOWHERE = (-1, -1)


class Losing(SimpleQueueChannel):
    """A queue that loses the third part and, so that nobody waits for it, repeats the fourth."""

    def receive(self, count: int) -> list[Any]:
        """One part too few, and one too many."""
        parts = super().receive(count)
        parts[2] = parts[3]
        return parts


class Swapping(SimpleQueueChannel):
    """A queue in which one part overtakes another."""

    def receive(self, count: int) -> list[Any]:
        """Two parts change places."""
        parts = super().receive(count)
        parts[1], parts[2] = parts[2], parts[1]
        return parts


class SpoilingRing(RingChannel):
    """A ring into which somebody puts one wrong byte."""

    def send(self, parts: list[bytes]) -> None:
        """The last byte of all is another."""
        last = parts[-1]
        super().send([*parts[:-1], last[:-1] + bytes([last[-1] ^ 1])])


@pytest.mark.parametrize("part", [1, 64])
@pytest.mark.parametrize("kind", THREAD_CHANNELS)
def test_every_channel_of_threads_brings_every_record(kind: type[Channel], part: int) -> None:
    """Guards: a channel that is fast because it does not deliver. Twice round the ring."""
    records = 2 * CAPACITY + 64
    outcome = ThreadTrial(kind.name, kind, records, part).run()
    assert outcome.commands == records
    assert outcome.answer == rings_python.make_parts(records, part)[1]
    assert len(time_thread_trips(kind.name, kind, 5)) == 5


def test_every_channel_of_processes_brings_every_record() -> None:
    """Guards: the same between processes, and a child that does not end."""
    records = CAPACITY + 64
    with Child(make_channels((1, 64)), NOWHERE) as child:
        for kind in PROCESS_CHANNELS:
            for part in (1, 64):
                outcome = ProcessTrial(kind, child, kind, records, part).run()
                assert outcome.answer == rings_python.make_parts(records, part)[1]
            assert len(time_process_trips(child, kind, 5)) == 5
    assert not child.alive


@pytest.mark.parametrize("part", [1, 64])
def test_c_and_python_bring_each_other_every_record(part: int) -> None:
    """Guards: a side in C that stops early or verifies nothing."""
    expected = rings_python.make_parts(1280, part)[1]
    assert FeedTrial("feed", 1280, part).run().answer == expected
    assert DrainTrial("drain", 1280, part).run().answer == expected


@pytest.mark.parametrize("kind", [Losing, Swapping])
def test_a_channel_that_loses_or_reorders_is_not_measured(kind: type[Channel]) -> None:
    """Guards: numbers of a channel whose answer is wrong."""
    with pytest.raises(WrongAnswerError, match="liar: records with SHA-256"):
        ThreadTrial("liar", kind, 640, 64).run()


def test_one_wrong_byte_on_the_way_to_c_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: an answer of a C consumer that is assumed and not looked at."""
    monkeypatch.setattr(rings_python, "RingChannel", SpoilingRing)
    with pytest.raises(BenchError, match="other content"):
        DrainTrial("liar", 640, 64).run()


def test_one_wrong_byte_on_the_way_to_a_process_is_seen() -> None:
    """Guards: a child that says what its parent wants to hear."""
    with Child(make_channels((64,)), NOWHERE) as child:
        pipe = child.channels["mp_pipe.64"]
        send = pipe.put
        pipe.put = lambda part: send(part[:-1] + bytes([part[-1] ^ 1]))
        with pytest.raises(WrongAnswerError, match="liar: records with SHA-256"):
            ProcessTrial("liar", child, PipeChannel.name, 640, 64).run()
        outcome = ProcessTrial("honest", child, LockedRingChannel.name, 640, 64).run()
        assert outcome.commands == 640


def test_a_child_that_cannot_start_leaves_no_name_behind() -> None:
    """Guards: shared memory that outlives the benchmark because something else went wrong."""
    channels = make_channels((64,))
    ring = channels["ring.64"]
    assert isinstance(ring, RingChannel)
    name = ring.ring.name
    assert name is not None
    channels["mp_pipe.64"].put = lambda part: None  # nothing that could be sent to a child
    with pytest.raises((AttributeError, TypeError, PicklingError)):
        Child(channels, NOWHERE)
    with pytest.raises(RingMissingError):
        SpscRing.attach(name)


def test_a_forbidden_outcome_fails_the_suite() -> None:
    """Guards: a litmus test whose forbidden outcome is printed as one number among others."""
    counts = {(0, 0): 1, (0, 1): 5, (1, 0): 7, (1, 1): 2}
    assert judge("store_buffer", "relaxed", counts)["00"] == {"allowed": True, "seen": 1}
    for shape, order in (("store_buffer", "seq_cst"), ("message", "acquire_release")):
        with pytest.raises(WrongAnswerError, match="forbidden"):
            judge(shape, order, counts)
    assert not judge("message", "seq_cst", {**counts, (1, 0): 0})["10"]["allowed"]


def test_without_a_compiler_peers_are_missing_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a suite that fails, or a row that is missing without a word, where C++ is not."""
    monkeypatch.setenv("CXX", "no-such-compiler")
    found, missing = rings_peers.load_peers()
    assert not found
    assert set(missing) == {"boost", "moodycamel"}
    assert all("no C++ compiler (no-such-compiler)" in why for why in missing.values())
    peers = rings.measure_c(QUICK, found, "singly", NOWHERE, 1)["contestants"]
    assert list(peers) == list(rings.CARRIERS)


def test_a_peer_without_headers_is_missing_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a compiler's error taken for the suite's, where a package is not installed."""
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'x.hpp: No such file or directory' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setattr(rings_peers, "LIBRARIES", tmp_path)
    _, missing = rings_peers.load_peers()
    assert missing["boost"] == "no headers (libboost-dev)"


def test_the_peers_that_are_here_give_the_records_of_the_ring() -> None:
    """Guards: a peer that is measured on other records, or carries fewer."""
    peers, missing = rings_peers.load_peers()
    assert peers.keys() | missing.keys() == set(rings_peers.PEERS)
    case = rings.measure_c(QUICK, peers, "singly", NOWHERE, 1)
    assert set(case["contestants"]) == {*rings.CARRIERS, *peers}
    trips = rings.measure_c_trips(QUICK, peers, NOWHERE, 1)
    assert set(trips["contestants"]) == {*rings.CARRIERS, *peers}
    for peer in peers.values():
        with pytest.raises(BenchError):
            peer.transfer(Plan(way="in_place", items=10))


def test_a_receipt_holds_every_effect() -> None:
    """Guards: a page of the book that asks for a number nobody writes."""
    sharing = rings_effects.measure_sharing(QUICK, NOWHERE, 1)
    assert set(sharing["counters"]) == {
        f"{way}_{place}" for way in ("store", "fetch_add") for place in ("alone", "apart", "shared")
    }
    orders = rings_effects.measure_orders(QUICK, NOWHERE, 1)
    for outcomes in (o for orders in orders["litmus"].values() for o in orders.values()):
        assert sum(outcome["seen"] for outcome in outcomes.values()) == orders["tries"]
    waits = rings_effects.measure_waits(QUICK, NOWHERE, 1)
    for place in ("apart", "one_core"):
        assert list(waits[place]) == ["spin", "yield", "park"]
        for facts in waits[place].values():
            assert {"ns", "p50", "p99", "busy_cpu", "idle_cpu"} <= facts.keys()
    json.dumps([sharing, orders, waits], allow_nan=False)


def test_a_channel_that_stays_empty_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a benchmark that waits for ever for a part that was lost."""
    monkeypatch.setattr("matchbook.bench.rings_channels.PATIENCE_S", 0.01)
    channel = RingChannel(64)
    with pytest.raises(MatchbookError, match="nothing in the ring"):
        channel.get()
    channel.close()
