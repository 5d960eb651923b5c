"""Another program's daemon, and none at all: doctor tells what can be told then."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pywg.doctor.findings import Code
from tests.doctor.practice import doctor, occupied, ping_all, reach
from tests.needs import need
from tests.netns.daemon import KeyPair, Program
from tests.netns.lab import Lab
from tests.netns.namespace import Namespace, new_interface_name

US4 = "192.0.2.1"
pytestmark = pytest.mark.usefixtures("doctors_tools")


def test_wireguard_go_tells_less(tmp_path: Path) -> None:
    need("wireguard-go")
    with Lab(tmp_path) as lab:
        tunnel = lab.tunnel(Program.WIREGUARD_GO, Program.PYWG)
        one, other = tunnel.initiator, tunnel.responder
        stranger = KeyPair.generate().public
        one.daemon.set("peer", stranger, "endpoint", "192.0.2.2:6099", "allowed-ips", "10.77.0.99/32")
        reach(one.namespace, other.addresses.inner4)
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
