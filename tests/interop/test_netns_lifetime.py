"""The life of a daemon and its interface: up and down, moved to another namespace, ended in every way.

Comes in: daemons in namespaces. Goes out: their exit, and what is left of them. Rule: whatever was made is
gone afterwards, and an interface works wherever it is moved.
"""

import signal

import pytest

from tests.netns.daemon import Daemon, subject
from tests.netns.lab import Lab, Tunnel
from tests.netns.traffic import assert_pings, assert_transfers, ping


@pytest.fixture
def daemon(lab: Lab) -> Daemon:
    """A daemon without configuration, its interface down."""
    return lab.start(subject(), lab.namespace())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_daemon(daemon: Daemon, number: signal.Signals) -> None:
    """Exit 0, without interface and socket."""
    assert daemon.namespace.has_link(daemon.interface)
    daemon.process.send_signal(number)
    assert daemon.wait() == 0
    daemon.assert_gone()


def test_deleting_the_interface_ends_the_daemon(daemon: Daemon) -> None:
    """`ip link del` is how wg-quick ends it."""
    daemon.namespace.ip("link", "delete", daemon.interface)
    daemon.wait()
    daemon.assert_gone()


@pytest.mark.parametrize("state", ["up", "down"])
def test_deleting_a_moved_interface_ends_the_daemon(lab: Lab, daemon: Daemon, state: str) -> None:
    """The same after the interface has left the daemon's namespace."""
    elsewhere = lab.namespace()
    daemon.namespace.ip("link", "set", daemon.interface, "netns", elsewhere.name)
    elsewhere.ip("link", "set", daemon.interface, state)
    assert daemon.wg("show", "public-key"), "it lives on after the move"
    elsewhere.ip("link", "delete", daemon.interface)
    daemon.wait()
    daemon.assert_gone(elsewhere)


def test_deleting_the_socket_ends_the_daemon(daemon: Daemon) -> None:
    """Removing the file is how macOS's wg-quick ends it."""
    daemon.socket.unlink()
    daemon.wait()
    daemon.assert_gone()


def test_a_second_daemon_for_the_name_is_refused(lab: Lab, daemon: Daemon) -> None:
    """The first one keeps its interface and its socket."""
    command = [*subject().argv, "-f", daemon.interface]
    elsewhere = lab.namespace()
    for namespace in (daemon.namespace, elsewhere):
        refused = namespace.run(*command, check=False, timeout=10)
        assert refused.returncode == 1
    assert daemon.wg("show", "dump")
    assert daemon.namespace.has_link(daemon.interface)
    assert not elsewhere.has_link(daemon.interface)


def latest_handshake(tunnel: Tunnel) -> int:
    """As the initiator tells it."""
    return tunnel.initiator.daemon.peer(tunnel.responder.keys.public).latest_handshake


def test_down_and_up_again(lab: Lab) -> None:
    """Down: the session is forgotten, the peer gets no answer. Up: a new handshake, same configuration."""
    tunnel = lab.tunnel(subject(), subject())
    one, two = tunnel.initiator, tunnel.responder
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    before = one.daemon.dump()
    one.namespace.ip("link", "set", one.daemon.interface, "down")
    one.daemon.until_link_is("down")
    assert ping(two.namespace, one.addresses.inner4, count=1, wait=1).received == 0
    while_down = one.daemon.dump()
    assert while_down.peers[two.keys.public].allowed_ips == before.peers[two.keys.public].allowed_ips
    sent_before = before.peers[two.keys.public].sent
    one.namespace.ip("link", "set", one.daemon.interface, "up")
    one.daemon.until_link_is("up")
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    after = one.daemon.peer(two.keys.public)
    assert after.sent >= sent_before + 148 + 2 * 128, (
        "an initiation was sent, so the old session was not used"
    )


def test_a_session_survives_the_move_to_another_namespace(lab: Lab) -> None:
    """An interface with a live session moves: sockets stay, up and down are seen there, traffic flows."""
    tunnel = lab.tunnel(subject(), subject())
    one, two = tunnel.initiator, tunnel.responder
    assert_pings(one.namespace, two.addresses.inner4, count=1)
    home, inside = one.namespace, lab.namespace("inside")
    home.ip("link", "set", one.daemon.interface, "netns", inside.name)
    one.namespace = inside
    one.up()
    assert_pings(inside, two.addresses.inner6)
    assert_transfers(inside, two.namespace, two.addresses.inner4, 1_000_000)
    inside.ip("link", "set", one.daemon.interface, "down")
    one.daemon.until_link_is("down")
    assert ping(two.namespace, one.addresses.inner4, count=1, wait=1).received == 0
    inside.ip("link", "set", one.daemon.interface, "up")
    one.daemon.until_link_is("up")
    assert_pings(inside, two.addresses.inner4, count=1)
    assert latest_handshake(tunnel) > 0
    inside.ip("link", "set", one.daemon.interface, "netns", home.name)
    one.namespace = home
    one.up()
    assert_pings(home, two.addresses.inner4)
    assert one.daemon.stop() == 0
    one.daemon.assert_gone(inside)


def test_mtu_changes_are_noticed(lab: Lab) -> None:
    """A packet above the old MTU passes once both ends have a greater one."""
    tunnel = lab.tunnel(subject(), subject())
    one, two = tunnel.initiator, tunnel.responder
    for end in (one, two):
        end.namespace.ip("link", "set", end.daemon.interface, "mtu", "9000")
    assert_pings(one.namespace, two.addresses.inner4, "-M", "do", count=2, size=9000 - 28)
    for end in (one, two):
        end.namespace.ip("link", "set", end.daemon.interface, "mtu", "1280")
    assert_pings(one.namespace, two.addresses.inner6, "-M", "do", count=2, size=1280 - 48)
