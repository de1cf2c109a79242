"""Suite ``itch``: what it costs to read an exchange's feed, from objects in Python down to C.

All contestants get the same stream, a BinaryFILE made by ``phase5_protocol/itch/sample.py`` with
the mix of types of an hour of AAPL, and make of it what is natural to them: objects, tuples, an
array a type, a record a message. The sums over everything that they made must be the same.

Two of them are *loop only*: the memory for the result is there already. The others pay for theirs,
as a program does that decodes a file once.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, replace
from typing import Any, Final

from matchbook.bench.interleave import Outcome, WrongAnswerError, measure
from matchbook.bench.rings_effects import samples_facts
from matchbook.bench.trial import TWIN, Session, clock, twin_noise_floor
from phase5_protocol.itch import native
from phase5_protocol.itch.contenders import CONTENDERS, Answer, Contender
from phase5_protocol.itch.sample import AAPL_HOUR, BOOK_TYPES, generate_day

NAME: Final = "itch"
ROUNDS: Final = 9
#: Names of the contestants in the results, in the order of ``CONTENDERS``.
NAMES: Final = {
    "itchfeed": "itchfeed",
    "struct per message": "struct",
    "numpy per type": "numpy",
    "C split, numpy views": "c_split",
    "C tables": "c_tables",
    "C records": "c_records",
    "C tables, loop only": "c_tables_loop",
    "C records, loop only": "c_records_loop",
}
BASELINE: Final = "itchfeed"
OURS: Final = "c_tables"
#: What each case's stream is made of.
MIXES: Final = {"aapl": AAPL_HOUR, "book": BOOK_TYPES}
_MESSAGES: Final = 50_000
_QUICK_MESSAGES: Final = 500
#: How often those in C go over the stream in one run.
_REPEATS: Final = 20
_SEED: Final = 5


def run(session: Session) -> dict[str, Any]:
    """Measure every contender; the content of ``itch.json``."""
    rounds = session.rounds_of(ROUNDS)
    cases = {}
    for name, mix in MIXES.items():
        session.step(f"{name}: making messages")
        count = _QUICK_MESSAGES if session.quick else _MESSAGES
        cases[name] = measure_stream(
            session, name, generate_day(count, seed=_SEED, mix=mix), rounds
        )
    return {
        "seed": _SEED,
        "rounds": rounds,
        "noise_floor": max(case["noise_floor"] for case in cases.values()),
        "missing": {NAMES[each.name]: f"{each.needs} is not installed" for each in missing()},
        "cases": cases,
    }


def missing() -> list[Contender]:
    """Those that cannot run here."""
    return [each for each in CONTENDERS if not each.is_available]


@dataclass
class StreamTrial:
    """A contender on a whole stream."""

    name: str
    contender: Contender
    data: bytes
    messages: int
    expected: Answer
    repeats: int = 1

    def run(self) -> Outcome:
        """Decode the stream so many times, and verify the sums over what came of the last.

        Raises:
            WrongAnswerError: they are others.
        """
        decode = self.contender.prepare(self.data)
        made = decode() if self.repeats > 1 else None  # touch the memory that is there beforehand
        gc.collect()
        started = clock()
        for _ in range(self.repeats):
            made = None  # as a program would that goes over its stream once
            made = decode()
        seconds = clock() - started
        found = self.contender.answer(made)
        if found != self.expected:
            raise WrongAnswerError(f"{self.name} reads {found}, not {self.expected}")
        return Outcome(seconds, self.repeats * self.messages, "")


def measure_stream(session: Session, what: str, data: bytes, rounds: int) -> dict[str, Any]:
    """All contenders on one stream, interleaved: a case of ``itch.json``."""
    counted = native.scan(data, native.Flag.LAST)
    reference = CONTENDERS[1]  # the one that is plain to see: struct, a message at a time
    expected = reference.answer(reference.prepare(data)())
    trials = [
        StreamTrial(
            NAMES[each.name],
            each,
            data,
            counted.messages,
            expected,
            _REPEATS if each.name.startswith("C ") and not session.quick else 1,
        )
        for each in CONTENDERS
        if each.is_available
    ]
    (mine,) = (trial for trial in trials if trial.name == OURS)
    twin = replace(mine, name=OURS + TWIN)
    samples = measure([*trials, twin], rounds, step=session.stepper(f"{what}: "))
    return {
        "messages": counted.messages,
        "bytes": len(data),
        "bytes_per_message": len(data) / counted.messages,
        "counts": counted.counts,
        "baseline": BASELINE,
        "ours": OURS,
        "noise_floor": twin_noise_floor(samples),
        "contestants": samples_facts(samples, OURS, BASELINE),
    }
