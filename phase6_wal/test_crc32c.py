"""The checksum against published values and against a library that is not ours."""

from __future__ import annotations

import random

import pytest

from phase6_wal.native import crc32c

#: RFC 3720 (iSCSI), B.4, and the check value of the catalogues of CRCs.
PUBLISHED = [
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(reversed(range(32))), 0x113FDB5C),
]


@pytest.mark.parametrize(("data", "expected"), PUBLISHED)
def test_published_values(data: bytes, expected: int) -> None:
    """Guards against a checksum that only agrees with itself."""
    assert crc32c(data) == expected
    assert crc32c(bytearray(data)) == crc32c(memoryview(data)) == expected


def test_a_library_says_the_same() -> None:
    """Guards against a value that no other program would check: Google's CRC32C, any length."""
    library = pytest.importorskip("google_crc32c", reason="google-crc32c is not installed")
    seed = 6
    draw = random.Random(seed)
    for length in [*range(300), 1535, 1536, 1537, 4096, 65_537]:
        data = draw.randbytes(length)
        assert crc32c(data) == library.value(data), f"seed {seed}, {length} bytes"
        half = length // 2
        before = crc32c(data[:half])
        assert crc32c(data[half:], before) == library.extend(before, data[half:])


def test_what_is_no_buffer() -> None:
    """Guards against a checksum of something else than was given."""
    with pytest.raises(TypeError):
        crc32c("text")
    with pytest.raises(OverflowError):
        crc32c(b"", -1)
    with pytest.raises(OverflowError):
        crc32c(b"", 2**32)
