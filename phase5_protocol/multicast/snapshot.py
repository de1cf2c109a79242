"""Joining late: a book as of one event, over TCP, and the number to go on from.

Like Nasdaq's GLIMPSE, a SoupBinTCP session of its own for each who asks: log in, be sent the image,
end of session. Its sequenced messages (integers big endian):

::

    'H'  header   type (1), bytes of the whole image (8), next sequence of the event channel (8)
    'C'  chunk    type (1), up to 32,768 bytes of the canonical image (contract/canonical.py)
    'G'  end      type (1), BLAKE2b (16) of the next sequence (8) and the image: it is all there

The session's name is the event channel's: numbers of one mean nothing in another.

A joiner must not fetch first and listen afterwards, for what was sent in between would be nobody's:

::

    joiner            listen, hold back ────────────────────── join at n + 1 ──▶ live
    event channel     n−3   n−2   n−1   n   n+1   n+2   n+3   …
    snapshot                            └─ image as of event n ──▶

Whatever the order in which image and events arrive, events up to n are in the image and thrown
away, and what is missing from n + 1 on is a gap like any other, and asked for.

An image is consistent if nothing moves while it is made. So the engine's thread makes it, between
two commands, when it looks at the desk (:class:`SnapshotDesk`) and somebody waits there; one image
serves all who wait. That costs the engine the time to write the image down, once; it never waits
for a network.

The image names the account of every order. So this is a service for who may know that, a replica or
a risk desk; for the public the accounts would be blanked out first.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from contract.canonical import HEADER
from contract.errors import MatchbookError
from phase5_protocol.multicast.subscriber import Subscriber
from phase5_protocol.order_entry.soup_packets import Ending, Login
from phase5_protocol.order_entry.soupbintcp import ClientSession

CHUNK_BYTES: Final = 32_768
#: The largest book, with 40 bytes an order.
MOST_IMAGE_BYTES: Final = HEADER.size + 40 * 2**24
DIGEST_BYTES: Final = 16

_TICK_S: Final = 0.25
_LOOK_AROUND_S: Final = 0.01
_HEAD: Final = struct.Struct(">cQQ")


class SnapshotRefusedError(MatchbookError):
    """No snapshot was to be had; the message says from where and why."""


class HasImage(Protocol):
    """An engine, as far as snapshots are concerned."""

    @property
    def event_sequence(self) -> int:
        """Number of the last event."""

    def snapshot(self) -> bytes:
        """The canonical image."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An image and where it stands in the event channel.

    Attributes:
        session: the event channel's.
        next_sequence: number of the first message that is not in the image.
    """

    session: str
    next_sequence: int
    image: bytes


class SnapshotDesk:
    """Where those who want a snapshot wait for the engine's thread to come by.

    The engine's thread calls :meth:`serve` between two commands, and also when it is idle. As long
    as nobody waits that is a look at one attribute.

    Args:
        session: the event channel's name.
        offset: channel number of the engine's event 1, less 1; other than 0 for a channel that did
            not start with it.
    """

    def __init__(self, session: str, offset: int = 0) -> None:
        self.session = session
        self._offset = offset
        self._lock = threading.Lock()
        self._waiting: list[Future[Snapshot]] = []
        #: Images made so far.
        self.images = 0

    # --8<-- [start:serve]
    def serve(self, engine: HasImage) -> bool:
        """Make one image for all who wait, if anybody does; whether one was made.

        Raises:
            Exception: the engine's, which those who wait are given, too.
        """
        if not self._waiting:
            return False
        with self._lock:
            asked, self._waiting = self._waiting, []
        waiting = [each for each in asked if each.set_running_or_notify_cancel()]
        if not waiting:
            return False
        number = engine.event_sequence + 1 + self._offset
        try:
            snapshot = Snapshot(self.session, number, engine.snapshot())
        except BaseException as error:
            for future in waiting:
                future.set_exception(error)
            raise
        self.images += 1
        for future in waiting:
            future.set_result(snapshot)
        return True

    # --8<-- [end:serve]

    def ask(self) -> Future[Snapshot]:
        """The next image; from any thread. Cancel it to stop waiting."""
        future: Future[Snapshot] = Future()
        with self._lock:
            self._waiting = [each for each in self._waiting if not each.cancelled()]
            self._waiting.append(future)
        return future


def snapshot_messages(snapshot: Snapshot) -> list[bytes]:
    """A snapshot as the messages of its session. O(image)."""
    image = memoryview(snapshot.image)
    messages = [_HEAD.pack(b"H", len(image), snapshot.next_sequence)]
    messages += [b"C" + image[at : at + CHUNK_BYTES] for at in range(0, len(image), CHUNK_BYTES)]
    messages.append(b"G" + _digest(snapshot.next_sequence, snapshot.image))
    return messages


class SnapshotReader:
    """Puts the messages of a snapshot session together again; believes none of them.

    >>> reader = SnapshotReader()
    >>> for message in snapshot_messages(Snapshot("DAY", 43, b"image")):
    ...     reader.put(message)
    >>> reader.next_sequence, bytes(reader.image), reader.is_complete
    (43, b'image', True)
    """

    def __init__(self, most_bytes: int = MOST_IMAGE_BYTES) -> None:
        self.image = bytearray()
        self.next_sequence = 0
        self.is_complete = False
        self._most = most_bytes
        self._size = -1

    def put(self, message: bytes) -> None:
        """Take the next message.

        Raises:
            SnapshotRefusedError: it is not one of the three, or not what must come next.
        """
        kind, rest = message[:1], message[1:]
        if kind == b"H" and self._size < 0 and len(message) == _HEAD.size:
            _, self._size, self.next_sequence = _HEAD.unpack(message)
            if self._size > self._most or not self.next_sequence:
                raise SnapshotRefusedError(
                    f"snapshot: {self._size} bytes, next {self.next_sequence}: out of range"
                )
        elif kind == b"C" and 0 < len(rest) <= self._size - len(self.image):
            self.image += rest
        elif kind == b"G" and len(self.image) == self._size and not self.is_complete:
            if rest != _digest(self.next_sequence, self.image):
                raise SnapshotRefusedError("snapshot: what has come is not what was sent")
            self.is_complete = True
        else:
            raise SnapshotRefusedError(
                f"snapshot: message {kind!r} of {len(message)} bytes after {len(self.image)} "
                f"of {self._size} bytes of image"
            )


def _digest(next_sequence: int, image: bytes | bytearray) -> bytes:
    digest = hashlib.blake2b(next_sequence.to_bytes(8, "big"), digest_size=DIGEST_BYTES)
    digest.update(image)
    return digest.digest()


def fetch_snapshot(
    server: tuple[str, int],
    user: str,
    password: str,
    *,
    session: str = "",
    timeout_s: float = 30.0,
) -> Snapshot:
    """Log in at a snapshot server, read one snapshot, and wait for nothing longer than that.

    Args:
        server: host and port.
        session: the event channel's name; empty: whatever is current.
        timeout_s: for all of it.

    Raises:
        SnapshotRefusedError: not there, not let in, not in time, or not a snapshot.
    """
    where = f"snapshot server {server[0]}:{server[1]}"
    end = time.monotonic() + timeout_s
    reader = SnapshotReader()
    try:
        with socket.create_connection(server, timeout=timeout_s) as line:
            line.settimeout(_TICK_S)
            client = ClientSession(
                Login(user, password, session, next_number=1),
                lambda _, message: reader.put(message),
                line.sendall,
                now=time.monotonic(),
            )
            while client.ended is None and not reader.is_complete:
                if time.monotonic() >= end:
                    raise SnapshotRefusedError(f"{where}: not complete after {timeout_s:g} s")
                try:
                    data = line.recv(1 << 16)
                except TimeoutError:
                    client.tick(time.monotonic())
                    continue
                if not data:
                    client.end(Ending.CONNECTION_LOST)
                client.receive(data, time.monotonic())
    except OSError as error:
        raise SnapshotRefusedError(f"{where}: {error}") from error
    if not reader.is_complete:
        raise SnapshotRefusedError(f"{where}: no whole snapshot: {client.ended}")
    return Snapshot(client.session, reader.next_sequence, bytes(reader.image))


# --8<-- [start:join]
def join_late(subscriber: Subscriber, fetch: Callable[[], Snapshot]) -> Snapshot:
    """Fetch a snapshot while the subscriber goes on listening, and join the stream behind it.

    Args:
        subscriber: made with ``ReceiverConfig(start=HELD)``; nothing is taken from it before.
        fetch: such as :func:`fetch_snapshot` with its arguments; runs in a thread of its own.

    Raises:
        SnapshotRefusedError: ``fetch`` did not succeed, or the snapshot is of another session.
    """
    with ThreadPoolExecutor(1) as pool:
        fetched = pool.submit(fetch)
        while not fetched.done():
            subscriber.poll(_LOOK_AROUND_S)
        snapshot = fetched.result()
    listening_to = subscriber.receiver.session
    if listening_to is not None and listening_to != snapshot.session:
        raise SnapshotRefusedError(
            f"snapshot of session {snapshot.session!r}, but the channel's is {listening_to!r}"
        )
    subscriber.join(snapshot.next_sequence)
    return snapshot


# --8<-- [end:join]
