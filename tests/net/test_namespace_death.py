"""A real daemon whose interface was moved to a namespace that is then deleted, as containers do it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.needs import ENGINES, need_engine
from tests.net.inside import new_namespace
from tests.netns.daemon import assert_engine
from tests.netns.namespace import NAMESPACES, UAPI_SOCKETS, Namespace, new_interface_name, run
from tests.netns.wait import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: network namespaces of Linux")

PROJECT = Path(__file__).resolve().parents[2]
SEEN_SECONDS = 10.0
"""Longest time until the daemon has noticed a change of its link, on a machine that is busy."""
DEATH_SECONDS = 8.0
"""Longest time a deleted namespace may take to die: the kernel first buries those deleted before it.

One that is held by somebody does not die, or not before the kernel complains, which is after 10 s.
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """A daemon in the background, and its interface in another namespace, up."""

    pid: int
    interface: str
    home: Namespace
    other: Namespace

    @property
    def socket(self) -> Path:
        return UAPI_SOCKETS / f"{self.interface}.sock"

    def is_up(self) -> bool:
        """Whether the daemon takes the link for up: then it has the only UDP socket there is at home."""
        return len(self.home.run("cat", "/proc/net/udp").stdout.splitlines()) > 1

    def is_gone(self) -> bool:
        """No process (init may leave it a zombie for a second) and no socket file."""
        return not self.home.pids() and not self.socket.exists()


@pytest.fixture(params=ENGINES)
def moved(request: pytest.FixtureRequest) -> Iterator[Moved]:
    need_engine(request.param)
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYWG_ENGINE": request.param}
    interface = new_interface_name()
    with new_namespace() as home, new_namespace() as other:
        try:
            subprocess.run(
                home.command(sys.executable, "-P", "-m", "pywg", interface),
                env=environment,
                stdin=subprocess.DEVNULL,
                timeout=30,
                check=True,
            )
            assert_engine(interface, environment)
            (pid,) = home.pids()
            home.ip("link", "set", interface, "netns", other.name)
            other.ip("link", "set", interface, "up")
            yield Moved(pid, interface, home, other)
        finally:
            for left in home.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)
            (UAPI_SOCKETS / f"{interface}.sock").unlink(missing_ok=True)


def test_up_and_down_are_seen_there(moved: Moved) -> None:
    for _ in range(2):
        until(moved.is_up, "up is seen", seconds=SEEN_SECONDS)
        moved.other.ip("link", "set", moved.interface, "down")
        until(lambda: not moved.is_up(), "down is seen", seconds=SEEN_SECONDS)
        moved.other.ip("link", "set", moved.interface, "up")


def test_nothing_of_the_daemon_is_in_there(moved: Moved) -> None:
    until(moved.is_up, "it is seen to be up there", seconds=SEEN_SECONDS)
    inode = (NAMESPACES / moved.other.name).stat().st_ino
    process = Path(f"/proc/{moved.pid}")
    held = [str(path.readlink()) for path in (*process.glob("fd/*"), *process.glob("task/*/ns/net"))]
    assert held
    assert f"net:[{inode}]" not in held
    # The third column is the port of a socket; the kernel's is 0.
    sockets = moved.other.run("cat", "/proc/net/netlink").stdout.splitlines()[1:]
    assert {line.split()[2] for line in sockets} == {"0"}


def test_it_dies_with_the_namespace(moved: Moved) -> None:
    veth = f"{moved.interface}v"
    moved.home.ip("link", "add", veth, "type", "veth", "peer", "name", veth, "netns", moved.other.name)
    until(moved.is_up, "it is seen to be up there", seconds=SEEN_SECONDS)
    run("ip", "netns", "delete", moved.other.name)
    started = time.monotonic()
    until(moved.is_gone, "the daemon has ended and its socket file is gone", seconds=DEATH_SECONDS)
    until(lambda: not moved.home.has_link(veth), "the namespace is dead", seconds=DEATH_SECONDS)
    assert time.monotonic() - started < DEATH_SECONDS


def test_it_dies_with_the_namespace_when_down(moved: Moved) -> None:
    moved.other.ip("link", "set", moved.interface, "down")
    until(lambda: not moved.is_up(), "it is seen to be down there", seconds=SEEN_SECONDS)
    run("ip", "netns", "delete", moved.other.name)
    until(moved.is_gone, "the daemon has ended and its socket file is gone", seconds=DEATH_SECONDS)


def test_the_namespace_dies_while_the_daemon_is_stopped(moved: Moved) -> None:
    """So it is nothing the daemon does then that lets it die."""
    veth = f"{moved.interface}v"
    moved.home.ip("link", "add", veth, "type", "veth", "peer", "name", veth, "netns", moved.other.name)
    until(moved.is_up, "it is seen to be up there", seconds=SEEN_SECONDS)
    os.kill(moved.pid, signal.SIGSTOP)
    run("ip", "netns", "delete", moved.other.name)
    until(lambda: not moved.home.has_link(veth), "the namespace is dead", seconds=DEATH_SECONDS)
    os.kill(moved.pid, signal.SIGCONT)
    until(moved.is_gone, "the daemon has ended and its socket file is gone", seconds=DEATH_SECONDS)
