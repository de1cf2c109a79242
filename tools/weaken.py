"""Weaken one memory ordering and let the race detector object: ``python -m tools.weaken [ORDER]``.

Every ordering of the rings has a name in ``phase4_ring/c/orders.h``. This builds a stress test with
one of them relaxed and everything else as it is, runs it under ThreadSanitizer, and shows the
race that the ordering kept away. Without a name it lists them. ``test_orderings.py`` of phase 4
does this to each in turn, and would not let one through that nothing depends on.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from cbuild import ROOT
from tools.ctest import BuildError, compiler_command, read_recipe, run

HEADER: Final = "phase4_ring/c/orders.h"
OUT: Final = ROOT / "build" / "weakened"
#: What ThreadSanitizer exits with when it has reported a race.
RACE: Final = 66
#: The sources that a ring needs, of all that the extension has.
RINGS: Final = ("region", "process", "wait", "spsc_ring", "sequencer", "claims")

SPSC: Final = "test_spsc_stress"
SEQUENCER: Final = "test_sequencer_stress"
GRAPH: Final = "test_graph_stress"

#: For each ordering the test that runs what it orders.
WATCHED_BY: Final = {
    "ORDER_SPSC_TAIL_LOAD": SPSC,
    "ORDER_SPSC_HEAD_STORE": SPSC,
    "ORDER_SPSC_HEAD_LOAD": SPSC,
    "ORDER_SPSC_TAIL_STORE": SPSC,
    "ORDER_GATE_LOAD": SEQUENCER,
    "ORDER_CLAIM": SEQUENCER,
    "ORDER_PUBLISH_STORE": SEQUENCER,
    "ORDER_PUBLISH_LOAD": SEQUENCER,
    "ORDER_CURSOR_STORE": SEQUENCER,
    "ORDER_CURSOR_LOAD": GRAPH,
}

_DEFINITION = re.compile(r"^#define (ORDER_\w+) (memory_order_\w+)$", re.MULTILINE)
_TRIVIAL = "#include <pthread.h>\nint main(void) { return 0; }\n"


class NoDetectorError(Exception):
    """ThreadSanitizer cannot be had here; the message says why."""


def orders(root: Path = ROOT) -> dict[str, str]:
    """Every ordering that has a name, and what it is."""
    return dict(_DEFINITION.findall((root / HEADER).read_text(encoding="utf-8")))


@contextmanager
def thread_sanitizer() -> Iterator[None]:
    """Make ``tools.ctest`` build for ThreadSanitizer meanwhile."""
    switches = {"MATCHBOOK_SANITIZE": "thread", "MATCHBOOK_STRICT": "1"}
    before = {name: os.environ.get(name) for name in switches}
    os.environ.update(switches)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def build(test: str, weakened: str = "") -> Path:
    """Compile a stress test of phase 4 for ThreadSanitizer, with one ordering relaxed or none.

    Raises:
        BuildError: the compiler or the linker refused.
    """
    recipe = read_recipe(ROOT, "phase4_ring")
    sources = [source for source in recipe.sources if Path(source).stem in RINGS]
    program = OUT / (weakened or "as_it_is") / test
    program.parent.mkdir(parents=True, exist_ok=True)
    weaker = [f"-D{weakened}=memory_order_relaxed"] if weakened else []
    command = [*compiler_command(), *recipe.compiler, *weaker, f"phase4_ring/c/{test}.c", *sources]
    done = run([*command, *recipe.linker, "-lm", "-lpthread", "-o", str(program)], ROOT)
    if done.returncode != 0:
        raise BuildError(done.stdout)
    return program


@cache
def launcher() -> tuple[str, ...]:
    """What has to stand before a program for ThreadSanitizer to work: mostly nothing.

    Older ones refuse to start where the kernel spreads memory out further than they know; without
    address randomisation they start.

    Raises:
        NoDetectorError: the compiler has none, or its programs do not start either way.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "trivial.c", Path(folder) / "trivial"
        source.write_text(_TRIVIAL, encoding="utf-8")
        flags = ["-fsanitize=thread", str(source), "-o", str(program), "-lpthread"]
        done = run([*compiler_command(), *flags], ROOT)
        if done.returncode != 0:
            raise NoDetectorError(f"{compiler_command()[0]} has no -fsanitize=thread")
        plain = run([str(program)], ROOT)
        if plain.returncode == 0:
            return ()
        setarch = shutil.which("setarch")
        if setarch and run([setarch, "-R", str(program)], ROOT).returncode == 0:
            return (setarch, "-R")
    raise NoDetectorError(f"programs for ThreadSanitizer do not start: {plain.stdout.strip()}")


def stress(program: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a program built for ThreadSanitizer until its first race, and keep what it says."""
    before = os.environ.get("TSAN_OPTIONS", "")
    tsan = f"TSAN_OPTIONS={before} exitcode={RACE} halt_on_error=1"
    return run([*launcher(), "env", tsan, str(program), *options], ROOT)


def main(arguments: list[str]) -> int:
    """List the orderings, or weaken one; the exit status is 1 if nobody objects."""
    known = orders()
    if len(arguments) != 1 or arguments[0] not in known:
        for name, order in known.items():
            print(f"{name:24} {order:22} {WATCHED_BY.get(name, 'nothing watches it')}")
        return 2 if arguments else 0
    name = arguments[0]
    with thread_sanitizer():
        done = stress(build(WATCHED_BY[name], name))
    print(done.stdout)
    objected = done.returncode == RACE
    print(f"{name} as memory_order_relaxed: {'a data race' if objected else 'nobody objected'}")
    return 0 if objected else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
