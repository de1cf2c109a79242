"""Generated streams are what they say: counted, and run through phase 1."""

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from contract import CommandKind, ConfigurationError, Event, EventKind, Reason
from contract.batching import apply_all
from contract.messages import MAX_QUANTITY
from contract.random_commands import BLOCK, PROFILES, Profile, random_commands
from contract.records import RecordArray, to_events
from contract.streams import (
    MIDDLE_PRICE,
    SHAPES,
    Shape,
    Stream,
    gather,
    scramble_ids,
    shape_stream,
    uniform_book,
    wide_levels,
)
from phase1_domain import Engine

# The same bytes on every machine and in every version of numpy.
SHAPES_SHA256 = {
    "A": "a691b51d0460c8374175414ac6fde25dd114f6d0714681f98ff9d9541ccc7364",
    "B": "b03eaa793acdc9fbf281bd605b231e3688d05b9b071b9c14343a37888dfa056f",
    "C": "c70e416735cb2f058794a0944d1ec16c5bd35585db42c735b554a12b8d66f047",
}
WIDE_SHA256 = "9a5d05152c0786a231da6b750548ab99b4a509665d615160d391091f39370c98"
RANDOM_SHA256 = {
    "narrow": "05f7c6f5b26604af180436536d5332a749e6e78f77fecb9c074901b2539896a1",
    "wide": "c96d29e221e4a449fa97bd22dcee3c0ab67ce2c2190d85442537513f7fea05cf",
    "deep": "9064ac6b7f7c345a90e70b6b12936133cb838c036ba646c7b62bb7f24483515a",
    "lowest": "bb50498ffbca0dab8157d16ea2ceee745049881e7e581479270279ec1f2d026f",
    "highest": "719c682789e7dc61e4d66ab45e9635f106ca9f247f72300124bfc0bbfb975606",
    "whole": "8ddd7d9c5e4b27d45fc912b70d192c1a6026feeec3040a0ced3592adf13c5036",
    "full": "1130db3f8793a0b60cd4505d4d7b5e4ab84cc8c8d68a4f931e53c8a800eccca8",
    "single": "9dc763418d18a004dbd898efaa94d4d514daa119d80dd2942effba6341720e6e",
    "one price": "3383e12eaceb08f7ce97da64b25f0789c1ceea03206b863fe4d78017d43c74cd",
}


def sha256(*chunks: RecordArray) -> str:
    return hashlib.sha256(gather(chunks).data).hexdigest()


class Run:
    """A stream through phase 1, and what came of its measured part."""

    def __init__(self, stream: Stream, pieces: int = 20) -> None:
        self.engine = Engine(**stream.limits())
        warmed = apply_all(self.engine, stream.warmup)
        assert not (warmed["kind"] == EventKind.REJECTED).any()
        self.resting = [len(self.engine)]
        self.levels = [self.count_levels()]
        runs = []
        for piece in np.array_split(stream.measured, pieces):
            runs.append(apply_all(self.engine, piece))
            self.resting.append(len(self.engine))
            self.levels.append(self.count_levels())
        self.engine.check()
        self.events = np.concatenate(runs)
        self.count = len(stream.measured)
        self.trades = self.events[self.events["kind"] == EventKind.TRADE]
        self.takers = len(np.unique(self.trades["order_id"]))

    def count_levels(self) -> int:
        bids, asks = self.engine.depth(1 << 30)
        return len(bids) + len(asks)

    def share(self, kind: EventKind) -> float:
        return float((self.events["kind"] == kind).sum() / self.count)


def shortened(shape: str, mixing: int) -> Shape:
    return replace(SHAPES[shape], mixing=mixing)


def test_shape_a() -> None:
    """Guards the ordinary day: shares, resting orders and levels as PERFORMANCE figures need."""
    run = Run(shape_stream(shortened("A", 10_000), measured=20_000))
    assert run.share(EventKind.REJECTED) == 0
    assert run.share(EventKind.CANCELLED) == pytest.approx(0.40, abs=0.02)
    assert run.takers / run.count == pytest.approx(0.05, abs=0.005)
    assert all(4_700 <= resting <= 5_300 for resting in run.resting)
    assert all(230 <= levels <= 340 for levels in run.levels)


def test_shape_b() -> None:
    """Guards the crowd: it more than doubles, evenly, over as many levels as stated."""
    full = shape_stream("B", measured=1)
    assert len(full.warmup) == 100_000
    assert 19_000 <= len(np.unique(full.warmup["price"])) <= 20_000
    scaled = replace(SHAPES["B"], first_resting=2_000, last_resting=4_200, half_width=200)
    run = Run(shape_stream(scaled, measured=4_000))
    assert run.share(EventKind.REJECTED) == 0
    assert run.share(EventKind.ACCEPTED) > 0.75
    assert run.resting[0] == 2_000
    assert run.resting[-1] == pytest.approx(4_200, rel=0.03)
    assert (np.diff(run.resting) > 0).all()
    assert all(390 <= levels <= 410 for levels in run.levels)


def test_shape_c() -> None:
    """Guards the sweeps: nineteen makers an aggressor, over several levels, and nothing left."""
    run = Run(shape_stream(shortened("C", 10_000), measured=20_000))
    assert run.share(EventKind.REJECTED) == 0
    assert run.takers / run.count == pytest.approx(0.048, abs=0.005)
    assert len(run.trades) / run.takers == pytest.approx(19, abs=1)
    touched = {(int(trade["order_id"]), int(trade["price"])) for trade in run.trades}
    assert len(touched) / run.takers > 4
    last = {int(trade["order_id"]): int(trade["leaves"]) for trade in run.trades}
    assert not any(last.values())
    assert all(1_200 <= resting <= 2_800 for resting in run.resting)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_pinned(shape: str) -> None:
    """Guards results files: a number measured on a shape stays a number on that shape."""
    stream = shape_stream(shape, measured=100_000)
    assert sha256(stream.warmup, stream.measured) == SHAPES_SHA256[shape]
    assert len(stream.measured) == 100_000
    other = shape_stream(shape, measured=100_000, seed=2)
    assert sha256(other.warmup, other.measured) != SHAPES_SHA256[shape]


@pytest.mark.parametrize(
    "wrong",
    [
        {"half_width": 0},
        {"most_makers": 0},
        {"crossing_ppm": 1_000_001},
        {"first_resting": -1},
        {"walk_range": 2**29},
        {"mixing": -1},
    ],
)
def test_impossible_shapes_are_refused(wrong: dict[str, int]) -> None:
    """Guards the C generator, which aborts on what it cannot do."""
    name = next(iter(wrong))
    with pytest.raises(ConfigurationError, match=f"{name} {wrong[name]}"):
        shape_stream(replace(SHAPES["A"], **wrong), measured=10)  # type: ignore[arg-type]


def test_other_impossible_streams_are_refused() -> None:
    """Guards names and counts."""
    with pytest.raises(ConfigurationError, match="'D' is not one of A, B, C"):
        shape_stream("D")
    with pytest.raises(ConfigurationError, match="measured 0"):
        shape_stream("A", measured=0)
    with pytest.raises(ConfigurationError, match="levels 3"):
        next(uniform_book(10, 3))
    with pytest.raises(ConfigurationError, match="levels 12"):
        next(uniform_book(10, 12))
    with pytest.raises(ConfigurationError, match="measured 7"):
        wide_levels(levels=100, measured=7)


def test_scrambled_ids_are_the_same_stream() -> None:
    """Guards that only the names of the orders change, not what becomes of them."""
    stream = shape_stream(shortened("A", 0), measured=3_000)
    plain = Run(stream).events
    other = Run(
        stream._replace(warmup=scramble_ids(stream.warmup), measured=scramble_ids(stream.measured))
    ).events
    assert not (plain["order_id"] == other["order_id"]).any()
    assert len(np.unique(other["order_id"])) == len(np.unique(plain["order_id"]))
    for field in ("kind", "price", "quantity", "leaves", "side", "reason"):
        assert (plain[field] == other[field]).all()


@pytest.mark.parametrize(("orders", "levels"), [(10, 2), (10, 10), (1_001, 10), (3_000, 600)])
def test_uniform_book(orders: int, levels: int) -> None:
    """Guards the cost curves: the book has the stated size, and nothing has traded."""
    engine = Engine(
        min_price=MIDDLE_PRICE - levels // 2, max_price=MIDDLE_PRICE + levels // 2, capacity=orders
    )
    chunks = list(uniform_book(orders, levels, chunk=97))
    events = apply_all(engine, gather(chunks))
    assert set(events["kind"]) == {EventKind.ACCEPTED}
    assert len(engine) == orders
    bids, asks = engine.depth(levels)
    assert len(bids) == len(asks) == levels // 2
    counts = {level.order_count for level in bids + asks}
    assert max(counts) - min(counts) <= 1
    assert sorted(gather(chunks)["order_id"]) == list(range(1, orders + 1))


def test_wide_levels() -> None:
    """Guards the case made against scanning: half of the commands empty the best level."""
    assert sha256(*wide_levels()[1:3]) == WIDE_SHA256
    stream = wide_levels(levels=60, measured=480, depth=3)
    assert len(stream.measured) == 480
    engine = Engine(**stream.limits())
    apply_all(engine, stream.warmup)
    for at in range(len(stream.measured)):
        before = best_prices(engine)
        events = to_events(apply_all(engine, stream.measured[at : at + 1]))
        assert events[0].kind != EventKind.REJECTED
        # Three levels emptied, best first; then the best one filled, and two behind it.
        assert (best_prices(engine) != before) == (at % 6 < 4)
    assert len(engine) == 60


def best_prices(engine: Engine) -> list[int]:
    return [level.price for level in (engine.best_bid(), engine.best_ask()) if level]


# Random commands.


def random_array(seed: int, count: int, profile: Profile) -> RecordArray:
    return gather(random_commands(seed, count, profile))


@pytest.mark.parametrize("name", PROFILES)
def test_random_commands_are_pinned(name: str) -> None:
    """Guards the seeds that failing tests have printed."""
    assert sha256(*random_commands(1, 20_000, PROFILES[name])) == RANDOM_SHA256[name]


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_shorter_stream_is_the_beginning(count: int) -> None:
    """Guards shrinking by hand: fewer commands of a seed are the first of more."""
    whole = random_array(4, 2 * BLOCK, PROFILES["narrow"])
    short = random_array(4, count, PROFILES["narrow"])
    assert len(short) == count
    assert short.tobytes() == whole[:count].tobytes()
    times = whole["timestamp_ns"].astype(np.int64)
    assert (np.diff(times) >= 0).all()


# Most books are larger than what these streams put into them. In a book of one order, a second
# order finds the book full before anyone asks whether it would cross.
UNREACHABLE = {name: {Reason.BOOK_FULL} for name in PROFILES} | {
    "full": set(),
    "single": {Reason.WOULD_CROSS},
    "one price": set(),
}


@pytest.mark.parametrize("name", PROFILES)
def test_random_commands_reach_every_outcome(name: str) -> None:
    """Guards against a conformance stream that never gets where engines go wrong."""
    profile = PROFILES[name]
    engine = Engine(**profile.limits())
    events: list[Event] = []
    most = 0
    for piece in np.array_split(random_array(3, 25_000, profile), 100):
        events += to_events(apply_all(engine, piece))
        engine.check()
        most = max(most, len(engine))
    reasons = Counter(Reason(event.reason) for event in events)
    assert set(Reason) - set(reasons) == UNREACHABLE[name]
    kinds = Counter(EventKind(event.kind) for event in events)
    assert min(kinds.values()) > 100
    assert most >= min(profile.capacity, 300)
    traded = [event.price for event in events if event.kind == EventKind.TRADE]
    if profile.max_price - profile.min_price < 50:
        assert (min(traded), max(traded)) == (profile.min_price, profile.max_price)
    assert max(event.quantity for event in events if event.kind == EventKind.ACCEPTED) == (
        MAX_QUANTITY
    )
    large = [event.order_id >> 32 > 0 for event in events if event.kind == EventKind.ACCEPTED]
    assert (np.mean(large) > 0.9) == profile.wide_ids


def test_random_commands_are_wrong_in_every_field() -> None:
    """Guards every check of a command's form: each wrong value comes, and alone at times."""
    commands = random_array(8, 50_000, PROFILES["narrow"])
    news = commands[commands["kind"] == CommandKind.NEW]
    limits = {
        "side": 1,
        "order_type": 1,
        "time_in_force": 2,
        "self_trade": 3,
        "flags": 1,
        "reserved": 0,
        "reserved2": 0,
        "instrument": 0,
    }
    wrong = {field: news[field] > limit for field, limit in limits.items() if field != "reserved"}
    wrong["reserved"] = news["reserved"] != 0
    wrong["order_id"] = news["order_id"] == 0
    for field, mask in wrong.items():
        others = np.any([m for name, m in wrong.items() if name != field], axis=0)
        assert (mask & ~others).sum() > 10, field
    assert (np.sum(list(wrong.values()), axis=0) > 1).any()
    assert set(np.unique(commands["kind"])) >= {0, 1, 2, 3, 4, 255}
