"""The link monitor in namespaces of its own: everything `ip` can do to a device is noticed at once."""

import errno
import select
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from pywg.endpoint import Endpoint
from pywg.net import namespace_linux, netlink
from pywg.net.monitor_linux import LinuxLinkMonitor
from pywg.net.port import LinkState, MonitorCallbacks
from pywg.tun.linux import LinuxTun, open_tun
from tests.net.inside import Inside, give_up, inside_new_namespace, new_namespace
from tests.netns.namespace import Namespace
from tests.netns.wait import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: netlink of Linux")

CAP_NET_BROADCAST = 11
CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21
DEATH_SECONDS = 8.0
"""Longest time a deleted namespace may take to die: see `test_namespace_death`."""


class Watched:
    """A device with a monitor, and what the monitor called back."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.events: list[LinkState | str] = []
        self.tun: LinuxTun = inside.run(lambda: open_tun("wg0", 1420))
        callbacks = MonitorCallbacks(
            on_change=self.events.append,
            on_route_change=lambda: self.events.append("route"),
            on_gone=lambda: self.events.append("gone"),
        )
        self.monitor = inside.run(lambda: LinuxLinkMonitor(self.tun.fileno(), callbacks))

    def ip(self, *arguments: str, at: Namespace | None = None) -> list[LinkState | str]:
        """What is called back because of one ``ip`` command."""
        self.settle()
        self.events.clear()
        (at or self.inside.namespace).ip(*arguments)
        return self.settle()

    def settle(self) -> list[LinkState | str]:
        """Handle what there is until nothing comes for a while."""
        while select.select([self.monitor], [], [], 0.05)[0]:
            self.inside.run(self.monitor.on_readable)
        return self.events

    def changes(self, *arguments: str, at: Namespace | None = None) -> list[LinkState]:
        return [event for event in self.ip(*arguments, at=at) if isinstance(event, LinkState)]


def is_quiet(namespace: Namespace) -> bool:
    """Whether wg0 there makes no address of its own and no redirects."""
    gen_mode, redirects = (
        namespace.run("cat", f"/proc/sys/net/{path}").stdout.strip()
        for path in ("ipv6/conf/wg0/addr_gen_mode", "ipv4/conf/wg0/send_redirects")
    )
    return (gen_mode, redirects) == ("1", "0")


def ip_index(namespace: Namespace, name: str) -> int:
    return int(namespace.ip("-o", "link", "show", name).split(":")[0])


@pytest.fixture
def watched() -> Iterator[Watched]:
    with inside_new_namespace() as inside:
        watched = Watched(inside)
        yield watched
        watched.monitor.close()
        watched.tun.close()


def test_state_is_known_from_the_start(watched: Watched) -> None:
    assert watched.monitor.state == LinkState(up=False, mtu=1420)
    assert watched.events == []


def test_up_mtu_and_down(watched: Watched) -> None:
    assert watched.changes("link", "set", "wg0", "up") == [LinkState(up=True, mtu=1420)]
    assert watched.changes("link", "set", "wg0", "mtu", "1300") == [LinkState(up=True, mtu=1300)]
    assert watched.changes("link", "set", "wg0", "up") == []
    assert watched.changes("link", "set", "wg0", "down") == [LinkState(up=False, mtu=1300)]
    assert watched.monitor.state == LinkState(up=False, mtu=1300)


def test_several_changes_in_one_turn_are_the_last_one(watched: Watched) -> None:
    watched.inside.namespace.ip("link", "set", "wg0", "up")
    watched.inside.namespace.ip("link", "set", "wg0", "down")
    watched.inside.namespace.ip("link", "set", "wg0", "mtu", "1300")
    assert [e for e in watched.settle() if e != "route"] == [LinkState(up=False, mtu=1300)]


def test_other_interfaces_do_not_count(watched: Watched) -> None:
    assert watched.changes("link", "add", "br0", "type", "bridge") == []
    assert watched.changes("link", "set", "br0", "up") == []
    assert set(watched.ip("link", "del", "br0")) == {"route"}


def test_a_renamed_device_is_still_ours(watched: Watched) -> None:
    assert watched.changes("link", "set", "wg0", "name", "renamed") == []
    assert watched.changes("link", "set", "renamed", "up") == [LinkState(up=True, mtu=1420)]


def test_deletion(watched: Watched) -> None:
    assert "gone" in watched.ip("link", "del", "wg0")
    assert watched.events.count("gone") == 1
    # The rest of the namespace goes on, and is of no interest any more.
    assert "gone" not in watched.ip("link", "add", "br0", "type", "bridge")


@pytest.mark.parametrize(
    "arguments",
    [
        ["route", "add", "198.51.100.0/24", "dev", "lo"],
        ["-6", "route", "add", "2001:db8::/32", "dev", "lo"],
        ["addr", "add", "192.0.2.9/32", "dev", "lo"],
        ["-6", "addr", "add", "2001:db8::9/128", "dev", "lo"],
        ["rule", "add", "fwmark", "7", "table", "7"],
        ["-6", "rule", "add", "fwmark", "7", "table", "7"],
    ],
    ids=["route", "route6", "address", "address6", "rule", "rule6"],
)
def test_route_changes(watched: Watched, arguments: list[str]) -> None:
    assert "route" in watched.ip(*arguments)
    undone = [{"add": "del"}.get(word, word) for word in arguments]
    assert "route" in watched.ip(*undone)


def test_many_changes_in_one_turn_are_one_call(watched: Watched) -> None:
    watched.inside.namespace.ip("link", "set", "wg0", "up")
    watched.settle()
    watched.events.clear()
    lines = "\n".join(f"route add 10.1.{number}.0/24 dev lo" for number in range(200))
    watched.inside.namespace.run("ip", "-batch", "-", text=lines)
    watched.inside.run(watched.monitor.on_readable)
    assert watched.events == ["route"] * len(watched.events)
    assert 1 <= len(watched.settle()) <= 6


def test_lost_notices_are_asked_for_again(watched: Watched) -> None:
    # A full receive buffer loses notices, and netlink says so with ENOBUFS.
    lines = "\n".join(f"link set wg0 mtu {1000 + number % 200}" for number in range(2000))
    watched.inside.namespace.run("ip", "-batch", "-", text=f"{lines}\nlink set wg0 mtu 1234\n")
    watched.settle()
    assert watched.monitor.state == LinkState(up=False, mtu=1234)
    assert watched.changes("link", "set", "wg0", "up") == [LinkState(up=True, mtu=1234)]


def test_moved_to_another_namespace_and_back(watched: Watched) -> None:
    home = watched.inside.namespace
    with new_namespace() as other:
        watched.ip("link", "set", "wg0", "up")
        # A move takes the link down; that is all that is seen of it.
        assert watched.changes("link", "set", "wg0", "netns", other.name) == [LinkState(up=False, mtu=1420)]
        assert is_quiet(other)
        assert watched.changes("link", "set", "wg0", "up", at=other) == [LinkState(up=True, mtu=1420)]
        assert watched.changes("link", "set", "wg0", "mtu", "1300", at=other) == [
            LinkState(up=True, mtu=1300)
        ]
        # Routes are still those of the namespace the sockets are in.
        assert "route" in watched.ip("route", "add", "198.51.100.0/24", "dev", "lo")
        assert watched.ip("route", "add", "203.0.113.0/24", "dev", "lo", at=other) == []
        assert watched.changes("link", "set", "wg0", "netns", f"/run/netns/{home.name}", at=other) == [
            LinkState(up=False, mtu=1300)
        ]
        assert is_quiet(home)
        assert watched.changes("link", "set", "wg0", "up") == [LinkState(up=True, mtu=1300)]
        # Nothing of the other namespace even wakes us any more.
        watched.settle()
        other.ip("route", "add", "203.0.113.128/25", "dev", "lo")
        assert not select.select([watched.monitor], [], [], 0.05)[0]
        assert "gone" in watched.ip("link", "del", "wg0")


def test_moved_on_and_renamed_there(watched: Watched) -> None:
    with new_namespace() as second, new_namespace() as third:
        watched.ip("link", "set", "wg0", "netns", second.name)
        watched.ip("link", "set", "wg0", "netns", f"/run/netns/{third.name}", at=second)
        assert is_quiet(third)
        assert watched.changes("link", "set", "wg0", "up", at=third) == [LinkState(up=True, mtu=1420)]
        assert watched.changes("link", "set", "wg0", "name", "renamed", at=third) == []
        assert watched.changes("link", "set", "renamed", "mtu", "1300", at=third) == [
            LinkState(up=True, mtu=1300)
        ]
        # The namespace in between is of no interest any more.
        second.delete()
        assert "gone" not in watched.settle()
        # And once more, to where it got its second name in the meantime.
        watched.inside.namespace.ip("link", "add", "renamed", "type", "bridge")
        third.ip("link", "set", "renamed", "down")
        third.ip("link", "set", "renamed", "name", "wg1")
        assert watched.changes(
            "link", "set", "wg1", "netns", f"/run/netns/{watched.inside.namespace.name}", at=third
        ) in ([], [LinkState(up=False, mtu=1300)])
        assert watched.monitor.state == LinkState(up=False, mtu=1300)
        assert set(watched.ip("link", "del", "renamed")) == {"route"}
        assert "gone" in watched.ip("link", "del", "wg1")


def test_name_and_index_taken_by_others(watched: Watched) -> None:
    """What is told of namesakes at home, and of others with the device's old index, is not about it."""
    home = watched.inside.namespace
    index = ip_index(home, "wg0")
    with new_namespace() as other:
        other.ip("link", "add", "br0", "index", str(index), "type", "bridge")
        watched.ip("link", "set", "wg0", "netns", other.name)
        assert ip_index(other, "wg0") != ip_index(other, "br0")
        home.ip("link", "add", "wg0", "index", str(ip_index(other, "wg0")), "type", "bridge")
        assert watched.changes("link", "set", "wg0", "up") == []
        assert watched.changes("link", "set", "br0", "up", at=other) == []
        assert watched.changes("link", "set", "wg0", "up", at=other) == [LinkState(up=True, mtu=1420)]
        assert set(watched.ip("link", "del", "wg0")) == {"route"}
        assert set(watched.ip("link", "del", "br0", at=other)) <= {"route"}


def test_many_moves_without_a_look(watched: Watched) -> None:
    home = watched.inside.namespace
    with new_namespace() as other:
        for _ in range(5):
            home.ip("link", "set", "wg0", "netns", other.name)
            other.ip("link", "set", "wg0", "netns", f"/run/netns/{home.name}")
        home.ip("link", "set", "wg0", "netns", other.name)
        other.ip("link", "set", "wg0", "mtu", "1280", "up")
        watched.settle()
        assert watched.monitor.state == LinkState(up=True, mtu=1280)
        assert watched.changes("link", "set", "wg0", "down", at=other) == [LinkState(up=False, mtu=1280)]
        for _ in range(2):  # There and back.
            other.ip("link", "set", "wg0", "netns", f"/run/netns/{home.name}")
            home.ip("link", "set", "wg0", "netns", other.name)
        watched.settle()
        assert is_quiet(other)


def test_moved_while_we_look(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its name taken over before we listen there: what answers to it then is not believed."""
    new_nsid = netlink.new_nsid
    with new_namespace() as second, new_namespace() as third:

        def move_first(namespace_fd: int, sequence: int) -> bytes:
            monkeypatch.setattr(netlink, "new_nsid", new_nsid)
            second.ip("link", "set", "wg0", "netns", f"/run/netns/{third.name}")
            second.ip("link", "add", "wg0", "mtu", "1111", "type", "bridge")
            return new_nsid(namespace_fd, sequence)

        monkeypatch.setattr(netlink, "new_nsid", move_first)
        watched.ip("link", "set", "wg0", "netns", second.name)
        assert watched.monitor.state == LinkState(up=False, mtu=1420)
        assert watched.changes("link", "set", "wg0", "up", at=second) == []
        assert watched.changes("link", "set", "wg0", "up", at=third) == [LinkState(up=True, mtu=1420)]


def test_notices_lost_while_it_is_away(watched: Watched) -> None:
    with new_namespace() as other:
        watched.ip("link", "set", "wg0", "netns", other.name)
        lines = "\n".join(f"link set wg0 mtu {1000 + number % 200}" for number in range(2000))
        other.run("ip", "-batch", "-", text=f"{lines}\nlink set wg0 mtu 1234\n")
        other.ip("link", "set", "wg0", "up")
        assert "route" in watched.settle(), "some may have been about routes"
        assert watched.monitor.state == LinkState(up=True, mtu=1234)


def test_a_namespace_with_a_number_for_itself(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older kernels give its own notices that number, as they give others theirs."""
    home, sender_nsid = watched.inside.namespace, netlink.sender_nsid

    def older(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
        nsid = sender_nsid(ancillary)
        return 77 if nsid is None else nsid

    with new_namespace() as other:
        watched.ip("link", "set", "wg0", "netns", other.name)
        monkeypatch.setattr(netlink, "sender_nsid", older)
        home.run("ip", "netns", "set", home.name, "77")
        watched.settle()
        assert "route" in watched.ip("route", "add", "198.51.100.0/24", "dev", "lo")
        assert watched.changes("link", "set", "wg0", "up", at=other) == [LinkState(up=True, mtu=1420)]
        watched.ip("link", "set", "wg0", "netns", f"/run/netns/{home.name}", at=other)
        monkeypatch.undo()
        assert watched.changes("link", "set", "wg0", "up") == [LinkState(up=True, mtu=1420)]


def test_deleted_where_it_was_moved_to(watched: Watched) -> None:
    with new_namespace() as other:
        watched.ip("link", "set", "wg0", "netns", other.name)
        assert watched.ip("link", "del", "wg0", at=other) == ["gone"]
        with pytest.raises(OSError, match=r".") as raised:
            watched.tun.read(1)
        assert raised.value.errno == errno.EBADFD


def test_its_namespace_dies_under_the_monitor(watched: Watched) -> None:
    """Neither monitor nor descriptor keeps a deleted namespace: all that is in it dies at once."""
    home = watched.inside.namespace
    with new_namespace() as other:
        home.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1", "netns", other.name)
        watched.ip("link", "set", "wg0", "netns", other.name)
        assert watched.changes("link", "set", "wg0", "up", at=other) == [LinkState(up=True, mtu=1420)]
        watched.events.clear()
        other.delete()
        until(lambda: "gone" in watched.settle(), "the monitor tells", seconds=DEATH_SECONDS)
        until(lambda: not home.has_link("veth0"), "the namespace is dead", seconds=DEATH_SECONDS)
        assert not [event for event in watched.events if isinstance(event, LinkState)]
        assert watched.events.count("gone") == 1
        with pytest.raises(OSError, match=r".") as raised:
            watched.tun.read(1)
        assert raised.value.errno == errno.EBADFD


def test_its_namespace_dies_while_we_look(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the device is there still, but its namespace cannot be had any more (EINVAL)."""
    with new_namespace() as other:
        watched.ip("link", "set", "wg0", "netns", other.name)
        monkeypatch.setattr(namespace_linux, "TUNGETDEVNETNS", 0x54FF)
        assert watched.ip("link", "set", "wg0", "up", at=other) == ["gone"]


@pytest.mark.parametrize("capability", [CAP_NET_BROADCAST, CAP_NET_ADMIN], ids=["broadcast", "admin"])
def test_a_namespace_we_may_not_watch(watched: Watched, capability: int) -> None:
    home = watched.inside.namespace
    watched.inside.run(lambda: give_up(capability))
    with new_namespace() as other:
        # It cannot be seen there, so it counts as up: a tunnel that works beats one that is exact.
        assert watched.changes("link", "set", "wg0", "netns", other.name) == [LinkState(up=True, mtu=1420)]
        assert watched.changes("link", "set", "wg0", "mtu", "1200", at=other) == []
        assert watched.ip("route", "add", "198.51.100.0/24", "dev", "lo") == ["route"]
        if capability == CAP_NET_BROADCAST:  # At home it is watched again.
            watched.ip("link", "set", "wg0", "netns", f"/run/netns/{home.name}", at=other)
            assert watched.monitor.state == LinkState(up=False, mtu=1200)
            assert watched.changes("link", "set", "wg0", "up") == [LinkState(up=True, mtu=1200)]
            assert "gone" in watched.ip("link", "del", "wg0")


def test_a_namespace_we_may_not_enter(watched: Watched) -> None:
    """It is watched all the same, only not made quiet."""
    watched.inside.run(lambda: give_up(CAP_SYS_ADMIN))
    with new_namespace() as other:
        watched.ip("link", "set", "wg0", "netns", other.name)
        assert not is_quiet(other)
        assert watched.changes("link", "set", "wg0", "up", at=other) == [LinkState(up=True, mtu=1420)]
        assert watched.ip("link", "del", "wg0", at=other)[-1] == "gone"


def test_a_kernel_that_does_not_tell_the_namespace(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_linux, "TUNGETDEVNETNS", 0x54FF)
    with new_namespace() as other:
        assert watched.changes("link", "set", "wg0", "netns", other.name) == [LinkState(up=True, mtu=1420)]
        home = f"/run/netns/{watched.inside.namespace.name}"
        assert watched.changes("link", "set", "wg0", "netns", home, at=other) == [
            LinkState(up=False, mtu=1420)
        ]
    assert "gone" in watched.ip("link", "del", "wg0")


def test_a_device_that_is_already_gone(watched: Watched) -> None:
    watched.inside.namespace.ip("link", "del", "wg0")
    nothing: Callable[[], None] = lambda: None  # noqa: E731
    callbacks = MonitorCallbacks(lambda _state: None, nothing, nothing)
    with pytest.raises(OSError, match="deleted") as raised:
        watched.inside.run(lambda: LinuxLinkMonitor(watched.tun.fileno(), callbacks))
    assert raised.value.errno == errno.ENODEV


def test_route_interface(watched: Watched) -> None:
    ip = watched.inside.namespace.ip
    ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    for number in (0, 1):
        ip("link", "set", f"veth{number}", "up")
    ip("route", "add", "198.51.100.0/24", "dev", "veth0")
    ip("route", "add", "198.51.100.0/24", "dev", "veth1", "table", "7")
    ip("rule", "add", "fwmark", "7", "table", "7")
    ip("-6", "route", "add", "2001:db8::/64", "dev", "veth1")
    links = {
        line.split(": ")[1].split("@")[0]: int(line.split(": ")[0]) for line in ip("-o", "link").splitlines()
    }

    def towards(host: str, mark: int = 0, scope_id: int = 0) -> int | None:
        return watched.monitor.route_interface(Endpoint(host, 1, scope_id), mark)

    assert towards("198.51.100.1") == links["veth0"]
    assert towards("198.51.100.1", mark=7) == links["veth1"]
    assert towards("2001:db8::1") == links["veth1"]
    assert towards("fe80::1", scope_id=links["veth0"]) == links["veth0"]
    assert towards("127.0.0.1") == links["lo"]
    assert towards("203.0.113.1") is None
    assert towards("2001:db9::1") is None


def test_asking_for_routes_is_cheap(watched: Watched) -> None:
    started = time.perf_counter()
    for _ in range(1000):
        assert watched.monitor.route_interface(Endpoint("127.0.0.1", 1), 0) == 1
    assert time.perf_counter() - started < 2


def test_closed_twice(watched: Watched) -> None:
    watched.monitor.close()
    watched.monitor.close()
    watched.monitor.on_readable()
    assert watched.events == []
