"""The image of a book, apart from any engine."""

import hashlib
import re

import pytest

from contract.canonical import (
    HEADER,
    MAGIC,
    ORDER,
    check_image,
    image_hash,
    iter_orders,
    pack_header,
    pack_image,
)
from contract.engine import RestingOrder
from contract.errors import SnapshotError
from contract.messages import Side

ORDERS = [
    RestingOrder(1, Side.BID, 100, 5, 7, 8, 3, 1),
    RestingOrder(2**64 - 1, Side.ASK, 2**63 - 1, 2**40 - 1, 2**64 - 1, 2**32 - 1, 0, 0),
]
LIMITS = {"instrument": 3, "min_price": -(2**63), "max_price": 2**63 - 1, "capacity": 2}


def test_layout() -> None:
    """Guards against images that only this version can read."""
    image = pack_image(3, 9, ORDERS[:1])
    assert image[:32] == b"MBOOK\0\0\1" + bytes.fromhex(
        "03000000 00000000 0100000000000000 0900000000000000"
    )
    assert image[32:] == bytes.fromhex(
        "0100000000000000 6400000000000000 0500000000000000 0700000000000000 08000000 03 01 0000"
    )
    assert (HEADER.size, ORDER.size, len(MAGIC)) == (32, 40, 8)
    assert pack_header(3, 1, 9) == image[:32]


def test_orders_come_out_as_they_went_in() -> None:
    """Guards against a field lost between two engines."""
    image = pack_image(3, 9, ORDERS)
    assert list(iter_orders(image[HEADER.size :])) == ORDERS
    assert check_image(image, **LIMITS) == (3, 2, 9)
    assert check_image(pack_image(3, 0, []), **LIMITS) == (3, 0, 0)


def test_hash_leaves_the_event_number_out_and_nothing_else() -> None:
    """Guards against equal books with unequal hashes, and the other way round."""
    image = pack_image(3, 9, ORDERS)
    zeroed = pack_image(3, 0, ORDERS)
    assert image_hash(image) == image_hash(zeroed)
    assert image_hash(image) == hashlib.blake2b(zeroed, digest_size=16).hexdigest()
    for at in [*range(24), *range(32, len(image))]:
        other = bytearray(image)
        other[at] ^= 1
        assert image_hash(bytes(other)) != image_hash(image), at


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (b"", "0 bytes, shorter than its 32-byte header"),
        (pack_image(3, 9, ORDERS)[:-1], "111 bytes, but 2 orders need 112"),
        (pack_image(4, 9, ORDERS), "offset 8: instrument 4, but this book is 3"),
        (pack_image(3, 9, ORDERS * 2), "offset 16: 4 orders, more than the capacity 2"),
        (pack_image(3, 9, [ORDERS[0]] * 2), "offset 72: order 1: order_id 1 is 0 or repeated"),
        (
            pack_image(3, 9, [ORDERS[1], ORDERS[0]]),
            "offset 72: order 1: price 100 is out of priority order",
        ),
    ],
)
def test_what_is_wrong_is_said(image: bytes, words: str) -> None:
    """Guards against "bad snapshot", which sends its reader to a hex editor."""
    with pytest.raises(SnapshotError, match=re.escape(words)):
        check_image(image, **LIMITS)
