"""First in, first out: over many laps, across every edge, in any batches."""

from __future__ import annotations

import random

import pytest

from contract.ring_suite.base import EDGES, RingBase

every_start = pytest.mark.parametrize("start", [0, 1, 7, *EDGES])


class OrderRules(RingBase):
    """In which order records come out."""

    @every_start
    @pytest.mark.parametrize("capacity", [2, 8])
    def test_one_by_one_over_many_laps(self, capacity: int, start: int) -> None:
        """Guards against a record lost, doubled or out of place where a lap or a cursor ends."""
        with self.probe(capacity, start) as it:
            for _ in range(5 * capacity):
                it.push(1)
                it.pop(1)

    @every_start
    def test_it_stays_full_over_many_laps(self, start: int) -> None:
        """Guards against an end of a lap that is right only while the ring is nearly empty."""
        with self.probe(4, start) as it:
            it.push(4)
            for _ in range(5 * 4):
                it.pop(1)
                it.push(1)
            it.drain()

    @every_start
    @pytest.mark.parametrize("batch", [2, 3, 5, 7, 8])
    def test_batches_across_the_end_of_a_lap(self, batch: int, start: int) -> None:
        """Guards against a batch copied in one piece past the last slot."""
        with self.probe(8, start) as it:
            for _ in range(20):
                it.push(batch)
                it.pop(batch)
            it.drain()

    @every_start
    @pytest.mark.parametrize("last_in", [True, False])
    def test_unequal_batches(self, last_in: bool, start: int) -> None:
        """Guards against order that holds only if each push meets one pop of its size."""
        with self.probe(16, start) as it:
            pushes, pops = (5, 3) if last_in else (3, 5)
            for _ in range(40):
                it.push(pushes)
                it.pop(pops)
            it.drain()

    @pytest.mark.parametrize("seed", range(8))
    def test_any_batches(self, seed: int) -> None:
        """Guards against sizes that happen to fit; the seed is in the name of the test."""
        draw = random.Random(seed)
        capacity = draw.choice([2, 4, 32, 256])
        start = draw.choice([0, *EDGES])
        with self.probe(capacity, start) as it:
            for _ in range(300):
                if draw.random() < 0.5:
                    it.push(draw.randrange(capacity + 2))
                else:
                    it.pop(draw.randrange(capacity + 2))
            it.drain()
