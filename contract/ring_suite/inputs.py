"""What is no batch of records is refused before anything has happened."""

from __future__ import annotations

from array import array
from typing import Any, Final

import numpy as np
import pytest

from contract.messages import RECORD_BYTES
from contract.records import COMMAND_DTYPE, EVENT_DTYPE
from contract.ring_suite.base import RingBase
from contract.ring_suite.records import make_rows

ROWS: Final = make_rows(0, 3).tobytes()


def kind(value: object) -> str:
    """How a buffer, or what is none, is called in the name of a test."""
    return type(value).__name__


class InputRules(RingBase):
    """What may be pushed, and what not."""

    @pytest.mark.parametrize("size", [1, 8, 63, 65, 127, 2 * RECORD_BYTES + 1])
    def test_no_whole_number_of_records(self, size: int) -> None:
        """Guards against a short last record, or against its whole neighbours half pushed."""
        with self.probe(8) as it:
            it.push(3)
            with pytest.raises(ValueError, match=f"{size} bytes"):
                it.ring.push(bytes(size))
            it.unchanged(f"push of {size} bytes, refused")
            it.push(3)
            it.drain()

    def test_no_whole_number_of_records_and_no_room(self) -> None:
        """Guards against a full ring that answers 0 to what it should refuse."""
        with self.probe(2) as it:
            it.push(2)
            with pytest.raises(ValueError, match="65 bytes"):
                it.ring.push(bytes(65))
            it.unchanged("push of 65 bytes, refused")

    def test_records_with_gaps_between_them(self) -> None:
        """Guards against memory between records that goes in with them."""
        with self.probe(8) as it:
            with pytest.raises(ValueError, match=r"one after the other|contiguous"):
                it.ring.push(make_rows(0, 4)[::2])
            it.unchanged("push of every other record, refused")

    @pytest.mark.parametrize(
        "what", [None, 7, 3.5, "x" * 64, [b"x" * 64], iter(b"x" * 64)], ids=kind
    )
    def test_no_buffer_at_all(self, what: Any) -> None:
        """Guards against a str or an int taken for memory."""
        with self.probe(8) as it:
            with pytest.raises(TypeError):
                it.ring.push(what)
            it.unchanged("push of no buffer, refused")

    @pytest.mark.parametrize(
        "buffer", [ROWS, bytearray(ROWS), memoryview(ROWS), array("Q", ROWS)], ids=kind
    )
    def test_any_buffer_of_whole_records(self, buffer: Any) -> None:
        """Guards against a ring that takes numpy's arrays alone, or needs to write to them."""
        rows = make_rows(0, 3)
        with self.bare(8) as ring:
            assert ring.push(buffer) == 3
            assert (ring.pop(3)[:, 8:] == rows[:, 8:]).all()

    @pytest.mark.parametrize("dtype", [COMMAND_DTYPE, EVENT_DTYPE], ids=["commands", "events"])
    def test_arrays_of_commands_and_events(self, dtype: Any) -> None:
        """Guards against structured arrays that have to be converted first."""
        records = np.zeros(5, dtype)
        records["order_id"] = np.arange(5) + 1
        with self.bare(8) as ring:
            assert ring.push(records) == 5
            assert ring.pop(5).view(records.dtype)["order_id"].ravel().tolist() == [1, 2, 3, 4, 5]

    def test_a_negative_number_of_records(self) -> None:
        """Guards against minus one that becomes 2**64 - 1 on its way to C."""
        with self.probe(8) as it:
            it.push(3)
            with pytest.raises(ValueError, match="-1"):
                it.ring.pop(-1)
            it.unchanged("pop -1, refused")
            it.drain()
