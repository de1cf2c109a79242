"""Queues of others, compiled on demand from ``phase4_ring/peers`` where their headers are there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

from cbuild import native_flags
from matchbook.bench import machine
from phase4_ring.bench import BenchError, Peer

#: Each peer's source, and the package of Debian and its kin that brings its headers.
PEERS: Final = {
    "boost": ("boost_spsc", "libboost-dev"),
    "moodycamel": ("moodycamel_spsc", "libreaderwriterqueue-dev"),
}
_SOURCES: Final = Path("phase4_ring") / "peers"
_SHARED: Final = Path("phase4_ring") / "c" / "pin.c"
_TIMEOUT_S: Final = 120
#: Where the libraries go.
LIBRARIES: Final = machine.ROOT / "build" / "peers"


def load_peers() -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers that can be compiled here, and why the others cannot."""
    found: dict[str, Peer] = {}
    missing: dict[str, str] = {}
    for name, (source, package) in PEERS.items():
        try:
            found[name] = Peer(compile_peer(source))
        except BenchError as error:
            missing[name] = f"not loaded: {error}"
        except OSError as error:
            missing[name] = str(error)
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or "").strip().splitlines()
            first = lines[0] if lines else f"exit status {error.returncode}"
            header = "No such file" in (error.stderr or "")
            missing[name] = f"no headers ({package})" if header else f"not compiled: {first}"
    return found, missing


def compile_peer(source: str) -> Path:
    """The library of a peer, compiled if it is not there or older than what it is made of.

    Raises:
        OSError: there is no compiler.
        CalledProcessError: it refuses.
    """
    command = shlex.split(os.environ.get("CXX", "")) or ["c++"]
    if shutil.which(command[0]) is None:
        raise OSError(f"no C++ compiler ({command[0]})")
    root = machine.ROOT
    library = LIBRARIES / f"{source}.so"
    inputs = [_SOURCES / f"{source}.cpp", _SHARED]
    headers = [*(root / _SOURCES).glob("*.hpp"), *(root / _SHARED.parent).glob("*.h")]
    newest = max(path.stat().st_mtime for path in [*headers, *(root / name for name in inputs)])
    if not library.is_file() or library.stat().st_mtime < newest:
        library.parent.mkdir(parents=True, exist_ok=True)
        unfinished = library.with_suffix(".part")
        flags = ["-std=c++17", "-O3", *native_flags(), "-shared", "-fPIC", "-I."]
        subprocess.run(
            [*command, *flags, "-x", "c++", *map(str, inputs), "-o", str(unfinished), "-lpthread"],
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
        unfinished.replace(library)
    return library
