"""Receipts: what a results file must say about where its numbers come from."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from contract.errors import MatchbookError
from matchbook.bench import machine

#: What every results file has, and of which type.
ENVELOPE: Final[dict[str, type | tuple[type, ...]]] = {
    "suite": str,
    "command": str,
    "machine": str,
    "cpu": str,
    "cores": int,
    "pinned_core": (int, str),
    "os": str,
    "python": str,
    "compiler": str,
    "flags": str,
    "commit": str,
    "date": str,
    "seed": int,
    "rounds": int,
    "quick": bool,
    "seconds": float,
    "cpu_seconds": float,
    "noise_floor": float,
}
_DIGITS: Final = 5


class ReceiptError(MatchbookError):
    """A results file that does not say what it has to."""


def make_receipt(
    suite: str,
    body: Mapping[str, Any],
    *,
    command: str,
    quick: bool,
    seconds: float,
    cpu_seconds: float,
    pinned_core: int | None,
) -> dict[str, Any]:
    """The whole content of a results file: where it was made, and what the suite measured.

    ``body`` brings ``seed``, ``rounds``, ``noise_floor`` and the results.
    """
    core: int | str = "none" if pinned_core is None else pinned_core
    receipt = {
        "suite": suite,
        "command": command,
        **machine.describe(),
        "pinned_core": core,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "quick": quick,
        "seconds": float(round(seconds, 1)),
        "cpu_seconds": float(round(cpu_seconds, 1)),
        **body,
    }
    return {key: _rounded(value) for key, value in receipt.items()}


def check_receipt(receipt: Mapping[str, Any]) -> None:
    """Accept a results file's content.

    Raises:
        ReceiptError: names the key that is missing, of another type, or not a finite number.
    """
    for key, kind in ENVELOPE.items():
        if key not in receipt:
            raise ReceiptError(f"a results file without {key!r}")
        value = receipt[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ReceiptError(f"{key!r} of a results file is {value!r}, a {type(value).__name__}")
    if receipt.keys() <= ENVELOPE.keys() or receipt.get("cases") == {}:
        raise ReceiptError("a results file without a result")
    _check_finite("", receipt)


def write_receipt(folder: Path, receipt: Mapping[str, Any]) -> Path:
    """Write ``folder/SUITE.json``, at once or not at all, and return its path.

    Raises:
        ReceiptError: the receipt is not complete; nothing is written.
    """
    check_receipt(receipt)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{receipt['suite']}.json"
    text = json.dumps(receipt, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return path


def _check_finite(path: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_finite(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_finite(f"{path}.{index}", inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ReceiptError(f"{path} of a results file is {value}")


def _rounded(value: Any) -> Any:
    """Floats with the digits that mean something; a difference in the sixth is noise."""
    if isinstance(value, Mapping):
        return {str(key): _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{_DIGITS}g}")
    return value
