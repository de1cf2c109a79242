"""Smallest, largest, fullest, closed: what an engine does at the ends of its ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract.engine import MAX_CAPACITY, Engine
from contract.errors import ConfigurationError, EngineClosedError
from contract.messages import (
    DEFAULT_CAPACITY,
    DEFAULT_MAX_PRICE,
    DEFAULT_MIN_PRICE,
    MAX_QUANTITY,
    Reason,
    Side,
    cancel,
    market,
    mass_cancel,
    new,
    replace,
)
from contract.suite.base import ContractBase
from contract.suite.expected import accepted, cancelled, replaced, trade

BID, ASK = Side.BID, Side.ASK
LOWEST, HIGHEST = -(2**63), 2**63 - 1
LARGEST_ID = 2**64 - 1

WRONG_LIMITS: dict[str, dict[str, int]] = {
    "capacity 0": {"capacity": 0},
    "capacity -1": {"capacity": -1},
    "capacity too large": {"capacity": MAX_CAPACITY + 1},
    "range upside down": {"min_price": 101, "max_price": 100},
    "min_price too small": {"min_price": LOWEST - 1},
    "max_price too large": {"max_price": HIGHEST + 1},
    "instrument -1": {"instrument": -1},
    "instrument too large": {"instrument": 2**32},
}

USES: dict[str, Callable[[Engine], Any]] = {
    "apply": lambda engine: engine.apply(new(1, BID, 100, 5)),
    "apply_batch": lambda engine: engine.apply_batch(b"", bytearray()),
    "event_sequence": lambda engine: engine.event_sequence,
    "best_bid": lambda engine: engine.best_bid(),
    "best_ask": lambda engine: engine.best_ask(),
    "depth": lambda engine: engine.depth(1),
    "orders": lambda engine: engine.orders(BID),
    "order": lambda engine: engine.order(1),
    "len": len,
    "snapshot": lambda engine: engine.snapshot(),
    "restore": lambda engine: engine.restore(b""),
    "state_hash": lambda engine: engine.state_hash(),
    "check": lambda engine: engine.check(),
}


class LimitRules(ContractBase):
    """The ends of every range a book is built with, and the end of the engine itself."""

    def test_defaults(self) -> None:
        """Guards against an engine built with other limits than everyone expects."""
        with self.engine_class() as engine:
            limits = (engine.instrument, engine.min_price, engine.max_price, engine.capacity)
        assert limits == (0, DEFAULT_MIN_PRICE, DEFAULT_MAX_PRICE, DEFAULT_CAPACITY)
        assert limits == (0, 1, 2**31 - 1, 2**20)

    @pytest.mark.parametrize("case", WRONG_LIMITS)
    def test_limits_that_make_no_sense(self, case: str) -> None:
        """Guards against a wrong limit found out by a crash, much later."""
        with pytest.raises(ConfigurationError, match=next(iter(WRONG_LIMITS[case]))):
            self.engine_class(**WRONG_LIMITS[case])

    def test_capacity_of_one(self) -> None:
        """Guards against structures that need a neighbour, a spare slot or a table above 1."""
        book = self.book(capacity=1)
        book.expect(new(1, BID, 100, 5), accepted(1, BID, 100, 5))
        book.expect_rejected(new(2, ASK, 100, 5), Reason.BOOK_FULL)
        book.expect(replace(1, 101, 6), replaced(1, BID, 101, 6))
        book.expect(
            market(2, ASK, 7),
            accepted(2, ASK, 0, 7),
            trade(2, 1, ASK, 101, 6, leaves=1),
            cancelled(2, ASK, 0, 1, Reason.IOC),
        )
        book.expect(new(2, ASK, 100, 5), accepted(2, ASK, 100, 5))
        book.expect(mass_cancel(), cancelled(2, ASK, 100, 5, Reason.MASS_CANCEL))
        book.expect_book()

    def test_a_single_price(self) -> None:
        """Guards against a range of one price that has no room for any."""
        book = self.book(min_price=42, max_price=42)
        book.expect_rejected(new(1, BID, 41, 5), Reason.INVALID_PRICE)
        book.expect_rejected(new(1, BID, 43, 5), Reason.INVALID_PRICE)
        book.send(new(1, BID, 42, 5), new(2, BID, 42, 5))
        book.expect(
            new(3, ASK, 42, 12),
            accepted(3, ASK, 42, 12),
            trade(3, 1, ASK, 42, 5, leaves=7),
            trade(3, 2, ASK, 42, 5, leaves=2),
        )
        book.expect_book(asks=[(42, 2, 1)])

    @pytest.mark.parametrize(
        ("low", "high"),
        [(LOWEST, HIGHEST), (LOWEST, LOWEST + 9), (HIGHEST - 9, HIGHEST), (-5, 5), (1, 2**31 - 1)],
        ids=["all of int64", "lowest", "highest", "around 0", "default"],
    )
    def test_orders_at_both_ends_of_the_range(self, low: int, high: int) -> None:
        """Guards against differences of prices that overflow, and sentinels that are prices."""
        book = self.book(min_price=low, max_price=high)
        book.send(new(1, BID, low, 5), new(2, ASK, high, 5))
        book.expect_book(bids=[(low, 5, 1)], asks=[(high, 5, 1)])
        book.expect(
            new(3, ASK, low, 7), accepted(3, ASK, low, 7), trade(3, 1, ASK, low, 5, leaves=2)
        )
        book.expect(
            new(4, BID, high, 9),
            accepted(4, BID, high, 9),
            trade(4, 3, BID, low, 2, leaves=7),
            trade(4, 2, BID, high, 5, leaves=2),
        )
        book.expect(replace(4, low, 2), replaced(4, BID, low, 2))
        book.expect(new(5, ASK, high, 1), accepted(5, ASK, high, 1))
        book.expect_book(bids=[(low, 2, 1)], asks=[(high, 1, 1)])
        book.expect(
            market(6, BID, 2),
            accepted(6, BID, 0, 2),
            trade(6, 5, BID, high, 1, leaves=1),
            cancelled(6, BID, 0, 1, Reason.IOC),
        )
        book.expect(cancel(4), cancelled(4, BID, low, 2, Reason.USER))
        book.expect_book()

    def test_price_0_and_below_are_prices_like_any_other(self) -> None:
        """Guards against 0 taken for "no price" where the range allows it."""
        book = self.book(min_price=-10, max_price=10)
        book.send(new(1, ASK, 0, 5), new(2, ASK, -1, 5), new(3, BID, -2, 5))
        book.expect_book(bids=[(-2, 5, 1)], asks=[(-1, 5, 1), (0, 5, 1)])
        book.expect(
            new(4, BID, 0, 10),
            accepted(4, BID, 0, 10),
            trade(4, 2, BID, -1, 5, leaves=5),
            trade(4, 1, BID, 0, 5, leaves=0),
        )

    @pytest.mark.parametrize("stride", [1, 2**12, 2**31, 2**32, 2**48, 2**56])
    def test_prices_far_apart(self, stride: int) -> None:
        """Guards against prices that share their low bits, or are cut to 32 of them."""
        prices = [price for n in range(-60, 60) if LOWEST <= (price := n * stride) <= HIGHEST]
        book = self.book(min_price=LOWEST, max_price=HIGHEST)
        shuffled = sorted(prices, key=lambda price: (price // stride * 37) % 101)
        book.send(*(new(i, ASK, price, 1) for i, price in enumerate(shuffled, start=1)))
        book.expect_book(asks=[(price, 1, 1) for price in prices])
        book.send(*(cancel(i) for i in range(1, len(prices) + 1, 2)))
        left = sorted(shuffled[1::2])
        book.expect_book(asks=[(price, 1, 1) for price in left])
        events = book.send(market(999, BID, len(prices)))
        assert [event.price for event in events[1:-1]] == left

    def test_largest_quantities(self) -> None:
        """Guards against open lots, or their sum over a level, kept in too few bits."""
        book = self.book()
        book.send(*(new(i, BID, 100, MAX_QUANTITY) for i in range(1, 201)))
        book.expect_book(bids=[(100, 200 * MAX_QUANTITY, 200)])
        book.expect(
            new(999, ASK, 100, MAX_QUANTITY - 1),
            accepted(999, ASK, 100, MAX_QUANTITY - 1),
            trade(999, 1, ASK, 100, MAX_QUANTITY - 1, leaves=0),
        )
        book.expect_book(bids=[(100, 199 * MAX_QUANTITY + 1, 200)])
        book.expect(replace(1, 100, MAX_QUANTITY), replaced(1, BID, 100, MAX_QUANTITY))
        book.expect_book(bids=[(100, 200 * MAX_QUANTITY, 200)])

    def test_largest_and_smallest_ids_and_accounts(self) -> None:
        """Guards against an id or account cut short, or one that means "empty" in a table."""
        book = self.book()
        ids = [1, 2, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63 - 1, 2**63, 2**64 - 2, LARGEST_ID]
        for order_id in ids:
            book.expect(
                new(order_id, BID, 100, 5, account=2**32 - 1), accepted(order_id, BID, 100, 5)
            )
            book.expect_rejected(new(order_id, BID, 100, 5), Reason.DUPLICATE_ORDER_ID)
        book.expect_queue(BID, *ids)
        book.expect(cancel(LARGEST_ID), cancelled(LARGEST_ID, BID, 100, 5, Reason.USER))
        book.expect_rejected(cancel(LARGEST_ID), Reason.UNKNOWN_ORDER)
        book.expect(
            mass_cancel(2**32 - 1),
            *(cancelled(order_id, BID, 100, 5, Reason.MASS_CANCEL) for order_id in ids[:-1]),
        )

    def test_largest_timestamps(self) -> None:
        """Guards against a clock read as a signed number."""
        book = self.book()
        book.send(new(1, BID, 100, 5, timestamp_ns=2**64 - 1))
        order = book.engine.order(1)
        assert order is not None
        assert order.timestamp_ns == 2**64 - 1

    @pytest.mark.parametrize("use", USES)
    def test_a_closed_engine_raises(self, use: str) -> None:
        """Guards against a freed book touched again: a crash at best."""
        engine = self.book().engine
        engine.apply(new(1, BID, 100, 5))
        engine.close()
        with pytest.raises(EngineClosedError):
            USES[use](engine)

    def test_closing_twice_is_harmless(self) -> None:
        """Guards against freeing twice, and against ``with`` around an explicit close."""
        with self.book().engine as engine:
            engine.close()
            engine.close()
        with pytest.raises(EngineClosedError):
            engine.apply(new(1, BID, 100, 5))

    def test_engines_do_not_share_anything(self) -> None:
        """Guards against state kept in the class, the module or the library."""
        first, second = self.book(), self.book()
        first.send(new(1, BID, 100, 5))
        second.expect(new(1, ASK, 100, 5), accepted(1, ASK, 100, 5))
        first.engine.close()
        second.expect_book(asks=[(100, 5, 1)])
