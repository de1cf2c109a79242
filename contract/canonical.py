"""The canonical image of a book: the same bytes from every engine whose book is the same.

::

    header, 32 bytes                      order, 40 bytes, best level first, bids then asks
    0   8  magic "MBOOK\\0\\0\\1"            0   u64  order_id
    8  u32 instrument                     8   i64  price
    12 u32 0                              16  u64  open quantity
    16 u64 order count                    24  u64  timestamp_ns of its place in the queue
    24 u64 last event sequence            32  u32  account
                                          36  u8   self_trade
                                          37  u8   flags
                                          38  u16  side

The image says everything that decides the future of the book, and nothing of how an engine keeps
it. ``image_hash`` leaves the last event sequence out, so that two engines which reached the same
book by different roads agree.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from contract.engine import RestingOrder
from contract.errors import SnapshotError
from contract.messages import MAX_QUANTITY, Flag, SelfTrade, Side

MAGIC: Final = b"MBOOK\0\0\1"
HEADER: Final = struct.Struct("<8sIIQQ")
ORDER: Final = struct.Struct("<QqQQIBBH")


class ImageHeader(NamedTuple):
    """What the first 32 bytes of an image say."""

    instrument: int
    order_count: int
    event_sequence: int


def pack_header(instrument: int, order_count: int, event_sequence: int) -> bytes:
    """The 32-byte header."""
    return HEADER.pack(MAGIC, instrument, 0, order_count, event_sequence)


def pack_image(instrument: int, event_sequence: int, orders: Iterable[RestingOrder]) -> bytes:
    """The image of a book whose live orders are given bids first, in priority order."""
    body = [
        ORDER.pack(
            o.order_id,
            o.price,
            o.quantity,
            o.timestamp_ns,
            o.account,
            o.self_trade,
            o.flags,
            o.side,
        )
        for o in orders
    ]
    return pack_header(instrument, len(body), event_sequence) + b"".join(body)


def image_hash(image: bytes) -> str:
    """BLAKE2b, 16 bytes, as hex, of the image with its last event sequence taken as 0."""
    digest = hashlib.blake2b(image[:24], digest_size=16)
    digest.update(bytes(8))
    digest.update(memoryview(image)[HEADER.size :])
    return digest.hexdigest()


def iter_orders(body: bytes) -> Iterator[RestingOrder]:
    """The orders in the body of an image: whole 40-byte records, header left out."""
    for offset in range(0, len(body), ORDER.size):
        order_id, price, quantity, timestamp_ns, account, self_trade, flags, side = (
            ORDER.unpack_from(body, offset)
        )
        yield RestingOrder(
            order_id, side, price, quantity, timestamp_ns, account, self_trade, flags
        )


def check_image(
    image: bytes, *, instrument: int, min_price: int, max_price: int, capacity: int
) -> ImageHeader:
    """Accept an image for an engine with these limits, or say what is wrong with it.

    Every byte is judged before any state changes: magic, length, instrument, each order's fields,
    ids without repetition, sides in order, prices from best to worst, and a book not crossed.

    Raises:
        SnapshotError: with the offset, the field and the value.
    """
    if len(image) < HEADER.size:
        raise SnapshotError(
            f"snapshot: {len(image)} bytes, shorter than its {HEADER.size}-byte header"
        )
    magic, image_instrument, reserved, count, event_sequence = HEADER.unpack_from(image)
    if magic != MAGIC:
        raise SnapshotError(f"snapshot: offset 0: magic {magic!r} is not {MAGIC!r}")
    if reserved:
        raise SnapshotError(f"snapshot: offset 12: reserved field {reserved} is not 0")
    needed = HEADER.size + count * ORDER.size
    if len(image) != needed:
        raise SnapshotError(f"snapshot: {len(image)} bytes, but {count} orders need {needed}")
    if image_instrument != instrument:
        raise SnapshotError(
            f"snapshot: offset 8: instrument {image_instrument}, but this book is {instrument}"
        )
    if count > capacity:
        raise SnapshotError(
            f"snapshot: offset 16: {count} orders, more than the capacity {capacity}"
        )
    _check_orders(image, min_price, max_price)
    return ImageHeader(image_instrument, count, event_sequence)


def _check_orders(image: bytes, min_price: int, max_price: int) -> None:
    seen: set[int] = set()
    previous: RestingOrder | None = None
    best_bid: int | None = None
    for index, order in enumerate(iter_orders(image[HEADER.size :])):

        def fail(field: str, value: object, why: str, index: int = index) -> SnapshotError:
            offset = HEADER.size + index * ORDER.size
            return SnapshotError(f"snapshot: offset {offset}: order {index}: {field} {value} {why}")

        if order.order_id == 0 or order.order_id in seen:
            raise fail("order_id", order.order_id, "is 0 or repeated")
        seen.add(order.order_id)
        if not 0 < order.quantity <= MAX_QUANTITY:
            raise fail("quantity", order.quantity, f"is not in 1 to {MAX_QUANTITY}")
        if not min_price <= order.price <= max_price:
            raise fail("price", order.price, f"is not in {min_price} to {max_price}")
        if order.side > Side.ASK:
            raise fail("side", order.side, "is neither 0 (bid) nor 1 (ask)")
        if order.self_trade > SelfTrade.CANCEL_BOTH:
            raise fail("self_trade", order.self_trade, "is not a known mode")
        if order.flags > Flag.POST_ONLY:
            raise fail("flags", order.flags, "has unknown bits")
        if order.side == Side.BID and best_bid is None:
            best_bid = order.price
        if order.side == Side.ASK and best_bid is not None and order.price <= best_bid:
            raise fail("price", order.price, f"of an ask crosses the best bid {best_bid}")
        if previous is not None and not _in_priority_order(previous, order):
            raise fail("price", order.price, "is out of priority order")
        previous = order


def _in_priority_order(earlier: RestingOrder, later: RestingOrder) -> bool:
    if earlier.side != later.side:
        return earlier.side == Side.BID
    if earlier.side == Side.BID:
        return earlier.price >= later.price
    return earlier.price <= later.price
