"""Two sockets on one port, whatever the machine lacks and whoever was there first."""

import errno
import socket
from collections.abc import Mapping, Sequence

import pytest

from pywg.endpoint import Source
from pywg.udp import pair
from pywg.udp.pair import open_pair
from pywg.udp.port import Datagram, IcmpError


class Plain:
    """A bound socket and nothing else."""

    def __init__(self, sock: socket.socket, port: int) -> None:
        self.sock = sock
        self.is_ipv6 = sock.family == socket.AF_INET6
        if self.is_ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::" if self.is_ipv6 else "0.0.0.0", port))  # noqa: S104  # as WireGuard does
        self.port: int = sock.getsockname()[1]

    def fileno(self) -> int:
        return self.sock.fileno()

    def receive(self, most: int) -> Sequence[Datagram]:
        raise NotImplementedError

    def send(self, source: Source, datagrams: Sequence[bytes | bytearray | memoryview], tos: int) -> None:
        raise NotImplementedError

    def set_mark(self, mark: int) -> None:
        raise NotImplementedError

    def take_errors(self) -> Sequence[IcmpError]:
        raise NotImplementedError

    def route_changed(self) -> None:
        raise NotImplementedError

    def status(self) -> Mapping[str, str]:
        raise NotImplementedError

    def close(self) -> None:
        self.sock.close()


class Maker:
    """Makes Plain ones, and notes every socket and port it was given."""

    def __init__(self, taken_in_ipv6: int = 0) -> None:
        self.sockets: list[socket.socket] = []
        self.ports6: list[int] = []
        self.taken_in_ipv6 = taken_in_ipv6

    def __call__(self, sock: socket.socket, port: int) -> Plain:
        self.sockets.append(sock)
        if sock.family == socket.AF_INET6:
            self.ports6.append(port)
            if len(self.ports6) <= self.taken_in_ipv6:
                raise OSError(errno.EADDRINUSE, "taken")
        return Plain(sock, port)

    @property
    def still_open(self) -> int:
        return sum(sock.fileno() >= 0 for sock in self.sockets)


def without(monkeypatch: pytest.MonkeyPatch, *lacking: socket.AddressFamily) -> None:
    original = socket.socket

    def make(family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        if family in lacking:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return original(family, kind)

    monkeypatch.setattr("pywg.udp.pair.socket.socket", make)


def test_any_port_is_one_that_is_free_in_both() -> None:
    make = Maker(taken_in_ipv6=2)
    sockets = open_pair(make, 0)
    assert len(make.ports6) == 3
    assert make.still_open == 2
    assert sockets.port == make.ports6[-1] > 0
    sockets.close()
    assert make.still_open == 0


def test_no_port_is_free_in_both() -> None:
    make = Maker(taken_in_ipv6=pair.PORT_ATTEMPTS)
    with pytest.raises(OSError, match="taken"):
        open_pair(make, 0)
    assert len(make.ports6) == pair.PORT_ATTEMPTS
    assert make.still_open == 0


def test_a_port_that_was_asked_for_is_not_changed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("0.0.0.0", 0))  # noqa: S104  # finds a free port
        port = free.getsockname()[1]
    make = Maker(taken_in_ipv6=1)
    with pytest.raises(OSError, match="taken"):
        open_pair(make, port)
    assert make.still_open == 0


@pytest.mark.parametrize("lacking", [socket.AF_INET, socket.AF_INET6])
def test_a_machine_without_a_family_has_the_other(
    lacking: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, lacking)
    sockets = open_pair(Maker(), 0)
    assert (sockets.v4 is None) == (lacking == socket.AF_INET)
    assert (sockets.v6 is None) == (lacking == socket.AF_INET6)
    assert sockets.port > 0
    sockets.close()


def test_a_machine_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, socket.AF_INET, socket.AF_INET6)
    with pytest.raises(OSError, match="neither IPv4 nor IPv6"):
        open_pair(Maker(), 0)


def test_other_errors_leave_nothing_open() -> None:
    make = Maker()

    def refuse(sock: socket.socket, port: int) -> Plain:
        plain = make(sock, port)
        if plain.is_ipv6:
            raise OSError(errno.EPERM, "no mark for you")
        return plain

    with pytest.raises(OSError, match="no mark"):
        open_pair(refuse, 0)
    assert make.still_open == 0
