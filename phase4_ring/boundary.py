"""What crosses into C and what comes back: buffers, waits, times, and reasons why not."""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np

from contract.errors import ConfigurationError
from contract.messages import RECORD_BYTES
from contract.ring import CURSORS, Rows
from phase4_ring._ring import ffi, lib
from phase4_ring.shared_names import (
    RingInUseError,
    RingMismatchError,
    RingMissingError,
    system_name,
)

__all__ = ["CURSORS"]

DEFAULT_SLOTS: Final = 8192
#: How to wait (c/wait.h). Who parks costs the other side a look at every hand-over.
WAITS: Final = {"spin": lib.WAIT_SPIN, "yield": lib.WAIT_YIELD, "park": lib.WAIT_PARK}

_CHARS = ffi.typeof("char[]")
_FIELDS: Final = {
    lib.REGION_FOREIGN: "magic",
    lib.REGION_OTHER_VERSION: "version",
    lib.REGION_OTHER_KIND: "kind",
    lib.REGION_OTHER_RECORD: "bytes of a record",
    lib.REGION_OTHER_LINE: "bytes of a cache line",
    lib.REGION_OTHER_SIZE: "bytes",
}
_KINDS: Final = {lib.REGION_SPSC: "an SPSC ring", lib.REGION_SEQUENCER: "a sequencer"}


def view_slots(slots: Any, owner: Any, capacity: int) -> Rows:
    """All slots of a ring as one array of rows, which keeps the ring's memory mapped."""
    kept = ffi.gc(slots, lambda _slots, _owner=owner: None)
    memory = ffi.buffer(kept, capacity * RECORD_BYTES)
    return np.frombuffer(memory, np.uint8).reshape(capacity, RECORD_BYTES)


def whole_records(buffer: Any, *, writable: bool = False) -> tuple[Any, int]:
    """A buffer as C takes it, and how many records it holds; cheaper than ``record_view``.

    Raises:
        ValueError: it is not contiguous, not whole records, or read-only and should not be.
    """
    try:
        memory = ffi.from_buffer(_CHARS, buffer, writable)
    except BufferError as error:
        raise ValueError(str(error)) from error
    count, rest = divmod(len(memory), RECORD_BYTES)
    if rest:
        raise ValueError(f"{len(memory)} bytes are not a whole number of 64-byte records")
    return memory, count


def wait_code(wait: str) -> int:
    """The number of a wait strategy's name."""
    if wait not in WAITS:
        raise ConfigurationError(f"wait {wait!r} is not one of {', '.join(WAITS)}")
    return int(WAITS[wait])


def timeout_ns(timeout_s: float | None) -> int:
    """Seconds as C wants them; None is for ever.

    Raises:
        ValueError: negative, or no number.
    """
    if timeout_s is None:
        return CURSORS - 1
    if not timeout_s >= 0:
        raise ValueError(f"timeout_s {timeout_s} is not 0 or more")
    return min(int(timeout_s * 1e9), CURSORS - 2)


def check_count(count: int, what: str) -> int:
    """A count of records, as C can take it.

    Raises:
        ValueError: it is negative.
    """
    if count < 0:
        raise ValueError(f"{what} {count} is not 0 or more")
    return count


def check_capacity(capacity: int) -> int:
    """A capacity that a ring can have.

    Raises:
        ConfigurationError: it is not a power of two from 2 to 2**24.
    """
    if not 2 <= capacity <= 2**24 or capacity & (capacity - 1):
        raise ConfigurationError(f"capacity {capacity} is not a power of two from 2 to {2**24}")
    return capacity


def unlink(name: str) -> None:
    """Take a ring's name out of shared memory; those attached go on."""
    problem = ffi.new("region_problem *")
    raise_problem(lib.region_unlink(system_name(name), problem), problem, name)


def raise_problem(code: int, problem: Any, name: str) -> None:
    """Turn what c/region.h returns into the exception it stands for; 0 is none."""
    found, expected = int(problem.found), int(problem.expected)
    if code == 0:
        return
    if code == lib.REGION_EXISTS:
        raise RingInUseError(f"ring {name!r} exists already; unlink() it if its owner is gone")
    if code == lib.REGION_MISSING:
        raise RingMissingError(f"ring {name!r} does not exist")
    if code == lib.REGION_NOT_READY:
        raise RingMissingError(f"ring {name!r} is not ready: its creator is at it, or died at it")
    if code == lib.REGION_OTHER_KIND:
        kinds = _KINDS.get(found, str(found)), _KINDS[expected]
        raise RingMismatchError(name, "kind", *kinds)
    if code in _FIELDS:
        raise RingMismatchError(name, _FIELDS[code], found, expected)
    if code == lib.REGION_BAD_CAPACITY:
        raise RingMismatchError(name, "capacity", found, f"a power of two from 2 to {expected}")
    raise ConfigurationError(f"ring {name!r}: {os.strerror(found)}")
