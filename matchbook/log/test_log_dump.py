"""``matchbook log dump``: what comes out is what went in, in the files of the contract."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contract.errors import ConfigurationError
from contract.files import iter_command_arrays, read_event_list, read_script
from contract.messages import Side, new
from contract.records import empty_commands, to_command_array, to_event_array
from matchbook.log.logs_for_tests import COMMANDS, COUNT, alone, run
from matchbook.log.words import event_lines, script_lines


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        ([], 1, COUNT),
        (["--from", 1_234], 1_234, COUNT),
        (["--to", 17], 1, 17),
        (["--from", 800, "--to", 2_200], 800, 2_200),
        (["--from", COUNT, "--to", COUNT], COUNT, COUNT),
    ],
)
def test_a_dump_is_what_was_sent(
    log: Path, tmp_path: Path, options: list[object], first: int, last: int
) -> None:
    """Guards: a mark among the commands, a command twice or missing where segments meet."""
    wanted = COMMANDS[first - 1 : last].copy()
    csv = tmp_path / "out.csv"
    result = run("dump", log, *options, "--out", csv)
    assert result.exit_code == 0, result.output
    got = to_command_array(read_script(csv))
    wanted["sequence"] = 0  # a script has no numbers
    assert got.tobytes() == wanted.tobytes()
    bare = tmp_path / "out.cmd.xz"
    assert run("dump", log, *options, "--out", bare).exit_code == 0
    wanted["sequence"] = np.arange(first, last + 1)
    assert b"".join(a.tobytes() for a in iter_command_arrays(bare)) == wanted.tobytes()


def test_a_dump_to_standard_output(log: Path) -> None:
    """Guards: binary that is mangled on its way to a pipe, or words where records were wanted."""
    result = run("dump", log, "--to", 10, "--format", "cmd")
    assert result.exit_code == 0
    assert len(result.stdout_bytes) == 640
    wanted = COMMANDS[:10].copy()
    wanted["sequence"] = np.arange(1, 11)
    assert result.stdout_bytes == wanted.tobytes()
    done = subprocess.run(
        [sys.executable, "-m", "matchbook", "log", "dump", str(log), "--to", "3"],
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"kind,order_id,side")
    assert done.stdout.count(b"\n") == 4


def test_a_dump_of_events(event_log: Path, tmp_path: Path) -> None:
    """Guards: a log of events that can be written and not read."""
    events = alone(COMMANDS)[2]
    for name in ("out.csv", "out.evt"):
        assert run("dump", event_log, "--out", tmp_path / name).exit_code == 0
    assert (tmp_path / "out.evt").read_bytes() == events.tobytes()
    assert to_event_array(read_event_list(tmp_path / "out.csv")).tobytes() == events.tobytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--from", 5, "--to", 4], "--from 5 is behind --to 4"),
        (["--format", "evt"], "a log of commands: --format evt: it can be written as csv or cmd"),
        (["--out", "x.txt"], "--out x.txt: it can be written as csv or cmd"),
        (["--to", COUNT + 5], f"--to {COUNT + 5}: the log ends with command {COUNT}"),
        (["--from", COUNT + 5], f"--from {COUNT + 5}: the log ends with command {COUNT}"),
    ],
)
def test_a_dump_that_cannot_be(log: Path, options: list[object], said: str) -> None:
    """Guards: a range that is quietly another one, a format that is quietly another one."""
    result = run("dump", log, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not Path("x.txt").exists()


def test_a_dump_of_an_empty_log(empty_log: Path) -> None:
    """Guards: an error for a log in which nothing is wrong."""
    result = run("dump", empty_log)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1


def test_a_command_that_no_script_can_say() -> None:
    """Guards: a command that was rejected, and comes back out of a dump as another one."""
    commands = to_command_array([new(1, Side.BID, price=5, quantity=7)] * 3)
    commands["sequence"] = [8, 9, 10]
    wrong = {"side": 7, "kind": 9, "flags": 2, "reserved": -1, "order_type": 3}
    for field, value in wrong.items():
        spoiled = commands.copy()
        spoiled[field][1] = value
        with pytest.raises(ConfigurationError, match=f"command 9: {field} {value}: no command"):
            script_lines(spoiled)
    assert script_lines(empty_commands(0)) == ""


def test_a_rejected_event_of_a_strange_side() -> None:
    """Guards: an event list that its own reader refuses."""
    events = alone(COMMANDS[:20])[2].copy()
    events["side"][3] = 7
    assert event_lines(events).splitlines()[3].split(",")[4] == "7"
