"""pywg against Debian's wireguard-go, in both roles, over real sockets and TUN devices.

Comes in: tunnels between namespaces. Goes out: pings, TCP with a hash at both ends, roaming, a real rekey.
Rule: nothing is mocked, every family outside meets every family inside, with and without preshared key.
"""

import time

import pytest

from tests.needs import ENGINES, need
from tests.netns.daemon import Program, new_preshared_key, subject
from tests.netns.lab import End, Lab, Tunnel, endpoint
from tests.netns.traffic import (
    PingResult,
    Receiver,
    Sender,
    assert_pings,
    assert_transfers,
    ping,
    ping_command,
)
from tests.netns.wait import until

INITIATOR, RESPONDER = "initiator", "responder"
ROLES = (INITIATOR, RESPONDER)
FAMILIES = (4, 6)
MEGABYTE = 1_000_000
REKEY_AFTER_SECONDS = 120
LOSSY = """table inet test {
    counter dropped { }
    chain input {
        type filter hook input priority 0
        udp dport 51820 numgen random mod 100 < 2 counter name dropped drop
    }
}"""


@pytest.fixture(autouse=True)
def _needed() -> None:
    need("wireguard-go")


def tunnel_with_go(
    lab: Lab,
    role: str,
    *,
    outer_family: int = 4,
    preshared_key: str | None = None,
    engine: str | None = None,
) -> Tunnel:
    """A tunnel in which the program under test has `role` and wireguard-go the other."""
    ours, theirs = subject(), Program.WIREGUARD_GO
    initiator, responder = (ours, theirs) if role == INITIATOR else (theirs, ours)
    engines = None if engine is None else (engine, engine)
    return lab.tunnel(
        initiator, responder, outer_family=outer_family, preshared_key=preshared_key, engines=engines
    )


def latest_handshakes(tunnel: Tunnel) -> tuple[int, int]:
    """When the last handshake was for initiator and responder, in seconds of the epoch; 0: never."""
    initiator, responder = tunnel.initiator, tunnel.responder
    return (
        initiator.daemon.peer(responder.keys.public).latest_handshake,
        responder.daemon.peer(initiator.keys.public).latest_handshake,
    )


def known_endpoint(end: End, other: End) -> str:
    """Where `end` believes `other` to be."""
    return end.daemon.peer(other.keys.public).endpoint


def bytes_received(end: End, other: End) -> int:
    """What `end` says it has received from `other`."""
    return end.daemon.peer(other.keys.public).received


@pytest.mark.parametrize("has_psk", [False, True], ids=["no-psk", "psk"])
@pytest.mark.parametrize("outer", FAMILIES, ids=["outer4", "outer6"])
@pytest.mark.parametrize("role", ROLES)
def test_ping_and_tcp(lab: Lab, role: str, outer: int, has_psk: bool) -> None:
    """Both families inside, both directions; the handshake is started by the end that should start it."""
    psk = new_preshared_key() if has_psk else None
    tunnel = tunnel_with_go(lab, role, outer_family=outer, preshared_key=psk)
    first, second = tunnel.initiator, tunnel.responder
    for inner in FAMILIES:
        assert_pings(first.namespace, second.addresses.inner(inner))
        assert_pings(second.namespace, first.addresses.inner(inner))
        assert_transfers(first.namespace, second.namespace, second.addresses.inner(inner), 2 * MEGABYTE)
        assert_transfers(second.namespace, first.namespace, first.addresses.inner(inner), 2 * MEGABYTE)
    known = second.daemon.peer(first.keys.public)
    assert known.endpoint == first.endpoint(outer)
    assert all(abs(when - time.time()) < 60 for when in latest_handshakes(tunnel))
    assert 4 * MEGABYTE < known.received <= first.daemon.peer(second.keys.public).sent


@pytest.mark.parametrize("role", ROLES)
def test_different_preshared_keys_never_meet(lab: Lab, role: str) -> None:
    """The preshared key is part of the handshake: with another one there is neither session nor reply."""
    tunnel = tunnel_with_go(lab, role, preshared_key=new_preshared_key())
    peer = tunnel.responder.keys.public
    tunnel.initiator.daemon.set("peer", peer, "preshared-key", "/dev/stdin", text=new_preshared_key())
    result = ping(tunnel.initiator.namespace, tunnel.responder.addresses.inner4, count=2, wait=1)
    assert result.received == 0
    assert latest_handshakes(tunnel)[0] == 0


@pytest.mark.parametrize("size", [0, 1, 1391, 1392])
def test_packets_of_every_length_pass(lab: Lab, size: int) -> None:
    """Padding to 16 bytes, never past the MTU of 1420 (a payload of 1392 fills it), is undone by the peer."""
    tunnel = tunnel_with_go(lab, INITIATOR)
    for source, target in ((tunnel.initiator, tunnel.responder), (tunnel.responder, tunnel.initiator)):
        assert_pings(source.namespace, target.addresses.inner4, "-M", "do", count=1, size=size)


@pytest.mark.parametrize("outer", FAMILIES, ids=["outer4", "outer6"])
@pytest.mark.timeout(180)
def test_100_megabytes(lab: Lab, outer: int) -> None:
    """100 MB each way with equal hashes, one family outside, the other one inside."""
    tunnel = tunnel_with_go(lab, INITIATOR if outer == 4 else RESPONDER, outer_family=outer)
    first, second, inner = tunnel.initiator, tunnel.responder, 10 - outer
    for source, target in ((first, second), (second, first)):
        address = target.addresses.inner(inner)
        assert_transfers(source.namespace, target.namespace, address, 100 * MEGABYTE, timeout=80)


def test_tcp_survives_loss(lab: Lab) -> None:
    """2 % of the datagrams lost in both directions: TCP inside repairs it, the session stays one session."""
    need("nft")
    tunnel = tunnel_with_go(lab, INITIATOR)
    first, second = tunnel.initiator, tunnel.responder
    assert_pings(first.namespace, second.addresses.inner4, count=1)
    before = latest_handshakes(tunnel)
    for end in (first, second):
        end.namespace.ip("link", "set", "eth0", "gso_max_segs", "1")  # lose single datagrams, not trains
        end.namespace.nft(LOSSY)
    assert_transfers(first.namespace, second.namespace, second.addresses.inner4, 3 * MEGABYTE)
    assert_transfers(second.namespace, first.namespace, first.addresses.inner4, 3 * MEGABYTE)
    assert all(end.namespace.counted("dropped") > 10 for end in (first, second))
    assert latest_handshakes(tunnel) == before


def link_local(end: End) -> str:
    """The link-local address of eth0, with its scope."""
    end.namespace.sysctl("net/ipv6/conf/eth0/addr_gen_mode", "0")
    listed = end.namespace.ip("-6", "-oneline", "address", "show", "dev", "eth0", "scope", "link")
    return f"{listed.split()[3].split('/')[0]}%eth0"


@pytest.mark.parametrize("role", ROLES)
def test_link_local_endpoints_keep_their_scope(lab: Lab, role: str) -> None:
    """Outside addresses of fe80::/10 work, and we print them with the interface they belong to."""
    tunnel = tunnel_with_go(lab, role)
    first, second = tunnel.initiator, tunnel.responder
    first.daemon.set("peer", second.keys.public, "endpoint", endpoint(link_local(second), second.port))
    assert_pings(first.namespace, second.addresses.inner4)
    ours, theirs = (first, second) if role == INITIATOR else (second, first)
    assert known_endpoint(ours, theirs) == endpoint(link_local(theirs), theirs.port)


def move(end: End, family: int) -> str:
    """Give `end` another outside address and take the old one away; returns the new endpoint.

    wireguard-go clings to an IPv4 source address that is gone until its 15 s timer strikes (it waits for
    EINVAL, this kernel says ENETUNREACH); a new listen port makes it let go, and moves the port as well.
    """
    new, bits = ("192.0.2.11", 24) if family == 4 else ("2001:db8::11", 64)
    end.namespace.ip("address", "add", f"{new}/{bits}", "dev", "eth0")
    end.namespace.ip("address", "delete", f"{end.addresses.outer(family)}/{bits}", "dev", "eth0")
    if end.daemon.program is Program.WIREGUARD_GO:
        end.port += 1
        end.daemon.set("listen-port", str(end.port))
    return endpoint(new, end.port)


@pytest.mark.parametrize("outer", FAMILIES, ids=["outer4", "outer6"])
@pytest.mark.parametrize("who", ["we-move", "peer-moves"])
def test_roaming_during_a_transfer(lab: Lab, who: str, outer: int) -> None:
    """The address of an end changes under a TCP stream it sends: the other end follows, no byte is lost.

    Our end sent from an address that is gone, so this also shows that we give up a cached source address that
    no longer works.
    """
    tunnel = tunnel_with_go(lab, INITIATOR if who == "we-move" else RESPONDER, outer_family=outer)
    moving, staying = tunnel.initiator, tunnel.responder
    address, size = staying.addresses.inner4, 200 * MEGABYTE
    with (
        Receiver(staying.namespace, address, 5001) as receiver,
        Sender(moving.namespace, address, 5001, size, per_second=3 * MEGABYTE) as sender,
    ):
        until(lambda: bytes_received(staying, moving) > 3 * MEGABYTE, "some has arrived", seconds=20)
        new = move(moving, outer)
        until(lambda: known_endpoint(staying, moving) == new, f"the peer knows of {new}", seconds=10)
        before = bytes_received(staying, moving)
        until(lambda: bytes_received(staying, moving) > before + 3 * MEGABYTE, "it goes on", seconds=20)
        sender.enough()
        sent, received = sender.end(60), receiver.end(60)
    assert (received.size, received.sha256) == (sent.size, sent.sha256)
    assert_pings(staying.namespace, moving.addresses.inner6)


@pytest.mark.timeout(200)
def test_a_session_lives_through_a_rekey(lab_of_both: Lab) -> None:
    """Both roles of both engines at once, and one engine against the other.

    Past 120 s the initiator makes new keys under traffic and no ping is lost.
    """
    lab = lab_of_both
    tunnels = [tunnel_with_go(lab, role, engine=engine) for role in ROLES for engine in ENGINES]
    tunnels.append(lab.tunnel(subject(), subject(), engines=("python", "native")))
    for tunnel in tunnels:
        assert_pings(tunnel.initiator.namespace, tunnel.responder.addresses.inner4, count=1)
    started = [latest_handshakes(tunnel) for tunnel in tunnels]
    pings = []
    for tunnel in tunnels:
        command = ping_command(
            tunnel.responder.addresses.inner4,
            "-q",
            count=5 * (REKEY_AFTER_SECONDS + 8),
            interval=0.2,
            size=1200,
        )
        process = tunnel.initiator.namespace.popen(*command)
        lab.at_end(process.kill)
        pings.append(process)
    for tunnel, process, first_handshakes in zip(tunnels, pings, started, strict=True):
        result = PingResult.parse(process.communicate(timeout=REKEY_AFTER_SECONDS + 40)[0])
        for before, after in zip(first_handshakes, latest_handshakes(tunnel), strict=True):
            # One less: these are whole seconds, and the responder's count from when it was first sent data.
            assert REKEY_AFTER_SECONDS - 1 <= after - before <= REKEY_AFTER_SECONDS + 5
        assert result.lost == 0, result.output
