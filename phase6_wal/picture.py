"""A log's directory as text: its segments and how full they are, snapshots, marks, where it ends.

Plain characters, so that it reads the same without colour and in a file; whoever has a terminal
may colour the characters of ``RECORDS`` to ``SNAPSHOT``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from phase6_wal.errors import LogDamagedError
from phase6_wal.names import SNAPSHOT_SUFFIX, sequence_of
from phase6_wal.native import HEADER_BYTES, SLOT_BYTES, LogMark, Storage
from phase6_wal.native_scan import STALE
from phase6_wal.reader import LogReader
from phase6_wal.segments import SegmentInfo, first_of, segment_names
from phase6_wal.snapshots import read_snapshot, snapshot_names

#: Characters of a line that fit into a frame of the tour.
LINE_CHARACTERS: Final = 72
RECORDS: Final = "█"
MARKED: Final = "▓"
FREE: Final = "·"
INVALID: Final = "╳"
SNAPSHOT: Final = "▲"
_MEANINGS: Final = {
    RECORDS: "records",
    MARKED: "with a mark",
    FREE: "free",
    INVALID: "not valid",
    SNAPSHOT: "snapshot",
}
LEGEND: Final = "  ".join(f"{character} {meaning}" for character, meaning in _MEANINGS.items())
#: Segments that are drawn of a long log: so many from its beginning and from its end.
_HEAD: Final = 3
_TAIL: Final = 9


class DrawnSegment(NamedTuple):
    """What is drawn of a segment.

    Attributes:
        number: its place in the log, from 1; 0 where its header cannot be read.
        first_sequence: of the first command (or event) that it may hold.
        slots: records that it has room for.
        used: valid ones that it holds, from the front.
        bad: slots from the first to the last behind these that hold something all the same.
        marks: slots that hold marks, ascending.
    """

    number: int
    first_sequence: int
    slots: int
    used: int
    bad: int = 0
    marks: Sequence[int] = ()

    @property
    def sequence(self) -> int:
        """Of the last valid command (or event); one less than the first if there is none."""
        return self.first_sequence - 1 + self.used - bisect_right(self.marks, self.used - 1)

    def slot_of(self, sequence: int) -> int:
        """The slot of a command; -1 of the one before the first."""
        slot = sequence - self.first_sequence
        for mark in self.marks:
            if mark > slot:
                break
            slot += 1
        return slot


class DrawnSnapshot(NamedTuple):
    """A snapshot after a command; one that is not ``good`` would be passed over."""

    sequence: int
    good: bool = True

    def __str__(self) -> str:
        return f"{SNAPSHOT} {self.sequence:,}{'' if self.good else ' damaged'}"


def draw_directory(storage: Storage, width: int = LINE_CHARACTERS) -> str:
    """A log's directory as it is. O(bytes); see ``draw_log``."""
    infos = LogReader(storage).segments()
    snapshots = []
    for name in snapshot_names(storage):
        try:
            good = bool(read_snapshot(storage, name))
        except (LogDamagedError, OSError):
            good = False
        snapshots.append(DrawnSnapshot(sequence_of(name, SNAPSHOT_SUFFIX) or 0, good))
    return draw_log(drawn_segments(infos, marks_of(storage)), snapshots, width)


def marks_of(storage: Storage) -> list[LogMark]:
    """All marks in a log's valid part, in order. O(bytes)."""
    names = segment_names(storage)
    if not names:
        return []
    try:
        batches = LogReader(storage).batches(first_of(names[0]))
        return [mark for _bodies, marks in batches for _index, mark in marks]
    except LogDamagedError:  # not one segment whose header can be read
        return []


def drawn_segments(infos: Sequence[SegmentInfo], marks: Sequence[LogMark]) -> list[DrawnSegment]:
    """Segments as they are drawn: each with the slots of its marks, which are given in order."""
    drawn = []
    for info in infos:
        own, marks = marks[: info.marks], marks[info.marks :]
        # A mark has no number of its own: before it stand its command, and the marks before it.
        slots = [
            mark.sequence - info.first_sequence + 1 + earlier for earlier, mark in enumerate(own)
        ]
        room = info.slots or max(1, (info.file_bytes - HEADER_BYTES) // SLOT_BYTES)
        stale = info.tail is not None and info.tail.reason == STALE
        free = not info.header and info.later == info.torn == 0 and (stale or not info.written_tail)
        bad = 0 if free else -(-info.written_tail // SLOT_BYTES)
        first = info.first_sequence or first_of(info.name)
        drawn.append(DrawnSegment(info.number, first, room, info.records, bad, slots))
    return drawn


def draw_log(
    segments: Sequence[DrawnSegment],
    snapshots: Sequence[DrawnSnapshot] = (),
    width: int = LINE_CHARACTERS,
) -> str:
    """One line a segment, one below it for the snapshots that stand in it.

    >>> first = DrawnSegment(1, 1, slots=52, used=52, marks=(20, 41))
    >>> last = DrawnSegment(2, 51, slots=52, used=13, bad=4)
    >>> print(draw_log([first, last], [DrawnSnapshot(0), DrawnSnapshot(20)], width=50))
    1   1 ├█████████████▓██████████████▓███████┤ full
           ▲ 0          ▲ 20
    2  51 ├█████████╳╳╳························┤ to 63
    """
    if not segments:
        return "\n".join(["(no segment)", *map(str, snapshots)])
    first = segments[0].first_sequence
    before = [str(each) for each in snapshots if each.sequence < first - 1]
    lines = _packed("before the first segment:", before, width)
    hidden = range(_HEAD, max(_HEAD, len(segments) - _TAIL))
    if len(hidden) < 2:
        hidden = range(0)
    last = segments[-1]
    margins = _Margins(
        len(f"{last.number}"), len(f"{last.first_sequence:,}"), len(f" to {last.sequence:,}")
    )
    for index, segment in enumerate(segments):
        following = segments[index + 1].first_sequence if index + 1 < len(segments) else None
        own = [each for each in snapshots if _stands_in(each, index == 0, segment, following)]
        if index not in hidden:
            lines += _draw_segment(segment, own, margins, width, last=following is None)
            continue
        if index == hidden.start:
            lines.append(f"… {len(hidden)} more segments")
        lines += _packed("…", map(str, own), width)
    return "\n".join(lines)


class _Margins(NamedTuple):
    """Columns on both sides of the bars."""

    number: int
    first: int
    label: int


def _packed(head: str, words: Iterable[str], width: int) -> list[str]:
    """Words behind a head, in as many lines as it takes; no line without a word."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 2 + len(word) <= width:
            lines[-1] += f"  {word}"
        else:
            lines.append(f"{head if not lines else ' ' * len(head)} {word}")
    return lines


def _stands_in(
    snapshot: DrawnSnapshot, is_first: bool, segment: DrawnSegment, following: int | None
) -> bool:
    """Whether a snapshot is drawn below this segment: at its last command, not before its first."""
    low = segment.first_sequence - (1 if is_first else 0)
    return low <= snapshot.sequence and (following is None or snapshot.sequence < following)


def _draw_segment(
    segment: DrawnSegment,
    snapshots: Sequence[DrawnSnapshot],
    margins: _Margins,
    width: int,
    *,
    last: bool,
) -> Iterator[str]:
    head = f"{segment.number:>{margins.number}}  {segment.first_sequence:>{margins.first},} ├"
    cells = max(8, width - len(head) - 1 - margins.label)
    full = segment.used >= segment.slots
    label = "full" if full and not last else f"to {segment.sequence:,}"
    if not segment.used and not segment.bad:
        label = "empty"
    yield f"{head}{_bar(segment, cells)}┤ {label}"
    below: list[str] = []
    for each in sorted(snapshots):
        slot = min(max(segment.slot_of(each.sequence), 0), segment.slots - 1)
        text = str(each)
        place = min(len(head) + _cell(slot, segment.slots, cells), width - len(text))
        for row, line in enumerate(below):
            if len(line) + 1 < place:
                below[row] = line.ljust(place) + text
                break
        else:
            below.append(" " * place + text)
    yield from below


def _bar(segment: DrawnSegment, cells: int) -> str:
    """The slots in so many cells; whatever is there at all shows."""
    slots = max(segment.slots, 1)
    bar = [FREE] * cells
    end = _cell(min(segment.used, slots) - 1, slots, cells) + 1 if segment.used else 0
    bar[:end] = [RECORDS] * end
    for mark in segment.marks:
        bar[_cell(min(mark, slots - 1), slots, cells)] = MARKED
    if segment.bad:
        last = _cell(min(segment.used + segment.bad, slots) - 1, slots, cells)
        start = min(end, last)
        bar[start : last + 1] = [INVALID] * (last + 1 - start)
    return "".join(bar)


def _cell(slot: int, slots: int, cells: int) -> int:
    """The cell that a slot falls into."""
    return slot * cells // slots
