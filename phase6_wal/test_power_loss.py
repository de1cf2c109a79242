"""Thousands of lives of a log on the simulated disk: no promise is broken, and each could be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phase6_wal import recovery
from phase6_wal.errors import LogDamagedError
from phase6_wal.names import segment_name
from phase6_wal.native import DURABILITIES, HEADER_BYTES, METHODS, SLOT_BYTES, LogOptions, LogWriter
from phase6_wal.native_sim import SimStorage
from phase6_wal.recovery import Verdict, recover_log
from phase6_wal.simulate import Setting, run_lives

#: The same seeds each time: a failure names its own.
LIVES = 300
CONTROLS = 80
WAYS = [(durability, method) for durability in DURABILITIES for method in METHODS]


@pytest.mark.parametrize(("durability", "method"), WAYS)
def test_promises_outlive_power_cuts_and_crashes(durability: str, method: str) -> None:
    """Guards against an acknowledgement before its sync, and a recovery that loses or invents."""
    tally = run_lives(range(LIVES), Setting(durability, method))
    assert tally.power_cuts > LIVES // 2
    assert tally.process_crashes > LIVES // 4
    assert tally.cut_recoveries > 0
    assert tally.rotated > LIVES
    if durability in recovery.PROMISED:
        assert tally.refused == 0


def test_a_log_may_be_written_differently_each_time() -> None:
    """Guards against promises of one writer that hold only if the next one makes the same."""
    tally = run_lives(range(10_000, 10_000 + 4 * LIVES))
    assert tally.torn > 0
    assert tally.holes > 0
    assert tally.recycled > 0


@pytest.mark.parametrize(("durability", "method"), [*WAYS, (None, None)])
def test_promises_hold_with_a_thread(durability: str | None, method: str | None) -> None:
    """Guards against a thread that names a segment before it is whole, or after it is relied on.

    The last case is a log that is written differently each time: a segment of page-cache behind
    one of group has its header on the disk before its name, as that one promised.
    """
    tally = run_lives(range(LIVES // 4), Setting(durability, method, thread=True))
    assert tally.rotated > LIVES // 4


@pytest.mark.long
def test_a_hundred_thousand_lives() -> None:
    """Guards against what a few hundred seeds do not meet."""
    tally = run_lives(range(1_000_000, 1_100_000))
    assert tally.lives == 100_000


# --- controls: the proofs above can fail --------------------------------------------------------


@pytest.mark.parametrize(("durability", "method"), WAYS)
def test_control_without_syncs_promises_break(durability: str, method: str) -> None:
    """Guards against a simulation that would not notice a writer which never syncs."""
    setting = Setting(durability, method, power=True, lying="any")
    tally = run_lives(range(CONTROLS), setting, stop=False)
    assert len(tally.broken) > CONTROLS // 4


@pytest.mark.parametrize(
    ("lying", "method"),
    [("sync", "written"), ("map_sync", "mapped"), ("directory_sync", "written")],
)
def test_control_each_kind_of_sync_is_needed(lying: str, method: str) -> None:
    """Guards against a simulation that forgets contents, or names, but not both."""
    setting = Setting("sync", method, power=True, lying=lying)
    tally = run_lives(range(CONTROLS), setting, stop=False)
    assert len(tally.broken) > CONTROLS // 4


def test_control_page_cache_promises_nothing_after_a_power_cut() -> None:
    """Guards against a simulation in which nothing is ever lost, and against a claim too many."""
    tally = run_lives(range(LIVES), Setting("page-cache", power=True))
    assert tally.lost_unpromised > LIVES
    assert tally.refused > 0


def test_control_a_rule_that_refuses_every_hole_would_refuse_whole_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards against taking what a power cut wrote out of order for damage."""

    def refuse_every_hole(verdict: Verdict, *_: object) -> str:
        return "there is a hole" if verdict.records else ""

    monkeypatch.setattr(recovery, "objection", refuse_every_hole)
    tally = run_lives(range(2 * LIVES), Setting("group", power=True), stop=False)
    assert tally.broken
    assert all("there is a hole" in line for line in tally.broken)


def test_control_a_rule_without_durable_would_cut_what_was_promised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards against cutting a log at damage, as if it had never been on the disk."""
    appended = 30

    def damaged_log() -> SimStorage:
        disk = SimStorage(seed=1)
        options = LogOptions(durability="sync", segment_bytes=8192, prepare_thread=False)
        with LogWriter(disk, options) as writer:
            for _ in range(appended):
                writer.append(bytes(64))
        with disk.opened(segment_name(1)) as (file, _):
            disk.write(file, HEADER_BYTES + 10 * SLOT_BYTES, bytes(SLOT_BYTES))
        return disk

    with pytest.raises(LogDamagedError, match="on the disk"):
        recover_log(damaged_log())
    judge = recovery.judge
    monkeypatch.setattr(recovery, "judge", lambda infos: replace(judge(infos), durable=0))
    assert recover_log(damaged_log()).sequence == 10
