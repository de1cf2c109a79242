"""The flat codec through its face: what is taken is the bytes sent, what is not is counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import (
    MAX_QUANTITY,
    Command,
    CommandKind,
    Event,
    EventKind,
    Reason,
    cancel,
    mass_cancel,
    new,
)
from contract.random_commands import PROFILES, random_commands
from contract.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    RecordArray,
    empty_events,
    to_command_array,
    to_event_array,
)
from contract.streams import gather
from contract.workload import SCENARIOS, generate
from phase1_domain import Engine
from phase5_protocol.flat.native import (
    CommandDecoder,
    EventDecoder,
    FlatDecoder,
    Outcome,
    encode,
    encode_into,
    view_commands,
    view_events,
)

#: One record that is refused for each reason that a single command can have.
REFUSED_COMMANDS = {
    Outcome.UNKNOWN_KIND: Command(9, 1),
    Outcome.NOT_PERMITTED: mass_cancel(3),
    Outcome.SEQUENCE: Command(CommandKind.CANCEL, 1, sequence=1),
    Outcome.RESERVED: Command(CommandKind.CANCEL, 1, reserved=-1),
    Outcome.SIDE: Command(CommandKind.CANCEL, 1, side=2),
    Outcome.ORDER_TYPE: Command(CommandKind.NEW, 1, order_type=2),
    Outcome.TIME_IN_FORCE: Command(CommandKind.NEW, 1, time_in_force=3),
    Outcome.SELF_TRADE: Command(CommandKind.NEW, 1, self_trade=4),
    Outcome.FLAGS: Command(CommandKind.NEW, 1, flags=2),
    Outcome.ORDER_ID: Command(CommandKind.REPLACE, 0),
    Outcome.UNUSED_FIELD: Command(CommandKind.CANCEL, 1, price=1),
}
REFUSED_EVENTS = {
    Outcome.UNKNOWN_KIND: Event(0, 1, 1),
    Outcome.SEQUENCE: Event(EventKind.ACCEPTED, 0, 1, quantity=1, leaves=1),
    Outcome.RESERVED: Event(EventKind.ACCEPTED, 1, 1, quantity=1, leaves=1, reserved=1),
    Outcome.SIDE: Event(EventKind.ACCEPTED, 1, 1, side=2, quantity=1, leaves=1),
    Outcome.ORDER_ID: Event(EventKind.ACCEPTED, 1, 0, quantity=1, leaves=1),
    Outcome.CONTRA_ORDER_ID: Event(EventKind.TRADE, 1, 7, 7, quantity=1),
    Outcome.QUANTITY: Event(EventKind.TRADE, 1, 7, 8, quantity=MAX_QUANTITY + 1),
    Outcome.LEAVES: Event(EventKind.CANCELLED, 1, 7, quantity=1, leaves=1, reason=1),
    Outcome.REASON: Event(EventKind.CANCELLED, 1, 7, quantity=1, reason=16),
}
#: A buffer as a whole has these; see test_bounds.
OF_A_BUFFER = {Outcome.SHORT_RECORD, Outcome.BEYOND_LIMIT}


def test_every_reason_has_a_case() -> None:
    """A reason added in C without a case here would be untested."""
    cases = {*REFUSED_COMMANDS, *REFUSED_EVENTS, *OF_A_BUFFER}
    assert {Outcome.TAKEN, *cases} == set(Outcome)
    assert [outcome.value for outcome in Outcome] == list(range(len(Outcome)))


@pytest.mark.parametrize("outcome", REFUSED_COMMANDS, ids=lambda outcome: outcome.name)
def test_a_refused_command_is_counted_and_its_neighbours_go_on(outcome: Outcome) -> None:
    """One bad record would take the rest of a datagram with it, or let itself through."""
    decoder = CommandDecoder()
    datagram = cancel(1).pack() + REFUSED_COMMANDS[outcome].pack() + cancel(2).pack()
    assert decoder.decode(datagram).tobytes() == cancel(1).pack() + cancel(2).pack()
    assert decoder.refused == {outcome: 1}
    assert decoder.taken == 2


@pytest.mark.parametrize("outcome", REFUSED_EVENTS, ids=lambda outcome: outcome.name)
def test_a_refused_event_is_counted_and_its_neighbours_go_on(outcome: Outcome) -> None:
    """As for commands: a subscriber believes as little as an exchange."""
    right = Event(EventKind.REJECTED, 1, reason=Reason.INVALID_COMMAND).pack()
    decoder = EventDecoder()
    assert decoder.decode(right + REFUSED_EVENTS[outcome].pack() + right).tobytes() == right * 2
    assert decoder.refused == {outcome: 1}


def test_an_operators_channel_takes_mass_cancels() -> None:
    """The switch for it might not reach C."""
    decoder = CommandDecoder(permit_mass_cancel=True)
    assert len(decoder.decode(mass_cancel(3).pack())) == 1


def test_bounds() -> None:
    """Half a record must never be read, nor more of them than there is room for."""
    decoder = CommandDecoder(limit=2)
    assert len(decoder.decode(cancel(1).pack() * 5 + b"torn")) == 2
    assert decoder.refused == {Outcome.SHORT_RECORD: 1, Outcome.BEYOND_LIMIT: 3}
    assert len(decoder.decode(b"")) == 0
    assert sum(decoder.counts.values()) == 6


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_wire_takes_every_command_of_every_workload(scenario: str) -> None:
    """A check that honest senders fail would lose orders without a word."""
    commands = generate(scenario, 20_000)
    decoder = CommandDecoder(limit=len(commands))
    assert decoder.decode(encode(commands)).tobytes() == commands.tobytes()
    assert not decoder.refused


@pytest.mark.parametrize("name", PROFILES)
def test_the_wire_takes_every_event_that_an_engine_emits(name: str) -> None:
    """Commands right and wrong go past the wire into a book: all of its events must pass one."""
    profile = PROFILES[name]
    commands = gather(random_commands(7, 3_000, profile))
    events = empty_events(200_000)
    engine = Engine(**profile.limits())
    consumed, written = engine.apply_batch(commands, events)
    assert consumed == len(commands)
    decoder = EventDecoder(limit=written)
    assert decoder.decode(encode(events[:written])).tobytes() == events[:written].tobytes()
    assert not decoder.refused


def test_the_wire_refuses_no_order_that_the_engine_would_accept() -> None:
    """A wire stricter than it says would lose orders that a book would take.

    It is stricter with what a kind does not use, as its header says, and NEW uses everything.
    """
    stricter = {Outcome.UNUSED_FIELD, Outcome.SIDE, Outcome.RESERVED}
    commands = gather(random_commands(11, 20_000, PROFILES["deep"]))
    engine = Engine(**PROFILES["deep"].limits())
    refused = 0
    for record in commands:
        command = Command.unpack_from(record.tobytes())
        decoder = CommandDecoder(1, permit_mass_cancel=True)
        decoder.decode(record.tobytes())
        first = engine.apply(command)[0]
        if decoder.refused and first.reason != Reason.INVALID_COMMAND:
            assert command.kind != CommandKind.NEW
            assert set(decoder.refused) <= stricter
        refused += len(decoder.refused)
    assert refused > 100, "the commands are nearly all right, and prove nothing"


FIELDS = st.sampled_from([0, 1, 2, 3, 4, 5, 16, 23, 255, 2**31, 2**40 - 1, 2**40, 2**63, 2**64 - 1])


@st.composite
def arbitrary(draw: st.DrawFn, dtype: np.dtype[np.void]) -> RecordArray:
    """A few records whose fields are mostly near some limit."""
    records = np.zeros(draw(st.integers(0, 6)), dtype)
    words = records.view(np.uint8).reshape(-1, 8).view("<u8")
    for row in range(len(words)):
        words[row] = draw(FIELDS)
    for record in records:
        record["kind"] = draw(st.integers(0, 6))
        for field in ("side", "reason", "reserved", "order_type", "time_in_force", "reserved2"):
            if field in (dtype.names or ()) and draw(st.booleans()):
                record[field] = 0
    return records


DECODERS = {"commands": CommandDecoder, "events": EventDecoder}
DTYPES = {"commands": COMMAND_DTYPE, "events": EVENT_DTYPE}


@pytest.mark.parametrize("kind", DECODERS)
@given(st.data(), st.integers(0, 16))
def test_a_batch_is_its_records_one_by_one(kind: str, data: st.DataObject, shift: int) -> None:
    """A batch might judge a record by its neighbour, and an odd address might shift it."""
    records = data.draw(arbitrary(DTYPES[kind]))
    single: FlatDecoder = DECODERS[kind]()
    whole: FlatDecoder = DECODERS[kind]()
    expected = b"".join(single.decode(record.tobytes()).tobytes() for record in records)
    buffer = bytearray(shift) + records.tobytes()
    assert whole.decode(memoryview(buffer)[shift:]).tobytes() == expected
    assert whole.counts == single.counts
    in_place = records.copy()
    assert whole.decode_in_place(in_place).tobytes() == expected
    assert in_place.tobytes().startswith(expected)


@given(st.binary(max_size=400))
def test_no_bytes_raise(datagram: bytes) -> None:
    """A receive loop must survive whatever arrives."""
    for decoder in (CommandDecoder(limit=3), EventDecoder(limit=3)):
        taken = decoder.decode(datagram)
        assert sum(decoder.counts.values()) == -(-len(datagram) // 64)
        assert len(taken) == decoder.taken


def test_views_are_no_copies() -> None:
    """A copy here would cost what the format promises to save."""
    buffer = bytearray(new(7, 0, 100, 5).pack() * 2)
    view = view_commands(buffer)
    buffer[16] = 9
    assert view["order_id"].tolist() == [9, 7]
    assert encode(view).obj is not None
    assert np.shares_memory(np.frombuffer(encode(view), np.uint8), np.frombuffer(buffer, np.uint8))
    events = to_event_array([Event(EventKind.ACCEPTED, 3)])
    assert view_events(encode(events))["sequence"].tolist() == [3]


def test_encoding_copies_what_fits() -> None:
    """Room for half a record must stay as it was."""
    records = to_command_array([cancel(1), cancel(2), cancel(3)])
    buffer = bytearray(b"\xee" * 150)
    assert encode_into(records, buffer) == 2
    assert bytes(buffer) == records[:2].tobytes() + b"\xee" * 22


def test_misuse_is_named() -> None:
    """What a programmer gets wrong must not look like what a sender gets wrong."""
    decoder = CommandDecoder()
    with pytest.raises(ValueError, match="limit 0 is below 1"):
        CommandDecoder(limit=0)
    with pytest.raises(ValueError, match="must lie at a multiple of 8"):
        decoder.decode_in_place(memoryview(bytearray(80))[4:68])
    with pytest.raises(ValueError, match="writable"):
        decoder.decode_in_place(bytes(64))
    with pytest.raises(ValueError, match="not one of records"):
        encode(np.zeros(3).view(np.dtype([("x", "<f8")])))
    with pytest.raises(ValueError, match="one behind the other"):
        encode(np.zeros(4, COMMAND_DTYPE)[::2])
    with pytest.raises(ValueError, match="contiguous"):
        decoder.decode(memoryview(bytes(256))[::2])
    assert not any(decoder.counts.values())
