"""The same commands in any batches, with room for any number of events: the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any

import pytest

from contract.engine import Engine
from contract.messages import (
    RECORD_BYTES,
    Command,
    SelfTrade,
    Side,
    TimeInForce,
    cancel,
    market,
    new,
)
from contract.suite.base import ContractBase
from contract.suite.flow import Flow, flow

BID, ASK = Side.BID, Side.ASK
COUNT = 400


def _flow() -> Flow:
    return flow("narrow", seed=1, count=COUNT)


class BatchRules(ContractBase):
    """Section 5, ``apply_batch``: a command is consumed if and only if its events fit."""

    @pytest.mark.parametrize("sizes", [(1,), (2, 1), (7, 64, 3), (COUNT,)], ids=str)
    @pytest.mark.parametrize("room", [8, 9, 31, 4096], ids=lambda room: f"room for {room}")
    def test_any_split_gives_the_same_bytes(self, sizes: tuple[int, ...], room: int) -> None:
        """Guards against events, or state, that depend on where a batch ends."""
        it = _flow()
        engine = self.engine_class(**it.limits)
        assert apply_in_batches(engine, it.records, sizes, room) == b"".join(it.events)
        assert engine.snapshot() == it.image
        engine.check()

    def test_stops_between_commands(self) -> None:
        """Guards against a command half reported: all its events, or it is not consumed."""
        setup = [new(i, ASK, 100, 1) for i in (1, 2, 3)]
        sweep = [market(9, BID, 3), cancel(77)]
        records = b"".join(command.pack() for command in setup + sweep)
        for room, want in ((0, (0, 0)), (2, (2, 2)), (3, (3, 3)), (6, (3, 3)), (7, (4, 7))):
            engine = self.book().engine
            assert engine.apply_batch(records, bytearray(room * RECORD_BYTES)) == want
            engine.check()
        engine = self.book().engine
        assert engine.apply_batch(records, bytearray(8 * RECORD_BYTES)) == (5, 8)

    @pytest.mark.parametrize("room", range(5))
    def test_without_room_nothing_changes(self, room: int) -> None:
        """Guards against a book changed by a command that will be sent again."""
        book = self.book()
        book.send(new(1, ASK, 100, 2, account=7), new(2, ASK, 100, 2), new(3, ASK, 101, 2))
        before = book.engine.snapshot()
        sweep = market(9, BID, 7, account=7, self_trade=2)
        events = bytearray(room * RECORD_BYTES)
        assert book.engine.apply_batch(sweep.pack(), events) == (0, 0)
        assert book.engine.snapshot() == before
        book.engine.check()
        assert len(book.send(sweep)) == 5

    @pytest.mark.parametrize("self_trade", [SelfTrade.CANCEL_NEWEST, SelfTrade.CANCEL_BOTH])
    @pytest.mark.parametrize("order", [market, partial(new, price=100)], ids=["market", "limit"])
    @pytest.mark.parametrize("time_in_force", [TimeInForce.IOC, TimeInForce.FOK])
    def test_a_stopped_order_needs_no_room_for_a_rest(
        self, time_in_force: TimeInForce, order: Callable[..., Command], self_trade: SelfTrade
    ) -> None:
        """Guards against counting an IOC cancellation for what self-trade prevention took off."""
        book = self.book()
        book.send(new(1, ASK, 100, 2), new(2, ASK, 100, 2, account=7))
        command = order(
            9, BID, quantity=3, account=7, self_trade=self_trade, time_in_force=time_in_force
        )
        twin = self.book()
        twin.send(new(1, ASK, 100, 2), new(2, ASK, 100, 2, account=7))
        needed = len(twin.send(command))
        events = bytearray(needed * RECORD_BYTES)
        assert book.engine.apply_batch(command.pack(), events[:-RECORD_BYTES]) == (0, 0)
        assert book.engine.apply_batch(command.pack(), events) == (1, needed)

    @pytest.mark.parametrize("room", range(6))
    def test_nothing_is_written_beyond_the_event_array(self, room: int) -> None:
        """Guards against the first event too many landing in somebody else's memory."""
        fence = b"\xa5" * RECORD_BYTES
        book = self.book()
        book.send(*(new(i, ASK, 100, 1) for i in range(1, 5)))
        memory = bytearray(fence + bytes(room * RECORD_BYTES) + fence)
        events = memoryview(memory)[RECORD_BYTES : (room + 1) * RECORD_BYTES]
        book.engine.apply_batch(market(9, BID, 4).pack(), events)
        assert memory[:RECORD_BYTES] == memory[-RECORD_BYTES:] == fence

    def test_an_empty_batch(self) -> None:
        """Guards against a buffer of length 0 taken for a wrong one."""
        engine = self.book().engine
        assert engine.apply_batch(b"", bytearray(RECORD_BYTES)) == (0, 0)
        assert engine.apply_batch(b"", bytearray()) == (0, 0)
        assert engine.event_sequence == 0

    def test_result_has_names(self) -> None:
        """Guards against mixing up the two numbers."""
        result = self.book().engine.apply_batch(cancel(1).pack() * 3, bytearray(2 * RECORD_BYTES))
        assert (result.consumed, result.written) == (2, 2)

    def test_commands_are_left_as_they_are(self) -> None:
        """Guards against stamping, sorting or cleaning the sender's own records."""
        it = _flow()
        records = bytearray().join(it.records)
        before = bytes(records)
        self.engine_class(**it.limits).apply_batch(records, bytearray(len(records) * 20))
        assert records == before

    def test_buffers_that_are_not_records_in_a_row(self) -> None:
        """Guards against a stride ignored, a tail dropped, or events lost in read-only memory."""
        book = self.book()
        one, room = new(1, BID, 100, 5).pack(), bytearray(4 * RECORD_BYTES)
        wrong: list[tuple[Any, Any]] = [
            (one[:-1], room),
            (one + b"\0", room),
            (memoryview(one * 4)[::2], room),
            (memoryview(one * 2)[::-1], room),
            (one, room[:-1]),
            (one, bytearray(RECORD_BYTES + 1)),
            (one, memoryview(room)[::2]),
            (one, bytes(RECORD_BYTES)),
            (one, memoryview(room).toreadonly()),
        ]
        for commands, events in wrong:
            with pytest.raises(ValueError):  # noqa: PT011 - the words are each engine's own
                book.engine.apply_batch(commands, events)
        for commands, events in [([1, 2], room), (one, None), ("text", room)]:
            with pytest.raises(TypeError):
                book.engine.apply_batch(commands, events)
        assert book.engine.event_sequence == 0
        book.expect_book()

    def test_numpy_arrays(self) -> None:
        """Guards against an engine that takes bytes but not the arrays everyone uses."""
        np = pytest.importorskip("numpy", reason="arrays of records need numpy")
        from contract.records import COMMAND_DTYPE, EVENT_DTYPE  # needs numpy as well

        it = _flow()
        expected = b"".join(it.events)
        source = np.frombuffer(b"".join(it.records), COMMAND_DTYPE)
        target = np.zeros(len(expected) // RECORD_BYTES, EVENT_DTYPE)
        engine = self.engine_class(**it.limits)
        assert engine.apply_batch(source, target) == (len(source), len(target))
        assert target.tobytes() == expected
        read_only = target.copy()
        read_only.flags.writeable = False
        for wrong in ((source[::2], target), (source, target[::2]), (source, read_only)):
            with pytest.raises(ValueError):  # noqa: PT011 - numpy's words
                engine.apply_batch(*wrong)


def apply_in_batches(
    engine: Engine, records: tuple[bytes, ...], sizes: tuple[int, ...], room: int
) -> bytes:
    """All events of the commands, sent in batches of these sizes over and over."""
    got: list[bytes] = []
    start = 0
    for size in cycle(sizes):
        if start == len(records):
            break
        events = bytearray(room * RECORD_BYTES)
        batch = b"".join(records[start : start + size])
        consumed, written = engine.apply_batch(batch, events)
        if not consumed:
            room *= 2
        got.append(bytes(events[: written * RECORD_BYTES]))
        start += consumed
    return b"".join(got)
