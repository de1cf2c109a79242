"""The pictures of measurements, drawn from the results files: ``python -m tools.book_plots``.

Each is an SVG in ``docs/img`` that is the same, byte for byte, when the same results are drawn
again. It carries the digest of the file it was drawn from, so that a test can tell, without
drawing anything, whether it is behind its results.
"""

import hashlib
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools import protocol_plots, ring_plots, wal_plots

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
IMAGES = ROOT / "docs" / "img"

#: Colours that a reader with any kind of colour vision tells apart, and marks for who sees none.
COLOURS = {"phase1": "#d55e00", "phase3py": "#e69f00", "phase2": "#0072b2", "phase3": "#009e73"}
MARKS = {"phase1": "o", "phase3py": "s", "phase2": "^", "phase3": "D"}
_OTHER = ("#666666", "x")
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "matchbook",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.facecolor": "white",
}
WAY_WORDS = {
    "per_node": "a call per node",
    "apply": "apply, one object",
    "batch_1": "apply_batch of 1",
    "bare_call": "1, nothing converted",
    "batch_64": "apply_batch of 64",
    "batch_1024": "apply_batch of 1,024",
    "whole": "apply_batch of all",
}
OPERATION_WORDS = {
    "add": "add to a level",
    "cancel": "cancel",
    "match": "match",
    "best": "best level opens, empties",
    "level": "any level opens, empties",
}

Receipt = Mapping[str, Any]


def colour(engine: str) -> str:
    """An engine's colour in every picture."""
    return COLOURS.get(engine, _OTHER[0])


def mark(engine: str) -> str:
    """An engine's mark on every line."""
    return MARKS.get(engine, _OTHER[1])


def draw_scenarios(receipt: Receipt, figure: Any) -> None:
    """Bars: nanoseconds per command in every scenario, and the floor as a line across them."""
    axes = figure.subplots()
    cases = receipt["cases"]
    engines = list(next(iter(cases.values()))["engines"])
    width = 0.8 / len(engines)
    for place, engine in enumerate(engines):
        left = [index - 0.4 + (place + 0.5) * width for index in range(len(cases))]
        heights = [case["engines"][engine]["ns"] for case in cases.values()]
        axes.bar(left, heights, width * 0.9, color=colour(engine), label=engine)
    for index, case in enumerate(cases.values()):
        label = "floor" if index == 0 else None
        ends = [index - 0.42, index + 0.42]
        axes.plot(ends, [case["floor_ns"]] * 2, color="black", linewidth=2, label=label)
    axes.set_yscale("log")
    axes.set_ylim(bottom=1)
    axes.set_ylabel("ns per command")
    axes.set_xticks(range(len(cases)), list(cases))
    axes.grid(visible=False, axis="x")
    figure.legend(ncols=len(engines) + 1, loc="outside upper center")


def draw_curve(receipt: Receipt, figure: Any) -> None:
    """A panel for each operation: nanoseconds against the size of the book."""
    cases = receipt["cases"]
    panels = figure.subplots(2, 3, sharex=True, sharey=True).flatten()
    for axes, (operation, words) in zip(panels, OPERATION_WORDS.items(), strict=False):
        for engine in COLOURS:
            sizes = [size for size, case in cases.items() if engine in case["engines"]]
            costs = [cases[size]["engines"][engine][operation] for size in sizes]
            axes.plot(
                [int(size) for size in sizes],
                costs,
                marker=mark(engine),
                color=colour(engine),
                label=engine if operation == "add" else None,
            )
        axes.set_title(words)
        axes.set_xscale("log")
        axes.set_yscale("log")
    panels[-1].set_axis_off()
    for axes in panels[2:5]:
        axes.set_xlabel("resting orders")
        axes.tick_params(labelbottom=True)
    for axes in panels[::3]:
        axes.set_ylabel("ns")
    figure.legend(loc="lower right", bbox_to_anchor=(0.95, 0.15))


def draw_crossover(receipt: Receipt, figure: Any) -> None:
    """A panel for each language: nanoseconds against the number of levels."""
    crossovers = receipt["crossover"]
    panels = figure.subplots(1, len(crossovers), squeeze=False)[0]
    for axes, (language, found) in zip(panels, crossovers.items(), strict=True):
        for role in ("naive", "sorted"):
            engine = found[role]
            axes.plot(
                found["levels"],
                found[f"{role}_ns"],
                marker=mark(engine),
                color=colour(engine),
                label=engine,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title({"c": "in C", "python": "in Python"}.get(language, language))
        axes.set_xlabel("levels")
        axes.legend()
    panels[0].set_ylabel("ns per command")


def draw_batching(receipt: Receipt, figure: Any) -> None:
    """Bars: what a command costs by how it is handed over."""
    axes = figure.subplots()
    cases = receipt["cases"]
    height = 0.8 / len(cases)
    for place, (engine, case) in enumerate(cases.items()):
        for row, way in enumerate(WAY_WORDS):
            if way in case["ways"]:
                y = row - 0.4 + (place + 0.5) * height
                label = engine if way == "whole" else None
                ns = case["ways"][way]["ns"]
                axes.barh(y, ns, height * 0.9, color=colour(engine), label=label)
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.set_xlabel("ns per command")
    axes.set_yticks(range(len(WAY_WORDS)), list(WAY_WORDS.values()))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.legend()


#: Every picture: its name, the results file it is drawn from, its size in inches, and who draws.
PLOTS: dict[str, tuple[str, tuple[float, float], Callable[[Receipt, Any], None]]] = {
    "measured-scenarios": ("scenarios", (9, 4), draw_scenarios),
    "measured-curve": ("curve", (10, 6), draw_curve),
    "measured-crossover": ("levels20k", (9, 3.8), draw_crossover),
    "measured-batching": ("batching", (8, 3.8), draw_batching),
    "measured-rings": ("rings", (9, 8), ring_plots.draw_rings),
    "measured-ring-trips": ("rings", (9, 6.5), ring_plots.draw_trips),
    **protocol_plots.PLOTS,
    **wal_plots.PLOTS,
}


def draw(name: str, receipt: Receipt, source: str) -> bytes:
    """A picture as the bytes of its SVG; ``source`` is noted in it."""
    import matplotlib
    from matplotlib.figure import Figure

    _, size, plot = PLOTS[name]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        plot(receipt, figure)
        out = io.BytesIO()
        # No date and no version: the same results are the same bytes on any day.
        metadata = {"Date": None, "Creator": "tools/book_plots.py", "Source": source}
        figure.savefig(out, format="svg", metadata=metadata)
    return b"\n".join(line.rstrip() for line in out.getvalue().splitlines()) + b"\n"


def source_of(path: Path) -> str:
    """What a picture says of the results file it was drawn from."""
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def behind(results: Path = RESULTS, images: Path = IMAGES) -> list[str]:
    """The names of pictures that are missing or were drawn from other results."""
    names = []
    for name, (file, _, _) in PLOTS.items():
        path = images / f"{name}.svg"
        source = source_of(results / f"{file}.json")
        if not path.is_file() or source not in path.read_text(encoding="utf-8"):
            names.append(name)
    return names


def main() -> int:
    """Draw what is behind its results; say what was drawn."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in behind():
        path = RESULTS / f"{PLOTS[name][0]}.json"
        receipt = json.loads(path.read_text(encoding="utf-8"))
        (IMAGES / f"{name}.svg").write_bytes(draw(name, receipt, source_of(path)))
        print(f"docs/img/{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
