"""``matchbook bench`` from the command line: quick runs, and engines that lie."""

from __future__ import annotations

import gc
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contract.errors import MatchbookError
from contract.reports import SMALL_DIGESTS
from contract.streams import shape_stream
from matchbook.bench import instructions, latency, levels20k, scenarios
from matchbook.bench.command import SUITES, bench, load_engines
from matchbook.bench.interleave import WrongAnswerError
from matchbook.bench.receipt import check_receipt
from matchbook.bench.tables import SHOWN
from matchbook.bench.trial import Session, find_reference
from matchbook.cli import main
from matchbook.engines import REGISTRY
from tools.book_tables import TABLES
from tools.results import Results

#: Counting under valgrind compiles first; it has a test of its own.
QUICK = [name for name in SUITES if name != "instructions"]

#: What is measured when nobody names an engine.
MEASURED = [name for name, entry in REGISTRY.items() if not entry.own_suite]

#: An engine that is phase 3 but for one lot in one event.
LIAR = """
from phase3_sorted import Engine


class Liar(Engine):
    name = "liar"

    def apply_batch(self, commands, events):
        result = super().apply_batch(commands, events)
        if result.written > 100:
            events["quantity"][100] += 1
        return result
"""


def invoke(*arguments: str) -> Result:
    """Run ``matchbook bench`` with these arguments."""
    return CliRunner().invoke(main, ["bench", *arguments])


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The results of one quick run of all suites but one, and what it printed."""
    folder = tmp_path_factory.mktemp("results")
    # Trials collect garbage before they begin; what thousands of tests before these have left in
    # memory would be looked through each time, for minutes in all.
    gc.collect()
    gc.freeze()
    try:
        result = invoke(*QUICK, "--quick", "--out", str(folder))
    finally:
        gc.unfreeze()
    assert result.exit_code == 0, result.output
    return folder, result.output


@pytest.fixture
def liar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name under which the lying engine can be loaded."""
    (tmp_path / "lying_engine.py").write_text(LIAR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "lying_engine:Liar"
    sys.modules.pop("lying_engine", None)


def read(folder: Path, suite: str) -> dict[str, Any]:
    """A results file."""
    receipt: dict[str, Any] = json.loads((folder / f"{suite}.json").read_text(encoding="utf-8"))
    return receipt


@pytest.mark.parametrize("suite", QUICK)
def test_a_quick_run_writes_a_complete_receipt(quick: tuple[Path, str], suite: str) -> None:
    receipt = read(quick[0], suite)
    check_receipt(receipt)
    assert receipt["suite"] == suite
    assert receipt["quick"] is True
    assert receipt["command"] == f"matchbook bench {' '.join(QUICK)} --quick"
    assert receipt["noise_floor"] >= 1


@pytest.mark.parametrize("suite", QUICK)
def test_every_table_of_a_suite_is_printed(quick: tuple[Path, str], suite: str) -> None:
    grids = list(SHOWN[suite](read(quick[0], suite)))
    assert grids
    for grid in grids:
        assert grid.title in quick[1]
        assert {len(row) for row in grid.rows} == {len(grid.head)}, grid.title


# Not those that no quick run makes: valgrind's, and tools/test_level_tables.py's.
QUICK_TABLES = [name for name in TABLES if name != "instructions" and "levels_" not in name]


@pytest.mark.parametrize("name", QUICK_TABLES)
def test_every_table_of_the_book_can_be_made(quick: tuple[Path, str], name: str) -> None:
    text = TABLES[name](Results(quick[0]))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) >= 3
    assert len({line.count("|") for line in rows}) == 1


def test_scenarios_hold_every_engine_to_the_published_digest(quick: tuple[Path, str]) -> None:
    receipt = read(quick[0], "scenarios")
    for scenario, case in receipt["cases"].items():
        assert list(case["engines"]) == MEASURED
        published = SMALL_DIGESTS.get((scenario, receipt["seed"]))
        assert case["digest_is_published"] == (published is not None)
        assert case["digest"] == published or published is None
        for facts in case["engines"].values():
            assert facts["commands"] == case["commands"]
            assert facts["times_floor"] > 1
        assert case["engines"]["phase1"]["speedup"] == 1.0
    summary = receipt["summary"]["phase3"]
    assert summary["worst_ns"] == receipt["cases"][summary["worst_case"]]["engines"]["phase3"]["ns"]
    assert summary["worst_to_best"] >= 1


def test_shapes_measure_slow_engines_on_the_start_of_a_stream(quick: tuple[Path, str]) -> None:
    cases = read(quick[0], "shapes")["cases"]
    assert list(cases) == [f"{shape}{ids}" for shape in "ABC" for ids in ("", "_arbitrary")]
    for name, case in cases.items():
        assert ("phase1" in case["engines"]) == (not name.endswith("arbitrary"))
        assert ("speedup" in case["engines"]["phase3"]) == ("phase1" in case["engines"])
        assert case["trades"] == cases[name[0]]["trades"]


def test_batching_compares_every_way_of_handing_over(quick: tuple[Path, str]) -> None:
    cases = read(quick[0], "batching")["cases"]
    assert next(iter(cases["phase2"]["ways"])) == "per_node"
    for case in cases.values():
        assert {"apply", "batch_1", "batch_64", "batch_1024", "whole"} <= case["ways"].keys()
        assert case["ways"]["whole"]["times_whole"] == 1.0


def test_curve_has_every_operation_on_every_size(quick: tuple[Path, str]) -> None:
    receipt = read(quick[0], "curve")
    for size, case in receipt["cases"].items():
        assert case["levels"] == max(2, int(size) // 10)
        for costs in case["engines"].values():
            assert list(costs) == ["add", "cancel", "match", "best", "level"]
    assert receipt["largest"] == dict.fromkeys(MEASURED, 100)


def test_memory_says_what_an_order_takes(quick: tuple[Path, str]) -> None:
    cases = read(quick[0], "memory")["cases"]
    for name in ("phase2", "phase3"):
        case = cases[name]
        assert case["capacity"] == 2**20
        assert case["bytes_per_order"] == pytest.approx(case["total_bytes"] / 2**20, rel=1e-4)
        assert case["slot_bytes"] <= 64
    assert cases["phase2"]["slot_bytes"] > 0


def test_an_engine_with_a_thread_of_its_own_is_not_timed_by_the_callers_clock(
    tmp_path: Path,
) -> None:
    """On one core and by one thread's clock it would seem slow, or fast, and be neither."""
    assert list(load_engines(())) == MEASURED == ["phase1", "phase2", "phase3py", "phase3"]
    for engine, suite in (("phase4", "pipeline"), ("phase6", "wal")):
        assert suite in SUITES
        result = invoke("scenarios", "--quick", "--out", str(tmp_path), "--engine", engine)
        assert result.exit_code == 2
        assert f"matchbook bench {suite}" in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_engine_that_lies_by_one_lot_is_not_measured(tmp_path: Path, liar: str) -> None:
    folder = tmp_path / "results"
    arguments = ["--quick", "--out", str(folder), "--engine", liar, "--engine", "phase3"]
    for suite in ("scenarios", "shapes"):
        result = invoke(suite, *arguments)
        assert result.exit_code == 1
        assert f"error: {suite}: lying_engine:Liar: events with SHA-256" in result.stderr
        assert "ns per command" not in result.stdout
    assert not folder.exists()


def test_a_suite_that_fails_does_not_keep_the_others_from_running(
    tmp_path: Path, liar: str
) -> None:
    folder = tmp_path / "results"
    arguments = ["--quick", "--out", str(folder), "--engine", liar, "--engine", "phase3"]
    result = invoke("shapes", "latency", *arguments)
    assert result.exit_code == 1
    assert [path.name for path in folder.iterdir()] == ["latency.json"]


def test_reports_with_another_digest_are_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SMALL_DIGESTS, ("normal", 7), "0" * 64)
    result = invoke("scenarios", "--quick", "--out", str(tmp_path), "--engine", "phase3")
    assert result.exit_code == 1
    assert f"published is {'0' * 64}" in result.stderr
    assert not list(tmp_path.iterdir())


def test_one_by_one_must_give_the_events_of_the_whole_array() -> None:
    session = Session(load_engines(("phase3",)), quick=True)
    stream = shape_stream("A", 100)
    reference = find_reference(session.reference_engine(), stream)
    latency.time_commands(session.engines["phase3"], stream, reference)
    wrong = reference._replace(answer="0" * 64)
    with pytest.raises(WrongAnswerError, match="one by one"):
        latency.time_commands(session.engines["phase3"], stream, wrong)


def test_without_valgrind_instructions_are_left_out_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = invoke("instructions", "--quick", "--out", str(tmp_path / "results"))
    assert result.exit_code == 0
    assert "instructions: left out: instructions need valgrind" in result.stderr
    assert not (tmp_path / "results").exists()


def test_instructions_are_the_difference_of_two_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up tool: 5,000,000 to start, 200 a command."""

    def count(_: list[str], job: instructions.Job, *__: object) -> str:
        return f"==7== I   refs:      {5_000_000 + 200 * job.commands:,}\n"

    monkeypatch.setattr(instructions, "run_driver", count)
    monkeypatch.setattr(instructions, "build_extensions", lambda: (None, "none"))
    monkeypatch.setattr(shutil, "which", lambda _: "valgrind")
    result = instructions.run(Session(load_engines(("phase3",)), quick=True))
    assert set(result["cases"]) == {"A", "normal"}
    for case in result["cases"].values():
        assert case["engines"]["phase3"]["instructions"] == 200


def test_the_driver_applies_what_it_is_told_to(tmp_path: Path) -> None:
    streams = instructions.make_streams(quick=True)
    instructions.save_stream(tmp_path, streams["A"])
    instructions.run_driver([], instructions.Job("A", "phase3", 100), tmp_path, None)
    with pytest.raises(MatchbookError, match="of \\[105000, 1000000\\] commands"):
        instructions.run_driver([], instructions.Job("A", "phase3", 1_000_000), tmp_path, None)


def test_suites_that_compare_two_engines_are_left_out_without_one(tmp_path: Path) -> None:
    result = invoke("levels20k", "phase2", "--quick", "--out", str(tmp_path), "--engine", "phase3")
    assert result.exit_code == 0
    assert "levels20k: left out" in result.stderr
    assert "phase2: left out" in result.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_unknown_is_an_error(tmp_path: Path) -> None:
    assert invoke("sceanrios").exit_code == 2
    result = invoke("shapes", "--engine", "phase9", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "phase9" in result.stderr


def test_every_suite_has_its_tables_and_its_help() -> None:
    assert set(SHOWN) == set(SUITES)
    text = CliRunner().invoke(bench, ["--help"]).output
    for suite in SUITES:
        assert suite in text


def test_the_best_and_worst_scenario_are_told_apart() -> None:
    cases = {
        name: {"engines": {"e": {"ns": ns, "times_floor": ns / 4}}}
        for name, ns in {"calm": 20.0, "wild": 50.0, "between": 30.0}.items()
    }
    summary = scenarios.summarise("e", cases)
    assert (summary["best_case"], summary["worst_case"]) == ("calm", "wild")
    assert summary["worst_to_best"] == 2.5
    assert (summary["best_times_floor"], summary["worst_times_floor"]) == (5.0, 12.5)


def test_the_crossing_is_the_first_rise_through_one() -> None:
    assert levels20k.crossing_point([16, 32, 64, 128], [0.5, 0.25, 4.0, 8.0]) == 45
    assert levels20k.crossing_point([16, 32], [0.5, 0.9]) is None
    verdict = levels20k.crossing_verdict("scan", "tree", [16, 32], [0.5, 0.9], [1.2, 1.2])
    assert verdict == "scan is never slower"
