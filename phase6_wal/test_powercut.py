"""Real power cuts, where QEMU and a kernel are there; and the playing back of a disk's writes."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from phase6_wal.powercut.__main__ import main
from phase6_wal.powercut.cuts import Mode, Outcome, Site
from phase6_wal.powercut.machine import (
    KERNEL_VARIABLE,
    NoMachineError,
    find_kernel,
    find_tool,
    make_memory_disk,
)
from phase6_wal.powercut.recording import Playback, entries_of, read_entries

SECTOR = 512
#: What a drive loses as a whole.
BLOCK = 4096
FLUSH, FUA = 1, 2
MODES = [
    Mode(durability, method) for durability in ("sync", "group") for method in ("written", "mapped")
]
CUTS = 5
POINTS = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A place to cut power at; a skip that names what is missing."""
    try:
        return Site(tmp_path_factory.mktemp("powercut"))
    except NoMachineError as error:
        pytest.skip(f"no power can be cut here: {error}")


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_nothing_acknowledged_is_lost(site: Site, mode: Mode) -> None:
    """Guards against a sync that a real kernel or a real file system takes for less than we do."""
    outcomes = [site.kill(mode, seed) for seed in range(CUTS)]
    outcomes += site.record(mode, seed=1, points=POINTS)
    assert [outcome for outcome in outcomes if outcome.lost or outcome.problem] == []
    assert sum(outcome.acknowledged for outcome in outcomes) > POINTS
    assert sum(outcome.blocks for outcome in outcomes) > 0


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES[:2], ids=str)
def test_control_without_syncs_everything_is_lost(site: Site, mode: Mode) -> None:
    """Guards against a machine whose power is not really gone."""
    assert site.kill(replace(mode, syncs=False), seed=1).lost > 0


# --- what needs no machine ----------------------------------------------------------------------


def record(path: Path, entries: list[tuple[int, bytes, int]]) -> Path:
    """A recording as dm-log-writes has it: (first sector, data, flags)."""
    data = bytearray(struct.pack("<QQQI", 0x6A736677736872, 1, len(entries), SECTOR))
    data += bytes(-len(data) % SECTOR)
    for first, written, flags in entries:
        data += struct.pack("<QQQQ", first, len(written) // SECTOR, flags, 0)
        data += bytes(-len(data) % SECTOR) + written
    path.write_bytes(data)
    return path


def test_what_a_flush_covers_lasts(tmp_path: Path) -> None:
    """Guards against a drive that forgets what it has flushed, or keeps what it has not."""
    blocks = [bytes([number]) * BLOCK for number in range(1, 7)]
    first = [number * BLOCK // SECTOR for number in range(6)]
    recording = record(
        tmp_path / "recording",
        [
            (first[0], blocks[0], 0),
            (first[1], blocks[1] + blocks[2], 0),
            (0, b"", FLUSH),
            (first[3], blocks[3], FUA),
            (first[4], blocks[4] + blocks[5], 0),
        ],
    )
    image, cut = tmp_path / "image", tmp_path / "cut"
    assert entries_of(recording) == 5
    flushes = [entry.flushes for entry in read_entries(recording)]
    assert flushes == [False, False, True, False, False]
    lost = set()
    for seed in range(40):
        image.write_bytes(bytes(6 * BLOCK))
        playback = Playback(image, recording)
        playback.go_to(5)
        lost.add(playback.cut(cut, seed))
        found = cut.read_bytes()
        assert found[: 4 * BLOCK] == b"".join(blocks[:4])
        for number in (4, 5):
            one = found[number * BLOCK : (number + 1) * BLOCK]
            assert one in (blocks[number], bytes(BLOCK))
    assert lost == {0, 1, 2}


def test_before_a_flush_anything_may_be_lost(tmp_path: Path) -> None:
    """Guards against a playback that runs ahead of the moment it is asked for."""
    recording = record(tmp_path / "recording", [(0, b"a" * SECTOR, 0), (0, b"", FLUSH)])
    image, cut = tmp_path / "image", tmp_path / "cut"
    image.write_bytes(bytes(SECTOR))
    playback = Playback(image, recording)
    playback.go_to(1)
    assert {playback.cut(cut, seed) for seed in range(20)} == {0, 1}
    playback.go_to(2)
    assert {playback.cut(cut, seed) for seed in range(20)} == {0}
    assert cut.read_bytes() == b"a" * SECTOR


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    """Guards against reading whatever QEMU has left of a recording that never began."""
    path = tmp_path / "recording"
    path.write_bytes(random.Random(1).randbytes(SECTOR))
    with pytest.raises(NoMachineError, match="offset 0"):
        list(read_entries(path))
    path.write_bytes(b"")
    assert entries_of(path) == 0


def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards against a proof that seems to have run where it cannot."""
    with pytest.raises(NoMachineError, match=r"no-such-program is not installed"):
        find_tool("no-such-program")
    with pytest.raises(NoMachineError, match=KERNEL_VARIABLE):
        find_kernel(tmp_path)
    monkeypatch.setenv(KERNEL_VARIABLE, str(tmp_path))
    assert main(["--cuts", "1"]) == 2
    assert "not here: " in capsys.readouterr().err


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    """Guards against a memory disk whose modules cannot be loaded in their order."""
    (tmp_path / "boot").mkdir()
    for version in ("5.9", "5.10"):
        (tmp_path / f"boot/vmlinuz-{version}").write_bytes(b"")
    folder = tmp_path / "lib/modules/5.10/kernel"
    folder.mkdir(parents=True)
    needs = {"virtio_blk": "virtio", "virtio": "", "virtio_pci": "virtio,virtio_ring"}
    needs["virtio_ring"] = ""
    for name, depends in needs.items():
        text = f"\0license=GPL\0depends={depends}\0name={name}\0"
        (folder / f"{name.replace('_', '-')}.ko").write_text(text)
    kernel = find_kernel(tmp_path)
    assert kernel.image.name == "vmlinuz-5.10"
    names = [path.stem.replace("-", "_") for path in kernel.modules]
    assert sorted(names) == sorted(needs)
    for name, depends in needs.items():
        for needed in filter(None, depends.split(",")):
            assert names.index(needed) < names.index(name)
    (tmp_path / "program").write_bytes(b"program")
    archive = make_memory_disk(tmp_path / "program", kernel, tmp_path).read_bytes()
    assert archive.startswith(b"070701")
    assert len(archive) % 4 == 0
    for entry in (b"init\0", b"modules/03.ko\0", b"dev/console\0", b"TRAILER!!!\0"):
        assert entry in archive


def test_only_acknowledged_records_count_as_lost() -> None:
    """Guards against calling records lost that nobody was told of."""
    assert Outcome(acknowledged=5, recovered=9).lost == 0
    assert Outcome(acknowledged=5, recovered=3).lost == 2
