"""The session layer against QuickFIX's acceptance scripts, every one for FIX 4.2 and 4.4."""

from __future__ import annotations

import asyncio
import gzip
import tarfile
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from contract.shared_data import find
from phase5_protocol.fix.acceptance import ScriptError, run_script
from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.dictionary import Dictionary

SCRIPTS: Final = "fix/quickfix_acceptance_fix42_fix44.tar.gz"
#: How many scripts there are for each version.
COUNTS: Final = {"FIX.4.2": 58, "FIX.4.4": 59}
#: Scripts that do not apply, and why. None.
NOT_APPLICABLE: Final[dict[str, str]] = {}


@cache
def scripts() -> dict[str, str]:
    """Every script by its name, such as ``fix44/2a_MsgSeqNumCorrect``; {} where they are not."""
    path = find(SCRIPTS)
    if path is None:
        return {}
    found = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            parts = Path(member.name).parts
            content = archive.extractfile(member)
            if "server" in parts and member.name.endswith(".def") and content is not None:
                name = f"{parts[-2]}/{Path(member.name).stem}"
                found[name] = content.read().decode("latin-1")
    return found


@cache
def full_dictionary(version: str) -> Dictionary:
    """QuickFIX's own dictionary."""
    path = find(f"fix/quickfix_{version.replace('.', '')}.xml.gz")
    assert path is not None
    return Dictionary(ET.fromstring(gzip.decompress(path.read_bytes())), path)


def config_of(version: str) -> SessionConfig:
    """The acceptor's session that the scripts talk to."""
    client = "TW" + version[4:].replace(".", "")
    return SessionConfig(version, "ISLD", client, reset_on_disconnect=True)


NAMES: Final[list[Any]] = sorted(scripts()) or [
    pytest.param("", marks=pytest.mark.skip(f"real data: {SCRIPTS} is not here"))
]


@pytest.mark.shared_data
@pytest.mark.parametrize("whose", ["own", "full"])
@pytest.mark.parametrize("name", NAMES)
def test_script(name: str, whose: str, tmp_path: Path) -> None:
    """A session must do what every engine that it will ever meet was tested to expect."""
    if name in NOT_APPLICABLE:
        pytest.skip(NOT_APPLICABLE[name])
    version = f"FIX.4.{name[4]}"
    dictionaries = {version: full_dictionary(version)} if whose == "full" else None
    asyncio.run(
        run_script(
            scripts()[name], config_of(version), store_dir=tmp_path, dictionaries=dictionaries
        )
    )


@pytest.mark.shared_data
def test_all_scripts_are_run() -> None:
    """Scripts lost on the way (a changed archive, a wrong pattern) must not go unnoticed."""
    if not scripts():
        pytest.skip(f"real data: {SCRIPTS} is not here")
    counts = {
        version: sum(name.startswith(f"fix4{version[-1]}/") for name in scripts())
        for version in COUNTS
    }
    assert counts == COUNTS


def line(letter: str, text: str) -> str:
    """A line of a script, with bars for SOH."""
    return letter + text.replace("|", "\x01")


LOGON: Final = [
    "iCONNECT",
    line("I", "8=FIX.4.4|35=A|34=1|49=TW44|52=<TIME>|56=ISLD|98=0|108=5|"),
    line("E", "8=FIX.4.4|9=1|35=A|34=1|49=ISLD|52=0|56=TW44|98=0|108=5|10=0|"),
]
HEARTBEAT: Final = line("E", "8=FIX.4.4|35=0|34=2|49=ISLD|52=0|56=TW44|")


def run(*lines: str) -> None:
    asyncio.run(run_script("\n".join(lines), config_of("FIX.4.4")))


def test_the_runner_waits_for_what_only_time_brings() -> None:
    """A runner that gave up at once would fail sessions that are right."""
    run(*LOGON, "# silence", HEARTBEAT)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([HEARTBEAT.replace("34=2", "34=3")], "34=2 came"),
        ([HEARTBEAT.replace("\x0134=2", "")], "35=0.*came"),
        ([HEARTBEAT, "eDISCONNECT"], "35=1.*came"),
        (["eDISCONNECT"], "35=0.*came"),
        ([line("I", "8=FIX.4.4|35=1|34=2|49=TW44|52=<TIME>|56=ISLD|112=X|")], "not expected"),
        (["iCONNECT", HEARTBEAT], "disconnected"),
        (["what is this"], "no line of a script"),
    ],
)
def test_the_runner_complains(lines: list[str], complaint: str) -> None:
    """A runner that is satisfied with anything would prove nothing: each of these must fail."""
    with pytest.raises(ScriptError, match=complaint):
        run(*LOGON, *lines)
