"""The fuzzing tool finds what is there to find, and says so when it cannot look."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from cbuild import ROOT, compile_flags, link_flags
from tools import fuzz
from tools.ctest import compiler_command

#: Takes the place of clang: "compiles" every target into a script that prints what libFuzzer would.
COMPILER = """#!/bin/sh
case "$*" in *BROKEN*) echo "broken.c:1: error: no"; exit 1;; esac
while [ "$1" != -o ]; do
    case "$1" in -DFUZZ_CANARY_FAULT) fault=1;; esac
    shift
done
printf '#!/bin/sh\\n%s\\n' "${{fault:+{canary}}}" > "$2"
test -n "$fault" || printf '%s\\n' '{target}' >> "$2"
chmod +x "$2"
"""
FINDS_IT = "echo heap-buffer-overflow; exit 77"
RUNS_WELL = 'echo "stat::number_of_executed_units: 12345"'
FAILS = 'echo "SUMMARY: AddressSanitizer: stack-overflow x.c:7 in parse"; exit 1'


def make_tree(root: Path, monkeypatch: pytest.MonkeyPatch, canary: str, target: str) -> None:
    """A package with the canary and one target, and a compiler that makes scripts."""
    folder = root / "phase9_none" / "c"
    folder.mkdir(parents=True)
    for name in ("canary", "parser"):
        (folder / f"fuzz_{name}.c").write_text("int none;\n")
    compiler = root / "compiler"
    compiler.write_text(COMPILER.format(canary=canary, target=target))
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("FUZZ_CC", str(compiler))


def test_what_ran_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tree(tmp_path, monkeypatch, FINDS_IT, RUNS_WELL)
    assert fuzz.main(["--seconds", "1"], tmp_path) == 0
    said = capsys.readouterr().out
    assert "passed parser: 12,345 inputs" in said
    assert "2 of 2 fuzz targets passed, seed 1" in said


def test_a_failure_names_the_target_and_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tree(tmp_path, monkeypatch, FINDS_IT, FAILS)
    assert fuzz.main([], tmp_path) == 1
    said = capsys.readouterr().out
    assert "FAILED parser\nSUMMARY: AddressSanitizer: stack-overflow x.c:7" in said


@pytest.mark.parametrize("canary", [RUNS_WELL, FAILS], ids=["nothing", "something else"])
def test_a_canary_that_keeps_still_is_a_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    canary: str,
) -> None:
    """A fuzzer built without its sanitizer would call every decoder sound."""
    make_tree(tmp_path, monkeypatch, canary.replace('"', ""), RUNS_WELL)
    assert fuzz.main([], tmp_path) == 1
    assert "FAILED canary: the planted fault was not found" in capsys.readouterr().out


def test_a_machine_without_clang_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FUZZ_CC", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert fuzz.main([]) == 2
    assert "There is no clang here" in capsys.readouterr().err


def test_an_unknown_target_is_named_and_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt name would fuzz nothing, and pass."""
    make_tree(tmp_path, monkeypatch, FINDS_IT, RUNS_WELL)
    assert fuzz.main(["parsr"], tmp_path) == 2
    assert "no fuzz target called parsr; there is canary, parser" in capsys.readouterr().err


def test_a_target_that_does_not_build_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tree(tmp_path, monkeypatch, FINDS_IT, RUNS_WELL)
    folder = tmp_path / "phase9_none" / "c"
    (folder / "fuzz_parser.c").rename(folder / "fuzz_BROKEN.c")
    assert fuzz.main([], tmp_path) == 2
    assert "BROKEN does not build" in capsys.readouterr().err


def test_every_target_has_a_corpus_and_a_plain_test() -> None:
    """A target without them would run only where there is clang, and from nothing."""
    for target in [*fuzz.find_targets(ROOT), *fuzz.find_targets(ROOT, [fuzz.CANARY])]:
        assert any((target.package / "corpus" / target.name).iterdir()), target.name
        assert (target.source.parent / f"test_fuzz_{target.name}.c").is_file()


def test_the_plain_driver_finds_the_planted_fault(tmp_path: Path) -> None:
    """Its mutations might never reach a fault; then the C tests would prove nothing of decoders."""
    program = tmp_path / "canary"
    command = [*compiler_command(), *compile_flags("address"), "-DFUZZ_CANARY_FAULT", "-I."]
    command += ["phase5_protocol/c/test_fuzz_canary.c", *link_flags("address"), "-o", str(program)]
    subprocess.run(command, cwd=ROOT, check=True)
    environment = {name: os.environ[name] for name in os.environ if name != "LD_PRELOAD"}
    done = subprocess.run(
        [program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "No such file" in done.stderr, "the corpus is looked for from the root"
    (tmp_path / "phase5_protocol").symlink_to(ROOT / "phase5_protocol")
    done = subprocess.run(
        [program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
    assert "failing input: 4d4201" in done.stderr
    kept = (tmp_path / "build" / "fuzz" / "failing.bin").read_bytes()
    assert kept.hex() in done.stderr
    again = subprocess.run(
        [program, tmp_path / "build" / "fuzz" / "failing.bin"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "heap-buffer-overflow" in again.stderr


def test_libfuzzer_finds_the_planted_fault(tmp_path: Path) -> None:
    """The switches that make clang instrument and sanitize must be those that it understands."""
    try:
        clang = fuzz.find_clang()
    except fuzz.FuzzError as error:
        pytest.skip(str(error))
    found, said = fuzz.check_canary(ROOT, clang, tmp_path, seed=1)
    assert found, said
