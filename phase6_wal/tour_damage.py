"""The part of the tour in which copies of a log are spoiled, and recovery says what it thinks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from contract.tour import heading, picture, show
from phase6_wal.engine import DurableEngine
from phase6_wal.errors import LogDamagedError
from phase6_wal.native import HEADER_BYTES, SLOT_BYTES, PosixStorage
from phase6_wal.picture import LINE_CHARACTERS
from phase6_wal.reader import LogReader
from phase6_wal.recovery import recover_log
from phase6_wal.snapshots import snapshot_names

SEGMENT_BYTES: Final = 2 << 20


class State(NamedTuple):
    """What an engine is: the hash of its book, and the checksum of all events so far."""

    state_hash: str
    event_crc: int


#: What an engine without a log is after so many commands.
Oracle = Callable[[int], State]


def damaged_and_judged(directory: Path, oracle: Oracle) -> bool:
    """A torn tail, a hole, a damaged snapshot: what recovery says to each."""
    heading("4. Damage")
    dead = (directory / "page-cache").with_suffix(".dead")
    torn, hole, snap = (directory / name for name in ("torn", "hole", "snap"))
    for place in (torn, hole, snap):
        shutil.copytree(dead, place)
    return all([a_torn_tail(torn, oracle), a_hole(hole), a_damaged_snapshot(snap, oracle)])


def a_torn_tail(directory: Path, oracle: Oracle) -> bool:
    """Half of the last record never came to the disk."""
    with PosixStorage(directory) as storage:
        last = [info for info in LogReader(storage).segments() if info.records][-1]
        sequence = last.sequence
    spoil(directory / last.name, last.end - SLOT_BYTES // 2, bytes(SLOT_BYTES // 2))
    with PosixStorage(directory) as storage:
        found = recover_log(storage, cut=False)
    text = str(found.dropped) if found.dropped else "nothing was found: NOT EQUAL to what was done"
    show(
        "A torn tail, as a power cut may leave it: the second half of the last record is zeros, "
        "and nothing follows."
    )
    picture("the verdict", wrap(text))
    with DurableEngine.open(directory, segment_bytes=SEGMENT_BYTES) as engine:
        here = State(engine.state_hash(), engine.event_crc)
        cut = engine.sequence
    equal = found.dropped is not None and here == oracle(cut) and cut >= sequence - 1
    show(
        f"It is cut, and the engine stands at command {cut:,}, "
        f"{'equal to' if equal else 'NOT EQUAL to'} one that never saw more."
    )
    return equal


def a_hole(directory: Path) -> bool:
    """One bit of a record in the middle has changed: everything behind it is still readable."""
    with PosixStorage(directory) as storage:
        infos = [info for info in LogReader(storage).segments() if info.records > 2]
        info = infos[-1]
        offset = HEADER_BYTES + info.records // 2 * SLOT_BYTES + 40
        name = info.name
    byte = (directory / name).read_bytes()[offset]
    spoil(directory / name, offset, bytes([byte ^ 0x10]))
    before = fingerprint(directory)
    show("A hole: one bit has changed in a record that others follow.")
    try:
        with PosixStorage(directory) as storage:
            recover_log(storage)
    except LogDamagedError as error:
        text = str(error).replace(f"{directory}/", "")
        picture("the verdict", wrap(text))
        untouched = fingerprint(directory) == before
        show(
            "Refused: whoever cut here would throw away orders that were acknowledged. "
            + ("Not a byte was touched." if untouched else "But files were CHANGED.")
        )
        return untouched
    show("It was accepted: NOT EQUAL to what should happen.")
    return False


def a_damaged_snapshot(directory: Path, oracle: Oracle) -> bool:
    """The newest snapshot is spoiled: the one before, and more of the log, do as well."""
    with DurableEngine.open(directory, segment_bytes=SEGMENT_BYTES) as engine:
        engine.flush()
        engine.take_snapshot()
        taken = engine.sequence
    with PosixStorage(directory) as storage:
        newest = snapshot_names(storage)[-1]
    spoil(directory / newest, 100, b"\xff\xff\xff\xff")
    with DurableEngine.open(directory, segment_bytes=SEGMENT_BYTES) as engine:
        found = engine.recovery
        assert found is not None
        here = State(engine.state_hash(), engine.event_crc)
        equal = here == oracle(taken) and found.sequence == taken
    show(
        f"A snapshot was taken at command {taken:,}, and spoiled afterwards. It is skipped for the "
        f"one at {found.snapshot_sequence:,}, and {found.commands:,} commands are replayed: the "
        f"state is {'equal' if equal else 'NOT EQUAL'}."
    )
    return equal


def spoil(path: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def fingerprint(directory: Path) -> dict[str, bytes]:
    """All files but the lock, byte for byte."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}


def wrap(text: str) -> str:
    """Words in lines that fit into a frame."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > LINE_CHARACTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
