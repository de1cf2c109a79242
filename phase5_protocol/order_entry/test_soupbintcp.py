"""SoupBinTCP: the published bytes, both ends against each other, and everything malformed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase5_protocol.order_entry.soup_packets import LARGEST_PACKET, read_accepted
from phase5_protocol.order_entry.soupbintcp import (
    ClientSession,
    Ending,
    Login,
    MessageStore,
    PacketCutter,
    PacketType,
    Refusal,
    ServerSession,
    State,
    packet,
)

LOGIN = Login("user", "password")
#: What a client of a real venue sent: blank session, number 0.
LOGIN_BYTES = bytes.fromhex("002f4c" + "757365722020" + "70617373776f72642020") + b" " * 29 + b"0"


class Server:
    """A server session and what it wrote and heard; the time goes by hand."""

    def __init__(self, store: MessageStore | None = None, max_packet: int = 1024) -> None:
        self.store = MessageStore("DAY1") if store is None else store
        self.written = bytearray()
        self.heard: list[bytes] = []
        self.logins = 0
        self.session = ServerSession(
            self.authenticate,
            self.heard.append,
            self.written.extend,
            now=0.0,
            on_login=self._on_login,
            max_packet=max_packet,
        )

    def authenticate(self, login: Login) -> MessageStore | Refusal:
        return self.store if login.password == "password" else Refusal.NOT_AUTHORIZED

    def _on_login(self) -> None:
        self.logins += 1

    def take(self) -> list[tuple[PacketType, bytes]]:
        """The packets written since the last call."""
        packets = list(PacketCutter(LARGEST_PACKET).packets(bytes(self.written)))
        self.written.clear()
        return packets

    def ending(self) -> Ending | None:
        return None if self.session.ended is None else self.session.ended.ending


def logged_in(store: MessageStore | None = None, max_packet: int = 1024) -> Server:
    server = Server(store, max_packet)
    server.session.receive(packet(PacketType.LOGIN_REQUEST, LOGIN.payload()), 0.0)
    server.take()
    return server


def filled(*messages: bytes, **limits: int) -> MessageStore:
    store = MessageStore("DAY1", **limits)
    for message in messages:
        store.append(message)
    return store


def test_an_accepted_login_has_the_published_layout() -> None:
    """Guards against numbers on the left of their field, or a session on the right."""
    server = Server(filled(b"one", b"two"))
    server.session.receive(LOGIN_BYTES, 0.0)
    assert bytes(server.written) == b"\x00\x1fADAY1      " + b" " * 19 + b"3"
    assert server.logins == 1


def test_a_password_is_never_shown() -> None:
    """Guards against secrets in logs, by way of a repr or an error."""
    assert "password'" not in repr(LOGIN)
    with pytest.raises(ValueError, match="password") as caught:
        Login("user", "s3cret-but-long").payload()
    assert "s3cret" not in str(caught.value)
    server = Server()
    payload = LOGIN.payload().replace(b"password", b"s3cre\xff!!")
    server.session.receive(packet(PacketType.LOGIN_REQUEST, payload), 0.0)
    assert server.ending() is Ending.BAD_TEXT
    assert "s3cre" not in str(server.session.ended)


def test_a_login_is_answered_within_its_time_or_the_line_is_closed() -> None:
    """Guards against strangers who hold a connection for nothing."""
    server = Server()
    server.session.receive(LOGIN_BYTES[:20], 29.0)
    server.session.tick(29.9)
    assert server.ending() is None
    server.session.tick(30.0)
    assert server.ending() is Ending.LOGIN_TIMEOUT
    assert not server.written


@pytest.mark.parametrize(
    ("login", "reason", "ending"),
    [
        (Login("user", "wrong"), b"A", Ending.NOT_AUTHORIZED),
        (Login("user", "password", "OTHER"), b"S", Ending.SESSION_UNAVAILABLE),
        (Login("user", "password", "", 5), b"S", Ending.SESSION_UNAVAILABLE),
        (Login("user", "password", "DAY1", 1), b"S", Ending.SESSION_UNAVAILABLE),
    ],
    ids=["password", "session", "number from the future", "forgotten number"],
)
def test_a_login_that_cannot_be_served_is_refused_with_its_reason(
    login: Login, reason: bytes, ending: Ending
) -> None:
    """Guards against a stream with a hole, or another session's messages, for a wrong login."""
    server = Server(filled(b"one", b"two", b"three", max_messages=2))
    server.session.receive(packet(PacketType.LOGIN_REQUEST, login.payload()), 0.0)
    assert server.take() == [(PacketType.LOGIN_REJECTED, reason)]
    assert server.ending() is ending
    assert server.logins == 0


@pytest.mark.parametrize(("number", "first"), [(0, 4), (1, 1), (2, 2), (4, 4)])
def test_messages_are_replayed_from_the_number_asked_for(number: int, first: int) -> None:
    """Guards against a replay that begins one too early or too late."""
    store = filled(b"1", b"2", b"3")
    server = Server(store)
    login = Login("user", "password", "DAY1", number)
    server.session.receive(packet(PacketType.LOGIN_REQUEST, login.payload()), 0.0)
    ((_, payload),) = server.take()
    assert read_accepted(payload) == ("DAY1", first)
    store.append(b"4")
    server.session.pump(0.0)
    assert server.take() == [(PacketType.SEQUENCED, b"%d" % n) for n in range(first, 5)]


def test_a_replay_is_no_backlog_and_comes_in_portions() -> None:
    """Guards against a client that is dropped for what it missed, or a day copied to a buffer."""
    store = filled(*[bytes(100)] * 50)
    server = Server(store)
    login = Login("user", "password", "", 1)
    server.session.receive(packet(PacketType.LOGIN_REQUEST, login.payload()), 0.0)
    server.take()
    assert server.session.backlog_bytes == 0
    server.session.pump(0.0, room_bytes=1000)
    assert len(server.take()) == 10
    assert server.session.is_behind
    store.append(bytes(30))
    assert server.session.backlog_bytes == 30
    server.session.pump(0.0)
    assert len(server.take()) == 41
    assert (server.session.backlog_bytes, server.session.is_behind) == (0, False)


def test_a_client_that_is_overtaken_by_forgetting_is_ended() -> None:
    """Guards against a gap in the numbers when the store forgets what was not sent yet."""
    store = MessageStore("DAY1", max_messages=3)
    server = logged_in(store)
    for _ in range(4):
        store.append(b"x")
    server.session.pump(0.0)
    assert server.ending() is Ending.BACKLOG
    assert not server.written


def test_heartbeats_go_out_when_nothing_else_does() -> None:
    """Guards against heartbeats on a busy line, and against none on an idle one."""
    server = logged_in()
    server.session.tick(0.9)
    assert server.take() == []
    server.session.tick(1.0)
    assert server.take() == [(PacketType.SERVER_HEARTBEAT, b"")]
    server.store.append(b"x")
    server.session.pump(1.9)
    server.take()
    server.session.tick(2.5)
    assert server.take() == []
    server.session.tick(2.9)
    assert server.take() == [(PacketType.SERVER_HEARTBEAT, b"")]


def test_silence_is_time_without_a_whole_packet() -> None:
    """Guards against a peer that keeps a dead line open with half a packet."""
    server = logged_in()
    server.session.receive(packet(PacketType.CLIENT_HEARTBEAT), 10.0)
    server.session.tick(24.9)
    assert server.ending() is None
    server.session.receive(b"\x00", 24.9)
    server.session.tick(25.0)
    assert server.ending() is Ending.SILENCE


def test_logout_and_end_of_session() -> None:
    """Guards against a session that ends before everything was said."""
    server = logged_in()
    server.session.receive(packet(PacketType.LOGOUT_REQUEST), 0.0)
    assert server.ending() is Ending.LOGOUT
    server = logged_in()
    server.store.append(b"last")
    server.session.close_session()
    server.session.pump(0.0, room_bytes=1)
    assert server.take() == [
        (PacketType.SEQUENCED, b"last"),
        (PacketType.END_OF_SESSION, b""),
    ]
    assert server.ending() is Ending.END_OF_SESSION


MALFORMED: dict[Ending, bytes] = {
    Ending.EMPTY_PACKET: b"\x00\x00",
    Ending.PACKET_TOO_LONG: b"\x04\x01",
    Ending.UNKNOWN_TYPE: b"\x00\x01?",
    Ending.WRONG_LENGTH: b"\x00\x02R!",
    Ending.WRONG_DIRECTION: b"\x00\x01H",
    Ending.SECOND_LOGIN: LOGIN_BYTES,
}


@pytest.mark.parametrize("ending", MALFORMED, ids=lambda ending: ending.name)
def test_every_malformed_packet_ends_the_connection_with_its_name(ending: Ending) -> None:
    """Guards against a malformed packet that is skipped, or raised out of the receive loop."""
    server = logged_in()
    good = packet(PacketType.UNSEQUENCED, b"before")
    server.session.receive(good + MALFORMED[ending] + packet(PacketType.UNSEQUENCED, b"after"), 0.0)
    assert server.ending() is ending
    assert server.heard == [b"before"]
    ((kind, text),) = server.take()
    assert kind is PacketType.DEBUG
    assert ending.encode() in text


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (packet(PacketType.UNSEQUENCED, b"order"), Ending.NOT_LOGGED_IN),
        (packet(PacketType.CLIENT_HEARTBEAT), Ending.NOT_LOGGED_IN),
        (b"\x00\x30", Ending.PACKET_TOO_LONG),
        (b"\x00\x05Luser", Ending.WRONG_LENGTH),
        (b"\xff\xff", Ending.PACKET_TOO_LONG),
        (LOGIN_BYTES[:-1] + b"x", Ending.BAD_NUMBER),
        (LOGIN_BYTES[:-1] + b" ", Ending.BAD_NUMBER),
        (LOGIN_BYTES[:-2] + b"1 ", Ending.BAD_NUMBER),
        (LOGIN_BYTES[:-2] + b"-1", Ending.BAD_NUMBER),
        (LOGIN_BYTES.replace(b"user", b"us\x00r"), Ending.BAD_TEXT),
        (LOGIN_BYTES.replace(b"user", b"us\xe9r"), Ending.BAD_TEXT),
    ],
)
def test_before_the_login_nothing_but_a_login_is_read(data: bytes, ending: Ending) -> None:
    """Guards against strangers whose bytes are parsed, answered, or kept in memory."""
    server = Server()
    server.session.receive(data + bytes(1000), 0.0)
    assert server.ending() is ending
    assert (bytes(server.written), server.heard, server.logins) == (b"", [], 0)


@given(st.lists(st.binary(max_size=80), max_size=6), st.booleans(), st.booleans())
def test_hostile_bytes_end_in_a_named_reason_or_none(
    chunks: list[bytes], first_logged_in: bool, framed: bool
) -> None:
    """Guards against any bytes that raise out of a session, or grow its memory."""
    server = logged_in(max_packet=64) if first_logged_in else Server(max_packet=64)
    client = Client()
    for chunk in chunks:
        data = len(chunk).to_bytes(2, "big") + chunk if framed else chunk
        for session in (server.session, client.session):
            session.receive(data, 0.0)
            assert len(session._cutter._rest) <= 2 + LARGEST_PACKET
            assert (session.ended is None) == (session.state is not State.ENDED)
    assert len(server.session._cutter._rest) <= 66


class Client:
    """A client session and what it wrote and heard."""

    def __init__(self, login: Login = LOGIN) -> None:
        self.written = bytearray()
        self.heard: list[tuple[int, bytes]] = []
        self.session = ClientSession(
            login, lambda *each: self.heard.append(each), self.written.extend, now=0.0
        )

    def answered(self, *packets: bytes) -> Ending | None:
        self.session.receive(b"".join(packets), 0.0)
        return None if self.session.ended is None else self.session.ended.ending


def accepted(session: str = "DAY1", number: int = 1) -> bytes:
    payload = session.ljust(10).encode() + str(number).rjust(20).encode()
    return packet(PacketType.LOGIN_ACCEPTED, payload)


def test_a_client_numbers_what_it_hears() -> None:
    """Guards against numbers that begin at the wrong place, or count what has none."""
    client = Client()
    heartbeat = packet(PacketType.SERVER_HEARTBEAT)
    messages = [packet(PacketType.SEQUENCED, text) for text in (b"a", b"b")]
    assert client.answered(accepted(number=7), messages[0], heartbeat, messages[1]) is None
    assert client.heard == [(7, b"a"), (8, b"b")]
    assert (client.session.session, client.session.next_number) == ("DAY1", 9)


@pytest.mark.parametrize(
    ("packets", "ending"),
    [
        ([packet(PacketType.LOGIN_REJECTED, b"A")], Ending.NOT_AUTHORIZED),
        ([packet(PacketType.LOGIN_REJECTED, b"S")], Ending.SESSION_UNAVAILABLE),
        ([packet(PacketType.LOGIN_REJECTED, b"?")], Ending.NOT_AUTHORIZED),
        ([packet(PacketType.SEQUENCED, b"x")], Ending.NOT_LOGGED_IN),
        ([accepted("DAY2", 3)], Ending.WRONG_SEQUENCE),
        ([accepted("DAY1", 4)], Ending.WRONG_SEQUENCE),
        ([accepted("DAY1", 3), accepted("DAY1", 3)], Ending.SECOND_LOGIN),
        ([accepted("DAY1", 3), packet(PacketType.LOGOUT_REQUEST)], Ending.WRONG_DIRECTION),
        ([accepted("DAY1", 3), packet(PacketType.END_OF_SESSION)], Ending.END_OF_SESSION),
        ([accepted("DAY1", 3), b"\x00\x00"], Ending.EMPTY_PACKET),
        ([packet(PacketType.DEBUG, b"welcome"), accepted("DAY1", 3)], None),
    ],
)
def test_a_client_notices_a_server_that_does_something_else(
    packets: list[bytes], ending: Ending | None
) -> None:
    """Guards against a client that takes another session's messages for its own."""
    assert Client(Login("user", "password", "DAY1", 3)).answered(*packets) is ending


def test_a_client_sends_only_while_logged_in() -> None:
    """Guards against orders sent into a connection that nobody reads."""
    client = Client()
    with pytest.raises(ValueError, match="not logged in"):
        client.session.send(b"order", 0.0)
    client.answered(accepted())
    client.written.clear()
    client.session.send(b"order", 0.0)
    client.session.logout(0.0)
    assert bytes(client.written) == b"\x00\x06Uorder\x00\x01O"
    with pytest.raises(ValueError, match="logout"):
        client.session.send(b"order", 0.0)


def test_a_client_keeps_the_line_alive_and_notices_when_it_is_not() -> None:
    """Guards against a client that is dropped for being idle, or waits for ever."""
    client = Client()
    client.answered(accepted())
    client.written.clear()
    client.session.tick(1.0)
    assert bytes(client.written) == bytes.fromhex("000152")
    client.session.tick(15.0)
    assert client.session.ended is not None
    assert client.session.ended.ending is Ending.SILENCE


def run_wire(
    store: MessageStore, login: Login, budget: int, hear: Callable[[int, bytes], None]
) -> Login:
    """One connection that is cut after ``budget`` bytes of the server; what to log in with next."""
    client = Client(login)
    client.session._on_message = hear
    server = Server(store)
    server.session.receive(bytes(client.written), 0.0)
    server.session.pump(0.0)
    client.session.receive(bytes(server.written[:budget]), 0.0)
    return Login("user", "password", client.session.session, client.session.next_number)


@given(
    st.lists(st.binary(max_size=20), max_size=30),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 200)), max_size=10),
)
def test_cut_anywhere_a_client_hears_everything_once(
    messages: list[bytes], connections: list[tuple[int, int]]
) -> None:
    """Guards against a message lost or doubled by a line that breaks at any byte."""
    store = MessageStore("DAY1")
    heard: list[tuple[int, bytes]] = []
    login = Login("user", "password", "", 1)
    waiting = iter(messages)
    for new, budget in [*connections, (len(messages), 10**9)]:
        for message in islice(waiting, new):
            store.append(message)
        login = run_wire(store, login, budget, lambda *each: heard.append(each))
    said = [(number, store[number]) for number in range(1, store.next_number)]
    assert heard == said
