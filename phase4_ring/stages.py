"""What a stage of a pipeline says of itself: its state, its counters, and why it failed."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from contract.errors import ConfigurationError, MatchbookError
from phase4_ring._ring import ffi, lib
from phase4_ring.journal import Journal

STAGES: Final = ("match", "journal")
MOST_BATCH: Final = 2**20
_STATES: Final = {
    lib.STAGE_ABSENT: "not started",
    lib.STAGE_RUNNING: "running",
    lib.STAGE_DRAINED: "drained",
    lib.STAGE_ABORTED: "aborted",
    lib.STAGE_FAILED: "failed",
}
_MEANINGS: Final = {
    lib.FAILED_ENGINE_STUCK: " (the engine consumes nothing)",
    lib.FAILED_EVENTS_CLOSED: " (the event ring is full and closed)",
}


class StageFailedError(MatchbookError):
    """A stage of a pipeline could not go on, and so none of them does.

    Attributes:
        stage: its name.
        code: what it returned.
        cursor: the first command that it did not finish.

    Of a journal, ``__cause__`` is what the journal says of the code.
    """

    def __init__(self, stage: str, code: int, cursor: int, cause: Exception | None = None) -> None:
        self.stage, self.code, self.cursor = stage, code, cursor
        self.__cause__ = cause
        meaning = _MEANINGS.get(code, "") if cause is None else f": {cause}"
        super().__init__(
            f"stage {stage!r} failed at command {cursor + 1} with code {code}{meaning}"
        )


class StageStats(NamedTuple):
    """Counters of a stage since its start; each is exact, together they are a moment apart."""

    name: str
    state: str
    pinned_core: int
    cursor: int
    commands: int
    events: int
    batches: int
    largest_batch: int
    spilled: int
    busy_ns: int
    idle_ns: int
    blocked_ns: int
    dead_producers: int


def read_stage(pipeline: Any, number: int) -> StageStats:
    """The counters of one stage of a pipeline in C, whether it runs or not."""
    stats = ffi.new("stage_stats *")
    lib.pipeline_stage(pipeline, number, stats)
    return StageStats(
        STAGES[number],
        _STATES[stats.state],
        stats.pinned,
        stats.cursor,
        stats.commands,
        stats.events,
        stats.batches,
        stats.largest_batch,
        stats.spilled,
        stats.busy_ns,
        stats.idle_ns,
        stats.blocked_ns,
        stats.dead_producers,
    )


def read_failure(pipeline: Any, number: int, journal: Journal | None) -> StageFailedError:
    """What the stage that failed first failed with."""
    stats = ffi.new("stage_stats *")
    lib.pipeline_stage(pipeline, number, stats)
    cause = None
    if journal is not None and number == lib.STAGE_JOURNAL:
        cause = journal.failure(stats.code)
    return StageFailedError(STAGES[number], stats.code, stats.cursor, cause)


def stage_options(
    wait: int, batches: tuple[int, int], match_core: int | None, journal_core: int | None
) -> Any:
    """``pipeline_options`` of c/pipeline.h, but for ``spill_events``: the book says that.

    Raises:
        ConfigurationError: a batch is out of range.
    """
    for name, size in zip(("batch", "journal_batch"), batches, strict=True):
        if not 1 <= size <= MOST_BATCH:
            raise ConfigurationError(f"{name} {size} is not 1 to {MOST_BATCH}")
    cores = {"match_core": match_core, "journal_core": journal_core}
    return ffi.new(
        "pipeline_options *",
        {
            "strategy": wait,
            "batch": batches[0],
            "journal_batch": batches[1],
            "spill_events": 2,
            **{name: -1 if core is None else core for name, core in cores.items()},
        },
    )
