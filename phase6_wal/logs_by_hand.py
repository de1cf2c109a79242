"""Logs made by hand, for tests: a second implementation, from the comment of c/log_format.h alone.

Nothing of the writer, the scanner or their CRC is used, so that a log made here and read there says
that the comment is enough, and that both read it alike. A log is a dictionary of names and bytes.
"""

from __future__ import annotations

import errno
import os
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

# --8<-- [start:layouts]
HEADER: Final = struct.Struct("<8sIHHQQQQIIB4039x")
RECORD: Final = struct.Struct("<IHBBQ64s")
MARK: Final = struct.Struct("<QQQII16s16x")
MAGIC: Final = b"MBLOG\0\0\1"
HEADER_BYTES: Final = 4096
SLOT: Final = 80
COMMAND, EVENT, MARKED = 1, 2, 3
DURABILITY: Final = {"none": 0, "page-cache": 1, "group": 2, "sync": 3}
# --8<-- [end:layouts]


def _make_table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


_TABLE: Final = _make_table()


def crc_by_table(data: bytes, crc: int = 0) -> int:
    """CRC-32C, a byte at a time.

    >>> hex(crc_by_table(b"123456789"))
    '0xe3069283'
    """
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def header_bytes(
    *,
    first_sequence: int,
    number: int,
    size: int,
    salt: int,
    chain: int,
    log_id: int,
    content: int = 1,
    durability: int = 2,
) -> bytes:
    """A segment's header."""
    fields = (content, first_sequence, number, log_id, size, salt, chain, durability)
    unsealed = HEADER.pack(MAGIC, 0, 1, *fields)
    return HEADER.pack(MAGIC, crc_by_table(unsealed[12:]), 1, *fields)


def record_bytes(body: bytes, kind: int, durable: int, salt: int) -> bytes:
    """A record."""
    unsealed = RECORD.pack(0, SLOT, kind, 0, durable, body)
    return RECORD.pack(crc_by_table(unsealed[4:], salt), SLOT, kind, 0, durable, body)


@dataclass
class HandMadeLog:
    """A log that grows in memory.

    Args:
        slots: of each segment.
        durable_lag: each record says that the log was on the disk up to so many records before.
    """

    slots: int = 50
    durability: str = "group"
    content: int = COMMAND
    log_id: int = 0xDEC0DE
    durable_lag: int = 8
    seed: int = 1
    sequence: int = 0
    chain: int = 0
    files: dict[str, bytearray] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    salt: int = 0
    used: int = 0
    _present: str = ""

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self.size = -(-(HEADER_BYTES + self.slots * SLOT) // 4096) * 4096
        self.slots = (self.size - HEADER_BYTES) // SLOT

    @property
    def names(self) -> list[str]:
        """Of the segments, in order."""
        return sorted(self.files)

    def begin(self) -> None:
        """The next segment."""
        self.salt = self._draw.randrange(1, 2**32)
        self._present = f"{self.sequence + 1:020d}.log"
        header = header_bytes(
            first_sequence=self.sequence + 1,
            number=len(self.files) + 1,
            size=self.size,
            salt=self.salt,
            chain=self.chain,
            log_id=self.log_id,
            content=self.content,
            durability=DURABILITY[self.durability],
        )
        self.files[self._present] = bytearray(header.ljust(self.size, b"\0"))
        self.used = 0

    def append(self, bodies: Iterable[bytes]) -> None:
        """Commands (or events): 64 bytes each, whose first 8 become their sequence."""
        for body in bodies:
            self.sequence += 1
            stamped = self.sequence.to_bytes(8, "little") + body[8:]
            self.bodies.append(stamped)
            self._put(stamped, self.content, max(self.sequence - 1 - self.durable_lag, 0))

    def mark(self, event_sequence: int = 0, orders: int = 0, event_crc: int = 0) -> None:
        """A mark after the last command."""
        if not self.files or self.used == self.slots:
            self.begin()
        body = MARK.pack(
            self.sequence, event_sequence, orders, event_crc, self.chain, b"state hash of 16"
        )
        self._put(body, MARKED, max(self.sequence - self.durable_lag, 0))

    def fill(self, count: int, mark_every: int = 0) -> None:
        """So many commands of random bytes, and marks."""
        for _ in range(count):
            self.append([self._draw.randbytes(64)])
            if mark_every and self.sequence % mark_every == 0:
                self.mark(self.sequence * 2, self.sequence % 7, self._draw.randrange(2**32))

    def _put(self, body: bytes, kind: int, durable: int) -> None:
        if not self.files or self.used == self.slots:
            # The sequence of what is put is counted already: a segment begins before it.
            self.sequence -= kind != MARKED
            self.begin()
            self.sequence += kind != MARKED
        record = record_bytes(body, kind, durable, self.salt)
        at = HEADER_BYTES + self.used * SLOT
        self.files[self._present][at : at + SLOT] = record
        self.chain = crc_by_table(record[:4], self.chain)
        self.used += 1


class MemoryStorage:
    """Files in memory, as recovery knows a storage; counts what is done to them."""

    def __init__(self, files: dict[str, Any]) -> None:
        self.files = files  # bytearrays, or what else has bytes in it, where nothing is written
        self.changes = 0
        self._open: dict[int, str] = {}

    def list(self) -> list[str]:
        """The names, in order."""
        return sorted(self.files)

    def open(self, name: str) -> tuple[int, int]:
        """A number, and the size."""
        if name not in self.files:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        number = 0
        while number in self._open:
            number += 1
        self._open[number] = name
        return number, len(self.files[name])

    def close_file(self, file: int) -> None:
        """Give the number back."""
        del self._open[file]

    def read(self, file: int, offset: int, size: int) -> Any:
        """Exactly so many bytes."""
        data = self.files[self._open[file]][offset : offset + size]
        if len(data) < size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return data

    def create(self, name: str, size: int) -> int:
        """A file of zeros."""
        if name in self.files:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        self.changes += 1
        self.files[name] = bytearray(size)
        return self.open(name)[0]

    def write(self, file: int, offset: int, data: Any) -> None:
        """Within the file: real blocks were made for no more."""
        held = self.files[self._open[file]]
        if offset + len(data) > len(held):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.changes += 1
        held[offset : offset + len(data)] = data

    def sync(self, file: int) -> None:
        """It is as safe as it gets."""

    def rename(self, old: str, new: str) -> None:
        """In place of whatever had the name."""
        self.changes += 1
        self.files[new] = self.files.pop(old)

    def remove(self, name: str) -> None:
        """Take a file away."""
        self.changes += 1
        del self.files[name]

    def sync_directory(self) -> None:
        """As ``sync``."""

    def lock(self) -> None:
        """Nobody else knows these files."""

    def unlock(self) -> None:
        """As ``lock``."""
