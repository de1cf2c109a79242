"""What a client hears of its orders: ExecutionReport (8) and OrderCancelReject (9).

Always ``OrderQty = CumQty + LeavesQty``, plus what was cancelled or never accepted. The versions
differ in five ways:

=======================  ==============================  =======================================
what happened            FIX 4.2                         FIX 4.4
=======================  ==============================  =======================================
traded in part, in full  ExecType 1, 2                   ExecType F (Trade) for both
order asked for again    ExecTransType 3, ExecType as    ExecType I
                         OrdStatus
anything else            ExecTransType 0 (New)           no such field
replaced, not traded     OrdStatus 5 (Replaced)          OrdStatus 0 (New): 5 no longer exists
which trade it was       no field for it                 SecondaryExecID (``match_number``)
=======================  ==============================  =======================================

Of two states that an order is in, the standard's precedence says which is told: Filled, then
Canceled and Expired, then Partially filled, Replaced, New. What is left of an IOC, FOK or market
order is *Canceled* (4): that is how the standard wants such an order "killed". *Expired* (C)
is what the end of the session does to what still rests.

An ExecID is the run's name and a number, so that none comes twice even if the venue starts again
during the day: the client keeps them all, to know a resent execution from a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from contract.messages import Event, Side
from phase5_protocol.fix.clock import format_timestamp
from phase5_protocol.fix.decimals import average_price, to_price, to_shares
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.refusals import Refused, Why
from phase5_protocol.fix.requests import OrderRequest
from phase5_protocol.fix.tags import Tag
from phase5_protocol.match_number import match_number
from phase5_protocol.order_entry.router import RoutedOrder

#: ExecType and OrdStatus share most of their values.
NEW: Final = "0"
PARTIALLY_FILLED: Final = "1"
FILLED: Final = "2"
CANCELED: Final = "4"
REPLACED: Final = "5"
REJECTED: Final = "8"
EXPIRED: Final = "C"
TRADE: Final = "F"
ORDER_STATUS: Final = "I"

#: CxlRejResponseTo, tag 434.
TO_CANCEL: Final = "1"
TO_REPLACE: Final = "2"

#: OrderID of what never became an order, as the standard has it.
NO_ORDER_ID: Final = "NONE"

Fields = Iterable[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Change:
    """What the client (or the end of the session) wants done to an order, until it is done.

    Attributes:
        exec_type: CANCELED, REPLACED or EXPIRED.
        cl_ord_id: ClOrdID of the client's message.
        message: what the client sent; None where it is not the client who wants it.
        request: what a replace makes of the order.
    """

    exec_type: str
    cl_ord_id: str = ""
    message: Message | None = None
    request: OrderRequest | None = None


@dataclass(slots=True)
class FixOrder:
    """An order as its session knows it: quantities in lots, ``request`` as last accepted.

    Attributes:
        cl_ord_id: the last ClOrdID accepted: what the next change has to name.
        order_qty: OrderQty, which a replace may change.
        ended: OrdStatus CANCELED, REJECTED or EXPIRED once it is that; else "".
    """

    request: OrderRequest
    cl_ord_id: str
    order_qty: int
    order_id: int = 0
    traded: int = 0
    traded_value: int = 0
    leaves: int = 0
    ended: str = ""
    is_replaced: bool = False
    change: Change | None = None
    routed: RoutedOrder | None = None

    @property
    def is_live(self) -> bool:
        """Whether it can still trade or be changed."""
        return self.leaves > 0

    # --8<-- [start:status]
    def status(self, is_44: bool) -> str:
        """OrdStatus: of all that is true of the order, what takes precedence."""
        if self.ended:
            return self.ended
        if not self.leaves:
            return FILLED
        if self.traded:
            return PARTIALLY_FILLED
        return REPLACED if self.is_replaced and not is_44 else NEW

    # --8<-- [end:status]


class ReportWriter:
    """Writes one session's reports, in its version, and counts their ExecIDs."""

    def __init__(self, begin_string: str, run_id: str) -> None:
        """Write for a version.

        Args:
            begin_string: ``FIX.4.2`` or ``FIX.4.4``.
            run_id: what makes the ExecIDs others than those of any earlier run, and any
                other session.
        """
        self.is_44 = begin_string == "FIX.4.4"
        self._run_id = run_id
        self._reports = 0

    def report(
        self,
        order: FixOrder,
        exec_type: str,
        at_ns: int,
        *,
        cl_ord_id: str = "",
        orig_cl_ord_id: str = "",
        extra: Fields = (),
        text: str = "",
    ) -> Message:
        """An ExecutionReport: what just happened (``exec_type``), and how the order stands now."""
        request, status = order.request, order.status(self.is_44)
        listing = request.listing
        fields = [
            (Tag.ORDER_ID, str(order.order_id or NO_ORDER_ID)),
            (Tag.CL_ORD_ID, cl_ord_id or order.cl_ord_id),
            *_given((Tag.ORIG_CL_ORD_ID, orig_cl_ord_id)),
            *self._execution(order, exec_type, status),
            *_given((Tag.ACCOUNT, request.account)),
            (Tag.SYMBOL, listing.symbol),
            (Tag.SIDE, "1" if request.side == Side.BID else "2"),
            (Tag.ORDER_QTY, to_shares(listing, order.order_qty)),
            (Tag.ORD_TYPE, "1" if request.is_market else "2"),
            *_given((Tag.PRICE, "" if request.is_market else to_price(listing, request.price))),
            (Tag.TIME_IN_FORCE, request.time_in_force),
            *_given((Tag.EXEC_INST, "6" if request.is_post_only else "")),
            *extra,
            (Tag.LEAVES_QTY, to_shares(listing, order.leaves)),
            (Tag.CUM_QTY, to_shares(listing, order.traded)),
            (Tag.AVG_PX, average_price(listing, order.traded_value, order.traded)),
            (Tag.TRANSACT_TIME, format_timestamp(at_ns)),
            *_given((Tag.TEXT, text)),
        ]
        return Message("8", fields)

    def trade(self, order: FixOrder, event: Event, at_ns: int, *, is_maker: bool) -> Message:
        """The report of one fill, which ``order`` already includes."""
        listing = order.request.listing
        extra = [
            (Tag.LAST_QTY, to_shares(listing, event.quantity)),
            (Tag.LAST_PX, to_price(listing, event.price)),
        ]
        if self.is_44:
            extra.append((Tag.LAST_LIQUIDITY_IND, "1" if is_maker else "2"))
            extra.append((Tag.SECONDARY_EXEC_ID, str(match_number(event))))
        return self.report(order, TRADE, at_ns, extra=extra)

    def rejected(
        self, order: FixOrder, refused: Refused, at_ns: int, cl_ord_id: str = ""
    ) -> Message:
        """The report of an order that the book refused, or of a second one of a used ClOrdID.

        The latter tells how the first one stands, which is what the standard wants, under the
        ClOrdID that was used again.
        """
        extra = [(Tag.ORD_REJ_REASON, str(refused.why.order_reason(self.is_44)))]
        return self.report(
            order, REJECTED, at_ns, cl_ord_id=cl_ord_id, extra=extra, text=refused.text
        )

    def refused(self, message: Message, refused: Refused, at_ns: int) -> Message:
        """The report of an order that never became one: its own fields, and why."""
        echoed = (
            Tag.ACCOUNT,
            Tag.SYMBOL,
            Tag.SIDE,
            Tag.ORDER_QTY,
            Tag.ORD_TYPE,
            Tag.PRICE,
            Tag.TIME_IN_FORCE,
        )
        fields = [
            (Tag.ORDER_ID, NO_ORDER_ID),
            *_given((Tag.CL_ORD_ID, message.get(Tag.CL_ORD_ID) or "")),
            (Tag.EXEC_ID, self._next_exec_id()),
            *([] if self.is_44 else [(Tag.EXEC_TRANS_TYPE, "0")]),
            (Tag.EXEC_TYPE, REJECTED),
            (Tag.ORD_STATUS, REJECTED),
            (Tag.ORD_REJ_REASON, str(refused.why.order_reason(self.is_44))),
            *_given(*((tag, message.get(tag) or "") for tag in echoed)),
            (Tag.LEAVES_QTY, "0"),
            (Tag.CUM_QTY, "0"),
            (Tag.AVG_PX, "0"),
            (Tag.TRANSACT_TIME, format_timestamp(at_ns)),
            (Tag.TEXT, refused.text),
        ]
        return Message("8", fields)

    def cancel_reject(
        self, message: Message, order: FixOrder | None, refused: Refused, at_ns: int
    ) -> Message:
        """The OrderCancelReject that answers a cancel or a replace."""
        unknown = order is None or refused.why is Why.UNKNOWN_ORDER
        fields = [
            (Tag.ORDER_ID, NO_ORDER_ID if order is None or unknown else str(order.order_id)),
            *_given((Tag.CL_ORD_ID, message.get(Tag.CL_ORD_ID) or "")),
            *_given((Tag.ORIG_CL_ORD_ID, message.get(Tag.ORIG_CL_ORD_ID) or "")),
            (Tag.ORD_STATUS, REJECTED if order is None or unknown else order.status(self.is_44)),
            (Tag.TRANSACT_TIME, format_timestamp(at_ns)),
            (Tag.CXL_REJ_RESPONSE_TO, TO_CANCEL if message.msg_type == "F" else TO_REPLACE),
            (Tag.CXL_REJ_REASON, str(refused.why.cancel_reason(self.is_44))),
            (Tag.TEXT, refused.text),
        ]
        return Message("9", fields)

    def _execution(self, order: FixOrder, exec_type: str, status: str) -> Fields:
        """ExecID, ExecTransType, ExecType and OrdStatus, where the versions differ most."""
        is_status = exec_type == ORDER_STATUS
        yield Tag.EXEC_ID, "0" if is_status else self._next_exec_id()
        if not self.is_44:
            yield Tag.EXEC_TRANS_TYPE, "3" if is_status else "0"
            if is_status:
                exec_type = status
            elif exec_type == TRADE:
                exec_type = PARTIALLY_FILLED if order.leaves else FILLED
        yield Tag.EXEC_TYPE, exec_type
        yield Tag.ORD_STATUS, status

    def _next_exec_id(self) -> str:
        self._reports += 1
        return f"{self._run_id}-{self._reports}"


def _given(*fields: tuple[int, str]) -> Fields:
    """Those fields that have a value: FIX knows no empty one."""
    return (field for field in fields if field[1])
