"""Every number of the protocol, in one place (whitepaper sections 5.4 and 6.1).

Wire sizes are facts of the format and are plain constants. What a test may want to shrink is a
field of `Limits`. All times are nanoseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000 * MILLISECOND

KEY_SIZE: Final = 32
MAC_SIZE: Final = 16
TAG_SIZE: Final = 16
COOKIE_NONCE_SIZE: Final = 24

INITIATION_SIZE: Final = 148
RESPONSE_SIZE: Final = 92
COOKIE_REPLY_SIZE: Final = 64
TRANSPORT_HEADER_SIZE: Final = 16
KEEPALIVE_SIZE: Final = TRANSPORT_HEADER_SIZE + TAG_SIZE
PADDING: Final = 16

OVERHEAD: Final[Mapping[int, int]] = {
    4: 20 + 8 + TRANSPORT_HEADER_SIZE + TAG_SIZE,
    6: 40 + 8 + TRANSPORT_HEADER_SIZE + TAG_SIZE,
}
"""IP version of the endpoint -> bytes around an inner packet: headers of IP, UDP and message, and tag."""
DEFAULT_MTU: Final = 1500 - OVERHEAD[6]


class MessageType(IntEnum):
    """First byte of a datagram; the next three are zero (whitepaper 5.4)."""

    INITIATION = 1
    RESPONSE = 2
    COOKIE_REPLY = 3
    TRANSPORT_DATA = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Timers, counters and queue sizes. Each default names its source; tests shrink them."""

    # Whitepaper 6.1.
    rekey_after_messages: int = 2**60
    reject_after_messages: int = 2**64 - 2**13 - 1
    rekey_after_time: int = 120 * SECOND
    reject_after_time: int = 180 * SECOND
    rekey_attempt_time: int = 90 * SECOND
    rekey_timeout: int = 5 * SECOND
    keepalive_timeout: int = 10 * SECOND
    # Whitepaper 6.1: "+ jitter"; the kernel draws 0 to 333 ms.
    rekey_jitter: int = 333 * MILLISECOND
    # Kernel messages.h: INITIATIONS_PER_SECOND = 50 per peer.
    initiation_gate: int = 20 * MILLISECOND
    # Whitepaper 5.4.7; the kernel stops using a received cookie 5 s early (COOKIE_SECRET_LATENCY).
    cookie_secret_lifetime: int = 120 * SECOND
    cookie_use_time: int = 115 * SECOND
    # Kernel cookie.c and receive.c: under load for a second after the last sign of it.
    under_load_hold: int = 1 * SECOND
    # Kernel ratelimiter.c: 20 packets a second, burst of 5, per source.
    packets_per_second: int = 20
    packets_burst: int = 5
    # Ours: the kernel lets its table grow with the machine's memory.
    ratelimiter_entries: int = 8192
    # wireguard-go device/constants.go, queueconstants_default.go; the kernel has 2^20, 128 and 4096.
    max_peers: int = 65_536
    staged_packets: int = 128
    handshake_queue: int = 1024
    # Ours: most handshakes handled in one turn of the loop.
    handshakes_per_turn: int = 16

    @property
    def max_retransmits(self) -> int:
        """How many expiries of the retransmit timer may pass before giving up (18)."""
        return self.rekey_attempt_time // self.rekey_timeout

    @property
    def rekey_after_time_receiving(self) -> int:
        """Age at which an initiator that only receives starts a new handshake (165 s)."""
        return self.reject_after_time - self.keepalive_timeout - self.rekey_timeout

    @property
    def new_handshake_timeout(self) -> int:
        """Time without an answer to sent data before a new handshake, jitter apart (15 s)."""
        return self.keepalive_timeout + self.rekey_timeout

    @property
    def zero_keys_after(self) -> int:
        """Age of the newest session at which all key material is dropped (540 s)."""
        return 3 * self.reject_after_time
