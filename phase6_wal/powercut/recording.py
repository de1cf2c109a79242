"""Every write and flush of a machine's disk, in order: each moment of a run is one to cut at.

A drive has a cache of its own, which killing the machine does not empty: the host has it. QEMU's
``blklogwrites`` records what reaches the drive, and between which flushes; so one run can be cut at
any point afterwards, with what no flush has covered lost in any combination of blocks.

The file, as the kernel's dm-log-writes has it (drivers/md/dm-log-writes.c), numbers little-endian,
everything at multiples of the sector:

    a sector  u64 magic, u64 version 1, u64 entries, u32 bytes of a sector
    then for each entry
    a sector  u64 sector, u64 sectors, u64 flags (1 flush, 2 FUA, 4 discard, 8 mark), u64 bytes
    the data  sectors of them; none for a discard
"""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from phase6_wal.powercut.machine import NoMachineError

_MAGIC: Final = 0x6A736677736872
_SUPER: Final = struct.Struct("<QQQI")
_ENTRY: Final = struct.Struct("<QQQQ")
_FLUSH, _FUA, _DISCARD = 1, 2, 4
#: What a drive writes whole or not at all. Many do with 512 bytes; ext4 relies on more, for its own
#: superblock has 1,024.
_BLOCK_BYTES: Final = 4096


def recorded_drive_of(image: Path, recording: Path) -> list[str]:
    """What QEMU is told about a disk whose writes it records."""
    recording.write_bytes(b"")
    recorder = "driver=blklogwrites,node-name=disk,file=image,log=log,log-super-update-interval=1"
    return [
        *("-blockdev", f"driver=file,filename={image},node-name=image"),
        *("-blockdev", f"driver=file,filename={recording},node-name=log"),
        *("-blockdev", recorder),
        *("-device", "virtio-blk-pci,drive=disk"),
    ]


def entries_of(recording: Path) -> int:
    """How many entries a recording has by now."""
    with recording.open("rb") as file:
        head = file.read(_SUPER.size)
    return int(_SUPER.unpack(head)[2]) if len(head) == _SUPER.size else 0


@dataclass(frozen=True)
class Entry:
    """A write, with its data, or a flush without."""

    offset: int
    data: bytes
    flushes: bool
    lasts: bool


def read_entries(recording: Path) -> Iterator[Entry]:
    """The entries, in the order in which the drive had done them.

    Raises:
        NoMachineError: this is no recording.
    """
    with recording.open("rb") as file:
        magic, version, count, sector = _SUPER.unpack(file.read(_SUPER.size))
        if (magic, version) != (_MAGIC, 1):
            raise NoMachineError(f"{recording}: offset 0: magic and version {magic:#x}, {version}")
        at = sector
        for _ in range(count):
            file.seek(at)
            first, sectors, flags, _bytes = _ENTRY.unpack(file.read(_ENTRY.size))
            at += sector
            data = b""
            if not flags & _DISCARD:
                file.seek(at)
                data = file.read(sectors * sector)
                at += len(data)
            flushes, lasts = bool(flags & _FLUSH), bool(flags & _FUA)
            yield Entry(first * sector, data, flushes, lasts)


class Playback:
    """A disk as it was after so many entries, going forward.

    Args:
        image: the disk as it was before the recording began; changed.
        recording: what was recorded of it.
    """

    def __init__(self, image: Path, recording: Path) -> None:
        self.image = image
        self._entries = read_entries(recording)
        self._pending: list[Entry] = []
        self._position = 0

    def go_to(self, position: int) -> None:
        """Play on until after that entry."""
        with self.image.open("r+b") as file:
            while self._position < position:
                entry = next(self._entries)
                self._position += 1
                if entry.flushes:
                    for earlier in self._pending:
                        _write(file, earlier)
                    self._pending.clear()
                if entry.lasts:
                    _write(file, entry)
                elif entry.data:
                    self._pending.append(entry)

    def cut(self, to: Path, seed: int) -> int:
        """Write down what the drive may show if its power went now; how many blocks it has lost.

        Of what no flush has covered each block is there or not: none, some, half, most, or all.
        """
        draw = random.Random(seed)
        weight = draw.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        lost = 0
        shutil.copyfile(self.image, to)
        with to.open("r+b") as file:
            for entry in self._pending:
                for at in range(0, len(entry.data), _BLOCK_BYTES):
                    if draw.random() < weight:
                        file.seek(entry.offset + at)
                        file.write(entry.data[at : at + _BLOCK_BYTES])
                    else:
                        lost += 1
        return lost


def _write(file: BinaryIO, entry: Entry) -> None:
    file.seek(entry.offset)
    file.write(entry.data)
