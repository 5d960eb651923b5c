"""Makes docs/monitor.svg again: a real run of ``pywg monitor`` on real daemons with real traffic.

    sudo .venv/bin/python -m tests.monitor.make_picture [FILE]

Takes four minutes, for one peer is to be seen whose session has expired. Needs wireguard-tools, wireguard-go
and util-linux. Everything happens in namespaces of its own, the directory of the sockets included, so the
interfaces may have the names that everybody's have; nothing is left behind.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from pywg.monitor.board import Board, Snapshot
from pywg.monitor.ink import UNICODE, Canvas
from pywg.monitor.sampling import Sampler, take_snapshot
from pywg.monitor.view import draw
from tests.monitor.svg import svg
from tests.netns.daemon import PROJECT, Daemon, KeyPair, Program
from tests.netns.lab import PORT, Lab
from tests.netns.namespace import UAPI_SOCKETS, Namespace

COLUMNS: Final = 120
HUB: Final = "10.0.0.1"
EXPIRED_AFTER: Final = 200
"""Seconds: a little over REJECT_AFTER_TIME."""
WATCHED: Final = 75
"""Seconds: a little over what the view remembers."""

_TRAFFIC: Final = """
import math, random, socket, sys, time
to, rate, kind = sys.argv[1], float(sys.argv[2]), sys.argv[3]
out, began = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), time.monotonic()
while True:
    now = time.monotonic() - began
    share = {"wave": 0.55 + 0.45 * math.sin(now / 6), "bursts": 1.0 if int(now / 4) % 3 == 0 else 0.02,
             "calls": 0.4 + 0.6 * random.random()}[kind]
    for _ in range(round(rate * share / 20 / 1200)):
        try: out.sendto(bytes(1200), (to, 9))
        except OSError: pass
    time.sleep(0.05)
"""
_RUBBISH: Final = """
import os, socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    out.sendto(b"\\1\\0\\0\\0" + os.urandom(144), (sys.argv[1], int(sys.argv[2])))
    time.sleep(4)
"""


@dataclass(frozen=True, slots=True)
class Spoke:
    """A machine with one tunnel to the hub."""

    namespace: Namespace
    daemon: Daemon
    keys: KeyPair
    outer: str
    inner: str


class Scene:
    """A hub with spokes of all sorts."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._lab = lab
        self._directory = directory
        self.hub = lab.namespace("hub")
        self.keys = KeyPair.generate()
        self.daemon = self._start(Program.PYWG, self.hub, "wg0")
        self.daemon.configure(f"[Interface]\nPrivateKey = {self.keys.private}\nListenPort = {PORT}\n")
        self._address(self.hub, "wg0", f"{HUB}/24")
        self._links = 0

    def spoke(self, interface: str, program: Program, allowed_ips: str, *, is_known: bool = True) -> Spoke:
        """Join a spoke to the hub; `is_known`: the hub has it as a peer."""
        self._links += 1
        cable = f"eth{self._links}"
        ours, theirs = (f"198.51.100.{4 * self._links + host}" for host in (1, 2))
        namespace, keys, inner = (
            self._lab.namespace(interface),
            KeyPair.generate(),
            f"10.0.0.{self._links + 1}",
        )
        self._lab.join(self.hub, namespace, cable)
        self.hub.ip("address", "add", f"{ours}/30", "dev", cable)
        namespace.ip("address", "add", f"{theirs}/30", "dev", cable)
        daemon = self._start(program, namespace, interface)
        daemon.configure(
            f"[Interface]\nPrivateKey = {keys.private}\nListenPort = {PORT}\n"
            f"[Peer]\nPublicKey = {self.keys.public}\n"
            f"Endpoint = {ours}:{PORT}\nAllowedIPs = 10.0.0.0/24\nPersistentKeepalive = 5\n"
        )
        self._address(namespace, interface, f"{inner}/24")
        if is_known:
            self.daemon.set("peer", keys.public, "allowed-ips", f"{inner}/32{allowed_ips}")
        return Spoke(namespace, daemon, keys, theirs, inner)

    def run(self, namespace: Namespace, code: str, *words: str) -> None:
        """Run Python in a namespace until the end."""
        process = namespace.popen(sys.executable, "-c", code, *words)
        self._lab.at_end(process.wait)
        self._lab.at_end(process.kill)

    def _start(self, program: Program, namespace: Namespace, interface: str) -> Daemon:
        daemon = Daemon.start(program, namespace, interface, self._directory / f"{interface}.log", {})
        self._lab.at_end(daemon.close)
        return daemon

    @staticmethod
    def _address(namespace: Namespace, interface: str, address: str) -> None:
        namespace.ip("address", "add", address, "dev", interface)
        namespace.ip("link", "set", interface, "mtu", "1420", "up")


def play(scene: Scene) -> Snapshot:
    """Let things happen, look on, and return the last snapshot."""
    left = scene.spoke("gone", Program.PYWG, "")
    left.namespace.run("ping", "-c", "3", "-W", "5", HUB)
    left.daemon.set("peer", scene.keys.public, "remove")
    since = time.monotonic()
    office = scene.spoke("wg1", Program.WIREGUARD_GO, ",192.168.1.0/24")
    laptop = scene.spoke("laptop", Program.PYWG, ",fd00::3/128")
    phone = scene.spoke("phone", Program.PYWG, "")
    stranger = scene.spoke("stranger", Program.PYWG, "", is_known=False)
    deaf, unused = KeyPair.generate().public, KeyPair.generate().public
    called = ("endpoint", f"{stranger.outer}:7", "persistent-keepalive", "5")
    scene.daemon.set("peer", deaf, "allowed-ips", "10.0.0.77/32", *called)
    scene.daemon.set("peer", unused, "allowed-ips", "10.0.0.78/32,10.9.0.0/16")
    for spoke, down, up, kind in (
        (office, 6e6, 4e5, "wave"),
        (laptop, 3e4, 1.5e6, "bursts"),
        (phone, 4e4, 3.5e4, "calls"),
    ):
        scene.run(scene.hub, _TRAFFIC, spoke.inner, str(down), kind)
        scene.run(spoke.namespace, _TRAFFIC, HUB, str(up), kind)
    scene.run(scene.hub, _TRAFFIC, "10.0.0.200", "6000", "calls")
    scene.run(stranger.namespace, _RUBBISH, "198.51.100.21", str(PORT))
    time.sleep(max(0.0, EXPIRED_AFTER - WATCHED - (time.monotonic() - since)))
    sampler, board = Sampler(("wg0", "wg1")), Board(1.0)
    for _ in range(WATCHED):
        snapshot = take_snapshot(sampler, board, 0.5)
        time.sleep(1)
    return snapshot


def main(file: Path) -> None:
    """Make the picture; starts itself again where its interfaces are alone."""
    if os.environ.get("PYWG_PICTURE_INSIDE") != "yes":
        UAPI_SOCKETS.mkdir(parents=True, exist_ok=True)
        alone = f'mount -t tmpfs tmpfs {UAPI_SOCKETS} && exec "$0" -m tests.monitor.make_picture "$1"'
        subprocess.run(
            ["unshare", "--mount", "sh", "-c", alone, sys.executable, str(file.resolve())],
            cwd=PROJECT,
            env={**os.environ, "PYWG_PICTURE_INSIDE": "yes"},
            check=True,
        )
        return
    with tempfile.TemporaryDirectory() as directory, Lab(Path(directory)) as lab:
        snapshot = play(Scene(lab, Path(directory)))
    with Path(os.devnull).open("w") as nowhere:
        console = Console(file=nowhere, width=COLUMNS, color_system="truecolor", force_terminal=True)
        lines = console.render_lines(draw(snapshot, Canvas(COLUMNS, UNICODE), 60))
    while not "".join(segment.text for segment in lines[-1]).strip():
        lines.pop()
    file.write_text(svg(lines, COLUMNS, "pywg monitor: two interfaces, their peers, rates and drops"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs" / "monitor.svg")
