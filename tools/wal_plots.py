"""The pictures of ``wal.json``: what a group gives and takes, and how long a recovery takes."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Receipt = Mapping[str, Any]

#: A colour and a mark for each percentile, or each kind of recovery.
RANKS: Final = {
    "p50": ("P50", "#0072b2", "o"),
    "p99": ("P99", "#d55e00", "^"),
}
KINDS: Final = {
    "log": ("the log alone", "#d55e00", "^"),
    "snapshots": ("newest snapshot and the log after it", "#009e73", "D"),
}
THROUGHPUT: Final = "#009e73"
OWN: Final = "#666666"
_THOUSAND: Final = 1e3
_MICRO: Final = 1e3
_MILLI: Final = 1e6


def draw_groups(receipt: Receipt, figure: Any) -> None:
    """Three panels: throughput by size; latency by size, and by time, at one rate."""
    found = receipt["groups"]
    fast, by_size, by_time = figure.subplots(1, 3, width_ratios=(1, 1.15, 1))
    thousands = [each / _THOUSAND for each in found["by_size"]["per_second"]]
    due = found["rate"] / _THOUSAND
    fast.plot(found["sizes"], thousands, marker="D", color=THROUGHPUT)
    fast.axhline(due, color=OWN, linestyle=":")
    fast.annotate(
        "due",
        (found["sizes"][-1], due),
        xytext=(0, 4),
        textcoords="offset points",
        horizontalalignment="right",
        color=OWN,
    )
    fast.set_ylabel("thousand commands/s, at most")
    fast.set_xlabel("commands in a group")
    milliseconds = [1e3 * seconds for seconds in found["times_s"]]
    for axes, steps, values, words in (
        (by_size, found["sizes"], found["by_size"], "commands in a group"),
        (by_time, milliseconds, found["by_time"], "ms a group waits"),
    ):
        for rank, (label, colour, mark) in RANKS.items():
            waits = [value / _MICRO for value in values[rank]]
            axes.plot(steps, waits, marker=mark, color=colour, label=label)
            style = {"color": colour, "linestyle": "--", "linewidth": 1}
            own = f"{label}, own groups"
            axes.axhline(found["own"][rank] / _MICRO, label=own, **style)
        axes.set_xlabel(words)
    for axes, steps in (
        (fast, found["sizes"][::2]),
        (by_size, found["sizes"][::2]),
        (by_time, milliseconds),
    ):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(steps, [f"{step:,.12g}" for step in steps])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter("{x:,.0f}")
    by_size.set_ylabel(f"µs until acknowledged, at {found['rate']:,}/s")
    by_time.sharey(by_size)
    by_time.tick_params(labelleft=False)
    handles, labels = by_size.get_legend_handles_labels()
    figure.legend(handles, labels, ncols=4, loc="outside upper center")


def draw_recovery(receipt: Receipt, figure: Any) -> None:
    """Lines: milliseconds until the engine is there again, by commands in its log."""
    axes = figure.subplots()
    found = receipt["recovery"]
    for kind, (words, colour, mark) in KINDS.items():
        times = [1e3 * seconds for seconds in found["seconds"][kind]]
        axes.plot(found["lengths"], times, marker=mark, color=colour, label=words)
    axes.axvline(found["snapshot_every"], color=OWN, linestyle=":", label="the first snapshot")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("commands in the log")
    axes.set_ylabel("ms until it goes on")
    axes.legend()


def draw_pauses(receipt: Receipt, figure: Any) -> None:
    """Lines: how long the books stand still for a snapshot, by the orders in them."""
    axes = figure.subplots()
    found = receipt["snapshots"]
    for how, colour, mark in (("copy", "#d55e00", "^"), ("fork", "#009e73", "D")):
        pauses = [pause / _MILLI for pause in found["pause_ns"][how]]
        axes.plot(found["orders"], pauses, marker=mark, color=colour, label=f"by {how}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(found["orders"], [f"{orders:,}" for orders in found["orders"]])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xlabel("live orders")
    axes.set_ylabel("ms that the books stand still")
    axes.legend()


#: As in ``book_plots.PLOTS``.
PLOTS: Final[dict[str, tuple[str, tuple[float, float], Callable[[Receipt, Any], None]]]] = {
    "wal-group-commit": ("wal", (10, 3.8), draw_groups),
    "wal-recovery": ("wal", (8, 3.8), draw_recovery),
    "wal-snapshot-pause": ("wal", (8, 3.4), draw_pauses),
}
