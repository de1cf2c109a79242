"""The golden vectors: commands and events that are files, and the same for everyone."""

from __future__ import annotations

import pytest

from contract.canonical import image_hash
from contract.suite.base import ContractBase
from contract.suite.flow import flow
from contract.suite.probe import Probe
from contract.suite.streams import first_difference, shrunk_tape
from contract.suite.tape import ContractBroken
from contract.vectors import digest, load, read_manifest, run, script_names, stream_names


class GoldenRules(ContractBase):
    """``contract/vectors``: bytes that do not depend on this machine or on phase 1."""

    @pytest.mark.parametrize("name", script_names())
    def test_golden_script(self, name: str) -> None:
        """Guards against a rule that changed its mind, in the engine or in the contract."""
        __tracebackhide__ = True
        vector = load(name)
        probe = Probe(self.engine_class, vector.limits)
        rest = list(vector.events)
        for command in vector.commands:
            got = probe.send(command)
            if got != rest[: len(got)]:
                raise probe.failure(rest[: len(got)], got)
            del rest[: len(got)]
        assert not rest, f"{len(rest)} events never came: {rest[0]}"
        _, outcome = run(self.engine_class(**vector.limits), vector.commands)
        assert outcome == vector.outcome

    @pytest.mark.parametrize("name", stream_names())
    def test_golden_stream(self, name: str) -> None:
        """Guards against an engine and phase 1 that go wrong together, or on one machine."""
        __tracebackhide__ = True
        entry = read_manifest()["streams"][name]
        it = flow(name, entry["seed"], entry["count"])
        assert digest(it.records) == entry["commands_blake2b"], "these are other commands"
        assert digest(it.events) == entry["outcome"]["events_blake2b"]
        assert image_hash(it.image) == entry["outcome"]["state_hash"]
        if first_difference(self.engine_class(**it.limits), it) is not None:
            origin = f"contract/vectors/manifest.json, stream {name}"
            raise ContractBroken(shrunk_tape(self.engine_class, it.limits, it.commands, origin))
