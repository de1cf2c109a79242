"""What can go wrong with a log, as exceptions: one family, each naming where."""

from __future__ import annotations

import os
from typing import ClassVar

from contract.errors import InputFileError, MatchbookError


class LogError(MatchbookError):
    """Any operating failure of a log; catch this to catch them all."""


class LogFullError(LogError):
    """There is no space for another segment.

    Nothing was appended and nothing is lost; cancels still go through, out of the reserve. It
    passes when there is space again.
    """


class LogFailedError(LogError):
    """The storage failed. The log takes nothing more: only a recovery says what is on the disk.

    Attributes:
        call: what failed: ``write``, ``sync``, …
        name: the file's name in the log's directory.
        offset: where in the file.
        error: the errno.
    """

    _consequence: ClassVar[str] = (
        "the log has stopped, and nothing after its last acknowledgement was acknowledged"
    )

    def __init__(self, call: str, name: str, offset: int, error: int) -> None:
        self.call = call
        self.name = name
        self.offset = offset
        self.error = error
        super().__init__(
            f"{name}: offset {offset}: {call} failed: {os.strerror(error)}; {self._consequence}"
        )


class RecoveryFailedError(LogFailedError):
    """The storage failed while a log was read, or cut at its end: it is recovered later."""

    _consequence = "nothing valid was changed: once the storage works, it can be done again"


class LogNotOpenedError(LogFailedError):
    """The storage failed before there was a log to work with: ``name`` is a path where it can be.

    As where a directory cannot be made, read or locked: a matter of rights, or of a file that is
    none.
    """

    def __init__(self, call: str, name: str, error: int) -> None:
        super().__init__(call, name, 0, error)
        self.args = (f"{name}: {call} failed: {os.strerror(error)}; no log was opened or begun",)


class SnapshotFailedError(LogError):
    """A snapshot could not be made: the engine goes on, and the snapshots before it stay.

    Attributes:
        sequence: of the command after which it was taken.
        call: what failed: ``create``, ``write``, ``sync``, ``verify``, ``rename``, …, ``fork``, or
            ``child``: the process that wrote it was ended.
        error: the errno, or 0.
        signal: what ended the child, or 0.
    """

    def __init__(self, sequence: int, call: str, offset: int, error: int, signal: int = 0) -> None:
        self.sequence = sequence
        self.call = call
        self.offset = offset
        self.error = error
        self.signal = signal
        why = os.strerror(error) if error else f"ended by signal {signal}" if signal else "failed"
        super().__init__(f"snapshot {sequence}: offset {offset}: {call}: {why}")


class LogInUseError(LogError):
    """Another process writes this log; names it."""

    def __init__(self, directory: object, pid: int) -> None:
        self.pid = pid
        owner = f"process {pid}" if pid else "another process"
        super().__init__(f"{directory}: {owner} writes this log")


class LogOutOfStepError(LogError):
    """What was to be appended is not what comes next: it and the log are not of one run.

    Attributes:
        found: its sequence.
        expected: the one that the log comes to.
    """

    def __init__(self, what: str, found: int, expected: int) -> None:
        self.found = found
        self.expected = expected
        super().__init__(f"{what} {found} cannot be appended: the log comes to {expected}")


class EventsDivergedError(LogError):
    """An event log has another event than its commands cause.

    Attributes:
        sequence: of the event.
        found: what the commands cause, 64 bytes.
        recorded: what the log has.
    """

    def __init__(self, sequence: int, found: bytes, recorded: bytes) -> None:
        self.sequence = sequence
        self.found = found
        self.recorded = recorded
        super().__init__(
            f"event {sequence} is {recorded.hex()} in the event log, and {found.hex()} in a replay"
        )


class LogDamagedError(InputFileError, LogError):
    """The log holds damage before its end, or something that is no log: it is not guessed at.

    See ``contract.errors.InputFileError`` for path, where, field, value and expected.
    """


class LogCutShortError(LogDamagedError):
    """The log ends before a snapshot. It was on the disk so far when the snapshot got its name.

    Attributes:
        end: the last command that is in the log.
        snapshot: the one behind which the snapshot stands.
    """

    def __init__(self, directory: object, where: str, end: int, snapshot: int) -> None:
        super().__init__(directory, where, "last command", end, f"{snapshot} or more")
        self.end = end
        self.snapshot = snapshot
        self.args = (
            f"{directory}: the log ends with command {end}, before the snapshot at {snapshot}: it"
            " was on the disk as far as that when the snapshot got its name, so the log has lost"
            f" its end: {where}; it takes accept_loss to begin with an older snapshot",
        )


class ReplayDivergedError(LogError):
    """A replay came to another state, or other events, than the log says it had.

    Attributes:
        sequence: the command after which the log's mark stands.
        field: what differs: ``state_hash``, ``event_crc``, ``event_sequence`` or ``orders``.
    """

    def __init__(self, sequence: int, field: str, found: object, recorded: object) -> None:
        self.sequence = sequence
        self.field = field
        self.found = found
        self.recorded = recorded
        super().__init__(
            f"after command {sequence} the log's mark has {field} {recorded}, the replay {found}"
        )
