"""Each cause of a tunnel that is not up, brought about in namespaces with real daemons; doctor names it.

Comes in: one interface whose every peer suffers from another cause; another that is initiated to by hand-made
peers; a pair that is well and then broken in one place after the other. Goes out: what doctor says. Rule: the
sentence is checked, and that nothing else is said of the same peer.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pywg.base64_key import key_to_base64
from pywg.doctor.findings import Code
from pywg.uapi.client import UapiClient
from tests.doctor.practice import HandMade, Told, Visit, doctor, occupied, ping_all, under_load
from tests.needs import need, need_root
from tests.netns.daemon import Daemon, KeyPair, Program, daemon_environment, new_preshared_key
from tests.netns.lab import End, Lab, Tunnel
from tests.netns.namespace import Namespace, new_interface_name
from tests.netns.traffic import ping
from tests.netns.wait import until

US4, US6, THEM4, THEM6, NARROW4 = "192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2", "192.0.2.77"
LOW_ORDER = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""The number 1 as a public key: of order 4."""


@pytest.fixture(scope="module", autouse=True)
def _needed() -> None:
    need_root()
    need("ip", "wg", "nft", "nsenter", "ping")


# One peer per cause, seen by the side that begins.


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
        _reach(here, AILING[cause].inner)
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


def _reach(namespace: Namespace, address: str) -> None:
    until(lambda: bool(ping(namespace, address, count=1).received), f"{address} answers", seconds=10)


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
    (found,) = [one for one in ward.of(cause) if one.severity != "ok"]
    assert found.code is code
    assert says in found.sentence
    assert found.advice


def test_a_peer_gone_silent_on_a_narrow_path(ward: Ward) -> None:
    silent, narrow = [one for one in ward.of("silent") if one.severity != "ok"]
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


# What arrives at the side that is begun with.


@dataclass(frozen=True)
class Responder:
    """A daemon that only listens, whose peers are hand-made."""

    daemon: Daemon
    public_key: str
    here: Namespace

    def hand_made(self, *, made_for: str = "", known: bool = True) -> HandMade:
        one = HandMade(self.here, THEM4, (US4, 51820), made_for or self.public_key)
        if known:
            self.daemon.set("peer", key_to_base64(one.identity.public_key), "allowed-ips", "10.77.0.2/32")
        return one

    def refuses(self, one: HandMade, at: int) -> bool:
        """Whether it counts a refusal, and does not answer."""
        before = self._refusals()
        one.send(at)
        until(lambda: self._refusals() > before, "it has refused", seconds=10)
        return one.answer(within=0) is None

    def _refusals(self) -> int:
        status = UapiClient(self.daemon.interface).status()
        assert status is not None
        counts = [
            status.drops,
            status.handshake_failures,
            *(peer.handshake_failures for peer in status.peers),
        ]
        return sum(sum(each.values()) for each in counts)

    def forget(self, one: HandMade) -> None:
        self.daemon.set("peer", key_to_base64(one.identity.public_key), "remove")


@pytest.fixture(scope="module")
def responder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Responder]:
    with Lab(tmp_path_factory.mktemp("responder")) as lab:
        here, there = lab.namespace("a"), lab.namespace("b")
        lab.join(here, there)
        here.ip("address", "add", f"{US4}/24", "dev", "eth0")
        there.ip("address", "add", f"{THEM4}/24", "dev", "eth0")
        daemon = lab.start(Program.PYWG, here)
        key = KeyPair.generate()
        daemon.configure(f"[Interface]\nPrivateKey = {key.private}\nListenPort = 51820\n")
        here.ip("address", "add", "10.77.0.1/24", "dev", daemon.interface)
        here.ip("link", "set", daemon.interface, "up")
        daemon.until_link_is("up")
        yield Responder(daemon, key.public, there)


def test_made_for_another_key(responder: Responder) -> None:
    one = responder.hand_made(made_for=KeyPair.generate().public)
    assert responder.refuses(one, 1_700_000_000)
    visit = doctor(responder.daemon.namespace, responder.daemon.interface)
    (found,) = visit.ill
    assert found.code is Code.MADE_FOR_ANOTHER_KEY
    assert "made for another public key than ours" in found.sentence
    assert responder.public_key in (found.advice or "")
    responder.forget(one)


def test_a_peers_clock_is_behind(responder: Responder) -> None:
    one = responder.hand_made()
    one.send(1_700_000_000)
    assert one.answer() is not None
    assert responder.refuses(one, 1_600_000_000)
    visit = doctor(responder.daemon.namespace, responder.daemon.interface)
    (found,) = [told for told in visit.of(key_to_base64(one.identity.public_key)) if told.severity != "ok"]
    assert found.code is Code.STALE_TIMESTAMP
    assert "initiations (1) carry a time before that of an earlier one" in found.sentence
    responder.forget(one)


def test_answers_are_never_used(responder: Responder) -> None:
    one = responder.hand_made()
    for second in range(3):
        one.send(1_700_000_000 + second)
        assert one.answer() is not None
    visit = doctor(responder.daemon.namespace, responder.daemon.interface)
    (found,) = [told for told in visit.of(key_to_base64(one.identity.public_key)) if told.severity != "ok"]
    assert found.code is Code.NEVER_CONFIRMED
    assert "were answered 3 times" in found.sentence
    responder.forget(one)


def test_a_handshake_just_begun(responder: Responder) -> None:
    """No verdict yet. It must be asked for within 2 s, so that a busy machine gets another try."""
    daemon = responder.daemon
    for number in range(1, 9):
        peer = KeyPair.generate().public
        nobody = ("endpoint", f"192.0.2.{90 + number}:9", "persistent-keepalive", "25")
        daemon.set("peer", peer, "allowed-ips", "10.77.0.3/32", *nobody)
        (found,) = doctor(daemon.namespace, daemon.interface).of(peer)
        daemon.set("peer", peer, "remove")
        if found.code is not Code.NOTHING_CAME_BACK:
            break
    assert found.code is Code.HANDSHAKE_PENDING
    assert found.severity == "warning"


def test_an_unknown_key_under_load_and_at_a_rate(responder: Responder) -> None:
    """The last, for what it shows is remembered for minutes."""
    stranger = responder.hand_made(known=False)
    assert responder.refuses(stranger, 1_700_000_000)
    key = key_to_base64(stranger.identity.public_key)
    found = doctor(responder.daemon.namespace, responder.daemon.interface).the(Code.UNKNOWN_KEY)
    assert (
        f"from {THEM4}:{stranger.socket.getsockname()[1]} with a public key that no peer here has: {key}"
        in (found.sentence)
    )
    one = responder.hand_made()

    def is_asked_who_it_is() -> bool:
        """While the other is under load: its queue may be full, and the load over before it is our turn."""
        stranger.flood(3000)
        one.send(1_700_000_000)
        reply = one.answer(within=2)
        return reply is not None and one.cookies.consume_reply(reply, 0)

    until(is_asked_who_it_is, "under load, it wants to know who is there", seconds=20)

    def insist() -> bool:
        """Faster than 20 a second, with a cookie, while it is under load."""
        stranger.flood(2000)
        for _ in range(50):
            one.socket.sendto(one.make(1_700_000_000), one.victim)
            time.sleep(0.01)
        return "rate_limit" in str(UapiClient(responder.daemon.interface).status())

    until(insist, "it is rate limited", seconds=10)
    visit = doctor(responder.daemon.namespace, responder.daemon.interface)
    assert "so many handshakes arrive" in visit.the(Code.UNDER_LOAD).sentence
    assert "one source sends too many" in visit.the(Code.RATE_LIMITED).sentence


# A tunnel that is well, and is then broken in one place after the other.


@pytest.fixture(scope="module")
def tunnel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tunnel]:
    with Lab(tmp_path_factory.mktemp("tunnel")) as lab:
        tunnel = lab.tunnel(Program.PYWG, Program.PYWG)
        _reach(tunnel.initiator.namespace, tunnel.responder.addresses.inner4)
        yield tunnel


def restart(end: End) -> None:
    """Down, and up as it was."""
    end.namespace.ip("link", "set", end.daemon.interface, "down")
    end.namespace.ip("address", "flush", "dev", end.daemon.interface)
    end.up()


@contextmanager
def occupied_after(end: End) -> Iterator[None]:
    """Its port was taken while the interface was down, and now it is up again."""
    end.namespace.ip("link", "set", end.daemon.interface, "down")
    end.namespace.ip("address", "flush", "dev", end.daemon.interface)
    end.daemon.until_link_is("down")
    with occupied(end.namespace, end.port):
        end.set_up()
        yield


def test_a_healthy_tunnel_says_so(tunnel: Tunnel) -> None:
    for end in (tunnel.initiator, tunnel.responder):
        visit = doctor(end.namespace, end.daemon.interface)
        assert visit.status == 0
        assert [one.code for one in visit.findings] == [Code.MACHINE_READY, Code.INTERFACE_READY, Code.WELL]


def test_as_text(tunnel: Tunnel) -> None:
    end = tunnel.initiator
    words = (sys.executable, "-P", "-m", "pywg", "doctor", end.daemon.interface)
    done = end.namespace.run(*words, env=daemon_environment(COLUMNS="200"), check=False)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout, "no terminal, no colours"
    lines = done.stdout.splitlines()
    assert lines[0] == "machine"
    assert lines[2] == end.daemon.interface
    key = tunnel.responder.keys.public
    assert lines[4] == f"  peer({key[:4]}...{key[-5:-1]}) {tunnel.responder.endpoint(4)}"
    assert lines[5].startswith("    ok       The tunnel is up: handshake ")
    painted = end.namespace.run(*words, env=daemon_environment(WG_COLOR_MODE="always"), check=False)
    assert "\x1b[32mok" in painted.stdout


def test_the_interface_is_down(tunnel: Tunnel) -> None:
    end = tunnel.initiator
    end.namespace.ip("link", "set", end.daemon.interface, "down")
    visit = doctor(end.namespace, end.daemon.interface)
    assert [one.code for one in visit.findings] == [Code.MACHINE_READY, Code.INTERFACE_DOWN]
    restart(end)


def test_the_port_is_taken(tunnel: Tunnel) -> None:
    end = tunnel.initiator
    interface = end.daemon.interface
    with occupied_after(end):
        until(
            lambda: "in use" in str(UapiClient(interface).status()),
            "the daemon has tried its port",
            seconds=5,
        )
        (found,) = doctor(end.namespace, interface).ill
    assert found.code is Code.PORT_TAKEN
    assert f"cannot listen on UDP port {end.port}: it is in use by" in found.sentence
    assert f"(pid {os.getpid()})" in found.sentence
    restart(end)


def test_no_address(tunnel: Tunnel) -> None:
    end = tunnel.initiator
    interface = end.daemon.interface
    end.namespace.ip("address", "flush", "dev", interface)
    found = doctor(end.namespace, interface).the(Code.NO_ADDRESS)
    assert found.severity == "warning"
    end.up()


def test_no_private_key_and_then_no_peers(tunnel: Tunnel) -> None:
    end = tunnel.initiator
    end.daemon.set("private-key", "/dev/null")
    ping_all(end.namespace, tunnel.responder.addresses.inner4)
    (found,) = doctor(end.namespace, end.daemon.interface).ill
    assert found.code is Code.NO_PRIVATE_KEY
    end.daemon.configure(end.interface_section())
    (found,) = doctor(end.namespace, end.daemon.interface).ill
    assert found.code is Code.NO_PEERS


def test_a_name_clash(tunnel: Tunnel) -> None:
    """The interface was moved away, and another of its name made: of that one the daemon knows nothing."""
    end, elsewhere = tunnel.responder, tunnel.initiator.namespace
    interface = end.daemon.interface
    end.namespace.ip("link", "set", interface, "netns", elsewhere.name)
    visit = doctor(end.namespace, interface)
    assert visit.the(Code.LINK_ELSEWHERE).severity == "ok"
    end.namespace.ip("link", "add", interface, "type", "veth", "peer", "name", "other")
    (found,) = [one for one in doctor(end.namespace, interface).ill if one.code is Code.NAME_CLASH]
    assert "kind: veth" in found.sentence
    end.namespace.ip("link", "delete", interface)
    elsewhere.ip("link", "set", interface, "netns", end.namespace.name)


# Another daemon, and none at all.


def test_wireguard_go_tells_less(tmp_path: Path) -> None:
    need("wireguard-go")
    with Lab(tmp_path) as lab:
        tunnel = lab.tunnel(Program.WIREGUARD_GO, Program.PYWG)
        one, other = tunnel.initiator, tunnel.responder
        stranger = KeyPair.generate().public
        one.daemon.set("peer", stranger, "endpoint", at(99), "allowed-ips", "10.77.0.99/32")
        _reach(one.namespace, other.addresses.inner4)
        ping_all(one.namespace, "10.77.0.99")
        visit = doctor(one.namespace, one.daemon.interface)
        assert "tells less" in visit.the(Code.TELLS_LESS).sentence
        (found,) = visit.ill
        assert found.code is Code.NOTHING_CAME_BACK
        assert found.peer == stranger
        assert "cannot be known from this daemon" in found.sentence
        assert [told.code for told in visit.of(other.keys.public)] == [Code.WELL]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Namespace]:
    with Lab(tmp_path) as lab:
        yield lab.namespace()


def test_no_such_interface(empty: Namespace) -> None:
    name = new_interface_name()
    (found,) = doctor(empty, name).ill
    assert found.code is Code.INTERFACE_MISSING
    assert f"There is no interface {name}, and no file for it in /etc/wireguard" in found.sentence


def test_another_programs_tunnel(empty: Namespace) -> None:
    name = new_interface_name()
    empty.ip("tuntap", "add", name, "mode", "tun")
    (found,) = doctor(empty, name).ill
    assert found.code is Code.NOT_WIREGUARD
    assert f"The interface {name} is a TUN device" in found.sentence


def test_a_configuration_whose_interface_is_not_up(empty: Namespace, tmp_path: Path) -> None:
    """Every cause is told at once, in the order of mending."""
    file = tmp_path / f"{new_interface_name()}.conf"
    own, peer = KeyPair.generate(), KeyPair.generate()
    file.write_text(
        "[Interface]\nListenPort = 500\nAddress = 10.0.0.1/24\n"
        f"[Peer]\nPublicKey = {peer.public}\nEndpoint = no-such-host.invalid:51820\n"
    )
    file.chmod(0o600)
    with occupied(empty, 500):
        visit = doctor(empty, str(file))
    assert [one.code for one in visit.ill] == [
        Code.NO_PRIVATE_KEY,
        Code.PORT_TAKEN,
    ], "without a private key the rest can wait"
    assert f"(pid {os.getpid()})" in visit.the(Code.PORT_TAKEN).sentence
    file.write_text(file.read_text().replace("[Interface]\n", f"[Interface]\nPrivateKey = {own.private}\n"))
    visit = doctor(empty, str(file))
    assert [one.code for one in visit.ill] == [Code.NAME_UNRESOLVED], "that it is not up follows from it"
    assert "The name of the endpoint, no-such-host.invalid, does not resolve: " in (
        visit.the(Code.NAME_UNRESOLVED).sentence
    )


def test_a_name_that_stands_for_another_address_now(tmp_path: Path) -> None:
    """The interface still sends to the old one, and nothing comes back: the name is why."""
    with Lab(tmp_path) as lab:
        namespace = lab.namespace()
        namespace.ip("address", "add", f"{US4}/24", "dev", "lo")
        daemon = lab.start(Program.PYWG, namespace)
        own, peer = KeyPair.generate(), KeyPair.generate()
        file = tmp_path / f"{daemon.interface}.conf"
        sections = f"[Interface]\nPrivateKey = {own.private}\n[Peer]\nPublicKey = {peer.public}\n"
        file.write_text(f"{sections}Endpoint = localhost:51820\nAllowedIPs = 10.77.0.2/32\n")
        file.chmod(0o600)
        daemon.configure(f"{sections}Endpoint = {US4}:5\nAllowedIPs = 10.77.0.2/32\n")
        namespace.ip("address", "add", "10.77.0.1/24", "dev", daemon.interface)
        namespace.ip("link", "set", daemon.interface, "up")
        daemon.until_link_is("up")
        ping_all(namespace, "10.77.0.2")
        (found,) = doctor(namespace, str(file)).of(peer.public)
        assert found.code is Code.ENDPOINT_OUTDATED
        assert f"localhost now stands for 127.0.0.1:51820, and the interface still sends to {US4}:5" in (
            found.sentence
        )


def test_a_wrong_configuration(empty: Namespace, tmp_path: Path) -> None:
    file = tmp_path / f"{new_interface_name()}.conf"
    file.write_text("[Interface]\nAdress = 10.0.0.1/24\n")
    found = doctor(empty, str(file)).the(Code.CONFIG_WRONG)
    assert f"{file}:2" in found.sentence
