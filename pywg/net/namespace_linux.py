"""Where a TUN device is once it was moved, and changes that can be made only from within there.

Comes in: the TUN's descriptor. Goes out: its network namespace, held while it is looked at and no longer, for
whoever holds a descriptor or a socket of a namespace keeps it alive. Sources: linux/if_tun.h (TUNGETDEVNETNS,
since 5.2), setns(2), network_namespaces(7).
"""

import errno
import fcntl
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

TUNGETDEVNETNS: Final = 0x54E3
CLONE_NEWNET: Final = 0x40000000


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace; `fd` is None where the kernel does not tell and ours is the best guess."""

    fd: int | None
    inode: int
    """Its identity, as long as it lives."""

    @property
    def is_ours(self) -> bool:
        return self.inode == our_inode()


def our_inode() -> int:
    """The identity of the namespace the calling thread is in."""
    return os.stat("/proc/thread-self/ns/net").st_ino  # noqa: PTH116 (a link of /proc)


@contextmanager
def of_device(tun_fd: int) -> Iterator[Namespace]:
    """The namespace the device of `tun_fd` is in.

    Raises OSError: EBADFD if the device was deleted, EPERM if it is where we have no rights.
    """
    try:
        fd = fcntl.ioctl(tun_fd, TUNGETDEVNETNS)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # An older kernel; or the namespace is being taken down, and the device with it.
        yield Namespace(None, our_inode())
        return
    try:
        yield Namespace(fd, os.fstat(fd).st_ino)
    finally:
        os.close(fd)


def open_netlink() -> socket.socket:
    """A route netlink socket in our namespace."""
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    return socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)


def send_inside(namespace: Namespace, requests: Iterable[bytes]) -> None:
    """Send netlink requests in a namespace and do not wait for answers. Raises OSError (EPERM)."""
    if namespace.is_ours:
        _send(requests)
        return
    # One thread enters the namespace, and is never used for anything else.
    failures: list[OSError] = []

    def send() -> None:
        try:
            _enter(namespace)
            _send(requests)
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=send, name="pywg-netns")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def _send(requests: Iterable[bytes]) -> None:
    with open_netlink() as sock:
        for request in requests:
            sock.send(request)


def _enter(namespace: Namespace) -> None:
    # Here, because most daemons never come here. (os.setns is of Python 3.12.)
    import ctypes  # noqa: PLC0415 (see above)

    if ctypes.CDLL(None, use_errno=True).setns(namespace.fd, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
