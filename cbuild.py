"""How every C extension here is compiled: the flags, once, and the cdef, sliced from the header.

A package with C has a ``_build.py`` of one statement, found by ``setup.py``::

    from cbuild import make_ffibuilder

    ffibuilder = make_ffibuilder(
        "phase2_arena._arena",
        headers=["contract/c/engine.h"],
        sources=["phase2_arena/c/arena.c", "phase2_arena/c/book.c"],
    )

Paths are relative to the root of the repository, and so are ``#include`` lines that reach
into another directory: ``#include "contract/c/contract.h"``.

Switches, all environment variables (a changed switch rebuilds what it touches):

=====================  ====================================================================
``CC``                 the compiler
``MATCHBOOK_NATIVE``   1 (default): code for this very machine; 0: for a wheel to be moved
``MATCHBOOK_STRICT``   1: every warning is an error, as in ``make lint`` and the C tests
``MATCHBOOK_SANITIZE`` ``address``: ASan and UBSan, ``thread``: TSan; see ``make sanitize``
``MATCHBOOK_PURE``     1: build no extension at all (read by ``setup.py``)
=====================  ====================================================================
"""

import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent
SANITIZERS = {"address": "address,undefined", "thread": "thread"}

#: Extra flags for a module whose floating-point results are compared bit by bit: without
#: this a compiler may fuse a multiplication and an addition, and round once instead of twice.
EXACT_FLOATS = ("-ffp-contract=off",)
#: Extra flags, for compiler and linker alike, to inline across the C files of one extension.
LINK_TIME = ("-flto",)

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Wstrict-prototypes")

_CDEF = re.compile(r"/\* cdef:begin \*/(.*?)/\* cdef:end \*/", re.DOTALL)

# The functions cffi writes take parameters they do not use and cast them freely. The
# conversion warnings stay on for them: they show a cdef that is narrower than its header.
_QUIET_WRAPPER = """
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wcast-function-type"
"""


def sanitizer() -> str:
    """The sanitizer asked for by ``MATCHBOOK_SANITIZE``, or an empty string."""
    name = os.environ.get("MATCHBOOK_SANITIZE", "")
    if name and name not in SANITIZERS:
        raise ValueError(f"MATCHBOOK_SANITIZE={name!r}: expected one of {', '.join(SANITIZERS)}")
    return name


def compile_flags(sanitize: str = "", *, native: bool = True, strict: bool = False) -> list[str]:
    """Compiler flags for the C sources, in an extension or in a plain C test alike."""
    flags = ["-std=c11", "-g", *WARNINGS]
    # CPython compiles extensions with NDEBUG; checks here stay on in a release.
    flags += ["-UNDEBUG", "-D_DARWIN_C_SOURCE" if sys.platform == "darwin" else "-D_GNU_SOURCE"]
    # Without it, -fPIC keeps the compiler from inlining functions that could be interposed.
    flags.append("-fvisibility=hidden")
    if sanitize:
        # CPython's -fwrapv would define signed overflow, and so hide it from UBSan.
        flags += ["-O1", "-fno-wrapv", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
        flags.append(f"-fsanitize={SANITIZERS[sanitize]}")
    else:
        flags.append("-O3")
    if native:
        flags += native_flags()
    if strict:
        flags.append("-Werror")
    return flags


def native_flags() -> list[str]:
    """Flags that tune the code for this very machine."""
    machine = platform.machine().lower()
    flags = ["-mcpu=native" if machine in ("arm64", "aarch64") else "-march=native"]
    if (sysconfig.get_config_var("CFLAGS") or "").count("-arch ") > 1:
        # A universal Python for macOS compiles everything twice; only one half is this machine.
        flags.insert(0, f"-Xarch_{machine}")
    return flags


def link_flags(sanitize: str = "") -> list[str]:
    """Linker flags that go with :func:`compile_flags`."""
    return [f"-fsanitize={SANITIZERS[sanitize]}"] if sanitize else []


def flags_from_environment() -> tuple[list[str], list[str]]:
    """Compiler and linker flags under the switches set in the environment."""
    sanitize = sanitizer()
    native = os.environ.get("MATCHBOOK_NATIVE", "1") != "0"
    strict = os.environ.get("MATCHBOOK_STRICT", "0") == "1"
    return compile_flags(sanitize, native=native, strict=strict), link_flags(sanitize)


def slice_cdef(header: Path) -> str:
    """The declarations a header marks for cffi, in order.

    Raises:
        ValueError: the header has no ``/* cdef:begin */ … /* cdef:end */`` region.
    """
    regions = _CDEF.findall(header.read_text(encoding="utf-8"))
    if not regions:
        raise ValueError(f"{header}: no region between /* cdef:begin */ and /* cdef:end */")
    return "\n".join(regions)


def make_ffibuilder(
    module: str,
    *,
    headers: Sequence[str],
    sources: Sequence[str],
    depends: Iterable[str] = (),
    include_dirs: Iterable[str] = (),
    extra_flags: Sequence[str] = (),
    extra_link_flags: Sequence[str] = (),
) -> FFI:
    """Describe one extension to setuptools.

    Args:
        module: dotted name of the compiled module, such as ``phase2_arena._arena``.
        headers: headers whose marked regions become the cdef, in this order; a declaration
            therefore exists once. They are also what the wrapper includes.
        sources: C files to compile in.
        depends: further files whose change rebuilds. Every header that lies beside one of
            ``headers`` or ``sources`` is named without asking, and so are this file and the
            package's ``_build.py``.
        include_dirs: further include directories; the root is always one.
        extra_flags: compiler flags of this module alone, such as :data:`EXACT_FLOATS`.
        extra_link_flags: linker flags of this module alone.

    Raises:
        FileNotFoundError: a named file does not exist.
    """
    named = [*headers, *sources, *depends]
    for name in named:
        if not (ROOT / name).is_file():
            raise FileNotFoundError(f"{module}: {name} is not a file of the repository")
    beside = {(ROOT / name).parent for name in (*headers, *sources)}
    watched = {
        path.relative_to(ROOT).as_posix() for folder in beside for path in folder.glob("*.h")
    }
    build_script = f"{module.split('.')[0]}/_build.py"
    compiler, linker = flags_from_environment()
    compiler += extra_flags
    linker += extra_link_flags
    record = _record_flags(module, [*compiler, *linker])

    builder = FFI()
    builder.cdef("\n".join(slice_cdef(ROOT / header) for header in headers))
    builder.set_source(
        module,
        "".join(f'#include "{header}"\n' for header in headers) + _QUIET_WRAPPER,
        sources=list(sources),
        include_dirs=[".", *include_dirs],
        depends=[*sorted({*named, *watched, build_script}), "cbuild.py", record],
        extra_compile_args=compiler,
        extra_link_args=linker,
    )
    return builder


def _record_flags(module: str, flags: list[str]) -> str:
    """Write the flags to a file that changes when they do, so that a changed switch rebuilds."""
    flags = [flag for flag in flags if flag != "-Werror"]  # it changes no code: do not rebuild
    record = ROOT / "build" / "flags" / (sanitizer() or "release") / f"{module}.txt"
    text = "\n".join([os.environ.get("CC", ""), *flags]) + "\n"
    if not record.is_file() or record.read_text(encoding="utf-8") != text:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(text, encoding="utf-8")
    return record.relative_to(ROOT).as_posix()
