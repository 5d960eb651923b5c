"""Two of our daemons, their interfaces moved away from their sockets, as in the kernel's netns.sh: packets.

Comes in: the topology of that script. Goes out: byte counters, padding, roaming by port, crypto-routing, a
new private key, tunnels within tunnels. Rule: what that script demands of the kernel is demanded of us.
"""

import pytest

from tests.needs import need
from tests.netns.daemon import KeyPair, new_preshared_key, subject
from tests.netns.lab import Addresses, End, Lab, MovedTunnel, endpoint
from tests.netns.namespace import Namespace
from tests.netns.traffic import arrives, assert_pings, assert_transfers, ping, udp_socket
from tests.netns.wait import until

MESSAGE = b"does this get through?"


@pytest.fixture
def tunnel(lab: Lab) -> MovedTunnel:
    """Two ends with a preshared key, endpoints known over IPv4."""
    moved = lab.moved_tunnel(subject(), preshared_key=new_preshared_key())
    moved.point(4)
    return moved


def datagram_passes(source: Namespace, destination: Namespace, address: str) -> bool:
    """Whether one UDP datagram from `source` reaches `address` in `destination`."""
    with udp_socket(destination, address, 1111) as listener, udp_socket(source, "0.0.0.0") as sender:  # noqa: S104
        sender.sendto(MESSAGE, (address, 1111))
        return arrives(listener) == MESSAGE


def test_counters_are_exact(tunnel: MovedTunnel) -> None:
    """Ten pings: an initiation (148), a response (92), ten packets of 128 each way; both ends count alike."""
    one, two = tunnel.one, tunnel.two
    assert_pings(two.namespace, one.addresses.inner4, count=10)
    at_one, at_two = one.daemon.peer(two.keys.public), two.daemon.peer(one.keys.public)
    assert (at_two.received, at_two.sent) == (92 + 10 * 128, 148 + 10 * 128)
    assert (at_one.received, at_one.sent) == (at_two.sent, at_two.received)
    assert at_one.latest_handshake > 0


@pytest.mark.parametrize("outer", [4, 6], ids=["outer4", "outer6"])
def test_ordinary_and_huge_mtu(tunnel: MovedTunnel, outer: int) -> None:
    """Traffic in both families and directions, with the MTU at 1420 and at 34,736."""
    tunnel.point(outer)
    one, two = tunnel.one, tunnel.two
    for mtu in (1420, 34816 - 1500 + 1420):
        for end in (one, two):
            end.namespace.ip("link", "set", end.daemon.interface, "mtu", str(mtu))
        for inner in (4, 6):
            assert_pings(one.namespace, two.addresses.inner(inner), size=mtu - 48)
            assert_transfers(one.namespace, two.namespace, two.addresses.inner(inner), 1_000_000)
        assert_transfers(two.namespace, one.namespace, one.addresses.inner6, 1_000_000)


def test_padding_never_passes_the_mtu(tunnel: MovedTunnel) -> None:
    """With an MTU of 1300 and routes of 1299 no datagram is above 1300 + 60, and no packet is lost."""
    for end, other in ((tunnel.one, tunnel.two), (tunnel.two, tunnel.one)):
        interface = end.daemon.interface
        end.namespace.ip("link", "set", interface, "mtu", "1300")
        end.namespace.ip("route", "add", f"{other.addresses.inner4}/32", "dev", interface, "mtu", "1299")
    tunnel.birthplace.nft(
        "table ip small {\n chain input { type filter hook input priority 0; ip length > 1360 drop; }\n}"
    )
    for packet in (1279, 1280, 1281, 1297, 1299):
        assert_pings(tunnel.two.namespace, tunnel.one.addresses.inner4, "-M", "do", count=1, size=packet - 28)


@pytest.mark.parametrize("outer", [4, 6], ids=["outer4", "outer6"])
def test_a_new_listen_port_is_followed(tunnel: MovedTunnel, outer: int) -> None:
    """Our port (and the only IPv4 address) changes: the first packet tells the other end."""
    tunnel.point(outer)
    one, two = tunnel.one, tunnel.two
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    handshake = two.daemon.peer(one.keys.public).latest_handshake
    if outer == 4:
        tunnel.birthplace.ip("address", "delete", "127.0.0.1/8", "dev", "lo")
        tunnel.birthplace.ip("address", "add", "127.212.121.99/8", "dev", "lo")
    one.daemon.set("listen-port", "9999")
    assert_pings(one.namespace, two.addresses.inner6, count=1)
    seen = two.daemon.peer(one.keys.public)
    assert seen.endpoint == endpoint("127.212.121.99" if outer == 4 else "::1", 9999)
    assert seen.latest_handshake == handshake, "a change of port keeps the session"


def test_crypto_routing_filters_by_the_most_specific_peer(tunnel: MovedTunnel) -> None:
    """A packet whose source belongs to a more specific peer is dropped, yet the sender's endpoint moves."""
    one, two = tunnel.one, tunnel.two
    stranger = KeyPair.generate().public
    one.daemon.set("peer", two.keys.public, "allowed-ips", "10.77.0.0/24")
    assert datagram_passes(two.namespace, one.namespace, one.addresses.inner4)
    one.daemon.set("peer", stranger, "allowed-ips", f"{two.addresses.inner4}/32")
    two.daemon.set("listen-port", "9997")
    assert not datagram_passes(two.namespace, one.namespace, one.addresses.inner4)
    one.daemon.set("peer", stranger, "remove")
    assert one.daemon.peer(two.keys.public).endpoint == "127.0.0.1:9997"
    assert datagram_passes(two.namespace, one.namespace, one.addresses.inner4)


def test_a_new_private_key_handshakes_at_once(tunnel: MovedTunnel) -> None:
    """The gate of one initiation in 5 s does not hold back the first one under a new key."""
    one, two = tunnel.one, tunnel.two
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    old, new = one.keys, KeyPair.generate()
    psk = two.daemon.peer(old.public).preshared_key
    one.daemon.set("private-key", "/dev/stdin", text=new.private)
    addresses = f"{one.addresses.inner4}/32"
    two.daemon.set(
        *("peer", new.public, "preshared-key", "/dev/stdin", "allowed-ips", addresses),
        *("peer", old.public, "remove"),
        text=psk,
    )
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    assert list(two.daemon.dump().peers) == [new.public]


PORT_OF_SECOND_LAYER = 5


def second_layer(lab: Lab, namespace: Namespace, number: int, outer: str) -> End:
    """An interface in `namespace` whose endpoint is `outer`, an address inside another tunnel."""
    addresses = Addresses(outer, outer, f"10.78.0.{number}", f"fd78::{number}")
    daemon = lab.start(subject(), namespace)
    return End(namespace=namespace, daemon=daemon, addresses=addresses, port=PORT_OF_SECOND_LAYER)


def test_a_tunnel_within_a_tunnel(lab: Lab, tunnel: MovedTunnel) -> None:
    """WireGuard through WireGuard, with an MTU that leaves room for both."""
    one, two = (
        second_layer(lab, end.namespace, n, end.addresses.inner6)
        for n, end in ((1, tunnel.one), (2, tunnel.two))
    )
    for end, other in ((one, two), (two, one)):
        end.daemon.configure(end.interface_section() + other.peer_section(endpoint=other.endpoint(6)))
        end.up(mtu=1340)
    assert_pings(one.namespace, two.addresses.inner6)
    assert_transfers(two.namespace, one.namespace, one.addresses.inner4, 1_000_000)


def test_an_onion_that_loops_fails_safely(lab: Lab) -> None:
    """One interface reaches its second peer through its first; then that peer's endpoint lies behind itself.

    Nothing arrives then, and when that peer is gone the first one is as well as before.
    """
    flat = lab.tunnel(subject(), subject())
    one, two = flat.initiator, flat.responder
    within = second_layer(lab, two.namespace, 2, two.addresses.inner4)
    one.namespace.ip("address", "add", "10.78.0.1/24", "dev", one.daemon.interface)
    peer = ("peer", within.keys.public)
    one.daemon.set(*peer, "allowed-ips", "10.78.0.2/32", "endpoint", within.endpoint(4))
    within.daemon.configure(
        f"{within.interface_section()}[Peer]\nPublicKey = {one.keys.public}\nAllowedIPs = 10.78.0.1/32\n"
    )
    within.up()
    assert_pings(one.namespace, "10.78.0.2")
    within.daemon.stop()
    one.daemon.set(*peer, "endpoint", endpoint("10.78.0.2", within.port))
    assert ping(one.namespace, "10.78.0.2", count=1, wait=1).received == 0
    one.daemon.set(*peer, "remove")
    until(
        lambda: ping(one.namespace, two.addresses.inner4, count=1, wait=0.5).received == 1,
        "the first peer answers again",
        seconds=15,
    )


OUTER_HEADERS = """table inet test {
    counter marked_handshakes { }
    counter other_handshakes { }
    counter ect0 { }
    counter with_df { }
    counter inner_ce { }
    chain datagrams {
        type filter hook input priority 0
        udp dport 51820 udp length { 100, 156 } ip dscp af41 counter name marked_handshakes
        udp dport 51820 udp length { 100, 156 } ip6 dscp af41 counter name marked_handshakes
        udp dport 51820 udp length { 100, 156 } ip dscp != af41 counter name other_handshakes
        udp dport 51820 udp length { 100, 156 } ip6 dscp != af41 counter name other_handshakes
        udp dport 51820 udp length 136 ip ecn ect0 counter name ect0
        udp dport 51820 udp length 136 ip6 ecn ect0 counter name ect0
        udp dport 51820 ip frag-off & 0x4000 == 0x4000 counter name with_df
        icmp type echo-request ip ecn ce counter name inner_ce
    }
}"""
CONGESTED = """table inet test {
    chain datagrams {
        type filter hook output priority 0
        udp dport 51820 udp length 136 ip ecn set ce
        udp dport 51820 udp length 136 ip6 ecn set ce
    }
}"""


@pytest.mark.parametrize("outer", [4, 6], ids=["outer4", "outer6"])
def test_outer_headers(lab: Lab, outer: int) -> None:
    """As the kernel: DSCP AF41 (0x88) on handshakes, ECN copied out and congestion in, DF never set."""
    need("nft")
    flat = lab.tunnel(subject(), subject(), outer_family=outer)
    one, two = flat.initiator.namespace, flat.responder.namespace
    target = flat.responder.addresses.inner4
    for namespace in (one, two):
        namespace.nft(OUTER_HEADERS)
    assert_pings(one, target, "-Q", "0x02", count=3)
    assert (one.counted("marked_handshakes"), two.counted("marked_handshakes")) == (1, 1)
    assert (one.counted("other_handshakes"), two.counted("other_handshakes")) == (0, 0)
    assert two.counted("ect0") == 3
    assert (one.counted("with_df"), two.counted("with_df")) == (0, 0)
    assert two.counted("inner_ce") == 0
    one.run("nft", "delete", "table", "inet", "test")
    one.nft(CONGESTED)
    assert_pings(one, target, "-Q", "0x02", count=3)
    assert two.counted("inner_ce") == 3
