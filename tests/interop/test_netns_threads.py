"""What a daemon holds of the machine: threads, descriptors, CPU time; and that it gives back what it took.

Comes in: a tunnel that was used, then left alone, or whose link and port change all the time. Goes out: what
/proc says of its daemons. Rule: two packet threads and no more, nothing is done where there is nothing to do,
and no change leaves anything behind.
"""

import time
from pathlib import Path

import pytest

from tests.daemon.test_idle import TICKS, cpu_seconds
from tests.netns.daemon import Daemon, subject
from tests.netns.endurance import Figures
from tests.netns.lab import Lab, Tunnel
from tests.netns.traffic import assert_pings
from tests.netns.wait import until

IDLE_SECONDS = 3.0
IDLE_TICKS = 2
LINKS, PORTS = 20, 50


@pytest.fixture
def tunnel(lab: Lab) -> Tunnel:
    made = lab.tunnel(subject(), subject())
    assert_pings(made.initiator.namespace, made.responder.addresses.inner4)
    return made


def thread_names(daemon: Daemon) -> list[str]:
    """Of all threads, the first of which is Python's."""
    tasks = Path(f"/proc/{daemon.process.pid}/task").iterdir()
    return sorted(
        (task / "comm").read_text().strip() for task in tasks if task.name != str(daemon.process.pid)
    )


def daemons(tunnel: Tunnel) -> tuple[Daemon, Daemon]:
    return tunnel.initiator.daemon, tunnel.responder.daemon


def test_packet_threads(tunnel: Tunnel, engine: str) -> None:
    """Two, by name, for who looks with top or perf; the Python engine has none."""
    expected = ["pywg-outbound", "pywg-packets"] if engine == "native" else []
    for daemon in daemons(tunnel):
        assert thread_names(daemon) == expected


def test_an_idle_tunnel_costs_nothing(tunnel: Tunnel) -> None:
    """With a session, and no packets: neither thread looks again and again, and no timer ticks."""
    both = daemons(tunnel)
    time.sleep(0.3)
    before = [cpu_seconds(daemon.process.pid) for daemon in both]
    time.sleep(IDLE_SECONDS)
    spent = [cpu_seconds(daemon.process.pid) - past for daemon, past in zip(both, before, strict=True)]
    assert max(spent) * TICKS <= IDLE_TICKS + 0.5, spent


def test_changes_of_link_and_port_leave_nothing_behind(tunnel: Tunnel) -> None:
    one, two = tunnel.initiator, tunnel.responder
    set_link(tunnel, "down")
    set_link(tunnel, "up")
    time.sleep(0.5)  # The second socket, and connections of `wg`, may still be under way.
    before = held(tunnel)
    for _ in range(LINKS):
        set_link(tunnel, "down")
        set_link(tunnel, "up")
    for number in range(PORTS):
        one.daemon.set("listen-port", str(20_000 + number))
    until(lambda: held(tunnel) == before, f"both hold {before} again", seconds=10)
    assert one.daemon.dump().listen_port == 20_000 + PORTS - 1
    # The responder still has the session that the initiator has lost.
    assert_pings(one.namespace, two.addresses.inner4)
    assert two.daemon.peer(one.keys.public).endpoint == f"{one.addresses.outer4}:{20_000 + PORTS - 1}"


def held(tunnel: Tunnel) -> list[tuple[int, int]]:
    """Descriptors and threads of each daemon."""
    figures = [Figures.of(daemon.process.pid) for daemon in daemons(tunnel)]
    return [(each.descriptors, each.threads) for each in figures]


def set_link(tunnel: Tunnel, state: str) -> None:
    """Of the initiator, and wait until its daemon has followed."""
    end = tunnel.initiator
    end.namespace.ip("link", "set", end.daemon.interface, state)
    end.daemon.until_link_is(state)
