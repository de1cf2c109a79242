"""What an application and a session are to each other.

A session keeps the order of messages; the application gives them a meaning. It is called from the
session, on its thread, one message at a time::

    bytes ──▶ Session ── on_message ──▶ Application
    bytes ◀── Session ◀── send ──────── Application
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from contract.errors import ConfigurationError, MatchbookError

if TYPE_CHECKING:
    from phase5_protocol.fix.message import Message
    from phase5_protocol.fix.session import Session

_VERSIONS: Final = ("FIX.4.2", "FIX.4.4")


class Transport(Protocol):
    """A connection, as a session sees it."""

    def write(self, data: bytes) -> None:
        """Take bytes to be sent; never waits. What it cannot keep, it ends the connection for."""

    def close(self) -> None:
        """End the connection when what was written is gone."""

    def backlog(self) -> int:
        """How many bytes were written and are not gone."""


class NotLoggedOnError(MatchbookError):
    """A message was to be sent while the session is not up, and its next Logon would erase it."""


class BusinessReject(Exception):
    """Raised by an application: answer with BusinessMessageReject, 35=j.

    Attributes:
        reason: BusinessRejectReason, tag 380.
        text: Text, tag 58.
        ref_id: BusinessRejectRefID, tag 379: the client's own name for what is refused; may be "".
    """

    def __init__(self, reason: int, text: str, ref_id: str = "") -> None:
        super().__init__(text)
        self.reason = int(reason)
        self.text = text
        self.ref_id = ref_id


class FieldReject(Exception):
    """Raised by an application: answer with a session level Reject, 35=3, of one field.

    Attributes:
        tag: RefTagID, tag 371; 0 for none.
        reason: SessionRejectReason, tag 373.
        text: Text, tag 58.
    """

    def __init__(self, tag: int, reason: int, text: str) -> None:
        super().__init__(text)
        self.tag = tag
        self.reason = int(reason)
        self.text = text


class Application(Protocol):
    """The meaning of the messages of one or many sessions."""

    def on_logon(self, session: Session) -> None:
        """Hear that a session is up: what is sent from now on goes out at once."""

    def on_logout(self, session: Session) -> None:
        """Hear that a session is down, by Logout or because its connection was lost.

        ``session.send`` still works: it stores, and the counterparty asks for it at its next logon
        (but not where ``reset_on_logon`` would erase it: then it raises).
        """

    def on_message(self, session: Session, message: Message) -> None:
        """Take one application message: in order, none left out, none twice.

        The message has been held against the dictionary. Its number counts as received when this
        returns; a process that dies before is sent the message again, with PossDupFlag, and has to
        know its own (by ClOrdID, say).

        Raises:
            BusinessReject: it cannot be served; answered with 35=j.
            FieldReject: a field is wrong in a way the dictionary cannot know; answered with 35=3.
        """


@runtime_checkable
class HearsRejects(Protocol):
    """An application that also wants to hear of Rejects, 35=3; one without this need not care."""

    def on_reject(self, session: Session, message: Message) -> None:
        """Take a Reject: they could not read what we sent with the number in RefSeqNum, 45."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """A session, from our side: who we are, who they are, and what we put up with.

    Attributes:
        begin_string: ``FIX.4.2`` or ``FIX.4.4``.
        sender_comp_id: our name, which is what the other side must put into TargetCompID.
        target_comp_id: their name, likewise.
        heartbeat_s: HeartBtInt that an initiator asks for; an acceptor takes the initiator's.
        is_initiator: whether we connect, and log on first.
        reset_on_logon: an initiator asks for sequence numbers from 1 (141=Y) each time. What was
            sent before is then never sent again; ``session.send`` refuses what would be lost so.
        reset_on_disconnect: both numbers start from 1 with each connection, and nothing is asked
            for again: for the days of a test, not of a market.
        max_heartbeat_s: the longest HeartBtInt an acceptor agrees to.
        logon_timeout_s, logout_timeout_s: how long to wait for the other side's.
        sending_time_s: how far SendingTime may be from our clock.
        stale_types, stale_after_s: of these messages, those older than this are not sent again on
            a ResendRequest but passed over with a gap fill. An order that was meant for
            the price of a minute ago is not what anybody wants executed now.
        max_pending: messages kept that came ahead of a gap; beyond it they are asked for again.
        test_request_id: TestReqID of our TestRequests.
    """

    begin_string: str
    sender_comp_id: str
    target_comp_id: str
    heartbeat_s: int = 30
    is_initiator: bool = False
    reset_on_logon: bool = False
    reset_on_disconnect: bool = False
    max_heartbeat_s: int = 3600
    logon_timeout_s: float = 10.0
    logout_timeout_s: float = 2.0
    sending_time_s: float = 120.0
    stale_types: frozenset[str] = frozenset("DFG")
    stale_after_s: float = 60.0
    max_pending: int = 1000
    test_request_id: str = "TEST"

    def __post_init__(self) -> None:
        """Refuse what no session can be.

        Raises:
            ConfigurationError: another version, a CompID that is empty or no printable ASCII, a
                heartbeat interval that is no whole number of seconds from 1, or a time that is
                negative or no number.
        """
        if self.begin_string not in _VERSIONS:
            raise ConfigurationError(
                f"begin_string is {self.begin_string!r}, not one of {', '.join(_VERSIONS)}"
            )
        for name in ("sender_comp_id", "target_comp_id"):
            value = getattr(self, name)
            if not (value and value.isascii() and value.isprintable()):
                raise ConfigurationError(f"{name} is {value!r}, not printable ASCII characters")
        for name in ("heartbeat_s", "max_heartbeat_s"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigurationError(f"{name} is {value!r}, not a whole number from 1")
        for name in ("logon_timeout_s", "logout_timeout_s", "sending_time_s", "stale_after_s"):
            value = getattr(self, name)
            # NaN is not at least anything.
            if not isinstance(value, int | float) or not value >= 0:
                raise ConfigurationError(f"{name} is {value!r}, not a number from 0")

    @property
    def name(self) -> str:
        """``FIX.4.4:US->THEM``: for people, and for the names of files."""
        return f"{self.begin_string}:{self.sender_comp_id}->{self.target_comp_id}"
