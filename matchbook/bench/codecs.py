"""Suite ``codecs``: what it costs to make bytes of a message, and a message of bytes.

::

    single   a tuple of integers ─▶ encode ─▶ bytes ─▶ decode ─▶ a tuple     a message a call
    batch    many messages ─▶ encode ─▶ bytes ─▶ decode ─▶ many messages     a batch a call
    read     the same, and every field of what was decoded added up
    c        the same in C: the floor encodes nothing, and adds up the records as they are

The ways are those of ``phase5_protocol/flat/contenders.py``. Messages are the last of the public
benchmark's normal workload, and the events that they lead to. What was decoded is compared, field
for field, with what was encoded, after every run and before its time counts.

Messages one at a time are a tuple in every way, since that is what such a program handles; the form
of a batch is each way's own. ``sizes`` shows where batches begin to pay.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from contract.records import RecordArray, empty_events
from contract.workload import generate
from matchbook.bench.interleave import Contestant, Outcome, Samples, WrongAnswerError, measure
from matchbook.bench.rings_effects import samples_facts
from matchbook.bench.trial import FLOOR, TWIN, Session, clock, twin_noise_floor
from matchbook.engines import load_engine
from phase5_protocol.flat.contenders import (
    Batch,
    Row,
    Single,
    batches,
    rows_of,
    singles,
    total_of_records,
)
from phase5_protocol.flat.native import LOOPS, make_loop

NAME: Final = "codecs"
ROUNDS: Final = 15
OURS: Final = "flat"
BASELINE: Final = "struct"
#: Messages of a batch; how many batches of ``sizes`` hold, the third as many as fit a datagram.
BATCH: Final = 1024
SIZES: Final = (1, 4, 22, 64, 256, 1024, 4096)
#: Whom ``sizes`` shows.
SIZED: Final = ("struct", "msgpack", "sbe_c", "numpy", "flat")
#: Orders of the workload; its last messages are taken, when its book is built.
_ORDERS: Final = 3_000
#: Of one run: messages one at a time; messages of each batch size in all; messages in C.
_SINGLES: Final = 512
_QUICK_SINGLES: Final = 32
_SIZED: Final = 16_384
_IN_C: Final = 1 << 20
#: Batches of a run, where they go fast: a run should be longer than the clock's unit by far.
_REPEATS: Final = {"numpy": 200, "flat": 200, "sbe_c": 50, "sbe": 1, "ctypes": 1}
_SEED: Final = 23


def run(session: Session) -> dict[str, Any]:
    """Measure everything; the content of ``codecs.json``."""
    rounds = session.rounds_of(ROUNDS)
    kinds = make_records()
    cases = {}
    for kind, records in kinds.items():
        cases[f"single_{kind}"] = measure_singles(session, kind, records, rounds)
        cases[f"batch_{kind}"] = measure_batches(session, kind, records, rounds)
        cases[f"read_{kind}"] = measure_batches(session, kind, records, rounds, read=True)
        cases[f"c_{kind}"] = measure_loops(session, kind, records, rounds)
    return {
        "seed": _SEED,
        "rounds": rounds,
        "noise_floor": max(case["noise_floor"] for case in cases.values()),
        "batch": BATCH,
        "cases": cases,
        "sizes": measure_sizes(session, kinds["events"], max(2, rounds // 3)),
    }


def make_records() -> dict[str, RecordArray]:
    """Commands of an ordinary day with the book built, and the events of the same; BATCH of each.

    Stamped with a sequence, as they are on their way through an exchange.
    """
    commands = generate("normal", _ORDERS, _SEED)
    room = empty_events(3 * len(commands))
    with load_engine("phase1")() as engine:
        _, written = engine.apply_batch(commands, room)
    events = room[:written]
    events["timestamp_ns"] = 34_200 * 10**9
    return {"commands": commands[-BATCH:].copy(), "events": events[-BATCH:].copy()}


@dataclass
class SingleTrial:
    """Messages one at a time: each is encoded and decoded before the next."""

    name: str
    way: Single
    rows: list[Row]

    def run(self) -> Outcome:
        """Encode and decode all, and compare what comes back.

        Raises:
            WrongAnswerError: a message is another than before.
        """
        encode, decode = self.way.encode, self.way.decode
        started = clock()
        decoded = [decode(encode(row)) for row in self.rows]
        seconds = clock() - started
        if decoded != self.rows:
            raise WrongAnswerError(f"{self.name}: a message comes back as another")
        return Outcome(seconds, len(self.rows), "")


@dataclass
class BatchTrial:
    """All messages in one call each way, so many times.

    Attributes:
        read: add up every field of what was decoded within the time.
        halves: seconds of encoding and of decoding, of each run, per message.
    """

    name: str
    way: Batch
    records: RecordArray
    repeats: int = 1
    read: bool = False
    halves: list[tuple[float, float]] = field(default_factory=list)

    def run(self) -> Outcome:
        """Encode and decode all, and compare the sum of all fields.

        Raises:
            WrongAnswerError: it is another, or there are more or fewer messages.
        """
        encode, decode, total = self.way.encode, self.way.decode, self.way.total
        source = self.way.prepare(self.records)
        repeats = range(self.repeats)
        decode(encode(source))  # what is made on first use is there when the clock starts
        started = clock()
        for _ in repeats:
            wire = encode(source)
        between = clock()
        for _ in repeats:
            decoded = decode(wire)
            if self.read:
                found = total(decoded)
        seconds = clock() - started
        count = len(self.records)
        if not self.read:
            found = total(decoded)
        if len(decoded) != count or found != total_of_records(self.records):
            raise WrongAnswerError(f"{self.name}: other messages than were encoded")
        encoded = between - started
        every = count * self.repeats
        self.halves.append((encoded / every, (seconds - encoded) / every))
        return Outcome(seconds, every, "")


@dataclass
class LoopTrial:
    """A loop in C over all messages, so many times."""

    name: str
    loop: str
    records: RecordArray
    repeats: int

    def run(self) -> Outcome:
        """Run the loop and compare the sum of all fields that it read.

        Raises:
            WrongAnswerError: it is another.
        """
        loop = make_loop(self.loop, self.records)
        loop(1)
        started = clock()
        found = loop(self.repeats)
        seconds = clock() - started
        if found != self.repeats * total_of_records(self.records) % 2**64:
            raise WrongAnswerError(f"{self.name}: C has read other messages than were encoded")
        return Outcome(seconds, self.repeats * len(self.records), "")


@dataclass
class RowsFloorTrial:
    """What Python takes to call two functions for each row, which do nothing."""

    rows: list[Row]
    name: str = FLOOR

    def run(self) -> Outcome:
        """Call them."""
        nothing = _same
        started = clock()
        for row in self.rows:
            nothing(nothing(row))
        return Outcome(clock() - started, len(self.rows), "")


def measure_singles(
    session: Session, kind: str, records: RecordArray, rounds: int
) -> dict[str, Any]:
    """One message at a time, from Python."""
    rows = rows_of(records[-(_QUICK_SINGLES if session.quick else _SINGLES) :])
    trials = [SingleTrial(slug(way.name), way, rows) for way in singles(records.dtype)]
    case = compare(session, f"single {kind}", [RowsFloorTrial(rows), *trials], rounds)
    sizes = {
        each.name: sum(len(each.way.encode(row)) for row in rows) / len(rows) for each in trials
    }
    return _with_bytes(case, sizes)


def measure_batches(
    session: Session, kind: str, records: RecordArray, rounds: int, *, read: bool = False
) -> dict[str, Any]:
    """Many messages at a time, from Python; with ``read``, all fields are read too."""
    trials = [
        BatchTrial(name, way, records, 1 if session.quick else _REPEATS.get(name, 3), read)
        for name, way in named_batches(records).items()
    ]
    case = compare(session, f"batch {kind}", trials, rounds)
    for trial in trials:
        encoded, decoded = (
            statistics.median(half) * 1e9 for half in zip(*trial.halves, strict=True)
        )
        case["contestants"][trial.name] |= {"encode_ns": encoded, "decode_ns": decoded}
    sizes = {each.name: _wire_bytes(each.way, records) for each in trials}
    return _with_bytes(case, sizes)


def measure_loops(session: Session, kind: str, records: RecordArray, rounds: int) -> dict[str, Any]:
    """In C; ``net_ns`` is what remains when the floor's time is taken off."""
    repeats = 2 if session.quick else _IN_C // len(records)
    trials = [LoopTrial(name, name, records, repeats) for name in LOOPS]
    case = compare(session, f"C, {kind}", trials, rounds, baseline="sbe")
    floor = case["contestants"][FLOOR]["ns"]
    for name, facts in case["contestants"].items():
        facts["net_ns"] = facts["ns"] - floor
        facts["bytes"] = _bytes_each(records, "sbe_c" if name == "sbe" else "struct")
    return case


def compare(
    session: Session,
    what: str,
    trials: Sequence[Contestant],
    rounds: int,
    baseline: str = BASELINE,
) -> dict[str, Any]:
    """Contestants interleaved, and ours a second time: a case of ``codecs.json``."""
    (mine,) = (trial for trial in trials if trial.name == OURS)
    gc.collect()  # once: what is made here is gone without it
    twin = replace(mine, name=OURS + TWIN)  # type: ignore[type-var]
    samples = measure([*trials, twin], rounds, step=session.stepper(f"{what}: "))
    return {
        "baseline": baseline,
        "ours": OURS,
        "noise_floor": twin_noise_floor(samples),
        "contestants": samples_facts(samples, OURS, baseline),
    }


def measure_sizes(session: Session, events: RecordArray, rounds: int) -> dict[str, Any]:
    """Nanoseconds a message in batches of each size; the smallest at which ours is the faster."""
    repeated = np.tile(events, -(-SIZES[-1] // len(events)))
    found: dict[str, list[float]] = {name: [] for name in SIZED}
    ratios = []
    for size in SIZES:
        records = repeated[:size]
        times = 1 if session.quick else max(4, _SIZED // size)
        trials = [
            BatchTrial(name, way, records, times)
            for name, way in named_batches(records).items()
            if name in SIZED
        ]
        gc.collect()
        samples: Samples = measure(trials, rounds, step=session.stepper(f"batches of {size}: "))
        for name in samples.times:
            found[name].append(samples.median(name) * 1e9)
        ratios.append(samples.ratio(BASELINE, OURS).median)
    sizes: dict[str, Any] = {
        "sizes": list(SIZES),
        "ns": {name: times for name, times in found.items() if times},
        "speedup": ratios,
    }
    pays = [size for size, ratio in zip(SIZES, ratios, strict=True) if ratio > 1]
    return sizes | ({"pays_from": pays[0]} if pays else {})


def named_batches(records: RecordArray) -> dict[str, Batch]:
    """All ways to write and read such records, by their names in the results."""
    return {slug(way.name): way for way in batches(records.dtype)}


def slug(name: str) -> str:
    """A contender's name as it stands in a path: ``sbe in C`` is ``sbe_c``."""
    return name.replace(" in C", "_c")


def _same(row: Any) -> Any:
    return row


def _wire_bytes(way: Batch, records: RecordArray) -> float:
    """Bytes that a way writes for a message, on average."""
    return len(way.encode(way.prepare(records))) / len(records)


def _bytes_each(records: RecordArray, name: str) -> float:
    return _wire_bytes(named_batches(records)[name], records)


def _with_bytes(case: dict[str, Any], sizes: dict[str, float]) -> dict[str, Any]:
    for name, size in sizes.items():
        case["contestants"][name]["bytes"] = size
    return case
