"""The committed measurements, ``docs/results/*.json``, and how one of them is written on a page."""

import json
import re
from pathlib import Path
from typing import Any

_FORMAT = re.compile(r"(?:/(?P<divisor>[\d.e]+)\s+)?(?P<spec>,?(?:\.\d+)?[dfgs%]?)(?P<times>\s?x)?")


class BookError(Exception):
    """A page asks for something that is not there."""


class Results:
    """The committed results files, read when they are asked for.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "demo.json").write_text('{"engines": [{"ratio": 2.5}]}')
    ...     Results(Path(folder))["demo.engines.0.ratio"]
    2.5
    """

    def __init__(self, folder: Path) -> None:
        """Read from ``folder``; a file is asked for by its name without ``.json``."""
        self.folder = folder
        self._files: dict[str, Any] = {}

    def names(self) -> list[str]:
        """The results files there are, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def __getitem__(self, path: str) -> Any:
        """The value at a dotted path that begins with the file's name.

        Raises:
            BookError: there is no such file, or no such value in it; the message says which
                names there are instead.
        """
        name, *steps = path.split(".")
        if name not in self._files:
            if name not in self.names():
                raise BookError(
                    f"no results file {name}.json; there are: {', '.join(self.names())}"
                )
            text = (self.folder / f"{name}.json").read_text(encoding="utf-8")
            self._files[name] = json.loads(text)
        value = self._files[name]
        for step in steps:
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            else:
                there = list(value) if isinstance(value, dict) else f"a {type(value).__name__}"
                raise BookError(
                    f"no {step!r} in {name}.json on the way of {path}; there is: {there}"
                )
        return value


def format_value(value: Any, how: str) -> str:
    """A result as a page wants it: a divisor, a Python format, a multiplication sign, all optional.

    >>> format_value(1234567, ",d")
    '1,234,567'
    >>> format_value(20.44, ".1fx")
    '20.4×'
    >>> format_value(12_300_000, "/1e6 .1f")
    '12.3'

    Raises:
        BookError: the value is not a number or a word, or the format does not fit it.
    """
    match = _FORMAT.fullmatch(how.strip())
    if match is None:
        raise BookError(f"{how!r} is no format; write a Python one such as ,d or .1f or .1fx")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BookError(f"the value is a {type(value).__name__}, not a number or a word")
    if isinstance(value, float) and not match["spec"]:
        raise BookError(f"{value} needs a format, such as .1f")
    try:
        if match["divisor"]:
            value = float(value) / float(match["divisor"])
        return format(value, match["spec"]) + ("×" if match["times"] else "")
    except (TypeError, ValueError) as error:
        raise BookError(f"{value!r} cannot be written as {how!r}: {error}") from error
