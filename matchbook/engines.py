"""The engines by name, and how to load one of them, or anyone's own."""

from __future__ import annotations

import difflib
import importlib
import sys
from pathlib import Path
from typing import Final, NamedTuple, Protocol, cast

from contract.engine import Engine
from contract.errors import ConfigurationError


class EngineClass(Protocol):
    """A class of engines: what ``load_engine`` returns."""

    @property
    def name(self) -> str:
        """The engine's short name."""

    def __call__(
        self,
        *,
        instrument: int = ...,
        min_price: int = ...,
        max_price: int = ...,
        capacity: int = ...,
    ) -> Engine:
        """A new, empty book."""


class EngineEntry(NamedTuple):
    """A registered engine: ``module:Class`` and a line about it.

    Attributes:
        own_suite: the bench suite that measures it, if the others would not see all of its work:
            they pin one core and read the caller's clock.
        remark: what its time in the demonstration is the time of.
    """

    target: str
    about: str
    own_suite: str = ""
    remark: str = ""


REGISTRY: Final = {
    "phase1": EngineEntry("phase1_domain:Engine", "Python: the specification"),
    "phase2": EngineEntry("phase2_arena:Engine", "C: arena, hashed levels"),
    "phase3py": EngineEntry("phase3_sorted:PyEngine", "Python: sorted levels"),
    "phase3": EngineEntry("phase3_sorted:Engine", "C: arena, sorted levels"),
    "phase4": EngineEntry(
        "phase4_ring:Engine",
        "C: phase 3 behind rings, on a thread of its own",
        own_suite="pipeline",
        remark="matches on a thread of its own: its time is that of the way there, the matching and"
        " the way back.",
    ),
    "phase6": EngineEntry(
        "phase6_wal:Engine",
        "C: phase 3 behind a log, which survives the process",
        own_suite="wal",
        remark="has every command in a log, in the system's cache, before it matches it: its time"
        " is that of both.",
    ),
}
DEFAULT_ENGINE: Final = "phase3"


def load_engine(name: str) -> EngineClass:
    """The engine class of a registered name or of ``module:Class``.

    A module is looked for in the current directory too, so that a reader's own engine runs
    without being installed.

    Raises:
        ConfigurationError: nothing of that name, or it is not built, or not an engine.
    """
    entry = REGISTRY.get(name)
    target = entry.target if entry else name
    module_name, colon, class_name = target.partition(":")
    if not colon or not module_name or not class_name:
        raise ConfigurationError(f"engine {name!r} is unknown{_suggestion(name)}")
    here = str(Path.cwd())
    if entry is None and here not in sys.path:
        sys.path.append(here)
    try:
        # A module may load its classes only when they are asked for, so asking can fail as well.
        found = getattr(importlib.import_module(module_name), class_name, None)
    except Exception as error:  # a module may fail in any way while it loads
        hint = "; `make setup` compiles the extensions" if entry else ""
        problem = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"engine {name!r} cannot be loaded: {problem}{hint}") from error
    missing = [member for member in ("name", "apply_batch", "depth") if not hasattr(found, member)]
    if missing:
        raise ConfigurationError(
            f"engine {name!r}: {module_name} has no engine class {class_name}"
            f" ({', '.join(missing)} missing; the protocol is contract.engine.Engine)"
        )
    return cast(EngineClass, found)


def available_engines() -> list[str]:
    """Names of the registered engines that can be loaded here, in the order of the phases."""
    names = []
    for name in REGISTRY:
        try:
            load_engine(name)
        except ConfigurationError:
            continue
        names.append(name)
    return names


def _suggestion(name: str) -> str:
    close = difflib.get_close_matches(name, REGISTRY, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"{meant} Known are {', '.join(REGISTRY)}, and module:Class for your own."
