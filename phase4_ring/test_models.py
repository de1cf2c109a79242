"""The models say what they should, and the tool that checks them cannot be green by accident."""

import re
import shutil
from pathlib import Path

import pytest

from tools import models
from tools.models import Check, ModelError, Search, complaint, read_checks, read_search

HERE = Path(__file__).parent / "models"
MODELS = sorted(HERE.glob("*.pml"))
#: Checked with every test run; `make models` checks all of them.
QUICK = ("park", "spsc")

with_spin = pytest.mark.skipif(
    shutil.which("spin") is None, reason="no spin here: apt-get install spin, brew install spin"
)


@with_spin
@pytest.mark.parametrize(
    "check",
    [check for name in QUICK for check in read_checks(HERE / f"{name}.pml")],
    ids=lambda check: check.name,
)
def test_a_protocol_keeps_its_claims_and_each_broken_variant_does_not(
    check: Check, tmp_path: Path
) -> None:
    """A protocol with a hole; and a model that would not notice one."""
    passed, said = models.run_check(check, tmp_path)
    assert passed, said


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
def test_every_claim_has_a_variant_that_breaks_it(model: Path) -> None:
    """A claim that nothing can break proves nothing."""
    claims = set(re.findall(r"\balways\((\w+)", model.read_text(encoding="utf-8")))
    reasons = {check.reason for check in read_checks(model)} - {""}
    assert claims == reasons - {"invalid-end-state", "non-progress-cycle"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
def test_macros_of_a_check_are_those_of_its_model(model: Path) -> None:
    """A macro spelt wrongly would check the sound model once more; a variant not named, none."""
    head, _, body = model.read_text(encoding="utf-8").partition("*/")
    asked = set(re.findall(r"#\s*ifn?def (\w+)|\bdefined\((\w+)\)", body))
    known = {name for pair in asked for name in pair if name}
    used = {macro[2:].split("=")[0] for check in read_checks(model) for macro in check.macros}
    assert used <= known, head
    assert {name for name in known if name.startswith("BROKEN_")} <= used


SOUND = """\
State-vector 44 byte, depth reached 289, errors: 0
    18654 states, stored
unreached in proctype producer
	(0 of 72 states)
unreached in proctype consumer
	ring.pml:58, state 9, "-end-"
"""
BROKEN = """\
pan:1: {what} (at depth 34)
pan: wrote ring.pml.trail
Warning: Search not completed
State-vector 44 byte, depth reached 34, errors: 1
  1.5e+06 states, stored
"""
REPORTS = {
    "sound": (SOUND, Search("", 18654, "", ())),
    "claim": (
        BROKEN.format(what="assertion violated in_order"),
        Search("in_order", 1500000, "", ()),
    ),
    "deadlock": (
        BROKEN.format(what="invalid end state"),
        Search("invalid-end-state", 1500000, "", ()),
    ),
    "cycle": (
        BROKEN.format(what="non-progress cycle"),
        Search("non-progress-cycle", 1500000, "", ()),
    ),
    "depth": (
        "error: max search depth too small\n" + SOUND,
        Search("", 18654, "max search depth too small", ()),
    ),
    "memory": (
        "pan: reached -DMEMLIM bound\n" + SOUND,
        Search("", 18654, "reached -DMEMLIM bound", ()),
    ),
    "dead code": (
        SOUND + '\tring.pml:78, state 12, "word = 0"\n',
        Search("", 18654, "", ("line 78: word = 0",)),
    ),
    "unknown": (SOUND.replace("errors: 0", "errors: 3"), Search("something", 18654, "", ())),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_understood(name: str) -> None:
    """Taken for sound, any of these would be."""
    said, expected = REPORTS[name]
    assert read_search(said) == expected


def test_what_is_no_report_is_an_error() -> None:
    """A verifier that crashed has found nothing, and that must not count as sound."""
    with pytest.raises(ModelError, match="did not get to its report"):
        read_search("Segmentation fault")


BREAKS = Search("in_order", 10, "", ())
SOUND_SEARCH = Search("", 10, "", ())
VERDICTS = {
    "sound as declared": ("pass", "", SOUND_SEARCH, ""),
    "broken as declared": ("fail", "in_order", BREAKS, ""),
    "broken, declared sound": ("pass", "", BREAKS, "expected no violation, found in_order"),
    "sound, declared broken": ("fail", "in_order", SOUND_SEARCH, "expected in_order"),
    "broken otherwise": ("fail", "complete", BREAKS, "found in_order"),
    "cut short": ("pass", "", Search("", 10, "out of memory", ()), "stopped short"),
    "cut short, declared broken": (
        "fail",
        "in_order",
        Search("in_order", 10, "out of memory", ()),
        "stopped short",
    ),
    "dead code": ("pass", "", Search("", 10, "", ("line 3: skip",)), "never reached: line 3"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_any_outcome_but_the_declared_one_is_a_failure(name: str) -> None:
    """A variant that breaks for another reason, or a search that saw half, would pass."""
    kind, reason, found, expected = VERDICTS[name]
    said = complaint(Check(Path("ring.pml"), kind, reason, ()), found)
    assert (expected in said) if expected else not said


HEADS = {
    "an unknown kind": "/*\n * check: passes\n */",
    "nothing to break": "/*\n * check: fail -DBROKEN\n */",
    "two things to break": "/*\n * check: fail this that\n */",
    "nothing broken": "/*\n * check: pass\n */",
    "twice the same": "/*\n * check: pass\n * check: fail this\n */",
    "nothing at all": "/* a model */",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_declares_too_little_is_refused(name: str, tmp_path: Path) -> None:
    """A line misread, or none, would leave a model unchecked, and the run green."""
    model = tmp_path / "ring.pml"
    model.write_text(HEADS[name])
    with pytest.raises(ModelError, match=r"ring\.pml"):
        read_checks(model)


COUNTER = """\
/*
 * check: pass
 * check: fail below_three -DBROKEN
 * check: {check}
 */
#ifdef BROKEN
#define MOST 3
#else
#define MOST 2
#endif
byte count;
bool below_three = true;
active proctype counter()
{{
    do
    :: count < MOST -> count++; below_three = (count < 3); assert(below_three)
    :: else -> break
    od{extra}
}}
"""
RUNS = {
    "as declared": ("pass -DUNUSED", "", 0, "3 passed, 0 failed"),
    "wrong expectation": (
        "fail below_three -DUNUSED",
        "",
        1,
        "expected below_three violation, found none",
    ),
    "no such macro": ("fail below_three -DTYPO", "", 1, "FAILED counter -DTYPO"),
    "for ever": ("no-cycle", "; do :: true -> skip od", 1, "found non-progress-cycle"),
    "not Promela": ("pass -DUNUSED", "; 1 +", 1, "syntax error"),
    "too deep": ("pass -DUNUSED", "; do :: count < 200 -> count++ od", 1, "stopped short"),
}


@with_spin
@pytest.mark.parametrize("name", RUNS)
def test_a_run_ends_as_its_checks_did(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the line in the model to the exit status: nothing on the way turns red into green."""
    check, extra, status, said = RUNS[name]
    monkeypatch.setattr(models, "DEPTH_LIMIT", 100)
    folder = tmp_path / "phase9_none" / "models"
    folder.mkdir(parents=True)
    (folder / "counter.pml").write_text(COUNTER.format(check=check, extra=extra))
    assert models.main([], tmp_path) == status
    assert said in capsys.readouterr().out


@with_spin
def test_a_trace_ends_in_the_claim_that_breaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trace of another run, or none, explains nothing."""
    folder = tmp_path / "phase9_none" / "models"
    folder.mkdir(parents=True)
    (folder / "counter.pml").write_text(COUNTER.format(check="no-cycle", extra=""))
    assert models.main(["--trace", "BROKEN"], tmp_path) == 0
    out = capsys.readouterr().out
    assert out.count("count = (count+1)") == 3
    assert "counter, line 16:  [assert(below_three)]" in out


def test_a_machine_without_spin_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Doing nothing for want of spin must not look like success."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert models.main([]) == 1
    assert "apt-get install spin" in capsys.readouterr().err


def test_a_word_that_selects_nothing_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """A name misspelt would check nothing, and be green."""
    if shutil.which("spin") is None:
        pytest.skip("no spin here")
    assert models.main(["no-such-model"]) == 1
    assert "0 passed, 0 failed" in capsys.readouterr().out
