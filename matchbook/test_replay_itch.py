"""ITCH days made by hand: what each message does to the book, and what is wrong is counted."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from contract import Event, EventKind, LevelView, Side
from contract.files import iter_event_arrays
from contract.records import to_events
from matchbook.replay import itch
from matchbook.replay.driver import OWN_IDS, Limits
from matchbook.replay.itch_replay import EACH_STOCK_CAPACITY, ItchReplay
from matchbook.test_cli import run
from phase1_domain import Engine
from phase5_protocol.itch.layouts import LAYOUTS

LIMITS = Limits(1, 2**31 - 1)


def message(letter: str, body: bytes, *, locate: int = 1, when: int = 0) -> bytes:
    """A message without its length: type, locate, tracking number, time, body."""
    return struct.pack(">cHH", letter.encode(), locate, 0) + when.to_bytes(6, "big") + body


def add(
    reference: int, side: str, shares: int, price: int, stock: str = "AAPL", locate: int = 1
) -> bytes:
    body = struct.pack(">QcI8sI", reference, side.encode(), shares, stock.ljust(8).encode(), price)
    return message("A", body, locate=locate)


def add_with_mpid(reference: int, side: str, shares: int, price: int) -> bytes:
    return message("F", add(reference, side, shares, price)[11:] + b"NSDQ")


def executed(reference: int, shares: int, locate: int = 1) -> bytes:
    return message("E", struct.pack(">QIQ", reference, shares, 1), locate=locate)


def executed_at(reference: int, shares: int, price: int) -> bytes:
    return message("C", struct.pack(">QIQcI", reference, shares, 1, b"Y", price))


def cancelled(reference: int, shares: int) -> bytes:
    return message("X", struct.pack(">QI", reference, shares))


def deleted(reference: int, locate: int = 1) -> bytes:
    return message("D", struct.pack(">Q", reference), locate=locate)


def replaced(old: int, new: int, shares: int, price: int) -> bytes:
    return message("U", struct.pack(">QQII", old, new, shares, price))


def directory(stock: str, locate: int) -> bytes:
    return message("R", stock.ljust(8).encode() + bytes(20), locate=locate)


def framed(messages: list[bytes]) -> bytes:
    return b"".join(len(m).to_bytes(2, "big") + m for m in messages)


def rebuilt(messages: list[bytes], *, match: bool = False, stock: str | None = None) -> ItchReplay:
    replay = ItchReplay(Engine, LIMITS, Path("day.itch50"), match=match, stock=stock)
    for index, one in enumerate(messages):
        replay.take(index, 0, itch.row_of(one))
    for driver in replay.books.values():
        driver.engine.check()
    return replay


def book(replay: ItchReplay) -> list[tuple[int, int, int]]:
    """(reference, price, shares) in priority order, bids first."""
    engine = replay.books[1].engine
    return [(o.order_id, o.price, o.quantity) for side in Side for o in engine.orders(side)]


# What each message does.


def test_adds_rest_in_order_of_arrival_with_and_without_mpid() -> None:
    replay = rebuilt([add(5, "B", 10, 99), add_with_mpid(4, "B", 20, 99), add(6, "S", 5, 101)])
    assert book(replay) == [(5, 99, 10), (4, 99, 20), (6, 101, 5)]
    assert replay.anomalies.total == 0


def test_partial_executions_and_cancels_keep_the_place_in_the_queue() -> None:
    replay = rebuilt(
        [
            add(1, "B", 10, 99),
            add(2, "B", 20, 99),
            executed(1, 4),
            cancelled(1, 1),
            executed_at(2, 3, 98),
        ]
    )
    assert book(replay) == [(1, 99, 5), (2, 99, 17)]


@pytest.mark.parametrize(
    "last", [executed(1, 10), cancelled(1, 10), deleted(1), executed_at(1, 10, 5)]
)
def test_an_order_that_is_emptied_is_gone(last: bytes) -> None:
    replay = rebuilt([add(1, "B", 10, 99), last])
    assert book(replay) == []
    assert replay.anomalies.total == 0


def test_a_replacement_takes_its_side_over_and_goes_to_the_back() -> None:
    replay = rebuilt([add(1, "S", 10, 99), add(2, "S", 20, 99), replaced(1, 3, 7, 99)])
    assert book(replay) == [(2, 99, 20), (3, 99, 7)]


def test_messages_that_do_not_change_the_displayed_book_do_not() -> None:
    others = [
        message(letter, bytes(layout.length - 11))
        for letter, layout in LAYOUTS.items()
        if letter not in "AFECXDUR"
    ]
    replay = rebuilt([add(1, "B", 10, 99), *others])
    assert book(replay) == [(1, 99, 10)]
    assert replay.anomalies.total == 0
    assert sum(replay.letters.values()) == 1 + len(others)


def test_time_and_instrument_of_the_events_are_those_of_the_message() -> None:
    body = add(1, "B", 10, 99)[11:]
    replay = rebuilt([message("A", body, locate=513, when=2**47 + 5)])
    order = replay.books[513].engine.order(1)
    assert order is not None
    assert order.timestamp_ns == 2**47 + 5
    assert replay.books[513].engine.instrument == 513


# What does not fit is counted and told, never dropped.


@pytest.mark.parametrize(
    ("messages", "kind", "left"),
    [
        ([executed(9, 1)], "unknown reference", [(1, 99, 10)]),
        ([cancelled(9, 1)], "unknown reference", [(1, 99, 10)]),
        ([deleted(9)], "unknown reference", [(1, 99, 10)]),
        ([replaced(9, 8, 1, 1)], "unknown reference", [(1, 99, 10)]),
        ([executed(1, 11)], "more than is open", []),
        ([cancelled(1, 11)], "more than is open", []),
        ([cancelled(1, 0)], "no shares", [(1, 99, 10)]),
        ([executed(1, 0)], "no shares", [(1, 99, 10)]),
        ([add(1, "B", 5, 98)], "refused add", [(1, 99, 10)]),
        ([add(2, "B", 5, 0)], "refused add", [(1, 99, 10)]),
        ([add(2, "B", 0, 98)], "refused add", [(1, 99, 10)]),
        ([add(2, "S", 5, 99)], "crossed add", [(1, 99, 10)]),
        ([replaced(1, 2, 0, 99)], "refused add", []),
        ([deleted(1, locate=7)], "unknown reference", [(1, 99, 10)]),
    ],
)
def test_what_does_not_fit_is_an_anomaly(
    messages: list[bytes], kind: str, left: list[tuple[int, int, int]]
) -> None:
    replay = rebuilt([add(1, "B", 10, 99), *messages])
    assert dict(replay.anomalies.counts) == {kind: 1}
    assert replay.anomalies.first[0].startswith(
        f"message 1 ({chr(messages[0][0])}, offset 0): {kind}"
    )
    assert book(replay) == left


def test_what_follows_about_a_refused_order_is_told_apart() -> None:
    replay = rebuilt([add(1, "B", 10, 99), add(2, "S", 5, 99), executed(2, 5), deleted(2)])
    assert dict(replay.anomalies.counts) == {"crossed add": 1, "order refused before": 2}


def test_the_anomalies_are_reported_with_message_and_offset(tmp_path: Path) -> None:
    path = tmp_path / "day.itch50"
    path.write_bytes(framed([add(1, "B", 10, 99), executed(77, 1)]))
    result = run("replay", path, "-e", "phase1")
    assert result.exit_code == 0
    assert "1: 1 unknown reference" in result.stdout
    assert "message 1 (E, offset 38): unknown reference: reference 77" in result.stdout


# Match mode.


def test_an_execution_of_the_front_order_is_a_hit() -> None:
    replay = rebuilt([add(1, "S", 10, 99), add(2, "S", 5, 99), executed(1, 4)], match=True)
    assert (replay.tally.hits, replay.tally.total) == (1, 1)
    assert book(replay) == [(1, 99, 6), (2, 99, 5)]


def test_a_miss_is_told_and_applied_to_the_order_it_names() -> None:
    """One disagreement must stay one: the book after it is the exchange's."""
    replay = rebuilt(
        [
            add(3, "S", 10, 99),
            add(2, "S", 5, 99),
            add(4, "S", 5, 100),
            executed(2, 4),  # entered earlier, shown later
            executed(4, 5),  # another level
            executed(3, 10),
        ],
        match=True,
    )
    assert (replay.tally.hits, replay.tally.total, replay.tally.older) == (1, 3, 1)
    assert book(replay) == [(2, 99, 1)]
    assert replay.tally.first_misses == [
        "message 3 (E, offset 0): 4 shares hit ask 2 at 99; first in this book's queue is 3 at 99",
        "message 4 (E, offset 0): 5 shares hit ask 4 at 100; first in this book's queue is 3 at 99",
    ]


def test_a_hit_is_a_trade_and_a_miss_is_none(tmp_path: Path) -> None:
    path, out = tmp_path / "day.itch50", tmp_path / "out.evt"
    path.write_bytes(
        framed([add(1, "B", 10, 99), add(2, "B", 5, 99), executed(1, 4), executed(2, 5)])
    )
    result = run("replay", path, "-e", "phase1", "--mode", "match", "--events", out)
    assert "1 of 2 hit the order the exchange hit, 50.00%" in result.stdout
    events = [event for array in iter_event_arrays(out) for event in to_events(array)]
    trades = [event for event in events if event.kind == EventKind.TRADE]
    assert trades == [Event(EventKind.TRADE, 4, OWN_IDS + 1, 1, Side.ASK, 99, 4, 0, instrument=1)]


# One stock or all, and engines that grow.

TWO_STOCKS = [
    directory("AAPL", 1),
    directory("MSFT", 2),
    add(1, "B", 10, 99),
    add(2, "B", 20, 50, "MSFT", locate=2),
    executed(1, 4),
    executed(2, 20, locate=2),
    add(3, "S", 7, 60, "MSFT", locate=2),
]


def test_each_stock_has_its_book() -> None:
    replay = rebuilt(TWO_STOCKS)
    assert sorted(replay.books) == [1, 2]
    assert replay.books[1].engine.best_bid() == LevelView(99, 6, 1)
    assert replay.books[2].engine.best_ask() == LevelView(60, 7, 1)


def test_one_stock_is_followed_alone(tmp_path: Path) -> None:
    replay = rebuilt(TWO_STOCKS, stock="MSFT")
    assert sorted(replay.books) == [2]
    assert replay.anomalies.total == 0
    path = tmp_path / "day.itch50.gz"
    path.write_bytes(gzip.compress(framed(TWO_STOCKS)))
    both = run("replay", path, "-e", "phase1", "--book", "--hash")
    assert "2 orders in 2 books" in both.stdout
    assert "AAPL, 1 order" in both.stdout
    alone = run("replay", path, "-e", "phase1", "--stock", "AAPL", "--hash")
    assert rebuilt(TWO_STOCKS, stock="AAPL").books[1].engine.state_hash() in alone.stdout


def test_a_stock_that_does_not_appear_is_an_error_that_names_some(tmp_path: Path) -> None:
    path = tmp_path / "day.itch50"
    path.write_bytes(framed(TWO_STOCKS))
    result = run("replay", path, "-e", "phase1", "--stock", "GOOG")
    assert result.exit_code == 2
    assert "no stock 'GOOG' in it; it has 2: AAPL, MSFT" in result.stderr


def test_a_full_book_grows_and_leaves_no_trace(tmp_path: Path) -> None:
    """The events are those of an engine that was large enough from the start."""
    orders = EACH_STOCK_CAPACITY * 5 + 3
    messages = [add(n + 1, "BS"[n % 2], 10, 50 if n % 2 == 0 else 60) for n in range(orders)]
    path = tmp_path / "day.itch50"
    path.write_bytes(framed(messages))
    grown, large = tmp_path / "grown.evt", tmp_path / "large.evt"
    assert f"{orders:,} orders" in run("replay", path, "-e", "phase1", "--events", grown).stdout
    options = ["-e", "phase1", "--stock", "AAPL", "--events", large]
    assert run("replay", path, *options).exit_code == 0
    assert grown.read_bytes() == large.read_bytes()
    assert len(grown.read_bytes()) == 64 * orders


def test_a_capacity_that_was_asked_for_holds(tmp_path: Path) -> None:
    path = tmp_path / "day.itch50"
    path.write_bytes(framed([add(1, "B", 10, 99), add(2, "B", 10, 98)]))
    result = run("replay", path, "-e", "phase1", "--capacity", 1)
    assert "1: 1 refused add" in result.stdout
    assert "reference 2: book_full" in result.stdout
