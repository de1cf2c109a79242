"""The arithmetic of comparing: on made-up times, where the right answer is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import comb

import pytest

from matchbook.bench.interleave import (
    Outcome,
    Samples,
    WrongAnswerError,
    is_distinguishable,
    measure,
    median_interval,
    order_of_round,
    verdict,
)


@dataclass
class Machine:
    """A made-up machine, on which the n-th run takes ``drift(n)`` times as long."""

    drift: Callable[[int], float] = lambda _: 1.0
    log: list[str] = field(default_factory=list)

    def run(self, name: str, seconds: float) -> float:
        """Note who ran; how long it took."""
        self.log.append(name)
        return seconds * self.drift(len(self.log) - 1)


@dataclass
class Fake:
    """A contestant that takes so many seconds on that machine."""

    machine: Machine
    name: str
    seconds: float
    answer: str = "right"
    commands: int = 10

    def run(self) -> Outcome:
        """Take the time."""
        return Outcome(self.machine.run(self.name, self.seconds), self.commands, self.answer)


def test_a_round_runs_forwards_and_backwards() -> None:
    machine = Machine()
    contestants = [Fake(machine, name, 1.0) for name in "ABC"]
    assert [each.name for each in order_of_round(contestants)] == list("ABCCBA")
    measure(contestants, rounds=2)
    assert "".join(machine.log) == "ABCCBA" * 2


def test_a_slow_contestant_runs_once_in_the_middle_of_the_middle_round() -> None:
    machine = Machine()
    samples = measure(
        [Fake(machine, name, 1.0) for name in "AB"],
        rounds=3,
        once=[Fake(machine, "S", 60.0)],
    )
    assert "".join(machine.log) == "ABBA" + "ABSBA" + "ABBA"
    assert samples.rounds("S") == 1
    assert samples.ratio("S", "A") == (60.0, 60.0, 60.0)


def test_a_machine_that_slows_down_steadily_changes_no_ratio() -> None:
    """Run one after the other, B would seem 8 times as slow as A; it is twice as slow."""
    machine = Machine(drift=lambda n: 1.0 + n)
    samples = measure([Fake(machine, "A", 1.0), Fake(machine, "B", 2.0)], rounds=9)
    ratio = samples.ratio("B", "A")
    assert ratio.low == pytest.approx(2.0)
    assert ratio.median == pytest.approx(2.0)
    assert ratio.high == pytest.approx(2.0)


def test_one_disturbed_round_moves_neither_the_ratio_nor_the_noise_floor() -> None:
    """The first run of the fifth round is disturbed: 100 times as long."""
    machine = Machine(drift=lambda n: 100.0 if n == 4 * 6 else 1.0)
    contestants = [Fake(machine, "A", 1.0), Fake(machine, "B", 2.0), Fake(machine, "A again", 1.0)]
    samples = measure(contestants, rounds=9)
    assert samples.ratio("B", "A") == (2.0, 2.0, 2.0)
    assert samples.noise_floor("A", "A again") == 1.0


def test_the_noise_floor_is_how_far_the_same_code_strays_to_either_side() -> None:
    samples = Samples()
    for number, twin in enumerate([0.5, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.25, 3.0]):
        samples.add("A", number, Outcome(1.0, 1, ""))
        samples.add("twin", number, Outcome(twin, 1, ""))
    assert samples.ratio("A", "twin") == (0.8, 1.0, 1.25)
    assert samples.noise_floor("A", "twin") == 1.25
    assert samples.noise_floor("twin", "A") == 1.25


def test_times_are_per_command_and_medians_over_all_runs() -> None:
    samples = Samples()
    for number, seconds in enumerate([5.0, 1.0, 3.0]):
        samples.add("A", number, Outcome(seconds, 10, ""))
    assert samples.median("A") == pytest.approx(0.3)
    assert samples.fastest("A") == pytest.approx(0.1)
    assert samples.commands["A"] == 10


def test_contestants_without_a_common_round_cannot_be_compared() -> None:
    samples = Samples()
    samples.add("A", 0, Outcome(1.0, 1, ""))
    samples.add("B", 1, Outcome(1.0, 1, ""))
    with pytest.raises(ValueError, match="A and B share no round"):
        samples.ratio("A", "B")


@pytest.mark.parametrize("count", range(1, 60))
def test_the_interval_of_a_median_is_the_narrowest_that_is_sure_enough(count: int) -> None:
    """Held against the definition: the true median lies outside with at most 1 chance in 20."""

    def miss(skipped: int) -> float:
        return float(2 * sum(comb(count, n) for n in range(skipped + 1)) / 2**count)

    low, median, high = median_interval([float(n) for n in range(count)])
    skipped = round(low)
    assert high == count - 1 - skipped
    assert median == (count - 1) / 2
    assert skipped == 0 or miss(skipped) <= 0.05
    assert miss(skipped + 1) > 0.05 or 2 * (skipped + 1) >= count


def test_a_difference_within_the_noise_floor_is_not_told() -> None:
    assert not is_distinguishable(1.04, 1.05)
    assert not is_distinguishable(1 / 1.04, 1.05)
    assert is_distinguishable(1.06, 1.05)
    assert is_distinguishable(1 / 1.06, 1.05)
    assert verdict(1.06, 1.05) == "1.06x (floor 1.05)"
    assert verdict(1.04, 1.05) == "indistinguishable"


def test_a_wrong_answer_ends_the_measurement_and_names_both() -> None:
    machine = Machine()
    contestants = [Fake(machine, "A", 1.0), Fake(machine, "B", 0.1, answer="wrong")]
    with pytest.raises(WrongAnswerError, match=r"B answers 10 commands with wrong, A with right"):
        measure(contestants, rounds=5)
    assert machine.log == ["A", "B"]


def test_answers_to_other_numbers_of_commands_are_not_compared() -> None:
    machine = Machine()
    contestants = [Fake(machine, "A", 1.0), Fake(machine, "B", 0.1, answer="other", commands=5)]
    assert measure(contestants, rounds=1).rounds("B") == 1
