"""The mission's second walk-through: a host in the LAN behind a peer (see the README).

Comes in: three namespaces in a row (peer 1, peer 2, a host at 192.168.1.123), the files of both peers. Goes
out: ping and a page from the host, if and only if peer 2's PostUp forwards for peer 1; and after `down`,
nothing that was not there before.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pywg.demo.inside import GREETING
from tests.needs import ENGINES, need, need_engine, need_root
from tests.netns.daemon import KeyPair, daemon_environment
from tests.netns.lab import Lab
from tests.netns.namespace import Namespace, new_interface_name
from tests.netns.snapshot import snapshot
from tests.netns.wait import until

HOST = "192.168.1.123"
PORT = 9090
FORWARD = (
    "iptables -{0} FORWARD -i %i -j ACCEPT; iptables -{0} FORWARD -o %i -j ACCEPT; "
    "iptables -t nat -{0} POSTROUTING -o eth1 -j MASQUERADE"
)


@dataclass
class Peer:
    """One of the two, with its file."""

    namespace: Namespace
    file: Path

    def pywg(self, word: str) -> str:
        """``pywg WORD FILE``; what it said on stderr."""
        done = self.namespace.run(
            sys.executable, "-P", "-m", "pywg", word, str(self.file), env=daemon_environment(LOG_LEVEL="")
        )
        assert done.stdout == ""
        return done.stderr


@dataclass
class Row:
    """Peer 1, peer 2, the host."""

    one: Peer
    two: Peer
    host: Namespace

    def page(self) -> str:
        """What peer 1 gets from the host, or why it gets nothing."""
        done = self.one.namespace.run(
            "curl", "--silent", "--show-error", "--max-time", "2", f"http://{HOST}:{PORT}", check=False
        )
        return done.stdout or done.stderr

    def ping(self) -> bool:
        """Whether the host answers peer 1."""
        return (
            self.one.namespace.run("ping", "-c", "2", "-i", "0.2", "-W", "2", HOST, check=False).returncode
            == 0
        )

    def snapshots(self) -> list[dict[str, str]]:
        """Of all three."""
        return [snapshot(each) for each in (self.one.namespace, self.two.namespace, self.host)]


def address(namespace: Namespace, interface: str, text: str) -> None:
    namespace.ip("address", "add", text, "dev", interface)
    namespace.ip("link", "set", interface, "up")


@pytest.fixture(params=ENGINES)
def row(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Row]:
    need_root()
    need("ip", "iptables", "nft", "curl", "wg")
    need_engine(request.param)
    monkeypatch.setenv("PYWG_ENGINE", request.param)
    with Lab(tmp_path) as lab:
        yield from three_in_a_row(lab, tmp_path)


def three_in_a_row(lab: Lab, tmp_path: Path) -> Iterator[Row]:
    """They are joined, have their files, and the host serves a page; no interface is up yet."""
    one, two, host = lab.namespace("1"), lab.namespace("2"), lab.namespace("lan")
    lab.join(one, two)
    two.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", host.name)
    address(one, "eth0", "192.0.2.1/24")
    address(two, "eth0", "192.0.2.2/24")
    address(two, "eth1", "192.168.1.1/24")
    address(host, "eth0", f"{HOST}/24")
    two.sysctl("net/ipv4/ip_forward", "1")
    # A careful router, and iptables' own chains, which it leaves behind, are there beforehand.
    two.run("iptables", "-P", "FORWARD", "DROP")
    two.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "none", "-j", "ACCEPT")
    keys = KeyPair.generate(), KeyPair.generate()
    files = [tmp_path / f"{new_interface_name()}.conf" for _ in keys]
    files[0].write_text(
        f"[Interface]\nPrivateKey = {keys[0].private}\nAddress = 10.0.0.1/24\n"
        f"[Peer]\nPublicKey = {keys[1].public}\nAllowedIPs = 10.0.0.2/32,192.168.1.0/24\n"
        "Endpoint = 192.0.2.2:51820\n"
    )
    files[1].write_text(
        f"[Interface]\nPrivateKey = {keys[1].private}\nAddress = 10.0.0.2/24\nListenPort = 51820\n"
        f"PostUp = {FORWARD.format('A')}\nPostDown = {FORWARD.format('D')}\n"
        f"[Peer]\nPublicKey = {keys[0].public}\nAllowedIPs = 10.0.0.1/32\n"
    )
    for file in files:
        file.chmod(0o600)
    serve = [
        sys.executable,
        "-P",
        "-m",
        "pywg.demo.inside",
        f"/run/netns/{host.name}",
        "serve",
        HOST,
        str(PORT),
    ]
    with subprocess.Popen(serve, env=daemon_environment(), stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == f"ready {PORT}\n".encode()
        yield Row(Peer(one, files[0]), Peer(two, files[1]), host)
        server.kill()


def test_the_lan_is_reached_and_nothing_is_left(row: Row) -> None:
    before = row.snapshots()
    said = row.one.pywg("up")
    assert f"[#] ip -4 route add 192.168.1.0/24 dev {row.one.file.stem}" in said.splitlines()
    said = row.two.pywg("up")
    assert f"[#] {FORWARD.format('A').replace('%i', row.two.file.stem)}" in said.splitlines()
    assert row.ping()
    assert row.page() == GREETING.decode()
    row.one.pywg("down")
    row.two.pywg("down")
    # A daemon lets go of its socket, which `down` waits for, a moment before its process is gone.
    until(lambda: not _daemons(row), "the daemons have ended", seconds=10)
    assert row.snapshots() == before


def _daemons(row: Row) -> list[int]:
    return [*row.one.namespace.pids(), *row.two.namespace.pids()]


def test_without_post_up_it_is_not(row: Row) -> None:
    lines = row.two.file.read_text().splitlines(keepends=True)
    row.two.file.write_text("".join(line for line in lines if not line.startswith("Post")))
    row.one.pywg("up")
    row.two.pywg("up")
    tunnel = row.one.namespace.run("ping", "-c", "1", "-W", "5", "10.0.0.2", check=False)
    assert tunnel.returncode == 0, "the tunnel itself is up"
    assert not row.ping()
    assert "timed out" in row.page()
    row.one.pywg("down")
    row.two.pywg("down")
