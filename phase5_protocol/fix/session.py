"""A FIX session: both sides of it, without a socket and without a clock of its own.

Bytes come in through :meth:`Session.receive`, time through :meth:`Session.tick`, and bytes go out
through a :class:`~phase5_protocol.fix.application.Transport`. What holds for the life of a session,
over as many connections as it takes:

- each message of ours has the next number, and is stored before its bytes leave;
- each message of theirs reaches the application once, in the order of its numbers; what comes ahead
  of a gap is held back, and the gap is asked for;
- what is garbled has no number, and so takes none;
- a message is of this session only with its CompIDs: on every message, not just the first.

A number is put down as received after the application has had the message. If the process dies in
between, the message comes again, as a possible duplicate: at least once over a crash, exactly once
otherwise.
"""

from __future__ import annotations

from phase5_protocol.fix.application import BusinessReject, FieldReject, HearsRejects
from phase5_protocol.fix.checks import (
    business_reject,
    duplicate_problem,
    identity_problem,
    is_possible_duplicate,
    sequence_number,
)
from phase5_protocol.fix.dictionary import DEFINED_TYPES, Problem
from phase5_protocol.fix.formats import count_of
from phase5_protocol.fix.line import Line, State
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.outbox import ADMIN
from phase5_protocol.fix.reasons import BusinessRejectReason
from phase5_protocol.fix.reasons import SessionRejectReason as Reason

__all__ = ["Session", "State"]


class Session(Line):
    """One session: :class:`~phase5_protocol.fix.line.Line` has what is called from outside."""

    def _session(self) -> Session:
        return self

    # The order of messages

    def _take(self, message: Message) -> None:
        """One message of theirs."""
        self._last_in = self._clock.monotonic_ns()
        self._is_test_pending = False
        self.counters["received"] += 1
        if self.state is State.LOGGING_ON:
            self._take_first(message)
            return
        if message.begin_string != self.config.begin_string:
            self.logout("Incorrect BeginString")
            return
        number = sequence_number(message)
        if number is None:
            self._refuse("Required tag missing (34)")
            return
        problem = identity_problem(self.config, message, self._clock.wall_ns())
        if problem is not None:
            self._reject(message, problem)
            self._count(number)
            self.logout()
            return
        if message.msg_type == "5":
            self._take_logout(message, number)
        elif message.msg_type == "A":
            self._take_second_logon(message, number)
        elif message.msg_type == "4" and message.get(123) != "Y":
            self._take_reset(message)
        elif number < self.store.next_in:
            self._take_low(message, number)
        elif number > self.store.next_in:
            self._take_high(message, number)
        else:
            self._take_next(message, number)
        self._drain()

    def _drain(self) -> None:
        """Take what was held back, as long as it is next."""
        while self._transport is not None and self._gap.is_next(self.store.next_in):
            number = self.store.next_in
            message = self._gap.take(number)
            if message is None:
                self._count(number)
            else:
                self._take_next(message, number)

    def _take_low(self, message: Message, number: int) -> None:
        """A number that has been. Only a possible duplicate may have it."""
        if is_possible_duplicate(message):
            self.counters["duplicates"] += 1
            problem = duplicate_problem(message)
            if problem is not None:
                self._reject(message, problem)
                if problem.reason is Reason.SENDING_TIME_ACCURACY:
                    self.logout()
        elif message.msg_type == "2" and self._dictionary.check(message) is None:
            # It moves nothing: some send it again under the same number.
            self._resend(message)
        else:
            self._refuse(f"MsgSeqNum too low, expecting {self.store.next_in} but received {number}")

    # --8<-- [start:high]
    def _take_high(self, message: Message, number: int) -> None:
        """A number whose turn has not come: hold it, and ask for what is missing.

        A ResendRequest is answered even so: if both sides wait for each other first, both wait for
        ever.
        """
        held: Message | None = message
        if message.msg_type == "2" and self._dictionary.check(message) is None:
            self._resend(message)
            held = None
        self._gap.hold(number, held)
        if self._gap.should_ask(self.store.next_in, number):
            self._ask()

    # --8<-- [end:high]

    def _take_next(self, message: Message, number: int) -> None:
        """The message that is due."""
        problem = duplicate_problem(message)
        is_known = message.msg_type in self._dictionary.messages
        if problem is None and (
            is_known or message.msg_type not in DEFINED_TYPES[self.config.begin_string]
        ):
            problem = self._dictionary.check(message)
        if problem is not None:
            self._reject(message, problem)
        elif message.msg_type in ADMIN:
            self._take_admin(message, number)
        elif is_known:
            self._deliver(message)
        else:
            unsupported = BusinessRejectReason.UNSUPPORTED_MESSAGE_TYPE
            self._post(business_reject(message, unsupported, "Unsupported Message Type"))
        self._count(number)
        if problem is not None and problem.reason is Reason.SENDING_TIME_ACCURACY:
            self.logout()

    def _count(self, number: int) -> None:
        """Put a number down as received, if it is the one that is due."""
        if number == self.store.next_in:
            self.store.set_next_in(number + 1)

    def _deliver(self, message: Message) -> None:
        """Hand a message to the application."""
        try:
            self._application.on_message(self, message)
        except BusinessReject as refusal:
            self.counters["business rejects"] += 1
            self._post(business_reject(message, refusal.reason, refusal.text, refusal.ref_id))
        except FieldReject as refusal:
            self._reject(
                message, Problem(refusal.tag or None, Reason(refusal.reason)), refusal.text
            )

    # Messages of the session itself

    def _take_admin(self, message: Message, number: int) -> None:
        """Heartbeat, TestRequest, ResendRequest, Reject, or a gap fill, in its turn."""
        if message.msg_type == "1":
            self._post(Message("0", [(112, message.get(112) or "")]))
        elif message.msg_type == "2":
            self._resend(message)
        elif message.msg_type == "3":
            self.counters["rejects received"] += 1
            if isinstance(self._application, HearsRejects):
                self._application.on_reject(self, message)
        elif message.msg_type == "4":
            target = count_of(message.get(36) or "") or 0
            if target > number:
                self.store.set_next_in(target)
            else:
                self._reject(message, Problem(36, Reason.VALUE_INCORRECT))

    def _take_reset(self, message: Message) -> None:
        """A SequenceReset that is no gap fill: it counts whatever its own number is."""
        target = count_of(message.get(36) or "") or 0
        problem = self._dictionary.check(message)
        if problem is None and target < self.store.next_in:
            problem = Problem(None, Reason.VALUE_INCORRECT)
        if problem is not None:
            self._reject(message, problem)
        elif target > self.store.next_in:
            self.counters["sequence resets"] += 1
            self.store.set_next_in(target)

    def _take_logout(self, message: Message, number: int) -> None:
        """Their Logout; it is one whatever its number, but for a copy of an old one."""
        if number < self.store.next_in and is_possible_duplicate(message):
            self.counters["duplicates"] += 1
            return
        self._count(number)
        if self.state is State.UP:
            self._post(Message("5"))
        text = message.get(58)
        self._drop(f"they logged out{': ' + text if text else ''}")

    def _resend(self, message: Message) -> None:
        """Answer a ResendRequest."""
        first = count_of(message.get(7) or "") or 0
        last = count_of(message.get(16) or "") or 0
        newest = self.store.next_out - 1
        if first < 1 or first > newest or 0 < last < first:
            self._reject(message, Problem(7 if first < 1 or first > newest else 16, Reason(5)))
            return
        last = min(last or newest, newest)
        if self._resending is not None:
            # The one under way is not forgotten: both ranges in one.
            first = min(first, self._resend_range[0])
            last = max(last, self._resend_range[1])
        self._resend_range = (first, last)
        self._resending = self._outbox.resend(first, last)
        self.pump()

    # Logon

    def _take_first(self, message: Message) -> None:
        """What comes first on a connection must be a Logon, or to an initiator a refusal.

        Who is not who he should be is not told anything; who is, is told what is wrong.
        """
        number = sequence_number(message)
        if (
            number is None
            or message.begin_string != self.config.begin_string
            or identity_problem(self.config, message, self._clock.wall_ns()) is not None
        ):
            self._drop("the first message is not of this session, or not of now")
        elif message.msg_type == "5" and self.config.is_initiator:
            self._count(number)
            self._drop(f"they refused: {message.get(58) or 'no reason given'}")
        elif message.msg_type != "A":
            self._drop("the first message is no Logon")
        elif (refusal := self._logon_refusal(message, number)) is not None:
            self._refuse(refusal)
        else:
            self._log_on(message, number)

    def _logon_refusal(self, message: Message, number: int) -> str | None:
        """What is wrong with a Logon, in words, or None."""
        problem = self._dictionary.check(message)
        if problem is not None:
            return f"{problem.reason.text} ({problem.tag})" if problem.tag else problem.reason.text
        if message.get(98) != "0":
            return "EncryptMethod must be 0: there is no encryption here"
        heartbeat_s = int(message.get(108) or "0")
        if not 1 <= heartbeat_s <= self.config.max_heartbeat_s:
            return f"HeartBtInt must be from 1 to {self.config.max_heartbeat_s}"
        if message.get(141) == "Y":
            if number != 1:
                return "MsgSeqNum must be 1 with ResetSeqNumFlag"
            if self.config.is_initiator and not self.config.reset_on_logon:
                return "ResetSeqNumFlag was not asked for"
        elif number < self.store.next_in:
            return f"MsgSeqNum too low, expecting {self.store.next_in} but received {number}"
        return None

    def _log_on(self, message: Message, number: int) -> None:
        """The session is up."""
        is_reset = message.get(141) == "Y"
        if not self.config.is_initiator:
            self.heartbeat_s = int(message.get(108) or "0")
            if is_reset:
                self.store.reset()
            self._send_logon(is_reset)
        self.state = State.UP
        # What was sent while an initiator waited for this is behind its Logon, and not yet written.
        for _, data in self.store.sent(self._logon_number + 1, self.store.next_out - 1):
            self._write(data)
        if number > self.store.next_in:
            self._gap.hold(number, None)
            if self._gap.should_ask(self.store.next_in, number):
                self._ask()
        self._count(number)
        self._application.on_logon(self)

    def _take_second_logon(self, message: Message, number: int) -> None:
        """A Logon in a session that is up: to an acceptor it may start the numbers anew."""
        if is_possible_duplicate(message) and number < self.store.next_in:
            self.counters["duplicates"] += 1
        elif self.config.is_initiator or message.get(141) != "Y":
            self._refuse("Logon in a session that is logged on")
        elif (refusal := self._logon_refusal(message, number)) is not None:
            self._refuse(refusal)
        else:
            self._gap.clear()
            self._resending = None
            self.store.reset()
            self._send_logon(True)
            self._count(number)
