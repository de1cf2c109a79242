"""Results files: complete, finite, and about the machine they were made on."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from matchbook.bench import machine
from matchbook.bench.receipt import (
    ENVELOPE,
    ReceiptError,
    check_receipt,
    make_receipt,
    write_receipt,
)

BODY = {
    "seed": 23,
    "rounds": 5,
    "noise_floor": 1.05,
    "cases": {"one": {"ns": 12.345678, "levels": [1, 2.000001]}},
}


def receipt(**changes: Any) -> dict[str, Any]:
    """A complete receipt, with some keys changed; ``None`` removes one."""
    made = make_receipt(
        "suite",
        BODY,
        command="matchbook bench",
        quick=True,
        seconds=1.26,
        cpu_seconds=1,
        pinned_core=None,
    )
    return {key: value for key, value in {**made, **changes}.items() if value is not None}


def test_a_receipt_says_where_its_numbers_come_from() -> None:
    made = receipt()
    check_receipt(made)
    assert list(ENVELOPE) == [key for key in ENVELOPE if key in made]
    assert made["pinned_core"] == "none"
    assert made["seconds"] == 1.3
    assert made["cpu"] in made["machine"]
    assert made["python"].startswith(("CPython", "PyPy"))


def test_numbers_are_kept_to_five_digits_and_counts_whole() -> None:
    assert receipt()["cases"] == {"one": {"ns": 12.346, "levels": [1, 2.0]}}
    whole = make_receipt(
        "suite",
        {**BODY, "cases": {"one": {"trades": 1_996_097}}},
        command="",
        quick=False,
        seconds=0,
        cpu_seconds=0,
        pinned_core=1,
    )
    assert whole["cases"]["one"]["trades"] == 1_996_097
    assert whole["pinned_core"] == 1


@pytest.mark.parametrize("key", ENVELOPE)
def test_a_receipt_without_one_of_its_keys_is_refused(key: str) -> None:
    with pytest.raises(ReceiptError, match=key):
        check_receipt(receipt(**{key: None}))


@pytest.mark.parametrize(
    ("key", "value"), [("seed", "23"), ("rounds", True), ("quick", 1), ("noise_floor", 1)]
)
def test_a_value_of_another_type_is_refused(key: str, value: object) -> None:
    with pytest.raises(ReceiptError, match=key):
        check_receipt(receipt(**{key: value}))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_is_refused_with_its_path(value: float) -> None:
    with pytest.raises(ReceiptError, match=r"cases\.one\.ns\.1"):
        check_receipt(receipt(cases={"one": {"ns": [1.0, value]}}))


def test_a_receipt_without_results_is_refused() -> None:
    with pytest.raises(ReceiptError, match="without a result"):
        check_receipt(receipt(cases={}))
    with pytest.raises(ReceiptError, match="without a result"):
        check_receipt(receipt(cases=None))


def test_a_refused_receipt_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    path = write_receipt(tmp_path, receipt())
    before = path.read_bytes()
    with pytest.raises(ReceiptError):
        write_receipt(tmp_path, receipt(cases={}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert json.loads(before)["suite"] == "suite"


def test_the_machine_is_described_in_words() -> None:
    facts = machine.describe()
    assert all(isinstance(value, str | int) and value for value in facts.values())


def test_pinning_is_undone() -> None:
    affinity = getattr(os, "sched_getaffinity", lambda _: {None})
    before = affinity(0)
    with machine.pinned() as core:
        assert affinity(0) == {core}
    assert affinity(0) == before
