"""Handshake messages that could be laid to no peer: how many, when last, and the last unknown key.

In: what `handshakes` refused. Out: what ``get_status`` tells of it. Rule kept: anybody who knows our public
key can cause these, so each cause is one number and one time, and of all unknown keys one is kept.
"""

from collections import Counter
from dataclasses import dataclass

from pywg.endpoint import Endpoint
from pywg.protocol.failures import HandshakeFailure


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who sent an initiation with a static key that no peer has. The key is claimed, not proved."""

    public_key: bytes
    source: Endpoint
    at: int
    """CLOCK_BOOTTIME nanoseconds."""


class Refusals:
    """Those of one device. Times are CLOCK_BOOTTIME nanoseconds."""

    def __init__(self) -> None:
        self.counts: Counter[HandshakeFailure] = Counter()
        self.last: dict[HandshakeFailure, int] = {}
        """When each cause last occurred."""
        self.stranger: Stranger | None = None
        """The last one."""

    def add(self, cause: HandshakeFailure, now: int) -> None:
        """One more message was refused."""
        self.counts[cause] += 1
        self.last[cause] = now
