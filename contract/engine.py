"""What every engine offers, whatever it is made of.

An engine is one book of one instrument and a single-threaded function of its commands: the same
commands give the same events, in the same order, in whatever batches they arrive.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

from contract.errors import ConfigurationError
from contract.messages import RECORD_BYTES, Command, Event

#: So that the open quantities of a whole book (each below 2**40) add up in 64 bits.
MAX_CAPACITY = 2**24


def check_limits(instrument: int, min_price: int, max_price: int, capacity: int) -> None:
    """Accept the limits a book is built with.

    Raises:
        ConfigurationError: names the limit, its value and what would be right.
    """
    if not 0 <= instrument < 2**32:
        raise ConfigurationError(f"instrument {instrument} is not in 0 to {2**32 - 1}")
    if not -(2**63) <= min_price <= max_price < 2**63:
        raise ConfigurationError(
            f"min_price {min_price} and max_price {max_price} are not ordered 64-bit prices"
        )
    if not 1 <= capacity <= MAX_CAPACITY:
        raise ConfigurationError(f"capacity {capacity} is not in 1 to {MAX_CAPACITY}")


def record_view(buffer: Any, *, writable: bool = False) -> memoryview:
    """The bytes of a buffer of 64-byte records, flat, shape (64 * n,).

    Raises:
        ValueError: the buffer is not contiguous, not whole records, or read-only where events
            are to be written. Better now than after the book has changed.
    """
    view = memoryview(buffer)
    if not view.c_contiguous:
        raise ValueError("records must lie one after the other in memory, without gaps")
    if view.nbytes % RECORD_BYTES:
        raise ValueError(f"{view.nbytes} bytes are not a whole number of 64-byte records")
    if writable and view.readonly:
        raise ValueError("the event array is read-only")
    # Of no records at all there are many shapes, and cast() refuses those with a 0 in them.
    return view.cast("B") if view.nbytes else memoryview(bytearray())


class BatchResult(NamedTuple):
    """How far ``apply_batch`` came.

    Attributes:
        consumed: commands applied, from the front of the batch.
        written: events written, from the front of the event array.
    """

    consumed: int
    written: int


class LevelView(NamedTuple):
    """One price level as others see it: ticks, open lots, live orders."""

    price: int
    quantity: int
    order_count: int


class RestingOrder(NamedTuple):
    """One live order. ``timestamp_ns`` is of the command that gave it its place in the queue."""

    order_id: int
    side: int
    price: int
    quantity: int
    timestamp_ns: int
    account: int
    self_trade: int
    flags: int


@runtime_checkable
class Engine(Protocol):
    """The engine protocol. All engines are built with the same keyword arguments::

        Engine(instrument=0, min_price=1, max_price=2**31 - 1, capacity=2**20)

    and raise ``ConfigurationError`` when the limits make no sense.
    """

    name: ClassVar[str]
    instrument: int
    min_price: int
    max_price: int
    capacity: int

    def apply(self, command: Command) -> list[Event]:
        """Apply one command and return its events, at least one."""

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Apply commands in order until they or the room for events run out.

        Args:
            commands: a C-contiguous array of ``COMMAND_DTYPE``, or any bytes-like object whose
                length is a multiple of 64.
            events: a writable one of ``EVENT_DTYPE``, filled from the front.

        A command is consumed if and only if all its events fit into what is left of ``events``;
        the engine stops before the first that does not fit, so no event is ever lost.
        """

    @property
    def event_sequence(self) -> int:
        """Sequence number of the last event, 0 before the first."""

    def best_bid(self) -> LevelView | None:
        """The highest bid level, or None."""

    def best_ask(self) -> LevelView | None:
        """The lowest ask level, or None."""

    def depth(self, levels: int) -> tuple[list[LevelView], list[LevelView]]:
        """Up to ``levels`` levels of bids and of asks, best first."""

    def orders(self, side: int, limit: int | None = None) -> list[RestingOrder]:
        """Live orders of a side in priority order, best level first, at most ``limit`` of them."""

    def order(self, order_id: int) -> RestingOrder | None:
        """The live order of that id, or None."""

    def __len__(self) -> int:
        """How many orders are live."""

    def snapshot(self) -> bytes:
        """The canonical image of the book (``contract/canonical.py``)."""

    def restore(self, image: bytes) -> None:
        """Replace the book's whole state by an image's.

        Raises:
            SnapshotError: the image is damaged or does not fit; the book is as it was before.
        """

    def state_hash(self) -> str:
        """32 hex digits that are equal in all engines whose books are equal."""

    def check(self) -> None:
        """Verify every structural invariant of the implementation.

        Raises:
            InvariantError: names the broken invariant and dumps the book.
        """

    def close(self) -> None:
        """Free what the engine holds. Closing twice is harmless; other use then raises."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...
