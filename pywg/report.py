"""What a device tells of itself: its peers, its sockets, and what went wrong, as the UAPI's typed results."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from pywg.engine.contract import Drop, Engine, UdpSockets
from pywg.protocol import history
from pywg.protocol.constants import SECOND
from pywg.protocol.failures import HandshakeFailure
from pywg.protocol.peer import Peer
from pywg.protocol.timers import Traffic
from pywg.refusals import Refusals
from pywg.uapi.model import PeerState, PeerStatus, RecentStatus, StrangerStatus

Cause = TypeVar("Cause", bound=Enum)
Key = TypeVar("Key")


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


def peer_status(engine: Engine, peer: Peer, now: int) -> PeerStatus:
    """One peer of ``get_status=1``. `now`: CLOCK_BOOTTIME nanoseconds."""
    drops, icmp_errors = by_name(engine.drops(peer.id)), engine.icmp_errors(peer.id)
    return PeerStatus(
        public_key=peer.public_key,
        drops=drops,
        handshake_failures=by_name(history.failures(peer.history.total)),
        icmp_errors=icmp_errors,
        handshakes=by_name(history.events(peer.history.total)),
        recent=RecentStatus(
            drops=_grown(drops, peer.drops_before),
            handshake_failures=by_name(history.failures(peer.history.recent)),
            icmp_errors=_grown(icmp_errors, peer.icmp_errors_before),
            handshakes=by_name(history.events(peer.history.recent)),
        ),
        traffic=_traffic(engine.traffic(peer.id), now),
    )


def _traffic(traffic: Traffic, now: int) -> dict[str, int]:
    times = {
        "sent": traffic.last_sent,
        "received": traffic.last_received,
        "unanswered": traffic.unanswered_sent,
    }
    ages = {name: _seconds(now, at) for name, at in times.items() if at is not None}
    return ages | ({"staged": 1} if traffic.staged else {})


def handshake_failures(engine: Engine, refusals: Refusals) -> dict[str, int]:
    """Those laid to no peer. A full queue is noticed by the engine, before anybody reads the message."""
    overflowed = engine.drops(None).get(Drop.HANDSHAKE_QUEUE_FULL, 0)
    return by_name(refusals.counts) | ({HandshakeFailure.QUEUE_FULL.value: overflowed} if overflowed else {})


def handshake_failure_ages(refusals: Refusals, now: int) -> dict[str, int]:
    """Seconds since the last of each cause that the control plane notices."""
    return {cause.value: _seconds(now, at) for cause, at in refusals.last.items()}


def stranger(refusals: Refusals, now: int) -> StrangerStatus | None:
    """The last unknown key, if there was one."""
    last = refusals.stranger
    return None if last is None else StrangerStatus(last.public_key, str(last.source), _seconds(now, last.at))


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


def _seconds(now: int, at: int) -> int:
    """A clock may go back."""
    return max(0, now - at) // SECOND


def _grown(counts: Mapping[Key, int], before: Mapping[Key, int]) -> dict[Key, int]:
    """What was added to each count."""
    return {name: count - past for name, count in counts.items() if count > (past := before.get(name, 0))}


def by_name(counts: Mapping[Cause, int]) -> dict[str, int]:
    """Counts under the names ``get_status`` shows."""
    return {cause.value: number for cause, number in counts.items()}
