"""The face of the sockets: what goes in comes out, and what cannot be is said with its address."""

import errno
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ConfigurationError, MatchbookError
from phase5_protocol.multicast.mold import DATAGRAM_DTYPE
from phase5_protocol.multicast.native import Packed
from phase5_protocol.multicast.native_udp import (
    LOOPBACK,
    Endpoint,
    SocketError,
    UdpSocket,
    multicast_problem,
    wait_any,
)


def pack(datagrams: list[bytes]) -> Packed:
    """Datagrams in an arena, the last one first, to see that offsets are used."""
    arena = np.frombuffer(b"".join(reversed(datagrams)) + b"\0", np.uint8)
    places = np.zeros(len(datagrams), DATAGRAM_DTYPE)
    places["length"] = [len(each) for each in datagrams]
    places["offset"] = len(arena) - 1 - np.cumsum(places["length"])
    return Packed(arena, places)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=100))
def test_what_is_sent_arrives(datagrams: list[bytes]) -> None:
    """Guards: a batch cut short, mixed up or said to come from elsewhere."""
    with UdpSocket() as sender, UdpSocket(batch=7, datagram_bytes=300) as receiver:
        assert sender.send_packed(receiver.endpoint, pack(datagrams)) == (len(datagrams), 0)
        received: list[bytes] = []
        while len(received) < len(datagrams):
            assert receiver.wait(10)
            for datagram in receiver.receive():
                assert datagram.sender == sender.endpoint
                assert not datagram.truncated
                received.append(datagram.data)
        assert received == datagrams
        assert receiver.receive() == []


def test_a_long_datagram_is_marked() -> None:
    """Guards: the first bytes of a datagram taken for all of it."""
    with UdpSocket() as sender, UdpSocket(datagram_bytes=4) as receiver:
        sender.send(receiver.endpoint, b"12345")
        assert receiver.wait(10)
        (datagram,) = receiver.receive()
        assert datagram.data == b"1234"
        assert datagram.truncated


def test_a_port_that_is_taken() -> None:
    """Guards: two owners of a port, of whom one starves; an error that names nothing."""
    with UdpSocket() as owner:
        with pytest.raises(SocketError, match="another process has this port") as caught:
            UdpSocket(port=owner.endpoint.port)
        assert caught.value.code == errno.EADDRINUSE
        assert str(owner.endpoint) in str(caught.value)
        assert isinstance(caught.value, MatchbookError)


def test_closing_gives_the_port_back() -> None:
    """Guards: a port that stays taken because somebody still holds a row that was received."""
    receiver = UdpSocket()
    with UdpSocket() as sender:
        sender.send(receiver.endpoint, b"kept")
    assert receiver.wait(10)
    held = receiver.receive_packed()
    receiver.close()
    receiver.close()
    UdpSocket(port=receiver.endpoint.port).close()
    assert held.arena[:4].tobytes() == b"kept"
    with pytest.raises(MatchbookError, match="is closed"):
        receiver.receive()


@pytest.mark.parametrize("interface", ["no-such-if0", "192.0.2.99"])
def test_no_such_interface(interface: str) -> None:
    """Guards: a feed that silently goes out at another interface."""
    with pytest.raises(SocketError, match=rf"{interface}.*no such interface"):
        UdpSocket(interface=interface)
    problem = multicast_problem(interface=interface)
    assert problem is not None
    assert "no such interface" in problem


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"group": "10.0.0.1"}, "not a group"),
        ({"group": "239.1"}, "not an IPv4 address"),
        ({"port": 65536}, "port 65536"),
        ({"ttl": 256}, "ttl 256"),
        ({"batch": 0}, "batch 0"),
        ({"batch": 257}, "batch 257"),
        ({"datagram_bytes": 65508}, "datagram_bytes 65508"),
        ({"receive_bytes": -1}, "receive_bytes -1"),
    ],
)
def test_options_out_of_range(options: dict[str, object], complaint: str) -> None:
    """Guards: a number cut to the width of a C field."""
    with pytest.raises(ConfigurationError, match=complaint):
        UdpSocket(**options)  # type: ignore[arg-type]


def test_a_datagram_beyond_its_arena() -> None:
    """Guards: a wrong offset that makes the kernel send whatever lies behind."""
    with UdpSocket() as sender:
        wrong = np.array([(3, 2, 0)], DATAGRAM_DTYPE)
        with pytest.raises(ValueError, match="ends at 5, the arena at 4"):
            sender.send_packed(Endpoint(LOOPBACK, 9), Packed(np.zeros(4, np.uint8), wrong))


def test_waiting_names_those_that_are_ready() -> None:
    """Guards: a socket that is read although another one has something."""
    with UdpSocket() as sender, UdpSocket() as first, UdpSocket() as second:
        assert wait_any([first, second], 0) == []
        sender.send(second.endpoint, b"x")
        assert wait_any([first, second], 10) == [second]
        sender.send(first.endpoint, b"x")
        assert first.wait(10)
        assert wait_any([first, second], 10) == [first, second]


def test_a_group_reaches_all_its_members(new_group: Callable[[], Endpoint]) -> None:
    """Guards: a group heard by only one, or by who has joined another at the same port."""
    group, other = new_group(), new_group()
    with (
        UdpSocket(group=group.address) as first,
        UdpSocket(group=group.address, port=first.endpoint.port) as second,
        UdpSocket(group=other.address, port=first.endpoint.port) as neighbour,
        UdpSocket() as sender,
    ):
        assert first.endpoint == second.endpoint
        assert sender.send(first.endpoint, b"all").taken
        for member in (first, second):
            assert member.wait(10)
            assert [each.data for each in member.receive()] == [b"all"]
        assert neighbour.receive() == []
