"""What reaches us from outside and what we tell the inside: NAT, ICMP unreachable, sticky source addresses.

Comes in: namespaces joined by veth pairs, as in the kernel's netns.sh. Goes out: endpoints as the peer sees
them, and what ping is told. Rule: replies leave from the address they were asked at (sticky source), and who
sends into nowhere hears of it (ICMP 3/1, ICMPv6 1/3).
"""

import time

import pytest

from tests.needs import need
from tests.netns.daemon import subject
from tests.netns.lab import End, Lab, endpoint
from tests.netns.namespace import Namespace
from tests.netns.traffic import assert_pings, ping

UNREACHABLE = {4: "Destination Host Unreachable", 6: "Destination unreachable: Address unreachable"}
NETWORK = {4: "10.0.0.%d/24", 6: "fd00:aa::%x/96"}


def bare(network: str) -> str:
    """The address alone."""
    return network.split("/", maxsplit=1)[0]


@pytest.fixture
def ends(lab: Lab) -> tuple[End, End]:
    """Two configured ends in namespaces joined by eth0, which has no addresses; endpoints are unset."""
    one, two = lab.end(subject(), lab.namespace("1"), 1), lab.end(subject(), lab.namespace("2"), 2)
    lab.join(one.namespace, two.namespace)
    for end, other in ((one, two), (two, one)):
        end.daemon.configure(end.interface_section() + other.peer_section())
        end.up()
    return one, two


def add(end: End, family: int, number: int) -> str:
    """Give eth0 of `end` one more address; returns it."""
    network = NETWORK[family] % number
    end.namespace.ip("address", "add", network, "dev", "eth0")
    return bare(network)


def delete(end: End, family: int, number: int) -> None:
    """Take an address from eth0 of `end`."""
    end.namespace.ip("address", "delete", NETWORK[family] % number, "dev", "eth0")


def point(end: End, other: End, address: str) -> None:
    """Tell `end` that `other` is at `address`."""
    end.daemon.set("peer", other.keys.public, "endpoint", endpoint(address, other.port))


def seen(end: End, other: End) -> str:
    """Where `end` believes `other` to be."""
    return end.daemon.peer(other.keys.public).endpoint


@pytest.mark.parametrize("family", [4, 6])
def test_source_falls_over_when_its_address_is_removed(ends: tuple[End, End], family: int) -> None:
    """The address a peer has sent to us goes away: the very next packet leaves from another one."""
    one, two = ends
    add(one, family, 1)
    point(one, two, add(two, family, 2))
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    assert seen(two, one) == endpoint(bare(NETWORK[family] % 1), one.port)
    new = add(one, family, 10)
    delete(one, family, 1)
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    assert seen(two, one) == endpoint(new, one.port)


def test_replies_leave_from_the_address_that_was_asked(ends: tuple[End, End]) -> None:
    """Of two addresses in each family the one the peer wrote to answers, so the peer's endpoint stays put."""
    one, two = ends
    asked = [add(one, family, number) for number in (1, 2) for family in (4, 6)]
    for family in (4, 6):
        add(two, family, 3)
    for address in asked:
        point(two, one, address)
        assert_pings(two.namespace, one.addresses.inner4, count=2)
        assert seen(two, one) == endpoint(address, one.port)


def test_an_address_of_another_interface_answers_too(ends: tuple[End, End]) -> None:
    """The address asked belongs to an interface other than the one the route back leaves by."""
    one, two = ends
    add(one, 4, 1)
    add(two, 4, 3)
    one.namespace.ip("link", "add", "other0", "type", "veth", "peer", "name", "other1")
    one.namespace.ip("address", "add", "10.50.0.1/24", "dev", "other0")
    for name in ("other0", "other1"):
        one.namespace.ip("link", "set", name, "up")
    two.namespace.ip("route", "add", "10.50.0.0/24", "dev", "eth0")
    point(two, one, "10.50.0.1")
    assert_pings(two.namespace, one.addresses.inner4, count=2)
    assert seen(two, one) == endpoint("10.50.0.1", one.port)


def test_a_better_route_takes_over(lab: Lab, ends: tuple[End, End]) -> None:
    """A route by another interface appears while a session runs: the cached source is given up for it."""
    one, two = ends
    lab.join(one.namespace, two.namespace, "eth1")
    for end in ends:
        for name in ("all", "eth0", "eth1"):
            end.namespace.sysctl(f"net/ipv4/conf/{name}/rp_filter", "0")
    add(one, 4, 1)
    address = add(two, 4, 2)
    one.namespace.ip("address", "add", "10.0.0.3/24", "dev", "eth1")
    for name in ("eth0", "eth1"):
        one.namespace.ip("route", "flush", "dev", name)
    one.namespace.ip("route", "add", "10.0.0.0/24", "dev", "eth0", "src", "10.0.0.1", "metric", "2")
    point(one, two, address)
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    assert seen(two, one) == endpoint("10.0.0.1", one.port)
    one.namespace.ip("route", "add", "10.0.0.0/24", "dev", "eth1", "src", "10.0.0.3", "metric", "1")
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    assert seen(two, one) == endpoint("10.0.0.3", one.port)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("why", ["no-peer", "no-endpoint"])
def test_sending_into_nowhere_is_answered(ends: tuple[End, End], why: str, family: int) -> None:
    """No peer has that address, or the peer has no endpoint: ping is told, from the address it asked."""
    one, two = ends
    target = two.addresses.inner(family)
    if why == "no-peer":
        target = "10.77.0.99" if family == 4 else "fd77::99"
    result = ping(one.namespace, target, count=1)
    assert f"From {target} icmp_seq=1 {UNREACHABLE[family]}" in result.output


def test_unreachable_finds_its_way_through_nat(lab: Lab) -> None:
    """A packet of a third host, rewritten on its way into our interface: the error reaches that host."""
    need("nft")
    asking, gateway = lab.namespace("c"), lab.namespace("g")
    lab.join(asking, gateway)
    asking.ip("address", "add", "10.0.0.1/24", "dev", "eth0")
    gateway.ip("address", "add", "10.0.0.100/24", "dev", "eth0")
    asking.ip("route", "add", "10.77.0.0/24", "via", "10.0.0.100")
    gateway.sysctl("net/ipv4/ip_forward", "1")
    gateway.nft(
        "table ip nat {\n chain post { type nat hook postrouting priority 100;"
        " ip saddr 10.0.0.0/24 ip daddr 10.77.0.0/24 snat to 10.77.0.2; }\n}"
    )
    end = lab.end(subject(), gateway, 2)
    end.daemon.configure(end.interface_section())
    end.up()
    assert UNREACHABLE[4] in ping(asking, "10.77.0.1", count=1).output


def nat_router(client: Namespace, router: Namespace, server: Namespace) -> None:
    """Let `router` hide `client` (192.168.1.100) from `server` (10.0.0.100), and forget a flow after 2 s."""
    router.ip("address", "add", "192.168.1.1/24", "dev", "inside")
    router.ip("address", "add", "10.0.0.1/24", "dev", "outside")
    client.ip("address", "add", "192.168.1.100/24", "dev", "inside")
    client.ip("route", "add", "default", "via", "192.168.1.1")
    server.ip("address", "add", "10.0.0.100/24", "dev", "outside")
    router.sysctl("net/ipv4/ip_forward", "1")
    router.nft(
        "table ip nat {\n chain post { type nat hook postrouting priority 100;"
        " ip saddr 192.168.1.0/24 ip daddr 10.0.0.0/24 snat to 10.0.0.1; }\n}"
    )
    for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
        router.sysctl(f"net/netfilter/{name}", "2")


def test_persistent_keepalive_holds_a_nat_open(lab: Lab) -> None:
    """With a keepalive each second the server reaches the client behind a NAT that forgets after two."""
    need("nft")
    client, router, server = lab.namespace("c"), lab.namespace("r"), lab.namespace("s")
    lab.join(client, router, "inside")
    lab.join(router, server, "outside")
    nat_router(client, router, server)
    one, two = lab.end(subject(), client, 1), lab.end(subject(), server, 2)
    one.daemon.configure(
        one.interface_section()
        + two.peer_section(endpoint=endpoint("10.0.0.100", two.port))
        + "PersistentKeepalive = 1\n"
    )
    two.daemon.configure(two.interface_section() + one.peer_section())
    two.up()
    one.up()
    assert_pings(client, two.addresses.inner4, count=1)
    assert_pings(server, one.addresses.inner4, count=1)
    assert seen(two, one).startswith("10.0.0.1:")
    time.sleep(3.2)
    assert_pings(server, one.addresses.inner4, count=1)
