"""Rings that lose, double or misplace records, or miscount what fits."""

from __future__ import annotations

from typing import Any

import numpy as np

from contract.messages import RECORD_BYTES
from contract.ring import CURSORS, RingClosedError, Rows, as_rows
from contract.ring_suite.broken.base import Broken


class KeepsOneSlotFree(Broken):
    """Full one record early, as rings are that compare head and tail by slot."""

    caught_by = "test_exactly_its_capacity_fits"

    def _free(self) -> int:
        return super()._free() - 1


class WritesOverWhenFull(Broken):
    """Always room: the oldest records are lost."""

    caught_by = "test_one_more_is_refused_and_nothing_is_lost"

    def _free(self) -> int:
        return CURSORS

    def _advance_head(self, count: int) -> None:
        super()._advance_head(count)
        while self._used() > self.capacity:
            self._advance_tail(1)


class RefusesBatchesThatDoNotFit(Broken):
    """All or nothing."""

    caught_by = "test_what_does_not_fit_is_cut_off_at_the_end"

    def push(self, records: Any) -> int:
        rows = as_rows(records)
        return super().push(rows) if len(rows) <= self._free() else 0


class CutsOffTheFront(Broken):
    """Of a batch that does not fit the last records go in, not the first."""

    caught_by = "test_what_does_not_fit_is_cut_off_at_the_end"

    def push(self, records: Any) -> int:
        rows = as_rows(records)
        return super().push(rows[len(rows) - min(len(rows), self._free()) :].copy())


class SaysThatAllWentIn(Broken):
    """The right records go in, and the caller is told that all did."""

    caught_by = "test_one_more_is_refused_and_nothing_is_lost"

    def push(self, records: Any) -> int:
        super().push(records)
        return len(as_rows(records))


class LastInFirstOut(Broken):
    """A stack."""

    caught_by = "test_unequal_batches"

    def _take(self, row: Rows) -> None:
        self._advance_head(-1)
        row[:] = self._slots[self._slot(self.head)]


class LosesOneAtTheEndOfALap(Broken):
    """The record in the last slot is passed over."""

    caught_by = "test_one_by_one_over_many_laps"

    def _put(self, row: Rows) -> None:
        if self._slot(self.head) != self.capacity - 1:
            super()._put(row)


class DoublesOneAtTheEndOfALap(Broken):
    """The record of slot 0 is what slot capacity - 1 held."""

    caught_by = "test_one_by_one_over_many_laps"

    def _take(self, row: Rows) -> None:
        super()._take(row)
        if self._slot(self.tail) == 1 and self.tail != (self._start + 1) % CURSORS:
            row[:] = self._slots[-1]


class CopiesPastTheLastSlot(Broken):
    """A batch in one piece: what should go on in slot 0 is cut off, and counted all the same."""

    caught_by = "test_batches_across_the_end_of_a_lap"

    def push(self, records: Any) -> int:
        rows = as_rows(records)
        count, slot = min(len(rows), self._free()), self._slot(self.head)
        if self.closed:
            raise RingClosedError("push into a closed ring")
        piece = rows[: min(count, self.capacity - slot)]
        self._slots[slot : slot + len(piece)] = piece
        self._advance_head(count)
        return count


class CountsIn32Bits(Broken):
    """Cursors that wrap at 2**32: full and empty go wrong there."""

    caught_by = "test_full_and_empty_differ_wherever_the_cursors_stand"

    def _advance_head(self, count: int) -> None:
        self.head = (self.head + count) % 2**32


class ComparesCursorsSigned(Broken):
    """Empty whenever the tail is the larger number: for a lap after 2**64."""

    caught_by = "test_full_and_empty_differ_wherever_the_cursors_stand"

    def _used(self) -> int:
        return max(self.head - self.tail, 0)


class ForgetsTheFirstRecord(Broken):
    """Slot 0 counts as empty until the first lap is over."""

    caught_by = "test_exactly_its_capacity_fits"

    def _used(self) -> int:
        used = super()._used()
        return 0 if self.head == (self._start + 1) % CURSORS else used


class HoldsOneBack(Broken):
    """The last record comes out only when another one follows."""

    caught_by = "test_exactly_its_capacity_fits"

    def pop(self, most: int) -> Rows:
        return super().pop(min(most, max(self._used() - 1, 0)))


class TakesTooMany(Broken):
    """A pop of more than there is makes records up from old slots."""

    caught_by = "test_more_is_wanted_than_there_is"

    def pop(self, most: int) -> Rows:
        rows = super().pop(most)
        missing = min(most, self.capacity) - len(rows)
        return np.concatenate([rows, np.zeros((missing, RECORD_BYTES), np.uint8)])


class FreesOnlyWholeLaps(Broken):
    """Slots are free again when the whole lap has been read."""

    caught_by = "test_each_slot_given_back_can_be_used_at_once"

    def _free(self) -> int:
        first = self.tail - (self.tail - self._start) % CURSORS % self.capacity
        return self.capacity - (self.head - first) % CURSORS


class DropsTheLastByte(Broken):
    """63 bytes of 64."""

    caught_by = "test_every_byte_comes_out_as_it_went_in"

    def _put(self, row: Rows) -> None:
        slot = self._slot(self.head)
        super()._put(row)
        self._slots[slot, -1] = 0


class LendsWhatItPops(Broken):
    """What is popped still lies in the slots."""

    caught_by = "test_what_was_popped_stays_as_it_is"
    in_machine = False

    def pop(self, most: int) -> Rows:
        if self._slot(self.tail) + min(most, self._used()) > self.capacity:
            return super().pop(most)
        slot, rows = self._slot(self.tail), super().pop(most)
        return self._slots[slot : slot + len(rows)]


class KeepsTheCallersBuffer(Broken):
    """Slots are views of what was pushed."""

    caught_by = "test_the_ring_keeps_a_copy_of_its_own"
    in_machine = False

    def push(self, records: Any) -> int:
        taken = super().push(records)
        self._borrowed = as_rows(records)[:taken]
        return taken

    def pop(self, most: int) -> Rows:
        self._slots[: len(self._borrowed)] = self._borrowed
        return super().pop(most)
