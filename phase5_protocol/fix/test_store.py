from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase5_protocol.fix.store import (
    HEADER_BYTES,
    MAGIC,
    FileStore,
    MemoryStore,
    SessionStore,
    StoreError,
)

MESSAGES = [b"8=FIX|one", b"", MAGIC]


def contents(store: SessionStore) -> tuple[int, int, list[tuple[int, bytes]]]:
    """Everything that a store knows."""
    return store.next_out, store.next_in, list(store.sent(1, 10**6))


def reopened(path: Path) -> tuple[int, int, list[tuple[int, bytes]]]:
    """What a new process finds."""
    store = FileStore(path)
    try:
        return contents(store)
    finally:
        store.close()


def fill(store: SessionStore) -> list[tuple[int, int, list[tuple[int, bytes]]]]:
    """Put something of everything in; what the store knew after each step."""
    known = [contents(store)]
    for number, data in enumerate(MESSAGES):
        store.save_sent(data)
        known.append(contents(store))
        store.set_next_in(number + 7)
        known.append(contents(store))
    store.set_next_out(store.next_out + 3)
    known.append(contents(store))
    store.save_sent(b"after the skip")
    known.append(contents(store))
    return known


def test_a_new_process_finds_everything(tmp_path: Path) -> None:
    """A number forgotten in a restart is a session that cannot log on."""
    store = FileStore(tmp_path / "s")
    fill(store)
    known = contents(store)
    store.close()
    assert reopened(tmp_path / "s") == known
    assert known[0] == 8
    assert [number for number, _ in known[2]] == [1, 2, 3, 7]


def test_cut_at_every_byte(tmp_path: Path) -> None:
    """Wherever a write was cut, the records before it must be there, and none that is not whole."""
    path = tmp_path / "s"
    store = FileStore(path)
    known = fill(store)
    store.close()
    data = path.read_bytes()
    seen = []
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        found = reopened(path)
        assert found in known, size
        seen.append(known.index(found))
        assert reopened(path) == found, "a repair that is not one"
        store = FileStore(path)
        store.save_sent(b"goes on")
        store.close()
        assert reopened(path)[0] == found[0] + 1
    assert seen == sorted(seen)
    assert set(seen) == set(range(len(known)))


def test_damage_before_the_end_is_refused(tmp_path: Path) -> None:
    """To forget half of what was sent in silence is worse than not to start."""
    path = tmp_path / "s"
    store = FileStore(path)
    fill(store)
    store.close()
    data = path.read_bytes()
    last = len(data) - 24 - len(b"after the skip")
    for at in range(last):
        changed = bytearray(data)
        changed[at] ^= 0xFF
        path.write_bytes(changed)
        with pytest.raises(StoreError, match=r"offset \d+"):
            FileStore(path)
    # The last record may be a torn write, and is taken off.
    path.write_bytes(data[:-1] + b"?")
    store = FileStore(path)
    assert store.torn_bytes == len(data) - last
    assert store.next_out == 7
    store.close()


def test_a_record_inside_a_message_is_none(tmp_path: Path) -> None:
    """Who chooses a message's text could hide a record in it, and have a torn write refused."""
    other = FileStore(tmp_path / "other")
    other.set_next_in(7)
    other.close()
    hidden = (tmp_path / "other").read_bytes()[HEADER_BYTES:]
    store = FileStore(tmp_path / "s")
    store.save_sent(b"fine")
    store.save_sent(b"8=FIX" + hidden + b"|")
    store.close()
    data = (tmp_path / "s").read_bytes()
    assert hidden in data
    (tmp_path / "s").write_bytes(data[:-1])
    assert reopened(tmp_path / "s") == (2, 1, [(1, b"fine")])


def test_records_out_of_order_are_refused(tmp_path: Path) -> None:
    """A record put in twice has a good checksum, and is damage all the same."""
    path = tmp_path / "s"
    store = FileStore(path)
    store.save_sent(b"x")
    store.close()
    data = path.read_bytes()
    path.write_bytes(data + data[HEADER_BYTES:])
    with pytest.raises(StoreError, match="number 1 where 2 should be"):
        FileStore(path)


def test_a_damaged_message_is_not_sent_again(tmp_path: Path) -> None:
    """What rots on the disk while the store is open must not go out as what was sent."""
    store = FileStore(tmp_path / "s")
    store.save_sent(b"the message")
    with (tmp_path / "s").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"?")
    with pytest.raises(StoreError, match="damaged"):
        list(store.sent(1, 1))
    store.close()


def test_two_processes_cannot_have_it(tmp_path: Path) -> None:
    """Two engines that number the same session send two messages under one number."""
    store = FileStore(tmp_path / "s")
    with pytest.raises(StoreError, match="another process"):
        FileStore(tmp_path / "s")
    store.reset()
    with pytest.raises(StoreError, match="another process"):
        FileStore(tmp_path / "s")
    store.close()
    FileStore(tmp_path / "s").close()


def test_a_file_that_a_reset_replaces_while_it_is_opened_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the opening of the file and its lock the owner resets: the lock is then that of a
    file without a name, and two processes send under the same numbers."""
    owner = FileStore(tmp_path / "s")
    lock = fcntl.flock

    def lock_late(file: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        owner.reset()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with pytest.raises(StoreError, match="another process"):
        FileStore(tmp_path / "s")
    owner.close()
    assert reopened(tmp_path / "s") == (1, 1, [])


def test_a_reset_that_fails_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A descriptor for every attempt, until there are none."""
    store = FileStore(tmp_path / "s")
    opened, closed = os.open, os.close
    files: set[int] = set()

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    def note(*arguments: Any) -> int:
        files.add(file := opened(*arguments))
        return file

    def forget(file: int) -> None:
        files.discard(file)
        closed(file)

    monkeypatch.setattr(os, "open", note)
    monkeypatch.setattr(os, "close", forget)
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StoreError, match="the disk is broken"):
        store.reset()
    assert not files
    with pytest.raises(StoreError, match="has failed before"):
        store.save_sent(b"more")
    store.close()


def test_reset(tmp_path: Path) -> None:
    """A reset that leaves old messages behind would send yesterday's under today's numbers."""
    store = FileStore(tmp_path / "s")
    fill(store)
    store.reset()
    assert contents(store) == (1, 1, [])
    store.save_sent(b"new")
    store.close()
    assert reopened(tmp_path / "s") == (2, 1, [(1, b"new")])
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_not_a_store(tmp_path: Path) -> None:
    """A wrong path must not be taken for a torn store, and emptied."""
    path = tmp_path / "precious"
    path.write_bytes(b"my thesis, the only copy")
    with pytest.raises(StoreError, match="not the store"):
        FileStore(path)
    assert path.read_bytes() == b"my thesis, the only copy"


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a write that failed half way, going on would put good records behind a bad one."""
    store = FileStore(tmp_path / "s")
    store.save_sent(b"good")
    real = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) <= 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, bytes(data[:20]))

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(StoreError, match="No space"):
        store.save_sent(b"does not fit")
    monkeypatch.undo()
    with pytest.raises(StoreError, match="failed before"):
        store.save_sent(b"would fit again")
    store.close()
    assert reopened(tmp_path / "s") == (2, 1, [(1, b"good")])


@pytest.mark.parametrize("is_synced", [False, True])
def test_fsync(is_synced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fsync asked for, a message must be on disk when the call returns: each one."""
    synced: list[int] = []
    store = FileStore(tmp_path / "s", fsync=is_synced)
    real = os.fsync

    def fsync(file: int) -> None:
        real(file)
        synced.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    store.save_sent(b"abc")
    store.set_next_in(2)
    head = HEADER_BYTES
    assert synced == ([head + 27, head + 51] if is_synced else [])
    store.close()


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=50),
            st.integers(1, 50),
            st.just("reset"),
            st.just("reopen"),
            st.just("skip"),
        ),
        max_size=30,
    )
)
def test_like_a_dictionary(tmp_path_factory: pytest.TempPathFactory, steps: list[object]) -> None:
    """The file and the plain one in memory must never differ, reopened or not."""
    path = tmp_path_factory.mktemp("store") / "s"
    file: SessionStore = FileStore(path)
    model = MemoryStore()
    try:
        for step in steps:
            if step == "reopen":
                file.close()
                file = FileStore(path)
                continue
            for store in (file, model):
                if isinstance(step, bytes):
                    store.save_sent(step)
                elif isinstance(step, int):
                    store.set_next_in(step)
                elif step == "skip":
                    store.set_next_out(store.next_out + 2)
                else:
                    store.reset()
            assert contents(file) == contents(model)
    finally:
        file.close()
