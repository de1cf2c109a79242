"""What cannot be is refused where it is asked for, with field, value, and what would be right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract.errors import ConfigurationError, MatchbookError
from phase5_protocol.multicast.conftest import make_events
from phase5_protocol.multicast.native import MessageStore, MoldPacker, packetise
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import HELD, Receiver, ReceiverConfig
from phase5_protocol.multicast.native_udp import LOOPBACK, Endpoint, UdpSocket
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.multicast.subscriber import Subscriber

TO = [Endpoint(LOOPBACK, 9)]
NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("record_bytes", [-64, -1, 0, 65_486, 64.0])
def test_records_of_no_length(record_bytes: Any) -> None:
    """Guards: records that are numbered and never sent, and a division by zero."""
    data, said = bytes(128), f"record_bytes {record_bytes} is not "
    with Publisher("DAY", TO) as publisher:
        with pytest.raises(ConfigurationError, match=said):
            publisher.publish(data, record_bytes=record_bytes)
        assert publisher.next_sequence == publisher.store.next == 1
    with MessageStore("DAY") as store, pytest.raises(ConfigurationError, match=said):
        store.append_records(data, record_bytes)
    with MoldPacker("DAY") as packer, pytest.raises(ConfigurationError, match=said):
        packer.pack(data, record_bytes)
    with pytest.raises(ConfigurationError, match=said):
        packetise(data, "DAY", record_bytes=record_bytes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"loss": 2}, "LossyNetwork: loss 2 is not 0 to 1"),
        ({"duplication": NAN}, "LossyNetwork: duplication nan is not 0 to 1"),
        ({"reordering": -0.1}, "LossyNetwork: reordering -0.1 is not 0 to 1"),
        ({"corruption": INFINITE}, "LossyNetwork: corruption inf is not 0 to 1"),
        ({"truncation": "much"}, "LossyNetwork: truncation 'much' is not a number"),
        ({"seed": -1}, "LossyNetwork: seed -1 is not 0 to"),
        ({"seed": 1 << 64}, "LossyNetwork: seed 18446744073709551616 is not 0 to"),
        ({"delay_ns": -1}, "LossyNetwork: delay_ns -1 is not 0 to"),
        ({"jitter_ns": 1 << 63}, "LossyNetwork: jitter_ns 9223372036854775808 is not 0 to"),
        ({"reorder_ns": 0.5}, "LossyNetwork: reorder_ns 0.5 is not a whole number"),
        ({"capacity": 0}, "LossyNetwork: capacity 0 is not 1 to 1048576"),
        ({"max_datagram": 1 << 32}, "LossyNetwork: max_datagram 4294967296 is not 1 to 65507"),
    ],
)
def test_networks_that_cannot_be(options: dict[str, Any], said: str) -> None:
    """Guards: one of five chances without a name, a NaN taken for none, an OverflowError."""
    with pytest.raises(ConfigurationError, match=said):
        LossyNetwork(**({"seed": 1} | options))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start": -5}, "ReceiverConfig: start -5 is not 0 to"),
        ({"record_bytes": -64}, "ReceiverConfig: record_bytes -64 is not 0 to 65485"),
        (
            {"record_bytes": 0, "max_message_bytes": 0},
            "ReceiverConfig: max_message_bytes 0 is not 1 to 65485",
        ),
        ({"window_messages": 1 << 40}, "ReceiverConfig: window_messages 1099511627776 is not 64"),
        ({"max_gaps": -1}, "ReceiverConfig: max_gaps -1 is not 1 to 65536"),
        ({"max_requests": 0}, "ReceiverConfig: max_requests 0 is not 1 to 1024"),
        ({"request_messages": 65_536}, "ReceiverConfig: request_messages 65536 is not 1 to 65535"),
        ({"attempts": -1}, "ReceiverConfig: attempts -1 is not 0 to"),
        ({"reorder_delay_ns": 1 << 60}, "ReceiverConfig: reorder_delay_ns 1152921504606846976 is"),
        ({"request_timeout_ns": 0}, "ReceiverConfig: request_timeout_ns 0 is not 1 to"),
        ({"request_timeout_ns": 1 << 70}, "ReceiverConfig: request_timeout_ns 11805916207174113"),
        ({"session": 7}, "ReceiverConfig: session 7 is not a string"),
        ({"session": "ELEVEN CHARS"}, "ReceiverConfig: session 'ELEVEN CHARS' is not up to 10"),
    ],
)
def test_receivers_that_cannot_be(options: dict[str, Any], said: str) -> None:
    """Guards: an OverflowError of a C field that names neither the field nor its range."""
    with pytest.raises(ConfigurationError, match=said):
        Receiver(ReceiverConfig(**options))


def test_numbers_at_their_limits_are_taken() -> None:
    """Guards: a check that refuses what C takes."""
    for start in (0, 1, HELD):
        Receiver(ReceiverConfig(start=start, window_messages=64, request_timeout_ns=1)).close()
    LossyNetwork((1 << 64) - 1, loss=1, truncation=0, capacity=1, max_datagram=1).close()
    MoldPacker("TEN CHARS.", 1, 22).close()
    Publisher("D", TO, datagram_bytes=23, heartbeat_s=1, max_delay_s=1).close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "239.1.1.1:5"}, "Publisher: to '239.1.1.1:5' is not a list of Endpoint"),
        ({"to": TO[0]}, "Publisher: to Endpoint.* is not a list of Endpoint"),
        ({"to": ["239.1.1.1:5"]}, "Publisher: to: '239.1.1.1:5' is not Endpoint"),
        ({"to": [Endpoint(LOOPBACK, 0)]}, "to 127.0.0.1:0: port 0 is not 1 to 65535"),
        ({"to": [Endpoint(LOOPBACK, 65_536)]}, "port 65536 is not 1 to 65535"),
        ({"to": [Endpoint("239.1", 5)]}, "'239.1' is not an IPv4 address"),
        ({"datagram_bytes": 10}, "Publisher: datagram_bytes 10 is not 23 to 65507"),
        ({"heartbeat_s": 0}, "Publisher: heartbeat_s 0 is not"),
        ({"heartbeat_s": INFINITE}, "Publisher: heartbeat_s inf is not"),
        ({"heartbeat_s": NAN}, "Publisher: heartbeat_s nan is not"),
        ({"max_delay_s": -1}, "Publisher: max_delay_s -1 is not 0 to"),
        ({"session": b"DAY"}, "Publisher: session b'DAY' is not a string"),
        ({"session": "ELEVEN CHARS"}, "Publisher: session 'ELEVEN CHARS' is not up to 10"),
    ],
)
def test_publishers_that_cannot_be(options: dict[str, Any], said: str) -> None:
    """Guards: a channel that is made, sends nothing, and fails at its first message if ever."""
    with pytest.raises(ConfigurationError, match=said):
        Publisher(**({"session": "DAY", "to": TO} | options))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MessageStore("DAY", first=0), "MessageStore: first 0 is not 1 to"),
        (lambda: MessageStore("DAY", capacity_messages=0), "capacity_messages 0 is not 1 to"),
        (lambda: MoldPacker("DAY", 1, 10), "MoldPacker: limit_bytes 10 is not 22 to 65507"),
        (lambda: MoldPacker("DAY", -1), "MoldPacker: next_sequence -1 is not 1 to"),
        (lambda: Subscriber(TO, datagram_bytes=5), "Subscriber: datagram_bytes 5 is not 86 to"),
        (lambda: Subscriber(TO, gap_log=-1), "Subscriber: gap_log -1 is not 0 to"),
        (lambda: Subscriber("239.1.1.1:5"), "Subscriber: lines '239.1.1.1:5' is not a list"),  # type: ignore[arg-type]
        (
            lambda: Subscriber([Endpoint(LOOPBACK, 0)], requests_to=[Endpoint(LOOPBACK, 0)]),
            "Subscriber: requests_to 127.0.0.1:0: port 0 is not 1 to 65535",
        ),
    ],
)
def test_others_that_cannot_be(make: Callable[[], object], said: str) -> None:
    """Guards: a store without a first number, a subscriber that cuts all it gets."""
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_a_timeout_that_is_no_number() -> None:
    """Guards: a wait that ends at once, or never, and does not say why."""
    with Subscriber([Endpoint(LOOPBACK, 0)]) as subscriber:
        with pytest.raises(ConfigurationError, match="timeout_s nan is not a number"):
            subscriber.poll(NAN)
        assert subscriber.poll(0.0) == 0
    with UdpSocket() as socket, pytest.raises(ConfigurationError, match="timeout_s nan"):
        socket.wait(NAN)


# --- a channel of another kind ----------------------------------------------------------------

WRONG = "every message has 36 bytes, 64 expected: is this channel of another kind"


@pytest.mark.parametrize("network", [False, True])
def test_a_channel_of_another_kind(network: bool) -> None:
    """Guards: a subscriber that delivers nothing, for ever, and only counts why."""
    lossless = LossyNetwork(1) if network else None
    with Subscriber([Endpoint(LOOPBACK, 0)], network=lossless) as subscriber:
        with Publisher("DAY", subscriber.lines) as publisher:
            publisher.publish_messages([bytes(36)] * 16)
        with pytest.raises(MatchbookError, match=WRONG):
            subscriber.run(lambda _: None)
        subscriber.poll()  # said once


def test_a_wrong_message_is_no_wrong_channel() -> None:
    """Guards: a stranger's few messages, or those of another session, that stop a right one."""
    config = ReceiverConfig(session="DAY")
    got = []
    with Subscriber([Endpoint(LOOPBACK, 0)], config=config) as subscriber:
        with Publisher("OTHER", subscriber.lines) as other:
            other.publish_messages([bytes(36)] * 100)
        with Publisher("DAY", subscriber.lines) as stranger:
            stranger.publish_messages([bytes(36)] * 15)
            stranger.ended = True  # so that it ends without a word
        with Publisher("DAY", subscriber.lines) as publisher:
            publisher.publish(make_events(10))
        assert subscriber.run(lambda delivery: got.extend(delivery.messages()))
    assert len(got) == 10


def test_any_length_is_right_if_lengths_vary() -> None:
    """Guards: a complaint about lengths where none was named."""
    config = ReceiverConfig(session="DAY", record_bytes=0)
    got = []
    with Subscriber([Endpoint(LOOPBACK, 0)], config=config) as subscriber:
        with Publisher("DAY", subscriber.lines) as publisher:
            publisher.publish_messages([bytes(36)] * 100)
        assert subscriber.run(lambda delivery: got.extend(delivery.messages()))
    assert got == [bytes(36)] * 100
