"""Facts of a healthy machine, interface and peer, and how to make them ill; the table of the judgement."""

from dataclasses import dataclass, replace
from ipaddress import ip_network
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
    return PeerFacts(
        told_state, status if told else None, name, route if told_state.endpoint else None, astray
    )


def interface(*peers: PeerFacts, status: Status | None = TOLD, **more: Any) -> InterfaceFacts:
    """An interface that is up and has a key."""
    facts = InterfaceFacts(
        "wg0",
        state=DeviceState(OURS, 51820, peers=tuple(one.state for one in peers)),
        public_key=OURS,
        link=LinkFacts(),
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


GONE = ConfigFacts("/etc/wireguard/wg0.conf")
WELL = peer(handshake_age=5)
TRIED = recent(initiations_sent=3)
STRANGER = StrangerStatus(OTHER, "192.0.2.2:40000", 3)
P, W, K = Severity.PROBLEM, Severity.WARNING, Severity.OK

CASES = (
    # The machine.
    Case(
        Code.NOT_ROOT,
        W,
        of(interface(WELL), machine=replace(MACHINE, is_root=False)),
        "not run as root",
        "sudo",
    ),
    Case(
        Code.ACCESS_DENIED,
        P,
        of(InterfaceFacts("wg0", Runner.HIDDEN, error="wg0: permission denied")),
        "permission denied",
        "as root",
    ),
    Case(
        Code.NO_TUN_DEVICE,
        P,
        of(machine=replace(MACHINE, tun_problem="/dev/net/tun: No such file or directory")),
        "/dev/net/tun: No such file",
        "modprobe tun",
    ),
    Case(
        Code.NO_ENGINE,
        P,
        of(machine=replace(MACHINE, engine="", engine_reason="no native engine")),
        "no native engine",
        "PYWG_ENGINE",
    ),
    Case(
        Code.CLOCK_UNSET,
        P,
        of(interface(peer(recent=TRIED)), machine=replace(MACHINE, wall_ns=5 * SECOND)),
        "clock of this machine is not set",
        "NTP",
    ),
    Case(Code.NO_INTERFACE, P, of(machine=replace(MACHINE, other_configs=("home",))), "home", "pywg up home"),
    Case(Code.MACHINE_READY, K, of(interface(WELL)), "engine: native (the fastest)", ""),
    # An interface that is not there.
    Case(Code.INTERFACE_MISSING, P, of(missing(None)), "no file for it", "wg0.conf"),
    Case(Code.INTERFACE_MISSING, P, of(missing(GONE)), "no interface wg0", "pywg up /etc/wireguard/wg0.conf"),
    Case(
        Code.CONFIG_WRONG,
        P,
        of(missing(ConfigFacts("wg0.conf", problem="wg0.conf:3: unknown setting 'Adress'"))),
        "wg0.conf:3: unknown setting 'Adress'",
        "line",
        alone=False,
    ),
    Case(
        Code.CONFIG_WRONG,
        W,
        of(interface(WELL, config=ConfigFacts("wg0.conf", problem="wg0.conf:3: unknown setting"))),
        "wg0.conf:3",
        "line",
    ),
    Case(
        Code.CONFIG_EXPOSED,
        W,
        of(interface(WELL, config=ConfigFacts("wg0.conf", warning="wg0.conf is world accessible"))),
        "world accessible",
        "chmod 600 wg0.conf",
    ),
    Case(
        Code.NO_PRIVATE_KEY,
        P,
        of(missing(replace(GONE, has_private_key=False))),
        "has no PrivateKey",
        "pywg genkey",
        alone=False,
    ),
    Case(Code.NO_PEERS, P, of(missing(replace(GONE, peers=0))), "no [Peer]", "PublicKey", alone=False),
    Case(
        Code.PORT_TAKEN,
        P,
        of(missing(replace(GONE, listen_port=500), port_holder="charon (pid 7)")),
        "UDP port 500 (ListenPort) is in use by charon (pid 7)",
        "another ListenPort",
        alone=False,
    ),
    Case(
        Code.NAME_UNRESOLVED,
        P,
        of(missing(replace(GONE, names=(name_of("vpn.example", error="Name or service not known"),)))),
        "vpn.example, does not resolve: Name or service not known",
        "name servers",
        alone=False,
    ),
    # An interface that is there.
    Case(
        Code.NAME_CLASH,
        P,
        of(interface(WELL, link=LinkFacts(kind="wireguard"))),
        "kind: wireguard",
        "ip link delete wg0",
    ),
    Case(
        Code.NOT_WIREGUARD,
        P,
        of(InterfaceFacts("wg0", Runner.NOT_WIREGUARD, link=LinkFacts(), tun_holder="openvpn (pid 9)")),
        "held by openvpn (pid 9)",
        "pywg up wg0",
    ),
    Case(
        Code.NOT_WIREGUARD,
        P,
        of(InterfaceFacts("wg0", Runner.NOT_WIREGUARD, link=LinkFacts(kind="dummy"))),
        "a dummy device",
        "another name",
    ),
    Case(
        Code.DAEMON_SILENT,
        P,
        of(InterfaceFacts("wg0", Runner.SILENT, error="wg0: no answer within 5 s")),
        "no answer within 5 s",
        "pywg down wg0",
    ),
    Case(
        Code.NO_PRIVATE_KEY,
        P,
        of(
            interface(
                peer(recent=recent(initiations_sent=2, failures={"no_private_key": 2})),
                public_key=None,
                link=LinkFacts(is_up=True),
                status=told(drops={"bad_mac1": 4}, stranger=STRANGER),
            )
        ),
        "no private key",
        "pywg set wg0 private-key",
    ),
    Case(
        Code.PORT_TAKEN,
        P,
        of(
            interface(
                peer(recent=TRIED),
                status=told(
                    sockets={"error": "cannot listen on UDP port 51820: it is in use", "v4": "closed"}
                ),
                port_holder="wireguard-go (pid 3)",
            )
        ),
        "UDP port 51820: it is in use by wireguard-go (pid 3)",
        "another ListenPort",
    ),
    Case(
        Code.NO_SOCKET,
        P,
        of(
            interface(
                peer(recent=TRIED),
                status=told(sockets={"error": "cannot listen on UDP port 80: Permission denied"}),
            )
        ),
        "Permission denied",
        "listen-port 0",
    ),
    Case(Code.NO_PEERS, P, of(interface()), "no peers", "pywg set wg0 peer"),
    Case(
        Code.INTERFACE_DOWN,
        P,
        of(
            interface(
                peer(handshake_age=900, recent=TRIED, astray=(Astray(ip_network("10.0.0.2/32"), ""),)),
                link=LinkFacts(is_up=False),
            )
        ),
        "is down",
        "ip link set wg0 up",
    ),
    Case(
        Code.MADE_FOR_ANOTHER_KEY,
        P,
        of(interface(peer(recent=TRIED), status=told(drops={"bad_mac1": 4}))),
        "4 handshake messages arrived made for another public key than ours",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        alone=False,
    ),
    Case(
        Code.UNKNOWN_KEY,
        P,
        of(interface(peer(recent=TRIED), status=told(stranger=STRANGER))),
        "from 192.0.2.2:40000 with a public key that no peer here has: "
        "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=",
        "pywg set wg0 peer QEFCQ0RF",
    ),
    Case(
        Code.UNDER_LOAD,
        W,
        of(
            interface(
                WELL, status=told(handshake_failures={"cookie": 70}, handshake_failure_ages={"cookie": 2})
            )
        ),
        "under load",
        "firewall",
    ),
    Case(
        Code.RATE_LIMITED,
        W,
        of(
            interface(
                WELL,
                status=told(handshake_failures={"rate_limit": 9}, handshake_failure_ages={"rate_limit": 2}),
            )
        ),
        "too many (9",
        "block the source",
    ),
    Case(
        Code.NO_ADDRESS,
        W,
        of(interface(WELL, link=LinkFacts(has_address=False))),
        "no address",
        "ip address add",
    ),
    Case(
        Code.TELLS_LESS,
        K,
        of(interface(peer(handshake_age=5, told=False), runner=Runner.OTHER, status=None)),
        "cannot be known",
        "",
    ),
    Case(
        Code.TELLS_LESS,
        K,
        of(
            interface(
                peer(handshake_age=5, told=False),
                runner=Runner.KERNEL,
                status=None,
                link=LinkFacts(kind="wireguard"),
            )
        ),
        "The kernel runs it",
        "",
    ),
    Case(
        Code.LINK_ELSEWHERE, K, of(interface(WELL, link=None)), "another network namespace", "ip netns exec"
    ),
    Case(Code.INTERFACE_READY, K, of(interface(WELL)), "UDP port 51820, MTU 1420, engine native, 1 peer", ""),
    # A peer that cannot be tried.
    Case(
        Code.BAD_PUBLIC_KEY,
        P,
        of_peer(recent=recent(failures={"zero_shared_secret": 2})),
        "low order",
        "pywg pubkey",
    ),
    Case(
        Code.NAME_UNRESOLVED,
        P,
        of_peer(recent=TRIED, endpoint=None, name=name_of("vpn.example", error="Name or service not known")),
        "vpn.example, does not resolve",
        "Mend the name",
    ),
    Case(
        Code.NO_ENDPOINT,
        P,
        of_peer(endpoint=None, recent=recent(drops={"no_endpoint": 1})),
        "no endpoint: nobody knows where",
        "pywg set wg0 peer ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8= endpoint HOST:PORT",
    ),
    Case(
        Code.NO_ENDPOINT,
        P,
        of_peer(endpoint=None, persistent_keepalive_interval=25),
        "no endpoint",
        "Endpoint",
    ),
    Case(
        Code.FAMILY_UNAVAILABLE,
        P,
        of(
            interface(
                peer(endpoint=Endpoint("2001:db8::1", 5), recent=TRIED),
                status=told(sockets={"link": "up", "v4": "open", "v6": "unavailable"}),
            )
        ),
        "an IPv6 address, and this machine has no IPv6",
        "other family",
    ),
    Case(
        Code.NO_ROUTE_TO_ENDPOINT,
        P,
        of_peer(recent=recent(initiations_sent=3, drops={"send_error": 3}), route=RouteFacts()),
        "no route to the endpoint 192.0.2.2:51820",
        "ip route get 192.0.2.2",
    ),
    Case(
        Code.ROUTING_LOOP,
        P,
        of_peer(recent=TRIED, route=RouteFacts("wg0", 1420)),
        "into the tunnel itself",
        "AllowedIPs",
    ),
    Case(
        Code.ROUTING_LOOP, P, of_peer(recent=recent(drops={"routing_loop": 1})), "into the tunnel", "FwMark"
    ),
    # Handshakes that come to nothing.
    Case(
        Code.WRONG_KEY,
        P,
        of_peer(recent=recent(initiations_sent=3, responses_refused=3, responses_sent=4)),
        "do not authenticate (3 responses): the preshared keys",
        "PresharedKey",
    ),
    Case(
        Code.WRONG_KEY,
        P,
        of_peer(handshake_age=130, recent=recent(initiations_sent=1, responses_refused=1)),
        "1 response",
        "PresharedKey",
    ),
    Case(
        Code.STALE_TIMESTAMP,
        P,
        of_peer(handshake_age=400, recent=recent(failures={"stale_timestamp": 6}, initiations_sent=2)),
        "initiations (6) carry a time before that of an earlier one",
        "clock of the other side",
    ),
    Case(
        Code.NEVER_CONFIRMED,
        P,
        of_peer(recent=recent(initiations_received=5, responses_sent=5)),
        "answered 5 times, and it used none",
        "preshared keys",
    ),
    Case(
        Code.NEVER_CONFIRMED,
        P,
        of(interface(peer(told=False, rx_bytes=3 * 148, tx_bytes=3 * 92), runner=Runner.OTHER, status=None)),
        "answered 3 times",
        "preshared keys",
    ),
    Case(
        Code.ENDPOINT_OUTDATED,
        W,
        of_peer(recent=TRIED, name=name_of("vpn.example", Endpoint("198.51.100.1", 51820))),
        "vpn.example now stands for 198.51.100.1:51820, and the interface still sends to 192.0.2.2:51820",
        "endpoint vpn.example:51820",
    ),
    Case(
        Code.PORT_CLOSED,
        P,
        of_peer(recent=recent(initiations_sent=2, icmp={111: 2})),
        "192.0.2.2:51820 refused 2 datagrams",
        "ListenPort",
    ),
    Case(
        Code.HOST_UNREACHABLE,
        P,
        of_peer(recent=recent(initiations_sent=2, icmp={113: 1})),
        "1 datagram",
        "right",
    ),
    Case(
        Code.NETWORK_UNREACHABLE,
        P,
        of_peer(recent=recent(initiations_sent=2, icmp={101: 1})),
        "network",
        "route",
    ),
    Case(Code.PROHIBITED, P, of_peer(recent=recent(initiations_sent=2, icmp={13: 1})), "prohibits", "UDP"),
    Case(
        Code.SEND_REFUSED,
        P,
        of_peer(recent=recent(initiations_sent=2, drops={"send_error": 2})),
        "refused to send 2 datagrams",
        "nft list ruleset",
    ),
    Case(
        Code.PEER_UNDER_LOAD,
        W,
        of_peer(recent=recent(initiations_sent=2, cookie_replies_received=1)),
        "The peer is under load",
        "next attempt",
    ),
    Case(
        Code.NOTHING_CAME_BACK,
        P,
        of_peer(recent=TRIED),
        "3 handshake initiations went to 192.0.2.2:51820 and nothing ever came back",
        "ListenPort",
    ),
    Case(
        Code.NOTHING_CAME_BACK,
        P,
        of_peer(recent=recent(initiations_sent=1), traffic={"sent": 3}),
        "1 handshake initiation went",
        "PublicKey",
    ),
    Case(
        Code.NOTHING_CAME_BACK,
        P,
        of(interface(peer(told=False, tx_bytes=2 * 148), runner=Runner.OTHER, status=None)),
        "2 handshake initiations went to 192.0.2.2:51820 and nothing ever came back: a firewall",
        "PublicKey",
    ),
    Case(
        Code.GONE_SILENT,
        P,
        of_peer(handshake_age=400, recent=TRIED),
        "worked until 6 minutes ago; 3 handshake initiations since then found no answer",
        "still on",
    ),
    Case(
        Code.GONE_SILENT,
        P,
        of_peer(handshake_age=40, recent=TRIED),
        "worked until 40 seconds ago",
        "still on",
    ),
    Case(
        Code.GONE_SILENT,
        P,
        of(
            interface(
                peer(told=False, handshake_age=400, rx_bytes=500, persistent_keepalive_interval=25),
                runner=Runner.OTHER,
                status=None,
            )
        ),
        "worked until 6 minutes ago",
        "still on",
    ),
    Case(
        Code.HANDSHAKE_PENDING,
        W,
        of_peer(recent=recent(initiations_sent=1), traffic={"sent": 0}),
        "just begun",
        "in some seconds",
    ),
    Case(Code.CLOCK_WENT_BACK, W, of_peer(handshake_age=-7200), "2 hours in the future", "NTP"),
    # Packets that do not get through.
    Case(
        Code.NO_ALLOWED_IPS,
        P,
        of_peer(handshake_age=5, allowed_ips=(), recent=recent(drops={"source_not_allowed": 3})),
        "no allowed IPs",
        "allowed-ips",
    ),
    Case(
        Code.SOURCE_NOT_ALLOWED,
        P,
        of_peer(handshake_age=5, recent=recent(drops={"source_not_allowed": 3})),
        "3 packets of the peer had a source address outside its allowed IPs and were dropped",
        "now they are 10.0.0.2/32",
    ),
    Case(
        Code.ROUTE_ELSEWHERE,
        P,
        of_peer(handshake_age=5, astray=(Astray(ip_network("10.0.0.2/32"), "eth0"),)),
        "Packets for 10.0.0.2/32 (goes to eth0) are not routed to wg0",
        "ip route add 10.0.0.2/32 dev wg0",
    ),
    Case(
        Code.ROUTE_ELSEWHERE,
        P,
        of_peer(handshake_age=5, astray=tuple(Astray(ip_network(f"10.{n}.0.0/16"), "") for n in range(5))),
        "10.2.0.0/16 (no route) and 2 more are not routed",
        "ip route add 10.0.0.0/16 dev wg0",
    ),
    Case(
        Code.MTU_TOO_LARGE,
        W,
        of_peer(handshake_age=5, route=RouteFacts("eth0", 1400)),
        "of 1420 bytes become datagrams of 1480, and the way to the endpoint carries 1400",
        "MTU = 1340",
    ),
    Case(
        Code.MTU_TOO_LARGE,
        W,
        of_peer(handshake_age=5, endpoint=Endpoint("2001:db8::1", 5), route=RouteFacts("eth0", 1492)),
        "of 1420 bytes become datagrams of 1500, and the way to the endpoint carries 1492",
        "MTU = 1412",
    ),
    # Nothing to mend.
    Case(Code.WAITING_FOR_PEER, K, of_peer(endpoint=None), "must begin", "endpoint HOST:PORT"),
    Case(Code.IDLE, K, of_peer(), "begins with the first packet", "ping"),
    Case(Code.IDLE, K, of_peer(handshake_age=900), "15 minutes ago", ""),
    Case(
        Code.WELL,
        K,
        of_peer(handshake_age=5, traffic={"received": 1}),
        "handshake 5 seconds ago, last heard 1",
        "",
    ),
    Case(Code.WELL, K, of_peer(handshake_age=125, recent=recent(initiations_sent=1)), "The tunnel is up", ""),
)
