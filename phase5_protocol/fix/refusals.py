"""Why an order, a cancel or a replace is refused, in the numbers of FIX 4.2 and 4.4.

What is wrong with an *order* is answered with ExecutionReport (OrdRejReason), with a *change* of
one by OrderCancelReject (CxlRejReason). FIX 4.2 has few numbers, so that much is "exchange option",
and the text has to say the rest; 4.4 knows some more.
"""

from __future__ import annotations

from enum import Enum

from contract.messages import Event, Reason
from phase5_protocol.fix.application import BusinessReject
from phase5_protocol.fix.reasons import BusinessRejectReason


class Why(Enum):
    """One reason; the values are OrdRejReason and CxlRejReason in 4.2 and in 4.4."""

    UNKNOWN_SYMBOL = ((1, 1), (2, 99), "unknown symbol")
    UNKNOWN_ORDER = ((5, 5), (1, 1), "unknown order")
    TOO_LATE = ((4, 4), (0, 0), "too late")
    DUPLICATE = ((6, 6), (2, 6), "duplicate ClOrdID")
    UNSUPPORTED = ((0, 11), (2, 99), "not supported")
    QUANTITY = ((0, 13), (2, 99), "incorrect quantity")
    PRICE = ((0, 99), (2, 99), "incorrect price")
    ACCOUNT = ((0, 15), (2, 99), "unknown account")
    WOULD_CROSS = ((0, 0), (2, 2), "it would trade, and is post only")
    FULL = ((0, 0), (2, 2), "no room for more orders")
    OTHER = ((0, 99), (2, 99), "refused")

    @property
    def text(self) -> str:
        """The reason in words, where there is nothing better to say."""
        return self.value[2]

    def order_reason(self, is_44: bool) -> int:
        """OrdRejReason, tag 103."""
        return self.value[0][is_44]

    def cancel_reason(self, is_44: bool) -> int:
        """CxlRejReason, tag 102."""
        return self.value[1][is_44]


class Refused(Exception):
    """A request that we understand and do not carry out."""

    def __init__(self, why: Why, text: str = "") -> None:
        super().__init__(text or why.text)
        self.why = why
        self.text = text or why.text


_OF_THE_BOOK = {
    Reason.UNKNOWN_ORDER: Why.TOO_LATE,
    Reason.INVALID_QUANTITY: Why.QUANTITY,
    Reason.INVALID_PRICE: Why.PRICE,
    Reason.INVALID_COMMAND: Why.UNSUPPORTED,
    Reason.WOULD_CROSS: Why.WOULD_CROSS,
    Reason.BOOK_FULL: Why.FULL,
    Reason.UNKNOWN_INSTRUMENT: Why.UNKNOWN_SYMBOL,
}


def of_event(event: Event) -> Refused:
    """Why the book said no."""
    return Refused(_OF_THE_BOOK.get(Reason(event.reason), Why.OTHER))


def missing(tag: int, when: str, cl_ord_id: str) -> BusinessReject:
    """A field is missing that the standard asks for only with some values of others."""
    return BusinessReject(
        BusinessRejectReason.REQUIRED_FIELD_MISSING, f"tag {tag} is needed {when}", cl_ord_id
    )
