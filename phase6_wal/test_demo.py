"""The tour runs, fits into a terminal, and believes its own proofs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.errors import MatchbookError
from contract.tour import WIDTH
from contract.workload import generate
from phase6_wal import __main__ as tour
from phase6_wal import tour_damage
from phase6_wal.native import PosixStorage
from phase6_wal.recovery import recover_log
from phase6_wal.tour_child import BATCH, Setting, run_and_kill
from phase6_wal.tour_damage import State
from phase6_wal.tour_prices import MODES

ORDERS = 10_000
DAY = tour.Day(generate("normal", ORDERS), ORDERS, 5)


def test_the_tour(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a tour that raises, is too wide, leaves out a part, or shows states that differ."""
    monkeypatch.setattr(tour, "SINGLES", 20)  # nobody reads what they cost here
    monkeypatch.setattr(tour, "BATCHES", 5)
    assert tour.main(["--orders", str(ORDERS), "--seed", "7"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > WIDTH] == []
    assert all(f"{part}. " in out for part in range(1, 6))
    assert "All are equal, and were again at the end of the day." in " ".join(out.split())
    assert "NOT EQUAL" not in out
    assert "GONE" not in out
    words = " ".join(out.split())
    assert "It is cut, and the engine stands at command" in words
    assert "Not a byte was touched." in words
    assert "the state is equal" in words
    for mode in MODES:
        assert any(line.split()[: len(mode.split())] == mode.split() for line in out.splitlines())


def test_a_killed_engine_has_told_what_is_in_its_log(tmp_path: Path) -> None:
    """Guards: a kill that comes when all is over, or a count of acknowledgements that is none."""
    setting = DAY.setting("page-cache")
    acknowledged = run_and_kill(tmp_path / "log", setting, after=1_000, most_s=60)
    assert 1_000 <= acknowledged < len(DAY.commands)
    with PosixStorage(tmp_path / "log") as storage:
        sequence = recover_log(storage, cut=False).sequence
    assert acknowledged <= sequence <= acknowledged + 2 * BATCH


def test_an_engine_that_ends_by_itself(tmp_path: Path) -> None:
    """Guards: a tour that waits for ever for one that could not even begin."""
    setting = DAY.setting("page-cache")._replace(engine="phase3_sorted:Motor")
    with pytest.raises(ChildProcessError, match="Motor"):
        run_and_kill(tmp_path / "log", setting, after=1_000)


def lose(directory: Path) -> None:
    """What no durability but `none` may do: the last tenth of the log is gone."""
    with PosixStorage(directory) as storage:
        info = [each for each in recover_log(storage, cut=False).segments if each.records][-1]
    lost = info.records // 10 * 80
    tour_damage.spoil(directory / info.name, info.end - lost, bytes(lost))


def test_a_loss_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards: a proof that holds whatever the log has kept."""

    def careless(directory: Path, setting: Setting, after: int) -> int:
        acknowledged = run_and_kill(directory, setting, after)
        lose(directory)
        return acknowledged

    monkeypatch.setattr(tour, "run_and_kill", careless)
    monkeypatch.setattr(tour, "DURABILITIES", ["page-cache"])
    assert not tour.killed_and_recovered(DAY, tmp_path)
    assert "acknowledged commands are GONE" in capsys.readouterr().out


@pytest.mark.parametrize("field", ["state_hash", "event_crc"])
def test_a_state_that_differs_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    """Guards: a proof that compares only half of what it prints, or nothing."""
    right = tour.never_crashed

    def wrong(day: tour.Day, where: int) -> tuple[State, State]:
        here, end = right(day, where)
        return here, State(**(end._asdict() | {field: 0}))

    monkeypatch.setattr(tour, "never_crashed", wrong)
    monkeypatch.setattr(tour, "DURABILITIES", ["page-cache"])
    assert not tour.killed_and_recovered(DAY, tmp_path)
    assert "NOT EQUAL" in capsys.readouterr().out


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as the tour's part about damage finds it."""
    directory = tmp_path_factory.mktemp("killed")
    run_and_kill(directory / "page-cache.dead", DAY.setting("page-cache"), after=12_000, most_s=60)
    return directory


def test_damage_is_judged(killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards: a verdict that is shown and was never given."""
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    assert tour_damage.damaged_and_judged(tmp_path, lambda count: tour.never_crashed(DAY, count)[0])
    out = capsys.readouterr().out
    assert "dropped" in out
    assert ": crc: " in out or "is not" in out


def test_another_state_after_damage_is_seen(
    killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards: an engine that goes on from damage with any book at all."""
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    assert not tour_damage.damaged_and_judged(tmp_path, lambda _: State("", 0))
    assert " ".join(capsys.readouterr().out.split()).count("NOT EQUAL") == 2


def test_a_hole_that_is_accepted_is_seen(
    killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a tour that praises a recovery which cuts away acknowledged orders."""
    shutil.copytree(killed / "page-cache.dead", tmp_path / "hole")
    monkeypatch.setattr(tour_damage, "recover_log", lambda _: None)
    assert not tour_damage.a_hole(tmp_path / "hole")


def breaks(error: BaseException) -> Callable[..., object]:
    """A function that raises this."""

    def raises(*_args: object, **_kwargs: object) -> object:
        raise error

    return raises


@pytest.mark.parametrize(
    ("outcome", "code", "says"),
    [
        (lambda *_: True, 0, ""),
        (lambda *_: False, 1, "a proof has failed (--seed 3)"),
        (breaks(KeyboardInterrupt()), 130, ""),
        (breaks(MatchbookError("no log")), 1, "had to stop: no log"),
        (breaks(ChildProcessError("it ended")), 1, "had to stop: it ended"),
    ],
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: Callable[..., object],
    code: int,
    says: str,
) -> None:
    """Guards: a failed proof that a script takes for a success, or a traceback for a mishap."""
    monkeypatch.setattr(tour, "tour", outcome)
    assert tour.main(["--seed", "3"]) == code
    complaint = capsys.readouterr().err
    assert says in complaint
    assert complaint.count("\n") == bool(says)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["--orders", "9"], 2), (["--orders", "x"], 2), (["more"], 2)],
)
def test_arguments(monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int) -> None:
    """Guards: a tour that starts although it was asked for something else."""
    monkeypatch.setattr(tour, "tour", breaks(AssertionError()))
    with pytest.raises(SystemExit) as stopped:
        tour.main(arguments)
    assert stopped.value.code == code


def test_the_disk_is_named(tmp_path: Path) -> None:
    """Guards: a time for a sync that was never made, without a word about it."""
    assert tour.disk_words(tmp_path)
    shared = Path("/dev/shm")
    if sys.platform == "linux" and shared.is_dir():
        assert "a sync costs nothing there" in tour.disk_words(shared)
