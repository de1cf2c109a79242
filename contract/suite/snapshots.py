"""The image of a book: taken, restored, continued; damaged, refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import pytest

from contract.canonical import HEADER, ORDER, image_hash, pack_image
from contract.engine import RestingOrder
from contract.errors import SnapshotError
from contract.messages import MAX_QUANTITY, Command, Reason, Side, cancel, market, new
from contract.suite.base import ContractBase
from contract.suite.expected import accepted, cancelled, trade
from contract.suite.flow import PROFILE_NAMES, flow
from contract.suite.probe import oracle_class

BID, ASK = Side.BID, Side.ASK
COUNT: Final = 240

# A book of five orders, and what can be wrong with its image. Offsets of the first order's
# fields are counted from the end of the header.
LIMITS: Final = {"instrument": 3, "min_price": 10, "max_price": 1000, "capacity": 6}
GOOD: Final = [
    RestingOrder(1, BID, 100, 5, 11, 0, 0, 0),
    RestingOrder(2, BID, 100, 6, 12, 9, 3, 1),
    RestingOrder(3, BID, 99, 7, 13, 9, 0, 0),
    RestingOrder(4, ASK, 101, 8, 14, 0, 0, 0),
    RestingOrder(5, ASK, 102, 9, 15, 0, 1, 0),
]


def _with(index: int, **fields: int) -> list[RestingOrder]:
    return [o._replace(**fields) if i == index else o for i, o in enumerate(GOOD)]


def _image(orders: list[RestingOrder]) -> bytes:
    return pack_image(3, 77, orders)


def _poke(offset: int, value: int) -> bytes:
    image = bytearray(_image(GOOD))
    image[offset] = value
    return bytes(image)


WRONG_IMAGES: Final[dict[str, Callable[[], bytes]]] = {
    "empty": lambda: b"",
    "header alone": lambda: _image(GOOD)[: HEADER.size],
    "one byte more": lambda: _image(GOOD) + b"\0",
    "one order more": lambda: _image(GOOD) + bytes(ORDER.size),
    "magic": lambda: _poke(0, 0x6D),
    "format version": lambda: _poke(7, 2),
    "instrument": lambda: pack_image(4, 77, GOOD),
    "reserved": lambda: _poke(12, 1),
    "count too small": lambda: _poke(16, 4),
    "count too large": lambda: _poke(16, 6),
    "count enormous": lambda: _poke(23, 0xFF),
    "more than the capacity": lambda: _image(
        GOOD + [RestingOrder(6 + i, ASK, 103, 1, 0, 0, 0, 0) for i in range(2)]
    ),
    "order id 0": lambda: _image(_with(0, order_id=0)),
    "order id twice": lambda: _image(_with(4, order_id=1)),
    "quantity 0": lambda: _image(_with(1, quantity=0)),
    "quantity too large": lambda: _image(_with(1, quantity=MAX_QUANTITY + 1)),
    "price below the range": lambda: _image(_with(2, price=9)),
    "price above the range": lambda: _image(_with(4, price=1001)),
    "side 2": lambda: _image(_with(4, side=2)),
    "self-trade mode 4": lambda: _image(_with(3, self_trade=4)),
    "unknown flag": lambda: _image(_with(3, flags=2)),
    "bids out of order": lambda: _image(_with(0, price=98)),
    "asks out of order": lambda: _image(_with(3, price=103)),
    "a bid after the asks": lambda: _image(_with(4, side=BID, price=50)),
    "a level in two places": lambda: _image(
        [*GOOD[:3], RestingOrder(6, BID, 100, 1, 0, 0, 0, 0), *GOOD[3:]]
    ),
    "crossed": lambda: _image(_with(3, price=99)),
    "locked": lambda: _image(_with(3, price=100)),
}


class SnapshotRules(ContractBase):
    """Sections 5 and 6: an image is the whole state, and a wrong one is refused whole."""

    def test_image_bytes(self) -> None:
        """Guards against another layout: images travel between engines and machines."""
        book = self.book(instrument=2)
        book.send(new(9, ASK, 300, 4, instrument=2, timestamp_ns=5, account=6, self_trade=1))
        book.send(new(8, BID, 200, 2**33, instrument=2, timestamp_ns=2**40, post_only=True))
        assert book.engine.snapshot() == bytes.fromhex(
            "4d424f4f4b000001 02000000 00000000 0200000000000000 0200000000000000"
            "0800000000000000 c800000000000000 0000000002000000 0000000000010000 00000000 00010000"
            "0900000000000000 2c01000000000000 0400000000000000 0500000000000000 06000000 01000100"
        )

    @pytest.mark.parametrize("profile", PROFILE_NAMES)
    def test_restore_anywhere_and_go_on(self, profile: str) -> None:
        """Guards against state that the image forgets: it would show only later."""
        it = flow(profile, seed=2, count=COUNT)
        straight = self.engine_class(**it.limits)
        for at, command in enumerate(it.commands):
            if at % 29 == 0:
                engine = self.engine_class(**it.limits)
                engine.restore(straight.snapshot())
                engine.check()
                for later, expected in zip(it.commands[at:], it.events[at:], strict=True):
                    assert b"".join(e.pack() for e in engine.apply(later)) == expected
                assert engine.snapshot() == it.image
                engine.check()
            straight.apply(command)

    def test_images_travel_between_engines(self) -> None:
        """Guards against an image that only the engine that made it understands."""
        it = flow("wide", seed=3, count=COUNT)
        engine = self.engine_class(**it.limits)
        for command in it.commands:
            engine.apply(command)
        assert engine.snapshot() == it.image
        assert engine.state_hash() == image_hash(it.image)
        there, back = oracle_class()(**it.limits), self.engine_class(**it.limits)
        there.restore(engine.snapshot())
        back.restore(it.image)
        assert there.snapshot() == back.snapshot() == it.image

    def test_restore_replaces_everything(self) -> None:
        """Guards against orders, ids, levels or best prices of the book that was there."""
        book = self._five_orders()
        other = self.book(**LIMITS)
        other.send(*(new(i, BID, 500 + i, 5, instrument=3) for i in range(1, 7)))
        other.engine.restore(book.engine.snapshot())
        assert other.engine.snapshot() == book.engine.snapshot()
        assert other.engine.order(6) is None
        assert other.engine.best_bid() == (100, 11, 2)
        other.engine.check()

    def test_restore_of_an_empty_book(self) -> None:
        """Guards against an image without orders that is taken for no image."""
        book = self.book()
        empty = book.engine.snapshot()
        assert len(empty) == HEADER.size
        book.send(new(1, BID, 100, 5))
        book.engine.restore(empty)
        book.expect_book()
        assert book.engine.event_sequence == 0
        book.expect(new(1, ASK, 100, 5), accepted(1, ASK, 100, 5))

    def test_restore_of_a_full_book(self) -> None:
        """Guards against one slot too few after a restore, or one too many."""
        book = self.book(capacity=5)
        book.send(*(new(i, ASK, 100 + i % 2, i) for i in range(1, 6)))
        for _ in range(3):
            book.engine.restore(book.engine.snapshot())
            book.expect_rejected(new(9, ASK, 1000, 5), Reason.BOOK_FULL)
            book.expect(cancel(1), cancelled(1, ASK, 101, 1, Reason.USER))
            book.expect(new(1, ASK, 101, 1), accepted(1, ASK, 101, 1))

    def test_event_numbers_go_on(self) -> None:
        """Guards against numbers that start again at 1, or at the number of orders."""
        book = self._five_orders(sequence=2**40)
        assert book.engine.event_sequence == 2**40
        events = book.engine.apply(cancel(1, instrument=3))
        assert [event.sequence for event in events] == [2**40 + 1]

    def test_priority_survives(self) -> None:
        """Guards against a queue rebuilt by id, or back to front."""
        book = self.book()
        book.send(*(new(i, ASK, 100, i) for i in (5, 3, 9, 1)))
        book.engine.restore(book.engine.snapshot())
        book.expect(
            market(10, BID, 9),
            accepted(10, BID, 0, 9),
            trade(10, 5, BID, 100, 5, leaves=4),
            trade(10, 3, BID, 100, 3, leaves=1),
            trade(10, 9, BID, 100, 1, leaves=0),
        )
        book.expect_queue(ASK, 9, 1)

    @pytest.mark.parametrize("case", WRONG_IMAGES)
    def test_a_damaged_image_is_refused_and_changes_nothing(self, case: str) -> None:
        """Guards against believing an image, and against noticing halfway through."""
        self._expect_refused(WRONG_IMAGES[case]())

    def test_an_image_cut_short_anywhere_is_refused(self) -> None:
        """Guards against a partly written file that is restored as far as it goes."""
        image = _image(GOOD)
        for length in range(len(image)):
            self._expect_refused(image[:length])

    def test_flipped_bits_are_refused_or_restored_faithfully(self) -> None:
        """Guards against a third possibility: a book that is neither the old nor the image's."""
        draw = random.Random(5)
        good = _image(GOOD)
        book = self._five_orders()
        refused = 0
        for _ in range(400):
            image = bytearray(good)
            for _ in range(draw.choice((1, 1, 2, 8))):
                image[draw.randrange(len(image))] ^= 1 << draw.randrange(8)
            before = book.engine.snapshot()
            try:
                book.engine.restore(bytes(image))
            except SnapshotError:
                refused += 1
                assert book.engine.snapshot() == before
            else:
                assert book.engine.snapshot() == image
            book.engine.check()
        assert refused > 100

    def test_a_refused_image_leaves_a_working_book(self) -> None:
        """Guards against an engine that answers, but no longer matches, after a refusal."""
        book = self._five_orders()
        with pytest.raises(SnapshotError):
            book.engine.restore(_image(_with(4, order_id=1)))
        events = book.engine.apply(market(8, BID, 9, instrument=3))
        assert [event.contra_order_id for event in events] == [0, 4, 5]

    def _five_orders(self, sequence: int = 77) -> Any:
        """The book of ``GOOD``."""
        book = self.book(**LIMITS)
        book.engine.restore(pack_image(3, sequence, GOOD))
        return book

    def _expect_refused(self, image: bytes) -> None:
        engine = self.book(**LIMITS).engine
        engine.apply(Command(1, 42, BID, 500, 6, instrument=3, timestamp_ns=7))
        before = engine.snapshot()
        with pytest.raises(SnapshotError):
            engine.restore(image)
        assert engine.snapshot() == before
        engine.check()
