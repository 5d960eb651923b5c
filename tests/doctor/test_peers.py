"""One interface whose every peer suffers from another cause, with real daemons; doctor names each.

Rule kept: the sentence is checked, and that nothing else is said of the same peer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pywg.base64_key import key_to_base64
from pywg.doctor.findings import Code
from pywg.uapi.client import UapiClient
from tests.doctor.practice import Told, Visit, doctor, ping_all, reach, under_load
from tests.netns.daemon import Daemon, KeyPair, Program, new_preshared_key
from tests.netns.lab import Lab
from tests.netns.namespace import Namespace
from tests.netns.traffic import ping
from tests.netns.wait import until

US4, US6, THEM4, THEM6, NARROW4 = "192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2", "192.0.2.77"
LOW_ORDER = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""The number 1 as a public key: of order 4."""
pytestmark = pytest.mark.usefixtures("doctors_tools")


@dataclass(frozen=True)
class Ailing:
    """A peer of the first interface."""

    inner: str
    endpoint: str = ""
    allowed: str = ""
    """Other than the inner address; ``-``: none."""


def at(number: int, port: int = 0) -> str:
    return f"{THEM4}:{port or 6000 + number}"


AILING = {
    "no endpoint": Ailing("10.77.0.11"),
    "dropped": Ailing("10.77.0.12", at(12)),
    "closed": Ailing("10.77.0.13", at(13)),
    "host": Ailing("10.77.0.14", at(14)),
    "network": Ailing("10.77.0.15", at(15)),
    "prohibited": Ailing("10.77.0.16", f"[{THEM6}]:6016"),
    "own firewall": Ailing("10.77.0.17", at(17)),
    "psk": Ailing("10.77.0.18", at(18)),
    "source": Ailing("10.77.0.19", at(19)),
    "silent": Ailing("10.77.0.20", f"{NARROW4}:6020"),
    "loop": Ailing("10.77.0.21", "10.66.0.9:6021", "10.77.0.21/32,10.66.0.0/24"),
    "no route": Ailing("10.77.0.22", "203.0.113.5:6022"),
    "loaded": Ailing("10.77.0.23", at(23)),
    "astray": Ailing("10.77.0.24", at(24), "10.88.0.0/16,10.77.0.24/32"),
    "no allowed ips": Ailing("10.77.0.25", at(25), "-"),
    "waiting": Ailing("10.77.0.26"),
    "low order": Ailing("10.77.0.27", at(27)),
}

FIREWALL_THERE = """
table inet test {
  chain input {
    type filter hook input priority 0;
    udp dport 6012 drop
    udp dport 6014 reject with icmp type host-unreachable
    udp dport 6015 reject with icmp type net-unreachable
    udp dport 6016 reject with icmpv6 type admin-prohibited
  }
}
"""
FIREWALL_HERE = """
table inet test {
  chain output {
    type filter hook output priority 0;
    udp dport 6017 drop
  }
}
"""
SILENCE = """
table inet silence {
  chain input {
    type filter hook input priority -1;
    udp dport 6020 drop
  }
  chain output {
    type filter hook output priority -1;
    udp sport 6020 drop
  }
}
"""


@dataclass(frozen=True)
class Ward:
    """The first interface after all its peers were pinged."""

    visit: Visit
    keys: dict[str, str]
    beginner: Daemon
    wrong_psk: Daemon
    beginners_key: str

    def of(self, cause: str) -> list[Told]:
        return self.visit.of(self.keys[cause])


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with Lab(tmp_path_factory.mktemp("ward")) as lab:
        here, there = lab.namespace("a"), lab.namespace("b")
        lab.join(here, there)
        for namespace, addresses in ((here, (US4, US6)), (there, (THEM4, THEM6, NARROW4))):
            for address in addresses:
                bits = 64 if ":" in address else 24
                namespace.ip("address", "add", f"{address}/{bits}", "dev", "eth0")
        # As a path through a tunnel of somebody else's would be.
        here.ip("route", "add", f"{NARROW4}/32", "dev", "eth0", "mtu", "1400")
        there.nft(FIREWALL_THERE)
        here.nft(FIREWALL_HERE)
        yield _admit(lab, here, there)


def _admit(lab: Lab, here: Namespace, there: Namespace) -> Ward:
    beginner = lab.start(Program.HASTY, here)
    key = KeyPair.generate()
    keys = {cause: KeyPair.generate() for cause in AILING}
    public = {cause: pair.public for cause, pair in keys.items()} | {"low order": LOW_ORDER}
    # The three that have a daemon over there.
    others = {cause: lab.start(Program.HASTY, there) for cause in ("psk", "source", "silent")}
    for cause, daemon in others.items():
        psk = f"PresharedKey = {new_preshared_key()}\n" if cause == "psk" else ""
        port = AILING[cause].endpoint.rpartition(":")[2]
        daemon.configure(
            f"[Interface]\nPrivateKey = {keys[cause].private}\nListenPort = {port}\n"
            f"[Peer]\nPublicKey = {key.public}\nAllowedIPs = 10.77.0.1/32\n{psk}"
        )
        there.ip("address", "add", f"{AILING[cause].inner}/32", "dev", daemon.interface)
        there.ip("link", "set", daemon.interface, "mtu", "1340", "up")
        # Three tunnels to the same host: each address answers through its own.
        there.ip("rule", "add", "from", AILING[cause].inner, "lookup", port)
        there.ip("route", "add", "10.77.0.1/32", "dev", daemon.interface, "table", port)
    sections = [f"[Interface]\nPrivateKey = {key.private}\nListenPort = 51820\n"]
    for cause, peer in AILING.items():
        allowed = peer.allowed or f"{peer.inner}/32"
        sections.append(
            f"[Peer]\nPublicKey = {public[cause]}\n"
            + ("" if allowed == "-" else f"AllowedIPs = {allowed}\n")
            + (f"Endpoint = {peer.endpoint}\n" if peer.endpoint else "")
        )
    beginner.configure("".join(sections))
    here.ip("address", "add", "10.77.0.1/24", "dev", beginner.interface)
    here.ip("link", "set", beginner.interface, "up")
    here.ip("route", "add", "10.66.0.0/24", "dev", beginner.interface)
    for daemon in (beginner, *others.values()):
        daemon.until_link_is("up")
    # These two work at first. One then speaks from an address it was not given, the other is silenced.
    for cause in ("source", "silent"):
        reach(here, AILING[cause].inner)
    there.ip("address", "add", "10.77.0.99/32", "dev", others["source"].interface)
    there.ip("rule", "add", "from", "10.77.0.99", "lookup", "6019")
    there.nft(SILENCE)
    untried = {"waiting", "astray", "no allowed ips"}
    with under_load(there, THEM4, 6023, public["loaded"]):
        ping_all(here, *(peer.inner for cause, peer in AILING.items() if cause not in untried))
        until(lambda: _tries(beginner, public["silent"]) > 1, "the silent peer is missed", seconds=15)
        for _ in range(5):
            ping(there, "10.77.0.1", "-I", "10.77.0.99", count=2, wait=0.3)
            visit = doctor(here, beginner.interface)
            # What was refused is told until the next session begins, which on a busy machine may be at once.
            if Code.SOURCE_NOT_ALLOWED in [one.code for one in visit.of(public["source"])]:
                break
    return Ward(visit, public, beginner, others["psk"], key.public)


def _tries(daemon: Daemon, public_key: str) -> int:
    """Initiations that were not answered."""
    status = UapiClient(daemon.interface).status()
    assert status is not None
    (peer,) = [one for one in status.peers if key_to_base64(one.public_key) == public_key]
    return peer.recent.handshakes.get("initiations_sent", 0)


@pytest.mark.parametrize(
    ("cause", "code", "says"),
    [
        ("no endpoint", Code.NO_ENDPOINT, "no endpoint: nobody knows where to send"),
        ("dropped", Code.NOTHING_CAME_BACK, f"went to {at(12)} and nothing ever came back: a firewall"),
        ("closed", Code.PORT_CLOSED, "nobody listens on that port"),
        ("host", Code.HOST_UNREACHABLE, f"The host at {at(14)} is unreachable"),
        ("network", Code.NETWORK_UNREACHABLE, f"The network of {at(15)} is unreachable"),
        ("prohibited", Code.PROHIBITED, f"A firewall on the way to [{THEM6}]:6016 prohibits"),
        ("own firewall", Code.SEND_REFUSED, "This machine itself refused to send"),
        ("psk", Code.WRONG_KEY, "the preshared keys of the two sides differ"),
        ("source", Code.SOURCE_NOT_ALLOWED, "2 packets of the peer had a source address outside"),
        ("loop", Code.ROUTING_LOOP, "routed into the tunnel itself"),
        ("no route", Code.NO_ROUTE_TO_ENDPOINT, "no route to the endpoint 203.0.113.5:6022"),
        ("loaded", Code.PEER_UNDER_LOAD, "The peer is under load"),
        ("astray", Code.ROUTE_ELSEWHERE, "Packets for 10.88.0.0/16 (no route) are not routed to"),
        ("no allowed ips", Code.NO_ALLOWED_IPS, "no allowed IPs"),
        ("low order", Code.BAD_PUBLIC_KEY, "of low order"),
    ],
)
def test_of_one_peer(ward: Ward, cause: str, code: Code, says: str) -> None:
    (found,) = ward.visit.ill_of(ward.keys[cause])
    assert found.code is code
    assert says in found.sentence
    assert found.advice


def test_a_peer_gone_silent_on_a_narrow_path(ward: Ward) -> None:
    silent, narrow = ward.visit.ill_of(ward.keys["silent"])
    assert silent.code is Code.GONE_SILENT
    assert "The tunnel worked until" in silent.sentence
    assert narrow.code is Code.MTU_TOO_LARGE
    assert (
        "of 1420 bytes become datagrams of 1480, and the way to the endpoint carries 1400" in narrow.sentence
    )
    assert narrow.advice is not None
    assert "MTU = 1340" in narrow.advice


def test_a_peer_that_must_begin_is_not_called_ill(ward: Ward) -> None:
    (found,) = ward.of("waiting")
    assert (found.code, found.severity) == (Code.WAITING_FOR_PEER, "ok")


def test_the_tunnel_whose_packets_are_refused_is_up(ward: Ward) -> None:
    assert Code.WELL in [one.code for one in ward.of("source")]


def test_a_ward_is_not_well(ward: Ward) -> None:
    assert ward.visit.status == 1


def test_wrong_psk_as_the_responder_sees_it(ward: Ward) -> None:
    visit = doctor(ward.wrong_psk.namespace, ward.wrong_psk.interface)
    # Beside it, and rightly: the routes of that namespace go by the source (see `_admit`).
    assert [one.code for one in visit.ill] == [Code.NEVER_CONFIRMED, Code.ROUTE_ELSEWHERE]
    assert "it used none of the answers: they do not reach it, or its preshared key is another" in (
        visit.ill[0].sentence
    )
