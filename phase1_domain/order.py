"""One order, and what can be said of it without looking at the rest of the book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from contract.engine import RestingOrder
from contract.messages import Command, Side


# Two orders are the same only if they are one object, so that finding an order in a queue
# compares addresses and not fields.
@dataclass(slots=True, eq=False)
class Order:
    """A live order, or the aggressor on its way through the book.

    ``quantity`` is what is open; ``timestamp_ns`` is of the command that gave the order its
    place in the queue.
    """

    order_id: int
    side: Side
    price: int
    quantity: int
    timestamp_ns: int
    account: int
    self_trade: int
    flags: int

    @classmethod
    def entering(cls, command: Command) -> Self:
        """The order that a NEW asks for, all of it open."""
        return cls(
            command.order_id,
            Side(command.side),
            command.price,
            command.quantity,
            command.timestamp_ns,
            command.account,
            command.self_trade,
            command.flags,
        )

    def moved(self, command: Command) -> Order:
        """The order as a REPLACE sends it back to the market: all else stays as it was."""
        return Order(
            self.order_id,
            self.side,
            command.price,
            command.quantity,
            command.timestamp_ns,
            self.account,
            self.self_trade,
            self.flags,
        )

    def resting(self) -> RestingOrder:
        """The order as others may see it."""
        return RestingOrder(
            self.order_id,
            self.side,
            self.price,
            self.quantity,
            self.timestamp_ns,
            self.account,
            self.self_trade,
            self.flags,
        )


def is_worse(side: Side, price: int, than: int) -> bool:
    """Whether ``price`` has less priority than ``than`` for resting orders of that side."""
    return price < than if side == Side.BID else price > than


def same_owner(aggressor: Order, maker: Order) -> bool:
    """Whether both belong to one account; account 0 is nobody's."""
    return aggressor.account != 0 and aggressor.account == maker.account


def keeps_its_place(order: Order, price: int, quantity: int) -> bool:
    """Whether a REPLACE to this price and open quantity leaves the order where it is."""
    return price == order.price and quantity <= order.quantity
