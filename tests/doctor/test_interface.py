"""A tunnel that is well, and is then broken in one place after the other; doctor names the place."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pywg.doctor.findings import Code
from pywg.uapi.client import UapiClient
from tests.doctor.practice import doctor, occupied, ping_all, reach
from tests.netns.daemon import Program, daemon_environment
from tests.netns.lab import End, Lab, Tunnel
from tests.netns.wait import until

pytestmark = pytest.mark.usefixtures("doctors_tools")


@pytest.fixture(scope="module")
def tunnel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tunnel]:
    with Lab(tmp_path_factory.mktemp("tunnel")) as lab:
        tunnel = lab.tunnel(Program.PYWG, Program.PYWG)
        reach(tunnel.initiator.namespace, tunnel.responder.addresses.inner4)
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
