"""Where the events of a replay go: an event file or an event list, by the name given."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from contract.errors import ConfigurationError
from contract.files import EventFileWriter, EventListWriter, suffix
from contract.records import EVENT_DTYPE

_FLUSH_BYTES: Final = 1 << 20


class EventSink:
    """Collects events and writes them in large pieces. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        kind = suffix(path)
        if kind not in (".evt", ".csv"):
            raise ConfigurationError(
                f"--events {path}: the name should end in .evt (records) or .csv (words)"
            )
        self._writer = EventListWriter(path) if kind == ".csv" else EventFileWriter(path)
        self._pending = bytearray()
        self.count = 0

    def write(self, events: Any) -> None:
        """Append events: an array of ``EVENT_DTYPE`` or the bytes of whole records."""
        self._pending += memoryview(events).cast("B")
        if len(self._pending) >= _FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        self.count += len(self._pending) // EVENT_DTYPE.itemsize
        self._writer.write(np.frombuffer(bytes(self._pending), EVENT_DTYPE))
        self._pending.clear()

    def close(self) -> None:
        """Write what is pending and finish the file. Closing twice is harmless."""
        self._flush()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
