"""TUN devices of Linux, in a namespace of the test's own."""

import errno
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pywg.tun import linux
from pywg.tun.linux import LinuxTun, TunError, open_tun
from tests.net.inside import Inside, inside_new_namespace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: TUN of Linux")


@pytest.fixture
def inside() -> Iterator[Inside]:
    with inside_new_namespace() as made:
        yield made


def opened(inside: Inside, name: str = "wg0", mtu: int | None = 1420) -> LinuxTun:
    return inside.run(lambda: open_tun(name, mtu))


def setting(inside: Inside, path: str) -> str:
    return inside.namespace.run("cat", f"/proc/sys/net/{path}").stdout.strip()


def udp_packet(inside: Inside, payload: bytes, to: str = "10.9.0.2") -> None:
    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(payload, (to, 9))

    inside.run(send)


def test_the_device_is_as_the_kernel_would_make_it(inside: Inside) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # counts descriptors
    tun = opened(inside)
    assert len(os.listdir("/proc/self/fd")) == before + 1  # noqa: PTH208
    assert tun.name == "wg0"
    assert not tun.vnet_hdr
    assert not os.get_blocking(tun.fileno())
    assert not os.get_inheritable(tun.fileno())
    shown = inside.namespace.ip("-details", "link", "show", "wg0")
    assert "mtu 1420" in shown
    assert "qlen 1000" in shown
    assert "state DOWN" in shown
    assert "UP" not in shown.split(">")[0].split(",")
    assert "addrgenmode none" in shown
    assert setting(inside, "ipv6/conf/wg0/addr_gen_mode") == "1"
    assert setting(inside, "ipv4/conf/wg0/send_redirects") == "0"
    inside.namespace.ip("link", "set", "wg0", "up")
    assert "fe80" not in inside.namespace.ip("addr", "show", "wg0")
    tun.close()
    assert not inside.namespace.has_link("wg0")


def test_packets(inside: Inside) -> None:
    tun = opened(inside)
    inside.namespace.ip("addr", "add", "10.9.0.1/24", "dev", "wg0")
    assert tun.read(8) == []
    assert tun.write([bytes(20)]) == 1, "a link that is down refuses, and that is no reason to die"
    inside.namespace.ip("link", "set", "wg0", "up")
    for payload in (b"one", b"two"):
        udp_packet(inside, payload)
    first, second = (bytes(packet) for packet in tun.read(8))
    assert (first[0], first[28:]) == (0x45, b"one")
    assert second[28:] == b"two"
    # Echoed with the addresses exchanged it arrives: nothing but the IP packet goes over the descriptor.
    with inside.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(("10.9.0.1", 9))
        sock.settimeout(2)
        assert tun.write([first[:12] + first[16:20] + first[12:16] + first[20:], b"", b"rubbish"]) == 2
        assert sock.recv(100) == b"one"
    tun.close()


def test_deletion_is_the_end(inside: Inside) -> None:
    tun = opened(inside)
    inside.namespace.ip("link", "del", "wg0")
    uses: list[Callable[[], object]] = [lambda: tun.read(1), lambda: tun.write([bytes(20)])]
    for use in uses:
        with pytest.raises(OSError, match=r".") as raised:
            use()
        assert raised.value.errno == errno.EBADFD
    tun.close()


def test_moved_and_renamed_devices_go_on(inside: Inside) -> None:
    tun = opened(inside)
    with inside_new_namespace() as other:
        inside.namespace.ip("link", "set", "wg0", "netns", other.namespace.name, "name", "elsewhere")
        other.namespace.ip("addr", "add", "10.9.0.1/24", "dev", "elsewhere")
        other.namespace.ip("link", "set", "elsewhere", "up")
        udp_packet(other, b"over there")
        assert [bytes(packet)[-10:] for packet in tun.read(8) if packet[0] >> 4 == 4] == [b"over there"]
        assert linux.interface(tun.fileno())[0] == "elsewhere"
        tun.close()


def test_an_inherited_descriptor(inside: Inside) -> None:
    tun = opened(inside, mtu=1300)
    inherited = LinuxTun.from_fd(os.dup(tun.fileno()))
    tun.close()
    assert inherited.name == "wg0"
    assert "mtu 1300" in inside.namespace.ip("link", "show", "wg0")
    inherited.close()
    assert not inside.namespace.has_link("wg0")


def test_a_descriptor_that_is_no_tun() -> None:
    with Path("/dev/null").open() as null, pytest.raises(TunError, match=r"not an open TUN.*WG_TUN_FD"):
        LinuxTun.from_fd(null.fileno())
    with pytest.raises(TunError, match="Bad file descriptor"):
        LinuxTun.from_fd(12345)


@pytest.mark.parametrize(
    "flags",
    [linux.IFF_TUN | linux.IFF_NO_PI | linux.IFF_VNET_HDR, 0x0002 | linux.IFF_NO_PI],
    ids=["vnet_hdr", "TAP"],
)
def test_a_tun_with_other_flags(inside: Inside, flags: int) -> None:
    def make() -> int:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"wg0", flags))  # TUNSETIFF
        return fd

    fd = inside.run(make)
    try:
        with pytest.raises(TunError, match="expected IFF_TUN"):
            LinuxTun.from_fd(fd)
    finally:
        os.close(fd)


def test_names_that_are_taken(inside: Inside) -> None:
    tun = opened(inside)
    with pytest.raises(TunError, match="'wg0': the name is in use by another process"):
        opened(inside)
    inside.namespace.ip("link", "add", "br0", "type", "bridge")
    with pytest.raises(TunError, match="'br0': an interface of another kind"):
        opened(inside, "br0")
    tun.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "empty"),
        ("x" * 16, "too long; use at most 15"),
        ("é" * 8, "too long"),
        ("a/b", "not valid"),
        ("a b", "not valid"),
        ("wg%d", "not valid"),
        ("a:1", "not valid"),
        ("..", "not valid"),
        ("a\0b", "not valid"),
    ],
)
def test_names_that_cannot_be(name: str, message: str) -> None:
    with pytest.raises(TunError, match=message):
        open_tun(name, None)


@pytest.mark.parametrize("mtu", [-1, 5, 70000])
def test_an_mtu_that_cannot_be_leaves_no_device(inside: Inside, mtu: int) -> None:
    with pytest.raises(TunError, match=f"MTU of 'wg0' to {mtu}: .*68 to 65535"):
        opened(inside, mtu=mtu)
    assert not inside.namespace.has_link("wg0")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.EPERM, "run as root or with CAP_NET_ADMIN"),
        (errno.EACCES, "run as root or with CAP_NET_ADMIN"),
        (errno.ENOENT, "/dev/net/tun is missing; run 'modprobe tun'"),
        (errno.ENODEV, "/dev/net/tun is missing"),
        (errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_refusals_of_the_system_in_words(code: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str, _flags: int) -> None:
        raise OSError(code, "refused")

    monkeypatch.setattr("pytun.TunTapDevice", refuse)
    with pytest.raises(TunError, match=f"'wg0': .*{message}") as raised:
        open_tun("wg0", None)
    assert "\n" not in str(raised.value)
