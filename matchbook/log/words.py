"""Records of a log as lines of the contract's text files, a whole array at a time.

``contract.files`` writes a command script from commands one by one, into a file. A log is dumped by
the million, and into a pipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

import numpy as np

from contract.columns import words_of
from contract.errors import ConfigurationError
from contract.files import EVENT_LIST_COLUMNS, SCRIPT_COLUMNS
from contract.messages import (
    CommandKind,
    EventKind,
    Flag,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
)
from contract.records import RecordArray

_COMMAND_WORDS: Final[Mapping[str, type[IntEnum]]] = {
    "kind": CommandKind,
    "side": Side,
    "order_type": OrderType,
    "time_in_force": TimeInForce,
    "self_trade": SelfTrade,
}
_EVENT_WORDS: Final[Mapping[str, type[IntEnum]]] = {
    "kind": EventKind,
    "side": Side,
    "reason": Reason,
}


def script_header() -> str:
    """The first line of a command script."""
    return ",".join(SCRIPT_COLUMNS) + "\n"


def script_lines(commands: RecordArray) -> str:
    """Commands as lines of a command script. O(n).

    Raises:
        ConfigurationError: a command holds what no word of a script can say (an order of side 7,
            which the log has and the engine rejected); a command file can hold anything.
    """
    for field, most in (("flags", int(Flag.POST_ONLY)), ("reserved", 0), ("reserved2", 0)):
        _refuse(commands, field, (commands[field] < 0) | (commands[field] > most))
    columns = []
    for name in SCRIPT_COLUMNS:
        field = "flags" if name == "post_only" else name
        values: list[Any] = commands[field].tolist()
        if field in _COMMAND_WORDS:
            said = {value: word for word, value in words_of(_COMMAND_WORDS[field]).items()}
            _refuse(commands, field, ~np.isin(commands[field], list(said)))
            values = [said[value] for value in values]
        columns.append(values)
    return _lines(columns)


def event_header() -> str:
    """The first line of an event list."""
    return ",".join(EVENT_LIST_COLUMNS) + "\n"


def event_lines(events: RecordArray) -> str:
    """Events as lines of an event list. O(n)."""
    columns = []
    for name in EVENT_LIST_COLUMNS:
        values: list[Any] = events[name].tolist()
        if name in _EVENT_WORDS:
            said = {value: word for word, value in words_of(_EVENT_WORDS[name]).items() if value}
            if name == "side":  # a rejected command's is whatever byte its sender wrote
                said[int(Side.BID)] = "bid"
            if name == "reason":
                said[0] = ""
            values = [said.get(value, value) for value in values]
        columns.append(values)
    return _lines(columns)


def _lines(columns: list[list[Any]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def _refuse(commands: RecordArray, field: str, wrong: Any) -> None:
    if np.any(wrong):
        first = commands[int(np.argmax(wrong))]
        raise ConfigurationError(
            f"command {first['sequence']}: {field} {first[field]}: no command script can say that;"
            " --format cmd keeps it as it is"
        )
