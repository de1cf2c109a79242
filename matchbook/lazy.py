"""Loading a part of the command when it is asked for: nobody waits for what he does not use."""

from __future__ import annotations

import importlib
from typing import Any

from contract.errors import ConfigurationError


def load(target: str, what: str) -> Any:
    """What ``module:name`` names; ``what`` is what errors call it.

    Raises:
        ConfigurationError: the module, or an extension that it needs, cannot be imported.
    """
    module_name, name = target.split(":")
    try:
        return getattr(importlib.import_module(module_name), name)
    except ImportError as error:
        problem = f"{what} cannot be loaded: {error}"
        raise ConfigurationError(f"{problem}; `make setup` compiles what it needs") from error
