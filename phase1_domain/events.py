"""The events of one command, collected in order and numbered as they come."""

from __future__ import annotations

from typing import Protocol

from contract.messages import Command, Event, EventKind, Reason


class _Order(Protocol):
    """What an event tells of an order; read, never set."""

    @property
    def order_id(self) -> int: ...
    @property
    def side(self) -> int: ...
    @property
    def price(self) -> int: ...
    @property
    def quantity(self) -> int: ...


class EventList:
    """Builds the events of ``command``; the first has the number after ``last_sequence``."""

    def __init__(self, last_sequence: int, command: Command) -> None:
        self.items: list[Event] = []
        self._last_sequence = last_sequence
        self._command = command

    def accepted(self, order: _Order) -> None:
        """The order is in; all of it is open."""
        self._add(
            EventKind.ACCEPTED,
            order,
            order.price,
            order.quantity,
            leaves=order.quantity,
        )

    def replaced(self, order: _Order, price: int, quantity: int) -> None:
        """The order has this price and open quantity now."""
        self._add(EventKind.REPLACED, order, price, quantity, leaves=quantity)

    def trade(self, aggressor: _Order, maker: _Order, quantity: int, leaves: int) -> None:
        """Aggressor and maker trade ``quantity`` at the maker's price."""
        self._add(
            EventKind.TRADE,
            aggressor,
            maker.price,
            quantity,
            leaves=leaves,
            contra_order_id=maker.order_id,
        )

    def cancelled(self, order: _Order, reason: Reason, quantity: int | None = None) -> None:
        """``quantity`` (by default all that is open) of the order is taken off; none is left."""
        taken = order.quantity if quantity is None else quantity
        self._add(EventKind.CANCELLED, order, order.price, taken, reason=reason)

    def rejected(self, reason: Reason) -> None:
        """The command is refused; the event repeats what it said."""
        self._add(
            EventKind.REJECTED,
            self._command,
            self._command.price,
            self._command.quantity,
            reason=reason,
        )

    def _add(
        self,
        kind: EventKind,
        order: _Order | Command,
        price: int,
        quantity: int,
        *,
        leaves: int = 0,
        contra_order_id: int = 0,
        reason: Reason = Reason.NONE,
    ) -> None:
        self.items.append(
            Event(
                kind,
                self._last_sequence + len(self.items) + 1,
                order.order_id,
                contra_order_id,
                order.side,
                price,
                quantity,
                leaves,
                reason,
                self._command.timestamp_ns,
                self._command.instrument,
            )
        )
