"""The link monitor of macOS with messages as a routing socket sends them."""

import errno
import os
import socket
import struct
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywg.endpoint import Endpoint
from pywg.net import monitor_darwin
from pywg.net.monitor_darwin import DarwinLinkMonitor, messages
from pywg.net.port import LinkState, MonitorCallbacks

OUR_INDEX = 12


def if_info(ifindex: int, version: int = 5) -> bytes:
    """struct if_msghdr: length, version, type, addresses, flags, index, padding, if_data."""
    body = struct.pack("=iiH2x", 0, 0x8051, ifindex) + bytes(96)
    return struct.pack("=HBB", 4 + len(body), version, 0xE) + body


def route(kind: int) -> bytes:
    return struct.pack("=HBB", 92, 5, kind) + bytes(88)


class Mac:
    """A routing socket, and the flags and MTU of our device."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flags, self.mtu = 0x8050, 1420
        self.error = 0
        self.waiting: list[bytes | OSError] = []
        self.opened: list[tuple[int, ...]] = []
        self.closed = 0
        self.events: list[LinkState | str] = []
        monkeypatch.setattr("pywg.net.monitor_darwin.socket.socket", lambda *a: MacSocket(self, *a))
        monkeypatch.setattr("pywg.net.monitor_darwin.socket.if_nametoindex", {"utun5": OUR_INDEX}.__getitem__)
        monkeypatch.setattr("pywg.net.monitor_darwin.fcntl.ioctl", self.ioctl)
        monkeypatch.setattr(monitor_darwin, "interface_name", {3: "utun5"}.__getitem__)

    def ioctl(self, _fd: int, request: int, data: bytes) -> bytes:
        assert len(data) == (request >> 16) & 0x1FFF == 32
        assert data.rstrip(b"\0") == b"utun5"
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        value = {0xC0206911: struct.pack("=H", self.flags), 0xC0206933: struct.pack("=i", self.mtu)}[request]
        return (data[:16] + value).ljust(32, b"\0")

    def monitor(self) -> DarwinLinkMonitor:
        callbacks = MonitorCallbacks(
            on_change=self.events.append,
            on_route_change=lambda: self.events.append("route"),
            on_gone=lambda: self.events.append("gone"),
        )
        return DarwinLinkMonitor(3, callbacks)


class MacSocket:
    def __init__(self, mac: Mac, *arguments: int) -> None:
        self.mac = mac
        self.open = True
        mac.opened.append(arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        return 9 if self.open else -1

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def recv(self, _size: int) -> bytes:
        if not self.mac.waiting:
            raise BlockingIOError(errno.EAGAIN, "empty")
        item = self.mac.waiting.pop(0)
        if isinstance(item, OSError):
            raise item
        return item

    def close(self) -> None:
        self.mac.closed += self.open
        self.open = False


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Mac:
    return Mac(monkeypatch)


def test_up_mtu_and_down(mac: Mac) -> None:
    monitor = mac.monitor()
    assert mac.opened[0] == (17, socket.SOCK_RAW)
    assert monitor.state == LinkState(up=False, mtu=1420)
    assert monitor.fileno() == 9
    for mac.flags, mac.mtu, state in (
        (0x8051, 1420, LinkState(up=True, mtu=1420)),
        (0x8051, 1300, LinkState(up=True, mtu=1300)),
        (0x8050, 1300, LinkState(up=False, mtu=1300)),
    ):
        mac.waiting = [if_info(OUR_INDEX)]
        monitor.on_readable()
        assert mac.events == [state, "route"]
        assert monitor.state == state
        mac.events.clear()


def test_messages_of_others_do_not_count(mac: Mac) -> None:
    monitor = mac.monitor()
    mac.flags = 0x8051
    mac.waiting = [if_info(OUR_INDEX + 1), if_info(OUR_INDEX, version=4), b"\x04\x00"]
    monitor.on_readable()
    assert mac.events == ["route"]
    assert not monitor.state.up


@pytest.mark.parametrize("kind", [1, 2, 3, 0xC, 0xD])
def test_route_changes_are_one_call(mac: Mac, kind: int) -> None:
    monitor = mac.monitor()
    mac.waiting = [route(kind), OSError(errno.ENOBUFS, "lost some"), route(kind) + route(kind)]
    monitor.on_readable()
    assert mac.events == ["route"]


def test_other_messages_are_nothing(mac: Mac) -> None:
    monitor = mac.monitor()
    mac.waiting = [route(4), route(7)]
    monitor.on_readable()
    assert mac.events == []


def test_deletion_is_told_once(mac: Mac) -> None:
    monitor = mac.monitor()
    mac.error = errno.ENXIO
    for _ in range(2):
        mac.waiting = [if_info(OUR_INDEX)]
        monitor.on_readable()
    assert mac.events == ["gone"]


@pytest.mark.parametrize("code", [errno.ENXIO, errno.EPERM])
def test_a_device_that_cannot_be_asked(mac: Mac, code: int) -> None:
    mac.error = code
    with pytest.raises(OSError, match=r".") as raised:
        mac.monitor()
    assert raised.value.errno == code
    assert mac.closed == len(mac.opened)


def test_closed(mac: Mac) -> None:
    monitor = mac.monitor()
    assert monitor.route_interface(Endpoint("192.0.2.1", 1), 0) is None
    monitor.close()
    monitor.close()
    mac.waiting = [if_info(OUR_INDEX)]
    monitor.on_readable()
    assert mac.events == []


@given(st.binary(max_size=120) | st.binary(max_size=80).map(lambda rest: if_info(3) + rest))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    found: list[Any] = list(messages(data))
    assert len(found) <= len(data) // 4
