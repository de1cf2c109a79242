"""The pinned pipeline: an engine on a thread of its own, between two rings.

::

    gateways ─▶ [sequencer] ─┬▶ journal ──(gate)─┐
                             │                   ▼
                             └▶ match ─▶ [event ring] ─▶ subscriber

The stages are threads in C. Python starts them, talks to the rings, reads the counters, and joins
them; it holds the interpreter's lock during none of that.
"""

from __future__ import annotations

import os
import threading
import weakref
from functools import partial
from typing import Any, Final, Self

import numpy as np

from contract.engine import BatchResult
from contract.errors import ConfigurationError, MatchbookError
from contract.native import NativeEngine
from contract.records import EVENT_DTYPE, RecordArray
from phase4_ring._ring import ffi, lib
from phase4_ring.boundary import (
    CURSORS,
    check_count,
    timeout_ns,
    wait_code,
    wait_in_slices,
    whole_records,
)
from phase4_ring.journal import Journal, check_journal
from phase4_ring.ring import SpscRing
from phase4_ring.sequencer import DeadClaim, Producer, Sequencer
from phase4_ring.shared_names import RingInUseError
from phase4_ring.stages import (
    STAGES,
    StageFailedError,
    StageStats,
    read_failure,
    read_stage,
    stage_options,
)
from phase4_ring.traffic import Traffic, TrafficPlan, run_traffic

__all__ = ["STAGES", "Pipeline", "StageFailedError"]

DEFAULT_BATCH: Final = 64
DEFAULT_EVENT_SLOTS: Final = 8192


class Pipeline:
    """Rings, stages and a book, run from Python.

    Args:
        engine: whose book the match stage drives: any engine in C. It is lent until ``stop``; its
            views work while the pipeline is at rest, and raise while it is not.
        commands: the inbound ring, or a number of slots for a private one.
        events: the outbound ring, likewise. Shared under a name only without a journal: the gate
            between them is in ``receive``, and another process would read past it.
        journal: a second consumer of the commands; events are withheld until it has theirs. One
            that has commands already wants a ring that goes on after them; a private one does.
        wait: how the stages wait, and how private rings are made: ``"park"``, ``"yield"``,
            ``"spin"``.
        match_core, journal_core: cores to pin the stages to; None leaves that to the system.
        batch: most commands between two hand-overs.
        journal_batch: most commands that the journal takes at once; None: as many.

    >>> from contract import Side, new
    >>> from contract.records import to_events
    >>> from phase2_arena import Engine
    >>> with Pipeline(Engine(capacity=1_000)).start() as pipeline:
    ...     _ = pipeline.producer().push(new(1, Side.BID, price=100, quantity=5).pack())
    ...     [event] = to_events(pipeline.receive(timeout_s=10))
    >>> print(event)
    1: accepted #1 bid 5 @ 100, leaves 5
    """

    def __init__(
        self,
        engine: NativeEngine,
        *,
        commands: Sequencer | int = 8192,
        events: SpscRing | int = DEFAULT_EVENT_SLOTS,
        journal: Journal | None = None,
        wait: str = "park",
        match_core: int | None = None,
        journal_core: int | None = None,
        batch: int = DEFAULT_BATCH,
        journal_batch: int | None = None,
    ) -> None:
        self.engine = engine
        if not isinstance(commands, Sequencer):
            last = None if journal is None else journal.sequence
            commands = Sequencer(commands, wait=wait, start=last or 0)
        self.commands = commands
        self.events = events if isinstance(events, SpscRing) else SpscRing(events, wait=wait)
        self.journal = journal
        self._wait = wait_code(wait)
        self._started = False
        batches = batch, batch if journal_batch is None else journal_batch
        options = stage_options(self._wait, batches, match_core, journal_core)
        self._check_rings()
        if not isinstance(engine, NativeEngine):
            raise ConfigurationError(
                f"{type(engine).__name__} is no engine in C: it cannot be lent"
            )
        handles = self.commands.handle, self.events.handle
        append, context = journal.stage if journal is not None else (0, 0)
        made = ffi.new("pipeline **")
        lent = engine.lend(self._check_rest)  # from here on nothing raises but a refusal
        options.spill_events = lent.most_events
        code = lib.pipeline_new(
            *handles,
            ffi.cast("pipeline_apply", lent.apply),
            ffi.cast("book *", lent.book),
            ffi.cast("pipeline_journal", append),
            ffi.cast("void *", context),
            options,
            made,
        )
        if code:
            engine.take_back()
            self._raise_refusal(code)
        # If nobody stops it, the collector does, while everything the stages use is still there:
        # the finalizer holds on to it.
        kept = (*handles, engine._book, journal)
        self._pid = os.getpid()
        self._exchanging = threading.Lock()
        # Freed when nobody is in it any more: a subscriber may still wait in C while we close.
        self._pipeline: Any = ffi.gc(made[0], partial(_free, kept=kept, pid=self._pid))
        self._finalizer = weakref.finalize(self, _end, self._pipeline, self._pid)
        for used in self._uses():
            used.users.add(self)

    # --- life ------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the stages. Once only."""
        if self._started:
            raise ValueError("a pipeline starts once")
        failed = lib.pipeline_start(self._open())
        if failed:
            raise ConfigurationError(f"no thread could be started: {os.strerror(-failed)}")
        self._started = True
        return self

    def stop(self, timeout_s: float = 10.0) -> None:
        """Take no more commands, let what is queued be matched, and join the stages.

        Events stay in their ring and can be received afterwards. If the event ring is full and
        nobody receives, the stages cannot end: after the time-out they are aborted.

        Raises:
            StageFailedError: a stage failed.
            TimeoutError: they did not drain in time, and were aborted; says what was left.
        """
        if not self._started:
            return
        pipeline, most_ns = self._open(), timeout_ns(timeout_s)
        lib.pipeline_close(pipeline)
        if lib.pipeline_join(pipeline, most_ns) != lib.WAIT_READY:
            left = (self.commands.claimed - self.commands.gate) % CURSORS
            self.abort()
            why = "is anybody receiving events?"
            if len(self.events) < self.events.capacity:
                why = "is a claim of a living producer not published?"
            raise TimeoutError(f"{left} commands were left after {timeout_s} s; {why}")
        self.check_stages()

    def abort(self) -> None:
        """End the stages at once; commands that are not begun stay in their ring.

        If a command's events are just being handed over piece by piece, because they are more than
        the event ring has room for, the rest of them is lost.
        """
        pipeline = self._open()
        lib.pipeline_abort(pipeline)
        lib.pipeline_join(pipeline, CURSORS - 1)

    def close(self) -> None:
        """Abort if still running, free everything, and give the engine its book back."""
        if self._finalizer.detach() is not None:
            _end(self._pipeline, self._pid)
            self._pipeline = None
            self.engine.take_back()
            for used in self._uses():
                used.users.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- commands in, events out -----------------------------------------------------------

    def producer(self, **options: Any) -> Producer:
        """A gateway's way in; one for each thread."""
        return self.commands.producer(**options)

    def receive(self, most: int = DEFAULT_EVENT_SLOTS, timeout_s: float | None = 0) -> RecordArray:
        """Events in order, up to ``most``; shape (n,) of ``EVENT_DTYPE``. One subscriber.

        Waits up to ``timeout_s`` for the first one. None at all: time is up, or the stages have
        ended and everything is received.

        Raises:
            StageFailedError: there is nothing more to receive, because a stage failed.
        """
        pipeline = self._open()
        out = np.empty(check_count(most, "most"), EVENT_DTYPE)
        wait_in_slices(
            lambda most_ns: int(lib.pipeline_wait_events(pipeline, self._wait, most_ns)),
            timeout_s,
            lambda: None,
        )
        count = lib.pipeline_receive(
            pipeline, ffi.cast("event_record *", ffi.from_buffer(out)), most
        )
        if count == 0 and self.is_over():
            self.check_stages()
        return out[:count]

    def is_over(self) -> bool:
        """Whether the stages have ended and everything is received."""
        # Closed alone does not mean over: the journal may not be as far as match was.
        return self.events.closed and bool(
            lib.pipeline_wait_events(self._open(), self._wait, 0) == lib.WAIT_CLOSED
        )

    def run(
        self,
        producer: Producer,
        commands: Any,
        events: RecordArray,
        *,
        per_second: float = 0,
        burst: int = DEFAULT_BATCH,
        core: int | None = None,
        latency: bool = False,
        timeout_s: float = 10.0,
    ) -> Traffic:
        """Send all commands and receive all their events, in one loop in C in this thread.

        Args:
            events: room for all of them.
            per_second: open loop: each command is due at its time, whatever became of those
                before it, and its events' latency counts from then. 0: as fast as they go.
            burst: most commands in one push.
            core: pin this thread there; it stays there.
            latency: whether to take the time of each event.

        Raises:
            ValueError: there are more events than room for them, a buffer is not whole records,
                or the producer is not one of this pipeline's.
            StageFailedError: a stage failed meanwhile.
            MatchbookError: the pipeline has been stopped.
            TimeoutError: no event came for ``timeout_s``, nor room for a command.
        """
        if burst < 1:
            raise ValueError(f"burst {burst} is not 1 or more")
        if not per_second >= 0:
            raise ValueError(f"per_second {per_second} is not 0 or more")
        plan = TrafficPlan(per_second, burst, -1 if core is None else core, timeout_s, latency)
        number = self._place_of(producer)
        state, traffic = run_traffic(self._open(), number, commands, events, plan)
        if state == lib.TRAFFIC_NO_ROOM:
            raise ValueError(f"events has room for {len(traffic.events)}, and there are more")
        if state == lib.WAIT_CLOSED:
            self.check_stages()
            raise MatchbookError("the pipeline has been stopped")
        if state == lib.WAIT_TIMEOUT:
            raise TimeoutError(f"no event for {timeout_s} s after {len(traffic.events)} events")
        return traffic

    def exchange(self, producer: Producer, commands: Any, events: Any) -> BatchResult:
        """What ``apply_batch`` promises, through the rings: for a caller who is alone with it.

        Raises:
            ValueError: a buffer is not whole records, or events not writable; the producer is not
                one of this pipeline's; the pipeline has a journal, which would keep what is taken
                back; or earlier commands or their events are still under way.
            StageFailedError: a stage failed.
            MatchbookError: the pipeline has been stopped.
        """
        source, command_count = whole_records(commands)
        target, event_room = whole_records(events, writable=True)
        written = ffi.new("size_t *")
        pipeline, place = self._open(), self._place_of(producer)
        if not self._exchanging.acquire(blocking=False):
            raise ValueError("another thread is at an exchange: it wants the pipeline to itself")
        try:
            consumed = lib.pipeline_exchange(
                pipeline,
                place,
                ffi.cast("command_record *", source),
                command_count,
                ffi.cast("event_record *", target),
                event_room,
                written,
            )
        finally:
            self._exchanging.release()
        if consumed == lib.EXCHANGE_JOURNALED:
            raise ValueError("commands that do not fit cannot be taken back from a journal")
        if consumed == lib.EXCHANGE_NOT_AT_REST:
            raise ValueError("receive() the events of all earlier commands first")
        if consumed < 0:
            self.check_stages()
            raise MatchbookError("the pipeline has been stopped")
        return BatchResult(consumed, written[0])

    # --- watching --------------------------------------------------------------------------

    def stages(self) -> list[StageStats]:
        """Counters of every stage, read while they run."""
        names = STAGES if self.journal is not None else STAGES[:1]
        return [read_stage(self._open(), number) for number in range(len(names))]

    def dead_claims(self) -> list[DeadClaim]:
        """Claims of processes that died before publishing, which were filled with void commands."""
        claim = ffi.new("dead_claim *")
        found: list[DeadClaim] = []
        while lib.pipeline_dead_claim(self._open(), len(found), claim):
            found.append(DeadClaim(claim.cursor, claim.end, claim.pid, claim.producer))
        return found

    def check_stages(self) -> None:
        """Raise what a stage failed with, if one did.

        Raises:
            StageFailedError: names the stage, its code and the command.
        """
        number = lib.pipeline_failure(self._open())
        if number >= 0:
            raise read_failure(self._open(), number, self.journal)

    def at_rest(self) -> bool:
        """Whether all that was pushed is matched: nobody changes the book until the next push."""
        if not self._started:
            return True
        return self.commands.consumers()[0] == self.commands.claimed or (
            self.stages()[0].state != "running"
        )

    def _place_of(self, producer: Producer) -> int:
        if producer.home is not self.commands:
            raise ValueError("this producer belongs to another sequencer")
        if not self._started:
            raise ValueError("start() this pipeline first")
        producer.check_ready()
        return producer.number

    def _uses(self) -> list[Any]:
        return [it for it in (self.commands, self.events, self.journal) if it is not None]

    def _check_rings(self) -> None:
        if self.journal is not None:
            check_journal(self.journal, self.commands, self.events)
        if self.commands.users or self.events.users:
            raise RingInUseError("another pipeline of this process has these rings", os.getpid())

    def _raise_refusal(self, code: int) -> None:
        if code == lib.PIPELINE_NO_MEMORY:
            raise ConfigurationError("the machine has not enough memory for a pipeline")
        if code == lib.PIPELINE_IN_USE:
            numbers = range(len(self.commands.consumers()))
            pids = [self.events.pids()[0], *map(self.commands.consumer_pid, numbers)]
            pid = next((pid for pid in pids if pid > 0 and pid != os.getpid()), 0)
            raise RingInUseError(f"process {pid} drives these rings' stages already", pid)
        raise ConfigurationError("the sequencer has consumers that are not a pipeline's stages")

    def _check_rest(self) -> None:
        if not self.at_rest():
            raise MatchbookError("the book is being changed: wait until the pipeline is at rest")

    def _open(self) -> Any:
        if self._pipeline is None:
            raise MatchbookError("this pipeline is closed")
        if os.getpid() != self._pid:
            raise MatchbookError(
                f"this pipeline's threads are in process {self._pid}, not in its fork"
            )
        return self._pipeline


def _end(pipeline: Any, pid: int) -> None:
    if os.getpid() == pid:  # a forked child has the memory, but none of the threads
        lib.pipeline_abort(pipeline)
        lib.pipeline_join(pipeline, CURSORS - 1)


def _free(pipeline: Any, kept: object, pid: int) -> None:
    if os.getpid() == pid:
        lib.pipeline_free(pipeline)
