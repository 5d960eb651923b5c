"""Packets that come to the interface, or out of it, and are not moved on: facts in, findings out.

In: `InterfaceFacts`. Out: what can be said of them. Rule kept: what the machine sends or gets without
anybody's wish (multicast, a stray packet on the LAN) does not make a healthy tunnel ill. No I/O.
"""

from collections.abc import Iterator

from pywg.doctor.facts import ForwardingFacts, InterfaceFacts
from pywg.doctor.findings import Code, Finding, ok, problem, warning
from pywg.doctor.handshake_history import MOST_NAMED, History, listed, times
from pywg.engine.contract import Drop


def judge_traffic(interface: InterfaceFacts, wall_ns: int) -> Iterator[Finding]:
    """Everything that can be said of it."""
    yield from _nobodys(interface, wall_ns)
    for forwarding in interface.forwarding:
        if not forwarding.is_on:
            yield from _not_forwarding(forwarding)


def _nobodys(interface: InterfaceFacts, wall_ns: int) -> Iterator[Finding]:
    """Packets for addresses outside all allowed IPs; told where no peer has a session.

    A server with many peers gets such packets for ever, from whoever tries its network.
    """
    status = interface.status
    allowed = [prefix for peer in interface.peers for prefix in peer.state.allowed_ips]
    if status is None or not allowed or any(History(peer, wall_ns).has_session for peer in interface.peers):
        return
    count = status.drops.get(Drop.NO_ROUTE.value, 0) - interface.multicasts
    if count > 0:
        yield warning(
            Code.DESTINATION_NOT_ALLOWED,
            f"{times(count, 'packet')} went into {interface.name} for addresses that no peer is allowed; the "
            f"allowed IPs cover {listed(allowed, MOST_NAMED)}.",
            "Add the address you want to reach to AllowedIPs of the peer that has it: pywg set "
            f"{interface.name} peer PUBLIC-KEY allowed-ips +ADDRESS/32",
        )


def _not_forwarding(forwarding: ForwardingFacts) -> Iterator[Finding]:
    """Of IPv4 it is not known by which interface packets for others came: they prove nothing."""
    version, refused = forwarding.version, forwarding.refused
    key = "net.ipv4.ip_forward" if version == 4 else "net.ipv6.conf.all.forwarding"
    advice = (
        f"PostUp must let FORWARD pass and MASQUERADE, and forwarding be on (for good: in /etc/sysctl.d): "
        f"sysctl -w {key}=1"
    )
    came = f"{times(refused, 'packet')} for others {'was' if refused == 1 else 'were'} dropped"
    if forwarding.is_wanted or (refused and version == 6):
        why = f"{came}" if refused else "the hooks of the file are there for that"
        yield problem(
            Code.NOT_FORWARDING,
            f"This machine does not forward IPv{version}, and {why}: peers reach nothing beyond it.",
            advice,
        )
    elif refused:
        yield ok(
            Code.NOT_FORWARDING,
            f"This machine does not forward IPv{version}; {came}, whichever way they came. It "
            "matters if peers are to reach hosts beyond it.",
            f"If they are: {advice}",
        )
