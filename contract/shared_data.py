"""Where the real market data is, for tests and demonstrations that use it.

The data carries no licence to be passed on, so it is never part of this repository. It is looked
for under the directory that ``MATCHBOOK_DATA`` names, else in ``../shared/data`` beside the
checkout; what is missing is a *named* skip in tests.
"""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def data_directory() -> Path:
    """The directory that should hold the data, whether or not it exists."""
    return Path(os.environ.get("MATCHBOOK_DATA") or _ROOT.parent / "shared" / "data")


def find(name: str) -> Path | None:
    """The file ``name`` (such as ``"quantcup/feed.csv.gz"``), or None where it is not present."""
    path = data_directory() / name
    return path if path.exists() else None
