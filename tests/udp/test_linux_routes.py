"""Linux UDP sockets across a real link: what goes away, what is too small, what is link-local."""

import errno
import os
import select
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import UdpSockets
from pywg.udp.linux import LinuxUdp, open_sockets
from pywg.udp.port import Datagram
from tests.net.inside import Inside, inside_new_namespace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: sockets of Linux")

SOURCE_GONE = {errno.EINVAL, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENODEV}


@dataclass
class Side:
    inside: Inside
    number: int
    sockets: UdpSockets

    def udp(self, family: int) -> LinuxUdp:
        udp = self.sockets.v4 if family == 4 else self.sockets.v6
        assert isinstance(udp, LinuxUdp)
        return udp

    def address(self, family: int, extra: int = 0) -> str:
        return f"192.0.2.{self.number + extra}" if family == 4 else f"2001:db8::{self.number + extra:x}"

    def source(self, family: int, extra: int = 0) -> Source:
        return Source(Endpoint(self.address(family, extra), self.sockets.port))

    def receive(self, family: int, count: int) -> list[Datagram]:
        received: list[Datagram] = []
        while len(received) < count:
            assert select.select([self.udp(family)], [], [], 2)[0], f"{len(received)} of {count} came"
            received += [d._replace(data=bytes(d.data)) for d in self.udp(family).receive(64)]
        return received


@pytest.fixture
def sides() -> Iterator[tuple[Side, Side]]:
    """Two namespaces joined by a veth pair, each with two addresses per family."""
    with inside_new_namespace() as left, inside_new_namespace() as right:
        left.namespace.ip(
            *["link", "add", "veth0", "type", "veth", "peer", "name", "veth0"],
            *["netns", right.namespace.name],
        )
        opened = []
        for inside, number in ((left, 1), (right, 11)):
            for extra in (0, 1):
                inside.namespace.ip("addr", "add", f"192.0.2.{number + extra}/24", "dev", "veth0")
                inside.namespace.ip(
                    "addr", "add", f"2001:db8::{number + extra:x}/64", "dev", "veth0", "nodad"
                )
            inside.namespace.ip("link", "set", "veth0", "up")
            opened.append(Side(inside, number, inside.run(lambda: open_sockets(0, 0))))
        yield opened[0], opened[1]
        for side in opened:
            side.sockets.close()


@pytest.mark.parametrize("family", [4, 6])
def test_replies_leave_from_the_address_that_was_reached(sides: tuple[Side, Side], family: int) -> None:
    left, right = sides
    left.udp(family).send(right.source(family, extra=1), [b"a", b"b"], 0)
    question = right.receive(family, 2)[0]
    assert question.source.local == right.source(family, extra=1).endpoint.address
    assert question.source.ifindex > 0
    right.udp(family).send(question.source, [b"c"], 0)
    assert left.receive(family, 1)[0].source.endpoint == right.source(family, extra=1).endpoint


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("batch", [1, 3])
def test_an_address_that_was_removed(sides: tuple[Side, Side], family: int, batch: int) -> None:
    left, right = sides
    left.udp(family).send(right.source(family, extra=1), [b"a"], 0)
    source = right.receive(family, 1)[0].source
    right.inside.namespace.ip(
        "addr", "del", f"{right.address(family, 1)}/{24 if family == 4 else 64}", "dev", "veth0"
    )
    with pytest.raises(OSError, match=r".") as raised:
        right.udp(family).send(source, [b"lost?"] * batch, 0)
    assert raised.value.errno in SOURCE_GONE
    # As the engine does: without the source the same datagrams go out, and still in one piece.
    right.udp(family).send(Source(source.endpoint), [b"found"] * batch, 0)
    assert {d.data for d in left.receive(family, batch)} == {b"found"}
    assert right.udp(family).status()["unsegmented_endpoints"] == "0"


@pytest.mark.parametrize("family", [4, 6])
def test_an_interface_that_is_gone(sides: tuple[Side, Side], family: int) -> None:
    left, right = sides
    source = right.source(family)._replace(ifindex=4711)
    with pytest.raises(OSError, match=r".") as raised:
        left.udp(family).send(source, [b"a", b"b"], 0)
    assert raised.value.errno in SOURCE_GONE


@pytest.mark.parametrize("family", [4, 6])
def test_a_route_too_narrow_for_segments(sides: tuple[Side, Side], family: int) -> None:
    left, right = sides
    prefix = 32 if family == 4 else 128
    left.inside.namespace.ip(
        "route", "add", f"{right.address(family)}/{prefix}", "dev", "veth0", "mtu", "1300"
    )
    sent = [os.urandom(1452) for _ in range(20)]
    for refused in ("1", "1"):
        left.udp(family).send(right.source(family), sent, 0)
        assert sorted(bytes(d.data) for d in right.receive(family, 20)) == sorted(sent)
        assert left.udp(family).status()["unsegmented_endpoints"] == refused
    left.inside.namespace.ip("route", "del", f"{right.address(family)}/{prefix}", "dev", "veth0")
    left.udp(family).route_changed()
    left.udp(family).send(right.source(family), sent, 0)
    assert [d.data for d in right.receive(family, 20)] == sent
    assert left.udp(family).status()["unsegmented_endpoints"] == "0"


def test_link_local_endpoints_keep_their_scope(sides: tuple[Side, Side]) -> None:
    left, right = sides
    for side in sides:
        side.inside.namespace.ip("addr", "add", f"fe80::{side.number}/64", "dev", "veth0", "nodad")
    scope = left.inside.run(lambda: socket.if_nametoindex("veth0"))
    left.udp(6).send(Source(Endpoint(f"fe80::{right.number}", right.sockets.port, scope)), [b"a"], 0)
    (question,) = right.receive(6, 1)
    assert question.source.endpoint.scope_id == right.inside.run(lambda: socket.if_nametoindex("veth0"))
    right.udp(6).send(question.source, [b"b"], 0)
    assert left.receive(6, 1)[0].source.endpoint == Endpoint(
        f"fe80::{right.number}", right.sockets.port, scope
    )


@pytest.mark.parametrize("family", [4, 6])
def test_a_host_without_route_is_an_error_of_the_send(sides: tuple[Side, Side], family: int) -> None:
    nowhere = Endpoint("198.51.100.1" if family == 4 else "2001:db8:ffff::1", 9)
    with pytest.raises(OSError, match="unreachable") as raised:
        sides[0].udp(family).send(Source(nowhere), [b"a"], 0)
    assert raised.value.errno == errno.ENETUNREACH


def test_outer_packets_do_not_forbid_fragmentation(sides: tuple[Side, Side]) -> None:
    left, right = sides
    with right.inside.run(
        lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    ) as sniffer:
        left.udp(4).send(right.source(4), [b"a"], 0)
        right.receive(4, 1)
        sniffer.settimeout(2)
        frame = sniffer.recv(2000)
    assert frame[23] == socket.IPPROTO_UDP
    assert not frame[20] & 0x40  # DF


def test_ipv6_switched_off_by_sysctl() -> None:
    with inside_new_namespace() as inside:
        inside.namespace.sysctl("net/ipv6/conf/all/disable_ipv6", "1")
        sockets = inside.run(lambda: open_sockets(0, 0))
        assert sockets.v4 is not None
        assert sockets.port > 0
        sockets.close()
