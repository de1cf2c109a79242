"""What commands do to a book. Each is handled in two steps that never mix:

1. *decide*: look at the book, change nothing, and write down the events the command causes.
2. *commit*: change the book, and change it by nothing but those events.

So a rejected command changes nothing because there is nothing in it to commit; a fill-or-kill
order is decided before anything moves; a batch can stop before a command whose events do
not fit; and the book is a fold of its own event stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contract.engine import BatchResult, record_view
from contract.messages import (
    RECORD_BYTES,
    Command,
    CommandKind,
    Event,
    EventKind,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
)
from phase1_domain.events import EventList
from phase1_domain.order import Order, is_worse, keeps_its_place, same_owner
from phase1_domain.state import BookState
from phase1_domain.validation import rejection


class Matching(BookState):
    """The rules of the contract, over levels of whatever class a subclass names."""

    # --8<-- [start:apply]
    def apply(self, command: Command) -> list[Event]:
        """Apply one command and return its events."""
        self._check_open()
        events = self._decide(command)
        self._commit(command, events)
        return events

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Apply 64-byte commands one after the other, as far as their events fit."""
        self._check_open()
        source, target = record_view(commands), record_view(events, writable=True)
        count, room = len(source) // RECORD_BYTES, len(target) // RECORD_BYTES
        written = 0
        for consumed in range(count):
            command = Command.unpack_from(source, consumed * RECORD_BYTES)
            caused = self._decide(command)
            if written + len(caused) > room:
                return BatchResult(consumed, written)
            self._commit(command, caused)
            for event in caused:
                at = written * RECORD_BYTES
                target[at : at + RECORD_BYTES] = event.pack()
                written += 1
        return BatchResult(count, written)

    # --8<-- [end:apply]

    # Decide: what would happen, as a list of events. Nothing in this part changes the book.

    # --8<-- [start:decide]
    def _decide(self, command: Command) -> list[Event]:
        events = EventList(self._event_sequence, command)
        reason = rejection(self, command)
        if reason:
            events.rejected(reason)
        elif command.kind == CommandKind.NEW:
            self._decide_new(command, events)
        elif command.kind == CommandKind.CANCEL:
            events.cancelled(self._orders[command.order_id], Reason.USER)
        elif command.kind == CommandKind.REPLACE:
            self._decide_replace(command, events)
        else:
            for order in self._orders_of_account(command.account):
                events.cancelled(order, Reason.MASS_CANCEL)
        return events.items

    # --8<-- [end:decide]

    # --8<-- [start:new]
    def _decide_new(self, command: Command, events: EventList) -> None:
        aggressor = Order.entering(command)
        limit = None if command.order_type == OrderType.MARKET else command.price
        events.accepted(aggressor)
        all_or_nothing = command.time_in_force == TimeInForce.FOK
        if all_or_nothing and not self._fills_whole(aggressor, limit):
            events.cancelled(aggressor, Reason.FOK)
            return
        leaves, stopped = self._decide_match(aggressor, limit, events)
        if leaves and not stopped and command.time_in_force != TimeInForce.GTC:
            events.cancelled(aggressor, Reason.IOC, leaves)

    # --8<-- [end:new]

    # --8<-- [start:replace]
    def _decide_replace(self, command: Command, events: EventList) -> None:
        order = self._orders[command.order_id]
        events.replaced(order, command.price, command.quantity)
        if not keeps_its_place(order, command.price, command.quantity):
            self._decide_match(order.moved(command), command.price, events)

    # --8<-- [end:replace]

    # --8<-- [start:match]
    def _decide_match(
        self, aggressor: Order, limit: int | None, events: EventList
    ) -> tuple[int, bool]:
        """Fill the aggressor, maker by maker; return (what is left, stopped by self-trade)."""
        leaves = aggressor.quantity
        for maker in self._makers(aggressor.side.opposite, limit):
            if _must_not_trade(aggressor, maker):
                if aggressor.self_trade != SelfTrade.CANCEL_NEWEST:
                    events.cancelled(maker, Reason.SELF_TRADE)
                if aggressor.self_trade != SelfTrade.CANCEL_OLDEST:
                    events.cancelled(aggressor, Reason.SELF_TRADE, leaves)
                    return leaves, True
            else:
                traded = min(leaves, maker.quantity)
                leaves -= traded
                events.trade(aggressor, maker, traded, leaves)
                if not leaves:
                    break
        return leaves, False

    # --8<-- [end:match]

    # --8<-- [start:fok]
    def _fills_whole(self, aggressor: Order, limit: int | None) -> bool:
        """Whether the book can fill the aggressor to the last lot under its self-trade mode."""
        fillable = 0
        for maker in self._makers(aggressor.side.opposite, limit):
            if _must_not_trade(aggressor, maker):
                if aggressor.self_trade != SelfTrade.CANCEL_OLDEST:
                    return False
            else:
                fillable += maker.quantity
                if fillable >= aggressor.quantity:
                    return True
        return False

    # --8<-- [end:fok]

    # --8<-- [start:makers]
    def _makers(self, side: Side, limit: int | None) -> Iterator[Order]:
        """The resting orders an aggressor with that limit would meet, in priority order."""
        levels = self._levels[side]
        price = levels.best
        while price is not None and (limit is None or not is_worse(side, price, limit)):
            yield from levels[price]
            price = levels.next_price(price)

    # --8<-- [end:makers]

    def _orders_of_account(self, account: int) -> list[Order]:
        """The live orders of an account (0: of everyone), in the order they would be cancelled."""
        return [o for o in self._in_priority_order() if account in (0, o.account)]

    # Commit: the book changes by its events and by nothing else.

    # --8<-- [start:commit]
    def _commit(self, command: Command, events: list[Event]) -> None:
        aggressor: Order | None = None
        for event in events:
            if event.kind == EventKind.ACCEPTED:
                aggressor = Order.entering(command)
            elif event.kind == EventKind.REPLACED:
                aggressor = self._commit_replace(command)
            elif event.kind == EventKind.TRADE:
                assert aggressor is not None
                aggressor.quantity -= event.quantity
                self._reduce(self._orders[event.contra_order_id], event.quantity)
            elif event.kind == EventKind.CANCELLED:
                if aggressor is not None and event.order_id == aggressor.order_id:
                    aggressor.quantity = 0
                else:
                    self._reduce(self._orders[event.order_id], event.quantity)
        if aggressor is not None and aggressor.quantity:
            self._rest(aggressor)
        self._event_sequence += len(events)

    def _commit_replace(self, command: Command) -> Order | None:
        """Change the order in place, or take it off: it is an aggressor again."""
        order = self._orders[command.order_id]
        if keeps_its_place(order, command.price, command.quantity):
            order.quantity = command.quantity
            return None
        self._remove(order)
        return order.moved(command)

    def _reduce(self, order: Order, quantity: int) -> None:
        order.quantity -= quantity
        if not order.quantity:
            self._remove(order)

    # --8<-- [end:commit]


def _must_not_trade(aggressor: Order, maker: Order) -> bool:
    return aggressor.self_trade != SelfTrade.NONE and same_owner(aggressor, maker)
