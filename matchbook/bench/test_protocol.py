"""Suites ``codecs``, ``itch``, ``multicast``: a wrong answer is never measured, a loss is told.

That a quick run writes complete receipts, and that their tables can be made, is in test_bench.py.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from contract.records import RecordArray
from matchbook.bench import (
    codecs,
    itch,
    multicast,
    multicast_dead,
    multicast_link,
    multicast_parts,
    protocol_tables,
)
from matchbook.bench.interleave import WrongAnswerError
from matchbook.bench.multicast_child import due_times, make_records
from matchbook.bench.multicast_link import Link, PackingTrial
from matchbook.bench.multicast_parts import LOSSES, recovery_trials
from matchbook.bench.trial import Session
from phase5_protocol.flat.contenders import batches, rows_of, singles
from phase5_protocol.itch.contenders import CONTENDERS
from phase5_protocol.itch.sample import generate_day
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_udp import multicast_problem
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.subscriber import Subscriber

QUICK = Session({}, rounds=1, quick=True)
NOWHERE = (-1, -1)
MESSAGES = 2_200


# --- codecs ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def commands() -> RecordArray:
    """A few commands of the suite's."""
    return codecs.make_records()["commands"][-40:].copy()


def test_codecs_measure_both_kinds_and_all_ways() -> None:
    """Guards: a case made of one kind of message, or of messages that are all alike."""
    kinds = codecs.make_records()
    assert [len(np.unique(records["kind"])) for records in kinds.values()] == [3, 5]
    assert all(len(records) == codecs.BATCH for records in kinds.values())


def test_a_codec_that_changes_one_field_is_not_measured(commands: RecordArray) -> None:
    """Guards: numbers of a codec that is fast because it drops a field."""
    single = next(way for way in singles(commands.dtype) if way.name == "struct")
    liar = replace(single, decode=lambda wire: (0, *single.decode(wire)[1:]))
    rows = [(7, *row[1:]) for row in rows_of(commands)]
    assert codecs.SingleTrial("honest", single, rows).run().commands == len(rows)
    with pytest.raises(WrongAnswerError, match="liar"):
        codecs.SingleTrial("liar", liar, rows).run()
    batch = next(way for way in batches(commands.dtype) if way.name == "flat")
    honest = codecs.BatchTrial("honest", batch, commands, 3)
    assert honest.run().commands == 3 * len(commands)
    assert len(honest.halves) == 1
    short = replace(batch, decode=lambda wire: batch.decode(wire)[:-1])
    with pytest.raises(WrongAnswerError, match="liar"):
        codecs.BatchTrial("liar", short, commands).run()


def test_a_loop_that_reads_something_else_is_not_measured(
    commands: RecordArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a loop whose sum nobody looks at."""
    assert codecs.LoopTrial("honest", "flat", commands, 3).run().commands == 3 * len(commands)
    monkeypatch.setattr(codecs, "make_loop", lambda *_: lambda rounds: 5)
    with pytest.raises(WrongAnswerError, match="liar"):
        codecs.LoopTrial("liar", "flat", commands, 3).run()


def test_every_codec_has_its_bytes_and_its_words(commands: RecordArray) -> None:
    """Guards: a contender that the tables do not know, or a length that is another's."""
    single = codecs.measure_singles(QUICK, "commands", commands, 1)["contestants"]
    batch = codecs.measure_batches(QUICK, "commands", commands, 1)["contestants"]
    assert {*single, *batch} == set(protocol_tables.CODEC_WORDS)
    for found in (single, batch):
        fixed = {name for name, facts in found.items() if facts.get("bytes") == 64}
        assert fixed == {"struct", "cffi", "ctypes", "numpy", "flat"}
        assert found["json"]["bytes"] > found["msgpack"]["bytes"]
    loops = codecs.measure_loops(QUICK, "commands", commands, 1)["contestants"]
    assert list(loops) == list(protocol_tables.LOOP_WORDS)
    assert loops["floor"]["net_ns"] == 0
    assert loops["sbe"]["bytes"] == batch["sbe_c"]["bytes"] != 64


def test_without_msgspec_the_others_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a suite that fails where a test's dependency is not installed."""
    monkeypatch.setitem(sys.modules, "msgspec", None)
    monkeypatch.setattr(codecs, "SIZES", (1, 4))
    monkeypatch.setattr(codecs, "BATCH", 64)
    receipt = codecs.run(QUICK)
    assert "msgpack" not in receipt["cases"]["batch_events"]["contestants"]
    assert "msgpack" not in receipt["sizes"]["ns"]
    for grid in protocol_tables.codecs_shown(receipt):
        assert {len(row) for row in grid.rows} == {len(grid.head)}


# --- itch -----------------------------------------------------------------------------------------


def test_itch_names_every_contender() -> None:
    """Guards: a contender that cannot be measured because it has no name in the results."""
    assert [each.name for each in CONTENDERS] == list(itch.NAMES)
    assert set(itch.NAMES.values()) == set(protocol_tables.ITCH_WORDS)


def test_a_decoder_that_skips_a_message_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: numbers of a decoder that does not read everything."""
    data = generate_day(50, seed=1)
    honest = next(each for each in CONTENDERS if each.name == "struct per message")
    liar = replace(honest, name="C tables", prepare=lambda d: lambda: honest.prepare(d)()[:-1])
    monkeypatch.setattr(itch, "CONTENDERS", (honest, honest, liar))
    with pytest.raises(WrongAnswerError, match="c_tables reads Answer"):
        itch.measure_stream(QUICK, "aapl", data, 1)


def test_without_itchfeed_it_is_missing_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a suite that fails, or a row missing without a word, where itchfeed is not."""
    others = (replace(CONTENDERS[0], needs="no_such_module"), *CONTENDERS[1:])
    monkeypatch.setattr(itch, "CONTENDERS", others)
    receipt = itch.run(QUICK)
    assert receipt["missing"] == {"itchfeed": "no_such_module is not installed"}
    grid = protocol_tables.itch(receipt)
    assert "no_such_module is not installed" in grid.note
    assert {row[3] for row in grid.rows} == {"–"}


# --- multicast ------------------------------------------------------------------------------------


@pytest.fixture
def link() -> Iterator[Link]:
    """A process that publishes, both sides on whichever core is free."""
    with Link(NOWHERE, MESSAGES) as made:
        yield made


def test_every_message_comes_in_datagrams_of_every_size(link: Link) -> None:
    """Guards: a run that counts messages which never came, or packs other than it says."""
    for packing in (1, 22):
        trial = PackingTrial(str(packing), link, MESSAGES, packing)
        assert trial.run().commands == MESSAGES
        assert trial.datagrams == [-(-MESSAGES // packing)]


def test_latency_counts_from_when_a_message_was_due(link: Link) -> None:
    """Guards: stamps put on when there is time for it: the waiting before would not count."""
    arrival = link.carry("paced", 500, 22, 50_000)
    due = due_times(arrival.published.started_ns, 500, 50_000)
    assert arrival.records["timestamp_ns"].tolist() == due.tolist()
    assert int(due[-1] - due[0]) == 499 * 20_000
    times = arrival.latencies()
    assert len(times) == 500
    assert times.min() > 0
    assert arrival.moments[-1] - int(due[-1]) == times[-1]


def test_one_wrong_byte_on_the_way_is_seen(link: Link) -> None:
    """Guards: an answer that is assumed and not looked at."""
    link._expected["leaves"][MESSAGES // 2] ^= 1
    with pytest.raises(WrongAnswerError, match="liar: the messages that came"):
        link.carry("liar", MESSAGES, 22)


def test_what_is_lost_on_the_way_is_asked_for_and_counted(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a run that a dropped datagram spoils, or that hides how many there were."""
    with LossyNetwork(3, loss=0.02) as network:
        lossy = functools.partial(Subscriber, network=network)
        monkeypatch.setattr(multicast_link, "Subscriber", lossy)
        arrival = link.carry("lossy", MESSAGES, 4)
        assert arrival.losses["gaps"] > 0
        assert arrival.losses["requests"] >= arrival.losses["gaps"]
        assert arrival.published.answers > 0


def test_a_publisher_that_dies_is_an_error() -> None:
    """Guards: a benchmark that waits for ever for a process that is gone."""
    with Link(NOWHERE, 10) as link:
        link.carry("alive", 10, 1)
        link._answer("alive")  # it is ready for another session
        link._process.kill()
        with pytest.raises(WrongAnswerError, match="dead: the process that publishes has ended"):
            link.carry("dead", 10, 1)


def test_where_there_is_no_multicast_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a suite that cannot run in a container, or calls something multicast that is not."""
    monkeypatch.setattr(multicast_link, "multicast_problem", lambda _: "no route")
    with Link(NOWHERE, MESSAGES) as link:
        assert link.transport == "unicast"
        case = multicast.measure_packing(QUICK, link, 1)
    assert list(case["contestants"]) == [str(packing) for packing in multicast.PACKINGS]
    assert case["contestants"]["22"]["datagram_bytes"] == 1472


def test_recovery_is_the_same_history_in_every_run() -> None:
    """Guards: a cost of losing datagrams measured where none, or others, were lost."""
    trials = recovery_trials(22_000, 7)
    for trial in trials:
        trial.run()
        trial.run()
    facts = {trial.name: trial.facts() for trial in trials}
    assert list(facts) == list(LOSSES) == list(protocol_tables.LOSS_WORDS)
    lost = [each["lost_datagrams"] for each in facts.values()]
    assert lost[:2] == [0, 0]
    assert lost == sorted(lost)
    assert facts["loss_1"]["requests"] >= facts["loss_1"]["gaps"] > 0
    trials[-1].made[0] = trials[0].made[0]
    with pytest.raises(WrongAnswerError, match="another history"):
        trials[-1].facts()


def test_a_part_that_does_other_work_is_not_measured() -> None:
    """Guards: a part that is fast because it does less."""
    trials = [*multicast_parts.part_trials(True), *multicast_parts.kernel_trials(True)]
    for trial in trials:
        assert isinstance(trial, multicast_parts.PartTrial)
        trial.run()
        with pytest.raises(WrongAnswerError, match=f"{trial.name}: what comes out"):
            replace(trial, expected=trial.expected[:-1] + b"?").run()
    words = {**protocol_tables.PART_WORDS, **protocol_tables.KERNEL_WORDS}
    assert [trial.name for trial in trials] == list(words)


@pytest.fixture
def group() -> str:
    """A group to join, on a machine where one can."""
    made = multicast_link.own_group()
    if problem := multicast_problem(made):
        pytest.skip(f"no multicast here: {problem}")
    return made


def test_the_dead_subscriber_was_there_and_full(group: str) -> None:
    """Guards: a dead subscriber that costs nothing because it never joined, or still had room."""
    trials = multicast_dead.dead_trials(True, group)
    assert [trial.name for trial in trials] == list(protocol_tables.DEAD_WORDS)
    alive, both, dead = trials
    for trial in trials:
        assert trial.run().commands == len(trial.records) - trial.untimed > 0
        assert trial.datagrams == [len(trial.records) // 22]
    assert alive.facts() == both.facts() == {}
    timed = (len(dead.records) - dead.untimed) // 22
    drops = dead.facts()["kernel_drops"]
    assert drops == -1 or timed <= drops < dead.datagrams[0]


def test_a_dead_subscriber_that_was_not_sent_all_is_not_measured(
    group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a comparison with a dead subscriber elsewhere, or with one that is not full."""
    dead = multicast_dead.dead_trials(True, group)[-1]
    short = replace(dead, records=dead.records[: 32 * 22], untimed=0)
    with pytest.raises(WrongAnswerError, match="dead: of 32 datagrams the kernel holds 32"):
        short.run()
    elsewhere = dead._other_one
    monkeypatch.setattr(dead, "_other_one", lambda _: elsewhere(0))
    with pytest.raises(WrongAnswerError, match="the kernel holds 0"):
        dead.run()


def test_one_wrong_byte_beside_a_dead_subscriber_is_seen(
    group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a publisher that is fast because it does not send what it was given."""

    class Liar(Publisher):
        def publish(self, records: RecordArray, record_bytes: int = 64) -> int:
            other = records.copy()
            other["leaves"][-1] ^= 1
            return super().publish(other, record_bytes)

    monkeypatch.setattr(multicast_dead, "Publisher", Liar)
    with pytest.raises(WrongAnswerError, match="alive: the messages that came"):
        multicast_dead.dead_trials(True, group)[0].run()


def test_without_a_group_the_dead_subscriber_is_said_not_to_be_measured() -> None:
    """Guards: a suite that fails, or a row missing without a word, where there is no multicast."""
    grid = protocol_tables.multicast_dead({"transport": "unicast", "cases": {}})
    assert "unicast" in grid.note
    assert {cell for row in grid.rows for cell in row[1:]} == {"–"}


def test_messages_of_a_run_are_the_same_in_any_process_and_all_different() -> None:
    """Guards: a subscriber that takes one message for another without anybody noticing."""
    assert make_records(50).tobytes() == make_records(80)[:50].tobytes()
    records = make_records(5_000)
    for name in ("order_id", "price", "quantity", "leaves"):
        assert len(np.unique(records[name])) > 4_990
