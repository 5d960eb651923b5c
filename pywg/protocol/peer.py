"""What the control plane knows of one peer, apart from what the engine owns (keys in use, endpoint).

A plain record: `pywg.device`, `pywg.handshakes` and `pywg.timers` change it, and nobody else. Its repr names
the peer and tells no secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pywg.protocol.constants import KEY_SIZE
from pywg.protocol.cookie import CookieSender
from pywg.protocol.handshake import PendingInitiation
from pywg.protocol.history import HandshakeHistory
from pywg.protocol.identity import RemoteStatic
from pywg.protocol.peer_id import PeerId
from pywg.protocol.timers import TimerState

NO_PRESHARED_KEY = bytes(KEY_SIZE)


@dataclass(slots=True, eq=False, repr=False)
class Peer:
    """One peer of a device. Times are nanoseconds, of CLOCK_BOOTTIME where not said otherwise."""

    id: PeerId
    name: str
    """``peer(AbCd...WxYz)``, for the log."""
    remote: RemoteStatic
    cookie: CookieSender
    preshared_key: bytes = NO_PRESHARED_KEY
    persistent_keepalive: int = 0
    """Seconds; 0 is off."""
    greatest_timestamp: bytes = b""
    """Greatest TAI64N of an authentic initiation (whitepaper 5.1): survives sessions, not the peer."""
    initiation_consumed: int | None = None
    """When the last authentic initiation was accepted (flood gate)."""
    pending: PendingInitiation | None = None
    """Our initiation that waits for its response."""
    timers: TimerState = field(default_factory=TimerState)
    last_handshake: int | None = None
    """Unix nanoseconds of the last completed handshake."""
    history: HandshakeHistory = field(default_factory=HandshakeHistory)
    drops_before: Mapping[str, int] = field(default_factory=dict)
    """The engine's counts, by cause, when the newest session began or a setting of the peer was changed."""
    icmp_errors_before: Mapping[int, int] = field(default_factory=dict)
    """Likewise."""

    @property
    def public_key(self) -> bytes:
        return self.remote.public_key

    def __repr__(self) -> str:
        return self.name
