"""What is typed, line by line, for programs that run an asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable

_READ_BYTES = 4096


def read_typed(take: Callable[[str | None], object]) -> None:
    """Begin to read the standard input: each line goes to ``take`` in the running loop, then None.

    Nobody waits for the thread that reads: a read from a keyboard ends when a key is pressed. It
    reads the file and not ``sys.stdin``, for the interpreter cannot end while a thread is inside
    of that.
    """
    loop = asyncio.get_running_loop()
    file = sys.stdin.fileno()

    def give(line: bytes | None) -> None:
        text = None if line is None else line.decode(errors="replace")
        loop.call_soon_threadsafe(take, text)

    def run() -> None:
        rest = b""
        # The input is gone, or the loop is closed: nobody is interested any more.
        with contextlib.suppress(OSError, RuntimeError):
            while data := os.read(file, _READ_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    give(line)
            if rest:
                give(rest)
            give(None)

    threading.Thread(target=run, daemon=True).start()
