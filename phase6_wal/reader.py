"""Reading a log's records, as far as they are valid.

Nothing is changed here, and nothing is judged: whether a log ends where it should is for
``recovery.py`` to say. One that is being written may be read, too: it ends where the writer was.
"""

from __future__ import annotations

from collections.abc import Iterator

from contract.records import RecordArray
from phase6_wal.errors import LogDamagedError, LogError
from phase6_wal.native import CONTENTS, HEADER_BYTES, SLOT_BYTES, LogMark
from phase6_wal.native_scan import Expect, SegmentScan, content_name, split_records
from phase6_wal.segments import (
    PIECE_BYTES,
    Readable,
    Reading,
    first_of,
    place_of,
    scan_log,
)
from phase6_wal.segments import SegmentInfo as SegmentInfo  # what ``segments`` returns
from phase6_wal.segments import segment_names as segment_names

#: Commands (or events) and, for each mark, how many of them stand before it.
Batch = tuple[RecordArray, list[tuple[int, LogMark]]]


class LogReader:
    """A log's records, from whatever storage. Nothing is kept open between calls.

    Args:
        content: ``"commands"`` or ``"events"``; None: whatever the first readable segment holds.
    """

    def __init__(self, storage: Readable, content: str | None = None) -> None:
        self._storage = storage
        self._content = content

    @property
    def content(self) -> str:
        """What the log holds.

        Raises:
            LogDamagedError: there is no segment, or none can be read.
        """
        if self._content is None:
            names = segment_names(self._storage)
            for name in names:
                with Reading(self._storage, name) as reading:
                    scan = SegmentScan(reading.header(), reading.bytes)
                if scan.fault is None:
                    self._content = content_name(scan.scanned().content)
                    return self._content
            raise _no_log(self._storage, len(names))
        return self._content

    def segments(self) -> list[SegmentInfo]:
        """All about each segment, in order; see ``scan_log``. O(bytes)."""
        return scan_log(self._storage, content=self._content)

    def batches(self, first: int = 1, last: int | None = None) -> Iterator[Batch]:
        """Commands (or events) ``first`` to ``last``, as far as the log is valid. O(bytes).

        A batch is what was read at once, at most 13,107 records. Marks that stand before ``first``
        come too, but none of another command than the one before it.

        Raises:
            LogError: the log begins later than ``first``.
            LogFailedError: a file cannot be read.
        """
        content = self.content
        expect = Expect(content=CONTENTS[content])
        for name in self._names_from(first):
            with Reading(self._storage, name) as reading:
                scan = SegmentScan(reading.header(), reading.bytes, expect)
                size = reading.bytes
            if scan.is_over():
                return
            for offset in range(HEADER_BYTES, size, PIECE_BYTES):
                # No file stays open for one who may never ask for the next batch.
                with Reading(self._storage, name) as reading:
                    piece = reading.piece(offset)
                before = scan.records
                scan.feed(piece)
                bodies, marks = split_records(piece, scan.records - before, content)
                batch = _within(bodies, marks, first, last)
                if len(batch[0]) or batch[1]:
                    yield batch
                if last is not None and scan.sequence > last:
                    return
                if scan.is_over():
                    break
            found = scan.scanned()
            expect = Expect(found.log_id, found.number, found.sequence, found.chain, found.content)

    def chains_at(self, sequence: int) -> list[int]:
        """The log's chain after command ``sequence``, and after each mark that follows it there.

        One of them is in a snapshot taken at ``sequence``, if it belongs to this log. Empty: the
        log does not reach so far. O(bytes of a segment or two).

        Raises:
            LogError: the log begins later.
        """
        chains: list[int] = []
        names = segment_names(self._storage)
        # The command is in the segment before, where one begins right after it.
        kept = sequence if names and first_of(names[0]) <= sequence else sequence + 1
        for name in self._names_from(kept):
            with Reading(self._storage, name) as reading:
                scan = SegmentScan(reading.header(), reading.bytes)
                if scan.is_over():
                    return chains
                if scan.sequence == sequence and scan.chain not in chains:
                    chains.append(scan.chain)
                for piece in reading.pieces():
                    scan = _seek(scan, memoryview(piece), sequence, chains)
                    if scan.is_over() or scan.sequence > sequence:
                        return chains
        return chains

    def _names_from(self, first: int) -> list[str]:
        names = segment_names(self._storage)
        begin = [i for i, name in enumerate(names) if first_of(name) <= first]
        if names and not begin:
            raise LogError(f"the log begins at {first_of(names[0])}: {first} is not in it any more")
        return names[begin[-1] :] if begin else []


def _no_log(storage: Readable, files: int) -> LogDamagedError:
    what = f"{files} segments, none with a good header" if files else "no segments"
    return LogDamagedError(place_of(storage, "."), "directory", "", what, "a log")


def _within(
    bodies: RecordArray, marks: list[tuple[int, LogMark]], first: int, last: int | None
) -> Batch:
    """Of a batch, what is from ``first`` to ``last``."""
    if len(bodies):
        low = int(bodies["sequence"][0])
        skip = min(max(first - low, 0), len(bodies))
        stop = len(bodies) if last is None else min(max(last + 1 - low, skip), len(bodies))
        bodies = bodies[skip:stop]
    else:
        skip = 0
    kept = [
        (min(max(index - skip, 0), len(bodies)), mark)
        for index, mark in marks
        if first - 1 <= mark.sequence and (last is None or mark.sequence <= last)
    ]
    return bodies, kept


def _seek(scan: SegmentScan, piece: memoryview, sequence: int, chains: list[int]) -> SegmentScan:
    """Feed a piece, and note the chain wherever the last command is ``sequence``."""
    step = len(piece)
    while len(piece):
        tried = scan.copy()
        tried.feed(piece[:step])
        if step > SLOT_BYTES and (tried.sequence >= sequence or tried.is_over()):
            step = max(step // SLOT_BYTES // 16, 1) * SLOT_BYTES
            continue
        scan, piece = tried, piece[step:]
        if scan.is_over() or scan.sequence > sequence:
            break
        if scan.sequence == sequence and scan.chain not in chains:
            chains.append(scan.chain)
    return scan
