"""TUN devices of Linux, opened through python-pytun.

Comes in: a name, or a descriptor inherited from the process that made the device. Goes out: a packet
descriptor, with a virtio_net_hdr before each packet where the kernel lets us, so that TCP can be written in
frames of up to 64 KiB. Rules kept: the link is never set up here, the MTU is set by the maker only, and the
device makes no address and no redirect of its own (kernel wireguard/device.c: a router solicitation starts a
handshake).
"""

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from typing import Final, Self

from pywg.interface_name import LONGEST_NAME
from pywg.net import netlink
from pywg.tun.checksum import Buffer
from pywg.tun.coalesce import Frame, coalesce
from pywg.tun.descriptor import BATCH_BYTES, DEAD, MAX_PACKET, DescriptorTun
from pywg.tun.port import TunError
from pywg.tun.virtio import NEEDS_CSUM, PLAIN, VIRTIO_NET_HDR

__all__ = ["LinuxTun", "TunError", "check_name", "interface", "open_tun"]

# linux/if_tun.h and linux/sockios.h
IFF_TUN: Final = 0x0001
IFF_NO_PI: Final = 0x1000
IFF_VNET_HDR: Final = 0x4000
TUNGETIFF: Final = 0x800454D2
TUNSETOFFLOAD: Final = 0x400454D0
TUNSETVNETHDRSZ: Final = 0x400454D8
SIOCSIFMTU: Final = 0x8922
SIOCSIFTXQLEN: Final = 0x8943

QUEUE_LENGTH: Final = 1000
"""Packets the kernel holds for us, as it does for its own WireGuard; a TUN has 500."""

_MOST_READ: Final = VIRTIO_NET_HDR.size + MAX_PACKET

_IFREQ_FLAGS: Final = struct.Struct("16sH22x")
_INT: Final = struct.Struct("=i")
_IFREQ_INT: Final = struct.Struct("16si20x")


class LinuxTun(DescriptorTun):
    """A TUN device without packet information header; its descriptor is close-on-exec and non-blocking.

    With `vnet_hdr` what is read is still one packet at a time: cutting TCP up here costs more than the kernel
    takes for it (docs/performance.md).
    """

    def __init__(self, fd: int, name: str, *, vnet_hdr: bool) -> None:
        super().__init__(fd)
        self.name = name
        self.vnet_hdr = vnet_hdr
        self._merges = vnet_hdr

    def read(self, most: int) -> Sequence[memoryview]:
        """See DescriptorTun. With `vnet_hdr`, a packet the kernel left unfinished comes as an empty one.

        It was told not to leave any. The engine counts what is empty as malformed.
        """
        if not self.vnet_hdr:
            return super().read(most)
        fd, buffer, readv = self._fd, self._buffer, os.readv
        packets: list[memoryview] = []
        start, last_start = 0, BATCH_BYTES - _MOST_READ
        room = self._whole
        try:
            while len(packets) < most:
                end = start + readv(fd, room)
                # The first two bytes of a virtio_net_hdr: flags and gso_type.
                if buffer[start] & NEEDS_CSUM or buffer[start + 1]:
                    packets.append(buffer[:0])
                else:
                    packets.append(buffer[start + VIRTIO_NET_HDR.size : end])
                if end > last_start:
                    break
                start = end
                room = [buffer[end:]]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in DEAD and not packets:
                raise
        return packets

    def write(self, packets: Sequence[Buffer]) -> int:
        """See DescriptorTun. Segments that continue each other are handed over as one."""
        if not self.vnet_hdr:
            return super().write(packets)
        fd, writev = self._fd, os.writev
        refused = 0
        frames: list[Frame] = coalesce(packets) if self._merges else [[PLAIN, packet] for packet in packets]
        for frame in frames:
            try:
                writev(fd, frame)
            except OSError as error:
                if error.errno in DEAD:
                    raise
                refused += len(frame) - 1
                if error.errno == errno.EINVAL and len(frame) > 2:
                    # A kernel that takes no merged segments: these are lost, and TCP sends them again.
                    self._merges = False
        return refused

    @classmethod
    def from_fd(cls, fd: int) -> Self:
        """Take over an inherited descriptor (WG_TUN_FD). Raises TunError if it is no TUN we can use."""
        try:
            name, flags = interface(fd)
        except OSError as error:
            raise TunError(
                f"descriptor {fd} is not an open TUN device ({error.strerror}); "
                "WG_TUN_FD must name one that was inherited"
            ) from None
        # Whether it has IFF_NO_PI cannot be asked: IFF_NOFILTER has the same bit in the answer.
        if not flags & IFF_TUN:
            raise TunError(
                f"descriptor {fd} is the device '{name}' with flags {flags:#x}; "
                "expected IFF_TUN | IFF_NO_PI, with or without IFF_VNET_HDR"
            )
        vnet_hdr = bool(flags & IFF_VNET_HDR)
        if vnet_hdr:
            _set_plain_headers(fd, name)
        return cls(fd, name, vnet_hdr=vnet_hdr)


def open_tun(name: str, mtu: int | None) -> LinuxTun:
    """Create the TUN device `name`, or attach to one that outlives its maker; set its MTU unless None.

    Raises TunError.
    """
    check_name(name)
    try:
        fd = _create(name, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise TunError(_explain(name, error.errno or 0)) from None
        # A kernel that does not know the header, or another reason, which comes again.
        try:
            fd = _create(name, IFF_TUN | IFF_NO_PI)
        except OSError as again:
            raise TunError(_explain(name, again.errno or 0)) from None
    try:
        tun = LinuxTun.from_fd(fd)
    except TunError:
        os.close(fd)
        raise
    try:
        if mtu is not None:
            _set_mtu(tun.name, mtu)
    except OSError as error:
        tun.close()
        raise TunError(
            f"cannot set the MTU of '{name}' to {mtu}: {error.strerror}; use 68 to 65535"
        ) from None
    _set_queue_length(tun.name)
    _make_quiet(tun.name)
    return tun


def interface(fd: int) -> tuple[str, int]:
    """Name and IFF_ flags of the TUN behind `fd`, also after a rename. Raises OSError."""
    answer = fcntl.ioctl(fd, TUNGETIFF, _IFREQ_FLAGS.pack(b"", 0))
    name, flags = _IFREQ_FLAGS.unpack(answer)
    return name.rstrip(b"\0").decode(), flags


def check_name(name: str) -> None:
    """Raises TunError if the kernel would refuse `name` (dev_valid_name) or take it for a pattern."""
    if not name:
        raise TunError("the interface name is empty; give one of 1 to 15 characters, such as wg0")
    if len(name.encode()) > LONGEST_NAME:
        raise TunError(f"interface name '{name}' is too long; use at most {LONGEST_NAME} characters")
    if name in {".", ".."} or any(c in "/:%" or c.isspace() or not c.isprintable() for c in name):
        raise TunError(
            f"interface name '{name}' is not valid; use letters, digits, '_', '=', '+', '.' and '-'"
        )


def _create(name: str, flags: int) -> int:
    """A descriptor of the device. Raises OSError."""
    # Here, because a daemon that inherited its descriptor does not need it.
    import pytun  # noqa: PLC0415 (see above)

    device = pytun.TunTapDevice(name, flags)
    # A descriptor of our own: pytun's object closes its descriptor whenever it is collected.
    fd = os.dup(device.fileno())
    device.close()
    return fd


def _set_plain_headers(fd: int, name: str) -> None:
    """Undo what whoever opened it may have chosen: longer headers, or work left to us. Raises TunError."""
    try:
        fcntl.ioctl(fd, TUNSETVNETHDRSZ, _INT.pack(VIRTIO_NET_HDR.size))
        fcntl.ioctl(fd, TUNSETOFFLOAD, 0)
    except OSError as error:
        raise TunError(
            f"descriptor {fd} is the device '{name}' with IFF_VNET_HDR, whose header cannot be set to "
            f"{VIRTIO_NET_HDR.size} bytes without offloads ({error.strerror}); open it without IFF_VNET_HDR"
        ) from None


def _explain(name: str, code: int) -> str:
    what = f"cannot create the TUN device '{name}'"
    match code:
        case errno.EPERM | errno.EACCES:
            return f"{what}: not permitted; run as root or with CAP_NET_ADMIN"
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return f"{what}: /dev/net/tun is missing; run 'modprobe tun', or give the device to the container"
        case errno.EBUSY:
            return f"{what}: the name is in use by another process; choose another or end that one"
        case errno.EINVAL:
            return f"{what}: an interface of another kind has that name; choose another or delete it"
        case _:
            return f"{what}: {os.strerror(code) if code else 'unknown error'}"


def _set_mtu(name: str, mtu: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFMTU, _IFREQ_INT.pack(name.encode(), mtu))


def _set_queue_length(name: str) -> None:
    """Best effort: the tunnel works with the shorter queue too."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, SIOCSIFTXQLEN, _IFREQ_INT.pack(name.encode(), QUEUE_LENGTH))
    except OSError:
        pass


def _make_quiet(name: str) -> None:
    """Best effort: without it a tunnel to ::/0 starts a handshake as its link comes up, which is harmless."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as sock:
            for request in netlink.set_quiet(socket.if_nametoindex(name), 1):
                sock.send(request)
    except OSError:
        pass
