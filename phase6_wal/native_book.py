"""Books behind a log, driven in C: what is common to the durable engine and to a replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from contract.engine import record_view
from contract.errors import ConfigurationError, EngineClosedError
from contract.messages import RECORD_BYTES
from contract.native import LentBook, NativeEngine
from contract.records import empty_events
from phase6_wal._wal import ffi, lib
from phase6_wal.native import LogWriter

#: What durable_apply says beside 0 (log_writer.h): the one code that may pass.
FULL: Final[int] = lib.LOG_FULL
_SLOT_BYTES: Final[int] = lib.LOG_RECORD_BYTES
_REPLAY_EVENTS: Final = 4096


class Applied(NamedTuple):
    """How far a step came; ``code`` is 0 or what the log said (``raise_code``)."""

    consumed: int
    written: int
    code: int


class DrivenBooks:
    """The books of some engines, lent to C for as long as this lives.

    Args:
        engines: engines in C, one for each instrument; their views go on working.
        log: where commands go before a book sees them; None: nowhere, as in a replay.
        mark_every: a step ends at each multiple of it; 0: never.
        sequence: of the last command that the books have seen.
        event_crc: CRC32C of all events until then.

    Raises:
        ConfigurationError: no engine, one that is not in C, or two of one instrument.
        ValueError: an engine's book is lent already.
    """

    def __init__(
        self,
        engines: Sequence[NativeEngine],
        log: LogWriter | None = None,
        *,
        mark_every: int = 0,
        sequence: int = 0,
        event_crc: int = 0,
    ) -> None:
        self._books: Any = None
        self.engines: list[NativeEngine] = []
        #: Where the books are, in the same order: for others who look at them from C.
        self.lent: list[LentBook] = []
        check_books(engines)
        entries = ffi.new("durable_entry[]", len(engines))
        try:
            for entry, engine in zip(entries, engines, strict=True):
                lent = engine.lend(_views_work)
                self.engines.append(engine)
                self.lent.append(lent)
                entry.apply, entry.book, entry.instrument = lent.apply, lent.book, engine.instrument
            handle = lib.durable_new(
                entries,
                len(entries),
                ffi.NULL if log is None else log.handle,
                mark_every,
                sequence,
                event_crc,
            )
            if handle == ffi.NULL:
                raise ConfigurationError("the machine has not enough memory")
        except BaseException:
            self._give_back()
            raise
        self._books = ffi.gc(handle, lib.durable_free)
        self._log = log
        self._written = ffi.new("size_t *")
        self._code = ffi.new("int *")
        self._scratch = empty_events(_REPLAY_EVENTS)

    def apply(self, commands: Any, events: Any) -> Applied:
        """Log and apply commands up to the next multiple of ``mark_every``.

        Args:
            commands: records as ``record_view`` gives them, or an array of them.
            events: likewise, writable.
        """
        if self._log is not None:
            _ = self._log.handle  # raises where C would go on with one that is closed
        source, target = ffi.from_buffer(commands), ffi.from_buffer(events, require_writable=True)
        consumed = lib.durable_apply(
            self._open(),
            ffi.cast("command_record *", source),
            len(source) // RECORD_BYTES,
            ffi.cast("event_record *", target),
            len(target) // RECORD_BYTES,
            self._written,
            self._code,
        )
        return Applied(consumed, self._written[0], self._code[0])

    def raise_code(self, code: int) -> None:
        """Raise what a step's code means; 0 is nothing.

        Raises:
            LogFullError, LogFailedError: see ``LogWriter.append``.
        """
        if code and self._log is not None:
            self._log._check(code)

    def replay_slots(self, slots: Any) -> int:
        """Apply the records in whole slots of a segment, all found valid, up to the first mark.

        Returns:
            Slots done. If they are fewer than there are, the next one is a mark.
        """
        memory = ffi.from_buffer(slots)
        count = len(memory) // _SLOT_BYTES
        done = 0
        first = ffi.cast("uint8_t *", memory)
        while True:
            done += int(
                lib.durable_replay(
                    self._open(),
                    first + done * _SLOT_BYTES,
                    count - done,
                    ffi.from_buffer("event_record[]", self._scratch, require_writable=True),
                    len(self._scratch),
                )
            )
            if done == count or memory[done * _SLOT_BYTES + 6] == bytes([lib.RECORD_MARK]):
                return done
            self._scratch = empty_events(2 * len(self._scratch))

    def _open(self) -> Any:
        if self._books is None:
            raise EngineClosedError("this engine is closed")
        return self._books

    @property
    def is_open(self) -> bool:
        """Whether ``close`` is still to come."""
        return self._books is not None

    @property
    def sequence(self) -> int:
        """Of the last command applied."""
        return int(lib.durable_sequence(self._open()))

    @property
    def event_crc(self) -> int:
        """CRC32C over all events so far, of all books, in the order they came."""
        return int(lib.durable_event_crc(self._open()))

    def close(self) -> None:
        """Give the engines their books back. Closing twice is harmless."""
        if self._books is not None:
            ffi.release(self._books)
            self._books = None
            self._give_back()

    def _give_back(self) -> None:
        while self.engines:
            self.engines.pop().take_back()


def whole_records(commands: Any, events: Any) -> tuple[memoryview, memoryview]:
    """The bytes of commands, and of the array for events; see ``contract.engine.record_view``.

    Raises:
        ValueError: one is not contiguous, not whole records, or not writable and should be.
    """
    return record_view(commands), record_view(events, writable=True)


def _views_work() -> None:
    """The books change only during a call, and so at rest whenever someone else looks."""


def check_books(engines: Sequence[NativeEngine]) -> None:
    """Accept engines whose books can be driven together; see ``DrivenBooks``."""
    if not engines:
        raise ConfigurationError("an engine without a single book")
    for engine in engines:
        if not isinstance(engine, NativeEngine):
            raise ConfigurationError(
                f"{type(engine).__name__} is no engine in C: it cannot be lent"
            )
    [(instrument, count)] = Counter(engine.instrument for engine in engines).most_common(1)
    if count > 1:
        raise ConfigurationError(f"{count} books of instrument {instrument}")
