"""Empty, full, and the one record more."""

from __future__ import annotations

import numpy as np
import pytest

from contract.errors import ConfigurationError
from contract.messages import RECORD_BYTES
from contract.ring import as_rows
from contract.ring_suite.base import EDGES, RingBase
from contract.ring_suite.records import as_list, make_rows

capacities = pytest.mark.parametrize("capacity", [2, 4, 8, 64, 1024])


class FillRules(RingBase):
    """How much goes in and comes out."""

    @capacities
    def test_a_new_ring_is_empty(self, capacity: int) -> None:
        """Guards against slots that count as full before anything was pushed."""
        with self.probe(capacity) as it:
            assert it.pop(1) == 0
            assert it.pop(capacity) == 0

    @capacities
    def test_exactly_its_capacity_fits(self, capacity: int) -> None:
        """Guards against the slot that is kept free to tell full from empty."""
        with self.probe(capacity) as it:
            assert [it.push(1) for _ in range(capacity)] == [1] * capacity
            it.drain()

    @capacities
    def test_one_more_is_refused_and_nothing_is_lost(self, capacity: int) -> None:
        """Guards against a push that writes over the oldest record when there is no room."""
        with self.probe(capacity) as it:
            it.push(capacity)
            assert it.push(1) == 0
            assert it.push(capacity) == 0
            it.drain()

    @capacities
    def test_what_does_not_fit_is_cut_off_at_the_end(self, capacity: int) -> None:
        """Guards against a batch that is refused as a whole, or of which the wrong part goes in."""
        with self.probe(capacity) as it:
            it.push(capacity // 2)
            assert it.push(10 * capacity) == capacity - capacity // 2
            it.drain()

    @pytest.mark.parametrize("start", [0, *EDGES])
    def test_full_and_empty_differ_wherever_the_cursors_stand(self, start: int) -> None:
        """Guards against head and tail compared by slot, where full and empty look the same."""
        with self.probe(4, start) as it:
            for _ in range(9):
                it.push(4)
                assert it.push(1) == 0
                it.pop(4)
                assert it.pop(1) == 0
                it.push(1)
                it.pop(1)

    def test_each_slot_given_back_can_be_used_at_once(self) -> None:
        """Guards against slots that are free only after a whole lap, or a whole batch."""
        with self.probe(8) as it:
            it.push(8)
            for _ in range(3 * 8):
                assert it.pop(1) == 1
                assert it.push(2) == 1
            it.drain()

    def test_nothing_pushed_and_nothing_wanted(self) -> None:
        """Guards against an empty batch that counts as one record, or as an error."""
        with self.probe(8) as it:
            assert it.push(0) == 0
            assert it.pop(0) == 0
            it.push(3)
            assert it.push(0) == 0
            assert it.pop(0) == 0
            it.drain()

    def test_more_is_wanted_than_there_is(self) -> None:
        """Guards against a pop that waits for, or makes up, what is not there."""
        with self.probe(8) as it:
            it.push(3)
            assert it.pop(1_000) == 3
            assert it.pop(1_000) == 0

    def test_every_byte_comes_out_as_it_went_in(self) -> None:
        """Guards against a field that is not copied, or is turned round on the way."""
        with self.bare(256) as ring:
            rows = np.arange(256 * RECORD_BYTES, dtype=np.uint32).reshape(-1, RECORD_BYTES)
            rows = (rows * 2_654_435_761 >> 13).astype(np.uint8)
            assert ring.push(rows) == 256
            kept = slice(8, None) if self.numbers else slice(None)
            assert (ring.pop(256)[:, kept] == rows[:, kept]).all()

    def test_the_ring_keeps_a_copy_of_its_own(self) -> None:
        """Guards against slots that still lie in the caller's buffer."""
        with self.bare(8) as ring:
            rows = make_rows(0, 3)
            kept = rows.copy()
            ring.push(rows)
            rows[:] = 0xFF
            assert (ring.pop(3)[:, 8:] == kept[:, 8:]).all()

    def test_what_was_popped_stays_as_it_is(self) -> None:
        """Guards against a pop that lends slots, which the next lap then writes over."""
        with self.bare(2) as ring:
            ring.push(make_rows(0, 2))
            popped = ring.pop(2)
            kept = as_list(popped)
            ring.push(make_rows(2, 2))
            assert as_list(popped) == kept
            popped[:] = 0xFF
            assert as_list(ring.pop(2)) == as_list(self._given_out(2, 2))

    @pytest.mark.parametrize("capacity", [0, 1, 3, 5, 6, 7, 12, 100, 2**20 - 1, -8, 2**33, 2**64])
    def test_a_capacity_that_is_no_power_of_two(self, capacity: int) -> None:
        """Guards against a mask that skips slots; the error names the capacity."""
        with pytest.raises(ConfigurationError, match=str(capacity)):
            self.dispose(self.make(capacity, 0))

    def _given_out(self, first: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Records as a ring from cursor 0 gives them out."""
        rows = make_rows(first, count)
        if self.numbers:
            rows.view(np.uint64)[:, 0] = np.arange(first + 1, first + count + 1)
        return as_rows(rows)
