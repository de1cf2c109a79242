"""The end: nothing more goes in, all that is in comes out."""

from __future__ import annotations

import pytest

from contract.ring import RingClosedError
from contract.ring_suite.base import EDGES, RingBase
from contract.ring_suite.records import make_rows


class CloseRules(RingBase):
    """Closing, and what a look without waiting says before and after."""

    @pytest.mark.parametrize("start", [0, *EDGES])
    def test_what_is_in_it_still_comes_out(self, start: int) -> None:
        """Guards against records that a close throws away."""
        with self.probe(8, start) as it:
            it.push(5)
            it.pop(2)
            it.close()
            it.pop(1)
            it.drain()

    @pytest.mark.parametrize("inside", [0, 3, 8])
    def test_nothing_more_goes_in(self, inside: int) -> None:
        """Guards against records after the end, which nobody would take out any more."""
        with self.probe(8) as it:
            it.push(inside)
            it.close()
            with pytest.raises(RingClosedError):
                it.ring.push(make_rows(99, 1))
            it.unchanged("push after the close, refused")
            it.drain()

    def test_closing_twice(self) -> None:
        """Guards against a second close that opens the ring, or fails."""
        with self.probe(8) as it:
            it.push(1)
            it.close()
            it.close()
            it.drain()
            it.close()

    @pytest.mark.parametrize("timeout_s", [0, 0.0, 0.001])
    def test_a_look_for_records(self, timeout_s: float) -> None:
        """Guards against a wait that says ready where a pop then finds nothing, or never ends."""
        with self.probe(2) as it:
            assert it.ring.wait_items(timeout_s) is False
            it.push(1)
            assert it.ring.wait_items(timeout_s) is True
            it.close()
            assert it.ring.wait_items(timeout_s) is True, "there is still a record in it"
            it.pop(1)
            assert it.ring.wait_items(timeout_s) is False

    @pytest.mark.parametrize("timeout_s", [0, 0.0, 0.001])
    def test_a_look_for_room(self, timeout_s: float) -> None:
        """Guards against a wait that says ready where a push then finds no room, or never ends."""
        with self.probe(2) as it:
            assert it.ring.wait_space(timeout_s) is True
            it.push(2)
            assert it.ring.wait_space(timeout_s) is False
            it.pop(1)
            assert it.ring.wait_space(timeout_s) is True
            it.close()
            assert it.ring.wait_space(timeout_s) is False, "there is room, but it is closed"

    def test_a_wait_without_end_that_need_not_wait(self) -> None:
        """Guards against None taken for no time at all, or for a wait past the end."""
        with self.probe(2) as it:
            assert it.ring.wait_space(None) is True
            it.push(1)
            assert it.ring.wait_items(None) is True
            it.close()
            it.pop(1)
            assert it.ring.wait_items(None) is False
            assert it.ring.wait_space(None) is False
