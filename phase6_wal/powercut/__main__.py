"""``python -m phase6_wal.powercut``: cut the power of a machine that writes a log, and look."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from phase6_wal.errors import LogError
from phase6_wal.native import DURABILITIES, METHODS
from phase6_wal.powercut.cuts import Mode, Outcome, Site
from phase6_wal.powercut.machine import KERNEL_VARIABLE, NoMachineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cuts; 0 if nothing was lost, and something was where nothing is synced."""
    parser = argparse.ArgumentParser(prog="python -m phase6_wal.powercut", description=__doc__)
    parser.add_argument("--cuts", type=int, default=5, help="machines killed (default 5)")
    parser.add_argument("--points", type=int, default=100, help="cuts of a recorded run (100)")
    parser.add_argument("--durability", choices=list(DURABILITIES)[2:], default="sync")
    parser.add_argument("--method", choices=list(METHODS), help="default: what suits it")
    parser.add_argument("--kernel", metavar="ROOT", help=f"instead of {KERNEL_VARIABLE}")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    if chosen.kernel:
        os.environ[KERNEL_VARIABLE] = chosen.kernel
    mode = Mode(chosen.durability, chosen.method)
    with tempfile.TemporaryDirectory() as folder:
        try:
            return 0 if _try(Site(Path(folder)), mode, chosen) else 1
        except NoMachineError as error:
            print(f"not here: {error}", file=sys.stderr)
        except LogError as error:
            print(error, file=sys.stderr)
    return 2


def _try(site: Site, mode: Mode, chosen: argparse.Namespace) -> bool:
    seeds = range(chosen.seed, chosen.seed + chosen.cuts)
    control = replace(mode, syncs=False)
    good = _tell(f"killed; {mode}", (site.kill(mode, seed) for seed in seeds))
    recorded = site.record(mode, chosen.seed, chosen.points)
    good &= _tell(f"the drive's cache lost as well; {mode}", recorded)
    lost = not _tell(f"killed; {control}", [site.kill(control, chosen.seed)])
    if not lost:
        print("the control has lost nothing: what came before proves nothing")
    return good and lost


def _tell(what: str, outcomes: Iterable[Outcome]) -> bool:
    """One line for each cut that lost something, one for all; whether nothing was lost."""
    print(what)
    cuts = acknowledged = lost = blocks = 0
    problems = 0
    for outcome in outcomes:
        cuts += 1
        acknowledged += outcome.acknowledged
        lost += outcome.lost
        blocks += outcome.blocks
        problems += bool(outcome.problem)
        if outcome.lost or outcome.problem:
            print(
                f"  acknowledged {outcome.acknowledged:,}, recovered {outcome.recovered:,}"
                f" {outcome.problem}"
            )
    print(
        f"  {cuts} cuts: {acknowledged:,} records acknowledged, {lost:,} of them lost;"
        f" {blocks:,} blocks that no flush had covered are gone"
    )
    return lost == problems == 0


if __name__ == "__main__":
    raise SystemExit(main())
