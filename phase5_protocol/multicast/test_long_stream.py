"""Ten million messages through a bad network, by way of the Python faces: none missing, none twice.

The same in C alone, and quicker: ``test_mold_stream 10000000`` (c/test_mold_stream.c).
"""

import numpy as np
import pytest

from contract.records import empty_events
from phase5_protocol.multicast.mold import DeliveryKind
from phase5_protocol.multicast.native import MessageStore, MoldPacker, parse_request
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import Receiver, ReceiverConfig

STEP_NS = 1_000_000
BATCH = 2_200


@pytest.mark.parametrize("count", [50_000, pytest.param(10_000_000, marks=pytest.mark.long)])
def test_every_event_once_and_in_order(count: int) -> None:
    """One record in ten million that is lost, doubled, damaged or out of its place."""
    seed = 20
    events = empty_events(BATCH)
    config = ReceiverConfig(reorder_delay_ns=STEP_NS, request_timeout_ns=6 * STEP_NS)
    sent = received = now = 0
    with (
        LossyNetwork(
            seed, loss=0.01, duplication=0.01, reordering=0.01, reorder_ns=3 * STEP_NS
        ) as network,
        MoldPacker("LONG") as packer,
        MessageStore("LONG") as store,
        Receiver(config) as receiver,
    ):
        while True:
            now += STEP_NS
            batch = events[: min(BATCH, count - sent)]
            if len(batch):
                batch["sequence"] = np.arange(sent + 1, sent + 1 + len(batch))
                batch["order_id"] = batch["sequence"] * 0x9E3779B97F4A7C15
                sent += len(batch)
                store.append_records(batch)
                for datagram in packer.pack(batch).split():
                    network.put(datagram, now, 0)
            else:
                network.put(packer.end(), now, 0)
            for datagram, link in network.take_due(now):
                if link == 1:
                    network.put(store.answer(parse_request(datagram))[1], now, 2)
                else:
                    receiver.put(datagram, now, link)
            for request in receiver.poll(now):
                network.put(request, now, 1)
            while (delivery := receiver.take()).kind is DeliveryKind.MESSAGES:
                got = delivery.data.view(events.dtype)[:, 0]
                expected = np.arange(received + 1, received + 1 + delivery.count, dtype=np.uint64)
                assert (got["sequence"] == expected).all(), seed
                assert (got["order_id"] == expected * 0x9E3779B97F4A7C15).all(), seed
                received += delivery.count
            assert delivery.kind is not DeliveryKind.LOST, (seed, delivery)
            if delivery.kind is DeliveryKind.END:
                break
        assert received == count
        counters = receiver.counters()
        assert counters.lost == 0
        assert counters.gaps_filled > 0
        receiver.check()
        network.check()
