"""What is wrong with one peer: facts in, findings out.

In: `PeerFacts`, and what of the interface concerns its peers. Out: everything that could be said, the
explained included; `judge` takes those away. Rules kept: each rule looks at one cause and says it in one
sentence; a peer nobody has tried to reach is not called ill. No I/O.
"""

from collections.abc import Iterator

from pywg.base64_key import key_to_base64
from pywg.doctor.facts import InterfaceFacts, PeerFacts, RouteFacts
from pywg.doctor.findings import Code, Finding, ok, problem, warning
from pywg.doctor.handshake_history import MOST_NAMED, History, listed, span, times
from pywg.doctor.judge_handshakes import judge_handshakes
from pywg.endpoint import Endpoint
from pywg.engine.contract import Drop
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.constants import OVERHEAD
from pywg.protocol.failures import HandshakeFailure


def judge_peer(interface: InterfaceFacts, peer: PeerFacts, wall_ns: int) -> Iterator[Finding]:
    """Everything that can be said of it."""
    history = History(peer, wall_ns)
    yield from _names(interface, peer, history)
    yield from _ways_out(interface, peer, history)
    yield from judge_handshakes(interface, peer, history)
    yield from _packets(interface, peer, history)
    yield from _astray(interface, peer)
    yield from _clock(history)
    if history.works:
        yield _well(interface, peer, history)


def _names(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Iterator[Finding]:
    name, endpoint = peer.name, peer.state.endpoint
    if name is None or history.works:
        return
    if name.error:
        yield name_unresolved(name.written.host, name.error)
    elif endpoint is not None and name.resolved and endpoint not in name.resolved:
        now = name.resolved[0]
        yield warning(
            Code.ENDPOINT_OUTDATED,
            f"The name {name.written.host} now stands for {now}, and the interface still sends to "
            f"{endpoint}.",
            f"Set the endpoint anew: {_set(interface, peer, f'endpoint {name.written}')}",
        )


def name_unresolved(host: str, error: str) -> Finding:
    """Of a peer, or of a file whose interface is not up."""
    return problem(
        Code.NAME_UNRESOLVED,
        f"The name of the endpoint, {host}, does not resolve: {error}.",
        "Mend the name in Endpoint, or the name servers of this machine; an address works without them.",
    )


def _ways_out(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Iterator[Finding]:
    """Whether a datagram can get from here to the endpoint."""
    endpoint = peer.state.endpoint
    if history.recent(HandshakeFailure.ZERO_SECRET):
        yield problem(
            Code.BAD_PUBLIC_KEY,
            "The peer's public key is none that anybody can have: it is of low order.",
            "Ask the other side for what 'pywg pubkey' prints there, and set that as PublicKey.",
        )
    if endpoint is None:
        yield from _no_endpoint(interface, peer, history)
        return
    family = _family(endpoint)
    if interface.status is not None and interface.status.sockets.get(f"v{family}") == "unavailable":
        yield problem(
            Code.FAMILY_UNAVAILABLE,
            f"The endpoint is an IPv{family} address, and this machine has no IPv{family}.",
            f"Switch IPv{family} on here, or give the peer an endpoint of the other family.",
        )
    if peer.endpoint_route is not None:
        yield from _route(interface, history, endpoint, peer.endpoint_route)


def _route(
    interface: InterfaceFacts, history: History, endpoint: Endpoint, route: RouteFacts
) -> Iterator[Finding]:
    if not route.interface and not history.works:
        yield problem(
            Code.NO_ROUTE_TO_ENDPOINT,
            f"This machine has no route to the endpoint {endpoint}.",
            f"Connect it to a network, or add a default route; 'ip route get {endpoint.host}' shows the way.",
        )
    if route.interface == interface.name or history.recent(Drop.ROUTING_LOOP):
        yield problem(
            Code.ROUTING_LOOP,
            f"Datagrams to the endpoint {endpoint} are routed into the tunnel itself: they never leave.",
            "Keep the endpoint's address out of the peer's AllowedIPs, or set FwMark and let 'pywg up' "
            "make the policy routing of a full tunnel (Table = auto).",
        )
    elif route.mtu is not None and interface.link is not None:
        overhead = OVERHEAD[_family(endpoint)]
        fits = route.mtu - overhead
        if interface.link.mtu > fits:
            yield warning(
                Code.MTU_TOO_LARGE,
                f"Packets of the interface's MTU of {interface.link.mtu} bytes become datagrams of "
                f"{interface.link.mtu + overhead}, and the way to the endpoint carries {route.mtu}: "
                "they are sent in fragments, and lost where a firewall drops those.",
                f"Set MTU = {fits} in [Interface], or at once: ip link set {interface.name} mtu {fits}",
            )


def _family(endpoint: Endpoint) -> int:
    return 6 if endpoint.is_ipv6 else 4


def _no_endpoint(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Iterator[Finding]:
    if history.works:
        return
    advice = f"Set one: {_set(interface, peer, 'endpoint HOST:PORT')}, or Endpoint in its [Peer] section."
    keepalive = peer.state.persistent_keepalive_interval
    if history.recent(Drop.NO_ENDPOINT) or history.tries or keepalive:
        yield problem(
            Code.NO_ENDPOINT,
            "There are packets for the peer, and it has no endpoint: nobody knows where to send them.",
            f"{advice} Where only the other side can begin, make it send something first.",
        )
    elif history.handshake_age is None:
        yield ok(
            Code.WAITING_FOR_PEER,
            "The peer has no endpoint and has not come by yet: it must begin.",
            f"If this side is to begin: {advice[0].lower()}{advice[1:]}",
        )


def _packets(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Iterator[Finding]:
    if not peer.state.allowed_ips:
        yield problem(
            Code.NO_ALLOWED_IPS,
            "The peer has no allowed IPs: nothing is sent to it, and all it sends is dropped.",
            f"Give it its addresses: {_set(interface, peer, 'allowed-ips ADDRESS/32,...')}, or AllowedIPs "
            "in the file.",
        )
    strange = history.recent(Drop.SOURCE_NOT_ALLOWED)
    if strange:
        yield problem(
            Code.SOURCE_NOT_ALLOWED,
            f"{times(strange, 'packet')} of the peer had a source address outside its allowed IPs and "
            f"{'was' if strange == 1 else 'were'} dropped.",
            "Add the other side's tunnel address (its Address, and networks behind it) to AllowedIPs of this "
            "peer here; now they are "
            f"{listed(peer.state.allowed_ips, MOST_NAMED) or 'none'}.",
        )
    if peer.own:
        yield warning(
            Code.OWN_ADDRESS_AT_PEER,
            f"{listed(peer.own, MOST_NAMED)} in the peer's allowed IPs is an address of this machine itself: "
            "what is sent there never leaves.",
            "Give each side an address of its own (Address), and put the other side's into AllowedIPs here.",
        )


def _astray(interface: InterfaceFacts, peer: PeerFacts) -> Iterator[Finding]:
    if not peer.astray:
        return
    named = ", ".join(
        f"{one.prefix} ({f'goes to {one.via}' if one.via else 'no route'})"
        for one in peer.astray[:MOST_NAMED]
    )
    more = len(peer.astray) - MOST_NAMED
    yield problem(
        Code.ROUTE_ELSEWHERE,
        f"Packets for {named}{f' and {more} more' if more > 0 else ''} are not routed to {interface.name}.",
        _how_to_route(interface, [one.prefix for one in peer.astray]),
    )


def _how_to_route(interface: InterfaceFacts, prefixes: list[Prefix]) -> str:
    """A bare default route would lead the tunnel's own datagrams into the tunnel as well."""
    if any(prefix.prefixlen == 0 for prefix in prefixes):
        return (
            f"Take {interface.name} down and up again: 'pywg up' makes rules for it. systemd-networkd "
            "deletes rules that others made, unless networkd.conf has ManageForeignRoutingPolicyRules=no."
        )
    return (
        f"Add the route: ip route add {prefixes[0]} dev {interface.name}; 'pywg up' does it unless "
        "Table = off."
    )


def _clock(history: History) -> Iterator[Finding]:
    age = history.handshake_age
    if age is not None and age < -1:
        yield warning(
            Code.CLOCK_WENT_BACK,
            f"The last handshake lies {span(-age)} in the future: the clock of this machine went back.",
            "Set the clock (NTP). Until it has caught up, peers may refuse our handshakes as old.",
        )


def _well(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Finding:
    heard = history.since("received", -1)
    told = f", last heard {span(heard)} ago" if heard >= 0 else ""
    beyond = _beyond(interface, peer)
    advice = (
        f"If hosts of {listed(beyond, MOST_NAMED)} do not answer: the peer must forward to them and "
        "masquerade; run doctor there."
    )
    return ok(
        Code.WELL,
        f"The tunnel is up: handshake {span(max(history.handshake_age or 0, 0))} ago{told}.",
        advice if beyond else "",
    )


def _beyond(interface: InterfaceFacts, peer: PeerFacts) -> list[Prefix]:
    """Networks behind the peer: its allowed IPs but single addresses and what is in our own subnet."""
    if interface.link is None:
        return []
    own = [address.network for address in interface.link.addresses]
    return [
        prefix
        for prefix in peer.state.allowed_ips
        if prefix.num_addresses > 1 and not any(_is_within(prefix, network) for network in own)
    ]


def _is_within(prefix: Prefix, network: Prefix) -> bool:
    return (
        prefix.version == network.version
        and prefix.prefixlen >= network.prefixlen
        and prefix.network_address in network
    )


def _set(interface: InterfaceFacts, peer: PeerFacts, what: str) -> str:
    return f"pywg set {interface.name} peer {key_to_base64(peer.state.public_key)} {what}"
