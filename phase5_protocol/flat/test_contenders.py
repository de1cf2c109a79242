"""All ways write and read the same: a benchmark of wrong ones would be won by the worst."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from contract.messages import Command, CommandKind, Event, EventKind, Reason, new
from contract.records import COMMAND_DTYPE, EVENT_DTYPE, to_command_array, to_event_array
from contract.workload import generate
from phase5_protocol.flat.contenders import (
    batches,
    rows_of,
    singles,
    total_of_records,
    total_of_rows,
)
from phase5_protocol.flat.native import LOOPS, encode, make_loop

COMMANDS = np.concatenate(
    [
        generate("normal", 300)[-200:],
        to_command_array(
            [
                new(2**64 - 1, 1, -(2**63), 2**64 - 1, account=2**32 - 1, post_only=True),
                Command(CommandKind.NEW, 1, 1, 2**63 - 1, 1, 1, 2, 3, 1, 7, 2**32 - 1, 2**64 - 1),
                Command(CommandKind.CANCEL, 2**63, side=1, account=9),
            ]
        ),
    ]
)
EVENTS = to_event_array(
    [
        Event(EventKind.ACCEPTED, 1, 7, 0, 1, -5, 2**40 - 1, 2**40 - 1, 0, 9, 2**32 - 1),
        Event(EventKind.TRADE, 2, 2**64 - 1, 2**63, 0, 2**63 - 1, 5, 3, 0, 2**64 - 1, 3),
        Event(EventKind.CANCELLED, 2**64 - 1, 7, 0, 1, -(2**63), 3, 0, Reason.IOC, 9, 3),
        Event(EventKind.REJECTED, 4, 0, 0, 255, 1, 2**64 - 1, 0, Reason.BOOK_FULL, 9, 3),
    ]
    * 20
)
RECORDS = {"commands": COMMANDS, "events": EVENTS}
SINGLES = [(kind, each) for kind in RECORDS for each in singles(RECORDS[kind].dtype)]
BATCHES = [(kind, each) for kind in RECORDS for each in batches(RECORDS[kind].dtype)]


def test_nobody_is_missing() -> None:
    """A contender left out because it is not installed would look like one that lost."""
    for dtype in (COMMAND_DTYPE, EVENT_DTYPE):
        names = {each.name for each in singles(dtype)}
        assert names == {"struct", "cffi", "ctypes", "numpy", "flat", "sbe", "msgpack", "json"}
        assert {each.name for each in batches(dtype)} == names | {"sbe in C"}


@pytest.mark.parametrize(("kind", "way"), SINGLES, ids=lambda each: getattr(each, "name", each))
def test_one_message_comes_back_as_it_was(kind: str, way: object) -> None:
    """A field lost or cut short would make a contender faster."""
    for row in rows_of(RECORDS[kind]):
        assert way.decode(way.encode(row)) == row  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "way"), BATCHES, ids=lambda each: getattr(each, "name", each))
def test_a_batch_comes_back_whole(kind: str, way: object) -> None:
    """The total must depend on every record, and be the same in every form."""
    records = RECORDS[kind]
    source = way.prepare(records)  # type: ignore[attr-defined]
    decoded = way.decode(way.encode(source))  # type: ignore[attr-defined]
    assert len(decoded) == len(records)
    assert way.total(decoded) == total_of_records(records)  # type: ignore[attr-defined]
    if isinstance(decoded, list):
        assert decoded == rows_of(records)
    else:
        names = set(decoded.dtype.names) & set(records.dtype.names or ())
        assert len(names) >= len(records.dtype.names or ()) - 1, "all but the reserved byte"
        assert all((decoded[name] == records[name]).all() for name in names)


@pytest.mark.parametrize("kind", RECORDS)
def test_those_that_send_records_send_the_same_bytes(kind: str) -> None:
    """They claim to be the same format: then one's bytes must be readable by all others."""
    records = RECORDS[kind]
    same = {"struct", "ctypes", "numpy", "flat", "cffi"}
    for way in batches(records.dtype):
        if way.name in same:
            assert bytes(way.encode(way.prepare(records))) == bytes(encode(records)), way.name
    row = rows_of(records)[0]
    for each in singles(records.dtype):
        if each.name in same:
            assert each.encode(row) == records[:1].tobytes(), each.name


@pytest.mark.parametrize("kind", RECORDS)
def test_a_total_sees_every_field(kind: str) -> None:
    """Work whose result nobody looks at can be left out, by a compiler or by a view."""
    records = RECORDS[kind]
    assert total_of_records(records) == total_of_rows(rows_of(records))
    for name in records.dtype.names or ():
        changed = records.copy()
        changed[name][-1] ^= 1
        assert total_of_records(changed) != total_of_records(records), name


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize("loop", LOOPS)
def test_the_loops_in_c_read_what_python_reads(kind: str, loop: str) -> None:
    """The floor and the formats must do the same work, on every message of every round."""
    records = RECORDS[kind]
    run = make_loop(loop, records)
    assert [run(rounds) for rounds in (0, 1, 3)] == [
        rounds * total_of_records(records) % 2**64 for rounds in (0, 1, 3)
    ]


def test_an_unknown_loop_is_named() -> None:
    """A misspelt one would be measured as nothing."""
    with pytest.raises(ValueError, match="no loop 'flatt'"):
        make_loop("flatt", COMMANDS)


def test_without_msgspec_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not among what the package needs to run."""
    monkeypatch.setitem(sys.modules, "msgspec", None)
    names = {each.name for each in singles(COMMAND_DTYPE)}
    assert "struct" in names
    assert "json" not in names
