"""NEW: price, priority, fills, what is left, POST_ONLY and the full book."""

from __future__ import annotations

from contract.messages import (
    Reason,
    Side,
    TimeInForce,
    cancel,
    market,
    new,
    replace,
)
from contract.suite.base import ContractBase, both_sides
from contract.suite.expected import accepted, cancelled, replaced, trade

BID, ASK = Side.BID, Side.ASK
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK


class MatchingRules(ContractBase):
    """Section 4, "Priority" and "NEW"."""

    def test_an_order_that_meets_nothing_rests(self) -> None:
        """Guards against events beyond ACCEPTED, and against the wrong side or price."""
        book = self.book()
        book.expect(new(1, BID, 99, 5), accepted(1, BID, 99, 5))
        book.expect(new(2, ASK, 101, 7), accepted(2, ASK, 101, 7))
        book.expect_book(bids=[(99, 5, 1)], asks=[(101, 7, 1)])

    @both_sides
    def test_trades_are_at_the_makers_price(self, side: Side) -> None:
        """Guards against trading at the aggressor's limit: the maker was there first."""
        limit = 105 if side == BID else 95
        book = self.book()
        book.send(new(1, side.opposite, 100, 5))
        book.expect(
            new(2, side, limit, 3),
            accepted(2, side, limit, 3),
            trade(2, 1, side, 100, 3, leaves=0),
        )
        book.expect_side(side.opposite, (100, 2, 1))

    @both_sides
    def test_equal_prices_trade(self, side: Side) -> None:
        """Guards against a strict comparison where the limit itself is good enough."""
        book = self.book()
        book.send(new(1, side.opposite, 100, 5))
        book.expect(
            new(2, side, 100, 5), accepted(2, side, 100, 5), trade(2, 1, side, 100, 5, leaves=0)
        )
        book.expect_book()

    def test_earlier_order_of_a_level_trades_first(self) -> None:
        """Guards against last-in-first-out, and against priority by id or by size."""
        book = self.book()
        book.send(new(30, ASK, 100, 1), new(10, ASK, 100, 9), new(20, ASK, 100, 5))
        book.expect(
            new(40, BID, 100, 11),
            accepted(40, BID, 100, 11),
            trade(40, 30, BID, 100, 1, leaves=10),
            trade(40, 10, BID, 100, 9, leaves=1),
            trade(40, 20, BID, 100, 1, leaves=0),
        )
        book.expect_queue(ASK, 20)

    @both_sides
    def test_better_price_trades_first(self, side: Side) -> None:
        """Guards against time before price, on either side of the book."""
        better, worse = (99, 101) if side == BID else (101, 99)
        book = self.book()
        book.send(new(1, side.opposite, worse, 5), new(2, side.opposite, better, 5))
        book.expect(
            market(3, side, 6),
            accepted(3, side, 0, 6),
            trade(3, 2, side, better, 5, leaves=1),
            trade(3, 1, side, worse, 1, leaves=0),
        )

    def test_a_limit_order_stops_at_its_price(self) -> None:
        """Guards against sweeping on through levels beyond the limit."""
        book = self.book()
        book.send(new(1, ASK, 100, 2), new(2, ASK, 101, 2), new(3, ASK, 102, 2))
        book.expect(
            new(4, BID, 101, 9),
            accepted(4, BID, 101, 9),
            trade(4, 1, BID, 100, 2, leaves=7),
            trade(4, 2, BID, 101, 2, leaves=5),
        )
        book.expect_book(bids=[(101, 5, 1)], asks=[(102, 2, 1)])

    def test_what_is_left_rests_behind_its_level(self) -> None:
        """Guards against a residue that jumps the queue or keeps its original size."""
        book = self.book()
        book.send(new(1, BID, 100, 4), new(2, ASK, 99, 10))
        book.expect_book(asks=[(99, 6, 1)])
        book.send(new(3, ASK, 99, 1))
        book.expect_queue(ASK, 2, 3)
        book.expect(
            new(4, BID, 99, 7),
            accepted(4, BID, 99, 7),
            trade(4, 2, BID, 99, 6, leaves=1),
            trade(4, 3, BID, 99, 1, leaves=0),
        )

    def test_ioc_remainder_is_cancelled(self) -> None:
        """Guards against an immediate-or-cancel order that rests, or dies without a word."""
        book = self.book()
        book.send(new(1, ASK, 100, 2), new(2, ASK, 102, 2))
        book.expect(
            new(3, BID, 101, 5, time_in_force=IOC),
            accepted(3, BID, 101, 5),
            trade(3, 1, BID, 100, 2, leaves=3),
            cancelled(3, BID, 101, 3, Reason.IOC),
        )
        book.expect_book(asks=[(102, 2, 1)])
        book.expect_rejected(cancel(3), Reason.UNKNOWN_ORDER)

    def test_ioc_that_meets_nothing(self) -> None:
        """Guards against an order that vanishes between ACCEPTED and nothing."""
        self.book().expect(
            new(1, ASK, 100, 5, time_in_force=IOC),
            accepted(1, ASK, 100, 5),
            cancelled(1, ASK, 100, 5, Reason.IOC),
        )

    def test_ioc_filled_whole_has_no_remainder(self) -> None:
        """Guards against a cancellation of 0."""
        book = self.book()
        book.send(new(1, ASK, 100, 5))
        book.expect(
            new(2, BID, 100, 5, time_in_force=IOC),
            accepted(2, BID, 100, 5),
            trade(2, 1, BID, 100, 5, leaves=0),
        )

    @both_sides
    def test_market_order_takes_any_price(self, side: Side) -> None:
        """Guards against reading the 0 in a market order's price field as a limit."""
        far, near = (1_000_000, 1) if side == BID else (1, 1_000_000)
        book = self.book()
        book.send(new(1, side.opposite, far, 2), new(2, side.opposite, near, 2))
        book.expect(
            market(3, side, 5),
            accepted(3, side, 0, 5),
            trade(3, 2, side, near, 2, leaves=3),
            trade(3, 1, side, far, 2, leaves=1),
            cancelled(3, side, 0, 1, Reason.IOC),
        )
        book.expect_book()

    def test_market_order_on_an_empty_side(self) -> None:
        """Guards against a market order that matches its own side, or rests at price 0."""
        book = self.book()
        book.send(new(1, BID, 100, 5))
        book.expect(market(2, BID, 5), accepted(2, BID, 0, 5), cancelled(2, BID, 0, 5, Reason.IOC))
        book.expect_book(bids=[(100, 5, 1)])

    @both_sides
    def test_post_only_at_or_through_the_best_opposite_price(self, side: Side) -> None:
        """Guards against a post-only order that trades, above all at exactly the best price."""
        through = 101 if side == BID else 99
        short = 99 if side == BID else 101
        book = self.book()
        book.send(new(1, side.opposite, 100, 5))
        for price in (100, through):
            book.expect_rejected(new(2, side, price, 1, post_only=True), Reason.WOULD_CROSS)
        book.expect(new(2, side, short, 1, post_only=True), accepted(2, side, short, 1))

    def test_post_only_order_rests_and_is_a_maker_like_any_other(self) -> None:
        """Guards against post-only working in the maker's role too."""
        book = self.book()
        book.send(new(1, BID, 100, 5, post_only=True))
        book.expect(
            new(2, ASK, 100, 2), accepted(2, ASK, 100, 2), trade(2, 1, ASK, 100, 2, leaves=0)
        )

    def test_post_only_against_an_empty_side(self) -> None:
        """Guards against comparing with a best price that is not there."""
        book = self.book()
        book.expect(new(1, BID, 1_000_000, 1, post_only=True), accepted(1, BID, 1_000_000, 1))
        book.expect(cancel(1), cancelled(1, BID, 1_000_000, 1, Reason.USER))
        book.expect(new(2, ASK, 1, 1, post_only=True), accepted(2, ASK, 1, 1))

    def test_post_only_counts_own_orders_too(self) -> None:
        """Guards against looking past an order of the same account."""
        book = self.book()
        book.send(new(1, ASK, 100, 5, account=3))
        own = new(2, BID, 100, 5, account=3, self_trade=2, post_only=True)
        book.expect_rejected(own, Reason.WOULD_CROSS)

    def test_full_book_refuses_what_could_rest(self) -> None:
        """Guards against overrunning the arena, and against "it would trade anyway"."""
        book = self.book(capacity=3)
        book.send(new(1, BID, 99, 5), new(2, ASK, 101, 5), new(3, ASK, 102, 5))
        book.expect_rejected(new(4, BID, 98, 5), Reason.BOOK_FULL)
        book.expect_rejected(new(4, BID, 101, 5), Reason.BOOK_FULL)
        book.expect_book(bids=[(99, 5, 1)], asks=[(101, 5, 1), (102, 5, 1)])

    def test_full_book_takes_what_cannot_rest(self) -> None:
        """Guards against refusing IOC, FOK and market orders for want of a place to rest."""
        book = self.book(capacity=2)
        book.send(new(1, ASK, 100, 5), new(2, ASK, 101, 5))
        book.expect(
            new(3, BID, 100, 1, time_in_force=IOC),
            accepted(3, BID, 100, 1),
            trade(3, 1, BID, 100, 1, leaves=0),
        )
        book.expect(
            new(3, BID, 100, 1, time_in_force=FOK),
            accepted(3, BID, 100, 1),
            trade(3, 1, BID, 100, 1, leaves=0),
        )
        book.expect(market(3, BID, 1), accepted(3, BID, 0, 1), trade(3, 1, BID, 100, 1, leaves=0))

    def test_full_book_takes_replace_and_cancel(self) -> None:
        """Guards against a full book that can no longer be emptied or repriced."""
        book = self.book(capacity=2)
        book.send(new(1, BID, 99, 5), new(2, ASK, 101, 5))
        book.expect(replace(1, 98, 50), replaced(1, BID, 98, 50))
        book.expect(cancel(2), cancelled(2, ASK, 101, 5, Reason.USER))
        book.expect(new(3, ASK, 101, 5), accepted(3, ASK, 101, 5))
        book.expect_rejected(new(4, ASK, 101, 5), Reason.BOOK_FULL)

    def test_a_fill_makes_room_in_a_full_book(self) -> None:
        """Guards against slots that are lost when a maker is filled or its level swept."""
        book = self.book(capacity=2)
        for round_number in range(10):
            book.send(new(1, ASK, 100, 5), new(2, ASK, 101 + round_number, 5))
            book.expect_rejected(new(3, ASK, 100, 5), Reason.BOOK_FULL)
            book.send(market(3, BID, 10))
            book.expect_book()
