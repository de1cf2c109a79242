"""The tables of ``codecs.json``, ``itch.json`` and ``multicast.json``: terminal and book alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from matchbook.bench.interleave import is_distinguishable, three_digits
from matchbook.bench.tables import Grid

Receipt = Mapping[str, Any]

CODEC_WORDS: Final = {
    "floor": "two empty calls",
    "struct": "`struct`",
    "cffi": "cast, cffi",
    "ctypes": "`ctypes`",
    "numpy": "numpy view, unchecked",
    "flat": "flat, in C",
    "sbe": "SBE, Python",
    "sbe_c": "SBE, in C",
    "msgpack": "MessagePack",
    "json": "JSON",
}
LOOP_WORDS: Final = {
    "floor": "nothing encoded: the floor",
    "cast": "copied, cast, unchecked",
    "in_place": "flat, checked in place",
    "flat": "flat, checked and copied",
    "sbe": "SBE, checked",
}
ITCH_WORDS: Final = {
    "itchfeed": "itchfeed, objects",
    "struct": "`struct`, tuples",
    "numpy": "numpy alone",
    "c_split": "C sorts, numpy views",
    "c_tables": "C, tables",
    "c_records": "C, records",
    "c_tables_loop": "C, tables, at hand",
    "c_records_loop": "C, records, at hand",
}
LOSS_WORDS: Final = {
    "direct": "no network between",
    "loss_0": "a network, none lost",
    "loss_0_1": "0.1 % lost",
    "loss_1": "1 % lost",
    "loss_5": "5 % lost",
}
PART_WORDS: Final = {
    "pack": "pack into datagrams",
    "store": "keep, to be sent again",
    "receive": "receive in order",
}
KERNEL_WORDS: Final = {
    "stdlib": "kernel, by `socket.send` and `recv`",
    "batches": "kernel, ours, 32 a call",
}
DEAD_WORDS: Final = {
    "alive": "one that reads",
    "both": "two that read",
    "dead": "one that reads, one that never does",
}
_KINDS: Final = ("commands", "events")
_MICRO: Final = 1e3
_MILLI: Final = 1e6


def codecs_single(receipt: Receipt) -> Grid:
    """One message at a time from Python."""
    cases = [receipt["cases"][f"single_{kind}"] for kind in _KINDS]
    rows = []
    for name in cases[0]["contestants"]:
        cells = []
        for case in cases:
            facts = case["contestants"][name]
            cells += [three_digits(facts["ns"]), _slower(case, name)]
            cells.append(f"{facts['bytes']:.1f}" if "bytes" in facts else "–")
        rows.append([CODEC_WORDS[name], *cells])
    head = ["one message"]
    for kind in _KINDS:
        head += [f"{kind}, ns", "× struct", "bytes"]
    return Grid("codecs: one message at a time", head, rows, 6, _codec_note(cases))


def codecs_batch(receipt: Receipt, kind: str = "commands") -> Grid:
    """Many messages at a time from Python."""
    case, read = (receipt["cases"][f"{way}_{kind}"] for way in ("batch", "read"))
    rows = []
    for name, facts in case["contestants"].items():
        rows.append(
            [
                CODEC_WORDS[name],
                *(three_digits(facts[key]) for key in ("encode_ns", "decode_ns", "ns")),
                _faster(case, name),
                three_digits(read["contestants"][name]["ns"]),
                _faster(read, name),
                f"{facts['bytes']:.1f}",
            ]
        )
    head = [f"{kind}, {receipt['batch']:,} at a time", "encode, ns", "decode, ns", "both"]
    head += ["struct ÷", "all read", "struct ÷", "bytes"]
    note = f"{_codec_note([case, read])}; all read: every field is added up too"
    return Grid(f"codecs: batches of {kind}", head, rows, 7, note)


def codecs_c(receipt: Receipt) -> Grid:
    """The same in C."""
    cases = [receipt["cases"][f"c_{kind}"] for kind in _KINDS]
    rows = []
    for name, words in LOOP_WORDS.items():
        cells = []
        for case in cases:
            facts = case["contestants"][name]
            cells += [three_digits(facts["ns"]), three_digits(facts["net_ns"])]
            cells.append(f"{facts['bytes']:.1f}")
        rows.append([words, *cells])
    head = ["in C"]
    for kind in _KINDS:
        head += [f"{kind}, ns", "above the floor", "bytes"]
    note = "Encoded, decoded, and all fields added up; " + _noise(cases)
    return Grid("codecs: C", head, rows, 6, note)


def codecs_sizes(receipt: Receipt) -> Grid:
    """From what size of batch on a call into C pays."""
    found = receipt["sizes"]
    rows = [
        [
            f"{size:,}",
            *(three_digits(times[place]) for times in found["ns"].values()),
            three_digits(found["speedup"][place]),
        ]
        for place, size in enumerate(found["sizes"])
    ]
    head = ["events in a batch", *(CODEC_WORDS[name] for name in found["ns"])]
    head.append("struct ÷ flat")
    return Grid("codecs: sizes of batches", head, rows, len(head), "Nanoseconds per event.")


def itch(receipt: Receipt) -> Grid:
    """Everyone who reads ITCH, on both streams."""
    cases = list(receipt["cases"].values())
    rows = []
    for name in cases[0]["contestants"]:
        cells = []
        for case in cases:
            facts = case["contestants"][name]
            cells += [three_digits(facts["ns"]), f"{facts['per_second'] / _MILLI:.1f}"]
            cells.append(_faster(case, name))
        rows.append([ITCH_WORDS[name], *cells])
    head = ["ITCH 5.0"]
    for words in ("AAPL's types", "all book types"):
        head += [f"{words}, ns", "million/s", "itchfeed ÷"]
    note = f"{cases[0]['messages']:,} messages; at hand: into memory there already; {_noise(cases)}"
    note += "".join(f"; {ITCH_WORDS[name]}: {why}" for name, why in receipt["missing"].items())
    return Grid("ITCH", head, rows, 6, note)


def multicast_packing(receipt: Receipt) -> Grid:
    """Throughput against how many messages share a datagram."""
    case = receipt["cases"]["packing"]
    rows = [
        [
            name,
            f"{facts['datagram_bytes']:,}",
            f"{facts['per_second']:,}",
            f"{facts['datagrams_per_second']:,}",
            three_digits(facts["ns"]),
            _faster(case, name),
            f"{facts['kernel_drops']:,}" if facts["kernel_drops"] >= 0 else "not known",
            f"{facts['requests']:,}",
        ]
        for name, facts in case["contestants"].items()
    ]
    head = ["in a datagram", "bytes", "messages/s", "datagrams/s", "ns per message"]
    head += ["faster by", "dropped", "requests"]
    note = f"64-byte messages between two processes, {receipt['transport']}, {_noise([case])}"
    return Grid("multicast: packing", head, rows, 8, note)


def multicast_latency(receipt: Receipt) -> Grid:
    """From when a message was due to when its subscriber has it."""
    latency = receipt["latency"]
    rows = [
        [
            f"{int(rate):,}",
            *(three_digits(facts[key] / _MICRO) for key in ("p50", "p99", "p99_9", "max")),
            three_digits(facts["latest_ns"] / _MICRO),
            three_digits(facts["samples"] / facts["datagrams"]),
            f"{facts['requests']:,}",
        ]
        for rate, facts in latency.items()
        if rate != "machine"
    ]
    head = ["messages/s due", "P50, µs", "P99, µs", "P99.9, µs", "longest, µs"]
    head += ["sent late by, µs", "in a datagram", "requests"]
    machine = latency["machine"]
    note = (
        f"medians of {latency[min(latency)]['runs']} runs, and the longest of all; a thread that "
        f"only looked at the clock was kept from it {machine['gaps']:,} times in "
        f"{machine['seconds']:.2g} s, {three_digits(machine['longest'] / _MICRO)} µs at the longest"
    )
    return Grid("multicast: latency, open loop", head, rows, 8, note)


def multicast_recovery(receipt: Receipt) -> Grid:
    """What it costs to lose datagrams and get them again, in C."""
    case = receipt["cases"]["recovery"]
    rows = [
        [
            LOSS_WORDS[name],
            three_digits(facts["ns"]),
            "1" if name == case["ours"] else _times(case, "", facts["times_ours"]),
            *(f"{facts[key]:,}" for key in ("lost_datagrams", "gaps", "requests")),
            three_digits(facts["channel_ns"] / _MILLI),
        ]
        for name, facts in case["contestants"].items()
    ]
    head = ["a whole session", "ns per message", "times none lost", "datagrams lost"]
    head += ["gaps", "requests", "made-up ms"]
    messages = next(iter(case["contestants"].values()))["commands"]
    note = f"{messages:,} messages, 22 in a datagram; {_noise([case])}"
    return Grid("multicast: recovery", head, rows, 6, note)


def multicast_parts(receipt: Receipt) -> Grid:
    """What the parts of the way cost."""
    parts, kernel = (receipt["cases"][name]["contestants"] for name in ("parts", "kernel"))
    rows = [
        [words, three_digits(parts[name]["ns"]), three_digits(22 * parts[name]["ns"])]
        for name, words in PART_WORDS.items()
    ]
    rows += [
        [words, three_digits(kernel[name]["ns"] / 22), three_digits(kernel[name]["ns"])]
        for name, words in KERNEL_WORDS.items()
    ]
    head = ["a part of the way", "ns per message", "ns per full datagram"]
    note = "The kernel's: a datagram sent and received in one thread, over loopback."
    return Grid("multicast: parts", head, rows, 2, note)


def multicast_dead(receipt: Receipt) -> Grid:
    """What a subscriber that never reads costs the publisher."""
    head = ["subscribers", "publish, ns per message", "ns per datagram", "times", "dropped"]
    case = receipt["cases"].get("dead")
    if case is None:
        rows = [[words, *["–"] * 4] for words in DEAD_WORDS.values()]
        note = f"Not measured here, where the transport is {receipt['transport']}"
        return Grid("multicast: a dead subscriber", head, rows, 4, note)
    rows = []
    for name, words in DEAD_WORDS.items():
        facts = case["contestants"][name]
        share = "–"
        if name == "dead":
            drops = facts["kernel_drops"]
            share = f"{drops / facts['datagrams']:.1%}" if drops >= 0 else "not known"
        cells = [three_digits(facts["ns"]), three_digits(22 * facts["ns"])]
        rows.append([words, *cells, _times(case, name, facts["times_ours"]), share])
    note = f"The publisher's own time; 22 messages in a datagram, one machine; {_noise([case])}"
    return Grid("multicast: a dead subscriber", head, rows, 4, note)


def codecs_shown(receipt: Receipt) -> Iterator[Grid]:
    """What is printed after the suite ``codecs``."""
    yield codecs_single(receipt)
    for kind in _KINDS:
        yield codecs_batch(receipt, kind)
    yield codecs_sizes(receipt)
    yield codecs_c(receipt)


def multicast_shown(receipt: Receipt) -> Iterator[Grid]:
    """What is printed after the suite ``multicast``."""
    yield multicast_packing(receipt)
    yield multicast_latency(receipt)
    yield multicast_recovery(receipt)
    yield multicast_parts(receipt)
    yield multicast_dead(receipt)


def _faster(case: Receipt, name: str) -> str:
    """A contestant's speed-up over its case's baseline, where that ran."""
    facts = case["contestants"][name]
    return _times(case, name, facts["speedup"]) if "speedup" in facts else "–"


def _slower(case: Receipt, name: str) -> str:
    """How many times as long as its case's baseline a contestant takes."""
    return _times(case, name, 1 / case["contestants"][name]["speedup"])


def _times(case: Receipt, name: str, ratio: float) -> str:
    """A ratio in few letters, for tables with many columns."""
    if name == case["baseline"]:
        return "1"
    return f"{three_digits(ratio)}×" if is_distinguishable(ratio, case["noise_floor"]) else "≈ 1"


def _noise(cases: list[Receipt]) -> str:
    return f"noise floor {max(case['noise_floor'] for case in cases):.2f}"


def _codec_note(cases: list[Receipt]) -> str:
    return f"Nanoseconds per message, encoded and decoded; {_noise(cases)}"
