"""What the tests against Wireshark need: Wireshark, or a reason why there is none."""

from __future__ import annotations

import os

import pytest

from phase5_protocol.wireshark import tshark


@pytest.fixture
def has_tshark() -> None:
    """Skip by name without tshark; fail without it where it was asked for."""
    if tshark.find() is None:
        reason = "tshark is not installed (Debian: apt-get install tshark)"
        if os.environ.get("MATCHBOOK_INTEROP") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
