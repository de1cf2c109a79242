"""The tour runs, fits into a terminal, and believes its own proofs; and the pictures are right."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from contract.errors import MatchbookError
from contract.messages import Event, EventKind
from contract.tour import WIDTH
from phase5_protocol import __main__ as tour
from phase5_protocol.multicast.mold import Gap, GapState
from phase5_protocol.multicast.native import MoldPacker, packetise
from phase5_protocol.multicast.subscriber import describe_gap
from phase5_protocol.picture import (
    LINE_CHARACTERS,
    draw_datagram,
    draw_event,
    draw_gap,
    draw_itch,
)
from phase5_protocol.tour_listeners import SESSION, in_thread


def run(capsys: pytest.CaptureFixture[str]) -> str:
    """What the tour says on a short day."""
    assert tour.main(["--orders", "4000"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > WIDTH] == []
    assert all(f"{part}. " in out for part in range(1, 6))
    assert "Equal: nothing missing" in out
    assert "equal to the engine's book" in out
    assert "equal to what was published" in " ".join(out.split())
    assert "NOT EQUAL" not in out
    assert "|35=D|" in out
    assert "o1 trade 4 @ 100.00, open 6" in out
    assert "A  reference 1  side B  shares 10  stock MBK  price 100.0000" in out
    assert "E  reference 1  shares 4" in out
    return out


def test_the_tour(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards: a tour that raises, is too wide, or shows streams that differ."""
    out = run(capsys)
    assert "-> FILLED" in out


def test_the_tour_without_multicast(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a machine without multicast on which nothing works, or which does not say so."""
    monkeypatch.setattr(tour, "multicast_problem", lambda _: "no route to the group")
    assert "No multicast here, so unicast" in run(capsys)


class Broken(Exception):
    """What the tests raise in the middle of something."""


def breaks(error: BaseException) -> Callable[..., object]:
    """A function that raises this."""

    def raises(*_args: object, **_kwargs: object) -> object:
        raise error

    return raises


def threads_left() -> list[str]:
    """Threads of the tour, of its channels and of its snapshots that still run."""
    names = [each.name for each in threading.enumerate()]
    return [each for each in names if each in ("tour", f"channel {SESSION}", "snapshots")]


@pytest.mark.parametrize("error", [Broken(), KeyboardInterrupt()])
def test_joining_late_is_broken_off(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Guards: an engine freed while its thread is inside it, which is a crash of the process."""
    started: list[threading.Thread] = []
    run_engine = tour.run_engine

    def noted(*args: object) -> None:
        started.append(threading.current_thread())
        run_engine(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(tour, "run_engine", noted)
    monkeypatch.setattr(tour, "join_late", breaks(error))
    with pytest.raises(type(error)):
        tour.joining_late(60_000, "unicast will do")
    assert len(started) == 1
    assert threads_left() == []


def test_an_engine_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a joiner that waits for ever for an engine that is no more."""
    monkeypatch.setattr(tour, "generate", breaks(Broken()))
    monkeypatch.setattr(tour, "join_late", breaks(MatchbookError("no snapshot")))
    with pytest.raises(MatchbookError, match="no snapshot"):
        tour.joining_late(1_000, "unicast will do")


@pytest.mark.parametrize("part", ["gaps_and_how_they_are_filled", "a_dead_subscriber"])
def test_publishing_is_broken_off(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Guards: a subscriber freed while its thread is inside it, or a thread left behind."""
    events = tour.day_of_events(1_000)
    monkeypatch.setattr(tour, "publish_all", breaks(Broken()))
    with pytest.raises(Broken):
        getattr(tour, part)(events, "unicast will do")
    assert threads_left() == []


def test_a_failed_thread_is_heard_of() -> None:
    """Guards: work that fails in its thread while the tour goes on as if it had not."""
    with pytest.raises(Broken), in_thread(breaks(Broken()), lambda: None):
        pass


def test_a_book_that_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards: a proof that holds whatever the books say."""
    monkeypatch.setattr(tour, "public", lambda _: ["another order"])
    assert not tour.joining_late(1_000, "unicast will do")
    assert "NOT EQUAL to the engine's book" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("outcome", "code", "says"),
    [
        (lambda _: True, 0, ""),
        (lambda _: False, 1, "a proof has failed"),
        (breaks(KeyboardInterrupt()), 130, ""),
        (breaks(MatchbookError("no interface lo")), 1, "had to stop: no interface lo"),
        (breaks(TimeoutError()), 1, "had to stop: TimeoutError"),
    ],
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: Callable[[int], bool],
    code: int,
    says: str,
) -> None:
    """Guards: a failed proof that a script takes for a success, or a traceback for a mishap."""
    monkeypatch.setattr(tour, "tour", outcome)
    assert tour.main([]) == code
    complaint = capsys.readouterr().err
    assert says in complaint
    assert complaint.count("\n") == bool(says)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["--orders", "0"], 2), (["--orders", "x"], 2), (["more"], 2)],
)
def test_arguments(monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int) -> None:
    """Guards: a tour that starts although it was asked for something else."""
    monkeypatch.setattr(tour, "tour", breaks(Broken()))
    with pytest.raises(SystemExit) as stopped:
        tour.main(arguments)
    assert stopped.value.code == code


def test_a_picture_of_a_gap() -> None:
    """Guards: a unit or a final state that is cut off because the numbers are long."""
    short = Gap(812, 21, 0, 0, 5_000_000, 6_000_000, 6_400_000, 1, GapState.FILLED)
    assert draw_gap(short) == describe_gap(short)
    far, late = 10**18, 3_600 * 10**9
    long = Gap(far, 1_000_000, 0, 0, 0, late, 2 * late, 30, GapState.FILLED)
    lost = Gap(far, 4_000_000, 0, 4_000_000, 0, late, late, 30, GapState.UNRECOVERABLE)
    for gap, end in ((long, " ms"), (lost, " lost")):
        lines = draw_gap(gap).splitlines()
        assert len(lines) > 1
        assert max(map(len, lines)) <= LINE_CHARACTERS
        assert lines[-1].endswith(end)
        assert " ".join(draw_gap(gap).split()) == describe_gap(gap)


def test_a_picture_of_an_event() -> None:
    """Guards: a field drawn beside its bytes."""
    record = Event(EventKind.TRADE, 258, 7, 9, 1, -2, 3, leaves=4).pack()
    lines = draw_event(record).splitlines()
    assert lines[1].split() == ["0", "02", "01", *["00"] * 6, "sequence", "258"]
    assert lines[5].split() == ["32", "fe", *["ff"] * 7, "price", "-2"]
    assert lines[9].split() == ["60", "02", "kind", "2"]
    assert len(lines) == 1 + 12


def test_a_picture_of_an_itch_message() -> None:
    """Guards: an offset that is not the layout's."""
    message = bytes.fromhex(
        "4100010000 1f1a f7b3 1c00 0000000000000102 42 00000064 4141504c20202020 005990b0"
    )
    lines = draw_itch(message).splitlines()
    assert lines[5].split()[-2:] == ["reference", "258"]
    assert lines[4].split()[-1] == f"{0x1F1AF7B31C00:,}"
    assert lines[-1].split() == ["32", "00", "59", "90", "b0", "price", "586.9744"]


def test_a_picture_of_a_datagram() -> None:
    """Guards: a block drawn at the wrong place, or a heartbeat drawn as data."""
    (datagram,) = packetise(np.arange(192, dtype=np.uint8), "DAY", first=41).split()
    lines = draw_datagram(datagram).splitlines()
    assert lines[2].split()[-3:] == ["41,", "the", "first's"]
    assert lines[4].split() == ["20", "00", "40", "length", "64"]
    assert lines[7].startswith("88  40 41 42")
    assert lines[7].endswith("number 42")
    assert lines[8] == f"152  … 1 more blocks, {len(datagram)} bytes"
    with MoldPacker("DAY") as packer:
        assert draw_datagram(packer.heartbeat()).endswith("heartbeat")
