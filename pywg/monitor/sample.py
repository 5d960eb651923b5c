"""What a device told at one moment, as far as a monitor may know it.

In: the state and the status a device told. Out: the same without any secret. Rule kept: private and preshared
keys go no further than this module, so that nothing that draws, keeps or compares can show them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from errno import errorcode
from itertools import islice
from typing import Final

from pywg.endpoint import Endpoint
from pywg.protocol.allowed_ips import Prefix
from pywg.uapi.model import UNSET_KEY, DeviceState, PeerStatus, Status

MOST_CAUSES: Final = 64
"""Of one peer or device. pywg has under 30; another daemon may tell what it likes."""


@dataclass(frozen=True, slots=True)
class PeerSample:
    """One peer. Counters grow from when the peer was added."""

    public_key: bytes
    endpoint: Endpoint | None = None
    allowed_ips: tuple[Prefix, ...] = ()
    last_handshake_ns: int = 0
    """Unix time in nanoseconds; 0: never."""
    rx_bytes: int = 0
    tx_bytes: int = 0
    troubles: Mapping[str, int] = field(default_factory=dict)
    """Drops, handshake failures and ICMP errors by cause; empty too where the device does not tell."""


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """What ``get_status`` adds. Counts are those of the device and of all its peers together."""

    engine: str
    engine_reason: str
    version: str
    sockets: Mapping[str, str]
    drops: Mapping[str, int]
    handshake_failures: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sample:
    """One interface at one moment."""

    taken: float
    """Seconds on a clock that never goes back."""
    listen_port: int = 0
    fwmark: int = 0
    has_private_key: bool = True
    peers: tuple[PeerSample, ...] = ()
    status: DaemonStatus | None = None
    """None: the device does not know the question (wireguard-go, the kernel)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of asking one interface."""

    name: str
    sample: Sample | None = None
    """The newest answer; None if there was none yet."""
    problem: str = ""
    """Why there is no newer one."""
    waiting: float = 0.0
    """Seconds since an unanswered question was asked."""


@dataclass(frozen=True, slots=True)
class Look:
    """What came of asking all interfaces."""

    readings: tuple[Reading, ...]
    problem: str = ""
    """Why not all interfaces could be found."""


def make_sample(state: DeviceState, status: Status | None, taken: float) -> Sample:
    """Keep what may be shown of `state` and `status`, told at `taken`."""
    by_key = {} if status is None else {peer.public_key: peer for peer in status.peers}
    return Sample(
        taken=taken,
        listen_port=state.listen_port,
        fwmark=state.fwmark,
        has_private_key=state.private_key != UNSET_KEY,
        peers=tuple(
            PeerSample(
                public_key=peer.public_key,
                endpoint=peer.endpoint,
                allowed_ips=peer.allowed_ips,
                last_handshake_ns=peer.last_handshake_ns,
                rx_bytes=peer.rx_bytes,
                tx_bytes=peer.tx_bytes,
                troubles=_troubles(by_key.get(peer.public_key)),
            )
            for peer in state.peers
        ),
        status=None if status is None else _daemon_status(status),
    )


def _daemon_status(status: Status) -> DaemonStatus:
    drops, failures = Counter(status.drops), Counter(status.handshake_failures)
    for peer in status.peers:
        drops.update(peer.drops)
        failures.update(peer.handshake_failures)
    return DaemonStatus(
        engine=status.engine,
        engine_reason=status.engine_reason,
        version=status.version,
        sockets=dict(islice(status.sockets.items(), MOST_CAUSES)),
        drops=_some(drops),
        handshake_failures=_some(failures),
    )


def _troubles(status: PeerStatus | None) -> Mapping[str, int]:
    if status is None:
        return {}
    # A drop and a failure of one name (aead_failure) are told apart by where they happened.
    handshakes = {f"handshake:{cause}": count for cause, count in status.handshake_failures.items()}
    refusals = {errorcode.get(number, f"E{number}"): count for number, count in status.icmp_errors.items()}
    return _some({**status.drops, **handshakes, **refusals})


def _some(counts: Mapping[str, int]) -> Mapping[str, int]:
    return dict(islice(((cause, count) for cause, count in counts.items() if count), MOST_CAUSES))
