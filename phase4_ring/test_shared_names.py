"""Rings under names in shared memory: taken once, found again, and refused where they differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

from contract.errors import ConfigurationError
from contract.ring import CURSORS
from phase4_ring import Sequencer, SpscRing
from phase4_ring._ring import ffi, lib
from phase4_ring.shared_names import RingInUseError, RingMismatchError, RingMissingError

FreshName = Callable[[], str]

HEADER: Final = np.dtype(
    {
        "names": ["magic", "version", "kind", "record_bytes", "line_bytes", "capacity", "bytes"],
        "formats": ["<u8", "<u4", "<u4", "<u4", "<u4", "<u8", "<u8"],
        "offsets": [0, 8, 12, 16, 20, 24, 32],
        "itemsize": 40,
    }
)

both = pytest.mark.parametrize("kind", [SpscRing, Sequencer])


@both
@pytest.mark.parametrize("name", ["", "a/b", "/a", "ä", "a b", "x" * 25, "a\0", "a\n"])
def test_names_that_are_none(kind: Any, name: str) -> None:
    """Guards against a name that one system takes and another does not."""
    for use in (kind.create, kind.attach, kind.unlink):
        with pytest.raises(ConfigurationError, match="ring name"):
            use(name)


@both
def test_a_name_is_taken_once(kind: Any, fresh_name: FreshName) -> None:
    """Guards against a second ring under a name, and a name that outlives its unlinking."""
    name = fresh_name()
    with pytest.raises(RingMissingError, match="does not exist"):
        kind.attach(name)
    with kind.create(name, 8) as ring:
        with pytest.raises(RingInUseError, match=f"{name!r} exists already"):
            kind.create(name, 8)
        kind.unlink(name)
        with pytest.raises(RingMissingError):
            kind.attach(name)
        with pytest.raises(RingMissingError):
            kind.unlink(name)
        with kind.create(name, 16) as other:
            assert (ring.capacity, other.capacity) == (8, 16), "those attached go on"


def test_a_failed_creation_leaves_no_name(fresh_name: FreshName) -> None:
    """Guards against a name that stays behind when its ring could not be made."""
    name = fresh_name()
    with pytest.raises(ConfigurationError, match="capacity 7"):
        SpscRing.create(name, 7)
    with pytest.raises(RingMissingError):
        SpscRing.attach(name)


@both
def test_what_two_mappings_share(kind: Any, fresh_name: FreshName) -> None:
    """Guards against a second mapping that begins anew."""
    name = fresh_name()
    with kind.create(name, 8, start=CURSORS - 1) as ring, kind.attach(name) as same:
        assert same.capacity == 8
        assert same.name == ring.name == name
        ring.close()
        assert same.closed
        assert len(same) == 0


def header_of(ring: Any) -> Any:
    """The head of a ring's memory, to be spoiled."""
    return np.frombuffer(ffi.buffer(ffi.cast("char *", ring.handle), HEADER.itemsize), HEADER)


@pytest.mark.parametrize(
    ("field", "value", "named", "found", "expected"),
    [
        ("magic", 0x1122334455667788, "magic", 0x1122334455667788, 0x0100474E4952424D),
        ("version", 2, "version", 2, 1),
        ("kind", lib.REGION_SEQUENCER, "kind", "a sequencer", "an SPSC ring"),
        ("kind", 77, "kind", "77", "an SPSC ring"),
        ("record_bytes", 128, "bytes of a record", 128, 64),
        ("line_bytes", 32, "bytes of a cache line", 32, None),
        ("capacity", 12, "capacity", 12, f"a power of two from 2 to {2**24}"),
        ("capacity", 2**63, "capacity", 2**63, f"a power of two from 2 to {2**24}"),
        ("capacity", 16, "bytes", None, None),
        ("bytes", 4096, "bytes", 4096, None),
    ],
)
def test_a_ring_of_another_build(
    field: str, value: int, named: str, found: Any, expected: Any, fresh_name: FreshName
) -> None:
    """Guards against another layout read as if it were ours: the error names what differs."""
    name = fresh_name()
    with SpscRing.create(name, 8) as ring:
        header_of(ring)[field] = value
        with pytest.raises(RingMismatchError, match=f"ring {name!r}: {named} ") as mismatch:
            SpscRing.attach(name)
        assert mismatch.value.field == named
        if found is not None:
            assert mismatch.value.found == found
            assert str(found) in str(mismatch.value)
        if expected is not None:
            assert mismatch.value.expected == expected
            assert str(expected) in str(mismatch.value)
        header_of(ring)["bytes"] = ring_bytes(8)  # or it could not be unmapped


def ring_bytes(capacity: int) -> int:
    """What an SPSC ring of that capacity takes."""
    with SpscRing(capacity) as ring:
        return int(lib.spsc_bytes(ring.handle))


def test_a_ring_that_is_not_finished(fresh_name: FreshName) -> None:
    """Guards against a ring used before its creator has filled it in, or after he died at it."""
    name = fresh_name()
    with SpscRing.create(name, 8) as ring:
        header_of(ring)["magic"] = 0
        with pytest.raises(RingMissingError, match="not ready"):
            SpscRing.attach(name)


@both
def test_a_ring_of_the_other_kind(kind: Any, fresh_name: FreshName) -> None:
    """Guards against a sequencer taken for an SPSC ring, whose slots lie elsewhere."""
    name = fresh_name()
    other = SpscRing if kind is Sequencer else Sequencer
    with kind.create(name, 8), pytest.raises(RingMismatchError, match="kind"):
        other.attach(name)
