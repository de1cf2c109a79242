"""Packets, store and limiter through their face: what crosses into C, and what is refused."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ConfigurationError, MatchbookError
from phase5_protocol.multicast.mold import (
    DATAGRAM_DTYPE,
    MalformedPacketError,
    Outcome,
    PacketKind,
    Problem,
    Request,
    session_bytes,
)
from phase5_protocol.multicast.native import (
    MessageStore,
    MoldPacker,
    make_request,
    packetise,
    parse_packet,
    parse_request,
)
from phase5_protocol.multicast.native_limiter import RequestLimiter

messages_of = st.lists(st.binary(max_size=70), max_size=60)
HEADER = struct.Struct(">10sQH")


def rows_of(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Records of 64 bytes, no two alike."""
    return (np.arange(count)[:, None] * 7 + np.arange(64)).astype(np.uint8)


@given(messages_of, st.integers(92, 400), st.integers(1, 2**40), st.booleans())
def test_what_is_packed_is_parsed(
    messages: list[bytes], limit: int, first: int, as_stream: bool
) -> None:
    """A message lost, joined with another or renumbered where datagrams meet."""
    with MoldPacker("HYP", first, limit) as packer:
        if as_stream:
            stream = b"".join(len(m).to_bytes(2, "big") + m for m in messages)
            packed = packer.pack_stream(stream)
        else:
            packed = packer.pack_messages(messages)
        assert packer.next_sequence == first + len(messages)
        assert packer.waiting == 0
    found: list[bytes] = []
    for datagram in packed.split():
        packet = parse_packet(datagram)
        assert (packet.session, packet.kind) == ("HYP", PacketKind.DATA)
        assert packet.sequence == first + len(found)
        assert len(datagram) <= limit
        found += packet.messages
    assert found == messages
    assert packed.datagrams["count"].sum() == len(messages)


@given(messages_of, st.integers(0, 60))
def test_batches_join_where_they_are_cut(messages: list[bytes], cut: int) -> None:
    """A datagram left open by one batch and thrown away, or sent twice, by the next."""
    with MoldPacker("HYP", 1, 200) as whole, MoldPacker("HYP", 1, 200) as parts:
        at_once = list(whole.pack_messages(messages).split())
        halves = list(parts.pack_messages(messages[:cut], flush=False).split())
        halves += parts.pack_messages(messages[cut:]).split()
    assert halves == at_once


@pytest.mark.parametrize("size", [0, 1, 30, 64, 178])
def test_batches_of_one(size: int) -> None:
    """A full datagram that waits, and no room to put the message behind it that closes it."""
    messages = [bytes([number]) * size for number in range(60)]
    for step in (1, 2, 3, 7, 23, 59):
        found: list[bytes] = []
        with MoldPacker("HYP", 1, 200) as packer:
            for place in range(0, 60, step):
                batch = messages[place : place + step]
                stream = b"".join(len(m).to_bytes(2, "big") + m for m in batch)
                packed = (
                    packer.pack(b"".join(batch), size, flush=False)
                    if size and step % 2
                    else packer.pack_stream(stream, flush=False)
                    if step % 3
                    else packer.pack_messages(batch, flush=False)
                )
                found += packed.split()
                assert packer.next_sequence == place + len(batch) + 1
            found.append(packer.flush())
        with MoldPacker("HYP", 1, 200) as whole:
            assert found == list(whole.pack_messages(messages).split())


def test_a_session_of_records() -> None:
    """Datagrams that are not filled as far as an Ethernet frame allows."""
    rows = rows_of(100)
    packed = packetise(rows, "DAY1")
    assert packed.datagrams.dtype == DATAGRAM_DTYPE
    assert packed.datagrams["count"].tolist() == [22, 22, 22, 22, 12]
    assert packed.datagrams["length"].tolist() == [1472] * 4 + [812]
    found = b"".join(m for d in packed.split() for m in parse_packet(d).messages)
    assert found == rows.tobytes()


def test_single_messages_and_what_is_said_between_them() -> None:
    """A heartbeat that announces a number which is not on its way; a datagram one byte too long."""
    with MoldPacker("ONE", 5, 29) as packer:
        assert parse_packet(packer.heartbeat()) == ("ONE", 5, PacketKind.HEARTBEAT, ())
        assert packer.append(b"12345")
        assert not packer.append(b"6")  # two more bytes for its length
        assert packer.heartbeat() == packer.end() == b""
        assert parse_packet(packer.flush()) == ("ONE", 5, PacketKind.DATA, (b"12345",))
        assert packer.flush() == b""
        assert parse_packet(packer.end()) == ("ONE", 6, PacketKind.END, ())
        with pytest.raises(MalformedPacketError, match="long message") as caught:
            packer.append(b"123456789")
        assert caught.value.problem is Problem.LONG_MESSAGE
        with pytest.raises(MalformedPacketError, match="message 1 of the batch"):
            packer.pack_messages([b"1", b"123456789"])
        assert packer.next_sequence == 6


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """An exception that is none of ours, out of a loop that receives from strangers."""
    problems: list[MatchbookError] = []
    for parse in (parse_packet, parse_request):
        try:
            parse(data)
        except MatchbookError as error:
            problems.append(error)
    assert len(problems) >= 1  # nothing is both
    assert all(getattr(error, "problem", 0) for error in problems)


FAULTS = {
    "short header": (b"x" * 19, Problem.SHORT_HEADER),
    "session": (HEADER.pack(b"a\x00", 1, 0), Problem.BAD_SESSION),
    "sequence": (HEADER.pack(b"a" * 10, 0, 0), Problem.BAD_SEQUENCE),
    "overflow": (HEADER.pack(b"a" * 10, 2**64 - 1, 1) + b"\0\0", Problem.SEQUENCE_OVERFLOW),
    "no length": (HEADER.pack(b"a" * 10, 1, 1) + b"\0", Problem.SHORT_LENGTH),
    "short block": (HEADER.pack(b"a" * 10, 1, 1) + b"\0\2x", Problem.SHORT_BLOCK),
    "trailing": (HEADER.pack(b"a" * 10, 1, 1) + b"\0\1xy", Problem.TRAILING_BYTES),
}


@pytest.mark.parametrize(("data", "problem"), FAULTS.values(), ids=FAULTS)
def test_faults_have_names(data: bytes, problem: Problem) -> None:
    """Numbers of problems that Python and C understand differently."""
    with pytest.raises(MalformedPacketError) as caught:
        parse_packet(data)
    assert caught.value.problem is problem


def test_blanked_headers() -> None:
    """A published capture that is not read, because somebody overwrote its session with zeros."""
    blank = HEADER.pack(b"", 0, 1) + b"\0\1S"
    with pytest.raises(MalformedPacketError, match="bad session"):
        parse_packet(blank)
    assert parse_packet(blank, strict=False) == ("\0" * 10, 0, PacketKind.DATA, (b"S",))
    with pytest.raises(MalformedPacketError, match="trailing bytes"):
        parse_packet(blank + b"x", strict=False)


def test_requests() -> None:
    """A request that another implementation would not understand."""
    made = make_request("DAY1", 258, 772)
    assert made == HEADER.pack(b"DAY1      ", 258, 772)
    assert parse_request(made) == Request("DAY1", 258, 772)
    with pytest.raises(MalformedPacketError) as caught:
        parse_request(make_request("DAY1", 1, 1)[:-1] + b"\0")
    assert caught.value.problem is Problem.EMPTY_REQUEST
    for sequence, count in ((0, 1), (1, 0), (2**64, 1), (1, 65536)):
        with pytest.raises(ValueError, match="cannot be asked for"):
            make_request("DAY1", sequence, count)


@pytest.mark.parametrize("name", ["ELEVENCHARS", "Zürich", "a\tb"])
def test_names_of_sessions(name: str) -> None:
    """A name that is cut off, or that receivers reject."""
    with pytest.raises(ValueError, match="printable ASCII"):
        session_bytes(name)


def test_a_store_answers() -> None:
    """Answers by the wrong bytes, and silence without a reason."""
    rows = rows_of(100)
    with MessageStore("DAY1", capacity_messages=50) as store:
        store.append_records(rows[:98])
        store.append(rows[98].tobytes())
        store.append_stream(b"\0\x40" + rows[99].tobytes())
        store.check()
        assert (store.first, store.next) == (51, 101)
        assert store.read(60) == rows[59].tobytes()
        assert store.read(50) is store.read(101) is None
        outcome, answer = store.answer(Request("DAY1", 60, 100))
        assert outcome is Outcome.ANSWERED
        assert parse_packet(answer).messages == tuple(row.tobytes() for row in rows[59:81])
        for request, expected in {
            Request("DAY1", 101, 1): Outcome.NOT_YET,
            Request("DAY1", 1, 5): Outcome.TOO_OLD,
            Request("DAY2", 60, 1): Outcome.OTHER_SESSION,
        }.items():
            assert store.answer(request) == (expected, b"")
        assert store.answer(Request("DAY1", 60, 1), limit_bytes=60)[0] is Outcome.NO_ROOM
        counters = store.counters()
        assert (counters.answered, counters.messages, counters.evicted) == (1, 22, 50)
        with pytest.raises(MalformedPacketError, match="offset 3"):
            store.append_stream(b"\0\1x\0\2y")
        with pytest.raises(MalformedPacketError):
            store.append(bytes(65486))
    with pytest.raises(ValueError, match="message store is closed"):
        store.append(b"x")


def test_a_log_answers_for_the_store() -> None:
    """A log that is never asked; one whose failure takes the server with it."""
    rows = [row.tobytes() for row in rows_of(10)]
    asked: list[int] = []

    def log(number: int) -> bytes | None:
        asked.append(number)
        return rows[number - 1] if number > 2 else None

    with MessageStore("DAY1", capacity_messages=2, log=log) as store:
        for row in rows:
            store.append(row)
        outcome, answer = store.answer(Request("DAY1", 5, 6))
        assert outcome is Outcome.ANSWERED
        assert parse_packet(answer).messages == tuple(rows[4:])
        assert asked == [5, 6, 7, 8]
        assert store.answer(Request("DAY1", 1, 2))[0] is Outcome.TOO_OLD
        assert store.counters().from_log == 4


def test_a_limiter_says_no() -> None:
    """Somebody who asks for more than his share, at the cost of others."""
    with RequestLimiter(per_second=10, burst=2, total_per_second=1000, total_burst=5) as limiter:
        assert [limiter.allow(0x7F000001, 4000, 0) for _ in range(3)] == [True, True, False]
        assert limiter.allow(0x7F000001, 4001, 0)  # another port is another client
        assert limiter.allow(0x7F000001, 4000, 100_000_000)
        counters = limiter.counters()
        assert (counters.allowed, counters.refused_address) == (4, 1)


def test_what_cannot_be() -> None:
    """Limits that are taken silently for others."""
    for make in (
        lambda: MoldPacker("X", 0),
        lambda: MoldPacker("X", 1, 21),
        lambda: MessageStore("X", capacity_bytes=63),
        lambda: RequestLimiter(per_second=0),
    ):
        with pytest.raises(ConfigurationError, match=r"\d+ is not \d+ to \d+"):
            make()
    with MoldPacker("X") as packer, pytest.raises(ValueError, match="whole records of 64"):
        packer.pack(b"x" * 65)
