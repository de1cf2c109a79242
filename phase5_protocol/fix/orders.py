"""Order entry over FIX: what a client sends goes to the books, what happens there goes to it.

::

    D NewOrderSingle              ─▶ NEW      ─▶ ExecutionReport: New, Trade, Canceled, Rejected
    F OrderCancelRequest          ─▶ CANCEL   ─▶ ExecutionReport Canceled,  or OrderCancelReject
    G OrderCancelReplaceRequest   ─▶ REPLACE  ─▶ ExecutionReport Replaced,  or OrderCancelReject
    any other                                 ─▶ BusinessMessageReject

What a client names its orders by:

- ClOrdID is the client's name for a *request*. D gives the order its first; an F or G that is
  carried out gives it another, and names the one before in OrigClOrdID. Only the latest will do, so
  that two changes that cross on the wire cannot both be meant for the same state of the order. A
  request that was refused leaves the chain as it was.
- A ClOrdID that the session has used is not used again: a second D is refused, a second F or G as
  well. With PossResend the client asks instead of orders: it is told how the order stands, and
  nothing is done twice.
- Orders belong to the session, not to the connection: a session sees and changes only its own,
  and they stay when it disconnects, unless it is set up otherwise. Reports go through
  ``session.send`` all the same, which keeps them until the client asks for what it missed.

OrderQty in G is the *total* quantity, traded or not; the book wants the open one. A total that is
at or below CumQty takes off what is open: Replaced and Filled, with OrderQty = CumQty.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from contract.messages import Event, EventKind, Reason
from phase5_protocol.fix.application import BusinessReject
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.reasons import BusinessRejectReason
from phase5_protocol.fix.refusals import Refused, Why, of_event
from phase5_protocol.fix.reports import (
    CANCELED,
    EXPIRED,
    FILLED,
    NEW,
    ORDER_STATUS,
    REJECTED,
    REPLACED,
    Change,
    FixOrder,
    ReportWriter,
)
from phase5_protocol.fix.requests import (
    ClientSettings,
    OrderRequest,
    read_cl_ord_id,
    read_order,
    read_side,
)
from phase5_protocol.fix.tags import Tag
from phase5_protocol.listing import Listing, with_books
from phase5_protocol.order_entry.router import OrderRouter, RoutedOrder

if TYPE_CHECKING:
    from phase5_protocol.fix.session import Session

_CANCEL_TEXTS: Final = {
    Reason.IOC: "nothing left to trade with: what is left is cancelled",
    Reason.FOK: "it cannot be filled at once, and is killed",
    Reason.SELF_TRADE: "it would trade with an order of the same account",
    Reason.MASS_CANCEL: "all orders of the account are cancelled",
}
_ENDINGS: Final = {
    FILLED: "filled",
    CANCELED: "cancelled",
    REJECTED: "rejected",
    EXPIRED: "expired",
}


class FixOrders:
    """The application behind FIX sessions, in front of the router. Single-threaded, like it."""

    def __init__(
        self,
        router: OrderRouter,
        listings: Iterable[Listing],
        *,
        run_id: str,
        settings: Mapping[str, ClientSettings] | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        """Start without orders.

        Args:
            router: where the books are.
            listings: what the symbols stand for.
            run_id: begins every ExecID; no other run of the venue may have had it.
            settings: for each session, by the name of its ``SessionConfig``.
            clock_ns: stamps the refusals; what the books say carries their own time.
            on_failure: hears that a report could not be stored. The book is then ahead of what its
                clients know, and the venue should not go on.

        Raises:
            ConfigurationError: the listings are not those of the router's books.
        """
        self._router = router
        self._listings = with_books(listings, router.books)
        self._run_id = run_id
        self._settings = dict(settings or {})
        self._clock_ns = clock_ns
        self._on_failure = on_failure
        self._clients: dict[str, _Client] = {}

    def on_logon(self, session: Session) -> None:
        """Hear that a session is up."""
        self._client(session)

    def on_logout(self, session: Session) -> None:
        """Hear that a session is down: its orders stay, unless it is set up otherwise."""
        client = self._client(session)
        if client.settings.cancel_on_disconnect:
            self._router.cancel_all(client)

    def on_message(self, session: Session, message: Message) -> None:
        """Carry out a request, or send the refusal.

        Raises:
            BusinessReject: a type of message that is no order, or a field missing that it needs.
            FieldReject: a field that the dictionary does not know, and that is wrong.
        """
        client = self._client(session)
        if message.msg_type == "D":
            client.enter(message)
        elif message.msg_type in ("F", "G"):
            client.change(message)
        else:
            raise BusinessReject(
                BusinessRejectReason.UNSUPPORTED_MESSAGE_TYPE,
                f"{message.msg_type} is not one of D, F and G",
            )

    def expire_all(self) -> int:
        """End the session of trading: take off what still rests, GTC as well; returns how many.

        The books are in memory: an order that a client believes to be live after the process is
        gone would be worse than one that is not.
        """
        count = 0
        for client in self._clients.values():
            for order in client.live_orders():
                client.expire(order)
                count += 1
        return count

    def orders(self, session: Session) -> list[FixOrder]:
        """The live orders of a session."""
        return self._client(session).live_orders()

    def _client(self, session: Session) -> _Client:
        name = session.config.name
        client = self._clients.get(name)
        if client is None:
            writer = ReportWriter(
                session.config.begin_string, f"{self._run_id}-{len(self._clients) + 1}"
            )
            settings = self._settings.get(name, ClientSettings())
            client = _Client(session, settings, writer, self._router, self._listings)
            client.clock_ns, client.on_failure = self._clock_ns, self._on_failure
            self._clients[name] = client
        client.session = session
        return client


class _Client:
    """A session's orders, by every ClOrdID that they had."""

    def __init__(
        self,
        session: Session,
        settings: ClientSettings,
        writer: ReportWriter,
        router: OrderRouter,
        listings: Mapping[str, Listing],
    ) -> None:
        self.session = session
        self.settings = settings
        self.clock_ns: Callable[[], int] = time.time_ns
        self.on_failure: Callable[[Exception], None] | None = None
        self._writer = writer
        self._router = router
        self._listings = listings
        self._orders: dict[str, FixOrder] = {}

    def live_orders(self) -> list[FixOrder]:
        """Those that can still trade."""
        return [
            order
            for name, order in self._orders.items()
            if order.is_live and name == order.cl_ord_id
        ]

    def enter(self, message: Message) -> None:
        """NewOrderSingle."""
        try:
            cl_ord_id = read_cl_ord_id(message)
            if self._is_repeated(cl_ord_id, message):
                return
            request = read_order(message, self._listings, self.settings)
            self._check_room()
        except Refused as refused:
            self.session.send(self._writer.refused(message, refused, self.clock_ns()))
            return
        order = FixOrder(request, cl_ord_id, request.quantity)
        self._orders[cl_ord_id] = order
        self._router.enter(self, order, request.command())

    def change(self, message: Message) -> None:
        """OrderCancelRequest and OrderCancelReplaceRequest."""
        order = self._orders.get(message.get(Tag.ORIG_CL_ORD_ID) or "")
        try:
            cl_ord_id = read_cl_ord_id(message)
            known = self._orders.get(cl_ord_id)
            if known is not None:
                if message.get(Tag.POSS_RESEND) == "Y":
                    self._send_status(known)
                    return
                raise Refused(Why.DUPLICATE)
            order = self._changeable(order, message)
            if message.msg_type == "F":
                change = Change(CANCELED, cl_ord_id, message)
            else:
                self._check_room()
                wanted = self._replacement(order, message)
                change = Change(REPLACED, cl_ord_id, message, wanted)
        except Refused as refused:
            reject = self._writer.cancel_reject(message, order, refused, self.clock_ns())
            self.session.send(reject)
            return
        self._carry_out(order, change)

    def expire(self, order: FixOrder) -> None:
        """Take a live order off the book, because the session of trading ends."""
        self._carry_out(order, Change(EXPIRED))

    # --8<-- [start:on_event]
    def on_event(self, routed: RoutedOrder, event: Event) -> None:
        """Hear from the router what became of an order, and tell the client."""
        order: FixOrder = routed.tag
        order.routed, order.order_id = routed, routed.order_id
        order.traded, order.traded_value = routed.traded, routed.traded_value
        order.leaves = routed.open_quantity
        at_ns = event.timestamp_ns
        if event.kind == EventKind.ACCEPTED:
            report = self._writer.report(order, NEW, at_ns)
        elif event.kind == EventKind.TRADE:
            is_maker = event.order_id != routed.order_id
            report = self._writer.trade(order, event, at_ns, is_maker=is_maker)
        elif event.kind == EventKind.REPLACED:
            report = self._replaced(order, at_ns)
        elif event.kind == EventKind.CANCELLED:
            report = self._cancelled(order, event)
        else:
            report = self._refused(order, event)
        try:
            self.session.send(report)
        except Exception as error:
            if self.on_failure is not None:
                self.on_failure(error)
            raise

    # --8<-- [end:on_event]

    def _carry_out(self, order: FixOrder, change: Change) -> None:
        """Change a live order in its book; the router calls back before this returns."""
        assert order.routed is not None
        order.change = change
        request = change.request
        if request is not None and request.quantity > order.traded:
            open_quantity = request.quantity - order.traded
            self._router.replace(order.routed, request.price, open_quantity)
        else:
            self._router.cancel(order.routed)
        order.change = None

    def _replaced(self, order: FixOrder, at_ns: int) -> Message:
        """The order has the price and the quantity asked for, or is down to what has traded."""
        assert order.change is not None
        request = order.change.request
        assert request is not None
        order.request = request
        order.order_qty = order.traded + order.leaves
        order.is_replaced = True
        before = self._rename(order, order.change)
        return self._writer.report(order, REPLACED, at_ns, orig_cl_ord_id=before)

    def _cancelled(self, order: FixOrder, event: Event) -> Message:
        """What was open is gone: as asked for, or for a reason of the book's."""
        change = order.change if event.reason == Reason.USER else None
        if change is None:
            order.ended = CANCELED
            text = _CANCEL_TEXTS.get(Reason(event.reason), "")
            return self._writer.report(order, CANCELED, event.timestamp_ns, text=text)
        if change.exec_type == REPLACED:
            return self._replaced(order, event.timestamp_ns)
        order.ended = change.exec_type
        before = self._rename(order, change)
        return self._writer.report(
            order, change.exec_type, event.timestamp_ns, orig_cl_ord_id=before
        )

    def _rename(self, order: FixOrder, change: Change) -> str:
        """Give the order the name of the change; returns the one before, "" if there is no new."""
        if change.message is None:
            return ""
        before, order.cl_ord_id = order.cl_ord_id, change.cl_ord_id
        self._orders[change.cl_ord_id] = order
        return before

    def _refused(self, order: FixOrder, event: Event) -> Message:
        """The book said no to the order, or to the change of one that stays as it is."""
        refused, at_ns = of_event(event), event.timestamp_ns
        if order.change is not None and order.change.message is not None:
            return self._writer.cancel_reject(order.change.message, order, refused, at_ns)
        order.ended = REJECTED
        return self._writer.rejected(order, refused, at_ns)

    def _changeable(self, order: FixOrder | None, message: Message) -> FixOrder:
        """The order that a change names, which must name it right."""
        if order is None:
            raise Refused(Why.UNKNOWN_ORDER)
        if not order.is_live:
            raise Refused(Why.TOO_LATE, f"the order is {_ENDINGS[order.status(True)]}")
        if message.get(Tag.ORIG_CL_ORD_ID) != order.cl_ord_id:
            raise Refused(Why.UNKNOWN_ORDER, f"the order's ClOrdID is now {order.cl_ord_id}")
        if message.get(Tag.ORDER_ID) not in (None, str(order.order_id)):
            raise Refused(Why.UNKNOWN_ORDER, "OrderID (37) and OrigClOrdID (41) do not agree")
        if message.get(Tag.SYMBOL) != order.request.listing.symbol:
            raise Refused(Why.UNSUPPORTED, "Symbol (55) is not the order's")
        if read_side(message) != order.request.side:
            raise Refused(Why.UNSUPPORTED, "Side (54) is not the order's")
        return order

    def _replacement(self, order: FixOrder, message: Message) -> OrderRequest:
        """What the order would become: only price, quantity, and Day for GTC, can change."""
        now = order.request
        wanted = read_order(message, self._listings, self.settings)
        if wanted.is_market or wanted.time_in_force not in "01":
            raise Refused(Why.UNSUPPORTED, "an order that rests stays one: limit, Day or GTC")
        if wanted.is_post_only != now.is_post_only:
            raise Refused(Why.UNSUPPORTED, "ExecInst (18) is not the order's")
        if wanted.account not in ("", now.account):
            raise Refused(Why.UNSUPPORTED, "Account (1) is not the order's")
        if Tag.SELF_TRADE_TYPE in message and wanted.self_trade != now.self_trade:
            raise Refused(Why.UNSUPPORTED, "SelfTradeType (7928) is not the order's")
        return replace(
            now,
            price=wanted.price,
            quantity=wanted.quantity,
            time_in_force=wanted.time_in_force,
        )

    def _is_repeated(self, cl_ord_id: str, message: Message) -> bool:
        """Whether the ClOrdID was used before; then the client has been told."""
        known = self._orders.get(cl_ord_id)
        if known is None:
            return False
        if message.get(Tag.POSS_RESEND) == "Y":
            self._send_status(known)
        else:
            report = self._writer.rejected(
                known, Refused(Why.DUPLICATE), self.clock_ns(), cl_ord_id
            )
            self.session.send(report)
        return True

    def _send_status(self, order: FixOrder) -> None:
        self.session.send(self._writer.report(order, ORDER_STATUS, self.clock_ns()))

    def _check_room(self) -> None:
        if len(self._orders) >= self.settings.max_orders:
            raise Refused(Why.FULL, "no more ClOrdIDs for this session today")
