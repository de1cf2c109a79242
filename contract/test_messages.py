"""Commands and events as people read and write them."""

import dataclasses

import pytest

from contract import errors
from contract.engine import MAX_CAPACITY, record_view
from contract.messages import (
    MAX_QUANTITY,
    Command,
    CommandKind,
    Event,
    EventKind,
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


def test_constructors_fill_in_the_fields_they_name() -> None:
    """Guards against two positional arguments the wrong way round."""
    assert new(
        1,
        Side.ASK,
        2,
        3,
        time_in_force=TimeInForce.FOK,
        self_trade=SelfTrade.CANCEL_BOTH,
        post_only=True,
        account=4,
        instrument=5,
        timestamp_ns=6,
    ) == Command(
        CommandKind.NEW,
        order_id=1,
        side=Side.ASK,
        price=2,
        quantity=3,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.FOK,
        self_trade=SelfTrade.CANCEL_BOTH,
        flags=Flag.POST_ONLY,
        account=4,
        instrument=5,
        timestamp_ns=6,
    )
    assert market(1, Side.ASK, 3, account=4, instrument=5, timestamp_ns=6) == Command(
        CommandKind.NEW,
        order_id=1,
        side=Side.ASK,
        quantity=3,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        account=4,
        instrument=5,
        timestamp_ns=6,
    )
    assert cancel(1, instrument=5, timestamp_ns=6) == Command(
        CommandKind.CANCEL, order_id=1, instrument=5, timestamp_ns=6
    )
    assert replace(1, 2, 3, instrument=5, timestamp_ns=6) == Command(
        CommandKind.REPLACE, order_id=1, price=2, quantity=3, instrument=5, timestamp_ns=6
    )
    assert mass_cancel(4, instrument=5, timestamp_ns=6) == Command(
        CommandKind.MASS_CANCEL, account=4, instrument=5, timestamp_ns=6
    )


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (new(7, Side.ASK, 101, 5), "new #7 ask 5 @ 101"),
        (
            new(7, Side.BID, 101, 5, time_in_force=TimeInForce.IOC, account=3, self_trade=1),
            "new #7 bid 5 @ 101 ioc account=3 cancel_newest",
        ),
        (new(7, Side.BID, -1, 5, post_only=True), "new #7 bid 5 @ -1 post_only"),
        (market(7, Side.BID, 5), "new #7 bid 5 @ market ioc"),
        (cancel(7), "cancel #7"),
        (replace(7, 99, 4), "replace #7 4 @ 99"),
        (mass_cancel(3), "mass_cancel account=3"),
        (
            Event(EventKind.TRADE, 3, 2, 1, Side.BID, 101, 3, 4),
            "3: trade #2 bid 3 @ 101 with #1, leaves 4",
        ),
        (
            Event(EventKind.CANCELLED, 4, 2, 0, Side.BID, 101, 3, reason=Reason.SELF_TRADE),
            "4: cancelled #2 bid 3 @ 101 (self_trade), leaves 0",
        ),
    ],
)
def test_a_message_is_one_readable_line(message: Command | Event, words: str) -> None:
    """Guards against tapes and demonstrations full of numbers without names."""
    assert str(message) == words


def test_messages_cannot_be_changed() -> None:
    """Guards against an engine that edits a command its sender still holds."""
    for message, field in ((cancel(1), "order_id"), (Event(1), "price")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(message, field, 2)


def test_sides_have_opposites() -> None:
    """Guards against matching a side with itself."""
    assert Side.BID.opposite is Side.ASK
    assert Side.ASK.opposite is Side.BID


def test_a_whole_book_adds_up_in_64_bits() -> None:
    """Guards against limits that, taken together, overflow a level's total quantity."""
    assert MAX_CAPACITY * MAX_QUANTITY < 2**64


def test_record_view_is_flat_and_strict() -> None:
    """Guards against a buffer that is found wrong only after the book has changed."""
    view = record_view(bytes(128))
    assert (view.format, view.nbytes) == ("B", 128)
    assert record_view(memoryview(bytearray(128)).cast("Q"), writable=True).nbytes == 128
    for wrong, words in (
        (bytes(63), "63 bytes"),
        (memoryview(bytes(256))[::2], "gaps"),
    ):
        with pytest.raises(ValueError, match=words):
            record_view(wrong)
    with pytest.raises(ValueError, match="read-only"):
        record_view(bytes(64), writable=True)
    with pytest.raises(TypeError):
        record_view("text")


def test_errors_are_one_family() -> None:
    """Guards against an operating failure that a caller's one ``except`` does not catch."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) >= 6
    assert all(issubclass(kind, errors.MatchbookError) for kind in kinds)


def test_an_input_error_names_place_field_and_value() -> None:
    """Guards against "invalid input"."""
    error = errors.InputFileError("tape.csv", "line 12", "side", "buy", "bid or ask")
    assert str(error) == "tape.csv: line 12: side: 'buy' is not bid or ask"
    whole = errors.InputFileError("tape.cmd", "offset 64", "", 7, "a whole record")
    assert str(whole) == "tape.cmd: offset 64: 7 is not a whole record"
