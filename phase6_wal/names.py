"""What the files of a log's directory are called."""

from __future__ import annotations

import re
from typing import Final

SEGMENT_SUFFIX: Final = ".log"
SNAPSHOT_SUFFIX: Final = ".snap"
#: Segments made ready, not yet part of the log.
SPARE_SUFFIX: Final = ".spare"
#: A file being made: whoever finds one may remove it.
TEMPORARY_SUFFIX: Final = ".tmp"
#: Cut off by a recovery, with whole records: a segment's header, and slots from the missing one on.
LOST_SUFFIX: Final = ".lost"
#: Locked by the one process that writes.
LOCK_NAME: Final = "lock"

_NUMBERED: Final = re.compile(r"(\d{20})(\.log|\.snap)")


def segment_name(first_sequence: int) -> str:
    """The name of the segment whose first command (or event) has that sequence."""
    return f"{first_sequence:020d}{SEGMENT_SUFFIX}"


def snapshot_name(sequence: int) -> str:
    """The name of the snapshot that stands after that command."""
    return f"{sequence:020d}{SNAPSHOT_SUFFIX}"


def sequence_of(name: str, suffix: str) -> int | None:
    """The sequence in a segment's or a snapshot's name; None if it is no such name."""
    match = _NUMBERED.fullmatch(name)
    return int(match[1]) if match and match[2] == suffix else None
