"""What is shown of a channel: lines, and the book at the end."""

from __future__ import annotations

import argparse

import pytest

from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.itch.watch import Watch, main, read_endpoint
from phase5_protocol.multicast.mold import DeliveryKind
from phase5_protocol.multicast.native import MoldPacker
from phase5_protocol.multicast.native_receiver import Receiver, ReceiverConfig
from phase5_protocol.multicast.native_udp import LOOPBACK, Endpoint, UdpSocket


def add(reference: int, side: str, shares: int, price: int) -> bytes:
    return LAYOUTS["A"].encode(
        stock_locate=1, reference=reference, side=side, shares=shares, stock="MBK", price=price
    )


MESSAGES = [
    add(1, "B", 10, 1_000_000),
    add(2, "B", 5, 1_000_000),
    add(3, "S", 7, 1_000_100),
    LAYOUTS["E"].encode(stock_locate=1, reference=1, shares=4, match_number=1),
    b"?",
    LAYOUTS["D"].encode(stock_locate=1, reference=9),
]


def watched(count: int | None = None, *, first: int = 1) -> tuple[Watch, list[str]]:
    """What is said of the messages, the first of which has that number, and is given up on."""
    lines: list[str] = []
    watch = Watch(lines.append, count)
    with MoldPacker("DAY", first) as packer, Receiver(ReceiverConfig(record_bytes=0)) as receiver:
        for packet in packer.pack_messages(MESSAGES).split():
            receiver.put(packet, 0, 0)
        for now_ns in range(0, 60 * 10**9, 10**8):
            receiver.poll(now_ns)
            while (delivery := receiver.take()).kind is not DeliveryKind.NOTHING:
                watch.take(delivery)
    return watch, lines


def test_each_message_is_a_line_and_the_end_is_the_book() -> None:
    """Guards against prices ten thousand times too high, a side taken for the other, and a message
    that cannot be read and ends the watching."""
    watch, lines = watched()
    assert len(lines) == len(MESSAGES)
    assert lines[0].endswith("side B, shares 10, stock MBK, price 100.0000")
    assert lines[4].startswith("not ITCH: ")
    count, traded, ask, bid, *troubles = watch.summary()
    assert (count, traded) == ("6 messages", "MBK: 4 shares traded")
    assert ask.split() == ["ask", "100.0100", "7", "in", "1"]
    assert bid.split() == ["bid", "100.0000", "11", "in", "2"]
    assert [line.startswith("not applied: ") for line in troubles] == [True, True]


def test_it_ends_after_the_count_within_a_packet() -> None:
    """Guards against a count of packets, and a book that is further than the lines."""
    watch, lines = watched(3)
    assert (len(lines), watch.is_enough, len(watch.book)) == (3, True, 3)


def test_what_is_lost_is_said() -> None:
    """Guards against a book with a hole that looks like one without."""
    _, lines = watched(first=6)
    assert lines[0] == "5 messages from number 1 on are lost"


@pytest.mark.parametrize("text", ["", "239.255.5.1", "239.255.5.1:0", "239.255.5.1:x", "host:5"])
def test_an_address_that_is_none(text: str) -> None:
    """Guards against a traceback for a slip of the finger."""
    assert read_endpoint("239.255.5.1:5204") == Endpoint("239.255.5.1", 5204)
    with pytest.raises(argparse.ArgumentTypeError, match="such as 239"):
        read_endpoint(text)


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against a traceback where an address belongs to another process."""
    with UdpSocket(interface=LOOPBACK) as taken:
        assert main([str(taken.endpoint)]) == 1
    assert "cannot watch: " in capsys.readouterr().err
