"""What crosses into C: buffers of records, ways to wait, times and counts, each checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from contract.errors import ConfigurationError
from contract.messages import RECORD_BYTES
from contract.ring import CURSORS
from phase4_ring._ring import ffi, lib

__all__ = ["CURSORS"]

DEFAULT_SLOTS: Final = 8192
#: How to wait (c/wait.h). Who parks costs the other side a look at every hand-over.
WAITS: Final = {"spin": lib.WAIT_SPIN, "yield": lib.WAIT_YIELD, "park": lib.WAIT_PARK}

#: How long a wait stays in C before it comes back for a look around.
_SLICE_NS: Final = 100_000_000
_CHARS = ffi.typeof("char[]")


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
    return int(min(timeout_s * 1e9, CURSORS - 2))  # in this order: of infinity too


def wait_in_slices(
    wait: Callable[[int], int], timeout_s: float | None, look: Callable[[], None]
) -> int:
    """Wait in C for a while, look around in Python, and go on: what C said in the end.

    C knows no dying processes, and Python handles no signal while a call into C lasts.

    Args:
        wait: takes nanoseconds; returns one of the ``WAIT_`` numbers.
        look: called between two slices; may raise.
    """
    left = timeout_ns(timeout_s)
    while True:
        some = min(left, _SLICE_NS)
        state = wait(some)
        left -= some
        if state != lib.WAIT_TIMEOUT or not left:
            return state
        look()


def check_count(count: int, what: str) -> int:
    """A count of records, as C can take it.

    Raises:
        ValueError: it is negative.
    """
    if count < 0:
        raise ValueError(f"{what} {count} is not 0 or more")
    return count
