"""A late subscriber, over real sockets: what is too old for memory comes out of the event log."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from contract.errors import ConfigurationError
from contract.records import RecordArray
from phase4_ring import Pipeline
from phase5_protocol.multicast.channel import Channel
from phase5_protocol.multicast.mold import DeliveryKind, Outcome, Request
from phase5_protocol.multicast.native import MessageStore, parse_packet
from phase5_protocol.multicast.native_limiter import RequestLimiter
from phase5_protocol.multicast.native_receiver import ReceiverConfig
from phase5_protocol.multicast.native_udp import LOOPBACK, Endpoint, UdpSocket
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.retransmission import RequestServer
from phase5_protocol.multicast.subscriber import Subscriber
from phase6_wal.conftest import (
    COMMAND_LOG,
    SMALL_EVENT_LOG,
    Run,
    make_run,
    send,
)
from phase6_wal.journal import LogJournal, OutputJournal
from phase6_wal.native import LogWriter, PosixStorage
from phase6_wal.native_journal import LogLookup
from phase6_wal.native_sim import SimStorage
from phase6_wal.reader import LogReader
from phase6_wal.recovery import recover_log
from phase6_wal.redo import redo_events

#: Messages that the store remembers by itself: a fraction of a run.
REMEMBERED = 200


@pytest.fixture(scope="module")
def run() -> Run:
    """Some thousands of commands."""
    return make_run(1_000)


def events_log(events: RecordArray, storage: SimStorage) -> LogWriter:
    """A log of events that has these."""
    log = LogWriter(storage, SMALL_EVENT_LOG)
    log.append(events)
    log.flush()
    return log


# --- one record ----------------------------------------------------------------------------------


def test_records_while_they_are_written(run: Run) -> None:
    """Guards: another event than the one asked for, or one that is found only after a restart."""
    disk = SimStorage(1)
    options = replace(SMALL_EVENT_LOG, durability="page-cache", prepare_thread=True)
    with LogWriter(disk, options) as log:
        lookup = LogLookup(disk)
        assert lookup.read(1) is None
        for i in range(0, len(run.events), 7):
            log.append(run.events[i : i + 7])
            last = min(i + 7, len(run.events))
            assert lookup.read(last) == run.events[last - 1 : last].tobytes()
            assert lookup.read(last + 1) is None
        for i in range(len(run.events)):
            assert lookup.read(i + 1) == run.events[i : i + 1].tobytes()
        assert log.counters.segments > 2
    assert lookup.counters().failed == 0


def test_a_disk_that_cannot_be_read(run: Run) -> None:
    """Guards: an error taken for "the log has not got it", by who could have asked again."""
    disk = SimStorage(1)
    with events_log(run.events, disk):
        lookup = LogLookup(disk)
        disk.fail("read", 1)
        with pytest.raises(OSError, match="Input/output error"):
            lookup.read(1)
        assert lookup.read(1) == run.events[:1].tobytes()


def test_the_storage_stays_while_somebody_looks(run: Run) -> None:
    """Guards: a lookup, or a store, that asks freed memory; whatever the collector does first."""
    disk = SimStorage(1)
    events_log(run.events[:100], disk).close()
    lookup = LogLookup(disk)
    with pytest.raises(ValueError, match="works with this storage"):
        disk.close()
    store = MessageStore("DAY", first=101, log=lookup)
    store.append(b"next")
    del lookup, disk
    gc.collect()
    assert store.answer(Request("DAY", 100, 2))[0] is Outcome.ANSWERED
    assert store.counters().from_log == 1
    for kept in (store, store._log):  # in a cycle, the collector frees in any order
        cycle: list[object] = [kept]
        cycle.append(cycle)
    del store, kept, cycle
    gc.collect()


def test_a_store_asks_the_log_and_then_itself(run: Run) -> None:
    """Guards: a seam between log and memory: a message twice, or none, in an answer across it."""
    disk = SimStorage(1)
    with events_log(run.events[:100], disk):
        store = MessageStore("DAY", capacity_messages=10, log=LogLookup(disk))
        store.append_records(run.events[:100])
        assert store.first == 91
        for wanted in range(1, 101):
            outcome, answer = store.answer(Request("DAY", wanted, 15))
            assert outcome is Outcome.ANSWERED
            packet = parse_packet(answer)
            end = min(wanted + 15, 101)
            assert packet.sequence == wanted
            assert b"".join(packet.messages) == run.events[wanted - 1 : end - 1].tobytes()


def test_no_lookup_without_a_content() -> None:
    """Guards: a log of anything looked through as if it were one of events."""
    with pytest.raises(ConfigurationError, match="content 'orders' is not one of"):
        LogLookup(SimStorage(1), "orders")


# --- end to end ----------------------------------------------------------------------------------


class Venue:
    """An engine between its logs, publishing on a channel; gone on with where its logs end.

    Args:
        directory: the logs'.
        from_log: whether the store may ask the event log.
    """

    def __init__(self, run: Run, directory: Path, *, from_log: bool = True) -> None:
        self.inputs = PosixStorage(directory / "commands")
        self.outputs = PosixStorage(directory / "events")
        engine = run.engine()
        kept = recover_log(self.inputs), recover_log(self.outputs)
        self.events_log = LogWriter(self.outputs, SMALL_EVENT_LOG, kept[1].position)
        if kept[0].sequence:
            redo_events(engine, LogReader(self.inputs, "commands"), self.events_log)
        self.log = LogWriter(self.inputs, COMMAND_LOG, kept[0].position)
        self.begin = self.log.sequence
        store = MessageStore(
            "DAY",
            first=self.events_log.sequence + 1,
            capacity_messages=REMEMBERED,
            log=LogLookup(self.outputs) if from_log else None,
        )
        self.nobody = UdpSocket()  # so far
        publisher = Publisher("DAY", [self.nobody.endpoint], store=store, heartbeat_s=0.01)
        limiter = RequestLimiter(per_second=10**6, burst=10_000)
        self.channel = Channel(publisher, RequestServer(store, limiter=limiter))
        pipeline = Pipeline(engine, journal=LogJournal(self.log))
        self.output = OutputJournal(pipeline, self.events_log, self.channel.publish)

    def trade(self, run: Run, commands: int) -> None:
        """So many commands more, and all their events out."""
        self.output.start()
        send(self.output.pipeline, run.commands[self.begin : self.begin + commands])
        self.output.stop()

    def close(self) -> None:
        """Everything, and the session with it."""
        self.channel.end()
        self.channel.close()
        self.output.close()
        for log in (self.log, self.events_log):
            log.close()
        self.nobody.close()


@contextmanager
def late_subscriber(channel: Channel, patience_ns: int = 10**9) -> Iterator[Subscriber]:
    """Who wants everything from number 1, and was not there."""
    config = ReceiverConfig(
        session="DAY", attempts=3, request_timeout_ns=patience_ns, reorder_delay_ns=0
    )
    line = Endpoint(LOOPBACK, 0)
    with Subscriber([line], requests_to=[channel.endpoint], config=config) as subscriber:
        channel.publisher.to = tuple(subscriber.lines)
        yield subscriber


def collect(subscriber: Subscriber, events: int) -> tuple[bytes, int]:
    """Messages until there are so many, lost ones counted; and how many of them were lost."""
    data, lost, seen = bytearray(), 0, 0
    while seen < events:
        subscriber.poll(0.05)
        while (delivery := subscriber.take()).kind is not DeliveryKind.NOTHING:
            if delivery.kind is DeliveryKind.LOST:
                lost += delivery.count
            seen += delivery.count
            data += delivery.data.tobytes()
    return bytes(data), lost


@pytest.mark.parametrize("from_log", [True, False])
def test_a_late_subscriber_gets_everything(run: Run, tmp_path: Path, from_log: bool) -> None:
    """Guards: a subscriber told "too old" although the log has it. The control: without a log."""
    venue = Venue(run, tmp_path, from_log=from_log)
    venue.trade(run, len(run.commands))
    with late_subscriber(venue.channel, 10**9 if from_log else 10**6) as subscriber:
        data, lost = collect(subscriber, len(run.events))
        counters = venue.channel.publisher.store.counters()
        if from_log:
            assert (data, lost) == (run.events.tobytes(), 0)
            assert counters.from_log >= len(run.events) - REMEMBERED
        else:
            assert lost == len(run.events) - REMEMBERED
            assert counters.from_log == 0 < counters.too_old
    venue.close()


def test_over_a_restart(run: Run, tmp_path: Path) -> None:
    """Guards: a session whose first half is gone with the process that published it; numbers that
    begin again; a subscriber that lives through it and sees a seam."""
    half = len(run.commands) // 2
    first = Venue(run, tmp_path)
    first.trade(run, half)
    first.close()
    second = Venue(run, tmp_path)
    assert second.channel.publisher.next_sequence == run.events_of(half) + 1
    second.trade(run, len(run.commands))
    with late_subscriber(second.channel) as subscriber:
        assert collect(subscriber, len(run.events)) == (run.events.tobytes(), 0)
    second.close()


def test_while_it_is_written(run: Run, tmp_path: Path) -> None:
    """Guards: a lookup that meets the writer: half a record, a segment that is just begun."""
    venue = Venue(run, tmp_path)
    trading = threading.Thread(target=venue.trade, args=(run, len(run.commands)))
    lookup, out = LogLookup(venue.outputs), bytearray()
    trading.start()
    while len(out) < run.events.nbytes:
        found = lookup.read(len(out) // 64 + 1)
        out += found or b""
    trading.join()
    assert bytes(out) == run.events.tobytes()
    venue.close()
