"""SoupBinTCP packets and the store behind sequenced ones."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ConfigurationError
from phase5_protocol.order_entry.soupbintcp import (
    Login,
    MessageStore,
    PacketCutter,
    PacketType,
    packet,
)
from phase5_protocol.order_entry.test_soupbintcp import LOGIN, LOGIN_BYTES


def test_a_login_is_the_bytes_that_a_real_client_sends() -> None:
    """Guards against a layout that only our own two ends agree on."""
    assert packet(PacketType.LOGIN_REQUEST, LOGIN.payload()) == LOGIN_BYTES
    ((kind, payload),) = PacketCutter(47).packets(LOGIN_BYTES)
    assert kind is PacketType.LOGIN_REQUEST
    assert Login.read(payload) == LOGIN


def test_heartbeats_are_the_bytes_that_real_ends_send() -> None:
    """Guards against a length that counts itself, or a heartbeat with a payload."""
    assert packet(PacketType.CLIENT_HEARTBEAT) == bytes.fromhex("000152")
    assert packet(PacketType.SERVER_HEARTBEAT) == bytes.fromhex("000148")


TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=6)


@given(TEXT, TEXT, TEXT, st.integers(0, 10**20 - 1))
def test_logins_survive_the_wire(user: str, password: str, session: str, number: int) -> None:
    """Guards against any login that is read back as another."""
    login = Login(user, password, session, number)
    assert Login.read(login.payload()) == login


@given(
    st.lists(st.tuples(st.sampled_from(["S", "U", "+"]), st.binary(max_size=40)), max_size=8),
    st.lists(st.integers(0, 300), max_size=12),
)
def test_packets_are_the_same_however_the_stream_is_cut(
    sent: list[tuple[str, bytes]], cuts: list[int]
) -> None:
    """Guards against a reader that needs a packet to arrive in one piece."""
    stream = b"".join(packet(PacketType(kind), payload) for kind, payload in sent)
    cutter = PacketCutter(64)
    edges = [0, *sorted(cuts), len(stream)]
    got = [each for begin, end in pairwise(edges) for each in cutter.packets(stream[begin:end])]
    assert got == sent


def test_a_store_forgets_by_count_and_by_bytes() -> None:
    """Guards against a store without bounds, and against forgetting the newest."""
    store = MessageStore("DAY1", max_messages=100, max_bytes=10)
    for number in range(1, 500):
        assert store.append(bytes((number % 256,)) * 4) == number
        assert store.kept <= 2
        assert len(store._messages) <= 6
        assert store[number] == bytes((number % 256,)) * 4
    assert (store.first_number, store.next_number) == (498, 500)
    for wrong in (0, 497, 500):
        with pytest.raises(IndexError, match=f"message {wrong} is not in 498 to 499"):
            store[wrong]


@pytest.mark.parametrize("name", ["", "ELEVENCHARS", "with blank", "é"])
def test_a_session_has_a_name_that_fits_a_login(name: str) -> None:
    """Guards against a session that no client could ask for."""
    with pytest.raises(ConfigurationError, match="letters and digits"):
        MessageStore(name)
    with pytest.raises(ConfigurationError, match="keeps nothing"):
        MessageStore("DAY1", max_messages=0)
