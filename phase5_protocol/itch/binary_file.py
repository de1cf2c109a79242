"""Writing ITCH messages to a BinaryFILE, the form in which Nasdaq gives out its days.

Each message stands behind its length, two bytes big endian; a length of 0 ends the session. The
file has no sequence numbers: message n of the file is message n of the session.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from contract.byte_source import create_bytes

MAX_MESSAGE_BYTES = 2**16 - 1


def framed(message: bytes) -> bytes:
    """A message behind its length.

    >>> framed(b"abc")
    b'\\x00\\x03abc'

    Raises:
        ValueError: it is empty, which would end the session, or too long.
    """
    if not 1 <= len(message) <= MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(message)} bytes is not 1 to {MAX_MESSAGE_BYTES}")
    return len(message).to_bytes(2, "big") + message


class BinaryFileWriter:
    """Writes one session to a file; a name in .gz or .xz makes it compressed.

    The end of the session is written when a ``with`` ends well; after an exception the file stays
    without it, so that no reader takes it for whole.

    Raises:
        InputFileError: the file cannot be created.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = create_bytes(path)
        self.messages = 0

    def write(self, messages: Iterable[bytes]) -> None:
        """Add messages."""
        for message in messages:
            self._file.write(framed(message))
            self.messages += 1

    def end_session(self) -> None:
        """Write the length of 0: nothing follows."""
        self._file.write(b"\0\0")

    def close(self) -> None:
        """Close the file, without more."""
        self._file.close()

    def __enter__(self) -> Self:
        """Start writing."""
        return self

    def __exit__(self, kind: object, *exc_info: object) -> None:
        """End the session if all went well, and close."""
        if kind is None:
            self.end_session()
        self.close()
