"""Model-check the protocols with spin: ``python -m tools.models [--trace] [WORD…]``.

A model is a file ``*/models/*.pml``, in Promela. Lines of the comment at its head say what has
to come out of it, each with the macros it is to be built with::

    check: pass -DCAPACITY=2        every interleaving keeps every claim, and reaches every line
    check: no-cycle                 and no run goes round for ever
    check: fail in_order -DBROKEN   this variant breaks this claim, or has an invalid-end-state

Searches are exhaustive. One that stops short (depth, memory, time) proves nothing, and so it is a
failure, as is a variant that breaks another claim than it should. Words select checks whose name
contains all of them; ``--trace`` also prints the shortest run that breaks what is broken.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cbuild import ROOT
from tools.ctest import compiler_command

TIME_LIMIT_S = 300
MEMORY_LIMIT_MB = 1024
DEPTH_LIMIT = 100_000
JOBS = 2  # each may take MEMORY_LIMIT_MB
KINDS = ("pass", "no-cycle", "fail")
NO_SPIN = "There is no spin here. Mend: apt-get install spin (Debian), brew install spin (macOS)"

_CHECK = re.compile(r"^ \* check:(.*)$", re.MULTILINE)
_ERROR = re.compile(
    r"^pan:\d+: (?:assertion violated \(*(\w+)|(.+?) \(at depth)",
    re.MULTILINE,
)
_SHORT = re.compile(r"max search depth too small|reached -DMEMLIM bound|out of memory")
_STATES = re.compile(r"^\s*(\d+(?:\.\d+)?(?:e\+\d+)?) states, stored", re.MULTILINE)
_STEP = re.compile(
    r"^( *\d+):\tproc +(\d+) \((\S+?):\d+\) \S+:(\d+) \(state \d+\)\t(.*)$", re.MULTILINE
)
_UNREACHED = re.compile(r'^\t.*?:(\d+), state \d+, "(?!-end-)(.*)"$', re.MULTILINE)


class ModelError(Exception):
    """A model cannot be checked: its head, spin or the compiler objects; the message says what."""


@dataclass(frozen=True)
class Check:
    """One line of a model's head: what to build and what has to come out."""

    model: Path
    kind: str
    reason: str
    macros: tuple[str, ...]

    @property
    def name(self) -> str:
        """The model and its macros, as a person types them."""
        extra = ("no-cycle",) if self.kind == "no-cycle" else ()
        return " ".join((self.model.stem, *self.macros, *extra))

    @property
    def for_cycles(self) -> bool:
        """Whether the search is for cycles: a different verifier, and a slower one."""
        return self.kind == "no-cycle" or self.reason == "non-progress-cycle"


@dataclass(frozen=True)
class Search:
    """What the verifier said: the claim that broke (or nothing), and whether it saw everything."""

    broken: str
    states: int
    stopped_short: str
    unreached: tuple[str, ...]


def read_checks(model: Path) -> list[Check]:
    """The checks a model declares.

    Raises:
        ModelError: a line is none of the three kinds, two of them ask the same search, or what
            makes a model worth its name is missing: something that passes, and something broken
            that does not.
    """
    checks: list[Check] = []
    for line in _CHECK.findall(model.read_text(encoding="utf-8")):
        words = line.split()
        macros = tuple(word for word in words if word.startswith("-D"))
        kind, *reason = [word for word in words if word not in macros] or [""]
        if kind not in KINDS or len(reason) != (kind == "fail"):
            expected = "pass, no-cycle, or fail with what breaks, and macros"
            raise ModelError(f"{model.name}: check:{line}: expected {expected}")
        check = Check(model, kind, " ".join(reason), macros)
        # Checks run side by side, each in a folder of its name.
        if any(check.name == other.name for other in checks):
            raise ModelError(f"{model.name}: check:{line}: {check.name} is declared twice")
        checks.append(check)
    missing = {"pass", "fail"} - {check.kind for check in checks}
    if missing:
        raise ModelError(f"{model.name}: no check with {' or '.join(sorted(missing))} at its head")
    return checks


def read_search(said: str) -> Search:
    """Understand the verifier's report.

    Raises:
        ModelError: it is no report.
    """
    states = _STATES.search(said)
    if states is None or "errors: " not in said:
        raise ModelError(f"the verifier did not get to its report:\n{said}")
    error = _ERROR.search(said)
    broken = (error[1] or error[2].replace(" ", "-")) if error else ""
    short = _SHORT.search(said)
    if short is None and not broken and "errors: 0" not in said:
        broken = "something"
    unreached = tuple(f"line {line}: {text}" for line, text in _UNREACHED.findall(said))
    return Search(broken, int(float(states[1])), short[0] if short else "", unreached)


def complaint(check: Check, search: Search) -> str:
    """What is wrong with an outcome, or nothing if it is the declared one."""
    if search.stopped_short:
        return f"the search stopped short: {search.stopped_short}"
    if search.broken != check.reason:
        return f"expected {check.reason or 'no'} violation, found {search.broken or 'none'}"
    if check.kind == "pass" and search.unreached:
        return "never reached: " + "; ".join(search.unreached)
    return ""


def run(command: Sequence[str], folder: Path) -> str:
    """Run a command and return what it says.

    Raises:
        ModelError: it failed, or took too long.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{Path(command[0]).name}: no end after {TIME_LIMIT_S} s") from None
    # The verifier's status only says whether it found something, and its report says that better.
    if done.returncode != 0 and Path(command[0]).name != "pan":
        raise ModelError(f"{' '.join(command)}\n{done.stdout}")
    return done.stdout


def search(check: Check, out: Path, *, shortest: bool = False) -> tuple[Search, Path]:
    """Generate, compile and run the verifier; returns its report and where it was made."""
    folder = out / re.sub(r"\W+", "_", check.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(["spin", "-a", *check.macros, str(check.model)], folder)
    flags = ["-DNP" if check.for_cycles else "-DSAFETY", f"-DMEMLIM={MEMORY_LIMIT_MB}"]
    flags += ["-DBFS"] if shortest and not check.for_cycles else []
    # -O1: most searches take less time than -O2 takes to compile them.
    run([*compiler_command(), "-O1", "-w", *flags, "-o", "pan", "pan.c"], folder)
    loops = ["-l"] if check.for_cycles else []
    return read_search(run([str(folder / "pan"), f"-m{DEPTH_LIMIT}", *loops], folder)), folder


def trace(check: Check, folder: Path) -> str:
    """The run that the verifier found: a line for each step, then the variables at its end."""
    trail = folder / f"{check.model.name}.trail"
    said = run(["spin", "-t", "-p", "-k", str(trail), *check.macros, str(check.model)], folder)
    return _STEP.sub(r"\1  \2 \3, line \4:  \5", said)


def run_check(check: Check, out: Path, *, tracing: bool = False) -> tuple[bool, str]:
    """Do one check: whether what came out is what was declared, and what to print about it."""
    started = time.perf_counter()
    shortest = tracing and check.kind == "fail"
    try:
        found, folder = search(check, out, shortest=shortest)
        wrong = complaint(check, found)
        steps = trace(check, folder) if shortest and found.broken else ""
    except ModelError as error:
        return False, f"FAILED {check.name}\n{error}"
    seconds = time.perf_counter() - started
    if wrong:
        return False, f"FAILED {check.name}: {wrong} ({found.states:,} states)"
    outcome = f"breaks {check.reason}" if check.kind == "fail" else "passed"
    return True, f"{outcome:36} {found.states:>10,} states {seconds:5.1f} s  {check.name}\n{steps}"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Do all checks, or the selected ones; the exit status is 1 if any of them fails."""
    parser = argparse.ArgumentParser(description="Model-check the protocols with spin.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only checks with all of them")
    parser.add_argument("--trace", action="store_true", help="print the runs that break something")
    options = parser.parse_args(arguments)
    if shutil.which("spin") is None:
        print(NO_SPIN, file=sys.stderr)
        return 1
    try:
        models = sorted(root.glob("*/models/*.pml"))
        checks = [check for model in models for check in read_checks(model)]
    except ModelError as error:
        print(f"FAILED {error}")
        return 1
    checks = [check for check in checks if all(word in check.name for word in options.words)]
    out = root / "build" / "models"
    failed = 0
    with ThreadPoolExecutor(JOBS) as pool:
        results = pool.map(lambda check: run_check(check, out, tracing=options.trace), checks)
        for passed, said in results:
            failed += not passed
            print(said.rstrip("\n"), flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
