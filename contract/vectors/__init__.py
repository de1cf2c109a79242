"""Golden vectors: commands, and the events every engine must give for them, byte for byte.

``NAME.csv`` is a command script with comments, ``NAME.events.csv`` the event list it leads to.
``manifest.json`` says how the book is built and holds the digests of the packed events and of
the book at the end. Random streams are pinned by digest alone.

``python -m contract.vectors`` writes all that is not written by hand anew, from phase 1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contract.engine import Engine
from contract.messages import Command, Event

FOLDER: Final = Path(__file__).resolve().parent
MANIFEST: Final = FOLDER / "manifest.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run must come to: digests of the packed events and of the book at the end."""

    event_count: int
    events_blake2b: str
    state_hash: str

    def to_json(self) -> dict[str, Any]:
        """The entry in the manifest."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Vector:
    """One script, the limits of its book, and what it must lead to."""

    name: str
    limits: dict[str, int]
    commands: tuple[Command, ...]
    events: tuple[Event, ...]
    outcome: Outcome


def digest(chunks: Iterable[bytes]) -> str:
    """BLAKE2b, 16 bytes, as hex."""
    running = hashlib.blake2b(digest_size=16)
    for chunk in chunks:
        running.update(chunk)
    return running.hexdigest()


def run(engine: Engine, commands: Sequence[Command]) -> tuple[list[Event], Outcome]:
    """All events of the commands, and what they come to."""
    events = [event for command in commands for event in engine.apply(command)]
    packed = digest(event.pack() for event in events)
    return events, Outcome(len(events), packed, engine.state_hash())


def read_manifest() -> dict[str, Any]:
    """The manifest: ``scripts`` and ``streams``, each by name."""
    manifest: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return manifest


def script_names() -> list[str]:
    """The vectors there are, by name."""
    return sorted(read_manifest()["scripts"])


def stream_names() -> list[str]:
    """The random streams that are pinned, by profile."""
    return sorted(read_manifest()["streams"])


def load(name: str) -> Vector:
    """One vector.

    Raises:
        KeyError: the manifest has no such name.
        InputFileError: a file is missing or damaged.
    """
    from contract.files import read_event_list, read_script  # numpy: see contract.suite.flow

    entry = read_manifest()["scripts"][name]
    return Vector(
        name,
        entry["limits"],
        tuple(read_script(FOLDER / f"{name}.csv")),
        tuple(read_event_list(FOLDER / f"{name}.events.csv")),
        Outcome(**entry["outcome"]),
    )
