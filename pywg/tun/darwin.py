"""TUN devices of macOS: utun, a kernel control socket.

Comes in: `utun` or `utunN`, or an inherited descriptor. Goes out: a packet descriptor. Rule kept: each packet
on it is preceded by its address family in four bytes, network order, which nobody else sees. Written from
sys/kern_control.h, sys/sys_domain.h, net/if_utun.h and sys/sockio.h, and tested with recorded system calls;
not run on a Mac here.
"""

import errno
import fcntl
import os
import re
import socket
import struct
from collections.abc import Sequence
from typing import Final, Self

from pywg.tun.descriptor import BATCH_BYTES, DEAD, MAX_PACKET, DescriptorTun
from pywg.tun.port import TunError

__all__ = ["DarwinTun", "TunError", "interface_name", "open_tun"]

PF_SYSTEM: Final = 32
SYSPROTO_CONTROL: Final = 2
UTUN_CONTROL_NAME: Final = b"com.apple.net.utun_control"
UTUN_OPT_IFNAME: Final = 2
CTLIOCGINFO: Final = 0xC0644E03  # _IOWR('N', 3, struct ctl_info)
SIOCSIFMTU: Final = 0x80206934  # _IOW('i', 52, struct ifreq)

_CTL_INFO: Final = struct.Struct("=I96s")
_IFREQ_INT: Final = struct.Struct("=16si12x")
_NAME_SIZE: Final = 16

_HEADER_SIZE: Final = 4
_HEADER4: Final = struct.pack("!I", 2)  # AF_INET
_HEADER6: Final = struct.pack("!I", 30)  # macOS's AF_INET6

_NAME: Final = re.compile(r"utun(0|[1-9][0-9]{0,8})?")


class DarwinTun(DescriptorTun):
    """A utun device; its descriptor is close-on-exec and non-blocking."""

    def __init__(self, fd: int, name: str) -> None:
        super().__init__(fd)
        self.name = name
        self._header = bytearray(_HEADER_SIZE)

    @classmethod
    def from_fd(cls, fd: int) -> Self:
        """Take over an inherited descriptor (WG_TUN_FD). Raises TunError if it is no utun."""
        try:
            name = interface_name(fd)
        except OSError as error:
            raise TunError(
                f"descriptor {fd} is not an open utun device ({error.strerror}); "
                "WG_TUN_FD must name one that was inherited"
            ) from None
        return cls(fd, name)

    def read(self, most: int) -> Sequence[memoryview]:
        """See DescriptorTun."""
        buffer, header = self._buffer, self._header
        packets: list[memoryview] = []
        start, last_start = 0, BATCH_BYTES - MAX_PACKET
        try:
            while len(packets) < most and start <= last_start:
                size = os.readv(self._fd, [header, buffer[start:]]) - _HEADER_SIZE
                if size <= 0:
                    break
                packets.append(buffer[start : start + size])
                start += size
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in DEAD and not packets:
                raise
        return packets

    def write(self, packets: Sequence[bytes | bytearray | memoryview]) -> int:
        """See DescriptorTun."""
        refused = 0
        for packet in packets:
            header = _HEADER6 if len(packet) and packet[0] >> 4 == 6 else _HEADER4
            try:
                os.writev(self._fd, [header, packet])
            except OSError as error:
                if error.errno in DEAD:
                    raise
                refused += 1
        return refused


def open_tun(name: str, mtu: int | None) -> DarwinTun:
    """Create the device `name`, or the next free one for `utun`; set its MTU unless None. Raises TunError."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise TunError(f"'{name}' is no interface name of macOS; use utun, or utun and a number")
    # The kernel counts from 1; 0 lets it choose.
    unit = int(match[1]) + 1 if match[1] else 0
    fd = _connect(name, unit)
    try:
        tun = DarwinTun.from_fd(fd)
    except TunError:
        os.close(fd)
        raise
    if mtu is not None:
        try:
            _set_mtu(tun.name, mtu)
        except OSError as error:
            tun.close()
            raise TunError(f"cannot set the MTU of '{tun.name}' to {mtu}: {error.strerror}") from None
    return tun


def _connect(name: str, unit: int) -> int:
    try:
        with socket.socket(PF_SYSTEM, socket.SOCK_DGRAM, SYSPROTO_CONTROL) as control:
            answer = fcntl.ioctl(control.fileno(), CTLIOCGINFO, _CTL_INFO.pack(0, UTUN_CONTROL_NAME))
            control.connect((_CTL_INFO.unpack(answer)[0], unit))
            return control.detach()
    except OSError as error:
        raise TunError(_explain(name, error)) from None


def _explain(name: str, error: OSError) -> str:
    what = f"cannot create the device '{name}'"
    match error.errno:
        case errno.EPERM | errno.EACCES:
            return f"{what}: not permitted; run as root"
        case errno.EBUSY:
            return f"{what}: it is in use; choose another number, or utun to have one chosen"
        case _:
            return f"{what}: {error.strerror}"


def interface_name(fd: int) -> str:
    """Name of the utun behind `fd`. Raises OSError."""
    with socket.socket(fileno=os.dup(fd)) as control:
        name = control.getsockopt(SYSPROTO_CONTROL, UTUN_OPT_IFNAME, _NAME_SIZE)
    return name.partition(b"\0")[0].decode()


def _set_mtu(name: str, mtu: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock.fileno(), SIOCSIFMTU, _IFREQ_INT.pack(name.encode(), mtu))
