"""The flat codec and what it is compared with, in C: the one face on C of this package.

A record on the wire is the record in memory. So encoding is a view of an array's bytes, and
decoding a view of the bytes received, once they have been checked: ``c/flat_codec.h`` says what a
wire takes, what it refuses, and what is left to the engine.

>>> from contract.messages import cancel, mass_cancel
>>> decoder = CommandDecoder(limit=16)
>>> datagram = cancel(7).pack() + mass_cancel().pack() + cancel(8).pack()
>>> decoder.decode(datagram)["order_id"].tolist()
[7, 8]
>>> decoder.refused
{<Outcome.NOT_PERMITTED: 4>: 1}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final

import numpy as np

from contract.messages import RECORD_BYTES
from contract.records import COMMAND_DTYPE, EVENT_DTYPE, RecordArray
from phase5_protocol._protocol import ffi, lib

#: Most records that a decoder looks at in one buffer, unless asked for otherwise: a datagram of
#: Ethernet holds 23, one of the largest that there are 1,023.
DEFAULT_LIMIT: Final = 1024

SBE_LARGEST_BYTES: Final[int] = lib.SBE_LARGEST_BYTES


class Outcome(IntEnum):
    """What became of a record on the wire; the order is that of the checks."""

    TAKEN = lib.FLAT_TAKEN
    SHORT_RECORD = lib.FLAT_SHORT_RECORD
    BEYOND_LIMIT = lib.FLAT_BEYOND_LIMIT
    UNKNOWN_KIND = lib.FLAT_UNKNOWN_KIND
    NOT_PERMITTED = lib.FLAT_NOT_PERMITTED
    SEQUENCE = lib.FLAT_SEQUENCE
    RESERVED = lib.FLAT_RESERVED
    SIDE = lib.FLAT_SIDE
    ORDER_TYPE = lib.FLAT_ORDER_TYPE
    TIME_IN_FORCE = lib.FLAT_TIME_IN_FORCE
    SELF_TRADE = lib.FLAT_SELF_TRADE
    FLAGS = lib.FLAT_FLAGS
    ORDER_ID = lib.FLAT_ORDER_ID
    CONTRA_ORDER_ID = lib.FLAT_CONTRA_ORDER_ID
    QUANTITY = lib.FLAT_QUANTITY
    LEAVES = lib.FLAT_LEAVES
    REASON = lib.FLAT_REASON
    UNUSED_FIELD = lib.FLAT_UNUSED_FIELD


class SbeOutcome(IntEnum):
    """What became of an SBE message; CONTENT is told apart by :class:`Outcome`."""

    TAKEN = lib.SBE_TAKEN
    SHORT_HEADER = lib.SBE_SHORT_HEADER
    UNKNOWN_SCHEMA = lib.SBE_UNKNOWN_SCHEMA
    SHORT_BUFFER = lib.SBE_SHORT_BUFFER
    UNKNOWN_TEMPLATE = lib.SBE_UNKNOWN_TEMPLATE
    SHORT_BLOCK = lib.SBE_SHORT_BLOCK
    BEYOND_LIMIT = lib.SBE_BEYOND_LIMIT
    CONTENT = lib.SBE_CONTENT


def _bytes_of(buffer: Any, *, writable: bool = False) -> Any:
    """The memory of a buffer, as cffi sees it.

    Raises:
        ValueError: it is not contiguous, or not writable where it must be.
    """
    try:
        return ffi.from_buffer("char[]", buffer, require_writable=writable)
    except BufferError as error:
        raise ValueError(str(error)) from error


class FlatDecoder(ABC):
    """Takes records off a wire: what is right comes back in order, the rest is counted by reason.

    Nothing is allocated after the first; nothing a sender writes raises. Not thread-safe.
    """

    def __init__(self, dtype: np.dtype[np.void], limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit {limit} is below 1")
        self.limit = limit
        self._records = np.zeros(limit, dtype)
        self._memory = ffi.from_buffer(self._records)
        self._counts = ffi.new("flat_counts *")

    @abstractmethod
    def _decode(self, source: Any, size: int, target: Any, limit: int) -> int:
        """Check ``size`` bytes, and move what is right to ``target``."""

    def decode(self, buffer: Any) -> RecordArray:
        """The records of a buffer that the wire takes, shape (n,); at most ``limit``. O(n).

        Copied once, to where their fields are aligned. The array is a view of the decoder's own
        memory: the next call overwrites it.
        """
        source = _bytes_of(buffer)
        return self._records[: self._decode(source, len(source), self._memory, self.limit)]

    def decode_in_place(self, buffer: Any) -> RecordArray:
        """The same without a copy, in the buffer's own memory: shape (n,), whatever ``limit`` is.

        What is refused is overwritten by what comes after it.

        Raises:
            ValueError: the buffer is not writable, or not at a multiple of 8.
        """
        source = _bytes_of(buffer, writable=True)
        if not lib.flat_is_aligned(source):
            raise ValueError("records in place must lie at a multiple of 8: decode() copies them")
        room = len(source) // RECORD_BYTES
        taken = self._decode(source, len(source), source, room)
        return np.frombuffer(ffi.buffer(source), np.uint8)[: taken * RECORD_BYTES].view(
            self._records.dtype
        )

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many records had each outcome, all of them named."""
        return {outcome: self._counts.of[outcome] for outcome in Outcome}

    @property
    def taken(self) -> int:
        """How many records were taken, ever."""
        return int(self._counts.of[Outcome.TAKEN])

    @property
    def refused(self) -> dict[Outcome, int]:
        """How many records were refused, by the reasons that occurred."""
        return {outcome: count for outcome, count in self.counts.items() if outcome and count}


class CommandDecoder(FlatDecoder):
    """Takes commands: NewOrder, CancelOrder, ReplaceOrder; MASS_CANCEL if it is permitted."""

    def __init__(self, limit: int = DEFAULT_LIMIT, *, permit_mass_cancel: bool = False) -> None:
        """Start with all counts at 0.

        Args:
            limit: most records to look at in one buffer.
            permit_mass_cancel: only on an operator's channel: account 0 cancels everybody's.
        """
        super().__init__(COMMAND_DTYPE, limit)
        self._permitted = lib.FLAT_PERMIT_ALL if permit_mass_cancel else lib.FLAT_PERMIT_ORDERS

    def _decode(self, source: Any, size: int, target: Any, limit: int) -> int:
        target = ffi.cast("command_record *", target)
        return int(
            lib.flat_commands_decode(source, size, target, limit, self._permitted, self._counts)
        )


class EventDecoder(FlatDecoder):
    """Takes execution reports, as a subscriber does."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        """Start with all counts at 0; ``limit`` is the most records to look at in one buffer."""
        super().__init__(EVENT_DTYPE, limit)

    def _decode(self, source: Any, size: int, target: Any, limit: int) -> int:
        target = ffi.cast("event_record *", target)
        return int(lib.flat_events_decode(source, size, target, limit, self._counts))


def encode(records: RecordArray) -> memoryview:
    """The bytes of an array of records as they go on the wire: a view, nothing is copied. O(1).

    Raises:
        ValueError: the array is not contiguous, or not of records.
    """
    if records.dtype not in (COMMAND_DTYPE, EVENT_DTYPE):
        raise ValueError(f"an array of {records.dtype} is not one of records")
    if not records.flags.c_contiguous:
        raise ValueError("the records do not lie one behind the other")
    return records.view(np.uint8).data


def encode_into(records: RecordArray, buffer: Any) -> int:
    """Copy records into a writable buffer, as many as fit; returns how many. O(n)."""
    target = _bytes_of(buffer, writable=True)
    source = encode(records)
    return int(lib.flat_encode(_bytes_of(source), len(records), target, len(target)))


def view_commands(buffer: Any) -> RecordArray:
    """A buffer's bytes as commands, unchecked: a cast, for bytes of one's own. Shape (n,). O(1).

    Raises:
        ValueError: the buffer is not whole records.
    """
    return np.frombuffer(buffer, COMMAND_DTYPE)


def view_events(buffer: Any) -> RecordArray:
    """A buffer's bytes as events, as :func:`view_commands` does it."""
    return np.frombuffer(buffer, EVENT_DTYPE)


# --- SBE, for comparison ---------------------------------------------------------------------


def sbe_encode(records: RecordArray) -> tuple[int, bytes]:
    """Records as SBE messages, one behind the other: how many of them, and the bytes. O(n).

    It ends before a command that has no message, such as a MASS_CANCEL.
    """
    room = np.empty(len(records) * SBE_LARGEST_BYTES, np.uint8)
    written = ffi.new("size_t *")
    _, function = _functions_for(records.dtype)
    source = ffi.cast(f"{_record_of(records.dtype)} *", _bytes_of(encode(records)))
    count = function(source, len(records), ffi.from_buffer(room), len(room), written)
    return int(count), room[: written[0]].tobytes()


def sbe_decode(
    buffer: Any, dtype: np.dtype[np.void], limit: int = DEFAULT_LIMIT
) -> tuple[RecordArray, dict[SbeOutcome, int]]:
    """The records of a buffer of SBE messages, and how many messages had each outcome. O(n)."""
    source = _bytes_of(buffer)
    records = np.zeros(limit, dtype)
    counts = ffi.new("sbe_counts *")
    function, _ = _functions_for(dtype)
    target = ffi.cast(f"{_record_of(dtype)} *", ffi.from_buffer(records))
    taken = function(source, len(source), target, limit, counts)
    return records[:taken], {outcome: counts.of[outcome] for outcome in SbeOutcome}


def _record_of(dtype: np.dtype[np.void]) -> str:
    return "command_record" if dtype == COMMAND_DTYPE else "event_record"


def _functions_for(dtype: np.dtype[np.void]) -> tuple[Any, Any]:
    if dtype == COMMAND_DTYPE:
        return lib.sbe_commands_decode, lib.sbe_commands_encode
    return lib.sbe_events_decode, lib.sbe_events_encode


# --- a cast through cffi, for comparison ------------------------------------------------------


def cffi_encode(dtype: np.dtype[np.void], rows: Sequence[tuple[int, ...]]) -> bytes:
    """Rows, with the fields in the record's order, through an array of cffi's own struct. O(n)."""
    return bytes(ffi.buffer(ffi.new(f"{_record_of(dtype)}[]", rows)))


def cffi_decode(dtype: np.dtype[np.void], wire: bytes) -> list[tuple[int, ...]]:
    """The rows of whole records: the address is cast, and every field read where it lies. O(n)."""
    names = tuple(dtype.names or ())
    records = ffi.from_buffer(f"{_record_of(dtype)}[]", wire)
    return [tuple([getattr(record, name) for name in names]) for record in records]


# --- what each format costs in C ----------------------------------------------------------------

#: The loops of ``c/codec_loops.h``: the floor is what all of them have in common.
LOOPS: Final = ("floor", "cast", "in_place", "flat", "sbe")


def make_loop(name: str, records: RecordArray) -> Callable[[int], int]:
    """A loop in C that encodes and decodes ``records`` so many times; all memory is made here.

    Returns:
        A function of the number of rounds. It returns the sum of all fields read, modulo 2**64,
        which is the same for every loop over the same records.

    Raises:
        ValueError: there is no such loop.
    """
    if name not in LOOPS:
        raise ValueError(f"no loop {name!r}: one of {', '.join(LOOPS)}")
    kind = "command" if records.dtype == COMMAND_DTYPE else "event"
    wire = np.zeros(max(1, len(records)) * SBE_LARGEST_BYTES, np.uint8)
    out = np.zeros_like(records)
    source = ffi.cast(f"{kind}_record *", _bytes_of(encode(records)))
    further = [] if name == "floor" else [ffi.from_buffer(wire)]
    if name in ("flat", "sbe"):
        further.append(ffi.cast(f"{kind}_record *", ffi.from_buffer(out)))
    function = getattr(lib, f"codec_{kind}s_{name}")

    def run(rounds: int) -> int:
        # The arrays belong to this function as long as it exists: C has only their addresses.
        assert len(out) == len(records)
        return int(function(source, len(records), rounds, *further))

    return run
