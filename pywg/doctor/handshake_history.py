"""What a peer's counts mean: has it a session, how often was it tried in vain, how long ago.

In: `PeerFacts` and the time. Out: answers for `judge_peer`. Rule kept: who tells less is not guessed
about; where only byte counters are known, they are read as what they must be at least. No I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pywg.doctor.facts import PeerFacts
from pywg.engine.contract import Drop
from pywg.protocol.constants import INITIATION_SIZE, SECOND, Limits
from pywg.protocol.failures import HandshakeFailure
from pywg.protocol.history import HandshakeEvent

SESSION_LIFETIME: Final = Limits().reject_after_time // SECOND
"""180 s (whitepaper 6.1). A session older than that carries nothing."""
PATIENCE: Final = 2
"""Seconds after which an answer to an initiation is missed: longer than any round trip, shorter than the
5 s to the next initiation."""
MOST_NAMED: Final = 3
"""Prefixes listed in a sentence."""


@dataclass(frozen=True, slots=True)
class History:
    """Of one peer. "Recent" is since the last handshake that was completed."""

    facts: PeerFacts
    wall_ns: int

    @property
    def is_told(self) -> bool:
        """Whether the daemon tells more than byte counters."""
        return self.facts.status is not None

    @property
    def handshake_age(self) -> int | None:
        """Seconds; None: there never was one. Negative: the clock went back."""
        last = self.facts.state.last_handshake_ns
        return None if not last else (self.wall_ns - last) // SECOND

    @property
    def has_session(self) -> bool:
        """The last handshake is young enough for packets to go and come."""
        age = self.handshake_age
        return age is not None and age < SESSION_LIFETIME

    @property
    def tries(self) -> int:
        """Initiations sent in vain."""
        if self.facts.status is not None:
            return self.recent(HandshakeEvent.INITIATION_SENT)
        # Before the first handshake nothing else is sent than initiations and responses.
        if self.handshake_age is None and not self.facts.state.rx_bytes:
            return self.facts.state.tx_bytes // INITIATION_SIZE
        return 0

    @property
    def is_missed(self) -> bool:
        """An answer should have come by now."""
        return self.tries > 1 or (
            self.tries == 1 and (not self.is_told or self.since("sent", PATIENCE) >= PATIENCE)
        )

    @property
    def answers(self) -> int:
        """Responses sent that led to nothing."""
        if self.facts.status is not None:
            return self.recent(HandshakeEvent.RESPONSE_SENT)
        # Only an authentic handshake message counts as received before there is a session.
        return self.facts.state.rx_bytes // INITIATION_SIZE if self.handshake_age is None else 0

    @property
    def works(self) -> bool:
        """There is a session, and nothing speaks against it. One initiation may be on its way."""
        return self.has_session and self.tries < 2 and not self.recent(HandshakeEvent.RESPONSE_REFUSED)

    @property
    def is_wanted(self) -> bool:
        """Something was tried and came to nothing, or nothing was ever heard of the peer."""
        return not self.works and (bool(self.tries) or bool(self.answers) or self.handshake_age is None)

    def recent(self, what: HandshakeEvent | HandshakeFailure | Drop) -> int:
        """How often it happened recently; 0 if it is not told."""
        status = self.facts.status
        if status is None:
            return 0
        if isinstance(what, HandshakeEvent):
            return status.recent.handshakes.get(what.value, 0)
        if isinstance(what, Drop):
            return status.recent.drops.get(what.value, 0)
        return status.recent.handshake_failures.get(what.value, 0)

    def since(self, what: str, default: int) -> int:
        """Seconds (`PeerStatus.traffic`)."""
        return default if self.facts.status is None else self.facts.status.traffic.get(what, default)


def listed(what: Sequence[object], most: int) -> str:
    """``a, b and 7 more``: at most so many by name."""
    more = f" and {len(what) - most} more" if len(what) > most else ""
    return ", ".join(map(str, what[:most])) + more


def span(seconds: int) -> str:
    """``5 minutes``: the largest unit that fits, whole."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return times(seconds, "second")


def times(count: int, what: str) -> str:
    """``1 packet``, ``2 packets``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
