"""Finding facts: which addresses are tried for a prefix, names that hang, who has what, and wrong words."""

import os
import socket
import subprocess
import sys
import threading
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from pywg.config.model import HostPort, PeerConfig
from pywg.doctor import names
from pywg.doctor.facts import NameFacts
from pywg.doctor.look import look, samples
from pywg.doctor.network_linux import LinuxNetworkQuestions
from pywg.doctor.processes_linux import holder_of_port, holder_of_tun
from pywg.endpoint import Endpoint
from tests.needs import need_root

KEY = bytes(32)


@pytest.mark.parametrize(
    ("prefix", "tried"),
    [
        ("10.0.0.2/32", ["10.0.0.2"]),
        ("10.0.0.2/31", ["10.0.0.3", "10.0.0.2"]),
        ("10.0.0.0/24", ["10.0.0.128", "10.0.0.1", "10.0.0.254"]),
        ("0.0.0.0/0", ["128.0.0.0", "0.0.0.1", "255.255.255.254"]),
        ("fd00::/64", ["fd00::8000:0:0:0", "fd00::1", "fd00::ffff:ffff:ffff:fffe"]),
    ],
)
def test_addresses_tried_for_a_prefix(prefix: str, tried: list[str]) -> None:
    assert [str(ip_address(one)) for one in samples(ip_network(prefix))] == tried


def test_loopback_is_a_link_with_an_address_and_a_local_route() -> None:
    with LinuxNetworkQuestions() as network:
        link = network.link("lo")
        route = network.route(bytes([127, 0, 0, 1]))
        assert network.link("no-such-link") is None
    assert link is not None
    assert (link.is_up, link.kind) == (True, "")
    assert ip_interface("127.0.0.1/8") in link.addresses
    assert (route.interface, route.is_local) == ("lo", True)
    assert route.mtu == link.mtu


def _names(monkeypatch: pytest.MonkeyPatch, look_up: object, *hosts: str) -> list[NameFacts]:
    monkeypatch.setattr(names, "look_up", look_up)
    peers = [
        PeerConfig(bytes([number]) * 32, endpoint=HostPort(host, "5")) for number, host in enumerate(hosts)
    ]
    return list(names.look_up_names(peers).values())


def test_names_are_looked_up_and_addresses_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _names(
        monkeypatch,
        lambda name: [Endpoint("192.0.2.1", 5)],
        "a.example",
        "192.0.2.7",
        "2001:db8::1",
        "fe80::1%x",
    )
    assert [(one.written.host, one.resolved, one.error) for one in found] == [
        ("a.example", (Endpoint("192.0.2.1", 5),), "")
    ]


def test_a_name_that_does_not_resolve_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: HostPort) -> list[Endpoint]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    (found,) = _names(monkeypatch, refuse, "a.example")
    assert found.error == "Name or service not known"


def test_name_servers_that_do_not_answer_hold_doctor_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr(names, "PATIENCE", 0.1)

    def hang(_: HostPort) -> list[Endpoint]:
        asked.wait(10)
        return []

    found = _names(monkeypatch, hang, *(f"{number}.example" for number in range(30)))
    asked.set()
    assert [one.error for one in found] == ["no name server answered within 0.1 s"] * 30


def test_who_has_a_port() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as holder:
            holder.bind((address, 0))
            port = holder.getsockname()[1]
            assert holder_of_port(port).endswith(f" (pid {os.getpid()})")
        assert holder_of_port(port) == ""


def test_who_has_a_tun_device() -> None:
    need_root()
    from pywg.tun.linux import open_tun  # noqa: PLC0415 (needs root)
    from tests.netns.namespace import new_interface_name  # noqa: PLC0415 (as above)

    name = new_interface_name()
    assert holder_of_tun(name) == ""
    tun = open_tun(name, 1420)
    try:
        assert holder_of_tun(name).endswith(f" (pid {os.getpid()})")
    finally:
        tun.close()


def test_the_machine() -> None:
    machine = look("no-such-iface").machine
    assert machine.is_root == (os.geteuid() == 0)
    assert machine.wall_ns > 1_600_000_000 * 10**9
    assert machine.engine in {"native", "python"}


@pytest.mark.parametrize("words", [("a", "b"), ("--yaml",), ("/nowhere/wg0.conf",)])
def test_could_not_look(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pywg", "doctor", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "doctor" in done.stderr or "there is no such file" in done.stderr
    assert "Traceback" not in done.stderr
