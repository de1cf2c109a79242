"""The limiter of requests in C: c/mold_limiter.h."""

from __future__ import annotations

from phase5_protocol._protocol import lib
from phase5_protocol.multicast.limits import check_whole
from phase5_protocol.multicast.mold import LimiterCounters
from phase5_protocol.multicast.native import Owner, named


class RequestLimiter(Owner):
    """Buckets of tokens: so many requests a second for an address, and for all together."""

    def __init__(
        self,
        per_second: int = 1_000,
        burst: int = 100,
        total_per_second: int = 20_000,
        total_burst: int = 2_000,
        addresses: int = 4_096,
    ) -> None:
        check_whole(
            "RequestLimiter",
            per_second=(per_second, 1, 10**9),
            burst=(burst, 1, 10**6),
            total_per_second=(total_per_second, 1, 10**9),
            total_burst=(total_burst, 1, 10**6),
            addresses=(addresses, 1, 1 << 20),
        )
        handle = lib.mold_limiter_new(addresses, per_second, burst, total_per_second, total_burst)
        super().__init__(handle, lib.mold_limiter_free, "request limiter")

    def allow(self, host: int, port: int, now_ns: int) -> bool:
        """Take a token of an address (IPv4 as a number); False: there is none. O(1)."""
        return bool(lib.mold_limiter_allow(self.handle, host << 16 | port, now_ns))

    def counters(self) -> LimiterCounters:
        """What it said so far."""
        counted: LimiterCounters = named(LimiterCounters, lib.mold_limiter_count(self.handle))
        return counted
