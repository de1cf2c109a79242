"""Reading a log: the format by two implementations, batches, marks, and places in the chain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from contract.records import COMMAND_DTYPE, EVENT_DTYPE
from phase6_wal.errors import LogDamagedError, LogError
from phase6_wal.logs_by_hand import (
    DURABILITY,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    MARK,
    MARKED,
    RECORD,
    SLOT,
    HandMadeLog,
    MemoryStorage,
    crc_by_table,
    header_bytes,
    record_bytes,
)
from phase6_wal.native import LogMark, LogOptions, LogWriter, crc32c
from phase6_wal.native_sim import SimStorage
from phase6_wal.reader import LogReader, SegmentInfo
from phase6_wal.recovery import recover_log

SEEDS = range(4)


def read_by_hand(files: dict[str, bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Kind, sequence and body of each record: the reader that the format's comment describes."""
    chain, log_id, number, sequence = 0, 0, 0, 0
    for name in sorted(files):
        data = files[name]
        head = HEADER.unpack_from(data)
        magic, crc, version, content, first, own_number, own_id, size, salt, own_chain, _ = head
        assert (magic, version) == (MAGIC, 1)
        assert crc == crc_by_table(data[12:HEADER_BYTES])
        assert (size, f"{first:020d}.log") == (len(data), name)
        if log_id:
            assert (own_id, own_number) == (log_id, number + 1)
            assert (first, own_chain) == (sequence + 1, chain)
        log_id, number, sequence, chain = own_id, own_number, first - 1, own_chain
        for at in range(HEADER_BYTES, HEADER_BYTES + (size - HEADER_BYTES) // SLOT * SLOT, SLOT):
            crc, length, kind, zero, durable, body = RECORD.unpack_from(data, at)
            own = int.from_bytes(body[:8], "little")
            if (
                crc != crc_by_table(data[at + 4 : at + SLOT], salt)
                or (length, zero) != (SLOT, 0)
                or kind not in (content, MARKED)
                or own != sequence + (kind != MARKED)
                or durable > own
                or (kind == MARKED and MARK.unpack(body)[4] != chain)
            ):
                return
            sequence, chain = own, crc_by_table(data[at : at + 4], chain)
            yield kind, own, body


def written(
    durability: str, content: str, seed: int, count: int = 300
) -> tuple[dict[str, bytes], list[bytes], list[LogMark], int]:
    """A log by the writer in C: its files, the bodies and marks it got, its chain at the end."""
    draw = np.random.default_rng(seed)
    bodies: list[bytes] = []
    marks: list[LogMark] = []
    with SimStorage(seed) as storage:
        options = LogOptions(
            content=content,
            durability=durability,
            segment_bytes=8192,
            prepare_thread=False,
            seed=seed + 1,
            group_count=16,
            buffer_bytes=4096,
        )
        writer = LogWriter(storage, options)
        while len(bodies) < count:
            some = [draw.bytes(64) for _ in range(int(draw.integers(1, 30)))]
            writer.append(b"".join(some))
            bodies += some
            if draw.integers(3) == 0:
                marks.append(LogMark(len(bodies) * 2, 3, int(draw.integers(2**32)), draw.bytes(16)))
                writer.append_mark(marks[-1])
        chain = writer.position.chain
        writer.close()
        names = [name for name in storage.list() if name.endswith(".log")]
        return {name: bytes(storage.read_file(name)) for name in names}, bodies, marks, chain


# --- two implementations of one comment --------------------------------------------------------


def test_the_tables_agree() -> None:
    """Guards against a CRC that is not the one in the comment, whatever both sides say."""
    data = np.random.default_rng(1).bytes(100)
    assert crc_by_table(b"123456789") == crc32c(b"123456789") == 0xE3069283
    for size in range(100):
        assert crc32c(data[:size], 77) == crc_by_table(data[:size], 77)


@pytest.mark.parametrize("content", ["commands", "events"])
@pytest.mark.parametrize("durability", DURABILITY)
def test_what_c_writes_is_what_the_comment_says(durability: str, content: str) -> None:
    """Guards against a format that only its own writer can read: every byte is accounted for."""
    for seed in SEEDS:
        files, bodies, marks, chain = written(durability, content, seed)
        read = list(read_by_hand(files))
        stamped = [
            sequence.to_bytes(8, "little") + body[8:] for sequence, body in enumerate(bodies, 1)
        ]
        assert [body for kind, _, body in read if kind != MARKED] == stamped
        assert len([body for kind, _, body in read if kind == MARKED]) == len(marks)
        for data in files.values():
            _, _, _, number, first, segment, log_id, size, salt, before, mode = HEADER.unpack_from(
                data
            )
            made = header_bytes(
                first_sequence=first,
                number=segment,
                size=size,
                salt=salt,
                chain=before,
                log_id=log_id,
                content=number,
                durability=mode,
            )
            assert data[:HEADER_BYTES] == made
            assert mode == DURABILITY[durability]
            for at in range(HEADER_BYTES, size - SLOT + 1, SLOT):
                _, length, kind, _, durable, body = RECORD.unpack_from(data, at)
                if length:
                    assert data[at : at + SLOT] == record_bytes(body, kind, durable, salt)
        infos = LogReader(MemoryStorage(dict(files))).segments()
        assert infos[-1].chain == chain
        assert sum(info.records for info in infos) == len(read)


def test_a_log_by_hand_is_gone_on_with() -> None:
    """Guards against a writer that goes by more than the comment: it appends to such a log."""
    log = HandMadeLog(slots=51)
    log.fill(70, mark_every=9)
    with SimStorage() as storage:
        for name, data in log.files.items():
            file = storage.create(name, len(data))
            storage.write(file, 0, data)
            storage.close_file(file)
        storage.sync_directory()
        recovered = recover_log(storage)
        options = LogOptions(
            durability="group", segment_bytes=log.size, log_id=log.log_id, prepare_thread=False
        )
        writer = LogWriter(storage, options, recovered.position)
        writer.append(bytes(64 * 100))
        writer.close()
        names = [name for name in storage.list() if name.endswith(".log")]
        read = list(read_by_hand({name: bytes(storage.read_file(name)) for name in names}))
    assert [own for kind, own, _ in read if kind != MARKED] == list(range(1, 171))
    assert [body for kind, _, body in read if kind != MARKED][:70] == log.bodies


# --- batches -----------------------------------------------------------------------------------


def everything(
    reader: LogReader, first: int = 1, last: int | None = None
) -> tuple[list[bytes], list[tuple[int, int]]]:
    """The bodies of all batches, and each mark with the number of them before it."""
    bodies: list[bytes] = []
    marks = []
    for batch, some in reader.batches(first, last):
        marks += [(len(bodies) + index, mark.sequence) for index, mark in some]
        raw = batch.tobytes()
        bodies += [raw[at : at + 64] for at in range(0, len(raw), 64)]
    return bodies, marks


@pytest.mark.parametrize("slots", [51, 102, 4000])
def test_any_range(slots: int) -> None:
    """Guards against a command or a mark lost, doubled or out of place at a segment's border."""
    log = HandMadeLog(slots=slots)
    log.fill(400, mark_every=10)
    reader = LogReader(MemoryStorage(log.files))
    for first, last in [(1, None), (1, 400), (1, 1), (46, 47), (47, 93), (50, 50), (51, 51)] + [
        (first, first + 60) for first in range(1, 340, 13)
    ]:
        bodies, marks = everything(reader, first, last)
        stop = min(last or 400, 400)
        assert bodies == log.bodies[first - 1 : stop]
        expected = [s for s in range(10, stop + 1, 10) if s >= first - 1]
        assert marks == [(sequence - first + 1, sequence) for sequence in expected]


def test_past_the_end() -> None:
    """Guards against a reader that waits, or raises, for what is not there yet."""
    log = HandMadeLog(slots=51)
    log.fill(60)
    reader = LogReader(MemoryStorage(log.files))
    assert everything(reader, 61) == ([], [])
    assert len(everything(reader, 55, 900)[0]) == 6
    assert everything(reader, 5000) == ([], [])


def test_before_the_beginning() -> None:
    """Guards against a replay that begins in the middle without a word."""
    log = HandMadeLog(slots=51)
    log.fill(120)
    del log.files[log.names[0]]
    reader = LogReader(MemoryStorage(log.files))
    with pytest.raises(LogError, match="begins at 52: 51 is not in it any more"):
        everything(reader, 51)
    assert len(everything(reader, 52)[0]) == 69


def test_only_what_is_valid() -> None:
    """Guards against a reader that goes on behind damage, in this segment or the next."""
    log = HandMadeLog(slots=51)
    log.fill(120)
    log.files[log.names[1]][HEADER_BYTES + 20 * SLOT + 9] ^= 1
    assert len(everything(LogReader(MemoryStorage(log.files)))[0]) == 71
    log.files[log.names[1]][50] ^= 1
    assert len(everything(LogReader(MemoryStorage(log.files)))[0]) == 51


def test_types_and_marks() -> None:
    """Guards against events read as commands, and a mark's fields in another order."""
    log = HandMadeLog(slots=51, content=2)
    log.fill(5)
    log.mark(event_sequence=11, orders=7, event_crc=0xABCD)
    reader = LogReader(MemoryStorage(log.files))
    assert reader.content == "events"
    [(events, [(index, mark)])] = reader.batches()
    assert (events.dtype, index) == (EVENT_DTYPE, 5)
    assert mark[:4] == (11, 7, 0xABCD, b"state hash of 16")
    assert mark.sequence == 5
    log = HandMadeLog(slots=51)
    log.mark()
    log.fill(3)
    [(commands, [(index, mark)])] = LogReader(MemoryStorage(log.files)).batches()
    assert (commands.dtype, index, mark.sequence) == (COMMAND_DTYPE, 0, 0)
    assert not list(LogReader(MemoryStorage(log.files), "events").batches())


def test_no_log() -> None:
    """Guards against a content that is made up where there is no segment to ask."""
    with pytest.raises(LogDamagedError, match="'no segments' is not a log"):
        LogReader(MemoryStorage({})).content  # noqa: B018
    storage = MemoryStorage({"00000000000000000001.log": bytearray(9000)})
    with pytest.raises(LogDamagedError, match="1 segments, none with a good header"):
        LogReader(storage).content  # noqa: B018
    assert LogReader(storage).segments()[0].reason == "magic"


# --- segments, and places in the chain ---------------------------------------------------------


def test_what_is_said_of_segments() -> None:
    """Guards against a listing that stops at the first damage, or hides it."""
    log = HandMadeLog(slots=51)
    log.fill(120, mark_every=30)
    log.files[log.names[1]][HEADER_BYTES + 5 * SLOT + 4] = 79
    infos = LogReader(MemoryStorage(log.files)).segments()
    assert [info.name for info in infos] == log.names
    assert [info.records for info in infos] == [51, 5, 22]
    assert [info.reason for info in infos] == ["", "length", "first_sequence"]
    one, two, three = infos
    assert (one.slots, one.marks, one.sequence, one.is_whole) == (51, 1, 50, True)
    assert (two.found, two.expected, two.later, two.is_whole) == (79, 80, 45, False)
    assert two.later_sequence == 99
    assert (three.found, three.expected) == (100, 56)
    assert (three.content, three.durability, three.log_id) == ("commands", "group", log.log_id)
    with pytest.raises(AttributeError, match="SegmentInfo has no salty"):
        SegmentInfo.__getattr__(three, "salty")


@pytest.mark.parametrize("every", [1, 2, 5, 7, 16])
def test_where_the_chain_is(every: int) -> None:
    """Guards against a snapshot of another log taken for one of this: its chain is looked up."""
    log = HandMadeLog(slots=51)
    places: dict[int, list[int]] = {0: [0]}
    for sequence in range(1, 161):
        log.fill(1)
        places[sequence] = [log.chain]
        for _ in range((sequence % every == 0) + (sequence % 21 == 0)):
            log.mark()
            places[sequence].append(log.chain)
    reader = LogReader(MemoryStorage(log.files))
    for sequence, chains in places.items():
        assert reader.chains_at(sequence) == chains, sequence
    assert reader.chains_at(161) == []
