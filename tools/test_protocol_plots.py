"""The pictures of phase 5's results can be drawn, and draw what is there."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

from tools.protocol_plots import CODECS, ITCH, PLOTS

RESULTS: dict[str, Any] = {
    "codecs": {
        "sizes": {
            "sizes": [1, 22],
            "ns": {name: [500.0, 50.0] for name in CODECS if name != "msgpack"},
        }
    },
    "itch": {
        "cases": {"aapl": {"contestants": {name: {"ns": 9.5} for name in ITCH if name != "numpy"}}}
    },
    "multicast": {
        "cases": {
            "packing": {
                "contestants": {
                    "1": {"per_second": 200_000, "datagrams_per_second": 200_000},
                    "22": {"per_second": 5_000_000, "datagrams_per_second": 230_000},
                }
            }
        }
    },
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_picture_can_be_drawn_of_small_results(name: str) -> None:
    """Guards: a picture that asks for what a suite does not write, or needs every contestant."""
    file, size, plot = PLOTS[name]
    figure = Figure(figsize=size, layout="constrained")
    plot(RESULTS[file], figure)
    figure.draw_without_rendering()
    drawn = [len(axes.lines) + len(axes.patches) for axes in figure.axes]
    expected = {"codecs": [len(CODECS) - 1], "itch": [len(ITCH) - 1], "multicast": [1, 1]}
    assert drawn == expected[file]
