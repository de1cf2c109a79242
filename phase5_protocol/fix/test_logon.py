"""How sessions begin and end, and what silence means."""

from __future__ import annotations

import math
import re

import pytest

from contract.errors import ConfigurationError
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.pair import Pair, inject, last, up


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({98: "1"}, "EncryptMethod"),
        ({108: "0"}, "HeartBtInt"),
        ({108: "3601"}, "HeartBtInt"),
        ({108: "x"}, r"Incorrect data format for value \(108\)"),
        ({141: "Y"}, "MsgSeqNum must be 1"),
        ({34: "2"}, "MsgSeqNum too low, expecting 3 but received 2"),
        ({9999: "1"}, r"Invalid tag number \(9999\)"),
        ({34: "x"}, ""),
        ({49: "WHO"}, ""),
        ({56: "WHO"}, ""),
        ({52: "20010101-00:00:00"}, ""),
    ],
)
def test_logons_refused(fields: dict[int, str], why: str) -> None:
    """Who is who he should be is told what is wrong; who is not, is told nothing."""
    pair = Pair()
    pair.acceptor.store.set_next_in(3)
    pair.connect()
    pair.initiator.wire.data.clear()
    inject(pair, pair.acceptor, "A", *({98: "0", 108: "30"} | fields).items())
    assert pair.acceptor.wire.is_closed
    assert pair.acceptor.store.next_in == 3
    assert not pair.acceptor.application.calls
    if why:
        assert last(pair.acceptor).msg_type == "5"
        assert re.search(why, last(pair.acceptor).get(58) or "")
    else:
        assert not pair.acceptor.wire.written


def test_an_initiator_is_refused() -> None:
    """The words of a refusal are all that the operator has to go by."""
    pair = Pair()
    pair.acceptor.store.set_next_in(9)
    pair.connect()
    pair.settle()
    assert "expecting 9 but received 1" in pair.initiator.session.last_end
    assert pair.initiator.store.next_in == 2


def test_numbers_start_anew() -> None:
    """A reset that only one side makes ends in 'too low' at the next logon."""
    pair = up()
    pair.initiator.say("old")
    pair.settle()
    pair.cut()
    config = SessionConfig("FIX.4.4", "US", "THEM", is_initiator=True, reset_on_logon=True)
    pair.initiator.config = config
    pair.initiator.boot(pair.initiator.store)
    pair.connect()
    pair.settle()
    assert all((side.store.next_in, side.store.next_out) == (2, 2) for side in pair.sides)
    pair.acceptor.say("new")
    pair.settle()
    assert pair.initiator.application.texts() == ["new"]


def test_silence() -> None:
    """A dead peer must be noticed: asked after 1.2 intervals, given up after 2.4."""
    pair = up()
    for _ in range(5):
        pair.pass_time(5)
        pair.settle()
    assert pair.acceptor.session.counters["timeouts"] == 0
    ends: list[int] = []
    for tenths in range(200):
        pair.clock.advance(0.1)
        pair.acceptor.session.tick()
        types = [message.msg_type for message in pair.acceptor.wire.written]
        if "1" in types and not ends:
            ends.append(tenths)
        if not pair.acceptor.session.is_connected:
            ends.append(tenths)
            break
    assert ends == [59, 119]
    assert pair.acceptor.session.counters["timeouts"] == 1


@pytest.mark.parametrize("is_initiator", [True, False])
def test_a_logon_or_logout_that_does_not_come(is_initiator: bool) -> None:
    """Somebody who connects and says nothing must not hold the session for ever."""
    pair = Pair()
    pair.connect()
    side = pair.initiator if is_initiator else pair.acceptor
    pair.clock.advance(10)
    side.session.tick()
    assert side.wire.is_closed
    pair = up()
    side = pair.initiator if is_initiator else pair.acceptor
    side.session.logout()
    pair.clock.advance(2)
    side.session.tick()
    assert side.wire.is_closed
    assert side.application.calls == ["logon", "logout"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("heartbeat_s", 0),
        ("heartbeat_s", 1.5),
        ("heartbeat_s", math.nan),
        ("heartbeat_s", True),
        ("max_heartbeat_s", 0),
        ("logon_timeout_s", math.nan),
        ("logout_timeout_s", -0.1),
        ("sending_time_s", math.nan),
        ("stale_after_s", "60"),
    ],
)
def test_times_refused(name: str, value: object) -> None:
    """A timeout that is NaN never comes; a heartbeat of 1.5 is in a Logon that nobody reads."""
    with pytest.raises(ConfigurationError, match=f"^{name} is {re.escape(repr(value))}, not"):
        SessionConfig("FIX.4.4", "VENUE", "A", **{name: value})  # type: ignore[arg-type]
