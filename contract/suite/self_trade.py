"""Orders of one account that meet, and orders that must fill whole or not at all."""

from __future__ import annotations

import pytest

from contract.messages import (
    MAX_QUANTITY,
    Command,
    Event,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
    market,
    new,
    replace,
)
from contract.suite.base import ContractBase, word
from contract.suite.expected import accepted, cancelled, replaced, trade
from contract.suite.probe import Probe

BID, ASK = Side.BID, Side.ASK
NONE, NEWEST = SelfTrade.NONE, SelfTrade.CANCEL_NEWEST
OLDEST, BOTH = SelfTrade.CANCEL_OLDEST, SelfTrade.CANCEL_BOTH
MINE, OTHER = 7, 8


class SelfTradeRules(ContractBase):
    """Section 4, "Self-trade prevention": the aggressor's mode decides before each fill."""

    def test_mode_none_trades_with_itself(self) -> None:
        """Guards against prevention nobody asked for."""
        _other_own_other(self.book(), 101, 102, 103).expect(
            _mine(5, NONE),
            accepted(9, BID, 110, 5),
            trade(9, 1, BID, 101, 2, leaves=3),
            trade(9, 2, BID, 102, 2, leaves=1),
            trade(9, 3, BID, 103, 1, leaves=0),
        )

    def test_cancel_oldest_takes_the_maker_off_and_goes_on(self) -> None:
        """Guards against stopping at the own order, or counting its lots as filled."""
        book = _other_own_other(self.book(), 101, 102, 103).expect(
            _mine(5, OLDEST),
            accepted(9, BID, 110, 5),
            trade(9, 1, BID, 101, 2, leaves=3),
            cancelled(2, ASK, 102, 2, Reason.SELF_TRADE),
            trade(9, 3, BID, 103, 2, leaves=1),
        )
        book.expect_book(bids=[(110, 1, 1)])

    def test_cancel_newest_takes_the_aggressor_off_and_stops(self) -> None:
        """Guards against a remainder that rests, or an own maker that is lost."""
        book = _other_own_other(self.book(), 101, 102, 103).expect(
            _mine(5, NEWEST),
            accepted(9, BID, 110, 5),
            trade(9, 1, BID, 101, 2, leaves=3),
            cancelled(9, BID, 110, 3, Reason.SELF_TRADE),
        )
        book.expect_book(asks=[(102, 2, 1), (103, 2, 1)])

    def test_cancel_both_takes_the_maker_first_then_the_aggressor(self) -> None:
        """Guards against the other order of the two cancellations, and against going on."""
        book = _other_own_other(self.book(), 101, 102, 103).expect(
            _mine(5, BOTH),
            accepted(9, BID, 110, 5),
            trade(9, 1, BID, 101, 2, leaves=3),
            cancelled(2, ASK, 102, 2, Reason.SELF_TRADE),
            cancelled(9, BID, 110, 3, Reason.SELF_TRADE),
        )
        book.expect_book(asks=[(103, 2, 1)])

    @pytest.mark.parametrize("mode", [OLDEST, NEWEST, BOTH], ids=word)
    def test_an_aggressor_already_filled_meets_nobody(self, mode: SelfTrade) -> None:
        """Guards against preventing a trade that would not have happened."""
        book = _other_own_other(self.book(), 101, 102, 103).expect(
            _mine(2, mode), accepted(9, BID, 110, 2), trade(9, 1, BID, 101, 2, leaves=0)
        )
        book.expect_book(asks=[(102, 2, 1), (103, 2, 1)])

    @pytest.mark.parametrize("mode", [OLDEST, NEWEST, BOTH], ids=word)
    def test_account_0_is_nobodys(self, mode: SelfTrade) -> None:
        """Guards against taking two orders without an account for one owner's."""
        book = self.book()
        book.send(new(1, ASK, 100, 5))
        book.expect(
            new(2, BID, 100, 3, self_trade=mode),
            accepted(2, BID, 100, 3),
            trade(2, 1, BID, 100, 3, leaves=0),
        )

    @pytest.mark.parametrize("mode", [OLDEST, NEWEST, BOTH], ids=word)
    def test_the_makers_mode_does_not_matter(self, mode: SelfTrade) -> None:
        """Guards against asking the resting order what it wants."""
        book = self.book()
        book.send(new(1, ASK, 100, 5, account=MINE, self_trade=mode))
        book.expect(_mine(3, NONE), accepted(9, BID, 110, 3), trade(9, 1, BID, 100, 3, leaves=0))

    def test_accounts_are_compared_in_all_their_32_bits(self) -> None:
        """Guards against an account cut to 8 or 16 bits."""
        book = self.book()
        book.send(new(1, ASK, 100, 1, account=1), new(2, ASK, 101, 1, account=2**32 - 1))
        book.expect(
            new(3, BID, 101, 5, account=2**32 - 1, self_trade=OLDEST),
            accepted(3, BID, 101, 5),
            trade(3, 1, BID, 100, 1, leaves=4),
            cancelled(2, ASK, 101, 1, Reason.SELF_TRADE),
        )

    def test_an_ioc_stopped_by_itself_has_one_cancellation(self) -> None:
        """Guards against a second cancellation, reason IOC, of what is already gone."""
        book = self.book()
        book.send(new(1, ASK, 100, 5, account=MINE))
        book.expect(
            market(2, BID, 3, account=MINE, self_trade=NEWEST),
            accepted(2, BID, 0, 3),
            cancelled(2, BID, 0, 3, Reason.SELF_TRADE),
        )
        book.expect(
            market(2, BID, 3, account=MINE, self_trade=BOTH),
            accepted(2, BID, 0, 3),
            cancelled(1, ASK, 100, 5, Reason.SELF_TRADE),
            cancelled(2, BID, 0, 3, Reason.SELF_TRADE),
        )

    def test_an_ioc_that_takes_its_own_orders_off_still_cancels_its_rest(self) -> None:
        """Guards against losing the IOC cancellation when own makers were all there was."""
        book = self.book()
        book.send(new(1, ASK, 100, 5, account=MINE))
        book.expect(
            market(2, BID, 3, account=MINE, self_trade=OLDEST),
            accepted(2, BID, 0, 3),
            cancelled(1, ASK, 100, 5, Reason.SELF_TRADE),
            cancelled(2, BID, 0, 3, Reason.IOC),
        )
        book.expect_book()

    def test_a_partly_filled_maker_is_cancelled_with_what_is_open(self) -> None:
        """Guards against cancelling the maker's original size."""
        book = self.book()
        book.send(new(1, ASK, 100, 5, account=MINE), market(2, BID, 2))
        book.expect(
            _mine(1, OLDEST),
            accepted(9, BID, 110, 1),
            cancelled(1, ASK, 100, 3, Reason.SELF_TRADE),
        )

    def test_a_replaced_order_keeps_its_mode(self) -> None:
        """Guards against a REPLACE that forgets self-trade prevention."""
        for mode in (NEWEST, BOTH):
            book = self.book()
            book.send(new(1, ASK, 105, 5, account=MINE))
            book.send(new(2, BID, 100, 3, account=MINE, self_trade=mode))
            maker = [cancelled(1, ASK, 105, 5, Reason.SELF_TRADE)] if mode == BOTH else []
            book.expect(
                replace(2, 105, 4),
                replaced(2, BID, 105, 4),
                *maker,
                cancelled(2, BID, 105, 4, Reason.SELF_TRADE),
            )
            book.expect_rejected(replace(2, 100, 1), Reason.UNKNOWN_ORDER)


class FillOrKillRules(ContractBase):
    """Section 4, "FOK": the sum is over what this order could trade under its own mode."""

    def test_filled_whole(self) -> None:
        """Guards against killing an order that the book can just fill."""
        book = self.book()
        book.send(new(1, ASK, 100, 2), new(2, ASK, 101, 3))
        book.expect(
            _fok(5, 101),
            accepted(99, BID, 101, 5),
            trade(99, 1, BID, 100, 2, leaves=3),
            trade(99, 2, BID, 101, 3, leaves=0),
        )

    def test_one_lot_short(self) -> None:
        """Guards against trading first and looking later."""
        book = self.book()
        book.send(new(1, ASK, 100, 2), new(2, ASK, 101, 3))
        book.expect(_fok(6, 101), *_killed(6, 101))
        book.expect_book(asks=[(100, 2, 1), (101, 3, 1)])

    def test_lots_beyond_the_limit_do_not_count(self) -> None:
        """Guards against summing the whole side."""
        book = self.book()
        book.send(new(1, ASK, 100, 2), new(2, ASK, 102, 50))
        book.expect(_fok(3, 101), *_killed(3, 101))

    def test_fok_sell_looks_down_the_bids(self) -> None:
        """Guards against a limit compared the wrong way round on the bid side."""
        book = self.book()
        book.send(new(1, BID, 100, 2), new(2, BID, 99, 2), new(3, BID, 98, 2))
        sell = new(9, ASK, 99, 5, time_in_force=TimeInForce.FOK)
        book.expect(sell, accepted(9, ASK, 99, 5), cancelled(9, ASK, 99, 5, Reason.FOK))
        sell = new(9, ASK, 99, 4, time_in_force=TimeInForce.FOK)
        book.expect(
            sell,
            accepted(9, ASK, 99, 4),
            trade(9, 1, ASK, 100, 2, leaves=2),
            trade(9, 2, ASK, 99, 2, leaves=0),
        )

    def test_market_fok_counts_every_level(self) -> None:
        """Guards against taking a market order's price of 0 for its limit."""
        book = self.book()
        book.send(new(1, ASK, 1, 2), new(2, ASK, 1_000_000, 3))
        order = market(9, BID, 6, time_in_force=TimeInForce.FOK)
        book.expect(order, accepted(9, BID, 0, 6), cancelled(9, BID, 0, 6, Reason.FOK))
        order = market(9, BID, 5, time_in_force=TimeInForce.FOK)
        book.expect(
            order,
            accepted(9, BID, 0, 5),
            trade(9, 1, BID, 1, 2, leaves=3),
            trade(9, 2, BID, 1_000_000, 3, leaves=0),
        )

    def test_on_an_empty_book(self) -> None:
        """Guards against a sum over nothing that is good enough."""
        self.book().expect(_fok(1, 100), *_killed(1, 100))

    def test_the_sum_does_not_overflow(self) -> None:
        """Guards against a sum kept in 32 or 40 bits."""
        book = self.book()
        book.send(*(new(i, ASK, 100, MAX_QUANTITY) for i in range(1, 21)))
        book.expect(
            _fok(MAX_QUANTITY, 100),
            accepted(99, BID, 100, MAX_QUANTITY),
            trade(99, 1, BID, 100, MAX_QUANTITY, leaves=0),
        )

    @pytest.mark.parametrize(
        ("mode", "most"), [(NONE, 6), (OLDEST, 4), (NEWEST, 2), (BOTH, 2)], ids=word
    )
    def test_what_counts_under_each_mode(self, mode: SelfTrade, most: int) -> None:
        """Guards against one sum for all modes: own lots count, are skipped, or end it."""
        book = _other_own_other(self.book(), 100, 100, 100)
        before = book.engine.depth(9)
        book.expect(_fok(most + 1, 100, mode), *_killed(most + 1, 100))
        assert book.engine.depth(9) == before, "a killed order must not cancel an own maker"
        events = book.send(_fok(most, 100, mode))
        assert events[-1].leaves == 0
        assert sum(event.quantity for event in events if event.contra_order_id) == most

    def test_own_makers_in_the_way_are_cancelled_when_it_fills(self) -> None:
        """Guards against skipping own orders in the fill as they are skipped in the sum."""
        _other_own_other(self.book(), 100, 100, 100).expect(
            _fok(4, 100, OLDEST),
            accepted(99, BID, 100, 4),
            trade(99, 1, BID, 100, 2, leaves=2),
            cancelled(2, ASK, 100, 2, Reason.SELF_TRADE),
            trade(99, 3, BID, 100, 2, leaves=0),
        )

    @pytest.mark.parametrize("mode", [NEWEST, OLDEST, BOTH], ids=word)
    def test_an_own_order_behind_the_fill_is_left_alone(self, mode: SelfTrade) -> None:
        """Guards against ending the sum one maker too early, or going on one too far."""
        book = _other_own_other(self.book(), 100, 100, 100).expect(
            _fok(2, 100, mode), accepted(99, BID, 100, 2), trade(99, 1, BID, 100, 2, leaves=0)
        )
        book.expect_queue(ASK, 2, 3)


def _other_own_other(book: Probe, *prices: int) -> Probe:
    """Asks of 2 lots at these prices: another account's, the aggressor's own, another's."""
    for order_id, account, price in zip((1, 2, 3), (OTHER, MINE, OTHER), prices, strict=True):
        book.send(new(order_id, ASK, price, 2, account=account))
    return book


def _mine(quantity: int, mode: SelfTrade) -> Command:
    return new(9, BID, 110, quantity, account=MINE, self_trade=mode)


def _fok(quantity: int, price: int, mode: SelfTrade = NONE) -> Command:
    return new(
        99, BID, price, quantity, time_in_force=TimeInForce.FOK, account=MINE, self_trade=mode
    )


def _killed(quantity: int, price: int) -> tuple[Event, Event]:
    return accepted(99, BID, price, quantity), cancelled(99, BID, price, quantity, Reason.FOK)
