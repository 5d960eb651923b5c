"""How many handshakes a source may cause under load (whitepaper 5.3; kernel ratelimiter.c): token buckets.

In: source addresses that a cookie has proved, and `now`; out: allowed or not. The rules kept: 20 a second
with a burst of 5; one bucket for all of an IPv6 /64, which one machine can own; a bounded table that refuses
new sources while it is full, so that memory is never the attacker's to spend.
"""

from collections import OrderedDict
from typing import Final

from pywg.protocol.constants import SECOND, Limits

_IPV6_SIZE: Final = 16
_PREFIX_SIZE: Final = 8
"""Bytes of an IPv6 address that name its /64."""


class RateLimiter:
    """One per device. Times are CLOCK_BOOTTIME nanoseconds."""

    __slots__ = ("_buckets", "_capacity", "_cost", "_idle", "_most")

    def __init__(self, limits: Limits) -> None:
        # A token is a nanosecond: a bucket fills by itself as time passes, a packet costs 1/20 s.
        self._cost: Final = SECOND // limits.packets_per_second
        self._capacity: Final = self._cost * limits.packets_burst
        # A bucket is forgotten only when it is full again anyway, or forgetting would hand out tokens.
        self._idle: Final = max(SECOND, self._capacity)
        self._most: Final = limits.ratelimiter_entries
        self._buckets: Final[OrderedDict[bytes, tuple[int, int]]] = OrderedDict()
        """Source -> tokens and when they were counted; the longest idle comes first."""

    def __len__(self) -> int:
        """Sources remembered."""
        return len(self._buckets)

    def allow(self, address: bytes, now: int) -> bool:
        """Whether a packet from `address` (4 or 16 bytes) may pass; if so, its cost is taken."""
        self._forget_idle(now)
        source = address[:_PREFIX_SIZE] if len(address) == _IPV6_SIZE else address
        bucket = self._buckets.get(source)
        if bucket is None:
            if len(self._buckets) >= self._most:
                return False
            tokens = self._capacity
        else:
            tokens = min(self._capacity, bucket[0] + now - bucket[1])
        allowed = tokens >= self._cost
        self._buckets[source] = (tokens - self._cost if allowed else tokens, now)
        self._buckets.move_to_end(source)
        return allowed

    def _forget_idle(self, now: int) -> None:
        while self._buckets:
            source, (_, last) = next(iter(self._buckets.items()))
            if now - last <= self._idle:
                return
            del self._buckets[source]
