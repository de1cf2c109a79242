"""What all rings have in common: memory of one process, or shared under a name."""

from __future__ import annotations

import os
import weakref
from typing import Any, ClassVar, Final, Self

import numpy as np

from contract.errors import ConfigurationError, InvariantError, MatchbookError
from contract.messages import RECORD_BYTES
from contract.ring import CURSORS, Rows
from phase4_ring._ring import ffi, lib
from phase4_ring.boundary import DEFAULT_SLOTS, wait_code
from phase4_ring.shared_names import (
    RingInUseError,
    RingMismatchError,
    RingMissingError,
    system_name,
)

_MESSAGE_BYTES: Final = 256
_FIELDS: Final = {
    lib.REGION_FOREIGN: "magic",
    lib.REGION_OTHER_VERSION: "version",
    lib.REGION_OTHER_KIND: "kind",
    lib.REGION_OTHER_RECORD: "bytes of a record",
    lib.REGION_OTHER_LINE: "bytes of a cache line",
    lib.REGION_OTHER_SIZE: "bytes",
}
_KINDS: Final = {lib.REGION_SPSC: "an SPSC ring", lib.REGION_SEQUENCER: "a sequencer"}

#: Every ring of this process that is still there, for what a fork has to mend.
_all: weakref.WeakSet[Region] = weakref.WeakSet()


def _after_fork() -> None:
    for ring in list(_all):
        ring._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Region:
    """A ring, as far as it does not matter which.

    Args:
        capacity: slots, a power of two from 2 to 2**24.
        wait: how its users wait: ``"spin"``, ``"yield"`` or ``"park"``. A ring made with another
            than ``"park"`` saves its users the look for sleepers; who parks at it all the same
            yields instead.
        start: the first cursor; for tests of wrapping.

    Raises:
        ConfigurationError: the capacity or the way to wait is none, or memory is short.
    """

    #: What its functions in C begin with, and its type there.
    _prefix: ClassVar[str]
    _type: ClassVar[str]
    #: What messages call it.
    _kind: ClassVar[str]

    def __init__(
        self, capacity: int = DEFAULT_SLOTS, *, wait: str = "park", start: int = 0
    ) -> None:
        self._create(None, capacity, wait, start)

    @classmethod
    def create(
        cls, name: str, capacity: int = DEFAULT_SLOTS, *, wait: str = "park", start: int = 0
    ) -> Self:
        """A new one in shared memory, which other processes ``attach`` to by its name.

        The name stays until ``unlink``; the memory until nobody is attached any more.

        Raises:
            RingInUseError: the name is taken.
            ConfigurationError: the name or the capacity is none, or memory is short.
        """
        self = cls.__new__(cls)
        self._create(name, capacity, wait, start)
        return self

    @classmethod
    def attach(cls, name: str, *, wait: str = "park") -> Self:
        """The one that another process has created under that name.

        Raises:
            RingMissingError: there is none, or it is not ready yet.
            RingMismatchError: it is another kind, version or layout; names the field.
        """
        self = cls.__new__(cls)
        made = ffi.new(f"{cls._type} **")
        problem = ffi.new("region_problem *")
        code = self._function("attach")(system_name(name), made, problem)
        raise_problem(code, problem, name)
        self._adopt(made[0], name, wait)
        return self

    def _create(self, name: str | None, capacity: int, wait: str, start: int) -> None:
        check_capacity(capacity)
        made = ffi.new(f"{self._type} **")
        problem = ffi.new("region_problem *")
        code = self._function("create")(
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
        self.wait_code = wait_code(wait)
        self.capacity = int(self._function("capacity")(handle))
        # The collector detaches a forgotten ring; detach() is the way that does not wait for it.
        self._ring: Any = ffi.gc(handle, self._function("detach"))
        self._slots = self._function("slots")(handle)
        # All slots as rows, (capacity, 64), which keep the memory mapped; lent as slices.
        kept = ffi.gc(self._slots, lambda _slots, _owner=self._ring: None)
        memory = ffi.buffer(kept, self.capacity * RECORD_BYTES)
        self.rows: Rows = np.frombuffer(memory, np.uint8).reshape(self.capacity, RECORD_BYTES)
        self.read_only_rows: Rows = self.rows[:]
        self.read_only_rows.flags.writeable = False
        #: Pipelines that work with this ring.
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        _all.add(self)

    def _function(self, name: str) -> Any:
        return getattr(lib, f"{self._prefix}_{name}")

    @property
    def handle(self) -> Any:
        """The ring as C knows it, for other faces of this phase."""
        if self._ring is None:
            raise MatchbookError(f"this {self._kind} is detached")
        return self._ring

    @property
    def closed(self) -> bool:
        """Whether nothing more will go in."""
        return bool(self._function("is_closed")(self.handle))

    def close(self) -> None:
        """Let nothing more in; what is in it still comes out. Closing twice is harmless."""
        self._function("close")(self.handle)

    def check(self) -> None:
        """Verify every invariant. Only while nobody uses the ring.

        Raises:
            InvariantError: names the broken one.
        """
        message = ffi.new("char[]", _MESSAGE_BYTES)
        if not self._function("check")(self.handle, message, _MESSAGE_BYTES):
            raise InvariantError(f"{self._kind}: {ffi.string(message).decode()}")

    def detach(self) -> None:
        """Leave: unmap it, or free it if it is this process's own. Twice is harmless.

        The memory goes with the last lent row and the last call that is still in it. Nobody should
        rely on what such a row holds.

        Raises:
            ValueError: a pipeline works with it.
        """
        if self._ring is None:
            return
        if self.users:
            raise ValueError(f"a pipeline works with this {self._kind}: close() that first")
        self._leave()
        # Unmapped with the last lent row and the last call that is still in it, at once if none.
        self.rows = self.read_only_rows = np.empty((0, RECORD_BYTES), np.uint8)
        self._ring = None

    def _leave(self) -> None:
        """What is to be given back before the memory goes."""

    def _forked(self) -> None:
        """Called in a forked child: what belongs to the parent is not the child's."""

    def __copy__(self) -> Self:
        raise TypeError(f"a {self._kind} cannot be copied: attach() to it once more")

    def __reduce__(self) -> Any:
        raise TypeError(f"a {self._kind} cannot be pickled: pass its name, and attach() there")

    @staticmethod
    def unlink(name: str) -> None:
        """Take the name away; those attached go on.

        Raises:
            RingMissingError: there is no such name.
        """
        problem = ffi.new("region_problem *")
        raise_problem(lib.region_unlink(system_name(name), problem), problem, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.detach()


def check_capacity(capacity: int) -> int:
    """A capacity that a ring can have.

    Raises:
        ConfigurationError: it is not a power of two from 2 to 2**24.
    """
    if not 2 <= capacity <= 2**24 or capacity & (capacity - 1):
        raise ConfigurationError(f"capacity {capacity} is not a power of two from 2 to {2**24}")
    return capacity


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
