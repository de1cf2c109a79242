"""The two 64-byte records as numpy structured types: a batch of commands is one array.

Field names and offsets are those of ``contract/README.md``; the fields lie at their natural
alignment without padding, so ``array.tobytes()`` is the wire, the log and the ring.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from contract.messages import RECORD_BYTES, Command, Event

RecordArray: TypeAlias = npt.NDArray[np.void]

COMMAND_DTYPE: Final = np.dtype(
    [
        ("sequence", "<u8"),
        ("timestamp_ns", "<u8"),
        ("order_id", "<u8"),
        ("price", "<i8"),
        ("quantity", "<u8"),
        ("reserved", "<i8"),
        ("instrument", "<u4"),
        ("account", "<u4"),
        ("kind", "u1"),
        ("side", "u1"),
        ("order_type", "u1"),
        ("time_in_force", "u1"),
        ("self_trade", "u1"),
        ("flags", "u1"),
        ("reserved2", "<u2"),
    ]
)

EVENT_DTYPE: Final = np.dtype(
    [
        ("sequence", "<u8"),
        ("timestamp_ns", "<u8"),
        ("order_id", "<u8"),
        ("contra_order_id", "<u8"),
        ("price", "<i8"),
        ("quantity", "<u8"),
        ("leaves", "<u8"),
        ("instrument", "<u4"),
        ("kind", "u1"),
        ("side", "u1"),
        ("reason", "u1"),
        ("reserved", "u1"),
    ]
)


def empty_commands(count: int) -> RecordArray:
    """``count`` commands, all bytes 0; shape (count,)."""
    return np.zeros(count, COMMAND_DTYPE)


def empty_events(count: int) -> RecordArray:
    """Room for ``count`` events, all bytes 0; shape (count,)."""
    return np.zeros(count, EVENT_DTYPE)


def to_command_array(commands: Iterable[Command]) -> RecordArray:
    """Commands as one array, shape (n,). O(n)."""
    return np.frombuffer(bytearray().join(c.pack() for c in commands), COMMAND_DTYPE)


def to_event_array(events: Iterable[Event]) -> RecordArray:
    """Events as one array, shape (n,). O(n)."""
    return np.frombuffer(bytearray().join(e.pack() for e in events), EVENT_DTYPE)


def to_commands(array: Any) -> list[Command]:
    """The commands of an array (or of any bytes-like object), readable. O(n)."""
    view = memoryview(array).cast("B")
    return [Command.unpack_from(view, at) for at in range(0, len(view), RECORD_BYTES)]


def to_events(array: Any) -> list[Event]:
    """The events of an array (or of any bytes-like object), readable. O(n)."""
    view = memoryview(array).cast("B")
    return [Event.unpack_from(view, at) for at in range(0, len(view), RECORD_BYTES)]
