"""Wrong validation, wrong event numbers, wrong mass cancels."""

from __future__ import annotations

from dataclasses import replace

from contract.messages import (
    MAX_QUANTITY,
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


class _Refuses(Mutant):
    """Base of those that refuse what they should not, or for another reason."""

    def reason(self, command: Command, events: list[Event]) -> Reason:
        """The reason to refuse, or NONE to leave the events as they are."""
        raise NotImplementedError

    def _decide(self, command: Command) -> list[Event]:
        events = super()._decide(command)
        reason = self.reason(command, events)
        if not reason:
            return events
        refused = EventList(self._event_sequence, command)
        refused.rejected(reason)
        return refused.items


# Validation.


class ReservedFieldsAreIgnored(Mutant):
    """Lets in what a later version will mean something by."""

    caught_by = "test_malformed_command"

    def _decide(self, command: Command) -> list[Event]:
        return super()._decide(replace(command, reserved=0, reserved2=0))


class CancelChecksFieldsItDoesNotUse(_Refuses):
    """One check for all kinds of command."""

    caught_by = "test_unused_fields_are_not_checked"

    def reason(self, command: Command, events: list[Event]) -> Reason:
        """INVALID_COMMAND for a side that nobody reads."""
        wrong = command.kind == CommandKind.CANCEL and command.side > Side.ASK
        return Reason.INVALID_COMMAND if wrong else Reason.NONE


class QuantityBeforeDuplicateId(_Refuses):
    """The checks in another order."""

    caught_by = "test_first_failing_check_decides"

    def reason(self, command: Command, events: list[Event]) -> Reason:
        """INVALID_QUANTITY where the id comes first."""
        both = events[0].reason == Reason.DUPLICATE_ORDER_ID
        both = both and not 0 < command.quantity <= MAX_QUANTITY
        return Reason.INVALID_QUANTITY if both else Reason.NONE


class InstrumentBeforeNonsense(_Refuses):
    """Routing before parsing."""

    caught_by = "test_first_failing_check_decides"

    def reason(self, command: Command, events: list[Event]) -> Reason:
        """UNKNOWN_INSTRUMENT where INVALID_COMMAND comes first."""
        both = events[0].reason == Reason.INVALID_COMMAND
        both = both and command.instrument != self.instrument
        return Reason.UNKNOWN_INSTRUMENT if both else Reason.NONE


class FullBookRefusesIoc(_Refuses):
    """No room for an order that needs none."""

    caught_by = "test_full_book_takes_what_cannot_rest"

    def reason(self, command: Command, events: list[Event]) -> Reason:
        """BOOK_FULL for all that is NEW."""
        full = len(self) >= self.capacity and events[0].kind == EventKind.ACCEPTED
        return Reason.BOOK_FULL if full else Reason.NONE


class IdsAreUsedOnce(_Refuses):
    """Remembers every id it has seen."""

    caught_by = "test_an_id_is_reusable_after_cancel_and_after_fill"

    def reason(self, command: Command, events: list[Event]) -> Reason:
        """DUPLICATE_ORDER_ID for ids of long ago."""
        self._seen: set[int] = getattr(self, "_seen", set())
        again = events[0].kind == EventKind.ACCEPTED and command.order_id in self._seen
        self._seen.add(command.order_id if events[0].kind == EventKind.ACCEPTED else 0)
        return Reason.DUPLICATE_ORDER_ID if again else Reason.NONE


class OneOrderTooMany(Mutant):
    """The capacity, off by one."""

    caught_by = "test_full_book_refuses_what_could_rest"

    def _decide(self, command: Command) -> list[Event]:
        self.capacity += 1
        try:
            return super()._decide(command)
        finally:
            self.capacity -= 1


class TheEndsOfTheRangeAreOutside(Mutant):
    """Strict comparisons with both limits."""

    caught_by = "test_both_ends_of_the_price_range_are_inside"

    def _decide(self, command: Command) -> list[Event]:
        low, high = self.min_price, self.max_price
        self.min_price, self.max_price = low + 1, high - 1
        try:
            return super()._decide(command)
        finally:
            self.min_price, self.max_price = low, high


class MarketPriceIsIgnored(Mutant):
    """A market order with a price is a market order."""

    caught_by = "test_market_order_with_a_price"

    def _decide(self, command: Command) -> list[Event]:
        is_market = command.order_type == OrderType.MARKET and command.kind == CommandKind.NEW
        return super()._decide(replace(command, price=0) if is_market else command)


class PostOnlyTradesAtTheBestPrice(Mutant):
    """At the best price is not through it."""

    caught_by = "test_post_only_at_or_through_the_best_opposite_price"

    def best_price(self, side: Side) -> int | None:
        """What validation compares with: one tick further away."""
        price = super().best_price(side)
        if price is None:
            return None
        return price + 1 if side == Side.ASK else price - 1


class MarketGtcIsLetIn(Mutant):
    """A default time in force where there is none."""

    caught_by = "test_malformed_command"

    def _decide(self, command: Command) -> list[Event]:
        is_market = command.order_type == OrderType.MARKET and command.kind == CommandKind.NEW
        if is_market and command.time_in_force == TimeInForce.GTC:
            command = replace(command, time_in_force=TimeInForce.IOC)
        return super()._decide(command)


# Events and their numbers.


class RejectionsAreNotNumbered(Mutant):
    """A number given twice."""

    caught_by = "test_rejections_are_numbered_like_all_events"

    def _commit(self, command: Command, events: list[Event]) -> None:
        super()._commit(command, events)
        if events[0].kind == EventKind.REJECTED:
            self._event_sequence -= 1


class TradesCarryTheMakersTime(Mutant):
    """The time of an order that has been resting."""

    caught_by = "test_timestamp_and_instrument_are_copied_into_every_event"

    def edit(self, event: Event, command: Command) -> Event:
        """Take the maker's timestamp."""
        if event.kind != EventKind.TRADE:
            return event
        return replace(event, timestamp_ns=self._orders[event.contra_order_id].timestamp_ns)


class ReplaceTakesTheCommandsAccount(Mutant):
    """Reads a field that a REPLACE does not have."""

    caught_by = "test_a_replaced_order_keeps_its_own_fields"

    def _commit_replace(self, command: Command) -> Order | None:
        moved = super()._commit_replace(command)
        return None if moved is None else replace(moved, account=command.account)


class MassCancelAsksFirst(Mutant):
    """The sides the other way round."""

    caught_by = "test_mass_cancel_goes_from_best_to_worst_bids_first"

    def _orders_of_account(self, account: int) -> list[Order]:
        return sorted(super()._orders_of_account(account), key=lambda order: -order.side)


class MassCancelInOrderOfArrival(Mutant):
    """The order of a hash table."""

    caught_by = "test_mass_cancel_goes_from_best_to_worst_bids_first"

    def _orders_of_account(self, account: int) -> list[Order]:
        return [order for order in self._orders.values() if account in (0, order.account)]


class MassCancelOfNobody(Mutant):
    """Account 0 read as those who have none."""

    caught_by = "test_mass_cancel_of_account_0_is_of_everyone"

    def _orders_of_account(self, account: int) -> list[Order]:
        every = super()._orders_of_account(account)
        return [order for order in every if order.account == account] or every
