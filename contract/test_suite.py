"""The suite itself: nothing lost where its parts are put together, and usable from outside."""

import inspect
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from contract.random_commands import PROFILES
from contract.suite import EngineContract, Failure, run_contract
from contract.suite.base import ContractBase
from contract.suite.flow import PROFILE_NAMES
from contract.suite.probe import ORACLE, load_class, oracle_class
from contract.suite.runner import iter_tests
from contract.suite.streams import LONG_COMMANDS
from phase1_domain import Engine

ROOT = Path(__file__).resolve().parent.parent
PARTS = [part for part in EngineContract.__mro__ if issubclass(part, ContractBase)]


def test_no_part_hides_a_test_of_another() -> None:
    """Guards against two parts with a test, or a helper, of the same name."""
    names = Counter(name for part in PARTS for name in vars(part) if not name.startswith("__"))
    names.pop("engine_class", None)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_test_says_what_it_guards_against() -> None:
    """Guards against a test whose purpose has to be guessed from its failure."""
    tests = [(n, t) for part in PARTS for n, t in vars(part).items() if n.startswith("test_")]
    silent = [n for n, t in tests if not (inspect.getdoc(t) or "").startswith("Guards against ")]
    assert silent == []
    assert len(tests) > 100


def test_the_list_of_profiles_is_complete() -> None:
    """Guards against a kind of book that the streams leave out."""
    assert set(PROFILE_NAMES) == set(PROFILES)


def test_the_long_run_is_ten_million() -> None:
    """Guards against a long run that is quietly shortened."""
    assert LONG_COMMANDS == 10_000_000


def test_the_oracle_is_phase_1() -> None:
    """Guards against an engine compared with itself."""
    assert oracle_class() is Engine
    assert load_class(ORACLE) is Engine


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("phase1_domain.Engine", "module:Class"),
        ("no_such_module:Engine", "no_such_module"),
        ("phase1_domain:NoSuchEngine", "NoSuchEngine"),
    ],
)
def test_an_engine_that_does_not_exist(name: str, words: str) -> None:
    """Guards against an import error from the depths where a name was mistyped."""
    with pytest.raises(ValueError, match=words):
        load_class(name)


def test_run_contract_runs_what_it_is_asked_to() -> None:
    """Guards against a runner that returns no failure because it ran nothing."""
    ran: list[str] = []

    class Contract(ContractBase):
        @pytest.mark.parametrize("number", [1, 2])
        @pytest.mark.parametrize(("left", "right"), [("a", "b")])
        def test_one(self, number: int, left: str, right: str) -> None:
            ran.append(f"{number}{left}{right}{self.engine_class}")

        def test_two(self) -> None:
            raise KeyError("wrong")

    failures = run_contract(Contract, "engine")
    assert ran == ["1abengine", "2abengine"]
    assert [(f.test, str(f.error)) for f in failures] == [("test_two", "'wrong'")]
    assert isinstance(failures[0], Failure)
    assert run_contract(Contract, "engine", only=lambda name: "one" in name) == []
    assert [name for name, _ in iter_tests(Contract)] == [
        "test_one[a-b-1]",
        "test_one[a-b-2]",
        "test_two",
    ]


def test_run_contract_can_stop_early() -> None:
    """Guards against waiting for three hundred failures where one is enough."""
    failures = run_contract(EngineContract, object, stop_at_first=True)
    assert len(failures) == 1


@pytest.mark.parametrize(
    ("engine", "keyword", "outcome", "words"),
    [
        ("phase1_domain:Engine", "capacity_of_one", 0, "1 passed"),
        ("stranger:Wrong", "capacity_of_one", 1, "1 failed"),
        ("stranger:Missing", "capacity_of_one", 2, "there is no engine 'stranger:Missing'"),
        (None, "capacity_of_one", 5, "no engine named: pytest --engine module:Class"),
    ],
)
def test_an_engine_named_on_the_command_line(
    engine: str | None, keyword: str, outcome: int, words: str, tmp_path: Path
) -> None:
    """Guards against a stranger's engine that cannot be held against the contract from outside."""
    (tmp_path / "stranger.py").write_text(
        "from phase1_domain import Engine\n\n"
        "class Wrong(Engine):\n"
        "    def __init__(self, **limits):\n"
        "        super().__init__(**{**limits, 'capacity': 2})\n"
    )
    target = str(ROOT / "contract" / "test_engine_under_test.py")
    option = ["--engine", engine] if engine else []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir"]
    run = subprocess.run(
        [*command, str(ROOT), "-c", str(ROOT / "pyproject.toml"), target, *option, "-k", keyword],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert words in run.stdout, run.stdout + run.stderr
    assert run.returncode == outcome, run.stdout
