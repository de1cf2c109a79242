"""The build helpers say what is wrong instead of building something else."""

import importlib
import sys
from pathlib import Path

import pytest

import cbuild
from conftest import ExtensionsFrom
from tools import ctest, preflight, sanitize


def test_only_marked_regions_become_cdef(tmp_path: Path) -> None:
    header = tmp_path / "x.h"
    header.write_text("int a;\n/* cdef:begin */\nint b;\n/* cdef:end */\nint c;\n")
    assert cbuild.slice_cdef(header).strip() == "int b;"


def test_a_header_without_a_marked_region_is_named(tmp_path: Path) -> None:
    header = tmp_path / "x.h"
    header.write_text("int a;\n")
    with pytest.raises(ValueError, match=r"x\.h: no region between"):
        cbuild.slice_cdef(header)


def test_a_source_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"phase9_none\._x: phase9_none/c/x\.c"):
        cbuild.make_ffibuilder("phase9_none._x", headers=[], sources=["phase9_none/c/x.c"])


def test_a_header_counts_as_a_dependency_without_being_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An edited header that nobody listed would leave a stale extension behind."""
    monkeypatch.setattr(cbuild, "_record_flags", lambda module, flags: "build/flags/none.txt")
    builder = cbuild.make_ffibuilder(
        "contract._probe", headers=["contract/c/contract.h"], sources=[]
    )
    assert "contract/c/check.h" in builder._assigned_source[3]["depends"]


def test_checks_stay_on_and_overflow_stays_visible() -> None:
    assert "-UNDEBUG" in cbuild.compile_flags()
    assert "-fno-wrapv" in cbuild.compile_flags("address")


def test_a_universal_python_tunes_only_the_half_that_is_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compilers refuse to tune for a foreign processor, and the build would fail."""
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: "-arch arm64 -arch x86_64")
    assert cbuild.native_flags() == ["-Xarch_arm64", "-mcpu=native"]


def test_an_unknown_sanitizer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATCHBOOK_SANITIZE", "adress")
    with pytest.raises(ValueError, match="'adress': expected one of address, thread"):
        cbuild.sanitizer()


def test_a_changed_switch_is_recorded_where_the_build_sees_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cbuild, "ROOT", tmp_path)
    record = tmp_path / cbuild._record_flags("contract._probe", ["-O3", "-Werror"])
    before = record.read_text()
    cbuild._record_flags("contract._probe", ["-O3"])
    assert record.read_text() == before, "-Werror changes no code and must not rebuild"
    cbuild._record_flags("contract._probe", ["-O3", "-march=native"])
    assert record.read_text() != before


def test_this_machine_can_build() -> None:
    assert preflight.complaints() == []


def test_an_old_python_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "NEEDED", (99, 0))
    monkeypatch.setattr("shutil.which", lambda name: None)
    [line] = preflight.complaints()
    assert "needs Python" in line
    assert "make PYTHON=" in line


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -pipe")
    [line] = preflight.complaints()
    assert "no C compiler called no-such-compiler" in line


C_TESTS = {
    "passes": ("int main(void) { return 0; }", 0, "passed"),
    "fails": ("int main(void) { return 3; }", 1, "exit status 3"),
    "does not compile": ("int main(void) { int unused; return 0; }", 1, "FAILED to build"),
}


@pytest.mark.parametrize("name", C_TESTS)
def test_a_plain_c_test_is_built_run_and_reported(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, status, said = C_TESTS[name]
    folder = tmp_path / "phase9_none" / "c"
    folder.mkdir(parents=True)
    (folder / "test_x.c").write_text(text + "\n")
    monkeypatch.setenv("MATCHBOOK_STRICT", "0")
    monkeypatch.setenv("MATCHBOOK_SANITIZE", "")
    assert ctest.main([], tmp_path) == status
    assert said in capsys.readouterr().out


def test_an_extension_missing_from_the_other_build_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Falling back to the one in place would test the wrong code, and stay green."""
    finder = ExtensionsFrom(tmp_path)
    package = next(path.parent.name for path in sorted(cbuild.ROOT.glob("*/_build.py")))
    with pytest.raises(ImportError, match=r"_probe is not built in"):
        finder.find_spec(f"{package}._probe", None)
    assert finder.find_spec(f"{package}._build", None) is None
    assert finder.find_spec("json.decoder", None) is None


def test_the_packages_are_importable_from_anywhere() -> None:
    assert str(cbuild.ROOT) in sys.path
    assert importlib.import_module("contract.messages").RECORD_BYTES == 64


def test_a_compiler_without_sanitizer_libraries_is_named() -> None:
    """Preloading nothing would run the tests unsanitized, and stay green."""
    with pytest.raises(FileNotFoundError, match=r"echo has no libasan\.so"):
        sanitize.find_libraries(["echo"])
