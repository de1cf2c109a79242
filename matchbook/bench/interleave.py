"""Comparing programs on a machine that is never the same twice: interleaved runs and their ratios.

A round runs every contestant forwards and then backwards, so that a machine that slows down in
the course of a round slows all of them alike::

    round 1:  floor  phase2  phase3  twin │ twin  phase3  phase2  floor
    round 2:  the same again …            └ slow contestants run here, once, in the middle round

The time of a contestant in a round is the mean of its two. Two contestants are compared by the
median over the rounds of the *ratio* of their times; the interval that goes with it is the one
that order statistics give, without an assumption about how times are distributed. A *twin* is a
contestant that runs the same code as another: what their ratio strays from 1 is the noise floor.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from contract.errors import MatchbookError

#: How sure the interval of a median shall be that it holds the true one.
CONFIDENCE = 0.95


class WrongAnswerError(MatchbookError):
    """A contestant did not give the answer of the others: its time means nothing."""


class Outcome(NamedTuple):
    """One run: how long, how many commands, and a word that equal answers have in common.

    The word is empty where nobody else gives the same answer and the run verified its own.
    """

    seconds: float
    commands: int
    answer: str


class Contestant(Protocol):
    """What is measured: a name and a run from start to end."""

    @property
    def name(self) -> str:
        """Its name; no two contestants of a comparison share one."""

    def run(self) -> Outcome:
        """Run once. Only ``Outcome.seconds`` counts; preparing and verifying is not timed."""


class Ratio(NamedTuple):
    """A median of ratios and the interval that holds the true median."""

    low: float
    median: float
    high: float


@dataclass
class Samples:
    """Seconds per command of every contestant, round by round: ``times[name][round]``.

    A round that a contestant did not take part in is missing from its dictionary.
    """

    times: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    commands: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, number: int, outcome: Outcome) -> None:
        """Note one run in the round of that number."""
        times = self.times.setdefault(name, {})
        times.setdefault(number, []).append(outcome.seconds / outcome.commands)
        self.commands[name] = outcome.commands

    def rounds(self, name: str) -> int:
        """How many rounds a contestant took part in."""
        return len(self.times[name])

    def median(self, name: str) -> float:
        """The median time of a command, in seconds."""
        return statistics.median(time for times in self.times[name].values() for time in times)

    def fastest(self, name: str) -> float:
        """The least time of a command, in seconds."""
        return min(time for times in self.times[name].values() for time in times)

    def ratio(self, slower: str, faster: str) -> Ratio:
        """How many times as long the first takes as the second, within a round.

        Raises:
            ValueError: there is no round that both took part in.
        """
        left, right = self.times[slower], self.times[faster]
        shared = sorted(left.keys() & right.keys())
        ratios = [statistics.mean(left[n]) / statistics.mean(right[n]) for n in shared]
        if not ratios:
            raise ValueError(f"{slower} and {faster} share no round")
        return median_interval(ratios)

    def noise_floor(self, name: str, twin: str) -> float:
        """The ratio, 1 or more, up to which a difference is not one: A against A."""
        low, _, high = self.ratio(name, twin)
        return max(high, 1 / low, 1.0)


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Ratio:
    """The median, and the narrowest pair of order statistics that holds the true one so surely.

    The k-th smallest of n values is above the true median if fewer than k of n tosses of a coin
    show heads. With fewer than 6 values no pair is 95 % sure, and the interval is all of them.

    >>> median_interval([1.0, 2.0, 3.0, 4.0, 9.0])
    Ratio(low=1.0, median=3.0, high=9.0)
    >>> median_interval([float(n) for n in range(9)])
    Ratio(low=1.0, median=4.0, high=7.0)
    """
    ordered = sorted(values)
    count = len(ordered)
    skipped = 0
    while 2 * (skipped + 1) < count and _miss(count, skipped + 1) <= 1 - confidence:
        skipped += 1
    return Ratio(ordered[skipped], statistics.median(ordered), ordered[count - 1 - skipped])


def _miss(count: int, skipped: int) -> float:
    """Chance that an interval that leaves out so many values at either end misses the median."""
    return float(2 * sum(math.comb(count, heads) for heads in range(skipped + 1)) / 2**count)


def verdict(ratio: float, noise_floor: float) -> str:
    """A ratio as it is printed: with its noise floor, or as no difference at all.

    >>> verdict(2.314, 1.052), verdict(1234.5, 1.052)
    ('2.31x (floor 1.05)', '1,234x (floor 1.05)')
    >>> verdict(1.03, 1.052), verdict(1 / 1.03, 1.052)
    ('indistinguishable', 'indistinguishable')
    """
    if is_distinguishable(ratio, noise_floor):
        return f"{three_digits(ratio)}x (floor {noise_floor:.2f})"
    return "indistinguishable"


def three_digits(value: float) -> str:
    """A number with as many decimals as make three digits.

    >>> three_digits(0.1234), three_digits(9.876), three_digits(98.76), three_digits(9876.5)
    ('0.12', '9.88', '98.8', '9,876')
    """
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{decimals}f}"


def is_distinguishable(ratio: float, noise_floor: float) -> bool:
    """Whether a ratio lies outside of what the same code shows against itself."""
    return max(ratio, 1 / ratio) > noise_floor


def order_of_round(contestants: Sequence[Contestant]) -> Iterator[Contestant]:
    """Forwards and then backwards: each contestant twice, A B … B A."""
    yield from contestants
    yield from reversed(contestants)


def measure(
    contestants: Sequence[Contestant],
    rounds: int,
    *,
    once: Sequence[Contestant] = (),
    step: Callable[[str], None] = lambda _: None,
) -> Samples:
    """Run all contestants interleaved and verify that they give one answer.

    Args:
        contestants: those that run twice in every round.
        rounds: how many.
        once: slow ones, which run once in all, in the middle of the middle round.
        step: called with the name of a contestant before it runs.

    Raises:
        WrongAnswerError: two answers to the same number of commands differ; names both.
    """
    samples = Samples()
    answers: dict[int, tuple[str, str]] = {}

    def run(contestant: Contestant, number: int) -> None:
        step(contestant.name)
        outcome = contestant.run()
        mine = (contestant.name, outcome.answer)
        name, answer = answers.setdefault(outcome.commands, mine) if outcome.answer else mine
        if outcome.answer != answer:
            raise WrongAnswerError(
                f"{contestant.name} answers {outcome.commands:,} commands with {outcome.answer}, "
                f"{name} with {answer}: nothing is measured until they agree"
            )
        samples.add(contestant.name, number, outcome)

    for number in range(rounds):
        sequence = list(order_of_round(contestants))
        for place, contestant in enumerate(sequence):
            if place == len(contestants) and number == rounds // 2:
                for slow in once:
                    run(slow, number)
            run(contestant, number)
    return samples
