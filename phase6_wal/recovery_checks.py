"""What the tests of recovery do to logs, and what they hold it to: yes or no, nothing by halves."""

from __future__ import annotations

import pytest

from phase6_wal.errors import LogDamagedError
from phase6_wal.logs_by_hand import HEADER_BYTES, SLOT, HandMadeLog, MemoryStorage
from phase6_wal.recovery import Recovered, recover_log

MODES = ["none", "page-cache", "group", "sync"]
PROMISED = ["group", "sync"]
each_mode = pytest.mark.parametrize("durability", MODES)
each_promised = pytest.mark.parametrize("durability", PROMISED)
each_other = pytest.mark.parametrize("durability", ["none", "page-cache"])


def make(count: int = 130, *, slots: int = 51, mark_every: int = 0, **how: object) -> HandMadeLog:
    """A log whose first segments are full: 51 slots each, if there are no marks."""
    log = HandMadeLog(slots=slots, **how)  # type: ignore[arg-type]
    log.fill(count, mark_every)
    return log


def spoil(log: HandMadeLog, segment: int, slot: int, byte: int = 30) -> None:
    """Flip a bit of a record."""
    log.files[log.names[segment]][HEADER_BYTES + slot * SLOT + byte] ^= 0x10


def zero(log: HandMadeLog, segment: int, slot: int, count: int = 1) -> None:
    """Let slots be as if they had never been written."""
    at = HEADER_BYTES + slot * SLOT
    log.files[log.names[segment]][at : at + count * SLOT] = bytes(count * SLOT)


def refused(log: HandMadeLog, *, accept_loss: bool = False) -> LogDamagedError:
    """Recovery says no, and has not changed a byte."""
    before = {name: bytes(data) for name, data in log.files.items()}
    storage = MemoryStorage(log.files)
    with pytest.raises(LogDamagedError) as caught:
        recover_log(storage, accept_loss=accept_loss)
    assert storage.changes == 0
    assert {name: bytes(data) for name, data in log.files.items()} == before
    return caught.value


def cut(log: HandMadeLog, *, accept_loss: bool = False) -> tuple[Recovered, MemoryStorage]:
    """Recovery says yes; looking alone finds the same, and changes nothing."""
    storage = MemoryStorage(log.files)
    looked = recover_log(storage, accept_loss=accept_loss, cut=False)
    assert storage.changes == 0
    recovered = recover_log(storage, accept_loss=accept_loss)
    assert recovered.position == looked.position
    assert recover_log(storage).dropped is None
    return recovered, storage
