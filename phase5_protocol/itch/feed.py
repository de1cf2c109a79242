"""From the engine's events to ITCH 5.0: whoever builds a book from these messages has the engine's.

An engine speaks of commands and what became of them; ITCH speaks only of what can be seen, the
resting orders. So most of an event list is about orders that nobody outside ever saw:

====================================  ============================================================
event                                 messages
====================================  ============================================================
ACCEPTED                              none yet: see below
TRADE                                 E for the maker, in shares; at the price it shows, always
CANCELLED of a resting order          D (USER, MASS_CANCEL, and SELF_TRADE of a maker)
CANCELLED of the incoming order       none: it was never seen (IOC, FOK, and SELF_TRADE)
REPLACED, place in the queue kept     X for the difference; none if there is no difference
REPLACED, place lost, then rests      U: a new reference at the back of its new level
REPLACED, place lost, then trades     D before its first E; A for what is left
REJECTED                              none
====================================  ============================================================

**When an order is seen.** ACCEPTED does not say whether what is left will rest, and the event that
would say so does not exist: a GTC remainder rests in silence. But a command that does *not* rest
says so (CANCELLED: IOC, FOK, SELF_TRADE) or trades in full. Hence: an incoming order is held back,
and if something is left of it when its command's events end, that is an A (or a U), after its
executions. Where a command's events end needs no mark: the first event of every command is of a
kind that never stands inside another command's, ::

    first:  ACCEPTED, REPLACED, REJECTED, CANCELLED USER or MASS_CANCEL
    inside: TRADE, CANCELLED IOC, FOK or SELF_TRADE

so the next first event, or the end of the list, ends it. Lists must therefore end between commands,
as ``apply`` and ``apply_batch`` make them.

**References** are given by the feed: 1, 2, 3, … in the order in which orders join a level. Within a
level, a lower reference is therefore always an older place, as at Nasdaq; the engine's ids, which
clients choose and may use again, are not shown. **Match numbers** are those of the trades' events,
the same that the two sides hear (``match_number``).

**C and P.** Trades here happen at the maker's price, so that E is enough. Should an event ever
differ from the price shown (an auction would), it becomes a C. P is a trade with an order not
shown: there are none, unless an order is too large for ITCH's 32 bits and ``hide_too_large``
lets it rest unseen, where the default is an error. The book built is then the engine's without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from contract.engine import RestingOrder
from contract.errors import ConfigurationError
from contract.messages import Event, EventKind, Reason
from phase5_protocol.itch.directory import (
    MAX_LOCATE,
    MAX_SHARES,
    check_listing,
    directory_message,
    trading_message,
)
from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.itch.shown import HIDDEN, FeedError, Incoming, ShownBook, ShownOrder
from phase5_protocol.listing import SYMBOL_CHARACTERS, Listing, by_symbol
from phase5_protocol.match_number import match_number

__all__ = ["FeedError", "ItchFeed"]

DAY_NS: Final = 86_400_000_000_000

_SYSTEM: Final = LAYOUTS["S"]
_EXECUTED: Final = LAYOUTS["E"]
_EXECUTED_AT: Final = LAYOUTS["C"]
_CANCEL: Final = LAYOUTS["X"]
_DELETE: Final = LAYOUTS["D"]
_REPLACE: Final = LAYOUTS["U"]
_TRADE: Final = LAYOUTS["P"]
_CANCELLED_FIRST: Final = (Reason.USER, Reason.MASS_CANCEL)
_CANCELLED_INSIDE: Final = (Reason.IOC, Reason.FOK, Reason.SELF_TRADE)


class ItchFeed:
    """Makes the messages of one ITCH channel from the events of one or more books.

    Single-threaded. Memory: one small object a resting order.

    >>> from contract.messages import Event, EventKind
    >>> feed = ItchFeed([Listing("MBK", max_price=1_000)])
    >>> bid = Event(EventKind.ACCEPTED, order_id=7, price=99, quantity=5, leaves=5)
    >>> [message[:1] for message in feed.take([bid])]
    [b'A']
    """

    def __init__(
        self,
        listings: Iterable[Listing],
        *,
        midnight_ns: int = 0,
        first_reference: int = 1,
        attribution: Callable[[int, int], str] | None = None,
        hide_too_large: bool = False,
    ) -> None:
        """Begin with empty books; the first listing has locate 1, the next 2, and so on.

        Args:
            midnight_ns: what the commands' clock showed at midnight. Messages carry the time since,
                modulo a day: any time stamp gives a time of day.
            first_reference: where numbering goes on after a restart within a day.
            attribution: (instrument, order id) to the market participant to name in F, up to four
                letters; "" is none.
            hide_too_large: do not show orders of 2**32 lots and more, instead of failing at them.

        Raises:
            ConfigurationError: an instrument or symbol twice, none, too many for 16 bits, or one
                that ITCH cannot show.
        """
        listed = by_symbol(listings).values()
        if not 1 <= len(listed) <= MAX_LOCATE:
            raise ConfigurationError(f"{len(listed)} listings are not 1 to {MAX_LOCATE}")
        self._books: dict[int, ShownBook] = {}
        for locate, listing in enumerate(listed, 1):
            check_listing(listing)
            symbol = listing.symbol.ljust(SYMBOL_CHARACTERS).encode("ascii")
            self._books[listing.instrument] = ShownBook(listing, locate, symbol)
        self._midnight_ns = midnight_ns
        self._next_reference = first_reference
        self._attribution = attribution
        self._hide_too_large = hide_too_large
        self._incoming: Incoming | None = None
        self._failed: FeedError | None = None

    # --- the day ----------------------------------------------------------------------------

    def start_of_day(self, timestamp_ns: int) -> list[bytes]:
        """S O, then R and H (trading) for each stock, then S S and S Q: the first messages."""
        time_ns = self._time_of_day(timestamp_ns)
        books = self._books.values()
        return [
            self._system(b"O", time_ns),
            *(directory_message(book.listing, book.locate, time_ns) for book in books),
            *(trading_message(book.listing, book.locate, time_ns) for book in books),
            self._system(b"S", time_ns),
            self._system(b"Q", time_ns),
        ]

    def end_of_day(self, timestamp_ns: int) -> list[bytes]:
        """S M, S E, S C: the last messages. What still rests is left as it is, as at Nasdaq."""
        time_ns = self._time_of_day(timestamp_ns)
        return [self._system(code, time_ns) for code in (b"M", b"E", b"C")]

    def _system(self, code: bytes, time_ns: int) -> bytes:
        return _SYSTEM.pack(0, 0, time_ns, code)

    def _time_of_day(self, timestamp_ns: int) -> int:
        return (timestamp_ns - self._midnight_ns) % DAY_NS

    # --- whole books ------------------------------------------------------------------------

    def show(
        self, instrument: int, orders: Iterable[RestingOrder], timestamp_ns: int
    ) -> list[bytes]:
        """A for each order of a book that was not empty when the feed began.

        Args:
            orders: in priority order, as ``engine.orders`` gives them; one side after the other.

        Raises:
            FeedError: an order that is shown already, or cannot be.
        """
        book = self._book(instrument)
        out: list[bytes] = []
        time_ns = self._time_of_day(timestamp_ns)
        with self._until_it_fails():
            for each in orders:
                if each.order_id in book.orders:
                    raise FeedError(
                        f"{book.listing.symbol}: order {each.order_id} is shown already"
                    )
                terms = each.order_id, each.side, each.price, each.quantity, time_ns
                self._join(book, *terms, out)
        return out

    def snapshot(self, timestamp_ns: int) -> list[bytes]:
        """The messages from which a late reader builds all books as they are now.

        R for each stock, then its orders as A or F under the references they have, oldest first.
        """
        time_ns = self._time_of_day(timestamp_ns)
        out: list[bytes] = []
        for book in self._books.values():
            out.append(directory_message(book.listing, book.locate, time_ns))
            shown = (order for order in book.orders.values() if order.reference != HIDDEN)
            out.extend(book.add_message(order, time_ns) for order in shown)
        return out

    def locate(self, instrument: int) -> int:
        """The stock locate of an instrument."""
        return self._book(instrument).locate

    def reference(self, instrument: int, order_id: int) -> int | None:
        """The reference of an order that is shown, or None."""
        order = self._book(instrument).orders.get(order_id)
        return None if order is None or order.reference == HIDDEN else order.reference

    def hidden(self, instrument: int) -> Iterator[int]:
        """Ids of the orders that rest unseen."""
        orders = self._book(instrument).orders.items()
        return (order_id for order_id, order in orders if order.reference == HIDDEN)

    # --- events -----------------------------------------------------------------------------

    # --8<-- [start:take]
    def take(self, events: Iterable[Event]) -> list[bytes]:
        """The messages for the events of whole commands. O(1) an event.

        Raises:
            FeedError: an order too large to show, or events that contradict what is shown (those
                of a book that was not empty, say: see :meth:`show`). The feed is then at its end.
        """
        out: list[bytes] = []
        with self._until_it_fails():
            for event in events:
                if event.kind == EventKind.TRADE:
                    self._trade(event, out)
                elif event.kind == EventKind.CANCELLED and event.reason in _CANCELLED_INSIDE:
                    self._cancelled_inside(event, out)
                else:
                    self._settle(out)
                    self._begin(event, out)
            self._settle(out)
        return out

    # --8<-- [end:take]

    @contextmanager
    def _until_it_fails(self) -> Iterator[None]:
        """After the first error readers' books may be behind: nothing more is said."""
        if self._failed is not None:
            raise FeedError(f"the feed ended at an error: {self._failed}")
        try:
            yield
        except FeedError as error:
            self._failed = error
            raise

    def _begin(self, event: Event, out: list[bytes]) -> None:
        """The first event of a command."""
        if event.kind == EventKind.ACCEPTED:
            self._hold_back(event)
        elif event.kind == EventKind.CANCELLED and event.reason in _CANCELLED_FIRST:
            self._cancel(event, out)
        elif event.kind == EventKind.REPLACED:
            self._replaced(event, out)
        elif event.kind != EventKind.REJECTED:
            raise FeedError(f"no such event: {event}")

    def _cancelled_inside(self, event: Event, out: list[bytes]) -> None:
        """The rest of the incoming order is cancelled, or a maker of its own account is."""
        if self._incoming is None:
            raise FeedError(f"{event}: its command's first event is missing")
        if event.reason == Reason.SELF_TRADE and event.order_id != self._incoming.order_id:
            self._cancel(event, out)
        else:
            incoming = self._expect_incoming(event)
            self._unsee(incoming, out)
            self._incoming = None

    def _hold_back(self, event: Event, seen: ShownOrder | None = None) -> None:
        """An order comes in: until its command's events end, it is not known what is left."""
        book, time_ns = self._book(event.instrument), self._time_of_day(event.timestamp_ns)
        terms = event.order_id, event.side, event.price, event.quantity
        self._incoming = Incoming(book, *terms, time_ns, seen)

    def _trade(self, event: Event, out: list[bytes]) -> None:
        incoming = self._expect_incoming(event)
        book, shares = incoming.book, event.quantity
        maker = book.find(event.contra_order_id, event)
        if shares > maker.quantity:
            raise FeedError(f"{event}: only {maker.quantity} of the maker are shown")
        self._unsee(incoming, out)
        head, match = book.head(incoming.time_ns), match_number(event)
        price4 = book.listing.to_units(event.price)
        if maker.reference == HIDDEN:
            for part in _parts(shares):
                out.append(_TRADE.pack(*head, 0, b"B", part, book.symbol, price4, match))
        elif event.price == maker.price:
            out.append(_EXECUTED.pack(*head, maker.reference, shares, match))
        else:
            what = maker.reference, shares, match
            out.append(_EXECUTED_AT.pack(*head, *what, b"Y", price4))
        maker.quantity -= shares
        if maker.quantity == 0:
            del book.orders[event.contra_order_id]  # readers know: nothing is left of it
        incoming.leaves = event.leaves

    def _cancel(self, event: Event, out: list[bytes]) -> None:
        """A resting order leaves."""
        book = self._book(event.instrument)
        order = book.find(event.order_id, event)
        if event.quantity != order.quantity or event.leaves:
            raise FeedError(f"{event}: {order.quantity} are shown")
        del book.orders[event.order_id]
        if order.reference != HIDDEN:
            head = book.head(self._time_of_day(event.timestamp_ns))
            out.append(_DELETE.pack(*head, order.reference))

    def _replaced(self, event: Event, out: list[bytes]) -> None:
        book = self._book(event.instrument)
        order = book.find(event.order_id, event)
        if event.price != order.price or event.quantity > order.quantity:
            del book.orders[event.order_id]
            self._hold_back(event, order if order.reference != HIDDEN else None)
            return
        less = order.quantity - event.quantity
        order.quantity = event.quantity
        if less and order.reference != HIDDEN:
            head = book.head(self._time_of_day(event.timestamp_ns))
            out.append(_CANCEL.pack(*head, order.reference, less))

    # --8<-- [start:settle]
    def _settle(self, out: list[bytes]) -> None:
        """The command's events have ended: what is left of its order rests, and is seen."""
        incoming, self._incoming = self._incoming, None
        if incoming is None or incoming.leaves == 0:
            return
        book, seen, leaves = incoming.book, incoming.seen, incoming.leaves
        book.check_price(incoming.order_id, incoming.price)
        if seen is None or leaves > MAX_SHARES:
            self._unsee(incoming, out)
            terms = incoming.order_id, incoming.side, incoming.price, leaves, incoming.time_ns
            self._join(book, *terms, out)
            return
        old = seen.reference
        seen.reference = self._take_reference()
        seen.price, seen.quantity = incoming.price, leaves
        book.orders[incoming.order_id] = seen
        price4 = book.listing.to_units(seen.price)
        head = book.head(incoming.time_ns)
        out.append(_REPLACE.pack(*head, old, seen.reference, leaves, price4))

    # --8<-- [end:settle]

    def _unsee(self, incoming: Incoming, out: list[bytes]) -> None:
        """A replaced order that will not just rest elsewhere leaves first: it is never crossed."""
        if incoming.seen is not None:
            head = incoming.book.head(incoming.time_ns)
            out.append(_DELETE.pack(*head, incoming.seen.reference))
            incoming.seen = None

    def _join(
        self,
        book: ShownBook,
        order_id: int,
        side: int,
        price: int,
        quantity: int,
        time_ns: int,
        out: list[bytes],
    ) -> None:
        """An order joins the back of its level."""
        symbol = book.listing.symbol
        book.check_price(order_id, price)
        if quantity > MAX_SHARES:
            if not self._hide_too_large:
                raise FeedError(f"{symbol}: order {order_id} of {quantity} is over {MAX_SHARES}")
            book.orders[order_id] = ShownOrder(HIDDEN, side, price, quantity, b"")
            return
        mpid = ""
        if self._attribution is not None:
            mpid = self._attribution(book.listing.instrument, order_id)
            if not mpid.isascii() or len(mpid) > 4:
                raise FeedError(f"{symbol}: attribution {mpid!r} is not four ASCII letters")
        attribution = mpid.ljust(4).encode("ascii") if mpid else b""
        order = ShownOrder(self._take_reference(), side, price, quantity, attribution)
        book.orders[order_id] = order
        out.append(book.add_message(order, time_ns))

    def _take_reference(self) -> int:
        reference = self._next_reference
        self._next_reference += 1
        return reference

    # --- what cannot be ---------------------------------------------------------------------

    def _book(self, instrument: int) -> ShownBook:
        book = self._books.get(instrument)
        if book is None:
            raise FeedError(f"instrument {instrument} is not listed")
        return book

    def _expect_incoming(self, event: Event) -> Incoming:
        incoming = self._incoming
        if incoming is None or incoming.order_id != event.order_id:
            raise FeedError(f"{event}: its command's first event is missing")
        return incoming


def _parts(shares: int) -> Iterator[int]:
    """A quantity in pieces that fit 32 bits: a trade between two orders that are not shown."""
    while shares > MAX_SHARES:
        yield MAX_SHARES
        shares -= MAX_SHARES
    yield shares
