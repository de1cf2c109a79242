"""The tables of ``wal.json``, for the terminal and word for word the same for the book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from matchbook.bench.interleave import is_distinguishable, three_digits
from matchbook.bench.tables import Grid

Receipt = Mapping[str, Any]

MODE_WORDS: Final = {
    "alone": "no log",
    "none": "`none`",
    "page_cache": "`page-cache`",
    "segments": "`page-cache`, segments made meanwhile",
    "group": "`group`",
    "sync": "`sync`",
}
JOURNAL_WORDS: Final = {
    "log_none": "our log, `none`",
    "file_buffered": "file, buffered by Python",
    "log_page_cache": "our log, `page-cache`",
    "file_written": "file, a `write` each",
    "sqlite_normal": "SQLite, WAL, NORMAL",
    "lmdb_nosync": "LMDB, no sync",
    "log_sync": "our log, `sync`",
    "file_fdatasync": "file, `write` and `fdatasync`",
    "file_fsync": "file, `write` and `fsync`",
    "sqlite_full": "SQLite, WAL, FULL",
    "lmdb_sync": "LMDB",
}
PROMISE_WORDS: Final = {
    "nothing": "may be lost",
    "process": "survives the process",
    "machine": "survives the machine",
}
WAY_WORDS: Final = {
    "copied": "in memory, no checksum",
    "checked": "in memory, a CRC32C each",
    "sealed": "in memory, CRC32C of 64 in one pass",
    "mapped": "`page-cache`, mapped, 64 at a time",
    "mapped_1": "the same, one at a time",
    "written": "`none`, written, a buffer at a time",
    "written_through": "`page-cache`, a `write` for 64",
    "written_through_1": "the same, a `write` each",
}
PAGE_WORDS: Final = {
    "sparse": "a size, no blocks",
    "allocated": "blocks, never written",
    "zeroed": "zeros written",
    "touched": "zeros written, each page touched",
}
SYNC_WORDS: Final = {
    "growing": "the file grows, `fdatasync`",
    "allocated": "blocks beforehand, `fdatasync`",
    "zeroed": "zeros beforehand, `fdatasync`",
    "mapped": "zeros beforehand, mapped, `msync`",
}
REPLAY_WORDS: Final = {
    "applied": "the engine alone, from memory",
    "in_c": "read, checked, applied by C",
    "replay": "`replay`, marks compared",
}
_BATCHES: Final = (1, 64, 1024)
_MICRO: Final = 1e3
_MILLI: Final = 1e6
_RANKS: Final = ("p50", "p99", "p99_9")


def wal_engine(receipt: Receipt) -> Grid:
    """The engine behind a log, by durability and by the size of a call."""
    cases = [receipt["cases"][f"engine_{size}"] for size in ("whole", 1024, 64)]
    rows = []
    for name, words in MODE_WORDS.items():
        cells = []
        for case in cases:
            facts = case["contestants"].get(name)
            cells += [three_digits(facts["ns"]), _share(facts, case)] if facts else ["–", "–"]
        rows.append([words, *cells])
    head = ["durability", "one call, ns", "share", "calls of 1,024, ns", "share"]
    head += ["calls of 64, ns", "share"]
    note = (
        f"Nanoseconds per command of `{cases[0]['scenario']}`, and the share of the engine's "
        f"throughput that is left; {_disk(receipt)}; {_noise(cases)}"
    )
    return Grid("the engine behind a log", head, rows, 6, note)


def wal_journals(receipt: Receipt, promise: str) -> Grid:
    """All that promise the same, by commands of a batch."""
    cases = [receipt["cases"][f"journal_{promise}_{batch}"] for batch in _BATCHES]
    rows = []
    for name in cases[0]["contestants"]:
        cells = []
        for case in cases:
            facts = case["contestants"][name]
            cells += [three_digits(facts["ns"]), _times(case, name)]
        rows.append([JOURNAL_WORDS[name], *cells])
    head = [PROMISE_WORDS[promise]]
    for batch in _BATCHES:
        head += [f"{batch:,} a batch, ns" if batch > 1 else "one by one, ns", "× ours"]
    note = f"Nanoseconds per command, from Python; {_disk(receipt)}; {_noise(cases)}"
    note += "".join(
        f"; {JOURNAL_WORDS[name]}: {why}"
        for name, why in receipt["missing"].items()
        if name not in cases[0]["contestants"]
    )
    return Grid(f"a journal that {PROMISE_WORDS[promise]}", head, rows, 6, note)


def wal_append(receipt: Receipt) -> Grid:
    """An append that waits for no disk."""
    case = receipt["cases"]["append"]
    counted = receipt.get("instructions", {}).get("ways", {})
    rows = [
        [
            words,
            three_digits(case["contestants"][name]["ns"]),
            _times(case, name),
            f"{counted[name]:.1f}" if name in counted else "–",
        ]
        for name, words in WAY_WORDS.items()
    ]
    head = ["80 bytes of a command", "ns", "× mapped", "instructions"]
    note = f"A loop in C, into a segment that is there; {_disk(receipt)}; {_noise([case])}"
    return Grid("an append", head, rows, 3, note)


def wal_pages(receipt: Receipt) -> Grid:
    """What a page costs that nobody has touched."""
    case = receipt["cases"]["pages"]
    rows = [
        [
            PAGE_WORDS[name],
            three_digits(facts["ns"]),
            three_digits(facts["page_ns"]),
            _times(case, name),
        ]
        for name, facts in case["contestants"].items()
    ]
    head = ["a mapped file", "ns per 64-byte store", "ns per page", "× touched"]
    return Grid("fresh pages", head, rows, 3, f"{_disk(receipt)}; {_noise([case])}")


def wal_syncs(receipt: Receipt) -> Grid:
    """The ways to make records last, one sync after the other."""
    cases = [receipt["cases"][f"sync_{records}"] for records in _BATCHES]
    rows = []
    for name in cases[0]["contestants"]:
        cells = []
        for case in cases:
            facts = case["contestants"][name]
            cells += [three_digits(facts[rank] / _MICRO) for rank in ("p50", "p99")]
            cells.append(_times(case, name))
        rows.append([SYNC_WORDS[name], *cells])
    head = ["microseconds of a sync"]
    for records in _BATCHES:
        head += [f"{records:,}: P50" if records > 1 else "1 record: P50", "P99", "× zeroed"]
    note = f"Records of 80 bytes, a loop in C; {_disk(receipt)}; {_noise(cases)}"
    return Grid("ways to the disk", head, rows, 9, note)


def wal_latency(receipt: Receipt) -> Grid:
    """From when a command was due to its acknowledgement."""
    rows = [
        [
            f"{int(rate):,}",
            MODE_WORDS[mode],
            *(three_digits(facts[key] / _MICRO) for key in (*_RANKS, "max", "latest_ns")),
            f"{facts['flushes']:,}",
        ]
        for rate, modes in receipt["latency"].items()
        for mode, facts in modes.items()
    ]
    head = ["commands/s due", "durability", "P50, µs", "P99, µs", "P99.9, µs", "longest, µs"]
    head += ["sent late by, µs", "syncs"]
    first = next(iter(receipt["latency"].values()))["sync"]
    note = f"The log alone; medians of {first['runs']} runs, the longest of all; {_disk(receipt)}"
    return Grid("latency of an acknowledgement, open loop", head, rows, 6, note)


def wal_groups(receipt: Receipt) -> Grid:
    """What a larger group, or a longer one, gives and takes."""
    found = receipt["groups"]
    sizes, times, own = found["by_size"], found["by_time"], found["own"]
    rows = [
        [
            f"{size:,} commands",
            f"{sizes['per_second'][place]:,}",
            *(three_digits(sizes[rank][place] / _MICRO) for rank in _RANKS),
        ]
        for place, size in enumerate(found["sizes"])
    ]
    rows += [
        [
            f"{three_digits(seconds * _MICRO)} ms",
            "–",
            *(three_digits(times[rank][place] / _MICRO) for rank in _RANKS),
        ]
        for place, seconds in enumerate(found["times_s"])
    ]
    rows.append(["`sync`, what is due", "–", *(three_digits(own[r] / _MICRO) for r in _RANKS)])
    head = ["a group", "commands/s, at most", "P50, µs", "P99, µs", "P99.9, µs"]
    note = f"Latency at {found['rate']:,} commands a second, open loop; {_disk(receipt)}"
    return Grid("group commit", head, rows, 4, note)


def wal_replay(receipt: Receipt) -> Grid:
    """From the log to the engine again."""
    case = receipt["cases"]["replay"]
    rows = [
        [
            words,
            three_digits(case["contestants"][name]["ns"]),
            f"{case['contestants'][name]['per_second'] / _MILLI:.1f}",
            f"{case['contestants'][name]['per_minute'] / _MILLI:,.0f}",
            _times(case, name),
        ]
        for name, words in REPLAY_WORDS.items()
    ]
    head = ["one core", "ns per command", "million/s", "million/minute", "× replay"]
    note = f"{case['commands']:,} commands of `normal`, files in the page cache; {_noise([case])}"
    return Grid("replay", head, rows, 4, note)


def wal_recovery(receipt: Receipt) -> Grid:
    """Until the engine is there again."""
    found = receipt["recovery"]
    rows = [
        [
            f"{length:,}",
            *(
                cell
                for kind in ("log", "snapshots")
                for cell in (
                    three_digits(found["seconds"][kind][place] * _MICRO),
                    f"{found['replayed'][kind][place]:,}",
                )
            ),
        ]
        for place, length in enumerate(found["lengths"])
    ]
    head = ["commands in the log", "no snapshot, ms", "replayed", "snapshots, ms", "replayed"]
    note = f"A snapshot every {found['snapshot_every']:,} commands; files in the page cache"
    return Grid("recovery", head, rows, 5, note)


def wal_snapshots(receipt: Receipt) -> Grid:
    """How long the books stand still."""
    found = receipt["snapshots"]
    rows = [
        [
            f"{orders:,}",
            *(
                three_digits(found[key][how][place] / _MICRO)
                for how in ("fork", "copy")
                for key in ("pause_ns", "longest_ns")
            ),
        ]
        for place, orders in enumerate(found["orders"])
    ]
    head = ["live orders", "by fork, µs", "longest", "by copy, µs", "longest"]
    return Grid("the pause for a snapshot", head, rows, 5, "Medians, and the longest of all.")


def wal_shown(receipt: Receipt) -> Iterator[Grid]:
    """What is printed after the suite."""
    yield wal_engine(receipt)
    for promise in PROMISE_WORDS:
        yield wal_journals(receipt, promise)
    yield wal_append(receipt)
    yield wal_pages(receipt)
    yield wal_syncs(receipt)
    yield wal_latency(receipt)
    yield wal_groups(receipt)
    yield wal_replay(receipt)
    yield wal_recovery(receipt)
    yield wal_snapshots(receipt)


def _share(facts: Receipt, case: Receipt) -> str:
    ratio = facts["share"]
    return f"{ratio:.0%}" if is_distinguishable(ratio, case["noise_floor"]) else "≈ 100%"


def _times(case: Receipt, name: str) -> str:
    """How many times as long as ours a contestant takes."""
    if name == case["ours"]:
        return "1"
    ratio = case["contestants"][name]["times_ours"]
    return f"{three_digits(ratio)}×" if is_distinguishable(ratio, case["noise_floor"]) else "≈ 1"


def _noise(cases: list[Receipt]) -> str:
    return f"noise floor {max(case['noise_floor'] for case in cases):.2f}"


def _disk(receipt: Receipt) -> str:
    return f"on {receipt['file_system']}"
