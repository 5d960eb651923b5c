"""UDP sockets of macOS with recorded system calls."""

import errno
import socket
import struct
from typing import Any

import pytest

from pywg.endpoint import Endpoint, Source
from pywg.udp import darwin
from pywg.udp.darwin import DarwinUdp
from pywg.udp.port import SendError

THEIRS4 = Endpoint("192.0.2.2", 2)
THEIRS6 = Endpoint("fe80::2", 2, 4)


class MacSocket:
    """A socket of a Mac: notes options and sends, gives what is put into `arrived`."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self.family = family
        self.calls: list[tuple[Any, ...]] = []
        self.arrived: list[Any] = []
        self.largest_buffer = 8 << 20
        self.fail_sends: dict[int, int] = {}
        self.sent: list[tuple[bytes, Any]] = []

    def setblocking(self, flag: bool) -> None:
        self.calls.append(("blocking", flag))

    def setsockopt(self, level: int, option: int, value: int) -> None:
        is_buffer = level == socket.SOL_SOCKET and option in {socket.SO_RCVBUF, socket.SO_SNDBUF}
        if is_buffer and value > self.largest_buffer:
            raise OSError(errno.ENOBUFS, "too large")
        self.calls.append((level, option, value))

    def getsockopt(self, level: int, option: int) -> int:
        found: int = next(value for *name, value in self.calls if name == [level, option])
        return found

    def bind(self, address: tuple[str, int]) -> None:
        self.calls.append(("bind", *address))

    def getsockname(self) -> tuple[str, int]:
        return ("", 51820)

    def recvmsg_into(self, buffers: list[memoryview], _size: int) -> tuple[int, Any, int, Any]:
        if not self.arrived:
            raise BlockingIOError(errno.EAGAIN, "empty")
        item = self.arrived.pop(0)
        if isinstance(item, OSError):
            raise item
        data, messages, address = item
        buffers[0][: len(data)] = data
        return len(data), messages, 0, address

    def sendto(self, data: bytes, address: Any) -> int:
        code = self.fail_sends.get(len(self.sent))
        if code:
            raise OSError(code, "refused")
        self.sent.append((bytes(data), address))
        return len(data)

    def close(self) -> None:
        self.calls.append(("close",))


def made(family: socket.AddressFamily, **attributes: Any) -> tuple[DarwinUdp, MacSocket]:
    sock = MacSocket(family)
    for name, value in attributes.items():
        setattr(sock, name, value)
    return DarwinUdp(sock, 51820), sock  # type: ignore[arg-type]  # the part of a socket that is used


def test_options() -> None:
    udp, sock = made(socket.AF_INET)
    assert ("blocking", False) in sock.calls
    assert (socket.IPPROTO_IP, 27, 1) in sock.calls
    assert ("bind", "0.0.0.0", 51820) in sock.calls  # noqa: S104  # as WireGuard does
    assert udp.port == 51820
    assert not udp.is_ipv6
    udp, sock = made(socket.AF_INET6)
    assert sock.calls.index((socket.IPPROTO_IPV6, 27, 1)) < sock.calls.index(("bind", "::", 51820))
    assert (socket.IPPROTO_IPV6, 35, 1) in sock.calls
    assert udp.is_ipv6


def test_buffers_are_as_large_as_the_system_lets_them() -> None:
    udp, _ = made(socket.AF_INET, largest_buffer=5 << 20)
    assert udp.status()["receive_buffer"] == udp.status()["send_buffer"] == str(4 << 20)
    udp, _ = made(socket.AF_INET)
    assert udp.status()["receive_buffer"] == str(7 << 20)
    udp, sock = made(socket.AF_INET, largest_buffer=1000)
    assert not [call for call in sock.calls if call[1] == socket.SO_RCVBUF]


def test_receive() -> None:
    udp, sock = made(socket.AF_INET)
    messages = [(socket.IPPROTO_IP, 27, bytes([0x8B]))]
    sock.arrived = [
        (b"one", messages, ("192.0.2.2", 2)),
        (b"two", [], ("192.0.2.2", 2)),
        (b"six", [], ("192.0.2.3", 2)),
    ]
    first, second = udp.receive(2)
    assert (bytes(first.data), first.source, first.ecn) == (b"one", Source(THEIRS4), 3)
    assert (bytes(second.data), second.ecn) == (b"two", 0)
    assert first.source is second.source
    assert [bytes(datagram.data) for datagram in udp.receive(2)] == [b"six"]
    assert udp.receive(2) == []
    assert udp.take_errors() == ()


def test_receive_with_scope() -> None:
    udp, sock = made(socket.AF_INET6)
    messages = [(socket.IPPROTO_IPV6, 36, struct.pack("<i", 1))]
    sock.arrived = [(b"one", messages, ("fe80::2", 2, 0, 4))]
    (datagram,) = udp.receive(2)
    assert datagram.source.endpoint == THEIRS6
    assert datagram.ecn == 1


def test_receive_errors() -> None:
    udp, sock = made(socket.AF_INET)
    sock.arrived = [OSError(errno.ECONNREFUSED, "of an earlier datagram"), (b"one", [], ("192.0.2.2", 2))]
    assert udp.receive(2) == []
    assert len(udp.receive(2)) == 1
    sock.arrived = [OSError(errno.EBADF, "closed")]
    with pytest.raises(OSError, match="closed"):
        udp.receive(2)


def test_send_sets_the_tos_once() -> None:
    udp, sock = made(socket.AF_INET)
    sock.calls.clear()
    for tos in (0, 0x88, 0x88, 0):
        udp.send(Source(THEIRS4), [b"a"], tos)
    assert sock.calls == [(socket.IPPROTO_IP, 3, 0x88), (socket.IPPROTO_IP, 3, 0)]
    assert sock.sent == [(b"a", ("192.0.2.2", 2))] * 4
    udp, sock = made(socket.AF_INET6)
    udp.send(Source(THEIRS6), [b"a"], 1)
    assert (socket.IPPROTO_IPV6, 36, 1) in sock.calls
    assert sock.sent == [(b"a", ("fe80::2", 2, 0, 4))]


def test_a_partial_send_tells_how_far_it_came() -> None:
    udp, sock = made(socket.AF_INET)
    sock.fail_sends = {2: errno.ENOBUFS}
    with pytest.raises(SendError) as raised:
        udp.send(Source(THEIRS4), [b"a", b"b", b"c", b"d"], 0)
    assert (raised.value.errno, raised.value.sent) == (errno.ENOBUFS, 2)
    udp, sock = made(socket.AF_INET)
    sock.fail_sends = {0: errno.EHOSTUNREACH}
    with pytest.raises(OSError, match="refused") as first:
        udp.send(Source(THEIRS4), [b"a"], 0)
    assert not isinstance(first.value, SendError)


def test_sources_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(darwin, "CACHED_PATHS", 4)
    udp, sock = made(socket.AF_INET)
    sock.arrived = [(b"a", [], (f"192.0.2.{number}", 1)) for number in range(20)]
    assert len(udp.receive(20)) == 20
    assert len(udp._sources) <= 4


def test_open_sockets_without_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, int]] = []
    monkeypatch.setattr(darwin, "open_pair", lambda make, port: asked.append((make, port)))
    darwin.open_sockets(51820, 7)
    assert asked == [(DarwinUdp, 51820)]
    udp, sock = made(socket.AF_INET)
    sock.calls.clear()
    udp.set_mark(7)
    udp.route_changed()
    assert sock.calls == []
    udp.close()
    assert sock.calls == [("close",)]
