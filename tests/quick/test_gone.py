"""`pywg down` of an interface that has gone by itself: nothing of it stays, least of all its name servers.

wg-quick leaves it all: there the interface is the kernel's, and nobody kills that.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.netns.wait import until
from tests.quick.cases import FILE, NAME, interface, peer
from tests.quick.room import Room

ADDRESS = "Address = 10.0.0.1/24, fd00::1/64"
DNS = "DNS = 10.0.0.53"
ALL = peer("AllowedIPs = 0.0.0.0/0, ::/0", "Endpoint = 192.0.2.9:51820")


def killed(room: Room) -> None:
    """As by the kernel when memory is short."""
    (daemon,) = (pid for pid in room.namespace.pids() if pid != room.holder.pid)
    os.kill(daemon, signal.SIGKILL)


def deleted(room: Room) -> None:
    room.ip("link", "delete", NAME)


def socket_deleted(room: Room) -> None:
    """Which ends a daemon."""
    room.run("rm", f"/run/wireguard/{NAME}.sock")


@pytest.mark.parametrize("end", [killed, deleted, socket_deleted])
@pytest.mark.parametrize("peers", [ALL, peer()], ids=["full tunnel", "name servers alone"])
def test_nothing_is_left(room: Room, peers: str, end: Callable[[Room], None]) -> None:
    room.write(FILE, interface(ADDRESS, DNS, "PreDown = false", "PostDown = echo afterwards") + peers)
    assert room.pywg("up", FILE).status == 0
    end(room)
    until(lambda: NAME not in room.look()["links"], "it has gone", seconds=15)
    done = room.pywg("down", FILE)
    assert (done.status, done.stdout) == (0, "afterwards\n"), done.stderr
    assert f"pywg: {NAME} has gone by itself" in done.stderr
    room.until_tidy()
    again = room.pywg("down", FILE)
    assert again.status == 1
    assert "is not a WireGuard interface" in again.stderr


def test_one_of_that_name_in_another_namespace_keeps_its_name_servers(room: Room) -> None:
    room.write(FILE, interface(ADDRESS, DNS))
    elsewhere = f"pywg-elsewhere-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", elsewhere], check=True)
    try:
        inside = room.command("env", sys.executable, "-P", "-m", "pywg", "up", FILE)
        inside[2] = f"--net=/run/netns/{elsewhere}"
        subprocess.run(inside, env=room.environment, check=True, capture_output=True, timeout=20)
        assert room.pywg("down", FILE).status == 1
        assert room.look()["name servers"] == NAME
        inside[inside.index("up")] = "down"
        subprocess.run(inside, env=room.environment, check=True, capture_output=True, timeout=20)
    finally:
        subprocess.run(["ip", "netns", "delete", elsewhere], check=True)
    room.until_tidy()


@pytest.mark.parametrize("hook", ["PostUp = pywg set %i fwmark 7", "PreDown = ip link delete %i"])
def test_rules_go_whatever_became_of_mark_and_device(room: Room, hook: str) -> None:
    """The firewall knows the table."""
    hook = hook.replace("pywg", f"{sys.executable} -P -m pywg")
    room.write(FILE, interface(ADDRESS, hook) + ALL)
    assert room.pywg("up", FILE).status == 0
    done = room.pywg("down", FILE)
    assert done.status == 0, done.stderr
    room.until_tidy()
