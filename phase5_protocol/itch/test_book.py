"""The book builder on messages of any feed: the rules of ITCH, and what breaks them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.byte_source import open_bytes
from contract.engine import LevelView
from contract.errors import ConfigurationError
from contract.messages import Side
from contract.shared_data import find
from phase5_protocol.itch.book import ItchBook, ItchOrder, Trouble
from phase5_protocol.itch.layouts import LAYOUTS


def add(reference: int, side: str = "B", shares: int = 100, price: int = 50) -> bytes:
    return LAYOUTS["A"].encode(
        stock_locate=1, reference=reference, side=side, shares=shares, stock="ABC", price=price
    )


def message(letter: str, **values: int | str) -> bytes:
    values.setdefault("stock_locate", 1)
    return LAYOUTS[letter].encode(**values)


def built(*messages: bytes, **options: int) -> ItchBook:
    book = ItchBook(**options)
    book.take_all(messages)
    return book


def test_executions_and_cancels_add_up_and_at_0_the_order_is_gone() -> None:
    """Guards against waiting for a D that never comes, and against shares taken as a new total."""
    book = built(
        add(1),
        message("E", reference=1, shares=30, match_number=1),
        message("X", reference=1, shares=20),
    )
    assert book.depth(1, 9) == ([LevelView(50, 50, 1)], [])
    book.take(message("C", reference=1, shares=50, match_number=2, printable="Y", price=49))
    assert book.depth(1, 9) == ([], [])
    assert (len(book), book.order_count(1), book.volume(1)) == (0, 0, 80)
    assert not book.troubles


def test_a_replaced_order_inherits_side_stock_and_participant_and_loses_its_place() -> None:
    """Guards against a U read as an A, which has no side to say."""
    named = LAYOUTS["F"].encode(
        stock_locate=1, reference=1, side="S", shares=9, stock="ABC", price=60, attribution="MPID"
    )
    book = built(
        named,
        add(2, "S", 5, 60),
        message("U", reference=1, new_reference=3, shares=7, price=60),
    )
    assert book.orders(1, Side.ASK) == [
        ItchOrder(2, Side.ASK, 60, 5, ""),
        ItchOrder(3, Side.ASK, 60, 7, "MPID"),
    ]
    assert book.order(1) is None
    assert book.order(3) == ItchOrder(3, Side.ASK, 60, 7, "MPID")
    assert book.symbols == {1: "ABC"}


def test_orders_stand_by_reference_whenever_their_message_came() -> None:
    """Guards the place of orders accepted before the open, which are published after it."""
    book = built(add(9), add(4), add(7))
    assert [order.reference for order in book.orders(1, Side.BID)] == [4, 7, 9]
    assert [order.reference for order in book.orders(1, Side.BID, 2)] == [4, 7]


def test_levels_come_best_first_and_as_many_as_asked_for() -> None:
    """Guards the order of bids, which are kept the other way round."""
    book = built(
        *(add(i, "B", i, 50 + i) for i in (2, 1, 3)), *(add(9 + i, "S", i, 60 + i) for i in (2, 1))
    )
    assert book.depth(1, 2) == (
        [LevelView(53, 3, 1), LevelView(52, 2, 1)],
        [LevelView(61, 1, 1), LevelView(62, 2, 1)],
    )
    assert [order.price for order in book.orders(1, Side.BID)] == [53, 52, 51]
    assert [order.price for order in book.orders(1, Side.BID, 2)] == [53, 52]
    assert not book.is_crossed(1)
    book.take(add(99, "S", 1, 53))
    assert book.is_crossed(1)
    assert book.depth(7, 1) == ([], [])
    assert book.orders(7, Side.BID) == []
    assert (book.volume(7), book.order_count(7)) == (0, 0)


def test_volume_counts_each_trade_once() -> None:
    """Guards against an unprintable C counted, which comes again as a part of a Q."""
    common = {"reference": 1, "match_number": 1}
    book = built(
        add(1, shares=1_000),
        message("E", shares=1, **common),
        message("C", shares=10, printable="Y", price=1, **common),
        message("C", shares=100, printable="N", price=1, **common),
        message("P", side="B", shares=2_000, stock="ABC", price=1, match_number=2),
        message("Q", shares=30_000, stock="ABC", price=1, match_number=3, cross_type="O"),
        message("B", match_number=3),
    )
    assert book.volume(1) == 32_011
    assert book.depth(1, 1)[0] == [LevelView(50, 889, 1)]


TROUBLES: list[tuple[Trouble, list[bytes], int]] = [
    (Trouble.EMPTY, [b""], 1),
    (Trouble.UNKNOWN_TYPE, [b"z" + bytes(18)], 1),
    (Trouble.WRONG_LENGTH, [add(2)[:-1]], 1),
    (Trouble.WRONG_LENGTH, [add(2) + b"\0"], 1),
    (Trouble.WRONG_LENGTH, [b"D"], 1),
    (Trouble.UNKNOWN_REFERENCE, [message("D", reference=7)], 1),
    (Trouble.UNKNOWN_REFERENCE, [message("E", reference=7, shares=1)], 1),
    (Trouble.UNKNOWN_REFERENCE, [message("X", reference=7, shares=1)], 1),
    (Trouble.UNKNOWN_REFERENCE, [message("U", reference=7, new_reference=8, shares=1)], 1),
    (Trouble.DUPLICATE_REFERENCE, [add(1, shares=5)], 1),
    (
        Trouble.DUPLICATE_REFERENCE,
        [add(2), message("U", reference=2, new_reference=1, shares=1)],
        1,
    ),
    (Trouble.OTHER_STOCK, [message("D", reference=1, stock_locate=2)], 1),
    (Trouble.BAD_SIDE, [add(2, "X")], 1),
    (Trouble.NO_SHARES, [add(2, shares=0)], 1),
    (Trouble.NO_SHARES, [message("X", reference=1, shares=0)], 1),
    (Trouble.NO_SHARES, [message("U", reference=1, new_reference=2, shares=0)], 0),
    (Trouble.MORE_THAN_OPEN, [message("X", reference=1, shares=101)], 0),
    (Trouble.TOO_MANY_ORDERS, [add(2), add(3), add(4)], 3),
]


@pytest.mark.parametrize(("trouble", "messages", "orders"), TROUBLES)
def test_what_makes_no_sense_is_counted_and_named(
    trouble: Trouble, messages: list[bytes], orders: int
) -> None:
    """Guards against a crash after a gap, and against a book that is wrong and does not say so."""
    book = built(add(1), *messages, max_orders=3)
    assert dict(book.troubles) == {trouble: 1}
    assert book.first_troubles[0].startswith(f"message {1 + len(messages)}: {trouble}")
    assert len(book) == orders
    assert sum(level.order_count for level in book.depth(1, 9)[0]) == orders


def test_only_the_first_troubles_are_kept_in_words() -> None:
    """Guards against memory that a hostile feed fills."""
    book = built(*[b"z"] * 50, keep_troubles=3)
    assert len(book.first_troubles) == 3
    assert book.troubles == {Trouble.UNKNOWN_TYPE: 50}


def any_message() -> st.SearchStrategy[bytes]:
    """Messages about few references, so that they meet; and bytes that are none."""
    small, letters = st.integers(0, 4), st.sampled_from(list("AFECXDUPQR"))

    def make(letter: str, numbers: list[int], side: str) -> bytes:
        names = {field.name for field in LAYOUTS[letter].fields}
        values: dict[str, int | str] = dict(
            zip(
                ("stock_locate", "reference", "new_reference", "shares", "price"),
                numbers,
                strict=True,
            )
        )
        values |= {"side": side, "printable": "Y"}
        return LAYOUTS[letter].encode(**{n: v for n, v in values.items() if n in names})

    sensible = st.builds(
        make, letters, st.lists(small, min_size=5, max_size=5), st.sampled_from("BSX")
    )
    return st.one_of(sensible, sensible, st.binary(max_size=50))


@given(st.lists(any_message(), max_size=60))
def test_any_messages_leave_a_book_that_adds_up(messages: list[bytes]) -> None:
    """Guards against sums of levels that drift from their orders, and against any exception."""
    book = built(*messages, max_orders=3)
    live = 0
    for locate in range(5):
        for side, levels in zip(Side, book.depth(locate, 99), strict=True):
            orders = book.orders(locate, side)
            live += len(orders)
            assert all(order.shares > 0 and order.side == side for order in orders)
            prices = list(dict.fromkeys(order.price for order in orders))
            assert prices == sorted(prices, reverse=side == Side.BID)
            sums = [
                LevelView(
                    p,
                    sum(o.shares for o in orders if o.price == p),
                    sum(o.price == p for o in orders),
                )
                for p in prices
            ]
            assert levels == sums
    assert live == len(book) <= 3


@pytest.mark.shared_data
def test_an_hour_of_apple_is_rebuilt_without_trouble() -> None:
    """Guards against rules that only our own feed keeps; receipts are those of the replay tests."""
    path = find("itch/AAPL_20120621_0930-1030_from_lobster50.itch50.gz")
    if path is None:
        pytest.skip("no itch/AAPL_20120621_0930-1030_from_lobster50.itch50.gz")
    book, crossed = ItchBook(), 0
    with open_bytes(path) as stream:
        while (header := stream.read(2)) and header != b"\0\0":
            book.take(stream.read(int.from_bytes(header, "big")))
            crossed += any(map(book.is_crossed, book.symbols))
    counts = {"A": 44_399, "D": 41_005, "E": 4_067, "P": 2_201, "X": 469}
    assert {letter: book.message_counts[letter] for letter in counts} == counts
    assert not book.troubles, book.first_troubles
    assert (crossed, list(book.symbols.values())) == (0, ["AAPL"])


def test_a_shuffled_feed_is_survived() -> None:
    """Guards the state after a gap: nothing but troubles, and a book that can go on."""
    messages = [add(i, "BS"[i % 2], 10, 50 + i % 2) for i in range(1, 50)]
    messages += [message("D", reference=i) for i in range(1, 50)]
    random.Random(4).shuffle(messages)
    book = built(*messages)
    assert set(book.troubles) == {Trouble.UNKNOWN_REFERENCE}
    assert len(book) == book.troubles[Trouble.UNKNOWN_REFERENCE] > 10


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_orders": -1}, "max_orders -1 is not 1"),
        ({"max_orders": 0}, "max_orders 0 is not 1"),
        ({"keep_troubles": -1}, "keep_troubles -1 is not 0"),
    ],
)
def test_a_book_that_cannot_be(options: dict[str, int], said: str) -> None:
    """Guards: a book that takes a whole day and shows nothing but troubles."""
    with pytest.raises(ConfigurationError, match=said):
        ItchBook(**options)
