"""UDP sockets from Python: batches in, batches out, and failures that name address and port."""

from __future__ import annotations

import errno
import functools
import math
import os
import time
from collections.abc import Iterable, Sequence
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final, NamedTuple, Self

import numpy as np

from contract.errors import ConfigurationError, MatchbookError
from phase5_protocol._protocol import ffi, lib
from phase5_protocol.multicast.limits import check_whole
from phase5_protocol.multicast.mold import DATAGRAM_DTYPE
from phase5_protocol.multicast.native import Packed

#: The address of the interface that every machine has, and that leads nowhere else.
LOOPBACK: Final = "127.0.0.1"
#: The most datagrams in one call.
MOST_IN_BATCH: Final = int(lib.UDP_MAX_BATCH)

_FAILED_AT: Final = {
    lib.UDP_AT_OPTIONS: "these options are out of range",
    lib.UDP_AT_MEMORY: "no memory for it",
    lib.UDP_AT_SOCKET: "the system gives no socket",
    lib.UDP_AT_BUFFERS: "the system gives no buffer of that size",
    lib.UDP_AT_BIND: "cannot be bound",
    lib.UDP_AT_INTERFACE: "no such interface",
    lib.UDP_AT_JOIN: "the group cannot be joined",
}
#: Longest stay in C: Python handles no signal while a call lasts.
_SLICE_S: Final = 0.1


class Endpoint(NamedTuple):
    """An IPv4 address (or group) and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class SocketError(MatchbookError):
    """A socket could not be had, or failed; the message names address, port and reason.

    Attributes:
        endpoint: where.
        code: the ``errno``, such as ``errno.EADDRINUSE``.
    """

    def __init__(self, endpoint: Endpoint, what: str, code: int) -> None:
        self.endpoint = endpoint
        self.code = code
        hint = {
            errno.EADDRINUSE: "; another process has this port",
            errno.EACCES: "; ports below 1024 are the administrator's",
        }.get(code, "")
        super().__init__(f"udp {endpoint}: {what}: {os.strerror(code)}{hint}")


class SendResult(NamedTuple):
    """How many datagrams the kernel took, from the front, and why not the next (an errno, or 0)."""

    taken: int
    error: int


class Datagram(NamedTuple):
    """One datagram received. ``truncated``: it was longer than the socket's room for one."""

    data: bytes
    sender: Endpoint
    truncated: bool


class UdpSocket:
    """One socket of one owner; a group makes it a member.

    Args:
        group: the multicast group to join, such as ``"239.255.0.1"``; None to join none.
        port: 0 lets the system choose; see ``endpoint``.
        interface: name (``"lo"``) or address of the interface that groups go out at and come in
            at. Without a group also the address to be bound to.
        ttl: how many routers a datagram to a group may cross; 0 stays on this machine.
        receive_bytes: how much the kernel shall queue; 0 leaves it to the system. See ``granted``.
        batch: datagrams in one ``receive``, at most 256.
        datagram_bytes: room for each.

    Raises:
        SocketError: the port is taken, there is no such interface, no multicast on this machine.
        ConfigurationError: an address that is none, a number out of range.
    """

    def __init__(
        self,
        *,
        group: str | None = None,
        port: int = 0,
        interface: str = LOOPBACK,
        ttl: int = 0,
        loopback: bool = True,
        receive_bytes: int = 0,
        batch: int = 64,
        datagram_bytes: int = 2048,
    ) -> None:
        wanted = Endpoint(group or interface, port)
        own = _interface_number(interface)
        numbers = {
            "port": (port, 0, 65535),
            "ttl": (ttl, 0, 255),
            "receive_bytes": (receive_bytes, 0, 2**31 - 1),
            "batch": (batch, 1, MOST_IN_BATCH),
            "datagram_bytes": (datagram_bytes, 1, lib.UDP_MAX_BYTES),
        }
        for name, (value, least, most) in numbers.items():
            if not least <= value <= most:
                raise ConfigurationError(f"udp {wanted}: {name} {value} is not {least} to {most}")
        member = 0 if group is None else address_number(group)
        if member and member >> 28 != 0xE:
            raise ConfigurationError(f"udp {wanted}: {group} is not a group, 224.0.0.0 and up")
        options = ffi.new(
            "udp_options *",
            {
                "group": member,
                "interface": own,
                "port": port,
                "ttl": ttl,
                "loopback": loopback,
                "receive_bytes": receive_bytes,
                "batch": batch,
                "datagram_bytes": datagram_bytes,
            },
        )
        made, step = ffi.new("udp_socket **"), ffi.new("int *")
        code = lib.udp_socket_open(options, made, step)
        if code:
            raise SocketError(wanted, _FAILED_AT[step[0]], -code)
        self._socket: Any = ffi.gc(made[0], lib.udp_socket_free)
        address = ffi.new("uint32_t *")
        bound = lib.udp_socket_address(made[0], address)
        #: Where it is bound: the group's or the interface's address, and the port.
        self.endpoint: Final = Endpoint(_dotted(address[0]), int(bound))
        # Rows over the memory of the socket, which they keep there.
        keep = ffi.gc(lib.udp_socket_arena(made[0]), lambda _, _owner=self._socket: None)
        self._arena = np.frombuffer(ffi.buffer(keep, batch * datagram_bytes), np.uint8)
        keep = ffi.gc(lib.udp_socket_datagrams(made[0]), lambda _, _owner=self._socket: None)
        size = batch * DATAGRAM_DTYPE.itemsize
        self._datagrams = np.frombuffer(ffi.buffer(keep, size), DATAGRAM_DTYPE)
        self._error = ffi.new("int *")

    @property
    def handle(self) -> Any:
        """The socket as C knows it, for other faces of this phase."""
        if self._socket is None:
            raise MatchbookError(f"udp {self.endpoint}: this socket is closed")
        return self._socket

    def send(self, to: Endpoint, datagram: bytes) -> SendResult:
        """Send one datagram. Never waits."""
        one = np.array([(0, len(datagram), 0)], DATAGRAM_DTYPE)
        return self.send_packed(to, Packed(np.frombuffer(datagram, np.uint8), one))

    def send_packed(self, to: Endpoint, packed: Packed) -> SendResult:
        """Send the datagrams of an arena, in order. Never waits. O(n).

        What the kernel has not taken, the caller may offer again, or let it be lost.
        """
        number = address_number(to.address)
        arena, datagrams = packed
        ends = datagrams["offset"] + datagrams["length"]
        if ends.max(initial=0) > arena.nbytes:
            raise ValueError(f"a datagram ends at {ends.max()}, the arena at {arena.nbytes}")
        taken = lib.udp_socket_send(
            self.handle,
            number,
            to.port,
            ffi.from_buffer("uint8_t[]", arena),
            ffi.cast("mold_datagram *", ffi.from_buffer(datagrams)),
            len(datagrams),
            self._error,
        )
        return SendResult(int(taken), int(self._error[0]))

    def receive_packed(self) -> Packed:
        """What has arrived, at most one batch, where the kernel wrote it; copies nothing.

        The next receive overwrites it. What did not fit ``datagram_bytes`` comes cut to that: a
        framing that states lengths, as MoldUDP64 does, notices.
        """
        count = lib.udp_socket_receive(self.handle)
        if count < 0:
            raise SocketError(self.endpoint, "receive", -count)
        return Packed(self._arena, self._datagrams[:count])

    def receive(self) -> list[Datagram]:
        """What has arrived, at most one batch, copied out; empty if nothing has. O(bytes)."""
        arena, datagrams = self.receive_packed()
        senders = lib.udp_socket_senders(self._socket)
        return [
            Datagram(
                arena[offset : offset + length].tobytes(),
                Endpoint(_dotted(senders[i].address), int(senders[i].port)),
                bool(senders[i].truncated),
            )
            for i, (offset, length, _) in enumerate(datagrams.tolist())
        ]

    def wait(self, timeout_s: float) -> bool:
        """Wait until something has arrived, at most ``timeout_s``; whether it has."""
        return bool(wait_any([self], timeout_s))

    @property
    def granted(self) -> int:
        """Bytes that the kernel queues, in its own counting (Linux: twice what was granted)."""
        return int(lib.udp_socket_granted(self.handle))

    @property
    def drops(self) -> int | None:
        """Datagrams the kernel threw away because its queue was full; None if it does not tell."""
        count = lib.udp_socket_drops(self.handle)
        return None if count < 0 else int(count)

    def fileno(self) -> int:
        """The descriptor, for ``select`` and its kin."""
        return int(lib.udp_socket_fileno(self.handle))

    def close(self) -> None:
        """Leave the group and give the port back. Twice is harmless."""
        if self._socket is not None:
            lib.udp_socket_leave(self._socket)
            # The memory goes with the last row that somebody holds of it.
            self._arena, self._datagrams = np.empty(0, np.uint8), np.empty(0, DATAGRAM_DTYPE)
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def check_endpoints(owner: str, field: str, endpoints: Any, least_port: int) -> None:
    """Check a list of addresses and ports; ``least_port`` 1 for those to send to.

    Raises:
        ConfigurationError: it is no list of them (a string, one alone), or one cannot be.
    """
    if isinstance(endpoints, str | bytes | Endpoint) or not isinstance(endpoints, Sequence):
        what = f"{owner}: {field} {endpoints!r}"
        raise ConfigurationError(f"{what} is not a list of Endpoint(address, port)")
    for each in endpoints:
        if not isinstance(each, Endpoint):
            raise ConfigurationError(f"{owner}: {field}: {each!r} is not Endpoint(address, port)")
        address_number(each.address)
        check_whole(f"{owner}: {field} {each}", port=(each.port, least_port, 65535))


def wait_any(sockets: Sequence[UdpSocket], timeout_s: float) -> list[UdpSocket]:
    """Wait until any of up to eight sockets has something; those that have, or none in time."""
    if math.isnan(timeout_s):
        raise ConfigurationError(f"wait: timeout_s {timeout_s} is not a number of seconds")
    handles = ffi.new("udp_socket *[]", [each.handle for each in sockets])
    end = time.monotonic() + timeout_s
    left = timeout_s
    while True:
        slice_ns = int(min(max(left, 0.0), _SLICE_S) * 1e9)
        ready = lib.udp_wait(handles, len(sockets), slice_ns)
        if ready < 0:
            raise SocketError(sockets[0].endpoint, "wait", -ready)
        left = end - time.monotonic()
        if ready or left <= 0:
            return [each for place, each in enumerate(sockets) if ready >> place & 1]


@functools.lru_cache(maxsize=1024)
def address_number(address: str) -> int:
    """A dotted IPv4 address as a number.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return int(IPv4Address(address))
    except AddressValueError as error:
        raise ConfigurationError(f"{address!r} is not an IPv4 address: {error}") from error


@functools.lru_cache(maxsize=1024)
def _dotted(number: int) -> str:
    """A number as a dotted address; there are few, and they come often."""
    return str(IPv4Address(number))


def _interface_number(interface: str) -> int:
    """An interface's address, from its name or that address itself."""
    if interface[:1].isdigit():
        return address_number(interface)
    found = ffi.new("uint32_t *")
    code = lib.udp_interface(interface.encode(), found)
    if code:
        raise SocketError(Endpoint(interface, 0), "no such interface", -code)
    return int(found[0])


def clock_ns() -> int:
    """Nanoseconds of the clock that all processes of this machine share and nobody sets back."""
    return int(lib.udp_clock_ns())


def multicast_problem(group: str = "239.255.0.1", interface: str = LOOPBACK) -> str | None:
    """Send a datagram to a group on an interface and wait for it: None, or why it did not come.

    A container may refuse to join, have no route for groups, or lose them silently.
    """
    probe = os.urandom(16)
    try:
        with (
            UdpSocket(group=group, interface=interface) as receiver,
            UdpSocket(interface=interface) as sender,
        ):
            sent = sender.send(Endpoint(group, receiver.endpoint.port), probe)
            if not sent.taken:
                return f"udp {receiver.endpoint}: {os.strerror(sent.error)}"
            if not receiver.wait(1.0) or _first(receiver.receive()) != probe:
                return f"udp {receiver.endpoint}: what is sent to the group does not arrive"
    except SocketError as error:
        return str(error)
    return None


def _first(datagrams: Iterable[Datagram]) -> bytes:
    return next((each.data for each in datagrams), b"")
