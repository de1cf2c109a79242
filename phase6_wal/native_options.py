"""How a log is written, from Python: the words for it, and what C is told."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from contract.errors import ConfigurationError
from phase6_wal._wal import ffi, lib

_HEADER_BYTES: Final = int(lib.LOG_HEADER_BYTES)
CONTENTS: Final = {"commands": int(lib.LOG_COMMANDS), "events": int(lib.LOG_EVENTS)}
DURABILITIES: Final = {
    "none": int(lib.DURABLE_NONE),
    "page-cache": int(lib.DURABLE_PAGE_CACHE),
    "group": int(lib.DURABLE_GROUP),
    "sync": int(lib.DURABLE_SYNC),
}
METHODS: Final = {"written": int(lib.LOG_WRITTEN), "mapped": int(lib.LOG_MAPPED)}
#: The method that measures best for each durability.
DEFAULT_METHOD: Final = {
    "none": "written",
    "page-cache": "mapped",
    "group": "written",
    "sync": "written",
}

_MAX_U64 = 2**64 - 1


@dataclass(frozen=True)
class LogOptions:
    """How a log is written; c/log_writer.h says what each durability promises.

    Attributes:
        content: ``"commands"`` or ``"events"``.
        durability: ``"none"``, ``"page-cache"``, ``"group"`` or ``"sync"``.
        method: ``"mapped"`` or ``"written"``; None takes the one that suits the durability.
        segment_bytes: of each file, a multiple of 4,096.
        spares: segments made ready ahead.
        prepare_thread: by a thread; else in ``append``, when one is needed.
        reserve: keep one more, which only ``append_reserved`` may begin: for cancels when the
            disk is full.
        buffer_bytes: what a written log holds back at most.
        group_count: records that wait until a flush is due.
        group_s: seconds that the first of them waits.
        log_id: of the log, the same in all its segments; 0: that of the segment that is gone on
            with, or a random one.
        seed: of the salts; 0: from the system.
    """

    content: str = "commands"
    durability: str = "page-cache"
    method: str | None = None
    segment_bytes: int = 64 << 20
    spares: int = 1
    prepare_thread: bool = True
    reserve: bool = True
    buffer_bytes: int = 1 << 20
    group_count: int = 1024
    group_s: float = 0.001
    log_id: int = 0
    seed: int = 0

    def in_c(self) -> Any:
        """A ``log_options *``.

        Raises:
            ConfigurationError: a word that is none, or a number out of range.
        """
        for what, word, words in (
            ("content", self.content, CONTENTS),
            ("durability", self.durability, DURABILITIES),
            ("method", self.method or DEFAULT_METHOD.get(self.durability, ""), METHODS),
        ):
            if word not in words:
                raise ConfigurationError(f"{what} {word!r} is not one of {', '.join(words)}")
        if not 0 <= self.group_s < 1e9:
            raise ConfigurationError(f"group_s {self.group_s} is not 0 to 1e9 seconds")
        for what, least, most in (
            ("segment_bytes", int(lib.LOG_LEAST_SEGMENT), 2**32),
            ("spares", 1, 1024),
            ("buffer_bytes", _HEADER_BYTES, 2**32),
            ("group_count", 1, 2**32),
            ("log_id", 0, _MAX_U64),
            ("seed", 0, _MAX_U64),
        ):
            value = getattr(self, what)
            if not least <= value <= most:
                raise ConfigurationError(f"{what} {value} is not {least} to {most}")
        if self.segment_bytes % _HEADER_BYTES:
            raise ConfigurationError(f"segment_bytes {self.segment_bytes} is no multiple of 4096")
        return ffi.new(
            "log_options *",
            {
                "content": CONTENTS[self.content],
                "durability": DURABILITIES[self.durability],
                "method": METHODS[self.method or DEFAULT_METHOD[self.durability]],
                "spares": self.spares,
                "prepare_thread": self.prepare_thread,
                "reserve": self.reserve,
                "segment_bytes": self.segment_bytes,
                "buffer_bytes": self.buffer_bytes,
                "group_count": self.group_count,
                "group_ns": int(self.group_s * 1e9),
                "log_id": self.log_id,
                "seed": self.seed or secrets.randbits(64) or 1,
            },
        )
