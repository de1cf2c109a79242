"""Rings that lend the wrong slots, or take them back wrongly."""

from __future__ import annotations

from contract.ring import CURSORS, Rows
from contract.ring_suite.broken.base import Broken


class ClaimIsEnough(Broken):
    """Claimed slots are in the ring at once."""

    caught_by = "test_a_claim_without_commit_has_no_effect"

    def claim(self, wanted: int) -> Rows:
        slots = super().claim(wanted)
        super().commit(len(slots))
        return slots

    def commit(self, count: int) -> None:
        """It has happened."""


class ClaimMovesOn(Broken):
    """A claim that is not committed leaves a hole: the next one lends the slots behind it."""

    caught_by = "test_a_claim_without_commit_has_no_effect"
    _abandoned = 0

    def claim(self, wanted: int) -> Rows:
        self._abandoned += self._claimed
        count = len(super().claim(wanted))
        slot = self._slot(self.head + self._abandoned)
        self._claimed = min(count, self.capacity - slot)
        return self._slots[slot : slot + self._claimed]


class CommitsAllOfTheClaim(Broken):
    """Whatever was claimed is handed over."""

    caught_by = "test_a_part_of_a_claim"

    def commit(self, count: int) -> None:
        if not 0 <= count <= self._claimed:
            raise ValueError(f"commit of {count} slots")
        super().commit(self._claimed)


class ClaimsFullSlots(Broken):
    """A claim does not look whether the slots are free."""

    caught_by = "test_no_claim_in_a_full_ring"

    def claim(self, wanted: int) -> Rows:
        slot = self._slot(self.head)
        self._claimed = min(wanted, self.capacity - slot)
        return self._slots[slot : slot + self._claimed]


class CommitsWhatWasNotClaimed(Broken):
    """A commit does not know what was claimed."""

    caught_by = "test_more_than_was_claimed"
    in_machine = False

    def commit(self, count: int) -> None:
        self._claimed = max(count, 0)
        super().commit(max(count, 0))


class CommitEndsTheClaim(Broken):
    """What one commit leaves of a claim cannot be committed any more."""

    caught_by = "test_a_claim_in_several_commits"
    in_machine = False

    def commit(self, count: int) -> None:
        super().commit(count)
        self._claimed = 0


class CommitsTwice(Broken):
    """A claim is good for any number of commits."""

    caught_by = "test_a_commit_uses_its_claim_up"
    in_machine = False

    def commit(self, count: int) -> None:
        claimed = self._claimed
        super().commit(count)
        self._claimed = claimed


class PeekTakesOut(Broken):
    """What was looked at is gone."""

    caught_by = "test_a_peek_without_release_has_no_effect"

    def peek(self, wanted: int) -> Rows:
        rows = super().peek(wanted)
        self._advance_tail(len(rows))
        return rows

    def release(self, count: int) -> None:
        """It has happened."""


class ReleasesAllOfThePeek(Broken):
    """Whatever was peeked at is given back."""

    caught_by = "test_a_part_of_a_peek"

    def release(self, count: int) -> None:
        if not 0 <= count <= self._peeked:
            raise ValueError(f"release of {count} records")
        super().release(self._peeked)


class ReleasesTheFirstAgain(Broken):
    """A release counts from the peek, not from the release before it."""

    caught_by = "test_a_peek_in_several_releases"
    in_machine = False

    def peek(self, wanted: int) -> Rows:
        self._peeked_at = self.tail
        return super().peek(wanted)

    def release(self, count: int) -> None:
        super().release(count)
        self.tail = (self._peeked_at + count) % CURSORS


class PeeksPastTheLap(Broken):
    """A peek that would cross the end of a lap finds nothing there."""

    caught_by = "test_two_peeks_empty_the_ring"

    def peek(self, wanted: int) -> Rows:
        crosses = self._slot(self.tail) + min(wanted, self._used()) > self.capacity
        return super().peek(0 if crosses else wanted)


class LendsForWriting(Broken):
    """Whoever peeks may write."""

    caught_by = "test_nobody_writes_through_a_peek"
    in_machine = False

    def peek(self, wanted: int) -> Rows:
        slot = self._slot(self.tail)
        return self._slots[slot : slot + len(super().peek(wanted))]


class ReleasesWhatWasNotPeeked(Broken):
    """A release does not know what was peeked at."""

    caught_by = "test_more_than_was_peeked"
    in_machine = False

    def release(self, count: int) -> None:
        self._peeked = max(count, 0)
        super().release(max(count, 0))


class ReleasesTwice(Broken):
    """A peek is good for any number of releases."""

    caught_by = "test_a_release_uses_its_peek_up"
    in_machine = False

    def release(self, count: int) -> None:
        peeked = self._peeked
        super().release(count)
        self._peeked = peeked
