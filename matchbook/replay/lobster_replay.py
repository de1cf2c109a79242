"""A LOBSTER day in an engine, by the windowed rule or naively.

A file of depth k holds only what touched the best k levels at that moment: behind them, orders
come, change and go unseen. What it does promise is exact: the book of row i - 1 with message i
applied, cut to k levels, is the book of row i on every level that was known; only a level that
slides into the window at its far end is news. So the engine holds the window and nothing else::

    row i-1 in the engine ──message i──▶ engine ──cut to k──▶ known levels ══ row i, or it differs
                                            ▲                                   │
                                            └── an order of our own a new level ┘

A level that slides in becomes one order of our own, since nobody said which orders it is made of;
cancels and executions of orders never seen take from it. A level pushed out of the window leaves
the engine. Without an order book file there is no window: unknown orders are anomalies, and in a
shallow file there are many.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from contract.engine import Engine, RestingOrder
from contract.messages import CommandKind, Reason, Side
from matchbook.replay.driver import OWN_IDS, Anomalies, Driver
from matchbook.replay.lobster import EXECUTION, SUBMISSION, Message
from matchbook.replay.orderbook_rows import BookRow, Difference, Levels

_KEEP: Final = 10


@dataclass
class RunTally:
    """Runs of executions re-enacted as one IOC order each."""

    hits: int = 0
    total: int = 0
    fills: int = 0
    first_misses: list[str] = field(default_factory=list)


class LobsterReplay:
    """Applies LOBSTER messages to one engine; with rows, keeps it equal to their window.

    Args:
        driver: the engine's driver.
        depth: levels a row of the order book file, or 0 without one.
    """

    def __init__(self, driver: Driver, depth: int = 0) -> None:
        self._driver = driver
        self._depth = depth
        self._known: tuple[Levels, Levels] | None = None
        # Our own order of a level, by side and price; once filled or forgotten its id is just dead.
        self._unseen: dict[tuple[int, int], int] = {}
        self.anomalies = Anomalies()
        self.tally = RunTally()

    @property
    def engine(self) -> Engine:
        """The engine as it is now (it may have been replaced by a larger one)."""
        return self._driver.engine

    # Messages.

    def take(self, message: Message) -> None:
        """Apply one message of the book (types 1 to 4); the others change nothing."""
        if message.type > EXECUTION or self._is_outside(message.side, message.price):
            return
        if message.type == SUBMISSION:
            self._submit(message)
            return
        order = self._order_of(message)
        if order is None:
            self._anomaly("unknown order", message)
        elif message.size == 0:
            self._anomaly("no size", message)
        else:
            if message.size > order.quantity:
                self._anomaly("more than is open", message)
            self._driver.reduce(
                order.order_id, order.price, order.quantity, message.size, message.timestamp_ns
            )

    def _submit(self, message: Message) -> None:
        reason = self._driver.add(
            message.order_id, message.side, message.price, message.size, message.timestamp_ns
        )
        if reason:
            crossed = reason == Reason.WOULD_CROSS
            self._anomaly("crossed add" if crossed else Reason(reason).name.lower(), message)

    def _order_of(self, message: Message) -> RestingOrder | None:
        """The order a message is about: the one it names, or else ours at its level."""
        order = self.engine.order(message.order_id)
        if order is None and self._known is not None:
            own = self._unseen.get((message.side, message.price))
            order = None if own is None else self.engine.order(own)
        return order

    def _anomaly(self, kind: str, message: Message) -> None:
        word = Side(message.side).name.lower()
        what = f"type {message.type}, {word} {message.order_id}, {message.size} @ {message.price}"
        self.anomalies.add(kind, f"line {message.line}", what)

    # The window.

    def _is_outside(self, side: Side, price: int) -> bool:
        """Whether a price lies behind a full window, where nothing is known."""
        if self._depth == 0:
            return False
        if self._known is None:
            return True  # row 1 says all there is to say
        levels = self._known[side]
        return len(levels) == self._depth and _is_worse(side, price, levels[-1][0])

    # --8<-- [start:reconcile]
    def reconcile(self, row: BookRow, when: int) -> Difference | None:
        """Compare the engine with a row on all known levels, then let it see the new ones."""
        got = self._window()
        wanted = (row.bids, row.asks)
        if got != wanted:
            for side in Side:
                known = len(got[side])
                full = self._known is None or len(self._known[side]) == self._depth
                slid_in = wanted[side][known:]
                if wanted[side][:known] != got[side] or (slid_in and not full):
                    return Difference(f"row {row.line}", wanted, got)
                for price, quantity in slid_in:
                    self._see(side, price, quantity, when)
            got = self._window()
            if got != wanted:
                return Difference(f"row {row.line}", wanted, got)
        self._known = wanted
        return None

    # --8<-- [end:reconcile]

    def _window(self) -> tuple[Levels, Levels]:
        """The best levels of the engine; what lies behind them is taken out of it."""
        bids, asks = self.engine.depth(self._depth + 1)
        if len(bids) > self._depth:
            self._forget(Side.BID, bids.pop().price)
        if len(asks) > self._depth:
            self._forget(Side.ASK, asks.pop().price)
        return [level[:2] for level in bids], [level[:2] for level in asks]

    def _forget(self, side: Side, price: int) -> None:
        for order in self.engine.orders(side):
            if order.price == price:
                self._driver.send(CommandKind.CANCEL, order.order_id)

    def _see(self, side: Side, price: int, quantity: int, when: int) -> None:
        self._driver.own_ids += 1
        order_id = OWN_IDS + self._driver.own_ids
        if not self._driver.add(order_id, side, price, quantity, when):
            self._unseen[side, price] = order_id

    # Match mode.

    def match(self, run: list[Message]) -> bool:
        """Re-enact a run of executions as one IOC order, if the book would fill it as they say.

        Returns whether it would; if not, nothing has changed, and the executions are still to be
        applied one by one.
        """
        side, quantity = run[0].side, sum(message.size for message in run)
        wanted: list[tuple[int, int]] = []
        for message in run:
            order = self._order_of(message)
            maker = message.order_id if order is None else order.order_id
            if wanted and wanted[-1][0] == maker:
                wanted[-1] = (maker, wanted[-1][1] + message.size)
            else:
                wanted.append((maker, message.size))
        foreseen = _foresee(self.engine.orders(side, len(wanted)), quantity)
        self.tally.total += 1
        self.tally.fills += len(run)
        if foreseen != wanted:
            if len(self.tally.first_misses) < _KEEP:
                self.tally.first_misses.append(
                    f"line {run[0].line}: fills (order, lots) {_shown(wanted)};"
                    f" this book would give {_shown(foreseen)}"
                )
            return False
        self.tally.hits += 1
        fills = self._driver.take(side, run[-1].price, quantity, run[0].timestamp_ns)
        assert fills == wanted, f"line {run[0].line}: {fills}, foreseen {wanted}"
        return True


def _foresee(queue: list[RestingOrder], quantity: int) -> list[tuple[int, int]]:
    """How an aggressor of that quantity would be filled by the front of a queue."""
    fills = []
    for order in queue:
        if not quantity:
            break
        lots = min(quantity, order.quantity)
        fills.append((order.order_id, lots))
        quantity -= lots
    return fills


def _shown(fills: list[tuple[int, int]]) -> str:
    words = [f"({'unseen' if maker > OWN_IDS else maker}, {lots})" for maker, lots in fills[:4]]
    return " ".join(words) + (" …" if len(fills) > len(words) else "")


def _is_worse(side: Side, price: int, than: int) -> bool:
    return price < than if side == Side.BID else price > than
