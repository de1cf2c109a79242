"""Which commands are refused, for which reason, and which check comes first."""

from __future__ import annotations

from dataclasses import replace as with_fields

import pytest

from contract.messages import (
    MAX_QUANTITY,
    Command,
    CommandKind,
    Flag,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
    cancel,
    market,
    mass_cancel,
    new,
    replace,
)
from contract.suite.base import ContractBase, word
from contract.suite.expected import accepted, cancelled, replaced

BID, ASK = Side.BID, Side.ASK
LIMIT_ORDER = new(9, BID, 100, 5)

MALFORMED = {
    "kind 0": with_fields(LIMIT_ORDER, kind=0),
    "kind 5": with_fields(LIMIT_ORDER, kind=5),
    "kind 255": with_fields(LIMIT_ORDER, kind=255),
    "new order id 0": with_fields(LIMIT_ORDER, order_id=0),
    "cancel order id 0": cancel(0),
    "replace order id 0": replace(0, 100, 5),
    "side 2": with_fields(LIMIT_ORDER, side=2),
    "side 255": with_fields(LIMIT_ORDER, side=255),
    "order type 2": with_fields(LIMIT_ORDER, order_type=2),
    "time in force 3": with_fields(LIMIT_ORDER, time_in_force=3),
    "self-trade mode 4": with_fields(LIMIT_ORDER, self_trade=4),
    "flag bit 1": with_fields(LIMIT_ORDER, flags=2),
    "flag bit 7 and post-only": with_fields(LIMIT_ORDER, flags=0x81),
    "market gtc": market(9, BID, 5, time_in_force=TimeInForce.GTC),
    "post-only ioc": new(9, BID, 100, 5, time_in_force=TimeInForce.IOC, post_only=True),
    "post-only fok": new(9, BID, 100, 5, time_in_force=TimeInForce.FOK, post_only=True),
    "post-only market": with_fields(market(9, BID, 5), flags=Flag.POST_ONLY),
    "reserved 1": with_fields(LIMIT_ORDER, reserved=1),
    "reserved -1": with_fields(LIMIT_ORDER, reserved=-1),
    "reserved2 1": with_fields(LIMIT_ORDER, reserved2=1),
    "reserved2 high byte": with_fields(LIMIT_ORDER, reserved2=0xFF00),
}

# Commands that break every rule from theirs on down; the reason is that of the first.
# The book they meet: instrument 0, prices 1 to 1000, capacity 2, bid #1 and post-only ask #2.
FIRST_CHECK_DECIDES = {
    "malformed before instrument": (
        with_fields(new(1, 7, 0, 0), instrument=3),
        Reason.INVALID_COMMAND,
    ),
    "order id 0 before instrument": (cancel(0, instrument=3), Reason.INVALID_COMMAND),
    "kind before order id": (Command(9, 0, instrument=3), Reason.INVALID_COMMAND),
    "instrument before duplicate": (new(1, BID, 0, 0, instrument=3), Reason.UNKNOWN_INSTRUMENT),
    "instrument before unknown order": (cancel(77, instrument=3), Reason.UNKNOWN_INSTRUMENT),
    "instrument before no order to cancel": (
        mass_cancel(77, instrument=3),
        Reason.UNKNOWN_INSTRUMENT,
    ),
    "duplicate before quantity": (new(1, BID, 0, 0), Reason.DUPLICATE_ORDER_ID),
    "duplicate market before quantity": (
        with_fields(market(1, BID, 0), price=5),
        Reason.DUPLICATE_ORDER_ID,
    ),
    "unknown order before quantity": (replace(77, 0, 0), Reason.UNKNOWN_ORDER),
    "quantity before price": (new(9, BID, 0, 0), Reason.INVALID_QUANTITY),
    "market quantity before price": (
        with_fields(market(9, BID, 0), price=5),
        Reason.INVALID_QUANTITY,
    ),
    "replace quantity before price": (replace(1, 0, 0), Reason.INVALID_QUANTITY),
    "price before full book": (new(9, BID, 0, 5, post_only=True), Reason.INVALID_PRICE),
    "replace price before would cross": (replace(2, 0, 5), Reason.INVALID_PRICE),
    "full book before would cross": (new(9, BID, 200, 5, post_only=True), Reason.BOOK_FULL),
}


class ValidationRules(ContractBase):
    """Section 4, "Validation": every reason, and the order of the checks."""

    @pytest.mark.parametrize("case", MALFORMED)
    def test_malformed_command(self, case: str) -> None:
        """Guards against trusting a byte that came from outside."""
        book = self.book()
        book.send(new(1, ASK, 100, 5))
        book.expect_rejected(MALFORMED[case], Reason.INVALID_COMMAND)

    @pytest.mark.parametrize("case", FIRST_CHECK_DECIDES)
    def test_first_failing_check_decides(self, case: str) -> None:
        """Guards against checks in another order: same rejection, other reason, other bytes."""
        command, reason = FIRST_CHECK_DECIDES[case]
        book = self.book(max_price=1000, capacity=2)
        book.send(new(1, BID, 99, 5), new(2, ASK, 101, 5, post_only=True))
        book.expect_rejected(command, reason)

    def test_other_instrument(self) -> None:
        """Guards against a book that takes orders meant for another."""
        book = self.book(instrument=7)
        order = new(1, BID, 100, 5)
        book.expect_rejected(order, Reason.UNKNOWN_INSTRUMENT)
        book.expect(with_fields(order, instrument=7), accepted(1, BID, 100, 5))
        book.expect_rejected(cancel(1, instrument=8), Reason.UNKNOWN_INSTRUMENT)
        book.expect_rejected(replace(1, 100, 4, instrument=2**32 - 1), Reason.UNKNOWN_INSTRUMENT)
        book.expect_rejected(mass_cancel(), Reason.UNKNOWN_INSTRUMENT)
        book.expect(cancel(1, instrument=7), cancelled(1, BID, 100, 5, Reason.USER))

    def test_order_id_of_a_live_order(self) -> None:
        """Guards against two live orders under one id, on either side and of any type."""
        book = self.book()
        book.send(new(1, BID, 100, 5))
        for again in (new(1, BID, 100, 5), new(1, ASK, 200, 1), market(1, ASK, 1)):
            book.expect_rejected(again, Reason.DUPLICATE_ORDER_ID)
        book.expect_book(bids=[(100, 5, 1)])

    def test_order_id_that_is_not_live(self) -> None:
        """Guards against a virgin book that finds an order, or crashes looking for one."""
        book = self.book()
        book.expect_rejected(cancel(1), Reason.UNKNOWN_ORDER)
        book.expect_rejected(replace(1, 100, 5), Reason.UNKNOWN_ORDER)
        book.expect_rejected(mass_cancel(), Reason.UNKNOWN_ORDER)
        book.expect_rejected(mass_cancel(3), Reason.UNKNOWN_ORDER)

    @pytest.mark.parametrize("quantity", [0, MAX_QUANTITY + 1, 2**63, 2**64 - 1])
    def test_quantity_out_of_range(self, quantity: int) -> None:
        """Guards against an order of nothing, and against quantities whose sums overflow."""
        book = self.book()
        book.send(new(1, BID, 100, 5))
        book.expect_rejected(new(2, BID, 100, quantity), Reason.INVALID_QUANTITY)
        book.expect_rejected(market(2, ASK, quantity), Reason.INVALID_QUANTITY)
        book.expect_rejected(replace(1, 100, quantity), Reason.INVALID_QUANTITY)

    @pytest.mark.parametrize("price", [-(2**63), -1, 0, 9, 1001, 2**31, 2**32 + 10, 2**63 - 1])
    def test_price_out_of_range(self, price: int) -> None:
        """Guards against a price beside the book's range, and against one cut to 32 bits."""
        book = self.book(min_price=10, max_price=1000)
        book.send(new(1, BID, 100, 5))
        for time_in_force in TimeInForce:
            order = new(2, ASK, price, 5, time_in_force=time_in_force)
            book.expect_rejected(order, Reason.INVALID_PRICE)
        book.expect_rejected(replace(1, price, 5), Reason.INVALID_PRICE)

    def test_both_ends_of_the_price_range_are_inside(self) -> None:
        """Guards against a range that leaves out its own ends."""
        book = self.book(min_price=10, max_price=1000)
        book.expect(new(1, BID, 10, 5), accepted(1, BID, 10, 5))
        book.expect(new(2, ASK, 1000, 5), accepted(2, ASK, 1000, 5))
        book.expect(replace(1, 10, 4), replaced(1, BID, 10, 4))

    @pytest.mark.parametrize("price", [-1, 1, 100, 2**63 - 1])
    def test_market_order_with_a_price(self, price: int) -> None:
        """Guards against a market order that silently is a limit order."""
        book = self.book()
        order = with_fields(market(1, BID, 5), price=price)
        book.expect_rejected(order, Reason.INVALID_PRICE)
        fill_or_kill = with_fields(order, time_in_force=TimeInForce.FOK)
        book.expect_rejected(fill_or_kill, Reason.INVALID_PRICE)

    @pytest.mark.parametrize("kind", [CommandKind.CANCEL, CommandKind.REPLACE], ids=word)
    def test_unused_fields_are_not_checked(self, kind: CommandKind) -> None:
        """Guards against refusing a CANCEL or REPLACE for bytes it does not use."""
        book = self.book()
        book.send(new(1, BID, 100, 5, account=4, self_trade=SelfTrade.CANCEL_OLDEST))
        if kind == CommandKind.CANCEL:
            garbage = _garbage(cancel(1), price=-5, quantity=2**64 - 1, account=99)
            book.expect(garbage, cancelled(1, BID, 100, 5, Reason.USER))
        else:
            book.expect(_garbage(replace(1, 100, 3), account=99), replaced(1, BID, 100, 3))

    def test_mass_cancel_uses_nothing_but_the_account(self) -> None:
        """Guards against a MASS_CANCEL narrowed by a side, an id or a price it does not use."""
        book = self.book()
        book.send(new(1, BID, 99, 5, account=4), new(2, ASK, 101, 5, account=4))
        book.expect(
            _garbage(mass_cancel(4), order_id=2, price=101, quantity=1),
            cancelled(1, BID, 99, 5, Reason.MASS_CANCEL),
            cancelled(2, ASK, 101, 5, Reason.MASS_CANCEL),
        )

    def test_a_replaced_order_keeps_its_own_fields(self) -> None:
        """Guards against REPLACE taking side, account, mode or flags from its own record."""
        book = self.book()
        book.send(new(1, BID, 100, 5, account=4, self_trade=SelfTrade.CANCEL_BOTH))
        book.expect(_garbage(replace(1, 101, 9), account=99), replaced(1, BID, 101, 9))
        order = book.engine.order(1)
        assert order is not None
        assert (order.side, order.account, order.self_trade, order.flags) == (BID, 4, 3, 0)

    def test_rejection_repeats_the_command(self) -> None:
        """Guards against a rejection that tidies up what it was sent, garbage included."""
        book = self.book()
        command = Command(
            200, 2**64 - 1, 77, -(2**63), 2**64 - 1, 9, 9, 9, 0xFF, 1, 2**32 - 1, 2**64 - 1
        )
        book.expect_rejected(command, Reason.INVALID_COMMAND)
        book.expect_rejected(_garbage(mass_cancel(5), order_id=12), Reason.UNKNOWN_ORDER)

    def test_the_sequence_of_a_command_is_not_the_engines_business(self) -> None:
        """Guards against refusing or copying the sequencer's stamp."""
        book = self.book()
        stamped = with_fields(new(1, BID, 100, 5), sequence=2**64 - 1)
        book.expect(stamped, accepted(1, BID, 100, 5))
        book.expect(with_fields(cancel(1), sequence=3), cancelled(1, BID, 100, 5, Reason.USER))

    def test_rejections_are_numbered_like_all_events(self) -> None:
        """Guards against gaps in the event numbers when commands are refused."""
        book = self.book()
        numbers = [
            event.sequence
            for command in (cancel(1), new(1, BID, 100, 5), cancel(0), market(2, ASK, 7))
            for event in book.send(command)
        ]
        assert numbers == [1, 2, 3, 4, 5, 6]

    def test_timestamp_and_instrument_are_copied_into_every_event(self) -> None:
        """Guards against a maker's time, or the book's own clock, in an event."""
        book = self.book(instrument=3)
        book.send(new(1, ASK, 100, 2, instrument=3, timestamp_ns=11))
        book.send(new(2, ASK, 100, 2, instrument=3, timestamp_ns=12))
        sweep = new(
            3,
            BID,
            100,
            5,
            time_in_force=TimeInForce.IOC,
            instrument=3,
            timestamp_ns=2**64 - 1,
        )
        events = book.send(sweep)
        assert [event.timestamp_ns for event in events] == [2**64 - 1] * 4
        assert {event.instrument for event in events} == {3}


def _garbage(command: Command, **fields: int) -> Command:
    """The command with nonsense in every field that its kind does not use."""
    return with_fields(
        command,
        side=9,
        order_type=OrderType.MARKET,
        time_in_force=77,
        self_trade=8,
        flags=0xFF,
        reserved=-1,
        reserved2=0xFFFF,
        **fields,
    )
