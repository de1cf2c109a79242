"""Runs acceptance scripts in QuickFIX's format against our acceptor: for tests.

A script is lines; ``1,`` after the first letter is the number of a connection, if there are more::

    iCONNECT, iDISCONNECT   connect, disconnect
    eDISCONNECT             the acceptor must have ended the connection
    I8=...                  send a message; a BodyLength or CheckSum that is missing is put in
    E8=...                  receive a message: these fields in this order
    #                       a comment

``<TIME>``, ``<TIME+n>`` and ``<TIME-n>`` are now, and n seconds from now. Of what comes back, times
are compared by their form only; BodyLength and CheckSum must be right for what they stand in.

Everything is over TCP, but on a clock that stands still until nothing moves any more: when all
bytes have arrived on both sides, and what is expected is not among them, it goes on by a tenth of a
second. So a heartbeat after six seconds is waited for in no time, and no wait is too short.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from phase5_protocol.fix.acceptor import Acceptor
from phase5_protocol.fix.application import Application, BusinessReject, SessionConfig
from phase5_protocol.fix.clock import SECOND_NS, ManualClock, format_timestamp
from phase5_protocol.fix.connection import Connection
from phase5_protocol.fix.dictionary import Dictionary
from phase5_protocol.fix.message import Message, MessageReader
from phase5_protocol.fix.reasons import BusinessRejectReason
from phase5_protocol.fix.session import Session

#: How long the clock goes on for something that does not come.
PATIENCE_S: Final = 60.0
_STEP_S: Final = 0.1

_LINE: Final = re.compile(r"([iIeE])(?:(\d+),)?(.*)")
_TIME: Final = re.compile(r"<TIME(?:([+-])(\d+))?>")
_TIME_FORM: Final = re.compile(r"\d{8}-\d\d:\d\d:\d\d(\.\d{3})?")
_TIME_TAGS: Final = (52, 60, 122)


class ScriptError(Exception):
    """What came is not what the script expects; the message names the line."""


class EchoApplication:
    """Sends NewOrderSingle and SecurityDefinition back; knows nothing else.

    An order that may have been sent before (PossResend) is ignored if its ClOrdID is known.
    """

    def __init__(self) -> None:
        """Know no order."""
        self._known: set[tuple[str, str | None]] = set()

    def on_logon(self, session: Session) -> None:
        """Nothing to do."""

    def on_logout(self, session: Session) -> None:
        """A session that starts anew does not know its old orders."""
        self._known.clear()

    def on_message(self, session: Session, message: Message) -> None:
        """Echo, or refuse."""
        if message.msg_type not in ("D", "d"):
            reason = BusinessRejectReason.UNSUPPORTED_MESSAGE_TYPE
            raise BusinessReject(reason, "Unsupported Message Type")
        if message.msg_type == "D":
            order = (session.config.name, message.get(11))
            if message.get(97) == "Y" and order in self._known:
                return
            self._known.add(order)
        session.send(Message(message.msg_type, sorted(message.fields)))


@dataclass
class _Client(asyncio.Protocol):
    """Our end of one connection of a script."""

    reader: MessageReader = field(default_factory=MessageReader)
    received: list[Message] = field(default_factory=list)
    bytes_in: int = 0
    bytes_out: int = 0
    is_lost: bool = False
    socket: asyncio.Transport | None = None
    #: The acceptor's end.
    peer: Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.socket = transport

    def data_received(self, data: bytes) -> None:
        self.bytes_in += len(data)
        self.received.extend(self.reader.feed(data))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True

    def send(self, data: bytes) -> None:
        assert self.socket is not None
        self.bytes_out += len(data)
        self.socket.write(data)

    def is_settled(self) -> bool:
        """Whether all that was written on either side has arrived on the other."""
        peer = self.peer
        assert peer is not None
        if self.is_lost or peer.is_lost or peer.is_closing:
            return self.is_lost and peer.is_lost
        return peer.bytes_in == self.bytes_out and peer.bytes_out == self.bytes_in


class ScriptRun:
    """One run of one script, against an acceptor of its own."""

    def __init__(self, acceptor: Acceptor, clock: ManualClock) -> None:
        """Run against this acceptor, whose clock it is, and which ticks only when told to."""
        self._acceptor = acceptor
        self._clock = clock
        self._clients: dict[str, _Client] = {}
        self._past: list[_Client] = []

    async def run(self, script: str) -> None:
        """Run it.

        Raises:
            ScriptError: something else came than is expected, or it did not come.
        """
        for number, line in enumerate(script.splitlines(), 1):
            match = _LINE.fullmatch(line.rstrip("\r"))
            if match is None:
                if line.strip() and not line.startswith("#"):
                    raise ScriptError(f"line {number}: {line!r} is no line of a script")
                continue
            kind, name, rest = match[1], match[2] or "", match[3]
            try:
                await self._step(kind, name, rest)
            except ScriptError as error:
                raise ScriptError(f"line {number}: {line!r}: {error}") from None
        for client in self._clients.values():
            if client.received:
                raise ScriptError(f"not expected: {client.received}")

    async def close(self) -> None:
        """End what is still open."""
        for client in [*self._past, *self._clients.values()]:
            if client.socket is not None:
                client.socket.abort()
            while not client.is_settled():
                await asyncio.sleep(0)

    async def _step(self, kind: str, name: str, rest: str) -> None:
        if (kind, rest) == ("i", "CONNECT"):
            await self._connect(name)
        elif (kind, rest) == ("i", "DISCONNECT"):
            socket = self._clients[name].socket
            assert socket is not None
            socket.abort()
        elif (kind, rest) == ("e", "DISCONNECT"):
            await self._expect_end(self._clients[name])
        elif kind == "I":
            self._clients[name].send(self._complete(rest))
            await self._settle()
        elif kind == "E":
            await self._expect(self._clients[name], rest)
        else:
            raise ScriptError("not a step of a script")

    async def _connect(self, name: str) -> None:
        """Connect, and find out which connection of the acceptor it is."""
        if name in self._clients:
            self._past.append(self._clients[name])
        before = self._acceptor.connections
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(_Client, "127.0.0.1", self._acceptor.port)
        while not self._acceptor.connections - before:
            await asyncio.sleep(0)
        (client.peer,) = self._acceptor.connections - before
        self._clients[name] = client

    async def _settle(self) -> None:
        while not all(client.is_settled() for client in self._clients.values()):
            await asyncio.sleep(0)

    async def _wait(self) -> bool:
        """Let time pass until something arrives; False if nothing does."""
        before = [(client.bytes_in, client.is_lost) for client in self._clients.values()]
        for _ in range(int(PATIENCE_S / _STEP_S)):
            self._clock.advance(_STEP_S)
            self._acceptor.tick()
            await self._settle()
            if before != [(client.bytes_in, client.is_lost) for client in self._clients.values()]:
                return True
        return False

    async def _expect(self, client: _Client, line: str) -> None:
        await self._settle()
        if not client.received and not client.is_lost:
            await self._wait()
        if not client.received:
            raise ScriptError("disconnected" if client.is_lost else "nothing came")
        if client.reader.garbled:
            raise ScriptError(f"garbled: {client.reader.garbled}")
        message = client.received.pop(0)
        came = [(8, message.begin_string), (35, message.msg_type), *message.fields]
        expected = [field for field in _fields(line) if field[0] not in (9, 10)]
        if [tag for tag, _ in came] != [tag for tag, _ in expected]:
            raise ScriptError(f"{message} came")
        for (tag, value), (_, wanted) in zip(came, expected, strict=True):
            is_right = _TIME_FORM.fullmatch(value) if tag in _TIME_TAGS else value == wanted
            if not is_right:
                raise ScriptError(f"{tag}={value} came")

    async def _expect_end(self, client: _Client) -> None:
        await self._settle()
        if not client.is_lost and not client.received:
            await self._wait()
        if client.received:
            raise ScriptError(f"{client.received[0]} came")
        if not client.is_lost:
            raise ScriptError("still connected")

    def _complete(self, line: str) -> bytes:
        """The bytes of a message that a script sends."""

        def at(match: re.Match[str]) -> str:
            shift = int(f"{match[1]}{match[2]}") if match[1] else 0
            return format_timestamp(self._clock.wall_ns() + shift * SECOND_NS)[:-4]

        text = _TIME.sub(at, line)
        data = text.encode("latin-1")
        fields = _fields(text)
        if fields[0][0] != 8:
            return data
        head, _, rest = data.partition(b"\x01")
        if fields[1][0] != 9:
            has_sum = fields[-1][0] == 10
            body = rest[: rest.rindex(b"10=")] if has_sum else rest
            data = head + b"\x019=%d\x01" % len(body) + rest
        if fields[-1][0] != 10:
            data += b"10=%03d\x01" % (sum(data) % 256)
        return data


def _fields(line: str) -> list[tuple[int, str]]:
    """The fields of a line, as far as they have a number for a tag."""
    pairs = (part.partition("=") for part in line.rstrip("\x01").split("\x01"))
    return [(int(tag) if tag.lstrip("-").isdigit() else 0, value) for tag, _, value in pairs]


async def run_script(
    script: str,
    config: SessionConfig,
    *,
    store_dir: Path | None = None,
    dictionaries: Mapping[str, Dictionary] | None = None,
    application: Application | None = None,
) -> Acceptor:
    """Run a script against an acceptor with one session; the acceptor, which has stopped.

    Raises:
        ScriptError: the script is not satisfied.
    """
    clock = ManualClock()
    acceptor = Acceptor(
        [config],
        application or EchoApplication(),
        dictionaries,
        store_dir,
        clock=clock,
        tick_s=0,
    )
    await acceptor.start()
    run = ScriptRun(acceptor, clock)
    try:
        await run.run(script)
    finally:
        await run.close()
        await acceptor.stop()
    return acceptor
