"""What a device tells of itself: its peers, its sockets, and what went wrong, as the UAPI's typed results."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from pywg.engine.contract import Drop, Engine, UdpSockets
from pywg.protocol.failures import HandshakeFailure
from pywg.protocol.peer import Peer
from pywg.uapi.model import PeerState, PeerStatus

Cause = TypeVar("Cause", bound=Enum)


def peer_state(engine: Engine, peer: Peer) -> PeerState:
    """One peer of ``get=1``."""
    source = engine.source(peer.id)
    counters = engine.counters(peer.id)
    return PeerState(
        public_key=peer.public_key,
        preshared_key=peer.preshared_key,
        endpoint=None if source is None else source.endpoint,
        last_handshake_ns=peer.last_handshake or 0,
        tx_bytes=counters.tx_bytes,
        rx_bytes=counters.rx_bytes,
        persistent_keepalive_interval=peer.persistent_keepalive,
        allowed_ips=tuple(engine.allowed_ips(peer.id)),
    )


def peer_status(engine: Engine, peer: Peer) -> PeerStatus:
    """One peer of ``get_status=1``."""
    return PeerStatus(
        public_key=peer.public_key,
        drops=by_name(engine.drops(peer.id)),
        handshake_failures=by_name(peer.failures),
        icmp_errors=engine.icmp_errors(peer.id),
    )


def handshake_failures(engine: Engine, failures: Mapping[HandshakeFailure, int]) -> dict[str, int]:
    """Those laid to no peer. A full queue is noticed by the engine, before anybody reads the message."""
    overflowed = engine.drops(None).get(Drop.HANDSHAKE_QUEUE_FULL, 0)
    return by_name(failures) | ({HandshakeFailure.QUEUE_FULL.value: overflowed} if overflowed else {})


def sockets(pair: UdpSockets | None) -> dict[str, str]:
    """``open``, ``unavailable`` (the machine lacks the family) or ``closed``, by family."""
    if pair is None:
        return dict.fromkeys(("v4", "v6"), "closed")
    return {family: "open" if family in pair.by_family else "unavailable" for family in ("v4", "v6")}


def offloads(pair: UdpSockets | None) -> dict[str, str]:
    """Offloads and buffers of each socket."""
    if pair is None:
        return {}
    return {
        f"{family}_{name}": value
        for family, port in pair.by_family.items()
        for name, value in port.status().items()
    }


def by_name(counts: Mapping[Cause, int]) -> dict[str, int]:
    """Counts under the names ``get_status`` shows."""
    return {cause.value: number for cause, number in counts.items()}
