"""The tables of ``rings.json``, for the terminal and word for word the same for the book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from matchbook.bench.interleave import three_digits, verdict
from matchbook.bench.tables import Grid

Receipt = Mapping[str, Any]

WORDS: Final = {
    "locked": "queue under a mutex",
    "boost": "boost `spsc_queue`",
    "moodycamel": "moodycamel `ReaderWriterQueue`",
    "sequencer": "our sequencer",
    "spsc": "our SPSC ring",
    "queue": "`queue.Queue`",
    "deque": "`collections.deque`",
    "simple_queue": "`queue.SimpleQueue`",
    "mp_queue": "`multiprocessing.Queue`",
    "mp_pipe": "`multiprocessing.Pipe`, `send_bytes`",
    "shared_lock": "`shared_memory` and a `Lock`",
    "ring": "our SPSC ring",
    "ring_spin": "our SPSC ring, spinning",
    "ring_in_place": "our SPSC ring, in place",
    "c_to_python": "our SPSC ring, from C",
    "python_to_c": "our SPSC ring, to C",
}
VERSIONS: Final = {
    "shared": ("one line", "looks at the other's each time"),
    "shared_copy": ("one line", "keeps a copy"),
    "apart": ("a line each", "looks at the other's each time"),
    "apart_copy": ("a line each", "keeps a copy"),
}
COUNTERS: Final = {
    "store": "load and store, relaxed",
    "fetch_add": "`fetch_add`, relaxed",
}
OPERATIONS: Final = {
    "store_relaxed": "store, relaxed",
    "store_release": "store, release",
    "store_seq_cst": "store, seq_cst",
    "fetch_add": "`fetch_add`",
    "compare_exchange": "`compare_exchange`",
}
ORDER_WORDS: Final = {
    "relaxed": "relaxed",
    "acquire_release": "release, acquire",
    "seq_cst": "seq_cst",
}
SHAPE_WORDS: Final = {
    "store_buffer": "store buffer: `x=1; r0=y` ∥ `y=1; r1=x`",
    "message": "message: `x=1; y=1` ∥ `r0=y; r1=x`",
}
PLACE_WORDS: Final = {"apart": "a core each", "one_core": "one core for both"}
_MICRO: Final = 1e3


def c_transfer(receipt: Receipt) -> Grid:
    """Carriers in C: nanoseconds per record one way, and the round trip."""
    cases = receipt["cases"]
    singly, batches = (cases[f"c_{way}"]["contestants"] for way in ("singly", "batches"))
    trips = cases["c_round_trip"]["contestants"]
    rows = []
    for name, facts in singly.items():
        in_place = batches.get(f"{name}_in_place")
        rows.append(
            [
                WORDS[name],
                three_digits(facts["ns"]),
                three_digits(batches[name]["ns"]) if name in batches else "–",
                three_digits(in_place["ns"]) if in_place else "–",
                *(f"{trips[name][rank]:,}" for rank in ("p50", "p99", "p99_9")),
            ]
        )
    head = ["64-byte records", "singly", f"batches of {receipt['batch']}", "in place"]
    head += ["round trip P50", "P99", "P99.9"]
    note = f"Nanoseconds per record; noise floor {cases['c_singly']['noise_floor']:.2f} singly"
    note += f", {cases['c_batches']['noise_floor']:.2f} in batches"
    note += "".join(f"; {WORDS[name]} left out: {why}" for name, why in _missing(receipt))
    return Grid("C to C", head, rows, len(head) - 1, note)


def c_producers(receipt: Receipt) -> Grid:
    """Two producers, one consumer."""
    case = receipt["cases"]["c_producers"]
    words = {
        "locked": "queue under a mutex, singly",
        "sequencer": "our sequencer, singly",
        "sequencer_batches": f"our sequencer, batches of {receipt['batch']}",
        "sequencer_in_place": "our sequencer, in place",
    }
    rows = [
        [
            words[name],
            three_digits(facts["ns"]),
            f"{facts['per_second'] / 1e6:.1f}",
            "1" if name == case["ours"] else verdict(facts["times_ours"], case["noise_floor"]),
        ]
        for name, facts in case["contestants"].items()
    ]
    producers = case["pinned_cores"][:-1]
    shared = "one core for both producers" if len(set(producers)) == 1 else "a core each"
    head = ["two producers", "ns per record", "million/s", "times the sequencer's"]
    return Grid("C, two producers", head, rows, 3, f"Waiting by {case['wait']}, {shared}.")


def c_versions(receipt: Receipt) -> Grid:
    """One simple ring, four times: where its cursors lie, and who looks at them how often."""
    case = receipt["cases"]["c_versions"]
    rows = [
        [
            *words,
            three_digits(case["contestants"][name]["ns"]),
            "1"
            if name == case["ours"]
            else verdict(case["contestants"][name]["times_ours"], case["noise_floor"]),
            three_digits(case["contestants"][name]["behind_producer_ns"]),
            three_digits(case["contestants"][name]["behind_consumer_ns"]),
        ]
        for name, words in VERSIONS.items()
    ]
    head = ["the two cursors", "a side", "right behind, ns", "times the last"]
    head += ["far behind: producer, ns", "consumer, ns"]
    note = "Nanoseconds per record, singly; the consumer right behind the producer, or far"
    return Grid("one ring, four versions", head, rows, 4, note)


def python_channels(receipt: Receipt, sides: str) -> Grid:
    """Channels between ``threads`` or ``processes``: one way and there and back."""
    cases = receipt["cases"]
    singly, batches, trips = (
        cases[f"{sides}_{way}"] for way in ("singly", "batches", "round_trip")
    )
    rows = []
    for name, facts in singly["contestants"].items():
        trip = trips["contestants"].get(name)
        part = batches["contestants"][name]
        rows.append(
            [
                WORDS[name],
                three_digits(facts["ns"]),
                f"{facts['per_second']:,}",
                three_digits(part["ns"]),
                f"{part['per_second']:,}",
                *(three_digits(trip[rank] / _MICRO) if trip else "–" for rank in ("p50", "p99")),
            ]
        )
    head = [f"between {sides}", "singly, ns", "records/s"]
    head += [f"batches of {receipt['batch']}, ns", "records/s", "round trip P50, µs", "P99, µs"]
    note = f"Nanoseconds per record; noise floor {singly['noise_floor']:.2f} singly"
    note += f", {batches['noise_floor']:.2f} in batches"
    return Grid(f"Python, {sides}", head, rows, len(head) - 1, note)


def sharing(receipt: Receipt) -> Grid:
    """Two counters of two threads, on one cache line and on two."""
    found = receipt["sharing"]
    rows = [
        [
            words,
            *(
                three_digits(found["counters"][f"{way}_{place}"]["ns"])
                for place in ("alone", "apart", "shared")
            ),
            verdict(found["shared_times_apart"][way], found["noise_floor"]),
        ]
        for way, words in COUNTERS.items()
    ]
    head = ["a step", "one thread", "two, a line each", "two, one line", "one line slower by"]
    return Grid("false sharing", head, rows, 4, "Nanoseconds per step of each thread.")


def operations(receipt: Receipt) -> Grid:
    """What an atomic operation costs a thread that has the line to itself."""
    found = receipt["orders"]["operations"]
    rows = [[words, three_digits(found[kind]["ns"])] for kind, words in OPERATIONS.items()]
    return Grid("atomic operations", ["on a word of one's own", "ns"], rows, 1)


def litmus(receipt: Receipt) -> Grid:
    """The outcomes of the litmus tests: allowed or forbidden, and how often seen."""
    rows = [
        [
            SHAPE_WORDS[shape],
            ORDER_WORDS[order],
            *(
                f"{facts['seen']:,}" if facts["allowed"] else f"{facts['seen']:,}, forbidden"
                for facts in outcomes.values()
            ),
        ]
        for shape, orders in receipt["orders"]["litmus"].items()
        for order, outcomes in orders.items()
    ]
    head = ["program", "orders", "r0, r1 = 0, 0", "0, 1", "1, 0", "1, 1"]
    note = f"How often seen in {receipt['orders']['tries']:,} rounds; all others are allowed."
    return Grid("litmus tests", head, rows, 4, note)


def waits(receipt: Receipt) -> Grid:
    """Each way to wait: what it costs in time and in processor."""
    rows = [
        [
            PLACE_WORDS[place],
            strategy,
            three_digits(facts["ns"]),
            *(three_digits(facts[rank] / _MICRO) for rank in ("p50", "p99")),
            f"{facts['busy_cpu']:.2f}",
            f"{facts['idle_cpu']:.3f}",
        ]
        for place in PLACE_WORDS
        for strategy, facts in receipt["waits"][place].items()
    ]
    head = ["producer and consumer", "wait", "ns per record", "round trip P50, µs", "P99, µs"]
    head += ["cores busy, carrying", "cores busy, idle"]
    return Grid("wait strategies", head, rows, 5, "SPSC ring, singly.")


def shown(receipt: Receipt) -> Iterator[Grid]:
    """What is printed after the suite."""
    yield c_transfer(receipt)
    yield c_producers(receipt)
    yield c_versions(receipt)
    yield python_channels(receipt, "threads")
    yield python_channels(receipt, "processes")
    yield sharing(receipt)
    yield operations(receipt)
    yield litmus(receipt)
    yield waits(receipt)


def _missing(receipt: Receipt) -> Iterator[tuple[str, str]]:
    yield from receipt["missing_peers"].items()
