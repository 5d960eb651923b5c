"""What happens to our utun device and to the machine's routes, noticed at once through a routing socket.

Comes in: the utun's descriptor. Goes out: calls for link and MTU changes, route changes and deletion. Written
from net/if.h, net/route.h and sys/sockio.h, and tested with recorded messages; not run on a Mac here.
"""

import errno
import fcntl
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pywg.endpoint import Endpoint
from pywg.net.port import LinkState, MonitorCallbacks
from pywg.tun.darwin import interface_name

PF_ROUTE: Final = 17
RTM_VERSION: Final = 5
RTM_ADD: Final = 1
RTM_DELETE: Final = 2
RTM_CHANGE: Final = 3
RTM_NEWADDR: Final = 0xC
RTM_DELADDR: Final = 0xD
RTM_IFINFO: Final = 0xE
SIOCGIFFLAGS: Final = 0xC0206911  # _IOWR('i', 17, struct ifreq)
SIOCGIFMTU: Final = 0xC0206933  # _IOWR('i', 51, struct ifreq)
IFF_UP: Final = 1

READ_SIZE: Final = 1 << 16
READS_PER_TURN: Final = 64

_MESSAGE: Final = struct.Struct("=HBB")  # length, version, type: common to all messages
_IF_MESSAGE: Final = struct.Struct("=HBBiiH")  # ..., addresses, flags, index
_IFREQ: Final = struct.Struct("=16s16x")
_IFREQ_FLAGS: Final = struct.Struct("=16xH14x")
_IFREQ_MTU: Final = struct.Struct("=16xi12x")
_ROUTE_CHANGES: Final = frozenset({RTM_ADD, RTM_DELETE, RTM_CHANGE, RTM_NEWADDR, RTM_DELADDR, RTM_IFINFO})
_GONE: Final = frozenset({errno.ENXIO, errno.ENODEV})


@dataclass(frozen=True, slots=True)
class RouteMessage:
    """What a message of the routing socket is about."""

    kind: int
    ifindex: int | None
    """Of RTM_IFINFO."""


class DarwinLinkMonitor:
    """A LinkMonitor. Raises OSError if the routing socket cannot be used or the device does not exist."""

    def __init__(self, tun_fd: int, callbacks: MonitorCallbacks) -> None:
        self._callbacks = callbacks
        self._name = interface_name(tun_fd)
        self._ifindex = socket.if_nametoindex(self._name)
        self._gone = False
        self._socket = socket.socket(PF_ROUTE, socket.SOCK_RAW)
        try:
            self._socket.setblocking(False)
            state = read_state(self._name)
        except OSError:
            self.close()
            raise
        if state is None:
            self.close()
            raise OSError(errno.ENXIO, "the utun device was deleted")
        self.state: LinkState = state

    def fileno(self) -> int:
        """The routing socket, or -1 after `close`."""
        return self._socket.fileno()

    def on_readable(self) -> None:
        """Read what the routing socket has to say, then call back: once per kind of change."""
        if self._gone or self._socket.fileno() < 0:
            return
        kinds = set()
        ours = False
        for data in self._read_all():
            for message in messages(data):
                kinds.add(message.kind)
                ours = ours or message.ifindex == self._ifindex
        if ours:
            state = read_state(self._name)
            if state is None:
                self._gone = True
                self._callbacks.on_gone()
                return
            if state != self.state:
                self.state = state
                self._callbacks.on_change(state)
        if kinds & _ROUTE_CHANGES:
            self._callbacks.on_route_change()

    def route_interface(self, endpoint: Endpoint, mark: int) -> int | None:
        """Cannot be told, and need not be: sources are not sticky on macOS."""
        del endpoint, mark
        return None

    def close(self) -> None:
        """May be called twice."""
        self._socket.close()

    def _read_all(self) -> Iterator[bytes]:
        for _ in range(READS_PER_TURN):
            try:
                yield self._socket.recv(READ_SIZE)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return


def messages(data: bytes) -> Iterator[RouteMessage]:
    """Split what one read returned; other versions and truncated messages are dropped."""
    offset = 0
    while offset + _MESSAGE.size <= len(data):
        length, version, kind = _MESSAGE.unpack_from(data, offset)
        if length < _MESSAGE.size or offset + length > len(data):
            return
        if version == RTM_VERSION:
            ifindex = None
            if kind == RTM_IFINFO and length >= _IF_MESSAGE.size:
                ifindex = _IF_MESSAGE.unpack_from(data, offset)[5]
            yield RouteMessage(kind, ifindex)
        offset += length


def read_state(name: str) -> LinkState | None:
    """Flags and MTU of the interface called `name`; None if there is none. Raises OSError."""
    request = _IFREQ.pack(name.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            flags = _IFREQ_FLAGS.unpack(fcntl.ioctl(sock.fileno(), SIOCGIFFLAGS, request))[0]
            mtu = _IFREQ_MTU.unpack(fcntl.ioctl(sock.fileno(), SIOCGIFMTU, request))[0]
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
    return LinkState(up=bool(flags & IFF_UP), mtu=mtu)
