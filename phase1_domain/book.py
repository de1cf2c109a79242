"""The naive book: a dict of price -> deque. It is the specification of every other engine.

Each command is handled in two steps that never mix:

1. *decide*: look at the book, change nothing, and write down the events the command causes.
2. *commit*: change the book, and change it by nothing but those events.

So a rejected command changes nothing because there is nothing in it to commit; a fill-or-kill
order is decided by the same walk that fills it; and the book is a fold of its own event stream.

What it gets wrong is the reason for the next phases. Every order, level and event is a Python
object somewhere on the heap; cancelling from the middle of a level searches its deque; and when
the best level empties, the next best price is found by looking at every level there is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from contract import canonical
from contract.engine import BatchResult, LevelView, RestingOrder, check_limits, record_view
from contract.errors import EngineClosedError, InvariantError
from contract.messages import (
    DEFAULT_CAPACITY,
    DEFAULT_MAX_PRICE,
    DEFAULT_MIN_PRICE,
    MAX_QUANTITY,
    RECORD_BYTES,
    Command,
    CommandKind,
    Event,
    EventKind,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
)
from phase1_domain.events import EventList
from phase1_domain.validation import rejection


@dataclass(slots=True)
class Order:
    """A live order, or the aggressor on its way through the book."""

    order_id: int
    side: Side
    price: int
    quantity: int
    timestamp_ns: int
    account: int
    self_trade: int
    flags: int


class Engine:
    """Phase 1's engine. See ``contract.engine.Engine`` for what each method promises.

    Costs, with n orders on the level and m levels on the side: add O(1); match O(1) a fill, plus
    O(m) a level emptied; cancel O(n), plus O(m) when it empties the best level.

    >>> from contract import Side, new
    >>> engine = Engine()
    >>> for event in engine.apply(new(1, Side.ASK, price=101, quantity=5)): print(event)
    1: accepted #1 ask 5 @ 101, leaves 5
    >>> for event in engine.apply(new(2, Side.BID, price=101, quantity=3)): print(event)
    2: accepted #2 bid 3 @ 101, leaves 3
    3: trade #2 bid 3 @ 101 with #1, leaves 0
    >>> engine.best_ask()
    LevelView(price=101, quantity=2, order_count=1)
    """

    name: ClassVar[str] = "phase1"

    def __init__(
        self,
        *,
        instrument: int = 0,
        min_price: int = DEFAULT_MIN_PRICE,
        max_price: int = DEFAULT_MAX_PRICE,
        capacity: int = DEFAULT_CAPACITY,
    ) -> None:
        check_limits(instrument, min_price, max_price, capacity)
        self.instrument = instrument
        self.min_price = min_price
        self.max_price = max_price
        self.capacity = capacity
        self._closed = False
        self._clear()

    def _clear(self) -> None:
        self._orders: dict[int, Order] = {}
        self._levels: tuple[dict[int, deque[Order]], dict[int, deque[Order]]] = ({}, {})
        self._best: list[int | None] = [None, None]
        self._event_sequence = 0

    # --8<-- [start:apply]
    def apply(self, command: Command) -> list[Event]:
        """Apply one command and return its events."""
        self._check_open()
        events = self._decide(command)
        self._commit(command, events)
        return events

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Apply 64-byte commands one after the other, as far as their events fit."""
        self._check_open()
        source, target = record_view(commands), record_view(events, writable=True)
        room = len(target) // RECORD_BYTES
        written = 0
        for consumed in range(len(source) // RECORD_BYTES):
            command = Command.unpack_from(source, consumed * RECORD_BYTES)
            caused = self._decide(command)
            if written + len(caused) > room:
                return BatchResult(consumed, written)
            self._commit(command, caused)
            for event in caused:
                at = written * RECORD_BYTES
                target[at : at + RECORD_BYTES] = event.pack()
                written += 1
        return BatchResult(len(source) // RECORD_BYTES, written)

    # --8<-- [end:apply]

    # Decide: what would happen, as a list of events. Nothing below this line changes the book.

    def _decide(self, command: Command) -> list[Event]:
        events = EventList(self._event_sequence, command)
        reason = rejection(self, command)
        if reason:
            events.rejected(reason)
        elif command.kind == CommandKind.NEW:
            self._decide_new(command, events)
        elif command.kind == CommandKind.CANCEL:
            events.cancelled(self._orders[command.order_id], Reason.USER)
        elif command.kind == CommandKind.REPLACE:
            self._decide_replace(command, events)
        else:
            for order in self._orders_of_account(command.account):
                events.cancelled(order, Reason.MASS_CANCEL)
        return events.items

    # --8<-- [start:new]
    def _decide_new(self, command: Command, events: EventList) -> None:
        aggressor = Order(
            command.order_id,
            Side(command.side),
            command.price,
            command.quantity,
            command.timestamp_ns,
            command.account,
            command.self_trade,
            command.flags,
        )
        is_market = command.order_type == OrderType.MARKET
        limit = None if is_market else command.price
        events.accepted(aggressor)
        if command.time_in_force == TimeInForce.FOK and not self._fills_whole(aggressor, limit):
            events.cancelled(aggressor, Reason.FOK)
            return
        leaves, stopped = self._decide_match(aggressor, limit, events)
        if leaves and not stopped and command.time_in_force != TimeInForce.GTC:
            events.cancelled(aggressor, Reason.IOC, leaves)

    # --8<-- [end:new]

    def _decide_replace(self, command: Command, events: EventList) -> None:
        order = self._orders[command.order_id]
        events.replaced(order, command.price, command.quantity)
        if not _keeps_its_place(order, command.price, command.quantity):
            aggressor = Order(
                order.order_id,
                order.side,
                command.price,
                command.quantity,
                command.timestamp_ns,
                order.account,
                order.self_trade,
                order.flags,
            )
            self._decide_match(aggressor, command.price, events)

    # --8<-- [start:match]
    def _decide_match(
        self, aggressor: Order, limit: int | None, events: EventList
    ) -> tuple[int, bool]:
        """Fill the aggressor, maker by maker; return (what is left, stopped by self-trade)."""
        leaves = aggressor.quantity
        for maker in self._makers(aggressor.side.opposite, limit):
            if not leaves:
                break
            if _same_owner(aggressor, maker) and aggressor.self_trade != SelfTrade.NONE:
                if aggressor.self_trade != SelfTrade.CANCEL_NEWEST:
                    events.cancelled(maker, Reason.SELF_TRADE)
                if aggressor.self_trade != SelfTrade.CANCEL_OLDEST:
                    events.cancelled(aggressor, Reason.SELF_TRADE, leaves)
                    return leaves, True
                continue
            traded = min(leaves, maker.quantity)
            leaves -= traded
            events.trade(aggressor, maker, traded, leaves)
        return leaves, False

    # --8<-- [end:match]

    # --8<-- [start:fok]
    def _fills_whole(self, aggressor: Order, limit: int | None) -> bool:
        """Whether the book can fill the aggressor to the last lot under its self-trade mode."""
        fillable = 0
        for maker in self._makers(aggressor.side.opposite, limit):
            if _same_owner(aggressor, maker) and aggressor.self_trade != SelfTrade.NONE:
                if aggressor.self_trade == SelfTrade.CANCEL_OLDEST:
                    continue
                break
            fillable += maker.quantity
            if fillable >= aggressor.quantity:
                return True
        return False

    # --8<-- [end:fok]

    # --8<-- [start:makers]
    def _makers(self, side: Side, limit: int | None) -> Iterator[Order]:
        """The resting orders an aggressor with that limit would meet, in priority order."""
        price = self._best[side]
        while price is not None and (limit is None or not _is_worse(side, price, limit)):
            yield from self._levels[side][price]
            price = self._next_price(side, price)

    def _next_price(self, side: Side, price: int) -> int | None:
        """The best price worse than ``price``: a look at every level of the side. O(levels)."""
        worse = (p for p in self._levels[side] if _is_worse(side, p, price))
        return max(worse, default=None) if side == Side.BID else min(worse, default=None)

    # --8<-- [end:makers]

    def _orders_of_account(self, account: int) -> list[Order]:
        return [o for o in self._in_priority_order() if account in (0, o.account)]

    def has_order_of(self, account: int) -> bool:
        """Whether an order of the account (0: any order) is live. O(orders)."""
        return any(account in (0, o.account) for o in self._orders.values())

    # Commit: the book changes by its events and by nothing else.

    # --8<-- [start:commit]
    def _commit(self, command: Command, events: list[Event]) -> None:
        aggressor: Order | None = None
        for event in events:
            if event.kind == EventKind.ACCEPTED:
                aggressor = Order(
                    event.order_id,
                    Side(event.side),
                    event.price,
                    event.quantity,
                    event.timestamp_ns,
                    command.account,
                    command.self_trade,
                    command.flags,
                )
            elif event.kind == EventKind.REPLACED:
                aggressor = self._commit_replace(event)
            elif event.kind == EventKind.TRADE:
                assert aggressor is not None
                aggressor.quantity -= event.quantity
                self._reduce(self._orders[event.contra_order_id], event.quantity)
            elif event.kind == EventKind.CANCELLED:
                if aggressor is not None and event.order_id == aggressor.order_id:
                    aggressor.quantity = 0
                else:
                    self._reduce(self._orders[event.order_id], event.quantity)
        if aggressor is not None and aggressor.quantity:
            self._rest(aggressor)
        self._event_sequence += len(events)

    def _commit_replace(self, event: Event) -> Order | None:
        """Change the order in place, or take it off its level to become an aggressor again."""
        order = self._orders[event.order_id]
        if _keeps_its_place(order, event.price, event.quantity):
            order.quantity = event.quantity
            return None
        self._remove(order)
        order.price = event.price
        order.quantity = event.quantity
        order.timestamp_ns = event.timestamp_ns
        return order

    def _reduce(self, order: Order, quantity: int) -> None:
        order.quantity -= quantity
        if not order.quantity:
            self._remove(order)

    def _rest(self, order: Order) -> None:
        """Put an order at the back of its level."""
        levels = self._levels[order.side]
        if order.price not in levels:
            levels[order.price] = deque()
            best = self._best[order.side]
            if best is None or _is_worse(order.side, best, order.price):
                self._best[order.side] = order.price
        levels[order.price].append(order)
        self._orders[order.order_id] = order

    def _remove(self, order: Order) -> None:
        """Take an order off its level; an emptied best level makes us look for the next."""
        levels = self._levels[order.side]
        level = levels[order.price]
        if level[0] is order:
            level.popleft()
        else:
            del level[next(i for i, other in enumerate(level) if other is order)]
        del self._orders[order.order_id]
        if not level:
            del levels[order.price]
            if self._best[order.side] == order.price:
                self._best[order.side] = self._next_price(order.side, order.price)

    # --8<-- [end:commit]

    # What others may see.

    @property
    def event_sequence(self) -> int:
        """Sequence number of the last event, 0 before the first."""
        self._check_open()
        return self._event_sequence

    def best_bid(self) -> LevelView | None:
        """The highest bid level, or None. O(orders of the level)."""
        return self._best_level(Side.BID)

    def best_ask(self) -> LevelView | None:
        """The lowest ask level, or None. O(orders of the level)."""
        return self._best_level(Side.ASK)

    def _best_level(self, side: Side) -> LevelView | None:
        self._check_open()
        price = self._best[side]
        return None if price is None else self._view(side, price)

    def best_price(self, side: Side) -> int | None:
        """The best price of a side, or None. O(1)."""
        return self._best[side]

    def depth(self, levels: int) -> tuple[list[LevelView], list[LevelView]]:
        """Up to ``levels`` levels of bids and of asks, best first. O(m log m)."""
        self._check_open()
        bids = [self._view(Side.BID, p) for p in self._prices(Side.BID)[:levels]]
        asks = [self._view(Side.ASK, p) for p in self._prices(Side.ASK)[:levels]]
        return bids, asks

    def _view(self, side: Side, price: int) -> LevelView:
        level = self._levels[side][price]
        return LevelView(price, sum(order.quantity for order in level), len(level))

    def _prices(self, side: Side) -> list[int]:
        return sorted(self._levels[side], reverse=side == Side.BID)

    def _in_priority_order(self) -> Iterator[Order]:
        for side in Side:
            for price in self._prices(side):
                yield from self._levels[side][price]

    def orders(self, side: int, limit: int | None = None) -> list[RestingOrder]:
        """Live orders of a side in priority order, best level first. O(m log m + orders)."""
        self._check_open()
        wanted = Side(side)
        resting = [_resting(o) for o in self._in_priority_order() if o.side == wanted]
        return resting if limit is None else resting[:limit]

    def order(self, order_id: int) -> RestingOrder | None:
        """The live order of that id, or None. O(1)."""
        self._check_open()
        found = self._orders.get(order_id)
        return None if found is None else _resting(found)

    def __len__(self) -> int:
        self._check_open()
        return len(self._orders)

    def snapshot(self) -> bytes:
        """The canonical image of the book. O(orders)."""
        self._check_open()
        resting = map(_resting, self._in_priority_order())
        return canonical.pack_image(self.instrument, self._event_sequence, resting)

    def restore(self, image: bytes) -> None:
        """Replace the book's whole state by an image's; on an error nothing changes."""
        self._check_open()
        header = canonical.check_image(
            image,
            instrument=self.instrument,
            min_price=self.min_price,
            max_price=self.max_price,
            capacity=self.capacity,
        )
        self._clear()
        for o in canonical.iter_orders(image[canonical.HEADER.size :]):
            self._rest(Order(o.order_id, Side(o.side), *o[2:]))
        self._event_sequence = header.event_sequence

    def state_hash(self) -> str:
        """32 hex digits that are equal in all engines whose books are equal."""
        return canonical.image_hash(self.snapshot())

    def check(self) -> None:
        """Verify the book's invariants. O(orders + levels)."""
        self._check_open()
        broken = next(self._broken_invariants(), None)
        if broken:
            raise InvariantError(f"{self.name}: {broken}; best {self._best}, {self._levels}")

    def _broken_invariants(self) -> Iterator[str]:
        listed = 0
        for side in Side:
            for price, level in self._levels[side].items():
                if not level:
                    yield f"{side.name} level {price} is empty"
                if not self.min_price <= price <= self.max_price:
                    yield f"{side.name} level {price} is outside the price range"
                listed += len(level)
                for order in level:
                    if not 0 < order.quantity <= MAX_QUANTITY:
                        yield f"{order}: open quantity out of range"
                    if (order.side, order.price) != (side, price):
                        yield f"{order} stands on {side.name} level {price}"
                    if self._orders.get(order.order_id) is not order:
                        yield f"{order} is not found by its id"
            best = next(iter(self._prices(side)), None)
            if self._best[side] != best:
                yield f"the best {side.name} price is {best}"
        if listed != len(self._orders):
            yield f"{listed} orders stand on levels, {len(self._orders)} are known by id"
        if listed > self.capacity:
            yield f"{listed} live orders, more than the capacity {self.capacity}"
        bid, ask = self._best
        if bid is not None and ask is not None and bid >= ask:
            yield f"the book is crossed: best bid {bid}, best ask {ask}"

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosedError(f"{self.name}: this engine is closed")

    def close(self) -> None:
        """Forget everything. Closing twice is harmless; other use then raises."""
        self._clear()
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _is_worse(side: Side, price: int, than: int) -> bool:
    """Whether ``price`` has less priority than ``than`` for resting orders of that side."""
    return price < than if side == Side.BID else price > than


def _same_owner(aggressor: Order, maker: Order) -> bool:
    return aggressor.account != 0 and aggressor.account == maker.account


def _keeps_its_place(order: Order, price: int, quantity: int) -> bool:
    return price == order.price and quantity <= order.quantity


def _resting(order: Order) -> RestingOrder:
    return RestingOrder(
        order.order_id,
        order.side,
        order.price,
        order.quantity,
        order.timestamp_ns,
        order.account,
        order.self_trade,
        order.flags,
    )
