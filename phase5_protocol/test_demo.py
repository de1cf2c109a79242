"""The tour runs, fits into a terminal, and believes its own proofs; and the pictures are right."""

import numpy as np
import pytest

from contract.messages import Event, EventKind
from contract.tour import WIDTH
from phase5_protocol import __main__ as tour
from phase5_protocol.multicast.native import MoldPacker, packetise
from phase5_protocol.picture import draw_datagram, draw_event, draw_itch


def run(capsys: pytest.CaptureFixture[str]) -> str:
    """What the tour says on a short day."""
    tour.main(orders=4_000)
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > WIDTH] == []
    assert all(f"{part}. " in out for part in range(1, 6))
    assert "Equal: nothing missing" in out
    assert "equal to the engine's book" in out
    assert "equal to what was published" in " ".join(out.split())
    assert "NOT EQUAL" not in out
    assert "|35=D|" in out
    assert "o1 trade 4 @ 100.00, open 6" in out
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
