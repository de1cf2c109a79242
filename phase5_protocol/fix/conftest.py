"""A venue without wires for tests: books, FIX order entry, clients that note what they hear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, cast

import pytest

from phase1_domain import Engine
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.dictionary import Dictionary
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.orders import FixOrders
from phase5_protocol.fix.requests import ClientSettings
from phase5_protocol.listing import Listing
from phase5_protocol.order_entry.router import OrderRouter

VERSIONS: Final = ("FIX.4.2", "FIX.4.4")
CENTS: Final = Listing("MBK", 0, tick_size=100)
QUARTERS: Final = Listing("QTR", 1, tick_size=2_500, lot=100)
NOW: Final = "20231114-22:13:20.123"


@dataclass
class RecordingSession:
    """A session without a wire: keeps what is sent, held against the dictionary."""

    config: SessionConfig
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        """Keep a message, which must be one that the dictionary allows."""
        message.begin_string = self.config.begin_string
        header = [(34, "1"), (49, "V"), (52, NOW), (56, "C")]
        full = Message(message.msg_type, [*header, *message.fields], message.begin_string)
        assert Dictionary.default(message.begin_string).check(full) is None, full
        self.sent.append(message)


class Venue:
    """FIX order entry in front of two books of phase 1, and sessions to talk to it."""

    def __init__(
        self, settings: ClientSettings | None = None, *, capacity: int = 100, run_id: str = "R1"
    ) -> None:
        self.books = {
            each.instrument: Engine(instrument=each.instrument, capacity=capacity)
            for each in (CENTS, QUARTERS)
        }
        self.router = OrderRouter(self.books, clock_ns=lambda: 1_700_000_000_123_000_000)
        self.failures: list[Exception] = []
        self.settings = settings or ClientSettings(accounts={"house": 7, "client": 8})
        self.orders = FixOrders(
            self.router,
            (CENTS, QUARTERS),
            run_id=run_id,
            settings={
                f"{version}:V->{name}": self.settings for version in VERSIONS for name in "AB"
            },
            clock_ns=lambda: 1_700_000_000_123_000_000,
            on_failure=self.failures.append,
        )

    def session(self, name: str = "A", version: str = "FIX.4.4") -> Client:
        """A client that has logged on."""
        recording = RecordingSession(SessionConfig(version, "V", name))
        self.orders.on_logon(cast(Any, recording))
        return Client(self, recording)


class Client:
    """What a client sends, and the reports that come back."""

    def __init__(self, venue: Venue, recording: RecordingSession) -> None:
        self.venue = venue
        self.recording = recording

    def ask(self, msg_type: str, fields: dict[int, str | None]) -> list[dict[int, str]]:
        """Send a message without the fields that are None; the answers, as fields by tag."""
        given = [(tag, value) for tag, value in fields.items() if value is not None]
        message = Message(msg_type, given, self.recording.config.begin_string)
        self.venue.orders.on_message(cast(Any, self.recording), message)
        return self.heard()

    def heard(self) -> list[dict[int, str]]:
        """What came since the last time; 35 is the type."""
        answers = [{35: each.msg_type, **dict(each.fields)} for each in self.recording.sent]
        self.recording.sent.clear()
        return answers

    def enter(
        self,
        name: str,
        side: str = "1",
        quantity: str | None = "10",
        price: str | None = "100.00",
        more: dict[int, str | None] | None = None,
    ) -> list[dict[int, str]]:
        """A limit order (without a price: a market order) in MBK."""
        fields: dict[int, str | None] = {
            11: name,
            21: "1",
            55: "MBK",
            54: side,
            60: NOW,
            38: quantity,
            40: "1" if price is None else "2",
            44: price,
        }
        return self.ask("D", {**fields, **(more or {})})

    def cancel(
        self, name: str, of: str, more: dict[int, str | None] | None = None
    ) -> list[dict[int, str]]:
        """OrderCancelRequest of a bid in MBK."""
        fields: dict[int, str | None] = {11: name, 41: of, 55: "MBK", 54: "1", 60: NOW, 38: "10"}
        return self.ask("F", {**fields, **(more or {})})

    def replace(
        self,
        name: str,
        of: str,
        quantity: str = "10",
        price: str | None = "100.00",
        more: dict[int, str | None] | None = None,
    ) -> list[dict[int, str]]:
        """OrderCancelReplaceRequest of a bid in MBK."""
        fields: dict[int, str | None] = {
            41: of,
            11: name,
            21: "1",
            55: "MBK",
            54: "1",
            60: NOW,
            38: quantity,
            40: "2",
            44: price,
        }
        return self.ask("G", {**fields, **(more or {})})


def values(reports: Iterable[dict[int, str]], *tags: int) -> list[tuple[str, ...]]:
    """Of each report the values of some tags, "" where it has none."""
    return [tuple(report.get(tag, "") for tag in tags) for report in reports]


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Both versions."""
    return str(request.param)


@pytest.fixture
def client(version: str) -> Client:
    """Session A of a new venue."""
    return Venue().session("A", version)
