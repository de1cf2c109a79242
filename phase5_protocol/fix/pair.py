"""Two sessions back to back, over a connection that a test holds in its hands."""

from __future__ import annotations

from collections.abc import Callable

from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.clock import ManualClock, format_timestamp
from phase5_protocol.fix.dictionary import Dictionary
from phase5_protocol.fix.message import Message, MessageReader, decode, encode
from phase5_protocol.fix.session import Session
from phase5_protocol.fix.store import MemoryStore, SessionStore


class Wire:
    """One end of a connection: keeps what is written until somebody carries it over."""

    def __init__(self, store: SessionStore | None = None) -> None:
        """Start empty; with a store, what is written must be in it."""
        self.data = bytearray()
        self.is_closed = False
        self.stuck = 0
        self.written: list[Message] = []
        self._store = store

    def write(self, data: bytes) -> None:
        """Keep the bytes; they are stored already, or the session is not to be trusted."""
        assert not self.is_closed, "written after the end"
        message = decode(data)
        if self._store is not None and message.get(43) != "Y":
            number = int(message.get(34) or "0")
            assert dict(self._store.sent(number, number)).get(number) == data, "sent before stored"
        self.written.append(message)
        self.data += data

    def close(self) -> None:
        """End."""
        self.is_closed = True

    def backlog(self) -> int:
        """What the test says waits, and what does."""
        return self.stuck + len(self.data)


class Recorder:
    """An application that remembers."""

    def __init__(self) -> None:
        """Have heard of nothing."""
        self.messages: list[Message] = []
        self.calls: list[str] = []
        self.answer: Callable[[Session, Message], None] | None = None

    def on_logon(self, session: Session) -> None:
        """Remember."""
        self.calls.append("logon")

    def on_logout(self, session: Session) -> None:
        """Remember."""
        self.calls.append("logout")

    def on_message(self, session: Session, message: Message) -> None:
        """Remember, and answer as the test says."""
        self.messages.append(message)
        if self.answer is not None:
            self.answer(session, message)

    def texts(self) -> list[str | None]:
        """The Text of each message that came."""
        return [message.get(58) for message in self.messages]


class Side:
    """A session with its application, and its store."""

    def __init__(
        self, config: SessionConfig, clock: ManualClock, store: SessionStore | None = None
    ) -> None:
        """Make the session; its store ends with the process unless one is given."""
        self.config = config
        self.clock = clock
        self.application = Recorder()
        self.wire = Wire()
        self.boot(store or MemoryStore())

    def boot(self, store: SessionStore) -> None:
        """A process starts, with what is in the store."""
        self.store = store
        dictionary = Dictionary.default(self.config.begin_string)
        self.session = Session(self.config, self.application, dictionary, store, self.clock)

    def say(self, text: str) -> None:
        """Send an application message: one that both sides' dictionaries have."""
        self.session.send(Message("j", [(58, text), (372, "D"), (380, "0")]))


class Pair:
    """An initiator and an acceptor."""

    def __init__(
        self,
        version: str = "FIX.4.4",
        stores: tuple[SessionStore | None, SessionStore | None] = (None, None),
        *,
        heartbeat_s: int = 5,
        max_pending: int = 1000,
    ) -> None:
        """Not connected yet."""
        self.clock = ManualClock()
        options = {"heartbeat_s": heartbeat_s, "max_pending": max_pending}
        ours = SessionConfig(version, "US", "THEM", is_initiator=True, **options)  # type: ignore[arg-type]
        theirs = SessionConfig(version, "THEM", "US", **options)  # type: ignore[arg-type]
        self.initiator = Side(ours, self.clock, stores[0])
        self.acceptor = Side(theirs, self.clock, stores[1])
        self.sides = (self.initiator, self.acceptor)

    def connect(self) -> None:
        """A new connection, if there is none."""
        if any(side.session.is_connected for side in self.sides):
            return
        for side in self.sides:
            side.wire = Wire(side.store)
        self.acceptor.session.connect(self.acceptor.wire, MessageReader())
        self.initiator.session.connect(self.initiator.wire)

    def carry(self, sender: Side, size: int | None = None) -> bool:
        """Bring some (else all) of what a side wrote to the other; whether there was any."""
        receiver = self.acceptor if sender is self.initiator else self.initiator
        data = bytes(sender.wire.data[:size])
        del sender.wire.data[: len(data)]
        if data and receiver.session.is_connected:
            receiver.session.receive(data)
        if sender.wire.is_closed and not sender.wire.data:
            self.cut()
        return bool(data)

    def settle(self) -> None:
        """Carry until nothing moves."""
        while any([self.carry(self.initiator), self.carry(self.acceptor)]):
            pass

    def cut(self) -> None:
        """The connection is lost, and what was on its way with it."""
        for side in self.sides:
            side.wire.data.clear()
            side.session.disconnected(side.wire)

    def pass_time(self, seconds: float) -> None:
        """Let time pass for both."""
        self.clock.advance(seconds)
        for side in self.sides:
            side.session.tick()


def up(version: str = "FIX.4.4", *, max_pending: int = 1000) -> Pair:
    """A pair that is logged on."""
    pair = Pair(version, max_pending=max_pending)
    pair.connect()
    pair.settle()
    assert all(side.session.is_up for side in pair.sides)
    return pair


def inject(pair: Pair, to: Side, msg_type: str, *fields: tuple[int, str], number: int = 0) -> None:
    """Give a side a message of the other's making."""
    number = number or to.session.store.next_in
    body = dict(fields)
    header = {
        34: str(number),
        49: to.config.target_comp_id,
        52: format_timestamp(pair.clock.wall_ns()),
        56: to.config.sender_comp_id,
    }
    header.update({tag: body.pop(tag) for tag in list(body) if tag in (*header, 43, 122)})
    everything = [*header.items(), *body.items()]
    to.session.receive(encode(Message(msg_type, everything, to.config.begin_string)))


def last(side: Side) -> Message:
    """What a side wrote last."""
    return side.wire.written[-1]
