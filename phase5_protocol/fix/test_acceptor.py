"""Acceptor and initiator over TCP, on this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.errors import ConfigurationError
from phase5_protocol.fix.acceptor import Acceptor
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.clock import ManualClock, SystemClock, format_timestamp
from phase5_protocol.fix.initiator import Initiator
from phase5_protocol.fix.message import Message, encode
from phase5_protocol.fix.pair import Recorder
from phase5_protocol.fix.session import Session
from phase5_protocol.fix.store import FileStore, StoreError

VERSION = "FIX.4.4"


def note(text: str) -> Message:
    return Message("j", [(58, text), (372, "D"), (380, "0")])


class Application(Recorder):
    """A recorder that wakes whoever waits for something."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = asyncio.Event()

    def on_logon(self, session: Session) -> None:
        super().on_logon(session)
        self.changed.set()

    def on_logout(self, session: Session) -> None:
        super().on_logout(session)
        self.changed.set()

    def on_message(self, session: Session, message: Message) -> None:
        super().on_message(session, message)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition that only what is heard of here can bring about."""
        async with asyncio.timeout(60):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


class Venue:
    """An acceptor with clients A and B."""

    def __init__(self, store_dir: Path | None = None, tick_s: float = 0.01) -> None:
        self.application = Application()
        configs = [SessionConfig(VERSION, "VENUE", client) for client in ("A", "B")]
        self.acceptor = Acceptor(configs, self.application, store_dir=store_dir, tick_s=tick_s)
        self.initiators: list[Initiator] = []

    def session(self, client: str) -> Session:
        return self.acceptor.sessions[f"{VERSION}:VENUE->{client}"]

    async def client(self, name: str, store: FileStore | None = None) -> Initiator:
        """A client that is connecting; its application is ``application_of``."""
        config = SessionConfig(VERSION, name, "VENUE", is_initiator=True)
        initiator = Initiator(
            config,
            Application(),
            "127.0.0.1",
            self.acceptor.port,
            store=store,
            tick_s=0.01,
            reconnect_s=0.001,
        )
        await initiator.start()
        self.initiators.append(initiator)
        return initiator

    async def __aenter__(self) -> Venue:
        await self.acceptor.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for initiator in self.initiators:
            await initiator.stop()
        await self.acceptor.stop()


def application_of(initiator: Initiator) -> Application:
    application = initiator.session._application
    assert isinstance(application, Application)
    return application


async def logged_on(initiator: Initiator) -> Application:
    application = application_of(initiator)
    await application.until(lambda: initiator.session.is_up)
    return application


def logon(client: str, number: int = 1) -> bytes:
    fields = [
        (34, str(number)),
        (49, client),
        (52, format_timestamp(SystemClock().wall_ns())),
        (56, "VENUE"),
        (98, "0"),
        (108, "30"),
    ]
    return encode(Message("A", fields, VERSION))


def test_many_sessions() -> None:
    """What is for one client must not reach another."""

    async def scenario() -> None:
        async with Venue() as venue:
            clients = {name: await venue.client(name) for name in ("A", "B")}
            for name, client in clients.items():
                await logged_on(client)
                venue.session(name).send(note(f"to {name}"))
                client.session.send(note(f"from {name}"))
            for name, client in clients.items():
                application = application_of(client)
                await application.until(lambda application=application: application.messages != [])  # type: ignore[misc]
                assert application.texts() == [f"to {name}"]
            await venue.application.until(lambda: len(venue.application.messages) == 2)
            assert sorted(str(text) for text in venue.application.texts()) == ["from A", "from B"]

    asyncio.run(scenario())


def test_fifty_cuts(tmp_path: Path) -> None:
    """A client that loses its connection again and again must end with every message once."""

    async def scenario() -> None:
        async with Venue(tmp_path / "venue") as venue:
            client = await venue.client("A", FileStore(tmp_path / "client"))
            ups, downs = venue.application, await logged_on(client)
            expected = 0
            for cut in range(50):
                for _ in range(5):
                    venue.session("A").send(note(f"{expected}"))
                    client.session.send(note(f"{expected}"))
                    expected += 1
                if cut % 2:
                    await ups.until(lambda least=expected - 5: len(ups.messages) > least)  # type: ignore[misc]
                logons = downs.calls.count("logon")
                client.cut()
                await downs.until(lambda logons=logons: downs.calls.count("logon") > logons)  # type: ignore[misc]
            await ups.until(lambda: len(ups.messages) >= expected)
            await downs.until(lambda: len(downs.messages) >= expected)
            texts = [str(number) for number in range(expected)]
            assert ups.texts() == texts
            assert downs.texts() == texts

    asyncio.run(scenario())


def test_a_restart_of_the_venue(tmp_path: Path) -> None:
    """A venue that comes back with numbers from 1 cannot be logged on to."""

    async def scenario() -> None:
        store = FileStore(tmp_path / "client")
        async with Venue(tmp_path / "venue") as venue:
            client = await venue.client("A", store)
            await logged_on(client)
            client.session.send(note("before"))
            await venue.application.until(lambda: venue.application.texts() == ["before"])
        async with Venue(tmp_path / "venue") as venue:
            assert venue.session("A").store.next_in > 2
            venue.session("A").send(note("while you were away"))
            client = await venue.client("A", FileStore(tmp_path / "client"))
            application = await logged_on(client)
            await application.until(lambda: application.messages != [])
            assert application.texts() == ["while you were away"]

    asyncio.run(scenario())


def test_stop_logs_out() -> None:
    """Cutting clients off without a Logout leaves them guessing whether the venue has died."""

    async def scenario() -> None:
        venue = Venue()
        await venue.acceptor.start()
        client = await venue.client("A")
        application = await logged_on(client)
        await venue.acceptor.stop("closing time")
        await application.until(lambda: application.calls == ["logon", "logout"])
        assert client.session.last_end == "they logged out: closing time"
        await client.stop()

    asyncio.run(scenario())


def test_a_slow_consumer_is_cut_off_and_misses_nothing() -> None:
    """A client that does not read must not fill our memory, nor keep others waiting."""

    async def scenario() -> None:
        async with Venue() as venue:
            stalled = socket.create_connection(("127.0.0.1", venue.acceptor.port))
            stalled.sendall(logon("A"))
            await venue.application.until(lambda: venue.session("A").is_up)
            other = await venue.client("B")
            application = await logged_on(other)
            (connection,) = (
                each for each in venue.acceptor.connections if each.session is venue.session("A")
            )
            session = venue.session("A")
            count = most = 0
            while session.is_connected:
                for _ in range(100):
                    session.send(note(f"{count}: {'x' * 5000}"))
                    count += 1
                    most = max(most, connection.backlog())
                venue.session("B").send(note(f"{count}"))
                await application.until(lambda: application.texts()[-1:] == [f"{count}"])  # noqa: B023
            assert (1 << 20) - 6000 < most <= 1 << 20
            stalled.close()
            # The stalled client comes back, and asks for what it has not had.
            late = await venue.client("A")
            late.session.store.set_next_out(2)
            application = application_of(late)
            await application.until(lambda: len(application.messages) >= count)
            numbers = [int((text or "").split(":")[0]) for text in application.texts()]
            assert numbers == list(range(count))

    asyncio.run(scenario())


def test_a_long_resend_goes_on_as_the_socket_empties() -> None:
    """A resend that only a tick moves on is as slow as the tick, whatever the network can do."""

    async def scenario() -> None:
        async with Venue(tick_s=0) as venue:
            server = venue.acceptor._server
            assert server is not None
            # Connections inherit it: so little that the resend has to wait.
            server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
            for number in range(500):
                venue.session("A").send(note(f"{number}: {'x' * 5000}"))
            application = await logged_on(await venue.client("A"))
            await application.until(lambda: len(application.messages) >= 500)

    asyncio.run(scenario())


def answer(port: int, data: bytes) -> bytes:
    """What the venue sends to somebody who sends this, until it ends the connection."""
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.settimeout(60)
        stranger.sendall(data)
        received = b""
        try:
            while chunk := stranger.recv(4096):
                received += chunk
        except ConnectionResetError:
            pass
        return received


@pytest.mark.parametrize(
    ("data", "counter"),
    [
        (logon("NOBODY"), "refused: no such session"),
        (logon("A").replace(b"35=A", b"35=5"), ""),
        (b"GET / HTTP/1.1\r\n\r\n", ""),
        (b"\x00" * 100_000, ""),
        (b"8=FIX.4.4\x019=99999999\x01", ""),
        (
            encode(Message("0", [(34, "1"), (49, "A"), (56, "VENUE")], VERSION)),
            "refused: the first",
        ),
    ],
    ids=["nobody", "checksum", "http", "zeros", "length", "heartbeat"],
)
def test_strangers(data: bytes, counter: str) -> None:
    """Whoever is not expected is told nothing, and cannot disturb who is."""

    async def scenario() -> None:
        async with Venue() as venue:
            received = await asyncio.to_thread(answer, venue.acceptor.port, data)
            assert received == b""
            assert any(name.startswith(counter) for name in venue.acceptor.counters)
            await logged_on(await venue.client("A"))

    asyncio.run(scenario())


def test_the_second_of_one_name() -> None:
    """A second logon under a live session's name must not take over its orders."""

    async def scenario() -> None:
        async with Venue() as venue:
            client = await venue.client("A")
            await logged_on(client)
            received = await asyncio.to_thread(answer, venue.acceptor.port, logon("A", 2))
            assert received == b""
            assert venue.acceptor.counters["refused: the session has a connection"] == 1
            assert client.session.is_up

    asyncio.run(scenario())


def test_the_silent() -> None:
    """Connections that never say anything must not stay for ever."""

    async def scenario() -> None:
        clock = ManualClock()
        acceptor = Acceptor([], Recorder(), clock=clock, tick_s=0, max_strangers=2)
        await acceptor.start()
        silent = [await asyncio.open_connection("127.0.0.1", acceptor.port) for _ in range(3)]
        assert await silent[0][0].read() == b""
        assert acceptor.counters["refused: too many strangers"] == 1
        clock.advance(10)
        acceptor.tick()
        assert [await reader.read() for reader, _ in silent[1:]] == [b"", b""]
        assert acceptor.counters["refused: no Logon in time"] == 2
        for _, writer in silent:
            writer.close()
        await acceptor.stop()

    asyncio.run(scenario())


def test_a_failing_application_ends_one_connection() -> None:
    """One client's message that hits a bug must not end the sessions of all."""

    async def scenario() -> None:
        async with Venue() as venue:
            clients = {name: await venue.client(name) for name in ("A", "B")}
            for client in clients.values():
                await logged_on(client)
            failures: list[Message] = []

            def fail_once(session: Session, message: Message) -> None:
                if message.get(58) == "poison" and not failures:
                    failures.append(message)
                    raise ZeroDivisionError

            venue.application.answer = fail_once
            clients["A"].session.send(note("poison"))
            await venue.application.until(lambda: venue.application.texts() == ["poison"] * 2)
            clients["B"].session.send(note("fine"))
            await venue.application.until(lambda: venue.application.texts()[2:] == ["fine"])
            assert application_of(clients["B"]).calls == ["logon"]

    asyncio.run(scenario())


def test_configurations_refused(tmp_path: Path) -> None:
    """Two sessions of one name would share a store; the stores opened so far must be let go."""
    config = SessionConfig(VERSION, "VENUE", "A")
    with pytest.raises(ConfigurationError, match="there twice"):
        Acceptor([config, config], Recorder(), store_dir=tmp_path)
    acceptor = Acceptor([config], Recorder(), store_dir=tmp_path)
    with pytest.raises(StoreError, match="another process"):
        Acceptor([config], Recorder(), store_dir=tmp_path)
    asyncio.run(acceptor.stop())
    with pytest.raises(ConfigurationError, match="begin_string"):
        SessionConfig("FIX.9.9", "VENUE", "A")
    with pytest.raises(ConfigurationError, match="target_comp_id"):
        SessionConfig(VERSION, "VENUE", "A\x01")
    with pytest.raises(ConfigurationError, match="acceptor's"):
        Initiator(config, Recorder(), "127.0.0.1", 1)


def test_names_become_names_of_files(tmp_path: Path) -> None:
    """A CompID with a slash in it must not write outside the directory."""
    config = SessionConfig(VERSION, "../../etc", "a/b")
    acceptor = Acceptor([config], Recorder(), store_dir=tmp_path / "stores")
    asyncio.run(acceptor.stop())
    (file,) = (tmp_path / "stores").iterdir()
    assert file.is_file()
