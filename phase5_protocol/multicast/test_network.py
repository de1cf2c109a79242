"""The lossy network through its face: the same fate for the same seed, and every fate counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ConfigurationError
from phase5_protocol.multicast.mold import NEVER_NS
from phase5_protocol.multicast.native_network import LossyNetwork

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """The finalizer of splitmix64."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31


def fate_of(seed: int, link: int, datagram: int, purpose: int) -> int:
    """The draw that c/lossy_network.h describes, in millionths."""
    key = mix(seed + _GOLDEN * (link + 1) & _MASK)
    drawn = mix(key + _GOLDEN * (16 * datagram + purpose + 1) & _MASK)
    return (drawn >> 32) * 1_000_000 >> 32


@given(st.integers(0, _MASK), st.integers(0, 7), st.floats(0, 1), st.floats(0, 1))
def test_fates_are_those_of_the_formula(
    seed: int, link: int, loss: float, duplication: float
) -> None:
    """A history that cannot be repeated on another machine, or by another program."""
    with LossyNetwork(seed, loss=loss, duplication=duplication) as network:
        for number in range(40):
            lost = fate_of(seed, link, number, 0) < round(loss * 1e6)
            twice = fate_of(seed, link, number, 1) < round(duplication * 1e6)
            expected = 0 if lost else 2 if twice else 1
            assert network.put(b"datagram", 0, link) == expected
        network.check()


@given(
    st.integers(0, _MASK),
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 7), st.binary(max_size=64))),
)
def test_the_same_traffic_twice(seed: int, traffic: list[tuple[int, int, bytes]]) -> None:
    """A datagram that depends on an earlier run, on memory, or on the clock."""

    def run() -> list[tuple[bytes, int]]:
        found = []
        now = 0
        with LossyNetwork(
            seed,
            loss=0.1,
            duplication=0.2,
            reordering=0.2,
            corruption=0.2,
            truncation=0.2,
            checksum="none",
            jitter_ns=500,
            reorder_ns=5_000,
            capacity=16,
        ) as network:
            for wait, link, datagram in traffic:
                now += wait
                network.put(datagram, now, link)
                found += network.take_due(now)
                network.check()
            found += network.take_due(NEVER_NS)
            counters = network.counters()
            assert len(network) == 0
            assert network.due_ns == NEVER_NS
            assert counters.taken == len(found)
            assert counters.put == len(traffic)
        return found

    assert run() == run()


def test_a_partition() -> None:
    """A cut that heals too early, or never."""
    with LossyNetwork(1) as network:
        network.cut(100, 200, link=2)
        assert [network.put(b"x", now, 2) for now in (99, 100, 199, 200)] == [1, 0, 0, 1]
        assert network.put(b"x", 150, 3) == 1
        network.cut(0)
        assert network.put(b"x", 10**15, 3) == 0
        assert network.counters().cut == 3


def test_what_cannot_be() -> None:
    """A chance above one, or a link that does not exist."""
    with pytest.raises(ConfigurationError, match=r"LossyNetwork: loss 1\.1 is not 0 to 1"):
        LossyNetwork(1, loss=1.1)
    with pytest.raises(ConfigurationError, match="capacity 0 is not 1 to 1048576"):
        LossyNetwork(1, capacity=0)
    with pytest.raises(ConfigurationError, match="checksum 'md5' is not one of frame, udp, none"):
        LossyNetwork(1, checksum="md5")
    with LossyNetwork(1) as network, pytest.raises(ValueError, match="link 8"):
        network.put(b"x", 0, 8)
