"""The tables of ``docs/choosing-levels.md``, from ``levels.json``: structures side by side."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

#: What ``markdown_table`` is, given in by ``book_tables`` so that neither imports the other.
MarkdownTable = Callable[[Sequence[str], Iterable[Sequence[object]], int], str]

_WORKLOADS: Final = {
    "static": "static",
    "normal": "normal",
    "swing_25": "swing-25",
    "swing_40": "swing-40",
    "flash_crash": "flash-crash",
    "A": "shape A",
    "B": "shape B",
    "C": "shape C",
    "levels_20000": "20,000 levels, the best empties often",
    "flash_crash_x64": "flash-crash, prices × 64",
    "swing_25_x100": "swing-25, prices × 100",
    "C_x100": "shape C, prices × 100",
    "sparse_2e9": "200 levels over 2³¹ ticks",
    "stride_64": "500 prices, every 64th tick",
    "stride_2e20": "500 prices, every 2²⁰th tick",
    "scattered_20000": "20,000 levels, scattered",
}
_STRUCTURES: Final = {
    "ring": "ring",
    "tree_256": "B+tree 256",
    "tree_64": "B+tree 64",
    "bitmap": "bitmap",
    "window": "window",
    "array": "array",
    "ladder": "ladder",
}
_VARIANTS: Final = {
    "tree_no_append": "every new level descends from the root",
    "tree_no_last_leaf": "only better levels skip the descent, not all of the last leaf",
    "tree_remove_called": "taking off the best level is a call",
    "tree_no_recent": "no table of recent levels",
    "tree_recent_16384": "the table four times as large",
    "tree_recent_unmixed": "the table indexed by low bits alone",
    "tree_leaf_of": "each level knows its leaf",
    "tree_memmove": "gaps opened and closed by memmove",
    "tree_448": "nodes of 448 bytes",
    "tree_again": "nothing: the same code again",
}


def times(levels: dict[str, Any], table: MarkdownTable) -> str:
    """Nanoseconds of the chosen structure, and the others' times as multiples of it."""
    rows = []
    for key, name in _WORKLOADS.items():
        measured = levels["workloads"][key]
        cells = [f"{measured['near']['ns']:.0f}"]
        cells += [_cell(measured, s, lambda m: f"{m['ratio']:.2f}") for s in _STRUCTURES]
        rows.append([name, *cells])
    return table(["workload", "near, ns", *_STRUCTURES.values()], rows, len(_STRUCTURES) + 1)


def counts(levels: dict[str, Any], table: MarkdownTable) -> str:
    """Instructions and mispredicted branches a command, by workload."""
    structures = {"near": "near", **_STRUCTURES}
    rows = []
    for key, name in _WORKLOADS.items():
        measured = levels["workloads"][key]
        if "instructions" in measured["near"]:
            cells = [_cell(measured, s, _counts) for s in structures]
            rows.append([name, *cells])
    return table(["workload", *structures.values()], rows, len(structures))


def variants(levels: dict[str, Any], table: MarkdownTable) -> str:
    """One change to the B+tree a row, as a share of the unchanged tree's time."""
    shown = ("normal", "flash_crash", "C", "levels_20000")
    rows = [
        [name, *(f"{levels['tree_variants'][w][key]['ratio']:.2f}" for w in shown)]
        for key, name in _VARIANTS.items()
    ]
    return table(["change", "normal", "flash-crash", "shape C", "20,000 levels"], rows, 4)


def _cell(measured: dict[str, Any], structure: str, show: Callable[[Any], str]) -> str:
    return show(measured[structure]) if structure in measured else "–"


def _counts(measured: dict[str, Any]) -> str:
    if "instructions" not in measured:
        return "–"
    return f"{measured['instructions']:.0f} / {measured['mispredicts']:.2f}"
