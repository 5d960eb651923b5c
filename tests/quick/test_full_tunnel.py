"""Everything through the tunnel: ``AllowedIPs = 0.0.0.0/0, ::/0`` among three parties.

Comes in: a client, a host of its LAN which is also its router, and a peer behind that router which has "the
internet" on its loopback. Goes out: what the router sees. Rules: with the tunnel up it forwards datagrams
between client and endpoint and nothing else; what is in the client's own routing table beyond the default
route stays outside; rp_filter is strict, so without the firewall's marks the endpoint's datagrams would be
dropped; `down` restores all.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.netns.daemon import KeyPair, daemon_environment
from tests.netns.lab import Lab, endpoint
from tests.netns.namespace import Namespace, new_interface_name
from tests.netns.snapshot import snapshot
from tests.netns.traffic import assert_pings, assert_transfers
from tests.netns.wait import until

INTERNET = ("198.51.100.1", "2001:db8:f::1")
LAN_HOST = ("192.168.5.1", "fd05::1")
BEYOND = "10.55.0.1"
"""Behind the LAN host, by a route of the client's."""
PEER = {4: "203.0.113.2", 6: "2001:db8:a::2"}
PORT = 51820

COUNTERS = f"""
table inet test {{
  counter tunnel {{}}
  counter other {{}}
  chain forward {{
    type filter hook forward priority 0;
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} accept
    udp dport {PORT} counter name tunnel accept
    udp sport {PORT} counter name tunnel accept
    counter name other
  }}
}}
"""


@dataclass
class Tunnel:
    """The parties and the client's file."""

    client: Namespace
    router: Namespace
    peer: Namespace
    client_file: Path
    peer_file: Path

    def up(self) -> str:
        pywg(self.peer, "up", self.peer_file)
        return pywg(self.client, "up", self.client_file)

    def down(self) -> None:
        pywg(self.client, "down", self.client_file)
        pywg(self.peer, "down", self.peer_file)

    def forwarded(self) -> tuple[int, int]:
        """Packets between client and endpoint; all others."""
        return self.router.counted("tunnel"), self.router.counted("other")


def pywg(namespace: Namespace, word: str, file: Path) -> str:
    """``pywg WORD FILE``, which must succeed; what it said."""
    command = (sys.executable, "-P", "-m", "pywg", word, str(file))
    return namespace.run(*command, env=daemon_environment(LOG_LEVEL="")).stderr


def address(namespace: Namespace, interface: str, *addresses: str) -> None:
    for each in addresses:
        namespace.ip("address", "add", each, "dev", interface)


@pytest.fixture(params=[4, 6], ids=["over IPv4", "over IPv6"])
def tunnel(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Tunnel:
    client, router, peer = lab.namespace("c"), lab.namespace("r"), lab.namespace("p")
    lab.join(client, router, "eth0")
    lab.join(router, peer, "eth1")
    address(client, "eth0", "192.168.5.2/24", "fd05::2/64")
    address(router, "eth0", "192.168.5.1/24", "fd05::1/64")
    address(router, "eth1", "203.0.113.1/24", "2001:db8:a::1/64")
    address(router, "lo", f"{BEYOND}/32")
    address(peer, "eth1", "203.0.113.2/24", "2001:db8:a::2/64")
    address(peer, "lo", *(f"{each}/{128 if ':' in each else 32}" for each in INTERNET))
    for namespace, gateways in ((client, LAN_HOST), (peer, ("203.0.113.1", "2001:db8:a::1"))):
        for family, gateway in zip("46", gateways, strict=True):
            namespace.ip(f"-{family}", "route", "add", "default", "via", gateway)
    client.ip("route", "add", "10.55.0.0/16", "via", "192.168.5.1")
    for network, to in zip(INTERNET, ("203.0.113.2", "2001:db8:a::2"), strict=True):
        router.ip("route", "add", network, "via", to)
    router.sysctl("net/ipv4/ip_forward", "1")
    router.sysctl("net/ipv6/conf/all/forwarding", "1")
    for scope in ("all", "eth0"):
        client.sysctl(f"net/ipv4/conf/{scope}/rp_filter", "1")
    router.nft(COUNTERS)
    ours, theirs = KeyPair.generate(), KeyPair.generate()
    files = [tmp_path / f"{new_interface_name()}.conf" for _ in (client, peer)]
    files[0].write_text(
        f"[Interface]\nPrivateKey = {ours.private}\nAddress = 10.77.0.1/24, fd77::1/64\n"
        f"[Peer]\nPublicKey = {theirs.public}\nAllowedIPs = 0.0.0.0/0, ::/0\n"
        f"Endpoint = {endpoint(PEER[request.param], PORT)}\n"
    )
    files[1].write_text(
        f"[Interface]\nPrivateKey = {theirs.private}\nListenPort = {PORT}\nAddress = 10.77.0.2, fd77::2\n"
        f"[Peer]\nPublicKey = {ours.public}\nAllowedIPs = 10.77.0.1/32, fd77::1/128\n"
    )
    for file in files:
        file.chmod(0o600)
    return Tunnel(client, router, peer, *files)


def test_all_of_it_and_back_again(tunnel: Tunnel) -> None:
    before = [snapshot(namespace) for namespace in (tunnel.client, tunnel.peer)]
    for each in INTERNET:
        assert_pings(tunnel.client, each)
    inside, outside = tunnel.forwarded()
    assert inside == 0
    assert outside > 0, "without the tunnel the router sees it all"

    tunnel.up()
    for each in INTERNET:
        assert_pings(tunnel.client, each)
        assert_transfers(tunnel.client, tunnel.peer, each, 300_000)
    inside, still_outside = tunnel.forwarded()
    assert inside > 12, "the encrypted datagrams go to the endpoint outside of the tunnel"
    assert still_outside == outside, "nothing but them does"

    for each in (*LAN_HOST, BEYOND):
        assert_pings(tunnel.client, each)
    assert tunnel.forwarded() == (inside, outside), "the LAN is reached without the tunnel"

    tunnel.down()
    until(lambda: not tunnel.client.pids() + tunnel.peer.pids(), "the daemons have ended", seconds=10)
    assert [snapshot(namespace) for namespace in (tunnel.client, tunnel.peer)] == before
    for each in INTERNET:
        assert_pings(tunnel.client, each)
    assert tunnel.forwarded()[1] > outside


@pytest.mark.parametrize("tunnel", [4], indirect=True)
def test_what_is_spoofed_into_the_tunnels_addresses_is_dropped(tunnel: Tunnel) -> None:
    """CVE-2019-14899: who shares the LAN must not find out about the tunnel's address."""
    tunnel.router.ip("route", "add", "10.77.0.1", "via", "192.168.5.2")
    tunnel.up()
    assert not _answers(tunnel.router, "10.77.0.1")
    nft = tunnel.client.run("nft", "delete", "table", "ip", f"wg-quick-{tunnel.client_file.stem}")
    assert nft.returncode == 0
    assert _answers(tunnel.router, "10.77.0.1"), "it is the firewall that drops it"
    tunnel.down()


def _answers(namespace: Namespace, to: str) -> bool:
    return namespace.run("ping", "-c", "1", "-W", "1", to, check=False).returncode == 0
