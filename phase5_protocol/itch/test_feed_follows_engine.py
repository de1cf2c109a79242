"""The book that a reader builds from our feed is the engine's, after every command.

Two readers: :class:`ItchBook`, which stands orders by reference, and one of a few lines that stands
them by when their messages came. Both must agree with the engine in every order and its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import phase1_domain
import phase3_sorted
from contract.batching import apply_all, iter_events
from contract.engine import Engine
from contract.messages import CommandKind, EventKind, Reason, Side, new
from contract.random_commands import PROFILES, Profile, random_commands
from contract.records import RecordArray, to_commands, to_events
from contract.streams import gather
from contract.workload import SCENARIOS, generate, price_range
from phase5_protocol.itch.book import ItchBook
from phase5_protocol.itch.directory import MAX_SHARES
from phase5_protocol.itch.feed import FeedError, ItchFeed
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.listing import Listing

ENGINES: dict[str, Callable[..., Engine]] = {
    "phase1": phase1_domain.Engine,
    "phase3": phase3_sorted.Engine,
}

#: The contract's profiles, moved to where ITCH can show their prices.
SHOWABLE: dict[str, Profile] = {
    "narrow": PROFILES["narrow"],
    "wide": PROFILES["wide"],
    "deep": PROFILES["deep"],
    "highest": replace(
        PROFILES["highest"],
        min_price=2**32 - 21,
        max_price=2**32 - 1,
        middle=2**32 - 1,
        instrument=2**20 - 1,
    ),
    "whole": replace(PROFILES["whole"], min_price=0, max_price=2**32 - 1),
    "full": replace(PROFILES["full"], min_price=0, max_price=100),
    "single": PROFILES["single"],
    "one price": PROFILES["one price"],
}


class ByArrival:
    """The least reader there can be: orders stand as their messages came. It trusts the feed."""

    def __init__(self) -> None:
        self.orders: dict[int, list[Any]] = {}

    def take(self, message: bytes) -> None:
        letter = chr(message[0])
        if letter not in "AFECXDU":
            return
        _, _, _, reference, *own = LAYOUTS[letter].unpack(message)
        if letter in "AF":
            self.orders[int(reference)] = [own[0], own[3], own[1]]
        elif letter in "ECX":
            self.orders[int(reference)][2] -= own[0]
            if self.orders[int(reference)][2] == 0:
                del self.orders[int(reference)]
        else:
            side, _, _ = self.orders.pop(int(reference))
            if letter == "U":
                self.orders[int(own[0])] = [side, own[2], own[1]]

    def side(self, letter: bytes) -> list[tuple[int, int, int]]:
        mine = [(r, p, q) for r, (side, p, q) in self.orders.items() if side == letter]
        return sorted(mine, key=lambda each: -each[1] if letter == b"B" else each[1])


class Followed:
    """An engine, the feed of its events, and the two readers."""

    def __init__(self, engine: Engine, tick_size: int = 1, **options: Any) -> None:
        self.engine = engine
        self.listing = Listing.of(engine, "MBK", tick_size=tick_size)
        self.feed = ItchFeed([self.listing], **options)
        self.reader, self.by_arrival = ItchBook(), ByArrival()
        self.letters = ""

    def apply(self, commands: RecordArray) -> None:
        for events in iter_events(self.engine, commands):
            self.read(self.feed.take(to_events(events)))

    def read(self, messages: list[bytes]) -> None:
        for message in messages:
            self.reader.take(message)
            self.by_arrival.take(message)
            self.letters += chr(message[0])
            assert not self.reader.is_crossed(1)

    def check(self) -> None:
        """Every order in its place, and every level."""
        unit, instrument = self.listing.tick_size, self.engine.instrument
        hidden = set(self.feed.hidden(instrument))
        for side, letter in ((Side.BID, b"B"), (Side.ASK, b"S")):
            wanted = [
                (self.feed.reference(instrument, each.order_id), each.price * unit, each.quantity)
                for each in self.engine.orders(side)
                if each.order_id not in hidden
            ]
            got = self.reader.orders(1, side)
            assert [(each.reference, each.price, each.shares) for each in got] == wanted
            assert self.by_arrival.side(letter) == wanted
        if not hidden:
            levels = [
                [(price * unit, quantity, count) for price, quantity, count in each]
                for each in self.engine.depth(1_000_000)
            ]
            assert [*map(list, self.reader.depth(1, 1_000_000))] == levels
            assert len(self.reader) == len(self.engine)
        assert not self.reader.troubles, self.reader.first_troubles


def showable(commands: RecordArray) -> RecordArray:
    """The commands with quantities that fit in 32 bits, wrong ones left wrong."""
    commands = commands.copy()
    large = (commands["quantity"] > MAX_SHARES) & (commands["quantity"] < 2**40)
    commands["quantity"][large] = commands["quantity"][large] & MAX_SHARES | 1
    return commands


def amended(book: Engine, command: RecordArray) -> RecordArray:
    """Every other REPLACE of a live order asks for the price that it has: some keep their place."""
    if command["kind"][0] == CommandKind.REPLACE and command["quantity"][0] % 2:
        order = book.order(int(command["order_id"][0]))
        if order is not None:
            command = command.copy()
            command["price"] = order.price
    return command


@pytest.mark.parametrize("profile", SHOWABLE)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_readers_book_is_the_engines_after_every_command(engine: str, profile: str) -> None:
    """Guards against any event shown wrongly: an A too early, a D too many, a lost place."""
    count = 800 if engine == "phase1" else 1_500
    commands = showable(gather(random_commands(9, count, SHOWABLE[profile])))
    with ENGINES[engine](**SHOWABLE[profile].limits()) as book:
        followed = Followed(book)
        for at in range(count):
            followed.apply(amended(book, commands[at : at + 1]))
            followed.check()
        assert set("AEDUX") <= set(followed.letters) or profile == "single"


@pytest.mark.parametrize("seed", range(4))
def test_however_events_are_batched_the_messages_are_the_same(seed: int) -> None:
    """Guards against a command's end that is seen only where its list ends, or seen too early."""
    profile = SHOWABLE["narrow"]
    commands = showable(gather(random_commands(seed, 3_000, profile)))
    with phase3_sorted.Engine(**profile.limits()) as book:
        stock = Listing.of(book, "MBK", tick_size=1)
        whole = ItchFeed([stock]).take(to_events(apply_all(book, commands)))
    rng = np.random.default_rng(seed)
    with phase3_sorted.Engine(**profile.limits()) as book:
        feed, parts, at = ItchFeed([stock]), [], 0
        while at < len(commands):
            size = int(rng.integers(1, 40))
            batch = apply_all(book, commands[at : at + size])
            parts += feed.take(to_events(batch))
            at += size
    assert parts == whole
    assert len(whole) > 1_500


def test_what_ends_a_command_is_exactly_what_begins_one() -> None:
    """Guards the rule by which the feed finds the ends of commands inside a list of events.

    Of every command's events, the first is of a kind that begins, and none of the others is, but
    for a mass cancel's, after which there is no order held back.
    """
    begins = {
        (EventKind.ACCEPTED, Reason.NONE),
        (EventKind.REPLACED, Reason.NONE),
        (EventKind.CANCELLED, Reason.USER),
        (EventKind.CANCELLED, Reason.MASS_CANCEL),
    }
    seen = set()
    for name in ("narrow", "full"):
        commands = to_commands(showable(gather(random_commands(3, 6_000, SHOWABLE[name]))))
        with phase3_sorted.Engine(**SHOWABLE[name].limits()) as book:
            for command in commands:
                first, *others = ((e.kind, e.reason) for e in book.apply(command))
                assert first in begins or first[0] == EventKind.REJECTED
                if command.kind == CommandKind.MASS_CANCEL:
                    assert set(others) <= {(EventKind.CANCELLED, Reason.MASS_CANCEL)}
                else:
                    assert not begins & set(others)
                seen |= {first, *others}
    inside = {(EventKind.CANCELLED, r) for r in (Reason.IOC, Reason.FOK, Reason.SELF_TRADE)}
    assert seen >= begins | inside | {(EventKind.TRADE, Reason.NONE)}


def test_a_list_that_ends_inside_a_command_is_noticed() -> None:
    """The negative control of the two tests above: the ends of lists do matter."""
    with phase3_sorted.Engine() as book:
        feed = ItchFeed([Listing.of(book, "MBK", tick_size=1)])
        feed.take(book.apply(new(1, Side.ASK, 100, 5)))
        events = book.apply(new(2, Side.BID, 100, 9))
    feed.take(events[:1])
    with pytest.raises(FeedError, match="first event is missing"):
        feed.take(events[1:])


def test_orders_too_large_for_itch_rest_unseen_and_trade_as_p() -> None:
    """Guards against a message with a quantity cut to 32 bits, and against a feed that stops."""
    profile = replace(SHOWABLE["narrow"], universe=256)
    commands = gather(random_commands(2, 1_500, profile)).copy()
    commands["quantity"][::40] |= 2**33
    with phase3_sorted.Engine(**profile.limits()) as book:
        followed = Followed(book, hide_too_large=True)
        unseen: set[int] = set()
        for at in range(len(commands)):
            before = {each.order_id: each for side in Side for each in book.orders(side)}
            followed.apply(amended(book, commands[at : at + 1]))
            followed.check()
            # Who is hidden is told here from the engine's orders alone: a new place in the queue
            # decides, by what was left on taking it; a place kept keeps what it was.
            for each in (each for side in Side for each in book.orders(side)):
                was = before.get(each.order_id)
                if was is not None and was.timestamp_ns == each.timestamp_ns:
                    continue
                unseen.discard(each.order_id)
                if each.quantity > MAX_SHARES:
                    unseen.add(each.order_id)
            unseen &= {each.order_id for side in Side for each in book.orders(side)}
            assert set(followed.feed.hidden(book.instrument)) == unseen
        assert "P" in followed.letters


def test_a_late_reader_gets_the_books_as_they_are() -> None:
    """Guards against a snapshot in another order, or one whose references later messages miss."""
    profile = SHOWABLE["deep"]
    commands = showable(gather(random_commands(4, 4_000, profile)))
    with phase3_sorted.Engine(**profile.limits()) as book:
        followed = Followed(book)
        followed.apply(commands[:2_000])
        late, by_arrival = ItchBook(), ByArrival()
        for message in followed.feed.snapshot(0):
            late.take(message)
            by_arrival.take(message)
        assert len(late) == len(followed.reader) > 50
        assert late.symbols == {1: "MBK"}
        followed.reader, followed.by_arrival = late, by_arrival
        followed.check()
        followed.apply(commands[2_000:])
        followed.check()


def test_a_feed_may_begin_with_a_book_that_is_not_empty() -> None:
    """Guards a restart within the day: places kept, references not given twice."""
    profile = SHOWABLE["deep"]
    commands = showable(gather(random_commands(5, 4_000, profile)))
    with phase3_sorted.Engine(**profile.limits()) as book:
        apply_all(book, commands[:2_000])
        followed = Followed(book, first_reference=1_001)
        for side in Side:
            followed.read(followed.feed.show(book.instrument, book.orders(side), 0))
        followed.check()
        followed.apply(commands[2_000:])
        followed.check()
        references = [each.reference for each in followed.reader.orders(1, Side.BID)]
        assert min(references) > 1_000


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_benchmarks_scenarios_are_followed(scenario: str) -> None:
    """Guards against what random commands do not do: a book that drifts for thousands of orders."""
    commands = generate(scenario, orders=4_000)
    with phase3_sorted.Engine(**price_range(commands)._asdict()) as book:
        followed = Followed(book)
        for at in range(0, len(commands), 500):
            followed.apply(commands[at : at + 500])
            followed.check()


def test_stocks_of_one_feed_do_not_mix() -> None:
    """Guards against a locate, a price unit or an order id taken from the wrong stock."""
    engines = [phase3_sorted.Engine(instrument=i, max_price=1_000) for i in (7, 3)]
    stocks = [
        Listing.of(engines[0], "A", tick_size=1),
        Listing.of(engines[1], "B", tick_size=100),
    ]
    feed, reader = ItchFeed(stocks), ItchBook()
    reader.take_all(feed.start_of_day(0))
    commands = showable(gather(random_commands(6, 2_000, Profile(1, 1_000))))
    for at in range(len(commands)):
        for engine, own in zip(engines, (at, -1 - at), strict=True):
            command = commands[[own]]
            command["instrument"] = engine.instrument
            reader.take_all(feed.take(to_events(apply_all(engine, command))))
    assert reader.symbols == {1: "A", 2: "B"}
    for engine, stock in zip(engines, stocks, strict=True):
        locate = feed.locate(engine.instrument)
        for side in Side:
            got = [(o.price, o.shares) for o in reader.orders(locate, side)]
            wanted = [(o.price * stock.tick_size, o.quantity) for o in engine.orders(side)]
            assert got == wanted
        engine.close()
    assert not reader.troubles


@pytest.mark.long
@pytest.mark.parametrize("profile", ["narrow", "deep", "wide"])
def test_a_million_commands_are_followed(profile: str) -> None:
    """Guards against drift: the books are compared every four thousand commands, to the end."""
    with phase3_sorted.Engine(**SHOWABLE[profile].limits()) as book:
        followed = Followed(book)
        for block in random_commands(23, 1_000_000, SHOWABLE[profile]):
            for at in range(0, len(block), 4_096):
                followed.apply(showable(block[at : at + 4_096]))
                followed.check()
