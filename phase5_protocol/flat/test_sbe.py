"""SBE: the schema's codec and the one in C agree, and a schema can grow under either of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import CommandKind, Event, cancel, mass_cancel, new, replace
from contract.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    RecordArray,
    to_command_array,
    to_commands,
    to_event_array,
)
from phase5_protocol.flat.native import SbeOutcome, sbe_decode, sbe_encode
from phase5_protocol.flat.sbe import (
    HEADER,
    ORDERS_SCHEMA,
    SbeMessageError,
    SbeSchemaError,
    parse_schema,
    read_schema,
)

SCHEMA = read_schema()
TEXT = ORDERS_SCHEMA.read_text(encoding="utf-8")
#: The schema one version later: a field behind the others, in the block's padding or beyond it.
NEWER = parse_schema(
    TEXT.replace('version="0"', 'version="1"')
    .replace('name="CancelOrder" id="2" blockLength="32"', 'name="CancelOrder" id="2"')
    .replace(
        '<field name="side" id="7" type="Side" offset="24"/>',
        '<field name="side" id="7" type="Side" offset="24"/>'
        '<field name="sessionId" id="20" type="Number" offset="32" sinceVersion="1"/>',
    )
)
REPORT = "ExecutionReport"
KINDS = {
    CommandKind.NEW: "NewOrder",
    CommandKind.CANCEL: "CancelOrder",
    CommandKind.REPLACE: "ReplaceOrder",
}
UNSIGNED = st.integers(0, 2**64 - 1)
INDEX = st.integers(0, 2**32 - 1)

commands = st.one_of(
    st.builds(
        new,
        st.integers(1, 2**64 - 1),
        st.integers(0, 1),
        st.integers(-(2**63), 2**63 - 1),
        UNSIGNED,
        time_in_force=st.integers(0, 2),
        self_trade=st.integers(0, 3),
        post_only=st.booleans(),
        account=INDEX,
        instrument=INDEX,
        timestamp_ns=UNSIGNED,
    ),
    st.builds(cancel, st.integers(1, 2**64 - 1), instrument=INDEX, timestamp_ns=UNSIGNED),
    st.builds(
        replace,
        st.integers(1, 2**64 - 1),
        st.integers(-(2**63), 2**63 - 1),
        UNSIGNED,
        instrument=INDEX,
        timestamp_ns=UNSIGNED,
    ),
)


def values_of(record: RecordArray) -> dict[str, int]:
    """A record's fields as integers by name."""
    return dict(zip(record.dtype.names or (), record.item(), strict=True))


def encode_in_python(records: RecordArray) -> bytes:
    """Commands as messages, one by one, from the schema alone."""
    rows = (values_of(record) for record in records)
    return b"".join(SCHEMA.encode(KINDS[CommandKind(row["kind"])], row) for row in rows)


def decode_in_python(buffer: bytes) -> list[tuple[str, dict[str, int | None]]]:
    """All messages of a buffer."""
    found, at = [], 0
    while at < len(buffer):
        name, fields, at = SCHEMA.decode(buffer, at)
        found.append((name, fields))
    return found


@given(st.lists(commands, max_size=8))
def test_c_writes_what_the_schema_says(sent: list[object]) -> None:
    """An offset in C that is not the schema's would be found by nobody else."""
    records = to_command_array(sent)  # type: ignore[arg-type]
    count, message = sbe_encode(records)
    assert count == len(records)
    assert message == encode_in_python(records)
    back, outcomes = sbe_decode(message, COMMAND_DTYPE)
    assert back.tobytes() == records.tobytes()
    assert outcomes[SbeOutcome.TAKEN] == len(records)
    for record, (name, fields) in zip(records, decode_in_python(message), strict=True):
        row = values_of(record)
        assert name == KINDS[CommandKind(row["kind"])]
        assert fields == {each: row[each] for each in fields}


@given(st.integers(1, 2**64 - 1), st.integers(0, 2**40 - 2), st.integers(1, 2**64 - 1), INDEX)
def test_a_report_is_the_same_in_c_and_in_numpy(
    sequence: int, leaves: int, order_id: int, instrument: int
) -> None:
    """As for commands; and the array of messages of one kind must be the same bytes."""
    trade = Event(2, sequence, order_id, order_id ^ 1 or 2, 1, -5, 1, leaves, 0, 77, instrument)
    records = to_event_array([trade, trade])
    count, message = sbe_encode(records)
    assert count == 2
    assert message == SCHEMA.encode_uniform(REPORT, records).tobytes()
    assert message == SCHEMA.encode(REPORT, values_of(records[0])) * 2
    view = SCHEMA.decode_uniform(REPORT, message)
    assert all((view[name] == records[name]).all() for name in SCHEMA.by_name[REPORT].names)
    back, _ = sbe_decode(message, EVENT_DTYPE)
    assert back.tobytes() == records.tobytes()


def test_bytes_of_a_message_by_hand() -> None:
    """Both codecs could share a misreading of the standard: these bytes are written by hand."""
    expected = (
        "20 00 02 00 40 00 00 00"  # block of 32, template 2, schema 64, version 0
        "09 00 00 00 00 00 00 00  07 00 00 00 00 00 00 80"
        "03 00 00 00  04 00 00 00  01 00 00 00 00 00 00 00"
    )
    values = {"timestamp_ns": 9, "order_id": 2**63 + 7, "instrument": 3, "account": 4, "side": 1}
    assert SCHEMA.encode("CancelOrder", values) == bytes.fromhex(expected)
    assert sbe_decode(bytes.fromhex(expected), COMMAND_DTYPE)[0]["account"].tolist() == [4]


def test_an_older_receiver_steps_over_what_is_new() -> None:
    """The point of the block length: otherwise every receiver has to change on the same day."""
    newer = NEWER.encode("CancelOrder", {"order_id": 7, "side": 1, "session_id": 12})
    assert len(newer) == 48
    followed = newer + SCHEMA.encode("CancelOrder", {"order_id": 8})
    assert [fields["order_id"] for _, fields in decode_in_python(followed)] == [7, 8]
    assert sbe_decode(followed, COMMAND_DTYPE)[0]["order_id"].tolist() == [7, 8]
    assert SCHEMA.decode_uniform("CancelOrder", newer * 3)["order_id"].tolist() == [7, 7, 7]


def test_a_newer_receiver_sees_what_is_missing() -> None:
    """A missing field must not be read from the message behind it, nor pass for 0."""
    older = SCHEMA.encode("CancelOrder", {"order_id": 7, "side": 1})
    fields = NEWER.decode(older + b"\xff" * 64).fields
    assert fields["session_id"] is None
    assert (fields["order_id"], fields["side"]) == (7, 1)
    names: Mapping[str, object] = NEWER.decode_uniform("CancelOrder", older * 2).dtype.fields or {}
    assert "session_id" not in names


def test_what_has_no_message_ends_the_encoding() -> None:
    """A MASS_CANCEL left out in the middle would let later commands overtake it."""
    records = to_command_array([cancel(1), mass_cancel(3), cancel(2)])
    count, message = sbe_encode(records)
    assert count == 1
    assert to_commands(sbe_decode(message, COMMAND_DTYPE)[0]) == [cancel(1)]


GOOD = SCHEMA.encode("CancelOrder", {"order_id": 7})
BAD = {
    "are no header": GOOD[:7],
    "ends behind the buffer": GOOD[:-1],
    "schema 9 is not 64": HEADER.pack(32, 2, 9, 0) + bytes(32),
    "there is no template 77": HEADER.pack(32, 77, 64, 0) + bytes(32),
    "too short for CancelOrder": HEADER.pack(16, 2, 64, 0) + bytes(16),
}


@pytest.mark.parametrize("said", BAD)
def test_what_is_no_message_is_named(said: str) -> None:
    """Half a message must not be read as a whole one."""
    with pytest.raises(SbeMessageError, match=said):
        SCHEMA.decode(BAD[said])
    with pytest.raises(SbeMessageError):
        SCHEMA.decode_uniform("CancelOrder", BAD[said])
    taken, outcomes = sbe_decode(BAD[said], COMMAND_DTYPE)
    assert len(taken) == 0
    assert sum(outcomes.values()) == 1


def test_a_stranger_among_messages_of_one_kind_is_named() -> None:
    """A cast over a mixture would read one kind's fields as another's."""
    mixed = GOOD + HEADER.pack(32, 3, 64, 0) + bytes(32)
    with pytest.raises(SbeMessageError, match="message 1 is no CancelOrder"):
        SCHEMA.decode_uniform("CancelOrder", mixed)


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_named(data: bytes) -> None:
    """Nothing that a sender writes may raise anything else."""
    for buffer in (data, GOOD[:8] + data):
        with suppress(SbeMessageError):
            assert SCHEMA.decode(buffer).end <= len(buffer)


WRONG_SCHEMAS = {
    "unclosed token": "<types",
    "only littleEndian": TEXT.replace("littleEndian", "bigEndian"),
    "not the usual messageHeader": TEXT.replace('"blockLength" primitiveType', '"x" primitiveType'),
    "Ticks is not a required integer": TEXT.replace('"int64"', '"double"'),
    "has a data": TEXT.replace('<field name="leaves"', '<data name="leaves"'),
    "unknown type": TEXT.replace('type="Side"', 'type="Direction"'),
    "overlaps what is before": TEXT.replace('offset="62"', 'offset="61"'),
    "needs 63 bytes, and has 40": TEXT.replace('"4" blockLength="64"', '"4" blockLength="40"'),
    "two with the same name or id": TEXT.replace('"CancelOrder" id="2"', '"CancelOrder" id="1"'),
}


@pytest.mark.parametrize("said", WRONG_SCHEMAS)
def test_a_schema_that_is_not_understood_is_refused(said: str) -> None:
    """A codec made from half of a schema reads wrong numbers, and says nothing."""
    with pytest.raises(SbeSchemaError, match=said):
        parse_schema(WRONG_SCHEMAS[said])


def test_offsets_may_be_left_to_the_schema() -> None:
    """Without offsets fields follow each other, and the block is as long as they are."""
    bare = parse_schema(TEXT.replace(' offset="', ' ignored="').replace(' blockLength="', ' was="'))
    assert bare.by_name["NewOrder"].block_length == 45
    view = bare.encode_uniform("NewOrder", np.zeros(1, COMMAND_DTYPE))
    assert view.itemsize == 53
