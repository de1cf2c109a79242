"""The pictures of the log's results can be drawn, and draw what is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from tools.wal_plots import PLOTS

WAITS: dict[str, list[int]] = {rank: [80_000, 900_000] for rank in ("p50", "p99", "p99_9")}
RESULTS: dict[str, Any] = {
    "wal": {
        "groups": {
            "rate": 100_000,
            "sizes": [1, 1024],
            "times_s": [0.0001, 0.01],
            "by_size": {**WAITS, "per_second": [9_000, 4_000_000]},
            "by_time": WAITS,
            "own": {"p50": 120_000, "p99": 190_000, "p99_9": 300_000},
        },
        "recovery": {
            "lengths": [10_000, 1_000_000],
            "snapshot_every": 100_000,
            "seconds": {"log": [0.01, 0.2], "snapshots": [0.01, 0.03]},
        },
        "snapshots": {
            "orders": [1_000, 1_000_000],
            "pause_ns": {"fork": [900_000, 1_500_000], "copy": [20_000, 60_000_000]},
        },
    }
}
#: Lines of each panel; a percentile has its own groups' beside it.
LINES = {
    "wal-group-commit": [2, 4, 4],
    "wal-recovery": [3],
    "wal-snapshot-pause": [2],
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_picture_can_be_drawn_of_small_results(name: str) -> None:
    """Guards: a picture that asks for what the suite does not write, or leaves a line out."""
    file, size, plot = PLOTS[name]
    figure = Figure(figsize=size, layout="constrained")
    plot(RESULTS[file], figure)
    figure.draw_without_rendering()
    assert [len(axes.lines) for axes in figure.axes] == LINES[name]


def test_other_results_are_another_picture() -> None:
    """Guards: a line that stands where it stands whatever was measured."""
    slower = {**RESULTS["wal"]["recovery"]["seconds"], "log": [0.02, 0.4]}
    other = {"recovery": {**RESULTS["wal"]["recovery"], "seconds": slower}}
    drawn = []
    for receipt in (RESULTS["wal"], other):
        figure = Figure()
        PLOTS["wal-recovery"][2](receipt, figure)
        drawn.append([np.array(line.get_ydata()).tolist() for line in figure.axes[0].lines])
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1:] == drawn[1][1:]
