"""Which of the known formats a file is in."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Final

from contract.byte_source import is_zip, open_bytes
from contract.errors import ConfigurationError
from contract.files import SCRIPT_COLUMNS, suffix


class Format(Enum):
    """The formats of order streams that ``replay`` reads."""

    COMMANDS = "commands"
    ITCH = "itch"
    LOBSTER = "lobster"
    BENCHMARK = "benchmark"


_PEEK_BYTES: Final = 4096
_BENCHMARK: Final = re.compile(r"(N(,-?\w+){4,5}|C,\w+|M(,-?\w+){4})")
_LOBSTER: Final = re.compile(r"[0-9]+(\.[0-9]+)?(,-?[0-9]+){5}(,.*)?")


def detect_format(path: Path) -> Format:
    """The format of a file, by its name where that says it, else by its first line.

    Raises:
        ConfigurationError: none of the known ones.
        InputFileError: the file cannot be read.
    """
    kind = suffix(path)
    if kind == ".cmd":
        return Format.COMMANDS
    if kind in (".itch50", ".itch"):
        return Format.ITCH
    if is_zip(path):
        return Format.LOBSTER
    with open_bytes(path) as stream:
        head = stream.read(_PEEK_BYTES)
    line = _first_line(head)
    if _BENCHMARK.fullmatch(line):
        return Format.BENCHMARK
    if _LOBSTER.fullmatch(line):
        return Format.LOBSTER
    if head[:3] == b"\x00\x0cS":  # every ITCH day starts with a system event
        return Format.ITCH
    if kind == ".csv" or set(line.replace(" ", "").split(",")) & set(SCRIPT_COLUMNS):
        return Format.COMMANDS
    names = ", ".join(member.value for member in Format)
    raise ConfigurationError(
        f"{path}: not recognised as any known format; say which with --format ({names})"
    )


def _first_line(head: bytes) -> str:
    """The first line that is neither blank nor a comment."""
    for line in head.decode("utf-8-sig", "replace").splitlines():
        if line.strip() and not line.startswith("#"):
            return line.strip()
    return ""
