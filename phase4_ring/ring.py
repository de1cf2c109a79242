"""The SPSC ring: from one producer to one consumer, threads or processes, no lock, no kernel.

A call crosses into C once, whatever its batch; ``claim`` and ``peek`` lend the slots themselves,
so that a batch can be written and read where it lies.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from contract.messages import RECORD_BYTES
from contract.ring import RingClosedError, Rows
from phase4_ring._ring import ffi, lib
from phase4_ring.boundary import CURSORS, check_count, wait_in_slices, whole_records
from phase4_ring.region import Region
from phase4_ring.shared_names import PeerDiedError, RingInUseError

_PRODUCER, _CONSUMER = 0, 1
_SIDES = ("producer", "consumer")


class SpscRing(Region):
    """A ring of 64-byte records for one producer and one consumer.

    Rows are ``uint8`` arrays of shape (n, 64); ``rows.view(COMMAND_DTYPE)`` reads them.
    """

    _prefix, _type = "spsc", "spsc_ring"
    _kind = "SPSC ring"

    def _adopt(self, handle: Any, name: str | None, wait: str) -> None:
        super()._adopt(handle, name, wait)
        # One for each side: their threads are in C at the same time.
        self._granted, self._found = ffi.new("size_t *"), ffi.new("size_t *")
        self._lent = [0, 0]
        self._one = ffi.new("char[]", RECORD_BYTES)
        self._one_bytes = ffi.buffer(self._one)
        # Within one process the two sides are a matter between its threads.
        self._has_side = [name is None, name is None]

    # --- what both sides see --------------------------------------------------------------

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
        # bytes C takes as they are; for anything else its memory must be asked for first.
        count, rest = divmod(len(records), RECORD_BYTES) if type(records) is bytes else (0, 1)
        source = records
        if rest:
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
        return self.rows[first : first + count]

    def commit(self, count: int) -> None:
        """Hand over the first ``count`` slots of the last claim. O(1)."""
        self._settle(_PRODUCER, count)
        lib.spsc_commit(self.handle, count)

    def wait_space(self, timeout_s: float | None = None) -> bool:
        """Wait until something can be pushed: True; False: time is up, or the ring is closed.

        Raises:
            PeerDiedError: it is full, and the process that read it has ended.
        """
        return self._wait_for(lib.spsc_wait_space, timeout_s, _CONSUMER)

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
        return self.read_only_rows[first : first + count]

    def release(self, count: int) -> None:
        """Give back the first ``count`` slots of the last peek. O(1)."""
        self._settle(_CONSUMER, count)
        lib.spsc_release(self.handle, count)

    def wait_items(self, timeout_s: float | None = None) -> bool:
        """Wait until something can be popped: True; False: time is up, or all is drained.

        Raises:
            PeerDiedError: it is empty, not closed, and the process that filled it has ended.
        """
        return self._wait_for(lib.spsc_wait_items, timeout_s, _PRODUCER)

    # --- among processes -------------------------------------------------------------------

    def pids(self) -> tuple[int, int]:
        """Producer's and consumer's process; 0: nobody has been yet; negative: has ended."""
        ring = self.handle
        return int(lib.spsc_side_pid(ring, 0)), int(lib.spsc_side_pid(ring, 1))

    def _leave(self) -> None:
        if self.name is not None:
            for side in (_PRODUCER, _CONSUMER):
                if self._has_side[side]:
                    lib.spsc_give_side(self._ring, side)

    def _forked(self) -> None:
        # What the parent has, it keeps: the child takes a side of its own, or is refused.
        self._has_side = [self.name is None, self.name is None]

    def _take(self, side: int) -> None:
        pid = lib.spsc_take_side(self.handle, side)
        if pid:
            raise RingInUseError(
                f"ring {self.name!r}: process {pid} is its {_SIDES[side]} already", pid
            )
        self._has_side[side] = True

    def _wait_for(self, wait: Any, timeout_s: float | None, peer: int) -> bool:
        state = wait_in_slices(
            lambda most_ns: int(wait(self.handle, self.wait_code, most_ns)),
            timeout_s,
            lambda: self._look_for_peer(peer),
        )
        if state == lib.WAIT_TIMEOUT:
            self._look_for_peer(peer)
        return bool(state == lib.WAIT_READY)

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
