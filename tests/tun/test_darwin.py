"""utun with recorded system calls: what a Mac would be asked, and what is made of its answers."""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any, Self

import pytest

from pywg.tun import darwin
from pywg.tun.darwin import DarwinTun, TunError, open_tun

CONTROL_ID = 7


class Mac:
    """Answers the system calls of opening a utun; its descriptor is one end of a socketpair."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fail: dict[str, int] = {}
        self.unit = 0
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.theirs.settimeout(2)
        monkeypatch.setattr("pywg.tun.darwin.socket.socket", lambda *a, **k: MacSocket(self, *a, **k))
        monkeypatch.setattr("pywg.tun.darwin.fcntl.ioctl", self.ioctl)

    def call(self, name: str, *arguments: object) -> None:
        self.calls.append((name, *arguments))
        if name in self.fail:
            raise OSError(self.fail[name], os.strerror(self.fail[name]))

    def ioctl(self, _fd: int, request: int, data: bytes) -> bytes:
        if request == darwin.CTLIOCGINFO:
            assert len(data) == (request >> 16) & 0x1FFF == 100
            self.call("info", data[4:].rstrip(b"\0"))
            return struct.pack("=I", CONTROL_ID) + data[4:]
        assert request == darwin.SIOCSIFMTU
        assert len(data) == (request >> 16) & 0x1FFF == 32
        self.call("mtu", *struct.unpack("=16si12x", data))
        return data


class MacSocket:
    def __init__(self, mac: Mac, *arguments: int, fileno: int | None = None) -> None:
        self.mac = mac
        self.fd = fileno
        if fileno is None:
            mac.call("socket", *arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.fd is not None:
            os.close(self.fd)

    def fileno(self) -> int:
        return 1000

    def connect(self, address: tuple[int, int]) -> None:
        self.mac.call("connect", *address)
        self.mac.unit = address[1] or 6

    def detach(self) -> int:
        return os.dup(self.mac.ours.fileno())

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        self.mac.call("getsockopt", level, option, size)
        return f"utun{self.mac.unit - 1}".encode() + b"\0"


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    made = Mac(monkeypatch)
    yield made
    made.ours.close()
    made.theirs.close()


@pytest.mark.parametrize(
    ("name", "unit", "real"), [("utun", 0, "utun5"), ("utun0", 1, "utun0"), ("utun9", 10, "utun9")]
)
def test_opening(mac: Mac, name: str, unit: int, real: str) -> None:
    tun = open_tun(name, 1420)
    assert tun.name == real
    assert not os.get_blocking(tun.fileno())
    assert not os.get_inheritable(tun.fileno())
    assert mac.calls == [
        ("socket", 32, socket.SOCK_DGRAM, 2),
        ("info", b"com.apple.net.utun_control"),
        ("connect", CONTROL_ID, unit),
        ("getsockopt", 2, 2, 16),
        ("socket", socket.AF_INET, socket.SOCK_DGRAM),
        ("mtu", real.encode().ljust(16, b"\0"), 1420),
    ]
    tun.close()


def test_packets_have_a_family_before_them(mac: Mac) -> None:
    tun = open_tun("utun", None)
    v4, v6 = bytes([0x45]) + bytes(19), bytes([0x60]) + bytes(39)
    assert tun.write([v4, memoryview(v6), bytearray(v4)]) == 0
    assert [mac.theirs.recv(100) for _ in range(3)] == [
        b"\0\0\0\x02" + v4,
        b"\0\0\0\x1e" + v6,
        b"\0\0\0\x02" + v4,
    ]
    assert tun.read(8) == []
    mac.theirs.send(b"\0\0\0\x1e" + v6)
    mac.theirs.send(b"\0\0\0\x02" + v4)
    assert list(map(bytes, tun.read(8))) == [v6, v4]
    mac.theirs.close()
    with pytest.raises(OSError, match="refused"):
        tun.write([v4])
    tun.close()


def test_an_inherited_descriptor(mac: Mac) -> None:
    mac.unit = 4
    tun = DarwinTun.from_fd(os.dup(mac.ours.fileno()))
    assert tun.name == "utun3"
    tun.close()
    mac.fail["getsockopt"] = errno.ENOPROTOOPT
    with pytest.raises(TunError, match=r"not an open utun device.*WG_TUN_FD"):
        DarwinTun.from_fd(mac.ours.fileno())


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        ("connect", errno.EPERM, "run as root"),
        ("connect", errno.EBUSY, "in use; choose another number"),
        ("socket", errno.EPROTONOSUPPORT, "Protocol not supported"),
        ("getsockopt", errno.ENOPROTOOPT, "not an open utun"),
        ("mtu", errno.EINVAL, "MTU of 'utun4' to 99999"),
    ],
)
def test_refusals_in_words(mac: Mac, call: str, code: int, message: str) -> None:
    mac.fail[call] = code
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # counts descriptors
    with pytest.raises(TunError, match=message) as raised:
        open_tun("utun4", 99999)
    assert "\n" not in str(raised.value)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("name", ["wg0", "utun-1", "utunx", "utun01", "", "utun1 "])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(TunError, match="use utun, or utun and a number"):
        open_tun(name, None)
