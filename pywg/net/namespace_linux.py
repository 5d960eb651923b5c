"""Where a TUN device is once it was moved: netlink in a network namespace that is not ours.

Comes in: the TUN's descriptor. Goes out: whether the device still exists, and netlink sockets beside it.
Sources: linux/if_tun.h (TUNGETDEVNETNS, since 5.2), setns(2), network_namespaces(7).
"""

import errno
import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

TUNGETDEVNETNS: Final = 0x54E3
CLONE_NEWNET: Final = 0x40000000


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace; `fd` is None where the kernel does not tell and ours is the best guess."""

    fd: int | None

    @property
    def is_ours(self) -> bool:
        if self.fd is None:
            return True
        theirs, ours = os.fstat(self.fd), os.stat("/proc/thread-self/ns/net")  # noqa: PTH116  # a link of /proc
        return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)

    def netlink_socket(self) -> socket.socket:
        """A route netlink socket in this namespace. Raises OSError (EPERM: we may not enter it)."""
        if self.fd is None or self.is_ours:
            return open_netlink()
        # One thread enters the namespace, and is never used for anything else.
        result: list[socket.socket | OSError] = []
        thread = threading.Thread(target=_open_inside, args=(self.fd, result), name="pywg-netns")
        thread.start()
        thread.join()
        opened = result[0]
        if isinstance(opened, OSError):
            raise opened
        return opened


@contextmanager
def of_device(tun_fd: int) -> Iterator[Namespace]:
    """The namespace the device of `tun_fd` is in. Raises OSError (EBADFD) if the device was deleted."""
    try:
        fd = fcntl.ioctl(tun_fd, TUNGETDEVNETNS)
    except OSError as error:
        if error.errno in {errno.EBADFD, errno.EBADF}:
            raise
        fd = None  # an older kernel, or we may not know
    try:
        yield Namespace(fd)
    finally:
        if fd is not None:
            os.close(fd)


def open_netlink() -> socket.socket:
    """A route netlink socket in our namespace."""
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    return socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)


def _open_inside(namespace_fd: int, result: list[socket.socket | OSError]) -> None:
    # Here, because most daemons never come here. (os.setns is of Python 3.12.)
    import ctypes  # noqa: PLC0415

    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.setns(namespace_fd, CLONE_NEWNET):
            code = ctypes.get_errno()
            result.append(OSError(code, os.strerror(code)))
        else:
            result.append(open_netlink())
    except OSError as error:
        result.append(error)
