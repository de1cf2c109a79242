"""The pictures of ``rings.json``: what 64 bytes to another core cost, and how long they take."""

from collections.abc import Mapping
from typing import Any, Final

Receipt = Mapping[str, Any]

OURS, OTHERS = "#009e73", "#0072b2"
#: What a picture calls a contestant.
WORDS: Final = {
    "locked": "mutex queue",
    "boost": "boost spsc_queue",
    "moodycamel": "moodycamel",
    "sequencer": "our sequencer",
    "spsc": "our SPSC ring",
    "queue": "queue.Queue",
    "deque": "deque",
    "simple_queue": "SimpleQueue",
    "mp_queue": "mp.Queue",
    "mp_pipe": "mp.Pipe",
    "shared_lock": "shared memory, Lock",
    "ring": "our SPSC ring",
    "ring_spin": "our ring, spinning",
    "ring_in_place": "our ring, in place",
    "c_to_python": "our ring, C to Python",
    "python_to_c": "our ring, Python to C",
}
PANELS: Final = {"c": "C to C", "threads": "Python threads", "processes": "Python processes"}
_RANKS: Final = {"p50": ("o", "P50"), "p99": ("D", "P99"), "p99_9": ("|", "P99.9")}


def colour(name: str) -> str:
    """Ours in one colour, all others in another."""
    return OURS if WORDS[name].startswith("our") else OTHERS


def draw_rings(receipt: Receipt, figure: Any) -> None:
    """A panel for each kind of sides: nanoseconds per record, singly and in batches."""
    cases = receipt["cases"]
    counts = [len(cases[f"{kind}_singly"]["contestants"]) for kind in PANELS]
    panels = figure.subplots(len(PANELS), 1, sharex=True, height_ratios=counts)
    for axes, (kind, title) in zip(panels, PANELS.items(), strict=True):
        singly, batches = (cases[f"{kind}_{way}"]["contestants"] for way in ("singly", "batches"))
        for row, (name, facts) in enumerate(singly.items()):
            axes.barh(row - 0.2, facts["ns"], 0.36, color=colour(name))
            if name in batches:
                axes.barh(
                    row + 0.2,
                    batches[name]["ns"],
                    0.36,
                    facecolor="white",
                    edgecolor=colour(name),
                    hatch="////",
                )
        _name_rows(axes, singly, title)
    panels[-1].set_xlim(left=0.5)
    panels[-1].set_xlabel("ns per 64-byte record")
    plain = [
        _patch(facecolor="#888888", label="singly"),
        _patch(
            facecolor="white",
            edgecolor="#888888",
            hatch="////",
            label=f"in batches of {receipt['batch']}",
        ),
    ]
    figure.legend(handles=plain, ncols=2, loc="outside upper center")


def draw_trips(receipt: Receipt, figure: Any) -> None:
    """A panel for each kind of sides: the round trip's median and tail."""
    cases = receipt["cases"]
    counts = [len(cases[f"{kind}_round_trip"]["contestants"]) for kind in PANELS]
    panels = figure.subplots(len(PANELS), 1, sharex=True, height_ratios=counts)
    for axes, (kind, title) in zip(panels, PANELS.items(), strict=True):
        found = cases[f"{kind}_round_trip"]["contestants"]
        for row, (name, facts) in enumerate(found.items()):
            ends = [facts["p50"], facts["p99_9"]]
            axes.plot(ends, [row, row], color=colour(name), linewidth=1.5)
            for rank, (mark, _) in _RANKS.items():
                axes.plot(facts[rank], row, mark, color=colour(name), markersize=8)
        _name_rows(axes, found, title)
    panels[-1].set_xlabel("ns there and back")
    marks = [_line(mark, words) for mark, words in _RANKS.values()]
    figure.legend(handles=marks, ncols=3, loc="outside upper center")


def _name_rows(axes: Any, found: Receipt, title: str) -> None:
    axes.set_xscale("log")
    axes.set_yticks(range(len(found)), [WORDS[name] for name in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(visible=False, axis="y")


def _patch(**style: Any) -> Any:
    from matplotlib.patches import Patch

    return Patch(**style)


def _line(mark: str, words: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="none", marker=mark, color="#666666", label=words, markersize=8)
