"""The SPSC ring: from one producer to one consumer, threads or processes, no lock, no kernel.

A call crosses into C once, whatever its batch; ``claim`` and ``peek`` lend the slots themselves,
so that a batch can be written and read where it lies.
"""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np

from contract.errors import InvariantError, MatchbookError
from contract.messages import RECORD_BYTES
from contract.ring import RingClosedError, Rows
from phase4_ring._ring import ffi, lib
from phase4_ring.boundary import (
    CURSORS,
    DEFAULT_SLOTS,
    check_capacity,
    check_count,
    raise_problem,
    timeout_ns,
    unlink,
    view_slots,
    wait_code,
    whole_records,
)
from phase4_ring.shared_names import PeerDiedError, RingInUseError, system_name

_PRODUCER, _CONSUMER = 0, 1
_SIDES = ("producer", "consumer")


class SpscRing:
    """A ring of 64-byte records for one producer and one consumer.

    Args:
        capacity: slots, a power of two from 2 to 2**24.
        wait: how the two sides wait in ``wait_items`` and ``wait_space``: ``"spin"``, ``"yield"``
            or ``"park"``. A ring made with another than ``"park"`` saves its users the look for
            sleepers; who parks at it all the same yields instead.
        start: the first cursor; for tests of wrapping.

    Rows are ``uint8`` arrays of shape (n, 64); ``rows.view(COMMAND_DTYPE)`` reads them.
    """

    def __init__(
        self, capacity: int = DEFAULT_SLOTS, *, wait: str = "park", start: int = 0
    ) -> None:
        self._open(None, capacity, wait, start)

    @classmethod
    def create(
        cls, name: str, capacity: int = DEFAULT_SLOTS, *, wait: str = "park", start: int = 0
    ) -> Self:
        """A new ring in shared memory, which other processes ``attach`` to by its name.

        The name stays until ``unlink``; the memory until nobody is attached any more.

        Raises:
            RingInUseError: the name is taken.
            ConfigurationError: the name or the capacity is none, or memory is short.
        """
        self = cls.__new__(cls)
        self._open(name, capacity, wait, start)
        return self

    @classmethod
    def attach(cls, name: str, *, wait: str = "park") -> Self:
        """The ring another process has created under that name.

        Raises:
            RingMissingError: there is none, or it is not ready yet.
            RingMismatchError: it is another kind, version or layout; names the field.
        """
        self = cls.__new__(cls)
        made = ffi.new("spsc_ring **")
        problem = ffi.new("region_problem *")
        raise_problem(lib.spsc_attach(system_name(name), made, problem), problem, name)
        self._adopt(made[0], name, wait)
        return self

    def _open(self, name: str | None, capacity: int, wait: str, start: int) -> None:
        check_capacity(capacity)
        made = ffi.new("spsc_ring **")
        problem = ffi.new("region_problem *")
        code = lib.spsc_create(
            ffi.NULL if name is None else system_name(name),
            capacity,
            wait_code(wait) == lib.WAIT_PARK,
            start % CURSORS,
            made,
            problem,
        )
        raise_problem(code, problem, name or "")
        self._adopt(made[0], name, wait)

    def _adopt(self, handle: Any, name: str | None, wait: str) -> None:
        self.name = name
        self.capacity = int(lib.spsc_capacity(handle))
        # The collector detaches a forgotten ring; detach() is the way that does not wait for it.
        self._ring: Any = ffi.gc(handle, lib.spsc_detach)
        self._slots = lib.spsc_slots(handle)
        self._rows = view_slots(self._slots, self._ring, self.capacity)
        self._read_only_rows = self._rows[:]
        self._read_only_rows.flags.writeable = False
        self._wait = wait_code(wait)
        # One for each side: their threads are in C at the same time.
        self._granted, self._found = ffi.new("size_t *"), ffi.new("size_t *")
        self._lent = [0, 0]
        self._one = ffi.new("char[]", RECORD_BYTES)
        self._one_bytes = ffi.buffer(self._one)
        # Within one process the two sides are a matter between its threads.
        self._has_side = [name is None, name is None]

    # --- what both sides see --------------------------------------------------------------

    @property
    def handle(self) -> Any:
        """The ring as C knows it, for other faces of this phase."""
        if self._ring is None:
            raise MatchbookError("this ring is detached")
        return self._ring

    @property
    def head(self) -> int:
        """Cursor of the next record to go in."""
        return int(lib.spsc_head(self.handle))

    @property
    def tail(self) -> int:
        """Cursor of the oldest record not given back."""
        return int(lib.spsc_tail(self.handle))

    def __len__(self) -> int:
        """Records in it: exact for one's own side, a moment old for the other's. O(1)."""
        tail = self.tail  # first: the head only grows, so the difference is never negative
        return min((self.head - tail) % CURSORS, self.capacity)

    @property
    def closed(self) -> bool:
        """Whether nothing more will go in."""
        return bool(lib.spsc_is_closed(self.handle))

    def close(self) -> None:
        """Let nothing more in; what is in it can still be popped. Closing twice is harmless."""
        lib.spsc_close(self.handle)

    def check(self) -> None:
        """Verify the cursors against each other. Only while nobody uses the ring. O(1)."""
        message = ffi.new("char[]", 256)
        if not lib.spsc_check(self.handle, message, 256):
            raise InvariantError(f"SPSC ring: {ffi.string(message).decode()}")

    # --- the producer ----------------------------------------------------------------------

    def push(self, records: Any) -> int:
        """Put whole records in, as many as there is room for; returns how many. O(n).

        Raises:
            ValueError: the buffer is not whole 64-byte records. Nothing went in.
            RingClosedError: the ring is closed. Nothing went in.
            RingInUseError: another living process is the producer.
        """
        if not self._has_side[_PRODUCER]:
            self._take(_PRODUCER)
        source, count = whole_records(records)
        pushed = lib.spsc_offer(self.handle, source, count)
        if pushed < 0:
            raise RingClosedError("the ring is closed")
        return pushed  # type: ignore[no-any-return]

    def put(self, record: bytes) -> bool:
        """Put one record in: False if there is no room. The shortest way for a single one. O(1).

        Raises: as ``push``.
        """
        if len(record) != RECORD_BYTES:
            raise ValueError(f"{len(record)} bytes are not one 64-byte record")
        if not self._has_side[_PRODUCER]:
            self._take(_PRODUCER)
        pushed = lib.spsc_offer(self._ring or self.handle, record, 1)
        if pushed < 0:
            raise RingClosedError("the ring is closed")
        return pushed == 1  # type: ignore[no-any-return]

    def claim(self, wanted: int) -> Rows:
        """Up to ``wanted`` free slots side by side, to be written in place. O(1).

        None if the ring is full; fewer at the lap's end. Without ``commit`` a claim has no effect.
        """
        if not self._has_side[_PRODUCER]:
            self._take(_PRODUCER)
        slots = lib.spsc_claim(self.handle, check_count(wanted, "wanted"), self._granted)
        first, count = slots - self._slots, self._granted[0]
        self._lent[_PRODUCER] = count
        return self._rows[first : first + count]

    def commit(self, count: int) -> None:
        """Hand over the first ``count`` slots of the last claim. O(1)."""
        self._settle(_PRODUCER, count)
        lib.spsc_commit(self.handle, count)

    def wait_space(self, timeout_s: float | None = None) -> bool:
        """Wait until something can be pushed: True; False: time is up, or the ring is closed.

        Raises:
            PeerDiedError: it is full, and the process that read it has ended.
        """
        state = lib.spsc_wait_space(self.handle, self._wait, timeout_ns(timeout_s))
        if state == lib.WAIT_TIMEOUT:
            self._look_for_peer(_CONSUMER)
        return bool(state == lib.WAIT_READY)

    # --- the consumer ----------------------------------------------------------------------

    def pop(self, most: int) -> Rows:
        """Take out up to ``most`` records, oldest first: a copy, shape (n, 64). O(n)."""
        if not self._has_side[_CONSUMER]:
            self._take(_CONSUMER)
        most = min(check_count(most, "most"), self.capacity)
        out = np.empty((most, RECORD_BYTES), np.uint8)
        count = lib.spsc_pop(self.handle, ffi.from_buffer(out), most)
        return out[:count]

    def get(self) -> bytes | None:
        """Take out the oldest record, or None. The shortest way for a single one. O(1)."""
        if not self._has_side[_CONSUMER]:
            self._take(_CONSUMER)
        if lib.spsc_pop(self._ring or self.handle, self._one, 1):
            return self._one_bytes[:]  # type: ignore[no-any-return]
        return None

    def pop_into(self, records: Any) -> int:
        """Take out as many records as a writable buffer holds; returns how many. O(n)."""
        if not self._has_side[_CONSUMER]:
            self._take(_CONSUMER)
        target, room = whole_records(records, writable=True)
        return lib.spsc_pop(self.handle, target, room)  # type: ignore[no-any-return]

    def peek(self, wanted: int) -> Rows:
        """Up to ``wanted`` full slots side by side, oldest first, to be read in place. O(1)."""
        if not self._has_side[_CONSUMER]:
            self._take(_CONSUMER)
        slots = lib.spsc_peek(self.handle, check_count(wanted, "wanted"), self._found)
        first, count = slots - self._slots, self._found[0]
        self._lent[_CONSUMER] = count
        return self._read_only_rows[first : first + count]

    def release(self, count: int) -> None:
        """Give back the first ``count`` slots of the last peek. O(1)."""
        self._settle(_CONSUMER, count)
        lib.spsc_release(self.handle, count)

    def wait_items(self, timeout_s: float | None = None) -> bool:
        """Wait until something can be popped: True; False: time is up, or all is drained.

        Raises:
            PeerDiedError: it is empty, not closed, and the process that filled it has ended.
        """
        state = lib.spsc_wait_items(self.handle, self._wait, timeout_ns(timeout_s))
        if state == lib.WAIT_TIMEOUT:
            self._look_for_peer(_PRODUCER)
        return bool(state == lib.WAIT_READY)

    # --- among processes -------------------------------------------------------------------

    def pids(self) -> tuple[int, int]:
        """Producer's and consumer's process; 0: nobody has been yet; negative: has ended."""
        ring = self.handle
        return int(lib.spsc_side_pid(ring, 0)), int(lib.spsc_side_pid(ring, 1))

    def detach(self) -> None:
        """Leave the ring: unmap it, or free it if it is this process's own. Twice is harmless.

        No thread may be using it, and no lent slot may be looked at afterwards.
        """
        if self._ring is not None:
            if self.name is not None:
                for side in (_PRODUCER, _CONSUMER):
                    if self._has_side[side]:
                        lib.spsc_give_side(self._ring, side)
            ffi.release(self._ring)
            self._ring = None

    @staticmethod
    def unlink(name: str) -> None:
        """Take the name away; those attached go on.

        Raises:
            RingMissingError: there is no such name.
        """
        unlink(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.detach()

    def _take(self, side: int) -> None:
        pid = lib.spsc_take_side(self.handle, side)
        if pid:
            raise RingInUseError(
                f"ring {self.name!r}: process {pid} is its {_SIDES[side]} already", pid
            )
        self._has_side[side] = True

    def _look_for_peer(self, side: int) -> None:
        pid = 0 if self.name is None else int(lib.spsc_side_pid(self.handle, side))
        if pid < 0 and -pid != os.getpid():
            raise PeerDiedError(
                f"ring {self.name!r}: its {_SIDES[side]}, process {-pid}, has ended", -pid
            )

    def _settle(self, side: int, count: int) -> None:
        if not 0 <= count <= self._lent[side]:
            verb = ("claimed", "peeked")[side]
            raise ValueError(f"{count} slots are not 0 to {self._lent[side]}, what was {verb}")
        self._lent[side] -= count
