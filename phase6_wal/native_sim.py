"""A disk in memory from Python: it loses what a disk may lose, and fails when told to."""

from __future__ import annotations

import errno
from typing import Final

from contract.errors import ConfigurationError
from phase6_wal._wal import ffi, lib
from phase6_wal.native import Storage

#: Kinds of calls, as ``SimStorage.fail`` and ``calls`` name them.
KINDS: Final = {
    "any": int(lib.SIM_ANY),
    "create": int(lib.SIM_CREATE),
    "open": int(lib.SIM_OPEN),
    "write": int(lib.SIM_WRITE),
    "read": int(lib.SIM_READ),
    "sync": int(lib.SIM_SYNC),
    "map": int(lib.SIM_MAP),
    "map_sync": int(lib.SIM_MAP_SYNC),
    "rename": int(lib.SIM_RENAME),
    "remove": int(lib.SIM_REMOVE),
    "directory_sync": int(lib.SIM_DIRECTORY_SYNC),
}
_MAX_U64: Final = 2**64 - 1


class SimStorage(Storage):
    """Files in memory, with a power switch (c/storage_sim.h says what a cut may leave of them).

    Args:
        seed: the same calls find the same fate under the same seed.
        capacity_bytes: room for files, each rounded up to 4,096.

    Raises:
        ConfigurationError: the seed is not of 64 bits, or memory is short.

    >>> disk = SimStorage(seed=1)
    >>> file = disk.create("a", 4)
    >>> disk.write(file, 0, b"here")
    >>> disk.sync(file)
    >>> disk.sync_directory()
    >>> disk.power_cut()
    >>> disk.power_on()
    >>> disk.read_file("a")
    bytearray(b'here')
    """

    def __init__(self, seed: int = 0, capacity_bytes: int = 1 << 30) -> None:
        for what, value in (("seed", seed), ("capacity_bytes", capacity_bytes)):
            if not 0 <= value <= _MAX_U64:
                raise ConfigurationError(f"{what} {value} is not 0 to 2**64 - 1")
        handle = lib.sim_new(seed, capacity_bytes)
        if handle == ffi.NULL:
            raise ConfigurationError("the machine has not enough memory for a simulated disk")
        super().__init__(handle)
        self.seed = seed

    def fail(self, kind: str, k: int, error: int = errno.EIO, *, forever: bool = False) -> None:
        """Let the ``k``-th call of a kind from now (1: the next) fail; ``k`` 0 takes it back.

        Args:
            kind: of ``KINDS``.
            error: the errno.
            forever: all later ones of that kind fail too.
        """
        if k and error <= 0:
            raise ConfigurationError(f"error {error} is no errno")
        lib.sim_fail(self.handle, _kind(kind), k, error, forever)

    def cut_at(self, k: int) -> None:
        """Cut the power before the ``k``-th call from now of any kind; 0: not."""
        lib.sim_cut_at(self.handle, k)

    def power_cut(self) -> None:
        """Cut the power now: every call fails until ``power_on``, and what was open stays dead."""
        lib.sim_power_cut(self.handle)

    def power_on(self) -> None:
        """Let calls through again: what the cut has left is there."""
        lib.sim_power_on(self.handle)

    def process_crash(self) -> None:
        """End whoever uses it as ``kill -9`` would: nothing is lost, and nothing stays open."""
        lib.sim_process_crash(self.handle)

    def set_lying(self, kind: str = "any") -> None:
        """Let every sync of a kind (or of any) say that it is done, and do nothing.

        For controls: a proof must fail with it.
        """
        lib.sim_set_lying(self.handle, _kind(kind), 1)

    def set_capacity(self, capacity_bytes: int) -> None:
        """The room for files from now on; what is there stays."""
        lib.sim_set_capacity(self.handle, capacity_bytes)

    def calls(self, kind: str = "any") -> int:
        """How many calls of that kind there have been."""
        return int(lib.sim_calls(self.handle, _kind(kind)))

    @property
    def is_cut(self) -> bool:
        """Whether the power is off."""
        return bool(lib.sim_is_cut(self.handle))

    @property
    def is_read_only(self) -> bool:
        """Whether a sync of the directory has failed since the power came on: nothing changes."""
        return bool(lib.sim_is_read_only(self.handle))

    @property
    def fired(self) -> int:
        """How many calls have failed because of ``fail``."""
        return int(lib.sim_fired(self.handle))

    @property
    def retried(self) -> int:
        """How many syncs were asked for after one of the same thing had failed."""
        return int(lib.sim_retried(self.handle))

    @property
    def used(self) -> int:
        """Bytes of room that are taken."""
        return int(lib.sim_used(self.handle))


def _kind(kind: str) -> int:
    if kind not in KINDS:
        raise ConfigurationError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    return KINDS[kind]
