"""The pictures of phase 5's results: codecs, ITCH, and messages in a datagram."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from matchbook.bench.interleave import three_digits

Receipt = Mapping[str, Any]

OURS, OTHERS = "#009e73", "#0072b2"
#: A line for each codec: what it is called, its colour and its mark.
CODECS: Final = {
    "struct": ("struct", "#0072b2", "o"),
    "msgpack": ("msgspec, MessagePack", "#e69f00", "s"),
    "sbe_c": ("SBE, C, checked", "#d55e00", "^"),
    "numpy": ("numpy view, unchecked", "#666666", "x"),
    "flat": ("flat, C, checked", "#009e73", "D"),
}
ITCH: Final = {
    "itchfeed": "itchfeed",
    "struct": "struct",
    "numpy": "numpy alone",
    "c_split": "C sorts, numpy views",
    "c_tables": "C, a table a type",
    "c_records": "C, a record a message",
    "c_tables_loop": "tables, memory at hand",
    "c_records_loop": "records, memory at hand",
}


def draw_codecs(receipt: Receipt, figure: Any) -> None:
    """Lines: what an event costs, encoded and decoded, by how many share a call."""
    axes = figure.subplots()
    found = receipt["sizes"]
    for name, (words, colour, mark) in CODECS.items():
        if name in found["ns"]:
            axes.plot(found["sizes"], found["ns"][name], marker=mark, color=colour, label=words)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(found["sizes"], [f"{size:,}" for size in found["sizes"]])
    axes.minorticks_off()
    axes.set_xlabel("events in a call")
    axes.set_ylabel("ns per event")
    axes.legend()


def draw_itch(receipt: Receipt, figure: Any) -> None:
    """Bars: what a message costs whom, from objects in Python down to loops in C."""
    axes = figure.subplots()
    found = receipt["cases"]["aapl"]["contestants"]
    for row, (name, facts) in enumerate(found.items()):
        ours = name.startswith("c_")
        axes.barh(row, facts["ns"], 0.7, color=OURS if ours else OTHERS)
        axes.annotate(
            f"{three_digits(facts['ns'])} ns",
            (facts["ns"], row),
            xytext=(4, 0),
            textcoords="offset points",
            verticalalignment="center",
        )
    axes.set_xscale("log")
    axes.set_xlim(1, 4 * max(facts["ns"] for facts in found.values()))
    axes.set_xlabel("ns per message")
    axes.set_yticks(range(len(found)), [ITCH[name] for name in found])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def draw_packing(receipt: Receipt, figure: Any) -> None:
    """Two panels: messages a second and datagrams a second, by messages in a datagram."""
    found = receipt["cases"]["packing"]["contestants"]
    packings = [int(name) for name in found]
    panels = figure.subplots(1, 2)
    for axes, key, words in (
        (panels[0], "per_second", "million messages/s"),
        (panels[1], "datagrams_per_second", "thousand datagrams/s"),
    ):
        unit = 1e6 if key == "per_second" else 1e3
        values = [facts[key] / unit for facts in found.values()]
        axes.plot(packings, values, marker="D", color=OURS)
        axes.set_ylim(bottom=0)
        axes.set_xticks(packings)
        axes.set_xlabel("messages in a datagram")
        axes.set_ylabel(words)


#: As in ``book_plots.PLOTS``.
PLOTS: Final[dict[str, tuple[str, tuple[float, float], Callable[[Receipt, Any], None]]]] = {
    "measured-codecs": ("codecs", (8, 4), draw_codecs),
    "measured-itch": ("itch", (8, 3.6), draw_itch),
    "measured-packing": ("multicast", (9, 3.6), draw_packing),
}
