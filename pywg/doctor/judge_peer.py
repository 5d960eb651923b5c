"""What is wrong with one peer: facts in, findings out.

In: `PeerFacts`, and what of the interface concerns its peers. Out: everything that could be said, the
explained included; `judge` takes those away. Rules kept: each rule looks at one cause and says it in one
sentence; a peer nobody has tried to reach is not called ill. No I/O.
"""

import errno
from collections.abc import Iterator
from typing import Final

from pywg.config.keys import key_to_base64
from pywg.doctor.facts import InterfaceFacts, PeerFacts
from pywg.doctor.findings import Code, Finding, ok, problem, warning
from pywg.doctor.handshake_history import SESSION_LIFETIME, History, span, times
from pywg.engine.contract import Drop
from pywg.protocol.failures import HandshakeFailure
from pywg.protocol.history import HandshakeEvent

OVERHEAD: Final = {4: 60, 6: 80}
"""Bytes that WireGuard adds to a packet: IP and UDP header, message header and tag (whitepaper 5.4.6)."""

_MOST_NAMED: Final = 3
"""Prefixes listed in a sentence."""


def judge_peer(interface: InterfaceFacts, peer: PeerFacts, wall_ns: int) -> Iterator[Finding]:
    """Everything that can be said of it."""
    history = History(peer, wall_ns)
    yield from _names(interface, peer, history)
    yield from _ways_out(interface, peer, history)
    yield from _handshakes(interface, peer, history)
    yield from _packets(interface, peer)
    yield from _clock(history)
    if history.works:
        yield _well(history)


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
    endpoint, route = peer.state.endpoint, peer.endpoint_route
    if history.recent(HandshakeFailure.ZERO_SECRET):
        yield problem(
            Code.BAD_PUBLIC_KEY,
            "The peer's public key is none that anybody can have: it is of low order.",
            "Ask the other side for what 'pywg pubkey' prints there, and set that as PublicKey.",
        )
    if endpoint is None:
        yield from _no_endpoint(interface, peer, history)
        return
    family = 6 if endpoint.is_ipv6 else 4
    if interface.status is not None and interface.status.sockets.get(f"v{family}") == "unavailable":
        yield problem(
            Code.FAMILY_UNAVAILABLE,
            f"The endpoint is an IPv{family} address, and this machine has no IPv{family}.",
            f"Switch IPv{family} on here, or give the peer an endpoint of the other family.",
        )
    if route is None:
        return
    if not route.interface and not history.works:
        yield problem(
            Code.NO_ROUTE_TO_ENDPOINT,
            f"This machine has no route to the endpoint {endpoint}.",
            f"Connect it to a network, or add a default route; 'ip route get {endpoint.host}' shows the way.",
        )
    if route.interface == interface.name or _recent_drops(peer, Drop.ROUTING_LOOP):
        yield problem(
            Code.ROUTING_LOOP,
            f"Datagrams to the endpoint {endpoint} are routed into the tunnel itself: they never leave.",
            "Keep the endpoint's address out of the peer's AllowedIPs, or set FwMark and let 'pywg up' "
            "make the policy routing of a full tunnel (Table = auto).",
        )
    elif route.mtu is not None and interface.link is not None:
        fits = route.mtu - OVERHEAD[family]
        if interface.link.mtu > fits:
            yield warning(
                Code.MTU_TOO_LARGE,
                f"Packets of the interface's MTU of {interface.link.mtu} bytes become datagrams of "
                f"{interface.link.mtu + OVERHEAD[family]}, and the way to the endpoint carries {route.mtu}: "
                "they are sent in fragments, and lost where a firewall drops those.",
                f"Set MTU = {fits} in [Interface], or at once: ip link set {interface.name} mtu {fits}",
            )


def _no_endpoint(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Iterator[Finding]:
    if history.works:
        return
    advice = f"Set one: {_set(interface, peer, 'endpoint HOST:PORT')}, or Endpoint in its [Peer] section."
    keepalive = peer.state.persistent_keepalive_interval
    if _recent_drops(peer, Drop.NO_ENDPOINT) or history.tries or keepalive:
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


def _handshakes(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Iterator[Finding]:
    """Why there is no session, or soon will be none."""
    if history.works:
        return
    refused = history.recent(HandshakeEvent.RESPONSE_REFUSED)
    if refused:
        yield problem(
            Code.WRONG_KEY,
            f"The peer answers, and its answers do not authenticate ({times(refused, 'response')}): the "
            "preshared keys of the two sides differ.",
            "Set the same PresharedKey on both sides, or none on both; if they are equal, compare the "
            "public keys.",
        )
    stale = history.recent(HandshakeFailure.STALE_TIMESTAMP)
    if stale:
        yield problem(
            Code.STALE_TIMESTAMP,
            f"The peer's initiations ({stale}) carry a time before that of an earlier one: its clock was "
            "ahead once or is behind now.",
            "Set the clock of the other side right; if it was ahead before, remove the peer here and add "
            "it again, which forgets the time it told.",
        )
    if history.answers >= 2:
        yield problem(
            Code.NEVER_CONFIRMED,
            f"The peer's handshakes were answered {history.answers} times, and it used none of the answers: "
            "they do not reach it, or its preshared key is another.",
            "Compare the preshared keys of both sides; then see whether UDP from here gets to it (its "
            f"address: {peer.state.endpoint or 'unknown'}).",
        )
    yield from _network_errors(peer)
    yield from _unanswered(interface, peer, history)


_ICMP: Final = {
    errno.ECONNREFUSED: (
        Code.PORT_CLOSED,
        "The machine at {endpoint} refused {count}: nobody listens on that port.",
        "Start WireGuard there, or set its ListenPort in Endpoint; a firewall that rejects looks the same.",
    ),
    errno.EHOSTUNREACH: (
        Code.HOST_UNREACHABLE,
        "The host at {endpoint} is unreachable ({count} came back), or a firewall on the way prohibits it.",
        "See that the address is right and the machine is on, and that firewalls let UDP through to it.",
    ),
    errno.ENETUNREACH: (
        Code.NETWORK_UNREACHABLE,
        "The network of {endpoint} is unreachable ({count} came back): a router on the way knows no route.",
        "See that the address is right; 'ip route get' and 'traceroute' show how far it goes.",
    ),
    errno.EACCES: (
        Code.PROHIBITED,
        "A firewall on the way to {endpoint} prohibits the datagrams ({count}) and says so.",
        "Let UDP to that address and port pass there.",
    ),
}
"""errno of an ICMP error (kernel icmp_err_convert, icmpv6_err_convert) -> code, sentence, advice."""


def _network_errors(peer: PeerFacts) -> Iterator[Finding]:
    if peer.status is None:
        return
    for number, count in peer.status.recent.icmp_errors.items():
        if number in _ICMP:
            code, sentence, advice = _ICMP[number]
            told = sentence.format(
                endpoint=peer.state.endpoint or "the endpoint", count=times(count, "datagram")
            )
            yield problem(code, told, advice)
    refused = _recent_drops(peer, Drop.SEND_ERROR)
    if refused:
        yield problem(
            Code.SEND_REFUSED,
            f"This machine itself refused to send {times(refused, 'datagram')} to the peer: its own "
            "firewall forbids it, or the network was down.",
            "Look at the output chains ('nft list ruleset') and at 'ip route get' for the endpoint.",
        )


def _unanswered(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Iterator[Finding]:
    tries, age, endpoint = history.tries, history.handshake_age, peer.state.endpoint
    if history.recent(HandshakeEvent.COOKIE_REPLY_RECEIVED):
        yield warning(
            Code.PEER_UNDER_LOAD,
            "The peer is under load: it asked for proof of our address before it answers.",
            "Nothing: the next attempt carries the proof. If it lasts, somebody floods the other side.",
        )
    if age is not None and (history.is_missed or _expects_traffic(peer, history)):
        count = (
            f"{times(tries, 'handshake initiation')} since then found no answer" if tries else "it is silent"
        )
        yield problem(
            Code.GONE_SILENT,
            f"The tunnel worked until {span(max(age, 0))} ago; {count}.",
            "See whether the other side is still on and at the same address, and whether something on the "
            f"way changed; pywg doctor there tells whether our datagrams to {endpoint} arrive.",
        )
    elif history.is_missed:
        less = (
            "" if history.is_told else " (whether the network refused them cannot be known from this daemon)"
        )
        yield problem(
            Code.NOTHING_CAME_BACK,
            f"{times(tries, 'handshake initiation')} went to {endpoint} and nothing ever came back: a "
            f"firewall, a wrong port or address, or a wrong public key for that peer{less}.",
            "Compare Endpoint with the other side's address and ListenPort, let UDP through to it, and "
            "compare PublicKey with what 'pywg show' says there; its doctor tells of "
            f"ours{_our_key(interface)}.",
        )
    elif tries:
        yield warning(
            Code.HANDSHAKE_PENDING,
            "A handshake has just begun and is not answered yet.",
            "Ask again in some seconds.",
        )
    elif age is None and endpoint is not None and not history.answers:
        yield ok(
            Code.IDLE,
            "Nothing was sent to the peer yet and nothing came: a tunnel begins with the first packet.",
            f"Send something, such as a ping, and ask again. {_route_hint(peer)}".strip(),
        )
    elif age is not None:
        yield ok(
            Code.IDLE,
            f"The last handshake was {span(max(age, 0))} ago, and nothing was to be sent since then.",
        )


def _expects_traffic(peer: PeerFacts, history: History) -> bool:
    """Who sends keepalives has a new handshake every two minutes, if it is answered."""
    age = history.handshake_age
    return bool(
        not history.is_told
        and peer.state.persistent_keepalive_interval
        and age is not None
        and age >= SESSION_LIFETIME
    )


def _packets(interface: InterfaceFacts, peer: PeerFacts) -> Iterator[Finding]:
    if not peer.state.allowed_ips:
        yield problem(
            Code.NO_ALLOWED_IPS,
            "The peer has no allowed IPs: nothing is sent to it, and all it sends is dropped.",
            f"Give it its addresses: {_set(interface, peer, 'allowed-ips ADDRESS/32,...')}, or AllowedIPs "
            "in the file.",
        )
    strange = _recent_drops(peer, Drop.SOURCE_NOT_ALLOWED)
    if strange:
        yield problem(
            Code.SOURCE_NOT_ALLOWED,
            f"{times(strange, 'packet')} of the peer had a source address outside its allowed IPs and "
            f"{'was' if strange == 1 else 'were'} dropped.",
            "Add the other side's tunnel address (its Address, and networks behind it) to AllowedIPs of this "
            "peer here; now they are "
            + (", ".join(map(str, peer.state.allowed_ips[:_MOST_NAMED])) or "none")
            + ".",
        )
    if peer.astray:
        named = ", ".join(
            f"{one.prefix} ({f'goes to {one.via}' if one.via else 'no route'})"
            for one in peer.astray[:_MOST_NAMED]
        )
        more = len(peer.astray) - _MOST_NAMED
        yield problem(
            Code.ROUTE_ELSEWHERE,
            f"Packets for {named}{f' and {more} more' if more > 0 else ''} are not routed to "
            f"{interface.name}.",
            f"Add the route: ip route add {peer.astray[0].prefix} dev {interface.name}; 'pywg up' does it "
            "unless Table = off.",
        )


def _clock(history: History) -> Iterator[Finding]:
    age = history.handshake_age
    if age is not None and age < -1:
        yield warning(
            Code.CLOCK_WENT_BACK,
            f"The last handshake lies {span(-age)} in the future: the clock of this machine went back.",
            "Set the clock (NTP). Until it has caught up, peers may refuse our handshakes as old.",
        )


def _well(history: History) -> Finding:
    heard = history.since("received", -1)
    told = f", last heard {span(heard)} ago" if heard >= 0 else ""
    return ok(Code.WELL, f"The tunnel is up: handshake {span(max(history.handshake_age or 0, 0))} ago{told}.")


def _recent_drops(peer: PeerFacts, cause: Drop) -> int:
    return 0 if peer.status is None else peer.status.recent.drops.get(cause.value, 0)


def _route_hint(peer: PeerFacts) -> str:
    return (
        f"Its addresses: {', '.join(map(str, peer.state.allowed_ips[:_MOST_NAMED]))}."
        if peer.state.allowed_ips
        else ""
    )


def _set(interface: InterfaceFacts, peer: PeerFacts, what: str) -> str:
    return f"pywg set {interface.name} peer {key_to_base64(peer.state.public_key)} {what}"


def _our_key(interface: InterfaceFacts) -> str:
    return "" if interface.public_key is None else f" (our public key: {key_to_base64(interface.public_key)})"
