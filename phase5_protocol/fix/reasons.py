"""Why a message is refused: the numbers of the protocol, and the words that go with them.

A message that breaks the rules of the *session* (a field that does not belong, a value that cannot
be) is answered with Reject, 35=3, and a :class:`SessionRejectReason`. One that keeps them, but that
the *application* cannot serve, is answered with BusinessMessageReject, 35=j, and a
:class:`BusinessRejectReason`. Bytes that are no message at all (:class:`Garbled`) are not answered:
their sequence number cannot be trusted, so that it is left for the next gap to ask for them again.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final


class SessionRejectReason(IntEnum):
    """Values of SessionRejectReason, tag 373. FIX 4.2 knows those up to 11."""

    INVALID_TAG = 0
    REQUIRED_TAG_MISSING = 1
    TAG_NOT_DEFINED_FOR_MESSAGE = 2
    UNDEFINED_TAG = 3
    TAG_WITHOUT_VALUE = 4
    VALUE_INCORRECT = 5
    INCORRECT_DATA_FORMAT = 6
    DECRYPTION_PROBLEM = 7
    SIGNATURE_PROBLEM = 8
    COMP_ID_PROBLEM = 9
    SENDING_TIME_ACCURACY = 10
    INVALID_MSG_TYPE = 11
    XML_VALIDATION = 12
    TAG_REPEATED = 13
    TAG_OUT_OF_ORDER = 14
    GROUP_OUT_OF_ORDER = 15
    INCORRECT_GROUP_COUNT = 16
    FIELD_DELIMITER_IN_VALUE = 17
    OTHER = 99

    @property
    def text(self) -> str:
        """What stands in Text, tag 58, beside the number."""
        return _SESSION_TEXTS[self]


class BusinessRejectReason(IntEnum):
    """Values of BusinessRejectReason, tag 380. FIX 4.2 knows those up to 5."""

    OTHER = 0
    UNKNOWN_ID = 1
    UNKNOWN_SECURITY = 2
    UNSUPPORTED_MESSAGE_TYPE = 3
    APPLICATION_NOT_AVAILABLE = 4
    REQUIRED_FIELD_MISSING = 5
    NOT_AUTHORIZED = 6
    DELIVER_TO_NOT_AVAILABLE = 7


class Garbled(Enum):
    """Why bytes are no message; each is counted under its name."""

    NO_BEGIN_STRING = "bytes before a BeginString"
    BAD_BEGIN_STRING = "a BeginString too long, or without an end"
    BAD_BODY_LENGTH = "BodyLength is not the second field, not a number, or beyond the limit"
    WRONG_BODY_LENGTH = "CheckSum is not where BodyLength says that it is"
    WRONG_CHECKSUM = "the sum of the bytes is another"
    NO_MSG_TYPE = "MsgType is not the third field, or empty"
    BAD_FIELD = "a field is not a number, an equals sign and a value"
    TOO_MANY_FIELDS = "more fields than the limit"
    CUT_OFF = "the connection ended within a message"


_SESSION_TEXTS: Final = {
    SessionRejectReason.INVALID_TAG: "Invalid tag number",
    SessionRejectReason.REQUIRED_TAG_MISSING: "Required tag missing",
    SessionRejectReason.TAG_NOT_DEFINED_FOR_MESSAGE: "Tag not defined for this message type",
    SessionRejectReason.UNDEFINED_TAG: "Undefined tag",
    SessionRejectReason.TAG_WITHOUT_VALUE: "Tag specified without a value",
    SessionRejectReason.VALUE_INCORRECT: "Value is incorrect (out of range) for this tag",
    SessionRejectReason.INCORRECT_DATA_FORMAT: "Incorrect data format for value",
    SessionRejectReason.DECRYPTION_PROBLEM: "Decryption problem",
    SessionRejectReason.SIGNATURE_PROBLEM: "Signature problem",
    SessionRejectReason.COMP_ID_PROBLEM: "CompID problem",
    SessionRejectReason.SENDING_TIME_ACCURACY: "SendingTime accuracy problem",
    SessionRejectReason.INVALID_MSG_TYPE: "Invalid MsgType",
    SessionRejectReason.XML_VALIDATION: "XML validation error",
    SessionRejectReason.TAG_REPEATED: "Tag appears more than once",
    SessionRejectReason.TAG_OUT_OF_ORDER: "Tag specified out of required order",
    SessionRejectReason.GROUP_OUT_OF_ORDER: "Repeating group fields out of order",
    SessionRejectReason.INCORRECT_GROUP_COUNT: "Incorrect NumInGroup count for repeating group",
    SessionRejectReason.FIELD_DELIMITER_IN_VALUE: "Non-data value includes field delimiter",
    SessionRejectReason.OTHER: "Other",
}
