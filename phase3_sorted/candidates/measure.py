"""Build every candidate for the ordered levels of phase 3, check them against each other, time them.

    python phase3_sorted/candidates/measure.py [--rounds 12] [--out levels.json]

Every candidate is the whole book of ``../c`` with another structure of levels in it: its header
takes the include guard of ``level_index.h`` and is included first. All libraries are loaded into
one process and take turns at batches of commands (``measure.c``), so that what disturbs the machine
disturbs them alike. ``near`` is the structure in use and ``near_again`` the same code once more: how
far their ratio strays from 1 is the noise floor. Instructions and mispredicted branches are counted
by cachegrind, on code for x86-64-v3, as the difference of two lengths; they do not depend on noise.

A workload whose events differ between two candidates ends the run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from contract.messages import CommandKind, Side
from contract.records import RecordArray, empty_commands
from contract.streams import MIDDLE_PRICE, gather, shape_stream, wide_levels
from contract.workload import SCENARIOS, generate

BUILD: Final = ROOT / "build" / "candidates"
BOOK: Final = ("memory", "cells", "id_index", "book", "book_plan", "book_view", "book_check")
FLAGS: Final = [
    *("-std=c11", "-g", "-O3", "-fPIC", "-fvisibility=hidden", "-UNDEBUG", "-D_GNU_SOURCE", "-I."),
    *("-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Wstrict-prototypes", "-Werror"),
]
CAPACITY: Final = 1 << 18
SEED: Final = 1
REFERENCE: Final = "near"
AGAIN: Final = "near_again"
TREE: Final = "tree_256"
TIMED_MOST: Final = 600_000
COUNTED_MOST: Final = 100_000
BATCH: Final = 150_000


#: Workload, candidate, measure.
Table = dict[str, dict[str, dict[str, float]]]


class Candidate(NamedTuple):
    """A structure: its header, which replaces the book's own if given, its sources, switches."""

    header: str
    sources: tuple[str, ...]
    switches: tuple[str, ...] = ()


def own(name: str, *switches: str) -> Candidate:
    """A candidate of this directory, in one header and one source."""
    return Candidate(name, (f"candidates/{name}.c",), switches)


def tree(*switches: str) -> Candidate:
    return Candidate("tree", ("candidates/tree.c", "candidates/tree_check.c"), switches)


PARTS: Final = ("c/level_tree.c", "c/tick_ring.c")
IN_USE: Final = Candidate("", ("c/level_index.c", *PARTS))
CANDIDATES: Final[dict[str, Candidate]] = {
    REFERENCE: IN_USE,
    AGAIN: IN_USE,
    "ring": Candidate("ring", ("candidates/ring.c", *PARTS)),
    "tree_256": tree(),
    "tree_64": tree("NODE_FANOUT=4"),
    "tree_512": tree("NODE_FANOUT=41"),
    "bitmap": own("bitmap"),
    "window": own("window"),
    "array": own("array"),
    "ladder": own("ladder", "LADDER"),
}
#: One thing changed in tree_256 each. They are timed against it, by themselves, and not counted.
VARIANTS: Final[dict[str, Candidate]] = {
    TREE: tree(),
    "tree_again": tree(),
    "tree_no_append": tree("APPEND=0", "LAST_LEAF=0"),
    "tree_no_last_leaf": tree("LAST_LEAF=0"),
    "tree_remove_called": tree("INLINE_REMOVE=0"),
    "tree_no_recent": tree("CACHE_SLOTS=0"),
    "tree_recent_1024": tree("CACHE_SLOTS=1024"),
    "tree_recent_16384": tree("CACHE_SLOTS=16384"),
    "tree_recent_unmixed": tree("CACHE_MIXED=0"),
    "tree_leaf_of": tree("LEAF_OF=1"),
    "tree_memmove": tree("MOVE_BYTES=1"),
    "tree_448": tree("NODE_FANOUT=36"),
}


class Workload(NamedTuple):
    """Commands, how many of them only build the book, and the prices a book for them must take."""

    commands: RecordArray
    warmup: int
    min_price: int
    max_price: int


def scattered(
    live: int, measured: int, reach: int, *, step: int = 1, prices: int = 0, seed: int = SEED
) -> Workload:
    """Passive orders that come and go at random, ``live`` of them at a time, and never trade.

    Prices lie up to ``reach`` ticks from the middle, evenly, at multiples of ``step``; or, when
    ``prices`` is given, at that many different distances.
    """
    draw = random.Random(seed)
    grid = [draw.randint(1, reach // step) * step for _ in range(prices)]
    commands = empty_commands(live + measured)
    rows: list[tuple[int, int, int, int]] = []
    alive: list[int] = []
    for index in range(live + measured):
        if len(alive) >= live and draw.random() < 0.5 + 0.01 * (len(alive) - live):
            place = draw.randrange(len(alive))
            alive[place], alive[-1] = alive[-1], alive[place]
            rows.append((CommandKind.CANCEL, alive.pop(), 0, 0))
            continue
        side = draw.randrange(2)
        distance = draw.choice(grid) if grid else draw.randint(1, reach // step) * step
        price = MIDDLE_PRICE - distance if side == Side.BID else MIDDLE_PRICE + distance
        rows.append((CommandKind.NEW, index + 1, side, price))
        alive.append(index + 1)
    table = np.array(rows, np.int64)
    for column, name in enumerate(("kind", "order_id", "side", "price")):
        commands[name] = table[:, column]
    commands["quantity"] = np.where(table[:, 0] == CommandKind.NEW, 10, 0)
    commands["timestamp_ns"] = np.arange(len(commands))
    return Workload(commands, live, MIDDLE_PRICE - reach, MIDDLE_PRICE + reach)


def spread(load: Workload, factor: int) -> Workload:
    """The same commands with all prices ``factor`` times as far from the lowest."""
    commands = load.commands.copy()
    priced = commands["kind"] != CommandKind.CANCEL
    prices = (commands["price"] - load.min_price) * factor + load.min_price
    commands["price"] = np.where(priced, prices, 0)
    reach = (load.max_price - load.min_price) * factor
    return Workload(commands, load.warmup, load.min_price, load.min_price + reach)


def make_workloads() -> dict[str, Workload]:
    """Five scenarios of the public benchmark, shapes A, B and C, and what is hard for somebody."""
    loads = {name.replace("-", "_"): Workload(generate(name), 0, 1, 1 << 17) for name in SCENARIOS}
    for name in "ABC":
        stream = shape_stream(name)
        loads[name] = Workload(
            gather([stream.warmup, stream.measured]),
            len(stream.warmup),
            stream.min_price,
            stream.max_price,
        )
    wide = wide_levels(20_000, 400_000)
    loads["levels_20000"] = Workload(
        gather([wide.warmup, wide.measured]), len(wide.warmup), wide.min_price, wide.max_price
    )
    loads["flash_crash_x64"] = spread(loads["flash_crash"], 64)
    for name in ("normal", "swing_25", "C"):  # as on an exchange that counts in 1/100 of a tick
        loads[f"{name}_x100"] = spread(loads[name], 100)
    loads["scattered_20000"] = scattered(20_000, 400_000, 1 << 19)
    loads["sparse_1e6"] = scattered(200, 400_000, 500_000)
    loads["sparse_2e9"] = scattered(200, 400_000, (1 << 30) - 1)
    loads["stride_64"] = scattered(1_000, 400_000, 64_000, step=64, prices=500)
    loads["stride_2e20"] = scattered(1_000, 400_000, (1 << 30) - 1, step=1 << 20, prices=500)
    return loads


def build(name: str, what: Candidate, machine: str) -> Path:
    """Compile a candidate's library for a machine and return its path."""
    library = BUILD / machine / f"{name}.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    phase = HERE.parent.relative_to(ROOT)
    sources = [f"{phase}/candidates/measure_book.c"]
    sources += [f"{phase}/{source}" for source in what.sources]
    sources += [f"{phase}/c/{part}.c" for part in BOOK]
    command = [compiler(), *FLAGS, f"-march={machine}", "-shared"]
    command += [f"-D{switch}" for switch in what.switches]
    if what.header:
        command += ["-include", f"{phase}/candidates/{what.header}.h"]
    if what.header not in ("", "ring"):
        command += ["-include", f"{phase}/candidates/adapter.h"]
    subprocess.run([*command, *sources, "-o", str(library)], cwd=ROOT, check=True)
    return library


def compiler() -> str:
    return os.environ.get("CC", "gcc")


def build_program() -> Path:
    """Compile the program that loads the libraries and times them."""
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / "measure"
    source = HERE.relative_to(ROOT) / "measure.c"
    subprocess.run(
        [compiler(), *FLAGS, str(source), "-o", str(program), "-ldl"], cwd=ROOT, check=True
    )
    return program


def arguments(load: Workload, path: Path, rounds: int, warmup: int, count: int) -> list[str]:
    numbers = [warmup, count, BATCH, load.min_price, load.max_price, CAPACITY]
    return [str(rounds), str(SEED), str(path), *map(str, numbers), str(path.with_suffix(".times"))]


def time_all(
    program: Path, load: Workload, path: Path, rounds: int, libraries: dict[str, Path]
) -> dict[str, dict[str, float]]:
    """Nanoseconds a command, and the ratio to the reference with its quartiles.

    A batch's time is its median over the rounds; ``ns`` adds these up. The ratio is taken batch by
    batch, of times a moment apart; its median and quartiles are over all batches of all rounds.
    """
    count = min(len(load.commands) - load.warmup, TIMED_MOST)
    command = [str(program), *arguments(load, path, rounds, load.warmup, count)]
    if hasattr(os, "sched_setaffinity"):
        command = ["taskset", "-c", str(max(os.sched_getaffinity(0))), *command]
    names = list(libraries)
    output = subprocess.run(
        [*command, *map(str, libraries.values())], cwd=ROOT, check=True, capture_output=True
    ).stdout.decode()
    rows = [line.split() for line in output.splitlines()]
    if len({fields[1] for fields in rows if fields[1] != "-"}) != 1:
        raise SystemExit(f"{path.stem}: the candidates' events differ\n{output}")
    times_path = path.with_suffix(".times")
    times = np.fromfile(times_path).reshape(rounds, -1, len(names))  # rounds, batches, libraries
    times_path.unlink()
    nanoseconds = np.median(times, axis=0).sum(axis=0) / count
    first = next(name for name in (REFERENCE, TREE) if name in names)
    ratios = times / times[:, :, [names.index(first)]]
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75], axis=(0, 1))
    return {
        name: {
            "ns": round(float(nanoseconds[i]), 2),
            "ratio": round(float(middle[i]), 3),
            "ratio_low": round(float(low[i]), 3),
            "ratio_high": round(float(high[i]), 3),
            "book_bytes": int(rows[i][2]),
        }
        for i, name in enumerate(names)
        if rows[i][1] != "-"
    }


def count_one(program: Path, load: Workload, path: Path, library: Path) -> dict[str, float]:
    """Instructions and mispredicted branches a command, by cachegrind, between two lengths."""
    start = load.warmup or 50_000
    lengths = (start, min(start + COUNTED_MOST, len(load.commands)))
    totals: list[list[int]] = []
    for length in lengths:
        command = ["valgrind", "--tool=cachegrind", "--branch-sim=yes", "--cache-sim=no"]
        command += ["--cachegrind-out-file=/dev/null", str(program)]
        command += [*arguments(load, path, 0, 0, length), str(library)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        what = (r"I +refs:\s+([\d,]+)", r"Mispredicts:\s+([\d,]+)")
        found = [re.search(pattern, done.stderr) for pattern in what]
        totals.append([int(match[1].replace(",", "")) for match in found if match])
    count = lengths[1] - lengths[0]
    instructions, mispredicts = ((b - a) / count for a, b in zip(*totals, strict=True))
    return {"instructions": round(instructions, 1), "mispredicts": round(mispredicts, 3)}


def processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    match = re.search(r"model name\s*:\s*(.*)", text)
    return match[1] if match else platform.processor()


def level_bytes(space: dict[str, float]) -> dict[str, float]:
    """Bytes beside the cells, for each level a book of that capacity can have."""
    least = space["array"] - 24 * CAPACITY  # the array takes 12 bytes a level on either side
    return {name: round((total - least) / CAPACITY, 1) for name, total in space.items()}


def count_all(
    program: Path, load: Workload, path: Path, results: dict[str, dict[str, float]]
) -> None:
    """Add the counts of every candidate that was timed, but for the reference's double."""
    portable = {
        name: build(name, what, "x86-64-v3")
        for name, what in CANDIDATES.items()
        if name in results and name != AGAIN
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {n: pool.submit(count_one, program, load, path, lib) for n, lib in portable.items()}
    for name, job in jobs.items():
        results[name] |= job.result()


def write(path: Path, rounds: int, results: Table, variants: Table) -> None:
    version = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True)
    first = next(iter(results.values()))
    doubles = [rows[AGAIN]["ratio"] for rows in results.values()]
    document = {
        "machine": processor(),
        "system": platform.platform(terse=True),
        "compiler": version.stdout.splitlines()[0],
        "flags": " ".join([*FLAGS, "-march=native"]),
        "seed": SEED,
        "rounds": rounds,
        "batch": BATCH,
        "capacity": CAPACITY,
        "reference": REFERENCE,
        "noise_floor": {"ratio_low": min(doubles), "ratio_high": max(doubles)},
        "bytes_per_level": level_bytes({name: row["book_bytes"] for name, row in first.items()}),
        "workloads": results,
        "tree_variants": variants,
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Build, time, count, and write the results."""
    parser = argparse.ArgumentParser(description="Time the candidates for phase 3's levels.")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("levels.json"))
    parser.add_argument("--only", nargs="*", help="workloads, by name")
    parser.add_argument("--no-count", action="store_true", help="no cachegrind")
    chosen = parser.parse_args()
    program = build_program()
    groups = [
        {name: build(name, what, "native") for name, what in group.items()}
        for group in (CANDIDATES, VARIANTS)
    ]
    loads = make_workloads()
    results: Table = {}
    variants: Table = {}
    for load_name in chosen.only or loads:
        path = BUILD / f"{load_name}.cmd"
        loads[load_name].commands[: loads[load_name].warmup + TIMED_MOST].tofile(path)
        for group, into in zip(groups, (results, variants), strict=True):
            rows = time_all(program, loads[load_name], path, chosen.rounds, group)
            into[load_name] = rows
            print(load_name, *(f"{n} {row['ratio']:.2f}" for n, row in rows.items()), flush=True)
    write(chosen.out, chosen.rounds, results, variants)
    if not chosen.no_count:
        for load_name, rows in results.items():
            count_all(program, loads[load_name], BUILD / f"{load_name}.cmd", rows)
    for load_name in results:
        (BUILD / f"{load_name}.cmd").unlink()
    write(chosen.out, chosen.rounds, results, variants)


if __name__ == "__main__":
    main()
