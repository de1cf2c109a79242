"""The subscriber's book is the engine's, after every command and from every snapshot."""

import pytest

from contract.engine import Engine
from contract.errors import SnapshotError
from contract.messages import Event, EventKind, Side
from contract.random_commands import Profile, random_commands
from contract.records import to_commands, to_event_array
from phase3_sorted import Engine as SortedEngine
from phase5_protocol.multicast.event_book import EventBook, StreamError, public


def assert_equal(book: EventBook, engine: Engine) -> None:
    """Every order in its place, and every level."""
    for side in Side:
        assert book.orders(side) == public(engine.orders(side))
    assert book.depth(5) == engine.depth(5)
    assert len(book) == len(engine)
    assert book.sequence == engine.event_sequence


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equal_after_every_command(seed: int) -> None:
    """Guards: a rule of the contract that the book of events does not keep."""
    profile = Profile()
    book = EventBook()
    snapshots = 0
    with SortedEngine(**profile.limits()) as engine:
        for commands in random_commands(seed, 1_500, profile):
            for command in to_commands(commands):
                book.apply_records(to_event_array(engine.apply(command)))
                assert_equal(book, engine)
                if command.order_id % 97 == 0:
                    book = EventBook.from_image(engine.snapshot())
                    assert_equal(book, engine)
                    snapshots += 1
        assert engine.event_sequence > 1_500
        assert snapshots


def accepted(sequence: int, order_id: int, **fields: int) -> Event:
    """An order of 5 lots at 100."""
    values = {"side": 0, "price": 100, "quantity": 5, "leaves": 5} | fields
    return Event(EventKind.ACCEPTED, sequence, order_id, **values)


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (accepted(4, 3), "event 4 comes after 2"),
        (accepted(2, 3), "event 2 comes after 2"),
        (accepted(3, 1), "live already"),
        (accepted(3, 3, side=2), "of no side"),
        (accepted(3, 3, quantity=0), "quantity 0"),
        (accepted(3, 3, instrument=1), "instrument 1"),
        (Event(EventKind.TRADE, 3, 1, 9, quantity=1), "order 9 is not live"),
        (Event(EventKind.TRADE, 3, 1, 2, quantity=6), "only 5 to trade"),
        (Event(EventKind.TRADE, 3, 1, 1, quantity=1), "both orders are on one side"),
        (Event(EventKind.CANCELLED, 3, 7), "order 7 is not live"),
        (Event(EventKind.REPLACED, 3, 7, quantity=1), "order 7 is not live"),
        (Event(EventKind.REPLACED, 3, 1, quantity=0), "quantity 0"),
        (Event(9, 3, 1), "kind 9"),
    ],
)
def test_events_that_do_not_fit(event: Event, complaint: str) -> None:
    """Guards: a book that is wrong from some event on, and does not say so."""
    book = EventBook()
    book.apply([accepted(1, 1), accepted(2, 2, side=1, price=101)])
    before = [book.orders(side) for side in Side]
    with pytest.raises(StreamError, match=complaint):
        book.apply([event])
    assert book.sequence == 2
    assert [book.orders(side) for side in Side] == before


def test_a_damaged_image() -> None:
    """Guards: a book started from bytes that are no book."""
    with SortedEngine(instrument=3) as engine:
        with pytest.raises(SnapshotError, match="instrument 3"):
            EventBook.from_image(engine.snapshot())
        assert EventBook.from_image(engine.snapshot(), 3).sequence == 0
    with pytest.raises(SnapshotError, match="shorter than"):
        EventBook.from_image(b"MBOOK")
