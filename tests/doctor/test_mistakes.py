"""Mistakes of a newcomer, made in namespaces with real daemons: the tunnel seems well, or is not made at all.

Comes in: two machines and files. Goes out: what doctor says on either. Rule: as in test_peers.
"""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pywg.doctor.findings import Code
from pywg.uapi.client import UapiClient
from tests.doctor.practice import HandMade, doctor, ping_all
from tests.netns.daemon import KeyPair, Program, daemon_environment
from tests.netns.lab import Lab, Tunnel
from tests.netns.namespace import Namespace, new_interface_name
from tests.netns.traffic import ping
from tests.netns.wait import until
from tests.nobody import as_nobody

pytestmark = pytest.mark.usefixtures("doctors_tools")
HOSTS = ("192.168.1.123", "fd05::123")
"""In the LAN behind the responder."""
NETWORKS = "192.168.1.0/24,fd05::/64"
POST_UP = "iptables -A FORWARD -i %i -j ACCEPT; iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE"


@dataclass(frozen=True)
class Walk:
    """The README's second walk-through, without `ip_forward`."""

    tunnel: Tunnel
    file: Path
    """The responder's."""


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    directory = tmp_path_factory.mktemp("walk")
    with Lab(directory) as lab:
        tunnel = lab.tunnel(Program.PYWG, Program.PYWG)
        one, other = tunnel.initiator, tunnel.responder
        keys, allowed = other.keys.public, f"{other.addresses.inner4}/32,{NETWORKS}"
        one.daemon.set("peer", keys, "allowed-ips", f"{allowed},{other.addresses.inner6}/128")
        for network in NETWORKS.split(","):
            one.namespace.ip("route", "add", network, "dev", one.daemon.interface)
        for address in ("192.168.1.1/24", "fd05::1/64"):
            other.namespace.ip("address", "add", address, "dev", "eth0")
        until(
            lambda: bool(ping(one.namespace, other.addresses.inner4, count=1).received),
            "the tunnel is up",
            seconds=10,
        )
        file = directory / f"{other.daemon.interface}.conf"
        file.write_text(f"{other.interface_section()}PostUp = {POST_UP}\n{one.peer_section()}")
        file.chmod(0o600)
        yield Walk(tunnel, file)


def test_the_gateway_does_not_forward(walk: Walk) -> None:
    gateway = walk.tunnel.responder
    interface = gateway.daemon.interface
    quiet = doctor(gateway.namespace, interface)
    assert quiet.status == 0, "nobody asked it to"
    assert Code.NOT_FORWARDING not in [one.code for one in quiet.findings]
    found = doctor(gateway.namespace, str(walk.file)).the(Code.NOT_FORWARDING)
    assert found.severity == "problem"
    assert "does not forward IPv4, and the hooks of the file are there for that" in found.sentence
    assert found.advice is not None
    assert found.advice.endswith("sysctl -w net.ipv4.ip_forward=1")

    ping_all(walk.tunnel.initiator.namespace, *HOSTS)
    visit = doctor(gateway.namespace, interface)
    four, six = [one for one in visit.findings if one.code is Code.NOT_FORWARDING]
    assert (four.severity, six.severity) == ("ok", "problem")
    assert "does not forward IPv4; 1 packet for others was dropped" in four.sentence
    assert "does not forward IPv6, and 1 packet for others was dropped" in six.sentence
    assert [one.code for one in visit.of(walk.tunnel.initiator.keys.public)] == [Code.WELL]

    gateway.namespace.sysctl("net/ipv4/ip_forward", "1")
    gateway.namespace.sysctl("net/ipv6/conf/all/forwarding", "1")
    assert doctor(gateway.namespace, str(walk.file)).status == 0


def test_the_other_side_is_told_where_to_look(walk: Walk) -> None:
    end = walk.tunnel.initiator
    (found,) = doctor(end.namespace, end.daemon.interface).of(walk.tunnel.responder.keys.public)
    assert (found.code, found.severity) == (Code.WELL, "ok")
    assert found.advice is not None
    assert "If hosts of 192.168.1.0/24, fd05::/64 do not answer: the peer must forward" in found.advice


def test_the_file_was_changed_and_not_synced(walk: Walk, tmp_path: Path) -> None:
    file = tmp_path / walk.file.name
    file.write_text(walk.file.read_text().replace("AllowedIPs = ", "AllowedIPs = 10.77.0.9/32, "))
    file.chmod(0o600)
    namespace = walk.tunnel.responder.namespace
    found = doctor(namespace, str(file)).the(Code.NOT_WHAT_ITS_FILE_SAYS)
    assert "the allowed IPs 10.77.0.9/32, the interface does not" in found.sentence
    file.write_text(f"{file.read_text()}".replace("[Interface]\n", "[Interface]\nSaveConfig = true\n"))
    assert Code.NOT_WHAT_ITS_FILE_SAYS not in [one.code for one in doctor(namespace, str(file)).findings]


# One machine.


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path) as lab:
        yield lab


def test_the_address_is_nobodys(lab: Lab) -> None:
    """And multicast, which may be sent without anybody's wish, is not told."""
    namespace, peer = lab.namespace(), KeyPair.generate()
    namespace.ip("link", "set", "lo", "up")
    daemon = lab.start(Program.PYWG, namespace)
    daemon.configure(
        f"[Interface]\nPrivateKey = {KeyPair.generate().private}\n"
        f"[Peer]\nPublicKey = {peer.public}\nAllowedIPs = 10.77.0.2/32\nEndpoint = 127.0.0.1:5\n"
    )
    for address in ("10.77.0.1/24", "fd77::1/64"):
        namespace.ip("address", "add", address, "dev", daemon.interface)
    namespace.ip("link", "set", daemon.interface, "up")
    ping_all(namespace, f"ff02::1%{daemon.interface}")
    until(lambda: "no_route" in str(UapiClient(daemon.interface).status()), "it was dropped", seconds=15)
    assert doctor(namespace, daemon.interface).status == 0

    ping_all(namespace, "10.77.0.3")
    (found,) = doctor(namespace, daemon.interface).ill
    assert found.code is Code.DESTINATION_NOT_ALLOWED
    assert (
        f"1 packet went into {daemon.interface} for addresses that no peer is allowed; the allowed IPs cover "
        "10.77.0.2/32." in found.sentence
    )


def test_an_address_of_both_sides(lab: Lab) -> None:
    namespace, peer = lab.namespace(), KeyPair.generate()
    daemon = lab.start(Program.PYWG, namespace)
    daemon.configure(
        f"[Interface]\nPrivateKey = {KeyPair.generate().private}\n"
        f"[Peer]\nPublicKey = {peer.public}\nAllowedIPs = 10.77.0.1/32, 10.77.0.0/24\n"
    )
    namespace.ip("address", "add", "10.77.0.1/24", "dev", daemon.interface)
    namespace.ip("link", "set", daemon.interface, "up")
    (found,) = doctor(namespace, daemon.interface).ill
    assert found.code is Code.OWN_ADDRESS_AT_PEER
    assert found.sentence.startswith("10.77.0.1/32 in the peer's allowed IPs is an address of this machine")


def test_a_handshake_answered_and_not_confirmed(lab: Lab) -> None:
    namespace, keys = lab.namespace(), KeyPair.generate()
    namespace.ip("link", "set", "lo", "up")
    daemon = lab.start(Program.PYWG, namespace)
    daemon.configure(f"[Interface]\nPrivateKey = {keys.private}\nListenPort = 51820\n")
    namespace.ip("address", "add", "10.77.0.1/24", "dev", daemon.interface)
    namespace.ip("link", "set", daemon.interface, "up")
    daemon.until_link_is("up")
    one = HandMade(namespace, "127.0.0.1", ("127.0.0.1", 51820), keys.public)
    public = one.public_key
    daemon.set("peer", public, "allowed-ips", "10.77.0.2/32")
    one.send(1_700_000_000)
    assert one.answer() is not None
    (found,) = doctor(namespace, daemon.interface).of(public)
    assert (found.code, found.severity) == (Code.NOT_CONFIRMED_YET, "ok")
    assert "A handshake of the peer was answered " in found.sentence
    assert " ago and is not confirmed yet" in found.sentence


def test_our_own_key_and_one_prefix_twice_in_the_file(lab: Lab, tmp_path: Path) -> None:
    keys, peers = KeyPair.generate(), [KeyPair.generate().public for _ in range(2)]
    file = tmp_path / f"{new_interface_name()}.conf"
    sections = (f"[Peer]\nPublicKey = {key}\nAllowedIPs = 10.0.0.0/8\n" for key in (keys.public, *peers))
    file.write_text(f"[Interface]\nPrivateKey = {keys.private}\n{''.join(sections)}")
    file.chmod(0o600)
    visit = doctor(lab.namespace(), str(file))
    assert [one.code for one in visit.ill] == [
        Code.OWN_KEY_AS_PEER,
        Code.INTERFACE_MISSING,
        Code.CONFIG_DOUBTFUL,
    ]
    assert f"The [Peer] in line 3 of {file} has this interface's own public key" in visit.ill[0].sentence
    assert f"{file}:6: this [Peer] takes 10.0.0.0/8 away from the one in line 3" in visit.ill[2].sentence


def test_a_full_tunnel_whose_daemon_was_killed(lab: Lab, tmp_path: Path) -> None:
    namespace = lab.namespace()
    name = new_interface_name()
    file = tmp_path / f"{name}.conf"
    file.write_text(
        f"[Interface]\nPrivateKey = {KeyPair.generate().private}\nAddress = 10.77.0.1/24\n"
        f"[Peer]\nPublicKey = {KeyPair.generate().public}\nAllowedIPs = 0.0.0.0/0\n"
    )
    file.chmod(0o600)
    before = set(namespace.pids())
    _quick(namespace, "up", file)
    assert Code.LEFT_BEHIND not in [one.code for one in doctor(namespace, name).findings]
    (daemon,) = set(namespace.pids()) - before
    os.kill(daemon, signal.SIGKILL)
    until(lambda: not namespace.has_link(name), "its interface is gone", seconds=15)
    found = doctor(namespace, str(file)).the(Code.LEFT_BEHIND)
    assert found.interface is None
    assert (
        f"{name} is gone and has left behind: nft table ip wg-quick-{name}, rule 'not fwmark 0xca6c lookup "
        "51820' of IPv4" in found.sentence
    )
    assert found.advice == f"Take it away: pywg down {name}"
    _quick(namespace, "down", file)
    assert Code.LEFT_BEHIND not in [one.code for one in doctor(namespace, str(file)).findings]


def test_a_rule_of_nobody_knows_whom(lab: Lab) -> None:
    namespace = lab.namespace()
    namespace.ip("rule", "add", "not", "fwmark", "0xca6c", "lookup", "51820")
    found = doctor(namespace, new_interface_name()).the(Code.LEFT_BEHIND)
    assert found.advice == "Take it away: ip -4 rule delete not fwmark 0xca6c lookup 51820"
    namespace.ip("rule", "delete", "not", "fwmark", "0xca6c", "lookup", "51820")
    assert Code.LEFT_BEHIND not in [one.code for one in doctor(namespace, new_interface_name()).findings]


def _quick(namespace: Namespace, word: str, file: Path) -> None:
    command = (sys.executable, "-P", "-m", "pywg", word, str(file))
    namespace.run(*command, env=daemon_environment(LOG_LEVEL=""))


def test_not_as_root(lab: Lab, nobodys_python: str) -> None:
    """One finding, and no verdict on a file that cannot be seen."""
    namespace = lab.namespace()
    with TemporaryDirectory() as directory:  # Those of pytest are closed to others.
        Path(directory).chmod(0o755)
        file = Path(directory) / f"{new_interface_name()}.conf"
        file.write_text("[Interface]\n")
        file.chmod(0o600)
        done = namespace.run(
            *(*as_nobody(), nobodys_python, "-P", "-m", "pywg", "doctor", str(file)),
            check=False,
        )
    assert done.returncode == 2, done.stderr
    assert done.stdout.count("  problem  ") == 1
    assert "  warning  " not in done.stdout
    said = " ".join(done.stdout.split())
    assert f"The configuration {file} may not be read." in said
    assert said.endswith(f"-> Run doctor as root: sudo pywg doctor {file}")
