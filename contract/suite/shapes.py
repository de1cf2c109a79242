"""Shapes of order flow that are known to have broken real engines."""

from __future__ import annotations

import pytest

from contract.messages import Reason, Side, TimeInForce, cancel, market, mass_cancel, new, replace
from contract.suite.base import ContractBase, both_sides
from contract.suite.expected import accepted, cancelled, replaced, trade

BID, ASK = Side.BID, Side.ASK
IOC = TimeInForce.IOC


class Shapes(ContractBase):
    """Each of these has been wrong in an engine somebody relied on."""

    @pytest.mark.parametrize("gone", [1, 2, 3], ids=["head", "middle", "tail"])
    def test_cancel_inside_a_level_then_sweep_it(self, gone: int) -> None:
        """Guards against links that still lead through a cancelled order."""
        book = self.book()
        book.send(new(1, ASK, 100, 1), new(2, ASK, 100, 2), new(3, ASK, 100, 3), cancel(gone))
        left = [i for i in (1, 2, 3) if i != gone]
        book.expect_queue(ASK, *left)
        book.expect(
            new(9, BID, 100, 9),
            accepted(9, BID, 100, 9),
            trade(9, left[0], BID, 100, left[0], leaves=9 - left[0]),
            trade(9, left[1], BID, 100, left[1], leaves=9 - left[0] - left[1]),
        )
        book.expect_book(bids=[(100, 9 - sum(left), 1)])

    def test_scattered_cancels_in_a_deep_queue(self) -> None:
        """Guards against a queue that is right for three orders and wrong for two hundred."""
        book = self.book()
        book.send(*(new(i, BID, 100, i) for i in range(1, 201)))
        gone = [i for i in range(1, 201) if i % 3 == 0 or i % 7 == 0 or 90 < i < 110]
        book.send(*(cancel(i) for i in reversed(gone)))
        left = [i for i in range(1, 201) if i not in gone]
        book.expect_queue(BID, *left)
        events = book.send(market(999, ASK, sum(left)))
        assert [event.contra_order_id for event in events[1:]] == left
        book.expect_book()

    def test_ioc_across_levels(self) -> None:
        """Guards against an IOC that ends with its first level."""
        book = self.book()
        book.send(*(new(i, ASK, 100 + i, 2) for i in range(1, 6)))
        book.expect(
            new(9, BID, 103, 7, time_in_force=IOC),
            accepted(9, BID, 103, 7),
            trade(9, 1, BID, 101, 2, leaves=5),
            trade(9, 2, BID, 102, 2, leaves=3),
            trade(9, 3, BID, 103, 2, leaves=1),
            cancelled(9, BID, 103, 1, Reason.IOC),
        )

    def test_exact_fill_at_a_level_boundary_leaves_nothing(self) -> None:
        """Guards against an empty level, or a residue of 0, where a fill ends on a boundary."""
        book = self.book()
        book.send(new(1, ASK, 100, 2), new(2, ASK, 101, 3), new(3, ASK, 102, 4))
        book.expect(
            new(9, BID, 102, 5),
            accepted(9, BID, 102, 5),
            trade(9, 1, BID, 100, 2, leaves=3),
            trade(9, 2, BID, 101, 3, leaves=0),
        )
        book.expect_book(asks=[(102, 4, 1)])

    @both_sides
    def test_a_residue_becomes_the_new_best_and_is_fillable(self, side: Side) -> None:
        """Guards against a residue that rests where nobody finds it."""
        limit, old = (105, 90) if side == BID else (95, 110)
        book = self.book()
        book.send(new(1, side, old, 1), new(2, side.opposite, 100, 3))
        book.send(new(3, side, limit, 5))
        best = book.engine.best_bid() if side == BID else book.engine.best_ask()
        assert best == (limit, 2, 1)
        book.expect(
            market(4, side.opposite, 3),
            accepted(4, side.opposite, 0, 3),
            trade(4, 3, side.opposite, limit, 2, leaves=1),
            trade(4, 1, side.opposite, old, 1, leaves=0),
        )

    def test_repricing_one_of_two_orders_does_not_lose_the_other(self) -> None:
        """Guards against dropping a level when the order that moves was its first or last."""
        for moved, stays in ((1, 2), (2, 1)):
            book = self.book()
            book.send(new(1, ASK, 100, 5), new(2, ASK, 100, 5), replace(moved, 101, 5))
            book.expect_book(asks=[(100, 5, 1), (101, 5, 1)])
            book.expect_queue(ASK, stays, moved)

    def test_partial_fill_then_cancel(self) -> None:
        """Guards against cancelling more than is open, or filling it afterwards."""
        book = self.book()
        book.send(new(1, BID, 100, 10), market(2, ASK, 4))
        book.expect(cancel(1), cancelled(1, BID, 100, 6, Reason.USER))
        book.expect(market(3, ASK, 1), accepted(3, ASK, 0, 1), cancelled(3, ASK, 0, 1, Reason.IOC))

    def test_partial_fill_then_replace(self) -> None:
        """Guards against a level whose total no longer is the sum of its orders."""
        book = self.book()
        book.send(new(1, BID, 100, 10), new(2, BID, 100, 1), market(3, ASK, 4))
        book.expect(replace(1, 100, 5), replaced(1, BID, 100, 5))
        book.expect_book(bids=[(100, 6, 2)])
        book.expect(replace(1, 100, 7), replaced(1, BID, 100, 7))
        book.expect_book(bids=[(100, 8, 2)])
        book.expect_queue(BID, 2, 1)

    def test_cancel_and_replace_after_a_full_fill(self) -> None:
        """Guards against an id that outlives its order, as maker or as aggressor."""
        book = self.book()
        book.send(new(1, BID, 100, 5), new(2, ASK, 100, 5))
        for order_id in (1, 2):
            book.expect_rejected(cancel(order_id), Reason.UNKNOWN_ORDER)
            book.expect_rejected(replace(order_id, 100, 5), Reason.UNKNOWN_ORDER)

    def test_an_id_is_reusable_after_cancel_and_after_fill(self) -> None:
        """Guards against remembering ids that are no longer live."""
        book = self.book()
        book.send(new(1, BID, 100, 5), cancel(1))
        book.expect(new(1, ASK, 101, 7), accepted(1, ASK, 101, 7))
        book.send(market(2, BID, 7))
        book.expect(new(1, BID, 99, 3), accepted(1, BID, 99, 3))
        book.expect(new(2, ASK, 99, 3), accepted(2, ASK, 99, 3), trade(2, 1, ASK, 99, 3, leaves=0))
        book.expect(new(2, BID, 98, 1), accepted(2, BID, 98, 1))
        book.expect_book(bids=[(98, 1, 1)])

    @both_sides
    def test_best_price_is_right_at_once_after_a_cancel(self, side: Side) -> None:
        """Guards against a best price put right only by the next trade."""
        first, second, third = (100, 99, 95) if side == BID else (100, 101, 105)
        book = self.book()
        book.send(new(1, side, second, 1), new(2, side, first, 2), new(3, side, third, 3))
        levels = [(second, 1, 1), (third, 3, 1)]
        book.send(cancel(2))
        book.expect_side(side, *levels)
        book.expect(
            new(9, side.opposite, second, 5, time_in_force=IOC),
            accepted(9, side.opposite, second, 5),
            trade(9, 1, side.opposite, second, 1, leaves=4),
            cancelled(9, side.opposite, second, 4, Reason.IOC),
        )

    def test_best_price_after_replace_and_mass_cancel(self) -> None:
        """Guards against a best price that only CANCEL and fills keep up to date."""
        book = self.book()
        book.send(new(1, ASK, 100, 1, account=1), new(2, ASK, 102, 2), replace(1, 103, 1))
        book.expect_book(asks=[(102, 2, 1), (103, 1, 1)])
        book.send(replace(1, 101, 1))
        book.expect_book(asks=[(101, 1, 1), (102, 2, 1)])
        book.send(mass_cancel(1))
        book.expect_book(asks=[(102, 2, 1)])

    def test_a_partly_filled_maker_keeps_its_place_between_aggressors(self) -> None:
        """Guards against putting a partly filled order back at the end of its level."""
        book = self.book()
        book.send(new(1, BID, 100, 5), new(2, BID, 100, 5))
        for order_id, leaves in ((11, 4), (12, 3), (13, 2)):
            book.expect(
                market(order_id, ASK, 1),
                accepted(order_id, ASK, 0, 1),
                trade(order_id, 1, ASK, 100, 1, leaves=0),
            )
            book.expect_book(bids=[(100, leaves + 5, 2)])
        book.expect_queue(BID, 1, 2)

    @both_sides
    def test_five_thousand_fills_in_one_sweep(self, side: Side) -> None:
        """Guards against an event buffer, or a recursion, that ends before the sweep does."""
        count = 5_000
        book = self.book(capacity=count)
        setup = b"".join(new(i, side, 100 + i % 50, 1).pack() for i in range(1, count + 1))
        book.engine.apply_batch(setup, bytearray(len(setup)))
        events = book.engine.apply(market(count + 1, side.opposite, count))
        book.engine.check()
        assert len(events) == count + 1
        assert [event.leaves for event in events] == list(range(count, -1, -1))
        order = sorted(range(1, count + 1), key=lambda i: (i % 50 if side == ASK else -(i % 50), i))
        assert [event.contra_order_id for event in events[1:]] == order
        assert len(book.engine) == 0

    def test_a_level_that_comes_and_goes(self) -> None:
        """Guards against a level table filled up by levels that are no longer there."""
        book = self.book(capacity=2)
        for price in range(1, 1_500):
            book.send(new(price, BID, price, 1))
            book.send(cancel(price))
        book.expect_book()

    def test_every_order_on_its_own_level(self) -> None:
        """Guards against fewer levels than orders: a full book may need one for each."""
        book = self.book(capacity=128)
        book.send(*(new(i, BID, 500_000 - 3_000 * i, i) for i in range(1, 65)))
        book.send(*(new(i, ASK, 500_000 + 3_000 * i, i) for i in range(65, 129)))
        assert [len(side) for side in book.engine.depth(1000)] == [64, 64]
        events = book.send(market(999, BID, 10**6), market(998, ASK, 10**6))
        assert [event.contra_order_id for event in events[1:-1]] == list(range(1, 65))
        book.expect_book()

    @pytest.mark.parametrize("stride", [1, 2**16, 2**20, 2**32, 2**48, 2**56, 0x9E3779B97F4A7C15])
    def test_ids_that_share_their_low_bits(self, stride: int) -> None:
        """Guards against an id table that loses entries when ids collide or are removed."""
        ids = list(dict.fromkeys(i * stride % 2**64 or 7 for i in range(1, 201)))
        book = self.book(capacity=len(ids))
        for rounds in range(2):
            book.send(*(new(i, BID, 1 + n, 1) for n, i in enumerate(ids)))
            book.send(*(cancel(i) for i in ids[:: 2 + rounds]))
            for i in ids:
                assert (book.engine.order(i) is None) == (i in ids[:: 2 + rounds]), f"order {i}"
            book.send(mass_cancel())
            book.expect_book()
