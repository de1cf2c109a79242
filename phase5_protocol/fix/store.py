"""What a session must remember: its two sequence numbers, and every message it has sent.

A message is stored *before* its bytes leave. Otherwise a process that dies in between comes back
with a number that the other side has already seen, and sends another message under it.

The file of a session is appended to, and never written anywhere else. All little-endian::

    file:    8 bytes  magic  MBFIX, 0, 0, 1
             u32  salt, drawn when the file was made
             u32  CRC-32 of the two
    record:  u32  length of the payload
             u32  CRC-32 of the salt and of everything behind this field
             u64  number
             u8   kind
             7    0
             payload

    kind 1  SENT      number, and the message as it went out; the next to be sent is number + 1
    kind 2  EXPECTED  the next number that is to come in; no payload
    kind 3  NEXT      the next number to be sent, without a message; no payload

Valid records count up to the first that is not. If there is none behind it, the file was cut in
the middle of a write, and the rest is taken off; no byte of the message in it had left. If there
*is* one, something has damaged the file, and it is refused: half of what was sent must not be
forgotten in silence. (The other side chooses much of what is stored here. Without the salt, which
it cannot know, it could put a valid record inside a message, to be found behind a torn end.)
A reset writes a new file beside the old and takes its place at once.

What survives: the end of the process by any means, kill -9 included, costs nothing that was
stored, since the pages are the kernel's. The end of the *machine* costs what the kernel had not
yet written, unless the store is opened with ``fsync=True``: each record is then on disk before its
message leaves, at the price of a disk write for each message. Without it, numbers may be lost
after a power cut; the other side then finds our numbers too low, and says so.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from contract.errors import MatchbookError

MAGIC: Final = b"MBFIX\0\0\1"
_SALT_BYTES: Final = 4
HEADER_BYTES: Final = len(MAGIC) + _SALT_BYTES + 4
_HEAD: Final = struct.Struct("<IIQB7x")
_SENT, _EXPECTED, _NEXT = 1, 2, 3
_KINDS: Final = (_SENT, _EXPECTED, _NEXT)
#: No message is longer; a length beyond it is damage.
MAX_PAYLOAD: Final = 1 << 20


class StoreError(MatchbookError):
    """A store cannot be opened, is damaged, or can no longer be written."""


class SessionStore(Protocol):
    """The memory of one session.

    Attributes:
        next_out: the number of the next message to be sent.
        next_in: the number of the next message to come in.
    """

    next_out: int
    next_in: int

    def save_sent(self, data: bytes) -> None:
        """Store the message number ``next_out``; then ``next_out`` is one more."""

    def set_next_out(self, number: int) -> None:
        """Skip to that number: those before it have no message."""

    def set_next_in(self, number: int) -> None:
        """Expect that number next."""

    def sent(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """The messages stored under the numbers from first to last, in order."""

    def reset(self) -> None:
        """Forget everything; both numbers are 1."""

    def close(self) -> None:
        """Let go of what is held; the store is of no use afterwards."""


class MemoryStore:
    """A memory that ends with the process: for tests, and for sessions that reset at each logon."""

    def __init__(self) -> None:
        """Start at 1 and 1."""
        self.next_out = 1
        self.next_in = 1
        self._sent: dict[int, bytes] = {}

    def save_sent(self, data: bytes) -> None:
        """Store the message number ``next_out``."""
        self._sent[self.next_out] = data
        self.next_out += 1

    def set_next_out(self, number: int) -> None:
        """Skip to that number."""
        self.next_out = number

    def set_next_in(self, number: int) -> None:
        """Expect that number next."""
        self.next_in = number

    def sent(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """The stored messages from first to last."""
        for number in range(first, min(last, self.next_out - 1) + 1):
            data = self._sent.get(number)
            if data is not None:
                yield number, data

    def reset(self) -> None:
        """Forget everything."""
        self._sent.clear()
        self.next_out = self.next_in = 1

    def close(self) -> None:
        """Nothing is held."""


class FileStore:
    """A memory in a file; the layout is at the head of this module.

    Opening reads the file once, O(size); afterwards 8 bytes a message are kept in memory, and
    each call but ``sent`` and ``reset`` is one write.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        """Open the store, or make it.

        Args:
            path: the file; its directory must exist.
            fsync: whether each record is on disk before the call returns.

        Attributes:
            torn_bytes: what was taken off the end, because a write had been cut.

        Raises:
            StoreError: another process has it open, it is no store, it is damaged before its end
                (the offset is named), or the system refuses.
        """
        self.next_out = 1
        self.next_in = 1
        self.torn_bytes = 0
        self._path = path
        self._fsync = fsync
        #: Where the message of each number from ``_first`` on begins; 0 where there is none.
        self._offsets = array("Q")
        self._is_failed = False
        try:
            self._file = self._open()
        except OSError as error:
            raise StoreError(f"{path}: {error}") from error
        try:
            self._load()
        except BaseException:
            os.close(self._file)
            raise

    @classmethod
    def for_session(cls, directory: Path, name: str, *, fsync: bool = False) -> FileStore:
        """The store of the session of that name, in a directory that is made if need be.

        Raises:
            StoreError: as for the constructor, or the directory cannot be made.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{directory}: {error}") from error
        return cls(directory / f"{quote(name, safe=' >')}.fixstore", fsync=fsync)

    def save_sent(self, data: bytes) -> None:
        """Store the message number ``next_out``.

        Raises:
            StoreError: it could not be written, now or before; nothing may be sent any more.
        """
        if len(data) > MAX_PAYLOAD:
            raise ValueError(f"a message of {len(data)} bytes; at most {MAX_PAYLOAD}")
        offset = self._append(_SENT, self.next_out, data)
        self._offsets.append(offset)
        self.next_out += 1

    def set_next_out(self, number: int) -> None:
        """Skip to that number, which is not below ``next_out``."""
        if number < self.next_out:
            raise ValueError(f"from {self.next_out} back to {number}: reset instead")
        self._append(_NEXT, number, b"")
        self._skip_to(number)

    def set_next_in(self, number: int) -> None:
        """Expect that number next."""
        self._append(_EXPECTED, number, b"")
        self.next_in = number

    def sent(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """The stored messages from first to last; each is read, and checked, when it is due."""
        for number in range(max(first, 1), min(last, self.next_out - 1) + 1):
            offset = self._offsets[number - 1]
            if offset:
                yield number, self._read(offset, number)

    def reset(self) -> None:
        """Forget everything, in one step: the old file is there whole, or it is not."""
        beside = self._path.with_name(self._path.name + ".new")
        file = -1
        try:
            file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(file, _new_header())
            if self._fsync:
                os.fsync(file)
            beside.replace(self._path)
            self._sync_directory()
        except OSError as error:
            self._is_failed = True
            if file >= 0:
                os.close(file)
            raise StoreError(f"{self._path}: {error}") from error
        os.close(self._file)
        self._file = file
        self._offsets = array("Q")
        self.next_out = self.next_in = 1
        self._load()

    def close(self) -> None:
        """Close the file, which lets others open it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._is_failed = True

    def _open(self) -> int:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A reset by its owner may have put another file in its place since it was opened.
            is_current = os.path.samestat(os.fstat(file), self._path.stat())
        except BlockingIOError:
            is_current = False
        except BaseException:
            os.close(file)
            raise
        if not is_current:
            os.close(file)
            raise StoreError(f"{self._path}: another process has this session open")
        return file

    def _load(self) -> None:
        """Take over the valid records, and take off a torn end."""
        data = self._path.read_bytes()
        if not MAGIC.startswith(data[: len(MAGIC)]):
            raise StoreError(f"{self._path}: offset 0: not the store of a FIX session")
        if len(data) < HEADER_BYTES:  # it was being made
            self.torn_bytes = len(data)
            data = _new_header()
            self._shorten(0, data)
        seed = _seed_of(data)
        if seed is None:
            raise StoreError(f"{self._path}: offset {len(MAGIC)}: a damaged salt")
        self._seed = seed
        at = HEADER_BYTES
        while (end := _record_end(data, at, self._seed)) is not None:
            self._take(data, at)
            at = end
        if at < len(data):
            self._cut(data, at)
        self._size = at

    def _cut(self, data: bytes, at: int) -> None:
        """Take off what stands from ``at`` on, if nothing behind it is valid."""
        for behind in range(at + 1, len(data) - _HEAD.size + 1):
            if _record_end(data, behind, self._seed) is not None:
                raise StoreError(
                    f"{self._path}: offset {at}: a damaged record before a valid one at {behind}"
                )
        self._shorten(at)
        self.torn_bytes = len(data) - at

    def _shorten(self, size: int, then: bytes = b"") -> None:
        """Cut the file off, and write a header where it is new."""
        try:
            os.ftruncate(self._file, size)
            _write(self._file, then)
            os.fsync(self._file)
            self._sync_directory()
        except OSError as error:
            raise StoreError(f"{self._path}: {error}") from error

    def _take(self, data: bytes, at: int) -> None:
        """Apply one valid record."""
        _, _, number, kind = _HEAD.unpack_from(data, at)
        if kind == _EXPECTED:
            self.next_in = number
        elif kind == _NEXT and number >= self.next_out:
            self._skip_to(number)
        elif kind == _SENT and number == self.next_out:
            self._offsets.append(at)
            self.next_out += 1
        else:
            raise StoreError(
                f"{self._path}: offset {at}: number {number} where {self.next_out} should be"
            )

    def _skip_to(self, number: int) -> None:
        self._offsets.frombytes(bytes(8 * (number - self.next_out)))
        self.next_out = number

    def _append(self, kind: int, number: int, payload: bytes) -> int:
        """Write one record at the end; where it begins."""
        if self._is_failed:
            raise StoreError(f"{self._path}: closed, or a write has failed before")
        body = _HEAD.pack(len(payload), 0, number, kind)[8:] + payload
        record = struct.pack("<II", len(payload), zlib.crc32(body, self._seed)) + body
        try:
            _write(self._file, record)
            if self._fsync:
                os.fsync(self._file)
        except OSError as error:
            # What a failed write or fsync has left is not known: nothing more is built on it.
            self._is_failed = True
            raise StoreError(f"{self._path}: {error}") from error
        offset = self._size
        self._size += len(record)
        return offset

    def _read(self, offset: int, number: int) -> bytes:
        try:
            length = int.from_bytes(os.pread(self._file, 4, offset), "little")
            record = os.pread(self._file, _HEAD.size + min(length, MAX_PAYLOAD), offset)
        except OSError as error:
            raise StoreError(f"{self._path}: {error}") from error
        if _record_end(record, 0, self._seed) != len(record):
            raise StoreError(f"{self._path}: offset {offset}: message {number} is damaged")
        return record[_HEAD.size :]

    def _sync_directory(self) -> None:
        """Make the file's *name* last, too."""
        if self._fsync:
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def _new_header() -> bytes:
    salted = MAGIC + os.urandom(_SALT_BYTES)
    return salted + struct.pack("<I", zlib.crc32(salted))


def _seed_of(header: bytes) -> int | None:
    """Where the checksums of a file begin: with its salt. None: the header is damaged."""
    seed = zlib.crc32(header[: HEADER_BYTES - 4])
    return seed if header[HEADER_BYTES - 4 : HEADER_BYTES] == struct.pack("<I", seed) else None


def _record_end(data: bytes, at: int, seed: int) -> int | None:
    """Where the valid record that starts at ``at`` ends; None if none does."""
    if len(data) - at < _HEAD.size:
        return None
    length, checksum, number, kind = _HEAD.unpack_from(data, at)
    end = at + _HEAD.size + length
    if kind not in _KINDS or not number or length > MAX_PAYLOAD or end > len(data):
        return None
    return end if zlib.crc32(memoryview(data)[at + 8 : end], seed) == checksum else None


def _write(file: int, data: bytes) -> None:
    """Write all of it: a full disk writes a part first, and says so the next time."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
