"""A log cut anywhere: recovery gives exactly what is whole before the cut, to go on from there."""

from __future__ import annotations

import pytest

from phase6_wal.errors import LogFailedError
from phase6_wal.logs_by_hand import HEADER_BYTES, SLOT, HandMadeLog, MemoryStorage
from phase6_wal.names import LOST_SUFFIX
from phase6_wal.native import LogOptions, LogWriter
from phase6_wal.native_sim import SimStorage
from phase6_wal.reader import LogReader
from phase6_wal.recovery import recover_log

#: A prime: cutting at each of its multiples comes to every place within a record.
SOME = 97


class Prefixes:
    """Of a log made by hand: what is whole before any byte of it, told by arithmetic."""

    def __init__(self, log: HandMadeLog, mark_every: int) -> None:
        self.log = log
        self.names = log.names
        # One sequence for each slot of the log: of the command, or of the one before the mark.
        self.sequences = []
        for sequence in range(1, log.sequence + 1):
            self.sequences += [sequence] * (1 + (sequence % mark_every == 0))

    def expect(self, segment: int, cut: int) -> tuple[int, int, int]:
        """Number, slot and sequence that recovery must find, if all ends at ``cut``."""
        if cut < HEADER_BYTES:
            before = segment * self.log.slots
            if not before:
                return (0, 0, 0)
            return (segment, self.log.slots, self.sequences[before - 1])
        whole = min((cut - HEADER_BYTES) // SLOT, self.log.slots)
        records = min(segment * self.log.slots + whole, len(self.sequences))
        slot = records - segment * self.log.slots
        return (segment + 1, slot, self.sequences[records - 1] if records else 0)


def found(storage: MemoryStorage, *, cut: bool) -> tuple[int, int, int]:
    position = recover_log(storage, cut=cut).position
    return (position.number, position.slot, position.sequence)


def check_cut(prefixes: Prefixes, files: dict[str, bytearray], segment: int, cut: int) -> None:
    """Recover, cutting; twice is once; and a log of just what is whole is left."""
    expected = prefixes.expect(segment, cut)
    storage = MemoryStorage(dict(files))
    assert found(storage, cut=True) == expected
    changes = storage.changes
    again = recover_log(storage)
    position = again.position
    assert (position.number, position.slot, position.sequence) == expected
    assert again.dropped is None
    assert storage.changes == changes, "the second recovery changed something"
    bodies = b"".join(batch.tobytes() for batch, _ in LogReader(storage, "commands").batches())
    assert bodies == b"".join(prefixes.log.bodies[: expected[2]])
    for name in storage.files:
        assert len(storage.files[name]) == prefixes.log.size


def cut_everywhere(count: int, slots: int, *, zeros: bool) -> int:
    """Cut a log at each of its bytes; how many cuts that were."""
    log = HandMadeLog(slots=slots)
    log.fill(count, mark_every=23)
    prefixes, cuts = Prefixes(log, 23), 0
    storage = MemoryStorage({})
    for segment, name in enumerate(prefixes.names):
        full = bytes(log.files[name])
        before = {other: log.files[other] for other in prefixes.names[:segment]}
        growing = bytearray(log.size)
        for cut in range(len(full) + 1):
            if zeros:
                growing[max(cut - 1, 0) : cut] = full[max(cut - 1, 0) : cut]
            present = memoryview(growing) if zeros else memoryview(full)[:cut]
            storage.files = {**before, name: present}
            expected = prefixes.expect(segment, cut)
            if zeros and expected[0] == segment + 1:
                ahead = prefixes.expect(segment, min(cut + SLOT - 1, log.size))
                at = HEADER_BYTES + expected[1] * SLOT
                if present[at : at + SLOT] == full[at : at + SLOT]:
                    expected = ahead  # what is cut off of the record was zeros
            elif zeros and present[:HEADER_BYTES] == full[:HEADER_BYTES]:
                expected = prefixes.expect(segment, HEADER_BYTES)
            assert found(storage, cut=False) == expected, f"{name} cut at {cut}"
            if cut % SOME == 0 and not zeros:
                check_cut(prefixes, {**before, name: bytearray(present)}, segment, cut)
            cuts += 1
    return cuts


@pytest.mark.release_only
def test_files_end_at_every_byte() -> None:
    """Guards against a record lost that was whole, or half of one taken: 2,000 commands."""
    assert cut_everywhere(2000, 2200, zeros=False) > 160_000


@pytest.mark.release_only
def test_files_end_at_every_byte_of_several() -> None:
    """Guards against the same where other segments stand before: a header cut is an end, too."""
    assert cut_everywhere(200, 51, zeros=False) > 25_000


@pytest.mark.release_only
def test_zeros_from_every_byte() -> None:
    """Guards against the same where the file's blocks are there, as after a crash."""
    assert cut_everywhere(500, 250, zeros=True) > 40_000


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.long
def test_every_byte_of_a_long_log(zeros: bool) -> None:
    """Guards against the same: 5,000 commands in seven segments."""
    assert cut_everywhere(5000, 800, zeros=zeros) > 400_000


def test_the_proof_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards against a proof that proves nothing: a recovery that loses a record is caught."""
    real = Prefixes.expect
    monkeypatch.setattr(
        Prefixes, "expect", lambda self, segment, cut: real(self, segment, max(cut - SLOT, 0))
    )
    with pytest.raises(AssertionError):
        cut_everywhere(20, 20, zeros=False)


# --- a recovery that is cut off itself ---------------------------------------------------------


def put(storage: SimStorage, files: dict[str, bytearray]) -> None:
    """Files onto a simulated disk, for certain."""
    for name, data in files.items():
        file = storage.create(name, len(data))
        storage.write(file, 0, data)
        storage.sync(file)
        storage.close_file(file)
    storage.sync_directory()


def holed(storage: SimStorage, *, behind: bool = True, short: bool = False) -> tuple[int, ...]:
    """A log whose last segment has a hole that nobody was promised, and how it must be cut.

    Args:
        behind: a segment is there behind it that was begun, and of which nothing arrived. Then the
            hole was promised to nobody only under page-cache, and it takes ``accept_loss``.
        short: the segment's file has lost its end.
    """
    durability = "page-cache" if behind else "group"
    log = HandMadeLog(slots=20, durable_lag=1000, durability=durability)
    log.fill(3 * log.slots - 10)
    files = log.files
    last = files[log.names[2]]
    last[HEADER_BYTES + 7 * SLOT : HEADER_BYTES + 8 * SLOT] = bytes(SLOT)
    if short:
        del last[HEADER_BYTES + 15 * SLOT + 3 :]
    if behind:
        files[f"{log.sequence + 12:020d}.log"] = bytearray(log.size)
    put(storage, files)
    return (2 * log.slots + 7, 3, 2 * log.slots + 1, 7)


each_hole = pytest.mark.parametrize(
    ("behind", "short"), [(True, False), (False, False), (False, True), (True, True)]
)


def lost_files(storage: SimStorage) -> list[str]:
    return [name for name in storage.list() if name.endswith(LOST_SUFFIX)]


@each_hole
def test_a_cut_that_is_cut_off(behind: bool, short: bool) -> None:
    """Guards against a recovery that leaves another log if the power fails at any of its calls."""
    with SimStorage() as whole:
        expected = holed(whole, behind=behind, short=short)
        before = whole.calls()
        recover_log(whole, accept_loss=behind)
        calls = whole.calls() - before
    assert calls > 20
    for seed in range(8):
        for k in range(1, calls + 1):
            with SimStorage(seed) as storage:
                holed(storage, behind=behind, short=short)
                storage.cut_at(k)
                with pytest.raises(LogFailedError):
                    recover_log(storage, accept_loss=behind)
                assert storage.is_cut
                storage.power_on()
                recovered = recover_log(storage, accept_loss=behind)
                assert recovered.position[:4] == expected, f"seed {seed}, call {k}"
                assert lost_files(storage), f"seed {seed}, call {k}: whole records are gone"
                assert recover_log(storage).dropped is None


@each_hole
def test_a_power_cut_right_after(behind: bool, short: bool) -> None:
    """Guards against a cut that is in the cache alone: what was cut off comes back later."""
    for seed in range(40):
        with SimStorage(seed) as storage:
            expected = holed(storage, behind=behind, short=short)
            recover_log(storage, accept_loss=behind)
            names = storage.list()
            storage.power_cut()
            storage.power_on()
            assert storage.list() == names, f"seed {seed}"
            again = recover_log(storage)
            assert (again.position[:4], again.dropped) == (expected, None), f"seed {seed}"
            assert lost_files(storage)
            [kept] = lost_files(storage)
            assert storage.read_file(kept)[:8] == b"MBLOG\0\0\1"


def test_every_call_of_a_recovery_fails() -> None:
    """Guards against a disk's error that is taken for the end of the log, or is not named."""
    with SimStorage() as whole:
        expected = holed(whole)
        before = whole.calls()
        recover_log(whole, accept_loss=True)
        calls = whole.calls() - before
    for k in range(1, calls + 1):
        with SimStorage() as storage:
            holed(storage)
            storage.fail("any", k)
            with pytest.raises(LogFailedError) as failed:
                recover_log(storage, accept_loss=True)
            assert failed.value.name
            storage.power_cut()  # after a failed sync nothing else tells what is on the disk
            storage.power_on()
            assert recover_log(storage, accept_loss=True).position[:4] == expected, f"call {k}"


@pytest.mark.parametrize("cut", [0, 1, SLOT - 1, SLOT, 5 * SLOT + 13, 51 * SLOT, 60 * SLOT])
def test_a_writer_goes_on(cut: int) -> None:
    """Guards against a position that a writer cannot go on from: what it writes would be lost."""
    log = HandMadeLog(slots=51)
    log.fill(100)
    flat = [log.files[name][HEADER_BYTES:][: log.slots * SLOT] for name in log.names]
    kept = bytes(b"".join(flat)[:cut])
    with SimStorage() as storage:
        for i, name in enumerate(log.names):
            piece = kept[i * log.slots * SLOT :][: log.slots * SLOT]
            if i and not piece:
                continue
            data = bytearray(log.files[name][:HEADER_BYTES]) + piece
            put(storage, {name: data.ljust(log.size, b"\0")})
        recovered = recover_log(storage)
        assert recovered.sequence == cut // SLOT
        options = LogOptions(
            durability="sync",
            segment_bytes=log.size,
            log_id=recovered.log_id,
            prepare_thread=False,
        )
        writer = LogWriter(storage, options, recovered.position)
        writer.append(b"".join(log.bodies[recovered.sequence :]))
        chain = writer.position.chain
        writer.close()
        again = recover_log(storage)
        assert again.sequence == 100
        assert again.dropped is None
        assert again.position.chain == chain
        read = b"".join(batch.tobytes() for batch, _ in LogReader(storage).batches())
        assert read == b"".join(log.bodies)
