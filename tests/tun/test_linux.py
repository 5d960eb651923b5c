"""TUN devices of Linux, in a namespace of the test's own."""

import errno
import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pywg.tun import linux
from pywg.tun.coalesce import coalesce
from pywg.tun.linux import LinuxTun, TunError, open_tun
from tests.net.inside import Inside, inside_new_namespace
from tests.tun.segments import run

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
    assert tun.vnet_hdr
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


def made(inside: Inside, flags: int, name: str = "wg0") -> int:
    """A descriptor such as others make it."""

    def make() -> int:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), flags))  # TUNSETIFF
        return fd

    return inside.run(make)


@pytest.mark.parametrize("flags", [0, linux.IFF_VNET_HDR], ids=["TAP", "TAP with vnet_hdr"])
def test_a_device_that_is_no_tun(inside: Inside, flags: int) -> None:
    fd = made(inside, 0x0002 | linux.IFF_NO_PI | flags)
    try:
        with pytest.raises(TunError, match="expected IFF_TUN"):
            LinuxTun.from_fd(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("vnet_hdr", [False, True])
def test_an_inherited_descriptor_of_either_kind(inside: Inside, vnet_hdr: bool) -> None:
    fd = made(inside, linux.IFF_TUN | linux.IFF_NO_PI | (linux.IFF_VNET_HDR if vnet_hdr else 0))
    if vnet_hdr:
        # What somebody else may like: the longer header, and segments for us to cut.
        fcntl.ioctl(fd, linux.TUNSETVNETHDRSZ, struct.pack("=i", 12))
        fcntl.ioctl(fd, linux.TUNSETOFFLOAD, 0x07)
    tun = LinuxTun.from_fd(fd)
    assert tun.vnet_hdr is vnet_hdr
    with carried(inside, tun) as (received, _):
        assert received == PAYLOAD
        # Its checksum would be left to us, had the offloads stayed.
        udp_packet(inside, b"whole")
        assert b"whole" in [bytes(packet[28:]) for packet in tun.read(64)]
    tun.close()


def test_a_kernel_that_refuses_the_header(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    create = linux._create

    def without_header(name: str, flags: int) -> int:
        if flags & linux.IFF_VNET_HDR:
            raise OSError(errno.EINVAL, "refused")
        return create(name, flags)

    monkeypatch.setattr(linux, "_create", without_header)
    tun = opened(inside)
    assert not tun.vnet_hdr
    with carried(inside, tun) as (received, longest):
        assert received == PAYLOAD
        assert longest == 1
    tun.close()


def test_what_the_kernel_should_not_have_given_comes_as_nothing() -> None:
    """On a socketpair the test is the kernel."""
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    tun = LinuxTun(ours.detach(), "wg0", vnet_hdr=True)
    packet = b"E" + bytes(39)
    headers = {
        bytes(10): packet,
        b"\2" + bytes(9): packet,  # DATA_VALID: it saw the checksum, and tells
        b"\1\0" + bytes(4) + b"\x14\0\x10\0": b"",  # NEEDS_CSUM
        b"\1\1" + b"\xff" * 8: b"",
        b"\0\4" + bytes(8): b"",
        b"\xff" * 10: b"",
    }
    for header in headers:
        kernel.send(header + packet)
    for short in (b"\0", b"\0" * 9, b"\0" * 10):
        kernel.send(short)
    assert list(map(bytes, tun.read(64))) == [*headers.values(), b"", b"", b""]
    tun.close()
    kernel.close()


@pytest.mark.parametrize("v6", [False, True], ids=["IPv4", "IPv6"])
def test_the_kernel_takes_merged_segments(inside: Inside, v6: bool) -> None:
    tun = opened(inside)
    with carried(inside, tun, v6=v6) as (received, longest):
        assert received == PAYLOAD
        assert longest > 4, "nothing was merged"
    tun.close()


def test_a_refused_frame_counts_with_all_its_packets(inside: Inside) -> None:
    tun = opened(inside)
    assert tun.write(run(5)) == 5, "the link is down"
    tun.close()


def test_a_kernel_that_takes_no_merged_segments_gets_none_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, _kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    tun = LinuxTun(ours.detach(), "wg0", vnet_hdr=True)
    written: list[list[bytes]] = []

    def writev(_fd: int, frame: list[bytes]) -> int:
        if len(frame) > 2:
            raise OSError(errno.EINVAL, "refused")
        written.append([bytes(part) for part in frame])
        return sum(map(len, frame))

    monkeypatch.setattr("os.writev", writev)
    assert tun.write(run(5)) == 5
    assert tun.write(run(5)) == 0
    assert written == [[bytes(10), packet] for packet in run(5)]
    tun.close()


def test_the_kernel_drops_what_has_a_wrong_checksum(inside: Inside) -> None:
    """It would believe us: so it must not have been told that the checksum is right."""
    tun = opened(inside)
    with carried(inside, tun, break_every=50) as (received, longest):
        assert received == PAYLOAD
        assert longest > 4
    tun.close()


PAYLOAD = bytes(range(256)) * 8192


@contextmanager
def carried(
    inside: Inside, tun: LinuxTun, *, v6: bool = False, break_every: int = 0
) -> Iterator[tuple[bytes, int]]:
    """PAYLOAD over TCP from another namespace into `tun`: what arrived, and the most packets in one write."""
    near, far, bits = ("fd00::1", "fd00::2", 64) if v6 else ("10.9.0.1", "10.9.0.2", 24)
    with inside_new_namespace() as outside:
        other = opened(outside, "far")
        for there, address, name in ((inside, near, tun.name), (outside, far, other.name)):
            there.namespace.ip("addr", "add", f"{address}/{bits}", "dev", name, *(["nodad"] if v6 else []))
            there.namespace.ip("link", "set", name, "mtu", "1420", "up")
        family = socket.AF_INET6 if v6 else socket.AF_INET
        listener = inside.run(lambda: socket.create_server((near, 7), family=family))
        sender = outside.run(lambda: socket.socket(family))
        sender.setblocking(False)
        sender.connect_ex((near, 7))
        listener.settimeout(0.01)
        receiver: socket.socket | None = None
        left, received = memoryview(PAYLOAD), bytearray()
        longest = count = 0
        deadline = time.monotonic() + 30
        while len(received) < len(PAYLOAD) and time.monotonic() < deadline:
            packets = [bytes(packet) for packet in other.read(64)]
            for at, packet in enumerate(packets):
                count += 1
                if break_every and not count % break_every:
                    packets[at] = packet[:-1] + bytes([packet[-1] ^ 0x55])
            if packets:
                longest = max(longest, *(len(frame) - 1 for frame in coalesce(packets)), 0)
                tun.write(packets)
            other.write([bytes(packet) for packet in tun.read(64)])
            if receiver is None:
                with suppress(TimeoutError):
                    receiver, _ = listener.accept()
                    receiver.setblocking(False)
                continue
            with suppress(BlockingIOError):
                left = left[sender.send(left) :]
            with suppress(BlockingIOError):
                received += receiver.recv(1 << 20)
        try:
            yield bytes(received), longest if tun.vnet_hdr else 1
        finally:
            for sock in (receiver, sender, listener):
                if sock is not None:
                    sock.close()
            other.close()


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
