"""A guided tour of the rings and the pipeline: ``python -m phase4_ring`` (some ten seconds)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Final

import numpy as np
from rich.table import Table

from contract.messages import EventKind
from contract.records import RecordArray, empty_events
from contract.tour import busy, heading, picture, show
from contract.workload import generate
from phase3_sorted import Engine as SortedEngine
from phase4_ring.journal import MemoryJournal
from phase4_ring.picture import draw_histogram, draw_lap, draw_slots
from phase4_ring.pipeline import STAGES, Pipeline, StageFailedError
from phase4_ring.ring import SpscRing
from phase4_ring.sequencer import Sequencer
from phase4_ring.traffic import hiccups

GATEWAYS: Final = 3
SLOTS: Final = 4096
_ORDERS: Final = 200_000
_TOPOLOGY: Final = """\
gateway 1 ─┐                     ┌▶ journal ───(gate)───┐
gateway 2 ─┼─▶ [ sequencer ] ────┤                      ▼
gateway 3 ─┘    commands         └▶ match ─▶ [ events ] ──▶ subscriber
  threads       stamped 1,2,3…     phase 3's book            this thread"""


def main() -> None:
    """All five parts."""
    a_ring_by_hand()
    orders_flow()
    how_fast()
    nobody_listens()
    somebody_dies()


def cores() -> list[int | None]:
    """A core for the engine and one for this thread; none where there are not two."""
    if hasattr(os, "sched_getaffinity"):
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) > 1:
            return [usable[0], usable[1]]
    return [None, None]


def a_ring_by_hand() -> None:
    """Eight slots, two cursors, and the end of 64 bits."""
    heading("1. A ring by hand")
    start = 2**64 - 3
    with SpscRing(8, start=start) as ring:
        show(
            "Eight slots of 64 bytes, one producer, one consumer. Cursors only ever grow; this "
            "ring starts three short of 2**64, where they wrap. Slot of a cursor: its last three "
            "bits."
        )
        pushed = ring.push(bytes(64 * 6))
        picture(f"{pushed} records pushed (cursors modulo 1,000)", draw(ring))
        ring.pop(4)
        picture("4 of them popped: head has wrapped, nothing else has", draw(ring))
        refused = 9 - ring.push(bytes(64 * 9))
        picture(f"9 more offered, {refused} refused: full is an answer, not a wait", draw(ring))


def draw(ring: SpscRing) -> str:
    """All slots of a small ring."""
    return draw_slots(ring.capacity, ring.tail, ring.head)


def orders_flow() -> None:
    """Three gateways, the sequencer, the engine's thread, the journal, the subscriber."""
    heading("2. Orders flow")
    picture("the topology", _TOPOLOGY)
    commands = generate("normal", _ORDERS // 2)
    with Pipeline(
        SortedEngine(capacity=_ORDERS), commands=SLOTS, events=SLOTS, journal=MemoryJournal(_ORDERS)
    ) as pipeline:
        pipeline.start()
        gateways = [
            threading.Thread(target=gateway, args=(pipeline, part))
            for part in np.array_split(commands, GATEWAYS)
        ]
        for thread in gateways:
            thread.start()
        received, views = 0, list[str]()
        due = len(commands) // 3
        while any(thread.is_alive() for thread in gateways) or not pipeline.at_rest():
            received += len(pipeline.receive(1_000, timeout_s=0.01))
            if pipeline.stages()[0].commands >= due and len(views) < 2:
                views.append(cursors(pipeline))
                due *= 2
        for view in views:
            picture("where each cursor stands, in the middle of it", view)
        pipeline.stop()
        while len(events := pipeline.receive()):
            received += len(events)
        show(stage_table(pipeline))
        show(
            f"{len(commands):,} commands of {GATEWAYS} threads became one sequence without gaps, "
            f"and {received:,} events. The counters were read while the stages ran."
        )


def gateway(pipeline: Pipeline, commands: RecordArray) -> None:
    """A gateway: push what it has; what is refused, push again."""
    producer = pipeline.producer()
    for part in np.array_split(commands, 100):
        sent = 0
        while sent < len(part):
            sent += producer.push(part[sent:])
    producer.leave()


def cursors(pipeline: Pipeline) -> str:
    """Both rings, drawn from their gates."""
    commands, events = pipeline.commands, pipeline.events
    gate = commands.gate  # first: everything else is ahead of it
    lap = dict(zip(STAGES, commands.consumers(), strict=False))
    lap["claimed"] = commands.claimed
    tail = events.tail
    out = {"subscriber": tail, "match": events.head}
    return "\n".join(
        [
            "commands",
            draw_lap(commands.capacity, gate, lap),
            "events",
            draw_lap(events.capacity, tail, out),
        ]
    )


def stage_table(pipeline: Pipeline) -> Table:
    """Counters of the stages."""
    table = Table(
        "stage", "state", "commands", "batches", "busy", "idle", "no room", box=None,
        header_style="dim",
    )  # fmt: skip
    for column in table.columns[2:]:
        column.justify = "right"
    for stage in pipeline.stages():
        table.add_row(
            stage.name,
            stage.state,
            f"{stage.commands:,}",
            f"{stage.batches:,}",
            *(f"{ns / 1e6:,.1f} ms" for ns in (stage.busy_ns, stage.idle_ns, stage.blocked_ns)),
        )
    return table


def how_fast() -> None:
    """Throughput as fast as it goes, latency at a rate, and what the machine did meanwhile."""
    heading("3. How fast, and how late")
    engine_core, own_core = cores()
    commands = generate("normal", _ORDERS)
    table = Table("", "commands/s", "P50", "P99", "P99.9", "longest", box=None, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    wait = "park" if engine_core is None else "spin"
    latency = None
    with busy("measuring"):
        for rate in (0, 100_000, 1_000_000):
            part = commands if rate != 100_000 else commands[: rate // 2]
            events = empty_events(2 * len(part))
            events["kind"] = EventKind.ACCEPTED
            with Pipeline(
                SortedEngine(), commands=SLOTS, events=2 * SLOTS, wait=wait, match_core=engine_core
            ) as pipeline:
                producer = pipeline.producer()
                pipeline.start()
                ran = pipeline.run(
                    producer, part, events, per_second=rate, core=own_core, latency=rate > 0
                )
                pipeline.stop()
            name = f"{rate:,}/s due" if rate else "full speed"
            times = ["–"] * 4
            if rate:
                latency = ran.latency_ns
                points = np.percentile(latency, [50, 99, 99.9, 100], method="higher")
                times = [f"{point / 1e3:,.1f} µs" for point in points]
            table.add_row(name, f"{ran.commands / ran.elapsed_ns * 1e9:,.0f}", *times)
        gaps = hiccups(0.3, core=own_core)
    unpin()
    show(table)
    show(
        "From when a command was due (not from when it was sent) to when its event was received, "
        "through both rings and the book."
    )
    if latency is not None:
        picture("latency at the last rate", draw_histogram(latency.tolist()))
    longest = int(gaps.max(initial=0)) / 1e3
    show(
        f"The machine itself: a thread that only looked at the clock for 0.3 s was kept from it "
        f"{len(gaps):,} times for over 1 µs, {longest:,.0f} µs at the longest. What is in the tail "
        "above and not below this is ours."
    )


def unpin() -> None:
    """Let this thread go where it likes again."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def nobody_listens() -> None:
    """Back-pressure: a full event ring stops the engine, a stopped engine fills the sequencer."""
    heading("4. Nobody listens: back-pressure")
    commands = generate("normal", 1_000)
    with Pipeline(SortedEngine(capacity=1_000), commands=256, events=512) as pipeline:
        producer = pipeline.producer()
        pipeline.start()
        sent = 0
        pushed = 1
        while pushed or len(pipeline.events) < pipeline.events.capacity:
            pushed = producer.push(commands[sent : sent + 64])
            sent += pushed
        picture("both rings, full", cursors(pipeline))
        show(
            f"{sent} commands went in, then a push was refused after {producer.tries:,} looks at "
            "a full ring: bounded, and the caller decides. Nothing is lost; the subscriber comes, "
            "and everything moves on:"
        )
        received = 0
        while sent < len(commands) or not pipeline.at_rest():
            received += len(pipeline.receive(timeout_s=0.001))
            sent += producer.push(commands[sent : sent + 64]) if sent < len(commands) else 0
        received += len(pipeline.receive())
        show(f"{sent:,} commands, {received:,} events, refused {producer.refused} times.")


_DOOMED: Final = """
import sys
from phase4_ring.sequencer import Sequencer
producer = Sequencer.attach(sys.argv[1]).producer()
producer.claim(3)
print("claimed", flush=True)
sys.stdin.read()
"""


def somebody_dies() -> None:
    """A gateway process killed between claim and publication; a journal that is full."""
    heading("5. Somebody dies")
    name = f"demo-{os.getpid()}"
    ring = Sequencer.create(name, 256)
    try:
        with Pipeline(SortedEngine(capacity=100), commands=ring, events=256) as pipeline:
            pipeline.start()
            doomed = subprocess.Popen(
                [sys.executable, "-c", _DOOMED, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            assert doomed.stdout is not None
            doomed.stdout.readline()
            mine = pipeline.producer()
            mine.push(generate("normal", 10)[:5])
            doomed.kill()
            doomed.wait()
            received: list[RecordArray] = []
            end = time.monotonic() + 10
            while not pipeline.at_rest() and time.monotonic() < end:
                received.append(pipeline.receive(timeout_s=0.05))
            received.append(pipeline.receive())
            kinds = [EventKind(kind).name for part in received for kind in part["kind"].tolist()]
            claims = pipeline.dead_claims()
        for claim in claims:
            show(
                f"Gateway process {claim.pid} was killed after it had claimed commands "
                f"{claim.cursor + 1} to {claim.end} and before it published them. The engine "
                "waited at the gap, found its owner dead, filled it with void commands, and went "
                "on: "
                f"{', '.join(kinds)}."
            )
    finally:
        Sequencer.unlink(name)
    with Pipeline(SortedEngine(capacity=100), journal=MemoryJournal(4)) as pipeline:
        pipeline.start()
        pipeline.producer().push(generate("normal", 10))
        try:
            while True:
                pipeline.receive(timeout_s=1)
        except StageFailedError as error:
            show(f"And a journal with room for 4 commands, given more: StageFailedError: {error}.")


if __name__ == "__main__":
    main()
