"""Wrong prices, wrong priority, wrong numbers, wrong remainders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from contract.engine import BatchResult, LevelView
from contract.messages import (
    RECORD_BYTES,
    Command,
    CommandKind,
    Event,
    EventKind,
    OrderType,
    Reason,
    Side,
    TimeInForce,
)
from phase1_domain.events import EventList
from phase1_domain.mutants.base import Mutant
from phase1_domain.order import Order

# Prices and priority.


class TradesAtTheAggressorsPrice(Mutant):
    """Both sides of a trade want the better price; the maker's is the rule."""

    caught_by = "test_trades_are_at_the_makers_price"

    def edit(self, event: Event, command: Command) -> Event:
        """Put the limit where the maker's price belongs."""
        is_limit = command.order_type == OrderType.LIMIT
        trade = event.kind == EventKind.TRADE and is_limit
        return replace(event, price=command.price) if trade else event


class LastInFirstOut(Mutant):
    """The level as a stack."""

    caught_by = "test_earlier_order_of_a_level_trades_first"

    def _rest(self, order: Order) -> None:
        super()._rest(order)
        self._levels[order.side][order.price].rotate(1)


class SmallestIdFirst(Mutant):
    """Ids taken for arrival."""

    caught_by = "test_earlier_order_of_a_level_trades_first"

    def _rest(self, order: Order) -> None:
        super()._rest(order)
        level = self._levels[order.side][order.price]
        by_id = sorted(level, key=lambda o: o.order_id)
        level.clear()
        level.extend(by_id)


class PartlyFilledMakerGoesToTheBack(Mutant):
    """A maker that loses its place by trading."""

    caught_by = "test_a_partly_filled_maker_keeps_its_place_between_aggressors"

    def _reduce(self, order: Order, quantity: int) -> None:
        super()._reduce(order, quantity)
        if order.quantity:
            self._levels[order.side][order.price].rotate(-1)


class StopsOneTickShort(Mutant):
    """A strict comparison with the limit."""

    caught_by = "test_equal_prices_trade"

    def _makers(self, side: Side, limit: int | None) -> Iterator[Order]:
        return (o for o in super()._makers(side, limit) if o.price != limit)


class BestPriceIsStaleAfterACancel(Mutant):
    """The best price put right by trades only."""

    caught_by = "test_best_price_is_right_at_once_after_a_cancel"

    def _commit(self, command: Command, events: list[Event]) -> None:
        stale = [levels.best for levels in self._levels]
        super()._commit(command, events)
        if command.kind == CommandKind.CANCEL:
            for levels, best in zip(self._levels, stale, strict=True):
                levels.best = best if len(levels) else None

    def check(self) -> None:
        """A check that trusts itself, so that only the views tell."""


class LosesTheOtherOrderOfALevel(Mutant):
    """Moving the first order of a level drops the level."""

    caught_by = "test_repricing_one_of_two_orders_does_not_lose_the_other"

    def _commit_replace(self, command: Command) -> Order | None:
        order = self._orders[command.order_id]
        neighbours = list(self._levels[order.side][order.price])
        moved = super()._commit_replace(command)
        for other in neighbours:
            if moved is not None and other is not order and neighbours[0] is order:
                self._remove(other)
        return moved


# Numbers.


class PricesIn32Bits(Mutant):
    """A price that went through an ``int``."""

    caught_by = "test_orders_at_both_ends_of_the_range"

    def edit(self, event: Event, command: Command) -> Event:
        """Keep 32 bits of it."""
        return replace(event, price=(event.price + 2**31) % 2**32 - 2**31)


class IdsIn63Bits(Mutant):
    """An id that went through a signed number."""

    caught_by = "test_largest_and_smallest_ids_and_accounts"

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Send on what is left of the ids."""
        few = [Command.unpack_from(commands, at) for at in range(0, len(commands), RECORD_BYTES)]
        cut = b"".join(replace(c, order_id=c.order_id % 2**63).pack() for c in few)
        return super().apply_batch(cut, events)

    def _decide(self, command: Command) -> list[Event]:
        return super()._decide(replace(command, order_id=command.order_id % 2**63))


class LevelSumsIn32Bits(Mutant):
    """Quantities that overflow where they are added up."""

    caught_by = "test_largest_quantities"
    in_streams = False  # the streams compare events and orders; sums are views

    def _view(self, side: Side, price: int) -> LevelView:
        view = super()._view(side, price)
        return view._replace(quantity=view.quantity % 2**32)


# What is left of an order.


class IocRests(Mutant):
    """Immediate, but not cancelled."""

    caught_by = "test_ioc_remainder_is_cancelled"

    def _decide(self, command: Command) -> list[Event]:
        events = super()._decide(command)
        is_limit = command.order_type == OrderType.LIMIT
        if is_limit and events[-1].reason == Reason.IOC and len(self._orders) < self.capacity:
            del events[-1]
        return events


class CancelsANothing(Mutant):
    """An IOC filled whole that still reports a cancellation, of 0."""

    caught_by = "test_ioc_filled_whole_has_no_remainder"

    def _decide_new(self, command: Command, events: EventList) -> None:
        super()._decide_new(command, events)
        last = events.items[-1]
        filled = last.kind == EventKind.TRADE and last.leaves == 0
        if filled and command.time_in_force == TimeInForce.IOC:
            events.cancelled(Order.entering(command), Reason.IOC, 0)


class CancelReportsTheOriginalSize(Mutant):
    """A cancellation that forgot what had traded."""

    caught_by = "test_cancel_takes_off_what_is_open"

    def _decide(self, command: Command) -> list[Event]:
        events = super()._decide(command)
        self._sizes: dict[int, int] = getattr(self, "_sizes", {})
        for event in events:
            if event.kind in (EventKind.ACCEPTED, EventKind.REPLACED):
                self._sizes[event.order_id] = event.quantity
        if command.kind == CommandKind.CANCEL and events[0].kind == EventKind.CANCELLED:
            return [replace(events[0], quantity=self._sizes[command.order_id])]
        return events

    def _reduce(self, order: Order, quantity: int) -> None:
        super()._reduce(order, min(quantity, order.quantity))


class RejectionSaysWhatIsLeft(Mutant):
    """A refused order shown as open."""

    caught_by = "test_quantity_out_of_range"

    def edit(self, event: Event, command: Command) -> Event:
        """Fill in ``leaves``."""
        rejected = event.kind == EventKind.REJECTED
        return replace(event, leaves=event.quantity) if rejected else event
