"""A really full disk: small file systems, mounted for the test, and filled.

::

    fill ──▶ LogFullError ──▶ cancels into the reserve ──▶ space again ──▶ on ──▶ recover

Mounting needs root; without it these are skipped by name, and the simulated disk of
``test_disk_faults.py`` stands in for them.
"""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from phase6_wal.errors import LogFullError
from phase6_wal.native import LogOptions, LogWriter, PosixStorage
from phase6_wal.reader import LogReader
from phase6_wal.recovery import recover_log

DISK_BYTES: Final = 4 << 20
SEGMENT_BYTES: Final = 1 << 18
RECORDS: Final = (SEGMENT_BYTES - 4096) // 80
KINDS: Final = ("tmpfs", "ext4")


def mount(kind: str, folder: Path) -> str:
    """Mount a small file system; why not, if that is refused here."""
    target = folder / "disk"
    target.mkdir()
    if kind == "tmpfs":
        options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none"]
    else:
        maker = shutil.which("mkfs.ext4", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if maker is None:
            return "mkfs.ext4 is not installed"
        image = folder / "image"
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run([maker, "-q", "-F", "-m", "0", image], check=True)
        options = ["-o", "loop", str(image)]
    if shutil.which("mount") is None:
        return "there is no mount"
    done = subprocess.run(["mount", *options, target], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


@pytest.fixture(params=KINDS)
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of 4 MiB of its own."""
    refused = mount(request.param, tmp_path)
    if refused:
        pytest.skip(f"a small {request.param} cannot be mounted here: {refused}")
    yield tmp_path / "disk"
    subprocess.run(["umount", tmp_path / "disk"], check=True)


def ends_by(run: Callable[[], None]) -> int:
    """Run it in a child process; how that ended: 0, or minus the signal."""
    child = os.fork()
    if child == 0:
        try:
            for number in (signal.SIGBUS, signal.SIGSEGV):
                signal.signal(number, signal.SIG_DFL)
            run()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def append_until_full(writer: LogWriter) -> int:
    """How many commands went in, one by one."""
    for _ in range(DISK_BYTES):
        try:
            writer.append(bytes(64))
        except LogFullError:
            break
    return writer.sequence


@pytest.mark.parametrize("method", ["mapped", "written"])
def test_a_full_disk_is_a_result_and_passes(small_disk: Path, method: str) -> None:
    """Guards against SIGBUS, lost commands and an end of the log when the disk is full."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(DISK_BYTES // 2))

    def live() -> None:
        with PosixStorage(small_disk / "log") as storage:
            options = LogOptions(
                durability="page-cache", method=method, segment_bytes=SEGMENT_BYTES
            )
            with LogWriter(storage, options) as writer:
                full_at = append_until_full(writer)
                assert full_at > 0
                assert full_at % RECORDS == 0
                writer.append_reserved(bytes(64 * RECORDS))
                ballast.unlink()
                assert append_until_full(writer) > full_at + RECORDS
                last = writer.sequence
            recovered = recover_log(storage)
            assert recovered.sequence == last
            assert recovered.dropped is None
            assert sum(len(bodies) for bodies, _ in LogReader(storage).batches()) == last

    assert ends_by(live) == 0
    assert not ballast.exists()


@pytest.mark.release_only
def test_control_a_sparse_file_in_a_map_is_a_bus_error(small_disk: Path) -> None:
    """Guards against a disk that is not full after all: blocks must be there before the store."""

    def store() -> None:
        with (small_disk / "sparse").open("w+b") as file:
            file.truncate(4 * DISK_BYTES)
            with mmap.mmap(file.fileno(), 4 * DISK_BYTES) as memory:
                for at in range(0, 4 * DISK_BYTES, mmap.PAGESIZE):
                    memory[at] = 1

    assert ends_by(store) == -signal.SIGBUS
