"""The process at the other end of a channel: it gets what it is told to, and says what it got."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from matchbook.bench.rings_channels import Channel

#: What the parent asks for: get so many parts; send so many back; end.
RECEIVE, ECHO, END = "receive", "echo", "end"
READY = "ready"


class Order(NamedTuple):
    """What to do, with the channels of which names, and for how many parts."""

    what: str
    there: str = ""
    back: str = ""
    parts: int = 0


def serve(orders: Connection, channels: dict[str, Channel], core: int) -> None:
    """Do what is ordered until told to end. The body of the child process."""
    pin(core)
    while True:
        order: Order = orders.recv()
        if order.what == END:
            break
        orders.send(READY)
        there = channels[order.there]
        if order.what == RECEIVE:
            got = there.receive(order.parts)
            orders.send((time.monotonic(), len(got), digest(got)))
        else:
            get, put = there.get, channels[order.back].put
            for _ in range(order.parts):
                put(get())
    for channel in channels.values():
        channel.close()


def pin(core: int) -> None:
    """Stay on a core, where there is such a thing; -1: anywhere."""
    if core >= 0:
        with contextlib.suppress(AttributeError):
            os.sched_setaffinity(0, {core})


def digest(parts: Iterable[Any]) -> str:
    """SHA-256 of all bytes in order."""
    sum_of_all = hashlib.sha256()
    for part in parts:
        sum_of_all.update(part)
    return sum_of_all.hexdigest()
