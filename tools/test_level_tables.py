import pytest

from tools.book import ROOT
from tools.book_tables import TABLES
from tools.results import Results

RESULTS = Results(ROOT / "docs" / "results")


@pytest.mark.parametrize(("name", "columns"), [("times", 9), ("counts", 9), ("variants", 5)])
def test_a_row_for_every_workload_or_change(name: str, columns: int) -> None:
    """Guards: a structure or a workload that falls out of the table without a word."""
    rows = TABLES[f"levels_{name}"](RESULTS).splitlines()
    assert len(rows) > 11
    assert {row.count("|") for row in rows} == {columns + 1}


def test_a_structure_that_cannot_run_a_workload_has_a_dash() -> None:
    """Guards: the ladder shown with a number where its range does not allow it."""
    rows = TABLES["levels_times"](RESULTS).splitlines()
    (wide,) = [row for row in rows if row.startswith("| 200 levels over")]
    assert wide.endswith("| – |")
