"""An engine under load, in a process that is going to be killed; and the one who kills it.

::

    child: recover ▶ apply ▶ apply ▶ …      killed at some moment (kill -9)
              │        │       │
              ▼        ▼       ▼            a pipe, which outlives it
    parent:  told     told    told          what it said last, it must be able to show

What a child tells it has told: a message is in the pipe when the call that sends it returns, and
the pipe is the parent's. A crash of the process loses memory and nothing else: this says something
about the order of append, apply and acknowledgement, and nothing about the disk.
"""

from __future__ import annotations

import os
import signal
import struct
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, Self

from contract.records import RecordArray, empty_events
from phase6_wal.engine import DurableEngine
from phase6_wal.replay import EngineMaker

_MESSAGE: Final = struct.Struct("<QQ")
#: Of the book.
CAPACITY: Final = 1 << 14


@dataclass(frozen=True)
class Load:
    """How the child works.

    Attributes:
        make_book: makes the engine's book.
        batch: most commands in a call.
        options: of the engine.
        told_early: acknowledges a batch before it is handed over: a bug, to be caught.
    """

    make_book: EngineMaker
    batch: int
    options: dict[str, Any]
    told_early: bool = False


class Told(NamedTuple):
    """What a child said: the last command it handed over, and the last that it acknowledged."""

    sequence: int = 0
    acknowledged: int = 0


class Child:
    """A child at work. Kill it, then ask what it told.

    Args:
        directory: of its log; it begins one there, or recovers what the child before it left.
        commands: all that there are; command n is the one at index n - 1.
    """

    def __init__(self, directory: Path, commands: RecordArray, load: Load, seed: int) -> None:
        self._pipe, theirs = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of forking beside threads: this child takes no lock of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            status = 1
            try:
                os.close(self._pipe)
                _work(directory, commands, load, Random(seed), theirs)
                signal.pause()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(theirs)
        self._all = len(commands)
        self._told: list[Told] = []
        self._rest = b""

    def wait_for(self, messages: int) -> Self:
        """Until it has said something so many times, or has come to the end of its commands."""
        while len(self._told) < messages and not (self._told and self._told[-1][0] == self._all):
            if not self._read():
                break
        return self

    def kill(self) -> list[Told]:
        """Kill it; everything that it has told.

        Raises:
            AssertionError: it had ended by itself: what is printed says why.
        """
        os.kill(self._pid, signal.SIGKILL)
        _pid, status = os.waitpid(self._pid, 0)
        while self._read():
            pass
        os.close(self._pipe)
        assert os.WIFSIGNALED(status), "the child ended before it was killed"
        return self._told

    def _read(self) -> bool:
        data = os.read(self._pipe, 1 << 16)
        whole = len(self._rest + data) // _MESSAGE.size * _MESSAGE.size
        message, self._rest = (self._rest + data)[:whole], (self._rest + data)[whole:]
        self._told += [Told(*pair) for pair in _MESSAGE.iter_unpack(message)]
        return bool(data)


def _work(directory: Path, commands: RecordArray, load: Load, draw: Random, told: int) -> None:
    engine = open_or_create(directory, load)
    events = empty_events(1 << 15)
    done = engine.sequence
    tell(told, done, engine.acknowledged)
    while done < len(commands):
        batch = commands[done : done + draw.randint(1, load.batch)]
        if load.told_early:
            tell(told, done + len(batch), done + len(batch))
        consumed, _written = engine.apply_batch(batch, events)
        engine.poll()
        done += consumed
        assert consumed == len(batch)
        assert done == engine.sequence
        if not load.told_early:
            tell(told, done, engine.acknowledged)


def open_or_create(directory: Path, load: Load) -> DurableEngine:
    """The engine on a log that may be there already."""
    if any(directory.glob("*.snap")):
        return DurableEngine.open(directory, load.make_book, **load.options)
    book = load.make_book(capacity=CAPACITY)
    return DurableEngine.create(directory, [book], **load.options)


def tell(pipe: int, sequence: int, acknowledged: int) -> None:
    """One message: whole, or not at all."""
    os.write(pipe, _MESSAGE.pack(sequence, acknowledged))
