"""A network that loses, repeats, reorders, delays and damages datagrams: c/lossy_network.h.

>>> network = LossyNetwork(seed=7, loss=0.5)
>>> for number in range(8):
...     _ = network.put(bytes([number]), now_ns=0)
>>> [datagram[0] for datagram, link in network.take_due(now_ns=0)]
[0, 1, 4, 5, 6, 7]
"""

from __future__ import annotations

from typing import Any, Final

from contract.errors import ConfigurationError
from phase5_protocol._protocol import ffi, lib
from phase5_protocol.multicast.limits import MOST_U64, check_number, check_whole
from phase5_protocol.multicast.mold import MAX_DATAGRAM_BYTES, NEVER_NS, NetworkCounters
from phase5_protocol.multicast.native import Owner, as_bytes, check_with, named

_CHECKS: Final = {
    "frame": lib.LOSSY_CHECK_FRAME,
    "udp": lib.LOSSY_CHECK_UDP,
    "none": lib.LOSSY_CHECK_NONE,
}

#: The longest delay, c/lossy_network.c's.
_MOST_NS: Final = 1 << 60


class LossyNetwork(Owner):
    """Stands between sender and receiver. The same seed and traffic meet the same fate anywhere.

    Args:
        loss, duplication, reordering, corruption, truncation: chances of a datagram, 0 to 1.
        checksum: which damaged datagrams are dropped: those that Ethernet's CRC finds (``frame``,
            all of these), those that UDP's sum finds (``udp``, not all), or ``none``.
        delay_ns, jitter_ns: every datagram takes the first and up to the second more.
        reorder_ns: how much longer a reordered one takes at the most.
        capacity: datagrams under way; more are lost.

    Raises:
        ConfigurationError: a chance or a limit that cannot be.
    """

    def __init__(
        self,
        seed: int,
        *,
        loss: float = 0.0,
        duplication: float = 0.0,
        reordering: float = 0.0,
        corruption: float = 0.0,
        truncation: float = 0.0,
        checksum: str = "frame",
        delay_ns: int = 0,
        jitter_ns: int = 0,
        reorder_ns: int = 1_000_000,
        capacity: int = 1 << 14,
        max_datagram: int = 2048,
    ) -> None:
        if checksum not in _CHECKS:
            known = ", ".join(_CHECKS)
            raise ConfigurationError(f"LossyNetwork: checksum {checksum!r} is not one of {known}")
        check_number(
            "LossyNetwork",
            loss=(loss, 0, 1),
            duplication=(duplication, 0, 1),
            reordering=(reordering, 0, 1),
            corruption=(corruption, 0, 1),
            truncation=(truncation, 0, 1),
        )
        check_whole(
            "LossyNetwork",
            seed=(seed, 0, MOST_U64),
            delay_ns=(delay_ns, 0, _MOST_NS),
            jitter_ns=(jitter_ns, 0, _MOST_NS),
            reorder_ns=(reorder_ns, 0, _MOST_NS),
            capacity=(capacity, 1, 1 << 20),
            max_datagram=(max_datagram, 1, MAX_DATAGRAM_BYTES),
        )
        config = ffi.new(
            "lossy_config *",
            {
                "seed": seed,
                "loss": _millionths(loss),
                "duplication": _millionths(duplication),
                "reordering": _millionths(reordering),
                "corruption": _millionths(corruption),
                "truncation": _millionths(truncation),
                "check": _CHECKS[checksum],
                "delay_ns": delay_ns,
                "jitter_ns": jitter_ns,
                "reorder_ns": reorder_ns,
                "capacity": capacity,
                "max_datagram": max_datagram,
            },
        )
        super().__init__(lib.lossy_network_new(config), lib.lossy_network_free, "lossy network")
        self._out = ffi.new("uint8_t[]", max_datagram)
        self._link = ffi.new("uint32_t *")

    def put(self, datagram: Any, now_ns: int, link: int = 0) -> int:
        """Send a datagram over a link (0 to 7); how many copies are under way: 0, 1 or 2."""
        data = as_bytes(datagram)
        return int(lib.lossy_network_put(self.handle, data, len(data), now_ns, _link(link)))

    def take(self, now_ns: int) -> tuple[bytes, int] | None:
        """The datagram that is due first, and its link; None: none is due."""
        size = lib.lossy_network_take(self.handle, now_ns, self._out, self._link)
        return (bytes(ffi.buffer(self._out, size)), int(self._link[0])) if size >= 0 else None

    def take_due(self, now_ns: int) -> list[tuple[bytes, int]]:
        """All that are due, in order."""
        found = []
        while (taken := self.take(now_ns)) is not None:
            found.append(taken)
        return found

    @property
    def due_ns(self) -> int:
        """When the next one is due; NEVER_NS: none is under way."""
        return int(lib.lossy_network_due(self.handle))

    def __len__(self) -> int:
        """How many are under way."""
        return int(lib.lossy_network_pending(self.handle))

    def cut(self, from_ns: int, until_ns: int = NEVER_NS, link: int | None = None) -> None:
        """Lose what is put from one time until before another, on a link or on all."""
        which = lib.LOSSY_LINKS if link is None else _link(link)
        lib.lossy_network_cut(self.handle, which, from_ns, until_ns)

    def counters(self) -> NetworkCounters:
        """What it did so far."""
        counted: NetworkCounters = named(NetworkCounters, lib.lossy_network_count(self.handle))
        return counted

    def check(self) -> None:
        """Raise InvariantError if the heap or the counters are broken. O(capacity)."""
        check_with(lib.lossy_network_check, self.handle)


def _millionths(chance: float) -> int:
    return round(chance * 1_000_000)


def _link(link: int) -> int:
    if not 0 <= link < lib.LOSSY_LINKS:
        raise ValueError(f"link {link} is not 0 to {lib.LOSSY_LINKS - 1}")
    return link
