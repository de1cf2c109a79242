"""Slots that the ring lends: records written and read where they lie."""

from __future__ import annotations

import pytest

from contract.ring_suite.base import EDGES, RingBase
from contract.ring_suite.records import as_list, make_rows

every_start = pytest.mark.parametrize("start", [0, *EDGES])


class ClaimRules(RingBase):
    """Claim, write, commit."""

    @every_start
    def test_claimed_slots_become_records(self, start: int) -> None:
        """Guards against a commit that hands over other slots than were claimed."""
        with self.probe(8, start) as it:
            for wanted in (1, 3, 8, 2, 5, 8, 7) * 3:
                it.claim(wanted, wanted)
                it.pop(wanted)
            it.drain()

    @every_start
    def test_two_claims_fill_the_ring(self, start: int) -> None:
        """Guards against free slots on the other side of a lap's end that no claim reaches."""
        with self.probe(8, start) as it:
            it.push(3)
            it.pop(3)
            assert it.claim(8, 8) + it.claim(8, 8) == 8
            assert it.claim(1, 1) == 0
            it.drain()

    def test_a_claim_without_commit_has_no_effect(self) -> None:
        """Guards against slots that are handed over, or lost, by the claim alone."""
        with self.probe(8) as it:
            for _ in range(20):
                assert it.claim(5, 0) == 0
                it.push(1)
                it.claim(8, 0)
                it.pop(1)
            it.drain()

    def test_a_part_of_a_claim(self) -> None:
        """Guards against a commit that hands over all of the claim, whatever it was told."""
        with self.probe(8) as it:
            for used in (1, 2, 3, 4):
                it.claim(4, used)
                it.pop(used)
            it.drain()

    def test_a_claim_in_several_commits(self) -> None:
        """Guards against a second commit that hands the first slots over again."""
        with self.bare(8) as ring:
            rows = make_rows(0, 7)
            ring.claim(7)[:] = rows
            for count in (1, 0, 4, 2):
                ring.commit(count)
            assert as_list(ring.pop(8)) == as_list(rows)

    def test_no_claim_in_a_full_ring(self) -> None:
        """Guards against a claim that lends slots with records in them."""
        with self.probe(4) as it:
            it.push(4)
            assert it.claim(4, 4) == 0
            it.pop(1)
            assert it.claim(4, 4) == 1
            it.drain()

    @pytest.mark.parametrize("count", [3, 8, -1])
    def test_more_than_was_claimed(self, count: int) -> None:
        """Guards against records nobody wrote, which the consumer would take for real."""
        with self.probe(8) as it:
            it.push(1)
            claimed = len(it.ring.claim(2))
            with pytest.raises(ValueError, match=str(count)):
                it.ring.commit(count)
            it.unchanged(f"commit of {count} of {claimed} claimed slots, refused")
            it.push(1)
            it.drain()

    def test_a_commit_uses_its_claim_up(self) -> None:
        """Guards against a second commit of the same claim."""
        with self.probe(8) as it:
            it.claim(2, 2)
            with pytest.raises(ValueError, match="1"):
                it.ring.commit(1)
            it.unchanged("commit of a slot committed before, refused")
            it.drain()

    def test_a_negative_claim(self) -> None:
        """Guards against minus one that becomes 2**64 - 1 on its way to C."""
        with self.probe(8) as it:
            with pytest.raises(ValueError, match="-1"):
                it.ring.claim(-1)
            it.unchanged("claim -1, refused")


class PeekRules(RingBase):
    """Peek, read, release."""

    @every_start
    def test_records_where_they_lie(self, start: int) -> None:
        """Guards against a peek at other slots than a pop would read."""
        with self.probe(8, start) as it:
            for wanted in (1, 3, 8, 2, 5, 8, 7) * 3:
                it.push(wanted)
                it.peek(wanted, wanted)
            it.drain()

    @every_start
    def test_two_peeks_empty_the_ring(self, start: int) -> None:
        """Guards against records on the other side of a lap's end that no peek reaches."""
        with self.probe(8, start) as it:
            it.push(3)
            it.pop(3)
            it.push(8)
            assert it.peek(8, 8) + it.peek(8, 8) == 8
            assert it.peek(1, 1) == 0

    def test_a_peek_without_release_has_no_effect(self) -> None:
        """Guards against records that leave the ring by being looked at."""
        with self.probe(8) as it:
            it.push(8)
            for _ in range(3):
                assert it.peek(8, 0) == 0
                assert it.push(1) == 0
            it.drain()

    def test_a_part_of_a_peek(self) -> None:
        """Guards against a release that gives back all of the peek, whatever it was told."""
        with self.probe(8) as it:
            for used in (1, 2, 3, 4):
                it.push(4)
                it.peek(4, used)
                it.drain()

    def test_a_peek_in_several_releases(self) -> None:
        """Guards against a second release that gives the first records back again."""
        with self.probe(8) as it:
            it.push(8)
            it.ring.peek(7)
            for count in (1, 0, 4, 2):
                it.ring.release(count)
                it.went_out(count, f"release {count}")
            it.push(7)
            it.drain()

    def test_peeked_slots_are_not_written_over(self) -> None:
        """Guards against a producer that takes what is being read for free."""
        with self.probe(4) as it:
            it.push(4)
            rows = it.ring.peek(4)
            kept = as_list(rows)
            assert it.ring.push(make_rows(77, 4)) == 0
            assert as_list(rows) == kept
            it.drain()

    def test_nobody_writes_through_a_peek(self) -> None:
        """Guards against a consumer that changes what others are still to read."""
        with self.probe(4) as it:
            it.push(2)
            with pytest.raises(ValueError, match="read-only"):
                it.ring.peek(2)[0, 0] = 1
            it.drain()

    @pytest.mark.parametrize("count", [3, 8, -1])
    def test_more_than_was_peeked(self, count: int) -> None:
        """Guards against slots given back that hold nothing, or what nobody has read."""
        with self.probe(8) as it:
            it.push(5)
            peeked = len(it.ring.peek(2))
            with pytest.raises(ValueError, match=str(count)):
                it.ring.release(count)
            it.unchanged(f"release of {count} of {peeked} peeked records, refused")
            it.drain()

    def test_a_release_uses_its_peek_up(self) -> None:
        """Guards against a second release of the same records."""
        with self.probe(8) as it:
            it.push(5)
            it.peek(2, 2)
            with pytest.raises(ValueError, match="1"):
                it.ring.release(1)
            it.unchanged("release of a record released before, refused")
            it.drain()
