"""Rings that go wrong between threads, and numbers that are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from contract.ring import CURSORS, RingClosedError, Rows, as_rows
from contract.ring_suite.broken.base import Broken, BrokenNumbering
from contract.ring_suite.threads import let_others_run


class CloseWakesNobody(Broken):
    """Who waits is not told of the end."""

    caught_by = "test_a_close_wakes_who_waits_for_records"
    in_machine = False

    def close(self) -> None:
        self.closed = True


class PushWakesNobody(Broken):
    """Who waits for records finds them when something else happens."""

    caught_by = "test_there_and_back"
    in_machine = False

    def _wake_consumer(self) -> None:
        pass


class PopWakesNobody(Broken):
    """Who waits for room finds it when something else happens."""

    caught_by = "test_all_that_goes_in_comes_out_in_order"
    in_machine = False

    def _wake_producer(self) -> None:
        pass


class ReadsEarly(Broken):
    """A record counts before it is written: between threads it comes out as it was a lap ago."""

    caught_by = "test_all_that_goes_in_comes_out_in_order"
    in_machine = False

    def push(self, records: Any) -> int:
        rows = as_rows(records)
        if self.closed:
            raise RingClosedError("push into a closed ring")
        count = min(len(rows), self._free())
        first = self.head
        with self._changed:
            self._advance_head(count)
            self._wake_consumer()
        for place in range(count):
            let_others_run(first % 50 == 0)
            self._slots[self._slot(first + place)] = rows[place]
        return count


class NumbersFromZero(BrokenNumbering):
    """The cursor itself, not the cursor plus one."""

    caught_by = "test_one_by_one_over_many_laps"

    def _put(self, row: Rows) -> None:
        slot = self._slot(self.head)
        super()._put(row)
        number = (self.head - 1) % CURSORS
        self._slots[slot, :8] = np.frombuffer(number.to_bytes(8, "little"), np.uint8)


class KeepsTheSendersNumber(BrokenNumbering):
    """A record that has a number already keeps it."""

    caught_by = "test_unequal_batches"

    def _put(self, row: Rows) -> None:
        slot = self._slot(self.head)
        super()._put(row)
        self._slots[slot, :8] = row[:8]


class ProducersMeet(BrokenNumbering):
    """No lock between finding a slot and moving on: two producers write the same one."""

    caught_by = "test_each_producer_keeps_its_order"
    in_machine = False

    def push(self, records: Any) -> int:
        rows = as_rows(records)
        if self.closed:
            raise RingClosedError("push into a closed ring")
        count = min(len(rows), self._free())
        for row in rows[:count]:
            before = self.head
            let_others_run(1)
            self._put(row)
            self.head = (before + 1) % CURSORS
        with self._changed:
            self._wake_consumer()
        return count


class OnePlaceTooFew(BrokenNumbering):
    """Places of producers who left are not given out again."""

    caught_by = "test_producers_come_and_go"
    in_machine = False
    _places = 64

    def producer(self) -> OnePlaceTooFew:
        if self._places == 0:
            raise RuntimeError("all places are taken")
        self._places -= 1
        return self


class SucceedsAfterTheEnd(BrokenNumbering):
    """The look whether it is closed, and the push, with a gap between them."""

    caught_by = "test_a_close_between_pushes"
    in_machine = False

    def push(self, records: Any) -> int:
        if self.closed:
            raise RingClosedError("push into a closed ring")
        let_others_run(3)
        rows = as_rows(records)
        with self._changed:
            count = min(len(rows), self._free())
            for row in rows[:count]:
                self._put(row)
            self._wake_consumer()
        return count
