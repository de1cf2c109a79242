"""The face of c/bench.h: a session through a lossy network, in one call and without a socket."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from contract.errors import MatchbookError
from contract.messages import RECORD_BYTES
from contract.records import EVENT_DTYPE, RecordArray
from phase5_protocol._protocol import ffi, lib
from phase5_protocol.multicast.mold import Packed
from phase5_protocol.multicast.native import MessageStore
from phase5_protocol.multicast.native_network import LossyNetwork
from phase5_protocol.multicast.native_receiver import Receiver

#: Steps after the last datagram: what is not there then will not come.
PATIENCE: Final = 1 << 20


class RecoveryError(MatchbookError):
    """A session did not arrive whole."""


class Recovery(NamedTuple):
    """What it took; ``recovery`` of c/bench.h."""

    messages: int
    lost: int
    requests: int
    unanswered: int
    steps: int


def recover(
    receiver: Receiver,
    network: LossyNetwork | None,
    store: MessageStore,
    packed: Packed,
    out: RecordArray,
    *,
    step_ns: int,
) -> Recovery:
    """Send a whole session's datagrams, and take all of ``out`` from the receiver.

    Args:
        receiver: new, of 64-byte records from number 1.
        network: what datagrams, requests and answers pass; None: straight to the receiver.
        store: holds what the datagrams hold.
        packed: the datagrams.
        out: room for every message, shape (n,).
        step_ns: made-up time between two datagrams.

    Raises:
        RecoveryError: a message did not come, or was given up.
        ValueError: a receiver of other records, a datagram outside the arena, or no datagram.
    """
    ends = packed.datagrams["offset"] + packed.datagrams["length"]
    datagrams = np.ascontiguousarray(packed.datagrams)
    fits = len(datagrams) and ends.max() <= packed.arena.nbytes
    is_room = out.dtype == EVENT_DTYPE and out.flags.c_contiguous
    if not fits or not is_room or receiver.config.record_bytes != RECORD_BYTES:
        raise ValueError("not datagrams of an arena, not room for events, or another receiver")
    result = ffi.new("recovery *")
    done = lib.bench_recover(
        receiver.handle,
        ffi.NULL if network is None else network.handle,
        store.handle,
        ffi.from_buffer("uint8_t[]", packed.arena),
        ffi.cast("mold_datagram *", ffi.from_buffer(datagrams)),
        len(datagrams),
        step_ns,
        PATIENCE,
        ffi.from_buffer(np.ndarray.view(out, np.uint8), require_writable=True),
        len(out),
        result,
    )
    made = Recovery(*(int(getattr(result, name)) for name in Recovery._fields))
    if not done:
        raise RecoveryError(f"{made.messages:,} of {len(out):,} messages came: {made}")
    return made
