"""What an engine shows of its book: levels, orders, length, hash."""

from __future__ import annotations

import pytest

from contract.canonical import image_hash, pack_image
from contract.engine import Engine, RestingOrder
from contract.messages import SelfTrade, Side, market, new, replace
from contract.suite.base import ContractBase
from contract.suite.probe import Probe

BID, ASK = Side.BID, Side.ASK


class ViewRules(ContractBase):
    """Section 5: looking at a book shows what is there and changes nothing."""

    def _six_orders(self) -> Probe:
        book = self.book(instrument=3)
        for order_id, side, price in (
            (1, BID, 98),
            (2, BID, 99),
            (3, BID, 98),
            (4, ASK, 103),
            (5, ASK, 101),
            (6, ASK, 101),
        ):
            book.send(new(order_id, side, price, 10 * order_id, instrument=3))
        return book

    def test_protocol(self) -> None:
        """Guards against a method forgotten, or an engine without a name."""
        engine = self.book().engine
        assert isinstance(engine, Engine)
        assert isinstance(engine.name, str)
        assert engine.name

    def test_depth_gives_the_best_levels_first(self) -> None:
        """Guards against levels sorted the same way on both sides, and against too many."""
        engine = self._six_orders().engine
        bids, asks = [(99, 20, 1), (98, 40, 2)], [(101, 110, 2), (103, 40, 1)]
        assert engine.depth(9) == (bids, asks)
        assert engine.depth(2) == (bids, asks)
        assert engine.depth(1) == (bids[:1], asks[:1])
        assert engine.depth(0) == ([], [])
        assert engine.best_bid() == (99, 20, 1)
        assert engine.best_ask() == (101, 110, 2)

    def test_orders_come_in_priority_order_and_no_more_than_asked_for(self) -> None:
        """Guards against order lists by id or by arrival, and against a limit left out."""
        engine = self._six_orders().engine
        assert [order.order_id for order in engine.orders(BID)] == [2, 1, 3]
        assert [order.order_id for order in engine.orders(ASK)] == [5, 6, 4]
        assert [order.order_id for order in engine.orders(ASK, 2)] == [5, 6]
        assert [order.order_id for order in engine.orders(BID, 99)] == [2, 1, 3]
        assert engine.orders(BID, 0) == []

    def test_a_side_that_does_not_exist(self) -> None:
        """Guards against reading beyond an array of two sides."""
        engine = self._six_orders().engine
        for side in (2, -1):
            with pytest.raises(ValueError, match=str(side)):
                engine.orders(side)

    def test_an_order_shows_all_its_fields(self) -> None:
        """Guards against a field dropped on its way into the book."""
        book = self.book()
        book.send(
            new(
                2**64 - 1,
                ASK,
                123,
                45,
                account=2**32 - 1,
                self_trade=SelfTrade.CANCEL_BOTH,
                post_only=True,
                timestamp_ns=2**63,
            )
        )
        order = RestingOrder(2**64 - 1, ASK, 123, 45, 2**63, 2**32 - 1, 3, 1)
        assert book.engine.order(2**64 - 1) == order
        assert book.engine.orders(ASK) == [order]
        assert book.engine.order(1) is None
        assert book.engine.order(2**64 - 2) is None

    def test_an_empty_book(self) -> None:
        """Guards against a best price, or a level, where there is nothing."""
        book = self.book()
        for _ in range(2):
            book.expect_book()
            assert book.engine.best_bid() is None
            assert book.engine.best_ask() is None
            book.send(new(1, BID, 100, 5), market(2, ASK, 5))

    def test_looking_changes_nothing(self) -> None:
        """Guards against views that tidy up, or hand out the engine's own lists."""
        book = self._six_orders()
        engine = book.engine
        before = engine.snapshot()
        engine.depth(5)[0].clear()
        engine.orders(BID).clear()
        engine.order(1)
        engine.state_hash()
        engine.check()
        assert engine.snapshot() == before
        assert engine.event_sequence == 6

    def test_state_hash_is_of_the_canonical_image(self) -> None:
        """Guards against a hash of anything else: engines could no longer be compared."""
        engine = self._six_orders().engine
        orders = engine.orders(BID) + engine.orders(ASK)
        assert engine.snapshot() == pack_image(3, 6, orders)
        assert engine.state_hash() == image_hash(pack_image(3, 0, orders))

    def test_state_hash_depends_on_the_state_alone(self) -> None:
        """Guards against a hash that remembers the road: ids once used, events once sent."""
        short, long = self.book(), self.book()
        short.send(new(5, BID, 99, 4, timestamp_ns=8))
        long.send(new(1, ASK, 99, 7), new(2, BID, 120, 9), market(3, ASK, 1))
        long.send(market(4, ASK, 1), new(5, BID, 99, 4, timestamp_ns=8))
        assert long.engine.state_hash() == short.engine.state_hash()
        assert long.engine.snapshot() != short.engine.snapshot()

    def test_state_hash_depends_on_all_of_the_state(self) -> None:
        """Guards against an image that leaves out what decides the future of the book."""
        base = [new(1, BID, 99, 5), new(2, BID, 99, 5)]
        variants = [
            base,
            base[::-1],
            base[:1],
            [new(1, BID, 99, 5, account=1), base[1]],
            [new(1, BID, 99, 5, self_trade=SelfTrade.CANCEL_OLDEST), base[1]],
            [new(1, BID, 99, 5, post_only=True), base[1]],
            [new(1, BID, 99, 5, timestamp_ns=1), base[1]],
            [new(1, BID, 98, 5), base[1]],
            [new(1, BID, 99, 6), base[1]],
            [new(3, BID, 99, 5), base[1]],
            [new(1, ASK, 100, 5), base[1]],
            [*base, replace(1, 99, 4)],
            [*base, replace(1, 99, 6)],
        ]
        hashes = []
        for commands in variants:
            book = self.book()
            book.send(*commands)
            hashes.append(book.engine.state_hash())
        assert len(set(hashes)) == len(variants)
