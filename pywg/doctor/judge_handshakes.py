"""Why a peer has no session: facts in, findings out.

In: `PeerFacts`, its history, and the interface. Out: everything that could be said, the explained included.
Rule kept: as in `judge_peer`, whose part this is. No I/O.
"""

import errno
from collections.abc import Iterator
from typing import Final

from pywg.base64_key import key_to_base64
from pywg.doctor.facts import InterfaceFacts, PeerFacts
from pywg.doctor.findings import Code, Finding, ok, problem, warning
from pywg.doctor.handshake_history import MOST_NAMED, SESSION_LIFETIME, History, span, times
from pywg.engine.contract import Drop
from pywg.protocol.failures import HandshakeFailure
from pywg.protocol.history import HandshakeEvent

CONFIRMATION_PATIENCE: Final = 10
"""Seconds. Whoever gets our answer confirms it at once; who does not, begins anew after 5."""


def judge_handshakes(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Iterator[Finding]:
    """Why there is no session, or soon will be none; nothing if there is one that works."""
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
    if history.answers >= 2 or (history.answers and not _may_still_confirm(history)):
        yield problem(
            Code.NEVER_CONFIRMED,
            f"The peer's handshakes were answered {_how_often(history.answers)}, and it used none of the "
            "answers: they do not reach it, or its preshared key is another.",
            "Compare the preshared keys of both sides; then see whether UDP from here gets to it (its "
            f"address: {peer.state.endpoint or 'unknown'}).",
        )
    yield from _network_errors(peer, history)
    yield from _unanswered(interface, peer, history)


def _may_still_confirm(history: History) -> bool:
    return history.since("sent", 0) < CONFIRMATION_PATIENCE


def _how_often(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


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


def _network_errors(peer: PeerFacts, history: History) -> Iterator[Finding]:
    if peer.status is None:
        return
    for number, count in peer.status.recent.icmp_errors.items():
        if number in _ICMP:
            code, sentence, advice = _ICMP[number]
            told = sentence.format(
                endpoint=peer.state.endpoint or "the endpoint", count=times(count, "datagram")
            )
            yield problem(code, told, advice)
    refused = history.recent(Drop.SEND_ERROR)
    if refused:
        yield problem(
            Code.SEND_REFUSED,
            f"This machine itself refused to send {times(refused, 'datagram')} to the peer: its own "
            "firewall forbids it, or the network was down.",
            "Look at the output chains ('nft list ruleset') and at 'ip route get' for the endpoint.",
        )


def _unanswered(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Iterator[Finding]:
    age = history.handshake_age
    if history.recent(HandshakeEvent.COOKIE_REPLY_RECEIVED):
        yield warning(
            Code.PEER_UNDER_LOAD,
            "The peer is under load: it asked for proof of our address before it answers.",
            "Nothing: the next attempt carries the proof. If it lasts, somebody floods the other side.",
        )
    if age is not None and (history.is_missed or _expects_traffic(peer, history)):
        yield _gone_silent(peer, history, age)
    elif history.is_missed:
        yield _nothing_came_back(interface, peer, history)
    elif history.tries:
        yield warning(
            Code.HANDSHAKE_PENDING,
            "A handshake has just begun and is not answered yet.",
            "Ask again in some seconds.",
        )
    elif age is None and peer.state.endpoint is not None and not history.answers:
        yield ok(
            Code.IDLE,
            "Nothing was sent to the peer yet and nothing came: a tunnel begins with the first packet.",
            f"Send something, such as a ping, and ask again. {_route_hint(peer)}".strip(),
        )
    elif age is None and history.answers:
        when = f" {span(history.since('sent', 0))} ago" if history.is_told else ""
        yield ok(
            Code.NOT_CONFIRMED_YET,
            f"A handshake of the peer was answered{when} and is not confirmed yet.",
            f"Ask again in {CONFIRMATION_PATIENCE} seconds.",
        )
    elif age is not None:
        yield ok(
            Code.IDLE,
            f"The last handshake was {span(max(age, 0))} ago, and nothing was to be sent since then.",
        )


def _gone_silent(peer: PeerFacts, history: History, age: int) -> Finding:
    tries = history.tries
    count = f"{times(tries, 'handshake initiation')} since then found no answer" if tries else "it is silent"
    return problem(
        Code.GONE_SILENT,
        f"The tunnel worked until {span(max(age, 0))} ago; {count}.",
        "See whether the other side is still on and at the same address, and whether something on the way "
        f"changed; pywg doctor there tells whether our datagrams to {peer.state.endpoint} arrive.",
    )


def _nothing_came_back(interface: InterfaceFacts, peer: PeerFacts, history: History) -> Finding:
    less = "" if history.is_told else " (whether the network refused them cannot be known from this daemon)"
    return problem(
        Code.NOTHING_CAME_BACK,
        f"{times(history.tries, 'handshake initiation')} went to {peer.state.endpoint} and nothing ever came "
        f"back: a firewall, a wrong port or address, or a wrong public key for that peer{less}.",
        "Compare Endpoint with the other side's address and ListenPort, let UDP through to it, and compare "
        f"PublicKey with what 'pywg show' says there; its doctor tells of ours{_our_key(interface)}.",
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


def _route_hint(peer: PeerFacts) -> str:
    return (
        f"Its addresses: {', '.join(map(str, peer.state.allowed_ips[:MOST_NAMED]))}."
        if peer.state.allowed_ips
        else ""
    )


def _our_key(interface: InterfaceFacts) -> str:
    return "" if interface.public_key is None else f" (our public key: {key_to_base64(interface.public_key)})"
