"""`wg-quick up` and `down` with pywg as WG_QUICK_USERSPACE_IMPLEMENTATION, from real configuration files.

Comes in: configuration files under a directory of the test. Goes out: interfaces, routes, rules, and nothing
after `down`. Rule: one word and no arguments start the daemon, exit 0 means that `wg` can talk to it, and the
handshake of a peer with persistent keepalive needs no traffic.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.needs import need
from tests.netns.daemon import PROJECT, DeviceDump, Program, assert_engine, subject
from tests.netns.lab import End, Lab, Party, side
from tests.netns.namespace import UAPI_SOCKETS, Namespace, new_interface_name, run
from tests.netns.traffic import assert_pings, assert_transfers
from tests.netns.wait import until


@pytest.fixture(autouse=True)
def _needed() -> None:
    need("wg-quick", "wireguard-go", "nft")


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace in which wg-quick finds a command of the name of the program under test."""

    namespace: Namespace
    config_file: Path
    environment: dict[str, str]

    @classmethod
    def create(cls, namespace: Namespace, directory: Path) -> "Host":
        """Put the command into a directory on PATH: the installed entry point, or a script in its place."""
        bin_directory = directory / "bin"
        bin_directory.mkdir()
        if subject() is Program.PYWG:
            entry_point, command = Path(sys.executable).with_name("pywg"), bin_directory / "pywg"
            if entry_point.exists():
                command.symlink_to(entry_point)
            else:
                command.write_text(
                    f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {shlex.join(subject().argv)} "$@"\n'
                )
                command.chmod(0o755)
        environment = os.environ | {
            "PATH": f"{bin_directory}:{os.environ['PATH']}",
            "WG_QUICK_USERSPACE_IMPLEMENTATION": subject().value,
        }
        return cls(namespace, directory / f"{new_interface_name()}.conf", environment)

    @property
    def interface(self) -> str:
        """The interface is named after the file."""
        return self.config_file.stem

    @property
    def socket(self) -> Path:
        """The UAPI socket of the interface."""
        return UAPI_SOCKETS / f"{self.interface}.sock"

    def write(self, config: str) -> None:
        """Write the configuration file, readable by root alone (wg-quick warns of anything else)."""
        self.config_file.touch(mode=0o600)
        self.config_file.write_text(config)

    def quick(self, command: str, *, check: bool = True) -> str:
        """What ``wg-quick COMMAND FILE`` prints; that it returns shows that the daemon holds no pipe open."""
        argv = ("wg-quick", command, str(self.config_file))
        done = self.namespace.run(*argv, check=check, timeout=20, env=self.environment)
        if command == "up" and done.returncode == 0 and subject() is Program.PYWG:
            assert_engine(self.interface, self.environment)
        return done.stdout + done.stderr

    def state(self) -> dict[str, str]:
        """Everything wg-quick may change in the namespace."""
        return {
            "links": self.namespace.ip("-brief", "link"),
            "addresses": self.namespace.ip("-brief", "address"),
            "routes": self.namespace.ip("route", "show", "table", "all"),
            "routes of IPv6": self.namespace.ip("-6", "route", "show", "table", "all"),
            "rules": self.namespace.ip("rule"),
            "rules of IPv6": self.namespace.ip("-6", "rule"),
            "firewall": self.namespace.run("nft", "list", "ruleset").stdout,
            "processes": str(self.namespace.pids()),
            "socket": str(self.socket.exists()),
        }

    def dump(self) -> DeviceDump:
        """``wg show IF dump``."""
        return DeviceDump.parse(run("wg", "show", self.interface, "dump").stdout)


def joined(lab: Lab, tmp_path: Path) -> tuple[Host, End]:
    """A host for wg-quick and, at the other end of a veth pair, wireguard-go that knows of no endpoint."""
    here, there = lab.namespace("a"), lab.namespace("b")
    lab.join(here, there)
    host, peer = Host.create(here, tmp_path), lab.end(Program.WIREGUARD_GO, there, 2)
    here.ip("address", "add", "192.0.2.1/24", "dev", "eth0")
    there.ip("address", "add", "192.0.2.2/24", "dev", "eth0")
    return host, peer


def party_of(peer: End) -> Party:
    """Our keys and addresses, which `peer` is told; our daemon is started by wg-quick."""
    end = Party(addresses=side(1))
    peer.daemon.configure(peer.interface_section() + end.peer_section())
    peer.up()
    return end


def interface_section(end: Party, *more: str) -> str:
    """What wg-quick reads beyond what wg reads."""
    addresses = f"Address = {end.addresses.inner4}/24, {end.addresses.inner6}/64"
    return "\n".join([end.interface_section().rstrip(), addresses, *more, ""])


def until_handshake(who: str, state: Callable[[], DeviceDump], public_key: str) -> None:
    """Wait until `who` knows of a handshake."""
    until(lambda: state().peers[public_key].latest_handshake > 0, f"{who} saw a handshake", seconds=15)


def test_up_and_down_with_nothing_but_a_keepalive(lab: Lab, tmp_path: Path) -> None:
    """The handshake starts by itself; traffic passes; hooks run; `down` leaves the host as it was."""
    host, peer = joined(lab, tmp_path)
    end = party_of(peer)
    ran = tmp_path / "ran"
    hooks = [f"{hook} = echo {hook} %i >> {ran}" for hook in ("PreUp", "PostUp", "PreDown", "PostDown")]
    host.write(
        interface_section(end, "MTU = 1380", *hooks)
        + peer.peer_section(endpoint=peer.endpoint(4))
        + "PersistentKeepalive = 25\n"
    )
    before = host.state()
    said = host.quick("up")
    assert f"[#] {subject().value} {host.interface}" in said
    for what, state, other in (("we", host.dump, peer), ("the peer", peer.daemon.dump, end)):
        until_handshake(what, state, other.keys.public)
    assert "mtu 1380" in host.namespace.ip("link", "show", "dev", host.interface)
    assert_pings(host.namespace, peer.addresses.inner4)
    assert_pings(peer.namespace, end.addresses.inner6)
    assert_transfers(host.namespace, peer.namespace, peer.addresses.inner6, 1_000_000)
    assert host.dump().private_key == end.keys.private
    host.quick("down")
    until(lambda: host.state() == before, f"all is as before: {host.state()}", seconds=15)
    words = [f"{hook} {host.interface}" for hook in ("PreUp", "PostUp", "PreDown", "PostDown")]
    assert ran.read_text().splitlines() == words


def test_everything_through_the_tunnel(lab: Lab, tmp_path: Path) -> None:
    """0.0.0.0/0 and ::/0: wg-quick routes by fwmark; our own datagrams must carry the mark or they loop."""
    host, peer = joined(lab, tmp_path)
    end = party_of(peer)
    for address in ("203.0.113.2/32", "198.51.100.1/32", "2001:db8:f::1/128"):
        peer.namespace.ip("address", "add", address, "dev", "lo")
    host.namespace.ip("route", "add", "default", "via", "192.0.2.2")
    everything = f"[Peer]\nPublicKey = {peer.keys.public}\nAllowedIPs = 0.0.0.0/0, ::/0\n"
    host.write(interface_section(end) + everything + f"Endpoint = 203.0.113.2:{peer.port}\n")
    before = host.state()
    host.quick("up")
    assert host.dump().fwmark == "0xca6c"
    assert_pings(host.namespace, "198.51.100.1")
    assert_pings(host.namespace, "2001:db8:f::1")
    assert_transfers(host.namespace, peer.namespace, "198.51.100.1", 1_000_000)
    host.quick("down")
    until(lambda: host.state() == before, f"all is as before: {host.state()}", seconds=15)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("PublicKey = short", "short"),
        ("Endpoint = 192.0.2.2", "port"),
        ("AllowedIPs = 10.0.0.0/40", "10.0.0.0/40"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_left(lab: Lab, tmp_path: Path, wrong: str, said: str) -> None:
    """`up` fails after the daemon was started: it says why, and takes the daemon down again."""
    host = Host.create(lab.namespace(), tmp_path)
    end = Party(addresses=side(1))
    host.write(interface_section(end) + f"[Peer]\n{wrong}\n")
    before = host.state()
    output = host.quick("up", check=False)
    assert said in output
    until(lambda: host.state() == before, f"all is as before: {host.state()}", seconds=15)


def test_saved_configuration(lab: Lab, tmp_path: Path) -> None:
    """SaveConfig: what was set while up is in the file after `down`."""
    host, peer = joined(lab, tmp_path)
    end = party_of(peer)
    host.write(interface_section(end, "SaveConfig = true") + peer.peer_section(endpoint=peer.endpoint(4)))
    host.quick("up")
    run("wg", "set", host.interface, "peer", peer.keys.public, "persistent-keepalive", "17")
    host.quick("down")
    saved = host.config_file.read_text()
    assert "PersistentKeepalive = 17" in saved
    assert end.keys.private in saved


def test_the_daemon_in_the_background_holds_nothing_open(lab: Lab, tmp_path: Path) -> None:
    """Started without -f it returns once `wg` can talk to it, and who reads its output sees the end of it."""
    host = Host.create(lab.namespace(), tmp_path)
    command = host.namespace.command(subject().value, host.interface)
    started = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
        env=host.environment,
        stdin=subprocess.DEVNULL,
    )
    assert started.returncode == 0, started.stderr
    if subject() is Program.PYWG:
        assert_engine(host.interface, host.environment)
    assert host.dump().private_key == "(none)"
    assert len(host.namespace.pids()) == 1
    host.namespace.ip("link", "delete", host.interface)
    until(lambda: not host.namespace.pids() and not host.socket.exists(), "the daemon has ended", seconds=15)
