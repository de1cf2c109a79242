"""A guided tour of a log that outlives its engine: ``python -m phase6_wal`` (some ten seconds).

Real processes, killed by ``SIGKILL`` at moments drawn from a seed; real files, where the system has
its temporary ones unless you name another directory. Exit code 1: a proof has failed, or the tour
could not be run.
"""

from __future__ import annotations

import argparse
import random
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from rich.table import Table

from contract.errors import MatchbookError
from contract.file_system import file_system
from contract.records import RecordArray, empty_events
from contract.tour import busy, heading, picture, show
from contract.workload import generate
from phase3_sorted import Engine as SortedEngine
from phase5_protocol.picture import DrawnField, draw_fields
from phase6_wal.engine import DurableEngine
from phase6_wal.native import DURABILITIES, HEADER_BYTES, SLOT_BYTES, PosixStorage, crc32c
from phase6_wal.picture import LEGEND, draw_directory
from phase6_wal.reader import LogReader
from phase6_wal.tour_child import Setting, run_and_kill
from phase6_wal.tour_damage import SEGMENT_BYTES, State, damaged_and_judged
from phase6_wal.tour_prices import BATCH, MODES, Price, measure

_ORDERS: Final = 100_000
_MOST_ORDERS: Final = 1_000_000
SINGLES: Final = 250
BATCHES: Final = 50
_TOPOLOGY: Final = """\
          ┌▶ the log ─▶ the kernel's page cache ─▶ the disk
          │  first                 │                  │
commands ─┤            page-cache: │     group, sync: │
          │                        ▼                  ▼
          └▶ the book ─▶ events ─▶ acknowledged: now it may be told
             then"""
_PROMISES: Final = {
    "none": "nothing",
    "page-cache": "the process",
    "group": "the machine",
    "sync": "the machine",
}


class Day(NamedTuple):
    """What is sent, and what is done beside the matching."""

    commands: RecordArray
    orders: int
    seed: int

    @property
    def every(self) -> int:
        """Commands between two snapshots."""
        return max(len(self.commands) // 6, 1)

    def setting(self, durability: str) -> Setting:
        """The process that is going to be killed."""
        marks = max(self.every // 3, 1)
        return Setting(
            "phase3_sorted:Engine", self.orders, durability, self.every, marks, SEGMENT_BYTES
        )


class Crash(NamedTuple):
    """A life that was ended, and the one after it."""

    acknowledged: int
    recovered: int
    snapshot: int
    replayed: int
    seconds: float
    here: State
    end: State

    @property
    def lost(self) -> int:
        """Commands that somebody had been told of, and that nobody knows any more."""
        return max(self.acknowledged - self.recovered, 0)


def tour(orders: int, seed: int, directory: Path) -> bool:
    """All parts; whether every proof in them held."""
    day = Day(generate("normal", orders), orders, seed)
    a_record_and_the_order_of_things()
    held = killed_and_recovered(day, directory)
    the_log_drawn(directory / "page-cache")
    held = damaged_and_judged(directory, lambda count: never_crashed(day, count)[0]) and held
    what_it_costs(day, directory)
    return held


# --- the record -----------------------------------------------------------------------------------


def a_record_and_the_order_of_things() -> None:
    """Eighty bytes, and what happens before what."""
    heading("1. A command is in the log before it is applied")
    picture("the order of things", _TOPOLOGY)
    with tempfile.TemporaryDirectory() as place:
        with DurableEngine.create(
            place, [SortedEngine()], segment_bytes=2 * HEADER_BYTES
        ) as engine:
            engine.apply_batch(generate("normal", 10)[:1], empty_events(4))
        with PosixStorage(place) as storage:
            name = LogReader(storage).segments()[0].name
            record = bytes(storage.read_file(name)[HEADER_BYTES : HEADER_BYTES + SLOT_BYTES])

    def number(offset: int, size: int) -> str:
        return f"{int.from_bytes(record[offset : offset + size], 'little'):,}"

    fields = [
        DrawnField(0, 4, "crc", "of all that follows"),
        DrawnField(4, 2, "length", number(4, 2)),
        DrawnField(6, 1, "kind", "command"),
        DrawnField(7, 1, "zero", number(7, 1)),
        DrawnField(8, 8, "durable", number(8, 8)),
        DrawnField(16, 8, "sequence", number(16, 8)),
        DrawnField(24, 56, "command", "its other 56 bytes"),
    ]
    picture(f"a record, {SLOT_BYTES} bytes, little endian", draw_fields(record, fields))
    show(
        "`durable` says up to where the log was on the disk, for certain, when this was "
        "written. A record is valid if its checksum is right, its sequence is the next one, and "
        "all before it are. The checksum begins with a salt, another one each time a file is "
        "used: what an earlier use left behind never passes for new."
    )


# --- the crash ------------------------------------------------------------------------------------


def killed_and_recovered(day: Day, directory: Path) -> bool:
    """One life and one death for each durability; was all there that had been acknowledged?"""
    heading("2. kill -9, and recovery")
    count = len(day.commands)
    show(
        f"An engine in a process of its own, {count:,} commands of the benchmark's kind, a "
        f"snapshot every {day.every:,}. It is killed at a random moment (seed {day.seed}), once "
        "for each durability; then the log is opened again, and the rest of the day is played to "
        "its end. An engine that never crashed gets the same commands."
    )
    draw = random.Random(day.seed)
    crashes: dict[str, Crash] = {}
    with busy("an engine runs, and dies"):
        for durability in DURABILITIES:
            after = draw.randint(count // 5, count * 3 // 5)
            crashes[durability] = crash_once(day, directory / durability, durability, after)
    show(crash_table(crashes))
    lines = []
    held = True
    for name, crash in crashes.items():
        here, end = never_crashed(day, crash.recovered)
        lines.append(f"{name:<11} {crash.here.state_hash}  {crash.here.event_crc:08x}")
        lines.append(f"  uncrashed {here.state_hash}  {here.event_crc:08x}")
        if (crash.here, crash.end) != (here, end):
            lines.append("  these, or those at the end of the day, are NOT EQUAL")
            held = False
        if crash.lost and name != "none":
            lines.append(f"  {crash.lost:,} acknowledged commands are GONE: NOT EQUAL")
            held = False
    picture("hash of the book, checksum of all events, where each was recovered", "\n".join(lines))
    if held:
        show(
            "All are equal, and were again at the end of the day. "
            + of_none(crashes.get("none"))
            + "The others kept every command they had acknowledged. A dead process says nothing "
            "about fsync, though: the kernel lived on, and with it the page cache."
        )
    return held


def of_none(crash: Crash | None) -> str:
    """What became of the one durability that promises nothing."""
    if crash is None:
        return ""
    if not crash.lost:
        return "`none` promises nothing, and was lucky. "
    return f"`none` promises nothing, and lost {crash.lost:,} commands it had said yes to. "


def crash_once(day: Day, directory: Path, durability: str, after: int) -> Crash:
    """Kill an engine after so many commands, recover it, and play the day to its end."""
    setting = day.setting(durability)
    acknowledged = run_and_kill(directory, setting, after)
    shutil.copytree(
        directory, directory.with_suffix(".dead"), ignore=shutil.ignore_patterns("*.tmp")
    )
    with DurableEngine.open(
        directory,
        SortedEngine,
        snapshot_every=setting.snapshot_every,
        mark_every=setting.mark_every,
        segment_bytes=setting.segment_bytes,
    ) as engine:
        found = engine.recovery
        assert found is not None
        here = State(engine.state_hash(), engine.event_crc)
        apply_all(engine, day.commands[found.sequence :])
        end = State(engine.state_hash(), engine.event_crc)
    return Crash(
        acknowledged,
        found.sequence,
        found.snapshot_sequence,
        found.commands,
        found.seconds,
        here,
        end,
    )


def apply_all(engine: SortedEngine | DurableEngine, commands: RecordArray) -> int:
    """Apply commands; the checksum of their events alone."""
    events = empty_events(1 << 15)
    done = crc = 0
    while done < len(commands):
        consumed, written = engine.apply_batch(commands[done : done + 10_000], events)
        crc = crc32c(events[:written].tobytes(), crc)
        done += consumed
    return crc


def never_crashed(day: Day, where: int) -> tuple[State, State]:
    """An engine without a log: what it is after that command, and after the last one."""
    states = []
    for count in (where, len(day.commands)):
        with SortedEngine() as engine:
            crc = apply_all(engine, day.commands[:count])
            states.append(State(engine.state_hash(), crc))
    return states[0], states[1]


def crash_table(crashes: dict[str, Crash]) -> Table:
    """What was told, what was found."""
    headings = ("durability", "told", "in the log", "lost", "snapshot +", "replayed", "took")
    table = Table(*headings, box=None, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, crash in crashes.items():
        table.add_row(
            name,
            *(f"{number:,}" for number in crash[:2]),
            f"{crash.lost:,}",
            f"{crash.snapshot:,}",
            f"{crash.replayed:,}",
            f"{crash.seconds * 1e3:,.0f} ms",
        )
    return table


# --- the picture ----------------------------------------------------------------------------------


def the_log_drawn(directory: Path) -> None:
    """The log as the crash left it, and as the end of the day did."""
    heading("3. The log, drawn")
    for title, place in (
        ("page-cache, as the kill left it", directory.with_suffix(".dead")),
        ("recovered, and gone on with", directory),
    ):
        with PosixStorage(place) as storage:
            picture(title, f"{draw_directory(storage)}\n\n{LEGEND}")
    show(
        "A mark holds the hash of the book and the checksum of all events: a replay that came to "
        "anything else would stop there. `matchbook log inspect` draws any log; `matchbook log "
        "replay --at N --book` shows the book as of any command."
    )


# --- prices ---------------------------------------------------------------------------------------


def what_it_costs(day: Day, directory: Path) -> None:
    """From sending to being told yes, for each durability."""
    heading("5. What an acknowledgement costs")
    with busy("measuring"):
        prices = measure(directory, SortedEngine, day.commands, SINGLES, BATCHES)
    table = Table(
        "",
        "outlives",
        "P50 of one",
        "P99",
        f"P50 of {BATCH}",
        "P99",
        box=None,
        header_style="dim",
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for mode in MODES:
        table.add_row(mode, _PROMISES.get(mode, "–"), *map(microseconds, points(prices[mode])))
    show(table)
    unrest = max(each.unrest() for each in prices.values())
    show(
        f"Through Python's face, on {disk_words(directory)}, up to {2 * SINGLES:,} single "
        f"commands and {2 * BATCHES:,} batches each, in two rounds. Medians of the two differ by "
        f"a factor of up to {1 + unrest:.1f}: so much of this table is noise, and a P99 of so few, "
        "on a machine that does other things too, is a hint. `group` waits for company: one "
        "command alone pays for the whole wait, and a thousand would share it."
    )


def points(price: Price) -> list[float]:
    """Medians and 99th percentiles, ns."""
    return [
        float(np.percentile(each, point, method="higher"))
        for each in (price.single, price.batch)
        for point in (50, 99)
    ]


def microseconds(ns: float) -> str:
    """A time in µs, three digits or so."""
    return f"{ns / 1e3:,.1f} µs" if ns < 1e5 else f"{ns / 1e3:,.0f} µs"


def disk_words(directory: Path) -> str:
    """What kind of disk the directory is on, where the system tells."""
    kind = file_system(directory)
    if kind in ("tmpfs", "ramfs"):
        return f"{kind} (memory: a sync costs nothing there, and means nothing)"
    return "this machine's disk" if kind == "unknown" else kind


# --- the command line -----------------------------------------------------------------------------


def number_of_orders(text: str) -> int:
    """How long the day is, as an argument."""
    orders = int(text)
    if not 10_000 <= orders <= _MOST_ORDERS:
        raise argparse.ArgumentTypeError(f"{orders} orders are not 10,000 to {_MOST_ORDERS:,}")
    return orders


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tour; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m phase6_wal", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    words = f"length of the day, 10,000 to {_MOST_ORDERS:,}; {_ORDERS:,} unless told"
    parser.add_argument("--orders", type=number_of_orders, default=_ORDERS, help=words)
    parser.add_argument("--seed", type=int, help="of the moments of death; drawn unless told")
    parser.add_argument("--directory", type=Path, help="on the disk that is to be measured")
    asked = parser.parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    try:
        with tempfile.TemporaryDirectory(prefix="matchbook-tour-", dir=asked.directory) as place:
            if tour(asked.orders, seed, Path(place)):
                return 0
        print(f"a proof has failed (--seed {seed}): see NOT EQUAL above", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except (MatchbookError, OSError) as error:
        print(f"the tour had to stop: {str(error) or type(error).__name__}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
