"""The one Python face of every C book: arrays in, 64-byte event records out.

A phase's engine is this class with its own compiled extension::

    from phase2_arena._arena import ffi, lib

    class Engine(NativeEngine):
        name = "phase2"
        _ffi, _lib = ffi, lib

The boundary is crossed once a batch: an array of commands is handed over as it lies in memory and
events are written straight into the caller's array. cffi releases the GIL around the call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

from contract import canonical
from contract.engine import BatchResult, LevelView, RestingOrder, check_limits
from contract.errors import ConfigurationError, EngineClosedError, InvariantError
from contract.messages import (
    DEFAULT_CAPACITY,
    DEFAULT_MAX_PRICE,
    DEFAULT_MIN_PRICE,
    RECORD_BYTES,
    Command,
    Event,
    Side,
)

_SCRATCH_EVENTS = 256
_MESSAGE_BYTES = 512


class LentBook(NamedTuple):
    """A book as a thread in C drives it, whatever its extension: addresses of this process."""

    apply: int  # book_apply of contract/c/engine.h
    book: int
    most_events: int  # that one command can cause: one for each live order, and two of its own
    orders: int  # book_orders, book_order_count, book_event_sequence: they only read
    order_count: int
    event_sequence: int


class NativeEngine:
    """An engine whose book is C. See ``contract.engine.Engine`` for what each method promises.

    ``apply`` costs one call into C and two small conversions; ``apply_batch`` costs one call for
    as many commands as there are. Not thread-safe: one owner per engine.
    """

    name: ClassVar[str] = "native"
    _ffi: ClassVar[Any]
    _lib: ClassVar[Any]

    def __init__(
        self,
        *,
        instrument: int = 0,
        min_price: int = DEFAULT_MIN_PRICE,
        max_price: int = DEFAULT_MAX_PRICE,
        capacity: int = DEFAULT_CAPACITY,
    ) -> None:
        self._book: Any = None
        check_limits(instrument, min_price, max_price, capacity)
        self.instrument = instrument
        self.min_price = min_price
        self.max_price = max_price
        self.capacity = capacity
        handle = self._lib.book_new(instrument, min_price, max_price, capacity)
        if handle == self._ffi.NULL:
            raise ConfigurationError(f"capacity {capacity}: the machine has not enough memory")
        # The collector frees a forgotten engine; close() is the way that does not wait for it.
        self._book = self._ffi.gc(handle, self._lib.book_free)
        self._events = bytearray(_SCRATCH_EVENTS * RECORD_BYTES)
        self._written = self._ffi.new("size_t *")
        self._at_rest: Callable[[], None] | None = None

    def _open_book(self) -> Any:
        if self._book is None:
            raise EngineClosedError(f"{self.name}: this engine is closed")
        if self._at_rest is not None:
            self._at_rest()
        return self._book

    def lend(self, at_rest: Callable[[], None]) -> LentBook:
        """Lend the book to a thread in C, which alone changes it until ``take_back``.

        Args:
            at_rest: called before each look into the book from here; raises while the thread may
                be changing it.

        Raises:
            ValueError: it is lent already.
        """
        book = self._open_book()
        if self._at_rest is not None:
            raise ValueError(f"{self.name}: this engine's book is lent already")
        self._at_rest = at_rest
        return LentBook(
            apply=self._address("book_apply"),
            book=int(self._ffi.cast("uintptr_t", book)),
            most_events=self.capacity + 2,
            orders=self._address("book_orders"),
            order_count=self._address("book_order_count"),
            event_sequence=self._address("book_event_sequence"),
        )

    def _address(self, function: str) -> int:
        pointer = self._ffi.addressof(self._lib, function)
        return int(self._ffi.cast("uintptr_t", pointer))

    def take_back(self) -> None:
        """End the loan: the thread has ended."""
        self._at_rest = None

    def apply(self, command: Command) -> list[Event]:
        """Apply one command; O(events). Prefer ``apply_batch`` where speed matters."""
        record = command.pack()
        consumed, written = self.apply_batch(record, self._events)
        while not consumed:
            self._events = bytearray(2 * len(self._events))
            consumed, written = self.apply_batch(record, self._events)
        return [Event.unpack_from(self._events, i * RECORD_BYTES) for i in range(written)]

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Apply a whole array in one call into C.

        Raises:
            ValueError: a buffer is not contiguous, not writable, or not whole records.
        """
        book = self._open_book()
        if self._at_rest is not None:
            raise ValueError(f"{self.name}: this engine's book is lent, and commands go that way")
        ffi = self._ffi
        # As plain bytes first: cffi would round a buffer that ends within a record down and lose
        # it without a word, and a memoryview of records costs more than all of this together.
        try:
            source = ffi.from_buffer(commands)
            target = ffi.from_buffer("char[]", events, require_writable=True)
        except BufferError as error:
            raise ValueError(str(error)) from error
        command_count, command_rest = divmod(len(source), RECORD_BYTES)
        event_room, event_rest = divmod(len(target), RECORD_BYTES)
        if command_rest:
            raise ValueError("commands are not a whole number of 64-byte records")
        if event_rest:
            raise ValueError("events are not a whole number of 64-byte records")
        consumed = self._lib.book_apply(
            book,
            ffi.cast("command_record *", source),
            command_count,
            ffi.cast("event_record *", target),
            event_room,
            self._written,
        )
        return BatchResult(consumed, self._written[0])

    @property
    def event_sequence(self) -> int:
        """Sequence number of the last event, 0 before the first."""
        return int(self._lib.book_event_sequence(self._open_book()))

    def best_bid(self) -> LevelView | None:
        """The highest bid level, or None. O(1) where the book's structure gives it."""
        return next(iter(self._levels(Side.BID, 1)), None)

    def best_ask(self) -> LevelView | None:
        """The lowest ask level, or None. O(1) where the book's structure gives it."""
        return next(iter(self._levels(Side.ASK, 1)), None)

    def depth(self, levels: int) -> tuple[list[LevelView], list[LevelView]]:
        """Up to ``levels`` levels of bids and of asks, best first."""
        return self._levels(Side.BID, levels), self._levels(Side.ASK, levels)

    def _levels(self, side: int, limit: int) -> list[LevelView]:
        book = self._open_book()
        room = min(limit, self._lib.book_level_count(book, side))
        out = self._ffi.new("level_view[]", room)
        count = self._lib.book_depth(book, side, out, room)
        return [LevelView(out[i].price, out[i].quantity, out[i].order_count) for i in range(count)]

    def orders(self, side: int, limit: int | None = None) -> list[RestingOrder]:
        """Live orders of a side in priority order, best level first."""
        return list(canonical.iter_orders(self._images(Side(side), limit)))

    def _images(self, side: int, limit: int | None = None) -> bytes:
        book = self._open_book()
        live = self._lib.book_order_count(book)
        room = live if limit is None else min(limit, live)
        out = self._ffi.new("order_image[]", room)
        count = self._lib.book_orders(book, side, out, room)
        return bytes(self._ffi.buffer(out)[: count * canonical.ORDER.size])

    def order(self, order_id: int) -> RestingOrder | None:
        """The live order of that id, or None. O(1) expected."""
        out = self._ffi.new("order_image *")
        if not self._lib.book_order(self._open_book(), order_id, out):
            return None
        return next(canonical.iter_orders(bytes(self._ffi.buffer(out))))

    def __len__(self) -> int:
        return int(self._lib.book_order_count(self._open_book()))

    def snapshot(self) -> bytes:
        """The canonical image: 32 bytes and 40 for each live order. O(orders)."""
        body = self._images(Side.BID) + self._images(Side.ASK)
        return canonical.pack_header(self.instrument, len(self), self.event_sequence) + body

    def restore(self, image: bytes) -> None:
        """Replace the whole book by an image's. O(capacity); on an error nothing changes."""
        book = self._open_book()
        header = canonical.check_image(
            image,
            instrument=self.instrument,
            min_price=self.min_price,
            max_price=self.max_price,
            capacity=self.capacity,
        )
        body = self._ffi.from_buffer("order_image[]", memoryview(image)[canonical.HEADER.size :])
        self._lib.book_restore(book, body, header.order_count, header.event_sequence)

    def state_hash(self) -> str:
        """32 hex digits that are equal in all engines whose books are equal."""
        return canonical.image_hash(self.snapshot())

    def check(self) -> None:
        """Verify every structural invariant of the C book. O(capacity)."""
        message = self._ffi.new("char[]", _MESSAGE_BYTES)
        if not self._lib.book_check(self._open_book(), message, _MESSAGE_BYTES):
            raise InvariantError(f"{self.name}: {self._ffi.string(message).decode()}")

    def memory_bytes(self) -> int:
        """Bytes the book took when it was built; it never takes more."""
        return int(self._lib.book_bytes(self._open_book()))

    def close(self) -> None:
        """Free the book now. Closing twice is harmless.

        Raises:
            ValueError: it is lent: a thread works with it.
        """
        if self._book is not None:
            if self._at_rest is not None:
                raise ValueError(f"{self.name}: this engine's book is lent: end the loan first")
            self._ffi.release(self._book)
            self._book = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
