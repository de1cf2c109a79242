"""The drawing of a log: every segment, mark, snapshot and fault at its place, within the width."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from contract.records import empty_events
from contract.workload import generate
from phase3_sorted import Engine as SortedEngine
from phase6_wal.engine import DurableEngine
from phase6_wal.native import HEADER_BYTES, SLOT_BYTES, PosixStorage
from phase6_wal.picture import (
    FREE,
    INVALID,
    LINE_CHARACTERS,
    MARKED,
    RECORDS,
    SNAPSHOT,
    DrawnSegment,
    DrawnSnapshot,
    draw_directory,
    draw_log,
    drawn_segments,
    marks_of,
)
from phase6_wal.reader import LogReader

CELLS = 30


def bar_of(segment: DrawnSegment) -> str:
    """The cells of the only segment, in so many."""
    around = len(f"1  {segment.first_sequence:,} ├┤ to {segment.sequence:,}")
    line = draw_log([segment], width=CELLS + around).splitlines()[0]
    return line[line.index("├") + 1 : line.index("┤")]


def test_each_slot_has_its_cell() -> None:
    """Guards: a bar that is shifted by one, or rounds a record or a fault away."""
    assert bar_of(DrawnSegment(1, 1, 30, 0)) == 30 * FREE
    assert bar_of(DrawnSegment(1, 1, 30, 1)) == RECORDS + 29 * FREE
    assert bar_of(DrawnSegment(1, 1, 30, 30)) == 30 * RECORDS
    marked = DrawnSegment(1, 1, 30, 10, 0, (2, 9))
    assert bar_of(marked) == 2 * RECORDS + MARKED + 6 * RECORDS + MARKED + 20 * FREE
    assert bar_of(DrawnSegment(1, 1, 30, 10, 3)) == 10 * RECORDS + 3 * INVALID + 17 * FREE
    assert bar_of(DrawnSegment(1, 1, 30, 0, 30)) == 30 * INVALID
    # Many slots a cell: a single one shows all the same.
    assert bar_of(DrawnSegment(1, 1, 3_000, 1)) == RECORDS + 29 * FREE
    assert bar_of(DrawnSegment(1, 1, 3_000, 1, 1)).count(INVALID) == 1
    assert bar_of(DrawnSegment(1, 1, 3_000, 2_999, 1)).endswith(INVALID)


def test_marks_take_slots_and_no_numbers() -> None:
    """Guards: a snapshot drawn too far left by as many slots as there are marks before it."""
    segment = DrawnSegment(1, 101, 30, 12, 0, (0, 3, 11))
    assert segment.sequence == 109
    assert [segment.slot_of(sequence) for sequence in (101, 102, 103, 109)] == [1, 2, 4, 10]
    line, below = draw_log([segment], [DrawnSnapshot(103)], width=46).splitlines()
    assert below.index(SNAPSHOT) - line.index("├") - 1 == 4


def test_snapshots_stand_in_one_segment_each() -> None:
    """Guards: a snapshot that is drawn twice where segments meet, or not at all."""
    segments = [DrawnSegment(n, 1 + 30 * (n - 1), 30, 30) for n in (1, 2, 3)]
    for sequence in range(91):
        lines = draw_log(segments, [DrawnSnapshot(sequence)]).splitlines()
        (place,) = [i for i, line in enumerate(lines) if SNAPSHOT in line]
        assert place == 1 + min(max(sequence - 1, 0) // 30, 2)
    trimmed = draw_log(segments[1:], [DrawnSnapshot(0), DrawnSnapshot(30), DrawnSnapshot(45)])
    assert trimmed.splitlines()[0] == f"before the first segment: {SNAPSHOT} 0"
    assert trimmed.count(SNAPSHOT) == 3


def test_labels_do_not_overlap() -> None:
    """Guards: two snapshots close to each other of which one is unreadable."""
    close = [DrawnSnapshot(n, good=n != 4) for n in (3, 4, 5, 29)]
    drawn = draw_log([DrawnSegment(1, 1, 30, 30)], close)
    for each in close:
        assert str(each) in drawn
    assert f"{SNAPSHOT} 4 damaged" in drawn


def test_a_long_log() -> None:
    """Guards: a terminal full of segments; a snapshot that goes with those that are left out."""
    segments = [DrawnSegment(n, 1 + 30 * (n - 1), 30, 30) for n in range(1, 101)]
    lines = draw_log(segments, [DrawnSnapshot(1_500)]).splitlines()
    assert lines[3:5] == ["… 88 more segments", f"… {SNAPSHOT} 1,500"]
    assert len(lines) == 3 + 2 + 9
    assert lines[-1].split()[0] == "100"
    assert draw_log([], [DrawnSnapshot(7)]) == f"(no segment)\n{SNAPSHOT} 7"


@pytest.mark.parametrize("seed", range(20))
def test_no_line_is_too_wide(seed: int) -> None:
    """Guards: a picture that breaks the frame it stands in."""
    draw = random.Random(seed)
    first, segments = draw.choice([1, 10**6, 10**13]), []
    for number in range(1, draw.randint(2, 30)):
        slots = draw.choice([51, 838_809])
        used = draw.choice([0, 1, slots // 2, slots])
        bad = draw.choice([0, 0, min(3, slots - used)])
        segments.append(DrawnSegment(number, first, slots, used, bad))
        first += used
    snapshots = [DrawnSnapshot(draw.randint(0, first), draw.random() < 0.8) for _ in range(4)]
    for width in (64, LINE_CHARACTERS, 120):
        drawn = draw_log(segments, sorted(snapshots), width)
        assert max(map(len, drawn.splitlines())) <= width


def test_a_directory_as_it_is(tmp_path: Path) -> None:
    """Guards: a drawing of something else than what the files hold."""
    commands = generate("normal", 700)[:1_000]
    with DurableEngine.create(
        tmp_path, [SortedEngine()], mark_every=200, segment_bytes=1 << 16, prepare_thread=False
    ) as engine:
        for at in range(0, 1_000, 200):
            engine.apply_batch(commands[at : at + 200], empty_events(1_000))
        engine.take_snapshot()
    with PosixStorage(tmp_path) as storage:
        infos, marks = LogReader(storage).segments(), marks_of(storage)
        assert marks
        raw = [storage.read_file(info.name) for info in infos]
        drawn = drawn_segments(infos, marks)
        for info, data, segment in zip(infos, raw, drawn, strict=True):
            kinds = data[HEADER_BYTES + 6 :: SLOT_BYTES][: info.records]
            assert [slot for slot, kind in enumerate(kinds) if kind == 3] == list(segment.marks)
            assert segment.sequence == info.sequence
            assert segment.used == info.records
            assert not segment.bad
        picture = draw_directory(storage)
        assert picture.count(SNAPSHOT) == 2
        assert f"{SNAPSHOT} 1,000" in picture
        assert INVALID not in picture
    name = sorted(tmp_path.glob("*.snap"))[-1]
    name.write_bytes(name.read_bytes()[:-1])
    data = bytearray((tmp_path / infos[0].name).read_bytes())
    data[HEADER_BYTES + 30 * SLOT_BYTES] ^= 1
    (tmp_path / infos[0].name).write_bytes(data)
    with PosixStorage(tmp_path) as storage:
        picture = draw_directory(storage)
        assert f"{SNAPSHOT} 1,000 damaged" in picture
        assert INVALID in picture.splitlines()[0]
