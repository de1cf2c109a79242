"""Rings that take what they should refuse, and rings that end badly."""

from __future__ import annotations

from typing import Any

import numpy as np

from contract.messages import RECORD_BYTES
from contract.ring import CURSORS, Rows
from contract.ring_suite.broken.base import Broken


class TakesAnyCapacity(Broken):
    """Slots by mask, capacities by whoever asks."""

    caught_by = "test_a_capacity_that_is_no_power_of_two"
    in_machine = False

    def _is_possible(self, capacity: int) -> bool:
        return 0 < capacity < 2**20


class PadsFragments(Broken):
    """A last record that is short is filled up."""

    caught_by = "test_no_whole_number_of_records"

    def push(self, records: Any) -> int:
        data = memoryview(records).cast("B").tobytes() if not isinstance(records, str) else b""
        return super().push(data + bytes(-len(data) % RECORD_BYTES))


class PushesTheWholePartOfFragments(Broken):
    """The error is right, and the whole records before the fragment are in the ring."""

    caught_by = "test_no_whole_number_of_records"

    def push(self, records: Any) -> int:
        if isinstance(records, bytes) and len(records) % RECORD_BYTES:
            super().push(records[: len(records) - len(records) % RECORD_BYTES])
        return super().push(records)


class AnswersFullBeforeItLooks(Broken):
    """A full ring says 0 to what is no record."""

    caught_by = "test_no_whole_number_of_records_and_no_room"

    def push(self, records: Any) -> int:
        return super().push(records) if self._free() or self.closed else 0


class TakesMemoryWithGaps(Broken):
    """Whatever numpy can make records of."""

    caught_by = "test_records_with_gaps_between_them"
    in_machine = False

    def push(self, records: Any) -> int:
        is_array = isinstance(records, np.ndarray)
        return super().push(np.ascontiguousarray(records) if is_array else records)


class TakesText(Broken):
    """A str as if it were bytes."""

    caught_by = "test_no_buffer_at_all"
    in_machine = False

    def push(self, records: Any) -> int:
        return super().push(records.encode() if isinstance(records, str) else records)


class TakesArraysAlone(Broken):
    """Whatever has the shape of rows, and nothing else."""

    caught_by = "test_any_buffer_of_whole_records"
    in_machine = False

    def push(self, records: Any) -> int:
        if isinstance(records, memoryview | bytearray):
            raise TypeError("rows, please")
        return super().push(records)


class NegativeIsAll(Broken):
    """A pop of -1 takes everything, as a slice would."""

    caught_by = "test_a_negative_number_of_records"
    in_machine = False

    def pop(self, most: int) -> Rows:
        return super().pop(most % CURSORS)


class CloseThrowsAway(Broken):
    """A close empties the ring."""

    caught_by = "test_what_is_in_it_still_comes_out"

    def close(self) -> None:
        super().close()
        self.tail = self.head


class TakesMoreAfterTheClose(Broken):
    """Closed is a word."""

    caught_by = "test_nothing_more_goes_in"

    def push(self, records: Any) -> int:
        was, self.closed = self.closed, False
        try:
            return super().push(records)
        finally:
            self.closed = was


class SecondCloseOpens(Broken):
    """Close is a switch."""

    caught_by = "test_closing_twice"

    def close(self) -> None:
        super().close()
        self._closings = getattr(self, "_closings", 0) + 1
        self.closed = self._closings % 2 == 1


class IsOverTooEarly(Broken):
    """A closed ring counts as drained while there is still something in it."""

    caught_by = "test_a_look_for_records"

    def wait_items(self, timeout_s: float | None = None) -> bool:
        return super().wait_items(timeout_s) and not self.closed


class WaitsForRoomForEver(Broken):
    """A closed ring with room invites a push."""

    caught_by = "test_a_look_for_room"

    def wait_space(self, timeout_s: float | None = None) -> bool:
        return super().wait_space(timeout_s) or self._free() > 0
