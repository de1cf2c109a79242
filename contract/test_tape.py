"""A failure must be a tape that a person can read: short, drawn, and with a line to repeat it."""

import re
from dataclasses import replace as with_fields
from typing import Any

import pytest

from contract.messages import Command, Side, cancel, market, mass_cancel, new, replace
from contract.suite.compare import find_difference
from contract.suite.expected import accepted, trade
from contract.suite.flow import flow
from contract.suite.machine import run_machine
from contract.suite.probe import Probe
from contract.suite.shrink import shrink
from contract.suite.streams import commands_of_image, run_long, shrunk_tape
from contract.suite.tape import Tape, compare_outcomes, describe, list_commands
from phase1_domain import Engine
from phase1_domain.mutants import Mutant, matching, refusing, rules

BID, ASK = Side.BID, Side.ASK
LIMITS = {"min_price": 1, "max_price": 1000, "capacity": 64}


def test_a_rule_test_fails_with_a_tape() -> None:
    """Guards against a failure that says two lists differ and leaves the rest to the reader."""
    probe = Probe(matching.TradesAtTheAggressorsPrice, LIMITS)
    probe.send(new(1, ASK, 100, 5), new(2, ASK, 103, 5, timestamp_ns=7))
    with pytest.raises(AssertionError) as raised:
        probe.expect(
            new(3, BID, 102, 3), accepted(3, BID, 102, 3), trade(3, 1, BID, 100, 3, leaves=0)
        )
    assert str(raised.value) == (
        """TradesAtTheAggressorsPrice breaks the contract at command 3 of 3

  book built with: min_price 1, max_price 1000, capacity 64
        1  new #1 ask 5 @ 100
        2  new #2 ask 5 @ 103 [timestamp_ns=7]
  ->    3  new #3 bid 3 @ 102

  book before
    ask          103 │████████████████████████          5  (1 order)
    ask          100 │████████████████████████          5  (1 order)
    ──────────────────────── no bids
    ask          100 #1 5
    ask          103 #2 5

  book after, as phase1 has it
    ask          103 │████████████████████████          5  (1 order)
    ask          100 │█████████                         2  (1 order)
    ──────────────────────── no bids
    ask          100 #1 2
    ask          103 #2 5

  expected                                    got
  3: accepted #3 bid 3 @ 102, leaves 3        3: accepted #3 bid 3 @ 102, leaves 3
* 4: trade #3 bid 3 @ 100 with #1, leaves 0   4: trade #3 bid 3 @ 102 with #1, leaves 0
  event 2, price: expected 100, got 102

  reproduce: pytest "contract/test_tape.py::test_a_rule_test_fails_with_a_tape\""""
    )


@pytest.mark.parametrize(
    ("mutant", "most"),
    [
        (matching.LastInFirstOut, 3),
        (matching.TradesAtTheAggressorsPrice, 2),
        (rules.ReplaceForgetsPostOnly, 3),
        (rules.CancelBothSparesTheMaker, 2),
        (refusing.IdsAreUsedOnce, 3),
        (refusing.TradesCarryTheMakersTime, 2),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_streams_shrink_to_what_matters(mutant: type[Mutant], most: int) -> None:
    """Guards against tapes of two thousand commands, which nobody reads."""
    it = flow("narrow", seed=1, count=2_000)
    text = shrunk_tape(mutant, it.limits, it.commands, "somewhere").text()
    commands = re.findall(r"^  (?:->|  ) +(\d+)  \w", text, re.MULTILINE)
    assert 1 <= len(commands) <= most, text
    assert "shrunk from 2000 commands of somewhere" in text
    assert 'pytest "contract/test_tape.py::test_streams_shrink' in text


@pytest.mark.parametrize(
    ("mutant", "most"),
    [
        (matching.LastInFirstOut, 3),
        (matching.SmallestIdFirst, 3),
        (rules.ReplaceKeepsItsOldTime, 4),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_state_machine_shrinks_to_a_tape(mutant: type[Mutant], most: int) -> None:
    """Guards against a state machine that passes whatever the engine does."""
    with pytest.raises(AssertionError, match=mutant.__name__) as raised:
        run_machine(mutant)
    found = re.search(r"at command (\d+) of", str(raised.value))
    assert found
    assert int(found[1]) <= most, str(raised.value)


def test_the_long_run_stops_at_a_difference() -> None:
    """Guards against ten million commands that compare nothing."""
    with pytest.raises(AssertionError, match="StopsOneTickShort breaks the contract"):
        run_long(matching.StopsOneTickShort, "narrow", seed=1, count=20_000)


def test_the_long_run_passes_the_oracle(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against a comparison that nothing can pass."""
    run_long(Engine, "full", seed=1, count=8_192)
    assert capsys.readouterr().out == ""


def test_a_tape_can_begin_in_the_middle() -> None:
    """Guards against losing place, account or mode where a book becomes commands again."""
    it = flow("narrow", seed=3, count=500)
    engine = Engine(**it.limits)
    for command in commands_of_image(it.image, it.limits["instrument"]):
        engine.apply(command)
    assert engine.snapshot()[32:] == it.image[32:]


def test_an_exception_is_told_as_a_tape() -> None:
    """Guards against a bare traceback that hides which command led to it."""

    class Breaks(Engine):
        """Cannot cancel."""

        def apply(self, command: Command) -> Any:
            """Raise on CANCEL."""
            if command.kind == cancel(1).kind:
                raise KeyError("lost")
            return super().apply(command)

    probe = Probe(Breaks, LIMITS)
    with pytest.raises(AssertionError, match="KeyError: 'lost'") as raised:
        probe.send(new(1, BID, 100, 5), cancel(1))
    assert "command 2 of 2" in str(raised.value)
    assert "book after, as Breaks has it\n    (raised KeyError: 'lost')" in str(raised.value)


def test_shrink_refuses_what_does_not_differ() -> None:
    """Guards against a tape about nothing."""
    with pytest.raises(ValueError, match="agree"):
        shrink([new(1, BID, 100, 5)], lambda some: find_difference(Engine, Engine, LIMITS, some))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (new(1, BID, 100, 5), "new #1 bid 5 @ 100"),
        (new(1, BID, 100, 5, timestamp_ns=9), "new #1 bid 5 @ 100 [timestamp_ns=9]"),
        (with_fields(cancel(1), price=7, flags=3), "cancel #1 [price=7 flags=3]"),
        (with_fields(replace(1, 2, 3), account=4), "replace #1 3 @ 2 [account=4]"),
        (with_fields(mass_cancel(4), order_id=3), "mass_cancel account=4 [order_id=3]"),
        (with_fields(market(1, ASK, 2), price=5), "new #1 ask 2 @ market ioc [price=5]"),
        (Command(9, 1), "CommandKind(9) #1 bid 0 @ 0"),
    ],
)
def test_describe_leaves_nothing_out(command: Command, words: str) -> None:
    """Guards against a tape that does not show the byte that matters."""
    assert describe(command) == words


def test_a_long_list_of_commands_is_cut_in_the_middle() -> None:
    """Guards against hiding the last command, where the failure is."""
    lines = list_commands([cancel(i) for i in range(1, 1001)])
    assert len(lines) < 100
    assert lines[-1].split() == ["->", "1000", "cancel", "#1000"]
    assert any("left out" in line for line in lines)


def test_missing_and_unexpected_events_are_named() -> None:
    """Guards against ``zip``, which ends with the shorter list."""
    events = [accepted(1, BID, 100, 5), trade(1, 2, BID, 100, 5, leaves=0)]
    assert compare_outcomes(events, events[:1])[-1] == "  event 2: missing"
    assert compare_outcomes(events[:1], events)[-1] == "  event 2: not expected"
    assert "(nothing)" in "\n".join(compare_outcomes(events, []))
    assert compare_outcomes("this", events[:1])[0] == "  expected this"


def test_a_thousand_events_are_cut_around_the_difference() -> None:
    """Guards against a tape whose one wrong event is beyond the last line shown."""
    right = [accepted(i, BID, 100, 5) for i in range(1000)]
    wrong = [*right[:700], accepted(7, ASK, 9, 9), *right[701:]]
    text = "\n".join(compare_outcomes(right, wrong))
    assert "* 0: accepted #700" in text
    assert "event 701, order_id: expected 700, got 7" in text
    assert len(text.splitlines()) < 60


def test_the_default_limits_are_said() -> None:
    """Guards against an empty line where the limits should be."""
    tape = Tape(Engine, Engine, {}, (cancel(1),), "a", "b", "do it again")
    assert "book built with: default limits" in tape.text()
    assert tape.text().endswith("reproduce: do it again")
