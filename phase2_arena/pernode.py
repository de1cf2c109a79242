"""The same book driven node by node: Python decides, C keeps the nodes.

Read it beside ``c/book.c``: the functions have the same names and do the same things in the same
order. Only the division of labour differs. Here every slot taken, every id looked up and every
field read is a crossing from Python into C and back, and there are dozens of them in a command.
``boundary.py`` measures what that costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from contract.engine import BatchResult, record_view
from contract.messages import (
    RECORD_BYTES,
    Command,
    CommandKind,
    Event,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
)
from phase1_domain.events import EventList
from phase1_domain.validation import rejection
from phase2_arena.engine import NODES, NONE, Engine, Nodes

_EVENTS_BESIDE_MAKERS = 2


@dataclass(slots=True)
class Aggressor:
    """An incoming order on its way through the other side; ``quantity`` is what is open."""

    order_id: int
    side: Side
    price: int
    quantity: int
    limit: int | None
    account: int
    self_trade: int

    def accepts(self, price: int) -> bool:
        """Whether a maker's price is within the limit."""
        if self.limit is None:
            return True
        return price <= self.limit if self.side == Side.BID else price >= self.limit

    def must_not_meet(self, maker: Any) -> bool:
        """Whether self-trade prevention is in force between the two."""
        return bool(self.self_trade and self.account and self.account == maker.account)


@dataclass(slots=True)
class Preview:
    """What matching an aggressor would do."""

    open: int
    events: int = 0
    stopped: bool = False


class NodeEngine(Engine):
    """Phase 2's book with its matching in Python, over C nodes reached one at a time.

    An engine like any other: the same commands give the same events. Costs are those of
    ``Engine`` in crossings of the boundary instead of instructions.
    """

    name: ClassVar[str] = "phase2node"

    def __init__(self, **limits: int) -> None:
        """As ``Engine``. The arrays of slots and levels stay where they are while it is open."""
        super().__init__(**limits)
        self.nodes: Nodes = NODES
        self.slots: Any = self.nodes.slots(self._book)
        self.levels: Any = self.nodes.levels(self._book)
        self._facts = _Facts(self)

    def close(self) -> None:
        """Free the book now. Closing twice is harmless."""
        self.slots = self.levels = None
        super().close()

    def apply(self, command: Command) -> list[Event]:
        """Apply one command and return its events."""
        events = EventList(self.event_sequence, command)
        slot = self.nodes.id_find(self._book, command.order_id)
        reason = rejection(self._facts, command)
        self._act(command, slot, reason, events)
        return events.items

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Apply 64-byte commands one after the other, as far as their events fit."""
        self._open_book()
        source, target = record_view(commands), record_view(events, writable=True)
        room = len(target) // RECORD_BYTES
        written = 0
        for consumed in range(len(source) // RECORD_BYTES):
            command = Command.unpack_from(source, consumed * RECORD_BYTES)
            slot = self.nodes.id_find(self._book, command.order_id)
            reason = rejection(self._facts, command)
            left = room - written
            if left < len(self) + _EVENTS_BESIDE_MAKERS and left < (
                1 if reason else self._events_needed(command, slot)
            ):
                return BatchResult(consumed, written)
            caused = EventList(self.event_sequence, command)
            self._act(command, slot, reason, caused)
            for event in caused.items:
                at = written * RECORD_BYTES
                target[at : at + RECORD_BYTES] = event.pack()
                written += 1
        return BatchResult(len(source) // RECORD_BYTES, written)

    def _act(self, command: Command, slot: int, reason: Reason, events: EventList) -> None:
        if reason:
            events.rejected(reason)
        elif command.kind == CommandKind.NEW:
            self._new_order(command, events)
        elif command.kind == CommandKind.CANCEL:
            events.cancelled(self.slots[slot], Reason.USER)
            self._remove(slot)
        elif command.kind == CommandKind.REPLACE:
            self._replace(command, slot, events)
        else:
            for found in list(self._queue_of_account(command.account)):
                events.cancelled(self.slots[found], Reason.MASS_CANCEL)
                self._remove(found)
        self.nodes.events_add(self._book, len(events.items))

    # --8<-- [start:match]
    def _match(self, taker: Aggressor, events: EventList) -> None:
        """Fill the aggressor maker by maker, from the head of the best level."""
        nodes, book, slots, levels = self.nodes, self._book, self.slots, self.levels
        other = taker.side.opposite
        while taker.quantity:
            best = nodes.level_best(book, other)
            if best == NONE or not taker.accepts(levels[best].price):
                return
            slot = levels[best].head
            maker = slots[slot]
            if taker.must_not_meet(maker):
                if not self._prevent(taker, slot, events):
                    return
                continue
            traded = min(taker.quantity, maker.quantity)
            taker.quantity -= traded
            events.trade(taker, maker, traded, taker.quantity)
            if traded == maker.quantity:
                self._remove(slot)
            else:
                maker.quantity -= traded
                levels[best].quantity -= traded

    # --8<-- [end:match]

    def _prevent(self, taker: Aggressor, slot: int, events: EventList) -> bool:
        """Cancel maker, aggressor or both, as the aggressor's mode says; whether it goes on."""
        if taker.self_trade != SelfTrade.CANCEL_NEWEST:
            events.cancelled(self.slots[slot], Reason.SELF_TRADE)
            self._remove(slot)
        if taker.self_trade == SelfTrade.CANCEL_OLDEST:
            return True
        events.cancelled(taker, Reason.SELF_TRADE)
        taker.quantity = 0
        return False

    def _preview(self, taker: Aggressor) -> Preview:
        """The same walk without touching anything."""
        seen = Preview(taker.quantity)
        for slot in self._queue_in_priority_order(taker.side.opposite):
            maker = self.slots[slot]
            if not taker.accepts(maker.price) or not seen.open:
                return seen
            seen.events += 1
            if not taker.must_not_meet(maker):
                seen.open -= min(seen.open, maker.quantity)
            elif taker.self_trade != SelfTrade.CANCEL_OLDEST:
                seen.events += taker.self_trade == SelfTrade.CANCEL_BOTH
                seen.stopped = True
                return seen
        return seen

    def _new_order(self, command: Command, events: EventList) -> None:
        taker = _new_aggressor(command)
        events.accepted(taker)
        reason = Reason.IOC
        if command.time_in_force == TimeInForce.FOK and self._preview(taker).open:
            reason = Reason.FOK
        else:
            self._match(taker, events)
        if not taker.quantity:
            return
        if command.time_in_force == TimeInForce.GTC:
            slot = self.nodes.slot_take(self._book)
            order = self.slots[slot]
            order.order_id = command.order_id
            order.price = command.price
            order.quantity = taker.quantity
            order.timestamp_ns = command.timestamp_ns
            order.account = command.account
            order.side = command.side
            order.self_trade = command.self_trade
            order.flags = command.flags
            self.nodes.id_insert(self._book, command.order_id, slot)
            self._rest(slot)
        else:
            events.cancelled(taker, reason)

    def _replace(self, command: Command, slot: int, events: EventList) -> None:
        order = self.slots[slot]
        events.replaced(order, command.price, command.quantity)
        if _keeps_its_place(order, command):
            self.levels[order.level].quantity -= order.quantity - command.quantity
            order.quantity = command.quantity
            return
        taker = _replaced_aggressor(order, command)
        self._lift(slot)
        self._match(taker, events)
        if not taker.quantity:
            self._drop(slot)
            return
        order.price = command.price
        order.quantity = taker.quantity
        order.timestamp_ns = command.timestamp_ns
        self._rest(slot)

    # --8<-- [start:rest]
    def _rest(self, slot: int) -> None:
        nodes, book, order = self.nodes, self._book, self.slots[slot]
        level = nodes.level_find(book, order.price)
        if level == NONE:
            level = nodes.level_open(book, order.side, order.price)
        nodes.queue_append(book, level, slot)

    # --8<-- [end:rest]

    def _lift(self, slot: int) -> None:
        order = self.slots[slot]
        self.nodes.queue_unlink(self._book, slot)
        if self.levels[order.level].order_count == 0:
            self.nodes.level_close(self._book, order.side, order.level)

    def _drop(self, slot: int) -> None:
        self.nodes.id_erase(self._book, self.slots[slot].order_id)
        self.nodes.slot_give(self._book, slot)

    def _remove(self, slot: int) -> None:
        self._lift(slot)
        self._drop(slot)

    def _events_needed(self, command: Command, slot: int) -> int:
        """How many events a command that is not rejected will cause."""
        if command.kind == CommandKind.CANCEL:
            return 1
        if command.kind == CommandKind.MASS_CANCEL:
            return sum(1 for _ in self._queue_of_account(command.account))
        if command.kind == CommandKind.REPLACE:
            order = self.slots[slot]
            if _keeps_its_place(order, command):
                return 1
            return 1 + self._preview(_replaced_aggressor(order, command)).events
        seen = self._preview(_new_aggressor(command))
        if command.time_in_force == TimeInForce.FOK and seen.open:
            return _EVENTS_BESIDE_MAKERS
        remainder = seen.open and not seen.stopped and command.time_in_force != TimeInForce.GTC
        return 1 + seen.events + bool(remainder)

    @property
    def handle(self) -> Any:
        """The book's handle, the first argument of every one of ``nodes``."""
        return self._open_book()

    def free_slots(self) -> Iterator[int]:
        """The slots on the free list, next to be taken first."""
        slot = self.nodes.slot_free_head(self._open_book())
        while slot != NONE:
            yield slot
            slot = self.slots[slot].next

    def queue(self, price: int) -> list[int]:
        """The slots of the level at ``price``, in priority order. O(orders of the level)."""
        level = self.nodes.level_find(self._open_book(), price)
        slot = NONE if level == NONE else self.levels[level].head
        found = []
        while slot != NONE:
            found.append(slot)
            slot = self.slots[slot].next
        return found

    def _queue_in_priority_order(self, side: int) -> Iterator[int]:
        """The slots of a side, best level first."""
        slots, levels = self.slots, self.levels
        level = self.nodes.level_best(self._book, side)
        while level != NONE:
            slot = levels[level].head
            while slot != NONE:
                yield slot
                slot = slots[slot].next
            level = self.nodes.level_next(self._book, side, level)

    def _queue_of_account(self, account: int) -> Iterator[int]:
        """The slots of an account (0: everyone's), bids first, best level first."""
        for side in Side:
            for slot in self._queue_in_priority_order(side):
                if account in (0, self.slots[slot].account):
                    yield slot


class _Facts:
    """What the rules of rejection ask of a book, answered from the nodes."""

    def __init__(self, engine: NodeEngine) -> None:
        self._engine = engine
        self.instrument = engine.instrument
        self.min_price = engine.min_price
        self.max_price = engine.max_price
        self.capacity = engine.capacity

    def order(self, order_id: int) -> Any:
        engine = self._engine
        slot = engine.nodes.id_find(engine._book, order_id)
        return None if slot == NONE else engine.slots[slot]

    def best_price(self, side: Side) -> int | None:
        engine = self._engine
        level = engine.nodes.level_best(engine._book, side)
        return None if level == NONE else int(engine.levels[level].price)

    def has_order_of(self, account: int) -> bool:
        return any(True for _ in self._engine._queue_of_account(account))

    def __len__(self) -> int:
        return len(self._engine)


def _new_aggressor(command: Command) -> Aggressor:
    return Aggressor(
        command.order_id,
        Side(command.side),
        command.price,
        command.quantity,
        None if command.order_type == OrderType.MARKET else command.price,
        command.account,
        command.self_trade,
    )


def _replaced_aggressor(order: Any, command: Command) -> Aggressor:
    return Aggressor(
        order.order_id,
        Side(order.side),
        command.price,
        command.quantity,
        command.price,
        order.account,
        order.self_trade,
    )


def _keeps_its_place(order: Any, command: Command) -> bool:
    return bool(command.price == order.price and command.quantity <= order.quantity)
