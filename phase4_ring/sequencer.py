"""The MPSC sequencer: many producers, one order of all commands, a graph of consumers."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from contract.errors import ConfigurationError
from contract.messages import RECORD_BYTES
from contract.records import COMMAND_DTYPE, RecordArray
from contract.ring import RingClosedError, Rows
from phase4_ring._ring import ffi, lib
from phase4_ring.boundary import CURSORS, check_count, wait_in_slices, whole_records
from phase4_ring.region import Region
from phase4_ring.shared_names import PeerDiedError, RingInUseError

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


class Sequencer(Region):
    """A ring of commands that many producers fill; it numbers them 1, 2, 3, … without gaps.

    Add consumers before any of them takes something: without one nothing ever becomes free, and
    one that comes later would miss what is gone.
    """

    _prefix = _type = "sequencer"

    def _adopt(self, handle: Any, name: str | None, wait: str) -> None:
        super()._adopt(handle, name, wait)
        self._producers: weakref.WeakSet[Producer] = weakref.WeakSet()
        self._consumers: weakref.WeakValueDictionary[int, Consumer] = weakref.WeakValueDictionary()

    def _leave(self) -> None:
        for producer in list(self._producers):
            producer.forget()
        for number in list(self._consumers):
            lib.sequencer_give_consumer(self._ring, number)

    def _forked(self) -> None:
        if self.name is not None:  # a private one was copied whole, and the copy is the child's
            for producer in list(self._producers):
                producer.number = -1
            self._consumers.clear()

    _kind = "sequencer"

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

    def producer(self, tries: int = DEFAULT_TRIES) -> Producer:
        """A way in for one thread.

        Args:
            tries: how often it looks at a full ring before it is refused.

        Raises:
            RingInUseError: all 64 places are taken.
        """
        producer = Producer(self, tries)
        self._producers.add(producer)
        return producer

    def add_consumer(self, after: Sequence[Consumer] = ()) -> Consumer:
        """A new consumer, behind the producers or after other consumers.

        Raises:
            ConfigurationError: there are 8 already, or commands are gone that it would miss.
        """
        mask = sum(1 << number for number in {consumer.number for consumer in after})
        number = lib.sequencer_add_consumer(self.handle, mask)
        if number < 0:
            raise ConfigurationError(
                "no consumer can be added: there are 8, or it would miss commands that are gone"
            )
        return self._new_consumer(number)

    def consumers(self) -> list[int]:
        """Cursors of all consumers, in the order in which they were added."""
        ring = self.handle
        count = lib.sequencer_consumers(ring)
        return [int(lib.sequencer_cursor(ring, number)) for number in range(count)]

    def consumer(self, number: int) -> Consumer:
        """Go on as an existing consumer, at its cursor: another process's, after its death.

        Raises:
            ConfigurationError: no consumer has that number.
            RingInUseError: a living process has its place, or somebody in this one: a stage of a
                pipeline, or a consumer that is still there.
        """
        if not 0 <= number < lib.sequencer_consumers(self.handle):
            raise ConfigurationError(f"consumer {number} does not exist")
        if self.users or number in self._consumers:
            raise RingInUseError(f"consumer {number} is somebody's in this process", os.getpid())
        pid = lib.sequencer_take_consumer(self.handle, number)
        if pid:
            raise RingInUseError(f"consumer {number} is process {pid}", pid)
        return self._new_consumer(number)

    def _new_consumer(self, number: int) -> Consumer:
        consumer = self._consumers[number] = Consumer(self, number)
        return consumer

    def consumer_pid(self, number: int) -> int:
        """The consumer's process: 0 if there is none, negative if it has ended."""
        return int(lib.sequencer_consumer_pid(self.handle, number))


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
        # A producer that is only dropped gives its place back too.
        self._place = weakref.finalize(self, _give_place, home.handle, self.number, os.getpid())

    def push(self, commands: Any) -> int:
        """Put whole commands in, until the ring is full ``tries`` times in a row. O(n).

        Their ``sequence`` fields are ignored: the sequencer's own stand in the ring.

        Returns:
            How many went in; the rest was refused and is the caller's to keep.

        Raises:
            ValueError: the buffer is not whole 64-byte records, a claim is not published, or
                this producer has left. Nothing went in.
            RingClosedError: the sequencer is closed. Nothing went in.
        """
        if self._claims or self.number < 0:
            self.check_ready()
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
        self.check_ready()
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

    def check_ready(self) -> None:
        """Raise what stands in the way of a push or a claim.

        Raises:
            ValueError: a claim is not published, or this producer has left.
        """
        if self.number < 0:
            _ = self.home.handle  # if the whole ring is gone, that is the reason to give
            raise ValueError("this producer has left")
        if self._claims:
            raise ValueError("publish() the last claim first")

    @property
    def refused(self) -> int:
        """How often this producer was refused."""
        ring = self.home.handle
        if self.number < 0:
            raise ValueError("this producer has left")
        return int(lib.sequencer_refused(ring, self.number))

    def leave(self) -> None:
        """Give the place back. Twice is harmless.

        Raises:
            ValueError: a claim is not published.
        """
        if self._claims:
            raise ValueError("publish() the last claim first")
        if self.number >= 0:
            self.forget()

    def forget(self) -> None:
        """Give the place back if it is settled; if not, it stays taken while this process lives."""
        if self.number >= 0:
            self._place()
        self.number = -1


class Consumer:
    """One thread's way out of a sequencer: sees every command, in order."""

    def __init__(self, home: Sequencer, number: int) -> None:
        self.home = home
        self.number = number
        self._count = ffi.new("size_t *")
        self._lent = 0
        self._slots = lib.sequencer_slots(home.handle)

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
        return self.home.read_only_rows[first : first + count]

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
        """Wait until something can be read: True; False: time is up, or all is drained.

        Raises:
            PeerDiedError: the next command was claimed by a process that died before it published
                it: nobody ever will. ``blocked`` says more, and ``fill`` mends it.
        """
        home = self.home
        state = wait_in_slices(
            lambda most_ns: int(
                lib.sequencer_wait(home.handle, self.number, home.wait_code, most_ns)
            ),
            timeout_s,
            self._look_for_dead,
        )
        return bool(state == lib.WAIT_READY)

    def _look_for_dead(self) -> None:
        claim = self.blocked()
        if claim is not None:
            raise PeerDiedError(
                f"process {claim.pid} died before it published command {claim.cursor + 1}",
                claim.pid,
            )

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


def _give_place(ring: Any, producer: int, pid: int) -> None:
    # An unpublished claim stays its process's own, so that it is found when that dies.
    if os.getpid() == pid and lib.sequencer_is_settled(ring, producer):
        lib.sequencer_leave(ring, producer)
