"""Report text and digests: phase 1 says what the benchmark says."""

import gzip

import numpy as np
import pytest

from contract import (
    Command,
    Event,
    EventKind,
    Reason,
    Side,
    cancel,
    mass_cancel,
    new,
    replace,
    shared_data,
)
from contract.batching import apply_all
from contract.records import RecordArray, empty_events, to_command_array, to_event_array
from contract.reports import (
    PUBLISHED_DIGESTS,
    SMALL_DIGESTS,
    SMALL_ORDERS,
    ReportCounts,
    ReportDigest,
    ReportError,
    ReportWriter,
    report_digest,
    report_text,
    run_digest,
)
from contract.workload import SCENARIOS, generate
from phase1_domain import Engine

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def run(commands: list[Command]) -> tuple[RecordArray, RecordArray]:
    """Commands and what phase 1 makes of them."""
    engine = Engine()
    events = [event for command in commands for event in engine.apply(command)]
    return to_command_array(commands), to_event_array(events)


@pytest.mark.parametrize(("scenario", "seed"), SMALL_DIGESTS)
def test_phase_1_gives_the_published_digest(scenario: str, seed: int) -> None:
    """Guards generator, phase 1 and report text at once: all three must be right for this."""
    commands = generate(scenario, SMALL_ORDERS, seed)
    assert run_digest(Engine(), commands).hexdigest() == SMALL_DIGESTS[scenario, seed]


@pytest.mark.shared_data
@pytest.mark.parametrize("scenario", ["normal", "static", "swing-40"])
def test_text_is_the_benchmarks_own(scenario: str) -> None:
    """Guards the text itself, so that a wrong digest can be traced to its first wrong line."""
    name = f"conformance_flash1/small_{scenario}_seed7_n5000.reports.txt.gz"
    path = shared_data.find(name)
    if path is None:
        pytest.skip(f"{name} is not here; see MATCHBOOK_DATA")
    commands = generate(scenario, SMALL_ORDERS, seed=7)
    lines = report_text(commands, apply_all(Engine(), commands)).split(b"\n")
    expected = gzip.decompress(path.read_bytes()).split(b"\n")
    assert len(lines) == len(expected)
    assert next((pair for pair in zip(lines, expected, strict=True) if len(set(pair)) > 1), 0) == 0


def test_published_digests_cover_every_scenario() -> None:
    """Guards against a scenario that nobody checks."""
    assert list(PUBLISHED_DIGESTS) == list(SCENARIOS)


def test_each_line() -> None:
    """Guards each type of line, and the order of a modification and the trades it causes."""
    commands, events = run(
        [
            cancel(9),
            new(1, Side.ASK, 50, 4),
            new(2, Side.BID, 51, 9, time_in_force=1),
            new(3, Side.ASK, 50, 1),
            new(4, Side.BID, 48, 2),
            replace(4, 50, 3),
            replace(7, 50, 3),
            cancel(4),
        ]
    )
    assert report_text(commands, events).decode().split("\n") == [
        "4,0,9",
        "0,1,1,1,50,4",
        "0,2,0,2,51,9",
        "1,2,50,4,1,2",
        "2,2,0,2,51",
        "0,3,1,3,50,1",
        "0,4,0,4,48,2",
        "1,5,50,1,3,4",
        "3,5,0,4,50,3",
        "5,6,7",
        "2,7,0,4,50",
    ]


def test_digest_is_of_the_text() -> None:
    """Guards the digest of nothing, and that both ways to it agree."""
    assert report_text(*run([])) == b""
    assert report_digest(*run([])) == EMPTY_SHA256
    commands = generate("static", 200, seed=1)
    digest = run_digest(Engine(), commands)
    assert digest.hexdigest() == report_digest(commands, apply_all(Engine(), commands))
    assert digest.commands == len(commands)


@pytest.mark.parametrize("event_capacity", [1, 2, 17, 1_000])
def test_digest_does_not_depend_on_the_batches(event_capacity: int) -> None:
    """Guards the seams between batches of events, and the sequence number across them."""
    commands = generate("swing-40", 1_000, seed=2)
    whole = run_digest(Engine(), commands)
    pieces = run_digest(Engine(), commands, event_capacity)
    assert pieces.hexdigest() == whole.hexdigest()
    assert pieces.counts == whole.counts


def test_digest_of_commands_in_chunks() -> None:
    """Guards the use that replays a file: neither all commands nor all events are ever there."""
    commands = generate("normal", 1_000, seed=2)
    engine, digest = Engine(), ReportDigest()
    for chunk in np.array_split(commands, 37):
        assert digest.update(chunk, apply_all(engine, chunk)) == len(chunk)
    assert digest.hexdigest() == run_digest(Engine(), commands).hexdigest()


def test_counts() -> None:
    """Guards the names of the counters; the numbers are those of the benchmark's report file."""
    digest = run_digest(Engine(), generate("static", SMALL_ORDERS, seed=7))
    assert digest.counts == ReportCounts(
        accepted=5_000,
        trades=4,
        cancelled=4_779,
        modified=890,
        cancels_rejected=61,
        modifies_rejected=21,
    )


def test_sweep_longer_than_the_text_buffer() -> None:
    """Guards the one command whose lines do not fit into the buffer: it grows."""
    makers = 30_000
    events = empty_events(makers + 1)
    events["kind"] = EventKind.TRADE
    events["order_id"] = 1
    events["contra_order_id"] = 2 + np.arange(makers + 1)
    events["kind"][0] = EventKind.ACCEPTED
    pieces: list[bytes] = []
    writer = ReportWriter(lambda piece: pieces.append(bytes(piece)))
    commands = to_command_array([new(5, 0, 1, 1), new(1, 0, 1, 1)])
    first = to_event_array([Event(EventKind.ACCEPTED, order_id=5)])
    assert writer.update(commands, np.concatenate([first, events])) == 2
    lines = b"".join(pieces).split(b"\n")
    assert len(lines) == makers + 2
    assert lines[-1] == b"1,1,0,0,%d,1" % (2 + makers)
    assert writer.counts.trades == makers


@pytest.mark.parametrize(
    ("commands", "events", "named"),
    [
        (
            [cancel(1)],
            [Event(EventKind.REJECTED, order_id=1), Event(EventKind.REJECTED, order_id=2)],
            "command 1: 1 events are left",
        ),
        ([cancel(1)], [Event(EventKind.REJECTED, order_id=2)], "CANCEL of order 1.* order 2"),
        ([cancel(1)], [Event(EventKind.ACCEPTED, order_id=1)], "cannot be ACCEPTED"),
        ([new(1, 0, 1, 1)], [Event(9, order_id=1)], r"cannot be EventKind\(9\)"),
        (
            [new(1, 0, 1, 1)],
            [Event(EventKind.REJECTED, order_id=1, reason=Reason.BOOK_FULL)],
            "no line for REJECTED of order 1, reason 22",
        ),
        (
            [mass_cancel()],
            [Event(EventKind.CANCELLED, order_id=1, reason=Reason.MASS_CANCEL)],
            "MASS_CANCEL of order 0: the report format has no line",
        ),
        ([cancel(1), cancel(2)], [Event(EventKind.REJECTED, order_id=1)], "command 1: it and 0"),
    ],
)
def test_what_cannot_be_reported(commands: list[Command], events: list[Event], named: str) -> None:
    """Guards against a text that is silently wrong; the digest alone would not say why."""
    with pytest.raises(ReportError, match=named):
        report_text(to_command_array(commands), to_event_array(events))
