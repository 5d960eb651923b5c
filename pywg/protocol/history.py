"""What a peer's handshakes have come to, counted: in all, and since the last one that succeeded.

In: messages sent and taken, and causes of refusal. Out: counts for ``get_status``, from which `pywg doctor`
tells why a tunnel is not up. Rule kept: whatever an attacker sends, nothing here grows but numbers.
"""

from collections import Counter
from enum import Enum

from pywg.protocol.failures import HandshakeFailure


class HandshakeEvent(Enum):
    """A step of a handshake with a known peer. The value is the name shown by ``get_status``."""

    INITIATION_SENT = "initiations_sent"
    """Or attempted: the peer may have no endpoint, or the network may be down."""
    INITIATION_RECEIVED = "initiations_received"
    """Authentic and new."""
    RESPONSE_SENT = "responses_sent"
    RESPONSE_RECEIVED = "responses_received"
    """Authentic."""
    RESPONSE_REFUSED = "responses_refused"
    """It answers our initiation and does not authenticate: most likely another preshared key."""
    COOKIE_REPLY_RECEIVED = "cookie_replies_received"
    """Authentic: the peer is under load."""
    COMPLETED = "completed"
    """Both sides are known to have the keys."""


HandshakeCounts = Counter[HandshakeEvent | HandshakeFailure]


class HandshakeHistory:
    """The counts of one peer."""

    __slots__ = ("recent", "total")

    def __init__(self) -> None:
        self.total: HandshakeCounts = Counter()
        """Since the peer was added."""
        self.recent: HandshakeCounts = Counter()
        """Since the last handshake was completed, or a setting of the peer was changed."""

    def count(self, what: HandshakeEvent | HandshakeFailure) -> None:
        """It happened once more."""
        self.total[what] += 1
        self.recent[what] += 1

    def complete(self) -> None:
        """A handshake succeeded: what went wrong before it is over."""
        self.total[HandshakeEvent.COMPLETED] += 1
        self.recent.clear()


def events(counts: HandshakeCounts) -> dict[HandshakeEvent, int]:
    """The steps that were counted."""
    return {what: count for what, count in counts.items() if isinstance(what, HandshakeEvent)}


def failures(counts: HandshakeCounts) -> dict[HandshakeFailure, int]:
    """The refusals that were counted."""
    return {what: count for what, count in counts.items() if isinstance(what, HandshakeFailure)}
