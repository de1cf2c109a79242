"""What a pipeline asks of a journal, beside taking commands: where it ends, and what is wrong."""

from __future__ import annotations

import pytest

from contract import Side, new
from contract.errors import ConfigurationError
from contract.records import RecordArray, to_command_array
from phase3_sorted import Engine
from phase4_ring import Pipeline, Sequencer
from phase4_ring.conftest import TIME_LIMIT_S, until
from phase4_ring.journal import MemoryJournal
from phase4_ring.stages import StageFailedError


def bids(count: int) -> RecordArray:
    """Orders that rest: one event each."""
    return to_command_array(new(1 + i, Side.BID, 100, 5) for i in range(count))


class LaterJournal(MemoryJournal):
    """A journal that has five commands already."""

    sequence = 5


def test_the_ring_goes_on_where_the_journal_ends() -> None:
    """Guards against a restart that numbers from 1 again, over the commands that are there."""
    journal = LaterJournal(10)
    with Pipeline(Engine(capacity=10), journal=journal).start() as pipeline:
        assert pipeline.commands.start == 5
        pipeline.producer().push(bids(2))
        assert len(pipeline.receive(1, timeout_s=TIME_LIMIT_S)) == 1
        pipeline.stop()
    assert [int.from_bytes(journal.records()[at : at + 8], "little") for at in (0, 64)] == [6, 7]


def test_a_ring_that_does_not() -> None:
    """Guards against a hole in the journal, or two commands of one number."""
    engine = Engine(capacity=10)
    for start in (0, 4, 6):
        message = f"ends after command 5, and the ring goes on after command {start}"
        with pytest.raises(ConfigurationError, match=message):
            Pipeline(engine, commands=Sequencer(8, start=start), journal=LaterJournal(10))
    Pipeline(engine, commands=Sequencer(8, start=5), journal=LaterJournal(10)).close()
    Pipeline(engine, commands=Sequencer(8, start=4), journal=MemoryJournal(10)).close()


def test_a_failure_says_what_the_journal_says() -> None:
    """Guards against a bare code, where the journal knows what has happened."""
    with Pipeline(Engine(capacity=10), journal=MemoryJournal(0)).start() as pipeline:
        pipeline.producer().push(bids(1))
        message = "command 1 with code -1: the journal is full: 0 commands"
        with pytest.raises(StageFailedError, match=message) as failed:
            pipeline.receive(timeout_s=TIME_LIMIT_S)
        assert str(failed.value.__cause__) == "the journal is full: 0 commands (code -1)"


@pytest.mark.parametrize(("journal_batch", "largest"), [(None, 3), (2, 2), (5, 5)])
def test_the_journal_s_batches_are_its_own(journal_batch: int | None, largest: int) -> None:
    """Guards against a commit for every few commands because match hands over so often."""
    with Pipeline(
        Engine(capacity=100),
        journal=MemoryJournal(100),
        batch=3,
        journal_batch=journal_batch,
        commands=64,
    ) as pipeline:
        pipeline.producer().push(bids(50))  # they lie there before anybody starts
        pipeline.start()
        until(lambda: pipeline.stages()[1].commands == 50)
        match, journaling = pipeline.stages()
        assert (match.largest_batch, journaling.largest_batch) == (3, largest)


@pytest.mark.parametrize("journal_batch", [0, 2**20 + 1])
def test_batches_that_are_none(journal_batch: int) -> None:
    """Guards against a batch of nothing, which takes nothing for ever."""
    with pytest.raises(ConfigurationError, match=f"journal_batch {journal_batch} is not 1"):
        Pipeline(Engine(capacity=10), journal=MemoryJournal(10), journal_batch=journal_batch)
