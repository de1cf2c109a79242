"""The disk from Python: files in one directory, real or simulated, as a log knows them."""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from phase6_wal._wal import ffi, lib
from phase6_wal.errors import LogInUseError
from phase6_wal.names import LOCK_NAME

#: How often a directory is listed at most, until it comes out twice the same.
_MOST_LISTINGS: Final = 100
#: How often, and how far apart, a lock is tried whose holder is dead.
_MOST_LOOKS: Final = 500
_BETWEEN_LOOKS_S: Final = 0.01


class Storage:
    """Files in one directory, as a log knows them (c/storage.h). See ``PosixStorage``.

    Args:
        handle: a ``storage *``; freed with this object.

    Every function raises ``OSError`` with the errno. ``file`` is a number that ``create`` or
    ``open`` gave.
    """

    def __init__(self, handle: Any) -> None:
        self._storage: Any = ffi.gc(handle, lib.storage_free)
        #: Writers and others in C that work with it: it stays open while there are any.
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def handle(self) -> Any:
        """The storage as C knows it, for other faces of this phase."""
        if self._storage is None:
            raise ValueError("this storage is closed")
        return self._storage

    def create(self, name: str, size: int) -> int:
        """Make a file of that size, with real blocks behind it; its number."""
        return _checked(self.handle.file_create(self.handle, _name(name), size), name)

    def open(self, name: str) -> tuple[int, int]:
        """Open a file: its number and its size."""
        size = ffi.new("uint64_t *")
        file = _checked(self.handle.file_open(self.handle, _name(name), size), name)
        return file, int(size[0])

    def close_file(self, file: int) -> None:
        """Give a file's number back."""
        _checked(self.handle.file_close(self.handle, file))

    def write(self, file: int, offset: int, data: Any) -> None:
        """Write all of it at an offset."""
        memory = ffi.from_buffer(data)
        _checked(self.handle.file_write(self.handle, file, offset, memory, len(memory)))

    def read(self, file: int, offset: int, size: int) -> bytearray:
        """Exactly so many bytes from an offset; past the end is EIO."""
        data = bytearray(size)
        memory = ffi.from_buffer(data)
        _checked(self.handle.file_read(self.handle, file, offset, memory, size))
        return data

    def sync(self, file: int) -> None:
        """Contents and size onto the disk. Never ask again after it has failed."""
        _checked(self.handle.file_sync(self.handle, file))

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of the one that had it."""
        _checked(self.handle.file_rename(self.handle, _name(old), _name(new)), old)

    def remove(self, name: str) -> None:
        """Take a file away."""
        _checked(self.handle.file_remove(self.handle, _name(name)), name)

    def sync_directory(self) -> None:
        """Names onto the disk: of files made, renamed and removed."""
        _checked(self.handle.directory_sync(self.handle))

    def list(self) -> list[str]:
        """The names of all files, in order, as they were at some moment.

        A writer may rename one meanwhile, from behind the place that a listing has reached to
        before it: what comes out twice the same was there like that. (After a hundred times the
        last is given: a directory that never rests shall not keep anybody for ever.)
        """
        before, names = _list_once(self.handle), _list_once(self.handle)
        for _ in range(_MOST_LISTINGS):
            if names == before:
                break
            before, names = names, _list_once(self.handle)
        return names

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, int]]:
        """A file's number and size, while the block lasts."""
        file, size = self.open(name)
        try:
            yield file, size
        finally:
            self.close_file(file)

    def read_file(self, name: str) -> bytearray:
        """All of a file."""
        with self.opened(name) as (file, size):
            return self.read(file, 0, size)

    def lock(self) -> None:
        """Become the one that writes here; once more by the same object is harmless."""

    def unlock(self) -> None:
        """Let others write: called as often as ``lock``."""

    def close(self) -> None:
        """Free it. Twice is harmless.

        Raises:
            ValueError: a writer still works with it.
        """
        if self._storage is None:
            return
        if self.users:
            raise ValueError("a log writer works with this storage: close() that first")
        ffi.release(self._storage)
        self._storage = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class PosixStorage(Storage):
    """The real one: the files of a directory, which is made if it is not there.

    Raises:
        OSError: it is none, or may not be read.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        made = ffi.new("storage **")
        path = os.fsencode(self.directory)
        _checked(lib.storage_posix_new(path, made), str(self.directory))
        super().__init__(made[0])
        self._lock_file = -1
        self._locks = 0

    def lock(self) -> None:
        """Become the one process, and the one object in it, that writes in this directory.

        The lock goes with the process, however it ends; but a child that it has forked for a
        snapshot holds it too until it has closed its files, so who finds the holder dead looks
        again for a while.

        Raises:
            LogInUseError: another one writes here.
        """
        if self._locks == 0:
            path = self.directory / LOCK_NAME
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                self._hold(file)
            except BaseException:
                os.close(file)
                raise
            self._lock_file = file
        self._locks += 1

    def _hold(self, file: int) -> None:
        for look in range(_MOST_LOOKS):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(file, 32, 0)
                pid = int(holder) if holder.strip().isdigit() else 0
                if look + 1 == _MOST_LOOKS or not _has_ended(pid):
                    raise LogInUseError(self.directory, pid) from None
            time.sleep(_BETWEEN_LOOKS_S)
        with suppress(OSError):  # a disk may be full: the number is for people, the lock holds
            os.ftruncate(file, 0)
            os.pwrite(file, b"%d\n" % os.getpid(), 0)

    def unlock(self) -> None:
        """Let others write here; the file stays: removing it would let two hold it."""
        if self._locks == 0:
            return
        self._locks -= 1
        if self._locks == 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def close(self) -> None:
        """Free it, and let others write here. Twice is harmless."""
        super().close()
        while self._locks:
            self.unlock()


def _name(name: str) -> bytes:
    return os.fsencode(name)


def _has_ended(pid: int) -> bool:
    with suppress(PermissionError):  # somebody else's, and so there
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
    return False


def _list_once(handle: Any) -> list[str]:
    name = ffi.new("char[64]")
    names: list[str] = []
    while _checked(handle.directory_list(handle, len(names), name)):
        names.append(ffi.string(name).decode())
    return names


def _checked(code: int, name: str | None = None) -> int:
    if code < 0:
        raise OSError(-code, os.strerror(-code), name)
    return int(code)
