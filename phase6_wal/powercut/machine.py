"""A virtual machine of one program, its disk, and the hand that pulls its plug.

QEMU emulates the processor, so no rights and no hardware support are needed. The machine boots a
Linux kernel with a memory disk of a few files: the program (guest.c) as ``/init``, and the modules
it needs.
"""

from __future__ import annotations

import io
import lzma
import os
import re
import shlex
import shutil
import stat
import subprocess
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phase6_wal.errors import LogError

ROOT: Final = Path(__file__).resolve().parent.parent.parent
QEMU: Final = "qemu-system-x86_64"
#: Names the root of a kernel, instead of ``/``: it holds boot/vmlinuz-* and lib/modules/*.
KERNEL_VARIABLE: Final = "MATCHBOOK_KERNEL_ROOT"
DISK_BYTES: Final = 64 << 20
_TOOLS: Final = (QEMU, "mkfs.ext4", "e2fsck", "debugfs")
_WANTED_MODULES: Final = ("virtio_pci", "virtio_blk", "ext4")
#: The writer and what it stands on.
_SOURCES: Final = (
    "crc32c",
    "log_mend",
    "log_open",
    "log_prepare",
    "log_records",
    "log_segments",
    "log_turn",
    "log_writer",
    "storage_names",
    "storage_posix",
)
#: An emulated timer on a busy host fails the kernel's test of it now and then: it is not tested.
_KERNEL_WORDS: Final = "console=ttyS0 quiet panic=-1 no_timer_check"
_MEMORY_MB: Final = 256
_BOOT_LIMIT_S: Final = 120.0
_LOOK_S: Final = 0.002


class NoMachineError(LogError):
    """Something that a power cut needs is not on this machine; names it."""


@dataclass(frozen=True)
class Kernel:
    """A kernel image, and the modules to load into it, each after those that it needs."""

    image: Path
    modules: tuple[Path, ...]


def find_tool(name: str) -> str:
    """Where a program is; also where only root usually looks.

    Raises:
        NoMachineError: it is not there.
    """
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise NoMachineError(f"{name} is not installed")
    return found


def find_kernel(root: Path | None = None) -> Kernel:
    """The newest kernel below a root, by default ``MATCHBOOK_KERNEL_ROOT`` or ``/``.

    ``dpkg-deb -x linux-image-….deb DIRECTORY`` makes such a root; nothing is installed.

    Raises:
        NoMachineError: there is none that may be read.
    """
    root = root or Path(os.environ.get(KERNEL_VARIABLE, "/"))
    images = [
        path
        for path in sorted(root.glob("boot/vmlinuz-*"), key=_version)
        if os.access(path, os.R_OK)
    ]
    if not images:
        raise NoMachineError(
            f"no kernel {root / 'boot/vmlinuz-*'} that may be read; {KERNEL_VARIABLE} names a root"
        )
    image = images[-1]
    modules = root / "lib/modules" / image.name.removeprefix("vmlinuz-")
    return Kernel(image, tuple(_in_order(modules)))


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.name)]


def _in_order(folder: Path) -> Iterable[Path]:
    """The wanted modules behind what they depend on; what is no file is built into the kernel."""
    files = {path.name.split(".ko")[0].replace("-", "_"): path for path in folder.rglob("*.ko*")}
    taken: dict[str, Path] = {}

    def take(name: str) -> None:
        path = files.get(name)
        if path is None or name in taken:
            return
        found = re.search(rb"\0depends=([^\0]*)\0", _module(path))
        for needed in found[1].decode().split(",") if found else ():
            take(needed.replace("-", "_"))
        taken[name] = path

    for name in _WANTED_MODULES:
        take(name)
    return taken.values()


def _module(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def require_machine() -> Kernel:
    """What all of this needs.

    Raises:
        NoMachineError: something of it is missing; names it.
    """
    for tool in _TOOLS:
        find_tool(tool)
    return find_kernel()


def build_guest(out: Path) -> Path:
    """Compile the machine's program, with the log's own sources, statically.

    Raises:
        NoMachineError: the compiler refused, most likely for want of a static C library.
    """
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    made = out / "init"
    sources = [f"phase6_wal/c/{name}.c" for name in _SOURCES]
    flags = ["-std=c11", "-O2", "-D_GNU_SOURCE", "-UNDEBUG", "-I.", "-static", "-pthread"]
    command = [*compiler[:1], *flags, "phase6_wal/powercut/guest.c", *sources, "-o", str(made)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoMachineError(f"the program for the machine does not compile:\n{done.stderr}")
    return made


def make_memory_disk(program: Path, kernel: Kernel, out: Path) -> Path:
    """A cpio archive ("newc"), as kernels unpack it: directories, a console, modules, ``/init``."""
    archive = io.BytesIO()

    def add(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        path = name.encode() + b"\0"
        fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        archive.write(head + bytes(-len(head) % 4))
        archive.write(data + bytes(-len(data) % 4))

    for folder in ("dev", "disk", "modules"):
        add(folder, stat.S_IFDIR | 0o755)
    add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    for number, path in enumerate(kernel.modules):
        add(f"modules/{number:02d}.ko", stat.S_IFREG | 0o644, _module(path))
    add("init", stat.S_IFREG | 0o755, program.read_bytes())
    add("TRAILER!!!", 0)
    made = out / "memory-disk.cpio"
    made.write_bytes(archive.getvalue())
    return made


def make_disk(path: Path) -> Path:
    """An empty ext4 file system in a file of its own."""
    with path.open("wb") as file:
        file.truncate(DISK_BYTES)
    _run(find_tool("mkfs.ext4"), "-q", "-F", str(path))
    return path


def take_out(image: Path, folder: str, to: Path) -> None:
    """Copy the files of a directory out of a disk whose power is gone.

    The file system's own journal is replayed first, as a mount would.
    """
    _run(find_tool("e2fsck"), "-f", "-p", str(image), good=(0, 1))
    to.mkdir()
    _run(find_tool("debugfs"), "-R", f"rdump {folder} {to}", str(image))


def _run(*command: str, good: Iterable[int] = (0,)) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in good:
        raise NoMachineError(f"{shlex.join(command)}: {done.stdout}{done.stderr}")


class Machine:
    """A running machine. Its power goes with ``cut``, or with the block it is used in.

    Args:
        boot: the kernel and the memory disk.
        drive: what QEMU is told about its disk; ``drive_of`` makes it of an image.
        words: of the program (guest.c).
        out: where its console and its acknowledgements are written.
    """

    def __init__(
        self, boot: tuple[Kernel, Path], drive: list[str], words: Iterable[object], out: Path
    ) -> None:
        kernel, memory_disk = boot
        self._console = out / "console"
        self._line = out / "acknowledged"
        self._line.unlink(missing_ok=True)
        words_in_order = " ".join(map(str, words))
        self._process = subprocess.Popen(
            [
                find_tool(QEMU),
                *("-machine", "accel=tcg", "-cpu", "max", "-m", str(_MEMORY_MB)),
                *("-display", "none", "-monitor", "none", "-no-reboot", "-net", "none"),
                *("-serial", f"file:{self._console}", "-serial", f"file:{self._line}"),
                *("-kernel", str(kernel.image), "-initrd", str(memory_disk)),
                *("-append", f"{_KERNEL_WORDS} -- {words_in_order}"),
                *drive,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def acknowledged(self) -> int:
        """The last sequence that the program has said to be acknowledged; 0: none yet."""
        try:
            data = self._line.read_bytes()
        except FileNotFoundError:
            return 0
        return int.from_bytes(data[len(data) // 8 * 8 - 8 :][:8], "little") if len(data) >= 8 else 0

    def wait_until(self, condition: Callable[[int], bool]) -> None:
        """Let it run until the last acknowledgement is such.

        Raises:
            NoMachineError: it has ended by itself, or says nothing; with its console.
        """
        for _ in range(int(_BOOT_LIMIT_S / _LOOK_S)):
            if condition(self.acknowledged):
                return
            try:
                self._process.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                continue
            break
        raise NoMachineError(f"the machine came to nothing: {self._console.read_text()[-2000:]}")

    def cut(self) -> int:
        """Pull the plug; the last sequence it had acknowledged by then."""
        self._process.kill()
        self._process.wait()
        return self.acknowledged

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.cut()


def drive_of(image: Path) -> list[str]:
    """What QEMU is told about a disk that writes through the host's cache."""
    return ["-drive", f"file={image},if=virtio,format=raw,cache=writeback"]
