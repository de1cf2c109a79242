"""The pictures of measurements: the same bytes from the same results, and never behind them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tools import book_plots
from tools.book_plots import PLOTS, behind, draw, source_of
from tools.test_protocol_plots import RESULTS as PROTOCOL
from tools.test_wal_plots import RESULTS as WAL

COSTS = {"add": 10.0, "cancel": 12.0, "match": 20.0, "best": 30.0, "level": 40.0}
CROSSOVER = {
    "naive": "phase2",
    "sorted": "phase3",
    "levels": [16, 64],
    "naive_ns": [10.0, 40.0],
    "sorted_ns": [12.0, 13.0],
}
#: Of each kind of sides one of ours and one of others'; no batches where there are none.
RING_NAMES = {
    "c": ("moodycamel", "spsc"),
    "threads": ("queue", "ring"),
    "processes": ("mp_pipe", "ring"),
}
RINGS: dict[str, Any] = {
    "batch": 64,
    "cases": {
        f"{kind}_{way}": {
            "contestants": {
                name: {"ns": 8.0, "p50": 180, "p99": 240, "p99_9": 900}
                for name in names
                if (way, name) != ("batches", "moodycamel")
            }
        }
        for kind, names in RING_NAMES.items()
        for way in ("singly", "batches", "round_trip")
    },
}
#: Small results, of the shape that ``matchbook bench`` writes.
RESULTS: dict[str, Any] = {
    "scenarios": {
        "cases": {
            name: {"floor_ns": 4.0, "engines": {"phase1": {"ns": 9e3}, "phase3": {"ns": 25.0}}}
            for name in ("static", "normal")
        }
    },
    "curve": {
        "cases": {
            "10": {"engines": {"phase1": COSTS, "phase3": COSTS}},
            "100": {"engines": {"phase3": COSTS}},
        }
    },
    "levels20k": {"crossover": {"c": CROSSOVER}},
    "batching": {"cases": {"phase3": {"ways": {"apply": {"ns": 900.0}, "whole": {"ns": 20.0}}}}},
    "rings": RINGS,
    **PROTOCOL,
    **WAL,
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with those results."""
    folder = tmp_path / "results"
    folder.mkdir()
    for name, receipt in RESULTS.items():
        (folder / f"{name}.json").write_text(json.dumps(receipt))
    return folder


@pytest.mark.parametrize("name", PLOTS)
def test_the_same_results_are_the_same_bytes(name: str) -> None:
    receipt = RESULTS[PLOTS[name][0]]
    first = draw(name, receipt, "source")
    assert draw(name, receipt, "source") == first
    ET.fromstring(first)
    assert b"<text" in first, "words must stay words, for those who search or listen"


def test_other_results_are_another_picture() -> None:
    receipt = RESULTS["batching"]
    other = {"cases": {"phase3": {"ways": {"apply": {"ns": 90.0}, "whole": {"ns": 20.0}}}}}
    name = "measured-batching"
    assert draw(name, receipt, "source") != draw(name, other, "source")


def test_a_picture_of_other_results_is_behind(results: Path, tmp_path: Path) -> None:
    images = tmp_path / "img"
    images.mkdir()
    assert behind(results, images) == list(PLOTS)
    for name, (file, _, _) in PLOTS.items():
        source = source_of(results / f"{file}.json")
        (images / f"{name}.svg").write_bytes(draw(name, RESULTS[file], source))
    assert behind(results, images) == []
    (results / "curve.json").write_text(json.dumps({"cases": {}}))
    assert behind(results, images) == ["measured-curve"]


def test_the_books_pictures_are_drawn_from_its_results() -> None:
    """``python -m tools.book_plots`` draws those that are behind."""
    assert behind() == []


def test_every_picture_is_on_a_page_with_words_for_who_cannot_see_it() -> None:
    pages = "".join(
        path.read_text(encoding="utf-8") for path in (book_plots.ROOT / "docs").glob("*.md")
    )
    for name in PLOTS:
        before, _, _ = pages.partition(f"](img/{name}.svg)")
        assert before != pages, name
        assert len(before.rpartition("![")[2]) > 60, name
