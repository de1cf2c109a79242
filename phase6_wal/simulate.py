"""Lives of a log on a disk that fails: ``python -m phase6_wal.simulate SEED`` runs one again.

::

    begin ──▶ append, flush, poll, release, ... ──▶ crash ──▶ recover ──▶ go on ──▶ ... ──▶ done
                                                 of the machine   │ cut off as well, sometimes
                                                 or the process   └─ twice: nothing is left to do

Writer and recovery are those that run on a real disk; under them is the simulated one
(c/storage_sim.h), which forgets, reorders and tears what was not synced. Everything follows from
the seed: how the log is written, in which pieces, where the crash comes, what it leaves.

What must hold after each crash, of the machine or of the process:

- every command that the writer had said to be durable is there; under ``group`` and ``sync`` every
  one that it had acknowledged; after a crash of the process alone, under ``page-cache`` too;
- what is there is a prefix of what was appended, byte for byte;
- recovery refuses only under ``none`` and ``page-cache``, which promise nothing after a power cut;
- a second recovery changes nothing.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from contract.errors import InvariantError
from phase6_wal.errors import LogDamagedError, LogFailedError
from phase6_wal.native import (
    DURABILITIES,
    METHODS,
    LogMark,
    LogOptions,
    LogPosition,
    LogWriter,
)
from phase6_wal.native_sim import SimStorage
from phase6_wal.reader import LogReader
from phase6_wal.recovery import PROMISED, Recovered, recover_log

BODY_BYTES: Final = 64
_CRASHES: Final = 4
_STEPS: Final = 40
#: Sizes of segments: 51 records, 102, 153.
_SEGMENTS: Final = (8192, 12288, 16384)
#: In so many calls the power is cut at the latest: a life is some hundreds.
_MOST_CALLS: Final = 400


class LostError(InvariantError):
    """A promise was broken; says which, and how to see it again."""


@dataclass
class Tally:
    """What has been seen, over many lives."""

    lives: int = 0
    appended: int = 0
    power_cuts: int = 0
    process_crashes: int = 0
    cut_recoveries: int = 0
    torn: int = 0
    holes: int = 0
    refused: int = 0
    rotated: int = 0
    recycled: int = 0
    lost_unpromised: int = 0
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Setting:
    """What is not left to the seed.

    Attributes:
        durability: of all writers of the life; None: drawn for each.
        method: likewise.
        power: whether crashes are of the machine; None: drawn for each.
        thread: writers have their thread; what happens then depends on its pace too.
        lying: syncs of that kind do nothing: then promises must break.
    """

    durability: str | None = None
    method: str | None = None
    power: bool | None = None
    thread: bool = False
    lying: str = ""


def draw_options(draw: random.Random, setting: Setting) -> LogOptions:
    """How a writer of a life writes."""
    return LogOptions(
        durability=setting.durability or draw.choice(list(DURABILITIES)),
        method=setting.method or draw.choice(list(METHODS)),
        segment_bytes=draw.choice(_SEGMENTS),
        spares=draw.choice((1, 1, 2)),
        prepare_thread=setting.thread,
        reserve=draw.random() < 0.5,
        buffer_bytes=4096,
        group_count=draw.choice((1, 3, 8, 30)),
        group_s=1.0,
        seed=draw.getrandbits(63) + 1,
    )


class Life:
    """One log from its making through some crashes.

    Args:
        seed: of everything.
        tally: what is seen is counted there.
    """

    def __init__(self, seed: int, setting: Setting, tally: Tally) -> None:
        self.draw = random.Random(seed)
        self.setting = setting
        self.tally = tally
        self.disk = SimStorage(self.draw.getrandbits(64))
        if setting.lying:
            self.disk.set_lying(setting.lying)
        self.name = f"seed {seed}, {setting}"
        #: All bodies appended, as the log must give them back.
        self.written = bytearray()
        #: Commands that a crash of the machine may not take, or none of the process.
        self.safe_from_power = 0
        self.safe_from_crash = 0
        #: A snapshot stands here: segments before may be gone.
        self.snapshot = 0
        self.log_id = self.draw.getrandbits(63) + 1

    def run(self) -> None:
        """Live it.

        Raises:
            LostError: a promise was broken.
        """
        self.tally.lives += 1
        position: LogPosition | None = None
        for _ in range(self.draw.randint(1, _CRASHES)):
            options = replace(draw_options(self.draw, self.setting), log_id=self.log_id)
            power = self.setting.power
            power = self.draw.random() < 0.75 if power is None else power
            if power and self.draw.random() < 0.8:
                self.disk.cut_at(1 + int(_MOST_CALLS ** self.draw.random()))
            self._write(options, position)
            self._crash(power or self.disk.is_cut)
            position = self._recover(power).position
        self.disk.close()

    # --- writing ---------------------------------------------------------------------------

    def _write(self, options: LogOptions, position: LogPosition | None) -> None:
        """Until the power goes, or it is enough; ended as a crash ends it."""
        with self._failing():
            writer = LogWriter(self.disk, options, position)
        if self.disk.is_cut:
            return
        try:
            with self._failing():
                self._note(writer)
                for _ in range(self.draw.randint(1, _STEPS)):
                    self._step(writer)
                    self._note(writer)
        finally:
            self._note(writer)
            self.tally.rotated += writer.counters.segments
            self.tally.recycled += writer.counters.recycled
            self._dying = writer

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Only a cut may make a writer fail."""
        try:
            yield
        except LogFailedError as error:
            if not self.disk.is_cut:
                raise LostError(f"{self.name}: {error}") from error

    def _step(self, writer: LogWriter) -> None:
        what = self.draw.random()
        if what < 0.8:
            self._append(writer, self.draw.choice((1, 1, 2, 5, 20)))
        elif what < 0.85:
            writer.flush()
        elif what < 0.88:
            writer.poll(self.draw.choice((1, 1 << 62)))
        elif what < 0.91:
            writer.append_mark(LogMark(0, 0, 0, bytes(16)))
        elif writer.durable > self.snapshot:
            self.snapshot = self.draw.randint(self.snapshot, writer.durable)
            writer.release(self.snapshot + 1)

    def _append(self, writer: LogWriter, count: int) -> None:
        first = len(self.written) // BODY_BYTES + 1
        bodies = bytearray()
        for sequence in range(first, first + count):
            bodies += sequence.to_bytes(8, "little") + self.draw.randbytes(BODY_BYTES - 8)
        self.written += bodies  # even if it fails: nobody knows then
        self.tally.appended += count
        writer.append(bodies)

    def _note(self, writer: LogWriter) -> None:
        """What the writer has said so far may be relied on from now on."""
        acknowledged, durable = writer.acknowledged, writer.durable
        promised = writer.options.durability in PROMISED
        if promised and acknowledged > durable:
            raise LostError(f"{self.name}: {acknowledged} acknowledged, only {durable} durable")
        self.safe_from_power = max(self.safe_from_power, durable)
        told = durable if writer.options.durability == "none" else acknowledged
        self.safe_from_crash = max(self.safe_from_crash, told)

    def _crash(self, power: bool) -> None:
        """A thread does nothing more without power; of a process it dies first."""
        if power:
            self.tally.power_cuts += 1
            self.disk.power_cut()
        if self._dying:
            self._dying.abandon()
            self._dying = None
        if power:
            self.disk.power_on()
            self.disk.cut_at(0)
        else:
            self.tally.process_crashes += 1
            self.disk.process_crash()

    _dying: LogWriter | None = None

    # --- recovering ------------------------------------------------------------------------

    def _recover(self, power: bool) -> Recovered:
        """Recover, perhaps after a recovery that was cut off, and hold it to the promises."""
        while self.draw.random() < 0.3:
            self.disk.cut_at(self.draw.randint(1, 12))
            with self._failing():
                self._recover_once()
            self.disk.cut_at(0)
            if self.disk.is_cut:
                self.tally.cut_recoveries += 1
                power = True
                self.disk.power_on()
        recovered = self._recover_once()
        self._hold(recovered, power)
        again = self._recover_once()
        if again.position != recovered.position or again.dropped:
            raise LostError(f"{self.name}: a second recovery found {again}, not {recovered}")
        return recovered

    def _recover_once(self) -> Recovered:
        try:
            recovered = recover_log(self.disk, since=self.snapshot)
        except LogDamagedError as error:
            if "accept_loss" not in str(error):
                raise LostError(f"{self.name}: {error}") from error
            self.tally.refused += 1
            recovered = recover_log(self.disk, since=self.snapshot, accept_loss=True)
        if recovered.dropped:
            self.tally.torn += recovered.dropped.records == 0
            self.tally.holes += recovered.dropped.records > 0
        return recovered

    def _hold(self, recovered: Recovered, power: bool) -> None:
        sequence, appended = recovered.sequence, len(self.written) // BODY_BYTES
        promised = self.safe_from_power if power else self.safe_from_crash
        if not promised <= sequence <= appended:
            what = "of the machine" if power else "of the process"
            raise LostError(
                f"{self.name}: after a crash {what} {sequence} commands are there;"
                f" {promised} were promised, {appended} appended"
            )
        first = max(recovered.first_sequence, 1)
        found = (
            b"".join(bodies.tobytes() for bodies, _ in LogReader(self.disk).batches(first))
            if sequence
            else b""
        )
        if found != self.written[(first - 1) * BODY_BYTES : sequence * BODY_BYTES]:
            raise LostError(
                f"{self.name}: commands {first} to {sequence} are not what was appended"
            )
        self.tally.lost_unpromised += appended - sequence
        del self.written[sequence * BODY_BYTES :]
        self.safe_from_crash = min(self.safe_from_crash, sequence)


def run_lives(seeds: Sequence[int], setting: Setting = Setting(), *, stop: bool = True) -> Tally:
    """Live one life for each seed.

    Args:
        stop: at the first broken promise; else they are collected in ``Tally.broken``.

    Raises:
        LostError: a promise was broken; with the seed.
    """
    tally = Tally()
    for seed in seeds:
        try:
            Life(seed, setting, tally).run()
        except LostError as error:
            if stop:
                raise
            tally.broken.append(str(error))
    return tally


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]] or [1]
    print(run_lives(numbers if len(numbers) == 1 else range(*numbers)))
