"""Fuzz the C decoders: ``python -m tools.fuzz [--seconds N] [--seed N] [TARGET…]``.

A target is a file ``*/c/fuzz_NAME.c`` with a ``LLVMFuzzerTestOneInput`` that CHECKs what must hold
of any bytes. It is compiled by clang with AddressSanitizer and UBSan, linked with the C sources
of its package's extension, and given to libFuzzer for some seconds. It starts from the corpus in
the repository, ``*/corpus/NAME/``, which stays as it is; inputs that reach new code are kept in
``build/fuzz/found/NAME``, and the next run starts from them too. An input that fails is kept as
``build/fuzz/failed/NAME-…``; give it to ``build/fuzz/NAME`` to see it again.

First of all comes the canary: a target with a planted fault, which has to be found. A fuzzer that
misses it is looking at nothing, whatever else it says.

The same targets run without clang, over their corpus and seeded mutations of it, as plain C tests
(``phase5_protocol/c/fuzz_main.h``). The long run is ``make fuzz FUZZ="--seconds 600"``.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cbuild import ROOT, compile_flags
from tools.ctest import INCLUDED_SOURCE, read_recipe, run

SANITIZE = "address,undefined"
CANARY = "canary"
CANARY_SECONDS = 60
LARGEST_BYTES = 4096
HANG_SECONDS = 10
MEMORY_LIMIT_MB = 1024
#: Beyond its own limit, what a run may take to start and to report.
GRACE_SECONDS = 120
NEWEST_CLANG, OLDEST_CLANG = 25, 13

_STATISTIC = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
_WHAT_FAILED = re.compile(
    r"^(?:SUMMARY:.*|.*check failed:.*|.*runtime error:.*|artifact_prefix=.*)$", re.MULTILINE
)


class FuzzError(Exception):
    """Nothing can be fuzzed: no compiler, no such target, or it does not build."""


@dataclass(frozen=True)
class Target:
    """One fuzz target: its name and its source."""

    name: str
    source: Path

    @property
    def package(self) -> Path:
        """The directory of the package it belongs to."""
        return self.source.parent.parent


def find_clang() -> list[str]:
    """The command of a clang: ``FUZZ_CC``, ``clang``, or the newest ``clang-NN``.

    Raises:
        FuzzError: there is none.
    """
    numbered = (f"clang-{version}" for version in range(NEWEST_CLANG, OLDEST_CLANG - 1, -1))
    wanted = os.environ.get("FUZZ_CC")
    for name in [wanted] if wanted else ["clang", *numbered]:
        if shutil.which(name):
            return [name]
    raise FuzzError(
        f"There is no {wanted or 'clang'} here, and libFuzzer is part of clang. "
        "Mend: apt-get install clang (Debian), brew install llvm and FUZZ_CC=…/clang (macOS)"
    )


def find_targets(root: Path, names: Iterable[str] = ()) -> list[Target]:
    """Every target below ``root`` but the canary, or those named, in a stable order.

    Raises:
        FuzzError: a name is no target's, or there are none at all.
    """
    found = {
        path.stem.removeprefix("fuzz_"): Target(path.stem.removeprefix("fuzz_"), path)
        for path in sorted(root.glob("*/c/fuzz_*.c"))
    }
    unknown = sorted(set(names) - set(found))
    if unknown or not found:
        there = ", ".join(found) or "none"
        raise FuzzError(
            f"no fuzz target called {', '.join(unknown) or 'anything'}; there is {there}"
        )
    wanted = set(names) or set(found) - {CANARY}
    return [target for name, target in found.items() if name in wanted]


def build(
    root: Path, clang: Sequence[str], target: Target, out: Path, macros: Sequence[str] = ()
) -> Path:
    """Compile a target with its package's sources and return the program.

    Raises:
        FuzzError: the compiler refused.
    """
    package = target.package.relative_to(root).as_posix()
    inside = set(INCLUDED_SOURCE.findall(target.source.read_text(encoding="utf-8")))
    inside = {Path(name).name for name in inside}
    linked = [name for name in read_recipe(root, package).sources if Path(name).name not in inside]
    flags = [flag for flag in compile_flags("address") if not flag.startswith("-fsanitize=")]
    program = out / (target.name + "".join(macro.replace("-D", "-") for macro in macros))
    program.parent.mkdir(parents=True, exist_ok=True)
    command = [*clang, *flags, f"-fsanitize=fuzzer,{SANITIZE}", *macros, "-I."]
    command += [target.source.relative_to(root).as_posix(), *linked, "-lm", "-lpthread"]
    done = run([*command, "-o", str(program)], root)
    if done.returncode != 0:
        raise FuzzError(f"{target.name} does not build with {clang[0]}\n{done.stdout}")
    return program


def fuzz(target: Target, program: Path, out: Path, seconds: int, seed: int) -> tuple[bool, str]:
    """Run one program for some seconds: whether nothing failed, and what it said."""
    found = out / "found" / target.name
    failed = out / "failed"
    for folder in (found, failed):
        folder.mkdir(parents=True, exist_ok=True)
    corpus = target.package / "corpus" / target.name
    command = [str(program), f"-max_total_time={seconds}", f"-seed={seed}"]
    command += [f"-max_len={LARGEST_BYTES}", f"-timeout={HANG_SECONDS}"]
    command += [f"-rss_limit_mb={MEMORY_LIMIT_MB}", "-print_final_stats=1", "-verbosity=1"]
    # New inputs go to the first folder named, and to no other.
    command += [f"-artifact_prefix={failed}/{target.name}-", str(found)]
    command += [str(corpus)] if corpus.is_dir() else []
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds + GRACE_SECONDS,
        check=False,
    )
    return done.returncode == 0, done.stdout


def describe(name: str, passed: bool, said: str) -> str:
    """One line for a run that passed; for one that failed, what failed and where it is kept."""
    statistics = {key: int(value) for key, value in _STATISTIC.findall(said)}
    runs = statistics.get("number_of_executed_units", 0)
    if not passed:
        lines = _WHAT_FAILED.findall(said) or said.splitlines()[-20:]
        return "\n".join([f"FAILED {name}", *lines])
    rate = statistics.get("average_exec_per_sec", 0)
    added = statistics.get("new_units_added", 0)
    return f"passed {name}: {runs:,} inputs, {rate:,} a second, {added} reached something new"


def check_canary(root: Path, clang: Sequence[str], out: Path, seed: int) -> tuple[bool, str]:
    """Whether the planted fault is found, by the sanitizer that should find it."""
    [canary] = find_targets(root, [CANARY])
    program = build(root, clang, canary, out, ["-DFUZZ_CANARY_FAULT"])
    apart = out / "fault"  # where nothing remembers how it was found the last time
    shutil.rmtree(apart, ignore_errors=True)
    passed, said = fuzz(canary, program, apart, CANARY_SECONDS, seed)
    if not passed and "heap-buffer-overflow" in said:
        return True, f"passed {CANARY}: the planted fault was found"
    return False, f"FAILED {CANARY}: the planted fault was not found\n{said}"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Build and run the targets; the exit status is 1 if one fails, 2 if nothing can be done."""
    parser = argparse.ArgumentParser(description="Fuzz the C decoders with libFuzzer.")
    parser.add_argument("--seconds", type=int, default=20, help="for each target (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="libFuzzer's, not 0 (default 1)")
    parser.add_argument("targets", nargs="*", help="only these, by name without fuzz_")
    options = parser.parse_args(arguments)
    out = root / "build" / "fuzz"
    try:
        clang = find_clang()
        targets = find_targets(root, options.targets)
        results = [check_canary(root, clang, out, options.seed)]
        print(results[0][1], flush=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            programs = list(pool.map(lambda target: build(root, clang, target, out), targets))

            def run_one(target: Target, program: Path) -> tuple[bool, str]:
                passed, said = fuzz(target, program, out, options.seconds, options.seed)
                return passed, describe(target.name, passed, said)

            for result in pool.map(run_one, targets, programs):
                results.append(result)
                print(result[1], flush=True)
    except FuzzError as error:
        print(error, file=sys.stderr)
        return 2
    failed = sum(not passed for passed, _ in results)
    print(f"{len(results) - failed} of {len(results)} fuzz targets passed, seed {options.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
