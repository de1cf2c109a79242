"""Suite ``levels20k``: a wide book whose best level empties again and again.

Every second command leaves the book without its best level. An engine that looks for the next one
among all its levels pays for each of them; one that keeps them sorted pays for none::

    levels     4      16        256               20,000
    scan       ▏      ▎         ██                ███████████████████ …
    sorted     ▎      ▎         ▎                 ▎
                      └ somewhere here the sorted levels begin to win

The crossover is that place: the number of levels at which both take as long.
"""

from __future__ import annotations

import math
from typing import Any, Final

from contract.streams import Stream, wide_levels
from matchbook.bench.interleave import Samples, is_distinguishable, measure
from matchbook.bench.trial import (
    FLOOR,
    TWIN,
    EngineTrial,
    FloorTrial,
    Session,
    SkippedError,
    contestant_facts,
    find_reference,
    twin_noise_floor,
)

NAME: Final = "levels20k"
ROUNDS: Final = 9
LEVELS: Final = 20_000
#: Who scans and who keeps its levels sorted, with the same everything else.
PAIRS: Final = {"c": ("phase2", "phase3"), "python": ("phase1", "phase3py")}
#: Numbers of levels, and how many commands to measure on each.
_SWEEP: Final = (16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 20_000)
_QUICK_SWEEP: Final = (16, 128)
_FAST_COMMANDS: Final = 40_000
_SLOW_COMMANDS: Final = 2_000
_QUICK_COMMANDS: Final = 400


def run(session: Session) -> dict[str, Any]:
    """Measure the wide book and find the crossovers; the content of ``levels20k.json``.

    Raises:
        SkippedError: no pair of engines to compare.
    """
    rounds = session.rounds_of(ROUNDS)
    pairs = {
        language: pair
        for language, pair in PAIRS.items()
        if all(name in session.engines for name in pair)
    }
    if "c" not in pairs:
        raise SkippedError("levels20k compares phase2 with phase3, and they are not both here")
    wide = measure_wide(session, *pairs["c"], rounds)
    sweep = _QUICK_SWEEP if session.quick else _SWEEP
    return {
        "seed": 0,
        "rounds": rounds,
        "noise_floor": wide["noise_floor"],
        "cases": {"wide": wide},
        "crossover": {
            language: find_crossover(session, *pair, sweep, rounds)
            for language, pair in pairs.items()
        },
    }


def measure_wide(session: Session, naive: str, sorted_: str, rounds: int) -> dict[str, Any]:
    """The wide book itself, both engines and the floor."""
    stream = wide_levels(400, 2_000) if session.quick else wide_levels(LEVELS)
    samples = _measure_pair(session, naive, sorted_, stream, rounds)
    reference = find_reference(session.engines[sorted_], stream)
    return {
        "commands": len(stream.measured),
        **reference.facts(),
        "resting": reference.resting,
        "levels": reference.levels,
        "baseline": naive,
        "floor_ns": samples.median(FLOOR) * 1e9,
        "noise_floor": twin_noise_floor(samples),
        "engines": {
            name: contestant_facts(samples, name, baseline=naive) for name in (naive, sorted_)
        },
    }


def find_crossover(
    session: Session, naive: str, sorted_: str, sweep: tuple[int, ...], rounds: int
) -> dict[str, Any]:
    """Both engines on narrower and wider books, and the number of levels where they are level."""
    count = _SLOW_COMMANDS if naive in session.slow() else _FAST_COMMANDS
    count = _QUICK_COMMANDS if session.quick else count
    naive_ns, sorted_ns, ratios, floors = [], [], [], []
    for levels in sweep:
        stream = wide_levels(levels, count)
        samples = _measure_pair(session, naive, sorted_, stream, rounds)
        naive_ns.append(samples.median(naive) * 1e9)
        sorted_ns.append(samples.median(sorted_) * 1e9)
        ratios.append(samples.ratio(naive, sorted_).median)
        floors.append(twin_noise_floor(samples))
    crossing = crossing_point(list(sweep), ratios)
    result: dict[str, Any] = {
        "naive": naive,
        "sorted": sorted_,
        "levels": list(sweep),
        "naive_ns": naive_ns,
        "sorted_ns": sorted_ns,
        "ratio": ratios,
        "noise_floors": floors,
        "verdict": crossing_verdict(naive, sorted_, list(sweep), ratios, floors),
    }
    if crossing is not None:
        result["crossing_levels"] = crossing
    return result


def crossing_point(levels: list[int], ratios: list[float]) -> int | None:
    """Where the ratio first rises through 1, between two of the measured points.

    >>> crossing_point([16, 64, 256], [0.5, 2.0, 8.0])
    32
    >>> crossing_point([16, 64], [1.5, 2.0]) is None
    True
    """
    for left in range(len(levels) - 1):
        before, after = ratios[left], ratios[left + 1]
        if before < 1 <= after:
            share = math.log(1 / before) / math.log(after / before)
            crossing = levels[left] * math.pow(levels[left + 1] / levels[left], share)
            return round(crossing)
    return None


def crossing_verdict(
    naive: str, sorted_: str, levels: list[int], ratios: list[float], floors: list[float]
) -> str:
    """The crossover in words, with no claim that the noise floor does not allow.

    >>> crossing_verdict("scan", "tree", [16, 64, 256], [0.5, 1.01, 8.0], [1.1, 1.1, 1.1])
    'scan is faster at 16 levels, tree from 256'
    >>> crossing_verdict("scan", "tree", [16, 64], [1.5, 2.0], [1.1, 1.1])
    'tree is faster from 16 levels on'
    """
    told = [
        (count, ratio > 1)
        for count, ratio, floor in zip(levels, ratios, floors, strict=True)
        if is_distinguishable(ratio, floor)
    ]
    losing = [count for count, wins in told if not wins]
    winning = [count for count, wins in told if wins and count > max(losing, default=0)]
    if not winning:
        return f"{naive} is never slower" if losing else "indistinguishable"
    if not losing:
        return f"{sorted_} is faster from {winning[0]:,} levels on"
    up_to = f"up to {losing[-1]:,}" if len(losing) > 1 else f"at {losing[0]:,}"
    return f"{naive} is faster {up_to} levels, {sorted_} from {winning[0]:,}"


def _measure_pair(
    session: Session, naive: str, sorted_: str, stream: Stream, rounds: int
) -> Samples:
    """Both engines, the sorted one twice, and the floor, interleaved."""
    levels = len(stream.warmup)
    session.step(f"{levels:,} levels: verifying")
    reference = find_reference(session.engines[sorted_], stream)
    names = {naive: naive, sorted_: sorted_, sorted_ + TWIN: sorted_}
    return measure(
        [
            FloorTrial(stream.measured, reference.room),
            *(
                EngineTrial(name, session.engines[engine], stream, reference)
                for name, engine in names.items()
            ),
        ],
        rounds,
        step=session.stepper(f"{levels:,} levels: "),
    )
