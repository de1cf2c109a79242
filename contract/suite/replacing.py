"""REPLACE, in place and moved; CANCEL and MASS_CANCEL."""

from __future__ import annotations

import pytest

from contract.messages import Reason, Side, cancel, market, mass_cancel, new, replace
from contract.suite.base import ContractBase, both_sides, word
from contract.suite.expected import accepted, cancelled, replaced, trade

BID, ASK = Side.BID, Side.ASK


class ReplaceRules(ContractBase):
    """Section 4, "REPLACE"."""

    @pytest.mark.parametrize("quantity", [1, 4, 5])
    def test_smaller_or_equal_at_the_same_price_keeps_its_place(self, quantity: int) -> None:
        """Guards against losing priority by giving up lots, or by changing nothing."""
        book = self.book()
        book.send(new(1, ASK, 100, 5), new(2, ASK, 100, 5))
        book.expect(replace(1, 100, quantity), replaced(1, ASK, 100, quantity))
        book.expect_queue(ASK, 1, 2)
        book.expect_book(asks=[(100, quantity + 5, 2)])

    def test_larger_at_the_same_price_goes_to_the_back(self) -> None:
        """Guards against growing in front of others who waited."""
        book = self.book()
        book.send(new(1, ASK, 100, 5), new(2, ASK, 100, 5), new(3, ASK, 100, 5))
        book.expect(replace(1, 100, 6), replaced(1, ASK, 100, 6))
        book.expect_queue(ASK, 2, 3, 1)
        book.expect(replace(3, 100, 6), replaced(3, ASK, 100, 6))
        book.expect_queue(ASK, 2, 1, 3)
        book.expect_book(asks=[(100, 17, 3)])

    def test_larger_than_open_but_not_than_original_goes_to_the_back(self) -> None:
        """Guards against comparing with the size the order once had."""
        book = self.book()
        book.send(new(1, ASK, 100, 10), new(2, ASK, 100, 5), market(3, BID, 8))
        book.expect(replace(1, 100, 3), replaced(1, ASK, 100, 3))
        book.expect_queue(ASK, 2, 1)

    @pytest.mark.parametrize(
        ("side", "price"), [(BID, 98), (BID, 100), (ASK, 100), (ASK, 102)], ids=word
    )
    def test_another_price_goes_to_the_back_of_that_level(self, side: Side, price: int) -> None:
        """Guards against keeping priority, or quantity, when the price moves."""
        start = 99 if side == BID else 101
        book = self.book()
        book.send(new(1, side, start, 5), new(2, side, price, 5), new(3, side, start, 5))
        book.expect(replace(1, price, 2), replaced(1, side, price, 2))
        both = sorted([(price, 7, 2), (start, 5, 1)], reverse=side == BID)
        book.expect_side(side, *both)
        queue = [order.order_id for order in book.engine.orders(side) if order.price == price]
        assert queue == [2, 1]

    def test_quantity_is_the_new_open_quantity(self) -> None:
        """Guards against subtracting what has traded from the new quantity."""
        book = self.book()
        book.send(new(1, ASK, 100, 10), market(2, BID, 7))
        book.expect(replace(1, 100, 2), replaced(1, ASK, 100, 2))
        book.expect(
            market(3, BID, 5),
            accepted(3, BID, 0, 5),
            trade(3, 1, BID, 100, 2, leaves=3),
            cancelled(3, BID, 0, 3, Reason.IOC),
        )

    @both_sides
    def test_a_replace_that_crosses_trades_at_the_makers_price(self, side: Side) -> None:
        """Guards against a crossed book, and against trading at the replaced order's price."""
        away, through = (90, 105) if side == BID else (110, 95)
        book = self.book()
        book.send(new(1, side.opposite, 100, 3), new(2, side, away, 5))
        book.expect(
            replace(2, through, 8),
            replaced(2, side, through, 8),
            trade(2, 1, side, 100, 3, leaves=5),
        )
        book.expect_side(side, (through, 5, 1))

    def test_a_replaced_order_filled_whole_is_gone(self) -> None:
        """Guards against a live order with nothing open."""
        book = self.book()
        book.send(new(1, ASK, 100, 5), new(2, BID, 90, 5))
        book.expect(
            replace(2, 100, 5), replaced(2, BID, 100, 5), trade(2, 1, BID, 100, 5, leaves=0)
        )
        book.expect_book()
        book.expect_rejected(replace(2, 100, 5), Reason.UNKNOWN_ORDER)

    @both_sides
    def test_post_only_stays_in_force(self, side: Side) -> None:
        """Guards against a post-only order that becomes a taker by being repriced."""
        away = 90 if side == BID else 110
        through = 101 if side == BID else 99
        book = self.book()
        book.send(new(1, side.opposite, 100, 5), new(2, side, away, 5, post_only=True))
        for price in (100, through):
            book.expect_rejected(replace(2, price, 5), Reason.WOULD_CROSS)
            book.expect_rejected(replace(2, price, 1), Reason.WOULD_CROSS)
        beside = 99 if side == BID else 101
        book.expect(replace(2, beside, 9), replaced(2, side, beside, 9))
        book.expect_rejected(replace(2, 100, 5), Reason.WOULD_CROSS)

    def test_a_rejected_replace_leaves_the_order_untouched(self) -> None:
        """Guards against taking the order off its level before looking."""
        book = self.book()
        book.send(new(1, BID, 100, 5), new(2, BID, 100, 5))
        book.expect_rejected(replace(1, 0, 9), Reason.INVALID_PRICE)
        book.expect_rejected(replace(1, 101, 0), Reason.INVALID_QUANTITY)
        book.expect_queue(BID, 1, 2)
        book.expect_book(bids=[(100, 10, 2)])

    def test_the_only_order_can_move_across_the_spread(self) -> None:
        """Guards against an emptied level, or a stale best price, met by its own order."""
        book = self.book(capacity=1)
        book.send(new(1, BID, 100, 5))
        for price in (200, 1, 1_000_000, 100):
            book.expect(replace(1, price, 5), replaced(1, BID, price, 5))
            book.expect_book(bids=[(price, 5, 1)])

    def test_place_in_the_queue_has_a_timestamp(self) -> None:
        """Guards against an image that forgets, or invents, when the place was taken."""
        book = self.book()
        book.send(new(1, BID, 100, 5, timestamp_ns=10))
        book.send(replace(1, 100, 4, timestamp_ns=20), market(2, ASK, 1, timestamp_ns=30))
        order = book.engine.order(1)
        assert order is not None
        assert order.timestamp_ns == 10, "its place is the one it took at 10"
        book.send(replace(1, 100, 9, timestamp_ns=40))
        order = book.engine.order(1)
        assert order is not None
        assert order.timestamp_ns == 40, "it went to the back at 40"


class CancelRules(ContractBase):
    """Section 4, "CANCEL" and "MASS_CANCEL"."""

    def test_cancel_takes_off_what_is_open(self) -> None:
        """Guards against reporting the order's original size."""
        book = self.book()
        book.send(new(1, ASK, 100, 5), market(2, BID, 2))
        book.expect(cancel(1), cancelled(1, ASK, 100, 3, Reason.USER))
        book.expect_book()
        book.expect_rejected(cancel(1), Reason.UNKNOWN_ORDER)

    def test_cancel_reports_the_orders_price_and_side(self) -> None:
        """Guards against copying price and side from the CANCEL, where they are 0."""
        book = self.book()
        book.send(new(1, ASK, 555, 5), replace(1, 444, 6))
        book.expect(cancel(1), cancelled(1, ASK, 444, 6, Reason.USER))

    def test_mass_cancel_goes_from_best_to_worst_bids_first(self) -> None:
        """Guards against an order that depends on ids, arrival or a hash table."""
        book = self.book()
        book.send(
            new(8, ASK, 103, 1, account=5),
            new(1, BID, 98, 2, account=5),
            new(7, ASK, 102, 3, account=5),
            new(3, BID, 99, 4, account=5),
            new(2, BID, 99, 5, account=5),
            new(6, ASK, 103, 6, account=5),
        )
        book.expect(
            mass_cancel(5),
            cancelled(3, BID, 99, 4, Reason.MASS_CANCEL),
            cancelled(2, BID, 99, 5, Reason.MASS_CANCEL),
            cancelled(1, BID, 98, 2, Reason.MASS_CANCEL),
            cancelled(7, ASK, 102, 3, Reason.MASS_CANCEL),
            cancelled(8, ASK, 103, 1, Reason.MASS_CANCEL),
            cancelled(6, ASK, 103, 6, Reason.MASS_CANCEL),
        )
        book.expect_book()

    def test_mass_cancel_leaves_other_accounts_alone(self) -> None:
        """Guards against taking a whole level because its first order is the account's."""
        book = self.book()
        book.send(
            new(1, BID, 99, 1, account=5),
            new(2, BID, 99, 2, account=6),
            new(3, BID, 99, 3, account=5),
            new(4, BID, 99, 4),
            new(5, BID, 99, 5, account=5),
        )
        book.expect(
            mass_cancel(5),
            cancelled(1, BID, 99, 1, Reason.MASS_CANCEL),
            cancelled(3, BID, 99, 3, Reason.MASS_CANCEL),
            cancelled(5, BID, 99, 5, Reason.MASS_CANCEL),
        )
        book.expect_queue(BID, 2, 4)
        book.expect_book(bids=[(99, 6, 2)])
        book.expect_rejected(mass_cancel(5), Reason.UNKNOWN_ORDER)

    def test_mass_cancel_of_account_0_is_of_everyone(self) -> None:
        """Guards against reading account 0 as the orders that have no account."""
        book = self.book()
        book.send(new(1, BID, 99, 1, account=5), new(2, ASK, 101, 2))
        book.expect(
            mass_cancel(),
            cancelled(1, BID, 99, 1, Reason.MASS_CANCEL),
            cancelled(2, ASK, 101, 2, Reason.MASS_CANCEL),
        )
        book.expect_book()
        book.expect_rejected(mass_cancel(), Reason.UNKNOWN_ORDER)

    def test_ids_and_slots_are_free_again_after_a_mass_cancel(self) -> None:
        """Guards against ids or slots lost when many go at once."""
        book = self.book(capacity=40)
        for _ in range(3):
            book.send(*(new(i, BID, 100 - i % 7, i, account=i % 3) for i in range(1, 41)))
            book.expect_rejected(new(99, BID, 1, 1), Reason.BOOK_FULL)
            assert len(book.send(mass_cancel(1))) == 14
            assert len(book.send(mass_cancel())) == 26
            book.expect_book()
