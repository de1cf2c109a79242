"""MoldUDP64 in C: packing and parsing packets, the store they are sent again from.

A call crosses into C once for a whole batch. Handles belong to one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from contract.errors import ConfigurationError, InvariantError
from phase5_protocol._protocol import ffi, lib
from phase5_protocol.multicast.limits import (
    MOST_MESSAGE_BYTES,
    MOST_U64,
    check_session,
    check_whole,
)
from phase5_protocol.multicast.mold import (
    DATAGRAM_DTYPE,
    DEFAULT_DATAGRAM_BYTES,
    MAX_DATAGRAM_BYTES,
    Log,
    MalformedPacketError,
    NativeLog,
    Outcome,
    Packet,
    PacketKind,
    Problem,
    Request,
    StoreCounters,
    session_bytes,
)
from phase5_protocol.multicast.mold import Packed as Packed  # what packing returns


class Owner:
    """A C object, freed by ``close`` or at the end of a ``with``, and not used after that."""

    def __init__(self, handle: Any, free: Callable[[Any], None], what: str) -> None:
        if handle == ffi.NULL:
            raise ConfigurationError(f"{what}: out of its limits, or no memory")
        self._what = what
        # A net under close(): what nobody closes is freed with its owner.
        self._handle: Any = ffi.gc(handle, free)

    @property
    def handle(self) -> Any:
        """The C object.

        Raises:
            ValueError: it is closed.
        """
        if self._handle is None:
            raise ValueError(f"this {self._what} is closed")
        return self._handle

    def close(self) -> None:
        """Free it; a second time does nothing."""
        if self._handle is not None:
            ffi.release(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def as_bytes(data: Any) -> Any:
    """Anything contiguous with bytes in it, for C to read."""
    return ffi.from_buffer("uint8_t[]", data)


def named(kind: type[Any], struct: Any) -> Any:
    """A C struct as the named tuple of the same fields."""
    return kind(*(int(getattr(struct, name)) for name in kind._fields))


def check_with(check: Callable[..., int], handle: Any) -> None:
    """Raise InvariantError with what a C check found."""
    message = ffi.new("char[]", 256)
    if not check(handle, message, len(message)):
        raise InvariantError(ffi.string(message).decode())


def check_row(records: Any, record_bytes: int) -> tuple[Any, int]:
    """A buffer as whole records of some length, and how many they are."""
    check_whole("records", record_bytes=(record_bytes, 1, MOST_MESSAGE_BYTES))
    source = as_bytes(records)
    count, rest = divmod(len(source), record_bytes)
    if rest:
        raise ValueError(f"{len(source)} bytes are not whole records of {record_bytes}")
    return source, count


# --- packets -----------------------------------------------------------------------------------


def parse_packet(datagram: Any, *, strict: bool = True) -> Packet:
    """A downstream packet, taken apart. For tools and tests: a receiver does it in C.

    Without ``strict``, session and sequence may be anything: published captures have them blanked.

    Raises:
        MalformedPacketError: it breaks a rule of c/moldudp64.h.
    """
    data = as_bytes(datagram)
    packet = ffi.new("mold_packet *")
    parse = lib.mold_parse if strict else lib.mold_parse_framing
    problem = parse(data, len(data), packet)
    if problem:
        raise MalformedPacketError("packet", Problem(problem))
    starts, lengths = np.empty(packet.count, np.uint32), np.empty(packet.count, np.uint32)
    lib.mold_blocks(
        data,
        len(data),
        ffi.from_buffer("uint32_t[]", starts),
        ffi.from_buffer("uint32_t[]", lengths),
        packet.count,
    )
    whole = bytes(ffi.buffer(data))
    return Packet(
        bytes(packet.session).decode("latin-1").rstrip(" "),
        int(packet.sequence),
        PacketKind(packet.kind),
        tuple(
            whole[start : start + length]
            for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
        ),
    )


def parse_request(datagram: Any) -> Request:
    """A request packet.

    Raises:
        MalformedPacketError: it is none.
    """
    data = as_bytes(datagram)
    request = ffi.new("mold_request *")
    problem = lib.mold_parse_request(data, len(data), request)
    if problem:
        raise MalformedPacketError("request", Problem(problem))
    session = bytes(request.session).decode("ascii").rstrip(" ")
    return Request(session, int(request.sequence), int(request.count))


def make_request(session: str, sequence: int, count: int) -> bytes:
    """The 20 bytes that ask for messages ``sequence`` to ``sequence + count - 1``."""
    if not (0 < sequence < 2**64 and 0 < count < 2**16):
        raise ValueError(f"{count} messages from {sequence} cannot be asked for")
    out = ffi.new("uint8_t[]", lib.MOLD_REQUEST_BYTES)
    lib.mold_write_request(out, session_bytes(session), sequence, count)
    return bytes(out)


class MoldPacker(Owner):
    """Puts messages into datagrams, as many as fit; who calls decides how long one may wait."""

    def __init__(
        self, session: str, next_sequence: int = 1, limit_bytes: int = DEFAULT_DATAGRAM_BYTES
    ) -> None:
        name = check_session("MoldPacker", session)
        check_whole(
            "MoldPacker",
            next_sequence=(next_sequence, 1, MOST_U64),
            limit_bytes=(limit_bytes, 22, MAX_DATAGRAM_BYTES),
        )
        handle = lib.mold_packer_new(name, next_sequence, limit_bytes)
        super().__init__(handle, lib.mold_packer_free, "packer")
        self.limit_bytes = limit_bytes
        self._datagram = ffi.new("const uint8_t **")

    @property
    def next_sequence(self) -> int:
        """Number of the next message."""
        return int(lib.mold_packer_next(self.handle))

    @property
    def waiting(self) -> int:
        """Messages in the datagram being built."""
        return int(lib.mold_packer_waiting(self.handle))

    def append(self, message: bytes) -> bool:
        """Put one message in; False: it does not fit any more, ``flush`` first. O(length).

        Raises:
            MalformedPacketError: no datagram could hold it, or numbers have run out.
        """
        problem = lib.mold_packer_append(self.handle, message, len(message))
        if problem > 0:
            raise MalformedPacketError(f"message of {len(message)} bytes", Problem(problem))
        return bool(problem == 0)

    def flush(self) -> bytes:
        """The datagram built so far; empty if it has no message."""
        return self._made(lib.mold_packer_flush)

    def heartbeat(self) -> bytes:
        """A heartbeat; empty if messages are waiting, which are to be flushed instead."""
        return self._made(lib.mold_packer_heartbeat)

    def end(self) -> bytes:
        """The end of the session; empty if messages are waiting."""
        return self._made(lib.mold_packer_end)

    def pack(self, records: Any, record_bytes: int = 64, flush: bool = True) -> Packed:
        """Messages of one length, side by side, into datagrams. O(bytes).

        With ``flush=False`` what does not fill a datagram waits for the next call.
        """
        source, count = check_row(records, record_bytes)
        return self._batch(
            lambda *arena: lib.mold_pack_records(
                self.handle, source, record_bytes, count, flush, *arena
            ),
            len(source),
            count,
        )

    def pack_stream(self, stream: Any, flush: bool = True) -> Packed:
        """Messages with a 2-byte big-endian length before each (BinaryFILE) into datagrams."""
        source = as_bytes(stream)
        size = len(source)
        return self._batch(
            lambda *arena: lib.mold_pack_stream(self.handle, source, size, flush, *arena),
            size,
            size // 2,
        )

    def pack_messages(self, messages: Sequence[bytes], flush: bool = True) -> Packed:
        """Messages of any lengths into datagrams."""
        source = as_bytes(b"".join(messages))
        count = len(messages)
        offsets = np.zeros(count + 1, np.uint64)
        np.cumsum([len(message) for message in messages], out=offsets[1:])
        starts = ffi.from_buffer("uint64_t[]", offsets)
        return self._batch(
            lambda *arena: lib.mold_pack_ranges(self.handle, source, starts, count, flush, *arena),
            len(source),
            count,
        )

    def _batch(self, pack: Callable[..., Any], source_bytes: int, count: int) -> Packed:
        """Pack all of a source in one call, into an arena as large as it can get.

        Raises:
            MalformedPacketError: a message cannot be packed. Nothing was.
        """
        blocks = source_bytes + 2 * count
        # Two datagrams in a row hold more than one limit; before them may stand what waits.
        pairs = -(-blocks // (self.limit_bytes - lib.MOLD_HEADER_BYTES))
        most = 1 + min(count, 2 * pairs)
        size = blocks + most * lib.MOLD_HEADER_BYTES + 2 * self.limit_bytes
        arena, datagrams = np.empty(size, np.uint8), np.empty(most, DATAGRAM_DTYPE)
        packed = pack(
            ffi.from_buffer("uint8_t[]", arena),
            size,
            ffi.cast("mold_datagram *", ffi.from_buffer(datagrams)),
            most,
        )
        if packed.problem:
            what = f"message {packed.messages} of the batch"
            raise MalformedPacketError(what, Problem(packed.problem))
        assert packed.bytes == source_bytes, "the arena was too small"
        return Packed(arena[: packed.filled], datagrams[: packed.datagrams])

    def _made(self, make: Callable[..., int]) -> bytes:
        size = make(self.handle, self._datagram)
        return bytes(ffi.buffer(self._datagram[0], size)) if size else b""


def packetise(
    records: Any,
    session: str,
    first: int = 1,
    record_bytes: int = 64,
    limit_bytes: int = DEFAULT_DATAGRAM_BYTES,
) -> Packed:
    """Records as the datagrams of a whole session."""
    with MoldPacker(session, first, limit_bytes) as packer:
        return packer.pack(records, record_bytes)


# --- the store -----------------------------------------------------------------------------------


class MessageStore(Owner):
    """The last messages of a session, bounded by bytes and by count, to be sent again.

    ``log`` is asked, message by message, for what is no longer here.
    """

    def __init__(
        self,
        session: str,
        first: int = 1,
        capacity_bytes: int = 1 << 26,
        capacity_messages: int = 1 << 20,
        log: Log | NativeLog | None = None,
    ) -> None:
        name = check_session("MessageStore", session)
        check_whole(
            "MessageStore",
            first=(first, 1, MOST_U64),
            capacity_bytes=(capacity_bytes, 64, 1 << 40),
            capacity_messages=(capacity_messages, 1, 1 << 32),
        )
        handle = lib.mold_store_new(name, first, capacity_bytes, capacity_messages)
        super().__init__(handle, lib.mold_store_free, "message store")
        self._answer = ffi.new("uint8_t[]", lib.MOLD_MAX_DATAGRAM)
        self._size = ffi.new("size_t *")
        self._log = log  # C has its address
        if isinstance(log, NativeLog):
            read, context = map(ffi.cast, ("mold_log_read", "void *"), log.reader)
            lib.mold_store_set_log(self.handle, read, context)
        elif log is not None:
            self._read = ffi.callback("mold_log_read", _reader(log), error=-1)
            lib.mold_store_set_log(self.handle, self._read, ffi.NULL)

    @property
    def first(self) -> int:
        """Number of the oldest message here."""
        return int(lib.mold_store_first(self.handle))

    @property
    def next(self) -> int:
        """Number of the message that comes next."""
        return int(lib.mold_store_next(self.handle))

    def append(self, message: bytes) -> None:
        """Keep one message more. Amortised O(length).

        Raises:
            MalformedPacketError: it is longer than the store, or than a packet can hold.
        """
        problem = lib.mold_store_append(self.handle, message, len(message))
        if problem:
            raise MalformedPacketError(f"message of {len(message)} bytes", Problem(problem))

    def append_records(self, records: Any, record_bytes: int = 64) -> None:
        """Keep messages of one length, side by side. O(bytes)."""
        source, count = check_row(records, record_bytes)
        if lib.mold_store_append_records(self.handle, source, record_bytes, count) != count:
            raise MalformedPacketError(f"records of {record_bytes} bytes", Problem.LONG_MESSAGE)

    def append_stream(self, stream: Any) -> None:
        """Keep messages with a 2-byte length before each. O(bytes)."""
        source = as_bytes(stream)
        taken = lib.mold_store_append_stream(self.handle, source, len(source))
        if taken != len(source):
            raise MalformedPacketError(f"offset {taken} of the stream", Problem.SHORT_BLOCK)

    def read(self, number: int) -> bytes | None:
        """Message ``number``, or None if it is not here (any more, or yet)."""
        length = lib.mold_store_read(self.handle, number, self._answer, len(self._answer))
        return bytes(ffi.buffer(self._answer, length)) if length >= 0 else None

    def answer(
        self, request: Request, limit_bytes: int = DEFAULT_DATAGRAM_BYTES
    ) -> tuple[Outcome, bytes]:
        """The packet that answers a request, with as many messages as fit; or why there is none."""
        wanted = ffi.new("mold_request *", {"sequence": request.sequence, "count": request.count})
        ffi.memmove(wanted.session, session_bytes(request.session), lib.MOLD_SESSION_BYTES)
        limit = min(limit_bytes, lib.MOLD_MAX_DATAGRAM)
        outcome = lib.mold_store_answer(self.handle, wanted, self._answer, limit, self._size)
        return Outcome(outcome), bytes(ffi.buffer(self._answer, self._size[0]))

    def counters(self) -> StoreCounters:
        """What it did so far."""
        counted: StoreCounters = named(StoreCounters, lib.mold_store_count(self.handle))
        return counted

    def check(self) -> None:
        """Raise InvariantError if the ring or its positions are broken. O(messages)."""
        check_with(lib.mold_store_check, self.handle)


def _reader(log: Log) -> Callable[[Any, int, Any, int], int]:
    def read(_context: Any, number: int, to: Any, room: int) -> int:
        message = log(number)
        if message is None or len(message) > room:
            return -1
        ffi.memmove(to, message, len(message))
        return len(message)

    return read
