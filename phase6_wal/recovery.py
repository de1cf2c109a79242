"""Recovery: where a log ends, and what may be done about what lies behind its end.

    segments ──▶ scan_log ──▶ judge ──┬─ clean: nothing behind the end
                                      ├─ torn: half of something; it is cut
                                      ├─ hole, that nobody was promised: it is cut, and kept aside
                                      ├─ hole, that somebody was told of: an error, or accept_loss
                                      └─ damage: an error

The rules are those of c/log_format.h. A cut changes nothing before the log's end, and in whatever
order its steps reach the disk, the log ends at the same place: a recovery that is itself cut off is
done again, and recovering twice is recovering once. What is cut and holds whole records stays as
``SEQUENCE.lost`` (cutting.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Final

from phase6_wal.cutting import Writable, cut_log, remove_unfinished
from phase6_wal.errors import LogDamagedError, RecoveryFailedError
from phase6_wal.native import LogPosition
from phase6_wal.native_scan import EMPTY, FIRST_SEQUENCE, LOG_ID, MARK_CHAIN, SHORT, STALE, Fault
from phase6_wal.segments import (
    Progress,
    Readable,
    SegmentInfo,
    first_of,
    place_of,
    scan_log,
    segment_names,
)

#: The durabilities under which a segment is on the disk before the next one is begun, and nobody is
#: told of a record that is not.
PROMISED: Final = ("group", "sync")


@dataclass(frozen=True)
class Dropped:
    """What lay behind the end of a log.

    Attributes:
        name: the segment in which the log ends, or the one that does not continue it.
        offset: of the first byte that was dropped.
        sequence: of the first command that is missing.
        field: what was wrong there.
        bytes: from there to the last one that was not 0, in this file.
        records: whole records among what was dropped; 0: a torn tail.
        last_sequence: the largest sequence among them.
        segments: later segments that went as a whole.
        kept: files that hold the whole records now.
    """

    name: str
    offset: int
    sequence: int
    field: str
    bytes: int
    records: int
    last_sequence: int
    segments: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.name}: offset {self.offset}: {self.field}: the log ends before command"
        text += f" {self.sequence}; dropped {self.bytes:,} bytes"
        if self.records:
            text += f" and {self.records:,} whole records, up to command {self.last_sequence}"
        if self.segments:
            text += f", with {', '.join(self.segments)}"
        return text + (f"; kept in {', '.join(self.kept)}" if self.kept else "")


@dataclass(frozen=True)
class Recovered:
    """Where a log ends, and what was found on the way.

    Attributes:
        position: what a writer goes on from; all 0 if there is nothing to go on with.
        log_id: of the log; 0 if there is no segment.
        first_sequence: of the first command that is still in the log.
        sequence: of the last one.
        durability: what the writer of the last segment promised; ``""`` if there is none.
        dropped: what lay behind the end; None: nothing.
        segments: those that were looked at and stay, in order.
        seconds: how long it took.
    """

    position: LogPosition
    log_id: int
    first_sequence: int
    sequence: int
    durability: str
    dropped: Dropped | None
    segments: list[SegmentInfo]
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """Where a log ends, before anything is done about it.

    Attributes:
        kept: how many of the segments are of the log.
        ending: the segment in which it ends with a fault, or that does not continue it; None: the
            log ends at the end of a segment, or before slots that are free.
        fault: what is wrong there.
        missing: the first sequence that is not in the log for certain.
        records: whole records behind the end.
        last_sequence: the largest among them.
        durable: up to here the log was known to be on the disk when they were written.
        durability: of the segment in which the log ends.
    """

    kept: int
    ending: SegmentInfo | None = None
    fault: Fault | None = None
    missing: int = 0
    records: int = 0
    last_sequence: int = 0
    durable: int = 0
    durability: str = ""


# --- the verdict -------------------------------------------------------------------------------


def find_end(infos: Sequence[SegmentInfo]) -> tuple[int, SegmentInfo | None, Fault | None]:
    """How many segments are of the log, and the one with the first fault, which may be the last."""
    for i, info in enumerate(infos):
        wrong = info.header or info.breaks
        if wrong:
            return i, info, wrong
        if info.tail is None or _is_continued(infos, i):
            continue
        if i + 1 == len(infos) and info.is_whole:
            break  # free slots
        return i + 1, info, info.tail
    return len(infos), None, None


def _is_continued(infos: Sequence[SegmentInfo], i: int) -> bool:
    """Whether a segment that is not full misses nothing: the chain in the next one says so."""
    following = infos[i + 1] if i + 1 < len(infos) else None
    return following is not None and not (following.header or following.breaks)


def judge(infos: Sequence[SegmentInfo]) -> Verdict:
    """Where the log ends, and what is known of what lies behind. O(segments)."""
    kept, ending, fault = find_end(infos)
    last = infos[kept - 1] if kept else None
    durability = last.durability if last else ""
    if ending is None or fault is None:
        return Verdict(kept, durability=durability)
    sequence = last.sequence if last else first_of(ending.name) - 1
    missing = sequence + 1
    if last and fault.field == "chain":  # of a mark, or of the segment after: since the last mark
        missing = min(missing, last.marked + 1)
    records = ending.later if ending is last else 0
    last_sequence, durable = ending.later_sequence, ending.later_durable
    for info in infos[kept:]:
        records += info.records + info.later
        last_sequence = max(last_sequence, info.later_sequence)
        durable = max(durable, info.durable, info.later_durable)
        if info.header is None:
            last_sequence = max(last_sequence, info.sequence)
            if info.durability in PROMISED:
                durable = max(durable, info.first_sequence - 1)
    if durability in PROMISED and kept < len(infos):  # it was synced before a next one was named
        durable = max(durable, first_of(infos[kept].name) - 1)
    return Verdict(kept, ending, fault, missing, records, last_sequence, durable, durability)


# --8<-- [start:objection]
def objection(verdict: Verdict, infos: Sequence[SegmentInfo], accept_loss: bool) -> str:
    """Why a log may not be cut where it ends; ``""``: it may."""
    fault, behind = verdict.fault, infos[verdict.kept :]
    if fault is None:
        return ""
    for info in behind:
        wrong = info.header or info.breaks
        if wrong is not None and (wrong.reason == LOG_ID or wrong.field == "content"):
            return "this is no segment of this log"
        if wrong is not None and wrong.field == "bytes" and wrong.reason != SHORT:
            return "the file is longer than any crash makes it"
    if verdict.durable >= verdict.missing:
        return (
            f"{_who_says(verdict, behind)} that the log was on the disk up to command"
            f" {verdict.durable}: this is damage, not a torn tail, and it is not guessed at"
        )
    damaged = [info for info in behind if info.header and not info.is_blank]
    if verdict.durability in PROMISED:
        return (
            "behind a segment that was synced a header is on the disk before its name is: this is"
            " damage, not a torn tail"
            if damaged
            else ""
        )
    begun = damaged or [info for info in behind if _is_begun(info, verdict.missing)]
    if accept_loss or not (verdict.records or begun):
        return ""
    return (
        f"{_what_follows(verdict, begun)}; commands from {verdict.missing} on are lost, although"
        f" they were acknowledged ({verdict.durability or 'unknown'}); it takes accept_loss to"
        " go on without them"
    )


# --8<-- [end:objection]


def _is_begun(info: SegmentInfo, missing: int) -> bool:
    """Whether somebody wrote it, or its name says that more was written."""
    return info.header is None or first_of(info.name) > missing


def _what_follows(verdict: Verdict, begun: Sequence[SegmentInfo]) -> str:
    """What there is behind a log's end: records, or segments that were begun."""
    if verdict.records:
        return f"{verdict.records:,} whole records follow, up to command {verdict.last_sequence}"
    if begun[0] is verdict.ending:
        return "there is no whole record in it, but it had been begun"
    return f"no whole record follows, but {begun[0].name} had been begun"


def _who_says(verdict: Verdict, behind: Sequence[SegmentInfo]) -> str:
    """What says how far the log was on the disk: records, or the name that a segment was given."""
    if verdict.records:
        return f"{_what_follows(verdict, ())}, and say"
    for info in behind:
        if first_of(info.name) == verdict.durable + 1:
            name = "its name" if info is verdict.ending else f"the name {info.name}"
            return f"no whole record follows, but {name} says"
    return "no whole record follows, but a header says"


def damage(storage: Readable, verdict: Verdict, why: str) -> LogDamagedError:
    """The error for a log that is not cut: where, what stands there, and what should."""
    info, fault = verdict.ending, verdict.fault
    assert info is not None
    assert fault is not None
    in_header = bool(info.header or info.breaks)
    offset = fault.offset if in_header else info.end + fault.offset
    field, value, right = fault.field, fault.value, repr(fault.right)
    if fault.reason == EMPTY:
        field, value, right = "record", "80 zeros", f"command {verdict.missing}"
    elif fault.reason == STALE:
        field, value = "record", "what an earlier use of the file left"
        right = f"command {verdict.missing}"
    elif fault.reason == SHORT:
        offset, right = info.file_bytes, f"{right}: the file ends early"
    elif info.breaks and field == "number" and fault.found > fault.expected:
        several = fault.found - fault.expected > 1
        right += f": segment{f's {right} to' if several else ''} {fault.found - 1}, from command"
        right += f" {verdict.missing} on, {'are' if several else 'is'} missing"
    elif fault.reason == MARK_CHAIN:
        right += f": a command since {verdict.missing - 1} is not what was written"
    return LogDamagedError(
        place_of(storage, info.name), f"offset {offset}", field, value, f"{right}; {why}"
    )


# --- recovery ----------------------------------------------------------------------------------


def recover_log(
    storage: Writable,
    *,
    content: str | None = None,
    since: int | None = None,
    accept_loss: bool = False,
    progress: Progress | None = None,
    cut: bool = True,
) -> Recovered:
    """Find a log's end, and make it one that a writer can go on from. O(bytes).

    Args:
        content: what the log must hold; None: what its first segment does.
        since: a snapshot stands after this command: segments before are not looked at, and the log
            must reach back to it. (It may end before it: then the log does not continue it.)
        accept_loss: cut a log with a hole although its commands were acknowledged.
        progress: called with the bytes read so far, and their number.
        cut: False only looks: nothing is written, not even a lock is taken.

    Raises:
        LogDamagedError: there is damage before the log's end, or a file that is none of this log:
            nothing has been changed.
        RecoveryFailedError: the storage failed.
        LogInUseError: a writer is at work here.
    """
    started = time.perf_counter()
    with _working(storage) if cut else nullcontext():
        infos, verdict = _look(storage, since, content, progress)
        why = objection(verdict, infos, accept_loss)
        if why:
            raise damage(storage, verdict, why)
        dropped = describe_drop(verdict, infos)
        if cut:
            remove_unfinished(storage)
        if cut and dropped:
            last = infos[verdict.kept - 1] if verdict.ending in infos[: verdict.kept] else None
            aside = cut_log(storage, last, infos[verdict.kept :])
            dropped = replace(dropped, kept=aside)
    kept = list(infos[: verdict.kept])
    last = kept[-1] if kept else None
    return Recovered(
        position=position_of(last),
        log_id=last.log_id if last else 0,
        first_sequence=kept[0].first_sequence if kept else 0,
        sequence=last.sequence if last else 0,
        durability=last.durability if last else "",
        dropped=dropped,
        segments=kept,
        seconds=time.perf_counter() - started,
    )


@contextmanager
def _working(storage: Writable) -> Iterator[None]:
    """As the one that writes here, meanwhile."""
    with _failing("lock"):
        storage.lock()
    try:
        with _failing("recovery"):
            yield
    finally:
        storage.unlock()


@contextmanager
def _failing(call: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = str(error.filename or ".")
        raise RecoveryFailedError(call, name, 0, error.errno or 0) from error


def position_of(last: SegmentInfo | None) -> LogPosition:
    """Where a writer goes on, behind the valid records of the last segment."""
    if last is None:
        return LogPosition()
    s = last.scanned
    return LogPosition(s.sequence, s.number, s.first_sequence, s.records, s.chain, s.salt)


def _look(
    storage: Readable, since: int | None, content: str | None, progress: Progress | None
) -> tuple[list[SegmentInfo], Verdict]:
    """The segments that a recovery from a snapshot needs, and the verdict over them.

    A segment that begins right behind the snapshot may have lost its header, where nobody waited
    for it to be synced: the log then ends in the one before.
    """
    everything = segment_names(storage)
    if since and not everything:
        raise LogDamagedError(
            place_of(storage, "."), "directory", "", "no segments", f"a log that follows {since}"
        )
    needed = [name for name in everything if since is None or first_of(name) <= since + 1]
    begin = max(len(needed) - 1, 0) if since is not None else 0
    while True:
        infos = scan_log(storage, everything[begin:], content, progress)
        if since is not None and infos and not needed:
            gap = Fault(FIRST_SEQUENCE, first_of(infos[0].name), since + 1)
            infos[0] = replace(infos[0], breaks=infos[0].breaks or gap)
            return infos, replace(judge(infos), missing=since + 1)
        verdict = judge(infos)
        if verdict.kept or begin == 0:
            return infos, verdict
        begin -= 1


def describe_drop(verdict: Verdict, infos: Sequence[SegmentInfo]) -> Dropped | None:
    """What a cut drops, or would drop."""
    info, fault = verdict.ending, verdict.fault
    if info is None or fault is None:
        return None
    in_segment = verdict.kept > 0 and infos[verdict.kept - 1] is info
    return Dropped(
        name=info.name,
        offset=info.end if in_segment else 0,
        sequence=infos[verdict.kept - 1].sequence + 1 if verdict.kept else first_of(info.name),
        field=fault.field,
        bytes=info.written_tail if in_segment else info.file_bytes,
        records=verdict.records,
        last_sequence=verdict.last_sequence if verdict.records else 0,
        segments=tuple(later.name for later in infos[verdict.kept :]),
    )
