"""What the QuickFIX tests share: a venue on a port, QuickFIX beside it, and a cable to cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, Self

from contract.engine import Engine
from phase5_protocol.fix.acceptor import Acceptor
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.message import Message, decode
from phase5_protocol.fix.orders import FixOrders
from phase5_protocol.fix.requests import ClientSettings
from phase5_protocol.listing import Listing
from phase5_protocol.order_entry.router import OrderRouter

#: How long to wait for what must come, in seconds: long, because then the test has failed.
PATIENCE_S: Final = 30.0
_SPEC: Final = Path(sys.prefix) / "share" / "quickfix"


class Report(dict[int, str]):
    """A message as fields by tag; 35 is its type."""


class Venue:
    """A book, FIX order entry in front of it, and sessions for clients A and B of both versions."""

    def __init__(
        self, book: Engine, store_dir: Path, settings: ClientSettings, **options: Any
    ) -> None:
        """Make it; ``options`` are those of every ``SessionConfig``."""
        versions = ("FIX.4.2", "FIX.4.4")
        configs = [
            SessionConfig(version, "V", name, **options) for version in versions for name in "AB"
        ]
        self.router = OrderRouter({0: book})
        self.orders = FixOrders(
            self.router,
            [Listing("MBK")],
            run_id="R1",
            settings={config.name: settings for config in configs},
        )
        self.acceptor = Acceptor(configs, self.orders, store_dir=store_dir, tick_s=0.02)

    def sent(self, name: str, msg_type: str) -> list[Report]:
        """Every message of a type that a session was ever sent, from its store."""
        store = self.acceptor.sessions[name].store
        messages = (decode(data) for _, data in store.sent(1, store.next_out - 1))
        return [_report(each) for each in messages if each.msg_type == msg_type]

    async def __aenter__(self) -> Self:
        await self.acceptor.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.acceptor.stop("the test is over", patience_s=0.5)


class Peer:
    """QuickFIX in a process of its own; ``happened`` is everything that it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.happened: list[dict[str, Any]] = []
        self._process = process
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    def do(self, what: str, **more: object) -> None:
        """Have it do something."""
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps({"do": what, **more}) + "\n").encode())

    def send(self, msg_type: str, *fields: tuple[int, str]) -> None:
        """Have it send an application message."""
        self.do("send", type=msg_type, fields=fields)

    def order(
        self, name: str, side: str, quantity: int, price: str, *more: tuple[int, str]
    ) -> None:
        """A limit order in MBK."""
        body = [(11, name), (55, "MBK"), (54, side), (38, str(quantity)), (40, "2"), (44, price)]
        self.send("D", *body, (21, "1"), (60, "20240102-09:30:00"), *more)

    def count(self, event: str) -> int:
        """How often something happened."""
        return sum(each["event"] == event for each in self.happened)

    def messages(
        self, direction: str, msg_type: str, tag: int = 0, value: str = ""
    ) -> list[Report]:
        """The messages of a type that came in or went out, of those a value of a tag, if given."""
        found = [
            Report({35: msg_type, **dict(map(tuple, each["fields"]))})
            for each in self.happened
            if each["event"] == direction and each["type"] == msg_type
        ]
        return [each for each in found if not tag or each.get(tag) == value]

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so that depends on what happens here."""
        async with self._news, asyncio.timeout(PATIENCE_S):
            await self._news.wait_for(is_so)

    async def report(self, name: str, exec_type: str) -> Report:
        """The execution report of that ClOrdID and ExecType, when it is there."""

        def found() -> list[Report]:
            return [each for each in self.messages("in", "8", 11, name) if each[150] == exec_type]

        await self.until(found)
        return found()[-1]

    async def end(self) -> None:
        """End the process."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._news:
                self.happened.append(json.loads(line))
                self._news.notify_all()


@contextlib.asynccontextmanager
async def quickfix(
    store_dir: Path, version: str, name: str, port: int, *settings: str
) -> AsyncIterator[Peer]:
    """QuickFIX, logged on: it holds what we send against its own dictionary, if it ships one."""
    store_dir.mkdir(exist_ok=True)
    spec = _SPEC / f"{version.replace('.', '')}.xml"
    book = f"DataDictionary={spec}" if spec.is_file() else "UseDataDictionary=N"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "phase5_protocol.fix.quickfix_peer",
        *(version, name, "V", str(port), str(store_dir), book, *settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    peer = Peer(process)
    try:
        await peer.until(lambda: peer.count("logon"))
        yield peer
    finally:
        await peer.end()


class Cable:
    """A TCP proxy on a port of its own, which can be cut in the middle of a byte stream.

    Attributes:
        cuts: how often it was cut.
    """

    def __init__(self, port: int) -> None:
        """Lead to that port."""
        self.cuts = 0
        self._target = port
        self._left: dict[str, int] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port to connect to."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut_after(self, direction: str, count: int) -> None:
        """Let so many more bytes through "up" to the venue, or "down"; then cut, and lose some."""
        self._left[direction] = count

    def cut(self) -> None:
        """Cut now."""
        self.cuts += 1
        self._left.clear()
        for writer in self._writers:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await asyncio.gather(
                self._carry("up", reader, far_writer, writer),
                self._carry("down", far_reader, writer, far_writer),
            )
        finally:
            self._writers -= ends
            self._tasks.discard(task)

    async def _carry(
        self,
        direction: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        other: asyncio.StreamWriter,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                left = self._left.get(direction, len(data) + 1)
                writer.write(data[:left])
                if left <= len(data):
                    await writer.drain()
                    self.cut()
                    return
                if direction in self._left:
                    self._left[direction] -= len(data)
        writer.transport.abort()
        other.transport.abort()


def _report(message: Message) -> Report:
    return Report({35: message.msg_type, **dict(message.fields)})
