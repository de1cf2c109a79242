"""The real thing: a publisher's datagrams, captured on the loopback interface while they go out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import numpy as np
import pytest

from contract.messages import EventKind
from contract.records import RecordArray, empty_events
from phase5_protocol.multicast.native import MoldPacker
from phase5_protocol.multicast.native_udp import Endpoint, UdpSocket, multicast_problem
from phase5_protocol.multicast.publisher import Publisher
from phase5_protocol.pcap import read_payloads
from phase5_protocol.wireshark.lua_tables import FLAT_LUA
from phase5_protocol.wireshark.tshark import dissect

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("has_tshark")]

GROUP, SESSION, MESSAGES = "239.255.77.1", "MBKEVENTS", 500
TIMEOUT_S = 30
INTERFACE = "lo0" if sys.platform == "darwin" else "lo"


@contextmanager
def capturing(path: Path, port: int, packets: int) -> Iterator[subprocess.Popen[str]]:
    """Capture datagrams to a port until there are so many; a named skip where it is not permitted.

    dumpcap says where it writes once the capture runs: that is what is waited for.
    """
    program = which("dumpcap")
    if program is None:
        pytest.skip("dumpcap is not installed beside tshark")
    command = [program, "-P", "-i", INTERFACE, "-f", f"udp port {port}", "-c", str(packets)]
    with subprocess.Popen(
        [*command, "-a", f"duration:{TIMEOUT_S}", "-w", str(path)],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("File:"):
                break
        else:
            pytest.skip(f"capturing on the loopback interface is not permitted: {said.strip()}")
        try:
            yield process
        finally:
            process.terminate()


def records() -> RecordArray:
    made = empty_events(MESSAGES)
    made["sequence"] = np.arange(1, MESSAGES + 1)
    made["order_id"] = np.arange(MESSAGES) * 7_919 + 1
    made["kind"] = EventKind.ACCEPTED
    return made


def test_what_the_publisher_sends_is_what_wireshark_sees(tmp_path: Path) -> None:
    """Guards the whole way out: packing, sockets, heartbeat, end of session."""
    problem = multicast_problem(GROUP)
    if problem:
        pytest.skip(f"no multicast on the loopback interface: {problem}")
    events, path = records(), tmp_path / "live.pcap"
    with MoldPacker(SESSION) as packer:
        expected = list(packer.pack(events).split())
        expected += [packer.heartbeat(), packer.end()]
    clock = [10**9]
    # A socket of ours holds the port, so that nobody else's datagrams come in between.
    with UdpSocket(group=GROUP) as held:
        port = held.endpoint.port
        to = [Endpoint(GROUP, port)]
        with capturing(path, port, len(expected)) as capture:
            publisher = Publisher(SESSION, to, clock=lambda: clock[0])
            publisher.publish(events)
            clock[0] += 2 * 10**9
            publisher.tick()
            publisher.close()
            assert capture.wait(TIMEOUT_S) == 0
    assert publisher.counters.messages == MESSAGES
    assert (publisher.counters.heartbeats, publisher.counters.ends) == (1, 1)
    payloads = [each.payload for each in read_payloads(path)]
    assert [payload.data for payload in payloads] == expected
    assert {payload.destination for payload in payloads} == {(GROUP, port)}

    rules = [f"udp.port=={port},moldudp64", "moldudp64.payload,matchbook"]
    packets = dissect(path, decode_as=rules, scripts=[FLAT_LUA])
    assert [line for packet in packets for line in packet.complaints()] == []
    mold = [layer for packet in packets for layer in packet.of("moldudp64")]
    assert len(mold) == len(expected)
    numbers = [number for layer in mold for number in layer.all("moldudp64.msgseq")]
    assert numbers == [str(number) for number in range(1, MESSAGES + 1)]
    assert [layer.get("moldudp64.count") for layer in mold[-2:]] == ["0", "65535"]
    assert [layer.get("moldudp64.sequence") for layer in mold[-2:]] == [str(MESSAGES + 1)] * 2
    ids = [layer.get("matchbook.order_id") for p in packets for layer in p.of("matchbook")]
    assert ids == [str(each) for each in events["order_id"]]
