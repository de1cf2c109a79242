"""Our feed as a file: others read in it what we wrote, and build the engine's book from it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from itch.parser import MessageParser

import phase3_sorted
from contract.engine import Engine
from contract.random_commands import Profile, random_commands
from contract.records import to_commands
from contract.streams import gather
from phase5_protocol.itch.binary_file import BinaryFileWriter, framed
from phase5_protocol.itch.decode import decode
from phase5_protocol.itch.feed import ItchFeed
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.itch.messages import parse, to_bytes
from phase5_protocol.itch.test_feed_follows_engine import showable
from phase5_protocol.listing import Listing

ROOT = Path(__file__).resolve().parents[2]
PROFILE = Profile(min_price=10_000, max_price=10_040)
LEVELS = 5
#: What an order book file says of a level that is not there: asks, then bids.
NO_LEVEL = ((9_999_999_999, 0), (-9_999_999_999, 0))

_ORDER = ("order_reference_number", "buy_sell_indicator", "shares", "stock", "price")
#: What itchfeed calls the fields behind the time, in the order in which we write them.
THEIR_NAMES: dict[str, tuple[str, ...]] = {
    "S": ("event_code",),
    "R": (
        "stock",
        "market_category",
        "financial_status_indicator",
        "round_lot_size",
        "round_lots_only",
        "issue_classification",
        "issue_sub_type",
        "authenticity",
        "short_sale_threshold_indicator",
        "ipo_flag",
        "luld_ref",
        "etp_flag",
        "etp_leverage_factor",
        "inverse_indicator",
    ),
    "H": ("stock", "trading_state", "reserved", "reason"),
    "A": _ORDER,
    "F": (*_ORDER, "attribution"),
    "E": ("order_reference_number", "executed_shares", "match_number"),
    "X": ("order_reference_number", "cancelled_shares"),
    "D": ("order_reference_number",),
    "U": ("order_reference_number", "new_order_reference_number", "shares", "price"),
    "P": (*_ORDER, "match_number"),
}


class Day(NamedTuple):
    """A file, its messages, and how the book was after which of them."""

    path: Path
    messages: list[bytes]
    rows: list[tuple[int, str]]


def a_day(book: Engine) -> tuple[list[bytes], list[tuple[int, str]]]:
    """The messages of a day with many kinds of orders, and after which message the book was how."""
    feed = ItchFeed(
        [Listing.of(book, "MBK")],
        attribution=lambda _, order_id: "" if order_id % 3 else "MBKX",
        hide_too_large=True,
    )
    messages = feed.start_of_day(0)
    rows: list[tuple[int, str]] = []
    commands = showable(gather(random_commands(8, 3_000, PROFILE)))
    commands["quantity"][::200] |= 2**33
    for command in to_commands(commands):
        more = feed.take(book.apply(command))
        messages += more
        if any(chr(message[0]) in "AFECXDU" for message in more):
            rows.append((len(messages) - 1, row(book, set(feed.hidden(book.instrument)))))
    return messages + feed.end_of_day(1), rows


def row(book: Engine, hidden: set[int]) -> str:
    """The levels of displayed orders, as a line of an order book file."""
    sides = []
    for side in (1, 0):
        levels: dict[int, int] = {}
        for order in book.orders(side):
            if order.order_id not in hidden:
                levels[order.price * 100] = levels.get(order.price * 100, 0) + order.quantity
        best = [*levels.items(), *[NO_LEVEL[1 - side]] * LEVELS]
        sides.append(best[:LEVELS])
    cells = [value for ask, bid in zip(*sides, strict=True) for value in (*ask, *bid)]
    return ",".join(map(str, cells))


@pytest.fixture(scope="module")
def day(
    tmp_path_factory: pytest.TempPathFactory,
) -> Day:
    """A file that our writer wrote, its messages, and the book along the way."""
    with phase3_sorted.Engine(**PROFILE.limits()) as book:
        messages, rows = a_day(book)
    path = tmp_path_factory.mktemp("day") / "day.itch50"
    with BinaryFileWriter(path) as writer:
        writer.write(messages)
    assert writer.messages == len(messages)
    return Day(path, messages, rows)


def test_itchfeed_reads_the_messages_that_we_wrote(
    day: Day,
) -> None:
    """Guards each field's offset and size against somebody else's reading of the specification."""
    path, messages = day.path, day.messages
    with path.open("rb") as file:
        theirs = list(MessageParser().parse_file(file))
    assert len(theirs) == len(messages) > 1_500
    seen = set()
    for ours, parsed in zip(messages, theirs, strict=True):
        letter = chr(ours[0])
        seen.add(letter)
        locate, tracking, time, *own = LAYOUTS[letter].unpack(ours)
        assert parsed.message_type.decode() == letter
        head = (parsed.stock_locate, parsed.tracking_number, parsed.timestamp)
        assert head == (locate, tracking, time)
        assert [getattr(parsed, name) for name in THEIR_NAMES[letter]] == own
        assert parsed.to_bytes() == ours
    assert seen == set(THEIR_NAMES)


def test_our_decoder_gives_back_what_the_feed_packed(day: Day) -> None:
    """Guards the round trip through C: every field of every message, in its place in the stream."""
    arrays = decode(day.path.read_bytes())
    assert arrays.tally.messages == len(day.messages)
    found = 0
    for letter, layout in LAYOUTS.items():
        for index, *values in arrays[letter].tolist():
            message = day.messages[index]
            assert (chr(message[0]), tuple(values)) == (letter, layout.unpack(message))
            found += 1
    assert found == len(day.messages)
    assert [to_bytes(parse(message)) for message in day.messages] == day.messages


def test_replaying_the_file_gives_the_engines_book_at_every_message(
    day: Day, tmp_path: Path
) -> None:
    """Guards against a feed that only our own reader follows: this one is older than the feed."""
    path, rows = day.path, day.rows
    want, places = tmp_path / "book.csv", tmp_path / "rows.txt"
    want.write_text("".join(f"{text}\n" for _, text in rows))
    places.write_text("".join(f"{index}\n" for index, _ in rows))
    options = ["--mode", "rebuild", "--expect", str(want), "--rows", str(places)]
    done = replay(path, *options)
    assert f"as expected: all {len(rows):,} rows equal" in done.stdout, done.stdout + done.stderr
    assert len(rows) > 900
    assert re.search(r"anomalies +0 *\n", done.stdout)
    # The negative control: a book that is wrong in one size is found.
    cells = rows[700][1].split(",")
    cells[1] = str(int(cells[1]) + 1)
    wrong = [*(text for _, text in rows[:700]), ",".join(cells), *(t for _, t in rows[701:])]
    want.write_text("".join(f"{text}\n" for text in wrong))
    done = replay(path, *options)
    assert done.returncode == 1
    assert f"row 701, after message {rows[700][0]}" in done.stdout


def replay(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "matchbook", "replay", str(path), *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_file_that_was_not_finished_has_no_end_of_session(tmp_path: Path) -> None:
    """Guards against half a day that reads as a whole one."""
    path = tmp_path / "day.itch50"

    def interrupted() -> None:
        with BinaryFileWriter(path) as writer:
            writer.write([b"abc"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"\0\3abc"
    for wrong in (b"", bytes(65_536)):
        with pytest.raises(ValueError, match="is not 1 to 65535"):
            framed(wrong)
