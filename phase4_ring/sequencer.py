"""The MPSC sequencer: many producers, one order of all commands, a graph of consumers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import numpy as np

from contract.errors import ConfigurationError, InvariantError, MatchbookError
from contract.messages import RECORD_BYTES
from contract.records import COMMAND_DTYPE, RecordArray
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
from phase4_ring.shared_names import RingInUseError, system_name

#: How often a producer looks at a full ring before it is refused.
DEFAULT_TRIES: Final[int] = lib.SEQUENCER_TRIES

# A claimed slot without its sequence: that field is the slot's flag, and not the producer's.
_names = [name for name in COMMAND_DTYPE.names or () if name != "sequence"]
_fields: Mapping[str, Any] = COMMAND_DTYPE.fields or {}
SLOT_DTYPE: Final = np.dtype(
    {
        "names": _names,
        "formats": [_fields[name][0] for name in _names],
        "offsets": [_fields[name][1] for name in _names],
        "itemsize": RECORD_BYTES,
    }
)


class DeadClaim(NamedTuple):
    """Commands that a process claimed and did not publish before it died."""

    cursor: int
    end: int
    pid: int
    producer: int


class Sequencer:
    """A ring of commands that many producers fill; it numbers them 1, 2, 3, … without gaps.

    Args:
        capacity: slots, a power of two from 2 to 2**24.
        wait: how consumers wait: ``"spin"``, ``"yield"`` or ``"park"`` (see ``SpscRing``).
        start: the first cursor; for tests of wrapping.

    Add consumers first, then make producers: without a consumer nothing ever becomes free.
    """

    def __init__(
        self, capacity: int = DEFAULT_SLOTS, *, wait: str = "park", start: int = 0
    ) -> None:
        self._open(None, capacity, wait, start)

    @classmethod
    def create(
        cls, name: str, capacity: int = DEFAULT_SLOTS, *, wait: str = "park", start: int = 0
    ) -> Self:
        """A new sequencer in shared memory; errors as ``SpscRing.create``."""
        self = cls.__new__(cls)
        self._open(name, capacity, wait, start)
        return self

    @classmethod
    def attach(cls, name: str, *, wait: str = "park") -> Self:
        """The sequencer another process has created; errors as ``SpscRing.attach``."""
        self = cls.__new__(cls)
        made = ffi.new("sequencer **")
        problem = ffi.new("region_problem *")
        raise_problem(lib.sequencer_attach(system_name(name), made, problem), problem, name)
        self._adopt(made[0], name, wait)
        return self

    def _open(self, name: str | None, capacity: int, wait: str, start: int) -> None:
        check_capacity(capacity)
        made = ffi.new("sequencer **")
        problem = ffi.new("region_problem *")
        code = lib.sequencer_create(
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
        self.capacity = int(lib.sequencer_capacity(handle))
        self.wait = wait
        self._ring: Any = ffi.gc(handle, lib.sequencer_detach)
        #: All slots, shape (capacity, 64): for views of what was claimed or peeked.
        self.rows = view_slots(lib.sequencer_slot(handle, 0), self._ring, self.capacity)

    @property
    def handle(self) -> Any:
        """The sequencer as C knows it, for other faces of this phase."""
        if self._ring is None:
            raise MatchbookError("this sequencer is detached")
        return self._ring

    @property
    def claimed(self) -> int:
        """The next cursor to be claimed: all before it belong to a producer or further on."""
        return int(lib.sequencer_claimed(self.handle))

    @property
    def gate(self) -> int:
        """The gating sequence: the cursor of the last consumer. Claims stay within a lap of it."""
        return int(lib.sequencer_gate(self.handle))

    @property
    def start(self) -> int:
        """The first cursor."""
        return int(lib.sequencer_start(self.handle))

    def __len__(self) -> int:
        """Commands claimed and not yet consumed by all. O(consumers)."""
        gate = self.gate  # first: claims only grow
        return min((self.claimed - gate) % CURSORS, self.capacity)

    @property
    def closed(self) -> bool:
        """Whether nothing more will go in."""
        return bool(lib.sequencer_is_closed(self.handle))

    def close(self) -> None:
        """Let nothing more in; what was claimed before is still consumed. Twice is harmless."""
        lib.sequencer_close(self.handle)

    def check(self) -> None:
        """Verify cursors, gate and stamps. Only while nobody uses the ring. O(capacity)."""
        message = ffi.new("char[]", 256)
        if not lib.sequencer_check(self.handle, message, 256):
            raise InvariantError(f"sequencer: {ffi.string(message).decode()}")

    def producer(self, tries: int = DEFAULT_TRIES) -> Producer:
        """A way in for one thread.

        Args:
            tries: how often it looks at a full ring before it is refused.

        Raises:
            RingInUseError: all 64 places are taken.
        """
        return Producer(self, tries)

    def add_consumer(self, after: Sequence[Consumer] = ()) -> Consumer:
        """A new consumer, behind the producers or after other consumers.

        Raises:
            ConfigurationError: there are 8 already, or commands have been claimed already.
        """
        mask = sum(1 << number for number in {consumer.number for consumer in after})
        number = lib.sequencer_add_consumer(self.handle, mask)
        if number < 0:
            raise ConfigurationError(
                "no consumer can be added: there are 8, or commands have been claimed already"
            )
        return Consumer(self, number)

    def consumers(self) -> list[int]:
        """Cursors of all consumers, in the order in which they were added."""
        ring = self.handle
        count = lib.sequencer_consumers(ring)
        return [int(lib.sequencer_cursor(ring, number)) for number in range(count)]

    def consumer(self, number: int) -> Consumer:
        """Go on as an existing consumer, at its cursor: another process's, after its death.

        Raises:
            ConfigurationError: no consumer has that number.
            RingInUseError: a living process has its place.
        """
        if not 0 <= number < lib.sequencer_consumers(self.handle):
            raise ConfigurationError(f"consumer {number} does not exist")
        pid = lib.sequencer_take_consumer(self.handle, number)
        if pid:
            raise RingInUseError(f"consumer {number} is process {pid}", pid)
        return Consumer(self, number)

    def consumer_pid(self, number: int) -> int:
        """The consumer's process: 0 if there is none, negative if it has ended."""
        return int(lib.sequencer_consumer_pid(self.handle, number))

    def detach(self) -> None:
        """Leave: unmap it, or free it if it is this process's own. Twice is harmless.

        No thread may be using it, and no lent slot may be looked at afterwards.
        """
        if self._ring is not None:
            ffi.release(self._ring)
            self._ring = None

    @staticmethod
    def unlink(name: str) -> None:
        """Take the name away; those attached go on."""
        unlink(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.detach()


class Producer:
    """One thread's way into a sequencer."""

    def __init__(self, home: Sequencer, tries: int = DEFAULT_TRIES) -> None:
        if not 1 <= tries < 2**32:
            raise ConfigurationError(f"tries {tries} is not 1 to {2**32 - 1}")
        self.home = home
        self.tries = tries
        self.number = int(lib.sequencer_join(home.handle))
        if self.number < 0:
            raise RingInUseError("all 64 producers' places are taken")
        self._count = ffi.new("size_t *")
        self._claims: list[tuple[int, int]] = []

    def push(self, commands: Any) -> int:
        """Put whole commands in, until the ring is full ``tries`` times in a row. O(n).

        Their ``sequence`` fields are ignored: the sequencer's own stand in the ring.

        Returns:
            How many went in; the rest was refused and is the caller's to keep.

        Raises:
            ValueError: the buffer is not whole 64-byte records. Nothing went in.
            RingClosedError: the sequencer is closed. Nothing went in.
        """
        source, count = whole_records(commands)
        pushed = lib.sequencer_push(self.home.handle, self.number, source, count, self.tries)
        if pushed < 0 or (pushed == 0 and self.home.closed):
            raise RingClosedError("the sequencer is closed")
        return pushed  # type: ignore[no-any-return]

    def claim(self, wanted: int) -> list[RecordArray]:
        """Claim up to ``wanted`` slots in a row, to be written in place and then published.

        Returns:
            One array of slots, or two where the lap ends between them; none if refused. They have
            every field of a command but ``sequence``, and what an earlier lap left in them.
        """
        if self._claims:
            raise ValueError("publish() the last claim first")
        ring, capacity = self.home.handle, self.home.capacity
        check_count(wanted, "wanted")
        first = lib.sequencer_claim(ring, self.number, wanted, self.tries, self._count)
        left, cursor = self._count[0], first
        if left:
            self._claims.append((first, left))
        arrays = []
        while left:
            at = cursor % capacity
            some = min(left, capacity - at)
            arrays.append(self.home.rows[at : at + some].view(SLOT_DTYPE)[:, 0])
            cursor = (cursor + some) % CURSORS
            left -= some
        return arrays

    def publish(self) -> None:
        """Stamp and hand over all of the last claim. O(claim)."""
        if not self._claims:
            raise ValueError("nothing is claimed")
        first, count = self._claims.pop()
        lib.sequencer_publish(self.home.handle, self.number, first, count)

    @property
    def refused(self) -> int:
        """How often this producer was refused."""
        return int(lib.sequencer_refused(self.home.handle, self.number))

    def leave(self) -> None:
        """Give the place back. Twice is harmless.

        Raises:
            ValueError: a claim is not published.
        """
        if self._claims:
            raise ValueError("publish() the last claim first")
        if self.number >= 0:
            lib.sequencer_leave(self.home.handle, self.number)
            self.number = -1


class Consumer:
    """One thread's way out of a sequencer: sees every command, in order."""

    def __init__(self, home: Sequencer, number: int) -> None:
        self.home = home
        self.number = number
        self._wait = wait_code(home.wait)
        self._count = ffi.new("size_t *")
        self._lent = 0
        self._slots = lib.sequencer_slot(home.handle, 0)
        self._rows = home.rows[:]
        self._rows.flags.writeable = False

    @property
    def cursor(self) -> int:
        """All commands before it are consumed."""
        return int(lib.sequencer_cursor(self.home.handle, self.number))

    def peek(self, wanted: int) -> Rows:
        """Up to ``wanted`` commands side by side, to be read in place; shape (n, 64). O(n)."""
        home = self.home
        check_count(wanted, "wanted")
        slots = lib.sequencer_peek(home.handle, self.number, wanted, self._count)
        count = self._lent = self._count[0]
        first = slots - self._slots
        return self._rows[first : first + count]

    def advance(self, count: int) -> None:
        """Done with the first ``count`` commands of the last peek. O(1)."""
        if not 0 <= count <= self._lent:
            raise ValueError(f"{count} commands are not 0 to {self._lent}, what was peeked")
        self._lent -= count
        lib.sequencer_advance(self.home.handle, self.number, count)

    def pop(self, most: int) -> Rows:
        """Take out up to ``most`` commands: a copy, shape (n, 64). O(n)."""
        taken = []
        left = check_count(most, "most")
        while left:
            rows = self.peek(left)
            if not len(rows):
                break
            taken.append(rows.copy())
            self.advance(len(rows))
            left -= len(rows)
        return np.concatenate(taken) if taken else np.empty((0, RECORD_BYTES), np.uint8)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until something can be read: True; False: time is up, or all is drained."""
        state = lib.sequencer_wait(self.home.handle, self.number, self._wait, timeout_ns(timeout_s))
        return bool(state == lib.WAIT_READY)

    def blocked(self) -> DeadClaim | None:
        """What this consumer waits for in vain: the claim of a process that died, or None.

        Asks the kernel: to be called when a wait has timed out.
        """
        claim = ffi.new("dead_claim *")
        if not lib.sequencer_blocked(self.home.handle, self.number, claim):
            return None
        return DeadClaim(claim.cursor, claim.end, claim.pid, claim.producer)

    def fill(self, claim: DeadClaim) -> int:
        """Publish void commands (kind 0) where a dead process left gaps; returns how many.

        By one consumer of one process only.
        """
        return int(lib.sequencer_fill(self.home.handle, ffi.new("dead_claim *", claim._asdict())))
