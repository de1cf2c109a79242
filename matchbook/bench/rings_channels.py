"""Ways from one Python thread or process to another, all with the same two calls.

A *part* is one 64-byte record or a batch of them in one ``bytes``. Each channel does with it what
is fastest in its own terms: queues of one interpreter hand over the object itself, pipes write its
bytes, the rings and the locked ring copy them into slots. ``get`` returns something whose bytes
are the part that was put.

Channels of processes can be sent to a child that is being spawned; it then holds the other end.
"""

from __future__ import annotations

import collections
import itertools
import multiprocessing
import os
import queue
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from multiprocessing.context import SpawnContext
from multiprocessing.shared_memory import SharedMemory
from typing import Any, ClassVar, Final

from contract.errors import MatchbookError
from contract.messages import RECORD_BYTES
from phase4_ring.ring import SpscRing

#: Records that a bounded channel holds.
CAPACITY: Final = 8192
#: How long somebody waits for a part that does not come.
PATIENCE_S: Final = 30.0

_numbers = itertools.count()

#: Let another thread or process run, at once.
give_way: Callable[[], None] = getattr(os, "sched_yield", lambda: time.sleep(0))


class ChannelError(MatchbookError):
    """A part that never came."""


class Channel(ABC):
    """One way from a producer to a consumer.

    Args:
        part_bytes: of every part.
    """

    #: What the results call it.
    name: ClassVar[str]

    def __init__(self, part_bytes: int) -> None:
        self.part_bytes = part_bytes
        self.put: Callable[[bytes], Any]
        self.get: Callable[[], Any]

    def send(self, parts: list[bytes]) -> None:
        """Put all of them."""
        put = self.put
        for part in parts:
            put(part)

    def receive(self, count: int) -> list[Any]:
        """Get so many."""
        get = self.get
        return [get() for _ in range(count)]

    @abstractmethod
    def close(self) -> None:
        """Leave nothing behind; the owner's call, after the other side has gone."""


class SimpleQueueChannel(Channel):
    """``queue.SimpleQueue``: unbounded, written in C."""

    name = "simple_queue"

    def __init__(self, part_bytes: int) -> None:
        super().__init__(part_bytes)
        line: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.put, self.get = line.put, line.get

    def close(self) -> None:
        """Nothing to leave."""


class QueueChannel(Channel):
    """``queue.Queue``, bounded."""

    name = "queue"

    def __init__(self, part_bytes: int) -> None:
        super().__init__(part_bytes)
        line: queue.Queue[bytes] = queue.Queue(CAPACITY * RECORD_BYTES // part_bytes)
        self.put, self.get = line.put, line.get

    def close(self) -> None:
        """Nothing to leave."""


class DequeChannel(Channel):
    """``collections.deque``, which has no way to wait: who finds it empty lets others run."""

    name = "deque"

    def __init__(self, part_bytes: int) -> None:
        super().__init__(part_bytes)
        line: collections.deque[bytes] = collections.deque()
        self.put = line.append
        self._take = line.popleft
        self.get = self._get

    def _get(self) -> bytes:
        take = self._take
        while True:
            try:
                return take()
            except IndexError:
                give_way()

    def close(self) -> None:
        """Nothing to leave."""


class RingChannel(Channel):
    """Phase 4's SPSC ring; between processes under a name."""

    name = "ring"
    wait: ClassVar[str] = "park"

    def __init__(self, part_bytes: int, *, shared: bool = False) -> None:
        super().__init__(part_bytes)
        if shared:
            self.ring = SpscRing.create(new_name(), CAPACITY, wait=self.wait)
        else:
            self.ring = SpscRing(CAPACITY, wait=self.wait)
        self._owns = True
        self._bind()

    def _bind(self) -> None:
        if self.part_bytes == RECORD_BYTES:
            self.put, self.get = self._put_one, self._get_one
        else:
            self.put, self.get = self._put, self._get
        self._put_record, self._get_record = self.ring.put, self.ring.get
        self._push, self._pop_into = self.ring.push, self.ring.pop_into

    def _put_one(self, part: bytes) -> None:
        while not self._put_record(part):
            self._wait_space()

    def _get_one(self) -> bytes:
        while (part := self._get_record()) is None:
            self._wait_items()
        return part

    def _put(self, part: bytes) -> None:
        done = self._push(part) * RECORD_BYTES
        while done != len(part):
            self._wait_space()
            done += self._push(part[done:]) * RECORD_BYTES

    def _get(self) -> bytes | bytearray:
        part = bytearray(self.part_bytes)
        done = self._pop_into(part) * RECORD_BYTES
        while done != len(part):
            self._wait_items()
            done += self._pop_into(memoryview(part)[done:]) * RECORD_BYTES
        return part

    def _wait_space(self) -> None:
        if not self.ring.wait_space(PATIENCE_S):
            raise ChannelError("no room in the ring for a part")

    def _wait_items(self) -> None:
        if not self.ring.wait_items(PATIENCE_S):
            raise ChannelError("nothing in the ring for a part")

    def __getstate__(self) -> dict[str, Any]:
        """What a child needs: the ring's name."""
        return {"part_bytes": self.part_bytes, "ring_name": self.ring.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In the child: attach."""
        self.part_bytes = state["part_bytes"]
        self.ring = SpscRing.attach(state["ring_name"], wait=self.wait)
        self._owns = False
        self._bind()

    def close(self) -> None:
        """Detach; the owner takes the name away."""
        name = self.ring.name
        self.ring.detach()
        if name is not None and self._owns:
            SpscRing.unlink(name)


class SpinningRingChannel(RingChannel):
    """The same, for users that spin: nobody looks for sleepers, and nobody sleeps."""

    name = "ring_spin"
    wait = "spin"


class PlaceRingChannel(RingChannel):
    """The first of them, written and read in place: no copy but Python's own."""

    name = "ring_in_place"

    def _bind(self) -> None:
        self.put, self.get = self._put, self._get

    def _put(self, part: bytes) -> None:
        done = 0
        while done < len(part):
            rows = self.ring.claim((len(part) - done) // RECORD_BYTES)
            count = len(rows)
            if count:
                end = done + count * RECORD_BYTES
                rows.data.cast("B")[:] = part[done:end]
                self.ring.commit(count)
                done = end
            else:
                self._wait_space()

    def _get(self) -> bytes:
        pieces = []
        left = self.part_bytes // RECORD_BYTES
        while left:
            rows = self.ring.peek(left)
            count = len(rows)
            if count:
                pieces.append(rows.tobytes())
                self.ring.release(count)
                left -= count
            else:
                self._wait_items()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class ProcessQueueChannel(Channel):
    """``multiprocessing.Queue``: pickles, and has a thread of its own that writes a pipe."""

    name = "mp_queue"

    def __init__(self, part_bytes: int, context: SpawnContext) -> None:
        super().__init__(part_bytes)
        self._line: multiprocessing.Queue[bytes] = context.Queue()
        self.put, self.get = self._line.put, self._line.get

    def close(self) -> None:
        """Stop the thread."""
        self._line.close()
        self._line.join_thread()


class PipeChannel(Channel):
    """``multiprocessing.Pipe``, its bytes as they are: ``send_bytes``, without pickling."""

    name = "mp_pipe"

    def __init__(self, part_bytes: int, context: SpawnContext) -> None:
        super().__init__(part_bytes)
        self._reader, self._writer = context.Pipe(duplex=False)
        self.put, self.get = self._writer.send_bytes, self._reader.recv_bytes

    def close(self) -> None:
        """Close both ends."""
        self._reader.close()
        self._writer.close()


class LockedRingChannel(Channel):
    """A ring of records in ``multiprocessing.shared_memory``, guarded by one ``Lock``.

    What one writes without a lock-free ring: two cursors and the slots in shared memory, looked at
    and moved only under the lock. Who finds it full or empty lets go of the lock and gives way.
    """

    name = "shared_lock"

    def __init__(self, part_bytes: int, context: SpawnContext) -> None:
        super().__init__(part_bytes)
        self._lock = context.Lock()
        self._memory = SharedMemory(create=True, size=RECORD_BYTES * (1 + CAPACITY))
        self._owns = True
        self._bind()
        self._cursors[0] = self._cursors[1] = 0

    def _bind(self) -> None:
        memory: Any = self._memory.buf
        self._cursors = memory[:16].cast("Q")  # head, tail
        self._slots = memory[RECORD_BYTES:]
        self.put, self.get = self._put, self._get

    def _put(self, part: bytes) -> None:
        done = 0
        while done < len(part):
            with self._lock:
                head, tail = self._cursors
                slot = head % CAPACITY
                count = min(
                    (len(part) - done) // RECORD_BYTES,
                    CAPACITY - (head - tail),
                    CAPACITY - slot,
                )
                start, end = slot * RECORD_BYTES, (slot + count) * RECORD_BYTES
                self._slots[start:end] = part[done : done + count * RECORD_BYTES]
                self._cursors[0] = head + count
            done += count * RECORD_BYTES
            if not count:
                give_way()

    def _get(self) -> bytearray:
        part = bytearray()
        while len(part) < self.part_bytes:
            with self._lock:
                head, tail = self._cursors
                slot = tail % CAPACITY
                count = min(
                    (self.part_bytes - len(part)) // RECORD_BYTES,
                    head - tail,
                    CAPACITY - slot,
                )
                part += self._slots[slot * RECORD_BYTES : (slot + count) * RECORD_BYTES]
                self._cursors[1] = tail + count
            if not count:
                give_way()
        return part

    def __getstate__(self) -> dict[str, Any]:
        """What a child needs: the lock, and the memory, which pickles as its name."""
        return {"part_bytes": self.part_bytes, "lock": self._lock, "memory": self._memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In the child: attached already by unpickling."""
        self.part_bytes = state["part_bytes"]
        self._lock, self._memory = state["lock"], state["memory"]
        self._owns = False
        self._bind()

    def close(self) -> None:
        """Unmap; the owner takes the memory away."""
        self._cursors.release()
        self._slots.release()
        self._memory.close()
        if self._owns:
            self._memory.unlink()


def new_name() -> str:
    """A name for a ring that no other process of this machine chooses."""
    return f"bench.{os.getpid()}.{next(_numbers)}"
