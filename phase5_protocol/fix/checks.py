"""What every message of a session must be, whatever its type: from them, to us, of now."""

from __future__ import annotations

from typing import Final

from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.clock import SECOND_NS, parse_timestamp
from phase5_protocol.fix.dictionary import Problem
from phase5_protocol.fix.formats import count_of
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.reasons import SessionRejectReason as Reason

#: What a message was routed by, and what its answer is routed back by.
_REVERSE_ROUTE: Final = ((115, 128), (116, 129), (128, 115), (129, 116), (144, 145), (145, 144))


def sequence_number(message: Message) -> int | None:
    """MsgSeqNum, or None if it is missing or no number."""
    return count_of(message.get(34) or "")


def is_possible_duplicate(message: Message) -> bool:
    """Whether PossDupFlag is set."""
    return message.get(43) == "Y"


def identity_problem(config: SessionConfig, message: Message, wall_ns: int) -> Problem | None:
    """Not from them, not to us, or not of now. Fields that are missing are not looked at here."""
    sender, target = message.get(49), message.get(56)
    if (sender and sender != config.target_comp_id) or (target and target != config.sender_comp_id):
        return Problem(None, Reason.COMP_ID_PROBLEM)
    sent = parse_timestamp(message.get(52) or "")
    if sent is not None and abs(wall_ns - sent) > config.sending_time_s * SECOND_NS:
        return Problem(None, Reason.SENDING_TIME_ACCURACY)
    return None


def duplicate_problem(message: Message) -> Problem | None:
    """A PossDup message that does not say when it was first sent, or says: after this time.

    A SequenceReset is excused from saying it: it was not sent before.
    """
    if not is_possible_duplicate(message):
        return None
    original = message.get(122)
    if original is None:
        return None if message.msg_type == "4" else Problem(122, Reason.REQUIRED_TAG_MISSING)
    first, again = parse_timestamp(original), parse_timestamp(message.get(52) or "")
    if first is not None and again is not None and first > again:
        return Problem(None, Reason.SENDING_TIME_ACCURACY)
    return None


def reverse_route(message: Message) -> list[tuple[int, str]]:
    """The routing fields of an answer: on behalf of whom it was, there it is to be delivered."""
    fields = ((back, message.get(tag)) for tag, back in _REVERSE_ROUTE)
    return [(tag, value) for tag, value in fields if value]


def reject(message: Message, problem: Problem, text: str = "") -> Message:
    """The Reject, 35=3, that answers a message."""
    fields = reverse_route(message)
    fields.append((45, message.get(34) or "0"))
    fields.append((58, text or problem.reason.text))
    if problem.tag is not None:
        fields.append((371, str(problem.tag)))
    fields.append((372, message.msg_type))
    # FIX 4.2 has numbers for the first twelve reasons only.
    if problem.reason <= Reason.INVALID_MSG_TYPE or message.begin_string != "FIX.4.2":
        fields.append((373, str(int(problem.reason))))
    return Message("3", fields)


def business_reject(message: Message, reason: int, text: str, ref_id: str = "") -> Message:
    """The BusinessMessageReject, 35=j, that answers a message."""
    fields = reverse_route(message)
    fields.append((45, message.get(34) or "0"))
    if text:
        fields.append((58, text))
    fields.append((372, message.msg_type))
    if ref_id:
        fields.append((379, ref_id))
    fields.append((380, str(reason)))
    return Message("j", fields)
