"""From sessions to books and back: who owns which order, and who hears of which event.

A session (OUCH, FIX) knows an order by the client's own name for it; the book knows it by a number.
The router gives the numbers, applies the commands, and hands each event to the owners of the orders
that it is about: a trade to two of them. It is single-threaded, like the books: whoever has several
threads puts a ring in front of it (phase 4).

::

    session ── enter, cancel, replace ──▶ router ── Command ──▶ book
    session ◀── on_event(order, event) ── router ◀── Events ─────┘
                                            └── on_events ──▶ market data
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from contract.engine import Engine
from contract.errors import MatchbookError
from contract.messages import Command, CommandKind, Event, EventKind, Reason


class Owner(Protocol):
    """A session: where the events of its orders go."""

    def on_event(self, order: RoutedOrder, event: Event) -> None:
        """Hear of an event of ``order``, whose quantities already include it; do not call back.

        The maker of a trade hears of it with ``event.contra_order_id == order.order_id``;
        ``event.side`` and ``event.leaves`` are then the aggressor's, and the order's own are
        ``order.side`` and ``order.open_quantity``. Whoever raises here stops the exchange.
        """


class RouterStoppedError(MatchbookError):
    """A command came after a session or the market data could not be told of an earlier one."""


@dataclass(slots=True)
class RoutedOrder:
    """An order as its session sees it; quantities in lots, prices in ticks.

    ``tag`` is whatever the session attaches: the client's name for the order, to begin with.
    """

    owner: Owner
    order_id: int
    instrument: int
    side: int
    price: int
    quantity: int
    open_quantity: int
    tag: Any
    traded: int = 0
    #: Sum of price times quantity over all trades: divided by ``traded``, the average price.
    traded_value: int = 0

    @property
    def is_live(self) -> bool:
        """Whether it can still trade or be cancelled."""
        return self.open_quantity > 0


class OrderRouter:
    """Sessions on one side, a book for each instrument on the other."""

    def __init__(
        self,
        books: Mapping[int, Engine],
        *,
        on_events: Callable[[Sequence[Event]], None] | None = None,
        first_order_id: int = 1,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Start without orders.

        Args:
            books: instrument to its book.
            on_events: hears the events of each command, all at once, before the sessions do:
                market data must not be behind the sessions.
            first_order_id: the first number to give.
            clock_ns: what stamps the commands.
        """
        self.books = books
        self._on_events = on_events
        self._next_order_id = first_order_id
        self._clock_ns = clock_ns
        self._orders: dict[int, RoutedOrder] = {}
        self._sequence = 0
        #: What ended it: somebody could not be told what the book had already done.
        self.failure: BaseException | None = None

    def enter(self, owner: Owner, tag: Any, command: Command) -> RoutedOrder:
        """Enter a NEW command; the order id, sequence and time stamp are given here. O(fills).

        The owner hears what becomes of it before this returns; an order that was rejected has no
        open quantity.
        """
        order_id = self._next_order_id
        self._next_order_id += 1
        order = RoutedOrder(
            owner,
            order_id,
            command.instrument,
            command.side,
            command.price,
            command.quantity,
            command.quantity,
            tag,
        )
        self._orders[order_id] = order
        self._apply(replace(command, kind=CommandKind.NEW, order_id=order_id), order)
        return order

    def cancel(self, order: RoutedOrder) -> None:
        """Cancel what is open of an order. Its owner hears REJECTED if nothing is."""
        command = Command(
            CommandKind.CANCEL, order.order_id, order.side, instrument=order.instrument
        )
        self._apply(command, order)

    def replace(self, order: RoutedOrder, price: int, open_quantity: int) -> None:
        """Give an order a price and a new open quantity.

        At the same price and with no greater quantity it keeps its place in the queue. If the book
        says no, its owner hears REJECTED, and the order stays as it is.
        """
        command = Command(
            CommandKind.REPLACE,
            order.order_id,
            order.side,
            price,
            open_quantity,
            instrument=order.instrument,
        )
        self._apply(command, order)

    def cancel_all(self, owner: Owner) -> int:
        """Cancel every live order of a session (it was lost, say); returns how many. O(orders)."""
        mine = [order for order in self._orders.values() if order.owner is owner]
        for order in mine:
            self.cancel(order)
        return len(mine)

    def mass_cancel(self, instrument: int, account: int = 0) -> int:
        """Cancel every live order of an account in a book, of all accounts where it is 0.

        The operator's switch: one command for the book, so that nothing comes between the cancels,
        whoever's orders they are. Every owner hears of his own; returns how many there were.
        """
        command = Command(CommandKind.MASS_CANCEL, account=account, instrument=instrument)
        events = self._apply(command, None)
        return sum(event.kind == EventKind.CANCELLED for event in events)

    def order(self, order_id: int) -> RoutedOrder | None:
        """The live order of that number, or None."""
        return self._orders.get(order_id)

    def __len__(self) -> int:
        """How many orders are live."""
        return len(self._orders)

    def _apply(self, command: Command, order: RoutedOrder | None) -> Sequence[Event]:
        """Stamp and apply a command, and tell everybody; ``order`` is the one it is about.

        Raises:
            RouterStoppedError: somebody failed to hear of an earlier command: the book is ahead of
                what they know, and to trade on without telling them would be worse than to stop.
        """
        if self.failure is not None:
            raise RouterStoppedError(f"order entry has stopped: {self.failure}") from self.failure
        try:
            return self._apply_and_tell(command, order)
        except BaseException as failure:
            self.failure = failure
            raise

    def _apply_and_tell(self, command: Command, order: RoutedOrder | None) -> Sequence[Event]:
        self._sequence += 1
        command = replace(command, sequence=self._sequence, timestamp_ns=self._clock_ns())
        book = self.books.get(command.instrument)
        if book is None:
            events = [_no_such_book(command)]
        else:
            events = book.apply(command)
            if self._on_events is not None:
                self._on_events(events)
        for event in events:
            if event.kind != EventKind.REJECTED:
                self._route(event)
            elif order is not None:
                if command.kind == CommandKind.NEW:
                    order.open_quantity = 0
                    del self._orders[order.order_id]
                order.owner.on_event(order, event)
        return events

    # --8<-- [start:route]
    def _route(self, event: Event) -> None:
        """Update the orders an event is about, then tell their owners."""
        order = self._orders[event.order_id]
        order.open_quantity = event.leaves
        told = [order]
        if event.kind == EventKind.TRADE:
            maker = self._orders[event.contra_order_id]
            maker.open_quantity -= event.quantity
            told.append(maker)
            for side in told:
                side.traded += event.quantity
                side.traded_value += event.price * event.quantity
        elif event.kind == EventKind.REPLACED:
            order.price = event.price
            order.quantity = order.traded + event.quantity
        for each in told:
            if not each.open_quantity:
                del self._orders[each.order_id]
        for each in told:
            each.owner.on_event(each, event)

    # --8<-- [end:route]


def _no_such_book(command: Command) -> Event:
    return Event(
        EventKind.REJECTED,
        order_id=command.order_id,
        side=command.side,
        price=command.price,
        quantity=command.quantity,
        reason=Reason.UNKNOWN_INSTRUMENT,
        timestamp_ns=command.timestamp_ns,
        instrument=command.instrument,
    )
