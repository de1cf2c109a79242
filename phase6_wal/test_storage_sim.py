"""The face of the simulated disk; c/test_storage_sim.c looks at the disk itself."""

from __future__ import annotations

import errno

import pytest

from contract.errors import ConfigurationError
from phase6_wal.native_sim import KINDS, SimStorage


def call(disk: SimStorage, kind: str) -> None:
    """One call of that kind, of those that Python can make."""
    file, _ = disk.open("kept") if kind != "open" else (0, 0)
    calls = {
        "create": lambda: disk.create("new", 1),
        "open": lambda: disk.open("kept"),
        "write": lambda: disk.write(file, 0, b"x"),
        "read": lambda: disk.read(file, 0, 1),
        "sync": lambda: disk.sync(file),
        "rename": lambda: disk.rename("kept", "other"),
        "remove": lambda: disk.remove("kept"),
        "directory_sync": disk.sync_directory,
    }
    calls[kind]()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "map" not in kind and kind != "any"])
def test_each_kind_fails_and_is_counted(kind: str) -> None:
    """Guards against a kind that stands for another one in C."""
    disk = SimStorage(1)
    disk.create("kept", 10)
    disk.fail(kind, 1, errno.EDQUOT)
    before = disk.calls(kind), disk.calls()
    with pytest.raises(OSError, match="quota") as caught:
        call(disk, kind)
    assert caught.value.errno == errno.EDQUOT
    assert disk.calls(kind) == before[0] + 1
    assert disk.calls() <= before[1] + 2
    assert disk.fired == 1


def test_a_disk_without_power_says_so() -> None:
    """Guards against a test that goes on with a disk that is off."""
    disk = SimStorage(1)
    disk.cut_at(1)
    was_cut = [disk.is_cut]
    with pytest.raises(OSError, match="Input/output"):
        disk.create("a", 1)
    was_cut.append(disk.is_cut)
    disk.power_on()
    assert [*was_cut, disk.is_cut] == [False, True, False]
    assert (disk.list(), disk.used) == ([], 0)


def test_what_no_disk_can_do_is_refused() -> None:
    """Guards against a check in C that ends the process."""
    disk = SimStorage(1)
    for wrong in (
        lambda: SimStorage(-1),
        lambda: SimStorage(1, 2**64),
        lambda: disk.fail("sink", 1),
        lambda: disk.fail("sync", 1, 0),
        lambda: disk.calls(""),
        lambda: disk.set_lying("truth"),
    ):
        with pytest.raises(ConfigurationError):
            wrong()
