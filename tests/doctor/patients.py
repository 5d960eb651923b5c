"""Facts of a healthy machine, interface and peer, and how to make them ill."""

from dataclasses import dataclass, replace
from ipaddress import ip_interface, ip_network
from typing import Any

from pywg.config.model import HostPort
from pywg.doctor.facts import (
    Astray,
    ConfigFacts,
    Facts,
    InterfaceFacts,
    LinkFacts,
    MachineFacts,
    NameFacts,
    PeerFacts,
    RouteFacts,
    Runner,
)
from pywg.doctor.findings import Code, Severity
from pywg.endpoint import Endpoint
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.constants import SECOND
from pywg.uapi.model import DeviceState, PeerState, PeerStatus, RecentStatus, Status, StrangerStatus

NOW = 1_700_000_000
"""Unix time of the tests, in seconds."""
OURS = bytes(range(32))
THEIRS = bytes(range(32, 64))
OTHER = bytes(range(64, 96))
ENDPOINT = Endpoint("192.0.2.2", 51820)

BY_ETH0 = RouteFacts("eth0", 1500)

TOLD = Status("native", "", sockets={"link": "up", "v4": "open", "v6": "open"})

MACHINE = MachineFacts(wall_ns=NOW * SECOND, engine="native", engine_reason="the fastest")


def peer(
    *,
    handshake_age: int | None = None,
    recent: RecentStatus | None = None,
    traffic: dict[str, int] | None = None,
    told: bool = True,
    name: NameFacts | None = None,
    route: RouteFacts = BY_ETH0,
    astray: tuple[Astray, ...] = (),
    own: tuple[Prefix, ...] = (),
    **state: Any,
) -> PeerFacts:
    """A peer that was never heard of; `handshake_age` in seconds."""
    last = 0 if handshake_age is None else (NOW - handshake_age) * SECOND
    given: dict[str, Any] = {
        "endpoint": ENDPOINT,
        "allowed_ips": (ip_network("10.0.0.2/32"),),
        "last_handshake_ns": last,
    }
    told_state = PeerState(**{"public_key": THEIRS} | given | state)
    status = PeerStatus(told_state.public_key, recent=recent or RecentStatus(), traffic=traffic or {})
    way = route if told_state.endpoint else None
    return PeerFacts(told_state, status if told else None, name, way, astray, own)


def link(**more: Any) -> LinkFacts:
    """A link with an address."""
    return LinkFacts(**{"addresses": (ip_interface("10.0.0.1/24"), ip_interface("fd00::1/64"))} | more)


def interface(*peers: PeerFacts, status: Status | None = TOLD, **more: Any) -> InterfaceFacts:
    """An interface that is up and has a key."""
    facts = InterfaceFacts(
        "wg0",
        state=DeviceState(OURS, 51820, peers=tuple(one.state for one in peers)),
        public_key=OURS,
        link=link(),
        status=status,
        peers=peers,
    )
    return replace(facts, **more)


def recent(**counts: Any) -> RecentStatus:
    """Handshake steps by name; `failures`, `drops` and `icmp` as mappings."""
    return RecentStatus(
        drops=counts.pop("drops", {}),
        handshake_failures=counts.pop("failures", {}),
        icmp_errors=counts.pop("icmp", {}),
        handshakes=counts,
    )


def told(**more: Any) -> Status:
    """A status of a device that is up."""
    return replace(TOLD, **more)


def missing(config: ConfigFacts | None, **more: Any) -> InterfaceFacts:
    """An interface that is not there."""
    return InterfaceFacts("wg0", Runner.NOBODY, config=config, **more)


def name_of(host: str, *resolved: Endpoint, error: str = "") -> NameFacts:
    """A name looked up."""
    return NameFacts(HostPort(host, "51820"), resolved, error)


@dataclass(frozen=True, slots=True)
class Case:
    """Facts, and the finding they lead to."""

    code: Code
    severity: Severity
    facts: Facts
    says: str
    """Part of the sentence."""
    advises: str
    """Part of the advice; empty: there is none."""
    alone: bool = True
    """No other warning or problem is found: what else could be said is explained by this."""


def of(*interfaces: InterfaceFacts, machine: MachineFacts = MACHINE) -> Facts:
    """All facts."""
    return Facts(machine, interfaces)


def of_peer(**facts: Any) -> Facts:
    """Facts of an interface with one peer."""
    return of(interface(peer(**facts)))


GONE = ConfigFacts("/etc/wireguard/wg0.conf", word="wg0")
WELL = peer(handshake_age=5)
TRIED = recent(initiations_sent=3)
STRANGER = StrangerStatus(OTHER, "192.0.2.2:40000", 3)
P, W, K = Severity.PROBLEM, Severity.WARNING, Severity.OK
