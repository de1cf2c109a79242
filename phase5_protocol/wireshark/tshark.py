"""What Wireshark makes of a capture: tshark run over a file, its answer as objects.

tshark is Wireshark without windows. Its XML (PDML) is the one output in which the layers of a
packet stand as they are, also when there are twenty ITCH messages in one datagram.
"""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from contract.errors import MatchbookError

TIMEOUT_S: Final = 60
#: From the least to the most serious, as Wireshark numbers them.
CHAT, NOTE, WARNING, ERROR = 0x200000, 0x400000, 0x600000, 0x800000
#: The complaint about a packet that is marked malformed.
MALFORMED: Final = "malformed packet"
_MALFORMED: Final = "_ws.malformed"
_SEVERITY: Final = "_ws.expert.severity"
_MESSAGE: Final = "_ws.expert.message"


class TsharkError(MatchbookError):
    """tshark is not there, stopped with an error, or could not load a dissector."""


@dataclass
class Layer:
    """One protocol's part of a packet.

    Attributes:
        name: the protocol, such as ``moldudp64``.
        fields: (filter name, value) in the order shown, those of sub-trees included, but not those
            of a protocol within.
    """

    name: str
    fields: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        """The first value of a field, or None."""
        return next((value for each, value in self.fields if each == name), None)

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for each, value in self.fields if each == name]


@dataclass
class Dissected:
    """One packet as Wireshark shows it.

    Attributes:
        number: of the frame, from 1.
        layers: from the outermost in.
        experts: (severity, message) of what Wireshark remarks on.
        malformed: a dissector gave up on it, or calls a part of it malformed.
    """

    number: int
    layers: list[Layer]
    experts: list[tuple[int, str]] = field(default_factory=list)
    malformed: bool = False

    def of(self, protocol: str) -> list[Layer]:
        """The layers of a protocol."""
        return [layer for layer in self.layers if layer.name == protocol]

    def complaints(self, least: int = WARNING) -> list[str]:
        """What Wireshark finds wrong: remarks of at least that severity, and giving up."""
        found = [message for severity, message in self.experts if severity >= least]
        return found + [MALFORMED] * self.malformed


def find() -> str | None:
    """The path of tshark, or None where it is not installed."""
    return shutil.which("tshark")


def dissect(
    capture: str | Path,
    *,
    decode_as: Sequence[str] = (),
    scripts: Sequence[Path] = (),
    preferences: Sequence[str] = (),
) -> list[Dissected]:
    """Run tshark over a capture.

    Args:
        decode_as: such as ``udp.port==26400,moldudp64``.
        scripts: Lua dissectors to load.
        preferences: such as ``tcp.check_checksum:TRUE``.

    Raises:
        TsharkError: it is not installed, fails, or complains about a script.
    """
    program = find()
    if program is None:
        raise TsharkError("tshark is not installed")
    # -n: look no name up. A user's own profile must not decide what a test sees.
    command = [program, "-n", "-r", str(capture), "-T", "pdml"]
    command += [word for script in scripts for word in ("-X", f"lua_script:{script}")]
    command += [word for rule in decode_as for word in ("-d", rule)]
    command += [word for preference in preferences for word in ("-o", preference)]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode or "Lua" in said:
        raise TsharkError(f"{' '.join(command)}: status {done.returncode}: {said.strip()}")
    return list(_packets(done.stdout))


def _packets(pdml: bytes) -> Iterator[Dissected]:
    for number, packet in enumerate(ElementTree.fromstring(pdml).iter("packet"), 1):
        dissected = Dissected(number, [])
        for proto in packet.iter("proto"):
            name = proto.get("name", "")
            if name == _MALFORMED:
                dissected.malformed = True
                continue
            layer = Layer(name, list(_own_fields(proto)))
            severities = map(int, layer.all(_SEVERITY))
            dissected.experts += zip(severities, layer.all(_MESSAGE), strict=True)
            dissected.layers.append(layer)
        yield dissected


def _own_fields(element: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for child in element:
        if child.tag == "field":
            yield child.get("name", ""), child.get("show", "")
            yield from _own_fields(child)
