from __future__ import annotations

from dataclasses import replace

import pytest

from phase5_protocol.fix.application import (
    BusinessReject,
    FieldReject,
    NotLoggedOnError,
    SessionConfig,
)
from phase5_protocol.fix.clock import ManualClock, format_timestamp
from phase5_protocol.fix.line import RESEND_BACKLOG
from phase5_protocol.fix.message import MAX_MESSAGE, Message, decode, encode
from phase5_protocol.fix.outbox import Outbox
from phase5_protocol.fix.pair import Pair, Recorder, inject, last, up
from phase5_protocol.fix.session import Session, State
from phase5_protocol.fix.store import MemoryStore, StoreError


def order(pair: Pair) -> list[tuple[int, str]]:
    now = format_timestamp(pair.clock.wall_ns())
    return [(11, "x"), (21, "1"), (55, "I"), (54, "1"), (60, now), (38, "1"), (40, "1")]


def test_a_day() -> None:
    """Logon, messages both ways, Logout: if this fails, look here first."""
    pair = up()
    pair.initiator.say("hello")
    pair.acceptor.say("welcome")
    pair.settle()
    pair.initiator.session.logout("good night")
    pair.settle()
    assert pair.acceptor.application.texts() == ["hello"]
    assert pair.initiator.application.texts() == ["welcome"]
    for side in pair.sides:
        assert side.application.calls == ["logon", "logout"]
        assert (side.store.next_in, side.store.next_out) == (4, 4)
        assert side.session.state is State.DISCONNECTED
    assert pair.acceptor.session.last_end == "they logged out: good night"


def test_what_is_sent_while_down_comes_at_the_next_logon() -> None:
    """An execution while the client is away must not be lost: it is asked for, and marked."""
    pair = Pair()
    pair.acceptor.say("filled")
    pair.initiator.say("early")
    pair.connect()
    pair.initiator.say("while logging on")
    pair.settle()
    assert pair.initiator.application.texts() == ["filled"]
    assert pair.acceptor.application.texts() == ["early", "while logging on"]
    (filled,) = pair.initiator.application.messages
    assert filled.get(43) == "Y"
    assert filled.get(122) is not None


def test_what_an_initiator_sends_while_it_waits_goes_out_with_the_logon() -> None:
    """Numbered and stored, but never written, it would come a heartbeat late."""
    pair = Pair()
    pair.connect()
    pair.initiator.say("while logging on")
    pair.settle()
    assert pair.acceptor.application.texts() == ["while logging on"]
    assert pair.acceptor.session.counters["resend requests"] == 0


def test_nothing_is_sent_that_the_next_logon_would_erase() -> None:
    """An order stored, numbered, and thrown away by the reset: nobody would ever hear of it."""
    pair = Pair()
    side = pair.initiator
    side.config = replace(side.config, reset_on_logon=True)
    side.boot(MemoryStore())
    with pytest.raises(NotLoggedOnError, match="is disconnected"):
        side.say("before")
    pair.connect()
    with pytest.raises(NotLoggedOnError, match="is logging on"):
        side.say("meanwhile")
    pair.settle()
    side.say("up")
    pair.settle()
    side.session.logout()
    with pytest.raises(NotLoggedOnError, match="is logging out"):
        side.say("after")
    assert pair.acceptor.application.texts() == ["up"]
    assert side.store.next_out == 4


class Listener(Recorder):
    """A recorder that hears of Rejects."""

    def __init__(self) -> None:
        super().__init__()
        self.rejects: list[Message] = []

    def on_reject(self, session: Session, message: Message) -> None:
        """Remember."""
        self.rejects.append(message)


def test_an_application_can_hear_of_rejects() -> None:
    """An order that the other side could not read, and a client that waits for its report."""
    pair = Pair()
    side = pair.initiator
    side.application = listener = Listener()
    side.boot(MemoryStore())
    pair.connect()
    pair.settle()
    number = side.session.send(Message("D", [(11, "x")]))
    # The other side has no such listener: it must do without.
    pair.acceptor.session.send(Message("D", [(11, "y")]))
    pair.settle()
    (heard,) = listener.rejects
    assert (heard.get(45), heard.get(372)) == (str(number), "D")
    for each in pair.sides:
        assert each.session.counters["rejects received"] == 1
        assert each.session.is_up


def test_garbled_messages_take_no_number() -> None:
    """Counting a garbled message would make the next good one look like a duplicate."""
    pair = up()
    pair.initiator.say("one")
    pair.initiator.say("two")
    data = pair.initiator.wire.data
    data[30] ^= 1
    pair.settle()
    assert pair.acceptor.session.counters["garbled"] == 1
    assert pair.acceptor.session.counters["resend requests"] == 1
    assert pair.acceptor.application.texts() == ["one", "two"]


def test_orders_gone_stale_are_not_sent_again() -> None:
    """An order for the price of ten minutes ago, executed now, is a loss that nobody ordered."""
    pair = Pair()
    pair.initiator.session.send(Message("D", order(pair)))
    pair.initiator.say("news keep")
    pair.clock.advance(61)
    pair.initiator.session.send(Message("D", order(pair)))
    pair.connect()
    pair.settle()
    assert [message.msg_type for message in pair.acceptor.application.messages] == ["j", "D"]
    assert pair.acceptor.store.next_in == 5


def test_admin_messages_are_never_sent_again() -> None:
    """An old TestRequest or Logout sent again would be answered, or end the session."""
    pair = up()
    pair.acceptor.session.store.set_next_in(1)
    for _ in range(3):
        pair.pass_time(5)
        pair.settle()
    pair.initiator.say("x")
    pair.settle()
    again = [message for message in pair.initiator.wire.written if message.get(43) == "Y"]
    assert {message.msg_type for message in again} <= {"4", "j"}
    assert pair.acceptor.application.texts() == ["x"]


def test_what_is_too_long_to_be_read_is_sent_again_all_the_same() -> None:
    """An answer that repeats a long field, longer than what we take: once stored, it ended every
    connection that asked for it."""
    config, store = SessionConfig("FIX.4.4", "US", "THEM"), MemoryStore()
    outbox = Outbox(config, store, ManualClock())
    outbox.post(Message("j", [(58, "x" * MAX_MESSAGE), (372, "D"), (380, "0")]))
    ((number, data),) = outbox.resend(1, 1)
    again = decode(data, 2 * MAX_MESSAGE)
    assert (number, again.get(43), again.get(58)) == (1, "Y", "x" * MAX_MESSAGE)


def test_only_one_request_for_a_gap() -> None:
    """Each message behind a gap asking for all of it again is a storm."""
    pair = up()
    for number in range(5, 105):
        inject(pair, pair.acceptor, "0", number=number)
    assert pair.acceptor.session.counters["resend requests"] == 1


def test_the_next_gap_is_asked_for_at_once() -> None:
    """A session that asks for its first gap only would wait a heartbeat for each one after it."""
    pair = up()
    for _ in range(3):
        pair.initiator.say("lost")
        pair.initiator.wire.data.clear()
        pair.initiator.say("behind")
        pair.settle()
    assert pair.acceptor.application.texts() == ["lost", "behind"] * 3
    assert pair.acceptor.session.counters["resend requests"] == 3


def test_a_gap_that_is_not_filled_is_asked_for_again() -> None:
    """A request or its answer may be lost on the other side: nobody must wait for it for ever."""
    pair = up()
    inject(pair, pair.acceptor, "0", number=5)
    for _ in range(5):
        pair.pass_time(1)
        inject(pair, pair.acceptor, "0", number=6)
    assert pair.acceptor.session.counters["resend requests"] == 2


def test_more_held_back_than_fits() -> None:
    """A peer that floods us behind a gap must cost a bounded amount of memory, and no message."""
    pair = up(max_pending=3)
    for number in range(10):
        pair.initiator.say(str(number))
    first = pair.initiator.wire.data.index(b"8=FIX", 1)
    del pair.initiator.wire.data[:first]
    pair.settle()
    assert pair.acceptor.application.texts() == [str(number) for number in range(10)]


def test_a_resend_waits_for_a_slow_reader() -> None:
    """A day's messages written at once would have the connection cut as a slow consumer, again
    and again at the same place."""
    pair = Pair()
    count = 4000
    for number in range(count):
        pair.acceptor.say(f"{number}: {'x' * 100}")
    pair.connect()
    most = 0
    while sum(pair.carry(side, 50_000) for side in pair.sides):
        most = max(most, pair.acceptor.wire.backlog())
        pair.acceptor.session.pump()
    assert len(pair.initiator.application.messages) == count
    assert most < RESEND_BACKLOG + 1000


def test_a_request_within_a_resend() -> None:
    """A second request must not make the rest of the first be forgotten."""
    pair = up()
    for number in range(50):
        pair.acceptor.say(f"{number}")
    pair.acceptor.wire.stuck = RESEND_BACKLOG
    inject(pair, pair.acceptor, "2", (7, "2"), (16, "0"))
    inject(pair, pair.acceptor, "2", (7, "40"), (16, "41"))
    before = len(pair.acceptor.wire.written)
    pair.acceptor.wire.stuck = 0
    pair.acceptor.wire.data.clear()
    pair.acceptor.session.pump()
    again = [message.get(34) for message in pair.acceptor.wire.written[before:]]
    assert again == [str(number) for number in range(2, 52)]


@pytest.mark.parametrize("request_", [("0", "0"), ("5", "3"), ("999", "0")])
def test_a_request_for_what_cannot_be(request_: tuple[str, str]) -> None:
    """A range upside down, or of the future, must be refused and not looped over."""
    pair = up()
    inject(pair, pair.acceptor, "2", (7, request_[0]), (16, request_[1]))
    assert last(pair.acceptor).msg_type == "3"
    assert last(pair.acceptor).get(373) == "5"
    assert pair.acceptor.session.is_up


def test_the_number_counts_after_the_application() -> None:
    """Counting a message before the application had it loses it if the process dies between."""
    pair = up()
    seen = []
    pair.acceptor.application.answer = lambda session, _: seen.append(session.store.next_in)
    pair.initiator.say("x")
    pair.settle()
    assert seen == [2]
    assert pair.acceptor.store.next_in == 3


def test_an_application_that_fails_gets_the_message_again() -> None:
    """A bug in an application must be seen, and must not lose the message it failed on."""
    pair = up()

    def fail(session: Session, message: Message) -> None:
        raise ZeroDivisionError

    pair.acceptor.application.answer = fail
    pair.initiator.say("x")
    with pytest.raises(ZeroDivisionError):
        pair.settle()
    pair.cut()
    pair.acceptor.application.answer = None
    pair.connect()
    pair.settle()
    assert pair.acceptor.application.texts() == ["x", "x"]
    assert pair.acceptor.application.messages[1].get(43) == "Y"


@pytest.mark.parametrize("version", ["FIX.4.2", "FIX.4.4"])
def test_rejects_of_the_application(version: str) -> None:
    """A refusal by the application must name the message, the field and the reason it gave."""
    pair = up(version)

    def refuse(session: Session, message: Message) -> None:
        if message.get(58) == "business":
            raise BusinessReject(2, "no such thing", "id7")
        raise FieldReject(58, 13, "twice")

    pair.acceptor.application.answer = refuse
    pair.initiator.say("business")
    pair.settle()
    assert last(pair.acceptor).msg_type == "j"
    assert last(pair.acceptor).fields[4:] == [
        (45, "2"), (58, "no such thing"), (372, "j"), (379, "id7"), (380, "2"),
    ]  # fmt: skip
    pair.acceptor.application.answer = refuse
    pair.initiator.say("field")
    pair.settle()
    reject = pair.acceptor.wire.written[-1]
    assert (reject.msg_type, reject.get(45), reject.get(371)) == ("3", "3", "58")
    # FIX 4.2 has no number for this reason.
    assert reject.get(373) == (None if version == "FIX.4.2" else "13")
    assert pair.acceptor.store.next_in == 4


def test_a_type_that_is_defined_but_not_ours() -> None:
    """A MarketDataRequest is valid FIX: it is unsupported, and not invalid."""
    pair = up()
    inject(pair, pair.acceptor, "V", (262, "x"))
    assert last(pair.acceptor).msg_type == "j"
    assert last(pair.acceptor).get(380) == "3"
    inject(pair, pair.acceptor, "??")
    assert last(pair.acceptor).msg_type == "3"
    assert last(pair.acceptor).get(373) == "11"


def test_a_message_without_a_number() -> None:
    """Without MsgSeqNum nothing is known of a message, not even whether it is new."""
    pair = up()
    data = encode(Message("0", [(49, "US"), (56, "THEM")], "FIX.4.4"))
    pair.acceptor.session.receive(data)
    assert last(pair.acceptor).get(58) == "Required tag missing (34)"
    assert pair.acceptor.wire.is_closed


def test_a_second_logon() -> None:
    """A Logon in the middle is a confused peer, not a new session."""
    pair = up()
    inject(pair, pair.acceptor, "A", (98, "0"), (108, "30"))
    assert pair.acceptor.wire.is_closed
    pair = up()
    inject(pair, pair.acceptor, "A", (98, "0"), (108, "30"), (43, "Y"), (122, "x"), number=1)
    assert pair.acceptor.session.is_up


def test_a_logout_of_yesterday() -> None:
    """A Logout that is sent again as a possible duplicate must not end the session of today."""
    pair = up()
    inject(pair, pair.acceptor, "5", (43, "Y"), number=1)
    assert pair.acceptor.session.is_up


def test_a_gap_fill_backwards() -> None:
    """A gap fill to where we are already would have us wait for the same number again."""
    pair = up()
    inject(pair, pair.acceptor, "4", (36, "2"), (123, "Y"))
    assert last(pair.acceptor).get(371) == "36"
    assert pair.acceptor.store.next_in == 3


def test_nothing_is_written_that_could_not_be_stored() -> None:
    """A message out on the wire and not in the store is sent again as another one."""
    pair = up()
    before = bytes(pair.acceptor.wire.data)

    def full(data: bytes) -> None:
        raise StoreError("disk full")

    pair.acceptor.store.save_sent = full  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        pair.acceptor.say("x")
    assert bytes(pair.acceptor.wire.data) == before


def test_an_old_connection_cannot_end_a_new_one() -> None:
    """News of a lost connection may come late, when there is another already."""
    pair = up()
    old = pair.acceptor.wire
    pair.cut()
    pair.connect()
    pair.settle()
    pair.acceptor.session.disconnected(old)
    assert pair.acceptor.session.is_up
