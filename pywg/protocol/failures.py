"""Why a handshake message was not accepted. In: nothing; out: the errors noise and handshake raise.

The rule kept: whoever sent the message learns nothing of the cause (whitepaper 5.1, silence). The cause is
for our own counters alone, so messages carry no bytes of keys or packets.
"""

from enum import Enum
from typing import Final


class HandshakeFailure(Enum):
    """Cause of a refused handshake message. The value is the name shown by ``get_status``."""

    UNKNOWN_KEY = "unknown_key"
    """An initiation from a static key that no peer has."""
    AEAD = "aead_failure"
    """A part of the message did not authenticate: forged, damaged, or another preshared key."""
    STALE_TIMESTAMP = "stale_timestamp"
    """Not newer than the greatest timestamp accepted from the peer."""
    FLOOD_GATE = "flood_gate"
    """Too soon after the last initiation accepted from the peer."""
    COOKIE = "cookie"
    """Under load without a valid MAC2, or a cookie reply that is not authentic or not expected."""
    RATE_LIMIT = "rate_limit"
    QUEUE_FULL = "queue_full"
    ZERO_SECRET = "zero_shared_secret"  # noqa: S105 (the name of a cause, no password)
    """A public key of low order: the exchange would contribute nothing (RFC 7748, 6.1; kernel noise.c)."""
    UNKNOWN_INDEX = "unknown_index"
    """A response to no pending initiation of ours."""
    NO_PRIVATE_KEY = "no_private_key"
    """The device has no private key."""


_SENTENCES: Final = {
    HandshakeFailure.UNKNOWN_KEY: "the initiation names a public key that no peer has; add the peer",
    HandshakeFailure.AEAD: "the message did not authenticate; check public and preshared keys on both sides",
    HandshakeFailure.STALE_TIMESTAMP: "the timestamp is no newer than the last one; check the sender's clock",
    HandshakeFailure.FLOOD_GATE: "the initiation came too soon after the last; the sender will try again",
    HandshakeFailure.COOKIE: "the cookie is missing, forged or not expected; the sender will try again",
    HandshakeFailure.RATE_LIMIT: "too many handshakes from this source; the sender will try again",
    HandshakeFailure.QUEUE_FULL: "too many handshakes wait already; the sender will try again",
    HandshakeFailure.ZERO_SECRET: "a public key is of low order; expected one made by `wg pubkey`",
    HandshakeFailure.UNKNOWN_INDEX: "the response answers no initiation that is pending; it came too late",
    HandshakeFailure.NO_PRIVATE_KEY: "the interface has no private key; set one",
}


class HandshakeError(Exception):
    """A handshake message cannot be made or is refused; `cause` tells which counter it belongs to."""

    def __init__(self, cause: HandshakeFailure) -> None:
        super().__init__(_SENTENCES[cause])
        self.cause = cause


class ZeroSharedSecret(HandshakeError):  # noqa: N818 (names the fact)
    """A Diffie-Hellman result was all zeros: the other side's public key is of low order."""

    def __init__(self) -> None:
        super().__init__(HandshakeFailure.ZERO_SECRET)
