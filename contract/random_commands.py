"""Random commands of every kind, right and wrong: what engines are compared on.

All kinds, types, times in force, self-trade modes, flags and accounts, and every way a command can
be refused: two of them at once too, since the first check that fails decides. Nothing here follows
a book. Commands name plausible live orders because ids come from a small universe and are used in
turn, so ten million commands cost seconds.

The stream alternates between moods of a few hundred commands: *build* (passive orders pile up),
*mixed*, *cross* (both sides ask for each other's prices) and *thin* (cancels prevail). Hence deep
books, full books, sweeps and empty books all occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from contract.messages import (
    DEFAULT_MAX_PRICE,
    MAX_QUANTITY,
    CommandKind,
    Flag,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
)
from contract.random_draws import Draws, Integers, Mask, mix64
from contract.records import RecordArray, empty_commands

#: Commands drawn together. A shorter stream is the beginning of a longer one.
BLOCK: Final = 8_192
_MOOD_COMMANDS: Final = 256
_LOWEST: Final = -(2**63)
_HIGHEST: Final = 2**63 - 1
_LONGEST_REACH: Final = 1 << 30
_RECENT: Final = 48

_BUILD, _MIXED, _CROSS, _THIN = range(4)
_KINDS: Final = (
    CommandKind.NEW,
    CommandKind.CANCEL,
    CommandKind.REPLACE,
    CommandKind.MASS_CANCEL,
)
#: Of ten thousand commands, how many are of each kind, by mood.
_KIND_WEIGHTS: Final = {
    _BUILD: (8_500, 500, 1_000, 0),
    _MIXED: (5_500, 2_200, 2_296, 4),
    _CROSS: (6_000, 1_500, 2_496, 4),
    _THIN: (2_500, 5_000, 2_490, 10),
}


@dataclass(frozen=True)
class Profile:
    """One kind of book and the commands it is given.

    Attributes:
        min_price, max_price, capacity, instrument: the book's limits; prices are within them but
            for a few that must be refused.
        universe: how many different ids there are; ids return after so many NEW commands.
        wide_ids: ids all over the 64 bits instead of 1 to ``universe``.
        reach: how far most prices are from where the book has its middle, in ticks.
        middle: where that is; None is halfway between the limits.
        accounts: accounts from 1 to this number, and often none.
        wrong_per_mille: how many commands of a thousand have something wrong with them.
    """

    min_price: int = 1
    max_price: int = DEFAULT_MAX_PRICE
    capacity: int = 4_096
    instrument: int = 0
    universe: int = 512
    wide_ids: bool = False
    reach: int = 12
    middle: int | None = None
    accounts: int = 3
    wrong_per_mille: int = 60

    def limits(self) -> dict[str, int]:
        """The limits as keyword arguments of an engine."""
        return {
            "instrument": self.instrument,
            "min_price": self.min_price,
            "max_price": self.max_price,
            "capacity": self.capacity,
        }


PROFILES: Final[dict[str, Profile]] = {
    "narrow": Profile(min_price=100, max_price=109),
    "wide": Profile(universe=2_048, wide_ids=True, reach=400),
    "deep": Profile(min_price=1, max_price=1_000, universe=8_192, reach=8),
    "lowest": Profile(_LOWEST, _LOWEST + 20, middle=_LOWEST, wide_ids=True),
    "highest": Profile(_HIGHEST - 20, _HIGHEST, middle=_HIGHEST, instrument=2**32 - 1),
    "whole": Profile(_LOWEST, _HIGHEST, reach=6, wide_ids=True, instrument=7),
    "full": Profile(min_price=-50, max_price=50, capacity=24, universe=96),
    "single": Profile(min_price=1, max_price=8, capacity=1, universe=6, wrong_per_mille=20),
    "one price": Profile(min_price=0, max_price=0, capacity=64, universe=128),
}


def random_commands(seed: int, count: int, profile: Profile = Profile()) -> Iterator[RecordArray]:
    """``count`` commands in arrays of at most ``BLOCK``; memory is O(1), time O(count).

    The same seed and profile give the same commands in every version of numpy, and a smaller
    count gives the beginning of a larger one. Timestamps rise; sequence numbers are 0.

    >>> from contract.streams import gather
    >>> short, long = (gather(random_commands(5, count)) for count in (10, 20_000))
    >>> short.tobytes() == long[:10].tobytes()
    True
    """
    draws = Draws(seed, BLOCK)
    arrivals, clock = 0, 0
    while count > 0:
        mood = np.repeat(draws.below(4)[: BLOCK // _MOOD_COMMANDS], _MOOD_COMMANDS)
        commands = empty_commands(BLOCK)
        commands["kind"] = _kinds(draws, mood)
        is_new = commands["kind"] == CommandKind.NEW
        places = arrivals + np.cumsum(is_new)
        commands["order_id"] = _ids(draws, profile, is_new, places)
        _draw_terms(draws, profile, commands, mood, is_new)
        times = clock + np.cumsum(draws.below(1_000))
        commands["timestamp_ns"] = times
        arrivals, clock = int(places[-1]), int(times[-1])
        _spoil(draws, profile, commands)
        yield commands[:count]
        count -= BLOCK


def _kinds(draws: Draws, mood: Integers) -> Integers:
    kinds = np.zeros(draws.size, np.int64)
    for each, weights in _KIND_WEIGHTS.items():
        kinds = np.where(mood == each, draws.choice(_KINDS, weights), kinds)
    return kinds


def _ids(draws: Draws, profile: Profile, is_new: Mask, places: Integers) -> Any:
    """A NEW takes the next id; others name one of the last, the recent ones more often."""
    near = draws.below(min(profile.universe, _RECENT))
    behind = np.where(draws.chance(600), near, draws.below(profile.universe))
    index = np.where(is_new, places, places - behind)
    anywhere = draws.chance(50)
    index = np.where(anywhere, draws.below(profile.universe), index) % profile.universe
    return mix64(index + 1) if profile.wide_ids else index + 1


def _draw_terms(
    draws: Draws, profile: Profile, commands: RecordArray, mood: Integers, is_new: Mask
) -> None:
    """Side, price, quantity and conditions: all that a valid command may say."""
    side = draws.below(2)
    has_terms = is_new | (commands["kind"] == CommandKind.REPLACE)
    is_market = is_new & (mood != _BUILD) & draws.chance(120)
    commands["side"] = np.where(is_new, side, 0)
    price = _prices(draws, profile, mood, side)
    commands["price"] = np.where(has_terms & ~is_market, price, 0)
    commands["quantity"] = np.where(has_terms, _quantities(draws), 0)
    commands["order_type"] = np.where(is_market, OrderType.MARKET, OrderType.LIMIT)

    limit_force = draws.choice(list(TimeInForce), (76, 12, 12))
    limit_force = np.where(mood == _BUILD, TimeInForce.GTC, limit_force)
    market_force = draws.choice((TimeInForce.IOC, TimeInForce.FOK), (6, 4))
    force = np.where(is_market, market_force, limit_force)
    commands["time_in_force"] = np.where(is_new, force, 0)
    is_resting = is_new & ~is_market & (force == TimeInForce.GTC)
    commands["flags"] = np.where(is_resting & draws.chance(80), Flag.POST_ONLY, Flag.NONE)
    commands["self_trade"] = np.where(is_new, draws.choice(list(SelfTrade), (4, 2, 2, 2)), 0)
    # Account 0 is nobody's for an order and everybody's for a mass cancel.
    owner = np.where(draws.chance(350), 0, 1 + draws.below(profile.accounts))
    needs_owner = is_new | (commands["kind"] == CommandKind.MASS_CANCEL)
    commands["account"] = np.where(needs_owner, owner, 0)
    commands["instrument"] = profile.instrument


def _prices(draws: Draws, profile: Profile, mood: Integers, side: Integers) -> Any:
    """Most near the middle, some anywhere in the range, some at its very ends."""
    low, span = profile.min_price, profile.max_price - profile.min_price
    middle = (low + profile.max_price) // 2 if profile.middle is None else profile.middle
    room_below = min(middle - low, _LONGEST_REACH)
    room_above = min(profile.max_price - middle, _LONGEST_REACH)
    # A passive distance keeps to the order's own side; mixed and crossing ones overlap.
    overlap = np.choose(mood, (0, profile.reach // 3, profile.reach, profile.reach // 3))
    distance = draws.below(profile.reach) - (draws.below(1 << 15) * overlap >> 15)
    distance = np.where(side == Side.BID, -1 - distance, distance)
    # Offsets from min_price are unsigned, and so wide enough for the whole 64-bit range.
    near = np.clip(distance, -room_below, room_above).astype(np.uint64) + np.uint64(middle - low)
    anywhere = draws.words()
    if span < 2**64 - 1:
        anywhere = anywhere % np.uint64(span + 1)
    ends = np.where(draws.below(2) == 0, np.uint64(0), np.uint64(span))
    offset = np.where(draws.chance(60), anywhere, near)
    offset = np.where(draws.chance(30), ends, offset)
    return (offset + np.uint64(low % 2**64)).view(np.int64)


def _quantities(draws: Draws) -> Any:
    """Mostly a few lots, sometimes hundreds, rarely as many as there can be."""
    size = draws.choice(range(5), (700, 200, 90, 5, 5))
    columns = (
        draws.between(1, 9),
        draws.between(1, 900),
        np.ones(draws.size, np.int64),
        np.full(draws.size, MAX_QUANTITY),
        MAX_QUANTITY - draws.below(1 << 20),
    )
    return np.choose(size, columns)


def _spoil(draws: Draws, profile: Profile, commands: RecordArray) -> None:
    """Make some commands wrong in one way, and some of these in a second way."""
    spoiled = draws.chance(profile.wrong_per_mille)
    for chosen in (spoiled, spoiled & draws.chance(250)):
        way = np.where(chosen, draws.below(_WAYS), -1)
        noise = draws.words()
        byte = (noise % np.uint64(254)).astype(np.int64) + 2  # 2 to 255
        for number, (field, values) in enumerate(_ways(draws, profile, noise, byte)):
            commands[field][way == number] = values[way == number]
        _spoil_conditions(commands, way, draws.below(2))
        _add_noise(commands, way == _WAY_NOISE, noise)


_WAY_MARKET_GTC, _WAY_POST_ONLY, _WAY_NOISE, _WAYS = range(14, 18)


def _ways(draws: Draws, profile: Profile, noise: Any, byte: Integers) -> list[tuple[str, Any]]:
    """The wrong values of single fields: each a field and a column to take them from."""
    nothing = np.zeros(draws.size, np.uint64)
    beyond = np.uint64(MAX_QUANTITY) + np.uint64(1)
    low, high = profile.min_price, profile.max_price
    past = [price for price in (low - 1, _LOWEST, -1, 0) if _LOWEST <= price < low]
    past += [price for price in (high + 1, _HIGHEST, -1, 0) if high < price <= _HIGHEST]
    outside = draws.choice(past or [low], [1] * max(1, len(past)))
    return [
        ("kind", np.where(byte < 128, 0, byte | 8)),
        ("side", byte),
        ("order_type", byte),
        ("time_in_force", np.maximum(byte, TimeInForce.FOK + 1)),
        ("self_trade", np.maximum(byte, SelfTrade.CANCEL_BOTH + 1)),
        ("flags", byte),
        ("order_id", nothing),
        ("order_id", noise | np.uint64(1)),
        ("reserved", (noise | np.uint64(1)).view(np.int64)),
        ("reserved2", (noise >> np.uint64(48)) | np.uint64(1)),
        ("instrument", profile.instrument ^ byte),
        ("quantity", nothing),
        ("quantity", np.where(byte < 128, beyond, noise | beyond)),
        ("price", outside),
    ]


def _spoil_conditions(commands: RecordArray, way: Integers, coin: Integers) -> None:
    """Fields that are right one by one and wrong together."""
    market = way == _WAY_MARKET_GTC
    commands["order_type"][market] = OrderType.MARKET
    commands["time_in_force"][market] = np.where(coin, TimeInForce.GTC, TimeInForce.IOC)[market]
    post_only = way == _WAY_POST_ONLY
    commands["flags"][post_only] = Flag.POST_ONLY
    commands["order_type"][post_only] = coin[post_only]
    commands["time_in_force"][post_only] = TimeInForce.FOK


def _add_noise(commands: RecordArray, chosen: Mask, noise: Any) -> None:
    """Fill the fields that a CANCEL, REPLACE or MASS_CANCEL does not use: it must not matter."""
    kind = commands["kind"]
    for field in ("side", "order_type", "time_in_force", "self_trade", "flags"):
        commands[field][chosen & (kind != CommandKind.NEW)] = 255
    for field in ("reserved", "reserved2"):
        commands[field][chosen & (kind != CommandKind.NEW)] = 99
    terms = chosen & ((kind == CommandKind.CANCEL) | (kind == CommandKind.MASS_CANCEL))
    commands["price"][terms] = noise[terms].view(np.int64)
    commands["quantity"][terms] = noise[terms]
    named = chosen & (kind == CommandKind.MASS_CANCEL)
    commands["order_id"][named] = noise[named]
