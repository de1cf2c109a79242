"""One OUCH 5.0 session in front of the router: messages become commands, events become messages.

::

    client ── O U X M ──▶ Gateway ── enter, replace, cancel ──▶ OrderRouter ──▶ book
    client ◀─ A U C D E J … ─ MessageStore ◀── on_event ───────────┘

Everything said to the client goes through the session's store, and only there: a client that comes
back with its next expected number is told what it missed, once and in the same bytes. What the
client says may be lost with the line, and so may be said again; its numbers make that harmless.

Where the protocol leaves room:

- Numbers of Enter and Replace must rise; what does not is ignored, silently: it is a repetition.
  A rejected message has used its number. So has a Replace of an order that is not live, which gets
  no answer: the message that ended the order is the answer.
- Quantities of Replace, Cancel and Modify are totals, with what has traded since the order was
  entered, whatever its number was then. The book is told the difference. A Replace for no more
  than has traded cancels the rest.
- A Cancel of an order that is not live gets a Cancel Reject, so that every cancel that changes
  nothing for that reason is answered; one for a total that the order does not exceed gets nothing.
- A Modify may go from one kind of sale to another, not from buying to selling; others, and those
  of orders that are not live, are ignored.
- Replaced and Modified say what is open now. A Replace keeps the venue's order number.
- Of a self-trade the book tells what was taken off, which is said as the quantity prevented, and
  the cancelled order's own price, which is where they would have met if it was the maker.
- Timestamps count from midnight UTC.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum

from contract.messages import Command, CommandKind, Event, EventKind, SelfTrade
from phase5_protocol.listing import Listing
from phase5_protocol.order_entry.execution_reports import (
    ClientOrder,
    accepted,
    canceled,
    executed,
    replaced,
    since_midnight,
)
from phase5_protocol.order_entry.message_store import MessageStore
from phase5_protocol.order_entry.order_terms import (
    BOOK_REASONS,
    MAX_ORDER_QUANTITY,
    SIDES,
    Refused,
    entry_terms,
    replacement_ticks,
)
from phase5_protocol.order_entry.ouch import Fault, MessageError
from phase5_protocol.order_entry.ouch50 import (
    CODEC,
    Canceled,
    CancelOrder,
    CancelReject,
    EnterOrder,
    Modified,
    ModifyOrder,
    Outbound,
    Rejected,
    RejectReason,
    ReplaceOrder,
    SystemEvent,
)
from phase5_protocol.order_entry.router import OrderRouter, RoutedOrder
from phase5_protocol.order_entry.soup_packets import Ending, SessionFault


class Ignored(StrEnum):
    """Why a message got no answer: for counting."""

    OLD_NUMBER = "number not above the last"
    NOT_LIVE = "order not live"
    NOTHING_TO_DO = "the order is no larger"
    NO_SUCH_CHANGE = "not a change that a modify can make"


class Gateway:
    """The session of one user, which outlives its connections.

    Attributes:
        last_user_ref_num: the highest number used; the next must be above.
        faults: messages that could not be read, by what was wrong.
        ignored: messages without an answer, by reason.
    """

    def __init__(
        self,
        router: OrderRouter,
        store: MessageStore,
        listings: Mapping[str, Listing],
        *,
        account: int,
        self_trade: SelfTrade = SelfTrade.NONE,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Begin with no orders.

        Args:
            router: where orders go; the gateway is the owner of its own.
            store: where answers go.
            listings: by symbol, as ``order_terms.directory`` makes them.
            account: stamped on every order.
            self_trade: what becomes of an order that meets one of the same account.
            clock_ns: time since 1970, for messages that no event is behind.
        """
        self.last_user_ref_num = 0
        self.faults: Counter[Fault] = Counter()
        self.ignored: Counter[Ignored] = Counter()
        self._router = router
        self._store = store
        self._listings = listings
        self._account = account
        self._self_trade = self_trade
        self._clock_ns = clock_ns
        #: Live orders under the client's present number for them.
        self._orders: dict[int, RoutedOrder] = {}
        self._doing: EnterOrder | ReplaceOrder | CancelOrder | ModifyOrder | None = None
        self._open_before = 0
        self._acting_on = 0
        self._by_system = False

    # --8<-- [start:receive]
    def receive(self, data: bytes) -> None:
        """Act on a message of the client. O(fills).

        Raises:
            SessionFault: BAD_MESSAGE, if it cannot be read: without a number there is nothing to
                answer to, and a program that sends such bytes needs more than an answer.
        """
        try:
            message = CODEC.decode_inbound(data)
        except MessageError as error:
            self.faults[error.fault] += 1
            raise SessionFault(Ending.BAD_MESSAGE, str(error)) from None
        self._doing = message
        try:
            match message:
                case EnterOrder():
                    self._enter(message)
                case ReplaceOrder():
                    self._replace(message)
                case CancelOrder():
                    self._cancel(message)
                case ModifyOrder():
                    self._modify(message)
        except Refused as refused:
            self._reject(message, refused.reason)
        finally:
            self._doing = None
            self._acting_on = 0

    # --8<-- [end:receive]

    def cancel_all(self) -> int:
        """Cancel every live order: the connection is gone, or the day over; returns how many."""
        self._by_system = True
        try:
            return self._router.cancel_all(self)
        finally:
            self._by_system = False

    def start_of_day(self) -> None:
        """Tell the client that the day begins: the first message of a session."""
        self._send(SystemEvent(self._now(), "S"))

    def end_of_day(self) -> None:
        """Tell the client that the day is over: the last message of a session."""
        self._send(SystemEvent(self._now(), "E"))

    def _enter(self, message: EnterOrder) -> None:
        if self._is_old(message.user_ref_num):
            return
        terms = entry_terms(message, self._listings)
        command = Command(
            CommandKind.NEW,
            side=terms.side,
            price=terms.ticks,
            quantity=terms.quantity,
            time_in_force=terms.time_in_force,
            self_trade=self._self_trade,
            flags=terms.flags,
            account=self._account,
            instrument=terms.listing.instrument,
        )
        named = ClientOrder(
            message.user_ref_num,
            message.side,
            terms.listing,
            message.time_in_force,
            message.display,
            message.capacity,
            message.client_order_id,
            message.appendage,
        )
        self._router.enter(self, named, command)

    # --8<-- [start:replace]
    def _replace(self, message: ReplaceOrder) -> None:
        if self._is_old(message.user_ref_num):
            return
        order = self._live(message.original_ref_num)
        if order is None:
            self.ignored[Ignored.NOT_LIVE] += 1
            return
        named: ClientOrder = order.tag
        ticks = replacement_ticks(message, named.listing, named.appendage)
        open_quantity = message.quantity - order.traded
        if open_quantity > 0:
            self._router.replace(order, ticks, open_quantity)
        else:
            self._router.cancel(order)

    # --8<-- [end:replace]

    def _cancel(self, message: CancelOrder) -> None:
        order = self._live(message.user_ref_num)
        if order is None:
            self._send(CancelReject(self._now(), message.user_ref_num))
        elif not self._reduce(order, message.quantity):
            self.ignored[Ignored.NOTHING_TO_DO] += 1

    def _modify(self, message: ModifyOrder) -> None:
        order = self._live(message.user_ref_num)
        if order is None:
            self.ignored[Ignored.NOT_LIVE] += 1
            return
        is_quantity = 1 <= message.quantity <= MAX_ORDER_QUANTITY
        if SIDES.get(message.side) != order.side or not is_quantity:
            self.ignored[Ignored.NO_SUCH_CHANGE] += 1
            return
        named: ClientOrder = order.tag
        named.side = message.side
        if not self._reduce(order, message.quantity):
            self._send(Modified(self._now(), named.user_ref_num, named.side, order.open_quantity))

    def _reduce(self, order: RoutedOrder, total: int) -> bool:
        """Bring an order down to a total, with what has traded; False if it is no larger."""
        open_quantity = total - order.traded
        if open_quantity >= order.open_quantity:
            return False
        if open_quantity > 0:
            self._router.replace(order, order.price, open_quantity)
        else:
            self._router.cancel(order)
        return True

    def _live(self, user_ref_num: int) -> RoutedOrder | None:
        """The live order of that number, remembered for what the book will say about it."""
        order = self._orders.get(user_ref_num)
        if order is not None:
            self._open_before = order.open_quantity
            self._acting_on = order.order_id
        return order

    def _is_old(self, user_ref_num: int) -> bool:
        if user_ref_num <= self.last_user_ref_num:
            self.ignored[Ignored.OLD_NUMBER] += 1
            return True
        self.last_user_ref_num = user_ref_num
        return False

    # --8<-- [start:on_event]
    def on_event(self, order: RoutedOrder, event: Event) -> None:
        """Tell the client; see ``router.Owner``."""
        named: ClientOrder = order.tag
        if event.kind == EventKind.ACCEPTED:
            self._orders[named.user_ref_num] = order
            self._acting_on = order.order_id
            self._send(accepted(order, event))
        elif event.kind == EventKind.TRADE:
            self._send(executed(order, event))
        elif event.kind == EventKind.CANCELLED:
            acted = order.order_id == self._acting_on
            self._send(canceled(order, event, acted=acted, by_system=self._by_system))
        elif event.kind == EventKind.REPLACED:
            self._on_replaced(order, named, event)
        elif self._doing is not None:
            self._reject(self._doing, BOOK_REASONS.get(event.reason, RejectReason.OTHER))
        if not order.is_live:
            self._orders.pop(named.user_ref_num, None)

    # --8<-- [end:on_event]

    def _on_replaced(self, order: RoutedOrder, named: ClientOrder, event: Event) -> None:
        timestamp = since_midnight(event.timestamp_ns)
        doing = self._doing
        if isinstance(doing, ReplaceOrder):
            del self._orders[named.user_ref_num]
            named.user_ref_num = doing.user_ref_num
            named.display = doing.display
            named.time_in_force = doing.time_in_force
            named.client_order_id = doing.client_order_id
            self._orders[named.user_ref_num] = order
            self._send(replaced(order, event, doing.original_ref_num))
        elif isinstance(doing, ModifyOrder):
            self._send(Modified(timestamp, named.user_ref_num, named.side, event.quantity))
        else:
            decrement = self._open_before - event.quantity
            self._send(Canceled(timestamp, named.user_ref_num, decrement, "U"))

    def _reject(
        self, message: EnterOrder | ReplaceOrder | CancelOrder | ModifyOrder, reason: RejectReason
    ) -> None:
        if isinstance(message, EnterOrder | ReplaceOrder):
            self._send(Rejected(self._now(), message.user_ref_num, reason, message.client_order_id))
        else:
            self._send(CancelReject(self._now(), message.user_ref_num))

    def _send(self, message: Outbound) -> None:
        self._store.append(CODEC.encode(message))

    def _now(self) -> int:
        return since_midnight(self._clock_ns())
