"""The command as a person meets it: help, errors in one line, workloads, the demonstration."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contract import ConfigurationError, Engine
from contract.benchmark_text import iter_commands
from contract.files import iter_command_arrays
from contract.reports import SMALL_DIGESTS
from contract.streams import shape_stream
from contract.workload import generate
from matchbook import console
from matchbook.cli import main
from matchbook.engines import DEFAULT_ENGINE, REGISTRY, load_engine


def run(*args: object) -> Result:
    """Run the command with these arguments, on a terminal wide enough for any line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console.out, "width", 200)
        return CliRunner().invoke(main, [str(arg) for arg in args])


def test_the_help_names_every_sub_command_without_loading_it() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in ("bench", "demo", "engines", "generate", "replay"):
        assert f"\n  {name} " in result.stdout


def test_the_help_of_each_sub_command_opens() -> None:
    for name in ("demo", "engines", "generate", "replay"):
        result = run(name, "-h")
        assert result.exit_code == 0, result.output
        assert "Usage: main" in result.stdout


# The engines.


@pytest.mark.parametrize("name", REGISTRY)
def test_every_registered_engine_loads_under_its_own_name(name: str) -> None:
    engine_class = load_engine(name)
    assert engine_class.name == name
    with engine_class(capacity=4) as engine:
        assert isinstance(engine, Engine)


def test_the_list_of_engines_is_the_registry() -> None:
    result = run("engines")
    assert result.exit_code == 0
    for name, entry in REGISTRY.items():
        assert name in result.stdout
        assert entry.target in result.stdout
    assert f"{DEFAULT_ENGINE} (default)" in result.stdout


def test_anyones_engine_is_loaded_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_own_engine.py").write_text(
        "import phase1_domain\nclass Mine(phase1_domain.Engine):\n    name = 'mine'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_engine("my_own_engine:Mine").name == "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("phase33", "did you mean 'phase3'?"),
        ("bogus", "Known are phase1, phase2"),
        ("no_such_module:Engine", "No module named 'no_such_module'"),
        ("phase1_domain:Motor", "has no engine class Motor"),
        ("contract:Event", "apply_batch, depth missing"),
        (":Engine", "is unknown"),
    ],
)
def test_an_engine_that_is_none_is_explained(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_engine(name)
    assert said in str(caught.value)


def test_a_module_that_breaks_while_it_loads_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_broken_engine.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match="ZeroDivisionError"):
        load_engine("my_broken_engine:Engine")


# Errors.


def test_an_error_is_one_line_on_standard_error_and_status_2(tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text("kind,order_id\nkancel,7\n")
    result = run("replay", tape, "--engine", "phase1")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "tape.csv: line 2: kind: 'kancel' is not one of new, cancel" in result.stderr


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = run("replay", tmp_path / "none.csv")
    assert result.exit_code == 2
    assert "none.csv' does not exist" in result.stderr


def test_a_disk_error_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(*args: object) -> None:
        raise OSError(28, "No space left on device", "out.cmd")

    monkeypatch.setitem(main.get_command(None, "generate").callback.__globals__, "_arrays", fill_up)  # type: ignore[arg-type, union-attr]
    result = run("generate", "static", tmp_path / "out.cmd")
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr


# generate.


@pytest.mark.parametrize("name", ["n.cmd", "n.cmd.gz", "n.csv", "n.csv.xz"])
def test_a_generated_file_holds_the_workload(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    result = run("generate", "normal", path, "--orders", 500, "--seed", 7)
    assert result.exit_code == 0, result.output
    wanted = generate("normal", 500, 7)
    assert b"".join(a.tobytes() for a in iter_command_arrays(path)) == wanted.tobytes()
    assert f"{len(wanted):,} commands, {path.stat().st_size:,} bytes" in result.stdout


@pytest.mark.parametrize("name", ["n.txt", "n.txt.gz"])
def test_a_generated_text_is_that_of_the_benchmark(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert run("generate", "normal", path, "--orders", 500, "--seed", 7).exit_code == 0
    wanted = generate("normal", 500, 7)
    wanted["timestamp_ns"] = 0  # the text has no times
    assert b"".join(a.tobytes() for a in iter_commands(path)) == wanted.tobytes()


def test_a_generated_shape_starts_with_its_warm_up(tmp_path: Path) -> None:
    path = tmp_path / "a.cmd"
    assert run("generate", "A", path, "--orders", 1000).exit_code == 0
    stream = shape_stream("A", 1000, 1)
    assert path.read_bytes() == stream.warmup.tobytes() + stream.measured.tobytes()


def test_a_workload_is_not_written_in_a_format_that_is_none(tmp_path: Path) -> None:
    result = run("generate", "normal", tmp_path / "n.json")
    assert result.exit_code == 2
    assert "should end in one of .cmd, .csv, .txt" in result.stderr
    assert not (tmp_path / "n.json").exists()


# demo.


def test_the_demonstration_ends_with_every_engine_right_and_the_table() -> None:
    result = run("demo", "--orders", 5000, "--seed", 7)
    assert result.exit_code == 0, result.output
    assert SMALL_DIGESTS["normal", 7] in result.stdout
    assert "SHA-256 of the reports equals the published one" in result.stdout
    table = result.stdout[result.stdout.index("commands/s") :]
    for name in REGISTRY:
        assert f"\n{name} " in table
    assert table.count("374") == len(REGISTRY)  # trades
    assert "phase4 matches on a thread of its own" in table
    assert "phase6 has every command in a log" in table


def test_the_demonstration_draws_a_book() -> None:
    result = run("demo", "--orders", 3000, "--scenario", "static")
    assert result.exit_code == 0, result.output
    assert "that of phase1 (none is published for this size and seed)" in result.stdout
    assert " ask  " in result.stdout
    assert " bid  " in result.stdout
    assert "█" in result.stdout


def test_the_demonstration_fails_when_an_engine_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A green demo must mean equal reports: an engine that forgets a cancel turns it red."""
    (tmp_path / "my_wrong_engine.py").write_text(
        "import phase1_domain\n"
        "class Wrong(phase1_domain.Engine):\n"
        "    name = 'wrong'\n"
        "    def _is_kept(self, command):\n"
        "        return command.kind == 3 and command.order_id % 50 == 0\n"
        "    def _commit(self, command, events):\n"
        "        if not self._is_kept(command):\n"
        "            super()._commit(command, events)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = REGISTRY["phase1"]._replace(target="my_wrong_engine:Wrong")
    monkeypatch.setitem(REGISTRY, "wrong", entry)
    result = run("demo", "--orders", 5000, "--seed", 7)
    assert result.exit_code == 1
    assert "wrong: SHA-256 of its reports is" in result.stdout
