"""Wrong fill-or-kill, wrong self-trade prevention, wrong replace."""

from __future__ import annotations

from dataclasses import replace

from contract.engine import RestingOrder
from contract.messages import (
    Command,
    CommandKind,
    Event,
    EventKind,
    Reason,
    SelfTrade,
)
from phase1_domain.events import EventList
from phase1_domain.mutants.base import Mutant
from phase1_domain.order import Order

# Fill or kill, and self-trade prevention.


class FokTradesFirst(Mutant):
    """Fills what there is and kills the rest."""

    caught_by = "test_one_lot_short"

    def _fills_whole(self, aggressor: Order, limit: int | None) -> bool:
        return True


class FokCountsBeyondTheLimit(Mutant):
    """Sums the whole side."""

    caught_by = "test_lots_beyond_the_limit_do_not_count"

    def _fills_whole(self, aggressor: Order, limit: int | None) -> bool:
        return super()._fills_whole(aggressor, None)


class FokCountsOwnOrders(Mutant):
    """One sum for all self-trade modes."""

    caught_by = "test_what_counts_under_each_mode"

    def _fills_whole(self, aggressor: Order, limit: int | None) -> bool:
        return super()._fills_whole(replace(aggressor, self_trade=SelfTrade.NONE), limit)


class FokLooksBehindTheWall(Mutant):
    """Skips own orders under every mode, where two of them end the sum."""

    caught_by = "test_what_counts_under_each_mode"

    def _fills_whole(self, aggressor: Order, limit: int | None) -> bool:
        if aggressor.self_trade != SelfTrade.NONE:
            aggressor = replace(aggressor, self_trade=SelfTrade.CANCEL_OLDEST)
        return super()._fills_whole(aggressor, limit)


class AccountZeroIsAnOwner(Mutant):
    """Everybody without an account is one owner."""

    caught_by = "test_account_0_is_nobodys"

    def _decide_match(
        self, aggressor: Order, limit: int | None, events: EventList
    ) -> tuple[int, bool]:
        nobody = 2**40
        for order in self._orders.values():
            order.account = order.account or nobody
        result = super()._decide_match(
            replace(aggressor, account=aggressor.account or nobody), limit, events
        )
        for order in self._orders.values():
            order.account %= nobody
        return result


class TheMakersModeDecides(Mutant):
    """Asks the resting order what it wants."""

    caught_by = "test_the_makers_mode_does_not_matter"

    def _decide_match(
        self, aggressor: Order, limit: int | None, events: EventList
    ) -> tuple[int, bool]:
        first = next(self._makers(aggressor.side.opposite, limit), None)
        mode = aggressor.self_trade if first is None else first.self_trade
        return super()._decide_match(replace(aggressor, self_trade=mode), limit, events)


class CancelOldestStops(Mutant):
    """Takes one own maker off and does not go on."""

    caught_by = "test_cancel_oldest_takes_the_maker_off_and_goes_on"

    def _decide_match(
        self, aggressor: Order, limit: int | None, events: EventList
    ) -> tuple[int, bool]:
        super()._decide_match(aggressor, limit, events)
        own = [e.reason == Reason.SELF_TRADE for e in events.items]
        if aggressor.self_trade == SelfTrade.CANCEL_OLDEST and True in own:
            del events.items[own.index(True) + 1 :]
        traded = sum(e.quantity for e in events.items if e.kind == EventKind.TRADE)
        gone = any(
            e.order_id == aggressor.order_id and e.kind == EventKind.CANCELLED for e in events.items
        )
        return aggressor.quantity - traded, gone


class CancelBothSparesTheMaker(Mutant):
    """Both means both."""

    caught_by = "test_cancel_both_takes_the_maker_first_then_the_aggressor"

    def _decide_match(
        self, aggressor: Order, limit: int | None, events: EventList
    ) -> tuple[int, bool]:
        if aggressor.self_trade == SelfTrade.CANCEL_BOTH:
            aggressor = replace(aggressor, self_trade=SelfTrade.CANCEL_NEWEST)
        return super()._decide_match(aggressor, limit, events)


# Replace.


class ShrinkingLosesPriority(Mutant):
    """Every replace is a cancel and a new order."""

    caught_by = "test_smaller_or_equal_at_the_same_price_keeps_its_place"

    def _commit_replace(self, command: Command) -> Order | None:
        order = self._orders[command.order_id]
        moved = super()._commit_replace(command)
        if moved is None:
            self._remove(order)
            return order
        return moved


class GrowingKeepsPriority(Mutant):
    """Adds lots in front of those who waited."""

    caught_by = "test_larger_at_the_same_price_goes_to_the_back"

    def _rest(self, order: Order) -> None:
        super()._rest(order)
        if order.order_id == self._growing:
            self._levels[order.side][order.price].rotate(1)

    _growing = 0

    def _commit(self, command: Command, events: list[Event]) -> None:
        order = self._orders.get(command.order_id)
        is_replace = command.kind == CommandKind.REPLACE
        grows = is_replace and order is not None and order.price == command.price
        self._growing = command.order_id if grows else 0
        super()._commit(command, events)
        self._growing = 0


class ReplaceForgetsPostOnly(Mutant):
    """Post-only on entry, and never again."""

    caught_by = "test_post_only_stays_in_force"

    def order(self, order_id: int) -> RestingOrder | None:
        """What validation sees of an order: without its flags."""
        found = super().order(order_id)
        return None if found is None else found._replace(flags=0)


class ReplaceKeepsItsOldTime(Mutant):
    """A new place in the queue, with the time of the old one."""

    caught_by = "test_place_in_the_queue_has_a_timestamp"

    def _commit_replace(self, command: Command) -> Order | None:
        old = self._orders[command.order_id].timestamp_ns
        moved = super()._commit_replace(command)
        return None if moved is None else replace(moved, timestamp_ns=old)


class ReplaceNeedsRoom(Mutant):
    """BOOK_FULL for an order that has its slot already."""

    caught_by = "test_full_book_takes_replace_and_cancel"

    def _decide(self, command: Command) -> list[Event]:
        events = super()._decide(command)
        if events[0].kind == EventKind.REPLACED and len(self) >= self.capacity:
            refused = EventList(self._event_sequence, command)
            refused.rejected(Reason.BOOK_FULL)
            return refused.items
        return events
