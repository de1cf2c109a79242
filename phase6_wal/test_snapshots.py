"""A snapshot's file: what it holds, that every byte of it counts, and which one is taken."""

from __future__ import annotations

import errno
import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from contract import Side, canonical, new
from contract.errors import SnapshotError
from phase3_sorted import Engine
from phase6_wal.errors import LogDamagedError, SnapshotFailedError
from phase6_wal.names import snapshot_name
from phase6_wal.native import PosixStorage, Storage, crc32c
from phase6_wal.native_sim import SimStorage
from phase6_wal.native_snapshot import blake2b, find_fault
from phase6_wal.snapshots import (
    BookImage,
    Snapshot,
    newest_snapshot,
    read_snapshot,
    set_aside,
    snapshot_names,
    write_snapshot,
)

LOG_ID = 0x1122334455667788


def book(instrument: int, orders: int) -> BookImage:
    """A book with so many orders, bids and asks."""
    with Engine(instrument=instrument, min_price=1, max_price=1000, capacity=50) as engine:
        for k in range(orders):
            side, price = (Side.ASK, 500 + k) if k % 2 else (Side.BID, 400 - k)
            engine.apply(new(k + 1, side, price, 5 + k, account=k, instrument=instrument))
        return BookImage(instrument, 1, 1000, 50, engine.snapshot())


def snapshot(sequence: int, *books: BookImage) -> Snapshot:
    """A snapshot after that command."""
    return Snapshot(sequence, 0xABCD, LOG_ID, 0x1234, books or (book(0, 3),))


def bytes_of(given: Snapshot) -> bytes:
    """The file of a snapshot."""
    with SimStorage() as disk:
        return bytes(disk.read_file(write_snapshot(disk, given)))


def put(disk: Storage, name: str, data: bytes) -> None:
    """Make a file of those bytes."""
    file = disk.create(name, len(data))
    disk.write(file, 0, data)
    disk.close_file(file)


@pytest.fixture(params=["posix", "sim"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Each kind of storage."""
    return PosixStorage(tmp_path) if request.param == "posix" else SimStorage()


def test_what_is_written_is_read(disk: Storage) -> None:
    """Guards against a field, a book or an order that gets lost, and a file that is left over."""
    given = snapshot(2**63 + 5, book(1, 0), book(7, 9), book(2**32 - 1, 4))
    name = write_snapshot(disk, given)
    assert name == snapshot_name(2**63 + 5)
    assert disk.list() == [name]
    assert read_snapshot(disk, name) == given
    assert write_snapshot(disk, given) == name, "once more is the same file"
    assert disk.list() == [name]


def test_a_reader_made_from_the_comment_alone() -> None:
    """Guards against a file that is not what the head of c/snapshot.h says."""
    given = snapshot(9, book(2, 3), book(5, 1))
    data = bytes_of(given)
    magic, crc, version, books, sequence, log_id, size, chain, events, zeros = struct.unpack_from(
        "<8sIHHQQQII16s", data
    )
    assert (magic, version, books, sequence, log_id) == (b"MBSNAP\0\1", 1, 2, 9, LOG_ID)
    assert (size, chain, events, zeros) == (len(data), 0xABCD, 0x1234, bytes(16))
    end = 64 + 64 * books
    assert crc == crc32c(data[12:end])
    for i, expected in enumerate(given.books):
        instrument, image_crc, low, high, offset, length, capacity, zero, state_hash = (
            struct.unpack_from("<IIqqQQII16s", data, 64 + 64 * i)
        )
        assert (instrument, low, high, capacity) == (expected.instrument, 1, 1000, 50)
        assert (offset, zero) == (end, 0)
        image = data[offset : offset + length]
        assert image == expected.image
        assert image_crc == crc32c(image)
        blank = image[:24] + bytes(8) + image[32:]
        assert state_hash == hashlib.blake2b(blank, digest_size=16).digest()
        assert state_hash.hex() == expected.state_hash
        end = offset + length
    assert end == len(data)


@pytest.mark.parametrize("length", [0, 1, 31, 127, 128, 129, 255, 256, 257, 1000])
def test_blake2b_is_that_of_hashlib(length: int) -> None:
    """Guards against a state hash that only this C has: at the ends of blocks it would go wrong."""
    data = bytes(i * 7 & 255 for i in range(length))
    assert blake2b(data) == hashlib.blake2b(data, digest_size=16).digest()


def test_every_flipped_bit_and_every_cut_is_detected() -> None:
    """Guards against a byte that no checksum covers, and a length that is believed."""
    data = bytearray(bytes_of(snapshot(9, book(2, 4), book(5, 1))))
    assert find_fault(data, 9) is None
    for at in range(len(data)):
        for bit in range(8):
            data[at] ^= 1 << bit
            assert find_fault(data, 9) is not None, f"offset {at} bit {bit}"
            data[at] ^= 1 << bit
        assert find_fault(data[:at], 9) is not None, f"cut at {at}"
    for tail in (b"\0", b"\0" * 40, bytes(data)):
        assert find_fault(bytes(data) + tail, 9) is not None
    assert find_fault(data, 10) is not None, "another's name"
    assert find_fault(data, 9) is None, "the control: nothing but damage was found"


def sealed(data: bytearray) -> bytearray:
    """The same with the right checksums: what is left wrong is wrong by itself."""
    (books,) = struct.unpack_from("<H", data, 14)
    for i in range(books):
        at = 64 + 64 * i
        offset, length = struct.unpack_from("<QQ", data, at + 24)
        image = bytes(data[offset : offset + length])
        struct.pack_into("<I", data, at + 4, crc32c(image))
        data[at + 48 : at + 64] = blake2b(image[:24] + bytes(8) + image[32:])
    struct.pack_into("<I", data, 8, crc32c(data[12 : 64 + 64 * books]))
    return data


WRONG = {
    "version": (12, "<H", 2),
    "books": (14, "<H", 0),
    "bytes": (32, "<Q", 100),
    "zeros": (50, "<B", 1),
    "limits": (64 + 8, "<q", 2000),
    "limits of capacity": (64 + 40, "<I", 2**24 + 1),
    "zeros of an entry": (64 + 44, "<I", 1),
    "offset": (64 + 24, "<Q", 200),
    "image bytes": (64 + 32, "<Q", 33),
    "image bytes of too many": (64 + 40, "<I", 2),
    "image bytes of more than there are": (128 + 32, "<Q", 32 + 40 * 50),
    "instrument": (128, "<I", 2),
    "image header": (192 + 8, "<I", 3),
    "image header's magic": (192, "<B", 0),
    "image header's count": (192 + 16, "<Q", 1),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_under_right_checksums_is_named(what: str) -> None:
    """Guards against a check that only the checksums do: a writer's own fault has right ones."""
    good = bytearray(bytes_of(snapshot(9, book(2, 3), book(5, 1))))
    assert find_fault(sealed(good), 9) is None, "the control"
    at, form, value = WRONG[what]
    struct.pack_into(form, good, at, value)
    fault = find_fault(good if what == "books" else sealed(good), 9)
    assert fault is not None
    assert fault.field == what.split(" of ")[0].split("'")[0]


def test_a_state_hash_that_is_another_books() -> None:
    """Guards against a hash that is written and never looked at."""
    data = bytearray(bytes_of(snapshot(9, book(2, 3))))
    data[64 + 48] ^= 1
    struct.pack_into("<I", data, 8, crc32c(data[12:128]))
    fault = find_fault(data, 9)
    assert fault is not None
    assert (fault.field, fault.book, fault.offset) == ("state hash", 0, 64 + 48)


def test_what_an_interrupted_one_has_left_is_in_nobodys_way(disk: Storage) -> None:
    """Guards against a log that cannot be made because its first attempt was interrupted."""
    put(disk, "00000000000000000010.0000000001.snap.tmp", b"half of i")
    name = write_snapshot(disk, snapshot(10))
    assert disk.list() == [name]
    assert read_snapshot(disk, name) == snapshot(10)


def test_orders_that_no_book_accepts(disk: Storage) -> None:
    """Guards against an image whose checksums are right and whose book is none."""
    data = bytearray(bytes_of(snapshot(9, book(2, 3))))
    struct.pack_into("<q", data, 128 + 32 + 8, 1001)  # the first order's price
    put(disk, snapshot_name(9), bytes(sealed(data)))
    with pytest.raises(LogDamagedError, match=r"image of instrument 2.*price 1001 is not in 1 to"):
        read_snapshot(disk, snapshot_name(9))


@pytest.mark.parametrize(
    "books",
    [(), (book(1, 1), book(1, 1)), (book(2, 1), book(1, 1)), (replace(book(1, 3), capacity=2),)],
)
def test_what_is_no_snapshot_is_not_written(books: tuple[BookImage, ...]) -> None:
    """Guards against a snapshot that would be refused when it is needed."""
    with SimStorage() as disk, pytest.raises(SnapshotError):
        write_snapshot(disk, Snapshot(1, 0, LOG_ID, 0, books))
    assert canonical.HEADER.size == 32


def test_a_damaged_one_is_skipped_for_the_one_before(disk: Storage) -> None:
    """Guards against a recovery that ends at a damaged snapshot, or skips one without a word."""
    for sequence in (0, 10, 20, 30):
        write_snapshot(disk, snapshot(sequence))
    assert newest_snapshot(disk) == (snapshot(30), [])
    assert newest_snapshot(disk, at_most=29) == (snapshot(20), [])
    for sequence in (30, 20):
        file, _ = disk.open(snapshot_name(sequence))
        disk.write(file, 130, b"\xff")
        disk.close_file(file)
    found, skipped = newest_snapshot(disk)
    assert found == snapshot(10)
    assert [name for name, _ in skipped] == [snapshot_name(30), snapshot_name(20)]
    assert all("book 0: image crc" in str(error) for _, error in skipped)
    aside = set_aside(disk, [name for name, _ in skipped])
    assert snapshot_names(disk) == [snapshot_name(0), snapshot_name(10)]
    assert set(aside) < set(disk.list())
    assert newest_snapshot(disk, at_most=5) == (snapshot(0), [])


def test_one_that_cannot_be_read_is_skipped_too() -> None:
    """Guards against an EIO in a snapshot that ends a recovery although there is another one."""
    with SimStorage() as disk:
        for sequence in (10, 20):
            write_snapshot(disk, snapshot(sequence))
        disk.fail("read", 1, errno.EIO)
        found, [(name, error)] = newest_snapshot(disk)
        assert found == snapshot(10)
        assert name == snapshot_name(20)
        assert isinstance(error, OSError)


def test_a_name_that_no_sequence_has(disk: Storage) -> None:
    """Guards against a file of another hand that ends the recovery with an OverflowError."""
    write_snapshot(disk, snapshot(10))
    put(disk, "9" * 20 + ".snap", bytes_of(snapshot(10)))
    found, [(name, _)] = newest_snapshot(disk)
    assert (found, name) == (snapshot(10), "9" * 20 + ".snap")
    with pytest.raises(ValueError, match="not the name"):
        read_snapshot(disk, "10.snap")


def test_none_at_all(disk: Storage) -> None:
    """Guards against an empty directory being an error here: recovery decides that."""
    assert newest_snapshot(disk) == (None, [])


def test_interrupted_at_every_step() -> None:
    """Guards against a step whose failure costs an older snapshot or leaves half of a new one."""
    with SimStorage() as control:
        before = write_snapshot(control, snapshot(10))
        calls = control.calls()
        write_snapshot(control, snapshot(20, book(0, 40)))
        steps = control.calls() - calls
    assert steps > 8
    for k in range(1, steps + 1):
        with SimStorage(seed=k) as disk:
            write_snapshot(disk, snapshot(10))
            disk.fail("any", k, errno.ENOSPC)
            with pytest.raises(SnapshotFailedError) as failed:
                write_snapshot(disk, snapshot(20, book(0, 40)))
            assert failed.value.error in (errno.ENOSPC, errno.EIO)
            named = failed.value.call == "directory_sync"
            assert snapshot_names(disk) == [before, *[snapshot_name(20)] * named]
            assert not [name for name in disk.list() if name.endswith(".tmp")]
            assert all(read_snapshot(disk, name) for name in snapshot_names(disk))
            assert disk.retried == 0, "a failed sync was asked for again"


def cut_everywhere(seeds: int, lying: str = "") -> tuple[int, int]:
    """Snapshot 10, then 20 with the power cut at each call: how many are bad, how many lost."""
    broken = lost = 0
    for seed in range(seeds):
        done = False
        for k in range(1, 100):
            with SimStorage(seed=seed * 100 + k) as disk:
                if lying:
                    disk.set_lying(lying)
                write_snapshot(disk, snapshot(10))
                disk.cut_at(k)
                try:
                    write_snapshot(disk, snapshot(20, book(0, 40)))
                    done = True
                    disk.cut_at(0)
                    disk.power_cut()
                except SnapshotFailedError:
                    assert disk.is_cut
                disk.power_on()
                found, skipped = newest_snapshot(disk)
                broken += len(skipped)
                wanted = (20,) if done else (10, 20)
                lost += found is None or found.sequence not in wanted
            if done:
                break
        assert done
    return broken, lost


def test_power_cut_at_every_step() -> None:
    """Guards against a name that comes to the disk before the bytes, and an old one that goes."""
    assert cut_everywhere(seeds=30) == (0, 0)


@pytest.mark.parametrize("kind", ["sync", "directory_sync"])
def test_power_cut_without_syncs(kind: str) -> None:
    """The control: the proof above must fail where a sync is left out."""
    broken, lost = cut_everywhere(seeds=30, lying=kind)
    assert lost > 0
    assert (broken > 0) == (kind == "sync")
